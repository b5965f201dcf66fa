//! `pipe profile FILE`: a table of columns for people, a document for tools.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::output::{Output, in_columns};
use super::{Format, Outcome};
use crate::command::{self, Profile};
use crate::engine::Resources;

/// Longer values are cut.
const LONGEST: usize = 30;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A data file
    file: PathBuf,
    /// The format, where the suffix does not tell it
    #[arg(long = "as", value_name = "FORMAT")]
    kind: Option<String>,
    /// The path to the array inside a JSON document
    #[arg(long, value_name = "PATH")]
    records: Option<String>,
    /// The number of threads [default: all]
    #[arg(long, value_name = "N", value_parser = super::threads())]
    threads: Option<usize>,
    /// The memory that may be used before rows spill to disk, such as 2GB
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output, stopped: Arc<AtomicBool>) -> Outcome {
    let resources = Resources { threads: arguments.threads, memory: arguments.memory.clone() };
    let (file, records) = (arguments.file.clone(), arguments.records.clone());
    match command::profile(file, arguments.kind.as_deref(), records, &resources, stopped) {
        Ok(profile) if output.format() == Format::Json => output.json(&document(&profile)),
        Ok(profile) => output.result(&text(&profile)),
        Err(error) => return output.error(&error),
    }
    Outcome::Done
}

fn document(profile: &Profile) -> serde_json::Value {
    let columns = profile.columns.iter().map(|c| {
        json!({
            "name": c.name,
            "type": c.data_type.to_string(),
            "nulls": c.nulls,
            "distinct": c.distinct,
            "min": c.range.as_ref().map(|(min, _)| min),
            "max": c.range.as_ref().map(|(_, max)| max),
            "frequent": c.frequent.iter().map(|(value, rows)| json!({"value": value, "rows": rows})).collect::<Vec<_>>(),
            "unique": c.is_key(profile.rows),
        })
    });
    json!({"status": "ok", "format": profile.format, "rows": profile.rows, "columns": columns.collect::<Vec<_>>()})
}

fn text(profile: &Profile) -> String {
    let head = ["column", "type", "nulls", "distinct", "min", "max", "frequent"].map(String::from).to_vec();
    let rows = profile.columns.iter().map(|c| {
        let (min, max) = c.range.clone().unwrap_or_default();
        let frequent: Vec<String> = c.frequent.iter().map(|(value, rows)| format!("{} ({rows})", short(value))).collect();
        let distinct = if c.is_key(profile.rows) { "unique".to_string() } else { c.distinct.to_string() };
        vec![
            short(&c.name),
            short(&c.data_type.to_string()),
            c.nulls.to_string(),
            distinct,
            short(&min),
            short(&max),
            frequent.join(", "),
        ]
    });
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    format!("{} rows, {}\n\n{}", profile.rows, profile.format, in_columns(&lines))
}

/// A value on one line, without what a terminal would obey.
fn short(value: &str) -> String {
    let plain: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match plain.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}
