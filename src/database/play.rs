//! Plays a script on a connection, inside a transaction that is the caller's.
//!
//! In: a script that begins and ends one transaction itself, as emitted. Out: the rows its queries gave and what was copied. Its own BEGIN and
//! COMMIT are left out, so that the caller can take locks before and ask questions between the last statement and the commit; a script
//! that would commit in between is refused. Does not know what is deployed.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::script::{Script, Statement, Step};
use super::{Connection, Rows};
use crate::error::Error;

/// A statement that was played.
pub struct Played<'a> {
    pub statement: &'a Statement,
    /// The rows that it copied into the target.
    pub copied: Option<u64>,
    /// The rows that it gave.
    pub given: Rows,
    pub took: Duration,
}

/// What hears of a script's progress.
pub trait Audience {
    /// A statement begins.
    fn begin(&mut self, statement: &Statement);

    /// A statement has been played. Errors: what it was told could not be kept.
    fn end(&mut self, played: &Played) -> Result<(), Error>;
}

/// Plays everything between a script's BEGIN and COMMIT.
pub fn play(
    connection: &mut dyn Connection,
    script: &mut dyn Script,
    audience: &mut dyn Audience,
    stopped: &AtomicBool,
) -> Result<(), Error> {
    let mut ended = false;
    while let Some(step) = script.next_step().map_err(|e| unreadable(&e))? {
        if stopped.load(Ordering::SeqCst) {
            return Err(Error::interrupted());
        }
        let (statement, copies) = match &step {
            Step::Statement(statement) => (statement, false),
            Step::Copy(statement) => (statement, true),
            Step::End => {
                ended = true;
                continue;
            }
            Step::Refused { line, text } => return Err(refused(*line, &format!("`{text}` is a command of psql"))),
        };
        if ended {
            return Err(refused(statement.line, "there is a statement after the end of the transaction"));
        }
        match statement.verb().as_str() {
            "BEGIN" | "START" => continue,
            "COMMIT" | "END" => {
                ended = true;
                continue;
            }
            "ROLLBACK" | "ABORT" | "PREPARE" => return Err(refused(statement.line, "it ends the transaction before its time")),
            _ => {}
        }
        audience.begin(statement);
        let started = Instant::now();
        let at = |error: Error| located(error, statement);
        let (copied, given) = if copies {
            let mut rows = Stoppable { rows: script.rows(), stopped };
            (Some(connection.copy_in(&statement.sql, &mut rows).map_err(at)?), Rows::default())
        } else {
            (None, connection.query(&statement.sql).map_err(at)?)
        };
        audience.end(&Played { statement, copied, given, took: started.elapsed() })?;
    }
    if ended { Ok(()) } else { Err(refused(0, "it has no end: the COMMIT is missing")) }
}

/// Adds what the script was doing to an error that the statement itself caused.
fn located(mut error: Error, statement: &Statement) -> Error {
    if error.is_interrupted() || super::is_lost(&error) {
        return error;
    }
    let doing = statement.about.as_deref().map_or(String::new(), |about| format!(" ({about})"));
    error.message = format!("{}\n  at line {} of the script{doing}", error.message, statement.line);
    error
}

fn refused(line: usize, why: &str) -> Error {
    let place = if line == 0 { String::new() } else { format!(" at line {line}") };
    Error::new("X0519", format!("the script cannot be played{place}: {why}"))
        .help("Run the pipeline again to have it written anew.")
}

fn unreadable(cause: &io::Error) -> Error {
    Error::new("X0104", format!("cannot read the script: {cause}"))
}

/// Rows that end when the user wants to stop.
struct Stoppable<'a, R> {
    rows: R,
    stopped: &'a AtomicBool,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.rows.read(out)
    }
}
