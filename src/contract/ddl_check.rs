//! CHECK constraints as checks of our own kinds.
//!
//! In: the condition of a CHECK. Out: `one_of`, `range`, `length` and `matches` where it says no more than that, else a condition
//! with the rule name `check`. A conjunction gives one check per part: it fails exactly where a part fails.
//! Does not know how constraints are named.

use std::sync::Arc;

use sqlparser::ast;

use super::ddl_expr::{Scope, by_locale, cased, lower};
use super::ddl_number::{in_order, may_fail};
use crate::check::Check;
use crate::check::condition::Condition;
use crate::check::length::Length;
use crate::check::matches::Matches;
use crate::check::one_of::OneOf;
use crate::check::range::{Bound, Range};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal};

/// What a condition says about one column.
#[derive(Clone, Debug, PartialEq)]
enum Fact {
    OneOf(String, Vec<Literal>),
    Range(String, Option<Bound>, Option<Bound>),
    Length { column: String, trailing_spaces: bool, least: Option<u64>, most: Option<u64> },
    Matches(String, String, String),
}

/// Makes the checks of a CHECK constraint; `complete` is false where a part of it cannot be judged here.
pub(super) fn judge(holds: &ast::Expr, text: &str, scope: &Scope) -> (Vec<Arc<dyn Check>>, bool) {
    let mut parts = vec![];
    conjuncts(holds, &mut parts);
    let mut facts: Vec<Fact> = vec![];
    let mut checks: Vec<Arc<dyn Check>> = vec![];
    let mut complete = true;
    let single = parts.len() == 1;
    for part in parts {
        let Some(lowered) = lower(part, scope) else {
            complete = false;
            continue;
        };
        // What letters beyond ASCII are to such a pattern or function is the server's locale to say.
        let lowered = cased(lowered);
        complete &= !by_locale(&lowered);
        match recognise(&lowered) {
            Some(fact) => add(&mut facts, fact),
            None => {
                let shown = if single { text.to_string() } else { part.to_string() };
                checks.push(Arc::new(match may_fail(&lowered) {
                    true => Condition::new("check", in_order(lowered), shown).guarded(true),
                    false => Condition::new("check", lowered, shown),
                }));
            }
        }
    }
    let mut judged: Vec<Arc<dyn Check>> = facts.into_iter().map(|fact| fact.check(scope.span)).collect();
    judged.extend(checks);
    (judged, complete)
}

fn conjuncts<'a>(expr: &'a ast::Expr, parts: &mut Vec<&'a ast::Expr>) {
    match expr {
        ast::Expr::Nested(inner) => conjuncts(inner, parts),
        ast::Expr::BinaryOp { left, op: ast::BinaryOperator::And, right } => {
            conjuncts(left, parts);
            conjuncts(right, parts);
        }
        other => parts.push(other),
    }
}

/// Adds a fact, as the other end of an earlier one where it is that.
fn add(facts: &mut Vec<Fact>, fact: Fact) {
    for known in facts.iter_mut() {
        match (known, &fact) {
            (Fact::Range(a, low @ None, _), Fact::Range(b, more @ Some(_), None)) if a == b => {
                *low = more.clone();
                return;
            }
            (Fact::Range(a, _, high @ None), Fact::Range(b, None, more @ Some(_))) if a == b => {
                *high = more.clone();
                return;
            }
            (
                Fact::Length { column: a, trailing_spaces: x, least: low @ None, .. },
                Fact::Length { column: b, trailing_spaces: y, least: more @ Some(_), most: None },
            ) if a == b && x == y => {
                *low = *more;
                return;
            }
            (
                Fact::Length { column: a, trailing_spaces: x, most: high @ None, .. },
                Fact::Length { column: b, trailing_spaces: y, least: None, most: more @ Some(_) },
            ) if a == b && x == y => {
                *high = *more;
                return;
            }
            _ => {}
        }
    }
    facts.push(fact);
}

impl Fact {
    fn check(self, span: Span) -> Arc<dyn Check> {
        match self {
            Fact::OneOf(column, values) => Arc::new(OneOf::new(column, values, span)),
            Fact::Range(column, low, high) => Arc::new(Range::new(column, low, high, span)),
            Fact::Length { column, trailing_spaces, least, most } => {
                let length = Length::new(column, least, most, span);
                Arc::new(if trailing_spaces { length } else { length.without_trailing_spaces() })
            }
            Fact::Matches(column, pattern, options) => Arc::new(Matches::new(column, pattern, span).with_options(options)),
        }
    }
}

