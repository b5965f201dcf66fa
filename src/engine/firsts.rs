//! Takes several values of the first row of a group at once.
//!
//! In: a relation that is about to be staged. Out: the same rows, where `arg_min(a, key), arg_min(b, key)` looks for that row once instead
//! of once per value. An `arg_min` passes over rows whose value is NULL, so this is done only where the data has none.
//! Does not know about tables or their checks.

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

fn gathered(input: Relation, keys: Vec<Expr>, columns: Vec<(String, Expr)>, session: &Session) -> Result<Relation, Error> {
    let mut sorts: Vec<(String, Vec<usize>)> = vec![];
    for (i, (_, expr)) in columns.iter().enumerate() {
        let Some(sort) = by_what(expr)? else { continue };
        match sorts.iter_mut().find(|(known, _)| *known == sort) {
            Some((_, values)) => values.push(i),
            None => sorts.push((sort, vec![i])),
        }
    }
    let mut taken: Vec<(String, Expr)> = columns.clone();
    let mut shown: Vec<(String, Expr)> = columns.iter().map(|(name, e)| (name.clone(), Expr::column(name, e.span))).collect();
    for (number, (_, group)) in sorts.iter().filter(|(_, group)| group.len() > 1).enumerate() {
        let calls: Vec<(usize, &Call)> = group.iter().filter_map(|i| Some((*i, call_of(&columns.get(*i)?.1)?))).collect();
        if has_nulls(&input, &calls, session)? {
            continue;
        }
        let row = format!("#first.{number}");
        let field = |i: usize| format!("v{i}");
        let Some((first, call)) = calls.first() else { continue };
        let Some((_, expr)) = columns.get(*first) else { continue };
        let values = calls.iter().filter_map(|(i, c)| Some((field(*i), c.arguments.first()?.clone()))).collect();
        let mut whole = (*call).clone();
        if let Some(value) = whole.arguments.first_mut() {
            *value = Expr::new(ExprKind::Struct(values), expr.span);
        }
        taken.push((row.clone(), Expr::new(ExprKind::Call(whole), expr.span)));
        taken.retain(|(name, _)| !calls.iter().any(|(i, _)| columns.get(*i).is_some_and(|(n, _)| n == name)));
        for (i, _) in &calls {
            if let Some((_, expr)) = shown.get_mut(*i) {
                expr.kind = ExprKind::Field(Box::new(Expr::column(&row, expr.span)), field(*i));
            }
        }
    }
    let grouped = Relation::Aggregate { input: Box::new(input), keys, columns: taken };
    Ok(grouped.project(shown))
}

/// Tells what an `arg_min` or `arg_max` of one value looks for, as text; none for other expressions.
fn by_what(expr: &Expr) -> Result<Option<String>, Error> {
    let Some(call) = call_of(expr) else { return Ok(None) };
    let [_, key] = call.arguments.as_slice() else { return Ok(None) };
    let filter = call.filter.as_deref().map(print).transpose()?;
    Ok(Some(format!("{} {} {}", call.function, print(key)?, filter.unwrap_or_default())))
}

fn call_of(expr: &Expr) -> Option<&Call> {
    let ExprKind::Call(call) = &expr.kind else { return None };
    let first = matches!(call.function.as_str(), "arg_min" | "argmin" | "min_by" | "arg_max" | "argmax" | "max_by");
    (first && !call.distinct && call.order_by.is_empty() && call.over.is_none()).then_some(call)
}

fn has_nulls(input: &Relation, calls: &[(usize, &Call)], session: &Session) -> Result<bool, Error> {
    let source = sql::relation::source(&sql::duckdb::DuckDb, input).map_err(|u| Error::new("X0301", u.what))?;
    let values = calls.iter().filter_map(|(_, call)| call.arguments.first());
    let null = values.map(|v| Ok(format!("{} IS NULL", print(v)?))).collect::<Result<Vec<_>, Error>>()?;
    Ok(!session.rows(&format!("SELECT 1 FROM {source} WHERE {} LIMIT 1", null.join(" OR ")))?.is_empty())
}
