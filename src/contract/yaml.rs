//! Contracts as authors write them: `schemas/*.yaml`.
//!
//! In: the tree of one file. Out: its [`Contract`]. After this every key, unique or foreign, names columns that exist.
//! Does not know about other contracts: whether a table that is referred to exists is asked later.

use super::ddl_settle::{declared, foreign_table};
use super::yaml_keys::{self, names};
use super::{Column, Contract, ForeignKey, Generated, known_column};
use crate::check::{CHECKS, Declared, constant, data_type, decode_list, references::References};
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::expr::Literal;
use crate::spec::yaml::{Map, Node, Value};
use crate::types::DataType;

use std::sync::Arc;

/// The keys of a contract.
const KEYS: &[&str] = &[
    "table",
    "schema",
    "description",
    "columns",
    "primary_key",
    "unique",
    "foreign_keys",
    "indexes",
    "checks",
    "grants",
    "allow",
];

/// The keys of a column that are not checks.
const COLUMN_KEYS: &[&str] =
    &["type", "type_name", "primary_key", "not_null", "default", "generated", "collation", "references", "description"];

/// Reads a contract; everything that is wrong is reported, and `None` means that nothing could be used.
pub fn decode(node: &Node, out: &mut Diagnostics) -> Option<Contract> {
    let map = node.expect_map("a contract", out)?;
    map.only("a contract", KEYS, out);
    let Some(named) = map.get("table") else {
        out.error("E0501", node.span, "the contract names no table").help("Begin it with `table: name`.");
        return None;
    };
    let table = named.expect_text("`table`", out)?;
    let (schema, name) = yaml_keys::split_name(&table.value);
    let written = map.get("schema").and_then(|n| n.expect_text("`schema`", out)).map(|t| t.value);
    let mut contract = Contract::new(written.or(schema), name, table.span);
    let Some(columns) = map.get("columns") else {
        out.error("E0502", node.span, format!("contract `{}` has no `columns`", contract.table))
            .help("List each column with its type: `columns: {id: {type: uuid, primary_key: true}}`.");
        return None;
    };
    let mut inline_keys: Vec<Spanned<String>> = vec![];
    for (column, body) in &columns.expect_map("`columns`", out)?.entries {
        decode_column(&mut contract, &mut inline_keys, column, body, out);
    }
    primary_key(&mut contract, map.get("primary_key"), inline_keys, out);
    if let Some(body) = map.get("unique") {
        yaml_keys::unique(&mut contract, body, out);
    }
    if let Some(body) = map.get("foreign_keys") {
        yaml_keys::foreign_keys(&mut contract, body, out);
    }
    if let Some(body) = map.get("indexes") {
        yaml_keys::indexes(&mut contract, body, out);
    }
    if let Some(body) = map.get("checks") {
        for check in decode_list(body, out) {
            if check.check.columns().iter().all(|c| known_column(&contract, c, check.span, out)) {
                contract.checks.push(Declared { enforced: true, ..check });
            }
        }
    }
    if let Some(body) = map.get("grants").and_then(|n| n.expect_map("`grants`", out)) {
        for (privilege, roles) in &body.entries {
            let roles = names(roles, &format!("the roles that may {}", privilege.value), out).unwrap_or_default();
            contract.grants.push((privilege.value.clone(), roles.into_iter().map(|r| r.value).collect()));
        }
    }
    let allow = map.get("allow").and_then(|n| n.expect_names("`allow`", out)).unwrap_or_default();
    contract.allow = allow.into_iter().map(|n| n.value).collect();
    Some(contract)
}

