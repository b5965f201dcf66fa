//! The embedded DuckDB: the only file that knows its crate.
//!
//! One in-memory database for a run, a connection for each thread that asks. Everything that leaves here is text, Arrow or our own types.
//! Does not know about plans, stages or checks.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::record_batch::RecordBatch;
use duckdb::{Config, Connection};

use super::engine_types::{parse_type, type_name};
use crate::error::Error;
use crate::expr::Expr;
use crate::relation::Relation;
use crate::source::{Deliver, Staging};
use crate::sql;
use crate::stage::Binder;
use crate::types::DataType;

/// How much of the machine a run may use.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// The number of threads; `None` is all.
    pub threads: Option<usize>,
    /// The memory that staging may take before it spills to disk, such as `2GB`.
    pub memory: Option<String>,
}

/// A database in memory, spilling into a folder that goes with it.
///
/// The engine starts when it is first needed: a check of plain expressions never does. Until then, what it would have been told is noted.
pub struct Session {
    settings: Vec<(&'static str, String)>,
    idle: Mutex<Vec<Connection>>,
    root: OnceLock<Result<Mutex<Connection>, Error>>,
    /// What must be done before any other statement.
    noted: Mutex<Vec<Noted>>,
    interrupts: Mutex<Vec<Arc<duckdb::InterruptHandle>>>,
    stopped: Arc<AtomicBool>,
    /// Removed with the session.
    _spill: Option<tempfile::TempDir>,
}

/// What is done when the engine is needed.
enum Noted {
    Statement(String),
    /// A name is to have the columns of a query.
    Shape {
        name: String,
        query: String,
    },
}

impl Session {
    /// Opens an empty database; `stopped` is the flag that Ctrl-C sets.
    pub fn open(resources: &Resources, stopped: Arc<AtomicBool>) -> Result<Session, Error> {
        let mut settings = vec![
            ("autoinstall_known_extensions", "false".to_string()),
            ("autoload_known_extensions", "false".to_string()),
            ("preserve_insertion_order", "true".to_string()),
        ];
        settings.extend(resources.threads.map(|threads| ("threads", threads.max(1).to_string())));
        let spill = tempfile::Builder::new().prefix("pipe-spill-").tempdir().ok();
        settings.extend(spill.as_ref().map(|folder| ("temp_directory", folder.path().to_string_lossy().into_owned())));
        settings.extend(resources.memory.clone().map(|memory| ("max_memory", memory)));
        Ok(Session {
            settings,
            idle: Mutex::default(),
            root: OnceLock::new(),
            noted: Mutex::new(vec![Noted::Statement(FUNCTIONS.to_string())]),
            interrupts: Mutex::default(),
            stopped,
            _spill: spill,
        })
    }

    /// Starts the engine.
    fn start(&self) -> Result<Mutex<Connection>, Error> {
        let mut config = Config::default();
        for (name, value) in &self.settings {
            config = config.with(name, value).map_err(|e| match *name {
                "max_memory" => {
                    Error::new("X0302", format!("`--memory {value}` is not an amount of memory: {}", first_line(&e.to_string())))
                        .help("Write an amount with its unit, such as `2GB`.")
                }
                _ => failure(e),
            })?;
        }
        Ok(Mutex::new(Connection::open_in_memory_with_flags(config).map_err(failure)?))
    }

    fn root(&self) -> Result<MutexGuard<'_, Connection>, Error> {
        self.root.get_or_init(|| self.start()).as_ref().map(lock).map_err(Clone::clone)
    }

    /// Notes a statement for when the engine is needed.
    fn note(&self, statement: String) {
        lock(&self.noted).push(Noted::Statement(statement));
    }

    /// Forgets which columns tables will have, where nobody asked so far: from now on they are made in their order.
    pub fn forget_shapes(&self) {
        lock(&self.noted).retain(|noted| matches!(noted, Noted::Statement(_)));
    }

