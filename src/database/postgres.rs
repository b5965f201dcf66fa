//! A session with a PostgreSQL server.
//!
//! In: an address and options. Out: a [`Connection`]. Time-outs are set when it opens; Ctrl-C cancels what the server is doing, from a
//! thread of its own. Does not know about scripts or transactions.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postgres::config::SslMode;
use postgres::{Client, SimpleQueryMessage};
use sha2::{Digest, Sha256};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Mode;
use super::{Address, Column, Connection, FORMS, Fate, Moment, Options, Rows, failure, tls};
use crate::error::Error;
use crate::stop::Watch;

/// How much is read before it is handed on.
const CHUNK: usize = 256 << 10;

/// Opens a session.
pub fn open(address: &Address, options: &Options) -> Result<Box<dyn Connection>, Error> {
    let connector = tls::connector(address.mode, address.root_certificates.as_deref())?;
    let notices: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = notices.clone();
    let mut config = address.postgres()?.clone();
    config
        .connect_timeout(address.connect_timeout.unwrap_or(options.connect_timeout))
        .keepalives_idle(Duration::from_secs(30))
        .ssl_mode(match address.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        })
        .notice_callback(move |notice| {
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{}: {}", notice.severity(), notice.message()));
        });
    if config.get_application_name().is_none() {
        config.application_name(&options.application);
    }
    if address.is_local_socket() {
        config.ssl_mode(SslMode::Disable);
    }
    let mut opened = config.connect(connector.clone()).map_err(|e| failure::connecting(&e, address));
    if let (Err(error), Mode::Prefer) = (&opened, address.mode)
        && error.code == "X0505"
    {
        config.ssl_mode(SslMode::Disable);
        opened = config.connect(connector.clone()).map_err(|e| failure::connecting(&e, address));
    }
    let client = opened?;
    let watch = watch(&client, connector, options.stopped.clone());
    let context = Context { place: address.place(), stopped: options.stopped.clone() };
    let mut session = Postgres { client, context, notices, encrypted: false, _watch: watch };
    session.execute(&settings(address, options))?;
    session.encrypted =
        session.query("SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()")?.single() == Some("t");
    session.notices();
    Ok(Box::new(session))
}

/// What the session relies on. A server that can look whether its client is still there does so, so that no lock outlives us.
fn settings(address: &Address, options: &Options) -> String {
    let milliseconds = |time: Duration| time.as_millis().clamp(1, i32::MAX as u128);
    let lock = milliseconds(address.lock_timeout.unwrap_or(options.lock_timeout));
    let statement = address.statement_timeout.or(options.statement_timeout).map_or(0, milliseconds);
    format!(
        "SET client_encoding = 'UTF8'; SET lock_timeout = {lock}; SET statement_timeout = {statement}; SET client_min_messages = notice;
         SELECT pg_catalog.set_config(name, '2000', false) FROM pg_catalog.pg_settings
         WHERE name = 'client_connection_check_interval' AND version() LIKE '%linux%'"
    )
}

struct Postgres {
    client: Client,
    context: Context,
    notices: Arc<Mutex<Vec<String>>>,
    encrypted: bool,
    _watch: Watch,
}

/// What errors are told with.
struct Context {
    place: String,
    stopped: Arc<AtomicBool>,
}

impl Context {
    fn failed(&self, error: &postgres::Error) -> Error {
        let error = failure::running(error, &self.place);
        if error.code == "X0514" && self.stopped.load(Ordering::SeqCst) { Error::interrupted() } else { error }
    }
}

impl Connection for Postgres {
    fn place(&self) -> &str {
        &self.context.place
    }

