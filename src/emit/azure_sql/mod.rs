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
mod guard;
mod inserts;
mod merge;
mod rows;
mod schema;
mod schema_table;
#[cfg(test)]
mod tests;
mod text;
mod undo;
mod value;
mod verify;

use arrow::datatypes::Schema;

use super::load::{File, Kept, Load, Step};
use super::merge::{Plan, sayable};
use super::rows::{RowFormat, RowWriter};
use super::{Column, Dialect, Literal, Table};
use crate::error::Error;
use crate::sql::view;
use crate::types::DataType;

pub struct AzureSql;

impl Dialect for AzureSql {
    fn name(&self) -> &'static str {
        "azure_sql"
    }

    fn rows(&self, table: &Table, staged: &Schema, format: RowFormat) -> Result<Box<dyn RowWriter>, Error> {
        sayable(self, table, "in T-SQL")?;
        Ok(Box::new(rows::Rows::new(table, staged, format)?))
    }

    fn run_with(&self, file: File, _format: RowFormat) -> String {
        format!("sqlcmd -b -f 65001 -i {}, or in Azure Data Studio or SSMS", file.name())
    }

    fn begin(&self, file: File, _format: RowFormat) -> String {
        batch::begin(file)
    }

    fn step(&self, done: u32, title: &str, sql: &str) -> String {
        batch::batch(done, title, sql)
    }

    fn end(&self, file: File, load: &Load, done: u32) -> String {
        let left = match file {
            File::Deploy if !load.plans.is_empty() => {
                let stages: Vec<String> = load.plans.iter().map(|p| stage(p.table)).collect();
                format!("DROP TABLE {}, #pipe_cycle;\n", stages.join(", "))
            }
            File::Rollback => load.kept.as_ref().map_or(String::new(), |kept| undo::drop(kept, &load.plans)),
            _ => String::new(),
        };
        batch::end(file, done, &left)
    }

    fn comment(&self, text: &str) -> String {
        text::comment(text)
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
        "COUNT_BIG(*)"
    }

    fn same(&self, left: &str, right: &str, nulls: bool) -> String {
        match nulls {
            true => format!("EXISTS (SELECT {left} INTERSECT SELECT {right})"),
            false => format!("{left} = {right}"),
        }
    }

    /// Compares text by its code points and its length, because the target's collation takes `Ana`, `ANA` and `Ana ` for equal.
    fn differ(&self, table: &Table, columns: &[&str]) -> String {
        let among = || table.columns.iter().filter(|c| columns.contains(&c.name.as_str()));
        let all = |alias: &str| among().map(|c| merge::exact(alias, c)).collect::<Vec<_>>().join(", ");
        format!("EXISTS (\n  SELECT {}\n  EXCEPT\n  SELECT {}\n)", all("s"), all("t"))
    }

    fn always(&self) -> &'static str {
        "1 = 1"
    }

    fn constant(&self, literal: &Literal) -> String {
        match literal {
            Literal::Null => "NULL".to_string(),
            Literal::Boolean(value) => u8::from(*value).to_string(),
            Literal::Number(digits) if value::is_plain_number(digits) => digits.clone(),
            Literal::Number(value) | Literal::Text(value) => text::literal(value),
        }
    }

    fn expressions(&self) -> &'static dyn view::Dialect {
        &view::azure_sql::AzureSql
    }

    /// Texts of the same key may differ by case, and bytes by zeros at their end; types of the target's own may be either.
    fn key_may_change(&self, column: &Column) -> bool {
        column.data_type.is_text() || matches!(column.data_type, DataType::Bytes | DataType::Named(_) | DataType::Unknown)
    }

    fn steps_by_table(&self) -> bool {
        true
    }

    fn staged(&self, title: &str, at: usize, load: &Load) -> Vec<Step> {
        let Some(table) = load.plans.get(at).map(|p| p.table) else { return vec![] };
        let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        vec![
            Step::new(title, like_target(&stage(table), table, &columns)),
            Step::Rows(at),
            Step::new(&format!("All rows of {} are here.", table.shown()), guard::all_staged(table)),
        ]
    }

    fn suspend(&self, plans: &[Plan]) -> String {
        cycle::suspend(plans.chunk_by(|a, b| a.table.in_cycle && b.table.in_cycle))
    }

    fn delete(&self, plans: &[Plan]) -> String {
        plans.iter().map(merge::delete).collect()
    }

    fn merge(&self, plans: &[Plan], _kept: Option<&Kept>) -> String {
        plans.iter().map(merge::merge).collect()
    }

    fn resume(&self) -> String {
        cycle::RESUME.to_string()
    }

    /// A view must be the first statement of its batch.
    fn view(&self, statement: &str) -> String {
        format!("\n{statement}GO\n")
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