fn decode_column(
    contract: &mut Contract,
    keys: &mut Vec<Spanned<String>>,
    name: &Spanned<String>,
    body: &Node,
    out: &mut Diagnostics,
) {
    if let Some(first) = contract.column(&name.value) {
        out.error("E0506", name.span, format!("table `{}` has column `{}` twice", contract.table, name.value))
            .label(first.span, "first here");
        return;
    }
    let mut column = Column::new(name);
    let Value::Map(map) = &body.value else {
        // The short form: `id: uuid`.
        set_type(&mut column, body, out);
        contract.columns.push(column);
        return;
    };
    let checks: Vec<&str> = CHECKS.iter().filter(|k| k.stands_under_column()).map(|k| k.keyword()).collect();
    let known: Vec<&str> = COLUMN_KEYS.iter().chain(&checks).copied().collect();
    map.only(&format!("column `{}`", name.value), &known, out);
    match map.get("type") {
        Some(written) => set_type(&mut column, written, out),
        None => {
            out.error("E0503", body.span, format!("column `{}` has no type", name.value))
                .help("Add `type:`, such as `type: text`.");
        }
    }
    let mut flag = |key: &str| map.get(key).and_then(|n| n.expect_boolean(&format!("`{key}`"), out)).unwrap_or(false);
    let primary = flag("primary_key");
    column.not_null = flag("not_null") || primary;
    if primary {
        keys.push(name.clone());
    }
    column.type_name = map.get("type_name").and_then(|n| n.expect_text("`type_name`", out)).map(|t| t.value);
    column.collation = map.get("collation").and_then(|n| n.expect_text("`collation`", out)).map(|t| t.value);
    column.default = map.get("default").and_then(|n| default(&column, n, out));
    if let Some(written) = map.get("generated") {
        column.generated = generated(written, out).unwrap_or(Generated::No);
    }
    let text = column.data_type.is_text();
    contract.columns.push(column);
    for kind in CHECKS.iter().filter(|k| k.stands_under_column()) {
        let body = map.get(kind.keyword()).map(|n| if text && kind.keyword() == "one_of" { as_texts(n) } else { n.clone() });
        let check = body.and_then(|n| Some((n.span, kind.decode_for_column(&name.value, &n, out)?)));
        contract.checks.extend(check.map(|(span, check)| declared(check, None, span)));
    }
    if let Some(written) = map.get("references")
        && let Some(key) = references(&name.value, written, out)
    {
        let check = References::new(key.columns.clone(), foreign_table(contract, &key), key.references.clone());
        contract.checks.push(declared(Arc::new(check), key.name.clone(), written.span));
        contract.foreign_keys.push(key);
    }
}

/// Makes texts of the numbers and booleans in a list, as a column of text has them.
fn as_texts(node: &Node) -> Node {
    let value = match &node.value {
        Value::List(items) => Value::List(items.iter().map(as_texts).collect()),
        Value::Number(text) => Value::Text { text: text.clone(), plain: true },
        Value::Boolean(truth) => Value::Text { text: truth.to_string(), plain: true },
        other => other.clone(),
    };
    Node { value, span: node.span }
}

fn set_type(column: &mut Column, node: &Node, out: &mut Diagnostics) {
    let Some(text) = node.expect_text(&format!("the type of column `{}`", column.name), out) else {
        return;
    };
    match DataType::parse(&text.value) {
        Some(found) => {
            column.data_type = found;
            if text.value.to_lowercase().contains("serial") {
                column.generated = Generated::ByDefault;
                column.not_null = true;
            }
        }
        None => {
            out.error("E0504", text.span, format!("column `{}` has type `{}`, which does not exist", column.name, text.value))
                .suggest(&text.value, data_type::TYPES.iter().copied())
                .help("For a type that only the target knows, say how it is loaded: `{type: text, type_name: citext}`.");
        }
    }
}

/// Reads a default as SQL of the target.
fn default(column: &Column, node: &Node, out: &mut Diagnostics) -> Option<String> {
    match constant::read(node) {
        Some(Literal::Text(text)) => {
            let word = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ' ');
            let starts = text.starts_with(|c: char| c.is_alphabetic());
            let sql = ["current_", "local", "null", "true", "false", "session_user", "user"];
            if text.is_empty() || word && starts && !sql.iter().any(|w| text.to_lowercase().starts_with(w)) {
                out.error("E0508", node.span, format!("the default of column `{}` is not SQL: `{text}`", column.name))
                    .help(format!("A default is SQL of the target. Write a text in SQL quotes: `default: \"'{text}'\"`."));
                return None;
            }
            Some(text)
        }
        Some(Literal::Null) => None,
        Some(other) => Some(constant::shown(&other)),
        None => {
            out.error("E0508", node.span, format!("the default of column `{}` is {}", column.name, node.kind()))
                .help("Write a number, or SQL of the target such as `now()` or `\"'{}'\"`.");
            None
        }
    }
}

