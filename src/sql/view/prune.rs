//! Takes from the relations of a view what only the books of a run need: check bits, origins, values before their casts.
//!
//! In: the relations and the view's columns. Out: the relations with the columns that the view needs, and what it needs of each input.
//! What cannot be had without the books is refused: a choice by the order of the source. A cast that the run would report fails aloud in a view.

use std::collections::BTreeMap;

use super::{Unsupported, View};
use crate::diagnostics::Span;
use crate::expr::{Expr, ExprKind, Literal, OrderBy};
use crate::relation::{ROW, Relation};

/// What is left of the relations.
pub struct Needs {
    /// The relations that the view reads, each after those it reads itself.
    pub tables: Vec<(String, Relation)>,
    pub inputs: BTreeMap<String, Needed>,
}

/// Columns, and where each is first spoken of.
pub type Needed = BTreeMap<String, Span>;

/// Prunes the view's relations, last one first.
pub fn tables(view: &View) -> Result<Needs, Unsupported> {
    let mut needed: BTreeMap<String, Needed> = BTreeMap::new();
    if let Some((last, _)) = view.tables.last() {
        needed.insert((*last).to_string(), view.columns.iter().map(|c| (c.clone(), view.span)).collect());
    }
    let mut tables = vec![];
    for (name, relation) in view.tables.iter().rev() {
        let Some(need) = needed.remove(*name).filter(|_| !view.inputs.contains_key(*name)) else {
            continue;
        };
        tables.push(((*name).to_string(), prune(&unpinned(relation, view)?, &need, view.span, &mut needed)?));
    }
    tables.reverse();
    let mut inputs = BTreeMap::new();
    for (name, need) in needed {
        if let Some((hidden, span)) = need.iter().find(|(c, _)| c.starts_with('#')) {
            let what = if is_place(hidden) { "the order of the source's rows".to_string() } else { format!("`{hidden}`") };
            return Err(Unsupported::new(what, *span));
        }
        inputs.insert(name, need);
    }
    Ok(Needs { tables, inputs })
}

/// Reads pinned columns of inputs as they are: the target's table has them in that type.
fn unpinned(relation: &Relation, view: &View) -> Result<Relation, Unsupported> {
    let mut relation = relation.clone();
    unpin(&mut relation, view)?;
    Ok(relation)
}

fn unpin(relation: &mut Relation, view: &View) -> Result<(), Unsupported> {
    let pins = |table: &String| view.inputs.get(table).filter(|i| i.cast).map(|i| &i.pins);
    match relation {
        Relation::Project { input, columns } => {
            let Relation::Scan { table } = &**input else { return unpin(input, view) };
            let Some(pins) = pins(table) else { return Ok(()) };
            if let Some((_, expr)) = columns.iter().find(|(name, _)| name.starts_with("right.")) {
                let what = format!("the pinned columns of `{table}` in a join (read it in a table of its own and join that)");
                return Err(Unsupported::new(what, expr.span));
            }
            for (name, expr) in columns.iter_mut().filter(|(name, _)| pins.iter().any(|(pin, _)| pin == name)) {
                *expr = Expr::column(name.as_str(), expr.span);
            }
            Ok(())
        }
        Relation::Scan { .. } | Relation::Query { .. } => Ok(()),
        Relation::Union { inputs } => inputs.iter_mut().try_for_each(|input| unpin(input, view)),
        Relation::Join { left, right, .. } => {
            unpin(left, view)?;
            unpin(right, view)
        }
        Relation::Filter { input, .. }
        | Relation::Unnest { input, .. }
        | Relation::Unpivot { input, .. }
        | Relation::Aggregate { input, .. }
        | Relation::Distinct { input, .. }
        | Relation::Sort { input, .. } => unpin(input, view),
    }
}

