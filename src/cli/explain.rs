//! `pipe explain CODE`: cause, example and fix behind a code; `pipe explain report`: the schema of `run --format json`.

use super::Outcome;
use super::output::Output;
use crate::diagnostics::{closest, codes};
use crate::error::Error;
use crate::report::json;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The code, such as E0203, or `report` for the schema of `run --format json`; without one, all codes are listed
    code: Option<String>,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let Some(wanted) = &arguments.code else {
        let list: String = codes::all().map(|c| format!("{}  {}\n", c.code, c.title)).collect();
        output.result(&list);
        return Outcome::Done;
    };
    if wanted == "report" {
        output.result(json::SCHEMA);
        return Outcome::Done;
    }
    let wanted = wanted.to_uppercase();
    match codes::find(&wanted) {
        Some(code) => {
            output.result(&format!("{}: {}\n\n{}\n", code.code, code.title, code.text.trim()));
            Outcome::Done
        }
        None => {
            let mut error = Error::new("X0106", format!("there is no code `{wanted}`"));
            if let Some(close) = closest(&wanted, codes::all().map(|c| c.code)) {
                error = error.help(format!("Did you mean `{close}`?"));
            }
            output.error(&error.help("`pipe explain` lists all codes."))
        }
    }
}
