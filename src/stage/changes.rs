//! `load: {mode: upsert, set, when, when_changed, keep}`: what happens to rows that are there already.
//!
//! In: the load's YAML and the columns that come. Out: [`Changes`]. Expressions run in the target, so the engine does not type them:
//! names are looked up, the rest is the target's to judge. Does not know how a merge is written, or whether the target can say it.

use super::Lowering;
use super::flow::Flow;
use super::load::known_column;
use crate::contract::Generated;
use crate::diagnostics::Spanned;
use crate::expr::{Expr, ExprKind};
use crate::spec::yaml::{Map, Node};

/// What an upsert does to rows that are there, besides giving them the values that come. Names in expressions are `t.<column>` for the
/// target's row and `s.<column>` for the one that comes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    pub keep: Vec<String>,
    pub when_changed: Vec<String>,
    pub set: Vec<(String, Expr)>,
    pub when: Option<Expr>,
}

/// Reads the keys that only an upsert has.
pub fn decode(map: &Map, mode: &str, flow: &Flow, cx: &mut Lowering) -> Option<Changes> {
    let mut changes = Changes::default();
    for name in ["keep", "when_changed", "set", "when"] {
        let Some(node) = map.get(name) else { continue };
        if mode != "upsert" {
            cx.out
                .error("E0206", node.span, format!("`{name}` is for upserts, and this load is in mode `{mode}`"))
                .help(format!("Write `mode: upsert`, or take `{name}` out: no other mode changes single rows that are there."));
            return None;
        }
        match name {
            "keep" => changes.keep = columns(node, name, flow, cx)?,
            "when_changed" => changes.when_changed = columns(node, name, flow, cx)?,
            "when" => changes.when = Some(expression(node, "`when`", flow, cx)?),
            _ => {
                for (column, value) in &node.expect_map("`set`", cx.out)?.entries {
                    let names = cx.table.contract.as_ref().map(|c| c.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>());
                    if let Some(names) = names.filter(|names| !names.contains(&column.value)) {
                        unknown("the target", &column.value, column.span, &names, cx);
                        return None;
                    }
                    let value = expression(value, "`set`", flow, cx)?;
                    // One error about a column is enough.
                    if is_free(column, cx) {
                        changes.set.push((column.value.clone(), value));
                    }
                }
            }
        }
    }
    Some(changes)
}

/// Refuses a column that the database alone writes.
fn is_free(column: &Spanned<String>, cx: &mut Lowering) -> bool {
    let Some(found) = cx.table.contract.as_ref().and_then(|c| c.column(&column.value)) else { return true };
    let why = match found.generated {
        Generated::Computed => "computed by the database",
        Generated::Always => "numbered by the database alone",
        Generated::No | Generated::ByDefault => return true,
    };
    cx.out
        .error("E0428", column.span, format!("column `{}` of the target is {why}", column.value))
        .label(found.span, "as the contract says")
        .help("Take it out of `set`: no row that is there can get another value in it.");
    false
}

fn columns(node: &Node, name: &str, flow: &Flow, cx: &mut Lowering) -> Option<Vec<String>> {
    let names = node.expect_names(&format!("`{name}`"), cx.out)?;
    for column in &names {
        known_column(column, flow, cx)?;
    }
    Some(names.into_iter().map(|n| n.value).collect())
}

/// Reads an expression and gives `target.` and `source.` the names that they have in a merge.
fn expression(node: &Node, what: &str, flow: &Flow, cx: &mut Lowering) -> Option<Expr> {
    let mut expr = cx.expression(node, what)?;
    rename(&mut expr, flow, cx).then_some(expr)
}

fn rename(expr: &mut Expr, flow: &Flow, cx: &mut Lowering) -> bool {
    let span = expr.span;
    let mut known = true;
    if let ExprKind::Name(parts) = &mut expr.kind {
        let theirs = cx.table.contract.as_ref().map(|c| c.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>());
        let ours: Vec<String> = flow.columns.iter().map(|c| c.name.clone()).collect();
        let (alias, side, names) = match parts.as_slice() {
            [side, _] if side == "target" => ("t", "the target", theirs),
            [side, _] if side == "source" => ("s", "the table", Some(ours)),
            _ => {
                let name = parts.join(".");
                cx.out
                    .error("E0421", span, format!("`{name}` does not say whose column it is"))
                    .help(format!("Write `target.{name}` for the row that is there, or `source.{name}` for the one that comes."));
                return false;
            }
        };
        let name = parts.get(1).cloned().unwrap_or_default();
        if let Some(names) = names.filter(|names| !names.contains(&name)) {
            unknown(side, &name, span, &names, cx);
            return false;
        }
        *parts = vec![alias.to_string(), name];
    }
    for child in expr.children_mut() {
        known &= rename(child, flow, cx);
    }
    known
}

fn unknown(side: &str, name: &str, span: crate::diagnostics::Span, names: &[String], cx: &mut Lowering) {
    cx.out.error("E0421", span, format!("{side} has no column `{name}`")).suggest(name, names.iter().map(String::as_str));
}
