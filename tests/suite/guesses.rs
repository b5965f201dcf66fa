//! Delimited files whose head shows other types than what comes later: every value is kept as it stands, and nothing of the attempt remains.

use std::sync::Arc;

use pipe::engine::{Resources, Session};
use pipe::source::csv::Csv;
use pipe::source::{CsvOptions, Request, Scope, SourceKind, Staging};
use pipe::types::DataType;

use crate::support::Folder;

/// More lines than the guess looks at, then one that is not as they are.
fn file(first: usize, last: &str) -> String {
    let lines: String = (first..first + 25_000).map(|i| format!("{i},{i}\n")).collect();
    format!("id,v\n{lines}{last}")
}

/// Opens files as one source; returns its columns, and the tables that the engine holds afterwards.
fn opened(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    sampled(files, None)
}

fn sampled(files: &[(&str, &str)], limit: Option<u64>) -> (Vec<String>, Vec<String>) {
    pinned(files, limit, &[])
}

fn pinned(files: &[(&str, &str)], limit: Option<u64>, pins: &[(&str, DataType)]) -> (Vec<String>, Vec<String>) {
    let folder = Folder::with(files);
    let session = Session::open(&Resources::default(), Arc::default()).unwrap();
    let request = Request {
        name: "raw".to_string(),
        files: files.iter().map(|(name, _)| folder.path().join(name)).collect(),
        records: None,
        pins: pins.iter().map(|(name, pin)| (name.to_string(), pin.clone())).collect(),
        csv: CsvOptions::default(),
        rows: vec![],
        reading: None,
        place: None,
        limit,
        spoken: None,
    };
    let source = Csv.open(&request, Scope::All, &session).unwrap();
    let columns = source.columns().iter().map(|(name, t)| format!("{name} {t}")).collect();
    let tables = session.rows("SELECT table_name FROM duckdb_tables() ORDER BY 1").unwrap();
    (columns, tables.into_iter().flatten().flatten().collect())
}

#[test]
fn a_guess_that_holds_has_loaded_the_rows() {
    let (columns, tables) = opened(&[("a.csv", &file(0, "")), ("b.csv", &file(30_000, ""))]);
    assert_eq!(columns, ["id bigint", "v bigint"]);
    assert_eq!(tables, ["#csv.raw.0", "#csv.raw.1"]);
}

#[test]
fn a_guess_that_fails_leaves_no_table_behind() {
    let (columns, tables) = opened(&[("a.csv", &file(0, "")), ("b.csv", &file(30_000, "60000,late\n"))]);
    assert_eq!(columns, ["id bigint", "v text"]);
    assert_eq!(tables, [""; 0]);
}

#[test]
fn pinned_columns_are_loaded_in_their_types_if_all_values_are_written_so() {
    let pins = [("id", DataType::Decimal(Some((12, 2)))), ("v", DataType::Integer)];
    let (columns, tables) = pinned(&[("a.csv", &file(0, "25000.5,1\n"))], None, &pins);
    assert_eq!(columns, ["id decimal(12,2)", "v integer"]);
    assert_eq!(tables, ["#csv.raw.0"]);

    // Text that the cast takes, or refuses, is left to the cast.
    for last in ["1,007\n", "1,late\n", "1,3000000000\n", "0.125,1\n", "12345678901.5,1\n"] {
        let (columns, tables) = pinned(&[("a.csv", &file(0, last))], None, &pins);
        assert_eq!((columns, tables), (vec!["id text".to_string(), "v text".to_string()], vec![]), "{last}");
    }
    let none = [("id", DataType::Decimal(Some((12, 0)))), ("v", DataType::Text)];
    let (columns, _) = pinned(&[("a.csv", &file(0, ""))], None, &none);
    assert_eq!(columns, ["id decimal(12,0)", "v text"]);
}

