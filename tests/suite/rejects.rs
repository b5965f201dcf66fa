//! Wrong specs and the diagnostics that they must give: exactly those that are written in them as comments.
//!
//! A file of `tests/rejects` is a pipeline. `# error[E0421]: part of the message` stands on the line where the diagnostic must begin
//! (`# error[E0421] at titel: ...`: in the column where `titel` begins; `above`: on the line above). Further files follow after lines
//! `--- path ---`; comments are `--` in SQL, `{# #}` in macros, and `//` in JSON, where they are taken out before the file is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Folder, root};

/// Codes that no fixture shows, and why.
const WITHOUT_FIXTURE: &[(&str, &str)] = &[];

/// A diagnostic that a fixture announces or that the program gave.
#[derive(Clone, Debug)]
struct Announced {
    file: String,
    line: u64,
    column: Option<u64>,
    severity: String,
    code: String,
    message: String,
}

impl Announced {
    fn covers(&self, found: &Announced) -> bool {
        let place = self.file == found.file && self.line == found.line && (self.column.is_none() || self.column == found.column);
        place && self.severity == found.severity && self.code == found.code && found.message.contains(&self.message)
    }

    fn shown(&self) -> String {
        let column = self.column.map(|c| format!(":{c}")).unwrap_or_default();
        format!("{}:{}{column}: {}[{}]: {}", self.file, self.line, self.severity, self.code, self.message)
    }
}

struct Fixture {
    path: PathBuf,
    files: Vec<(String, String)>,
    announced: Vec<Announced>,
}

impl Fixture {
    fn read(path: PathBuf) -> Fixture {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut files: Vec<(String, String)> = vec![("pipeline.yaml".to_string(), String::new())];
        for line in text.lines() {
            match line.strip_prefix("--- ").and_then(|l| l.strip_suffix(" ---")) {
                Some(name) => files.push((name.to_string(), String::new())),
                None => files.last_mut().unwrap().1 += &format!("{line}\n"),
            }
        }
        let mut announced = vec![];
        for (name, text) in &mut files {
            for (i, line) in text.lines().enumerate() {
                announced.extend(comments(line, i as u64 + 1, name));
            }
            if name.ends_with(".json") {
                let bare: Vec<&str> = text.lines().map(|l| l.split(" // ").next().unwrap()).collect();
                *text = bare.join("\n");
            }
        }
        Fixture { path, files, announced }
    }

    /// Runs `pipe check` and returns how the outcome differs from what is announced.
    fn judge(&self) -> Vec<String> {
        let folder = Folder::with(&[]);
        for (name, text) in &self.files {
            folder.write(name, text.as_bytes());
        }
        let ran = folder.pipe(&["check", "pipeline.yaml", "--format", "json"]);
        let errors = self.announced.iter().any(|a| a.severity == "error");
        let mut wrong = vec![];
        if ran.code != if errors { 2 } else { 0 } {
            wrong.push(format!("exit code {}\n{}{}", ran.code, ran.out, ran.err));
            return wrong;
        }
        let json = ran.json();
        let list = if errors { &json["diagnostics"] } else { &json["pipelines"][0]["diagnostics"] };
        let mut found: Vec<Announced> = list.as_array().unwrap().iter().map(|d| given(d, folder.path())).collect();
        for announced in &self.announced {
            match found.iter().position(|f| announced.covers(f)) {
                Some(i) => drop(found.remove(i)),
                None => wrong.push(format!("missing:    {}", announced.shown())),
            }
        }
        wrong.extend(found.iter().map(|f| format!("unexpected: {}", f.shown())));
        let ran = folder.pipe(&["run", "pipeline.yaml", "--dry-run", "--format", "json"]);
        if ran.json()["diagnostics"] != *list {
            wrong.push(format!("`run` says something else:\n{}{}", ran.out, ran.err));
        }
        wrong
    }
}

