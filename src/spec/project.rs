//! `pipe.yaml`: targets, variables and rules that the pipelines of a folder share.
//!
//! In: the nearest `pipe.yaml` above a pipeline, or nothing. Out: a [`Project`].
//! Does not know about pipelines.

use std::path::{Path, PathBuf};

use super::yaml::{Map, Node, Value};
use crate::diagnostics::{Diagnostics, SourceMap, Span, Spanned};
use crate::error::Error;

/// The name of the file that makes a folder a project.
pub const FILE: &str = "pipe.yaml";

/// What `pipe.yaml` says; everything is optional.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The folder that relative paths start at.
    pub root: PathBuf,
    pub name: Option<String>,
    pub vars: Map,
    pub targets: Vec<TargetSpec>,
    pub default_target: Option<Spanned<String>>,
    /// Rule name and what to do about it, both as written.
    pub rules: Vec<(Spanned<String>, Spanned<String>)>,
}

/// A database that pipelines load into.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    pub name: Spanned<String>,
    pub dialect: Spanned<String>,
    pub schema: Option<String>,
    /// The collation of texts whose contract names none.
    pub collation: Option<Spanned<String>>,
    pub url: Option<Spanned<String>>,
    /// The table of the target that is told of each deployment, if any is.
    pub runs: Option<Spanned<String>>,
}

impl Project {
    /// Finds and reads the project that `pipeline` belongs to.
    ///
    /// Errors: `pipe.yaml` exists but cannot be read.
    pub fn load(sources: &mut SourceMap, pipeline: &Path, out: &mut Diagnostics) -> Result<Project, Error> {
        let folder = pipeline.parent().unwrap_or(Path::new("")).to_path_buf();
        let Some(root) = root_above(pipeline) else {
            return Ok(Project { root: folder, ..Project::default() });
        };
        let mut project = Project { root: root.clone(), ..Project::default() };
        if let Some(node) = super::read_yaml(sources, &root.join(FILE), out)? {
            project.decode(&node, out);
        }
        Ok(project)
    }

    fn decode(&mut self, node: &Node, out: &mut Diagnostics) {
        if node.value == Value::Null {
            return;
        }
        let Some(map) = node.expect_map("`pipe.yaml`", out) else {
            return;
        };
        map.only("`pipe.yaml`", &["project", "vars", "targets", "default_target", "rules"], out);
        self.name = map.get("project").and_then(|n| n.expect_text("`project`", out)).map(|t| t.value);
        if let Some(vars) = map.get("vars").and_then(|n| n.expect_map("`vars`", out)) {
            self.vars = vars.clone();
        }
        if let Some(targets) = map.get("targets").and_then(|n| n.expect_map("`targets`", out)) {
            for (name, body) in &targets.entries {
                self.targets.extend(TargetSpec::decode(name.clone(), body, out));
            }
        }
        self.default_target = map.get("default_target").and_then(|n| n.expect_text("`default_target`", out));
        if let Some(rules) = map.get("rules").and_then(|n| n.expect_map("`rules`", out)) {
            for (rule, level) in &rules.entries {
                if let Some(level) = level.expect_text("a rule's level", out) {
                    self.rules.push((rule.clone(), level));
                }
            }
        }
    }
}

impl TargetSpec {
    /// Reads `{dialect, schema, collation, url, runs}`.
    pub fn decode(name: Spanned<String>, body: &Node, out: &mut Diagnostics) -> Option<TargetSpec> {
        let map = body.expect_map("a target", out)?;
        map.only("a target", &["dialect", "schema", "collation", "url", "runs"], out);
        let Some(dialect) = map.get("dialect") else {
            out.error("E0202", body.span, format!("target `{}` has no `dialect`", name.value))
                .help("Write `dialect: postgres` or `dialect: azure_sql`.");
            return None;
        };
        Some(TargetSpec {
            name,
            dialect: dialect.expect_text("`dialect`", out)?,
            schema: map.get("schema").and_then(|n| n.expect_text("`schema`", out)).map(|t| t.value),
            collation: map.get("collation").and_then(|n| n.expect_text("`collation`", out)),
            url: map.get("url").and_then(|n| n.expect_text("`url`", out)),
            runs: map.get("runs").and_then(|n| n.expect_text("`runs`", out)),
        })
    }

    /// The target of a pipeline that names none, in a folder without any.
    pub fn fallback(span: Span) -> TargetSpec {
        TargetSpec {
            name: Spanned::new("postgres".into(), span),
            dialect: Spanned::new("postgres".into(), span),
            schema: None,
            collation: None,
            url: None,
            runs: None,
        }
    }
}

/// Returns the nearest folder at or above `pipeline`'s that holds a `pipe.yaml`.
fn root_above(pipeline: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(pipeline).ok()?;
    absolute.ancestors().skip(1).find(|folder| folder.join(FILE).is_file()).map(Path::to_path_buf)
}
