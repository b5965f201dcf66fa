//! `references: {persona_id: personas.id}`: each value of the column exists in a column of another table.
//!
//! In: a mapping from columns to `table.column`, or `{columns: [a, b], to: table, on: [x, y]}`. Out: one check per pair or key.
//! Does not know whether the other table is loaded by the same run or lives in the target.

use std::sync::Arc;

use super::unique::names;
use super::{Check, CheckKind, Measure};
use crate::diagnostics::Diagnostics;
use crate::spec::yaml::{Map, Node};

/// The kind `references`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "references"
    }

    fn summary(&self) -> &'static str {
        "each value exists in a column of another table"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(map) = body.expect_map("`references`", out) else {
            return vec![];
        };
        if map.get("to").is_some() && map.get("columns").is_some() {
            return composite(body, map, out).map(|c| Arc::new(c) as Arc<dyn Check>).into_iter().collect();
        }
        let mut checks: Vec<Arc<dyn Check>> = vec![];
        for (column, to) in &map.entries {
            let Some(text) = to.expect_text(&format!("`references` for column `{}`", column.value), out) else {
                continue;
            };
            match text.value.rsplit_once('.') {
                Some((table, other)) if !table.is_empty() && !other.is_empty() => {
                    checks.push(Arc::new(References::new(vec![column.value.clone()], table, vec![other.to_string()])));
                }
                _ => {
                    out.error("E0409", text.span, format!("`references` for column `{}` names no column", column.value))
                        .help(format!("Write the table and the column that is referred to: `{}.id`.", text.value));
                }
            }
        }
        checks
    }
}

/// Reads `{columns: [a, b], to: table, on: [x, y]}`.
fn composite(body: &Node, map: &Map, out: &mut Diagnostics) -> Option<References> {
    map.only("`references`", &["columns", "to", "on"], out);
    let columns = names(map.get("columns")?, "`columns` of `references`", out)?;
    let table = map.get("to")?.expect_text("`to` of `references`", out)?;
    let Some(on) = map.get("on") else {
        out.error("E0409", body.span, "`references` names no columns of the other table")
            .help(format!("Add `on:` with the columns of `{}` in the same order.", table.value));
        return None;
    };
    let others = names(on, "`on` of `references`", out)?;
    if others.len() != columns.len() {
        let message = format!("`references` pairs {} columns with {}", columns.len(), others.len());
        out.error("E0409", on.span, message).help("Name as many columns in `on:` as in `columns:`.");
        return None;
    }
    let plain = |names: Vec<crate::diagnostics::Spanned<String>>| names.into_iter().map(|n| n.value).collect();
    Some(References::new(plain(columns), table.value, plain(others)))
}

/// Columns whose values exist in another table.
#[derive(Clone, Debug)]
pub struct References {
    columns: Vec<String>,
    table: String,
    references: Vec<String>,
}

impl References {
    /// Makes the check; an empty `references` means the other table's primary key.
    pub fn new(columns: Vec<String>, table: impl Into<String>, references: Vec<String>) -> References {
        References { columns, table: table.into(), references }
    }
}

impl Check for References {
    fn rule(&self) -> &'static str {
        "references"
    }

    fn columns(&self) -> Vec<String> {
        self.columns.clone()
    }

    fn measure(&self) -> Measure {
        let References { columns, table, references } = self.clone();
        Measure::References { columns, table, references, compared: vec![] }
    }

    fn allowed(&self) -> String {
        match self.references.as_slice() {
            [] => format!("a key of {}", self.table),
            [one] => format!("a value of {}.{one}", self.table),
            several => format!("a combination of {} in {}", several.join(", "), self.table),
        }
    }

    fn suggest(&self, _value: &str) -> Option<String> {
        Some(format!("Load the missing row of `{}`, or drop the rows that refer to it.", self.table))
    }
}