    /// Stops whatever runs; every thread's next call ends with [`Error::interrupted`].
    pub fn interrupt(&self) {
        for handle in lock(&self.interrupts).iter() {
            handle.interrupt();
        }
    }

    /// Tells whether Ctrl-C was pressed.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Runs `work` on a connection of its own.
    fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        let reused = lock(&self.idle).pop();
        let connection = match reused {
            Some(connection) => connection,
            None => {
                let connection = self.root()?.try_clone().map_err(failure)?;
                lock(&self.interrupts).push(connection.interrupt_handle());
                connection
            }
        };
        {
            let mut noted = lock(&self.noted);
            for noted in noted.drain(..) {
                match noted {
                    Noted::Statement(statement) => connection.execute_batch(&statement).map_err(failure)?,
                    Noted::Shape { name, query } => shape(&connection, &name, &query)?,
                }
            }
        }
        let result = work(&connection);
        lock(&self.idle).push(connection);
        match result {
            Err(_) if self.stopped.load(Ordering::Relaxed) => Err(Error::interrupted()),
            other => other,
        }
    }

    /// Runs a query and hands its rows over batch by batch, in order.
    pub fn stream(&self, sql: &str, deliver: &mut dyn FnMut(RecordBatch) -> Result<(), Error>) -> Result<(), Error> {
        self.with(|connection| {
            let mut statement = connection.prepare(sql).map_err(failure)?;
            for batch in statement.stream_arrow([]).map_err(failure)? {
                if self.stopped.load(Ordering::Relaxed) {
                    return Err(Error::interrupted());
                }
                deliver(batch.map_err(failure)?)?;
            }
            Ok(())
        })
    }

    /// Returns the one number that a query gives, such as a count; 0 for NULL.
    pub fn number(&self, sql: &str) -> Result<u64, Error> {
        let rows = self.rows(sql)?;
        Ok(number(rows.first().and_then(|row| row.first())))
    }

    /// Returns the engine's version.
    pub fn version(&self) -> Result<String, Error> {
        self.root()?.version().map_err(failure)
    }
}

/// Functions of the language that are written in the engine's own SQL.
const FUNCTIONS: &str = "CREATE MACRO pipe_uuid5(digest) AS
    substr(digest, 1, 12) || '5' || substr(digest, 14, 3) || substr('89ab89ab89ab89ab', instr('0123456789abcdef', substr(digest, 17, 1)), 1)
    || substr(digest, 18, 15);";

impl Staging for Session {
    fn execute(&self, sql: &str) -> Result<(), Error> {
        self.with(|connection| connection.execute_batch(sql).map_err(failure))
    }

    fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare(&format!("SELECT COLUMNS(*)::VARCHAR FROM ({sql})")).map_err(failure)?;
            let mut rows = statement.query([]).map_err(failure)?;
            let mut found = vec![];
            while let Some(row) = rows.next().map_err(failure)? {
                let width = row.as_ref().column_count();
                found.push((0..width).map(|i| row.get::<_, Option<String>>(i)).collect::<Result<Vec<_>, _>>().map_err(failure)?);
            }
            Ok(found)
        })
    }

    fn describe(&self, sql: &str) -> Result<Vec<(String, DataType)>, Error> {
        self.with(|connection| {
            let described = described(connection, sql)?;
            Ok(described.into_iter().map(|(name, data_type)| (name, parse_type(&data_type))).collect())
        })
    }

    fn create(&self, table: &str, columns: &[(String, DataType)]) -> Result<(), Error> {
        let list: Vec<String> = columns.iter().map(|(name, t)| format!("{} {}", quote(name), type_name(t))).collect();
        self.note(format!("CREATE TABLE {} ({})", quote(table), list.join(", ")));
        Ok(())
    }

    fn append(&self, table: &str, produce: &mut dyn FnMut(Deliver) -> Result<(), Error>) -> Result<(), Error> {
        self.with(|connection| {
            let mut appender = connection.appender(table).map_err(failure)?;
            produce(&mut |batch| {
                if self.stopped.load(Ordering::Relaxed) {
                    return Err(Error::interrupted());
                }
                appender.append_record_batch(batch).map_err(failure)
            })?;
            appender.flush().map_err(failure)
        })
    }
}

