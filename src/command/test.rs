//! `pipe test`: pipelines against examples, rows in and rows or broken rules out.
//!
//! In: `tests/*.yaml` of a project. Out: a [`Tested`] per example. An example's rows stand in the place of extracts; the rest of the
//! pipeline runs as it is, and nothing is written. Rows are compared by the columns that the example names, in any order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Failure, Options, compile};
use crate::diagnostics::{Diagnostics, Severity, SourceMap, Spanned};
use crate::engine::session::quote;
use crate::engine::{self, Progress};
use crate::error::Error;
use crate::report::RunReport;
use crate::source::{Scope, Staging};
use crate::spec;
use crate::spec::yaml::{Map, Node, Value};

/// What became of an example.
#[derive(Debug)]
pub struct Tested {
    pub file: PathBuf,
    pub name: String,
    /// What is other than the example says; empty if it passed.
    pub problems: Vec<String>,
}

/// An example as its author wrote it.
struct Example {
    name: String,
    given: BTreeMap<String, Node>,
    expect: Vec<(String, Vec<Map>)>,
    /// Rules that must be broken, as `table.column rule`.
    fails: Vec<String>,
}

/// Lists the named files, or all in `tests/`.
pub fn test_files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    super::yaml_files(named, Path::new("tests"))
}

/// Runs all examples of a file.
pub fn test(file: &Path, options: &Options, progress: &dyn Progress, stopped: &Arc<AtomicBool>) -> Result<Vec<Tested>, Failure> {
    let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
    let node = spec::read_yaml(&mut sources, file, &mut out)?;
    let read = node.and_then(|node| decode(&node, &mut out));
    let (pipeline, examples) = match read {
        Some(read) if !out.has_errors() => read,
        _ => return Err(Failure::of(sources, out)),
    };
    let mut tested = vec![];
    for example in examples {
        let options = Options { given: example.given.clone(), ..options.clone() };
        let problems = one(Path::new(&pipeline), &example, &options, progress, stopped)?;
        tested.push(Tested { file: file.to_path_buf(), name: example.name, problems });
    }
    Ok(tested)
}

fn decode(node: &Node, out: &mut Diagnostics) -> Option<(String, Vec<Example>)> {
    let map = node.expect_map("a test file", out)?;
    map.only("a test file", &["pipeline", "tests"], out);
    let (Some(pipeline), Some(tests)) = (map.get("pipeline"), map.get("tests")) else {
        out.error("E0202", node.span, "a test file needs `pipeline` and `tests`")
            .help("Name the pipeline, and below `tests:` each example with its `extract` and `expect`.");
        return None;
    };
    let pipeline = pipeline.expect_text("`pipeline`", out)?;
    let tests = tests.expect_map("`tests`", out)?;
    let examples = tests.entries.iter().map(|(name, body)| example(name, body, out)).collect::<Option<_>>()?;
    Some((pipeline.value, examples))
}

fn example(name: &Spanned<String>, body: &Node, out: &mut Diagnostics) -> Option<Example> {
    let map = body.expect_map("a test", out)?;
    map.only("a test", &["extract", "expect", "fails"], out);
    if map.get("expect").is_none() && map.get("fails").is_none() {
        out.error("E0202", name.span, format!("the test `{}` expects nothing", name.value))
            .help("Say which rows a table must have (`expect: {people: [{name: Ada}]}`), or what must fail (`fails: [people.name not_null]`).");
        return None;
    }
    let given = match map.get("extract") {
        Some(node) => {
            node.expect_map("`extract`", out)?.entries.iter().map(|(n, rows)| (n.value.clone(), rows.clone())).collect()
        }
        None => BTreeMap::new(),
    };
    let mut expect = vec![];
    for (table, rows) in map.get("expect").map_or(Some(&[][..]), |n| Some(&n.expect_map("`expect`", out)?.entries))? {
        let rows = rows.expect_list("the rows of a table", out)?.iter();
        let rows = rows.map(|row| row.expect_map("a row", out).cloned()).collect::<Option<_>>()?;
        expect.push((table.value.clone(), rows));
    }
    let fails = match map.get("fails") {
        Some(node) => node.expect_names("`fails`", out)?.into_iter().map(|f| f.value).collect(),
        None => vec![],
    };
    Some(Example { name: name.value.clone(), given, expect, fails })
}

