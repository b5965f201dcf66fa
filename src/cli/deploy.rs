//! `pipe deploy`, `pipe verify`, `pipe rollback`: act on the last run of a pipeline.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::output::{Output, in_columns};
use super::progress::Bars;
use super::{Format, Outcome};
use crate::command::{self, Access, Acted, Action, Failure, Rows};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The pipeline (a path, or a name in pipelines/), or the output folder of a run
    pipeline: PathBuf,
    /// The folder that the run wrote into [default: out/<pipeline>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

/// What every command takes that talks to a database.
#[derive(clap::Args, Clone)]
pub(super) struct Reach {
    /// Another target of pipe.yaml
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Set a variable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    vars: Vec<String>,
    /// How long to wait for locks, and for another deployment of the pipeline [default: 30]
    #[arg(long, value_name = "SECONDS")]
    lock_timeout: Option<f64>,
}

impl Reach {
    pub(super) fn access(&self, out: Option<PathBuf>, output: &Output) -> Access {
        Access {
            target: self.target.clone(),
            vars: self.vars.clone(),
            out,
            lock_timeout: self.lock_timeout,
            secrets: output.secrets(),
        }
    }
}

pub(super) fn run(arguments: &Arguments, action: Action, output: &mut Output, stopped: &Arc<AtomicBool>) -> Outcome {
    let access = arguments.reach.access(arguments.out.clone(), output);
    let bars = Bars::new(output.interactive());
    let acted = command::act(&arguments.pipeline, action, &access, &bars, stopped);
    bars.finish();
    match acted {
        Ok(acted) => {
            if output.format() == Format::Json {
                output.json(&document(&acted));
            } else if !output.quiet() || acted.mismatch() {
                output.result(&text(&acted));
            }
            if acted.mismatch() { Outcome::ChecksFailed } else { Outcome::Done }
        }
        Err(Failure::World(error)) if error.is_interrupted() => {
            output.note("interrupted: nothing was changed\n");
            Outcome::Interrupted
        }
        Err(failure) => output.failure(failure),
    }
}

/// What happened, for people.
pub(super) fn text(acted: &Acted) -> String {
    let mut text = table(&acted.tables);
    let widest = acted.copied.iter().map(|(table, _)| table.chars().count()).max().unwrap_or(0);
    for (table, rows) in &acted.copied {
        text += &format!("{table:<widest$}  {rows} row{}\n", if *rows == 1 { "" } else { "s" });
    }
    let word = if acted.mismatch() { "MISMATCH: looked at" } else { acted.action.done() };
    let tries = if acted.attempts > 1 { format!(", at attempt {}", acted.attempts) } else { String::new() };
    text + &format!(
        "{word} run {} of `{}` on {} in {:.1} s{tries}\n",
        acted.run_id,
        acted.pipeline,
        acted.place,
        acted.took.as_secs_f64()
    )
}

/// Rows in columns, for people.
pub(super) fn table(rows: &Rows) -> String {
    let head = rows.columns.iter().map(String::as_str).collect();
    let body = rows.rows.iter().map(|row| row.iter().map(|v| v.as_deref().unwrap_or("")).collect());
    in_columns(&std::iter::once(head).chain(body).filter(|line: &Vec<&str>| !line.is_empty()).collect::<Vec<_>>())
}

/// Rows for tools: an object each.
pub(super) fn rows(rows: &Rows) -> Value {
    let object = |row: &Vec<Option<String>>| -> Value {
        rows.columns.iter().cloned().zip(row.iter().map(|v| json!(v))).collect::<serde_json::Map<_, _>>().into()
    };
    rows.rows.iter().map(object).collect()
}

/// What happened, for tools.
pub(super) fn document(acted: &Acted) -> Value {
    let status = if acted.mismatch() { "mismatch" } else { acted.action.done() };
    json!({
        "status": status.replace(' ', "_"),
        "pipeline": acted.pipeline,
        "run_id": acted.run_id,
        "place": acted.place,
        "attempts": acted.attempts,
        "seconds": acted.took.as_secs_f64(),
        "copied": acted.copied.iter().map(|(table, rows)| json!({"table": table, "rows": rows})).collect::<Vec<_>>(),
        "tables": rows(&acted.tables),
    })
}
