//! Imports run one way: this table says who may use whom.

use std::path::{Path, PathBuf};

/// Module and the modules of ours that it may use, besides itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("digest", &[]),
    ("stop", &[]),
    ("diagnostics", &["digest"]),
    ("error", &[]),
    ("database", &["diagnostics", "digest", "error", "stop"]),
    ("types", &[]),
    ("expr", &["diagnostics", "types"]),
    ("relation", &["expr"]),
    ("spec", &["diagnostics", "error"]),
    ("sql", &["diagnostics", "expr", "relation", "types"]),
    ("check", &["diagnostics", "expr", "spec", "types"]),
    ("contract", &["check", "diagnostics", "expr", "spec", "types"]),
    ("catalog", &["check", "contract", "database", "diagnostics", "error", "expr", "sql", "types"]),
    ("source", &["database", "digest", "error", "relation", "types"]),
    ("target", &["check", "contract", "diagnostics", "expr", "sql", "types"]),
    ("stage", &["check", "contract", "diagnostics", "expr", "relation", "spec", "target", "types"]),
    (
        "plan",
        &["check", "contract", "diagnostics", "error", "expr", "relation", "source", "spec", "sql", "stage", "target", "types"],
    ),
    ("report", &["diagnostics", "plan"]),
    ("engine", &["check", "diagnostics", "error", "expr", "plan", "relation", "report", "source", "sql", "stage", "types"]),
    ("emit", &["check", "contract", "diagnostics", "error", "expr", "sql", "types"]),
    (
        "command",
        &[
            "catalog",
            "contract",
            "database",
            "diagnostics",
            "digest",
            "emit",
            "engine",
            "error",
            "plan",
            "relation",
            "report",
            "source",
            "spec",
            "stage",
            "stop",
            "target",
            "types",
        ],
    ),
    ("cli", &["command", "diagnostics", "engine", "error", "plan", "report"]),
    ("main", &[]),
    ("lib", &[]),
];

/// Crates that only one place may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("duckdb::", &["src/engine/session.rs"]),
    ("serde_saphyr::", &["src/spec/yaml"]),
    ("annotate_snippets::", &["src/diagnostics/render"]),
    ("minijinja::", &["src/spec/template", "src/report/html"]),
    ("clap::", &["src/cli/"]),
    ("clap_complete::", &["src/cli/"]),
    ("indicatif::", &["src/cli/"]),
    // The dialects have modules of this name.
    ("postgres::", &["src/database/", "src/emit/", "src/target/"]),
    ("rustls::", &["src/database/"]),
    ("tiberius::", &["src/database/azure_sql/"]),
    ("tokio::", &["src/database/azure_sql/"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![];
    sources(&root.join("src"), &mut paths);
    let relative = |p: &Path| p.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    paths.iter().map(|p| (relative(p), std::fs::read_to_string(p).unwrap())).collect()
}

#[test]
fn imports_run_one_way() {
    let mut wrong = vec![];
    for (path, text) in all() {
        let module = path.trim_start_matches("src/").split('/').next().unwrap().trim_end_matches(".rs").to_string();
        let (_, allowed) =
            MAY_USE.iter().find(|(m, _)| *m == module).unwrap_or_else(|| panic!("{path}: `{module}` is not in the table"));
        for line in text.lines().filter(|l| !l.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("crate::") {
                let used: String = line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if used != module && !used.is_empty() && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{path} uses {used}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the floors:\n{}", wrong.join("\n"));
}

#[test]
fn each_foreign_crate_has_its_place() {
    let mut wrong = vec![];
    for (path, text) in all() {
        for (name, places) in ONLY_IN {
            // A module of ours may have the name of a crate.
            let bare = text.replace(&format!("::{name}"), "");
            if bare.contains(name) && !places.iter().any(|p| path.starts_with(p)) {
                wrong.push(format!("{path} names {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_small_enough_to_read() {
    let long: Vec<String> = all()
        .into_iter()
        .map(|(path, text)| (path, text.split("#[cfg(test)]").next().unwrap_or("").lines().count()))
        .filter(|(path, lines)| *lines > 500 && !path.contains("tests"))
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}
