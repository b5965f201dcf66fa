//! What a join is on: columns of the same name, pairs of columns, or a condition over `left.` and `right.`.
//!
//! In: the YAML of `on` and both sides. Out: a [`Condition`], whose parts that compare the two sides for equality are its keys, be they
//! columns or expressions. Does not know about cardinality.

use super::Lowering;
use super::flow::{Column, Flow};
use super::join::{Expect, bare, right_name};
use crate::diagnostics::{Diagnostics, Spanned};
use crate::expr::parse::is_fleeting;
use crate::expr::{BinaryOp, Expr, ExprKind, typing};
use crate::spec::yaml::{Map, Node, Value};
use crate::types::DataType;

/// What a join is on.
pub struct Condition {
    pub on: Expr,
    /// Equal columns by name: left, right; empty where the condition is anything else.
    pub pairs: Vec<(Spanned<String>, String)>,
    /// What must be equal for rows to meet: an expression of the left side and one of the right.
    pub equal: Vec<(Expr, Expr)>,
    /// Whether rows meet wherever these are equal.
    pub only_equal: bool,
}

impl Condition {
    /// Takes a condition apart.
    fn new(on: Expr, pairs: Vec<(Spanned<String>, String)>) -> Condition {
        let mut equal = vec![];
        let only_equal = equal_parts(&on, &mut equal);
        Condition { on, pairs, equal, only_equal }
    }
}

/// Reads `on`.
pub fn condition(map: &Map, item: &Node, left: &Flow, right: &Flow, expect: Expect, cx: &mut Lowering) -> Option<Condition> {
    let Some(on) = map.get("on") else {
        cx.out
            .error("E0601", item.span, "a join has no `on`: every row would meet every other")
            .help("Name the key: `on: transaction_id`, `on: {left_name: right_name}`, or a condition over `left.` and `right.`.")
            .help("Where every pair is wanted, declare it: `on: true, expect: many_to_many`.");
        return None;
    };
    let pairs: Vec<(Spanned<String>, Spanned<String>)> = match &on.value {
        Value::Boolean(true) if expect == Expect::ManyToMany => {
            return Some(Condition::new(Expr::boolean(true, on.span), vec![]));
        }
        Value::Boolean(_) => {
            cx.out
                .error("E0606", on.span, "`on` names no key: every row would meet every other, or none")
                .help("Name the key, or declare that every pair is wanted: `{to: ..., on: true, expect: many_to_many}`.");
            return None;
        }
        Value::Map(pairs) => {
            let pair = |(l, r): &(Spanned<String>, Node), out: &mut Diagnostics| Some((l.clone(), r.expect_text("a key", out)?));
            pairs.entries.iter().map(|e| pair(e, cx.out)).collect::<Option<_>>()?
        }
        Value::List(_) => on.expect_names("`on`", cx.out)?.into_iter().map(|n| (n.clone(), n)).collect(),
        _ => {
            let text = on.expect_text("`on`", cx.out)?;
            let plain = text.value.chars().all(|c| c.is_alphanumeric() || c == '_');
            if !plain {
                return free_condition(&text, left, right, cx);
            }
            vec![(text.clone(), text)]
        }
    };
    let mut found = vec![];
    let mut on: Option<Expr> = None;
    for (l, r) in pairs {
        let left_column = key_column(&l, left, "left", cx);
        let wanted = Spanned::new(right_name(&r.value), r.span);
        let right_column = key_column(&wanted, right, "right", cx);
        let (left_column, right_column) = (left_column?, right_column?);
        comparable(&l, &left_column, &right_column, cx)?;
        let equal = Expr::column(&left_column.name, l.span).binary(BinaryOp::Equal, Expr::column(&right_column.name, r.span));
        on = Some(on.map_or(equal.clone(), |all| all.and(equal)));
        found.push((Spanned::new(left_column.name, l.span), bare(&right_column.name).to_string()));
    }
    Some(Condition::new(on?, found))
}

fn key_column(name: &Spanned<String>, side: &Flow, which: &str, cx: &mut Lowering) -> Option<Column> {
    if let Some(column) = side.column(&name.value) {
        return Some(column.clone());
    }
    let listed: Vec<&str> = side.columns.iter().map(|c| bare(&c.name)).collect();
    cx.out
        .error("E0602", name.span, format!("the {which} side of the join has no column `{}`", bare(&name.value)))
        .suggest(bare(&name.value), listed.iter().copied())
        .help(format!("Its columns are {}.", super::resolve::listing(&listed)));
    None
}

