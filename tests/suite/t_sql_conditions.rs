//! Conditions of Azure SQL in its own words, judged before the load: patterns with sets, COLLATE, and functions that count or compare.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::collations::aside;
use crate::support::Folder;

type Rule = (&'static str, &'static [&'static str]);

/// Loads rows into a table per rule and compares what each sets aside, by its text; gives what was listed as not judged.
fn judged(rules: &[Rule], rows: &[Value]) -> Vec<String> {
    let (mut schema, mut tables) = (String::new(), BTreeMap::new());
    let columns = "a nvarchar(40), u nvarchar(9) COLLATE Latin1_General_100_CI_AS_SC, d date";
    for (i, (rule, _)) in rules.iter().enumerate() {
        schema.push_str(&format!("CREATE TABLE t{i} (id int PRIMARY KEY, {columns}, CHECK ({rule}));\n"));
        tables.insert(format!("t{i}"), json!({"from": "raw", "on_failure": "quarantine", "load": {"mode": "insert"}}));
    }
    let types = json!({"id": "integer", "a": "text", "u": "text", "d": "date"});
    let extract = json!({"raw": {"rows": rows, "columns": types}});
    let pipeline = json!({"target": {"dialect": "azure_sql"}, "extract": extract, "tables": tables});
    let folder = Folder::with(&[("p.yaml", &pipeline.to_string()), ("schemas/t.sql", &schema)]);
    let ran = folder.pipe(&["run", "p.yaml", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for (i, (rule, refused)) in rules.iter().enumerate() {
        let found: Vec<&str> = aside(&folder, &format!("t{i}")).iter().map(|id| rows[*id]["a"].as_str().unwrap()).collect();
        assert_eq!(found, *refused, "{rule}");
    }
    let report = ran.json();
    report["unjudged"].as_array().unwrap().iter().map(|u| u["what"].as_str().unwrap().to_string()).collect()
}

#[test]
fn patterns_with_sets_and_collations_of_their_own_are_judged() {
    let words = ["b1", "B1", "a-9", "D1", "x5", "12", "1a", "Übel7", "b1 ", "50%", "50x", "A_", "abc", "ABC"];
    let rules: [Rule; 8] = [
        ("a LIKE '[a-c]%[0-9]'", &["D1", "x5", "12", "1a", "50%", "50x", "A_", "abc", "ABC"]),
        ("a NOT LIKE '%[^0-9]%'", &["b1", "B1", "a-9", "D1", "x5", "1a", "50%", "50x", "A_", "abc", "ABC"]),
        ("a NOT LIKE '%[%]%' AND a NOT LIKE '%[_]'", &["50%", "A_"]),
        ("a COLLATE Latin1_General_BIN2 LIKE '[A-C]%'", &["b1", "a-9", "D1", "x5", "12", "1a", "50%", "50x", "abc"]),
        ("a = UPPER(a) COLLATE Latin1_General_BIN2", &["b1", "a-9", "x5", "1a", "b1 ", "50x", "abc"]),
        ("a COLLATE Latin1_General_CS_AS <> 'ABC'", &["ABC"]),
        ("a <> 'ABC'", &["abc", "ABC"]),
        // In order, capitals may be between small letters.
        ("a COLLATE Latin1_General_CS_AS LIKE '[a-c]%'", &[]),
    ];
    let rows: Vec<Value> = words.iter().enumerate().map(|(id, a)| json!({"id": id, "a": a, "u": a, "d": null})).collect();
    // Which letters beyond ASCII are in a set, or are capitals, only the database knows.
    let listed: Vec<String> = [0, 1, 3, 4, 7].map(|i: usize| format!("CHECK ({})", rules[i].0)).to_vec();
    assert_eq!(judged(&rules, &rows), listed);
}

#[test]
fn json_is_judged_as_the_server_reads_it() {
    let words = [
        "{}",
        "[1, 2]",
        r#" {"a": "NaN, ]"} "#,
        "[1,]",
        r#"{"a": NaN}"#,
        "[-Infinity]",
        "1",
        r#""x""#,
        "null",
        "{a: 1}",
        "[1",
        "",
        "[1] x",
    ];
    let refused = &["[1,]", r#"{"a": NaN}"#, "[-Infinity]", "1", r#""x""#, "null", "{a: 1}", "[1", "", "[1] x"];
    let rows: Vec<Value> = words.iter().enumerate().map(|(id, a)| json!({"id": id, "a": a, "u": "", "d": null})).collect();
    let rules: [Rule; 2] = [("ISJSON(a) = 1", refused), ("isjson([a])>(0)", refused)];
    assert_eq!(judged(&rules, &rows), Vec::<String>::new());
}

#[test]
fn functions_of_t_sql_count_and_compare_as_it_does() {
    let words = [
        ("ab", "2019-12-31"),
        ("ABC", "2020-01-01"),
        ("", "2020-03-03"),
        ("  ", "2021-01-02"),
        ("🍕🍕", "2021-01-02"),
        ("a@b", "2021-01-02"),
        ("@", "2019-01-02"),
        ("🍕@", "2021-01-02"),
        ("x-y", "2021-01-02"),
    ];
    let rules: [Rule; 10] = [
        ("LEN(a) <= 2", &["ABC", "🍕🍕", "a@b", "🍕@", "x-y"]),
        ("LEN(u) <= 2", &["ABC", "a@b", "x-y"]),
        ("DATALENGTH(a) <= 4", &["ABC", "🍕🍕", "a@b", "🍕@", "x-y"]),
        ("CHARINDEX('@', a) <> 2", &["a@b"]),
        ("CHARINDEX('@', a) = 0", &["a@b", "@", "🍕@"]),
        ("REPLACE(a, '-', '') <> 'XY'", &["x-y"]),
        ("NULLIF(a, '') IS NOT NULL", &["", "  ", "🍕🍕"]),
        ("CASE a WHEN 'abc' THEN 0 ELSE 1 END = 1", &["ABC"]),
        ("YEAR(d) >= 2020 AND MONTH(d) <> DAY(d)", &["ab", "ABC", "", "@"]),
        ("d > CONVERT([date], '2020-01-01')", &["ab", "ABC", "@"]),
    ];
    let rows: Vec<Value> = words.iter().enumerate().map(|(id, (a, d))| json!({"id": id, "a": a, "u": a, "d": d})).collect();
    assert_eq!(judged(&rules, &rows), Vec::<String>::new());
}
