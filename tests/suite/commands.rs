//! What the command line promises: exit codes, flags, what is written and what is not.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cases::files;
use crate::support::{Folder, pipe_in};

const PEOPLE: &str = "\
pipeline: people
target: {dialect: postgres}
vars: {team: red}
extract:
  raw: {file: people.csv}
tables:
  person:
    from: raw
    map: {id: id, name: name, team: \"{{ vars.team }}\"}
    validate:
      - range: {id: [1, 100]}
    load: {mode: upsert, key: id}
  letter:
    from: person
    map: {id: id, letter: \"left(name, 1)\"}
    load: {mode: upsert, key: id}
  first:
    from: letter
    where: letter = 'A'
    load: {mode: upsert, key: id}
  other:
    from: raw
    map: {id: id}
    load: {mode: upsert, key: id}
";

const SCHEMA: &str = "\
CREATE TABLE person (id integer PRIMARY KEY, name text NOT NULL, team text NOT NULL);
CREATE TABLE letter (id integer PRIMARY KEY, letter text NOT NULL);
CREATE TABLE first (id integer PRIMARY KEY, letter text NOT NULL);
CREATE TABLE other (id integer PRIMARY KEY);
";

const GOOD: &str = "id,name\n1,Ada\n2,Bob\n3,Cy\n";
const BAD: &str = "id,name\n1,Ada\n2000,Bob\n3,Cy\n";

fn people(rows: &str) -> Folder {
    Folder::with(&[
        ("pipelines/people.yaml", PEOPLE),
        ("pipe.yaml", "project: test\n"),
        ("schemas/people.sql", SCHEMA),
        ("people.csv", rows),
    ])
}

/// The stages of the ledger of a run.
fn stages(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let report = folder.pipe(&[&["run", "people", "--dry-run", "--format", "json"], arguments].concat()).json();
    report["ledger"].as_array().unwrap().iter().map(|l| l["stage"].as_str().unwrap().to_string()).collect()
}

fn loaded(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    stages(folder, arguments).iter().filter_map(|s| s.strip_suffix(".load").map(String::from)).collect()
}

/// Every file below `out`, with its bytes.
fn emitted(folder: &Folder, out: &str) -> Vec<(String, Vec<u8>)> {
    let out = folder.path().join(out);
    files(&out).into_iter().map(|f| (f.to_string_lossy().into_owned(), std::fs::read(out.join(&f)).unwrap())).collect()
}

#[test]
fn exit_codes_tell_whose_turn_it_is() {
    let folder = people(GOOD);
    assert_eq!(folder.pipe(&["run", "people"]).code, 0);
    assert_eq!(folder.pipe(&["check"]).code, 0);
    folder.write("people.csv", BAD.as_bytes());
    assert_eq!(folder.pipe(&["run", "people"]).code, 1, "checks fail");
    assert_eq!(folder.pipe(&["check"]).code, 0, "check does not judge rows");
    std::fs::remove_file(folder.path().join("people.csv")).unwrap();
    let missing = folder.pipe(&["run", "people"]);
    assert_eq!((missing.code, missing.err.contains("X0101")), (3, true), "{}", missing.err);
    folder.write("pipelines/people.yaml", PEOPLE.replace("from: raw", "from: rwa").as_bytes());
    assert_eq!(folder.pipe(&["run", "people"]).code, 2, "the spec is wrong");
    assert_eq!(folder.pipe(&["run", "nobody"]).code, 2, "no such pipeline");
    assert_eq!(folder.pipe(&["run"]).code, 2, "no pipeline");
    assert_eq!(folder.pipe(&["rnu", "people"]).code, 2, "no such command");
    assert_eq!(folder.pipe(&["run", "people", "--nonsense"]).code, 2, "no such flag");
    assert_eq!(folder.pipe(&["--version"]).code, 0);
}

#[test]
fn a_dry_run_writes_nothing() {
    for rows in [GOOD, BAD] {
        let folder = people(rows);
        let before = files(folder.path());
        let ran = folder.pipe(&["run", "people", "--dry-run"]);
        assert_eq!(ran.code, i32::from(rows == BAD), "{}", ran.err);
        assert_eq!(files(folder.path()), before);
        assert!(ran.out.contains("person.validate"), "{}", ran.out);
    }
}

#[test]
fn a_run_writes_its_files_and_names_them() {
    let folder = people(GOOD);
    let ran = folder.pipe(&["run", "people", "--out", "elsewhere"]);
    let names: Vec<String> = emitted(&folder, "elsewhere").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["deploy.sql", "report.html", "rollback.sql", "run.json", "verify.sql"]);
    for name in names.into_iter().filter(|n| n != "report.html") {
        assert!(ran.out.contains(&format!("elsewhere/{name}")), "{}", ran.out);
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_failed_run_leaves_no_script_of_an_earlier_one() {
    let folder = people(GOOD);
    assert_eq!(folder.pipe(&["run", "people"]).code, 0);
    assert!(folder.path().join("out/people/deploy.sql").exists());
    folder.write("people.csv", BAD.as_bytes());
    assert_eq!(folder.pipe(&["run", "people", "--dry-run"]).code, 1);
    assert!(folder.path().join("out/people/deploy.sql").exists(), "a dry run removes nothing");
    assert_eq!(folder.pipe(&["run", "people"]).code, 1);
    let left: Vec<String> =
        emitted(&folder, "out/people").into_iter().map(|(name, _)| name).filter(|n| n.ends_with(".sql")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_failure_of_the_world_leaves_no_script_of_an_earlier_run() {
    let folder = people(GOOD);
    assert_eq!(folder.pipe(&["run", "people"]).code, 0);
    std::fs::remove_file(folder.path().join("people.csv")).unwrap();
    assert_eq!(folder.pipe(&["run", "people"]).code, 3);
    assert!(!folder.path().join("out/people/deploy.sql").exists());
}

#[test]
fn select_takes_a_part() {
    let folder = people(GOOD);
    assert_eq!(loaded(&folder, &[]), ["person", "letter", "first", "other"]);
    assert_eq!(loaded(&folder, &["--select", "letter"]), ["letter"]);
    assert_eq!(loaded(&folder, &["--select", "+letter"]), ["person", "letter"]);
    assert_eq!(loaded(&folder, &["--select", "letter+"]), ["letter", "first"]);
    assert_eq!(loaded(&folder, &["--select", "+letter+"]), ["person", "letter", "first"]);
    assert_eq!(loaded(&folder, &["--select", "letter,other"]), ["letter", "other"]);
    assert_eq!(loaded(&folder, &["--select", "letter", "--select", "other"]), ["letter", "other"]);
    assert!(
        !stages(&folder, &["--select", "other"]).iter().any(|s| s.starts_with("person.")),
        "what nobody needs is not computed"
    );
    let unknown = folder.pipe(&["run", "people", "--select", "lettre"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("Did you mean `letter`?"), "{}", unknown.err);
}

#[test]
fn limit_samples_the_sources() {
    let folder = people(GOOD);
    let report = folder.pipe(&["run", "people", "--dry-run", "--format", "json", "--limit", "2"]).json();
    assert_eq!(report["ledger"][0]["out"], 2, "{}", report["ledger"][0]);
    let none = folder.pipe(&["run", "people", "--dry-run", "--format", "json", "--limit", "0"]).json();
    assert_eq!(none["ledger"][0]["out"], 0);
}

#[test]
fn variables_come_from_the_command_line_before_the_file() {
    let folder = people(GOOD);
    let deploy = |arguments: &[&str]| {
        assert_eq!(folder.pipe(&[&["run", "people"], arguments].concat()).code, 0);
        folder.read("out/people/deploy.sql")
    };
    assert!(deploy(&[]).contains("1\tAda\tred\n"));
    assert!(deploy(&["--var", "team=blue"]).contains("1\tAda\tblue\n"));
    assert!(
        deploy(&["--var", "team=it's = {{ vars.team }}"]).contains("1\tAda\tit's = {{ vars.team }}\n"),
        "data is no template"
    );
    assert_eq!(folder.pipe(&["run", "people", "--var", "team"]).code, 2);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let rows: String = (1..=100).map(|i| format!("{i},name {}\n", i * 7919 % 101)).collect();
    let folder = people(&format!("id,name\n{rows}"));
    for (out, threads) in [("a", "1"), ("b", "8"), ("c", "8")] {
        let ran = folder.pipe(&["run", "people", "--out", out, "--threads", threads]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }
    assert_eq!(emitted(&folder, "a"), emitted(&folder, "b"), "threads");
    assert_eq!(emitted(&folder, "b"), emitted(&folder, "c"), "time");
    let again = people(&format!("id,name\n{rows}"));
    again.pipe(&["run", "people", "--out", "a"]);
    assert_eq!(emitted(&folder, "a"), emitted(&again, "a"), "place");
}

#[test]
fn plan_has_four_forms() {
    let folder = people(GOOD);
    let plan = |format: &str| {
        let ran = folder.pipe(&["plan", "people", "--format", format]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        ran.out
    };
    let text = plan("text");
    assert!(text.contains("letter") && text.contains("SELECT"), "{text}");
    let mermaid = plan("mermaid");
    assert!(mermaid.starts_with("flowchart") || mermaid.starts_with("graph"), "{mermaid}");
    assert!(mermaid.contains("-->"), "{mermaid}");
    let dot = plan("dot");
    assert!(dot.starts_with("digraph") && dot.contains("->") && dot.trim_end().ends_with('}'), "{dot}");
    let json: serde_json::Value = serde_json::from_str(&plan("json")).unwrap();
    let names: Vec<&str> = json["tables"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["person", "letter", "first", "other"]);
}

#[test]
fn explain_knows_every_code() {
    let folder = Folder::with(&[]);
    let list = folder.pipe(&["explain"]);
    assert_eq!(list.code, 0);
    for code in pipe::diagnostics::codes::all() {
        assert!(list.out.contains(code.code), "{} is not listed", code.code);
    }
    let one = folder.pipe(&["explain", "e0203"]);
    assert_eq!(one.code, 0);
    assert!(one.out.starts_with("E0203: "), "{}", one.out);
    let unknown = folder.pipe(&["explain", "E9203"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("Did you mean"), "{}", unknown.err);
}

#[test]
fn json_keeps_its_keys() {
    let keys = |v: &serde_json::Value| -> BTreeSet<String> { v.as_object().unwrap().keys().cloned().collect() };
    let set = |names: &str| -> BTreeSet<String> { names.split(' ').map(String::from).collect() };
    let report = people(BAD).pipe(&["run", "people", "--format", "json"]).json();
    assert!(
        keys(&report)
            .is_superset(&set("status pipeline target dry_run ledger violations unjudged quarantined written diagnostics"))
    );
    assert_eq!(report["status"], "checks_failed");
    assert!(keys(&report["ledger"][0]).is_superset(&set("stage in out added removed notes")));
    let violation = &report["violations"][0];
    assert!(keys(violation).is_superset(&set(
        "table column columns rule constraint severity allowed why count rows demanded_by samples consequences"
    )));
    assert!(keys(&violation["demanded_by"]).is_superset(&set("file line column")));
    assert!(keys(&violation["samples"][0]).is_superset(&set("value row file origin key suggestion")));
    assert_eq!(violation["samples"][0]["value"], "2000");
    assert_eq!(violation["samples"][0]["origin"], "line 3");

    let folder = people(GOOD);
    assert_eq!(folder.pipe(&["run", "people", "--format", "json"]).json()["status"], "ok");
    let record: serde_json::Value = serde_json::from_str(&folder.read("out/people/run.json")).unwrap();
    assert!(keys(&record).is_superset(&set("pipeline run_id tool_version spec_hash target sources tables ledger warnings")));
    let checked = folder.pipe(&["check", "--format", "json"]).json();
    assert!(keys(&checked["pipelines"][0]).is_superset(&set("pipeline status diagnostics")));

    folder.write("pipelines/people.yaml", PEOPLE.replace("from: raw", "from: rwa").as_bytes());
    let wrong = folder.pipe(&["run", "people", "--format", "json"]).json();
    assert_eq!(wrong["status"], "spec_error");
    assert!(
        keys(&wrong["diagnostics"][0])
            .is_superset(&set("code severity message file line column end_line end_column help labels"))
    );
    let missing = folder.pipe(&["run", "nobody", "--format", "json"]).json();
    assert_eq!(missing["status"], "error");
    assert!(keys(&missing["error"]).is_superset(&set("code message file line help")));
}

#[test]
fn check_of_several_pipelines_gives_one_json_document() {
    let folder = people(GOOD);
    folder.write("pipelines/wrong.yaml", b"pipeline: wrong\nextract: {raw: {rows: [{a: 1}]}}\ntables: {t: {from: rwa}}\n");
    folder.write("pipelines/zero.yaml", b"pipeline: zero\n");
    let ran = folder.pipe(&["check", "--format", "json"]);
    assert_eq!(ran.code, 2);
    let json = ran.json();
    let codes: Vec<&str> = json["diagnostics"].as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["E0210", "E0203"]);
}

#[test]
fn quiet_says_only_what_is_wrong() {
    let good = people(GOOD).pipe(&["run", "people", "--quiet"]);
    assert_eq!((good.code, good.out.as_str(), good.err.as_str()), (0, "", ""));
    let checked = people(GOOD).pipe(&["check", "--quiet"]);
    assert_eq!((checked.code, checked.out.as_str(), checked.err.as_str()), (0, "", ""));
    let bad = people(BAD).pipe(&["run", "people", "--quiet"]);
    assert!(bad.out.contains("person.id breaks range"), "{}", bad.out);
    assert!(!bad.out.contains("raw.extract"), "{}", bad.out);
}

#[test]
fn colour_is_only_for_those_who_ask() {
    let folder = people(BAD);
    assert!(!folder.pipe(&["run", "people", "--dry-run"]).out.contains('\u{1b}'));
    assert!(folder.pipe(&["run", "people", "--dry-run", "--color", "always"]).out.contains('\u{1b}'));
}

#[test]
fn secrets_of_the_environment_stay_there() {
    const SECRET: &str = "hunter2-s3cr3t";
    let folder = Folder::with(&[
        (
            "pipe.yaml",
            "targets:\n  main: {dialect: postgres, url: \"postgres://user:{{ env.PIPE_TEST_SECRET }}@localhost/db\"}\n",
        ),
        ("schemas/t.sql", "CREATE TABLE t (id integer PRIMARY KEY, name text CHECK (name <> 'x'));\n"),
        (
            "pipelines/good.yaml",
            "pipeline: good\nvars: {token: \"{{ env.PIPE_TEST_SECRET }}\"}\nextract: {raw: {rows: [{id: 1, name: a}]}}\ntables:\n  t:\n    \
             from: raw\n    where: name <> {{ env.PIPE_TEST_SECRET }}\n    load: {mode: upsert, key: id}\n",
        ),
    ]);
    let good = folder.read("pipelines/good.yaml");
    folder.write(
        "pipelines/failing.yaml",
        good.replace("name: a", "name: x").replace("pipeline: good", "pipeline: failing").as_bytes(),
    );
    folder.write("pipelines/refused.yaml", good.replace("where: name <>", "where: name + 1 <>").as_bytes());
    folder.write("pipelines/broken.yaml", good.replace("where: name <>", "where: name <> (").as_bytes());
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pipe"))
            .args(arguments)
            .current_dir(folder.path())
            .env("PIPE_TEST_SECRET", SECRET)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!text.contains(SECRET), "{arguments:?}: {text}");
        output.status.code().unwrap()
    };
    assert_eq!(run(&["run", "good"]), 0);
    assert_eq!(run(&["run", "failing"]), 1);
    for pipeline in ["good", "failing", "refused", "broken"] {
        for format in ["text", "json"] {
            for command in ["check", "plan", "run"] {
                run(&[command, pipeline, "--format", format]);
            }
        }
    }
    run(&["plan", "good", "--format", "dot"]);
    run(&["plan", "good", "--format", "mermaid"]);
    for (name, bytes) in emitted(&folder, "out") {
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_writes_nothing() {
    let folder = people(GOOD);
    let mut file = std::io::BufWriter::new(std::fs::File::create(folder.path().join("people.csv")).unwrap());
    writeln!(file, "id,name").unwrap();
    for i in 0..4_000_000 {
        writeln!(file, "{},name of {i}", i % 100 + 1).unwrap();
    }
    file.into_inner().unwrap();
    for wait in [150, 600] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pipe"))
            .args(["run", "people", "--threads", "1"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let pressed = Instant::now();
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let code = child.wait().unwrap().code();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(code, Some(130), "after {wait} ms: {text}");
        assert!(pressed.elapsed() < Duration::from_secs(5), "took {:?}", pressed.elapsed());
        let left = files(&folder.path().join("out"));
        assert!(left.is_empty(), "after {wait} ms: {left:?}");
    }
}

#[test]
fn a_lone_pipeline_file_runs() {
    let folder = Folder::with(&[("lone.yaml", "extract: {raw: {rows: [{a: 1}]}}\ntables: {t: {from: raw}}\n")]);
    let ran = folder.pipe(&["run", "lone.yaml"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let inside = pipe_in(&folder.path().join("out"), &["run", "../lone.yaml", "--dry-run"]);
    assert_eq!(inside.code, 0, "{}", inside.err);
}

/// None is no number of threads, and is not taken for one.
#[test]
fn threads_are_at_least_one() {
    let folder = Folder::with(&[
        ("p.yaml", "target: {dialect: postgres}\nextract: {raw: {rows: [{a: 1}]}}\ntables: {t: {from: raw}}\n"),
        ("a.csv", "a\n1\n"),
    ]);
    for command in [["run", "p.yaml"], ["profile", "a.csv"]] {
        for (threads, code) in [("0", 2), ("-1", 2), ("many", 2), ("1", 0), ("3", 0)] {
            let ran = folder.pipe(&[command[0], command[1], &format!("--threads={threads}")]);
            assert_eq!(ran.code, code, "{command:?} {threads}: {}{}", ran.out, ran.err);
            assert!(code == 0 || ran.err.contains("--threads"), "{}", ran.err);
        }
    }
}
