//! `load: {file: flat.csv}`: rows written to a file besides, or instead of, a target's table.
//!
//! In: one mapping of `load`. Out: a [`FilePlan`]. Does not write anything.

use std::path::{Component, Path};

use super::lowering::Lowering;
use crate::diagnostics::Span;
use crate::spec::yaml::Map;

/// A file that a table's rows are written to.
#[derive(Clone, Debug, PartialEq)]
pub struct FilePlan {
    pub span: Span,
    /// As written; a relative path starts at the run's output folder.
    pub path: String,
    pub format: FileFormat,
}

/// How rows are laid out in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    Csv,
    Parquet,
    /// One list of objects.
    Json,
    /// One object per line.
    Ndjson,
}

/// Every format with its name and the suffixes that tell it.
const FORMATS: &[(FileFormat, &str, &[&str])] = &[
    (FileFormat::Csv, "csv", &["csv"]),
    (FileFormat::Parquet, "parquet", &["parquet", "pq"]),
    (FileFormat::Json, "json", &["json"]),
    (FileFormat::Ndjson, "ndjson", &["ndjson", "jsonl"]),
];

/// Files that a run writes itself.
const TAKEN: &[&str] = &["deploy.sql", "views.sql", "rollback.sql", "verify.sql", "run.json", "report.html", "deploy.log"];

impl FileFormat {
    pub fn name(self) -> &'static str {
        FORMATS.iter().find(|(format, ..)| *format == self).map_or("csv", |(_, name, _)| name)
    }
}

/// Reads the sink of `load` that has the key `file`.
pub fn decode(map: &Map, cx: &mut Lowering) -> Option<FilePlan> {
    map.only("a file of `load`", &["file", "format"], cx.out);
    let written = map.get("file")?.expect_text("`file`", cx.out)?;
    let path = cx.templates.bare(&written, cx.out)?;
    let inside = |path: &Path| path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    let place = Path::new(&path);
    if path.trim().is_empty() || place.file_name().is_none() {
        cx.out.error("E0450", written.span, "`file` names no file").help("Write a file's name, such as `flat.csv`.");
        return None;
    }
    if !place.is_absolute() && !inside(place) {
        cx.out
            .error("E0450", written.span, format!("the file `{path}` leaves the run's output folder"))
            .help("A relative path stays below the output folder; write an absolute one for another place.");
        return None;
    }
    if TAKEN.iter().any(|name| place == Path::new(".").join(name) || place == Path::new(name)) {
        cx.out.error("E0451", written.span, format!("the run itself writes `{path}`")).help("Give the file another name.");
        return None;
    }
    let names: Vec<&str> = FORMATS.iter().map(|(_, name, _)| *name).collect();
    let help = format!("Formats are {}: name one with `format:`.", names.join(", "));
    let found = match map.get("format") {
        Some(node) => {
            let text = node.expect_text("`format`", cx.out)?;
            let found = FORMATS.iter().find(|(_, name, _)| *name == text.value);
            if found.is_none() {
                let diagnostic =
                    cx.out.error("E0206", text.span, format!("files are not written in the format `{}`", text.value));
                diagnostic.suggest(&text.value, names.iter().copied()).help(help);
            }
            found
        }
        None => {
            let suffix = place.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
            let found = FORMATS.iter().find(|(.., suffixes)| suffixes.contains(&suffix.as_str()));
            if found.is_none() {
                cx.out.error("E0212", written.span, format!("the suffix of `{path}` does not tell its format")).help(help);
            }
            found
        }
    };
    let (format, ..) = found?;
    Some(FilePlan { span: written.span, path, format: *format })
}
