//! The command line: arguments in, text and exit codes out.
//!
//! The only place that prints and that knows about terminals, environment variables and signals. Each command is a file here with its
//! arguments; what it does is `command`'s business.

mod check;
mod completions;
mod deploy;
mod doctor;
mod explain;
mod init;
mod lineage;
mod output;
mod plan;
mod profile;
mod progress;
mod run;
mod schema;
mod test;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::RangedU64ValueParser;
use clap::{Parser, Subcommand};

use crate::command::Action;
use output::Output;

/// Business data into database rows: declare it, prove it, deploy it once.
#[derive(Parser)]
#[command(name = "pipe", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// Flags that every command has.
#[derive(clap::Args, Clone)]
struct Common {
    /// Text for people or JSON for tools
    #[arg(long, global = true, value_enum, default_value = "text")]
    format: Format,
    /// Say only what is wrong
    #[arg(long, short, global = true)]
    quiet: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: Color,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    /// A diagram for Markdown (`plan`)
    Mermaid,
    /// A diagram for Graphviz (`plan`)
    Dot,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Command {
    /// Stage, check and emit deploy.sql, rollback.sql, verify.sql and run.json
    Run(run::Arguments),
    /// Parse, resolve and type pipelines without reading their data
    Check(check::Arguments),
    /// Show the stages, the checks and the SQL of a pipeline
    Plan(plan::Arguments),
    /// Tell where a column comes from and what it feeds
    Lineage(lineage::Arguments),
    /// Describe the columns of a data file
    Profile(profile::Arguments),
    /// Run pipelines on examples and compare the rows
    Test(test::Arguments),
    /// Write a small project that runs
    Init(init::Arguments),
    /// Contracts from a live database, and where the two differ
    Schema(schema::Arguments),
    /// Apply the last run to its target, in one transaction
    Deploy(deploy::Arguments),
    /// Compare the target with the last run, only reading
    Verify(deploy::Arguments),
    /// Undo the last run
    Rollback(deploy::Arguments),
    /// Tell, step by step, why a target cannot be used
    Doctor(doctor::Arguments),
    /// Explain a code such as E0203
    Explain(explain::Arguments),
    /// Write a script that lets a shell complete commands and flags
    Completions(completions::Arguments),
}

/// What a command ended with; the number is the process's exit code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done = 0,
    ChecksFailed = 1,
    SpecWrong = 2,
    WorldFailed = 3,
    Interrupted = 130,
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = stopped.clone();
    // Without a handler Ctrl-C would still end the program, only less cleanly.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst));
    let mut output = Output::new(cli.common.clone());
    let outcome = match cli.command {
        Command::Run(arguments) => run::run(&arguments, &mut output, &stopped),
        Command::Check(arguments) => check::run(&arguments, &mut output, &stopped),
        Command::Plan(arguments) => plan::run(&arguments, &mut output, stopped),
        Command::Lineage(arguments) => lineage::run(&arguments, &mut output, stopped),
        Command::Profile(arguments) => profile::run(&arguments, &mut output, stopped),
        Command::Test(arguments) => test::run(&arguments, &mut output, &stopped),
        Command::Init(arguments) => init::run(&arguments, &mut output),
        Command::Completions(arguments) => completions::run(&arguments, &mut output),
        Command::Schema(arguments) => schema::run(&arguments, &mut output),
        Command::Deploy(arguments) => deploy::run(&arguments, Action::Deploy, &mut output, &stopped),
        Command::Verify(arguments) => deploy::run(&arguments, Action::Verify, &mut output, &stopped),
        Command::Rollback(arguments) => deploy::run(&arguments, Action::Rollback, &mut output, &stopped),
        Command::Doctor(arguments) => doctor::run(&arguments, &mut output, &stopped),
        Command::Explain(arguments) => explain::run(&arguments, &mut output),
    };
    ExitCode::from(outcome as u8)
}

/// What `--threads` takes.
fn threads() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=4096)
}
