//! The shared files of a pipeline: value mappings and defaults by table and column.
//!
//! In: the files that `transforms:` names, JSON or YAML. Out: their nodes by table and column.

use crate::diagnostics::{Diagnostics, SourceMap, Spanned};
use crate::spec::template::Templates;
use crate::spec::{PipelineSpec, Project, read_text, yaml};
use crate::stage::PerColumn;

/// What `transforms: {values, defaults}` give.
#[derive(Debug, Default)]
pub struct Shared {
    pub values: PerColumn,
    pub defaults: PerColumn,
}

/// Reads the files; each problem is reported where the pipeline names the file, or inside it.
pub fn read(
    spec: &PipelineSpec,
    project: &Project,
    templates: &Templates,
    sources: &mut SourceMap,
    out: &mut Diagnostics,
) -> Shared {
    Shared {
        values: read_all(&spec.transforms.values, project, templates, sources, out),
        defaults: read_all(&spec.transforms.defaults, project, templates, sources, out),
    }
}

fn read_all(
    names: &[Spanned<String>],
    project: &Project,
    templates: &Templates,
    sources: &mut SourceMap,
    out: &mut Diagnostics,
) -> PerColumn {
    let mut found = PerColumn::new();
    for name in names {
        let Some(path) = templates.bare(name, out) else { continue };
        let path = project.root.join(path);
        let file = match read_text(sources, &path) {
            Ok(file) => file,
            Err(error) => {
                let diagnostic = out.error("E0107", name.span, error.message.clone());
                for help in error.help {
                    diagnostic.help(help);
                }
                continue;
            }
        };
        let json = path.extension().is_some_and(|e| e == "json");
        let node = if json { yaml::parse_json(sources, file, out) } else { yaml::parse(sources, file, out) };
        let Some(node) = node else { continue };
        let Some(tables) = node.expect_map("a file of transforms", out) else {
            continue;
        };
        for (table, columns) in &tables.entries {
            let Some(columns) = columns.expect_map(&format!("`{}`", table.value), out) else {
                continue;
            };
            let into = found.entry(table.value.clone()).or_default();
            into.extend(columns.entries.iter().map(|(column, node)| (column.value.clone(), node.clone())));
        }
    }
    found
}
