//! What the commands `pipe schema ...` share: the project, its contracts, and the tables that are asked for.
//!
//! In: names of tables, or a pipeline whose tables they are. Out: a [`Scene`], and contracts of what the database has.
//! Does not know what is done with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Access, Failure, Options, Secrets, access, compile};
use crate::catalog::{Imported, TableName};
use crate::contract::{Contract, ddl};
use crate::database::{self, Connection};
use crate::diagnostics::{Diagnostic, Diagnostics, SourceMap, Span, Spanned};
use crate::error::Error;
use crate::spec::yaml::Map;
use crate::spec::{self, PipelineSpec, Project, TargetSpec, pipeline, project};
use crate::target::Target;

/// What is asked for: tables by name, or those that a pipeline loads; neither is all that there are contracts for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub tables: Vec<String>,
    pub pipeline: Option<PathBuf>,
}

/// What a command gave, with what is to be said about the texts that it read.
pub struct Finished<T> {
    pub result: T,
    pub sources: SourceMap,
    pub warnings: Vec<Diagnostic>,
}

/// A project with its contracts and the target that is meant.
pub(super) struct Scene {
    pub(super) project: Project,
    pub(super) target: TargetSpec,
    pub(super) dialect: &'static dyn Target,
    pub(super) contracts: Vec<Arc<Contract>>,
    pub(super) sources: SourceMap,
    pub(super) out: Diagnostics,
    spec: PipelineSpec,
    vars: Vec<String>,
    secrets: Secrets,
}

impl Scene {
    /// Reads the project of a pipeline, or of the current folder.
    pub(super) fn load(wanted: &Wanted, options: &Options) -> Result<Scene, Failure> {
        let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
        let path = match &wanted.pipeline {
            Some(name) => pipeline::locate(name)?,
            None => PathBuf::from(project::FILE),
        };
        let project = Project::load(&mut sources, &path, &mut out)?;
        let spec = match &wanted.pipeline {
            Some(_) => {
                let node = spec::read_yaml(&mut sources, &path, &mut out)?;
                node.and_then(|node| PipelineSpec::decode(&path, &node, &mut out))
            }
            None => Some(nothing(&mut sources)),
        };
        let Some(spec) = spec else { return Err(Failure::of(sources, out)) };
        let Some((target, dialect)) = compile::choose_target(&spec, &project, options, &mut out) else {
            return Err(Failure::of(sources, out));
        };
        let contracts = compile::contracts(&project, (&target, dialect), &mut sources, &mut out)?;
        if out.has_errors() {
            return Err(Failure::of(sources, out));
        }
        let (vars, secrets) = (options.vars.clone(), options.secrets.clone());
        Ok(Scene { project, target, dialect, contracts, sources, out, spec, vars, secrets })
    }

    /// The schema of names that have none.
    pub(super) fn schema(&self) -> &str {
        self.target.schema.as_deref().unwrap_or(self.dialect.usual_schema())
    }

    /// The tables that are asked for by name or by pipeline, each once.
    pub(super) fn names(&self, wanted: &Wanted) -> Result<Vec<TableName>, Error> {
        let mut names: Vec<TableName> = vec![];
        for text in &wanted.tables {
            let name = TableName::parse(text, self.schema());
            names.push(name.ok_or_else(|| {
                Error::new("X0106", format!("`{text}` is not the name of a table"))
                    .help("Write `table`, `schema.table`, or `\"a.b\".\"c\"` where a name holds a dot.")
            })?);
        }
        for block in &self.spec.tables {
            let loads = block.clauses.get("load").map(|body| crate::stage::destinations(&block.name.value, body));
            for (schema, table) in loads.into_iter().flatten() {
                names.push(TableName { schema: schema.unwrap_or_else(|| self.schema().to_string()), table });
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        Ok(names)
    }

    /// The name of a contract's table in the database.
    pub(super) fn name_of(&self, contract: &Contract) -> TableName {
        let schema = contract.schema.clone().unwrap_or_else(|| self.schema().to_string());
        TableName { schema, table: contract.table.clone() }
    }

    /// The contracts that are asked for; without any names, all.
    ///
    /// Errors: there is no contract for a table that is named (X0603).
    pub(super) fn chosen(&self, wanted: &Wanted) -> Result<Vec<Arc<Contract>>, Error> {
        let names = self.names(wanted)?;
        if names.is_empty() && wanted.pipeline.is_none() {
            return Ok(self.contracts.clone());
        }
        let find = |name: &TableName| self.contracts.iter().find(|c| self.name_of(c) == *name).cloned();
        let without: Vec<String> = names.iter().filter(|n| find(n).is_none()).map(|n| format!("`{n}`")).collect();
        if without.is_empty() {
            return Ok(names.iter().filter_map(find).collect());
        }
        Err(Error::new("X0603", format!("there is no contract for {}", without.join(", ")))
            .help("Write one below `schemas/`, or import it: `pipe schema import NAME`."))
    }

    /// Opens the target's database.
    pub(super) fn connect(&mut self) -> Result<Box<dyn Connection>, Failure> {
        let dialect = &self.target.dialect.value;
        let access = Access { vars: self.vars.clone(), secrets: self.secrets.clone(), ..Access::default() };
        let address = access::address(&self.target, &self.project, &self.spec.name.value, &access, &mut self.sources)?;
        Ok(database::connect(dialect, &address, &database::Options::default())?)
    }
}

/// A pipeline that loads nothing, for commands that are about a project.
fn nothing(sources: &mut SourceMap) -> PipelineSpec {
    let file = sources.add(project::FILE, "");
    PipelineSpec {
        path: PathBuf::from(project::FILE),
        file,
        name: Spanned::new("schema".to_string(), Span { file, start: 0, end: 0 }),
        description: None,
        target: None,
        vars: Map::default(),
        transforms: pipeline::Transforms::default(),
        extracts: vec![],
        tables: vec![],
    }
}

/// A live table as a contract.
pub(super) struct Live {
    pub(super) contract: Option<Contract>,
    /// What the reader of schema files could not make out.
    pub(super) unread: Vec<String>,
}

/// Reads imported texts as the schema files that they are.
pub(super) fn read_back(found: &[Imported], flavor: ddl::Flavor) -> Vec<Live> {
    let mut sources = SourceMap::default();
    let files: Vec<_> = found.iter().map(|t| sources.add(Path::new("database"), t.text.as_str())).collect();
    let mut out = Diagnostics::default();
    let contracts = ddl::read_all(&sources, &files, flavor, &mut out);
    let said = out.into_sorted();
    let live = |(table, file): (&Imported, &crate::diagnostics::FileId)| {
        let is = |c: &&Contract| c.table == table.name.table && c.schema.as_deref() == Some(&table.name.schema);
        let unread = said.iter().filter(|d| d.span.file == *file).map(|d| format!("{}: {}", d.message, sources.snippet(d.span)));
        Live { contract: contracts.iter().find(is).cloned(), unread: unread.collect() }
    };
    found.iter().zip(&files).map(live).collect()
}
