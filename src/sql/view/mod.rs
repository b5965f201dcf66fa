//! A table's stages as one view of the target.
//!
//! In: the relations of a pipeline, the last of which is the view, and the target's tables that hold its sources. Out: one statement
//! with a common table expression per stage. `prune` takes away what only the books of a run need, `blocks` writes the structure, `expression`
//! the expressions: each form and function that may pass is listed there, with the arguments for which it gives the engine's value; any other
//! is refused at its place. What targets say in their own way is a [`Dialect`]: one file or folder each, and a line in [`DIALECTS`].
//! Does not know about plans, or about the staged rows.

pub mod azure_sql;
mod blocks;
mod calls;
mod casts;
mod dialect;
mod expression;
pub mod postgres;
mod prune;

use std::collections::BTreeMap;

pub use dialect::Dialect;

use super::Unsupported;
use crate::diagnostics::Span;
use crate::relation::Relation;
use crate::types::DataType;

/// The databases that views are written for.
pub const DIALECTS: &[&dyn Dialect] = &[&self::postgres::Postgres, &azure_sql::AzureSql];

/// Finds one by the word in `dialect:`.
pub fn find(dialect: &str) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().find(|t| t.name() == dialect).copied()
}

/// A view that is to be written.
pub struct View<'a> {
    pub dialect: &'static dyn Dialect,
    pub schema: Option<&'a str>,
    pub name: &'a str,
    /// Where the author asks for it.
    pub span: Span,
    /// The target's tables by the relations that they hold: schema and name, and the columns with their staged types.
    pub inputs: BTreeMap<String, Input>,
    /// The pipeline's relations, each after those it reads; the last one is the view.
    pub tables: Vec<(&'a str, &'a Relation)>,
    /// The view's columns, in order.
    pub columns: Vec<String>,
}

/// A table of the target and what it holds.
pub struct Input {
    pub schema: Option<String>,
    pub table: String,
    pub columns: Vec<(String, DataType)>,
    /// The types that the author pins: the table's own, so that nothing is cast from text.
    pub pins: Vec<(String, DataType)>,
    /// Whether the stages cast to these types where they start from the input.
    pub cast: bool,
}

impl Input {
    /// The columns with the types that they have in the view.
    pub fn typed(&self) -> Vec<(String, DataType)> {
        let pin = |name: &str| self.pins.iter().find(|(n, _)| n == name);
        let mut columns: Vec<(String, DataType)> =
            self.columns.iter().map(|(name, kind)| (name.clone(), pin(name).map_or(kind, |(_, pin)| pin).clone())).collect();
        // A pinned column that no record has.
        columns.extend(self.pins.iter().filter(|(n, _)| !self.columns.iter().any(|(c, _)| c == n)).cloned());
        columns
    }
}

/// A written view, and the columns that it takes of each input.
pub struct Written {
    pub sql: String,
    pub takes: BTreeMap<String, Vec<String>>,
}

/// Writes the statement that creates the view.
///
/// Errors: the first part that the target cannot say.
pub fn create(view: &View) -> Result<Written, Unsupported> {
    let needs = prune::tables(view)?;
    let takes =
        view.inputs.keys().filter_map(|name| Some((name.clone(), needs.inputs.get(name)?.keys().cloned().collect()))).collect();
    Ok(Written { sql: blocks::statement(view, &needs)?, takes })
}
