//! Arithmetic in conditions as Postgres does it: whole numbers overflow at their own width, and a row that overflows is refused.
//!
//! In: operands. Out: the expression, computed wide and cast back to the width at which the server computes; a cast that does not fit
//! is an error of the engine, which [`Condition`](crate::check::condition::Condition) counts as a broken rule. `None` where the engine's
//! digits or rounding would differ: floating point, numerics of any size, division. Does not know about comparisons.

use super::ddl_expr::Scope;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal, UnaryOp};
use crate::types::DataType;

/// How the server computes with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// Bytes of a whole number: 2, 4 or 8.
    Whole(u8),
    /// Digits before and after the point.
    Exact(u32, u32),
}

/// The most digits of the engine's decimals.
const DIGITS: u32 = 38;

/// The most digits of those that the engine keeps in 64 bits.
const NARROW: u32 = 18;

/// Lowers `left op right`.
pub(super) fn arithmetic(left: Expr, op: BinaryOp, right: Expr, scope: &Scope) -> Option<Expr> {
    let zero = |e: &Expr| matches!(&e.kind, ExprKind::Literal(Literal::Number(n)) if n.parse::<f64>().is_ok_and(|n| n != 0.0));
    // By zero the server stops and the engine gives NULL.
    if op == BinaryOp::Modulo && !zero(&right) {
        return None;
    }
    match (width(&left, scope)?, width(&right, scope)?) {
        (Width::Whole(a), Width::Whole(b)) => Some(narrowed(wide(left).binary(op, wide(right)), a.max(b))),
        (a, b) => {
            let ((i, s), (j, t)) = (digits(a), digits(b));
            let fits = match op {
                BinaryOp::Add | BinaryOp::Subtract => i.max(j) + 1 + s.max(t) <= DIGITS,
                BinaryOp::Multiply => i + j + s + t <= DIGITS,
                _ => false,
            };
            let narrow = op == BinaryOp::Multiply && i + s <= NARROW && j + t <= NARROW && i + s + j + t > NARROW;
            fits.then(|| if narrow { product(left, (i, s), right, (j, t)) } else { left.binary(op, right) })
        }
    }
}

/// Multiplies two narrow decimals whose product is a wider one: the engine would take a narrow one for it, and stop where it does not fit.
fn product(left: Expr, (whole, scale): (u32, u32), right: Expr, (j, t): (u32, u32)) -> Expr {
    let decimal = |whole: u32, scale: u32| DataType::Decimal(Some(((whole + scale) as u8, scale as u8)));
    let roomy = left.cast(decimal(whole.max(NARROW + 1 - scale), scale));
    roomy.binary(BinaryOp::Multiply, right).cast(decimal(whole + j, scale + t))
}

/// Lowers `-operand` and `abs(operand)`, which overflow at the least number of a width.
pub(super) fn unary(operand: Expr, negate: bool, scope: &Scope) -> Option<Expr> {
    let span = operand.span;
    let apply = |e: Expr| match negate {
        true => Expr::new(ExprKind::Unary(UnaryOp::Minus, Box::new(e)), span),
        false => Expr::call("abs", vec![e], span),
    };
    match width(&operand, scope)? {
        Width::Whole(bytes) => Some(narrowed(apply(wide(operand)), bytes)),
        Width::Exact(..) => Some(apply(operand)),
    }
}

/// Tells whether the engine has a type for both numbers; it compares them in one.
pub(super) fn comparable(left: &Expr, right: &Expr, scope: &Scope) -> bool {
    match (width(left, scope), width(right, scope)) {
        (Some(a), Some(b)) => {
            let ((i, s), (j, t)) = (digits(a), digits(b));
            i.max(j) + s.max(t) <= DIGITS
        }
        _ => true,
    }
}

