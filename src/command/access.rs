//! Finds what a command that talks to a database is about: the output folder of a run, and the address of its target.
//!
//! In: a pipeline or an output folder, and flags. Out: a [`Run`] with its record and an [`Address`]. Every secret that it comes across is noted.
//! Does not connect.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::variables::Variables;
use super::{Failure, Secrets};
use crate::database::Address;
use crate::diagnostics::{Diagnostics, SourceMap, Spanned};
use crate::error::Error;
use crate::spec::pipeline::{self, TargetChoice};
use crate::spec::{self, PipelineSpec, Project, TargetSpec};

/// What the command line says about reaching a target.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub target: Option<String>,
    /// `name=value`.
    pub vars: Vec<String>,
    pub out: Option<PathBuf>,
    /// How many seconds to wait for locks.
    pub lock_timeout: Option<f64>,
    pub secrets: Secrets,
}

/// The output of a run that passed, and where it goes.
pub struct Run {
    pub folder: PathBuf,
    /// `run.json`.
    pub record: Value,
    pub target: TargetSpec,
    pub address: Address,
    pub project: Project,
}

impl Run {
    /// Returns a text of the record, empty where it has none.
    pub fn text(&self, name: &str) -> String {
        self.record.get(name).and_then(Value::as_str).unwrap_or_default().to_string()
    }
}

/// Finds a run by its pipeline or its output folder.
pub fn find(what: &Path, access: &Access) -> Result<Run, Failure> {
    let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
    let (folder, project, inline) = if what.is_dir() {
        let mut project = Project::load(&mut sources, &what.join("run.json"), &mut out)?;
        if project.targets.is_empty() {
            project = Project::load(&mut sources, Path::new(spec::project::FILE), &mut out)?;
        }
        (what.to_path_buf(), project, None)
    } else {
        let path = pipeline::locate(what)?;
        let project = Project::load(&mut sources, &path, &mut out)?;
        let spec = spec::read_yaml(&mut sources, &path, &mut out)?.and_then(|node| PipelineSpec::decode(&path, &node, &mut out));
        let Some(spec) = spec else { return Err(Failure::of(sources, out)) };
        let folder = access.out.clone().unwrap_or_else(|| project.root.join("out").join(&spec.name.value));
        (folder, project, spec.target)
    };
    if out.has_errors() {
        return Err(Failure::of(sources, out));
    }
    let record = record(&folder)?;
    let of = |name: &str| record.pointer(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let target = match (&access.target, inline) {
        (None, Some(TargetChoice::Inline(node))) => {
            let name = Spanned::new("inline".to_string(), node.span);
            TargetSpec::decode(name, &node, &mut out)
        }
        (named, _) => Some(named_target(&project, named.as_deref().unwrap_or(&of("/target/name")))?),
    };
    let Some(target) = target else { return Err(Failure::of(sources, out)) };
    if target.dialect.value != of("/target/dialect") {
        let error = Error::new(
            "X0502",
            format!(
                "the run's scripts are for `{}`, and target `{}` is `{}`",
                of("/target/dialect"),
                target.name.value,
                target.dialect.value
            ),
        );
        return Err(error.help("Run the pipeline for this target: `pipe run P --target NAME`.").into());
    }
    let address = address(&target, &project, &of("/pipeline"), access, &mut sources)?;
    Ok(Run { folder, record, target, address, project })
}

/// Finds a target of the project.
pub fn named_target(project: &Project, name: &str) -> Result<TargetSpec, Error> {
    let found = project.targets.iter().find(|t| t.name.value == name).cloned();
    found.ok_or_else(|| {
        let known = project.targets.iter().map(|t| t.name.value.as_str());
        let error = Error::new("X0501", format!("there is no target `{name}` with an address in `pipe.yaml`"));
        let error = match crate::diagnostics::closest(name, known) {
            Some(close) => error.help(format!("Did you mean `{close}`?")),
            None => error,
        };
        error.help("Write `targets: {NAME: {dialect: postgres, url: \"{{ env.DATABASE_URL }}\"}}` in `pipe.yaml`.")
    })
}

/// Renders and reads the address of a target.
pub fn address(
    target: &TargetSpec,
    project: &Project,
    pipeline: &str,
    access: &Access,
    sources: &mut SourceMap,
) -> Result<Address, Failure> {
    let Some(url) = &target.url else {
        let error = Error::new("X0501", format!("target `{}` has no `url`", target.name.value));
        return Err(error
            .help("Write `url: \"{{ env.DATABASE_URL }}\"` at the target, and set the variable in the environment.")
            .into());
    };
    let mut out = Diagnostics::default();
    let variables =
        Variables { declared: &[&project.vars], given: &access.vars, place: target.name.span, secrets: &access.secrets };
    let templates = variables.templates(pipeline, &target.name.value, &mut out)?;
    let Some(rendered) = templates.bare(url, &mut out) else {
        return Err(Failure::Spec(std::mem::take(sources), out.into_sorted()));
    };
    let mut address = Address::parse(&rendered, &|name| std::env::var(name).ok())?;
    address.secrets().iter().for_each(|secret| access.secrets.keep(secret));
    if let Some(seconds) = access.lock_timeout {
        address.lock_timeout = std::time::Duration::try_from_secs_f64(seconds).ok();
    }
    Ok(address)
}

/// Reads `run.json`.
fn record(folder: &Path) -> Result<Value, Error> {
    let path = folder.join("run.json");
    let missing = |why: &str| {
        Error::new("X0518", format!("there is no finished run in `{}`: {why}", folder.display()))
            .help("`pipe run` the pipeline first; a run that fails removes its scripts. A folder that `--out` named is named here as well.")
    };
    let text = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => missing("`run.json` is missing"),
        _ => Error::file(&path, "cannot read", &e),
    })?;
    serde_json::from_str(&text).map_err(|_| missing("`run.json` cannot be read"))
}
