//! From staged rows to the scripts that deploy and verify them.
//!
//! In: what is loaded ([`Table`], in load order, parents first) and its rows as Arrow batches. Out: `deploy.sql`, `rollback.sql` and
//! `verify.sql` in the words of a [`Dialect`]. First every table's batches pass a [`RowWriter`], in parallel if wanted, which formats them and
//! sums up the [`Evidence`]; then the dialect writes the scripts around those rows. The same input gives the same bytes: no
//! clock, no random names. Does not know about plans, the engine, or where the scripts are kept.

pub mod azure_sql;
pub mod cells;
pub mod numbers;
pub mod postgres;
pub mod rows;
pub mod times;
#[cfg(test)]
pub mod torture;

use std::io::{self, Write};

use arrow::datatypes::Schema;

use crate::contract::Generated;
use crate::error::Error;
use crate::expr::{Expr, ExprKind};
use crate::types::DataType;
use rows::{Evidence, RowFormat, RowWriter};

/// Every dialect, by the word in `dialect:`.
pub const DIALECTS: &[&dyn Dialect] = &[&postgres::Postgres, &azure_sql::AzureSql];

/// Finds a dialect by its word.
pub fn find(name: &str) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().find(|d| d.name() == name).copied()
}

/// Writes a script of its own.
pub type WriteScript = fn(&Script, &mut dyn Write) -> io::Result<()>;

/// How a database wants its scripts.
pub trait Dialect: Sync + Send {
    /// The word in `dialect:`.
    fn name(&self) -> &'static str;

    /// Makes the formatter of one table's rows; `staged` is the schema of the batches, in the order of the table's columns.
    fn rows(&self, table: &Table, staged: &Schema, format: RowFormat) -> Result<Box<dyn RowWriter>, Error>;

    /// Writes the script that loads the rows, in one transaction.
    fn deploy(&self, script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()>;

    /// Writes the script that creates views by these statements.
    fn views(&self, header: &Header, statements: &[&str], out: &mut dyn Write) -> io::Result<()>;

    /// What writes the script that undoes what the deploy script did, if there is one.
    fn rollback(&self) -> Option<WriteScript>;

    /// Writes the script that compares the target with what was loaded and changes nothing.
    fn verify(&self, script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()>;

    /// Writes the script that counts what a deployment would change; answers whether there is one.
    fn preview(&self, _script: &Script, _parts: &mut dyn Parts, _out: &mut dyn Write) -> io::Result<bool> {
        Ok(false)
    }
}

/// Everything that a script says besides the rows.
pub struct Script<'a> {
    pub header: &'a Header,
    /// In load order, parents first, each with what its rows gave.
    pub tables: &'a [(Table, Evidence)],
    pub format: RowFormat,
    /// Whether the deploy script keeps what it changes, so that it can be undone.
    pub undo: bool,
}

/// What the row writers wrote, kept wherever the caller likes (memory, temporary files), by position in [`Script::tables`].
pub trait Parts {
    /// Copies the formatted rows of a table.
    fn rows(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()>;

    /// Copies the formatted keys of a table.
    fn keys(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()>;
}

/// The parts in memory: rows and keys of each table.
impl Parts for Vec<(Vec<u8>, Vec<u8>)> {
    fn rows(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()> {
        self.get(table).map_or(Ok(()), |(rows, _)| out.write_all(rows))
    }

    fn keys(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()> {
        self.get(table).map_or(Ok(()), |(_, keys)| out.write_all(keys))
    }
}

/// Where a script comes from; nothing in it may depend on when or where it was made.
#[derive(Clone, Debug, Default)]
pub struct Header {
    pub pipeline: String,
    pub run_id: String,
    pub tool_version: String,
    pub spec_hash: String,
    /// Name and SHA-256 in hexadecimal digits of each source.
    pub sources: Vec<(String, String)>,
    pub target: String,
}

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
            expr.walk(&mut |part| match &part.kind {
                ExprKind::Name(parts) => match parts.as_slice() {
                    [side, name] if side == "t" && !found.contains(&name.as_str()) => found.push(name),
                    _ => {}
                },
                _ => {}
            });
        }
        found
    }

    /// Tells whether a column becomes something else than the value that comes.
    pub fn sets(&self, column: &str) -> bool {
        self.set.iter().any(|(c, _)| c == column)
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
