//! How PostgreSQL judges values.
//!
//! Sources: PostgreSQL 15 manual, sections 8.1 (numeric types), 8.3 (character types), 8.5 (date/time types) and 5.4 (constraints).

use super::{ColumnRule, Target};
use crate::check::Declared;
use crate::contract::Column;
use crate::contract::ddl::Flavor;
use crate::expr::{BinaryOp, Expr, ExprKind};
use crate::types::DataType;

pub struct Postgres;

/// The most bytes of a text.
const LONGEST: u32 = 256 << 20;

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
            // Section 8.3: the character with code zero cannot be stored. A row in COPY or in a statement stays below 1 GiB, escapes and
            // its checksum included.
            let nul = Expr::call("chr", vec![Expr::number(0, span)], span);
            let fails = Expr::call("contains", vec![here(), nul], span);
            let long = Expr::call("strlen", vec![here()], span).binary(BinaryOp::Greater, Expr::number(LONGEST, span));
            add("text", fails.or(long), "text without the character U+0000, of at most 256 MiB".into(), |_, value| {
                value.contains('\0').then(|| "Take it out: `replace(column, chr(0), '')`.".to_string())
            });
        }
        if column.data_type == (DataType::Json { binary: true }) {
            // Section 8.14: jsonb keeps texts and numbers as Postgres does, so neither U+0000 nor a numeric beyond its digits.
            let finds = |pattern: &str| {
                let text = Expr::call(
                    "regexp_replace",
                    vec![here().cast(DataType::Text), Expr::text("\\\\\\\\", span), Expr::text("", span), Expr::text("g", span)],
                    span,
                );
                Expr::call("regexp_matches", vec![text, Expr::text(pattern, span)], span)
            };
            let number = finds("^([^\"]|\"([^\"\\\\]|\\\\.)*\")*[0-9][eE][+-]?0*[1-9][0-9]{4}");
            add(
                "text",
                finds("\\\\u0000").or(number),
                "JSON without the character U+0000 and with exponents of at most four digits".into(),
                |_, _| None,
            );
        }
        if column.not_null {
            add("not_null", here().is_null(), "a value".into(), |rule, _| {
                Some(format!("Give a value where there is none: `default: {{{}: ...}}`.", rule.column))
            });
        }
        if let DataType::List(element) = &column.data_type {
            // An element that breaks its type's rule makes the list longer than none.
            let item = || Expr::column("item", span);
            let some = |breaks: Expr| {
                let lambda = Expr::new(ExprKind::Lambda { parameters: vec!["item".into()], body: Box::new(breaks) }, span);
                let broken = Expr::call("list_filter", vec![here(), lambda], span);
                Expr::call("len", vec![broken], span).binary(BinaryOp::Greater, Expr::number(0, span))
            };
            if element.is_text() {
                let nul = Expr::call("chr", vec![Expr::number(0, span)], span);
                let fails = some(Expr::call("contains", vec![item(), nul], span));
                add("text", fails, "texts without the character U+0000".into(), |_, _| None);
            }
            if let DataType::Varchar(limit) | DataType::Char(limit) = **element {
                let fails = some(Expr::call("length", vec![item()], span).binary(BinaryOp::Greater, Expr::number(limit, span)));
                add("length", fails, format!("elements of at most {limit} characters"), |_, _| None);
            }
        }
        if let DataType::Varchar(limit) | DataType::Char(limit) = column.data_type {
            // Section 8.3: the limit counts characters, not bytes.
            let length = Expr::call("length", vec![here()], span);
            let fails = length.binary(BinaryOp::Greater, Expr::number(limit, span));
            add("length", fails, format!("at most {limit} characters"), |_, value| {
                Some(format!("It has {} characters. Shorten it, or widen the column.", value.chars().count()))
            });
        }
        // Section 8.5: from 4713 BC, dates to the year 5874897. The engine's timestamps end before PostgreSQL's do; bounds rather than
        // years are compared because the year of an instant depends on a time zone.
        let outside = |first: &str, kind: DataType| {
            let bound = |text: &str| Expr::text(text, span).cast(kind.clone());
            let early = here().binary(BinaryOp::Less, bound(first));
            let late = here().binary(BinaryOp::Greater, bound("5874897-12-31"));
            let beyond = if kind == DataType::Date { early.or(late) } else { early };
            Expr::call("isfinite", vec![here()], span).and(beyond)
        };
        match column.data_type {
            DataType::Date => {
                let fails = outside("4713-01-01 (BC)", DataType::Date);
                add("range", fails, "a date from 4713 BC to the year 5874897".into(), |_, _| None);
            }
            DataType::Timestamp(_) => {
                let fails = outside("4713-01-01 (BC) 00:00:00", DataType::Timestamp(None));
                add("range", fails, "a time from 4713 BC on".into(), |_, _| None);
            }
            DataType::TimestampTz(_) => {
                let fails = outside("4713-01-01 (BC) 00:00:00+00", DataType::TimestampTz(None));
                add("range", fails, "a time from 4713 BC on".into(), |_, _| None);
            }
            _ => {}
        }
        rules.into_iter().map(|r| r.enforced(span)).collect()
    }
}
