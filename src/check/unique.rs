//! `unique: [a, b]`: no two rows have the same values in these columns.
//!
//! In: a name, a list of names (one key), or a list of lists (several keys). Out: one check per key. NULLs are distinct, as in SQL,
//! unless the constraint says otherwise. Does not know about the case or the trailing spaces that a target's collation ignores.

use std::sync::Arc;

use super::{Check, CheckKind, Measure, UniqueKey};
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::expr::{Expr, ExprKind};
use crate::spec::yaml::{Node, Value};

/// The kind `unique`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "unique"
    }

    fn summary(&self) -> &'static str {
        "no two rows have the same values in these columns"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let check = |key: Vec<Spanned<String>>| {
            let columns = key.into_iter().map(|n| n.value).collect();
            Arc::new(Unique::new(columns, body.span)) as Arc<dyn Check>
        };
        match &body.value {
            Value::List(items) if items.iter().any(|i| matches!(i.value, Value::List(_))) => {
                items.iter().filter_map(|item| names(item, "a key of `unique`", out)).map(check).collect()
            }
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text { .. } | Value::List(_) | Value::Map(_) => {
                names(body, "`unique`", out).map(check).into_iter().collect()
            }
        }
    }

    fn stands_under_column(&self) -> bool {
        true
    }

    fn decode_for_column(&self, column: &str, body: &Node, out: &mut Diagnostics) -> Option<Arc<dyn Check>> {
        let wanted = body.expect_boolean("`unique` of a column", out)?;
        wanted.then(|| Arc::new(Unique::new(vec![column.to_string()], body.span)) as Arc<dyn Check>)
    }
}

/// Reads one name or a list of names, each once and at least one.
pub(super) fn names(node: &Node, what: &str, out: &mut Diagnostics) -> Option<Vec<Spanned<String>>> {
    let names = node.expect_names(what, out)?;
    if names.is_empty() {
        out.error("E0403", node.span, format!("{what} names no column")).help("Name at least one column.");
        return None;
    }
    for (i, name) in names.iter().enumerate() {
        if let Some(first) = names.iter().take(i).find(|n| n.value == name.value) {
            out.error("E0413", name.span, format!("{what} names column `{}` twice", name.value)).label(first.span, "first here");
            return None;
        }
    }
    Some(names)
}

/// A key that no two rows share.
#[derive(Clone, Debug)]
pub struct Unique {
    key: UniqueKey,
}

impl Unique {
    /// Makes a key of plain columns with SQL's meaning of NULL.
    pub fn new(columns: Vec<String>, span: Span) -> Unique {
        let parts = columns.into_iter().map(|c| Expr::column(c, span)).collect();
        Unique { key: UniqueKey::of(parts) }
    }

    /// Makes a key of expressions, as unique indexes have.
    pub fn of(key: UniqueKey) -> Unique {
        Unique { key }
    }

    pub fn key(&self) -> &UniqueKey {
        &self.key
    }
}

impl Check for Unique {
    fn rule(&self) -> &'static str {
        "unique"
    }

    fn columns(&self) -> Vec<String> {
        let mut columns = vec![];
        for part in &self.key.parts {
            super::condition::collect_columns(part, &mut columns);
        }
        columns
    }

    fn measure(&self) -> Measure {
        Measure::Unique(self.key.clone())
    }

    fn allowed(&self) -> String {
        let plain = self.key.parts.iter().all(|p| matches!(p.kind, ExprKind::Column(_)));
        let what = match (plain, self.columns().as_slice()) {
            (true, [_]) => "each value once".to_string(),
            (_, columns) => format!("each combination of {} once", columns.join(", ")),
        };
        if self.key.only_where.is_some() { format!("{what}, among the rows of the partial index") } else { what }
    }

    fn suggest(&self, _value: &str) -> Option<String> {
        let on = self.columns().join(", ");
        Some(format!("If the rows mean the same thing, keep one of them with `distinct: {{on: [{on}]}}`."))
    }
}
