//! Takes several values of the first row of a group at once.
//!
//! In: a relation that is about to be staged. Out: the same rows, where `arg_min(a, key), arg_min(b, key)` looks for that row once instead
//! of once per value. An `arg_min` passes over rows whose value is NULL, so this is done only where the data has none.
//! Does not know about tables or their checks.

use std::collections::BTreeMap;

use super::judge::print;
use super::session::Session;
use crate::error::Error;
use crate::expr::{Call, Expr, ExprKind};
use crate::relation::Relation;
use crate::source::Staging;
use crate::sql;

/// Rewrites the aggregates of a relation.
pub fn together(relation: Relation, session: &Session) -> Result<Relation, Error> {
    Ok(match relation {
        Relation::Project { input, columns } => together(*input, session)?.project(columns),
        Relation::Filter { input, predicate } => together(*input, session)?.filter(predicate),
        Relation::Sort { input, order_by } => together(*input, session)?.sort(order_by),
        Relation::Aggregate { input, keys, columns } if cheap(&input) => gathered(*input, keys, columns, session)?,
        other => other,
    })
}

/// Whether reading the relation twice costs little.
fn cheap(relation: &Relation) -> bool {
    match relation {
        Relation::Scan { .. } => true,
        Relation::Project { input, .. } => cheap(input),
        _ => false,
    }
}

fn gathered(input: Relation, keys: Vec<Expr>, mut columns: Vec<(String, Expr)>, session: &Session) -> Result<Relation, Error> {
    let shown = columns.iter().map(|(name, e)| (name.clone(), Expr::column(name, e.span)));
    let mut shown: BTreeMap<String, Expr> = shown.collect();
    let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let mut sorts: BTreeMap<String, Vec<(String, Expr)>> = BTreeMap::new();
    for (name, expr) in &columns {
        if let Some(sort) = by_what(expr)? {
            sorts.entry(sort).or_default().push((name.clone(), expr.clone()));
        }
    }
    for (number, same) in sorts.into_values().filter(|same| same.len() > 1).enumerate() {
        let values: Vec<(String, Expr)> = same.iter().filter_map(|(name, e)| Some((name.clone(), value_of(e)?))).collect();
        let Some((_, mut whole)) = same.first().cloned() else { continue };
        if has_nulls(&input, &values, session)? {
            continue;
        }
        let row = format!("#first.{number}");
        columns.retain(|(name, _)| !same.iter().any(|(n, _)| n == name));
        for (name, expr) in &same {
            let taken = ExprKind::Field(Box::new(Expr::column(&row, expr.span)), name.clone());
            shown.insert(name.clone(), Expr::new(taken, expr.span));
        }
        let span = whole.span;
        if let ExprKind::Call(Call { arguments, .. }) = &mut whole.kind
            && let Some(value) = arguments.first_mut()
        {
            *value = Expr::new(ExprKind::Struct(values), span);
        }
        columns.push((row, whole));
    }
    let grouped = Relation::Aggregate { input: Box::new(input), keys, columns };
    Ok(grouped.project(names.into_iter().filter_map(|name| shown.remove_entry(&name)).collect()))
}

/// Tells what an `arg_min` or `arg_max` of one value looks for, as text; none for other expressions.
fn by_what(expr: &Expr) -> Result<Option<String>, Error> {
    let ExprKind::Call(call) = &expr.kind else { return Ok(None) };
    let first = matches!(call.function.as_str(), "arg_min" | "argmin" | "min_by" | "arg_max" | "argmax" | "max_by");
    let [_, key] = call.arguments.as_slice() else { return Ok(None) };
    if !first || call.distinct || !call.order_by.is_empty() || call.over.is_some() {
        return Ok(None);
    }
    let filter = call.filter.as_deref().map(print).transpose()?;
    Ok(Some(format!("{} {} {}", call.function, print(key)?, filter.unwrap_or_default())))
}

fn value_of(expr: &Expr) -> Option<Expr> {
    let ExprKind::Call(call) = &expr.kind else { return None };
    call.arguments.first().cloned()
}

fn has_nulls(input: &Relation, values: &[(String, Expr)], session: &Session) -> Result<bool, Error> {
    let source = sql::relation::source(&sql::duckdb::DuckDb, input).map_err(|u| Error::new("X0301", u.what))?;
    let null = values.iter().map(|(_, v)| Ok(format!("{} IS NULL", print(v)?))).collect::<Result<Vec<_>, Error>>()?;
    Ok(!session.rows(&format!("SELECT 1 FROM {source} WHERE {} LIMIT 1", null.join(" OR ")))?.is_empty())
}
