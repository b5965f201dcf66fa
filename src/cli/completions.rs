//! `pipe completions`: what a shell needs to complete commands and flags.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Outcome;
use super::output::Output;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let mut script = vec![];
    clap_complete::generate(arguments.shell, &mut super::Cli::command(), "pipe", &mut script);
    output.result(&String::from_utf8_lossy(&script));
    Outcome::Done
}
