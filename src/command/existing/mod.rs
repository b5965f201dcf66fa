//! Asks a target which of the needed keys it has.
//!
//! In: the target's `url`, and questions of the engine. Out: the places of the keys that are there. All questions are asked in one transaction
//! that is never committed; the connection is made with the first of them. One file per kind of database; each is one of [`KINDS`].
//! Does not know what is asked for which check.

mod azure_sql;
mod azure_sql_types;
mod postgres;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::access::{self, Access};
use super::{Compiled, Options, write};
use crate::database::{self, Address, Connection};
use crate::diagnostics::SourceMap;
use crate::emit::merge::within;
use crate::emit::{Dialect, Literal};
use crate::engine::existing::{Among, Answer, Lookup, Question};
use crate::error::Error;
use crate::stage::Scope;
use crate::target;

/// A kind of database that can be asked for keys.
struct Kind {
    dialect: &'static str,
    /// Answers a question; tables without a schema are in the given one.
    ask: fn(&mut dyn Connection, &Question, &str) -> Result<Answer, Error>,
    /// Makes the transaction fit for other questions after one has failed.
    mend: fn(&mut dyn Connection) -> Result<(), Error>,
    /// Whether unique keys are looked at once for all rows that a statement changes, instead of at each of them.
    at_once: bool,
}

/// Every kind of database that can be asked for keys.
const KINDS: &[Kind] = &[self::postgres::KIND, azure_sql::KIND];

/// A target that has an address.
pub struct Target {
    kind: &'static Kind,
    address: Address,
    schema: String,
    stopped: Arc<AtomicBool>,
    /// The connection, or why there is none.
    connection: Mutex<Option<Result<Box<dyn Connection>, String>>>,
}

impl Target {
    /// Returns the target of a pipeline; none where it has no address here, such as a variable of the environment that is not set.
    pub fn of(compiled: &Compiled, options: &Options, stopped: &Arc<AtomicBool>) -> Option<Target> {
        let target = &compiled.plan.target;
        let kind = KINDS.iter().find(|k| k.dialect == target.dialect.value)?;
        target.url.as_ref()?;
        let access = Access { vars: options.vars.clone(), secrets: options.secrets.clone(), ..Access::default() };
        // What it would tell of a missing variable is no error of a run, which can do without the target.
        let address =
            access::address(target, &compiled.project, &compiled.plan.pipeline, &access, &mut SourceMap::default()).ok()?;
        let usual = target::find(kind.dialect).map_or("public", |t| t.usual_schema());
        let schema = target.schema.clone().unwrap_or_else(|| usual.to_string());
        Some(Target { kind, address, schema, stopped: stopped.clone(), connection: Mutex::default() })
    }

    fn connect(&self) -> Result<Box<dyn Connection>, Error> {
        let options = database::Options { stopped: self.stopped.clone(), ..database::Options::default() };
        let mut connection = database::connect(self.kind.dialect, &self.address, &options)?;
        connection.snapshot()?;
        Ok(connection)
    }
}

impl Lookup for Target {
    fn find(&self, question: &Question) -> Result<Answer, Error> {
        // A thread that panicked left at worst a broken transaction, which the server tells.
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(match self.connect() {
                Ok(connection) => Ok(connection),
                Err(error) if error.is_interrupted() => return Err(error),
                Err(error) => Err(format!("the target could not be asked: {}", error.message)),
            });
        }
        let connection = match held.as_mut() {
            Some(Ok(connection)) => connection,
            Some(Err(why)) => return Ok(Answer::Unknown(why.clone())),
            None => return Ok(Answer::Unknown("the target could not be asked".to_string())),
        };
        match (self.kind.ask)(&mut **connection, question, &self.schema) {
            Err(error) if error.is_interrupted() => Err(error),
            Err(error) => {
                let why = format!("the target could not be asked: {}", error.message);
                if database::is_lost(&error) || (self.kind.mend)(&mut **connection).is_err() {
                    *held = Some(Err(why.clone()));
                }
                Ok(Answer::Unknown(why))
            }
            Ok(answer) => Ok(answer),
        }
    }

    fn changes_at_once(&self) -> bool {
        self.kind.at_once
    }
}

/// Returns the columns that a question is about: its own or the table's primary key; or why the key cannot be meant.
fn asked(connection: &mut dyn Connection, question: &Question, relation: &str) -> Result<Result<Vec<String>, String>, Error> {
    let mut columns = question.columns.clone();
    if columns.is_empty() {
        columns = connection.primary_key(relation)?;
    }
    let width = question.keys.first().map_or(columns.len(), Vec::len);
    let fits = columns.len() == width;
    Ok(if fits { Ok(columns) } else { Err(format!("the primary key of {relation} has {} columns", columns.len())) })
}

/// Says that a row `t` of the target is in a scope; of those that count, `false` is for the ones that are not. Nothing where all rows count.
fn scoped(dialect: &dyn Dialect, among: &Among) -> Option<(String, bool)> {
    let condition = |scope: &Scope| {
        let literals: Vec<(String, Literal)> =
            scope.iter().map(|(column, value)| (column.clone(), write::literal(value))).collect();
        within(dialect, "t", &literals)
    };
    match among {
        Among::All => None,
        Among::Within(scope) => Some((condition(scope), true)),
        Among::Beyond(scope) => Some((condition(scope), false)),
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let held = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(connection)) = held
            && !self.stopped.load(Ordering::SeqCst)
        {
            // Without it the end of the session takes the transaction back.
            let _ = connection.execute("ROLLBACK");
        }
    }
}
