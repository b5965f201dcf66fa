//! Small projects with what a run of them must give.
//!
//! A folder of `tests/cases` is a project with `pipeline.yaml`; the files below its `expected/` are compared with the output of
//! `pipe run`: `stdout.txt`, and any file of the output folder (`deploy.sql`, `quarantine/t.csv`). `UPDATE=1` rewrites those that are
//! there, `stdout.txt`, and `rows.txt`, which has only the rows of `deploy.sql`. With PIPE_TEST_PG (the URL of a server that may be written to) every emitted script is deployed twice.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Folder, Ran, root};

/// A case in a folder of its own.
pub struct Case {
    pub name: String,
    place: PathBuf,
    pub folder: Folder,
}

impl Case {
    pub fn all() -> Vec<Case> {
        let only = std::env::var("ONLY").unwrap_or_default();
        let mut places: Vec<PathBuf> =
            std::fs::read_dir(root().join("tests/cases")).unwrap().map(|e| e.unwrap().path()).collect();
        places.sort();
        let named = |place: PathBuf| Case {
            name: place.file_name().unwrap().to_string_lossy().into_owned(),
            folder: Folder::with(&[]),
            place,
        };
        let cases: Vec<Case> = places.into_iter().map(named).filter(|c| c.name.contains(&only)).collect();
        for case in &cases {
            for file in files(&case.place).into_iter().filter(|f| !f.starts_with("expected")) {
                case.folder.write(&file.to_string_lossy(), &std::fs::read(case.place.join(&file)).unwrap());
            }
        }
        cases
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.folder.pipe(&[&["run", "pipeline.yaml"], arguments].concat())
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out").join(&self.name)
    }

    fn expected(&self) -> PathBuf {
        self.place.join("expected")
    }
}

/// The files below a folder, in order, by their path inside it.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    fn gather(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder.join(below)).into_iter().flatten().flatten() {
            let path = below.join(entry.file_name());
            if folder.join(&path).is_dir() {
                gather(folder, &path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = vec![];
    gather(folder, Path::new(""), &mut found);
    found.sort();
    found
}

/// Takes out what differs between versions of the program and between the folders of two runs.
fn normal(text: &str, folder: &Path) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let bare = text.replace(&format!("{}/", folder.display()), "").replace(&format!("pipe {version}"), "pipe VERSION");
    bare.lines().map(|l| hashes(l) + "\n").collect()
}

/// Replaces the names of runs and the hashes of sources: any run of 16 or more hexadecimal digits without hyphens around it.
fn hashes(line: &str) -> String {
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let (mut out, mut word) = (String::new(), String::new());
    for c in line.chars().chain(['\n']) {
        if c.is_alphanumeric() || c == '-' {
            word.push(c);
            continue;
        }
        let hash = matches!(word.len(), 16 | 64) && word.chars().all(is_hex);
        out += if hash { "HASH" } else { &word };
        word.clear();
        if c != '\n' {
            out.push(c);
        }
    }
    out
}

