//! A session with Azure SQL or SQL Server.
//!
//! In: an address and options. Out: a [`Connection`]. The driver is asynchronous; each call waits for it on a runtime of the session's own thread,
//! and looks ten times a second whether the user wants to stop. Rows of a script go in by a bulk load. One connection does one thing after
//! the other, so there is nothing to be cancelled from outside. Never met a real server so far: written after the protocol's specification.
//! Does not know about scripts or transactions.

pub mod address;
mod batches;
mod copy;
mod door;
mod entry;
mod failure;
mod load;
mod questions;
mod value;

use std::future::Future;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use tiberius::error::Error as Driver;
use tokio::runtime::{Builder, Runtime};

use super::{Address, Column, Connection, Fate, Moment, Options, Rows};
use crate::digest;
use crate::error::Error;
use copy::Copy;
use entry::Session;
use load::{LOADED, Load, row};

pub use batches::Batches;
pub use questions::QUESTIONS;

/// How often it is looked whether the user wants to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How long the server may take to cancel.
const CANCEL: Duration = Duration::from_secs(5);
/// How much is read before it is handed on.
const CHUNK: usize = 256 << 10;
/// Between the number of a transaction and the row that tells of it.
const TOLD: &str = ", told in row ";
const OF: &str = " of run ";
const IN: &str = " in ";
/// The most characters of a lock's name.
const LOCK_NAME: usize = 255;

/// Opens a session.
pub fn open(address: &Address, options: &Options) -> Result<Box<dyn Connection>, Error> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| {
        Error::new("X0504", format!("no connection can be opened: {e}")).help("Look at the limits of this machine.")
    })?;
    let (client, encrypted) = entry::enter(&runtime, address, options)?;
    let lock_timeout = address.lock_timeout.unwrap_or(options.lock_timeout).as_millis().clamp(1, i32::MAX as u128);
    let limits = Limits { stopped: options.stopped.clone(), statement: address.statement_timeout.or(options.statement_timeout) };
    let mut session = AzureSql { runtime, client, place: address.place(), encrypted, lock_timeout, limits, recorded: None };
    session.execute(&format!("SET LOCK_TIMEOUT {lock_timeout}; SET XACT_ABORT ON; SET TEXTSIZE 2147483647;"))?;
    Ok(Box::new(session))
}

struct AzureSql {
    runtime: Runtime,
    client: Session,
    place: String,
    encrypted: bool,
    /// In milliseconds.
    lock_timeout: u128,
    limits: Limits,
    /// The row that the transaction has added about itself, by its number and table.
    recorded: Option<String>,
}

/// What ends a statement before its time.
struct Limits {
    stopped: Arc<AtomicBool>,
    statement: Option<Duration>,
}

/// Why something has no result.
enum Halt {
    Driver(Driver),
    Told(Error),
    Stopped,
    TooLong(Duration),
}

impl From<Driver> for Halt {
    fn from(error: Driver) -> Halt {
        Halt::Driver(error)
    }
}

/// Waits for some work as long as it may take.
fn wait<T>(runtime: &Runtime, limits: &Limits, work: impl Future<Output = Result<T, Halt>>) -> Result<T, Halt> {
    let started = Instant::now();
    runtime.block_on(async {
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(LOOK, work.as_mut()).await {
                return done;
            }
            if limits.stopped.load(Ordering::SeqCst) {
                return Err(Halt::Stopped);
            }
            if let Some(most) = limits.statement.filter(|most| started.elapsed() >= *most) {
                return Err(Halt::TooLong(most));
            }
        }
    })
}

impl AzureSql {
    /// Makes an error of what was not done; a statement that still runs is cancelled.
    fn halted(&mut self, halt: Halt) -> Error {
        if matches!(halt, Halt::Stopped | Halt::TooLong(_)) {
            // If it cannot be cancelled, the session ends with us and takes the statement along.
            let _ = self.runtime.block_on(async { tokio::time::timeout(CANCEL, self.client.cancel_query()).await });
        }
        match halt {
            Halt::Driver(error) => failure::running(&error, &self.place),
            Halt::Told(error) => error,
            Halt::Stopped => Error::interrupted(),
            Halt::TooLong(most) => {
                Error::new("X0514", format!("a statement took longer than {} s ({})", most.as_secs_f64(), self.place))
                    .help("Allow more time with `statement_timeout` in the target's `url`.")
            }
        }
    }
}

