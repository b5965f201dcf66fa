//! What the readers of an extract speak of: columns that none of them names need not be loaded.
//!
//! In: the blocks as written, before any source is opened. Out: the words of all readers. Only readers that end in a `map` are seen through,
//! since a `map` keeps what it names; whatever else reads an extract takes all of its columns. Does not know which columns there are.

use super::graph;
use crate::spec::PipelineSpec;
use crate::spec::pipeline::TableSpec;
use crate::spec::yaml::{Map, Node, Value};

/// The clauses that take no column but by its name, where a `map` follows them.
const BY_NAME: &[&str] = &["from", "where", "derive", "join", "map", "default", "validate", "load"];

/// All that is said in the tables that read an extract, in small letters; `None` where they take columns without naming them.
pub fn of_readers(spec: &PipelineSpec, extract: &str) -> Option<String> {
    let mut spoken = String::new();
    for table in &spec.tables {
        if graph::reads(table).iter().any(|read| read.value == extract) {
            let seen_through = table.clauses.get("map").is_some()
                && table.clauses.entries.iter().all(|(key, _)| BY_NAME.contains(&key.value.as_str()));
            if !seen_through {
                return None;
            }
            for text in words(table) {
                // What a template or a macro makes of it is not known yet.
                if text.contains("{{") || text.contains("{%") || text == "apply" {
                    return None;
                }
                spoken.push_str(&text.to_lowercase());
                spoken.push('\n');
            }
        } else if words(table).iter().any(|text| text.contains(extract) && mentions(text, extract)) {
            // A check or a query speaks of the extract without reading its rows into the table.
            return None;
        }
    }
    Some(spoken)
}

/// Whether a text has a name as a word of its own.
fn mentions(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    !name.chars().all(is_part) || text.split(|c: char| !is_part(c)).any(|word| word == name)
}

/// Whether this is `rows: {same_as: ...}`: how many rows an extract has is told without its columns.
fn is_count(key: &str, node: &Node) -> bool {
    matches!(&node.value, Value::Map(map) if key == "rows" && map.entries.iter().all(|(key, _)| key.value == "same_as"))
}

/// Every other key and value of a table's block.
fn words(table: &TableSpec) -> Vec<String> {
    let mut found = vec![];
    collect_all(&table.clauses, &mut found);
    found
}

fn collect_all(map: &Map, found: &mut Vec<String>) {
    for (key, node) in map.entries.iter().filter(|(key, node)| !is_count(&key.value, node)) {
        found.push(key.value.clone());
        collect(node, found);
    }
}

fn collect(node: &Node, found: &mut Vec<String>) {
    match &node.value {
        Value::Null => {}
        Value::Boolean(value) => found.push(value.to_string()),
        Value::Number(text) | Value::Text { text, .. } => found.push(text.clone()),
        Value::List(nodes) => nodes.iter().for_each(|node| collect(node, found)),
        Value::Map(map) => collect_all(map, found),
    }
}
