//! Tables of Azure SQL or SQL Server as the statements that would make them.
//!
//! In: an open connection and the names of tables. Out: text that is read like any other schema file: the table with its constraints by name,
//! indexes, and remarks on what no constraint says. The same catalog gives the same bytes. Types of the database's own stand as the types below
//! them. Written after the vendor's description of the catalog, and never met a real server so far. Does not know what definitions mean.

use std::collections::BTreeMap;

use super::azure_sql_queries as queries;
use super::diff::Words;
use super::{Answers, Catalog, Frame, Imported, MISSING, Row, TableName, missing, one_line, text};
use crate::contract::{Column, ddl};
use crate::database::Connection;
use crate::database::azure_sql::{identifier, literal};
use crate::error::Error;
use crate::types::DataType;

pub(super) const CATALOG: Catalog = Catalog {
    dialect: "azure_sql",
    flavor: ddl::Flavor::Tsql,
    words: Words { schema: "dbo", typed, brackets: true, nulls: false, collation: Some("SQL_Latin1_General_CP1_CI_AS") },
    import,
    existing,
};

/// Writes a column's type in the words of T-SQL: `varchar` and `nvarchar` are two types there.
fn typed(column: &Column) -> String {
    let named = column.type_name.as_deref().map(str::to_lowercase);
    let code_page = matches!(named.as_deref(), Some("varchar" | "char" | "text" | "character" | "character varying"));
    let prefix = if code_page { "" } else { "n" };
    match (&column.data_type, named) {
        (DataType::Varchar(length), _) => format!("{prefix}varchar({length})"),
        (DataType::Char(length), _) => format!("{prefix}char({length})"),
        (DataType::Text, Some(name)) if name == "text" => name,
        (DataType::Text, _) => format!("{prefix}varchar(max)"),
        (_, Some(name)) => name,
        (DataType::Boolean, _) => "bit".to_string(),
        (DataType::Integer, _) => "int".to_string(),
        (DataType::Double, _) => "float".to_string(),
        (DataType::Uuid, _) => "uniqueidentifier".to_string(),
        (DataType::Bytes, _) => "varbinary".to_string(),
        (DataType::Timestamp(digits), _) => format!("datetime2({})", digits.unwrap_or(7)),
        (DataType::TimestampTz(digits), _) => format!("datetimeoffset({})", digits.unwrap_or(7)),
        (other, _) => other.to_string(),
    }
}

fn existing(connection: &mut dyn Connection, names: &[TableName], _: Frame) -> Result<Vec<TableName>, Error> {
    let rows = ask_for_tables(connection, names)?;
    let is_table = |(_, row): &(&TableName, &Row)| text(row, 3).trim() == "U";
    Ok(names.iter().zip(&rows).filter(is_table).map(|(name, _)| name.clone()).collect())
}

fn import(connection: &mut dyn Connection, names: &[TableName], _: Frame) -> Result<Vec<Imported>, Error> {
    let found = tables(connection, names)?;
    // What the server said itself, and nothing but digits.
    let ids: Vec<&str> = found.iter().map(|(_, id)| id.as_str()).collect();
    let ids = ids.join(", ");
    let mut ask = |query: &str| -> Result<Answers, Error> {
        let mut answers: Answers = BTreeMap::new();
        for row in connection.query(&query.replace("{tables}", &ids))?.rows {
            answers.entry(text(&row, 0).to_string()).or_default().push(row);
        }
        Ok(answers)
    };
    let columns = ask(queries::COLUMNS)?;
    let constraints = ask(queries::CONSTRAINTS)?;
    let indexes = ask(queries::INDEXES)?;
    let others = ask(queries::OTHERS)?;
    let of = |answers: &Answers, id: &String| answers.get(id).cloned().unwrap_or_default();
    let table = |(name, id): &(TableName, String)| {
        table(name, &of(&columns, id), &of(&constraints, id), &of(&indexes, id), &of(&others, id))
    };
    Ok(found.iter().map(table).collect())
}

/// Asks what is there under each name.
fn ask_for_tables(connection: &mut dyn Connection, names: &[TableName]) -> Result<Vec<Row>, Error> {
    let wanted: Vec<String> =
        names.iter().enumerate().map(|(i, n)| format!("({i}, {}, {})", literal(&n.schema), literal(&n.table))).collect();
    Ok(connection.query(&queries::TABLES.replace("{wanted}", &wanted.join(", ")))?.rows)
}

/// Finds the tables and their numbers.
fn tables(connection: &mut dyn Connection, names: &[TableName]) -> Result<Vec<(TableName, String)>, Error> {
    let (mut found, mut wrong, mut hidden) = (vec![], vec![], vec![]);
    let rows = ask_for_tables(connection, names)?;
    for (name, row) in names.iter().zip(&rows) {
        if text(row, 5) == "0" {
            hidden.push(name.to_string());
        }
        match (text(row, 2), text(row, 3).trim()) {
            (id, "U") if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => found.push((name.clone(), id.to_string())),
            (_, "V") => wrong.push((name.clone(), "is a view, whose rows nobody checks")),
            (_, "SN") => wrong.push((name.clone(), "is a synonym: name the table that it stands for")),
            (_, "ET") => wrong.push((name.clone(), "is an external table, whose constraints its own server keeps")),
            _ => wrong.push((name.clone(), MISSING)),
        }
    }
    if !wrong.is_empty() {
        return Err(missing(connection, &wrong, queries::NEIGHBOURS, "dbo"));
    }
    if let Some(first) = hidden.first() {
        let list = hidden.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(Error::new("X0509", format!("what constrains {list} may not be seen in {}", connection.place()))
            .help(format!("Have the right granted: `GRANT VIEW DEFINITION ON OBJECT::{first} TO ...`.")));
    }
    Ok(found)
}