impl Connection for AzureSql {
    fn place(&self) -> &str {
        &self.place
    }

    fn execute(&mut self, sql: &str) -> Result<(), Error> {
        self.query(sql).map(|_| ())
    }

    fn query(&mut self, sql: &str) -> Result<Rows, Error> {
        let client = &mut self.client;
        let asked = wait(&self.runtime, &self.limits, async {
            let mut stream = client.simple_query(sql).await?;
            let first = stream.columns().await?.map(names).unwrap_or_default();
            Ok((first, stream.into_results().await?))
        });
        let (first, mut sets) = asked.map_err(|halt| self.halted(halt))?;
        let last = sets.pop().unwrap_or_default();
        let columns = last.first().map_or(first, |row| names(row.columns()));
        let read = |cell| {
            value::printed(cell).map_err(|kind| {
                Error::new("X0517", format!("a column of type `{kind}` is not read yet ({})", self.place))
                    .help("Convert it to text in the query.")
            })
        };
        let rows = last.iter().map(|row| row.cells().map(|(_, cell)| read(cell)).collect()).collect::<Result<_, Error>>()?;
        Ok(Rows { columns, rows })
    }

    fn describe(&mut self, query: &str) -> Result<Vec<Column>, Error> {
        let described = self.query(&format!(
            "SELECT name, system_type_name, CONVERT(nvarchar(10), error_number) AS error_number, error_message
FROM sys.dm_exec_describe_first_result_set({}, NULL, 0) ORDER BY column_ordinal;",
            literal(query)
        ))?;
        let text = |row: &[Option<String>], place: usize| row.get(place).cloned().flatten().unwrap_or_default();
        if let Some((number, message)) = described.rows.iter().find_map(|row| Some((text(row, 2).parse().ok()?, text(row, 3)))) {
            return Err(failure::told(number, &message, &self.place));
        }
        if described.rows.is_empty() {
            return Err(Error::new("X0605", "the query gives no rows").help("Write a SELECT."));
        }
        Ok(described.rows.iter().map(|row| Column { name: text(row, 0), data_type: text(row, 1) }).collect())
    }

    fn copy_in(&mut self, statement: &str, data: &mut dyn Read) -> Result<u64, Error> {
        let load = Load::read(statement)?;
        self.execute(&load.create)?;
        // It takes as long as its rows; only the statements around it are timed.
        let limits = Limits { stopped: self.limits.stopped.clone(), statement: None };
        let (client, kinds) = (&mut self.client, &load.kinds);
        let loaded = wait(&self.runtime, &limits, async {
            let mut request = client.bulk_insert(LOADED).await?;
            let mut rows = BufReader::with_capacity(1 << 16, data);
            let (mut line, mut count) = (vec![], 0_u64);
            loop {
                line.clear();
                if rows.read_until(b'\n', &mut line).map_err(|e| Halt::Told(unread(&e)))? == 0 {
                    break;
                }
                request.send(row(&line, kinds).ok_or_else(|| Halt::Told(misfit(count + 1)))?).await?;
                count += 1;
            }
            // Under NOCOUNT the server does not tell how many have arrived: the script itself counts them.
            request.finalize().await?;
            Ok(count)
        });
        let count = loaded.map_err(|halt| self.halted(halt))?;
        self.execute(&load.insert)?;
        Ok(count)
    }

