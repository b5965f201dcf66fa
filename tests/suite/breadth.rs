//! Pipelines that are much wider or longer than usual: thousands of columns, hundreds of broken rules, hundreds of tables in a chain.

use std::cell::Cell;
use std::sync::Arc;

use pipe::engine::{Resources, Session};
use pipe::error::Error;
use pipe::source::csv::Csv;
use pipe::source::{Deliver, Request, Scope, SourceKind, Staging};
use pipe::types::DataType;

use crate::support::Folder;

/// An engine that counts what it is asked.
struct Counting {
    session: Session,
    asked: Cell<usize>,
}

impl Counting {
    fn engine(&self) -> &Session {
        self.asked.set(self.asked.get() + 1);
        &self.session
    }
}

impl Staging for Counting {
    fn execute(&self, sql: &str) -> Result<(), Error> {
        self.engine().execute(sql)
    }

    fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.engine().rows(sql)
    }

    fn describe(&self, sql: &str) -> Result<Vec<(String, DataType)>, Error> {
        self.engine().describe(sql)
    }

    fn create(&self, table: &str, columns: &[(String, DataType)]) -> Result<(), Error> {
        self.session.create(table, columns)
    }

    fn append(&self, table: &str, produce: &mut dyn FnMut(Deliver) -> Result<(), Error>) -> Result<(), Error> {
        self.engine().append(table, produce)
    }
}

/// The types of a file's columns, and how often the engine was asked for them.
fn opened(columns: usize) -> (Vec<DataType>, usize) {
    let line = |value: &dyn Fn(usize) -> String| (0..columns).map(value).collect::<Vec<_>>().join(",") + "\n";
    let values = ["7", "7.25", "2024-02-29", "true", "x"];
    let text = line(&|i| format!("c{i}")) + &line(&|i| values[i % 5].to_string()).repeat(3);
    let folder = Folder::with(&[("a.csv", &text)]);
    let staging = Counting { session: Session::open(&Resources::default(), Arc::default()).unwrap(), asked: Cell::default() };
    let request = Request { name: "raw".to_string(), files: vec![folder.path().join("a.csv")], ..Request::default() };
    let source = Csv.open(&request, Scope::All, &staging).unwrap();
    (source.columns().iter().map(|(_, data_type)| data_type.clone()).collect(), staging.asked.get())
}

#[test]
fn wide_files_are_typed_without_asking_for_each_column() {
    let ((few, asked), (many, asked_of_many)) = (opened(10), opened(1500));
    let types = [DataType::BigInt, DataType::Decimal(Some((3, 2))), DataType::Date, DataType::Boolean, DataType::Text];
    let repeated = |times: usize| types.iter().cycle().take(5 * times).cloned().collect::<Vec<_>>();
    assert_eq!(few, repeated(2));
    assert_eq!(many, repeated(300));
    assert_eq!(asked, asked_of_many);
}

