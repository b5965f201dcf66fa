//! `length: {c: [1, 200]}`: the column's text has so many characters; `{c: 200}` bounds it from above only.
//!
//! In: a mapping from columns to `[least, most]` or `most`. Out: one check per column.
//! Does not know about the limit of `varchar(n)`, which is in the column's type and counted as the target counts.

use std::sync::Arc;

use super::{Check, CheckKind, Measure};
use crate::diagnostics::{Diagnostics, Span};
use crate::expr::{BinaryOp, Expr};
use crate::spec::yaml::{Node, Value};

/// The kind `length`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "length"
    }

    fn summary(&self) -> &'static str {
        "the column's text has a number of characters"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(map) = body.expect_map("`length`", out) else {
            return vec![];
        };
        map.entries.iter().filter_map(|(column, ends)| self.decode_for_column(&column.value, ends, out)).collect()
    }

    fn stands_under_column(&self) -> bool {
        true
    }

    fn decode_for_column(&self, column: &str, body: &Node, out: &mut Diagnostics) -> Option<Arc<dyn Check>> {
        let (least, most) = match &body.value {
            Value::List(items) => match items.as_slice() {
                [least, most] => (count(least, column, out)?, count(most, column, out)?),
                _ => {
                    out.error(
                        "E0406",
                        body.span,
                        format!("`length` for column `{column}` has {} ends instead of two", items.len()),
                    )
                    .help("Write `[1, 200]`, or just the most: `200`.");
                    return None;
                }
            },
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text { .. } | Value::Map(_) => {
                (None, Some(count(body, column, out)?.or_else(|| not_a_count(body, column, out))?))
            }
        };
        match (least, most) {
            (Some(least), Some(most)) if least > most => {
                out.error("E0405", body.span, format!("`length` for column `{column}` allows nothing: {least} is above {most}"))
                    .help(format!("Write the smaller number first: `[{most}, {least}]`."));
                None
            }
            (None, None) => {
                out.error("E0405", body.span, format!("`length` for column `{column}` is open at both ends"))
                    .help("Give at least one number, or leave the check out.");
                None
            }
            (Some(_), _) | (None, Some(_)) => Some(Arc::new(Length::new(column, least, most, body.span))),
        }
    }
}

/// Reads one end; the outer `None` was reported, the inner is an open end.
fn count(node: &Node, column: &str, out: &mut Diagnostics) -> Option<Option<u64>> {
    match &node.value {
        Value::Null => Some(None),
        Value::Number(digits) => match digits.parse() {
            Ok(n) => Some(Some(n)),
            Err(_) => not_a_count(node, column, out),
        },
        Value::Boolean(_) | Value::Text { .. } | Value::List(_) | Value::Map(_) => not_a_count(node, column, out),
    }
}

fn not_a_count<T>(node: &Node, column: &str, out: &mut Diagnostics) -> Option<T> {
    out.error("E0406", node.span, format!("`length` for column `{column}` is not a whole number of characters"))
        .help("Write `[1, 200]`, or just the most: `200`.");
    None
}

/// A column whose text has a bounded number of characters.
#[derive(Clone, Debug)]
pub struct Length {
    column: String,
    least: Option<u64>,
    most: Option<u64>,
    /// Whether spaces at the end count; they do not for T-SQL's LEN.
    trailing_spaces: bool,
    span: Span,
}

impl Length {
    pub fn new(column: impl Into<String>, least: Option<u64>, most: Option<u64>, span: Span) -> Length {
        Length { column: column.into(), least, most, trailing_spaces: true, span }
    }

    /// Makes spaces at the end count for nothing.
    pub fn without_trailing_spaces(mut self) -> Length {
        self.trailing_spaces = false;
        self
    }
}

impl Check for Length {
    fn rule(&self) -> &'static str {
        "length"
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        let fails = |op: BinaryOp, limit: u64| {
            let column = Expr::column(&self.column, self.span);
            let counted = if self.trailing_spaces {
                column
            } else {
                Expr::call("rtrim", vec![column, Expr::text(" ", self.span)], self.span)
            };
            Expr::call("length", vec![counted], self.span).binary(op, Expr::number(limit, self.span))
        };
        // A lower end of zero cannot fail.
        let below = self.least.filter(|n| *n > 0).map(|n| fails(BinaryOp::Less, n));
        let above = self.most.map(|n| fails(BinaryOp::Greater, n));
        Measure::Row(match (below, above) {
            (Some(below), Some(above)) => below.or(above),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Expr::boolean(false, self.span),
        })
    }

    fn allowed(&self) -> String {
        match (self.least, self.most) {
            (Some(least), Some(most)) if least == most => format!("exactly {}", characters(most)),
            (Some(least), Some(most)) => format!("{least} to {}", characters(most)),
            (Some(least), None) => format!("at least {}", characters(least)),
            (None, Some(most)) => format!("at most {}", characters(most)),
            (None, None) => "any length".to_string(),
        }
    }

    fn suggest(&self, value: &str) -> Option<String> {
        let counted = if self.trailing_spaces { value } else { value.trim_end_matches(' ') };
        let has = counted.chars().count() as u64;
        if let Some(most) = self.most.filter(|most| has > *most) {
            return Some(format!("It has {}, {} more than fit.", characters(has), has - most));
        }
        let least = self.least.filter(|least| has < *least)?;
        Some(match has {
            0 => "It is an empty text; turn it into a missing value with `nullif(column, '')` if that is what it means."
                .to_string(),
            _ => format!("It has {}, {} fewer than needed.", characters(has), least - has),
        })
    }
}

fn characters(n: u64) -> String {
    if n == 1 { "1 character".to_string() } else { format!("{n} characters") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::SourceMap;

    #[test]
    fn says_what_the_value_has_and_what_fits() {
        let file = SourceMap::default().add("a.yaml", "x");
        let span = Span { file, start: 0, end: 1 };
        let check = Length::new("title", Some(1), Some(3), span);
        assert_eq!(check.allowed(), "1 to 3 characters");
        assert_eq!(check.suggest("żółty").as_deref(), Some("It has 5 characters, 2 more than fit."));
        assert!(check.suggest("").is_some_and(|s| s.contains("empty text")));
        assert_eq!(check.suggest("abc"), None);
        assert_eq!(check.without_trailing_spaces().suggest("abc  "), None);
    }
}
