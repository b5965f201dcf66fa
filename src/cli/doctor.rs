//! `pipe doctor`: why a target cannot be used, step by step.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::deploy::Reach;
use super::output::{Output, error_json};
use super::{Format, Outcome};
use crate::command;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output, stopped: &Arc<AtomicBool>) -> Outcome {
    let examined = match command::doctor(&arguments.reach.access(None, output), stopped) {
        Ok(examined) => examined,
        Err(failure) => return output.failure(failure),
    };
    let good = examined.iter().all(|e| e.steps.iter().all(|s| s.found.is_ok()));
    if output.format() == Format::Json {
        let targets: Vec<Value> = examined
            .iter()
            .map(|e| {
                let steps: Vec<Value> = e
                    .steps
                    .iter()
                    .map(|s| match &s.found {
                        Ok(text) => json!({"step": s.name, "ok": true, "found": text}),
                        Err(error) => json!({"step": s.name, "ok": false, "error": error_json(error)}),
                    })
                    .collect();
                json!({"target": e.target, "steps": steps})
            })
            .collect();
        output.json(&json!({"status": if good { "ok" } else { "error" }, "targets": targets}));
    } else {
        let mut text = String::new();
        for e in &examined {
            text += &format!("target {}\n", e.target);
            for step in &e.steps {
                match &step.found {
                    Ok(found) => text += &format!("  ok      {:<10}  {found}\n", step.name),
                    Err(error) => {
                        text += &format!(
                            "  FAILED  {:<10}  [{}] {}\n",
                            step.name,
                            error.code,
                            error.message.replace('\n', "\n          ")
                        );
                        error.help.iter().for_each(|h| text += &format!("          = help: {h}\n"));
                    }
                }
            }
        }
        output.result(&text);
    }
    if good { Outcome::Done } else { Outcome::WorldFailed }
}
