//! What the commands do: each is a few calls.
//!
//! In: paths and options. Out: a result, or a [`Failure`]. Does not print and does not know about arguments or exit codes.

mod access;
mod compile;
mod csv_file;
mod deploy;
mod doctor;
mod existing;
mod files;
mod init;
mod journal;
mod judged;
mod preview;
mod profile;
mod record;
mod schema;
mod schema_ddl;
mod schema_diff;
mod schema_import;
mod secrets;
mod test;
mod variables;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use crate::catalog::diff::Difference;
pub use crate::emit::definition::Extras;
pub use crate::emit::rows::RowFormat;
pub use access::Access;
pub use compile::{Compiled, Options};
pub use deploy::{Acted, Action, act};
pub use doctor::{Examined, doctor};
pub use init::init;
pub use profile::{Profile, profile};
pub use schema::{Finished, Wanted};
pub use schema_ddl::script as schema_ddl;
pub use schema_diff::{diff as schema_diff, outdated};
pub use schema_import::{Destination, ImportedTable, import as schema_import};
pub use secrets::Secrets;
pub use test::{Tested, test, test_files};

pub use crate::database::Rows;
use crate::diagnostics::{Diagnostic, Diagnostics, SourceMap};
use crate::engine::{self, Progress};
use crate::error::Error;
use crate::plan::Plan;
use crate::report::RunReport;
use crate::source::Scope;

/// Why a command gave no result.
pub enum Failure {
    /// The author's text is wrong; everything that is wrong with it.
    Spec(SourceMap, Vec<Diagnostic>),
    /// A file, the engine or a database failed.
    World(Error),
}

impl Failure {
    fn of(sources: SourceMap, out: Diagnostics) -> Failure {
        Failure::Spec(sources, out.into_sorted())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::World(error)
    }
}

/// What `run` writes and where.
pub struct Emission {
    pub dry_run: bool,
    pub out: Option<PathBuf>,
    pub rows: RowFormat,
    /// Whether the deploy script keeps what it changes, for `rollback.sql`.
    pub undo: bool,
    /// Where a dry run asks what a deployment would change.
    pub preview: Option<Access>,
}

/// A finished run.
pub struct Done {
    pub report: RunReport,
    /// Where the scripts are.
    pub folder: PathBuf,
    /// What a deployment would change, if the target was asked.
    pub preview: Option<Rows>,
    pub sources: SourceMap,
    pub warnings: Vec<Diagnostic>,
}

/// Stages, checks and emits a pipeline.
pub fn run(
    pipeline: &Path,
    options: &Options,
    emission: &Emission,
    progress: &dyn Progress,
    stopped: &Arc<AtomicBool>,
) -> Result<Done, Failure> {
    let done = attempt(pipeline, options, emission, progress, stopped);
    let interrupted = matches!(&done, Err(Failure::World(error)) if error.is_interrupted());
    if let (Err(_), false) = (&done, interrupted) {
        // An earlier run's script is no answer to this run: whoever deploys without reading must find nothing.
        let folder = emission.out.clone().or_else(|| compile::output_folder(pipeline));
        folder.map_or(Ok(()), |folder| write::Outputs::at(&folder, emission).withdraw_run())?;
    }
    done
}

fn attempt(
    pipeline: &Path,
    options: &Options,
    emission: &Emission,
    progress: &dyn Progress,
    stopped: &Arc<AtomicBool>,
) -> Result<Done, Failure> {
    let mut compiled = compile::compile(pipeline, options, Scope::All, stopped.clone())?;
    let out = emission.out.clone().unwrap_or_else(|| from_here(compiled.project.root.join("out").join(&compiled.plan.pipeline)));
    let outputs = write::Outputs::prepare(&out, emission)?;
    outputs.spare_sources(&compiled.plan)?;
    let target = existing::Target::of(&compiled, options, stopped);
    let around = engine::Surroundings {
        out: (!emission.dry_run).then_some(out.as_path()),
        target: target.as_ref().map(|target| target as &dyn engine::existing::Lookup),
    };
    let hashes = (!emission.dry_run).then(|| record::Hashes::begin(&compiled.plan));
    let mut report = engine::execute(&compiled.plan, &compiled.session, around, progress)?;
    drop(target);
    let mut made = vec![];
    if report.failed() {
        outputs.withdraw_all(&compiled.plan)?;
    } else if let Some(hashes) = hashes {
        made = outputs.write(&compiled, &report, emission, hashes)?;
    }
    let preview = match &emission.preview {
        Some(access) if !report.failed() => Some(preview::preview(&mut compiled, emission, access, progress, stopped)?),
        _ => None,
    };
    let Compiled { session, watch, sources, warnings, .. } = compiled;
    // A large file that takes another's place waits for the disk: the engine gives its memory back meanwhile.
    let ((), written) = rayon::join(|| drop((watch, session)), || write::keep(made));
    report.written = written?;
    if !emission.dry_run {
        outputs.write_report((&sources, &warnings), &mut report, &options.secrets)?;
    }
    Ok(Done { folder: out, preview, report, sources, warnings })
}

/// Leaves out of a path what leads to the folder that the command runs in.
fn from_here(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf)).unwrap_or(path)
}

/// What `check` found in a pipeline without errors.
pub struct Checked {
    pub pipeline: String,
    pub tables: usize,
    pub checks: usize,
    pub sources: SourceMap,
    pub warnings: Vec<Diagnostic>,
}

/// Compiles a pipeline against the beginning of its sources.
pub fn check(pipeline: &Path, options: &Options, stopped: Arc<AtomicBool>) -> Result<Checked, Failure> {
    let compiled = compile::compile(pipeline, options, Scope::Head, stopped)?;
    let checks = compiled.plan.tables.iter().map(|t| t.checks.len()).sum();
    Ok(Checked {
        pipeline: compiled.plan.pipeline.clone(),
        tables: compiled.plan.tables.len(),
        checks,
        sources: compiled.sources,
        warnings: compiled.warnings,
    })
}

/// A plan to be shown.
pub struct Planned {
    pub plan: Plan,
    pub sources: SourceMap,
    pub warnings: Vec<Diagnostic>,
}

/// Compiles a pipeline to be shown.
pub fn plan(pipeline: &Path, options: &Options, stopped: Arc<AtomicBool>) -> Result<Planned, Failure> {
    let compiled = compile::compile(pipeline, options, Scope::Head, stopped)?;
    Ok(Planned { plan: compiled.plan, sources: compiled.sources, warnings: compiled.warnings })
}

/// Returns the named pipelines, or all in `pipelines/`.
pub fn all_pipelines(named: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    yaml_files(named, Path::new("pipelines"))
}

/// Returns the named files, or all YAML files of a folder.
fn yaml_files(named: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let entries = std::fs::read_dir(folder).map_err(|e| {
        Error::file(folder, "cannot list", &e)
            .help("Name the files, or go to the folder that holds `pipe.yaml`; `pipe init DIR` makes a project.")
    })?;
    let yaml = |p: &PathBuf| p.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(yaml).collect();
    found.sort();
    Ok(found)
}
