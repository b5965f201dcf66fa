//! Casts that mean the same in the target.
//!
//! In: a written operand and two types. Out: SQL. Each pair of types that may pass is listed; texts are never read as other types, since
//! each database takes other spellings.

use super::Unsupported;
use super::expression::{Typed, Writer};
use crate::diagnostics::Span;
use crate::sql::{Binding, Printed};
use crate::types::DataType;

impl Writer<'_> {
    /// Casts a value; with `attempt`, NULL where it does not fit.
    pub(super) fn cast(&self, from: Typed, to: &DataType, attempt: bool, span: Span) -> Result<Printed, Unsupported> {
        use DataType as T;
        let kind = from.kind.clone();
        let wanted = self.dialect.type_name(to, span)?;
        let refused = || Err(Unsupported::new(format!("a cast of {kind} to {to}"), span));
        let plain = |sql: &str| Ok(Printed::atom(format!("CAST({sql} AS {wanted})")));
        let value = self.as_value(from)?;
        let sql = value.sql.as_str();
        match (&kind, to) {
            (a, b) if a == b || matches!((a, b), (T::Timestamp(_), T::Timestamp(_))) => Ok(value),
            (T::Unknown, _) if sql == "NULL" => plain(sql),
            (a, T::Text) => self.as_text(&value, a, span),
            (T::Boolean, b) if b.is_integer() => Ok(Printed::atom(self.dialect.number_of(sql, &wanted))),
            (a, b) if a.is_integer() && b.is_integer() => match (attempt, bounds(b)) {
                (true, Some((low, high))) => {
                    let test = format!("{} BETWEEN {low} AND {high}", value.within(Binding::Other));
                    Ok(Printed::atom(format!("CASE WHEN {test} THEN CAST({sql} AS {wanted}) END")))
                }
                _ => plain(sql),
            },
            (a, T::Double) if a.is_number() && *a != T::Real => plain(sql),
            (a, T::Decimal(Some(_))) if a.is_integer() && !attempt => plain(sql),
            (T::Decimal(Some((_, s))), T::Decimal(Some((_, t)))) if s <= t && !attempt => plain(sql),
            (T::Date, T::Timestamp(_)) | (T::Timestamp(_), T::Date) => plain(sql),
            _ => refused(),
        }
    }

    /// Writes a value as the text that the engine would make of it.
    pub(super) fn as_text(&self, value: &Printed, from: &DataType, span: Span) -> Result<Printed, Unsupported> {
        if from.is_text() {
            return Ok(value.clone());
        }
        // The scale of a decimal is the type's, whatever the value was computed from.
        let text = self.dialect.text_of(value, from).map(Printed::atom);
        text.ok_or_else(|| Unsupported::new(format!("a cast of {from} to text"), span))
    }
}

fn bounds(integer: &DataType) -> Option<(&'static str, &'static str)> {
    match integer {
        DataType::SmallInt => Some(("-32768", "32767")),
        DataType::Integer => Some(("-2147483648", "2147483647")),
        // The least one is no literal of either target.
        DataType::BigInt => Some(("-9223372036854775807 - 1", "9223372036854775807")),
        _ => None,
    }
}