/// Refuses keys that could only be equal after a conversion that nobody asked for.
fn comparable(at: &Spanned<String>, left: &Column, right: &Column, cx: &mut Lowering) -> Option<()> {
    let (l, r) = (&left.data_type, &right.data_type);
    if l.compares_with(r) {
        return Some(());
    }
    let right_name = bare(&right.name);
    cx.out
        .error(
            "E0603",
            at.span,
            format!("the keys have different types: `{}` is {l}, `{right_name}` on the right is {r}", left.name),
        )
        .help(format!(
            "Cast one of them where it is made, for example `derive: {{{right_name}: {right_name}::{l}}}` in the right table."
        ));
    None
}

fn free_condition(text: &Spanned<String>, left: &Flow, right: &Flow, cx: &mut Lowering) -> Option<Condition> {
    // `left.` is what has been joined so far, under its own names; `right.` is the new relation.
    let mut both = left.clone();
    both.columns = left.columns.iter().map(|c| Column { name: format!("left.{}", c.name), ..c.clone() }).collect();
    both.columns.extend(right.columns.iter().cloned());
    let mut on = cx.parse(text)?;
    on = cx.resolve(on, &both)?;
    let mut sides = (false, false);
    strip_left(&mut on, &mut sides);
    if sides != (true, true) {
        cx.out
            .error("E0604", text.span, "the condition does not compare the two sides: every row would meet many others")
            .help("Compare a column of `left.` with one of `right.`.");
        return None;
    }
    let types = |name: &str| left.column(name).or(right.column(name)).map(|c| c.data_type.clone());
    if !matches!(typing::type_of(&on, &types), DataType::Boolean | DataType::Unknown) {
        cx.out.error("E0424", text.span, "the condition of the join is not a boolean");
        return None;
    }
    let mut condition = Condition::new(on, vec![]);
    if condition.only_equal {
        let columns = |(l, r): &(Expr, Expr)| match (&l.kind, &r.kind) {
            (ExprKind::Column(l), ExprKind::Column(r)) => Some((Spanned::new(l.clone(), text.span), bare(r).to_string())),
            _ => None,
        };
        condition.pairs = condition.equal.iter().map(columns).collect::<Option<_>>().unwrap_or_default();
    }
    Some(condition)
}

/// Gives the left side's columns their own names back, and notes which sides occur.
fn strip_left(expr: &mut Expr, sides: &mut (bool, bool)) {
    if let ExprKind::Column(name) = &mut expr.kind {
        if let Some(own) = name.strip_prefix("left.") {
            *name = own.to_string();
            sides.0 = true;
        } else if name.starts_with("right.") {
            sides.1 = true;
        }
    }
    for child in expr.children_mut() {
        strip_left(child, sides);
    }
}

/// Collects the equalities between the sides that a condition demands, and tells whether it demands nothing else.
fn equal_parts(on: &Expr, into: &mut Vec<(Expr, Expr)>) -> bool {
    match &on.kind {
        ExprKind::Binary(a, BinaryOp::And, b) => {
            let first = equal_parts(a, into);
            equal_parts(b, into) && first
        }
        ExprKind::Binary(a, BinaryOp::Equal, b) => match (side(a), side(b)) {
            (Some(Side::Left), Some(Side::Right)) => {
                into.push(((**a).clone(), (**b).clone()));
                true
            }
            (Some(Side::Right), Some(Side::Left)) => {
                into.push(((**b).clone(), (**a).clone()));
                true
            }
            _ => false,
        },
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The one side whose columns an expression is of, the same in every evaluation.
fn side(expr: &Expr) -> Option<Side> {
    let mut sides = vec![];
    let mut steady = true;
    expr.walk(&mut |e| match &e.kind {
        ExprKind::Column(name) => sides.push(if name == bare(name) { Side::Left } else { Side::Right }),
        ExprKind::Call(call) => steady &= !is_fleeting(&call.function),
        _ => {}
    });
    let first = *sides.first()?;
    (steady && sides.iter().all(|side| *side == first)).then_some(first)
}
