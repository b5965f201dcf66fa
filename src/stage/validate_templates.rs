//! The templates inside `validate:`: `expr: "score <= {{ vars.limit }}"`, `range: {age: [0, "{{ vars.oldest }}"]}`.
//!
//! In: the YAML of the clause. Out: the same with every template rendered: a SQL literal in `expr`, the bare value elsewhere.
//! Does not know what a check means.

use super::Lowering;
use crate::diagnostics::Spanned;
use crate::spec::yaml::{Map, Node, Value};

/// The checks whose bounds are numbers, which a template can only write as text.
const BOUNDS: &[&str] = &["range", "length"];

/// Renders all templates of a list of checks; an item with a template that cannot be rendered is left out, and reported.
pub fn rendered(body: &Node, cx: &mut Lowering) -> Node {
    let Value::List(items) = &body.value else { return body.clone() };
    let items = items.iter().filter_map(|item| rendered_item(item, cx)).collect();
    Node { value: Value::List(items), span: body.span }
}

fn rendered_item(item: &Node, cx: &mut Lowering) -> Option<Node> {
    let Value::Map(map) = &item.value else { return Some(item.clone()) };
    let mut entries = vec![];
    for (key, value) in &map.entries {
        let value = match (key.value.as_str(), &value.value) {
            ("expr", Value::Text { text, plain }) => {
                let rendered = cx.templates.expression(&Spanned::new(text.clone(), value.span), cx.out)?;
                let mut text = rendered.text;
                // A text as long as what was written would be taken for it, and faults in it shown at wrong places.
                if !rendered.exact && text.len() == (value.span.end - value.span.start) as usize {
                    text.push(' ');
                }
                Node { value: Value::Text { text, plain: *plain }, span: value.span }
            }
            (key, _) => bare(value, BOUNDS.contains(&key), cx)?,
        };
        entries.push((key.clone(), value));
    }
    Some(Node { value: Value::Map(Map { entries }), span: item.span })
}

fn bare(node: &Node, numbers: bool, cx: &mut Lowering) -> Option<Node> {
    let value = match &node.value {
        Value::Text { text, plain } if text.contains("{{") || text.contains("{%") => {
            let text = cx.templates.bare(&Spanned::new(text.clone(), node.span), cx.out)?;
            let number = numbers && text.parse::<f64>().is_ok_and(f64::is_finite);
            if number { Value::Number(text) } else { Value::Text { text, plain: *plain } }
        }
        Value::List(items) => Value::List(items.iter().map(|item| bare(item, numbers, cx)).collect::<Option<_>>()?),
        Value::Map(map) => {
            let entry =
                |(key, value): &(Spanned<String>, Node), cx: &mut Lowering| Some((key.clone(), bare(value, numbers, cx)?));
            let entries = map.entries.iter().map(|e| entry(e, cx)).collect::<Option<_>>()?;
            Value::Map(Map { entries })
        }
        other => other.clone(),
    };
    Some(Node { value, span: node.span })
}
