//! Reports at its place what an upsert's `set` and `when` say that the target cannot.
//!
//! In: lowered tables. Out: diagnostics. Types are those of the contract: for T-SQL, which changes values to fit without a word, they must be
//! known; PostgreSQL judges them itself.
//! Does not know how a merge is written.

use super::{Inputs, TablePlan};
use crate::diagnostics::Diagnostics;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal};
use crate::sql::{Unsupported, view};
use crate::stage::{LoadPlan, Mode};
use crate::target::Target;
use crate::types::DataType;

/// Judges the expressions of every upsert.
pub fn judge(inputs: &Inputs, tables: &[TablePlan], out: &mut Diagnostics) {
    let Some(dialect) = view::find(inputs.dialect.name()) else { return };
    for load in tables.iter().flat_map(|t| &t.loads) {
        let Mode::Upsert { changes, .. } = &load.mode else { continue };
        let types = types(load);
        let said = |column: Option<&str>, expr: &Expr| match column {
            Some(column) => dialect.upsert_value(&types, column, expr),
            None => dialect.upsert_condition(&types, expr),
        };
        let set = changes.set.iter().map(|(column, value)| (Some(column.as_str()), value));
        for (column, expr) in set.chain(changes.when.iter().map(|when| (None, when))) {
            let kept = || column.map_or(Ok(()), |column| kept(column, expr, load, inputs.dialect));
            if let Err(refused) = said(column, expr).and_then(|_| kept()) {
                report(&refused, load, inputs, out);
            }
        }
    }
}

/// Characters of which every code page has others.
const MANY: &str = "\u{4e00}éñðłőğжΩאبāกơ";

/// Refuses what a column would not keep of a text: characters of a constant, or of a column that may hold more than it.
fn kept(column: &str, expr: &Expr, load: &LoadPlan, dialect: &dyn Target) -> Result<(), Unsupported> {
    let find = |name: &str| load.contract.as_ref().and_then(|c| c.column(name));
    let Some(target) = find(column) else { return Ok(()) };
    for value in values(expr) {
        let what = match &value.kind {
            ExprKind::Literal(Literal::Text(text)) => match dialect.lost(target, text) {
                lost if lost.is_empty() => continue,
                lost => format!("the characters `{lost}` as the value of `{column}`, which does not keep them,"),
            },
            ExprKind::Name(parts) => {
                let Some(from) = parts.last().and_then(|name| find(name)).filter(|c| c.data_type.is_text()) else { continue };
                let unknown = dialect.lost(from, MANY);
                if dialect.lost(target, MANY).chars().all(|c| unknown.contains(c)) {
                    continue;
                }
                format!("`{}` as the value of `{column}`, which does not keep all of its characters,", from.name)
            }
            _ => continue,
        };
        return Err(Unsupported::new(what, value.span));
    }
    Ok(())
}

/// The constants and columns whose text an expression may give, not those that it only compares.
fn values(expr: &Expr) -> Vec<&Expr> {
    let below: Vec<&Expr> = match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Name(_) => return vec![expr],
        ExprKind::Case { branches, otherwise, .. } => {
            branches.iter().map(|(_, then)| then).chain(otherwise.iter().map(|e| &**e)).collect()
        }
        ExprKind::Binary(left, BinaryOp::Concat, right) => vec![left, right],
        ExprKind::Cast { operand, .. } => vec![operand],
        ExprKind::Call(call) => call.arguments.iter().collect(),
        _ => vec![],
    };
    below.into_iter().flat_map(values).collect()
}

fn types(load: &LoadPlan) -> Vec<(String, DataType)> {
    load.contract.iter().flat_map(|c| &c.columns).map(|c| (c.name.clone(), c.data_type.clone())).collect()
}

fn report(refused: &Unsupported, load: &LoadPlan, inputs: &Inputs, out: &mut Diagnostics) {
    let message = format!("an upsert cannot say {} in {}", refused.what, inputs.dialect.name());
    let help = match load.contract {
        Some(_) => {
            "Say it in other words: those that a view may use. What reads `source.` alone can be computed in `map`.".to_string()
        }
        None => format!(
            "Put the CREATE TABLE statement of `{}` below `schemas/`: an expression is written by the types of its columns.",
            load.shown()
        ),
    };
    out.error("E0464", refused.span, message).label(load.span, format!("for the upsert of `{}`", load.shown())).help(help);
}
