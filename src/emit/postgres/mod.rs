//! Scripts for PostgreSQL 13 and later.
//!
//! In: tables, their evidence and formatted rows. Out: `deploy.sql`, `rollback.sql` and `verify.sql`, for `psql -f` (with INSERT statements for
//! any tool). Staging tables take their types from the target, so nothing here depends on the names of types. Does not know about
//! the engine.

mod canon;
mod deploy;
mod guard;
mod jsonb;
mod merge;
mod preview;
mod rows;
pub mod schema;
mod sequence;
mod straight;
#[cfg(test)]
mod tests;
mod text;
mod undo;
mod value;
mod verify;

use std::io::{self, Write};

use arrow::datatypes::Schema;

use super::rows::{RowFormat, RowWriter};
use super::{Dialect, Header, Literal, Parts, Script, Table, WriteScript};
use crate::error::Error;

pub struct Postgres;

impl Dialect for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn rows(&self, table: &Table, staged: &Schema, format: RowFormat) -> Result<Box<dyn RowWriter>, Error> {
        merge::sayable(table)?;
        Ok(Box::new(rows::Rows::new(table, staged, format)?))
    }

    fn deploy(&self, script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
        deploy::write(script, parts, out)
    }

    fn views(&self, header: &Header, statements: &[&str], out: &mut dyn Write) -> io::Result<()> {
        out.write_all(deploy::header(header, &[]).as_bytes())?;
        out.write_all(b"--\n-- Run with: psql -f views.sql\n\n\\set ON_ERROR_STOP on\n\nBEGIN;\n")?;
        for statement in statements {
            write!(out, "\n{statement}")?;
        }
        out.write_all(b"\nCOMMIT;\n")
    }

    fn rollback(&self) -> Option<WriteScript> {
        Some(undo::write)
    }

    fn verify(&self, script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
        verify::write(script, parts, out)
    }

    fn preview(&self, script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<bool> {
        preview::write(script, parts, out).map(|()| true)
    }
}

/// Names the staging table of a table.
fn stage(table: &Table) -> String {
    format!("pg_temp.pipe_stage_{}", table.number)
}

/// Quotes the name of a table in the target.
fn relation(table: &Table) -> String {
    text::relation(table.schema.as_deref(), &table.name)
}

/// Says which rows of `alias` are in a scope.
fn scope_condition(alias: &str, scope: &[(String, Literal)]) -> String {
    let parts: Vec<String> = scope
        .iter()
        .map(|(column, value)| {
            let column = format!("{alias}.{}", text::identifier(column));
            // Quoted constants take the column's type, whatever it is.
            match value {
                Literal::Null => format!("{column} IS NULL"),
                Literal::Boolean(value) => format!("{column} = '{value}'"),
                Literal::Number(value) | Literal::Text(value) => format!("{column} = {}", text::literal(value)),
            }
        })
        .collect();
    parts.join(" AND ")
}

/// Says that two rows have the same key; with `nulls`, that NULL is equal to NULL.
fn same_key(left: &str, right: &str, key: &[(String, String, bool)]) -> String {
    let parts: Vec<String> = key
        .iter()
        .map(|(a, b, nulls)| match nulls {
            // Elements of arrays are equal where both are NULL, and arrays, unlike IS NOT DISTINCT FROM, can be hashed.
            true => format!("ARRAY[{left}.{a}] = ARRAY[{right}.{b}]"),
            false => format!("{left}.{a} = {right}.{b}"),
        })
        .collect();
    parts.join(" AND ")
}