    fn copy_out(&mut self, statement: &str, out: &mut dyn Write) -> Result<u64, Error> {
        let (client, stopped) = (&mut self.client, self.limits.stopped.clone());
        let sent = wait(&self.runtime, &self.limits, async {
            let mut rows = client.simple_query(statement).await?.into_row_stream();
            let (mut copy, mut total) = (Copy::new(), 0);
            loop {
                let row = rows.try_next().await?;
                match &row {
                    Some(row) => copy.add(row).map_err(Halt::Told)?,
                    None => copy.end(),
                }
                if row.is_none() || copy.waiting() >= CHUNK {
                    let bytes = copy.take();
                    total += bytes.len() as u64;
                    out.write_all(&bytes).map_err(|e| Halt::Told(unwritten(&e)))?;
                    // Where rows come without a pause, nobody else looks.
                    if stopped.load(Ordering::SeqCst) {
                        return Err(Halt::Stopped);
                    }
                }
                if row.is_none() {
                    return Ok(total);
                }
            }
        });
        sent.map_err(|halt| self.halted(halt))
    }

    fn begin(&mut self, reading: bool) -> Result<(), Error> {
        // A script that writes begins its own transaction; what is read must be whole, too.
        if reading { self.execute("BEGIN TRANSACTION") } else { Ok(()) }
    }

    fn snapshot(&mut self) -> Result<Moment, Error> {
        let state = self.query(
            "SELECT CONVERT(nvarchar(1), snapshot_isolation_state) AS state FROM sys.databases WHERE database_id = DB_ID();",
        )?;
        // Azure SQL allows it, a server of one's own where its database is set so. To see one moment without it would keep others from writing.
        let moment = if state.single() == Some("1") { Moment::One } else { Moment::EachStatement };
        let level = if moment == Moment::One { "SNAPSHOT" } else { "READ COMMITTED" };
        self.execute(&format!("SET TRANSACTION ISOLATION LEVEL {level};"))?;
        // It is never committed: the server cannot forbid it to write.
        self.execute("BEGIN TRANSACTION")?;
        Ok(moment)
    }

    fn take_turn(&mut self, name: &str) -> Result<(), Error> {
        let mut resource = format!("pipe {name}");
        if resource.encode_utf16().count() > LOCK_NAME {
            resource = format!("pipe {}", digest::of(&resource).digits());
        }
        let taken = self.query(&format!(
            "DECLARE @taken int;\nEXEC @taken = sp_getapplock @Resource = {}, @LockMode = N'Exclusive', @LockOwner = N'Session', @LockTimeout = {};\nSELECT @taken AS taken;",
            literal(&resource),
            self.lock_timeout
        ))?;
        match taken.single().and_then(|n| n.parse::<i32>().ok()) {
            Some(0 | 1) => Ok(()),
            Some(-1) => Err(Error::new("X0512", format!("the lock `{resource}` was not free in time ({})", self.place))
                .help("Wait for the session that holds it, or allow more time with `lock_timeout` in the target's `url`.")),
            Some(-3) => {
                Err(Error::new("X0513", format!("the lock `{resource}` was given up for another session ({})", self.place))
                    .help("Try again."))
            }
            other => Err(Error::new(
                "X0517",
                format!("the lock `{resource}` cannot be taken: sp_getapplock says {other:?} ({})", self.place),
            )
            .help("Have the right to run sp_getapplock granted to the target's user.")),
        }
    }

    fn transaction(&mut self) -> Result<String, Error> {
        // A batch that went by because an earlier one had failed (NOEXEC) gives no rows.
        let rows =
            self.query("SELECT CASE WHEN @@TRANCOUNT = 1 AND XACT_STATE() = 1 THEN CURRENT_TRANSACTION_ID() END AS number")?;
        let number = rows.single().map(str::to_string).ok_or_else(|| {
            Error::new("X0516", format!("the script's transaction is not open at its end ({})", self.place))
                .help("The server took it back, so nothing was changed: try again, and look at its log if it happens again.")
        })?;
        Ok(match &self.recorded {
            Some(told) => format!("{number}{TOLD}{told}"),
            None => number,
        })
    }

    fn primary_key(&mut self, table: &str) -> Result<Vec<String>, Error> {
        let rows = self.query(&format!(
            "SELECT COL_NAME(c.object_id, c.column_id) AS name FROM sys.key_constraints AS k
JOIN sys.index_columns AS c ON c.object_id = k.parent_object_id AND c.index_id = k.unique_index_id
WHERE k.type = 'PK' AND k.parent_object_id = OBJECT_ID({}) ORDER BY c.key_ordinal;",
            literal(table)
        ))?;
        Ok(rows.rows.into_iter().flatten().flatten().collect())
    }

