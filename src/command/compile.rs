//! From a file's name to a plan: the one chain that every command begins with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rayon::prelude::*;

use super::variables::Variables;
use super::{Failure, Secrets};
use crate::contract::{self, Contract};
use crate::diagnostics::{Diagnostic, Diagnostics, SourceMap, Span, Spanned};
use crate::digest;
use crate::engine::{Resources, Session};
use crate::error::Error;
use crate::plan::{self, ExtractPlan, Inputs, Plan, Selection};
use crate::source::{Scope, Staging};
use crate::spec::pipeline::{self, TargetChoice};
use crate::spec::template::Templates;
use crate::spec::yaml::{self, Map, Node, Value};
use crate::spec::{self, PipelineSpec, Project, TargetSpec};
use crate::stop::Watch;
use crate::target::{self, Target};
use crate::types::DataType;

/// What the command line says about compiling.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub target: Option<String>,
    /// `name=value`.
    pub vars: Vec<String>,
    pub select: Vec<String>,
    pub limit: Option<u64>,
    pub resources: Resources,
    /// Rows that stand in the place of extracts.
    pub given: BTreeMap<String, Node>,
    /// Where the values of the environment that templates use are noted.
    pub secrets: Secrets,
}

/// A pipeline without errors, and the session that its sources are staged in.
pub struct Compiled {
    pub project: Project,
    pub plan: Plan,
    pub session: Arc<Session>,
    pub sources: SourceMap,
    pub warnings: Vec<Diagnostic>,
    /// SHA-256 of every text that the plan was made from.
    pub spec_hash: String,
    /// Ends the session's work when Ctrl-C is pressed.
    pub watch: Watch,
}

/// Reads, resolves and types a pipeline: files, names, contracts, sources, plan.
pub fn compile(name: &Path, options: &Options, scope: Scope, stopped: Arc<AtomicBool>) -> Result<Compiled, Failure> {
    if let Some(threads) = options.resources.threads {
        // A pool that is there already was made for an earlier pipeline of the same command, with the same number.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build_global();
    }
    let mut sources = SourceMap::default();
    let mut out = Diagnostics::default();
    let path = pipeline::locate(name)?;
    let project = Project::load(&mut sources, &path, &mut out)?;
    let node = spec::read_yaml(&mut sources, &path, &mut out)?;
    let spec = node.and_then(|node| PipelineSpec::decode(&path, &node, &mut out));
    let Some(mut spec) = spec else { return Err(Failure::of(sources, out)) };
    give(&mut spec, &options.given)?;
    let Some((target, dialect)) = choose_target(&spec, &project, options, &mut out) else {
        return Err(Failure::of(sources, out));
    };
    let variables = Variables {
        declared: &[&project.vars, &spec.vars],
        given: &options.vars,
        place: spec.name.span,
        secrets: &options.secrets,
    };
    let templates = templates(&spec, &project, &variables, &target.name.value, &mut sources, &mut out)?;
    let contracts = contracts(&project, (&target, dialect), &mut sources, &mut out)?;
    let mut extracts = plan::extracts(&spec, &project, &templates, options.limit, &stopped, &mut out);
    for extract in &mut extracts {
        extract.request.place = Some((sources.path(extract.span.file).to_path_buf(), sources.line_column(extract.span).0));
    }
    if out.has_errors() {
        // Sources are only opened for a spec that can be run; what can be told without them is told now.
        plan::survey(&spec, &project, &templates, &mut sources, &mut out);
        return Err(Failure::of(sources, out));
    }
    let namespace = namespace(&spec, &variables, &mut out);
    let session = Arc::new(Session::open(&options.resources, stopped)?);
    // Sources are read to find their types, which may take long.
    let watch = watch(session.clone());
    let opened = match open_sources(extracts, scope, &session) {
        Ok(opened) => opened,
        Err(error) if error.is_interrupted() => return Err(error.into()),
        Err(error) => {
            // A wrong spec is the author's to mend, whatever became of the sources.
            plan::survey(&spec, &project, &templates, &mut sources, &mut out);
            return Err(if out.has_errors() { Failure::of(sources, out) } else { error.into() });
        }
    };
    moving(&opened, &mut out);
    let selection = Selection { patterns: options.select.clone() };
    let names: Vec<&str> = spec.tables.iter().map(|t| t.name.value.as_str()).collect();
    if let Some((unknown, close)) = selection.unknown(&names) {
        let mut error = Error::new("X0106", format!("`--select {unknown}`: there is no table of this name"));
        if let Some(close) = close {
            error = error.help(format!("Did you mean `{close}`?"));
        }
        return Err(error.into());
    }
    let inputs = Inputs {
        project: &project,
        spec: &spec,
        target,
        dialect,
        contracts: &contracts,
        templates: &templates,
        binder: &*session,
        selection,
        namespace,
    };
    let Some(plan) = plan::build(&inputs, opened, &mut sources, &mut out) else {
        return Err(Failure::of(sources, out));
    };
    let spec_hash = sources.hash();
    Ok(Compiled { project, plan, session, warnings: out.into_sorted(), sources, spec_hash, watch })
}