#[test]
fn each_of_many_broken_rules_shows_its_first_rows() {
    let (rules, rows) = (150, 400);
    let names: Vec<String> = (0..rules).map(|i| format!("c{i}")).collect();
    // Rule `i` is broken by the rows of number `i`, `i + 23`, `i + 46` and so on.
    let breaks = |row: usize, rule: usize| row % 23 == rule % 23 && row >= rule;
    let line = |row: usize| {
        (0..rules).map(|rule| if breaks(row, rule) { format!("-{}", row + 1) } else { "1".to_string() }).collect::<Vec<_>>()
    };
    let lines: String = (0..rows).map(|row| format!("{row},{}\n", line(row).join(","))).collect();
    let checks: String = names.iter().map(|name| format!("      - range: {{{name}: [0, 9]}}\n")).collect();
    let pipeline = format!(
        "pipeline: p\ntarget: {{dialect: postgres}}\nextract: {{raw: {{file: a.csv}}}}\ntables:\n  t:\n    from: raw\n    map:\n      id: id\n{}    validate:\n{checks}    load: {{file: t.csv}}\n",
        names.iter().map(|name| format!("      {name}: {name} * 2\n")).collect::<String>()
    );
    let folder = Folder::with(&[("p.yaml", &pipeline), ("a.csv", &format!("id,{}\n{lines}", names.join(",")))]);
    let ran = folder.pipe(&["run", "p.yaml", "--format", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let report = ran.json();
    let violations = report["violations"].as_array().unwrap();
    assert_eq!(violations.len(), rules);
    for (rule, violation) in violations.iter().enumerate() {
        let broken: Vec<usize> = (0..rows).filter(|row| breaks(*row, rule)).collect();
        assert_eq!(
            (violation["column"].as_str().unwrap(), violation["count"].as_u64().unwrap()),
            (&*names[rule], broken.len() as u64)
        );
        let samples = violation["samples"].as_array().unwrap();
        let shown: Vec<_> = samples.iter().map(|s| (s["value"].as_str().unwrap(), s["origin"].as_str().unwrap())).collect();
        let wanted: Vec<_> =
            broken.iter().take(10).map(|row| (format!("-{}", 2 * row + 2), format!("line {}", row + 2))).collect();
        assert_eq!(shown, wanted.iter().map(|(value, line)| (value.as_str(), line.as_str())).collect::<Vec<_>>(), "rule {rule}");
    }
}

/// Each table is planned over those below it: a chain must neither take the time of all chains within it, nor be deeper than the engine goes.
#[test]
fn long_chains_of_tables_are_made_step_by_step() {
    for (length, clauses, load) in
        [(150, "where: v > 0", ""), (300, "validate: [{range: {v: [0, 1000]}}]", "load: {file: '@.csv'}")]
    {
        let mut pipeline = "pipeline: p\ntarget: {dialect: postgres}\nextract: {raw: {rows: [{id: 1, v: 1}, {id: 2, v: 0}, {id: 3, v: -500}]}}\ntables:\n  t0: {from: raw}\n".to_string();
        for i in 1..=length {
            pipeline += &format!(
                "  t{i}:\n    from: t{}\n    map: {{id: id, v: v + 1}}\n    {clauses}\n    {}\n",
                i - 1,
                load.replace('@', &format!("t{i}"))
            );
        }
        let rows = if load.is_empty() { "where: id > 0" } else { "where: v > 0" };
        pipeline += &format!("  last:\n    from: t{length}\n    {rows}\n    load: {{file: last.csv}}\n");
        let folder = Folder::with(&[("p.yaml", &pipeline)]);
        let ran = folder.pipe(&["run", "p.yaml", "--format", "json"]);
        let left = match load {
            "" => (0, "id,v\n1,151\n"),
            _ => (1, ""),
        };
        assert_eq!(ran.code, left.0, "{clauses}: {}{}", ran.out.chars().take(2000).collect::<String>(), ran.err);
        if left.0 == 0 {
            assert_eq!(folder.read("out/p/last.csv"), left.1);
        } else {
            // The third row is below zero everywhere.
            let report = ran.json();
            let violations = report["violations"].as_array().unwrap();
            assert_eq!((violations.len(), violations[299]["count"].as_u64()), (length, Some(1)));
        }
    }
}

#[test]
fn a_table_may_join_many_others() {
    let joins = 25;
    let extracts: String =
        (0..joins).map(|i| format!("  d{i}: {{rows: [{{id: 1, x{i}: a{i}}}, {{id: 2, x{i}: b{i}}}]}}\n")).collect();
    let joined: String = (0..joins).map(|i| format!("      - {{to: d{i}, on: id}}\n")).collect();
    let pipeline = format!(
        "pipeline: p\ntarget: {{dialect: postgres}}\nextract:\n  raw: {{rows: [{{id: 2}}, {{id: 1}}, {{id: 3}}]}}\n{extracts}tables:\n  t:\n    from: raw\n    join:\n{joined}    load: {{file: t.csv}}\n"
    );
    let folder = Folder::with(&[("p.yaml", &pipeline)]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let line = |of: &dyn Fn(usize) -> String| (0..joins).map(of).collect::<Vec<_>>().join(",");
    let wanted = [line(&|i| format!("x{i}")), line(&|i| format!("b{i}")), line(&|i| format!("a{i}")), line(&|_| String::new())];
    let [head, second, first, none] = wanted;
    assert_eq!(folder.read("out/p/t.csv"), format!("id,{head}\n2,{second}\n1,{first}\n3,{none}\n"));
}
