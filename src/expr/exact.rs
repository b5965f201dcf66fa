//! Division by powers of ten without floating point.
//!
//! In: a resolved expression. Out: the same with `a / 100` as `a * 0.01` wherever `a` is a whole number or a decimal: the engine divides
//! in floating point, but multiplies decimals exactly (and the digits of the factor are a single 1, so nothing can overflow).
//! Does not know about dialects.

use super::common::precision;
use super::typing::type_of;
use super::{BinaryOp, Expr, ExprKind, Literal};
use crate::types::DataType;

/// Rewrites divisions by powers of ten so that decimals stay exact.
pub fn exact_division(mut expr: Expr, columns: &dyn Fn(&str) -> Option<DataType>) -> Expr {
    rewrite(&mut expr, columns);
    expr
}

fn rewrite(expr: &mut Expr, columns: &dyn Fn(&str) -> Option<DataType>) {
    for child in expr.children_mut() {
        rewrite(child, columns);
    }
    let ExprKind::Binary(left, op @ BinaryOp::Divide, right) = &mut expr.kind else { return };
    let Some(zeros) = power_of_ten(right) else { return };
    // More than 38 digits after the point would not be a decimal any more.
    let Some((_, scale)) = precision(&type_of(left, columns)) else { return };
    if usize::from(scale) + zeros <= 38 {
        *op = BinaryOp::Multiply;
        right.kind = ExprKind::Literal(Literal::Number(format!("0.{}1", "0".repeat(zeros - 1))));
    }
}

/// Returns the zeros of 10, 100, 100.0, ...; a division by one or by anything else is left alone.
fn power_of_ten(expr: &Expr) -> Option<usize> {
    let ExprKind::Literal(Literal::Number(digits)) = &expr.kind else { return None };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = whole.strip_prefix('1')?;
    let power = !zeros.is_empty() && zeros.len() <= 37 && zeros.chars().chain(fraction.chars()).all(|c| c == '0');
    power.then_some(zeros.len())
}
