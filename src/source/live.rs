//! Rows of a live PostgreSQL database: `table:` and `query:`.
//!
//! In: a table's name or a SELECT, and the [`Snapshot`] that it is read in. Out: columns with the types that the server describes, and rows
//! that are streamed by COPY. All extracts of a run that name one connection see the same moment: one transaction that only reads.
//! Does not know how connections are made, or how rows are coded: see `live_rows`.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use super::live_rows::Rows;
use super::origin::Place;
use super::{Request, Scope, Source, SourceKind, Staging, record_number};
use crate::database::{self, Address, Connection, Options, identifier};
use crate::error::Error;
use crate::types::DataType;

/// What an extract reads of a database.
#[derive(Clone, Debug)]
pub struct Reading {
    pub snapshot: Arc<Snapshot>,
    pub what: Relation,
}

/// A table of the database, or a SELECT that it answers.
#[derive(Clone, Debug)]
pub enum Relation {
    /// By its parts: the schema, if it is written, and the name.
    Table(Vec<String>),
    Query(String),
}

/// One moment of a database, as a transaction that begins when the first extract is opened.
pub struct Snapshot {
    /// The target's name.
    name: String,
    url: String,
    stopped: Arc<AtomicBool>,
    connection: Mutex<Option<Box<dyn Connection>>>,
}

impl fmt::Debug for Snapshot {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({})", self.name)
    }
}

impl Snapshot {
    pub fn new(name: impl Into<String>, url: impl Into<String>, stopped: Arc<AtomicBool>) -> Snapshot {
        Snapshot { name: name.into(), url: url.into(), stopped, connection: Mutex::default() }
    }

    /// Works on the connection, which one extract uses at a time.
    fn with<T>(&self, work: impl FnOnce(&mut dyn Connection) -> Result<T, Error>) -> Result<T, Error> {
        // A thread that panicked left at worst a broken transaction, which the server tells.
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            let address = Address::parse(&self.url, &|name| std::env::var(name).ok())?;
            let options = Options { stopped: self.stopped.clone(), ..Options::default() };
            let mut opened = database::connect("postgres", &address, &options)?;
            opened.snapshot()?;
            *held = Some(opened);
        }
        match held.as_mut() {
            Some(connection) => work(&mut **connection),
            None => Err(Error::new("X0301", "the connection is gone")),
        }
    }
}

/// The kind of `table:` and `query:`.
pub struct Postgres;

impl SourceKind for Postgres {
    fn format(&self) -> &'static str {
        "postgres"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &[]
    }

    fn open(&self, request: &Request, scope: Scope, _: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        let opened = match &request.reading {
            Some(reading) => reading.snapshot.with(|connection| open(request, reading, scope, connection)),
            None => Err(Error::new("X0301", "the extract names no database")),
        };
        Ok(Box::new(opened.map_err(|e| placed(request, e))?))
    }

    fn place(&self, request: &Request, _: usize, record: u64) -> Place {
        let what = match request.reading.as_ref().map(|r| &r.what) {
            Some(Relation::Table(parts)) => parts.join("."),
            Some(Relation::Query(_)) | None => request.name.clone(),
        };
        Place { file: None, position: format!("{what} row {}", record + 1) }
    }
}

/// Adds the place of the extract to an error of its database.
fn placed(request: &Request, mut error: Error) -> Error {
    if error.is_interrupted() {
        return error;
    }
    error.message = format!("extract `{}`: {}", request.name, error.message);
    if let (None, Some((path, line))) = (&error.path, &request.place) {
        error = error.at(path).line(*line);
    }
    error
}

/// A relation whose columns the server has described.
struct Described {
    request: Request,
    columns: Vec<(String, DataType)>,
    select: String,
    /// The hash of what was read, once it was.
    hash: Mutex<Option<String>>,
}

