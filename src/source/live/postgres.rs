//! How PostgreSQL is asked for the rows of an extract.
//!
//! In: a table's name or a SELECT, and an open snapshot. Out: the columns with their types, and one COPY that casts what has no like here to
//! text. Numbers of no fixed size are looked at once, to find the digits that they need. Does not know how rows are coded.

use super::{Asked, Database, Reading, Relation, judged, pin};
use crate::database::{Column, Connection, identifier};
use crate::error::Error;
use crate::source::{Request, Scope};
use crate::types::DataType;

pub(super) const POSTGRES: Database = Database { dialect: "postgres", ask };

fn ask(request: &Request, reading: &Reading, scope: Scope, connection: &mut dyn Connection) -> Result<Asked, Error> {
    let (relation, order) = match &reading.what {
        Relation::Table(parts) => {
            let name: Vec<String> = parts.iter().map(|p| identifier(p)).collect();
            (format!("SELECT * FROM {}", name.join(".")), key_order(&name.join("."), connection)?)
        }
        Relation::Query(query) => (query.trim().trim_end_matches(';').to_string(), String::new()),
    };
    let described = connection.describe(&relation)?;
    judged(&described, request)?;
    // On a line of its own, so that a comment at the query's end does not swallow the parenthesis.
    let from = format!("FROM ({relation}\n) AS q");
    let chosen = |c: &Column| match pin(request, &c.name) {
        Some(pin) => pinned(c.name.clone(), pin),
        None => natural(c.name.clone(), &c.data_type),
    };
    let mut columns: Vec<Chosen> = described.iter().map(chosen).collect();
    if scope == Scope::All {
        measure(&mut columns, &from, connection)?;
    }
    let list: Vec<String> = columns.iter().map(|c| format!("q.{}{}", identifier(&c.name), c.cast)).collect();
    let limit = request.limit.map(|n| format!(" LIMIT {n}")).unwrap_or_default();
    Ok(Asked {
        columns: columns.into_iter().map(|c| (c.name, c.data_type)).collect(),
        statement: format!("COPY (SELECT {} {from}{order}{limit}) TO STDOUT (FORMAT binary)", list.join(", ")),
    })
}

/// The order of a table that has a primary key, so that the same rows give the same script.
fn key_order(table: &str, connection: &mut dyn Connection) -> Result<String, Error> {
    let parts: Vec<String> = connection.primary_key(table)?.iter().map(|c| format!("q.{}", identifier(c))).collect();
    Ok(if parts.is_empty() { String::new() } else { format!(" ORDER BY {}", parts.join(", ")) })
}

/// A column and how the server is asked for it.
struct Chosen {
    name: String,
    data_type: DataType,
    /// `::text` where the staged type is not the server's.
    cast: String,
    /// Whether it holds numbers of no fixed size, which are looked at before they are read; of lists, whether their elements do.
    numbers: Option<Shape>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Value,
    List,
}

/// Stages a column as the server's own type, or as the server's own text where we have no such type.
fn natural(name: String, type_name: &str) -> Chosen {
    let (element, list) = match type_name.strip_suffix("[]") {
        Some(element) => (element, true),
        None => (type_name, false),
    };
    let as_text = || (DataType::Text, if list { "::text[]" } else { "::text" }, None);
    let shape = if list { Shape::List } else { Shape::Value };
    let (data_type, cast, numbers) = match DataType::parse(element) {
        _ if ["bit", "money"].contains(&element) => as_text(),
        Some(DataType::Varchar(_) | DataType::Char(_)) => (DataType::Text, "", None),
        Some(DataType::Timestamp(_)) => (DataType::Timestamp(None), "", None),
        Some(DataType::TimestampTz(_)) => (DataType::TimestampTz(None), "", None),
        Some(DataType::Interval) => as_text(),
        Some(DataType::Decimal(Some(size))) => (DataType::Decimal(Some(size)), "", None),
        _ if element.starts_with("numeric") => (DataType::Decimal(None), "", Some(shape)),
        Some(known) => (known, "", None),
        None => as_text(),
    };
    let data_type = if list { DataType::List(Box::new(data_type)) } else { data_type };
    Chosen { name, data_type, cast: cast.to_string(), numbers }
}

/// Lets the server cast a column to the type that the author pins.
fn pinned(name: String, pin: &DataType) -> Chosen {
    let (element, list) = match pin {
        DataType::List(element) => (&**element, true),
        other => (other, false),
    };
    let word = match element {
        DataType::Double => "double precision".to_string(),
        DataType::Bytes => "bytea".to_string(),
        DataType::HugeInt => "numeric(38,0)".to_string(),
        DataType::Unknown | DataType::Struct(_) | DataType::List(_) | DataType::Named(_) => "text".to_string(),
        other => other.to_string(),
    };
    let brackets = if list { "[]" } else { "" };
    let found = natural(name, &format!("{word}{brackets}"));
    Chosen { cast: format!("::{word}{brackets}{}", found.cast), ..found }
}

/// Finds the digits that numbers of no fixed size need; what no decimal holds is staged as text.
fn measure(columns: &mut [Chosen], from: &str, connection: &mut dyn Connection) -> Result<(), Error> {
    for column in columns {
        let Some(shape) = column.numbers else { continue };
        let value = format!("q.{}{}", identifier(&column.name), column.cast);
        let values = match shape {
            Shape::Value => format!("(SELECT {value} AS x {from}) v"),
            Shape::List => format!("(SELECT unnest({value}) AS x {from}) v"),
        };
        let sql = format!(
            "SELECT coalesce(max(scale(x)), 0), coalesce(max(length(trunc(abs(x))::text)), 1),
                    count(*) FILTER (WHERE x::text IN ('NaN', 'Infinity', '-Infinity')) FROM {values}"
        );
        let found = connection.query(&sql)?;
        let numbers: Vec<u64> = found.rows.into_iter().flatten().flatten().filter_map(|n| n.parse().ok()).collect();
        let (data_type, cast) = match numbers.as_slice() {
            [scale, digits, 0] if scale + digits <= 38 => (DataType::Decimal(Some(((scale + digits) as u8, *scale as u8))), ""),
            _ => (DataType::Text, if shape == Shape::List { "::text[]" } else { "::text" }),
        };
        column.cast.push_str(cast);
        column.data_type = if shape == Shape::List { DataType::List(Box::new(data_type)) } else { data_type };
    }
    Ok(())
}
