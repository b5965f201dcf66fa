//! The keys and indexes of a YAML contract.
//!
//! In: `unique`, `foreign_keys` and `indexes` of the table. Out: checks and foreign keys of the contract; columns that do not exist
//! are reported. Does not know about single columns.

use std::sync::Arc;

use super::ddl_settle::{declared, foreign_table};
use super::yaml::place;
use super::{Contract, ForeignKey, Index, known_column};
use crate::check::references::References;
use crate::check::unique::Unique;
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::spec::yaml::{Map, Node, Value};

/// What ON DELETE can do.
const ACTIONS: &[&str] = &["cascade", "restrict", "set null", "set default", "no action"];

/// Splits `schema.table`.
pub(super) fn split_name(name: &str) -> (Option<String>, String) {
    match name.rsplit_once('.') {
        Some((schema, table)) => (Some(schema.to_string()), table.to_string()),
        None => (None, name.to_string()),
    }
}

/// Reads names, at least one, each once.
pub(super) fn names(node: &Node, what: &str, out: &mut Diagnostics) -> Option<Vec<Spanned<String>>> {
    let names = node.expect_names(what, out)?;
    for (i, name) in names.iter().enumerate() {
        if let Some(first) = names.iter().take(i).find(|n| n.value == name.value) {
            out.error("E0512", name.span, format!("{what} names `{}` twice", name.value)).label(first.span, "first here");
            return None;
        }
    }
    if names.is_empty() {
        out.error("E0512", node.span, format!("{what} is empty")).help("Name at least one, or leave the key out.");
        return None;
    }
    Some(names)
}

/// Reads `unique: [[a, b], {columns: [c], name: n}]`; a plain list of names is one key.
pub(super) fn unique(contract: &mut Contract, node: &Node, out: &mut Diagnostics) {
    for (item, columns, name) in lists(node, "`unique`", out) {
        add_key(contract, &columns, (item, name), out);
    }
}

/// Adds a unique key, if its columns exist.
pub(super) fn add_key(
    contract: &mut Contract,
    columns: &[Spanned<String>],
    (span, name): (Span, Option<String>),
    out: &mut Diagnostics,
) {
    let known = columns.iter().filter(|c| known_column(contract, &c.value, c.span, out)).count();
    if known == columns.len() {
        let check = Unique::new(columns.iter().map(|c| c.value.clone()).collect(), span);
        contract.checks.push(declared(Arc::new(check), name, span));
    }
}

/// Reads `indexes: [[a], {columns: [b], name: n}]`.
pub(super) fn indexes(contract: &mut Contract, node: &Node, out: &mut Diagnostics) {
    for (_, columns, name) in lists(node, "`indexes`", out) {
        let known = columns.iter().filter(|c| known_column(contract, &c.value, c.span, out)).count();
        if known == columns.len() {
            contract.indexes.push(Index { name, columns: columns.into_iter().map(|c| c.value).collect() });
        }
    }
}

type Named = (Span, Vec<Spanned<String>>, Option<String>);

/// Reads lists of columns, each plain or with a name; a plain list of names is one of them.
fn lists(node: &Node, what: &str, out: &mut Diagnostics) -> Vec<Named> {
    let items = match &node.value {
        Value::List(items) if items.iter().any(|i| matches!(i.value, Value::List(_) | Value::Map(_))) => items.as_slice(),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text { .. } | Value::List(_) | Value::Map(_) => {
            return names(node, what, out).map(|columns| (node.span, columns, None)).into_iter().collect();
        }
    };
    let mut found = vec![];
    for item in items {
        let (columns, name) = match &item.value {
            Value::Map(map) => {
                map.only(&format!("an item of {what}"), &["columns", "name"], out);
                let Some(columns) = map.get("columns") else {
                    out.error("E0512", item.span, format!("an item of {what} names no columns"));
                    continue;
                };
                (columns, map.get("name").and_then(|n| n.expect_text("`name`", out)).map(|t| t.value))
            }
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text { .. } | Value::List(_) => (item, None),
        };
        found.extend(names(columns, &format!("an item of {what}"), out).map(|columns| (item.span, columns, name)));
    }
    found
}

/// Reads `foreign_keys: [{columns: [a, b], table: t, references: [x, y], on_delete: cascade}]`.
pub(super) fn foreign_keys(contract: &mut Contract, node: &Node, out: &mut Diagnostics) {
    let Some(items) = node.expect_list("`foreign_keys`", out) else {
        return;
    };
    for item in items {
        let Some(map) = item.expect_map("a foreign key", out) else {
            continue;
        };
        map.only("a foreign key", &["columns", "table", "references", "on_delete", "deferrable", "name"], out);
        let Some(written) = map.get("columns") else {
            out.error("E0510", item.span, "the foreign key names no columns").help("Add `columns: [...]`.");
            continue;
        };
        let Some(columns) = names(written, "`columns` of a foreign key", out) else {
            continue;
        };
        let known = columns.iter().filter(|c| known_column(contract, &c.value, c.span, out)).count();
        let others = map.get("references").and_then(|n| names(n, "`references` of a foreign key", out)).unwrap_or_default();
        if !others.is_empty() && others.len() != columns.len() {
            let message = format!("the foreign key pairs {} columns with {}", columns.len(), others.len());
            out.error("E0510", item.span, message).help("Name as many columns in `references:` as in `columns:`.");
            continue;
        }
        let plain = |names: &[Spanned<String>]| names.iter().map(|n| n.value.clone()).collect::<Vec<_>>();
        let Some(key) = foreign_key(plain(&columns), plain(&others), map, item.span, out) else {
            continue;
        };
        if known == columns.len() {
            let check = References::new(key.columns.clone(), foreign_table(contract, &key), key.references.clone());
            contract.checks.push(declared(Arc::new(check), key.name.clone(), item.span));
            contract.foreign_keys.push(key);
        }
    }
}

/// Reads what column and table keys have in common: `table`, `on_delete`, `deferrable` and `name`.
pub(super) fn foreign_key(
    columns: Vec<String>,
    references: Vec<String>,
    map: &Map,
    span: Span,
    out: &mut Diagnostics,
) -> Option<ForeignKey> {
    let Some(table) = map.get("table") else {
        out.error("E0510", place(map, span), "the foreign key names no table")
            .help("Add `table:`, the table that is referred to.");
        return None;
    };
    let (schema, table) = split_name(&table.expect_text("`table` of a foreign key", out)?.value);
    let on_delete = map.get("on_delete").and_then(|n| n.expect_text("`on_delete`", out)).and_then(|text| {
        let action = text.value.to_lowercase().replace('_', " ");
        if !ACTIONS.contains(&action.as_str()) {
            out.error("E0511", text.span, format!("there is no action `{}` for `on_delete`", text.value))
                .suggest(&action, ACTIONS.iter().copied())
                .help(format!("The actions are {}.", ACTIONS.join(", ")));
            return None;
        }
        Some(action)
    });
    let deferrable = map.get("deferrable").and_then(|n| n.expect_boolean("`deferrable`", out)).unwrap_or(false);
    let name = map.get("name").and_then(|n| n.expect_text("`name`", out)).map(|t| t.value);
    Some(ForeignKey { name, columns, schema, table, references, on_delete, on_update: None, deferrable })
}
