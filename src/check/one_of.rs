//! `one_of: {c: [x, y]}`: the column has one of these values, or none at all.
//!
//! In: a mapping from columns to lists. Out: one check per column; suggestions name the value that was probably meant.
//! Does not know about enum types; the contract makes this check for them.

use std::sync::Arc;

use super::{Check, CheckKind, Measure, constant};
use crate::diagnostics::{Diagnostics, Span, closest};
use crate::expr::{Expr, ExprKind, Literal};
use crate::spec::yaml::Node;

/// How many values a message lists before it says how many more there are.
const SHOWN: usize = 12;

/// The kind `one_of`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "one_of"
    }

    fn summary(&self) -> &'static str {
        "the column has one of the listed values"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(map) = body.expect_map("`one_of`", out) else {
            return vec![];
        };
        map.entries.iter().filter_map(|(column, values)| self.decode_for_column(&column.value, values, out)).collect()
    }

    fn stands_under_column(&self) -> bool {
        true
    }

    fn decode_for_column(&self, column: &str, body: &Node, out: &mut Diagnostics) -> Option<Arc<dyn Check>> {
        let items = body.expect_list(&format!("`one_of` for column `{column}`"), out)?;
        if items.is_empty() {
            out.error("E0403", body.span, format!("`one_of` for column `{column}` lists no value"))
                .help("List the values that are allowed.");
            return None;
        }
        let mut values: Vec<Literal> = vec![];
        let mut usable = true;
        for item in items {
            match constant::read(item) {
                Some(Literal::Null) => {
                    out.error("E0403", item.span, format!("`one_of` for column `{column}` lists NULL"))
                        .help("Leave it out: a missing value always passes `one_of`; `not_null` forbids it.");
                    usable = false;
                }
                Some(value) if values.contains(&value) => {
                    out.warning("W0401", item.span, format!("`one_of` lists the value `{}` twice", constant::shown(&value)));
                }
                Some(value) => values.push(value),
                None => {
                    out.error("E0403", item.span, format!("a value of `one_of` for column `{column}` is {}", item.kind()))
                        .help("List plain texts, numbers or booleans.");
                    usable = false;
                }
            }
        }
        usable.then(|| Arc::new(OneOf::new(column, values, body.span)) as Arc<dyn Check>)
    }
}

/// A column with a closed list of values.
#[derive(Clone, Debug)]
pub struct OneOf {
    column: String,
    values: Vec<Literal>,
    span: Span,
}

impl OneOf {
    pub fn new(column: impl Into<String>, values: Vec<Literal>, span: Span) -> OneOf {
        OneOf { column: column.into(), values, span }
    }
}

impl Check for OneOf {
    fn rule(&self) -> &'static str {
        "one_of"
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        let operand = Box::new(Expr::column(&self.column, self.span));
        let list = self.values.iter().map(|v| constant::expr(v, self.span)).collect();
        Measure::Row(Expr::new(ExprKind::InList { operand, list, negated: true }, self.span))
    }

    fn allowed(&self) -> String {
        let shown: Vec<String> = self.values.iter().take(SHOWN).map(constant::shown).collect();
        match self.values.len().saturating_sub(SHOWN) {
            0 => format!("one of {}", shown.join(", ")),
            more => format!("one of {} and {more} more", shown.join(", ")),
        }
    }

    fn suggest(&self, value: &str) -> Option<String> {
        let allowed: Vec<String> = self.values.iter().map(constant::shown).collect();
        if let Some(same) = allowed.iter().find(|a| bare(a) == bare(value)) {
            return Some(format!("Did you mean `{same}`? Only case, spaces or punctuation differ."));
        }
        let close = closest(value.trim(), allowed.iter().map(String::as_str))?;
        Some(format!("Did you mean `{close}`?"))
    }
}

/// Returns only the letters and digits, in lower case.
fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::SourceMap;

    #[test]
    fn suggests_the_value_that_was_meant() {
        let file = SourceMap::default().add("a.yaml", "x");
        let span = Span { file, start: 0, end: 1 };
        let values = ["primary", "long_term", "medium"].map(|v| Literal::Text(v.into())).to_vec();
        let check = OneOf::new("goal_type", values, span);
        assert_eq!(check.suggest("primry").as_deref(), Some("Did you mean `primary`?"));
        assert_eq!(
            check.suggest(" Long-Term ").as_deref(),
            Some("Did you mean `long_term`? Only case, spaces or punctuation differ.")
        );
        assert_eq!(check.suggest("cosmic"), None);
        assert_eq!(check.allowed(), "one of primary, long_term, medium");
    }
}
