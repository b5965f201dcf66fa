//! `pipe init`: a project to begin with.

use std::path::PathBuf;

use serde_json::json;

use super::output::Output;
use super::{Format, Outcome};
use crate::command;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The folder of the new project
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let written = match command::init(&arguments.folder) {
        Ok(written) => written,
        Err(error) => return output.error(&error),
    };
    if output.format() == Format::Json {
        output.json(&json!({"status": "ok", "written": written}));
    } else if !output.quiet() {
        let list: String = written.iter().map(|path| format!("wrote {}\n", path.display())).collect();
        let there = match arguments.folder.to_str() {
            Some(".") | None => String::new(),
            Some(folder) => format!("cd {folder} && "),
        };
        output.result(&format!("{list}\nNext: {there}pipe run people\n"));
    }
    Outcome::Done
}