    fn fate(&mut self, transaction: &str) -> Result<Fate, Error> {
        // The server keeps no record of transactions; a row that one has added is there with all the rest, or gone with all the rest.
        let parts = || {
            let (row, rest) = transaction.split_once(TOLD)?.1.split_once(OF)?;
            let (run, table) = rest.split_once(IN)?;
            Some((row, run, table))
        };
        let Some((row, run, table)) = parts() else { return Ok(Fate::Unknown) };
        // Only a read that waits for locks tells a transaction that is open from one that was taken back.
        let asked = self.query(&format!(
            "SELECT COUNT(*) AS told FROM {table} WITH (READCOMMITTEDLOCK, ROWLOCK) WHERE $IDENTITY = {row} AND [run_id] = {};",
            literal(run)
        ));
        match asked {
            Ok(rows) => Ok(match rows.single() {
                Some("0") => Fate::TakenBack,
                Some(_) => Fate::Committed,
                None => Fate::Unknown,
            }),
            Err(error) if error.code == "X0512" => Ok(Fate::Open),
            Err(error) => Err(error),
        }
    }

    fn record(&mut self, table: &str, entry: &[(&str, String)]) -> Result<(), Error> {
        let name: Vec<String> = table.split('.').map(identifier).collect();
        let name = name.join(".");
        let columns: Vec<String> = entry.iter().map(|(column, _)| identifier(column)).collect();
        let values: Vec<String> = entry.iter().map(|(_, value)| literal(value)).collect();
        let definitions: Vec<String> = columns.iter().map(|c| format!("{c} nvarchar(400) NOT NULL")).collect();
        self.execute(&format!(
            "IF OBJECT_ID({}) IS NULL\nCREATE TABLE {name} ([number] bigint IDENTITY PRIMARY KEY, {}, [by_user] nvarchar(128) NOT NULL DEFAULT SUSER_SNAME(), \
             [at] datetimeoffset NOT NULL DEFAULT SYSDATETIMEOFFSET());",
            literal(&name),
            definitions.join(", ")
        ))?;
        let added = self.query(&format!(
            "INSERT INTO {name} ({}) VALUES ({});\nSELECT CONVERT(nvarchar(20), SCOPE_IDENTITY()) AS number;",
            columns.join(", "),
            values.join(", ")
        ))?;
        let run = entry.iter().find(|(column, _)| *column == "run_id").map_or("", |(_, value)| value.as_str());
        self.recorded = added.single().map(|row| format!("{row}{OF}{run}{IN}{name}"));
        Ok(())
    }

    fn notices(&mut self) -> Vec<String> {
        // The driver keeps them to itself.
        vec![]
    }

    fn encrypted(&self) -> bool {
        self.encrypted
    }
}

fn names(columns: &[tiberius::Column]) -> Vec<String> {
    columns.iter().map(|c| c.name().to_string()).collect()
}

/// Quotes a name for a server of the SQL Server family.
pub fn identifier(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// Quotes a text for a server of the SQL Server family.
pub fn literal(text: &str) -> String {
    // A backslash before the end of a line joins it with the next: one more of each is what is taken away.
    format!("N'{}'", text.replace('\'', "''").replace("\\\r\n", "\\\\\r\n\r\n").replace("\\\n", "\\\\\n\n"))
}

fn unwritten(cause: &std::io::Error) -> Error {
    Error::new("X0104", format!("cannot write the rows that were read: {cause}"))
}

fn unread(cause: &std::io::Error) -> Error {
    match cause.kind() {
        ErrorKind::Interrupted => Error::interrupted(),
        _ => Error::new("X0104", format!("cannot read the rows to be loaded: {cause}")),
    }
}

fn misfit(row: u64) -> Error {
    Error::new("X0519", format!("the script cannot be played: row {row} has a value that is not of its column's type"))
        .help("Run the pipeline again to have it written anew.")
}
