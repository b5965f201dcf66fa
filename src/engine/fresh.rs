//! Compares the newest value of a column with the clock.
//!
//! The clock is the machine's, or SOURCE_DATE_EPOCH where that is set, so that a run can be repeated to the byte. Times without a zone
//! are read as UTC; of a date the whole day counts.

use std::time::{SystemTime, UNIX_EPOCH};

use super::findings::Finding;
use super::session::{Session, quote};
use crate::error::Error;
use crate::plan::TablePlan;
use crate::source::Staging;
use crate::types::DataType;

/// Judges one column; `None` where its newest value is recent enough.
pub fn judge(table: &TablePlan, column: &str, seconds: u64, rows: u64, session: &Session) -> Result<Option<Finding>, Error> {
    let (name, quoted) = (quote(&table.name.value), quote(column));
    let oldest = i64::try_from(now().saturating_sub(seconds)).unwrap_or(0);
    let is_date = table.columns.iter().any(|c| c.name == column && c.data_type == DataType::Date);
    let oldest = if is_date { oldest - oldest.rem_euclid(86_400) } else { oldest };
    // An infinite time has no number; it is as new as anything.
    let sql = format!(
        "SELECT newest, newest IS NOT NULL AND coalesce(TRY(epoch_us(newest)) >= {oldest} * 1000000::HUGEINT, TRUE) \
         FROM (SELECT max({quoted}) AS newest FROM {name})"
    );
    let row = session.rows(&sql)?.into_iter().next().unwrap_or_default();
    let newest = row.first().cloned().flatten();
    if row.get(1).and_then(Option::as_deref) == Some("true") {
        return Ok(None);
    }
    let text = match &newest {
        Some(newest) => format!("its newest value is {newest}"),
        None if rows == 0 => "it has no rows".to_string(),
        None => "it has no value".to_string(),
    };
    Ok(Some(Finding { count: 1, of: rows, text, ..Finding::default() }))
}

/// The time in seconds since 1970.
fn now() -> u64 {
    let told = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.trim().parse().ok());
    told.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
