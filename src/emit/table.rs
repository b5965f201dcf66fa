//! What is loaded: target tables, their columns, and how rows meet those that are there.
//!
//! Plain data, made from plan and contract. Does not know how any database says it.

use crate::contract::Generated;
use crate::expr::{Expr, ExprKind};
use crate::types::DataType;

/// A target table and how its rows get there.
#[derive(Clone, Debug)]
pub struct Table {
    /// The position in load order, from 1: it names the staging table.
    pub number: usize,
    pub schema: Option<String>,
    pub name: String,
    pub columns: Vec<Column>,
    pub mode: Mode,
    /// The columns that tell one row from another: the load's key, else the primary key, else a unique key; may be empty.
    pub key: Vec<String>,
    /// The number of rows by the ledger.
    pub rows: u64,
    /// Whether values are given for columns that the database alone fills unless overridden; also where nobody knows.
    pub overriding_identity: bool,
    /// Whether the table is part of a cycle of foreign keys; such tables stand side by side in load order and are merged in one
    /// statement.
    pub in_cycle: bool,
}

/// A column that is loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    /// The target's type as the contract says, else the staged one.
    pub data_type: DataType,
    /// The type's name in the target where it is not one of ours: an enum, a domain.
    pub type_name: Option<String>,
    pub generated: Generated,
}

/// How rows meet those that are already there.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// Only new rows; one that is there already fails the load before anything changed.
    Insert,
    /// New rows are inserted, rows with the same key are changed to these.
    Upsert(Box<Upsert>),
    /// New rows are inserted; one that is there already with other content fails the load before anything changed.
    Append,
    /// The rows in scope become exactly these; an empty scope is the whole table.
    Replace { scope: Vec<(String, Literal)> },
}

/// What an upsert does to rows that are there, besides giving them the values that come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upsert {
    /// Columns that keep their value in rows that are there.
    pub keep: Vec<String>,
    /// Only rows that differ in one of these are changed; empty for any column.
    pub when_changed: Vec<String>,
    /// Columns that become something else than the value that comes; names are `t.<column>` in the target and `s.<column>` staged.
    pub set: Vec<(String, Expr)>,
    /// Only rows for which this is true are changed.
    pub when: Option<Expr>,
    /// The columns of the target, loaded or not, as far as a contract tells their types.
    pub columns: Vec<Column>,
}

impl Upsert {
    /// The target's columns that are set or looked at, each once; the first are those that are set.
    pub fn mentioned(&self) -> Vec<&str> {
        let mut found: Vec<&str> = self.set.iter().map(|(column, _)| column.as_str()).collect();
        for expr in self.set.iter().map(|(_, value)| value).chain(&self.when) {
            expr.walk(&mut |part| {
                if let ExprKind::Name(parts) = &part.kind
                    && let [side, name] = parts.as_slice()
                    && side == "t"
                    && !found.contains(&name.as_str())
                {
                    found.push(name);
                }
            });
        }
        found
    }

    /// Tells whether a column becomes something else than the value that comes.
    pub fn sets(&self, column: &str) -> bool {
        self.set.iter().any(|(c, _)| c == column)
    }

    /// The types of the target's columns.
    pub fn types(&self) -> Vec<(String, DataType)> {
        self.columns.iter().map(|c| (c.name.clone(), c.data_type.clone())).collect()
    }

    /// Tells whether a row's column has, once all is done, the value that came.
    fn gives(&self, column: &str) -> bool {
        let changed = self.when.is_none() && (self.when_changed.is_empty() || self.when_changed.iter().any(|c| c == column));
        changed && !self.sets(column) && !self.keep.iter().any(|c| c == column)
    }
}

/// A constant of a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// As written: digits stay exact.
    Number(String),
    Text(String),
}

impl Mode {
    /// The word in `mode:`.
    pub fn word(&self) -> &'static str {
        match self {
            Mode::Insert => "insert",
            Mode::Upsert(_) => "upsert",
            Mode::Append => "append",
            Mode::Replace { .. } => "replace",
        }
    }

    /// What an upsert does besides; nothing in other modes.
    pub fn upsert(&self) -> Option<&Upsert> {
        match self {
            Mode::Upsert(upsert) => Some(upsert),
            Mode::Insert | Mode::Append | Mode::Replace { .. } => None,
        }
    }

    /// Tells whether rows that are there may be changed.
    pub fn changes_rows(&self) -> bool {
        matches!(self, Mode::Upsert(_) | Mode::Replace { .. })
    }
}

impl Table {
    /// Returns the key, empty unless all of it is loaded.
    pub fn loaded_key(&self) -> &[String] {
        if self.key.iter().all(|k| self.position(k).is_some()) { &self.key } else { &[] }
    }

    /// The positions of the key's columns.
    pub fn key_positions(&self) -> impl Iterator<Item = usize> {
        self.loaded_key().iter().filter_map(|k| self.position(k))
    }

    /// Tells whether the target must have a column's values as they came, so that they can be compared.
    pub fn is_given(&self, column: &str) -> bool {
        match &self.mode {
            Mode::Upsert(upsert) => upsert.gives(column) || self.key.iter().any(|k| k == column),
            Mode::Insert | Mode::Append | Mode::Replace { .. } => true,
        }
    }

    /// Finds a column by its name.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }

    /// The name as messages show it.
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}
