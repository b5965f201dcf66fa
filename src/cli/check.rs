//! `pipe check`: everything that can be known without the data.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::output::Output;
use super::run::CompileArguments;
use super::{Format, Outcome};
use crate::command;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The pipelines [default: all in pipelines/]
    pipelines: Vec<PathBuf>,
    #[command(flatten)]
    common: CompileArguments,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output, stopped: Arc<AtomicBool>) -> Outcome {
    let pipelines = match command::all_pipelines(&arguments.pipelines) {
        Ok(pipelines) => pipelines,
        Err(error) => return output.error(&error),
    };
    let mut worst = Outcome::Done;
    let mut checked = vec![];
    for pipeline in &pipelines {
        match command::check(pipeline, &arguments.common.options(), stopped.clone()) {
            Ok(done) => {
                output.diagnostics(&done.sources, &done.warnings);
                checked.push(json!({"pipeline": done.pipeline, "status": "ok", "diagnostics": output.taken_diagnostics()}));
                if output.format() != Format::Json && !output.quiet() {
                    output.result(&format!("{}: ok, {} tables, {} checks\n", pipeline.display(), done.tables, done.checks));
                }
            }
            Err(failure) => {
                let outcome = output.failure(failure);
                worst = if worst == Outcome::Done || outcome as u8 > worst as u8 { outcome } else { worst };
            }
        }
    }
    if output.format() == Format::Json && worst == Outcome::Done {
        output.json(&json!({"status": "ok", "pipelines": checked}));
    }
    worst
}
