//! What a live database enforces, and how that differs from contracts.
//!
//! In: an open connection and the names of tables. Out: their `CREATE TABLE` text as the server itself would write it, fit for the
//! reader of schema files, and the differences between two lists of contracts. Nothing of the catalog is ever executed.
//! Does not know how connections are made, where files lie, or about pipelines.

mod azure_sql;
mod azure_sql_queries;
pub mod diff;
mod print;
mod queries;

use std::collections::BTreeMap;
use std::fmt;

use crate::database::{Connection, FORMS, literal};
use crate::error::Error;

/// The name of a table, exactly as the server keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableName {
    pub schema: String,
    pub table: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

impl TableName {
    /// Reads `table`, `schema.table` or `"a.b"."c"`; a name without a schema is in `default`.
    ///
    /// Outside of quotes letters stay as they are: names on a command line are those of the catalog.
    pub fn parse(text: &str, default: &str) -> Option<TableName> {
        let mut parts: Vec<String> = vec![];
        let mut rest = text;
        loop {
            let (part, after) = first_part(rest)?;
            parts.push(part);
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => break,
                None => return None,
            }
        }
        if parts.iter().any(String::is_empty) {
            return None;
        }
        match <[String; 2]>::try_from(parts) {
            Ok([schema, table]) => Some(TableName { schema, table }),
            Err(mut parts) if parts.len() == 1 => parts.pop().map(|table| TableName { schema: default.to_string(), table }),
            Err(_) => None,
        }
    }
}

/// Takes a name off the front of a text, with or without quotes.
fn first_part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        return Some((text.get(..end)?.to_string(), text.get(end..)?));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

/// Whose transaction the catalog is read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One of its own, which only reads.
    Own,
    /// The caller's, which goes on afterwards as if nothing had been asked.
    Open,
}

/// One table as the database has it.
#[derive(Clone, Debug)]
pub struct Imported {
    pub name: TableName,
    /// The statements that make its types, itself and its indexes.
    pub text: String,
    /// What may refuse or change rows and stands in no constraint: triggers, rules, policies.
    pub unjudged: Vec<String>,
}

/// Reads these tables and no others, in their order.
///
/// Errors: a table does not exist or is none (X0601, all of them at once), or the server fails.
pub fn import(connection: &mut dyn Connection, dialect: &str, names: &[TableName], frame: Frame) -> Result<Vec<Imported>, Error> {
    match dialect {
        "azure_sql" => azure_sql::import(connection, names),
        _ => import_postgres(connection, names, frame),
    }
}

fn import_postgres(connection: &mut dyn Connection, names: &[TableName], frame: Frame) -> Result<Vec<Imported>, Error> {
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
        Ok(found.iter().map(|table| print::table(table, &facts)).collect())
    })
}

/// Returns those of the tables that exist, in their order.
pub fn existing(connection: &mut dyn Connection, names: &[TableName], frame: Frame) -> Result<Vec<TableName>, Error> {
    reading(connection, frame, |connection| {
        let rows = ask_for_tables(connection, names)?;
        let is_table = |row: &&Row| matches!(text(row, 4), "r" | "p");
        let name = |row: &Row| TableName { schema: text(row, 0).to_string(), table: text(row, 1).to_string() };
        Ok(rows.iter().filter(is_table).map(name).collect())
    })
}

/// One row of an answer, as the server prints it.
type Row = Vec<Option<String>>;

/// Rows by the table that they are about.
type Answers = BTreeMap<String, Vec<Row>>;

/// Returns a value of a row; NULL is empty.
fn text(row: &Row, column: usize) -> &str {
    row.get(column).and_then(Option::as_deref).unwrap_or("")
}

fn truth(row: &Row, column: usize) -> bool {
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
struct Found {
    name: TableName,
    id: String,
    /// Its name in SQL.
    written: String,
    row_security: bool,
    partition_by: Option<String>,
}

/// The answers about all tables.
struct Facts {
    columns: Answers,
    constraints: Answers,
    indexes: Answers,
    types: Answers,
    others: Answers,
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

const MISSING: &str = "does not exist";

/// Makes the error of names that are no tables; `neighbours` asks for those that are, without the schema where it is `usual`.
fn missing(connection: &mut dyn Connection, wrong: &[(TableName, &str)], neighbours: &str, usual: &str) -> Error {
    let list: Vec<String> = wrong.iter().map(|(name, why)| format!("table `{name}` {why}")).collect();
    let mut error = Error::new("X0601", format!("{} in {}", list.join("; "), connection.place()));
    let rows = connection.query(neighbours).unwrap_or_default().rows;
    let known: Vec<&str> = rows.iter().map(|row| text(row, 0)).collect();
    for (name, _) in wrong.iter().filter(|(_, why)| *why == MISSING) {
        let wanted = if name.schema == usual { name.table.clone() } else { name.to_string() };
        let close = crate::diagnostics::closest(&wanted, known.iter().copied());
        let elsewhere = known.iter().find(|k| k.rsplit('.').next() == Some(&name.table)).copied();
        if let Some(close) = elsewhere.or(close) {
            error = error.help(format!("Did you mean `{close}` for `{name}`?"));
        }
    }
    error.help("Names are those of the catalog, letter by letter: `schema.table`, with quotes around a part that holds a dot.")
}

/// Keeps a remark on its line, whatever names it holds.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_catalog_has_them() {
        let name = |text: &str| TableName::parse(text, "public").map(|n| (n.schema, n.table));
        let pair = |a: &str, b: &str| Some((a.to_string(), b.to_string()));
        assert_eq!(name("Personas"), pair("public", "Personas"));
        assert_eq!(name("a.b"), pair("a", "b"));
        assert_eq!(name(r#""a.b"."c ""d""#), pair("a.b", "c \"d"));
        assert_eq!(name(r#""a.b"."c ""d"""#), None);
        assert_eq!(name("a.b.c"), None);
        assert_eq!(name("a."), None);
        assert_eq!(name(""), None);
    }
}
