//! Tables of PostgreSQL, by questions to its catalog.
//!
//! In: an open connection and the names of tables. Out: the answers, which `postgres_print` writes as statements. All is asked in a transaction that
//! only reads, or in the caller's, which goes on as if nothing had been asked. Does not know what definitions mean.

use super::diff::Words;
use super::{
    Answers, Catalog, Frame, Imported, MISSING, Row, TableName, missing, postgres_print, postgres_queries as queries, text,
};
use crate::contract::{Column, ddl};
use crate::database::{Connection, FORMS, literal};
use crate::error::Error;

pub(super) const CATALOG: Catalog = Catalog {
    dialect: "postgres",
    flavor: ddl::Flavor::Postgres,
    words: Words { schema: "public", typed, brackets: false, nulls: true, collation: None },
    import,
    existing,
};

/// Writes a column's type as the reader knows it.
fn typed(column: &Column) -> String {
    column.type_name.clone().unwrap_or_else(|| column.data_type.to_string())
}

fn import(connection: &mut dyn Connection, names: &[TableName], frame: Frame) -> Result<Vec<Imported>, Error> {
    reading(connection, frame, |connection| {
        let found = tables(connection, names)?;
        let ids: Vec<&str> = found.iter().map(|t| t.id.as_str()).collect();
        let ids = array(&ids);
        let mut ask = |query: &str| -> Result<Answers, Error> {
            let mut answers = Answers::new();
            for row in connection.query(&query.replace("{tables}", &ids))?.rows {
                answers.entry(text(&row, 0).to_string()).or_default().push(row);
            }
            Ok(answers)
        };
        let facts = Facts {
            columns: ask(queries::COLUMNS)?,
            constraints: ask(queries::CONSTRAINTS)?,
            indexes: ask(queries::INDEXES)?,
            types: ask(queries::TYPES)?,
            others: ask(queries::OTHERS)?,
        };
        Ok(found.iter().map(|table| postgres_print::table(table, &facts)).collect())
    })
}

/// Returns those of the tables that exist, in their order.
fn existing(connection: &mut dyn Connection, names: &[TableName], frame: Frame) -> Result<Vec<TableName>, Error> {
    reading(connection, frame, |connection| {
        let rows = ask_for_tables(connection, names)?;
        let is_table = |row: &&Row| matches!(text(row, 4), "r" | "p");
        let name = |row: &Row| TableName { schema: text(row, 0).to_string(), table: text(row, 1).to_string() };
        Ok(rows.iter().filter(is_table).map(name).collect())
    })
}

pub(super) fn truth(row: &Row, column: usize) -> bool {
    text(row, column) == "t"
}

/// Works where everything that is not the server's own comes back with its schema, and leaves nothing of that behind.
fn reading<T>(
    connection: &mut dyn Connection,
    frame: Frame,
    work: impl FnOnce(&mut dyn Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    let end = match frame {
        Frame::Own => {
            connection.snapshot()?;
            "ROLLBACK"
        }
        Frame::Open => {
            connection.execute(&format!("SAVEPOINT pipe_catalog; {FORMS}"))?;
            "ROLLBACK TO SAVEPOINT pipe_catalog; RELEASE SAVEPOINT pipe_catalog"
        }
    };
    let done = connection
        .execute("SET LOCAL search_path = pg_catalog; SET LOCAL quote_all_identifiers = off")
        .and_then(|()| work(connection));
    let ended = connection.execute(end);
    let done = done?;
    ended.map(|()| done)
}

/// Writes texts as an array for the server.
fn array(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|t| literal(t)).collect();
    format!("ARRAY[{}]", quoted.join(", "))
}

/// A table that exists.
pub(super) struct Found {
    pub(super) name: TableName,
    pub(super) id: String,
    /// Its name in SQL.
    pub(super) written: String,
    pub(super) row_security: bool,
    pub(super) partition_by: Option<String>,
}

/// The answers about all tables.
pub(super) struct Facts {
    pub(super) columns: Answers,
    pub(super) constraints: Answers,
    pub(super) indexes: Answers,
    pub(super) types: Answers,
    pub(super) others: Answers,
}

fn ask_for_tables(connection: &mut dyn Connection, names: &[TableName]) -> Result<Vec<Row>, Error> {
    let schemas: Vec<&str> = names.iter().map(|n| n.schema.as_str()).collect();
    let tables: Vec<&str> = names.iter().map(|n| n.table.as_str()).collect();
    if let Some(name) = names.iter().find(|n| n.table.contains('\0') || n.schema.contains('\0')) {
        return Err(Error::new("X0601", format!("table `{name}` does not exist")));
    }
    // The parts are put together once: a name may hold the word of the other place.
    let (before, rest) = queries::TABLES.split_once("{schemas}").unwrap_or_default();
    let (between, after) = rest.split_once("{names}").unwrap_or_default();
    Ok(connection.query(&format!("{before}{}{between}{}{after}", array(&schemas), array(&tables)))?.rows)
}

fn tables(connection: &mut dyn Connection, names: &[TableName]) -> Result<Vec<Found>, Error> {
    let (mut found, mut wrong): (Vec<Found>, Vec<(TableName, &str)>) = (vec![], vec![]);
    for row in ask_for_tables(connection, names)? {
        let name = TableName { schema: text(&row, 0).to_string(), table: text(&row, 1).to_string() };
        match text(&row, 4) {
            "r" | "p" => found.push(Found {
                name,
                id: text(&row, 2).to_string(),
                written: text(&row, 3).to_string(),
                row_security: truth(&row, 5),
                partition_by: row.get(6).cloned().flatten(),
            }),
            "v" | "m" => wrong.push((name, "is a view, which nothing can be loaded into")),
            "f" => wrong.push((name, "is a foreign table, whose constraints its own server keeps")),
            _ => wrong.push((name, MISSING)),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(missing(connection, &wrong, queries::NEIGHBOURS, "public")) }
}