fn table(name: &TableName, columns: &[Row], constraints: &[Row], indexes: &[Row], others: &[Row]) -> Imported {
    let mut unjudged = vec![];
    let mut elements: Vec<String> = columns.iter().map(|row| column(row, &mut unjudged)).collect();
    let mut statements = String::new();
    for (rows, are_indexes) in [(constraints, false), (indexes, true)] {
        for row in rows {
            match (text(row, 2), are_indexes) {
                ("", false) => elements.push(text(row, 1).to_string()),
                ("", true) => statements.push_str(&format!("{};\nGO\n", text(row, 1))),
                (idle, _) => unjudged.push(format!("{idle}: {}", text(row, 1))),
            }
        }
    }
    unjudged.extend(others.iter().map(|row| text(row, 1).to_string()));
    let body: Vec<String> = elements.iter().map(|e| format!("\n    {e}")).collect();
    let mut written = format!(
        "CREATE TABLE {}.{} ({}\n);\nGO\n{statements}",
        identifier(&name.schema),
        identifier(&name.table),
        body.join(",")
    );
    let unjudged: Vec<String> = unjudged.iter().map(|u| one_line(u)).collect();
    for remark in &unjudged {
        written.push_str(&format!("-- not judged: {remark}\n"));
    }
    Imported { name: name.clone(), text: written, unjudged }
}

/// Writes a column: its type, collation, default or identity, and NULL or NOT NULL.
fn column(row: &Row, unjudged: &mut Vec<String>) -> String {
    let name = text(row, 1);
    let computed = text(row, 10);
    if !computed.is_empty() {
        return format!("{name} AS {computed}{}", if text(row, 11) == "1" { " PERSISTED" } else { "" });
    }
    if !text(row, 14).is_empty() {
        unjudged.push(format!("column {name} is of the database's own type {}: rules bound to it are not read", text(row, 14)));
    }
    if !matches!(text(row, 15), "" | "0") {
        unjudged.push(format!("column {name} is filled by the database: a period or a ledger"));
    }
    let mut column = format!("{name} {}", data_type(row));
    let mut add = |what: String| column.push_str(&what);
    if !text(row, 7).is_empty() {
        add(format!(" COLLATE {}", text(row, 7)));
    }
    if !text(row, 8).is_empty() {
        add(format!(" IDENTITY({}, {})", text(row, 8), text(row, 9)));
    }
    if !text(row, 12).is_empty() {
        add(format!(" CONSTRAINT {} DEFAULT {}", text(row, 13), text(row, 12)));
    }
    add(if text(row, 6) == "1" { " NULL".to_string() } else { " NOT NULL".to_string() });
    column
}

/// Writes a type with its sizes.
fn data_type(row: &Row) -> String {
    let (bytes, precision, scale) = (text(row, 3), text(row, 4), text(row, 5));
    let assembly = text(row, 16);
    match text(row, 2) {
        _ if !assembly.is_empty() => assembly.to_string(),
        name @ ("char" | "varchar" | "binary" | "varbinary") if bytes == "-1" => format!("{name}(max)"),
        name @ ("char" | "varchar" | "binary" | "varbinary") => format!("{name}({bytes})"),
        name @ ("nchar" | "nvarchar") if bytes == "-1" => format!("{name}(max)"),
        name @ ("nchar" | "nvarchar") => format!("{name}({})", bytes.parse::<u32>().unwrap_or(0) / 2),
        name @ ("decimal" | "numeric") => format!("{name}({precision}, {scale})"),
        name @ ("datetime2" | "datetimeoffset" | "time") => format!("{name}({scale})"),
        "float" => format!("float({precision})"),
        "timestamp" => "rowversion".to_string(),
        name => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[&str]) -> Row {
        values.iter().map(|v| Some(v.to_string()).filter(|v| !v.is_empty())).collect()
    }

    #[test]
    fn columns_are_written_as_they_would_be_made() {
        let mut unjudged = vec![];
        let mut of = |values: &[&str]| column(&row(values), &mut unjudged);
        assert_eq!(
            of(&["1", "[a]]b]", "nvarchar", "80", "0", "0", "1", "Latin1_General_BIN2"]),
            "[a]]b] nvarchar(40) COLLATE Latin1_General_BIN2 NULL"
        );
        assert_eq!(of(&["1", "[n]", "nvarchar", "-1", "0", "0", "0"]), "[n] nvarchar(max) NOT NULL");
        assert_eq!(
            of(&["1", "[p]", "decimal", "9", "10", "2", "0", "", "", "", "", "", "((0))", "[df]"]),
            "[p] decimal(10, 2) CONSTRAINT [df] DEFAULT ((0)) NOT NULL"
        );
        assert_eq!(of(&["1", "[i]", "int", "4", "10", "0", "0", "", "1", "5"]), "[i] int IDENTITY(1, 5) NOT NULL");
        assert_eq!(of(&["1", "[c]", "int", "4", "10", "0", "1", "", "", "", "([a]+[b])", "1"]), "[c] AS ([a]+[b]) PERSISTED");
        assert_eq!(of(&["1", "[w]", "datetime2", "8", "27", "7", "1"]), "[w] datetime2(7) NULL");
        assert!(unjudged.is_empty());
    }
}
