//! `pipe plan`: the graph, what every stage does to its rows, and its SQL.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::output::Output;
use super::run::CompileArguments;
use super::{Format, Outcome};
use crate::command;
use crate::plan::render;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The pipeline: a path, or a name in pipelines/
    pipeline: PathBuf,
    #[command(flatten)]
    common: CompileArguments,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output, stopped: Arc<AtomicBool>) -> Outcome {
    match command::plan(&arguments.pipeline, &arguments.common.options(output), stopped) {
        Ok(done) => {
            if output.format() != Format::Json {
                output.diagnostics(&done.sources, &done.warnings);
            }
            match output.format() {
                Format::Text => output.result(&render::text(&done.plan)),
                Format::Mermaid => output.result(&render::mermaid(&done.plan)),
                Format::Dot => output.result(&render::dot(&done.plan)),
                Format::Json => output.json(&render::json(&done.plan)),
            }
            Outcome::Done
        }
        Err(failure) => output.failure(failure),
    }
}
