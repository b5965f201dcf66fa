//! `range: {c: [1, 10]}`: the column lies between two bounds, both allowed.
//!
//! In: a mapping from columns to `[low, high]`, where `~` leaves an end open. Out: one check per column. Bounds may be excluded too:
//! CHECK constraints say `> 0`. Does not know about column types: numbers, dates and text are compared as the engine compares them.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Check, CheckKind, Measure, constant};
use crate::diagnostics::{Diagnostics, Span};
use crate::expr::{BinaryOp, Expr, Literal};
use crate::spec::yaml::Node;

/// The kind `range`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "range"
    }

    fn summary(&self) -> &'static str {
        "the column lies between two bounds"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(map) = body.expect_map("`range`", out) else {
            return vec![];
        };
        map.entries.iter().filter_map(|(column, ends)| self.decode_for_column(&column.value, ends, out)).collect()
    }

    fn stands_under_column(&self) -> bool {
        true
    }

    fn decode_for_column(&self, column: &str, body: &Node, out: &mut Diagnostics) -> Option<Arc<dyn Check>> {
        let items = body.expect_list(&format!("`range` for column `{column}`"), out)?;
        let [low, high] = items else {
            out.error("E0404", body.span, format!("`range` for column `{column}` has {} ends instead of two", items.len()))
                .help("Write `[low, high]`; `~` leaves an end open: `[0, ~]`.");
            return None;
        };
        let low = bound(low, column, out)?;
        let high = bound(high, column, out)?;
        match (&low, &high) {
            (None, None) => {
                out.error("E0405", body.span, format!("`range` for column `{column}` is open at both ends"))
                    .help("Give at least one bound, or leave the check out.");
                return None;
            }
            (Some(l), Some(h)) if compare(&l.value, &h.value) == Some(Ordering::Greater) => {
                let (l, h) = (constant::shown(&l.value), constant::shown(&h.value));
                out.error("E0405", body.span, format!("`range` for column `{column}` allows nothing: {l} is above {h}"))
                    .help(format!("Write the lower bound first: `[{h}, {l}]`."));
                return None;
            }
            (Some(_), _) | (None, Some(_)) => {}
        }
        Some(Arc::new(Range::new(column, low, high, body.span)))
    }
}

/// Reads one end; the outer `None` was reported, the inner is an open end.
fn bound(node: &Node, column: &str, out: &mut Diagnostics) -> Option<Option<Bound>> {
    match constant::read(node) {
        Some(Literal::Null) => Some(None),
        Some(value @ (Literal::Number(_) | Literal::Text(_) | Literal::Typed(..))) => {
            Some(Some(Bound { value, inclusive: true }))
        }
        Some(Literal::Boolean(_)) | None => {
            out.error("E0404", node.span, format!("a bound of `range` for column `{column}` is {}", node.kind()))
                .help("A bound is a number, a date, a text, or `~` for an open end.");
            None
        }
    }
}