fn recognise(expr: &Expr) -> Option<Fact> {
    match &expr.kind {
        ExprKind::InList { operand, list, negated: false } => {
            Some(Fact::OneOf(column(operand)?, list.iter().map(constant).collect::<Option<_>>()?))
        }
        ExprKind::Binary(_, BinaryOp::Or, _) => disjunction(expr),
        ExprKind::Binary(left, op, right) => match (constant(left), constant(right)) {
            (None, Some(value)) => comparison(left, *op, value),
            (Some(value), None) => comparison(right, mirrored(*op)?, value),
            (Some(_), Some(_)) | (None, None) => None,
        },
        ExprKind::Between { operand, low, high, negated: false } => {
            let low = comparison(operand, BinaryOp::GreaterOrEqual, constant(low)?)?;
            let high = comparison(operand, BinaryOp::LessOrEqual, constant(high)?)?;
            let mut facts = vec![low];
            add(&mut facts, high);
            facts.pop().filter(|_| facts.is_empty())
        }
        ExprKind::Call(call) if call.function == "regexp_matches" => match call.arguments.as_slice() {
            [of, pattern, options] => Some(Fact::Matches(column(of)?, text(pattern)?, text(options)?)),
            _ => None,
        },
        _ => None,
    }
}

/// Recognises `c = 'x' OR c = 'y'`, and `c IS NULL OR ...`, which says nothing more: a NULL passes anyway.
fn disjunction(expr: &Expr) -> Option<Fact> {
    let mut parts = vec![];
    disjuncts(expr, &mut parts);
    let mut nulls = vec![];
    let mut facts = vec![];
    for part in parts {
        match &part.kind {
            ExprKind::IsNull { operand, negated: false } => nulls.push(column(operand)?),
            _ => facts.push(recognise(part)?),
        }
    }
    let first = facts.first()?.clone();
    let found = match first {
        Fact::OneOf(column, _) => {
            let mut all: Vec<Literal> = vec![];
            for fact in facts {
                let Fact::OneOf(other, values) = fact else { return None };
                if other != column {
                    return None;
                }
                for value in values {
                    if !all.contains(&value) {
                        all.push(value);
                    }
                }
            }
            Fact::OneOf(column, all)
        }
        other => (facts.len() == 1).then_some(other)?,
    };
    let about = match &found {
        Fact::OneOf(c, _) | Fact::Range(c, ..) | Fact::Length { column: c, .. } | Fact::Matches(c, ..) => c,
    };
    nulls.iter().all(|n| n == about).then_some(found)
}

fn disjuncts<'a>(expr: &'a Expr, parts: &mut Vec<&'a Expr>) {
    match &expr.kind {
        ExprKind::Binary(left, BinaryOp::Or, right) => {
            disjuncts(left, parts);
            disjuncts(right, parts);
        }
        _ => parts.push(expr),
    }
}

/// Recognises a comparison of a column, or of its length, with a constant.
fn comparison(operand: &Expr, op: BinaryOp, value: Literal) -> Option<Fact> {
    if let Some((column, trailing_spaces)) = length_of(operand) {
        let Literal::Number(digits) = &value else { return None };
        let n: u64 = digits.parse().ok()?;
        let (least, most) = match op {
            BinaryOp::Equal => (Some(n), Some(n)),
            BinaryOp::Less => (None, Some(n.checked_sub(1)?)),
            BinaryOp::LessOrEqual => (None, Some(n)),
            BinaryOp::Greater => (Some(n.checked_add(1)?), None),
            BinaryOp::GreaterOrEqual => (Some(n), None),
            _ => return None,
        };
        return Some(Fact::Length { column, trailing_spaces, least, most });
    }
    let column = column(operand)?;
    let bound = |value: Literal, inclusive: bool| Some(Bound { value, inclusive });
    Some(match op {
        BinaryOp::Equal => Fact::OneOf(column, vec![value]),
        BinaryOp::Less => Fact::Range(column, None, bound(value, false)),
        BinaryOp::LessOrEqual => Fact::Range(column, None, bound(value, true)),
        BinaryOp::Greater => Fact::Range(column, bound(value, false), None),
        BinaryOp::GreaterOrEqual => Fact::Range(column, bound(value, true), None),
        _ => return None,
    })
}

fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Equal => BinaryOp::Equal,
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessOrEqual => BinaryOp::GreaterOrEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterOrEqual => BinaryOp::LessOrEqual,
        _ => return None,
    })
}

/// Returns the column whose characters are counted, and whether spaces at its end count.
fn length_of(expr: &Expr) -> Option<(String, bool)> {
    let ExprKind::Call(call) = &expr.kind else { return None };
    let [counted] = call.arguments.as_slice() else { return None };
    if call.function != "length" {
        return None;
    }
    match &counted.kind {
        ExprKind::Column(name) => Some((name.clone(), true)),
        // Only LEN is lowered to this; `length(rtrim(c))` of Postgres is told apart by nothing, and means the same.
        ExprKind::Call(trim) if trim.function == "rtrim" => match trim.arguments.as_slice() {
            [of, what] if text(what).as_deref() == Some(" ") => Some((column(of)?, false)),
            _ => None,
        },
        _ => None,
    }
}

