//! Rows of a live database: `table:` and `query:`.
//!
//! In: a table's name or a SELECT, and the [`Snapshot`] that it is read in. Out: columns with the types that the server describes, and rows
//! that are streamed. All extracts of a run that name one connection see the same moment, where the database allows it: one transaction
//! that only reads. One file per kind of database, which says how it is asked; each is one of [`DATABASES`].
//! Does not know how connections are made, or how rows are coded: see `rows`.

mod azure_sql;
mod column;
mod one_select;
mod postgres;
mod rows;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use self::rows::Rows;
use super::origin::Place;
use super::{Request, Scope, Source, SourceKind, Staging, record_number};
use crate::database::{self, Address, Connection, Moment, Options};
use crate::error::Error;
use crate::types::DataType;

/// Every kind of database that rows are read from.
pub const DATABASES: &[&Database] = &[&self::postgres::POSTGRES, &self::azure_sql::AZURE_SQL];

/// A kind of database, by the dialect of its target.
pub struct Database {
    dialect: &'static str,
    ask: fn(&Request, &Reading, Scope, &mut dyn Connection) -> Result<Asked, Error>,
}

/// What a relation gives, and the statement that has its rows sent.
struct Asked {
    columns: Vec<(String, DataType)>,
    statement: String,
}

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
    pub database: &'static Database,
    /// The target's name.
    pub name: String,
    url: String,
    stopped: Arc<AtomicBool>,
    connection: Mutex<Option<Box<dyn Connection>>>,
    moving: AtomicBool,
}

impl fmt::Debug for Snapshot {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({})", self.name)
    }
}

impl Snapshot {
    /// Nothing if rows of this dialect cannot be read.
    pub fn new(dialect: &str, name: &str, url: String, stopped: Arc<AtomicBool>) -> Option<Snapshot> {
        let database = DATABASES.iter().find(|d| d.dialect == dialect)?;
        let (connection, moving) = (Mutex::default(), AtomicBool::default());
        Some(Snapshot { database, name: name.to_string(), url, stopped, connection, moving })
    }

    /// Whether the database did not allow one moment for all statements, as far as it was asked.
    pub fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Relaxed)
    }

    /// Works on the connection, which one extract uses at a time.
    fn with<T>(&self, work: impl FnOnce(&mut dyn Connection) -> Result<T, Error>) -> Result<T, Error> {
        // A thread that panicked left at worst a broken transaction, which the server tells.
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            let address = Address::parse(&self.url, &|name| std::env::var(name).ok())?;
            let options = Options { stopped: self.stopped.clone(), ..Options::default() };
            let mut opened = database::connect(self.database.dialect, &address, &options)?;
            self.moving.store(opened.snapshot()? == Moment::EachStatement, Ordering::Relaxed);
            *held = Some(opened);
        }
        match held.as_mut() {
            Some(connection) => work(&mut **connection),
            None => Err(Error::new("X0301", "the connection is gone")),
        }
    }
}

impl SourceKind for Database {
    fn format(&self) -> &'static str {
        self.dialect
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &[]
    }

    fn open(&self, request: &Request, scope: Scope, _: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        let opened = match &request.reading {
            Some(reading) => reading.snapshot.with(|connection| (self.ask)(request, reading, scope, connection)),
            None => Err(Error::new("X0301", "the extract names no database")),
        };
        let asked = opened.map_err(|e| placed(request, e))?;
        Ok(Box::new(Described { request: request.clone(), asked, hash: Mutex::default() }))
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

/// Holds the columns that a server describes against what the author says of them.
fn judged(described: &[database::Column], request: &Request) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = described.iter().find(|c| !seen.insert(c.name.to_lowercase())) {
        return Err(Error::new("X0605", format!("the query gives column `{}` twice", twice.name))
            .help("Give each column a name of its own: `SELECT a.id AS a_id, b.id AS b_id ...`."));
    }
    if let Some((unknown, _)) = request.pins.iter().find(|(pinned, _)| !described.iter().any(|c| c.name == *pinned)) {
        let known = described.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::new("X0605", format!("`columns` names `{unknown}`, which is no column of the result"))
            .help(format!("Its columns are {known}.")));
    }
    Ok(())
}

/// The type that the author pins for a column.
fn pin<'a>(request: &'a Request, column: &str) -> Option<&'a DataType> {
    request.pins.iter().find(|(pinned, _)| *pinned == column).map(|(_, data_type)| data_type)
}

/// A relation whose columns the server has described.
struct Described {
    request: Request,
    asked: Asked,
    /// The hash of what was read, once it was.
    hash: Mutex<Option<String>>,
}

impl Source for Described {
    fn columns(&self) -> &[(String, DataType)] {
        &self.asked.columns
    }

    fn complete(&self) -> bool {
        true
    }

    fn load(&self, table: &str, staging: &dyn Staging) -> Result<(), Error> {
        let Some(reading) = &self.request.reading else { return Ok(()) };
        let loaded = reading.snapshot.with(|connection| {
            let mut hash = None;
            staging.append(table, &mut |deliver| {
                let mut rows = Rows::new(&self.asked.columns, record_number(0, 0), deliver);
                let copied = connection.copy_out(&self.asked.statement, &mut rows);
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
