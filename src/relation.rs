//! The relational algebra that every clause lowers to: plain, closed, matched exhaustively.
//!
//! A relation is a tree over named tables. Columns whose names start with `#` are the books' own: `#row` is the record that a row
//! descends from, `#1`, `#2` its positions in the lists that were unnested, `#fails.c` whether column `c` would not cast, `#number.c` the
//! text of column `c` by its number.
//! Does not know how it is printed or run.

use crate::expr::{Expr, OrderBy};

/// The hidden column that holds the number of the source's record.
pub const ROW: &str = "#row";

/// The hidden column that holds a column's text by its number: as a value of an enumeration.
pub fn number_of(column: &str) -> String {
    format!("#number.{column}")
}

/// A table-valued expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Relation {
    /// All rows of a staged table or view.
    Scan { table: String },
    /// Exactly these columns, computed from the input.
    Project { input: Box<Relation>, columns: Vec<(String, Expr)> },
    /// The rows where the predicate is TRUE.
    Filter { input: Box<Relation>, predicate: Expr },
    /// One row per element of a list: the input's columns, the element and its position from 1.
    Unnest { input: Box<Relation>, list: Expr, element: String, position: String, keep_empty: bool },
    /// The first row of each group of equal keys (NULLs are equal), by the given order.
    Distinct { input: Box<Relation>, on: Vec<Expr>, order_by: Vec<OrderBy> },
    /// Pairs of rows for which the condition is TRUE; `kind` says which rows without a partner stay. The sides share no column name.
    Join { left: Box<Relation>, right: Box<Relation>, kind: JoinKind, on: Expr },
    /// One row per group of equal keys (NULLs are equal): columns made of keys and aggregates. Without keys, all rows are one group.
    Aggregate { input: Box<Relation>, keys: Vec<Expr>, columns: Vec<(String, Expr)> },
    /// The rows of all inputs, one input after the other. Each has the same columns in the same order.
    Union { inputs: Vec<Relation> },
    /// One row per value of a row: the input's columns, the value's name, the value, and its position from 1 among those kept.
    Unpivot { input: Box<Relation>, values: Vec<(String, Expr)>, name: String, value: String, position: String, keep_nulls: bool },
    /// An author's own SELECT over these tables, of which it sees these columns.
    Query { sql: String, reads: Vec<(String, Vec<String>)> },
    /// The input in this order.
    Sort { input: Box<Relation>, order_by: Vec<OrderBy> },
}

/// Which rows without a partner a join keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Those of the left side.
    Left,
    /// None.
    Inner,
    /// Those of both sides.
    Full,
}

impl Relation {
    pub fn scan(table: impl Into<String>) -> Relation {
        Relation::Scan { table: table.into() }
    }

    pub fn project(self, columns: Vec<(String, Expr)>) -> Relation {
        Relation::Project { input: Box::new(self), columns }
    }

    pub fn filter(self, predicate: Expr) -> Relation {
        Relation::Filter { input: Box::new(self), predicate }
    }

    pub fn sort(self, order_by: Vec<OrderBy>) -> Relation {
        Relation::Sort { input: Box::new(self), order_by }
    }

    /// Returns the names of the tables that this relation reads, in order of appearance, each once.
    pub fn reads(&self) -> Vec<&str> {
        let mut found = vec![];
        self.collect_reads(&mut found);
        found
    }

    /// Whether some expression of this relation, or a part of one, is such.
    pub fn has_expression(&self, such: &dyn Fn(&Expr) -> bool) -> bool {
        let found = |expr: &Expr| {
            let mut found = false;
            expr.walk(&mut |part| found |= such(part));
            found
        };
        let named = |columns: &[(String, Expr)]| columns.iter().any(|(_, e)| found(e));
        let here = match self {
            Relation::Scan { .. } | Relation::Query { .. } | Relation::Union { .. } => false,
            Relation::Project { columns, .. } => named(columns),
            Relation::Filter { predicate, .. } => found(predicate),
            Relation::Unnest { list, .. } => found(list),
            Relation::Distinct { on, order_by, .. } => on.iter().any(found) || order_by.iter().any(|o| found(&o.expr)),
            Relation::Join { on, .. } => found(on),
            Relation::Aggregate { keys, columns, .. } => keys.iter().any(found) || named(columns),
            Relation::Unpivot { values, .. } => named(values),
            Relation::Sort { order_by, .. } => order_by.iter().any(|o| found(&o.expr)),
        };
        here || self.inputs().into_iter().any(|input| input.has_expression(such))
    }

    fn inputs(&self) -> Vec<&Relation> {
        match self {
            Relation::Scan { .. } | Relation::Query { .. } => vec![],
            Relation::Union { inputs } => inputs.iter().collect(),
            Relation::Project { input, .. }
            | Relation::Filter { input, .. }
            | Relation::Unnest { input, .. }
            | Relation::Unpivot { input, .. }
            | Relation::Aggregate { input, .. }
            | Relation::Distinct { input, .. }
            | Relation::Sort { input, .. } => vec![input],
            Relation::Join { left, right, .. } => vec![left, right],
        }
    }

    fn collect_reads<'a>(&'a self, found: &mut Vec<&'a str>) {
        let mut add = |table: &'a str| {
            if !found.contains(&table) {
                found.push(table);
            }
        };
        match self {
            Relation::Scan { table } => add(table),
            Relation::Query { reads, .. } => reads.iter().for_each(|(table, _)| add(table)),
            _ => self.inputs().into_iter().for_each(|input| input.collect_reads(found)),
        }
    }
}