/// Compares two bounds where that is certain: numbers, or texts of the same kind (dates in ISO form sort as text).
fn compare(a: &Literal, b: &Literal) -> Option<Ordering> {
    match (a, b) {
        (Literal::Number(_), Literal::Number(_)) => constant::number(a)?.partial_cmp(&constant::number(b)?),
        (Literal::Text(a) | Literal::Typed(_, a), Literal::Text(b) | Literal::Typed(_, b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub value: Literal,
    pub inclusive: bool,
}

/// A column between two bounds, at least one of which is given.
#[derive(Clone, Debug)]
pub struct Range {
    column: String,
    low: Option<Bound>,
    high: Option<Bound>,
    span: Span,
}

impl Range {
    pub fn new(column: impl Into<String>, low: Option<Bound>, high: Option<Bound>, span: Span) -> Range {
        Range { column: column.into(), low, high, span }
    }
}

impl Check for Range {
    fn rule(&self) -> &'static str {
        "range"
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        let fails = |bound: &Option<Bound>, strict: BinaryOp, lax: BinaryOp| {
            let bound = bound.as_ref()?;
            let op = if bound.inclusive { strict } else { lax };
            Some(Expr::column(&self.column, self.span).binary(op, constant::expr(&bound.value, self.span)))
        };
        let below = fails(&self.low, BinaryOp::Less, BinaryOp::LessOrEqual);
        let above = fails(&self.high, BinaryOp::Greater, BinaryOp::GreaterOrEqual);
        Measure::Row(match (below, above) {
            (Some(below), Some(above)) => below.or(above),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Expr::boolean(false, self.span),
        })
    }

    fn allowed(&self) -> String {
        match (&self.low, &self.high) {
            (Some(Bound { value: low, inclusive: true }), Some(Bound { value: high, inclusive: true })) => {
                format!("from {} to {}", constant::shown(low), constant::shown(high))
            }
            (Some(low), Some(high)) => format!("{} and {}", low_words(low), high_words(high)),
            (Some(low), None) => low_words(low),
            (None, Some(high)) => high_words(high),
            (None, None) => "any value".to_string(),
        }
    }

    fn suggest(&self, value: &str) -> Option<String> {
        let value = value.trim();
        let number: Option<f64> = value.parse().ok().filter(|n: &f64| n.is_finite());
        let most = self.high.as_ref().and_then(|h| constant::number(&h.value));
        if let (Some(n), Some(1.0)) = (number, most)
            && (2.0..=100.0).contains(&n)
        {
            return Some(format!("{value} looks like a percentage: apply the `ratio` macro, or divide by 100."));
        }
        let given = if number.is_some() { Literal::Number(value.to_string()) } else { Literal::Text(value.to_string()) };
        let too_low = self.low.as_ref().filter(|l| compare(&given, &l.value).is_some_and(|o| outside(o, Ordering::Less, l)));
        let too_high = self.high.as_ref().filter(|h| compare(&given, &h.value).is_some_and(|o| outside(o, Ordering::Greater, h)));
        let near = too_low.or(too_high)?;
        let shown = constant::shown(&near.value);
        Some(match (near.inclusive, too_low.is_some()) {
            (true, _) => format!("The nearest allowed value is {shown}."),
            (false, true) => format!("Only values above {shown} are allowed."),
            (false, false) => format!("Only values below {shown} are allowed."),
        })
    }
}

fn outside(order: Ordering, side: Ordering, bound: &Bound) -> bool {
    order == side || (order == Ordering::Equal && !bound.inclusive)
}

fn low_words(bound: &Bound) -> String {
    format!("{} {}", if bound.inclusive { "at least" } else { "more than" }, constant::shown(&bound.value))
}

fn high_words(bound: &Bound) -> String {
    format!("{} {}", if bound.inclusive { "at most" } else { "less than" }, constant::shown(&bound.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::SourceMap;

    fn range(low: Option<(&str, bool)>, high: Option<(&str, bool)>) -> Range {
        let file = SourceMap::default().add("a.yaml", "x");
        let bound = |b: Option<(&str, bool)>| b.map(|(v, inclusive)| Bound { value: Literal::Number(v.into()), inclusive });
        Range::new("rate", bound(low), bound(high), Span { file, start: 0, end: 1 })
    }

    #[test]
    fn suggests_the_ratio_macro_or_the_nearest_bound() {
        let ratio = range(Some(("0", true)), Some(("1", true)));
        assert_eq!(
            ratio.suggest("85").as_deref(),
            Some("85 looks like a percentage: apply the `ratio` macro, or divide by 100.")
        );
        assert_eq!(ratio.suggest("140").as_deref(), Some("The nearest allowed value is 1."));
        assert_eq!(ratio.suggest("-0.5").as_deref(), Some("The nearest allowed value is 0."));
        assert_eq!(range(Some(("0", false)), None).suggest("0").as_deref(), Some("Only values above 0 are allowed."));
        assert_eq!(ratio.suggest("many"), None);
    }

    #[test]
    fn says_what_is_allowed() {
        assert_eq!(range(Some(("1", true)), Some(("10", true))).allowed(), "from 1 to 10");
        assert_eq!(range(Some(("0", false)), None).allowed(), "more than 0");
        assert_eq!(range(Some(("0", false)), Some(("9", true))).allowed(), "more than 0 and at most 9");
    }

    #[test]
    fn an_excluded_bound_fails_where_it_is_met() {
        let Measure::Row(fails) = range(Some(("0", false)), None).measure() else { panic!("a row check") };
        assert!(matches!(fails.kind, crate::expr::ExprKind::Binary(_, BinaryOp::LessOrEqual, _)));
        let Measure::Row(fails) = range(None, Some(("9", true))).measure() else { panic!("a row check") };
        assert!(matches!(fails.kind, crate::expr::ExprKind::Binary(_, BinaryOp::Greater, _)));
    }
}