    fn execute(&mut self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).map_err(|e| self.context.failed(&e))
    }

    fn query(&mut self, sql: &str) -> Result<Rows, Error> {
        let messages = self.client.simple_query(sql).map_err(|e| self.context.failed(&e))?;
        let mut rows = Rows::default();
        for message in &messages {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    rows = Rows { columns: columns.iter().map(|c| c.name().to_string()).collect(), rows: vec![] };
                }
                SimpleQueryMessage::Row(row) => {
                    rows.rows.push((0..row.len()).map(|i| row.try_get(i).ok().flatten().map(str::to_string)).collect());
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    fn describe(&mut self, query: &str) -> Result<Vec<Column>, Error> {
        let statement = self.client.prepare(query).map_err(|e| self.context.failed(&e))?;
        if !statement.params().is_empty() {
            return Err(Error::new("X0605", "the query has a place for a value, such as `$1`")
                .help("Write the value, or a template: `{{ vars.x }}` becomes a literal of SQL."));
        }
        let list = |of: &dyn Fn(&postgres::Column) -> String| statement.columns().iter().map(of).collect::<Vec<_>>().join(",");
        let sql = format!(
            "SELECT pg_catalog.format_type(t, m) FROM unnest('{{{}}}'::oid[], '{{{}}}'::int[]) WITH ORDINALITY AS d(t, m, place) ORDER BY place",
            list(&|c| c.type_().oid().to_string()),
            list(&|c| c.type_modifier().to_string())
        );
        let names = self.query(&sql)?.rows.into_iter().flatten().map(Option::unwrap_or_default);
        let column = |(c, data_type): (&postgres::Column, String)| Column { name: c.name().to_string(), data_type };
        Ok(statement.columns().iter().zip(names).map(column).collect())
    }

    fn copy_in(&mut self, statement: &str, data: &mut dyn Read) -> Result<u64, Error> {
        let context = &self.context;
        let mut writer = self.client.copy_in(statement).map_err(|e| context.failed(&e))?;
        let mut chunk = vec![0; CHUNK];
        let copied = loop {
            match data.read(&mut chunk) {
                Ok(0) => break writer.finish().map_err(Broken::Driver),
                Ok(read) => {
                    // What the server says of a row comes when the copy is finished; a writer that fails means that it has spoken.
                    if writer.write_all(chunk.get(..read).unwrap_or(&[])).is_err() {
                        break writer.finish().map_err(Broken::Driver);
                    }
                }
                Err(e) => break Err(Broken::Reading(e)),
            }
        };
        copied.map_err(|broken| match broken {
            Broken::Driver(error) => context.failed(&error),
            Broken::Reading(cause) if cause.kind() == io::ErrorKind::Interrupted => Error::interrupted(),
            Broken::Reading(cause) => Error::new("X0104", format!("cannot read the rows to be copied: {cause}")),
        })
    }

    fn copy_out(&mut self, statement: &str, out: &mut dyn Write) -> Result<u64, Error> {
        let context = &self.context;
        let mut reader = self.client.copy_out(statement).map_err(|e| context.failed(&e))?;
        let (mut chunk, mut total) = (vec![0; CHUNK], 0);
        loop {
            let read = reader.read(&mut chunk).map_err(|e| copying_failed(&e, &context.place))?;
            if read == 0 {
                return Ok(total);
            }
            total += read as u64;
            let part = chunk.get(..read).unwrap_or(&[]);
            out.write_all(part).map_err(|e| Error::new("X0104", format!("cannot write the copied rows: {e}")))?;
        }
    }

    fn begin(&mut self, reading: bool) -> Result<(), Error> {
        let access = if reading { "READ ONLY" } else { "READ WRITE" };
        self.execute(&format!("START TRANSACTION ISOLATION LEVEL READ COMMITTED, {access}"))
    }

    fn snapshot(&mut self) -> Result<Moment, Error> {
        self.execute(&format!("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; {FORMS}"))?;
        Ok(Moment::One)
    }

    fn take_turn(&mut self, name: &str) -> Result<(), Error> {
        let digest = Sha256::digest(format!("pipe {name}"));
        let number = digest.iter().take(8).fold(0_i64, |n, byte| (n << 8) | i64::from(*byte));
        self.execute(&format!("SELECT pg_catalog.pg_advisory_xact_lock({number})"))
    }

    fn transaction(&mut self) -> Result<String, Error> {
        Ok(self.query("SELECT pg_catalog.txid_current()")?.single().unwrap_or_default().to_string())
    }

    fn primary_key(&mut self, table: &str) -> Result<Vec<String>, Error> {
        let rows = self.query(&format!(
            "SELECT a.attname FROM pg_catalog.pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE i.indisprimary AND i.indrelid = to_regclass({}) ORDER BY k.place",
            literal(table)
        ))?;
        Ok(rows.rows.into_iter().flatten().flatten().collect())
    }

    fn fate(&mut self, transaction: &str) -> Result<Fate, Error> {
        let rows = self.query(&format!("SELECT pg_catalog.txid_status({})", literal(transaction)))?;
        Ok(match rows.single() {
            Some("committed") => Fate::Committed,
            Some("aborted") => Fate::TakenBack,
            Some(_) => Fate::Open,
            None => Fate::Unknown,
        })
    }

    fn record(&mut self, table: &str, entry: &[(&str, String)]) -> Result<(), Error> {
        let name: Vec<String> = table.split('.').map(identifier).collect();
        let name = name.join(".");
        let columns: Vec<String> = entry.iter().map(|(column, _)| identifier(column)).collect();
        let values: Vec<String> = entry.iter().map(|(_, value)| literal(value)).collect();
        // Not CREATE IF NOT EXISTS: it asks for the right to create even where there is nothing to be created.
        if self.query(&format!("SELECT to_regclass({})", literal(&name)))?.single().is_none() {
            self.execute(&format!(
                "CREATE TABLE {name} (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {} text NOT NULL, \
                 by_user text NOT NULL DEFAULT current_user, at timestamptz NOT NULL DEFAULT now())",
                columns.join(" text NOT NULL, ")
            ))?;
        }
        self.execute(&format!("INSERT INTO {name} ({}) VALUES ({})", columns.join(", "), values.join(", ")))
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn encrypted(&self) -> bool {
        self.encrypted
    }
}

/// Quotes a name for a PostgreSQL server.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text for a PostgreSQL server, whatever its settings are.
pub fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

enum Broken {
    Driver(postgres::Error),
    Reading(io::Error),
}

fn copying_failed(error: &io::Error, place: &str) -> Error {
    let driver = error.get_ref().and_then(|e| e.downcast_ref::<postgres::Error>());
    driver.map_or_else(|| failure::lost(place, &error.to_string()), |e| failure::running(e, place))
}

/// Cancels what the server does for a session once the user wants to stop, for as long as the session lives.
fn watch(client: &Client, connector: MakeRustlsConnect, stopped: Arc<AtomicBool>) -> Watch {
    let token = client.cancel_token();
    Watch::start(LOOK, move || {
        if stopped.load(Ordering::SeqCst) {
            // If it cannot be sent, the connection is as good as gone and the session will say so.
            let _ = token.cancel_query(connector.clone());
        }
    })
}

/// How often it is looked whether the user wants to stop.
const LOOK: Duration = Duration::from_millis(100);
