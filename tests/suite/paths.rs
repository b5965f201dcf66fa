//! Relative paths: they start at the project's root, or at the folder of a pipeline without a project, wherever the command is run.

use std::path::Path;

use crate::support::{Folder, pipe_in};

const PIPELINE: &str = "\
pipeline: p
target: {dialect: postgres}
transforms: {values: transforms/values.json}
extract: {raw: {file: 'data/*.csv'}}
tables:
  t:
    from: raw
    map: {id: id, level: {from: level, type: integer}}
    load: [{mode: insert}, {file: flat.csv}]
";

fn project(rows: &str) -> Folder {
    Folder::with(&[
        ("project/pipe.yaml", "project: x\n"),
        ("project/pipelines/p.yaml", PIPELINE),
        ("project/transforms/values.json", r#"{"t": {"level": {"high": "1", "low": "2"}}}"#),
        ("project/schemas/t.sql", "CREATE TABLE t (id integer PRIMARY KEY, level integer NOT NULL);\n"),
        ("project/data/a.csv", rows),
        ("elsewhere/deep/data/a.csv", "id,level\n9,wrong\n"),
        (
            "alone/p.yaml",
            "target: {dialect: postgres}\nextract: {raw: {file: data/a.csv}}\ntables: {t: {from: raw, load: {file: flat.csv}}}\n",
        ),
        ("alone/data/a.csv", rows),
    ])
}

/// Where a command is run, and how the pipeline is named there.
const PLACES: &[(&str, &str)] = &[
    ("project", "p"),
    ("project", "pipelines/p.yaml"),
    ("project/pipelines", "p.yaml"),
    ("project/pipelines", "p"),
    ("project/data", "../pipelines/p.yaml"),
    ("elsewhere/deep", "../../project/pipelines/p.yaml"),
    (".", "project/pipelines/p.yaml"),
];

#[test]
fn a_pipeline_gives_the_same_wherever_it_is_run() {
    let folder = project("id,level\n1,high\n2,low\n");
    let absolute = folder.path().join("project/pipelines/p.yaml").to_string_lossy().into_owned();
    let mut scripts = vec![];
    for (from, name) in PLACES.iter().copied().chain([("elsewhere/deep", absolute.as_str())]) {
        let ran = pipe_in(&folder.path().join(from), &["run", name]);
        assert_eq!(ran.code, 0, "{from}: {name}: {}{}", ran.out, ran.err);
        assert_eq!(folder.read("project/out/p/flat.csv"), "id,level\n1,1\n2,2\n", "{from}: {name}");
        scripts.push(folder.read("project/out/p/deploy.sql"));
        std::fs::remove_dir_all(folder.path().join("project/out")).unwrap();
    }
    assert!(scripts.iter().all(|script| *script == scripts[0]));
    // What the command line names is relative to where it is typed.
    let ran = pipe_in(&folder.path().join("elsewhere/deep"), &["run", "../../project/pipelines/p.yaml", "--out", "here"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(folder.read("elsewhere/deep/here/deploy.sql"), scripts[0]);
    assert!(!folder.path().join("project/out").exists());
}

#[test]
fn a_pipeline_alone_reads_and_writes_beside_itself() {
    let folder = project("id,level\n1,high\n");
    for (from, name) in [("alone", "p.yaml"), ("elsewhere/deep", "../../alone/p.yaml"), (".", "alone/p.yaml")] {
        let ran = pipe_in(&folder.path().join(from), &["run", name]);
        assert_eq!(ran.code, 0, "{from}: {name}: {}{}", ran.out, ran.err);
        assert_eq!(folder.read("alone/out/p/flat.csv"), "id,level\n1,high\n");
        std::fs::remove_dir_all(folder.path().join("alone/out")).unwrap();
    }
}

#[test]
fn what_is_wrong_is_found_from_where_the_command_is_run() {
    let folder = project("id,level\n1,high\n2,middling\n");
    for (from, name) in PLACES {
        let here = folder.path().join(from);
        let ran = pipe_in(&here, &["run", name, "--format", "json"]);
        assert_eq!(ran.code, 1, "{from}: {name}: {}{}", ran.out, ran.err);
        let report = ran.json();
        let sample = &report["violations"][0]["samples"][0];
        let file = sample["file"].as_str().unwrap();
        assert_eq!(sample["origin"], "line 3");
        assert!(here.join(Path::new(file)).is_file(), "{from}: {name}: {file}");
    }
    // A file that is not there is told by the path that was looked at.
    std::fs::remove_file(folder.path().join("alone/data/a.csv")).unwrap();
    let ran = pipe_in(&folder.path().join("elsewhere/deep"), &["run", "../../alone/p.yaml"]);
    assert!(ran.code == 3 && ran.err.contains("../../alone/data/a.csv"), "{}", ran.err);
}