#[test]
fn every_case_gives_what_is_expected() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = vec![];
    for case in Case::all() {
        let ran = case.run(&[]);
        let stops = ran.out.contains("nothing was emitted");
        if ran.code != i32::from(stops) {
            wrong.push(format!("{}: exit code {}\n{}{}", case.name, ran.code, ran.out, ran.err));
            continue;
        }
        let mut names = files(&case.expected());
        names.extend(["stdout.txt".into()]);
        let copied = !stops && !rows(&case.out().join("deploy.sql")).is_empty();
        names.extend(copied.then(|| "rows.txt".into()));
        names.sort();
        names.dedup();
        for name in names {
            let found = match name.to_str() {
                Some("stdout.txt") => ran.out.clone(),
                Some("rows.txt") => rows(&case.out().join("deploy.sql")),
                _ => std::fs::read_to_string(case.out().join(&name)).unwrap_or_else(|e| format!("{}: {e}", name.display())),
            };
            let found = normal(&found, case.folder.path());
            let place = case.expected().join(&name);
            if update {
                std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                std::fs::write(&place, found).unwrap();
                continue;
            }
            let expected = std::fs::read_to_string(&place).unwrap_or_default();
            if expected != found {
                wrong.push(format!("{} {}:\n{}", case.name, name.display(), difference(&expected, &found)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n(UPDATE=1 rewrites the expected files)", wrong.join("\n"));
}

/// Takes the rows out of a script, each table's below the names of its columns.
fn rows(script: &Path) -> String {
    let (mut out, mut inside) = (String::new(), false);
    for line in std::fs::read_to_string(script).unwrap_or_default().lines() {
        inside = inside || line.starts_with("COPY ");
        if inside {
            out += &format!("{line}\n");
        }
        inside = inside && line != "\\.";
    }
    out
}

/// Shows the first lines in which two texts differ.
fn difference(expected: &str, found: &str) -> String {
    let (mut left, mut right) = (expected.lines(), found.lines());
    let mut shown = vec![];
    loop {
        match (left.next(), right.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => shown.push(format!("  - {}\n  + {}", a.unwrap_or(""), b.unwrap_or(""))),
        }
    }
    shown.truncate(12);
    shown.join("\n")
}

#[test]
fn the_books_of_every_case_balance() {
    for case in Case::all() {
        let report = case.run(&["--dry-run", "--format", "json"]).json();
        let ledger = report["ledger"].as_array().unwrap();
        assert!(!ledger.is_empty(), "{}: no ledger", case.name);
        for line in ledger {
            let number = |v: &serde_json::Value| v.as_u64().unwrap();
            let sum = |key: &str| -> u64 { line[key].as_array().unwrap().iter().map(|p| number(&p["rows"])).sum() };
            let causes = line["added"].as_array().unwrap().iter().chain(line["removed"].as_array().unwrap());
            assert!(causes.into_iter().all(|p| !p["why"].as_str().unwrap().is_empty()), "{}: {line}", case.name);
            assert_eq!(number(&line["in"]) + sum("added"), number(&line["out"]) + sum("removed"), "{}: {line}", case.name);
        }
        assert!(!case.folder.path().join("out").exists(), "{}: a dry run wrote files", case.name);
    }
}

/// Runs `psql` on a database of the test server.
fn psql(url: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("psql").args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]).args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn every_deploy_script_can_be_repeated() {
    let Ok(server) = std::env::var("PIPE_TEST_PG") else { return };
    let mut wrong = vec![];
    for case in Case::all() {
        case.run(&[]);
        let script = case.out().join("deploy.sql");
        let text = std::fs::read_to_string(&script).unwrap_or_default();
        if !text.contains("-- table ") || !text.contains("-- Run with: psql") {
            continue;
        }
        let database = format!("pipe_test_{}_{}", std::process::id(), case.name);
        let (made, text) = psql(&server, &["-c", &format!("CREATE DATABASE {database}")]);
        assert!(made, "{text}");
        let (address, _) = server.rsplit_once('/').unwrap();
        let url = format!("{address}/{database}");
        let mut steps = vec![];
        let own = case.folder.path().join("database.sql");
        let schemas = files(&case.folder.path().join("schemas"));
        match own.exists() {
            true => steps.push(own),
            false => steps.extend(
                schemas
                    .iter()
                    .filter(|s| s.extension().is_some_and(|e| e == "sql"))
                    .map(|s| case.folder.path().join("schemas").join(s)),
            ),
        }
        // A load of new rows only must refuse to run again, and leave everything as it is.
        let only_new = std::fs::read_to_string(&script).unwrap().contains(": insert, ");
        let again = steps.len() + 1;
        steps.extend([script.clone(), script.clone(), case.out().join("verify.sql")]);
        for (i, step) in steps.into_iter().enumerate() {
            let (done, text) = psql(&url, &["-f", &step.display().to_string()]);
            let failed = match i {
                _ if i == again && only_new => done || !text.contains("was this script run before?"),
                _ if step.ends_with("verify.sql") => !done || !text.contains("ok") || text.contains("MISMATCH"),
                _ => !done,
            };
            if failed {
                wrong.push(format!("{}: {}\n{text}", case.name, step.file_name().unwrap().display()));
                break;
            }
        }
        psql(&server, &["-c", &format!("DROP DATABASE {database} WITH (FORCE)")]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
