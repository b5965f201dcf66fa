//! `rows: 12047`, `rows: ">= 1"`, `rows: {same_as: transactions}`: how many rows there are.
//!
//! In: a number, a comparison or a relation's name. Out: one check of the whole table.
//! Does not know how rows are counted.

use std::sync::Arc;

use super::{Check, CheckKind, Measure, RowCount, Tolerated};
use crate::diagnostics::Diagnostics;
use crate::spec::yaml::{Node, Value};

/// The kind `rows`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "rows"
    }

    fn summary(&self) -> &'static str {
        "the table has a number of rows"
    }

    fn tolerates(&self) -> Tolerated {
        Tolerated::Nothing
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        decode_count(body, out).map(|count| Arc::new(Rows::new(count)) as Arc<dyn Check>).into_iter().collect()
    }
}

/// Reads a bound on a number of rows, as `rows:` and `expect: {rows: ...}` write it.
pub fn decode_count(body: &Node, out: &mut Diagnostics) -> Option<RowCount> {
    let read = match &body.value {
        Value::Map(map) => {
            map.only("`rows`", &["same_as"], out);
            if let Some(other) = map.get("same_as") {
                return Some(RowCount::SameAs(other.expect_text("`same_as`", out)?.value));
            }
            None
        }
        Value::Number(text) | Value::Text { text, .. } => comparison(text),
        Value::Null | Value::Boolean(_) | Value::List(_) => None,
    };
    if read.is_none() {
        out.error("E0410", body.span, "`rows` is not a number of rows")
            .help("Write a number (`12047`), a comparison (`\">= 1\"`) or `{same_as: table}`.");
    }
    read
}

fn comparison(text: &str) -> Option<RowCount> {
    let text = text.trim();
    let (operator, number) = text.split_at(text.find(|c: char| c.is_ascii_digit())?);
    let number = number.replace('_', "").parse().ok()?;
    Some(match operator.trim() {
        "" | "=" | "==" => RowCount::Equal(number),
        "!=" | "<>" => RowCount::NotEqual(number),
        "<" => RowCount::Less(number),
        "<=" => RowCount::LessOrEqual(number),
        ">" => RowCount::Greater(number),
        ">=" => RowCount::GreaterOrEqual(number),
        _ => return None,
    })
}

/// A bound on the number of rows.
#[derive(Clone, Debug)]
pub struct Rows {
    count: RowCount,
}

impl Rows {
    pub fn new(count: RowCount) -> Rows {
        Rows { count }
    }
}

impl Check for Rows {
    fn rule(&self) -> &'static str {
        "rows"
    }

    fn columns(&self) -> Vec<String> {
        vec![]
    }

    fn measure(&self) -> Measure {
        Measure::Count(self.count.clone())
    }

    fn allowed(&self) -> String {
        let (words, number) = match &self.count {
            RowCount::SameAs(other) => return format!("as many rows as {other}"),
            RowCount::Equal(n) => ("exactly", n),
            RowCount::NotEqual(n) => ("any number but", n),
            RowCount::Less(n) => ("fewer than", n),
            RowCount::LessOrEqual(n) => ("at most", n),
            RowCount::Greater(n) => ("more than", n),
            RowCount::GreaterOrEqual(n) => ("at least", n),
        };
        format!("{words} {number} {}", if *number == 1 { "row" } else { "rows" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_read_as_they_are_written() {
        assert_eq!(comparison("12047"), Some(RowCount::Equal(12047)));
        assert_eq!(comparison(" >=1 "), Some(RowCount::GreaterOrEqual(1)));
        assert_eq!(comparison("<> 0"), Some(RowCount::NotEqual(0)));
        for wrong in ["", "many", "=> 1", "1.5", "-3", "> 1 row"] {
            assert_eq!(comparison(wrong), None, "{wrong}");
        }
        assert_eq!(Rows::new(RowCount::GreaterOrEqual(1)).allowed(), "at least 1 row");
    }
}
