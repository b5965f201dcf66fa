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
    let ExprKind::Binary(left, op @ BinaryOp::Divide, right) = &mut expr.kind else {
        return;
    };
    let Some(zeros) = power_of_ten(right) else { return };
    // More than 38 digits after the point would not be a decimal any more.
    let Some((_, scale)) = precision(&type_of(left, columns)) else {
        return;
    };
    if usize::from(scale) + zeros <= 38 {
        *op = BinaryOp::Multiply;
        right.kind = ExprKind::Literal(Literal::Number(format!("0.{}1", "0".repeat(zeros - 1))));
    }
}

/// Returns the zeros of 10, 100, 100.0, ...; a division by one or by anything else is left alone.
fn power_of_ten(expr: &Expr) -> Option<usize> {
    let ExprKind::Literal(Literal::Number(digits)) = &expr.kind else {
        return None;
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = whole.strip_prefix('1')?;
    let power = !zeros.is_empty() && zeros.len() <= 37 && zeros.chars().chain(fraction.chars()).all(|c| c == '0');
    power.then_some(zeros.len())
}

#[cfg(test)]
mod tests {
    use super::exact_division;
    use crate::diagnostics::{Diagnostics, SourceMap, Span};
    use crate::expr::{Expr, parse};
    use crate::types::DataType;

    fn read(text: &str) -> Expr {
        let span = Span { file: SourceMap::default().add("test", text), start: 0, end: 0 };
        parse::expression(text, span, false, &mut Diagnostics::default()).expect(text)
    }

    #[test]
    fn only_exact_numbers_over_powers_of_ten_change() {
        let columns = |name: &str| match name {
            "i" => Some(DataType::Integer),
            "d" => Some(DataType::Decimal(Some((38, 37)))),
            "f" => Some(DataType::Double),
            _ => None,
        };
        for (written, meant) in [
            ("85 / 100.0", "85 * 0.01"),
            ("i / 10 / 1000", "i * 0.1 * 0.001"),
            ("case when i > 1 then i / 100.0 else i end", "case when i > 1 then i * 0.01 else i end"),
            ("sum(i) / 100", "sum(i) * 0.01"),
            ("d / 10", "d * 0.1"),
            ("d / 100", "d / 100"),
            ("f / 100", "f / 100"),
            ("unknown / 100", "unknown / 100"),
            ("i / 1", "i / 1"),
            ("i / 1.0", "i / 1.0"),
            ("i / 10.5", "i / 10.5"),
            ("i / 200", "i / 200"),
            ("i // 100", "i // 100"),
        ] {
            assert_eq!(exact_division(read(written), &columns), read(meant), "{written}");
        }
    }
}
