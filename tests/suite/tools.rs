//! The commands around a run: a new project, a file's profile, the lineage of columns, completions.

use crate::support::{Folder, pipe_in, root};

#[test]
fn a_new_project_runs_and_is_never_overwritten() {
    let folder = Folder::with(&[]);
    let made = folder.pipe(&["init", "new"]);
    assert_eq!((made.code, made.out.contains("cd new && pipe run people")), (0, true), "{}{}", made.out, made.err);
    let new = folder.path().join("new");
    let ran = pipe_in(&new, &["run", "people"]);
    assert_eq!((ran.code, ran.out.contains("every check passed"), ran.err.as_str()), (0, true, ""), "{}{}", ran.out, ran.err);
    assert!(folder.read("new/out/people/deploy.sql").contains("ada@example.com"));
    // Its check can fail, and the schema is really read.
    folder.write("new/data/people.csv", b"name,email,joined,team\nEve,eve@example.com,1999-01-01,sales\n");
    let ran = pipe_in(&new, &["run", "people"]);
    assert_eq!((ran.code, ran.out.matches("error: people.").count()), (1, 2), "{}", ran.out);
    folder.write("new/pipe.yaml", b"project: mine\n");
    let again = folder.pipe(&["init", "new"]);
    assert_eq!((again.code, again.err.contains("error[X0108]")), (3, true), "{}", again.err);
    assert_eq!(folder.read("new/pipe.yaml"), "project: mine\n");
}

#[test]
fn a_profile_describes_every_column() {
    let folder = Folder::with(&[
        ("people.csv", "id,name,age,seen\n1,Ada,36,2024-01-02\n2,Bob,,2024-01-01\n3,Ada,7,2023-12-31\n"),
        ("nested.json", r#"{"people": [{"tags": ["a"], "n": 1.50}, {"tags": [], "n": 2}]}"#),
        ("notes.txt", "a"),
    ]);
    let profile = folder.pipe(&["profile", "people.csv", "--format", "json"]).json();
    assert_eq!((&profile["rows"], &profile["format"]), (&3.into(), &"csv".into()));
    let column = |i: usize| profile["columns"][i].clone();
    assert_eq!((&column(0)["name"], &column(0)["type"], &column(0)["unique"]), (&"id".into(), &"bigint".into(), &true.into()));
    assert_eq!(column(1)["frequent"], serde_json::json!([{"value": "Ada", "rows": 2}]));
    assert_eq!((&column(2)["nulls"], &column(2)["min"], &column(2)["max"]), (&1.into(), &"7".into(), &"36".into()));
    assert_eq!((&column(3)["type"], &column(3)["distinct"]), (&"date".into(), &3.into()));
    let text = folder.pipe(&["profile", "people.csv"]).out;
    assert!(text.starts_with("3 rows, csv\n\ncolumn  type"), "{text}");
    assert!(text.contains("name    text    0      2         Ada         Bob         Ada (2)"), "{text}");
    let nested = folder.pipe(&["profile", "nested.json", "--records", "people", "--format", "json"]).json();
    assert_eq!((&nested["columns"][0]["type"], &nested["columns"][0]["min"]), (&"text[]".into(), &serde_json::Value::Null));
    assert_eq!(nested["columns"][1]["max"], "2.00");
    assert_eq!(folder.pipe(&["profile", "notes.txt"]).code, 2, "no format");
    assert_eq!(folder.pipe(&["profile", "nobody.csv"]).code, 3, "no file");
}

#[test]
fn examples_are_run_and_compared() {
    let folder = Folder::with(&[]);
    folder.pipe(&["init"]);
    let ran = folder.pipe(&["test"]);
    assert_eq!((ran.code, ran.out.contains("2 passed, 0 failed")), (0, true), "{}{}", ran.out, ran.err);
    assert!(!folder.path().join("out").exists(), "a test writes nothing");
    let wrong = "pipeline: people
tests:
  other rows:
    extract: {raw: [{name: Ada, email: a@b, joined: 2021-03-01, team: eng}, {name: Bob, email: b@b, joined: 2021-03-01, team: ops}]}
    expect: {people: [{name: Ada, team: operations}, {name: Bob, team: operations}]}
  nothing fails:
    extract: {raw: [{name: Ada, email: a@b, joined: 2021-03-01, team: eng}]}
    fails: [people.name not_null]
  something fails:
    extract: {raw: [{name: Ada, email: a@b, joined: 1999-03-01, team: eng}]}
    expect: {people: []}
";
    folder.write("tests/people.yaml", wrong.as_bytes());
    let tests = folder.pipe(&["test", "--format", "json"]).json()["tests"].clone();
    let problems = |i: usize| -> Vec<String> {
        tests[i]["problems"].as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_string()).collect()
    };
    let lacks = r#"people lacks the row {"name":"Ada","team":"operations"}"#;
    assert_eq!(problems(0), [lacks, "people has a row more: {name: Ada, team: engineering}"]);
    assert_eq!(problems(1), ["`people.name not_null` should fail, and holds"]);
    assert_eq!(problems(2), ["`people.joined_on expr` fails", "people has 1 rows, and should have none"]);
    assert_eq!(folder.pipe(&["test"]).code, 1);
    folder.write("tests/people.yaml", b"pipeline: people\ntests: {a: {extract: {rwa: []}, expect: {people: []}}}");
    let unknown = folder.pipe(&["test"]);
    assert_eq!((unknown.code, unknown.err.contains("has no extract `rwa`")), (2, true), "{}", unknown.err);
    folder.write("tests/people.yaml", b"pipeline: people\ntests: {a: {extrct: {}}}");
    let wrong = folder.pipe(&["test"]);
    assert_eq!((wrong.code, wrong.err.contains("Did you mean `extract`?")), (2, true), "{}", wrong.err);
}

