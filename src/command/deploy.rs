//! Plays a run's scripts on its target: `deploy.sql` and `rollback.sql` in one transaction, `verify.sql` only reading.
//!
//! In: a run. Out: [`Acted`]. Deployments of one pipeline take turns by an advisory lock. What another session or the network spoils is tried
//! again, as nothing was committed; a connection that ends during the commit is settled by asking the server what became of the
//! transaction. Does not know what the scripts say.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Failure;
use super::access::{self, Access, Run};
use super::journal::Journal;
use super::judged::{self, Judged};
use crate::database::play::{self, Audience, Played};
use crate::database::script::Statement;
use crate::database::{self, Connection, Fate, Options, Rows};
use crate::digest::Digest;
use crate::engine::Progress;
use crate::error::Error;
use crate::stop;

/// What is done with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Deploy,
    Verify,
    Rollback,
}

impl Action {
    pub fn script(self) -> &'static str {
        match self {
            Action::Deploy => "deploy.sql",
            Action::Verify => "verify.sql",
            Action::Rollback => "rollback.sql",
        }
    }

    /// What has happened afterwards.
    pub fn done(self) -> &'static str {
        match self {
            Action::Deploy => "deployed",
            Action::Verify => "verified",
            Action::Rollback => "rolled back",
        }
    }
}

/// A script that was played.
pub struct Acted {
    pub action: Action,
    pub pipeline: String,
    pub run_id: String,
    /// `user@host:port/database`.
    pub place: String,
    /// What the script's queries gave: for `verify` a row per table.
    pub tables: Rows,
    /// The rows that were copied, by what the script says they are.
    pub copied: Vec<(String, u64)>,
    pub attempts: u32,
    pub took: Duration,
}

impl Acted {
    /// Whether a comparison found a difference.
    pub fn mismatch(&self) -> bool {
        self.action == Action::Verify && !self.tables.rows.iter().all(|row| row.last().and_then(Option::as_deref) == Some("ok"))
    }
}

/// How often a transaction is tried, and how long to wait after the first failure; each further wait is twice as long.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(250);
/// How often a server that is gone is asked whether it has committed, each time after `PAUSE` grown as above up to this.
const QUESTIONS: u32 = 20;
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Plays a script of the last run of a pipeline.
pub fn act(
    what: &Path,
    action: Action,
    access: &Access,
    progress: &dyn Progress,
    stopped: &Arc<AtomicBool>,
) -> Result<Acted, Failure> {
    let run = access::find(what, access)?;
    let judged = if action == Action::Deploy { judged::of(&run)? } else { Judged::default() };
    let mut journal = Journal::open(&run.folder, &access.secrets)?;
    let words = format!("{action:?}").to_lowercase();
    journal.add(&format!(
        "{words} run {} of pipeline {} on {} (target {})",
        run.text("run_id"),
        run.text("pipeline"),
        run.address.place(),
        run.target.name.value
    ))?;
    if !judged.missing.is_empty() {
        journal
            .add(&format!("contracts that are not at hand to be compared with the database: {}", judged.missing.join(", ")))?;
    }
    let mut session = Session {
        run: &run,
        judged: &judged,
        action,
        journal,
        progress,
        stopped,
        copied: vec![],
        tables: Rows::default(),
        began: false,
        about: String::new(),
    };
    let started = Instant::now();
    match session.attempt_all() {
        Ok(attempts) => {
            let acted = Acted {
                action,
                pipeline: run.text("pipeline"),
                run_id: run.text("run_id"),
                place: run.address.place(),
                tables: session.tables,
                copied: session.copied,
                attempts,
                took: started.elapsed(),
            };
            for row in &acted.tables.rows {
                let values: Vec<String> = acted
                    .tables
                    .columns
                    .iter()
                    .zip(row)
                    .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL")))
                    .collect();
                session.journal.close(&values.join(" "));
            }
            let outcome = if acted.mismatch() { "MISMATCH" } else { action.done() };
            session.journal.close(&format!("{outcome} in {:.3} s", acted.took.as_secs_f64()));
            Ok(acted)
        }
        Err(error) => {
            let code = error.code;
            session.journal.close(&format!("failed {code}: {}", error.message));
            Err(error.into())
        }
    }
}

