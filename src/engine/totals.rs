//! Compares the sum of a column with that of a column elsewhere, once every table is staged.
//!
//! Floating point numbers are summed by their written form, so that the order of the rows changes nothing.

use super::session::{Session, quote};
use crate::error::Error;
use crate::plan::{Plan, TablePlan};
use crate::source::Staging;
use crate::types::DataType;

/// Both sums and their difference; `None` where they are equal, or where the other relation is no part of this run.
pub fn differing(
    plan: &Plan,
    table: &TablePlan,
    column: &str,
    other: (&str, &str),
    session: &Session,
) -> Result<Option<Vec<Option<String>>>, Error> {
    let here = table.columns.iter().find(|c| c.name == column).map(|c| c.data_type.clone());
    let there = match plan.table(other.0) {
        Some(to) => to.columns.iter().find(|c| c.name == other.1).map(|c| c.data_type.clone()),
        None => plan
            .extracts
            .iter()
            .find(|e| e.extract.request.name == other.0)
            .and_then(|e| e.source.columns().iter().find(|(name, _)| name == other.1).map(|(_, t)| t.clone())),
    };
    let (Some(here), Some(there)) = (here, there) else { return Ok(None) };
    let sql = format!(
        "SELECT here, there, here - there FROM (SELECT ({}) AS here, ({}) AS there) WHERE (here = there) IS NOT TRUE",
        sum(&table.name.value, column, &here),
        sum(other.0, other.1, &there)
    );
    Ok(session.rows(&sql)?.into_iter().next())
}

/// A query for the exact sum; NULL where a value is no decimal.
fn sum(table: &str, column: &str, data_type: &DataType) -> String {
    let (table, column) = (quote(table), quote(column));
    if data_type.is_integer() || matches!(data_type, DataType::Decimal(_)) {
        return format!("SELECT coalesce(sum({column}), 0) FROM {table}");
    }
    let value = format!("TRY_CAST(CAST({column} AS VARCHAR) AS DECIMAL(38,12))");
    format!("SELECT CASE WHEN count({column}) = count({value}) THEN coalesce(sum({value}), 0) END FROM {table}")
}
