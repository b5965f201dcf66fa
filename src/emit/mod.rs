//! From staged rows to the scripts that deploy and verify them.
//!
//! In: what is loaded ([`Table`], in load order, parents first) and its rows as Arrow batches. Out: `deploy.sql`, `rollback.sql`,
//! `verify.sql` and `views.sql`; and of contracts the script of `pipe schema ddl` ([`definition`]). First every table's batches pass a [`RowWriter`], in parallel if wanted, which formats them and sums up the
//! [`Evidence`]; then [`script`], which lists the steps that each script consists of, asks the [`Dialect`] for the statements of each. A new
//! dialect is a folder here and a line in [`DIALECTS`]. The same input gives the same bytes: no clock, no random names.
//! Does not know about plans, the engine, or where the scripts are kept.

pub mod azure_sql;
pub mod cells;
pub mod csv;
pub mod definition;
pub mod load;
pub mod merge;
pub mod numbers;
pub mod plain;
pub mod postgres;
mod preview;
pub mod rows;
pub mod script;
pub mod table;
pub mod times;
#[cfg(test)]
pub mod torture;

use arrow::datatypes::Schema;

use crate::error::Error;
use crate::sql::view;
use definition::Define;
use load::{File, Kept, Load, Step};
use merge::Plan;
use rows::{Evidence, RowFormat, RowWriter};

pub use load::{Header, Parts, Script};
pub use table::{Column, Literal, Mode, Table, Upsert};

/// Every dialect, by the word in `dialect:`.
pub const DIALECTS: &[&dyn Dialect] = &[&postgres::Postgres, &azure_sql::AzureSql];

/// Finds a dialect by its word.
pub fn find(name: &str) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().find(|d| d.name() == name).copied()
}

/// What a database says in its own way. Which of it comes when, and below which title, is said by [`script`].
pub trait Dialect: Guard + Undo + Verify + Define + Sync + Send {
    /// The word in `dialect:`.
    fn name(&self) -> &'static str;

    /// Makes the formatter of one table's rows; `staged` is the schema of the batches, in the order of the table's columns.
    fn rows(&self, table: &Table, staged: &Schema, format: RowFormat) -> Result<Box<dyn RowWriter>, Error>;

    // How a script is wrapped.

    /// The program that runs a file, behind `Run with: `.
    fn run_with(&self, file: File, format: RowFormat) -> String;

    /// Settings, and the beginning of the transaction.
    fn begin(&self, file: File, format: RowFormat) -> String;

    /// A step behind `done` others, in a form in which nothing follows it if it fails.
    fn step(&self, done: u32, title: &str, sql: &str) -> String;

    /// The end of the transaction.
    fn end(&self, file: File, load: &Load, done: u32) -> String;

    /// A comment line of a text that may hold anything.
    fn comment(&self, text: &str) -> String {
        format!("-- {}\n", load::one_line(text).trim_end())
    }

    // The words that rows are compared with: see `Plan`.

    /// Quotes a name.
    fn identifier(&self, name: &str) -> String;

    /// The staging table of a table.
    fn stage(&self, table: &Table) -> String;

    /// The table in the target, quoted.
    fn relation(&self, table: &Table) -> String;

    /// The aggregate that counts rows, as 64 bits.
    fn count(&self) -> &'static str;

    /// A query for the rows `s` of a table that meet a condition, as EXISTS takes it.
    fn any_row(&self, relation: &str, condition: &str) -> String {
        format!("SELECT 1 FROM {relation} AS s WHERE {condition}")
    }

    /// Says that two expressions are equal; with `nulls`, that NULL is equal to NULL.
    fn same(&self, left: &str, right: &str, nulls: bool) -> String;

    /// Says that `t` and `s` differ in any of these columns, by all that is stored.
    fn differ(&self, table: &Table, columns: &[&str]) -> String;

    /// A condition that always holds.
    fn always(&self) -> &'static str;

    /// A constant of a scope, which takes the type of its column; never NULL.
    fn constant(&self, literal: &Literal) -> String;

    /// How an author's expressions over `t` and `s` are said.
    fn expressions(&self) -> &'static dyn view::Dialect;

    /// The positions of the columns that tell rows apart.
    fn key(&self, table: &Table, _evidence: &Evidence) -> Vec<usize> {
        table.key_positions().collect()
    }

    /// Whether a key's column may have another content and still be the same key.
    fn key_may_change(&self, _column: &Column) -> bool {
        false
    }

    // The steps of `deploy.sql`.

    /// Whether each table has steps of its own, rather than sharing one with the others.
    fn steps_by_table(&self) -> bool;

    /// Brings rows into their tables.
    fn load(&self, load: &Load) -> Vec<Step> {
        script::by_stages(load)
    }

    /// Makes the staging table, fills it, and checks that all rows arrived, those of a replaced scope in that scope.
    fn staged(&self, title: &str, at: usize, load: &Load) -> Vec<Step>;

    /// Sets foreign keys aside that cannot wait by themselves.
    fn suspend(&self, _plans: &[Plan]) -> String {
        String::new()
    }

    /// Deletes what a replacement leaves out of tables that depend on each other.
    fn delete(&self, plans: &[Plan]) -> String;

    /// Changes and inserts rows of tables that depend on each other.
    fn merge(&self, plans: &[Plan], kept: Option<&Kept>) -> String;

    /// Checks the foreign keys that were set aside.
    fn resume(&self) -> String {
        String::new()
    }

    /// What is to be done once all rows are there.
    fn settle(&self, _load: &Load) -> Vec<Step> {
        vec![]
    }

    // The steps of the other scripts.

    /// A statement that creates a view.
    fn view(&self, statement: &str) -> String;
}

/// The assertions of `deploy.sql`: statements that fail where something is not as it must be.
pub trait Guard {
    /// Checks that every table and column is there and can be written; all that is missing is named at once.
    fn target_fits(&self, plans: &[Plan]) -> String;

    /// Checks, for a table in insert mode, that none of the rows is there.
    fn none_there(&self, plan: &Plan) -> String;

    /// Checks, for a table whose scope is replaced, that no row beyond it has the key of one that comes.
    fn none_beyond(&self, plan: &Plan, scope: &[(String, Literal)]) -> String;

    /// Checks, for a table in append mode, that rows which are there have the content of those that come.
    fn none_differs(&self, plan: &Plan) -> String;

    /// Checks that each row is in the target, once.
    fn all_there(&self, plan: &Plan) -> String;
}

/// What a deployment keeps so that it can be undone.
pub trait Undo {
    /// Makes the tables that keep what `rollback.sql` needs.
    fn keep(&self, kept: &Kept, plans: &[Plan]) -> Vec<Step>;

    /// Keeps the rows that will change or go.
    fn capture(&self, kept: &Kept, plans: &[Plan]) -> Vec<Step>;

    /// Notes how rows were left, for `rollback.sql`.
    fn left(&self, kept: &Kept, plans: &[Plan]) -> Vec<Step>;

    /// Brings back what was there before the deployment.
    fn rollback(&self, load: &Load) -> Vec<Step>;
}

/// What `verify.sql` holds against the target.
pub trait Verify {
    /// Gives a row for each table: counts, checksums, `ok` or `MISMATCH`.
    fn verify(&self, load: &Load) -> Vec<Step>;

    /// Why a column's values are not compared.
    fn not_compared(&self, table: &Table, column: &str) -> &'static str;
}
