//! The envelope of one pipeline file: its names and blocks, with the bodies left as YAML.
//!
//! In: a parsed file. Out: a [`PipelineSpec`].
//! Does not know what clauses exist.

use std::path::{Path, PathBuf};

use super::yaml::{Map, Node, Value};
use crate::diagnostics::{Diagnostics, FileId, Spanned};
use crate::error::Error;

/// One pipeline as written.
#[derive(Clone, Debug)]
pub struct PipelineSpec {
    pub path: PathBuf,
    pub file: FileId,
    pub name: Spanned<String>,
    pub description: Option<String>,
    pub target: Option<TargetChoice>,
    pub vars: Map,
    pub transforms: Transforms,
    pub extracts: Vec<(Spanned<String>, Node)>,
    pub tables: Vec<TableSpec>,
}

/// `target:` names one of `pipe.yaml`, or describes one.
#[derive(Clone, Debug)]
pub enum TargetChoice {
    Named(Spanned<String>),
    Inline(Node),
}

/// The files that `transforms:` names.
#[derive(Clone, Debug, Default)]
pub struct Transforms {
    pub values: Vec<Spanned<String>>,
    pub defaults: Vec<Spanned<String>>,
    pub macros: Vec<Spanned<String>>,
}

/// One block of `tables:`.
#[derive(Clone, Debug)]
pub struct TableSpec {
    pub name: Spanned<String>,
    pub clauses: Map,
}

/// Finds the file that `name` means: a path, or a bare name in `pipelines/`.
///
/// Errors: neither exists (X0106).
pub fn locate(name: &Path) -> Result<PathBuf, Error> {
    let mut tried = vec![name.to_path_buf()];
    if name.parent().is_none_or(|p| p.as_os_str().is_empty()) {
        tried.push(Path::new("pipelines").join(name));
    }
    for path in tried.clone() {
        tried.extend(path.extension().is_none().then(|| path.with_extension("yaml")));
    }
    if let Some(found) = tried.iter().find(|p| p.is_file()) {
        return Ok(found.clone());
    }
    let names: Vec<String> = tried.iter().map(|p| format!("`{}`", p.display())).collect();
    Err(Error::new("X0106", format!("there is no pipeline `{}`", name.display()))
        .at(name)
        .help(format!("Looked for {}.", names.join(" and "))))
}

impl PipelineSpec {
    /// Reads the envelope of a pipeline file.
    pub fn decode(path: &Path, node: &Node, out: &mut Diagnostics) -> Option<PipelineSpec> {
        let map = node.expect_map("a pipeline file", out)?;
        map.only("a pipeline", &["pipeline", "description", "target", "vars", "transforms", "extract", "tables"], out);
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let name = map.get("pipeline").and_then(|n| n.expect_text("`pipeline`", out)).unwrap_or(Spanned::new(stem, node.span));
        // The name is that of the folder below `out/`, which must not lead elsewhere.
        if matches!(name.value.trim(), "" | "." | "..") || name.value.contains(|c: char| "/\\:".contains(c) || c.is_control()) {
            out.error("E0217", name.span, format!("the pipeline's name `{}` cannot name a folder", name.value.escape_debug()))
                .help("What a run writes lands in `out/NAME`: leave out `/`, `\\`, `:` and characters that nobody sees.");
        }
        let target = map.get("target").map(|n| match &n.value {
            Value::Map(_) => TargetChoice::Inline(n.clone()),
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text { .. } | Value::List(_) => {
                TargetChoice::Named(n.expect_text("`target`", out).unwrap_or(Spanned::new(String::new(), n.span)))
            }
        });
        let blocks = |key: &str, out: &mut Diagnostics| {
            let found = map.get(key).and_then(|n| n.expect_map(&format!("`{key}`"), out));
            found.map(|m| m.entries.clone()).unwrap_or_default()
        };
        let mut tables = vec![];
        for (name, body) in blocks("tables", out) {
            if let Some(clauses) = body.expect_map(&format!("table `{}`", name.value), out) {
                tables.push(TableSpec { name, clauses: clauses.clone() });
            }
        }
        let extracts = blocks("extract", out);
        if tables.is_empty() && extracts.is_empty() && !out.has_errors() {
            out.error("E0203", node.span, "the pipeline has no `tables`").help("Name at least one table below `tables:`.");
        }
        let mut seen: std::collections::BTreeMap<String, &Spanned<String>> = Default::default();
        for table in &tables {
            let name = &table.name;
            if let Some(first) = seen.get(&name.value.to_lowercase()).filter(|first| first.value != name.value) {
                out.error("E0204", name.span, format!("tables `{}` and `{}` differ only in case", first.value, name.value))
                    .label(first.span, "the first")
                    .help("Give one of them another name; `load: {table: ...}` can still name the target's table.");
            }
            seen.entry(name.value.to_lowercase()).or_insert(name);
            if let Some((extract, _)) = extracts.iter().find(|(e, _)| e.value.to_lowercase() == name.value.to_lowercase()) {
                out.error("E0204", table.name.span, format!("the name `{}` stands for an extract and a table", table.name.value))
                    .label(extract.span, "the extract")
                    .help("Give one of them another name: relations share one list of names.");
            }
        }
        Some(PipelineSpec {
            path: path.to_path_buf(),
            file: node.span.file,
            name,
            description: map.get("description").and_then(|n| n.expect_text("`description`", out)).map(|t| t.value),
            target,
            vars: map.get("vars").and_then(|n| n.expect_map("`vars`", out)).cloned().unwrap_or_default(),
            transforms: map.get("transforms").map(|n| Transforms::decode(n, out)).unwrap_or_default(),
            extracts,
            tables,
        })
    }
}

impl Transforms {
    fn decode(node: &Node, out: &mut Diagnostics) -> Transforms {
        let Some(map) = node.expect_map("`transforms`", out) else {
            return Transforms::default();
        };
        map.only("`transforms`", &["values", "defaults", "macros"], out);
        let mut names = |key: &str| map.get(key).and_then(|n| n.expect_names(&format!("`{key}`"), out)).unwrap_or_default();
        Transforms { values: names("values"), defaults: names("defaults"), macros: names("macros") }
    }
}