const TWO: &str = "\
extract: {raw: {rows: [{id: 1, first: Ada, last: L, goals: [{text: a}]}]}}
tables:
  person: {from: raw, map: {id: id, name: first || last}}
  letter: {from: person, map: {id: id, initial: 'left(name, 1)'}}
  goal: {from: raw, unnest: goals, map: {text: text, person: parent.id}}
";

#[test]
fn lineage_tells_where_columns_come_from_and_what_they_feed() {
    let folder = Folder::with(&[("p.yaml", TWO)]);
    let trace = |column: &str| folder.pipe(&["lineage", "p.yaml", column]).out;
    assert_eq!(trace("person.name"), "person.name\n  from  raw.first\n  from  raw.last\n  feeds letter.initial\n");
    assert_eq!(trace("letter.initial"), "letter.initial\n  from  raw.first\n  from  raw.last\n");
    assert_eq!(trace("raw.goals"), "raw.goals\n  feeds goal.text\n");
    assert_eq!(trace("raw.id"), "raw.id\n  feeds person.id\n  feeds letter.id\n  feeds goal.person\n");
    let all = folder.pipe(&["lineage", "p.yaml", "--format", "json"]).json();
    let names: Vec<&str> = all["columns"].as_array().unwrap().iter().map(|c| c["column"].as_str().unwrap()).collect();
    assert_eq!(names, ["person.id", "person.name", "letter.id", "letter.initial", "goal.text", "goal.person"]);
    let unknown = folder.pipe(&["lineage", "p.yaml", "person.nam"]);
    assert_eq!((unknown.code, unknown.err.contains("Did you mean `person.name`?")), (2, true), "{}", unknown.err);
}

#[test]
fn shells_learn_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = pipe_in(&root(), &["completions", shell]);
        assert_eq!(ran.code, 0);
        for word in ["profile", "lineage", "format-rows", "dry-run"] {
            assert!(ran.out.contains(word), "{shell} does not know {word}");
        }
    }
    let folder = Folder::with(&[("c.bash", &pipe_in(&root(), &["completions", "bash"]).out)]);
    // The script is one that the shell can read, and it completes.
    let script = "source c.bash && COMP_WORDS=(pipe pro) COMP_CWORD=1 && _pipe pipe pro pipe && echo \"${COMPREPLY[@]}\"";
    let output = std::process::Command::new("bash").args(["-c", script]).current_dir(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "profile\n", "{}", String::from_utf8_lossy(&output.stderr));
}