/// Puts given rows into the place of extracts; of these, only the pinned types stay.
fn give(spec: &mut PipelineSpec, given: &BTreeMap<String, Node>) -> Result<(), Error> {
    for (name, rows) in given {
        let Some((key, body)) = spec.extracts.iter_mut().find(|(key, _)| key.value == *name) else {
            return Err(Error::new("X0106", format!("the pipeline `{}` has no extract `{name}`", spec.name.value)));
        };
        let mut entries = vec![(Spanned::new("rows".to_string(), key.span), placed(rows, key.span))];
        if let Value::Map(map) = &body.value {
            entries.extend(map.entries.iter().filter(|(key, _)| key.value == "columns").cloned());
        }
        body.value = Value::Map(Map { entries });
    }
    Ok(())
}

/// The same value at another place: the file that it stands in is not one of the pipeline's.
fn placed(node: &Node, span: Span) -> Node {
    let value = match &node.value {
        Value::List(items) => Value::List(items.iter().map(|item| placed(item, span)).collect()),
        Value::Map(map) => Value::Map(Map {
            entries: map
                .entries
                .iter()
                .map(|(key, value)| (Spanned::new(key.value.clone(), span), placed(value, span)))
                .collect(),
        }),
        scalar => scalar.clone(),
    };
    Node { value, span }
}

/// Opens all sources and creates their empty tables, so that expressions over them can be typed.
fn open_sources(extracts: Vec<plan::Extract>, scope: Scope, session: &Session) -> Result<Vec<ExtractPlan>, Error> {
    let sources: Vec<_> = extracts.par_iter().map(|extract| extract.kind.open(&extract.request, scope, session)).collect();
    let mut opened = vec![];
    for (extract, source) in extracts.into_iter().zip(sources) {
        let source = source?;
        let mut columns = vec![(crate::relation::ROW.to_string(), DataType::BigInt)];
        columns.extend(source.columns().iter().cloned());
        session.create(&extract.request.staged(), &columns)?;
        opened.push(ExtractPlan { extract, source: source.into(), pinned: None });
    }
    Ok(opened)
}

/// Warns of each connection whose extracts do not see the same moment.
fn moving(extracts: &[ExtractPlan], out: &mut Diagnostics) {
    let mut told = BTreeSet::new();
    for extract in extracts.iter().map(|e| &e.extract) {
        let Some(snapshot) = extract.request.reading.as_ref().map(|r| &r.snapshot).filter(|s| s.is_moving()) else { continue };
        if told.insert(&snapshot.name) {
            let what = format!(
                "the extracts of connection `{}` do not see the same moment: its database does not allow it",
                snapshot.name
            );
            out.warning("X0608", extract.span, what).help(
                "Allow it once, as the database's owner: `ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON`; or read while nobody writes.",
            );
        }
    }
}

/// Decides the target: the command line's, the pipeline's, the project's default, the project's only one.
pub(super) fn choose_target(
    spec: &PipelineSpec,
    project: &Project,
    options: &Options,
    out: &mut Diagnostics,
) -> Option<(TargetSpec, &'static dyn Target)> {
    let named = match (&options.target, &spec.target) {
        (Some(name), _) => Some(Spanned::new(name.clone(), spec.name.span)),
        (None, Some(TargetChoice::Named(name))) => Some(name.clone()),
        (None, Some(TargetChoice::Inline(_))) => None,
        (None, None) => project.default_target.clone(),
    };
    let target = match (named, &spec.target) {
        (Some(name), _) => {
            let found = project.targets.iter().find(|t| t.name.value == name.value);
            if found.is_none() {
                let known = project.targets.iter().map(|t| t.name.value.as_str());
                out.error("E0215", name.span, format!("there is no target `{}`", name.value))
                    .suggest(&name.value, known)
                    .help("Targets stand in `pipe.yaml` below `targets:`, or inline: `target: {dialect: postgres}`.");
            }
            found.cloned()?
        }
        (None, Some(TargetChoice::Inline(node))) => TargetSpec::decode(Spanned::new("inline".to_string(), node.span), node, out)?,
        (None, _) => match &project.targets[..] {
            [only] => only.clone(),
            _ => TargetSpec::fallback(spec.name.span),
        },
    };
    let dialect = target::find(&target.dialect.value);
    if dialect.is_none() {
        let known: Vec<&str> = target::TARGETS.iter().map(|t| t.name()).collect();
        out.error("E0216", target.dialect.span, format!("there is no dialect `{}`", target.dialect.value))
            .suggest(&target.dialect.value, known.iter().copied())
            .help(format!("Dialects are {}.", known.join(", ")));
    }
    let dialect = dialect?;
    if let Some(collation) = target.collation.as_ref().filter(|c| !dialect.knows_collation(&c.value)) {
        out.error(
            "E0218",
            collation.span,
            format!("`{}` has no collation `{}` that could be judged by", dialect.name(), collation.value),
        )
        .help(
            "Name one of Azure SQL as `SELECT DATABASEPROPERTYEX(DB_NAME(), 'Collation')` tells it; PostgreSQL's are not judged.",
        );
    }
    Some((target, dialect))
}

