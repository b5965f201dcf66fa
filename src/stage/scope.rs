//! `load: {mode: replace, scope: {...}}`: what is loaded must be of the scope, since nothing else is replaced.
//!
//! In: the table's `load`, and the columns that it gets. Out: a check for each column of a scope, as far as its type and the constant's are
//! compared here as the target compares them; the script checks all of them. What is wrong with the clause itself is the load's to report.

use std::sync::Arc;

use super::load::sinks;
use super::{Flow, Lowering};
use crate::check::not_null::NotNull;
use crate::check::one_of::OneOf;
use crate::check::{Check, Declared, Tolerance, constant};
use crate::diagnostics::{Diagnostics, Severity, Spanned};
use crate::expr::Literal;
use crate::spec::yaml::{Node, Value};
use crate::types::DataType;

/// Returns the checks of a table's scopes.
pub(super) fn checks(flow: &Flow, cx: &Lowering) -> Vec<Declared> {
    let mut found = vec![];
    for sink in cx.table.clauses.get("load").map(sinks).unwrap_or_default() {
        let Value::Map(map) = &sink.value else { continue };
        let replaces = matches!(map.get("mode").map(|n| &n.value), Some(Value::Text { text, .. }) if text == "replace");
        let Some(Value::Map(scope)) = map.get("scope").filter(|_| replaces).map(|n| &n.value) else { continue };
        for (column, node) in &scope.entries {
            found.extend(of_column(&column.value, node, flow, cx));
        }
    }
    found
}

fn of_column(column: &str, node: &Node, flow: &Flow, cx: &Lowering) -> Vec<Declared> {
    let Some(staged) = flow.column(column).map(|c| &c.data_type) else { return vec![] };
    let contract = cx.table.contract.as_deref();
    let target = contract.and_then(|c| c.column(column)).map_or(staged, |c| &c.data_type);
    let value = match &node.value {
        Value::Text { text, .. } => {
            cx.templates.bare(&Spanned::new(text.clone(), node.span), &mut Diagnostics::default()).map(Literal::Text)
        }
        _ => constant::read(node),
    };
    let both = |is: fn(&DataType) -> bool| is(staged) && is(target);
    let value = match value {
        Some(Literal::Text(text)) if both(DataType::is_text) => Literal::Text(text),
        Some(Literal::Text(text)) if both(|t| *t == DataType::Uuid) && is_uuid(&text) => Literal::Text(text),
        Some(Literal::Number(digits)) if both(DataType::is_number) => Literal::Number(digits),
        Some(Literal::Boolean(value)) if both(|t| *t == DataType::Boolean) => Literal::Boolean(value),
        _ => return vec![],
    };
    let checks: [Arc<dyn Check>; 2] =
        [Arc::new(NotNull::new(column, node.span)), Arc::new(OneOf::new(column, vec![value], node.span))];
    let declared = checks.map(|check| Declared {
        check,
        name: None,
        severity: Severity::Error,
        tolerance: Tolerance::Rows(0),
        why: Some("the load replaces the rows of its `scope`, and no others".to_string()),
        span: node.span,
        enforced: false,
    });
    match &cx.table.contract {
        Some(contract) => declared.map(|d| cx.target.adapt(d, contract)).into(),
        None => declared.into(),
    }
}

/// Whether the engine reads a text as a UUID, as it compares one with such a column.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let hexadecimal = groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()));
    hexadecimal && groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
}