/// Whether a hidden column is a row's place in its source.
fn is_place(column: &str) -> bool {
    column == ROW || column.strip_prefix('#').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn note(expr: &Expr, into: &mut Needed) {
    expr.walk(&mut |part| {
        if let ExprKind::Column(name) = &part.kind {
            into.entry(name.clone()).or_insert(part.span);
        }
    });
}

fn prune(relation: &Relation, need: &Needed, span: Span, tables: &mut BTreeMap<String, Needed>) -> Result<Relation, Unsupported> {
    let mut below = need.clone();
    Ok(match relation {
        Relation::Scan { table } => {
            let of = tables.entry(table.clone()).or_default();
            for (column, span) in need {
                of.entry(column.clone()).or_insert(*span);
            }
            relation.clone()
        }
        Relation::Project { input, columns } => {
            let loud = |name: &String| columns.iter().any(|(other, _)| *other == format!("#fails.{name}"));
            let kept: Vec<(String, Expr)> = columns
                .iter()
                .filter(|(name, _)| need.contains_key(name))
                .map(|(n, e)| (n.clone(), settled(e, loud(n))))
                .collect();
            below.clear();
            kept.iter().for_each(|(_, expr)| note(expr, &mut below));
            let span = kept.first().map_or(span, |(_, e)| e.span);
            prune(input, &below, span, tables)?.project(kept)
        }
        Relation::Filter { input, predicate } => {
            let predicate = settled(predicate, false);
            note(&predicate, &mut below);
            prune(input, &below, predicate.span, tables)?.filter(predicate)
        }
        Relation::Sort { input, .. } => prune(input, need, span, tables)?,
        Relation::Distinct { input, on, order_by } => {
            let order_by = chosen(on, order_by, need)?;
            on.iter().chain(order_by.iter().map(|o| &o.expr)).for_each(|e| note(e, &mut below));
            let input = Box::new(prune(input, &below, span, tables)?);
            Relation::Distinct { input, on: on.clone(), order_by }
        }
        Relation::Join { left, right, kind, on } => {
            note(on, &mut below);
            let right_side = |name: &String| name.starts_with("right.") || name.starts_with("#matched.");
            // Of the marks of earlier joins, the left side has those.
            let (of_right, of_left): (Needed, Needed) =
                below.into_iter().partition(|(name, _)| right_side(name) && has(right, name));
            let left = Box::new(prune(left, &of_left, on.span, tables)?);
            Relation::Join { left, right: Box::new(prune(right, &of_right, on.span, tables)?), kind: *kind, on: on.clone() }
        }
        Relation::Aggregate { input, keys, columns } => {
            let kept: Vec<(String, Expr)> = columns.iter().filter(|(name, _)| need.contains_key(name)).cloned().collect();
            below.clear();
            keys.iter().chain(kept.iter().map(|(_, e)| e)).for_each(|e| note(e, &mut below));
            for (_, expr) in &kept {
                in_an_order_of_its_own(expr)?;
            }
            let input = Box::new(prune(input, &below, span, tables)?);
            Relation::Aggregate { input, keys: keys.clone(), columns: kept }
        }
        Relation::Union { inputs } => {
            let inputs = inputs.iter().map(|input| prune(input, need, span, tables)).collect::<Result<_, _>>()?;
            Relation::Union { inputs }
        }
        Relation::Unnest { input, list, element, position, keep_empty } => {
            below.remove(element);
            below.remove(position);
            note(list, &mut below);
            let input = Box::new(prune(input, &below, list.span, tables)?);
            let (list, element, position) = (list.clone(), element.clone(), position.clone());
            Relation::Unnest { input, list, element, position, keep_empty: *keep_empty }
        }
        Relation::Unpivot { input, values, name, value, position, keep_nulls } => {
            if let Some(span) = below.remove(position) {
                return Err(Unsupported::new("the order of unpivoted values", span));
            }
            below.remove(name);
            below.remove(value);
            values.iter().for_each(|(_, e)| note(e, &mut below));
            let input = Box::new(prune(input, &below, span, tables)?);
            let (values, name, value, position) = (values.clone(), name.clone(), value.clone(), position.clone());
            Relation::Unpivot { input, values, name, value, position, keep_nulls: *keep_nulls }
        }
        Relation::Query { .. } => return Err(Unsupported::new("a query of the author's own (`sql`)", span)),
    })
}

/// Whether a relation makes a column of this name.
fn has(relation: &Relation, name: &str) -> bool {
    matches!(relation, Relation::Project { columns, .. } if columns.iter().any(|(n, _)| n == name))
}

/// The sort keys of a choice, as far as they do not speak of places in the source; refused where these would decide what is kept.
fn chosen(on: &[Expr], order_by: &[OrderBy], need: &Needed) -> Result<Vec<OrderBy>, Unsupported> {
    let place = |key: &&OrderBy| matches!(&key.expr.kind, ExprKind::Column(name) if is_place(name));
    let kept: Vec<OrderBy> = order_by.iter().take_while(|key| !place(key)).cloned().collect();
    let Some(first) = order_by.iter().find(place) else { return Ok(kept) };
    let settles = |column: &String| {
        on.iter().chain(kept.iter().map(|k| &k.expr)).any(|e| matches!(&e.kind, ExprKind::Column(name) if name == column))
    };
    match need.keys().find(|column| !settles(column)) {
        Some(open) => Err(Unsupported::new(
            format!("a choice by the order of the source: which `{open}` `distinct` keeps"),
            first.expr.span,
        )),
        None => Ok(kept),
    }
}

/// Refuses aggregates that go through their rows in the order of the source.
fn in_an_order_of_its_own(expr: &Expr) -> Result<(), Unsupported> {
    if let ExprKind::Call(call) = &expr.kind
        && call.order_by.iter().any(|o| matches!(&o.expr.kind, ExprKind::Column(name) if is_place(name)))
    {
        return Err(Unsupported::new(format!("`{}` in the order of the source's rows", call.function), expr.span));
    }
    Ok(())
}

/// The expression where no cast has failed: those that a run would report fail aloud in a view.
fn settled(expr: &Expr, loud: bool) -> Expr {
    let mut expr = expr.clone();
    if loud && let ExprKind::Cast { attempt, .. } = &mut expr.kind {
        *attempt = false;
    }
    without_failures(&mut expr);
    expr
}

fn without_failures(expr: &mut Expr) {
    for child in expr.children_mut() {
        without_failures(child);
    }
    let failed = |e: &Expr| matches!(&e.kind, ExprKind::Column(name) if name.starts_with("#fails."));
    if let ExprKind::Case { operand: None, branches, otherwise } = &mut expr.kind {
        branches.retain(|(when, _)| !failed(when));
        if branches.is_empty() {
            let rest = otherwise.take().map_or(ExprKind::Literal(Literal::Null), |e| e.kind);
            expr.kind = rest;
        }
    }
}
