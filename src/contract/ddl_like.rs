//! LIKE, and COLLATE of T-SQL, as far as the engine or a target can judge them.
//!
//! In: lowered operands. Out: a LIKE that the engine knows; or a call of [`pattern::CLASSES`] or [`pattern::COLLATE`], to which the target gives
//! the meaning that the collation of the text has. Does not know about collations.

use sqlparser::ast;

use super::ddl::Flavor;
use super::ddl_expr::{Kind, Scope, literal, padded};
use super::pattern::{self, Piece};
use crate::expr::{Expr, ExprKind, Literal};

/// Lowers LIKE and ILIKE.
pub(super) fn like(
    operand: Expr,
    pattern: Expr,
    escape: Option<&ast::Expr>,
    (ignore_case, negated): (bool, bool),
    scope: &Scope,
) -> Option<Expr> {
    let ExprKind::Literal(Literal::Text(text)) = &pattern.kind else {
        return None;
    };
    if scope.kind(&operand) != Kind::Text {
        return None;
    }
    if scope.flavor == Flavor::Tsql && text.contains('[') {
        return if escape.is_none() { classes(operand, text, negated) } else { None };
    }
    let escape = match escape {
        Some(ast::Expr::Value(value)) => match literal(&value.value)? {
            Literal::Text(text) => text.chars().next(),
            _ => return None,
        },
        Some(_) => return None,
        // Postgres escapes by a backslash unless told otherwise; the engine by nothing.
        None => (scope.flavor == Flavor::Postgres && text.contains('\\')).then_some('\\'),
    };
    let (operand, pattern) = (Box::new(padded(operand, scope)), Box::new(pattern));
    Some(Expr::new(ExprKind::Like { operand, pattern, escape, ignore_case, negated }, scope.span))
}

/// Lowers a pattern of T-SQL with sets of characters; one whose sets are single characters says no more than an escape does.
fn classes(operand: Expr, text: &str, negated: bool) -> Option<Expr> {
    let span = operand.span;
    let pieces = pattern::pieces(text)?;
    let single = |piece: &Piece| match piece {
        Piece::Class { negated: false, members } => match members.as_slice() {
            [(first, last)] if first == last => Some(*first),
            _ => None,
        },
        _ => None,
    };
    let plain = pieces.iter().all(|p| !matches!(p, Piece::Class { .. }) || single(p).is_some());
    let escape = ['~', '!', '|', '\\'].into_iter().find(|c| !text.contains(*c));
    let found = match escape.filter(|_| plain) {
        Some(escape) => {
            let written: String = pieces
                .iter()
                .map(|piece| match (piece, single(piece)) {
                    (_, Some(c)) => format!("{escape}{c}"),
                    (Piece::Text(c), _) => c.to_string(),
                    (Piece::One, _) => "_".to_string(),
                    (Piece::Many | Piece::Class { .. }, _) => "%".to_string(),
                })
                .collect();
            let pattern = Box::new(Expr::text(written, span));
            let operand = Box::new(operand);
            Expr::new(ExprKind::Like { operand, pattern, escape: Some(escape), ignore_case: false, negated: false }, span)
        }
        None => Expr::call(pattern::CLASSES, vec![operand, Expr::text(text, span)], span),
    };
    Some(if negated { found.negate() } else { found })
}

/// Lowers COLLATE with a name that says what it tells apart.
pub(super) fn collated(operand: Expr, collation: &ast::ObjectName, scope: &Scope) -> Option<Expr> {
    let name = collation.to_string().to_uppercase();
    let has = |words: [&str; 2]| words.iter().any(|w| name.split('_').any(|part| part == *w));
    let told = has(["BIN", "BIN2"]) || has(["CI", "CS"]) && has(["AI", "AS"]);
    let text = matches!(scope.kind(&operand), Kind::Text | Kind::Quoted);
    let span = operand.span;
    (scope.flavor == Flavor::Tsql && told && text)
        .then(|| Expr::call(pattern::COLLATE, vec![operand, Expr::text(name, span)], span))
}