/// Makes the templates of a pipeline, with its macros.
fn templates(
    spec: &PipelineSpec,
    project: &Project,
    variables: &Variables,
    target: &str,
    sources: &mut SourceMap,
    out: &mut Diagnostics,
) -> Result<Templates, Error> {
    let mut templates = variables.templates(&spec.name.value, target, out)?;
    for name in &spec.transforms.macros {
        let Some(path) = templates.bare(name, out) else { continue };
        match spec::read_text(sources, &project.root.join(&path)) {
            Ok(file) => {
                let text = sources.text(file).to_string();
                templates.add_macros(Path::new(&path), file, &text, out);
            }
            Err(error) => {
                out.error("E0107", name.span, error.message);
            }
        }
    }
    Ok(templates)
}

/// Reads every contract below `schemas/`.
pub(super) fn contracts(
    project: &Project,
    (target, dialect): (&TargetSpec, &dyn Target),
    sources: &mut SourceMap,
    out: &mut Diagnostics,
) -> Result<Vec<Arc<Contract>>, Error> {
    let folder = project.root.join("schemas");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return Ok(vec![]);
    };
    let mut files: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| p.is_file()).collect();
    files.sort();
    let mut contracts: Vec<Contract> = vec![];
    let mut statements = vec![];
    for path in files {
        let suffix = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        match suffix.as_str() {
            "sql" => {
                statements.push(spec::read_text(sources, &path)?);
            }
            "yaml" | "yml" => {
                let file = spec::read_text(sources, &path)?;
                if let Some(node) = yaml::parse(sources, file, out) {
                    contracts.extend(contract::yaml::decode(&node, out));
                }
            }
            _ => {}
        }
    }
    contracts.extend(contract::ddl::read_all(sources, &statements, dialect.flavor(), out));
    contract::complete_references(&mut contracts);
    let mut kept: Vec<Arc<Contract>> = vec![];
    for mut contract in contracts {
        for column in contract.columns.iter_mut().filter(|c| c.data_type.is_text() && c.collation.is_none()) {
            column.collation = target.collation.as_ref().map(|c| c.value.clone());
        }
        let twin = kept.iter().find(|c| c.table == contract.table && c.schema == contract.schema);
        if let Some(twin) = twin {
            out.error("E0533", contract.span, format!("table `{}` has two contracts", contract.table))
                .label(twin.span, "the first")
                .help("Keep one of them.");
            continue;
        }
        kept.push(Arc::new(contract));
    }
    Ok(kept)
}

/// The namespace of `uuid5`: `vars.namespace`, else one made of the pipeline's name.
fn namespace(spec: &PipelineSpec, variables: &Variables, out: &mut Diagnostics) -> String {
    if let Some(node) = variables.values().unwrap_or_default().get("namespace") {
        let text = node.expect_text("`namespace`", out).map(|t| t.value).unwrap_or_default();
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return digits.to_lowercase();
        }
        out.error("E0214", node.span, format!("`vars.namespace` is not a UUID: `{text}`"))
            .help("Write one like 6ba7b811-9dad-11d1-80b4-00c04fd430c8; it must stay the same for keys to stay the same.");
    }
    digest::of(format!("pipe/{}", spec.name.value)).short(32)
}

/// Finds the folder that a run writes to where nobody names one; a pipeline that cannot be read has none.
pub fn output_folder(name: &Path) -> Option<PathBuf> {
    let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
    let path = pipeline::locate(name).ok()?;
    let project = Project::load(&mut sources, &path, &mut out).ok()?;
    let node = spec::read_yaml(&mut sources, &path, &mut out).ok()??;
    let spec = PipelineSpec::decode(&path, &node, &mut out)?;
    Some(project.root.join("out").join(spec.name.value))
}

/// Interrupts the session when Ctrl-C is pressed, for as long as it lives.
pub fn watch(session: Arc<Session>) -> Watch {
    Watch::start(LOOK, move || {
        if session.is_stopped() {
            session.interrupt();
        }
    })
}

/// How often it is looked for Ctrl-C.
const LOOK: Duration = Duration::from_millis(50);