fn generated(node: &Node, out: &mut Diagnostics) -> Option<Generated> {
    let text = node.expect_text("`generated`", out)?;
    match text.value.as_str() {
        "by_default" => Some(Generated::ByDefault),
        "always" => Some(Generated::Always),
        "computed" => Some(Generated::Computed),
        other => {
            out.error("E0509", text.span, format!("a column cannot be generated `{other}`"))
                .suggest(other, ["by_default", "always", "computed"])
                .help("Write `by_default` (serial, identity), `always` (identity) or `computed` (from other columns).");
            None
        }
    }
}

/// Reads `{table, column, on_delete}` or `table.column`.
fn references(column: &str, node: &Node, out: &mut Diagnostics) -> Option<ForeignKey> {
    let Value::Map(map) = &node.value else {
        let text = node.expect_text(&format!("`references` of column `{column}`"), out)?;
        let (table, other) = match text.value.rsplit_once('.') {
            Some((table, other)) => (table.to_string(), vec![other.to_string()]),
            None => (text.value, vec![]),
        };
        let (schema, table) = yaml_keys::split_name(&table);
        let columns = vec![column.to_string()];
        let (on_delete, on_update) = (None, None);
        return Some(ForeignKey {
            name: None,
            columns,
            schema,
            table,
            references: other,
            on_delete,
            on_update,
            deferrable: false,
        });
    };
    map.only("`references`", &["table", "column", "on_delete", "deferrable", "name"], out);
    let other = map.get("column").and_then(|n| n.expect_text("`column` of `references`", out));
    yaml_keys::foreign_key(vec![column.to_string()], other.into_iter().map(|t| t.value).collect(), map, node.span, out)
}

/// Puts the primary key together from the columns that say so, or from the table's own list.
fn primary_key(contract: &mut Contract, listed: Option<&Node>, inline: Vec<Spanned<String>>, out: &mut Diagnostics) {
    let listed = listed.and_then(|n| Some((n.span, names(n, "`primary_key`", out)?)));
    let (span, key) = match (listed, inline.first()) {
        (Some((span, _)), Some(first)) => {
            out.error("E0507", span, format!("table `{}` says twice what its primary key is", contract.table))
                .label(first.span, "here as well")
                .help("Say it under the column, or in `primary_key:` for the table.");
            return;
        }
        (Some((span, key)), None) => (span, key),
        (None, Some(first)) => (first.span, inline),
        (None, None) => return,
    };
    yaml_keys::add_key(contract, &key, (span, None), out);
    let key: Vec<String> = key.into_iter().map(|n| n.value).filter(|n| contract.column(n).is_some()).collect();
    for column in contract.columns.iter_mut().filter(|c| key.contains(&c.name)) {
        column.not_null = true;
    }
    contract.primary_key = key;
}

