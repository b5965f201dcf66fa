//! `pipe check`: everything that can be known without the data.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::output::{Output, error_json};
use super::run::CompileArguments;
use super::{Format, Outcome};
use crate::command::{self, Failure};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The pipelines [default: all in pipelines/]
    pipelines: Vec<PathBuf>,
    #[command(flatten)]
    common: CompileArguments,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output, stopped: &Arc<AtomicBool>) -> Outcome {
    let pipelines = match command::all_pipelines(&arguments.pipelines) {
        Ok(pipelines) => pipelines,
        Err(error) => return output.error(&error),
    };
    let mut worst = Outcome::Done;
    // One document for all pipelines; what a single one gave stands at the top as well, as it does for `run`.
    let (mut checked, mut all, mut first_error) = (vec![], vec![], None);
    for pipeline in &pipelines {
        let outcome = match command::check(pipeline, &arguments.common.options(output), stopped.clone()) {
            Ok(done) => {
                output.diagnostics(&done.sources, &done.warnings);
                checked.push(json!({"pipeline": done.pipeline, "status": "ok"}));
                if output.format() != Format::Json && !output.quiet() {
                    output.result(&format!(
                        "{}: ok, {} table{}, {} check{}\n",
                        pipeline.display(),
                        done.tables,
                        plural(done.tables),
                        done.checks,
                        plural(done.checks)
                    ));
                }
                Outcome::Done
            }
            Err(failure) if output.format() != Format::Json => output.failure(failure),
            Err(Failure::Spec(sources, diagnostics)) => {
                output.diagnostics(&sources, &diagnostics);
                checked.push(json!({"pipeline": pipeline, "status": "spec_error"}));
                Outcome::SpecWrong
            }
            Err(Failure::World(error)) => {
                checked.push(json!({"pipeline": pipeline, "status": "error", "error": error_json(&error)}));
                let outcome = output.explained(&error);
                first_error.get_or_insert(error_json(&error));
                outcome
            }
        };
        let found = output.taken_diagnostics();
        if let Some(last) = checked.last_mut() {
            last["diagnostics"] = found.clone().into();
        }
        all.extend(found);
        worst = if outcome as u8 > worst as u8 { outcome } else { worst };
        if outcome == Outcome::Interrupted {
            return worst;
        }
    }
    if output.format() == Format::Json {
        let status = match worst {
            Outcome::Done => "ok",
            Outcome::SpecWrong => "spec_error",
            Outcome::ChecksFailed | Outcome::WorldFailed | Outcome::Interrupted => "error",
        };
        let mut value = json!({"status": status, "diagnostics": all, "pipelines": checked});
        if let Some(error) = first_error {
            value["error"] = error;
        }
        output.json(&value);
    }
    worst
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