fn one(
    pipeline: &Path,
    example: &Example,
    options: &Options,
    progress: &dyn Progress,
    stopped: &Arc<AtomicBool>,
) -> Result<Vec<String>, Failure> {
    let compiled = compile::compile(pipeline, options, Scope::All, stopped.clone())?;
    let report = engine::execute(&compiled.plan, &compiled.session, engine::Surroundings::default(), progress)?;
    let mut problems = broken_rules(&report, &example.fails);
    for (table, wanted) in &example.expect {
        if compiled.plan.table(table).is_none() {
            return Err(
                Error::new("X0106", format!("the test `{}` expects rows of `{table}`, which is no table", example.name)).into()
            );
        }
        if wanted.is_empty() {
            let rows = engine::count(&compiled.session, table)?;
            problems.extend((rows > 0).then(|| format!("{table} has {rows} rows, and should have none")));
            continue;
        }
        let mut columns: Vec<&str> = vec![];
        for (name, _) in wanted.iter().flat_map(|row| &row.entries) {
            if !columns.contains(&name.value.as_str()) {
                columns.push(&name.value);
            }
        }
        let list: Vec<String> = columns.iter().map(|c| quote(c)).collect();
        let mut found = compiled.session.rows(&format!("SELECT {} FROM {}", list.join(", "), quote(table)))?;
        for row in wanted {
            let same = |have: &Vec<Option<String>>| {
                columns.iter().zip(have).all(|(c, v)| row.get(c).is_none_or(|w| equal(w, v.as_deref())))
            };
            match found.iter().position(same) {
                Some(at) => drop(found.remove(at)),
                None => problems.push(format!("{table} lacks the row {}", shown(row))),
            }
        }
        for row in found {
            let cells = columns.iter().zip(row).map(|(c, v)| format!("{c}: {}", v.unwrap_or("null".to_string())));
            problems.push(format!("{table} has a row more: {{{}}}", cells.collect::<Vec<_>>().join(", ")));
        }
    }
    Ok(problems)
}

/// Compares the rules that were broken with those that should be.
fn broken_rules(report: &RunReport, fails: &[String]) -> Vec<String> {
    let errors = report.violations.iter().filter(|v| v.severity == Severity::Error);
    let broken: Vec<String> = errors.map(|v| format!("{}.{} {}", v.table, v.columns.join(", "), v.rule)).collect();
    let missing = fails.iter().filter(|f| !broken.contains(f)).map(|f| format!("`{f}` should fail, and holds"));
    let others = broken.iter().filter(|b| !fails.contains(b)).map(|b| format!("`{b}` fails"));
    missing.chain(others).collect()
}

/// Tells whether a value is what the example says; numbers may be written in several ways.
fn equal(wanted: &Node, found: Option<&str>) -> bool {
    let text = match (&wanted.value, found) {
        (Value::Null, found) => return found.is_none(),
        (_, None) => return false,
        (Value::Number(text) | Value::Text { text, .. }, _) => text.clone(),
        (Value::Boolean(boolean), _) => boolean.to_string(),
        (Value::List(_) | Value::Map(_), _) => wanted.to_json().to_string(),
    };
    let found = found.unwrap_or_default();
    let plain = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_string();
    let number = matches!(wanted.value, Value::Number(_)) && text.contains('.') | found.contains('.');
    let pad = |text: &str| if text.contains('.') { plain(text) } else { text.to_string() };
    text == found || number && pad(&text) == pad(found)
}

/// A row as JSON.
fn shown(row: &Map) -> serde_json::Value {
    row.entries.iter().map(|(name, value)| (name.value.clone(), value.to_json())).collect()
}