/// One command's work on one run.
struct Session<'a> {
    run: &'a Run,
    judged: &'a Judged,
    action: Action,
    journal: Journal,
    progress: &'a dyn Progress,
    stopped: &'a Arc<AtomicBool>,
    copied: Vec<(String, u64)>,
    tables: Rows,
    /// Whether the server was there once.
    began: bool,
    /// What the script was doing last.
    about: String,
}

impl Session<'_> {
    /// Tries until it is done, or until there is no hope; returns how often.
    fn attempt_all(&mut self) -> Result<u32, Error> {
        self.script_is_unchanged()?;
        // A server that cannot be reached at all is told of at once.
        let mut connection = self.connect();
        let mut attempt = 1;
        loop {
            match connection.and_then(|mut open| self.attempt(&mut *open)) {
                Ok(()) => return Ok(attempt),
                Err(error) if attempt < ATTEMPTS && self.began && database::passes(&error) && !self.is_stopped() => {
                    self.journal
                        .add(&format!("attempt {attempt} failed, nothing was committed: {} {}", error.code, error.message))?;
                    self.pause(attempt)?;
                    attempt += 1;
                    connection = self.connect();
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn attempt(&mut self, connection: &mut dyn Connection) -> Result<(), Error> {
        self.began = true;
        self.copied.clear();
        self.tables = Rows::default();
        let path = self.run.folder.join(self.action.script());
        let file = File::open(&path).map_err(|e| Error::file(&path, "cannot read", &e))?;
        let dialect = &self.run.target.dialect.value;
        let mut script = database::read(dialect, BufReader::with_capacity(1 << 20, file))?;
        connection.begin(self.action == Action::Verify)?;
        if self.action != Action::Verify {
            self.take_turn(connection)?;
        }
        for note in self.judged.compare(connection)? {
            self.journal.add(&note)?;
        }
        let stopped = self.stopped.clone();
        let played = play::play(connection, &mut *script, self, &stopped);
        for notice in connection.notices() {
            self.journal.add(&notice)?;
        }
        played?;
        if self.action == Action::Verify {
            self.something_was_compared()?;
            return connection.execute("COMMIT");
        }
        self.commit(connection)
    }

    /// Makes sure that silence is not taken for consent.
    fn something_was_compared(&self) -> Result<(), Error> {
        let loaded = self.run.record.get("tables").and_then(|t| t.as_array()).map_or(0, Vec::len);
        if self.tables.rows.len() >= loaded {
            return Ok(());
        }
        let message =
            format!("the server answered about {} of {loaded} tables ({})", self.tables.rows.len(), self.run.address.place());
        Err(Error::new("X0517", message)
            .help("Nothing is known about the others: try again, or play `verify.sql` with the database's own tools."))
    }

    /// Waits until no other deployment of the pipeline runs.
    fn take_turn(&mut self, connection: &mut dyn Connection) -> Result<(), Error> {
        let pipeline = self.run.text("pipeline");
        match connection.take_turn(&format!("deploys {pipeline}")) {
            Err(error) if error.code == "X0512" => Err(Error::new(
                "X0521",
                format!("another deployment of pipeline `{pipeline}` runs on {}", connection.place()),
            )
            .help(
                "Wait for it to end, or allow more time with `--lock-timeout SECONDS`; the server's list of sessions shows it as `pipe`.",
            )),
            answered => answered,
        }
    }

    fn commit(&mut self, connection: &mut dyn Connection) -> Result<(), Error> {
        if let Some(table) = &self.run.target.runs {
            connection.record(&table.value, &self.entry())?;
        }
        let transaction = connection.transaction()?;
        if self.is_stopped() {
            return Err(Error::interrupted());
        }
        self.journal.add(&format!("commits transaction {transaction}"))?;
        match connection.execute("COMMIT") {
            Err(error) if database::is_lost(&error) => {
                self.journal.close(&format!("no answer to the commit: {}", error.message));
                match self.fate(&transaction)? {
                    Fate::Committed => Ok(()),
                    _ => Err(error),
                }
            }
            answered => answered,
        }
    }

    /// What the target's own table of runs is told.
    fn entry(&self) -> Vec<(&'static str, String)> {
        let rows: u64 = self.copied.iter().map(|(_, rows)| rows).sum();
        vec![
            ("pipeline", self.run.text("pipeline")),
            ("run_id", self.run.text("run_id")),
            ("action", format!("{:?}", self.action).to_lowercase()),
            ("copied_rows", rows.to_string()),
            ("spec_hash", self.run.text("spec_hash")),
            ("tool_version", self.run.text("tool_version")),
        ]
    }

    /// Asks the server, once it is there again, what became of a transaction.
    fn fate(&mut self, transaction: &str) -> Result<Fate, Error> {
        for question in 1..=QUESTIONS {
            match self.connect().and_then(|mut open| open.fate(transaction)) {
                Ok(fate @ (Fate::Committed | Fate::TakenBack)) => {
                    self.journal.close(&format!(
                        "transaction {transaction} is {}",
                        if fate == Fate::Committed { "committed" } else { "taken back" }
                    ));
                    return Ok(fate);
                }
                Ok(Fate::Unknown) => break,
                Ok(Fate::Open) => self.journal.close(&format!("transaction {transaction} is still open")),
                Err(error) => self.journal.close(&format!("the server cannot be asked yet: {}", error.message)),
            }
            std::thread::sleep(LONGEST_PAUSE.min(PAUSE * question));
        }
        Err(Error::new(
            "X0520",
            format!("the connection to {} ended during the commit, and nobody can tell how it went", self.run.address.place()),
        )
        .help("It is wholly there or not at all: `pipe verify` tells which, once the server is back. Azure SQL can be asked where the target names a table with `runs`."))
    }

    fn connect(&self) -> Result<Box<dyn Connection>, Error> {
        let options = Options { stopped: self.stopped.clone(), ..Options::default() };
        database::connect(&self.run.target.dialect.value, &self.run.address, &options)
    }

    /// Makes sure that the script is the one that the run wrote.
    fn script_is_unchanged(&self) -> Result<(), Error> {
        let (name, path) = (self.action.script(), self.run.folder.join(self.action.script()));
        let expected = self.run.record.pointer(&format!("/scripts/{name}")).and_then(|h| h.as_str());
        let found = hash(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::new("X0518", format!("the run in `{}` has no `{name}`", self.run.folder.display()))
                    .help("A run that fails, or that only writes files, leaves no scripts: see `pipe run`.")
            }
            _ => Error::file(&path, "cannot read", &e),
        })?;
        match expected {
            Some(expected) if expected == found => Ok(()),
            Some(_) => Err(Error::new("X0519", format!("`{name}` is not what the run wrote: it was changed since")).at(&path)
                .help("Only what was checked is deployed: change the pipeline and run it again, or play the script yourself with `psql`.")),
            None => Err(Error::new("X0519", format!("`run.json` does not know `{name}`: another version wrote it")).at(&path)
                .help("Run the pipeline again.")),
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn pause(&self, attempt: u32) -> Result<(), Error> {
        let pause = LONGEST_PAUSE.min(PAUSE * 2_u32.pow(attempt.min(8) - 1));
        if stop::rest(pause, self.stopped) { Ok(()) } else { Err(Error::interrupted()) }
    }
}

impl Audience for Session<'_> {
    fn begin(&mut self, statement: &Statement) {
        self.progress.begin(statement.about.as_deref().unwrap_or(self.action.script()));
    }

    fn end(&mut self, played: &Played) -> Result<(), Error> {
        let about = played.statement.about.clone().unwrap_or_default();
        self.progress.end(if about.is_empty() { self.action.script() } else { &about }, played.copied.unwrap_or(0));
        let rows = played.copied.map_or(String::new(), |n| format!(": {n} rows"));
        // A title is followed by many statements: the first tells of all, and each COPY of its rows.
        if played.copied.is_some() || (self.about != about && played.statement.verb() != "SET") {
            self.about.clone_from(&about);
            let verb = played.statement.verb();
            let done = format!("{verb} {about}{rows} ({:.3} s)", played.took.as_secs_f64());
            self.journal.add(done.trim_start())?;
        }
        if let Some(count) = played.copied {
            self.copied.push((about.trim_start_matches("Rows of ").to_string(), count));
        }
        if !played.given.columns.is_empty() {
            self.tables = played.given.clone();
        }
        Ok(())
    }
}

fn hash(path: &Path) -> std::io::Result<String> {
    let mut digest = Digest::default();
    digest.add_all(File::open(path)?)?;
    Ok(digest.digits())
}
