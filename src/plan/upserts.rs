//! Reports at its place what an upsert's `set` and `when` say that the target cannot.
//!
//! In: lowered tables. Out: diagnostics. Types are those of the contract: for T-SQL, which changes values to fit without a word, they must be
//! known; PostgreSQL judges them itself.
//! Does not know how a merge is written.

use super::{Inputs, TablePlan};
use crate::diagnostics::Diagnostics;
use crate::expr::Expr;
use crate::sql::{Unsupported, view};
use crate::stage::{LoadPlan, Mode};
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
            if let Err(refused) = said(column, expr) {
                report(&refused, load, inputs, out);
            }
        }
    }
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
