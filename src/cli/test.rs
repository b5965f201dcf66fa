//! `pipe test`: examples of pipelines, each told as it passed or failed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::output::Output;
use super::progress::Bars;
use super::run::CompileArguments;
use super::{Format, Outcome};
use crate::command::{self, Tested};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The test files [default: all in tests/]
    files: Vec<PathBuf>,
    #[command(flatten)]
    common: CompileArguments,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output, stopped: &Arc<AtomicBool>) -> Outcome {
    let files = match command::test_files(&arguments.files) {
        Ok(files) => files,
        Err(error) => return output.error(&error),
    };
    let mut tested: Vec<Tested> = vec![];
    for file in &files {
        let bars = Bars::new(false);
        let result = command::test(file, &arguments.common.options(output), &bars, stopped);
        bars.finish();
        match result {
            Ok(found) => tested.extend(found),
            Err(failure) => return output.failure(failure),
        }
    }
    let failed = tested.iter().filter(|t| !t.problems.is_empty()).count();
    if output.format() == Format::Json {
        let tests: Vec<_> = tested
            .iter()
            .map(|t| json!({"file": t.file, "name": t.name, "passed": t.problems.is_empty(), "problems": t.problems}))
            .collect();
        output.json(&json!({"status": if failed == 0 { "ok" } else { "checks_failed" }, "tests": tests}));
    } else {
        output.result(&text(&tested, failed, output.quiet()));
    }
    if failed == 0 { Outcome::Done } else { Outcome::ChecksFailed }
}

fn text(tested: &[Tested], failed: usize, quiet: bool) -> String {
    if tested.is_empty() {
        return "there is no test: `pipe init` writes an example, `tests/people.yaml`\n".to_string();
    }
    let mut out = String::new();
    for test in tested {
        let word = if test.problems.is_empty() { "ok    " } else { "FAILED" };
        if !quiet || !test.problems.is_empty() {
            out.push_str(&format!("{word}  {}: {}\n", test.file.display(), test.name));
        }
        out.extend(test.problems.iter().map(|problem| format!("          {problem}\n")));
    }
    if !quiet {
        out.push_str(&format!("\n{} passed, {failed} failed\n", tested.len() - failed));
    }
    out
}
