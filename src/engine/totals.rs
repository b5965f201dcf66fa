//! Compares the sum of a column with that of a column elsewhere, once every table is staged.
//!
//! Sums are exact however large they become: where 38 digits do not suffice, they are made of numbers without a limit. Floating point
//! numbers are summed by their written form, so that the order of the rows changes nothing.

use super::findings::{Finding, columns};
use super::session::{Session, quote};
use crate::check::Tolerance;
use crate::error::Error;
use crate::plan::{Plan, TablePlan};
use crate::report::Sample;
use crate::source::Staging;
use crate::types::DataType;

/// The digits after the point that floating point numbers are summed with.
const FLOATING: usize = 12;

/// A number of any size: its digits without the point, and how many of them stand behind it.
struct Sum {
    digits: String,
    scale: usize,
}

/// Judges one total; `None` where both sums are equal.
pub fn judge(
    plan: &Plan,
    table: &TablePlan,
    column: &str,
    other: (&str, &str),
    tolerance: &Tolerance,
    session: &Session,
) -> Result<Option<Finding>, Error> {
    let there = format!("{}.{}", other.0, other.1);
    let here = sum(plan, &table.name.value, column, session)?;
    let elsewhere = sum(plan, other.0, other.1, session)?;
    let (Some(here), Some(elsewhere)) = (&here, &elsewhere) else {
        let whose = if here.is_none() { column } else { &there };
        let text = format!(
            "{whose} has a value that is no decimal of 38 digits, {FLOATING} of them behind the point: there is no exact sum"
        );
        return Ok(Some(Finding { count: 1, text, ..Finding::default() }));
    };
    let scale = here.scale.max(elsewhere.scale);
    let (a, b) = (here.aligned(scale), elsewhere.aligned(scale));
    let sql = format!("SELECT x - y, greatest(x - y, y - x), greatest(y, -1::BIGNUM * y) FROM (SELECT {a} AS x, {b} AS y)");
    let row = session.rows(&sql)?.into_iter().next().unwrap_or_default();
    let cell = |i: usize| row.get(i).cloned().flatten().unwrap_or_default();
    let (difference, distance, whole) = (cell(0), cell(1), cell(2));
    if difference == "0" {
        return Ok(None);
    }
    let tolerated = match tolerance {
        Tolerance::Rows(0) => false,
        Tolerance::Rows(most) => within(&distance, scale, &most.to_string(), session)?,
        Tolerance::Amount(most) => within(&distance, scale, most, session)?,
        Tolerance::Share(share) => {
            let number = |digits: &str| digits.parse::<f64>().unwrap_or(f64::INFINITY);
            number(&distance) <= share * number(&whole) * (1.0 + 1e-12)
        }
    };
    let difference = Sum { digits: difference, scale };
    let values = [here, elsewhere, &difference].map(|s| Some(s.shown()));
    let [first, second, third] = values.clone().map(Option::unwrap_or_default);
    let text = format!("its sum is {first}, that of {there} is {second}: the difference is {third}");
    let names = ["sum".to_string(), format!("sum of {there}"), "difference".to_string()];
    let sample = Sample { value: Some(first), row: names.into_iter().zip(values).collect(), ..Sample::default() };
    Ok(Some(Finding { count: 1, text, tolerated, samples: vec![sample], ..Finding::default() }))
}

/// Tells whether a distance is at most what the author wrote.
fn within(distance: &str, scale: usize, most: &str, session: &Session) -> Result<bool, Error> {
    let (distance, most) = (Sum { digits: distance.to_string(), scale }, Sum::read(most));
    let scale = scale.max(most.scale);
    let rows = session.rows(&format!("SELECT {} <= {}", distance.aligned(scale), most.aligned(scale)))?;
    Ok(rows.first().and_then(|r| r.first()).and_then(Option::as_deref) == Some("true"))
}

/// Sums a column exactly; `None` where a value is no decimal.
fn sum(plan: &Plan, relation: &str, column: &str, session: &Session) -> Result<Option<Sum>, Error> {
    let data_type = columns(plan, relation).into_iter().find(|(name, _)| *name == column).map(|(_, t)| t.clone());
    let exact = data_type.is_some_and(|t| t.is_integer() || matches!(t, DataType::Decimal(_)));
    let (table, column) = (quote(relation), quote(column));
    let value = if exact { column.clone() } else { format!("TRY_CAST(CAST({column} AS VARCHAR) AS DECIMAL(38,{FLOATING}))") };
    let plain = format!("SELECT CASE WHEN count({column}) = count({value}) THEN coalesce(sum({value}), 0) END FROM {table}");
    let first = |rows: Vec<Vec<Option<String>>>| rows.into_iter().next().and_then(|r| r.into_iter().next()).flatten();
    match session.rows(&plain) {
        Ok(rows) => Ok(first(rows).map(|text| Sum::read(&text))),
        Err(error) if error.message.contains("verflow") || error.message.contains("Out of Range") => {
            // All values of a column have one scale, so their digits can be added without the point.
            let parts = format!(
                "SELECT CASE WHEN count({column}) = count({value}) THEN coalesce(sum(replace(CAST({value} AS VARCHAR), '.', '')::BIGNUM), 0::BIGNUM) END, \
                 max(len(split_part(CAST({value} AS VARCHAR), '.', 2))) FROM {table}"
            );
            let row = session.rows(&parts)?.into_iter().next().unwrap_or_default();
            let scale = row.get(1).cloned().flatten().and_then(|n| n.parse().ok()).unwrap_or(0);
            Ok(row.first().cloned().flatten().map(|digits| Sum { digits, scale }))
        }
        Err(error) => Err(error),
    }
}

impl Sum {
    /// Reads a decimal as it is written.
    fn read(text: &str) -> Sum {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        Sum { digits: format!("{whole}{fraction}"), scale: fraction.len() }
    }

    /// Its digits with so many behind the point, for the engine.
    fn aligned(&self, scale: usize) -> String {
        format!("'{}{}'::BIGNUM", self.digits, "0".repeat(scale.saturating_sub(self.scale)))
    }

    /// The number as people write it.
    fn shown(&self) -> String {
        let (sign, digits) = match self.digits.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", self.digits.as_str()),
        };
        let digits = format!("{digits:0>width$}", width = self.scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale);
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    #[test]
    fn numbers_are_shown_as_they_were_written() {
        for text in ["0", "-7", "0.30", "-10.05", "99999999999999999999999999999999999999999.5"] {
            assert_eq!(Sum::read(text).shown(), text);
        }
        assert_eq!(Sum { digits: "-5".into(), scale: 2 }.shown(), "-0.05");
        assert_eq!(Sum::read("1.5").aligned(3), "'1500'::BIGNUM");
    }
}