/// Makes AND and OR stop where the server stops: what stands behind a verdict is not computed.
pub(super) fn in_order(mut expr: Expr) -> Expr {
    for part in expr.children_mut() {
        let taken = std::mem::replace(part, Expr::null(part.span));
        *part = in_order(taken);
    }
    let span = expr.span;
    match &expr.kind {
        ExprKind::Binary(left, BinaryOp::Or, right) if may_fail(right) => {
            let first = (**left).clone();
            Expr::case(vec![(first, Expr::boolean(true, span))], expr, span)
        }
        ExprKind::Binary(left, BinaryOp::And, right) if may_fail(right) => {
            let first = (**left).clone().negate();
            Expr::case(vec![(first, Expr::boolean(false, span))], expr, span)
        }
        _ => expr,
    }
}

/// Tells whether computing an expression can be an error.
pub(super) fn may_fail(expr: &Expr) -> bool {
    let mut found = false;
    expr.walk(&mut |e| found |= matches!(&e.kind, ExprKind::Cast { to, .. } if to.is_integer()));
    found
}

fn wide(expr: Expr) -> Expr {
    expr.cast(DataType::HugeInt)
}

fn narrowed(expr: Expr, bytes: u8) -> Expr {
    expr.cast(match bytes {
        2 => DataType::SmallInt,
        4 => DataType::Integer,
        _ => DataType::BigInt,
    })
}

fn digits(width: Width) -> (u32, u32) {
    match width {
        Width::Whole(2) => (5, 0),
        Width::Whole(4) => (10, 0),
        Width::Whole(_) => (19, 0),
        Width::Exact(whole, scale) => (whole, scale),
    }
}

fn width(expr: &Expr, scope: &Scope) -> Option<Width> {
    match &expr.kind {
        ExprKind::Column(name) => of_type(&scope.column(name)?.data_type),
        ExprKind::Cast { to, .. } => of_type(to),
        ExprKind::Literal(Literal::Number(text)) => of_literal(text),
        ExprKind::Unary(UnaryOp::Minus | UnaryOp::Plus, operand) => width(operand, scope),
        ExprKind::Binary(left, op, right) => {
            let ((i, s), (j, t)) = (digits(width(left, scope)?), digits(width(right, scope)?));
            match op {
                BinaryOp::Add | BinaryOp::Subtract => Some(Width::Exact(i.max(j) + 1, s.max(t))),
                BinaryOp::Multiply => Some(Width::Exact(i + j, s + t)),
                _ => None,
            }
        }
        ExprKind::Call(call) if call.function == "abs" => width(call.arguments.first()?, scope),
        ExprKind::Call(call) if ["length", "strlen", "strpos", "len"].contains(&call.function.as_str()) => Some(Width::Whole(4)),
        ExprKind::Call(call) if call.function == "coalesce" => {
            let widths = call.arguments.iter().map(|a| width(a, scope)).collect::<Option<Vec<_>>>()?;
            let whole = widths.iter().map(|w| if let Width::Whole(bytes) = w { Some(*bytes) } else { None });
            match whole.collect::<Option<Vec<u8>>>() {
                Some(bytes) => bytes.into_iter().max().map(Width::Whole),
                None => {
                    let all = widths.into_iter().map(digits);
                    all.reduce(|(i, s), (j, t)| (i.max(j), s.max(t))).map(|(i, s)| Width::Exact(i, s))
                }
            }
        }
        _ => None,
    }
}

fn of_type(data_type: &DataType) -> Option<Width> {
    Some(match data_type {
        DataType::SmallInt => Width::Whole(2),
        DataType::Integer => Width::Whole(4),
        DataType::BigInt => Width::Whole(8),
        DataType::Decimal(Some((precision, scale))) => {
            Width::Exact(u32::from(precision.saturating_sub(*scale)), u32::from(*scale))
        }
        _ => return None,
    })
}

/// A whole literal is as wide as it must be, at least four bytes.
fn of_literal(text: &str) -> Option<Width> {
    if text.parse::<i32>().is_ok() {
        return Some(Width::Whole(4));
    }
    if text.parse::<i64>().is_ok() {
        return Some(Width::Whole(8));
    }
    let (whole, fraction) = text.strip_prefix('-').unwrap_or(text).split_once('.').unwrap_or((text, ""));
    let plain = whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit());
    plain.then_some(Width::Exact(whole.len() as u32, fraction.len() as u32))
}
