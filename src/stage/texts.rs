//! Which texts a column can have, where its source has few: a list that allows them all needs no look at the rows.
//!
//! In: a relation, and the texts that the sources' columns have. Out: those of one column, NULL aside; none where they are not known. Does
//! not know about checks, or how sources find out.

use std::collections::{BTreeMap, BTreeSet};

use super::{Flow, Lowering};
use crate::expr::{Expr, ExprKind, Literal};
use crate::relation::Relation;
use crate::types::DataType;

/// The texts of columns, by staged source or table and column.
pub type Texts = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Aggregates that give one of their first argument's values, with the number of arguments: with one more they give a list.
const ONE_OF_THEM: &[(&str, usize)] = &[
    ("any_value", 1),
    ("arg_max", 2),
    ("arg_min", 2),
    ("argmax", 2),
    ("argmin", 2),
    ("first", 1),
    ("last", 1),
    ("max", 1),
    ("max_by", 2),
    ("min", 1),
    ("min_by", 2),
    ("mode", 1),
];

/// Whether no text that a column can have makes a condition TRUE. NULL does not either: only lists are seen through.
pub fn is_never_true(condition: &Expr, relation: &Relation, cx: &Lowering) -> bool {
    let ExprKind::InList { operand, list, negated: true } = &condition.kind else { return false };
    let allowed: Option<BTreeSet<&str>> = list.iter().map(literal).collect();
    let (ExprKind::Column(column), Some(allowed)) = (&operand.kind, allowed) else { return false };
    of(column, relation, cx).is_some_and(|texts| texts.iter().all(|text| allowed.contains(text.as_str())))
}

/// The texts of all columns of which they are known.
pub fn of_all(flow: &Flow, cx: &Lowering) -> BTreeMap<String, BTreeSet<String>> {
    let texts = flow.columns.iter().filter(|c| c.data_type == DataType::Text);
    texts.filter_map(|c| Some((c.name.clone(), of(&c.name, &flow.relation, cx)?))).collect()
}

/// The texts that a column of a relation can have.
fn of(column: &str, relation: &Relation, cx: &Lowering) -> Option<BTreeSet<String>> {
    match relation {
        Relation::Scan { table } => match cx.texts.get(table) {
            Some(texts) => texts.get(column).cloned(),
            None => of(column, &cx.relations.get(table).filter(|read| !is_itself(&read.relation, table))?.relation, cx),
        },
        Relation::Project { input, columns } | Relation::Aggregate { input, columns, .. } => {
            let (_, expr) = columns.iter().find(|(name, _)| name == column)?;
            made(expr, None, input, cx)
        }
        Relation::Filter { input, .. } | Relation::Distinct { input, .. } | Relation::Sort { input, .. } => of(column, input, cx),
        Relation::Join { left, right, .. } => of(column, if gives(right, column) { right } else { left }, cx),
        Relation::Unnest { .. } | Relation::Union { .. } | Relation::Unpivot { .. } | Relation::Query { .. } => None,
    }
}

/// Whether the right side of a join gives a column: it names all of its columns.
fn gives(right: &Relation, column: &str) -> bool {
    matches!(right, Relation::Project { columns, .. } if columns.iter().any(|(name, _)| name == column))
}

/// Whether a relation is nothing but the table of that name: that of an extract is.
fn is_itself(relation: &Relation, table: &str) -> bool {
    matches!(relation, Relation::Scan { table: scanned } if scanned == table)
}

/// The texts that an expression can give, where a column has just this text.
fn made(expr: &Expr, fixed: Option<(&str, &str)>, input: &Relation, cx: &Lowering) -> Option<BTreeSet<String>> {
    let all = |parts: &mut dyn Iterator<Item = &Expr>| {
        let found: Option<Vec<_>> = parts.map(|part| made(part, fixed, input, cx)).collect();
        Some(found?.into_iter().flatten().collect())
    };
    match &expr.kind {
        ExprKind::Literal(Literal::Null) => Some(BTreeSet::new()),
        ExprKind::Literal(Literal::Text(text)) => Some([text.clone()].into()),
        ExprKind::Column(column) => match fixed.filter(|(name, _)| name == column) {
            Some((_, text)) => Some([text.to_string()].into()),
            None => of(column, input, cx),
        },
        ExprKind::Cast { operand, to: DataType::Text, .. } => made(operand, fixed, input, cx),
        ExprKind::Call(call) if call.function == "coalesce" => all(&mut call.arguments.iter()),
        ExprKind::Call(call) if ONE_OF_THEM.contains(&(call.function.as_str(), call.arguments.len())) => {
            made(call.arguments.first()?, fixed, input, cx)
        }
        ExprKind::Case { operand: Some(operand), branches, otherwise } => {
            let ExprKind::Column(column) = &operand.kind else { return None };
            // A mapping of values: each text meets one branch, or none.
            let mut found = otherwise.as_ref().map_or(Some(BTreeSet::new()), |other| match &other.kind {
                ExprKind::Column(same) if same == column => Some(BTreeSet::new()),
                _ => made(other, fixed, input, cx),
            })?;
            let listed: Vec<(&str, &Expr)> =
                branches.iter().map(|(when, then)| Some((literal(when)?, then))).collect::<Option<_>>()?;
            for text in of(column, input, cx)? {
                let then = listed.iter().find(|(when, _)| *when == text).map(|(_, then)| *then).or(otherwise.as_deref());
                found.extend(then.map_or(Some(BTreeSet::new()), |then| made(then, Some((column, &text)), input, cx))?);
            }
            Some(found)
        }
        ExprKind::Case { operand: None, branches, otherwise } => {
            all(&mut branches.iter().map(|(_, then)| then).chain(otherwise.as_deref()))
        }
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Literal(Literal::Text(text)) => Some(text),
        _ => None,
    }
}
