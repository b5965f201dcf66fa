//! The operators of arrays in conditions: `&&`, `@>` and `<@`.
//!
//! In: two operands of which one at least is a column. Out: an [`Expr`] with Postgres's verdict, or `None` where elements could compare
//! otherwise than there. No NULL equals another, so an array with one is contained in none.
//! Does not know about other operators.

use sqlparser::ast::{self, BinaryOperator, Value};

use super::ddl::Flavor;
use super::ddl_expr::{Scope, lower};
use crate::expr::{BinaryOp, Expr, ExprKind, Literal};
use crate::types::DataType;

/// Lowers an operator between arrays.
pub(super) fn compare(left: &ast::Expr, op: &BinaryOperator, right: &ast::Expr, scope: &Scope) -> Option<Expr> {
    if scope.flavor != Flavor::Postgres {
        return None;
    }
    let (a, b) = match (column(left, scope), column(right, scope)) {
        (Some((a, of_a)), Some((b, of_b))) => {
            // Without a constant, what is cut or rounded of one side could meet the other.
            return (of_a == of_b && *op == BinaryOperator::PGOverlap)
                .then(|| Expr::call("list_has_any", vec![a, b], scope.span));
        }
        (Some((a, of)), None) => (a, constant(right, &of, scope)?),
        (None, Some((b, of))) => (constant(left, &of, scope)?, b),
        (None, None) => return None,
    };
    Some(match op {
        BinaryOperator::PGOverlap => Expr::call("list_has_any", vec![a, b], scope.span),
        BinaryOperator::AtArrow => contains(a, b, scope),
        BinaryOperator::ArrowAt => contains(b, a, scope),
        _ => return None,
    })
}

/// Whether an array has all elements of another; the engine passes over those of the other that are NULL.
fn contains(whole: Expr, part: Expr, scope: &Scope) -> Expr {
    let call = |name: &str, list: &Expr| Expr::call(name, vec![list.clone()], scope.span);
    let known = Expr::call("coalesce", vec![call("list_count", &part), Expr::number(0, scope.span)], scope.span);
    let none_null = known.binary(BinaryOp::Equal, call("len", &part));
    Expr::call("list_has_all", vec![whole, part], scope.span).and(none_null)
}

/// Returns a column of texts or whole numbers, and what these are.
fn column(expr: &ast::Expr, scope: &Scope) -> Option<(Expr, DataType)> {
    let expr = match expr {
        ast::Expr::Nested(inner) => return column(inner, scope),
        // Dumps cast what is compared with an array of texts.
        ast::Expr::Cast { expr, data_type, .. } if data_type.to_string().eq_ignore_ascii_case("text[]") => expr,
        expr => expr,
    };
    if let ast::Expr::Nested(inner) = expr {
        return column(inner, scope);
    }
    let found = matches!(expr, ast::Expr::Identifier(_)).then(|| lower(expr, scope)).flatten()?;
    let ExprKind::Column(name) = &found.kind else { return None };
    match &scope.column(name)?.data_type {
        DataType::List(of) => match &**of {
            DataType::Text | DataType::Varchar(_) => Some((found, DataType::Text)),
            of if of.is_integer() => Some((found, of.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// Reads `ARRAY['a', 'b']` or `'{a,b}'`, as dumps wrap them in casts.
fn constant(expr: &ast::Expr, of: &DataType, scope: &Scope) -> Option<Expr> {
    let literals = match expr {
        ast::Expr::Nested(inner) => return constant(inner, of, scope),
        ast::Expr::Cast { expr, .. } => return constant(expr, of, scope),
        ast::Expr::Array(array) => array.elem.iter().map(|e| element(&lower(e, scope)?, of)).collect::<Option<Vec<_>>>()?,
        ast::Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => plain(text)?.into_iter().map(|word| typed(word, of)).collect::<Option<_>>()?,
            _ => return None,
        },
        _ => return None,
    };
    let items = literals.into_iter().map(|l| Expr::new(ExprKind::Literal(l), scope.span)).collect::<Vec<_>>();
    (!items.is_empty()).then(|| Expr::new(ExprKind::List(items), scope.span))
}

/// The words of an array constant that has nothing quoted, nested or NULL.
fn plain(text: &str) -> Option<Vec<&str>> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    let words: Vec<&str> = inside.split(',').map(str::trim).collect();
    let simple = |w: &&str| {
        !w.is_empty() && !w.eq_ignore_ascii_case("null") && !w.contains(['"', '\\', '{', '}']) && !w.contains(char::is_whitespace)
    };
    words.iter().all(simple).then_some(words)
}

fn element(expr: &Expr, of: &DataType) -> Option<Literal> {
    match &expr.kind {
        ExprKind::Literal(Literal::Text(text)) => typed(text, of),
        ExprKind::Literal(Literal::Number(digits)) if *of != DataType::Text => typed(digits, of),
        _ => None,
    }
}

fn typed(text: &str, of: &DataType) -> Option<Literal> {
    match of {
        DataType::Text => Some(Literal::Text(text.to_string())),
        _ => text.trim().parse::<i64>().ok().map(|n| Literal::Number(n.to_string())),
    }
}
