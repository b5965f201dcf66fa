//! `pipe run`: stage, check, emit.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::deploy;
use super::output::Output;
use super::progress::Bars;
use super::{Format, Outcome};
use crate::command::{self, Access, Action, RowFormat};
use crate::engine::Resources;
use crate::report::{json, terminal};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The pipeline: a path, or a name in pipelines/
    pipeline: PathBuf,
    /// Do everything but write; with --deploy, ask the target what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Apply the scripts to the target in one transaction, then verify
    #[arg(long)]
    deploy: bool,
    /// How long to wait for locks, and for another deployment of the pipeline [default: 30]
    #[arg(long, value_name = "SECONDS")]
    lock_timeout: Option<f64>,
    /// The folder for what the run writes [default: out/<pipeline>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How rows are written into deploy.sql
    #[arg(long, value_enum, default_value = "copy")]
    format_rows: Rows,
    /// Write no rollback.sql, and keep nothing for it in the target
    #[arg(long)]
    no_rollback: bool,
    #[command(flatten)]
    common: CompileArguments,
}

/// What every command that compiles a pipeline takes.
#[derive(clap::Args, Clone)]
pub(super) struct CompileArguments {
    /// Another target of pipe.yaml
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Set a variable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    vars: Vec<String>,
    /// Load only these tables; +table: and what they read; table+: and what reads them
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    select: Vec<String>,
    /// Take only the first N records of each source
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// The number of threads [default: all]
    #[arg(long, value_name = "N", value_parser = super::threads())]
    threads: Option<usize>,
    /// The memory that staging may use before it spills to disk, such as 2GB
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Rows {
    Copy,
    Insert,
}

impl CompileArguments {
    pub(super) fn options(&self, output: &Output) -> command::Options {
        command::Options {
            target: self.target.clone(),
            vars: self.vars.clone(),
            select: self.select.clone(),
            limit: self.limit,
            resources: Resources { threads: self.threads, memory: self.memory.clone() },
            given: Default::default(),
            secrets: output.secrets(),
        }
    }
}

pub(super) fn run(arguments: &Arguments, output: &mut Output, stopped: &Arc<AtomicBool>) -> Outcome {
    let access = |out: Option<PathBuf>| Access {
        target: arguments.common.target.clone(),
        vars: arguments.common.vars.clone(),
        out,
        lock_timeout: arguments.lock_timeout,
        secrets: output.secrets(),
    };
    let reach = access(None);
    let bars = Bars::new(output.interactive());
    let emission = command::Emission {
        dry_run: arguments.dry_run,
        out: arguments.out.clone(),
        rows: match arguments.format_rows {
            Rows::Copy => RowFormat::Copy,
            Rows::Insert => RowFormat::Insert,
        },
        undo: !arguments.no_rollback,
        preview: (arguments.dry_run && arguments.deploy).then(|| reach.clone()),
    };
    let result = command::run(&arguments.pipeline, &arguments.common.options(output), &emission, &bars, stopped);
    bars.finish();
    let done = match result {
        Ok(done) => done,
        Err(failure) => return output.failure(failure),
    };
    let mut acted = vec![];
    if arguments.deploy && !arguments.dry_run && !done.report.failed() {
        let reach = Access { out: Some(done.folder.clone()), ..reach };
        let bars = Bars::new(output.interactive());
        for action in [Action::Deploy, Action::Verify] {
            match command::act(&arguments.pipeline, action, &reach, &bars, stopped) {
                Ok(done) => acted.push(done),
                Err(failure) => {
                    bars.finish();
                    return output.failure(failure);
                }
            }
        }
        bars.finish();
    }
    output.diagnostics(&done.sources, &done.warnings);
    if output.format() == Format::Json {
        let mut value = json::report(&done.report, &done.sources, arguments.dry_run);
        value["diagnostics"] = output.taken_diagnostics().into();
        if let Some(rows) = &done.preview {
            value["would_change"] = deploy::rows(rows);
        }
        for acted in &acted {
            value[acted.action.done()] = deploy::document(acted);
        }
        output.json(&value);
    } else {
        let text = terminal::report(&done.report, &done.sources, output.colored(), output.quiet());
        output.result(&text);
        if let Some(rows) = &done.preview {
            output.result(&format!("\nwould change, nothing was changed:\n{}", deploy::table(rows)));
        }
        let quiet = output.quiet();
        for acted in acted.iter().filter(|a| !quiet || a.mismatch()) {
            output.result(&format!("\n{}", deploy::text(acted)));
        }
    }
    if done.report.failed() || acted.iter().any(command::Acted::mismatch) { Outcome::ChecksFailed } else { Outcome::Done }
}
