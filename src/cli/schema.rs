//! `pipe schema`: contracts from a live database, and where the two differ.

use std::path::PathBuf;

use serde_json::json;

use super::output::Output;
use super::{Format, Outcome};
use crate::command::{self, Destination, Wanted};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Write the contracts of live tables below schemas/
    Import {
        #[command(flatten)]
        tables: Tables,
        /// One file for all tables; `-` only prints [default: one per table below schemas/]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print the statements that make what contracts describe, for PostgreSQL or Azure SQL; what is there stays
    Ddl {
        #[command(flatten)]
        tables: Tables,
        /// With a trigger per table that keeps its column updated_at
        #[arg(long)]
        updated_at: bool,
        /// With the privileges that contracts grant
        #[arg(long)]
        grants: bool,
    },
    /// Compare contracts with the database; exits 1 where they differ
    Diff {
        #[command(flatten)]
        tables: Tables,
    },
}

/// The tables that are meant.
#[derive(clap::Args)]
struct Tables {
    /// Tables, as `table` or `schema.table` [default: those with a contract]
    #[arg(value_name = "TABLE")]
    names: Vec<String>,
    /// The tables that this pipeline loads
    #[arg(long = "for", value_name = "PIPELINE")]
    pipeline: Option<PathBuf>,
    /// Another target of pipe.yaml
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Set a variable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    vars: Vec<String>,
}

impl Tables {
    fn wanted(&self) -> Wanted {
        Wanted { tables: self.names.clone(), pipeline: self.pipeline.clone() }
    }

    fn options(&self, output: &Output) -> command::Options {
        command::Options {
            target: self.target.clone(),
            vars: self.vars.clone(),
            secrets: output.secrets(),
            ..command::Options::default()
        }
    }
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    match &arguments.action {
        Action::Import { tables, out } => import(tables, out.as_ref(), output),
        Action::Ddl { tables, updated_at, grants } => {
            ddl(tables, command::Extras { updated_at: *updated_at, grants: *grants }, output)
        }
        Action::Diff { tables } => diff(tables, output),
    }
}

fn import(tables: &Tables, out: Option<&PathBuf>, output: &mut Output) -> Outcome {
    let to = match out {
        None => Destination::Schemas,
        Some(path) if path.as_os_str() == "-" => Destination::Text,
        Some(path) => Destination::File(path.clone()),
    };
    let done = match command::schema_import(&tables.wanted(), &tables.options(output), &to) {
        Ok(done) => done,
        Err(failure) => return output.failure(failure),
    };
    output.diagnostics(&done.sources, &done.warnings);
    if output.format() == Format::Json {
        let list = done.result.iter().map(|t| {
            json!({"table": t.name, "file": t.path, "columns": t.columns, "checks": t.checks, "unjudged": t.unjudged, "text": t.text})
        });
        let found = output.taken_diagnostics();
        output.json(&json!({"status": "ok", "tables": list.collect::<Vec<_>>(), "diagnostics": found}));
        return Outcome::Done;
    }
    let mut text = String::new();
    for table in &done.result {
        match &table.path {
            None => text.push_str(&table.text),
            Some(path) if !output.quiet() => {
                text.push_str(&format!(
                    "{}: {} columns, {} checks -> {}\n",
                    table.name,
                    table.columns,
                    table.checks,
                    path.display()
                ));
            }
            Some(_) => {}
        }
        for unjudged in table.unjudged.iter().filter(|_| table.path.is_some()) {
            text.push_str(&format!("  not judged: {}\n", unjudged.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    output.result(&text);
    Outcome::Done
}

fn ddl(tables: &Tables, extras: command::Extras, output: &mut Output) -> Outcome {
    let done = match command::schema_ddl(&tables.wanted(), &tables.options(output), extras) {
        Ok(done) => done,
        Err(failure) => return output.failure(failure),
    };
    output.diagnostics(&done.sources, &done.warnings);
    if output.format() == Format::Json {
        let found = output.taken_diagnostics();
        output.json(&json!({"status": "ok", "script": done.result, "diagnostics": found}));
    } else {
        output.result(&done.result);
    }
    Outcome::Done
}

fn diff(tables: &Tables, output: &mut Output) -> Outcome {
    let done = match command::schema_diff(&tables.wanted(), &tables.options(output)) {
        Ok(done) => done,
        Err(failure) => return output.failure(failure),
    };
    output.diagnostics(&done.sources, &done.warnings);
    let found = &done.result;
    let outcome = if found.differences.is_empty() { Outcome::Done } else { Outcome::ChecksFailed };
    let place = |d: &command::Difference| {
        let (line, column) = done.sources.line_column(d.span);
        (done.sources.path(d.span.file).display().to_string(), line, column)
    };
    if output.format() == Format::Json {
        let list = found.differences.iter().map(|d| {
            let (file, line, column) = place(d);
            json!({"table": d.table, "column": d.column, "kind": d.kind, "contract": d.contract, "database": d.database,
                   "file": file, "line": line, "position": column})
        });
        let list: Vec<_> = list.collect();
        let said = output.taken_diagnostics();
        let status = if list.is_empty() { "ok" } else { "different" };
        output.json(&json!({"status": status, "differences": list, "incomparable": found.incomparable, "diagnostics": said}));
        return outcome;
    }
    let mut text = String::new();
    for d in &found.differences {
        let (file, line, column) = place(d);
        let name = d.column.as_ref().map_or(d.table.clone(), |c| format!("{}.{c}", d.table));
        let side = |s: &Option<String>| s.clone().unwrap_or_else(|| "nothing".to_string());
        text.push_str(&format!(
            "{name} {}: {} in the contract, {} in the database   --> {file}:{line}:{column}\n",
            d.kind.replace('_', " "),
            side(&d.contract),
            side(&d.database)
        ));
    }
    for line in &found.incomparable {
        text.push_str(&format!("cannot be compared: {line}\n"));
    }
    if !output.quiet() {
        let count = found.differences.len();
        text.push_str(&match count {
            0 => "contract and database agree\n".to_string(),
            1 => "1 difference\n".to_string(),
            n => format!("{n} differences\n"),
        });
    }
    output.result(&text);
    outcome
}
