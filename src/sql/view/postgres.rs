//! What PostgreSQL says in its own way in a view.
//!
//! Texts are compared by their characters: `COLLATE "C"`.
//! Sources: PostgreSQL 15 manual, sections 9.4 (string functions), 9.7.1 (LIKE), 9.9 (dates and times), 9.21 (aggregates), 24.2 (collations).
//! Does not know about relations or how expressions nest.

use super::dialect::{Dialect, Joined, Search, Sought, named, no_type};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr};
use crate::sql::postgres::Postgres as Printer;
use crate::sql::print::{self, infix, standard};
use crate::sql::{Binding, Dialect as _, Printed, Unsupported};
use crate::types::DataType;

pub struct Postgres;

impl Dialect for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn unfit(&self, name: &str) -> Option<String> {
        (name.len() > 63).then(|| format!("the name `{name}`, longer than 63 bytes,"))
    }

    fn quoted(&self, name: &str) -> String {
        Printer.quote(name)
    }

    fn text(&self, text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }

    fn boolean(&self, value: bool) -> String {
        if value { "TRUE" } else { "FALSE" }.to_string()
    }

    fn collate(&self, sql: &str) -> String {
        format!("({sql}) COLLATE \"C\"")
    }

    fn type_name(&self, data_type: &DataType, span: Span) -> Result<String, Unsupported> {
        use DataType as T;
        match data_type {
            // Lengths and fractions of seconds are judged by the run.
            T::Text | T::Varchar(_) => Ok("text".to_string()),
            T::Timestamp(_) => Ok("timestamp".to_string()),
            T::List(element) if !matches!(**element, T::List(_)) => Ok(format!("{}[]", self.type_name(element, span)?)),
            T::Boolean
            | T::SmallInt
            | T::Integer
            | T::BigInt
            | T::HugeInt
            | T::Decimal(Some(_))
            | T::Double
            | T::Date
            | T::Uuid => Printer.type_name(data_type, span),
            other => Err(no_type(other, span)),
        }
    }

    /// Digits that were never seen in a file may yet come: nothing is rounded.
    fn read_as(&self, data_type: &DataType, span: Span) -> Result<String, Unsupported> {
        let name = self.type_name(data_type, span)?;
        Ok(if matches!(data_type, DataType::Decimal(_)) { "numeric".to_string() } else { name })
    }

    fn compare(&self, left: &Printed, op: BinaryOp, right: &Printed, _texts: bool) -> Printed {
        infix(standard(op).0, Binding::Comparison, left, right)
    }

    fn sort_key(&self, sql: &str, descending: bool, nulls_first: bool) -> String {
        let direction = if descending { " DESC" } else { "" };
        format!("{sql}{direction} NULLS {}", if nulls_first { "FIRST" } else { "LAST" })
    }

    fn divide_huge(&self, left: &str, right: &str) -> Option<String> {
        Some(format!("div({left}, {right})"))
    }

    fn concatenate(&self, left: &Printed, right: &Printed) -> Printed {
        infix("||", Binding::Other, left, right)
    }

    fn pattern(&self, pattern: &str) -> (String, &'static str) {
        (pattern.to_string(), " ESCAPE ''")
    }

    /// Booleans are cast to integer alone.
    fn number_of(&self, boolean: &str, wanted: &str) -> String {
        format!("CAST(CAST({boolean} AS integer) AS {wanted})")
    }

    fn text_of(&self, value: &Printed, from: &DataType) -> Option<String> {
        let sql = &value.sql;
        Some(match from {
            DataType::Decimal(Some((p, s))) => format!("CAST(CAST({sql} AS numeric({p},{s})) AS text)"),
            DataType::Date => format!("to_char({sql}, 'YYYY-MM-DD')"),
            DataType::Uuid | DataType::Boolean => format!("CAST({sql} AS text)"),
            number if number.is_integer() => format!("CAST({sql} AS text)"),
            _ => return None,
        })
    }

    fn call(&self, function: &str, arguments: &[String]) -> String {
        match (function, arguments) {
            ("length", [text]) => format!("CAST(length({text}) AS bigint)"),
            ("trim", list) => named("btrim", list),
            ("round", [number, places]) => format!("round(CAST({number} AS numeric), {places})"),
            (_, list) => named(function, list),
        }
    }

    fn contains(&self, _text: &Sought, _part: &Sought) -> Option<Search> {
        Some(|text, part| format!("strpos({text}, {part}) > 0"))
    }

    fn starts_with(&self, _text: &Sought, _part: &Sought) -> Option<Search> {
        Some(|text, part| format!("starts_with({text}, {part})"))
    }

    fn part_of(&self, part: &str, time: &str) -> String {
        format!("CAST(extract({part} FROM {time}) AS bigint)")
    }

    fn count(&self) -> &'static str {
        "count"
    }

    fn sum(&self) -> (&'static str, &'static str) {
        ("sum", "numeric")
    }

    fn all_or_any(&self, _name: &str, _argument: &str, plain: String) -> String {
        plain
    }

    fn string_agg(&self, joined: &Joined) -> String {
        let Joined { distinct, text, separator, order, filter, .. } = joined;
        format!("string_agg({distinct}{text}, {separator} ORDER BY {order}){filter}")
    }

    fn create_view(&self) -> &'static str {
        "CREATE OR REPLACE VIEW"
    }

    fn apply(&self) -> &'static str {
        "CROSS JOIN LATERAL"
    }

    fn unnest(&self) -> Option<fn(&str, &str, bool) -> String> {
        Some(|list, columns, keep_empty| {
            let (join, on) = if keep_empty { ("LEFT", " ON TRUE") } else { ("CROSS", "") };
            format!("{join} JOIN LATERAL unnest({list}) WITH ORDINALITY AS e({columns}){on}")
        })
    }

    /// Full joins are made by merging or hashing, both of which take equal columns.
    fn joins_fully_on_any(&self) -> bool {
        false
    }

    fn upsert_value(&self, _columns: &[(String, DataType)], _column: &str, value: &Expr) -> Result<String, Unsupported> {
        print::operand(&Printer, value, Binding::Not)
    }

    fn upsert_condition(&self, _columns: &[(String, DataType)], condition: &Expr) -> Result<String, Unsupported> {
        print::operand(&Printer, condition, Binding::Not)
    }
}