#[test]
fn pinned_values_far_behind_the_head_are_told_with_their_line() {
    let pipeline = "
pipeline: p
target: {dialect: postgres}
extract: {raw: {file: raw.csv, columns: {v: integer}}}
tables:
  t: {from: raw, load: {file: t.csv}}
";
    let folder = Folder::with(&[("p.yaml", pipeline), ("raw.csv", &file(0, "25000,late\n25001,007\n"))]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1 row of 25,002") && ran.out.contains("raw.csv line 25002"), "{}", ran.out);
    assert!(!ran.out.contains("007"), "{}", ran.out);
}

/// Typing a sample by the whole file took longer than a run of all its rows.
#[test]
fn a_sample_is_typed_by_the_head_that_it_is_taken_from() {
    let (columns, _) = sampled(&[("a.csv", &file(0, "25000,late\n"))], Some(10));
    assert_eq!(columns, ["id bigint", "v bigint"]);
    let (columns, _) = sampled(&[("a.csv", &file(0, "25000,late\n"))], Some(25_001));
    assert_eq!(columns, ["id bigint", "v text"]);
}

#[test]
fn a_wide_file_is_typed_by_its_head() {
    let names: Vec<String> = (0..40).map(|i| format!("c{i}")).collect();
    let text = format!("{}\n{}\n", names.join(","), vec!["1"; 40].join(","));
    let (columns, tables) = opened(&[("a.csv", &text)]);
    assert!(columns.len() == 40 && columns.iter().all(|c| c.ends_with(" bigint")), "{columns:?}");
    assert_eq!(tables, ["#csv.raw.0"]);
}

/// A whole file is guessed by its head and then verified, a sample is measured by the engine alone.
#[test]
fn a_guess_types_as_the_engine_measures() {
    let values = "true;false;0;-0;12;007;9223372036854775807;9223372036854775808;1.5;-0.25;1.;.5;-;1e3;2024-02-29;2023-02-29;0000-01-01;0001-01-01;9999-12-31;\
        2024-02-29 12:00:00;2024-02-29T12:00:00.5;2024-02-29 24:00:00;2024-02-29 23:59:60;x;True;123456789012345678901234567890;0.00000000000000000001";
    let values: Vec<&str> = values.split(';').collect();
    // Each value alone, and beside the next ones.
    let beside = |i: usize| values[i..].iter().take(3).map(move |other| (i, *other));
    let pairs: Vec<(&str, &str)> = (0..values.len()).flat_map(beside).map(|(i, other)| (values[i], other)).collect();
    let names: Vec<String> = (0..pairs.len()).map(|i| format!("c{i}")).collect();
    for some in pairs.chunks(100) {
        let line = |of: fn(&(&str, &str)) -> String| some.iter().map(of).collect::<Vec<_>>().join(",");
        let text = format!("{}\n{}\n{}\n", names[..some.len()].join(","), line(|p| p.0.to_string()), line(|p| p.1.to_string()));
        let files = [("a.csv", text.as_str())];
        assert_eq!(opened(&files).0, sampled(&files, Some(10)).0, "{some:?}");
    }
}

#[test]
fn values_after_a_failed_guess_are_as_written() {
    let pipeline =
        "target: {dialect: postgres}\nextract: {raw: {file: '*.csv'}}\ntables: {t: {from: raw, load: {file: out.csv}}}\n";
    let folder = Folder::with(&[("p.yaml", pipeline), ("a.csv", &file(0, "")), ("b.csv", &file(30_000, "60000,late\n"))]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let rows = folder.read("out/p/out.csv");
    assert!(rows.lines().count() == 50_002 && rows.ends_with("54999,54999\n60000,late\n"), "{}", rows.lines().last().unwrap());
}

#[test]
fn only_texts_of_few_values_are_stored_by_numbers() {
    let lines: String =
        (0..9_000).map(|i| format!("{i},t{i},{},w{},{}\n", i % 2 == 0, i % 64, if i % 70 == 0 { "z" } else { "" })).collect();
    let folder = Folder::with(&[("raw.csv", &format!("id,text,flag,word,rare\n{lines}"))]);
    let session = Session::open(&Resources::default(), Arc::default()).unwrap();
    let request = Request { name: "raw".to_string(), files: vec![folder.path().join("raw.csv")], ..Request::default() };
    let source = Csv.open(&request, Scope::All, &session).unwrap();
    let columns: Vec<String> = source.columns().iter().map(|(name, t)| format!("{name} {t}")).collect();
    assert_eq!(columns, ["id bigint", "text text", "flag boolean", "word text", "rare text"]);
    let stored = session.rows("SELECT column_name FROM duckdb_columns() WHERE data_type LIKE 'ENUM%' ORDER BY 1").unwrap();
    // Of the last one, too few values were seen.
    assert_eq!(stored, [[Some("word".to_string())]]);
}
