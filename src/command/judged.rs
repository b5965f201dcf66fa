//! The contracts that a run's rows were judged by, held against the database before these rows are deployed.
//!
//! In: a run, whose record names its contracts, and the project's own. Out: an error where the database refuses or changes what a contract
//! lets pass, or where a contract says something else than at the time of the run; harmless differences are for the log. Deployed from a
//! folder without its project, a run has no contracts at hand, and the database alone judges. Does not know about scripts.

use std::sync::Arc;

use serde_json::{Value, json};

use super::access::Run;
use super::{Failure, compile, schema_diff};
use crate::catalog::{Frame, TableName};
use crate::contract::Contract;
use crate::database::Connection;
use crate::diagnostics::{Diagnostics, SourceMap};
use crate::digest;
use crate::emit::{self, definition::Extras};
use crate::error::Error;
use crate::plan::Plan;
use crate::target;

/// What `run.json` says of a plan's contracts.
pub fn record(plan: &Plan) -> Value {
    let dialect = plan.dialect.name();
    let one = |(name, contract): &(TableName, Arc<Contract>)| json!({"schema": name.schema, "table": name.table, "of": contract.schema, "sha256": content(dialect, contract)});
    schema_diff::loaded(plan).iter().map(one).collect()
}

/// What a contract says, wherever it stands and whatever is written around it.
fn content(dialect: &str, contract: &Contract) -> String {
    let made = emit::find(dialect).map(|d| d.definitions(&[contract], "", Extras::default()).script);
    // What the target says for columns that name none stands in no statement.
    let collations: Vec<&str> = contract.columns.iter().filter_map(|c| c.collation.as_deref()).collect();
    digest::of(made.unwrap_or_default() + &collations.join(" ")).digits()
}

/// The contracts of a run.
#[derive(Default)]
pub struct Judged {
    contracts: Vec<(TableName, Arc<Contract>)>,
    sources: SourceMap,
    dialect: String,
    /// Tables whose contracts are not at hand.
    pub missing: Vec<String>,
}

/// Finds the contracts of a run in its project.
///
/// Errors: one says something else than at the time of the run (`X0522`).
pub fn of(run: &Run) -> Result<Judged, Failure> {
    let recorded = run.record.get("contracts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut judged = Judged { dialect: run.target.dialect.value.clone(), ..Judged::default() };
    let Some(dialect) = target::find(&run.target.dialect.value) else { return Ok(judged) };
    let mut out = Diagnostics::default();
    let known = compile::contracts(&run.project, (&run.target, dialect), &mut judged.sources, &mut out)?;
    if out.has_errors() {
        return Err(Failure::Spec(judged.sources, out.into_sorted()));
    }
    let mut changed = vec![];
    for entry in recorded {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let name = TableName {
            schema: text("schema").unwrap_or_default().to_string(),
            table: text("table").unwrap_or_default().to_string(),
        };
        match known.iter().find(|c| c.table == name.table && c.schema.as_deref() == text("of")) {
            None => judged.missing.push(name.to_string()),
            Some(contract) if text("sha256") != Some(&content(&judged.dialect, contract)) => changed.push(format!("`{name}`")),
            Some(contract) => judged.contracts.push((name, contract.clone())),
        }
    }
    if changed.is_empty() {
        return Ok(judged);
    }
    let error = Error::new(
        "X0522",
        format!("the rows of this run were judged by other contracts than there are now: {}", changed.join(", ")),
    );
    Err(error.help("Run the pipeline again, so that its rows are judged by what the contracts say now.").into())
}

impl Judged {
    /// Compares with the database, in the connection's open transaction, and returns what is to be noted: differences that do no harm.
    ///
    /// Errors: the database is not as a contract says (`X0607`).
    pub fn compare(&self, connection: &mut dyn Connection) -> Result<Vec<String>, Error> {
        if self.contracts.is_empty() {
            return Ok(vec![]);
        }
        let found = match schema_diff::outdated(connection, &self.dialect, &self.contracts, Frame::Open) {
            // Who may load rows need not be allowed to see what is said of them.
            Err(error) if error.code == "X0509" => return Ok(vec![format!("contracts were not compared: {}", error.message)]),
            answered => answered?,
        };
        // A table that is not there is the script's own to tell, with all that is missing.
        let (harmless, harmful): (Vec<_>, Vec<_>) =
            found.differences.iter().filter(|d| d.kind != "table").partition(|d| d.harmless);
        if harmful.is_empty() {
            let note = |d| format!("differs, and does no harm: {}", schema_diff::told(d));
            return Ok(harmless.into_iter().map(note).collect());
        }
        let line = |d: &&crate::catalog::diff::Difference| {
            let (line, column) = self.sources.line_column(d.span);
            format!("\n  {}   --> {}:{line}:{column}", schema_diff::told(d), self.sources.path(d.span.file).display())
        };
        let lines: String = harmful.iter().map(line).collect();
        let mut tables: Vec<&str> = harmful.iter().map(|d| d.table.as_str()).collect();
        tables.dedup();
        let error = Error::new(
            "X0607",
            format!("the database is not as the contracts of this run say, at {}:{lines}", connection.place()),
        );
        Err(error.help(format!(
            "Nothing was changed. Import what the database enforces with `pipe schema import {}` and run the pipeline again, so that its rows are \
             judged by that; or change the database.",
            tables.join(" ")
        )))
    }
}
