//! Counts what a deployment would do to the target, which it leaves as it is.
//!
//! In: a compiled pipeline whose tables are staged and judged. Out: rows for inserts, updates, unchanged and deletes per table. The rows travel into
//! temporary tables of a transaction that is rolled back; the script lies in a folder of its own that goes with the command.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::access::{self, Access};
use super::write::Outputs;
use super::{Compiled, Emission, Failure, schema_diff};
use crate::database::play::{self, Audience, Played};
use crate::database::script::Statement;
use crate::database::{self, Options, Rows};
use crate::engine::Progress;
use crate::error::Error;

/// Asks the target what a deployment would change.
pub fn preview(
    compiled: &mut Compiled,
    emission: &Emission,
    access: &Access,
    progress: &dyn Progress,
    stopped: &Arc<AtomicBool>,
) -> Result<Rows, Failure> {
    let plan = &compiled.plan;
    let address = access::address(&plan.target, &compiled.project, &plan.pipeline, access, &mut compiled.sources)?;
    let folder = tempfile::tempdir().map_err(|e| Error::file(Path::new("."), "cannot create a temporary folder for", &e))?;
    let (path, tables) = Outputs::at(folder.path(), emission).write_preview(compiled, emission.rows)?;
    let options = Options { stopped: stopped.clone(), ..Options::default() };
    let mut connection = database::connect(&compiled.plan.target.dialect.value, &address, &options)?;
    let outdated = schema_diff::warnings(&compiled.plan, &mut *connection)?;
    compiled.warnings.extend(outdated);
    connection.begin(false)?;
    let file = File::open(&path).map_err(|e| Error::file(&path, "cannot read", &e))?;
    let mut counted = Counted { progress, rows: Rows::default() };
    let mut script = database::read(&compiled.plan.target.dialect.value, BufReader::with_capacity(1 << 20, file))?;
    let played = play::play(&mut *connection, &mut *script, &mut counted, stopped);
    // A connection that is gone has nothing left to take back.
    let _ = connection.execute("ROLLBACK");
    played?;
    if counted.rows.rows.len() < tables {
        let found = counted.rows.rows.len();
        let message = format!("the server answered about {found} of {tables} tables ({})", connection.place());
        return Err(Error::new("X0517", message)
            .help("Nothing is known about the others, and nothing was changed: try again.")
            .into());
    }
    Ok(counted.rows)
}

struct Counted<'a> {
    progress: &'a dyn Progress,
    rows: Rows,
}

impl Audience for Counted<'_> {
    fn begin(&mut self, statement: &Statement) {
        self.progress.begin(statement.about.as_deref().unwrap_or("counting"));
    }

    fn end(&mut self, played: &Played) -> Result<(), Error> {
        self.progress.end(played.statement.about.as_deref().unwrap_or("counting"), played.copied.unwrap_or(0));
        if !played.given.columns.is_empty() {
            self.rows = played.given.clone();
        }
        Ok(())
    }
}
