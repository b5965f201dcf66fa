//! The `extract` blocks: which files or rows each one means.
//!
//! In: the YAML of `extract`. Out: [`Extract`]s, whose templates are rendered and whose files are listed.
//! Does not open anything: see `source`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::spoken;
use crate::check::RowCount;
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::source::live::{DATABASES, Reading, Relation, Snapshot};
use crate::source::{CsvOptions, Request, SourceKind, csv_encoding, inline, kind};
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

const KEYS: &[&str] = &["file", "rows", "table", "query", "connection", "format", "records", "columns", "csv", "expect"];
/// The keys that say where the rows are.
const PLACES: &[&str] = &["file", "rows", "table", "query"];

/// Reads all `extract` blocks.
pub fn extracts(
    spec: &PipelineSpec,
    project: &Project,
    templates: &Templates,
    limit: Option<u64>,
    stopped: &Arc<AtomicBool>,
    out: &mut Diagnostics,
) -> Vec<Extract> {
    let mut connections = Connections { project, templates, stopped, open: BTreeMap::new() };
    let mut decode = |(name, body): &(Spanned<String>, Node), out: &mut Diagnostics| {
        let mut extract = decode(name, body, &mut connections, out)?;
        extract.request.limit = limit;
        extract.request.spoken = spoken::of_readers(spec, &name.value);
        Some(extract)
    };
    spec.extracts.iter().filter_map(|block| decode(block, out)).collect()
}

fn decode(name: &Spanned<String>, body: &Node, connections: &mut Connections, out: &mut Diagnostics) -> Option<Extract> {
    let (project, templates) = (connections.project, connections.templates);
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
    let places: Vec<(&str, &Node)> = PLACES.iter().filter_map(|key| Some((*key, map.get(key)?))).collect();
    let kind = match places.as_slice() {
        [("file", file)] => {
            let text = file.expect_text("`file`", out)?;
            let pattern = templates.bare(&text, out)?;
            request.files = files(&project.root, &pattern);
            let format = map.get("format").and_then(|n| n.expect_text("`format`", out));
            file_kind(&request.files, format, file.span, out)?
        }
        [("rows", rows)] => {
            request.rows = rows.expect_list("`rows`", out)?.iter().map(Node::to_json).collect();
            &inline::Inline as &dyn SourceKind
        }
        [("table", table)] => {
            let name = templates.bare(&table.expect_text("`table`", out)?, out)?;
            let parts = name.split('.').map(str::to_string).collect();
            let snapshot = connections.find(&what, map, table, out)?;
            let kind = snapshot.database;
            request.reading = Some(Reading { snapshot, what: Relation::Table(parts) });
            kind as &dyn SourceKind
        }
        [("query", query)] => {
            let text = templates.expression(&query.expect_text("`query`", out)?, out)?.text;
            let snapshot = connections.find(&what, map, query, out)?;
            let kind = snapshot.database;
            request.reading = Some(Reading { snapshot, what: Relation::Query(text) });
            kind as &dyn SourceKind
        }
        [(first, _), (second, node), ..] => {
            out.error("E0205", node.span, format!("{what} has `{first}` and `{second}` at once")).help("Keep one of them.");
            return None;
        }
        _ => {
            out.error("E0202", body.span, format!("{what} says neither `file` nor `rows`, `table` or `query`")).help(
                "Write `file: data/personas.json`, the rows themselves below `rows:`, or `table: orders` and its `connection`.",
            );
            return None;
        }
    };
    Some(Extract { span: name.span, request, kind, expected_rows })
}

/// The databases that extracts read, each at one moment for all of them.
struct Connections<'a> {
    project: &'a Project,
    templates: &'a Templates,
    stopped: &'a Arc<AtomicBool>,
    open: BTreeMap<String, Arc<Snapshot>>,
}

impl Connections<'_> {
    /// Finds the database that an extract names by `connection:`, a target of `pipe.yaml`.
    fn find(&mut self, what: &str, map: &Map, reads: &Node, out: &mut Diagnostics) -> Option<Arc<Snapshot>> {
        let Some(node) = map.get("connection") else {
            out.error("E0202", reads.span, format!("{what} names no `connection`"))
                .help("Name the target of `pipe.yaml` that the rows are read from: `connection: vital`.");
            return None;
        };
        let name = node.expect_text("`connection`", out)?;
        if let Some(known) = self.open.get(&name.value) {
            return Some(known.clone());
        }
        let Some(target) = self.project.targets.iter().find(|t| t.name.value == name.value) else {
            let known = self.project.targets.iter().map(|t| t.name.value.as_str());
            out.error("E0215", name.span, format!("there is no target `{}`", name.value))
                .suggest(&name.value, known)
                .help("Connections are the targets of `pipe.yaml`: `targets: {vital: {dialect: postgres, url: ...}}`.");
            return None;
        };
        let Some(url) = &target.url else {
            out.error("E0202", name.span, format!("target `{}` has no `url`", name.value))
                .label(target.name.span, "the target")
                .help("Add it: `url: \"{{ env.DATABASE_URL }}\"`.");
            return None;
        };
        let url = self.templates.bare(url, out)?;
        let Some(snapshot) = Snapshot::new(&target.dialect.value, &name.value, url, self.stopped.clone()) else {
            let known: Vec<&str> = DATABASES.iter().map(|d| d.format()).collect();
            out.error("E0206", name.span, format!("{what} reads from a database of dialect `{}`", target.dialect.value))
                .label(target.dialect.span, "the dialect")
                .help(format!("Rows can be read from {}; export others to a file, such as Parquet.", known.join(", ")));
            return None;
        };
        let snapshot = Arc::new(snapshot);
        self.open.insert(name.value, snapshot.clone());
        Some(snapshot)
    }
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
    // The folder that the command runs in has no name of its own.
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found: Vec<PathBuf> = std::fs::read_dir(listed)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| folder.join(entry.file_name()))
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
    let mut text = |key: &str| map.get(key).and_then(|n| n.expect_text(&format!("`{key}`"), out));
    let (delimiter, quote, encoding) = (text("delimiter"), text("quote"), text("encoding"));
    if let Some(name) = encoding.as_ref().filter(|name| !csv_encoding::is_known(&name.value)) {
        out.error("E0206", name.span, format!("there is no encoding `{}`", name.value))
            .suggest(&name.value, csv_encoding::NAMES.iter().copied())
            .help(csv_encoding::known());
    }
    let header = map.get("header").and_then(|n| n.expect_boolean("`header`", out)).unwrap_or(true);
    let nulls = map.get("nulls").and_then(|n| n.expect_names("`nulls`", out)).unwrap_or_default();
    let [delimiter, quote, encoding] = [delimiter, quote, encoding].map(|text| text.map(|t| t.value));
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
