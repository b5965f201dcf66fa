//! `pipe lineage P [table.column]`: where a column comes from, and what it feeds.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::output::Output;
use super::run::CompileArguments;
use super::{Format, Outcome};
use crate::command;
use crate::error::Error;
use crate::plan::lineage;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The pipeline: a path, or a name in pipelines/
    pipeline: PathBuf,
    /// table.column, or extract.field; without it, every column of every table
    column: Option<String>,
    #[command(flatten)]
    common: CompileArguments,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output, stopped: Arc<AtomicBool>) -> Outcome {
    let done = match command::plan(&arguments.pipeline, &arguments.common.options(output), stopped) {
        Ok(done) => done,
        Err(failure) => return output.failure(failure),
    };
    let found = match lineage::trace(&done.plan, arguments.column.as_deref()) {
        Ok(found) => found,
        Err(close) => {
            let wanted = arguments.column.as_deref().unwrap_or_default();
            let error = Error::new("X0106", format!("there is no column `{wanted}`"));
            let help = close.map_or("Write `table.column`.".to_string(), |close| format!("Did you mean `{close}`?"));
            return output.error(&error.help(help));
        }
    };
    if output.format() == Format::Json {
        output.json(&json!({"status": "ok", "pipeline": done.plan.pipeline, "columns": found}));
        return Outcome::Done;
    }
    let mut text = String::new();
    for column in found {
        text.push_str(&format!("{}\n", column.column));
        text.extend(column.comes_from.iter().map(|from| format!("  from  {from}\n")));
        text.extend(column.feeds.iter().map(|to| format!("  feeds {to}\n")));
    }
    output.result(&text);
    Outcome::Done
}
