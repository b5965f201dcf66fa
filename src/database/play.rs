//! Plays a script on a connection, inside a transaction that is the caller's.
//!
//! In: a script that begins and ends one transaction itself, as emitted. Out: the rows its queries gave and what was copied. Its own BEGIN and
//! COMMIT are left out, so that the caller can take locks before and ask questions between the last statement and the commit; a script
//! that would commit in between is refused. Of `psql`'s own language it knows `\gset` and `\if`, one level deep. Does not know what is deployed.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
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
pub fn play<R: BufRead>(
    connection: &mut dyn Connection,
    script: &mut Script<R>,
    audience: &mut dyn Audience,
    stopped: &AtomicBool,
) -> Result<(), Error> {
    let mut ended = false;
    let mut scene = Scene::default();
    while let Some(step) = script.next_step().map_err(|e| unreadable(&e))? {
        if stopped.load(Ordering::SeqCst) {
            return Err(Error::interrupted());
        }
        let (statement, kind) = match step {
            Step::If { line, variable } => {
                scene.begin(line, &variable)?;
                continue;
            }
            Step::Else => {
                scene.turn()?;
                continue;
            }
            Step::EndIf => {
                scene.end()?;
                continue;
            }
            Step::Refused { line, text } => return Err(refused(line, &format!("`{text}` is a command of psql"))),
            Step::Statement(statement) => (statement, Kind::Plain),
            Step::Set(statement) => (statement, Kind::Sets),
            Step::Copy(statement) => (statement, Kind::Copies),
        };
        if scene.skips() {
            if kind == Kind::Copies {
                return Err(refused(statement.line, "rows stand inside of a branch"));
            }
            continue;
        }
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
        audience.begin(&statement);
        let started = Instant::now();
        let at = |error: Error| located(error, &statement);
        let (copied, given) = match kind {
            Kind::Copies => {
                let sql = scene.filled(&statement)?;
                let mut rows = Stoppable { rows: script.rows(), stopped };
                (Some(connection.copy_in(&sql, &mut rows).map_err(at)?), Rows::default())
            }
            Kind::Plain => (None, connection.query(&statement.sql).map_err(at)?),
            Kind::Sets => {
                scene.set(connection.query(&statement.sql).map_err(at)?);
                (None, Rows::default())
            }
        };
        audience.end(&Played { statement: &statement, copied, given, took: started.elapsed() })?;
    }
    if ended { Ok(()) } else { Err(refused(0, "it has no end: the COMMIT is missing")) }
}

/// What a statement is followed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Its row gives variables their values.
    Sets,
    /// Its rows follow.
    Copies,
}

/// The variables of a script, and the branch that it is in.
#[derive(Default)]
struct Scene {
    variables: BTreeMap<String, String>,
    /// Whether the branch is played; none outside of branches.
    branch: Option<bool>,
}

impl Scene {
    fn skips(&self) -> bool {
        self.branch == Some(false)
    }

    fn begin(&mut self, line: usize, variable: &str) -> Result<(), Error> {
        if self.branch.is_some() {
            return Err(refused(line, "a branch stands inside of another"));
        }
        match self.variables.get(variable) {
            Some(value) => self.branch = Some(value == "t"),
            None => return Err(refused(line, &format!("nothing gives `{variable}` a value"))),
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), Error> {
        let played = self.branch.ok_or_else(|| refused(0, "an `\\else` has no `\\if`"))?;
        self.branch = Some(!played);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.branch.take().map(drop).ok_or_else(|| refused(0, "an `\\endif` has no `\\if`"))
    }

    /// Names each value of the first row by its column.
    fn set(&mut self, given: Rows) {
        let row = given.rows.into_iter().next().unwrap_or_default();
        self.variables.extend(given.columns.into_iter().zip(row).filter_map(|(name, value)| Some((name, value?))));
    }

    /// Puts the value of a variable into a COPY that names it as its table.
    fn filled(&self, statement: &Statement) -> Result<String, Error> {
        let Some(rest) = statement.sql.strip_prefix("COPY :") else { return Ok(statement.sql.clone()) };
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match self.variables.get(name) {
            Some(value) => Ok(format!("COPY {value} {rest}")),
            None => Err(refused(statement.line, &format!("nothing gives `{name}` a value"))),
        }
    }
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
