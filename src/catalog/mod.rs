//! What a live database enforces, and how that differs from contracts.
//!
//! In: an open connection and the names of tables. Out: their `CREATE TABLE` text as the server itself would write it, fit for the
//! reader of schema files, and the differences between two lists of contracts. Nothing of the catalog is ever executed.
//! One file per kind of database; each is one of [`CATALOGS`]. Does not know how connections are made, where files lie, or about pipelines.

mod azure_sql;
mod azure_sql_queries;
pub mod diff;
mod postgres;
mod postgres_print;
mod postgres_queries;

use std::collections::BTreeMap;
use std::fmt;

use crate::contract::Contract;
use crate::contract::ddl::Flavor;
use crate::database::Connection;
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

/// Asks a catalog about tables.
type Ask<T> = fn(&mut dyn Connection, &[TableName], Frame) -> Result<Vec<T>, Error>;

/// A kind of database whose catalog is read.
pub struct Catalog {
    dialect: &'static str,
    /// The words that its tables come in.
    flavor: Flavor,
    words: diff::Words,
    import: Ask<Imported>,
    existing: Ask<TableName>,
}

/// Every kind of database whose catalog is read.
const CATALOGS: &[Catalog] = &[self::postgres::CATALOG, azure_sql::CATALOG];

/// Finds the catalog of a dialect's databases.
pub fn find(dialect: &str) -> Result<&'static Catalog, Error> {
    CATALOGS.iter().find(|c| c.dialect == dialect).ok_or_else(|| {
        Error::new("X0502", format!("the catalog of targets of dialect `{dialect}` cannot be read yet"))
            .help("Write the contracts below `schemas/`.")
    })
}

impl Catalog {
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Reads these tables and no others, in their order.
    ///
    /// Errors: a table does not exist or is none (X0601, all of them at once), or the server fails.
    pub fn import(&self, connection: &mut dyn Connection, names: &[TableName], frame: Frame) -> Result<Vec<Imported>, Error> {
        // A list without members is no list to a server.
        if names.is_empty() { Ok(vec![]) } else { (self.import)(connection, names, frame) }
    }

    /// Returns those of the tables that exist, in their order.
    pub fn existing(&self, connection: &mut dyn Connection, names: &[TableName], frame: Frame) -> Result<Vec<TableName>, Error> {
        if names.is_empty() { Ok(vec![]) } else { (self.existing)(connection, names, frame) }
    }

    /// Compares contracts with what such a database has; `None` where there is no such table.
    pub fn compare(&self, pairs: &[(&Contract, Option<&Contract>)]) -> diff::Comparison {
        diff::compare(&self.words, pairs)
    }
}

/// One row of an answer, as the server prints it.
type Row = Vec<Option<String>>;

/// Rows by the table that they are about.
type Answers = BTreeMap<String, Vec<Row>>;

/// Returns a value of a row; NULL is empty.
fn text(row: &Row, column: usize) -> &str {
    row.get(column).and_then(Option::as_deref).unwrap_or("")
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