/// Reads what a line's comments announce.
fn comments(line: &str, number: u64, file: &str) -> Vec<Announced> {
    let openers = ["# ", "-- ", "{# ", "// "];
    let mut starts: Vec<(usize, &str)> = vec![];
    for severity in ["error", "warning"] {
        for opener in openers {
            starts.extend(line.match_indices(&format!("{opener}{severity}[")).map(|(at, _)| (at + opener.len(), severity)));
        }
    }
    starts.sort();
    starts.dedup();
    let mut found = vec![];
    for (i, (start, severity)) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(line.len(), |(next, _)| next - 2);
        let text = line[start + severity.len() + 1..end].trim().trim_end_matches("#}").trim();
        let (code, rest) = text.split_once(']').unwrap();
        let (place, message) = rest.split_once(": ").unwrap_or((rest.trim_end_matches(':'), ""));
        let column = place.trim().strip_prefix("at ").map(|word| {
            let at = line.find(word).filter(|at| at < start).unwrap_or_else(|| panic!("{file}:{number}: no `{word}`"));
            line[..at].chars().count() as u64 + 1
        });
        found.push(Announced {
            file: file.to_string(),
            line: if place.trim() == "above" { number - 1 } else { number },
            column,
            severity: severity.to_string(),
            code: code.to_string(),
            message: message.trim().to_string(),
        });
    }
    found
}

/// Reads a diagnostic of `--format json`.
fn given(diagnostic: &serde_json::Value, folder: &Path) -> Announced {
    let text = |key: &str| diagnostic[key].as_str().unwrap().to_string();
    let file = text("file");
    let real = std::fs::canonicalize(folder).unwrap();
    let file =
        [folder, &real].iter().find_map(|f| Path::new(&file).strip_prefix(f).ok()).unwrap_or(Path::new(&file)).to_path_buf();
    let file = file.strip_prefix("./").unwrap_or(&file).to_string_lossy().into_owned();
    let help: Vec<&str> = diagnostic["help"].as_array().unwrap().iter().filter_map(|h| h.as_str()).collect();
    Announced {
        file,
        line: diagnostic["line"].as_u64().unwrap(),
        column: diagnostic["column"].as_u64(),
        severity: text("severity"),
        code: text("code"),
        message: format!("{} {}", text("message"), help.join(" ")).trim().to_string(),
    }
}

fn fixtures() -> Vec<Fixture> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root().join("tests/rejects")).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(Fixture::read).collect()
}

#[test]
fn every_wrong_spec_gives_exactly_its_diagnostics() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for fixture in fixtures() {
        let name = fixture.path.file_name().unwrap().to_string_lossy().into_owned();
        let differences = if name.contains(&only) { fixture.judge() } else { vec![] };
        if !differences.is_empty() {
            wrong.insert(name, differences);
        }
    }
    let shown: Vec<String> = wrong.iter().map(|(name, d)| format!("{name}\n    {}", d.join("\n    "))).collect();
    assert!(wrong.is_empty(), "{} of the fixtures:\n{}", wrong.len(), shown.join("\n"));
}

#[test]
fn every_code_has_a_fixture() {
    let shown: Vec<String> = fixtures().into_iter().flat_map(|f| f.announced).map(|a| a.code).collect();
    let codes: Vec<&str> = pipe::diagnostics::codes::all().map(|c| c.code).filter(|c| !c.starts_with('X')).collect();
    let excused: Vec<&str> = WITHOUT_FIXTURE.iter().map(|(code, _)| *code).collect();
    let has = |code: &&str| shown.iter().any(|s| s == code);
    let missing: Vec<&&str> = codes.iter().filter(|c| !has(c) && !excused.contains(c)).collect();
    assert!(missing.is_empty(), "codes without a fixture: {missing:?}");
    let needless: Vec<&&str> = excused.iter().filter(|c| has(c) || !codes.contains(c)).collect();
    assert!(needless.is_empty(), "excused although shown or unknown: {needless:?}");
    let unknown: Vec<&String> = shown.iter().filter(|s| !codes.contains(&s.as_str())).collect();
    assert!(unknown.is_empty(), "fixtures show codes that are not explained: {unknown:?}");
}
