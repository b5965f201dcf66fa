//! Checks of whole tables where a run has only a part of what they speak of, and against a clock that is told.

use std::process::Command;

use crate::support::Folder;

const TWO: &str = "\
target: {dialect: postgres}
extract:
  old: {rows: [{id: 1, n: 1}, {id: 2, n: 2}]}
  new: {rows: [{id: 1, n: 1}, {id: 2, n: 2}]}
tables:
  kept: {from: old, load: {mode: upsert, key: id}}
  other:
    from: new
    validate:
      - total: {column: n, same_as: kept.n}
      - agrees_with: {to: kept, on: id}
      - rows: {same_as: kept}
    load: {mode: upsert, key: id}
";

fn unjudged(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let report = folder.pipe(&[&["run", "p.yaml", "--dry-run", "--format", "json"], arguments].concat()).json();
    assert_eq!(report["status"], "ok", "{report}");
    let line = |u: &serde_json::Value| format!("{} {}", u["what"].as_str().unwrap(), u["why"].as_str().unwrap());
    report["unjudged"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn what_could_not_be_compared_is_said() {
    let folder = Folder::with(&[("p.yaml", TWO)]);
    assert_eq!(unjudged(&folder, &[]), Vec::<String>::new());
    let why = "`kept` is not part of this run (`--select`)";
    assert_eq!(
        unjudged(&folder, &["--select", "other"]),
        [
            format!("total the sum of kept.n {why}"),
            format!("agrees_with the keys and values of kept, by id {why}"),
            format!("rows as many rows as kept {why}"),
        ]
    );
    assert_eq!(
        unjudged(&folder, &["--limit", "1"]),
        ["agrees_with the keys and values of kept, by id both sides are samples (`--limit`)"]
    );
    let text = folder.pipe(&["run", "p.yaml", "--dry-run", "--select", "other"]).out;
    assert!(text.contains("not judged: other total the sum of kept.n: `kept` is not part"), "{text}");
}

#[test]
fn freshness_is_judged_to_the_second() {
    let spec = "target: {dialect: postgres}
extract: {raw: {rows: [{at: '2024-03-01T12:00:00', day: '2024-03-01'}], columns: {at: timestamp, day: date}}}
tables: {t: {from: raw, validate: [{fresh: {at: 2h}}, {fresh: {day: 1d}}]}}
";
    let folder = Folder::with(&[("p.yaml", spec)]);
    let stale = |epoch: i64| -> Vec<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_pipe"))
            .args(["run", "p.yaml", "--dry-run", "--format", "json"])
            .current_dir(folder.path())
            .env("SOURCE_DATE_EPOCH", epoch.to_string())
            .output()
            .unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["violations"].as_array().unwrap().iter().map(|v| v["column"].as_str().unwrap().to_string()).collect()
    };
    let noon = 1_709_294_400;
    assert_eq!(stale(noon), Vec::<String>::new());
    assert_eq!(stale(noon + 7200), Vec::<String>::new(), "two hours are not more than two hours");
    assert_eq!(stale(noon + 7201), ["at"]);
    assert_eq!(stale(noon + 36 * 3600 - 1), ["at"], "of a date the whole day counts");
    assert_eq!(stale(noon + 36 * 3600), ["at", "day"]);
}

#[test]
fn a_sum_that_cannot_be_exact_does_not_pass() {
    let spec = "target: {dialect: postgres}
extract: {raw: {rows: [{n: '1e300'}, {n: '1'}], columns: {n: double}}}
tables: {t: {from: raw, validate: [{total: {column: n, same_as: raw.n}, max: 50%}]}}
";
    let ran = Folder::with(&[("p.yaml", spec)]).pipe(&["run", "p.yaml", "--dry-run"]);
    assert_eq!((ran.code, ran.out.contains("there is no exact sum")), (1, true), "{}{}", ran.out, ran.err);
}

#[test]
fn a_failed_run_lists_nothing_as_loaded() {
    let folder = Folder::with(&[("p.yaml", &TWO.replace("{id: 2, n: 2}]}\ntables", "{id: 2, n: 3}]}\ntables"))]);
    let stages = |arguments: &[&str]| -> Vec<String> {
        let report = folder.pipe(&[&["run", "p.yaml", "--format", "json"], arguments].concat()).json();
        report["ledger"].as_array().unwrap().iter().map(|l| l["stage"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(stages(&[]), ["old.extract", "new.extract", "kept.from", "other.from", "other.validate"]);
    assert_eq!(stages(&["--select", "kept"]).last().map(String::as_str), Some("kept.load"));
}

/// Of many rows without a partner a share is looked at: where it has keys that are nearly equal, all of them are counted.
#[test]
fn nearly_equal_keys_of_many_rows_are_all_counted() {
    let spec = "target: {dialect: postgres}
extract: {here: {file: here.csv}, there: {file: there.csv}}
tables: {met: {from: here, join: {to: there, on: code}, load: {file: met.csv}}}
";
    let rows = |prefix: &str, all: u32| (0..all).fold("code\n".to_string(), |text, i| text + &format!("{prefix}{i}\n"));
    let said = |here: &str| {
        let folder = Folder::with(&[("p.yaml", spec), ("here.csv", here), ("there.csv", &rows("K", 30_000))]);
        folder.pipe(&["run", "p.yaml", "--dry-run"]).out
    };
    let some = said(&(rows("k", 25_000) + "x1\nx2\n"));
    assert!(some.contains("25000 would match but for upper case"), "{some}");
    let none = said(&rows("x", 25_000));
    assert!(none.contains("unmatched left 25000") && !none.contains("would match"), "{none}");
}

/// The script of a replacement refuses rows beyond its scope, so that the run must not let them pass.
#[test]
fn rows_beyond_the_scope_of_a_replacement_are_told() {
    let sorts = [
        ("{tenant: b}", vec!["2", "3"]),
        ("{tenant: \"{{ vars.own }}\", year: 2024}", vec!["2", "3", "4"]),
        ("{flag: true}", vec!["3"]),
        ("{uid: '00000000-0000-4000-8000-00000000000A'}", vec!["2"]),
        ("{tenant: b, uid: nothing}", vec!["2", "3"]),
    ];
    for (scope, wanted) in sorts {
        let spec = format!(
            "target: {{dialect: postgres}}
vars: {{own: b}}
extract:
  raw:
    rows:
      - {{id: 1, tenant: b, year: 2024, flag: true, uid: 00000000-0000-4000-8000-00000000000a}}
      - {{id: 2, tenant: c, year: 2024, flag: true, uid: 00000000-0000-4000-8000-00000000000b}}
      - {{id: 3, tenant: null, year: 2024, flag: false, uid: 00000000-0000-4000-8000-00000000000a}}
      - {{id: 4, tenant: b, year: 2023, flag: true, uid: 00000000-0000-4000-8000-00000000000a}}
tables:
  t: {{from: raw, derive: {{uid: 'uid::UUID'}}, load: {{mode: replace, key: id, scope: {scope}}}}}
"
        );
        let folder = Folder::with(&[("p.yaml", &spec)]);
        let ran = folder.pipe(&["run", "p.yaml", "--format", "json"]);
        assert_eq!(ran.code, 1, "{scope}: {}{}", ran.out, ran.err);
        let report = ran.json();
        let violations = report["violations"].as_array().unwrap();
        let samples = violations.iter().flat_map(|v| v["samples"].as_array().unwrap());
        let mut told: Vec<&str> = samples.map(|s| s["row"]["id"].as_str().unwrap()).collect();
        told.sort_unstable();
        assert_eq!(told, wanted, "{scope}");
        assert!(violations.iter().all(|v| v["why"].as_str().unwrap().contains("`scope`")), "{scope}: {violations:?}");
    }
}

/// Azure SQL compares texts without their case, and so does the check of a scope.
#[test]
fn a_scope_is_compared_as_the_target_does() {
    for (dialect, code) in [("azure_sql", 0), ("postgres", 1)] {
        let spec = format!(
            "target: {{dialect: {dialect}}}\nextract: {{raw: {{rows: [{{id: 1, tenant: 'b '}}, {{id: 2, tenant: B}}]}}}}\n\
             tables: {{t: {{from: raw, load: {{mode: replace, scope: {{tenant: B}}}}}}}}\n"
        );
        let contract = "CREATE TABLE t (id int NOT NULL PRIMARY KEY, tenant varchar(9) NOT NULL);\n";
        let folder = Folder::with(&[("p.yaml", &spec), ("schemas/t.sql", contract), ("pipe.yaml", "project: p\n")]);
        let ran = folder.pipe(&["run", "p.yaml"]);
        assert_eq!(ran.code, code, "{dialect}: {}{}", ran.out, ran.err);
    }
}

/// The help of a join on an expression was no YAML where the expression begins with a name in quotes.
#[test]
fn the_help_of_a_join_on_an_expression_can_be_pasted() {
    let tables =
        "  met: {from: here, join: {to: there, on: 'left.k % 3 = right.k % 3', columns: {other: k}}, load: {file: met.csv}}\n";
    let head = "target: {dialect: postgres}
extract: {here: {rows: [{k: 1}, {k: 2}]}, there: {rows: [{k: 1}, {k: 4}, {k: 5}]}}
tables:
";
    let folder = Folder::with(&[("p.yaml", &format!("{head}{tables}"))]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let pasted: String = ran
        .out
        .lines()
        .filter_map(|l| l.strip_prefix("    ").filter(|l| l.starts_with("  ")))
        .map(|l| format!("{l}\n"))
        .collect();
    assert!(pasted.contains("key_1:") && pasted.contains("distinct: {on: [key_1]}"), "{}", ran.out);
    let mended = tables.replace("to: there", "to: there_by_key").replace("right.k % 3", "right.key_1");
    let folder = Folder::with(&[("p.yaml", &format!("{head}{pasted}{mended}"))]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}