impl Binder for Session {
    fn declare(&self, table: &str, relation: &Relation) -> Result<(), String> {
        self.note(format!("CREATE OR REPLACE VIEW {} AS {}", quote(table), printed(relation)?));
        Ok(())
    }

    fn announce(&self, table: &str, relation: &Relation) -> Result<(), String> {
        let shape = Noted::Shape { name: quote(table), query: printed(relation)? };
        lock(&self.noted).push(shape);
        Ok(())
    }

    fn define(&self, table: &str, relation: &Relation) -> Result<Vec<(String, DataType)>, String> {
        let (name, query) = (quote(table), printed(relation)?);
        self.with(|connection| shape(connection, &name, &query)).map_err(|e| e.message)?;
        self.describe(&format!("SELECT * FROM {name}")).map_err(|e| e.message)
    }

    fn type_of(&self, relation: &Relation, expr: &Expr) -> Result<DataType, String> {
        let query = printed(&relation.clone().project(vec![("value".to_string(), expr.clone())]))?;
        let columns = self.describe(&query).map_err(|e| e.message)?;
        Ok(columns.into_iter().next().map_or(DataType::Unknown, |(_, data_type)| data_type))
    }
}

/// Returns the columns of a query, with their types in the engine's words.
fn described(connection: &Connection, sql: &str) -> Result<Vec<(String, String)>, Error> {
    let mut statement = connection.prepare(&format!("DESCRIBE {sql}")).map_err(failure)?;
    let mut rows = statement.query([]).map_err(failure)?;
    let mut columns = vec![];
    while let Some(row) = rows.next().map_err(failure)? {
        columns.push((row.get(0).map_err(failure)?, row.get(1).map_err(failure)?));
    }
    Ok(columns)
}

/// Makes a view that has the columns of a query, and nothing below it: whatever is planned over it is planned no deeper than that.
fn shape(connection: &Connection, name: &str, query: &str) -> Result<(), Error> {
    let columns = described(connection, query)?;
    let nulls = columns.iter().map(|(column, data_type)| match data_type.as_str() {
        "\"NULL\"" => format!("NULL AS {}", quote(column)),
        data_type => format!("CAST(NULL AS {data_type}) AS {}", quote(column)),
    });
    let nulls: Vec<String> = nulls.collect();
    connection.execute_batch(&format!("CREATE OR REPLACE VIEW {name} AS SELECT {}", nulls.join(", "))).map_err(failure)
}

/// Reads a count from a text cell.
pub fn number(cell: Option<&Option<String>>) -> u64 {
    cell.and_then(Option::as_ref).and_then(|t| t.parse().ok()).unwrap_or(0)
}

/// Prints a relation in the engine's words.
fn printed(relation: &Relation) -> Result<String, String> {
    sql::relation::query(&sql::duckdb::DuckDb, relation).map_err(|u| format!("the engine cannot say {}", u.what))
}

/// Quotes a name for the engine.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text for the engine.
pub fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Names a path for the engine's readers.
pub fn quote_path(path: &Path) -> String {
    quote_text(&path.to_string_lossy())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while it held a list of connections left the list whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or("").to_string()
}

/// Turns the engine's error into ours.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn failure(error: duckdb::Error) -> Error {
    let message = match &error {
        duckdb::Error::DuckDBFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    if message.starts_with("INTERRUPT") {
        return Error::interrupted();
    }
    if message.contains("Out of Memory") || message.contains("could not allocate") {
        return Error::new("X0303", format!("not enough memory: {}", first_line(&message)))
            .help("Give the run more with `--memory`, or run it with fewer `--threads`.");
    }
    if message.contains("No space left") {
        return Error::new("X0103", format!("the disk is full: {}", first_line(&message)))
            .help("Free some space; the folder for temporary files is chosen by TMPDIR.");
    }
    Error::new("X0301", message)
}
