//! How PostgreSQL judges values.
//!
//! Sources: PostgreSQL 15 manual, sections 8.1 (numeric types), 8.3 (character types), 8.5 (date/time types) and 5.4 (constraints).

use super::{ColumnRule, Target};
use crate::check::Declared;
use crate::contract::Column;
use crate::contract::ddl::Flavor;
use crate::expr::{BinaryOp, Expr};
use crate::types::DataType;

pub struct Postgres;

impl Target for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn flavor(&self) -> Flavor {
        Flavor::Postgres
    }

    fn identifier_limit(&self) -> usize {
        63
    }

    fn column_checks(&self, column: &Column) -> Vec<Declared> {
        let span = column.span;
        let here = || Expr::column(&column.name, span);
        let mut rules = vec![];
        let mut add = |rule, fails, allowed: String, suggest| {
            rules.push(ColumnRule { rule, column: column.name.clone(), fails, allowed, suggest });
        };
        if column.data_type.is_text() || matches!(column.data_type, DataType::Json { .. } | DataType::Named(_)) {
            // Section 8.3: the character with code zero cannot be stored.
            let nul = Expr::call("chr", vec![Expr::number(0, span)], span);
            let fails = Expr::call("contains", vec![here(), nul], span);
            add("text", fails, "text without the character U+0000".into(), |_, _| {
                Some("Take it out: `replace(column, chr(0), '')`.".to_string())
            });
        }
        if column.not_null {
            add("not_null", here().is_null(), "a value".into(), |rule, _| {
                Some(format!("Give a value where there is none: `default: {{{}: ...}}`.", rule.column))
            });
        }
        if let DataType::Varchar(limit) | DataType::Char(limit) = column.data_type {
            // Section 8.3: the limit counts characters, not bytes.
            let length = Expr::call("length", vec![here()], span);
            let fails = length.binary(BinaryOp::Greater, Expr::number(limit, span));
            add("length", fails, format!("at most {limit} characters"), |_, value| {
                Some(format!("It has {} characters. Shorten it, or widen the column.", value.chars().count()))
            });
        }
        if matches!(column.data_type, DataType::Date | DataType::Timestamp(_) | DataType::TimestampTz(_)) {
            // Section 8.5: from 4713 BC; years beyond 294276 (timestamps) and 5874897 (dates).
            let last = if column.data_type == DataType::Date { 5_874_897 } else { 294_276 };
            // An instant counts by its time in UTC.
            let moment = match column.data_type {
                DataType::TimestampTz(_) => here().cast(DataType::Timestamp(None)),
                _ => here(),
            };
            let year = Expr::call("year", vec![moment], span);
            let early = year.clone().binary(BinaryOp::Less, Expr::number(-4712, span));
            let late = year.binary(BinaryOp::Greater, Expr::number(last, span));
            add("range", early.or(late), format!("a date from 4713 BC to the year {last}"), |_, _| None);
        }
        rules.into_iter().map(|r| r.enforced(span)).collect()
    }
}
