//! The `extract` blocks: which files or rows each one means.
//!
//! In: the YAML of `extract`. Out: [`Extract`]s, whose templates are rendered and whose files are listed.
//! Does not open anything: see `source`.

use std::path::{Path, PathBuf};

use crate::check::RowCount;
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::source::{CsvOptions, Request, SourceKind, inline, kind};
use crate::spec::template::Templates;
use crate::spec::yaml::{Map, Node};
use crate::spec::{PipelineSpec, Project};
use crate::types::DataType;

/// One extract, ready to be opened.
#[derive(Clone)]
pub struct Extract {
    pub span: Span,
    pub request: Request,
    pub kind: &'static dyn SourceKind,
    /// `expect: {rows: ...}`.
    pub expected_rows: Option<Spanned<RowCount>>,
}

const KEYS: &[&str] = &["file", "rows", "format", "records", "columns", "csv", "expect"];

/// Reads all `extract` blocks.
pub fn extracts(
    spec: &PipelineSpec,
    project: &Project,
    templates: &Templates,
    limit: Option<u64>,
    out: &mut Diagnostics,
) -> Vec<Extract> {
    let decode = |(name, body): &(Spanned<String>, Node), out: &mut Diagnostics| {
        let mut extract = decode(name, body, project, templates, out)?;
        extract.request.limit = limit;
        Some(extract)
    };
    spec.extracts.iter().filter_map(|block| decode(block, out)).collect()
}

fn decode(
    name: &Spanned<String>,
    body: &Node,
    project: &Project,
    templates: &Templates,
    out: &mut Diagnostics,
) -> Option<Extract> {
    let what = format!("extract `{}`", name.value);
    let map = body.expect_map(&what, out)?;
    map.only(&what, KEYS, out);
    let mut request = Request { name: name.value.clone(), ..Request::default() };
    if let Some(columns) = map.get("columns").and_then(|n| n.expect_map("`columns`", out)) {
        request.pins = pins(columns, out);
    }
    request.records = map.get("records").and_then(|n| n.expect_text("`records`", out)).map(|t| t.value);
    if let Some(csv) = map.get("csv").and_then(|n| n.expect_map("`csv`", out)) {
        request.csv = csv_options(csv, out);
    }
    let expected_rows = map.get("expect").and_then(|n| expectation(n, out));
    let kind = match (map.get("file"), map.get("rows")) {
        (Some(file), None) => {
            let text = file.expect_text("`file`", out)?;
            let pattern = templates.bare(&text, out)?;
            request.files = files(&project.root, &pattern);
            let format = map.get("format").and_then(|n| n.expect_text("`format`", out));
            file_kind(&request.files, format, file.span, out)?
        }
        (None, Some(rows)) => {
            request.rows = rows.expect_list("`rows`", out)?.iter().map(Node::to_json).collect();
            &inline::Inline as &dyn SourceKind
        }
        (Some(_), Some(rows)) => {
            out.error("E0205", rows.span, format!("{what} has `file` and `rows` at once")).help("Keep one of them.");
            return None;
        }
        (None, None) => {
            out.error("E0202", body.span, format!("{what} says neither `file` nor `rows`"))
                .help("Write `file: data/personas.json`, or the rows themselves below `rows:`.");
            return None;
        }
    };
    Some(Extract { span: name.span, request, kind, expected_rows })
}

fn file_kind(
    files: &[PathBuf],
    format: Option<Spanned<String>>,
    span: Span,
    out: &mut Diagnostics,
) -> Option<&'static dyn SourceKind> {
    let first = files.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
    let found = kind(format.as_ref().map(|f| f.value.as_str()), first);
    if found.is_none() {
        let names: Vec<&str> = crate::source::SOURCES.iter().map(|s| s.format()).collect();
        match format {
            Some(format) => out
                .error("E0206", format.span, format!("there is no format `{}`", format.value))
                .suggest(&format.value, names.iter().copied()),
            None => out.error("E0212", span, format!("the suffix of `{}` does not tell its format", first.display())),
        }
        .help(format!("Formats are {}: name one with `format:`.", names.join(", ")));
    }
    found
}

/// Lists the files that a path means: itself, or in order all that match its `*` and `?` in the last part.
fn files(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let path = root.join(pattern);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.contains(['*', '?']) || path.is_file() {
        return vec![path];
    }
    let folder = path.parent().unwrap_or(root);
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|p| p.is_file() && p.file_name().is_some_and(|n| matches(&name, &n.to_string_lossy())))
        .collect();
    found.sort();
    // A pattern that matches nothing stays a path, so that the error names it.
    if found.is_empty() { vec![path] } else { found }
}

/// Matches `*` (any text) and `?` (one character).
fn matches(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let mut reached = vec![false; n.len() + 1];
    reached[0] = true;
    for c in p {
        let mut next = vec![false; n.len() + 1];
        for i in 0..=n.len() {
            next[i] = match c {
                '*' => reached[i] || (i > 0 && next[i - 1]),
                '?' => i > 0 && reached[i - 1],
                c => i > 0 && reached[i - 1] && n[i - 1] == c,
            };
        }
        reached = next;
    }
    reached[n.len()]
}

fn pins(columns: &Map, out: &mut Diagnostics) -> Vec<(String, DataType)> {
    let mut pins = vec![];
    for (name, node) in &columns.entries {
        let Some(text) = node.expect_text("a type", out) else {
            continue;
        };
        match DataType::parse(&text.value) {
            Some(data_type) => pins.push((name.value.clone(), data_type)),
            None => {
                out.error("E0207", text.span, format!("there is no type `{}`", text.value)).suggest(
                    &text.value,
                    ["text", "integer", "bigint", "boolean", "date", "timestamp", "timestamptz", "uuid", "json"],
                );
            }
        }
    }
    pins
}

fn csv_options(map: &Map, out: &mut Diagnostics) -> CsvOptions {
    map.only("`csv`", &["delimiter", "header", "quote", "nulls", "encoding"], out);
    let mut text = |key: &str| map.get(key).and_then(|n| n.expect_text(&format!("`{key}`"), out)).map(|t| t.value);
    let (delimiter, quote, encoding) = (text("delimiter"), text("quote"), text("encoding"));
    let header = map.get("header").and_then(|n| n.expect_boolean("`header`", out)).unwrap_or(true);
    let nulls = map.get("nulls").and_then(|n| n.expect_names("`nulls`", out)).unwrap_or_default();
    CsvOptions { delimiter, header, quote, nulls: nulls.into_iter().map(|t| t.value).collect(), encoding }
}

fn expectation(node: &Node, out: &mut Diagnostics) -> Option<Spanned<RowCount>> {
    let map = node.expect_map("`expect`", out)?;
    map.only("`expect`", &["rows"], out);
    let rows = map.get("rows")?;
    Some(Spanned::new(crate::check::rows::decode_count(rows, out)?, rows.span))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_names() {
        assert!(matches("user_*.json", "user_00001.json"));
        assert!(matches("*.json", ".json"));
        assert!(matches("a?c", "abc"));
        assert!(!matches("a?c", "ac"));
        assert!(!matches("*.json", "a.json5"));
    }
}
