//! Scripts for Azure SQL and SQL Server 2017 or later.
//!
//! In: tables, their evidence and formatted rows. Out: `deploy.sql`, `rollback.sql` and `verify.sql` in batches that `sqlcmd`, Azure Data Studio and SSMS
//! run alike. Staging tables take their types from the target, so nothing here depends on the names of types.
//! Checked with the vendor's own parser and by reading every literal back, not against a server: what only a server can tell (locking,
//! the time that statements take, implicit conversions, what a failed batch leaves open) follows its documentation.
//! Does not know about the engine.

mod batch;
mod canon;
mod cycle;
mod deploy;
mod guard;
mod inserts;
mod merge;
mod preview;
mod rows;
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

pub struct AzureSql;

impl Dialect for AzureSql {
    fn name(&self) -> &'static str {
        "azure_sql"
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
        out.write_all(b"--\n-- Run with: sqlcmd -b -f 65001 -i views.sql, or in Azure Data Studio or SSMS\n\n")?;
        out.write_all(b"SET ANSI_NULLS ON;\nSET QUOTED_IDENTIFIER ON;\nGO\n")?;
        // A view must be the first statement of its batch.
        for statement in statements {
            write!(out, "\n{statement}GO\n")?;
        }
        Ok(())
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
    format!("#pipe_stage_{}", table.number)
}

/// Names the table that holds the keys to be verified.
fn keys(table: &Table) -> String {
    format!("#pipe_keys_{}", table.number)
}

/// Quotes the name of a table in the target.
fn relation(table: &Table) -> String {
    text::relation(table.schema.as_deref(), &table.name)
}

/// The object's number, as an expression.
fn object_id(table: &Table) -> String {
    format!("OBJECT_ID({})", text::literal(&relation(table)))
}

/// Creates an empty table in the session with the target's own types.
///
/// The union drops what SELECT INTO would copy besides: the identity property.
fn like_target(session_table: &str, table: &Table, columns: &[&str]) -> String {
    let list = text::names("", columns.iter().copied());
    let relation = relation(table);
    format!(
        "DROP TABLE IF EXISTS {session_table};\nSELECT TOP (0) {list}\nINTO {session_table}\nFROM {relation}\n\
         UNION ALL\nSELECT TOP (0) {list}\nFROM {relation};\n"
    )
}

/// Says which rows of `alias` are in a scope.
fn scope_condition(alias: &str, scope: &[(String, Literal)]) -> String {
    let parts: Vec<String> = scope
        .iter()
        .map(|(column, value)| {
            let column = format!("{alias}.{}", text::identifier(column));
            match value {
                Literal::Null => format!("{column} IS NULL"),
                Literal::Boolean(value) => format!("{column} = {}", u8::from(*value)),
                Literal::Number(digits) if value::is_plain_number(digits) => format!("{column} = {digits}"),
                Literal::Number(value) | Literal::Text(value) => format!("{column} = {}", text::literal(value)),
            }
        })
        .collect();
    parts.join(" AND ")
}

/// Says that two rows have the same key; with `nulls`, that NULL is equal to NULL.
fn same_key(left: &str, right: &str, key: &[(String, bool)]) -> String {
    let parts: Vec<String> = key
        .iter()
        .map(|(name, nulls)| match nulls {
            true => format!("EXISTS (SELECT {left}.{name} INTERSECT SELECT {right}.{name})"),
            false => format!("{left}.{name} = {right}.{name}"),
        })
        .collect();
    parts.join(" AND ")
}
