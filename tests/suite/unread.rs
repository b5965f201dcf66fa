//! Columns of a delimited file that no table speaks of: they are not loaded, and nobody can tell.

use std::sync::Arc;

use pipe::engine::{Resources, Session};
use pipe::source::csv::Csv;
use pipe::source::{Request, Scope, SourceKind, Staging};

use crate::support::Folder;

const CSV: &str = "id,name,Price,note\n3,c,30,x\n1,a,10,\n2,b,20,x\n4,a,10,y\n";
const JSON: &str = "{\"id\": 3, \"name\": \"c\", \"Price\": 30, \"note\": \"x\"}
{\"id\": 1, \"name\": \"a\", \"Price\": 10, \"note\": null}
{\"id\": 2, \"name\": \"b\", \"Price\": 20, \"note\": \"x\"}
{\"id\": 4, \"name\": \"a\", \"Price\": 10, \"note\": \"y\"}
";

#[test]
fn what_no_table_names_is_not_loaded() {
    let folder = Folder::with(&[("raw.csv", CSV)]);
    let session = Session::open(&Resources::default(), Arc::default()).unwrap();
    let spoken = Some("id\nsum(price)\n".to_string());
    let files = vec![folder.path().join("raw.csv")];
    let request = Request { name: "raw".to_string(), files, spoken, ..Request::default() };
    let source = Csv.open(&request, Scope::All, &session).unwrap();
    assert_eq!(source.columns().len(), 4);
    let stored = session.rows("SELECT column_name FROM (DESCRIBE \"#csv.raw.0\")").unwrap();
    assert_eq!(stored, [["id"], ["Price"]].map(|row| row.map(|name| Some(name.to_string()))));

    // Should a table read more than it says, it fails instead of reading something else.
    session.execute("CREATE TABLE raw (x integer)").unwrap();
    source.load("raw", &session).unwrap();
    assert_eq!(session.number("SELECT sum(\"Price\") FROM raw").unwrap(), 70);
    let error = session.rows("SELECT name FROM raw").unwrap_err();
    assert!(error.message.contains("column name was not loaded"), "{}", error.message);
}

/// Tables that read the file, each with what it reads; the column that must not be lost stands there in some way or another.
const TABLES: &[&str] = &[
    "t: {from: raw, map: {id: id, p: Price}, load: {file: t.csv}}",
    "t: {from: raw, map: {id: id, p: PRICE * 2}, load: {file: t.csv}}",
    "t: {from: raw, map: {id: id, price: price}, default: {price: 0}, load: {file: t.csv}}",
    "t: {from: raw, map: {id: id, price: {from: '\"Price\"', type: integer}}, load: {file: t.csv}}",
    "t: {from: raw, where: price > 10, map: {id: id}, load: {file: t.csv}}",
    "t: {from: raw, derive: {twice: price * 2}, map: {id: id, x: twice}, load: {file: t.csv}}",
    "t: {from: raw, load: {file: t.csv}}",
    "t: {from: raw, map: {name: name}, distinct: {on: name, order_by: Price desc}, load: {file: t.csv}}",
    "t: {from: raw, map: {id: id}, distinct: true, load: {file: t.csv}}",
    "t: {from: raw, group_by: name, map: {name: name, top: 'arg_max(note, price)'}, load: {file: t.csv}}",
    "t: {from: raw, map: {id: id, x: '{{ twice() }}'}, load: {file: t.csv}}",
    "t: {from: raw, map: {id: id, x: {from: id, apply: times}}, load: {file: t.csv}}",
    "t: {sql: SELECT * FROM raw ORDER BY id, load: {file: t.csv}}",
    "{u: {from: raw, map: {id: id}}, t: {from: u, map: {id: id, n: n}, join: {to: v, on: id}, load: {file: t.csv}}, v: {from: raw, map: {id: id, n: note}}}",
    "t: {from: raw, map: {id: id, other: n}, join: {to: raw, on: left.id = right.price / 10, columns: {n: note}}, load: {file: t.csv}}",
    "t: {from: raw, map: {id: id, other: n}, join: {to: raw, on: left.price = right.price, expect: many_to_many, columns: {n: id}}, load: {file: t.csv}}",
    "t: {union: [raw, raw], load: {file: t.csv}}",
    "t: {from: raw, unpivot: {columns: [name, note], name: what, value: said}, map: {id: id, what: what, p: price}, load: {file: t.csv}}",
    "{t: {from: raw, map: {id: id}, load: {file: t.csv}}, s: {from: raw, map: {name: name, price: price}, validate: [agrees_with: {to: raw, on: name}]}}",
    "{t: {from: raw, map: {id: id}, load: {file: t.csv}}, s: {from: t, map: {id: id}, validate: [total: {column: id, same_as: raw.Price}]}}",
    "{t: {from: raw, map: {id: id}, load: {file: t.csv}}, s: {from: t, map: {id: id}, validate: [references: {id: raw.Price}]}}",
    "t: {from: raw, map: {id: id}, validate: [{rows: {same_as: raw}}, {expr: id < 9}], on_failure: quarantine, load: {file: t.csv}}",
];

const MACROS: &str = "{% macro twice() %}Price * 2{% endmacro %}{% macro times(x) %}{{ x }} * Price{% endmacro %}";

#[test]
fn whatever_a_table_reads_is_loaded() {
    for tables in TABLES {
        let tables =
            tables.strip_prefix('{').and_then(|t| t.strip_suffix('}')).filter(|_| tables.starts_with('{')).unwrap_or(tables);
        let run = |file: &str| {
            let text = format!(
                "target: {{dialect: postgres}}\ntransforms: {{macros: macros.j2}}\nextract: {{raw: {{file: {file}}}}}\ntables: {{{tables}}}\n"
            );
            let folder = Folder::with(&[("p.yaml", &text), ("raw.csv", CSV), ("raw.ndjson", JSON), ("macros.j2", MACROS)]);
            let ran = folder.pipe(&["run", "p.yaml"]);
            let rows = if ran.code == 0 { folder.read("out/p/t.csv") } else { String::new() };
            (ran.code, rows, format!("{}{}", ran.out, ran.err))
        };
        let (read, expected) = (run("raw.csv"), run("raw.ndjson"));
        assert_eq!((read.0, &read.1), (expected.0, &expected.1), "{tables}\n{}\n{}", read.2, expected.2);
        assert!([0, 1].contains(&read.0) && !read.2.contains("was not loaded"), "{tables}\n{}", read.2);
    }
}

#[test]
fn faults_of_lines_are_found_in_columns_that_nobody_reads() {
    let rows = |last: &str| format!("id,note,more\n{}{last}", (0..20_000).map(|i| format!("{i},x,y\n")).collect::<String>());
    let text = "target: {dialect: postgres}\nextract: {raw: {file: raw.csv}}\ntables: {t: {from: raw, map: {id: id}, load: {file: t.csv}}}\n";
    for last in ["20000,x\n", "20000,x,y,z\n", "20000,\"x,y\n20001,x,y\n", "20000,\"x\"z,y\n"] {
        let folder = Folder::with(&[("p.yaml", text), ("raw.csv", &rows(last))]);
        let ran = folder.pipe(&["run", "p.yaml"]);
        assert!(ran.code == 3 && ran.err.contains("raw.csv:20002"), "{last}: {} {}", ran.code, ran.err);
    }
}