fn open(request: &Request, reading: &Reading, scope: Scope, connection: &mut dyn Connection) -> Result<Described, Error> {
    let (relation, order) = match &reading.what {
        Relation::Table(parts) => {
            let name: Vec<String> = parts.iter().map(|p| identifier(p)).collect();
            (format!("SELECT * FROM {}", name.join(".")), key_order(&name.join("."), connection)?)
        }
        Relation::Query(query) => (query.trim().trim_end_matches(';').to_string(), String::new()),
    };
    let described = connection.describe(&relation)?;
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = described.iter().find(|c| !seen.insert(c.name.to_lowercase())) {
        return Err(Error::new("X0605", format!("the query gives column `{}` twice", twice.name))
            .help("Give each column a name of its own: `SELECT a.id AS a_id, b.id AS b_id ...`."));
    }
    // On a line of its own, so that a comment at the query's end does not swallow the parenthesis.
    let from = format!("FROM ({relation}\n) AS q");
    let mut columns: Vec<Chosen> = choose(&described, request, connection)?;
    if scope == Scope::All {
        measure(&mut columns, &from, connection)?;
    }
    let list: Vec<String> = columns.iter().map(|c| format!("q.{}{}", identifier(&c.name), c.cast)).collect();
    let limit = request.limit.map(|n| format!(" LIMIT {n}")).unwrap_or_default();
    Ok(Described {
        request: request.clone(),
        columns: columns.into_iter().map(|c| (c.name, c.data_type)).collect(),
        select: format!("SELECT {} {from}{order}{limit}", list.join(", ")),
        hash: Mutex::default(),
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

fn choose(described: &[database::Column], request: &Request, connection: &mut dyn Connection) -> Result<Vec<Chosen>, Error> {
    let list = |of: &dyn Fn(&database::Column) -> String| described.iter().map(of).collect::<Vec<_>>().join(",");
    let sql = format!(
        "SELECT pg_catalog.format_type(t, m) FROM unnest('{{{}}}'::oid[], '{{{}}}'::int[]) WITH ORDINALITY AS d(t, m, place) ORDER BY place",
        list(&|c| c.type_id.to_string()),
        list(&|c| c.modifier.to_string())
    );
    let names: Vec<String> = connection.query(&sql)?.rows.into_iter().flatten().flatten().collect();
    let mut chosen = vec![];
    for (column, type_name) in described.iter().zip(names) {
        let name = column.name.clone();
        let pin = request.pins.iter().find(|(pinned, _)| *pinned == name).map(|(_, t)| t.clone());
        chosen.push(match pin {
            Some(pin) => pinned(name, &pin),
            None => natural(name, &type_name),
        });
    }
    if let Some((unknown, _)) = request.pins.iter().find(|(pinned, _)| !chosen.iter().any(|c| c.name == *pinned)) {
        let known = chosen.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::new("X0605", format!("`columns` names `{unknown}`, which is no column of the result"))
            .help(format!("Its columns are {known}.")));
    }
    Ok(chosen)
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

impl Source for Described {
    fn columns(&self) -> &[(String, DataType)] {
        &self.columns
    }

    fn complete(&self) -> bool {
        true
    }

    fn load(&self, table: &str, staging: &dyn Staging) -> Result<(), Error> {
        let Some(reading) = &self.request.reading else { return Ok(()) };
        let copy = format!("COPY ({}) TO STDOUT (FORMAT binary)", self.select);
        let loaded = reading.snapshot.with(|connection| {
            let mut hash = None;
            staging.append(table, &mut |deliver| {
                let mut rows = Rows::new(&self.columns, record_number(0, 0), deliver);
                let copied = connection.copy_out(&copy, &mut rows);
                hash = Some(rows.finish(copied)?);
                Ok(())
            })?;
            *self.hash.lock().unwrap_or_else(PoisonError::into_inner) = hash;
            Ok(())
        });
        loaded.map_err(|e| placed(&self.request, e))
    }

    fn hash(&self) -> Result<String, Error> {
        let hash = self.hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
        hash.ok_or_else(|| Error::new("X0301", format!("extract `{}` was not read", self.request.name)))
    }
}