fn column(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Column(name) => Some(name.clone()),
        _ => None,
    }
}

/// Returns a constant that a value can be compared with.
fn constant(expr: &Expr) -> Option<Literal> {
    match &expr.kind {
        ExprKind::Literal(Literal::Null) => None,
        ExprKind::Literal(literal) => Some(literal.clone()),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Literal(Literal::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ddl::{Flavor, read};
    use crate::diagnostics::{Diagnostics, SourceMap};

    /// Writes the checks that a CHECK becomes, and a `!` where the server has to judge a part of it.
    fn judged(condition: &str) -> String {
        let columns = "a int, b int, c text, d varchar(9), e boolean, f text[], g jsonb, h timestamptz, i uuid";
        let mut sources = SourceMap::default();
        let file = sources.add("a.sql", format!("CREATE TABLE t ({columns}, CONSTRAINT x CHECK ({condition}));"));
        let contracts = read(&sources, file, Flavor::Postgres, &mut Diagnostics::default());
        let checks = contracts[0].checks.iter().map(|c| format!("{} {}", c.check.rule(), c.check.allowed()));
        checks.collect::<Vec<_>>().join("; ") + &"!".repeat(contracts[0].unjudged.len())
    }

    #[test]
    fn conditions_become_the_kinds_that_they_are() {
        for (condition, expected) in [
            ("a = 1", "one_of one of 1"),
            ("a = 1 OR a = 2 OR a IS NULL", "one_of one of 1, 2"),
            ("0 < a", "range more than 0"),
            ("a >= -5 AND b > 0 AND a < 9", "range at least -5 and less than 9; range more than 0"),
            ("length(c) < 10", "length at most 9 characters"),
            ("length(c) BETWEEN 2 AND 3", "length 2 to 3 characters"),
            ("c ~ '^a'", "matches text that matches `^a`"),
            ("h > '2000-01-01'", "range more than 2000-01-01"),
            ("a IN ('1', '2')", "one_of one of 1, 2"),
            ("c IN ('x') OR c = ANY ('y')", "!"),
        ] {
            assert_eq!(judged(condition), expected, "{condition}");
        }
    }

    #[test]
    fn other_conditions_stay_conditions() {
        for condition in [
            "c !~ '^a'",
            "c !~~ 'a%'::text",
            "\"left\"(c, 1) = 'a'",
            "c LIKE 'A%'",
            "c <> ''",
            "length(trim(both from c)) > 0",
            "num_nonnulls(a, b, c) = 1",
            "a IS NOT NULL OR b IS NOT NULL",
            "e",
            "NOT e OR a > 0",
            "cardinality(f) <= 3",
            "jsonb_typeof(g) = 'object'",
            "a IN (1, NULL)",
            "f && ARRAY['a']",
            "f <@ ARRAY['a', 'b']::text[]",
            "f::text[] @> '{a}'::text[]",
        ] {
            assert_eq!(judged(condition), format!("check rows where {condition}"));
        }
    }

    #[test]
    fn what_depends_on_the_locale_is_judged_for_ascii_and_listed() {
        for condition in [r"c ~ '^\w+$'", "c = lower(c)", "upper(c) <> 'A'", "c ILIKE 'a%'"] {
            assert_eq!(judged(condition), format!("check rows where {condition}!"));
        }
    }

    #[test]
    fn whole_numbers_are_computed_at_their_width() {
        for (condition, expected) in [
            ("a * b < 100", "check rows where a * b < 100"),
            ("abs(a) < 9", "check rows where abs(a) < 9"),
            ("a % 3 = 1", "check rows where a % 3 = 1"),
            ("a % b = 1", "!"),
        ] {
            assert_eq!(judged(condition), expected, "{condition}");
        }
    }

    #[test]
    fn what_the_engine_could_judge_otherwise_is_left_to_the_server() {
        for condition in [
            "a / 2 > 1",
            "c > 'm'",
            "c ~ 'a(?=b)'",
            "h <= now()",
            "h::date > '2000-01-01'",
            "my_check(a)",
            "c COLLATE \"C\" > 'm'",
            "a = (SELECT 1)",
            "g ->> 'a' = 'b'",
            "zz > 0",
        ] {
            assert_eq!(judged(condition), "!", "{condition}");
        }
        assert_eq!(judged("a > 0 AND my_check(a)"), "range more than 0!");
    }
}
