//! `agrees_with: {to: legacy, on: unique_id, columns: {name: full_name}}`: old against new, by key.
//!
//! In: the other relation, the key that both have, and the columns to compare (by default all of the same name). Out: one check of the
//! whole table: the same keys on both sides, each once, with the same values. Does not know how rows are compared.

use std::sync::Arc;

use super::{Check, CheckKind, Measure};
use crate::diagnostics::{Diagnostics, Spanned};
use crate::spec::yaml::{Node, Value};

/// The kind `agrees_with`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "agrees_with"
    }

    fn summary(&self) -> &'static str {
        "the same keys with the same values as another relation"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(map) = body.expect_map("`agrees_with`", out) else {
            return vec![];
        };
        map.only("`agrees_with`", &["to", "on", "columns"], out);
        let (Some(to), Some(on)) = (map.get("to"), map.get("on")) else {
            out.error("E0416", body.span, "`agrees_with` needs `to` and `on`")
                .help("Name the other relation and the key of both: `agrees_with: {to: legacy, on: unique_id}`.");
            return vec![];
        };
        let (to, keys) = (to.expect_text("`to` of `agrees_with`", out), pairs(on, "`on` of `agrees_with`", out));
        let columns = map.get("columns").map(|node| pairs(node, "`columns` of `agrees_with`", out));
        let (Some(to), Some(keys), true) = (to, keys, columns.as_ref().is_none_or(Option::is_some)) else {
            return vec![];
        };
        let agreement = Agreement { table: to.value, keys, columns: columns.flatten() };
        vec![Arc::new(AgreesWith { agreement })]
    }
}

/// Reads `name`, `[a, b]` or `{here: there}` as pairs of columns.
fn pairs(node: &Node, what: &str, out: &mut Diagnostics) -> Option<Vec<(String, String)>> {
    let pairs: Vec<(Spanned<String>, String)> = match &node.value {
        Value::Map(map) => {
            let pair = |(here, there): &(Spanned<String>, Node)| Some((here.clone(), there.expect_text(what, out)?.value));
            map.entries.iter().map(pair).collect::<Option<_>>()?
        }
        _ => node.expect_names(what, out)?.into_iter().map(|n| (n.clone(), n.value)).collect(),
    };
    if pairs.is_empty() {
        out.error("E0416", node.span, format!("{what} names no column")).help("Name at least one column.");
        return None;
    }
    for (i, (name, _)) in pairs.iter().enumerate() {
        if let Some((first, _)) = pairs.iter().take(i).find(|(n, _)| n.value == name.value) {
            out.error("E0413", name.span, format!("{what} names column `{}` twice", name.value)).label(first.span, "first here");
            return None;
        }
    }
    Some(pairs.into_iter().map(|(here, there)| (here.value, there)).collect())
}

/// What two relations must have in common; each pair is a column here and one there.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// The other relation.
    pub table: String,
    pub keys: Vec<(String, String)>,
    /// `None` is every column that both have.
    pub columns: Option<Vec<(String, String)>>,
}

impl Agreement {
    /// The pairs of columns that are compared, where these are the names on both sides.
    pub fn compared(&self, here: &[&str], there: &[&str]) -> Vec<(String, String)> {
        if let Some(columns) = &self.columns {
            return columns.clone();
        }
        let key = |name: &str| self.keys.iter().any(|(h, t)| h == name || t == name);
        let common = here.iter().filter(|name| there.contains(name) && !key(name));
        common.map(|name| (name.to_string(), name.to_string())).collect()
    }
}

/// Rows that agree with those of another relation.
#[derive(Clone, Debug)]
struct AgreesWith {
    agreement: Agreement,
}

impl Check for AgreesWith {
    fn rule(&self) -> &'static str {
        "agrees_with"
    }

    fn columns(&self) -> Vec<String> {
        let compared = self.agreement.columns.iter().flatten();
        self.agreement.keys.iter().chain(compared).map(|(here, _)| here.clone()).collect()
    }

    fn measure(&self) -> Measure {
        Measure::Agreement(self.agreement.clone())
    }

    fn allowed(&self) -> String {
        let keys: Vec<&str> = self.agreement.keys.iter().map(|(here, _)| here.as_str()).collect();
        format!("the keys and values of {}, by {}", self.agreement.table, keys.join(", "))
    }
}
