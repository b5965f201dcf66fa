//! Scripts for PostgreSQL 13 and later.
//!
//! In: tables, their evidence and formatted rows. Out: `deploy.sql`, `rollback.sql` and `verify.sql`, for `psql -f` (with INSERT statements for
//! any tool). Staging tables take their types from the target, so nothing here depends on the names of types. Does not know about
//! the engine.

mod canon;
mod guard;
mod jsonb;
mod merge;
mod rows;
pub mod schema;
mod sequence;
mod staging;
mod straight;
#[cfg(test)]
mod tests;
mod text;
mod undo;
mod value;
mod verify;

use arrow::datatypes::Schema;

use super::load::{File, Kept, Load, Step};
use super::merge::{Plan, sayable};
use super::rows::{Evidence, RowFormat, RowWriter};
use super::script;
use super::{Dialect, Literal, Mode, Table};
use crate::error::Error;
use crate::sql::view;

pub struct Postgres;

impl Dialect for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn rows(&self, table: &Table, staged: &Schema, format: RowFormat) -> Result<Box<dyn RowWriter>, Error> {
        sayable(self, table, "to PostgreSQL")
            .map_err(|e| e.help("Compute it in `derive` or `map`, and use the column as `source.<column>`."))?;
        Ok(Box::new(rows::Rows::new(table, staged, format)?))
    }

    fn run_with(&self, file: File, format: RowFormat) -> String {
        match (file, format) {
            (File::Deploy | File::Rollback, RowFormat::Insert) => {
                format!("psql -v ON_ERROR_STOP=1 -f {}, or any tool that stops at an error", file.name())
            }
            _ => format!("psql -f {}", file.name()),
        }
    }

    fn begin(&self, file: File, format: RowFormat) -> String {
        match (file, format) {
            // A savepoint around each statement would change who is said to have written a row.
            (File::Deploy | File::Rollback, RowFormat::Copy) => {
                format!("\\set ON_ERROR_STOP on\n\\set ON_ERROR_ROLLBACK off\n\nBEGIN;\n\n{SETTINGS}")
            }
            (File::Deploy | File::Rollback | File::Preview, _) => format!("BEGIN;\n\n{SETTINGS}"),
            (File::Verify, _) => format!("START TRANSACTION READ ONLY;\n\n{SETTINGS}"),
            (File::Views, _) => "\\set ON_ERROR_STOP on\n\nBEGIN;\n".to_string(),
        }
    }

    fn step(&self, _done: u32, title: &str, sql: &str) -> String {
        format!("\n{}{sql}", self.comment(title))
    }

    fn end(&self, _file: File, _load: &Load, _done: u32) -> String {
        "\nCOMMIT;\n".to_string()
    }

    fn identifier(&self, name: &str) -> String {
        text::identifier(name)
    }

    fn stage(&self, table: &Table) -> String {
        stage(table)
    }

    fn relation(&self, table: &Table) -> String {
        relation(table)
    }

    fn count(&self) -> &'static str {
        "count(*)"
    }

    fn any_row(&self, relation: &str, condition: &str) -> String {
        format!("SELECT FROM {relation} AS s WHERE {condition}")
    }

    fn same(&self, left: &str, right: &str, nulls: bool) -> String {
        match nulls {
            // Elements of arrays are equal where both are NULL, and arrays, unlike IS NOT DISTINCT FROM, can be hashed.
            true => format!("ARRAY[{left}] = ARRAY[{right}]"),
            false => format!("{left} = {right}"),
        }
    }

    /// Compares their stored bytes, which works for every type and keeps every difference.
    fn differ(&self, _table: &Table, columns: &[&str]) -> String {
        let list = |alias| text::names(alias, columns.iter().copied());
        format!("ROW({})::record OPERATOR(pg_catalog.*<>) ROW({})::record", list("t."), list("s."))
    }

    fn always(&self) -> &'static str {
        "true"
    }

    /// Quoted constants take the column's type, whatever it is.
    fn constant(&self, literal: &Literal) -> String {
        match literal {
            Literal::Null => "NULL".to_string(),
            Literal::Boolean(value) => format!("'{value}'"),
            Literal::Number(value) | Literal::Text(value) => text::literal(value),
        }
    }

    fn expressions(&self) -> &'static dyn view::Dialect {
        &view::postgres::Postgres
    }

    fn key(&self, table: &Table, evidence: &Evidence) -> Vec<usize> {
        // In the order of the columns, as the row writer gathers keys, and each once, however the author wrote them.
        let mut positions: Vec<usize> = table.key_positions().collect();
        positions.sort_unstable();
        positions.dedup();
        // Where NULLs are distinct, a new row with a NULL in its key is none that is there: it has no key at all.
        if table.mode == Mode::Insert && evidence.has_nulls(&positions) { vec![] } else { positions }
    }

    fn steps_by_table(&self) -> bool {
        false
    }

    fn load(&self, load: &Load) -> Vec<Step> {
        if straight::possible(load) { straight::or_by_stages(load) } else { script::by_stages(load) }
    }

    fn staged(&self, title: &str, at: usize, load: &Load) -> Vec<Step> {
        let counted = load.plans.get(at).map_or(String::new(), |plan| guard::all_staged(plan.table));
        [staging::rows(title, at, load), vec![Step::Plain(counted)]].concat()
    }

    fn delete(&self, plans: &[Plan]) -> String {
        merge::delete(plans)
    }

    fn merge(&self, plans: &[Plan], kept: Option<&Kept>) -> String {
        merge::merge(plans, kept)
    }

    fn settle(&self, load: &Load) -> Vec<Step> {
        let straight = if straight::possible(load) { straight::done(&load.plans) } else { String::new() };
        vec![
            Step::new(
                "Constraints that wait for the end of the transaction are checked now.",
                "SET CONSTRAINTS ALL IMMEDIATE;\n".to_string(),
            ),
            Step::new("Sequences go on after the loaded numbers.", sequence::advance(&load.plans)),
            Step::Plain(straight),
        ]
    }

    fn view(&self, statement: &str) -> String {
        format!("\n{statement}")
    }
}

/// What the statements rely on, for the transaction only; the search path stays as it is.
const SETTINGS: &str = "SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 1;
";

/// Names the staging table of a table.
fn stage(table: &Table) -> String {
    format!("pg_temp.pipe_stage_{}", table.number)
}

/// Quotes the name of a table in the target.
fn relation(table: &Table) -> String {
    text::relation(table.schema.as_deref(), &table.name)
}
