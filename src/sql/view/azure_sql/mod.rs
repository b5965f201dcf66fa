//! What T-SQL says in its own way in a view.
//!
//! Texts are compared by their characters: by a binary collation of `nvarchar(max)`, and by their length, since spaces at the end do not count
//! there. Conditions are no values. Decimal results are rounded to keep within 38 digits, so that those which may need more are refused.
//! Sources: Transact-SQL reference, "Precision, scale, and length", string functions, LIKE, STRING_AGG, collation and Unicode support.
//! Does not know about relations or how expressions nest.

mod constraint;
mod pair;

use super::dialect::{Dialect, Joined, Search, Sought, named, no_type, unwritable};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr};
use crate::sql::print::standard;
use crate::sql::{Binding, Printed, Unsupported};
use crate::types::DataType;
pub use constraint::constraint;
use pair::Pair;

pub struct AzureSql;

impl Dialect for AzureSql {
    fn name(&self) -> &'static str {
        "azure_sql"
    }

    fn unfit(&self, name: &str) -> Option<String> {
        if name.encode_utf16().count() > 128 {
            return Some(format!("the name `{name}`, longer than 128 characters,"));
        }
        // The tools that run scripts put variables there.
        name.contains("$(").then(|| unwritable(name))
    }

    fn quoted(&self, name: &str) -> String {
        format!("[{}]", name.replace(']', "]]"))
    }

    fn schema(&self) -> Option<&'static str> {
        Some("dbo")
    }

    fn text(&self, text: &str) -> String {
        let quoted = text.replace('\'', "''");
        // `sqlcmd` acts upon lines and on `$(`: neither stands in the script as it is.
        let broken = quoted.replace('\r', "' + NCHAR(13) + N'").replace('\n', "' + NCHAR(10) + N'").replace("$(", "$' + N'(");
        if broken == quoted { format!("N'{quoted}'") } else { format!("(N'{broken}')") }
    }

    fn boolean(&self, value: bool) -> String {
        format!("CAST({} AS bit)", u8::from(value))
    }

    fn collate(&self, sql: &str) -> String {
        format!("({sql}) COLLATE Latin1_General_100_BIN2")
    }

    fn type_name(&self, data_type: &DataType, span: Span) -> Result<String, Unsupported> {
        Ok(match data_type {
            DataType::Boolean => "bit".to_string(),
            DataType::SmallInt => "smallint".to_string(),
            DataType::Integer => "int".to_string(),
            DataType::BigInt => "bigint".to_string(),
            DataType::HugeInt => "decimal(38,0)".to_string(),
            DataType::Decimal(Some((precision, scale))) => format!("decimal({precision},{scale})"),
            DataType::Double => "float".to_string(),
            DataType::Text | DataType::Varchar(_) => "nvarchar(max)".to_string(),
            DataType::Date => "date".to_string(),
            DataType::Timestamp(_) => "datetime2(6)".to_string(),
            DataType::Uuid => "uniqueidentifier".to_string(),
            other => return Err(no_type(other, span)),
        })
    }

    fn as_condition(&self, value: Printed) -> Printed {
        Printed::new(format!("{} = 1", value.within(Binding::Other)), Binding::Comparison)
    }

    fn as_value(&self, condition: Printed) -> Printed {
        let test = condition.within(Binding::Not);
        Printed::atom(format!("CASE WHEN {test} THEN CAST(1 AS bit) WHEN NOT ({}) THEN CAST(0 AS bit) END", condition.sql))
    }

    fn compare(&self, left: &Printed, op: BinaryOp, right: &Printed, texts: bool) -> Printed {
        let (l, r) = (left.within(Binding::Other), right.within(Binding::Other));
        // Texts that differ in spaces at the end are taken for equal.
        let equal = match texts {
            true => format!("({l} = {r} AND DATALENGTH({l}) = DATALENGTH({r}))"),
            false => format!("{l} = {r}"),
        };
        let same = format!("CASE WHEN {equal} OR ({l} IS NULL AND {r} IS NULL) THEN 1 ELSE 0 END");
        let test = match op {
            BinaryOp::Equal => equal,
            BinaryOp::NotEqual => return Printed::new(format!("NOT {equal}"), Binding::Not),
            BinaryOp::IsNotDistinctFrom => format!("{same} = 1"),
            BinaryOp::IsDistinctFrom => format!("{same} = 0"),
            _ => format!("{l} {} {r}", standard(op).0),
        };
        Printed::new(test, Binding::Comparison)
    }

    /// UUIDs are ordered by their last bytes first.
    fn orders(&self, kind: &DataType) -> bool {
        *kind != DataType::Uuid
    }

    fn sort_key(&self, sql: &str, descending: bool, nulls_first: bool) -> String {
        let direction = if descending { " DESC" } else { "" };
        let (null, other) = if nulls_first { (0, 1) } else { (1, 0) };
        format!("CASE WHEN {sql} IS NULL THEN {null} ELSE {other} END, {sql}{direction}")
    }

    /// Decimal results have other widths, and are rounded to keep within them.
    fn kept(
        &self,
        sum: Printed,
        kind: &DataType,
        a: &DataType,
        op: BinaryOp,
        b: &DataType,
        span: Span,
    ) -> Result<Printed, Unsupported> {
        let DataType::Decimal(_) = kind else { return Ok(sum) };
        if let (Some((p, s)), Some((q, t))) = (digits(a), digits(b)) {
            let (width, scale) = match op {
                BinaryOp::Multiply => (p + q + 1, s + t),
                _ => (s.max(t) + (p - s).max(q - t) + 1, s.max(t)),
            };
            if width > 38 && scale > 0 {
                let what = format!("`{}` of {a} and {b}, which may need {width} digits,", standard(op).0);
                return Err(Unsupported::new(what, span));
            }
        }
        Ok(Printed::atom(format!("CAST({} AS {})", sum.sql, self.type_name(kind, span)?)))
    }

    fn divide_huge(&self, _left: &str, _right: &str) -> Option<String> {
        None
    }

    /// Without the cast the result would end after 4,000 characters.
    fn concatenate(&self, left: &Printed, right: &Printed) -> Printed {
        Printed::new(format!("CAST({} AS nvarchar(max)) + {}", left.sql, right.within(Binding::Product)), Binding::Sum)
    }

    /// Brackets would be taken for sets of characters.
    fn pattern(&self, pattern: &str) -> (String, &'static str) {
        (pattern.replace('~', "~~").replace('[', "~["), " ESCAPE N'~'")
    }

    fn number_of(&self, boolean: &str, wanted: &str) -> String {
        format!("CAST({boolean} AS {wanted})")
    }

    fn text_of(&self, value: &Printed, from: &DataType) -> Option<String> {
        let sql = &value.sql;
        Some(match from {
            DataType::Decimal(Some((p, s))) => format!("CAST(CAST({sql} AS decimal({p},{s})) AS nvarchar(42))"),
            DataType::Date => format!("CONVERT(nvarchar(10), {sql}, 23)"),
            DataType::Uuid => format!("LOWER(CAST({sql} AS nvarchar(36)))"),
            DataType::Boolean => format!("CASE {} WHEN 1 THEN N'true' WHEN 0 THEN N'false' END", value.within(Binding::Atom)),
            number if number.is_integer() => format!("CAST({sql} AS nvarchar(40))"),
            _ => return None,
        })
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["greatest", "least", "right", "ltrim", "rtrim", "date_trunc"]
    }

    fn call(&self, function: &str, arguments: &[String]) -> String {
        match (function, arguments) {
            ("length", [text]) => format!("CAST(LEN({} + N'.') - 1 AS bigint)", characters(text)),
            ("left", [text, count]) => self.collate(&format!("LEFT({}, {count})", characters(text))),
            ("substring", [text, from, rest @ ..]) => {
                let count = rest.first().map_or("1073741823", String::as_str);
                self.collate(&format!("SUBSTRING({}, {from}, {count})", characters(text)))
            }
            ("trim", [text, spaces]) => format!("TRIM({spaces} FROM {text})"),
            ("round", list) => named("ROUND", list),
            (_, list) => named(function, list),
        }
    }

    fn contains(&self, text: &Sought, part: &Sought) -> Option<Search> {
        match part.literal {
            Some(literal) if !literal.is_empty() && text.reads => Some(|text, part| format!("CHARINDEX({part}, {text}) > 0")),
            // An empty text is in every text.
            _ if text.reads || part.reads => Some(|text, part| {
                format!("(CHARINDEX({part}, {text}) > 0 OR DATALENGTH({part}) = 0 AND DATALENGTH({text}) >= 0)")
            }),
            _ => None,
        }
    }

    fn starts_with(&self, text: &Sought, part: &Sought) -> Option<Search> {
        let written = part.literal.is_some_and(|t| !t.is_empty()) && text.reads;
        written.then_some(|text, part| format!("CHARINDEX({part}, {text}) = 1"))
    }

    /// Beyond the 4,000 characters at which it would be cut; at least two parts are wanted.
    fn long(&self, mut parts: Vec<String>, nothing: &str) -> Vec<String> {
        if let Some(first) = parts.first_mut() {
            *first = format!("CAST({first} AS nvarchar(max))");
        }
        if parts.len() == 1 {
            parts.push(nothing.to_string());
        }
        parts
    }

    fn part_of(&self, part: &str, time: &str) -> String {
        format!("CAST(DATEPART({part}, {time}) AS bigint)")
    }

    fn count(&self) -> &'static str {
        "COUNT_BIG"
    }

    fn sum(&self) -> (&'static str, &'static str) {
        ("SUM", "decimal(38,0)")
    }

    fn filters(&self) -> bool {
        false
    }

    fn all_or_any(&self, name: &str, argument: &str, _plain: String) -> String {
        let word = if name == "bool_and" { "MIN" } else { "MAX" };
        format!("CAST({word}(CAST({argument} AS tinyint)) AS bit)")
    }

    /// NULLs are left out, so where they would stand is all the same.
    fn string_agg(&self, joined: &Joined) -> String {
        let Joined { text, separator, descending, .. } = joined;
        let direction = if *descending { " DESC" } else { "" };
        format!("STRING_AGG({text}, {separator}) WITHIN GROUP (ORDER BY {text}{direction})")
    }

    fn create_view(&self) -> &'static str {
        "CREATE OR ALTER VIEW"
    }

    fn apply(&self) -> &'static str {
        "CROSS APPLY"
    }

    /// Texts that differ in spaces at the end are grouped together.
    fn told_apart(&self, sql: &str, kind: &DataType) -> Option<String> {
        kind.is_text().then(|| format!("DATALENGTH({sql})"))
    }

    fn groups_by_expressions(&self) -> bool {
        false
    }

    fn upsert_value(&self, columns: &[(String, DataType)], column: &str, value: &Expr) -> Result<String, Unsupported> {
        Pair { columns }.value(column, value)
    }

    fn upsert_condition(&self, columns: &[(String, DataType)], condition: &Expr) -> Result<String, Unsupported> {
        Pair { columns }.condition(condition)
    }
}

/// Makes a text count characters rather than UTF-16 units.
fn characters(text: &str) -> String {
    format!("({text}) COLLATE Latin1_General_100_CI_AS_SC")
}

/// The digits of an exact number, all and after the point.
fn digits(kind: &DataType) -> Option<(u32, u32)> {
    match kind {
        DataType::SmallInt => Some((5, 0)),
        DataType::Integer => Some((10, 0)),
        DataType::BigInt => Some((19, 0)),
        DataType::HugeInt => Some((38, 0)),
        DataType::Decimal(Some((p, s))) => Some(((*p).into(), (*s).into())),
        _ => None,
    }
}
