//! Takes several values of the first row of a group at once.
//!
//! In: a relation that is about to be staged. Out: the same rows, where `arg_min(a, key), arg_min(b, key)` looks for that row once instead
//! of once per value; and where the rows lie in the order of the key, as most data does, the first one is that with the lowest number, which
//! brings its words along (see [`super::packed`]) or is joined. An `arg_min` passes over rows whose value is NULL, so all of this is done
//! only where the data has none.
//! Does not know about tables or their checks.

use std::collections::BTreeMap;

use super::carried::{Carried, Stored};
use super::judge::{print, source};
use super::packed::Packed;
use super::session::{Session, quote};
use crate::diagnostics::Span;
use crate::error::Error;
use crate::expr::{BinaryOp, Call, Expr, ExprKind};
use crate::relation::{JoinKind, ROW, Relation, number_of};
use crate::source::Staging;

/// Rewrites the aggregates of a relation, which carries the numbers of its texts then.
pub fn together(relation: &Relation, stored: &Stored, session: &Session) -> Result<Carried, Error> {
    Ok(match relation {
        Relation::Project { input, columns } => together(input, stored, session)?.project(columns),
        Relation::Filter { input, predicate } => together(input, stored, session)?.filter(predicate),
        Relation::Sort { input, order_by } => together(input, stored, session)?.sort(order_by),
        Relation::Aggregate { input, keys, columns } if cheap(input) => {
            gathered(&stored.carry(input), keys.clone(), columns.clone(), session)?
        }
        other => stored.carry(other),
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

/// The column of a group's first row, however that is told.
#[derive(Clone)]
struct First {
    name: String,
    span: Span,
}

impl First {
    fn column(&self) -> Expr {
        Expr::column(&self.name, self.span)
    }

    /// The name of a value of that row.
    fn value(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }
}

fn gathered(input: &Carried, keys: Vec<Expr>, mut columns: Vec<(String, Expr)>, session: &Session) -> Result<Carried, Error> {
    let shown = columns.iter().map(|(name, e)| (name.clone(), Expr::column(name, e.span)));
    let mut shown: BTreeMap<String, Expr> = shown.collect();
    let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let mut sorts: BTreeMap<String, Vec<(String, Expr)>> = BTreeMap::new();
    for (name, expr) in &columns {
        if let Some(sort) = by_what(expr)? {
            sorts.entry(sort).or_default().push((name.clone(), expr.clone()));
        }
    }
    // The numbers that texts follow from, by column.
    let mut numbers = BTreeMap::new();
    let mut fetched = vec![];
    for (number, same) in sorts.into_values().filter(|same| same.len() > 1).enumerate() {
        let values: Vec<(String, Expr)> = same.iter().filter_map(|(name, e)| Some((name.clone(), value_of(e)?))).collect();
        let Some((_, whole)) = same.first() else { continue };
        let Some(in_order) = looked_at(input, &values, whole, session)? else { continue };
        let first = First { name: format!("#first.{number}"), span: whole.span };
        columns.retain(|(name, _)| !same.iter().any(|(n, _)| n == name));
        // Where no row is at all, nothing may be made of the words that it has not.
        let packed = if in_order && !keys.is_empty() { Packed::of(input, &values, session)? } else { None };
        let found = if let Some(packed) = packed {
            // The lowest row of all is that of the lowest number.
            let lowest = columns.extract_if(.., |(_, e)| is_lowest_row(e)).collect::<Vec<_>>();
            shown.extend(lowest.into_iter().map(|(name, _)| (name, packed.row(&first.column()))));
            for (name, text, number, carry) in packed.values(&first.column()) {
                shown.insert(name.clone(), text);
                numbers.insert(name, (number, carry));
            }
            lowest_of(packed.number(whole.span))
        } else if in_order {
            shown.extend(values.iter().map(|(name, e)| (name.clone(), Expr::column(first.value(name), e.span))));
            fetched.push((first.clone(), values));
            lowest_of(Expr::column(ROW, whole.span))
        } else {
            for (name, value) in &values {
                let taken = ExprKind::Field(Box::new(first.column()), name.clone());
                shown.insert(name.clone(), Expr::new(taken, value.span));
            }
            of_structs(whole, values)
        };
        columns.push((first.name, found));
    }
    // Each group has a first row, but that of all rows where there are none.
    let kind = if keys.is_empty() { JoinKind::Left } else { JoinKind::Inner };
    let mut whole = Relation::Aggregate { input: Box::new(input.relation.clone()), keys, columns };
    for (first, values) in fetched {
        let taken = fetch(whole, input, &first, &values, kind);
        whole = taken.relation;
        for (name, value) in values {
            let column = first.value(&name);
            if let Some(carry) = taken.columns.get(&column) {
                numbers.insert(name, (Expr::column(number_of(&column), value.span), carry.clone()));
            }
        }
    }
    let mut all: Vec<(String, Expr)> = names.into_iter().filter_map(|name| shown.remove_entry(&name)).collect();
    all.extend(numbers.iter().map(|(name, (number, _))| (number_of(name), number.clone())));
    let carried = numbers.into_iter().map(|(name, (_, carry))| (name, carry)).collect();
    Ok(Carried { relation: whole.project(all), columns: carried })
}

/// Joins the rows of the input that have the numbers of a column.
fn fetch(rows: Relation, input: &Carried, first: &First, values: &[(String, Expr)], kind: JoinKind) -> Carried {
    let number = first.value(ROW);
    let on = first.column().binary(BinaryOp::Equal, Expr::column(&number, first.span));
    let mut taken = vec![(number, Expr::column(ROW, first.span))];
    taken.extend(values.iter().map(|(name, value)| (first.value(name), value.clone())));
    let mut right = input.clone().project(&taken);
    if kind == JoinKind::Left {
        right.keep_words();
    }
    let relation = Relation::Join { left: Box::new(rows), right: Box::new(right.relation), kind, on };
    Carried { relation, columns: right.columns }
}

fn lowest_of(number: Expr) -> Expr {
    let span = number.span;
    Expr::call("min", vec![number], span)
}

/// An `arg_min` of one value that takes several at once.
fn of_structs(one: &Expr, values: Vec<(String, Expr)>) -> Expr {
    let mut all = one.clone();
    if let ExprKind::Call(Call { arguments, .. }) = &mut all.kind
        && let Some(value) = arguments.first_mut()
    {
        *value = Expr::new(ExprKind::Struct(values), one.span);
    }
    all
}

/// Whether an expression is the lowest number of a row.
fn is_lowest_row(expr: &Expr) -> bool {
    let ExprKind::Call(call) = &expr.kind else { return false };
    let of_rows = matches!(call.arguments.as_slice(), [Expr { kind: ExprKind::Column(name), .. }] if name == ROW);
    call.function == "min" && of_rows && call.filter.is_none() && call.over.is_none()
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

/// Whether the rows lie in the order that an `arg_min` looks for; `None` where a value is NULL.
fn looked_at(input: &Carried, values: &[(String, Expr)], expr: &Expr, session: &Session) -> Result<Option<bool>, Error> {
    // Of numbers the engine often knows without a look that none is NULL.
    let null = values.iter().map(|(_, v)| print(&input.by_number(&v.clone().is_null()))).collect::<Result<Vec<_>, Error>>()?;
    let (null, rows) = (null.join(" OR "), source(&input.relation)?);
    let any = |wrong: &str| -> Result<bool, Error> {
        let sql = format!("SELECT 1 FROM (SELECT {wrong} AS wrong FROM {rows}) WHERE wrong LIMIT 1");
        Ok(!session.rows(&sql)?.is_empty())
    };
    let back = backwards(expr)?;
    // One thread goes from row to row, and the others look for NULLs meanwhile.
    let (back, null) = rayon::join(|| back.as_deref().map_or(Ok(true), any), || any(&null));
    let back = back?;
    Ok((!null?).then_some(!back))
}

/// What is true where a row does not follow the one before it, for an `arg_min` that looks for the lowest key, and of equal ones the lowest
/// row.
fn backwards(expr: &Expr) -> Result<Option<String>, Error> {
    let ExprKind::Call(call) = &expr.kind else { return Ok(None) };
    let [_, key] = call.arguments.as_slice() else { return Ok(None) };
    let ExprKind::Call(Call { function, arguments, .. }) = &key.kind else { return Ok(None) };
    let [key, row] = arguments.as_slice() else { return Ok(None) };
    let there = call.filter.as_deref().map(print).transpose()? == Some(print(&key.clone().is_not_null())?);
    let numbered = function == "row" && matches!(&row.kind, ExprKind::Column(name) if name == ROW);
    if !matches!(call.function.as_str(), "arg_min" | "argmin" | "min_by") || !numbered || !there {
        return Ok(None);
    }
    let (key, row) = (print(key)?, quote(ROW));
    Ok(Some(format!("{key} IS NULL OR {row} IS NULL OR {key} < lag({key}) OVER () OR {row} <= lag({row}) OVER ()")))
}
