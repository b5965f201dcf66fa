//! Constants as they stand in checks: allowed values and bounds.
//!
//! In: a YAML scalar. Out: a [`Literal`] in its written form, and back to text for the reader.
//! Does not know about columns or their types.

use crate::diagnostics::Span;
use crate::expr::{Expr, ExprKind, Literal};
use crate::spec::yaml::{Node, Value};

/// Reads a scalar as a constant; `None` for lists and mappings.
pub fn read(node: &Node) -> Option<Literal> {
    match &node.value {
        Value::Null => Some(Literal::Null),
        Value::Boolean(value) => Some(Literal::Boolean(*value)),
        Value::Number(digits) => Some(Literal::Number(digits.clone())),
        Value::Text { text, .. } => Some(Literal::Text(text.clone())),
        Value::List(_) | Value::Map(_) => None,
    }
}

/// Writes a constant as a reader expects to see it: text without quotes.
pub fn shown(literal: &Literal) -> String {
    match literal {
        Literal::Null => "null".to_string(),
        Literal::Boolean(value) => value.to_string(),
        Literal::Number(text) | Literal::Text(text) | Literal::Typed(_, text) => text.clone(),
    }
}

/// Makes the expression of a constant.
pub fn expr(literal: &Literal, span: Span) -> Expr {
    Expr::new(ExprKind::Literal(literal.clone()), span)
}

/// Returns the value of a numeric constant, for comparing bounds and making suggestions only.
pub fn number(literal: &Literal) -> Option<f64> {
    match literal {
        Literal::Number(text) => text.parse().ok().filter(|n: &f64| n.is_finite()),
        Literal::Null | Literal::Boolean(_) | Literal::Text(_) | Literal::Typed(..) => None,
    }
}
