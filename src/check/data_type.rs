//! `type: {c: integer}`: each value of the column can be read as a value of that type.
//!
//! In: a mapping from columns to types. Out: one check per column, and the suggestions that every failed cast shares.
//! Does not know about the casts that `map` makes.

use std::sync::Arc;

use super::{Check, CheckKind, Measure};
use crate::diagnostics::{Diagnostics, Span};
use crate::expr::Expr;
use crate::spec::yaml::Node;
use crate::types::DataType;

/// The kind `type`.
pub struct Kind;

/// The types that authors write most, for did-you-mean.
pub const TYPES: &[&str] = &[
    "text",
    "integer",
    "bigint",
    "smallint",
    "decimal",
    "double",
    "boolean",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "json",
    "jsonb",
    "bytes",
    "varchar",
    "char",
    "real",
    "interval",
];

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "type"
    }

    fn summary(&self) -> &'static str {
        "each value can be read as a value of a type"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(map) = body.expect_map("`type`", out) else {
            return vec![];
        };
        let mut checks: Vec<Arc<dyn Check>> = vec![];
        for (column, wanted) in &map.entries {
            let Some(text) = wanted.expect_text(&format!("`type` for column `{}`", column.value), out) else {
                continue;
            };
            match DataType::parse(&text.value) {
                Some(to) => checks.push(Arc::new(ReadsAs::new(&column.value, to, wanted.span))),
                None => {
                    out.error("E0408", text.span, format!("there is no type `{}`", text.value))
                        .suggest(&text.value, TYPES.iter().copied())
                        .help(format!("Types are SQL's: {}, and `T[]` for lists.", TYPES.join(", ")));
                }
            }
        }
        checks
    }
}

/// A column whose values can be read as a type.
#[derive(Clone, Debug)]
pub struct ReadsAs {
    column: String,
    to: DataType,
    span: Span,
}

impl ReadsAs {
    pub fn new(column: impl Into<String>, to: DataType, span: Span) -> ReadsAs {
        ReadsAs { column: column.into(), to, span }
    }
}

impl Check for ReadsAs {
    fn rule(&self) -> &'static str {
        "type"
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        let column = || Expr::column(&self.column, self.span);
        Measure::Row(column().try_cast(self.to.clone()).is_null().and(column().is_not_null()))
    }

    fn allowed(&self) -> String {
        format!("a value that reads as {}", self.to)
    }

    fn suggest(&self, value: &str) -> Option<String> {
        suggest_cast(&self.to, value)
    }
}

/// Says what is probably behind a value that will not cast to `to`.
pub fn suggest_cast(to: &DataType, value: &str) -> Option<String> {
    let value = value.trim();
    if value.is_empty() {
        return Some("It is an empty text; `nullif(column, '')` makes it a missing value.".to_string());
    }
    if ["n/a", "na", "null", "none", "nan", "-", "?", "unknown"].contains(&value.to_lowercase().as_str()) {
        return Some(format!("It stands for a missing value; `nullif(column, '{value}')` makes it one."));
    }
    if to.is_number() {
        return suggest_number(to, value);
    }
    match to {
        DataType::Boolean => ["yes", "no", "y", "n", "on", "off"]
            .contains(&value.to_lowercase().as_str())
            .then(|| "Add `parse: boolean`, which reads yes and no.".to_string()),
        DataType::Date | DataType::Timestamp(_) | DataType::TimestampTz(_) => suggest_date(value),
        _ => None,
    }
}

fn suggest_number(to: &DataType, value: &str) -> Option<String> {
    let number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    if let Some(percent) = value.strip_suffix('%').filter(|p| number(p.trim())) {
        return Some(format!("It is a percentage; take the sign off and divide {} by 100.", percent.trim()));
    }
    if number(value) {
        return Some(format!("The number does not fit into {to}."));
    }
    if value.matches(',').count() == 1 && number(&value.replace(',', ".")) {
        return Some("It has a decimal comma; `replace(column, ',', '.')` makes it a point.".to_string());
    }
    if value.contains(',') && number(&value.replace(',', "")) {
        return Some("It has commas between thousands; `replace(column, ',', '')` takes them out.".to_string());
    }
    let word = value.trim_start_matches(|c: char| c.is_ascii_digit());
    (word.len() < value.len() && word.starts_with([' ', '+', '-']) || word.starts_with(char::is_alphabetic) && word != value)
        .then(|| "Add `parse: leading_number`, which reads the number at the start.".to_string())
}

fn suggest_date(value: &str) -> Option<String> {
    let parts: Vec<&str> = value.split(['/', '.', '-']).collect();
    let numbers: Vec<u32> = parts.iter().map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let [first, second, third] = numbers.as_slice() else {
        return None;
    };
    let mark = value.chars().find(|c| !c.is_ascii_digit())?;
    if parts.first().is_some_and(|p| p.len() == 4) {
        return (*second > 12 || *third > 31 || (*third > 28 && mark == '-')).then(|| "There is no such day.".to_string());
    }
    let order = if *second > 12 { ["%m", "%d", "%Y"] } else { ["%d", "%m", "%Y"] };
    (*first <= 31 && *third >= 1000).then(|| format!("Add `parse: {{date: \"{}\"}}`.", order.join(&mark.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_parse_that_would_read_it() {
        let says = |to: &DataType, value: &str, part: &str| {
            let text = suggest_cast(to, value).unwrap_or_default();
            assert!(text.contains(part), "{value}: {text}");
        };
        says(&DataType::Integer, "15 years", "leading_number");
        says(&DataType::Integer, "15+", "leading_number");
        says(&DataType::Integer, "99999999999", "does not fit into integer");
        says(&DataType::Decimal(Some((10, 2))), "12,50", "decimal comma");
        says(&DataType::Decimal(Some((10, 2))), "1,234,567.8", "thousands");
        says(&DataType::Double, "85%", "percentage");
        says(&DataType::Boolean, "Yes", "parse: boolean");
        says(&DataType::Date, "31/12/2024", "%d/%m/%Y");
        says(&DataType::Date, "12.31.2024", "%m.%d.%Y");
        says(&DataType::Date, "2025-02-30", "no such day");
        says(&DataType::Integer, "n/a", "missing value");
        assert_eq!(suggest_cast(&DataType::Integer, "many"), None);
    }
}
