//! Turns what the YAML reader collected between two brackets (or indents) into a list or a mapping.
//!
//! Here are the rules that hold for whole collections: keys are text and stand once, `<<` takes over another mapping's keys, and two
//! habits that YAML reads otherwise than meant are told and mended: an expression with commas in flow style, a template without
//! quotes. Mended means that the value is what the author meant, so that nothing downstream complains again.

use std::collections::BTreeMap;

use super::yaml::{Map, Node, Value};
use super::yaml_error;
use super::yaml_read::Open;
use crate::diagnostics::{Diagnostics, Span, Spanned};

/// How many pieces are searched for the `)` that closes a call.
const MAX_PIECES: usize = 64;

/// Makes the value of a finished collection that covers `span`.
pub(super) fn collection(open: Open, span: Span, text: &str, out: &mut Diagnostics) -> Value {
    if !open.map {
        let items = if open.flow { mend_list(open.nodes, text, out) } else { open.nodes };
        return Value::List(items);
    }
    let mut entries = vec![];
    let mut nodes = open.nodes.into_iter();
    while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
        entries.push((key, value));
    }
    if open.flow {
        if source(text, span).starts_with("{{") && matches!(entries.as_slice(), [(Node { value: Value::Map(_), .. }, _)]) {
            yaml_error::unquoted_template(span, text, out);
            return Value::Text { text: source(text, span).to_owned(), plain: true };
        }
        entries = mend_entries(entries, text, out);
    }
    Value::Map(unique_keys(entries, text, out))
}

pub(super) fn source(text: &str, span: Span) -> &str {
    text.get(span.start as usize..span.end as usize).unwrap_or("")
}

fn unique_keys(entries: Vec<(Node, Node)>, text: &str, out: &mut Diagnostics) -> Map {
    let mut map = Map::default();
    let mut places: BTreeMap<String, Span> = BTreeMap::new();
    let mut inherited = vec![];
    for (key, value) in entries {
        let name = match &key.value {
            Value::Text { text, .. } if text == "<<" => {
                inherited.push(value);
                continue;
            }
            Value::Text { text, .. } => text.clone(),
            Value::Null | Value::Boolean(_) | Value::Number(_) if key.span.start < key.span.end => {
                source(text, key.span).to_owned()
            }
            _ => {
                out.error("E0101", key.span, format!("a key must be text, found {}", key.kind()));
                continue;
            }
        };
        if let Some(first) = places.get(&name) {
            out.error("E0103", key.span, format!("key `{name}` stands twice in the same mapping"))
                .label(*first, "first here")
                .help("Remove one of them, or merge their values.");
            continue;
        }
        places.insert(name.clone(), key.span);
        map.entries.push((Spanned::new(name, key.span), value));
    }
    for value in inherited {
        inherit(value, &mut map, &mut places, out);
    }
    map
}

/// Takes over the keys of `<<: *anchor` that the mapping does not have itself.
fn inherit(value: Node, map: &mut Map, places: &mut BTreeMap<String, Span>, out: &mut Diagnostics) {
    match value.value {
        Value::Map(from) => {
            for (key, value) in from.entries {
                if !places.contains_key(&key.value) {
                    places.insert(key.value.clone(), key.span);
                    map.entries.push((key, value));
                }
            }
        }
        Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Map(_))) => {
            for item in items {
                inherit(item, map, places, out);
            }
        }
        _ => {
            out.error("E0106", value.span, format!("expected `<<` to be a mapping, found {}", value.kind()));
        }
    }
}

fn mend_entries(entries: Vec<(Node, Node)>, text: &str, out: &mut Diagnostics) -> Vec<(Node, Node)> {
    let pieces: Vec<_> = entries.iter().map(|(key, value)| (value, value.span.end.max(key.span.end))).collect();
    let splits = find_splits(&pieces, text);
    let mut mended = Vec::with_capacity(entries.len());
    let mut skipped_to = 0;
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index < skipped_to {
            continue;
        }
        let value = match splits.get(&index) {
            Some((next, end)) => {
                skipped_to = *next;
                split_call(Some(source(text, key.span)), value, *end, text, out)
            }
            None => value,
        };
        mended.push((key, value));
    }
    mended
}

fn mend_list(items: Vec<Node>, text: &str, out: &mut Diagnostics) -> Vec<Node> {
    let pieces: Vec<_> = items.iter().map(|item| (item, item.span.end)).collect();
    let splits = find_splits(&pieces, text);
    let mut mended = Vec::with_capacity(items.len());
    let mut skipped_to = 0;
    for (index, item) in items.into_iter().enumerate() {
        if index < skipped_to {
            continue;
        }
        mended.push(match splits.get(&index) {
            Some((next, end)) => {
                skipped_to = *next;
                split_call(None, item, *end, text, out)
            }
            None => item,
        });
    }
    mended
}

/// Finds the values that a comma cut off inside a call: for each, the piece after its last one, and where the call ends.
fn find_splits(pieces: &[(&Node, u32)], text: &str) -> BTreeMap<usize, (usize, u32)> {
    let mut splits = BTreeMap::new();
    let mut index = 0;
    while let Some((value, _)) = pieces.get(index) {
        let mut next = index + 1;
        if starts_call(value, text) {
            let mut parentheses = Parentheses::default();
            let mut from = value.span.start;
            for (offset, (_, end)) in pieces.iter().skip(index).take(MAX_PIECES).enumerate() {
                parentheses.read(source(text, Span { start: from, end: *end, ..value.span }));
                from = *end;
                if offset > 0 && parentheses.closed() {
                    next = index + offset + 1;
                    splits.insert(index, (next, *end));
                    break;
                }
            }
        }
        index = next;
    }
    splits
}

/// Tells whether this plain text opens a parenthesis that it does not close.
fn starts_call(value: &Node, text: &str) -> bool {
    let mut parentheses = Parentheses::default();
    parentheses.read(source(text, value.span));
    matches!(value.value, Value::Text { plain: true, .. }) && !parentheses.closed()
}

#[expect(clippy::needless_pass_by_value, reason = "the node is replaced by what is returned")]
fn split_call(key: Option<&str>, value: Node, end: u32, text: &str, out: &mut Diagnostics) -> Node {
    let span = Span { end, ..value.span };
    let whole = source(text, span);
    let quoted = if whole.contains('"') { format!("'{}'", whole.replace('\'', "''")) } else { format!("\"{whole}\"") };
    let example = key.map_or(quoted.clone(), |key| format!("{key}: {quoted}"));
    out.error("E0105", span, format!("flow style splits `{whole}` at its comma"))
        .help(format!("Quote the expression, as in `{example}`, or write it on a line of its own."));
    Node { value: Value::Text { text: whole.to_owned(), plain: true }, span }
}

/// Counts parentheses outside SQL quotes.
#[derive(Default)]
struct Parentheses {
    open: i64,
    quoted: bool,
}

impl Parentheses {
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\'' => self.quoted = !self.quoted,
                '(' if !self.quoted => self.open += 1,
                ')' if !self.quoted => self.open -= 1,
                _ => {}
            }
        }
    }

    fn closed(&self) -> bool {
        self.open <= 0 && !self.quoted
    }
}