/// The place of something that stands in no file of its own key: the node that holds it.
pub(super) fn place(map: &Map, fallback: Span) -> Span {
    match (map.entries.first(), map.entries.last()) {
        (Some((first, _)), Some((_, last))) => Span { end: last.span.end, ..first.span },
        _ => fallback,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Measure, Tolerance};
    use crate::diagnostics::{Diagnostic, SourceMap};
    use crate::expr::ExprKind;
    use crate::spec::yaml;

    fn read(text: &str) -> (Option<Contract>, Vec<Diagnostic>) {
        let mut sources = SourceMap::default();
        let file = sources.add("schemas/a.yaml", text);
        let mut out = Diagnostics::default();
        let contract = yaml::parse(&sources, file, &mut out).and_then(|node| decode(&node, &mut out));
        (contract, out.into_sorted())
    }

    #[test]
    fn reads_a_whole_contract() {
        let (contract, reported) = read(
            "table: vital.persona_goals\n\
             columns:\n\
             \x20 id: {type: uuid, primary_key: true}\n\
             \x20 persona_id: {type: uuid, not_null: true, references: {table: personas, column: id, on_delete: cascade}}\n\
             \x20 goal_type: {type: text, one_of: [primary, 2]}\n\
             \x20 achievement_rate: {type: \"decimal(3,2)\", range: [0, 1]}\n\
             \x20 priority: {type: integer, default: 2}\n\
             \x20 sequence_order: integer\n\
             \x20 slug: {type: text, unique: true, length: 140, matches: '^[a-z-]+$', default: \"'x'\"}\n\
             \x20 added_at: {type: timestamptz, default: now()}\n\
             unique: [[persona_id, sequence_order]]\n\
             indexes: [[persona_id], {name: by_type, columns: [goal_type]}]\n\
             checks: [{expr: sequence_order > 0, name: positive, max: 2}]\n\
             grants: {select: [rpt_reader]}\n\
             allow: [json_columns]\n",
        );
        assert_eq!(reported, vec![]);
        let contract = contract.unwrap();
        assert_eq!((contract.schema.as_deref(), contract.table.as_str()), (Some("vital"), "persona_goals"));
        assert_eq!(contract.primary_key, vec!["id"]);
        assert!(contract.column("id").unwrap().not_null);
        assert_eq!(contract.column("achievement_rate").unwrap().data_type, DataType::Decimal(Some((3, 2))));
        assert_eq!(contract.column("priority").unwrap().default.as_deref(), Some("2"));
        assert_eq!(contract.column("slug").unwrap().default.as_deref(), Some("'x'"));
        assert_eq!(contract.foreign_keys[0].on_delete.as_deref(), Some("cascade"));
        assert_eq!(contract.indexes[1].name.as_deref(), Some("by_type"));
        assert_eq!(contract.grants, vec![("select".to_string(), vec!["rpt_reader".to_string()])]);
        let mut rules: Vec<&str> = contract.checks.iter().map(|c| c.check.rule()).collect();
        rules.sort();
        assert_eq!(rules.join(" "), "expr length matches one_of range references unique unique unique");
        assert!(contract.checks.iter().all(|c| c.enforced));
        let one_of = contract.checks.iter().find(|c| c.check.rule() == "one_of").unwrap();
        let Measure::Row(fails) = one_of.check.measure() else { panic!("a row check") };
        // The column is text, so the number is text too.
        assert!(fails.children().iter().all(|e| !matches!(e.kind, ExprKind::Literal(Literal::Number(_)))));
        let named = contract.checks.iter().find(|c| c.name.as_deref() == Some("positive")).unwrap();
        assert_eq!(named.tolerance, Tolerance::Rows(2));
        let keys = contract.checks.iter().filter(|c| matches!(c.check.measure(), Measure::Unique(_)));
        assert_eq!(
            keys.map(|c| c.check.columns().join(",")).collect::<Vec<_>>(),
            vec!["slug", "id", "persona_id,sequence_order"]
        );
    }

    #[test]
    fn reports_everything_that_is_wrong_at_once() {
        let (_, reported) = read(
            "table: goals\n\
             columns:\n\
             \x20 id: {type: uid, primary_key: true}\n\
             \x20 name: {default: open}\n\
             \x20 kind: {type: text, generated: never}\n\
             \x20 age: {type: integer, range: [5, 1]}\n\
             \x20 parent: {type: uuid, references: {column: id}}\n\
             primary_key: [id]\n\
             unique: [[nme, kind]]\n\
             foreign_keys: [{columns: [kindd], table: kinds, on_delete: explode}]\n\
             indexes: [{columns: [ag]}]\n\
             checks: [{not_null: nam}]\n",
        );
        let codes: Vec<&str> = reported.iter().map(|d| d.code).collect();
        assert_eq!(codes.join(" "), "E0504 E0503 E0508 E0509 E0405 E0510 E0507 E0505 E0505 E0511 E0505 E0505");
        let unknown = reported.iter().find(|d| d.message.contains("`nme`")).unwrap();
        assert_eq!(
            (unknown.message.as_str(), unknown.help[0].as_str()),
            ("table `goals` has no column `nme`", "Did you mean `name`?")
        );
    }

    #[test]
    fn a_contract_without_table_or_columns_is_none() {
        for (text, code) in [("columns: {a: text}\n", "E0501"), ("table: a\n", "E0502")] {
            let (contract, reported) = read(text);
            assert!(contract.is_none());
            assert_eq!(reported[0].code, code);
        }
    }
}
