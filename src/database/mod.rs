//! A live database: connecting, asking, streaming rows in and out.
//!
//! In: an [`Address`] (a target's URL) and [`Options`]. Out: a [`Connection`], the one interface that commands and sources use, whatever
//! server stands behind it. Every failure is an `Error` with a code, its cause and what to do; none holds a password. One file per kind of
//! server; each is an entry of [`SERVERS`]. Does not know about pipelines, scripts' contents or printing.

mod address;
pub mod azure_sql;
mod failure;
pub mod play;
mod postgres;
pub mod probe;
pub mod script;
mod tls;

use std::io::{BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use address::{Address, Mode};
pub use postgres::{identifier, literal};

use crate::error::Error;
use script::Script;

/// How a connection behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long to wait for the server to answer at all.
    pub connect_timeout: Duration,
    /// How long a statement waits for somebody else's lock.
    pub lock_timeout: Duration,
    /// How long one statement may take; none means as long as it needs.
    pub statement_timeout: Option<Duration>,
    /// The name that the server shows for the connection.
    pub application: String,
    /// Set when the user wants to stop: a running statement is cancelled.
    pub stopped: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            connect_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(30),
            statement_timeout: None,
            application: "pipe".to_string(),
            stopped: Arc::default(),
        }
    }
}

/// The rows that a query gives, each value as the server prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

impl Rows {
    /// Returns the first value of the first row, if there is one and it is not NULL.
    pub fn single(&self) -> Option<&str> {
        self.rows.first()?.first()?.as_deref()
    }
}

/// A column of a result, as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The type with its sizes, in the server's words; of a domain or an alias, the type below it. Empty if the server has no word for it.
    pub data_type: String,
}

/// What the statements of a transaction that only reads see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The same moment, all of them.
    One,
    /// Each what is committed while it runs: the database does not allow more without keeping others from writing.
    EachStatement,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Committed,
    TakenBack,
    Open,
    /// So long ago that the server has forgotten it.
    Unknown,
}

/// Has values come in one form for the rest of a transaction, whatever the server's own settings are.
pub const FORMS: &str = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; \
    SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL standard_conforming_strings = on";

/// A session with a server.
pub trait Connection: Send {
    /// Who is connected to what, for messages: `user@host:port/database`.
    fn place(&self) -> &str;

    /// Runs statements and drops what they return.
    fn execute(&mut self, sql: &str) -> Result<(), Error>;

    /// Runs statements and returns the rows of the last that gives any.
    fn query(&mut self, sql: &str) -> Result<Rows, Error>;

    /// Describes the result of one query without running it.
    fn describe(&mut self, query: &str) -> Result<Vec<Column>, Error>;

    /// Streams text into a `COPY ... FROM stdin` (or the server's like) and returns how many rows that were.
    fn copy_in(&mut self, statement: &str, data: &mut dyn Read) -> Result<u64, Error>;

    /// Streams the rows that a statement gives, in the form of PostgreSQL's binary COPY, and returns how many bytes that were.
    fn copy_out(&mut self, statement: &str, out: &mut dyn Write) -> Result<u64, Error>;

    /// Begins a transaction that sees what others commit before each of its statements; `reading` forbids it to write, where the server can.
    /// What writes is begun by the script itself, where scripts of this kind of server begin their transactions.
    fn begin(&mut self, reading: bool) -> Result<(), Error>;

    /// Begins a transaction that only reads, in which values come in one form, whatever the server's own settings are; says what it sees.
    fn snapshot(&mut self) -> Result<Moment, Error>;

    /// Waits for the one turn of this name, which ends with the transaction or the session. Errors: `X0512` if it was not free in time.
    fn take_turn(&mut self, name: &str) -> Result<(), Error>;

    /// Names the transaction, after it was recorded, so that another session can ask for its fate.
    fn transaction(&mut self) -> Result<String, Error>;

    /// Returns the columns of a table's primary key, in its order; none if it has no such key. The name is quoted where it must be.
    fn primary_key(&mut self, table: &str) -> Result<Vec<String>, Error>;

    /// Tells what became of a transaction of another session, by the name that it was given there.
    fn fate(&mut self, transaction: &str) -> Result<Fate, Error>;

    /// Adds a row about what the transaction does to a table of such rows, which is made if it is not there.
    fn record(&mut self, table: &str, entry: &[(&str, String)]) -> Result<(), Error>;

    /// Takes what the server has remarked since it was asked last.
    fn notices(&mut self) -> Vec<String>;

    /// Whether the connection is encrypted.
    fn encrypted(&self) -> bool;
}

/// Opens a session.
type Open = fn(&Address, &Options) -> Result<Box<dyn Connection>, Error>;

/// Begins to read a script.
type Reading = fn(Box<dyn BufRead>) -> Box<dyn Script>;

/// A kind of server, by the word in `dialect:`.
pub struct Server {
    pub dialect: &'static str,
    open: Open,
    read: Reading,
    /// What is asked of a server before it is used, by what it is about.
    questions: &'static [(&'static str, probe::Question)],
}

/// Every kind of server that can be connected to.
pub const SERVERS: &[Server] = &[
    Server {
        dialect: "postgres",
        open: postgres::open,
        read: |reader| Box::new(script::Statements::new(reader)),
        questions: probe::POSTGRES,
    },
    Server {
        dialect: "azure_sql",
        open: azure_sql::open,
        read: |reader| Box::new(azure_sql::Batches::new(reader)),
        questions: azure_sql::QUESTIONS,
    },
];

/// Finds a kind of server.
fn server(dialect: &str) -> Result<&'static Server, Error> {
    SERVERS.iter().find(|s| s.dialect == dialect).ok_or_else(|| {
        Error::new("X0502", format!("pipe cannot connect to targets of dialect `{dialect}` yet"))
            .help("Run the emitted scripts with the database's own tools.")
    })
}

/// Connects to the server of a dialect.
pub fn connect(dialect: &str, address: &Address, options: &Options) -> Result<Box<dyn Connection>, Error> {
    (server(dialect)?.open)(address, options)
}

/// Begins to read a script for the servers of a dialect.
pub fn read(dialect: &str, reader: impl BufRead + 'static) -> Result<Box<dyn Script>, Error> {
    Ok((server(dialect)?.read)(Box::new(reader)))
}

/// Whether trying again may help: nothing was committed, and the cause may pass.
pub fn passes(error: &Error) -> bool {
    is_conflict(error) || is_lost(error) || error.code == "X0504"
}

/// Whether the server gave up a transaction in favour of another.
pub fn is_conflict(error: &Error) -> bool {
    error.code == "X0513"
}

/// Whether the connection ended on the way.
pub fn is_lost(error: &Error) -> bool {
    error.code == "X0510"
}
