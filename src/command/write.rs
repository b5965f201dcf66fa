//! Writes what a run emits: every file beside its place first, then moved there whole.
//!
//! In: a compiled pipeline whose tables are staged and judged. Out: `deploy.sql`, `rollback.sql`, `verify.sql`, `run.json` and `report.html`. Tables are formatted in
//! parallel into spooled parts (in memory while small), then put together in load order.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use tempfile::{NamedTempFile, SpooledTempFile};

use super::files::Exported;
use super::record::{Hashes, header, record};
use super::{Compiled, Emission, Secrets};
use crate::contract::Generated;
use crate::diagnostics::{Diagnostic, SourceMap, render};
use crate::digest::Digest;
use crate::emit::rows::{Evidence, RowFormat};
use crate::emit::{self, Column, Dialect, Header, Parts, Script, Table, script};
use crate::engine::session::{Session, quote};
use crate::error::Error;
use crate::plan::{Plan, TablePlan};
use crate::report::{self, RunReport};
use crate::source::Staging;
use crate::spec::yaml::{Node, Value};
use crate::stage::{LoadPlan, Mode};
use crate::types::DataType;

/// The scripts that a failed run must not leave behind.
const SCRIPTS: &[&str] = &["deploy.sql", "rollback.sql", "verify.sql", VIEWS];
const VIEWS: &str = "views.sql";
const REPORT: &str = "report.html";
/// Parts that are larger than this lie in a file that has no name.
const SPOOL: usize = 4 << 20;
/// How much formatted text is gathered before it is handed on.
const FLUSH: usize = 1 << 20;

/// The output folder of a run.
pub struct Outputs {
    pub(super) folder: PathBuf,
    dry_run: bool,
}

impl Outputs {
    /// Makes sure that the folder is there and can be written, before any work is done.
    pub fn prepare(folder: &Path, emission: &Emission) -> Result<Outputs, Error> {
        if !emission.dry_run {
            std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, "cannot create the output folder", &e))?;
            tempfile::tempfile_in(folder).map_err(|e| Error::file(folder, "cannot write into", &e))?;
        }
        Ok(Outputs::at(folder, emission))
    }

    /// Names the folder without looking at it.
    pub fn at(folder: &Path, emission: &Emission) -> Outputs {
        Outputs { folder: folder.to_path_buf(), dry_run: emission.dry_run }
    }

    /// Makes sure that no file which the run reads would be replaced or removed by it.
    pub fn spare_sources(&self, plan: &Plan) -> Result<(), Error> {
        let sources = plan.extracts.iter().flat_map(|e| &e.extract.request.files);
        let read: BTreeSet<PathBuf> = sources.filter_map(|file| file.canonicalize().ok()).collect();
        let sinks = plan.tables.iter().flat_map(|t| &t.files).map(|f| f.path.as_str());
        for name in sinks.chain(["run.json"]) {
            let place = self.folder.join(name);
            if place.canonicalize().is_ok_and(|place| read.contains(&place)) {
                return Err(Error::new("X0107", format!("the run would write `{}`, which it reads", place.display()))
                    .at(&place)
                    .help("Give the file another name, or name another folder with `--out`."));
            }
        }
        Ok(())
    }

    /// Removes what an earlier run left in the folder: it no longer passes.
    pub fn withdraw_all(&self, plan: &Plan) -> Result<(), Error> {
        self.withdraw(SCRIPTS)?;
        let files: Vec<&str> = plan.tables.iter().flat_map(|t| &t.files).map(|f| f.path.as_str()).collect();
        // A file elsewhere is somebody else's to keep.
        self.withdraw(&files.into_iter().filter(|f| !Path::new(f).is_absolute()).collect::<Vec<_>>())
    }

    /// Removes the scripts of an earlier run, and what was told of it.
    pub fn withdraw_run(&self) -> Result<(), Error> {
        self.withdraw(SCRIPTS)?;
        self.withdraw(&[REPORT])
    }

    fn withdraw(&self, names: &[&str]) -> Result<(), Error> {
        for name in names.iter().filter(|_| !self.dry_run) {
            let path = self.folder.join(name);
            match std::fs::remove_file(&path) {
                Err(e) if !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    return Err(Error::file(&path, "cannot remove", &e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes all files beside their places.
    pub fn write(
        &self,
        compiled: &Compiled,
        report: &RunReport,
        emission: &Emission,
        hashes: Hashes,
    ) -> Result<Vec<Pending>, Error> {
        let plan = &compiled.plan;
        let format = emission.rows;
        let dialect = emit::find(plan.dialect.name());
        let (made, sources) = rayon::join(
            || {
                let exported = self.export(plan, &compiled.session)?;
                let formatted = dialect.map(|dialect| self.format_all(compiled, dialect, format)).transpose()?;
                Ok::<_, Error>((exported, formatted))
            },
            || hashes.all(plan),
        );
        let ((exported, formatted), sources) = (made?, sources?);
        let (exported, mut pending): (Vec<Exported>, Vec<Pending>) = exported.into_iter().unzip();
        let only_files = plan.load_order.is_empty() && !(exported.is_empty() && plan.views.is_empty());
        if only_files {
            self.withdraw(SCRIPTS)?;
            let header = header(compiled, sources, &[]);
            pending.extend(self.views(plan, &header)?);
            let record = record(report, compiled, &header, &[], &exported, &[]);
            pending.push(self.file("run.json", |out| out.write_all(record.as_bytes()))?);
            return Ok(pending);
        }
        let (Some(dialect), Some((tables, mut parts))) = (dialect, formatted) else {
            return Err(Error::new("X0104", format!("no scripts are written for `{}` yet", plan.dialect.name())));
        };
        let header = header(compiled, sources, &tables);
        let script = Script { header: &header, tables: &tables, format, undo: emission.undo };
        let deploy = self.file("deploy.sql", |out| script::deploy(dialect, &script, &mut parts, out))?;
        let verify = self.file("verify.sql", |out| script::verify(dialect, &script, &mut parts, out))?;
        let mut scripts = vec![("deploy.sql", deploy), ("verify.sql", verify)];
        if emission.undo {
            scripts.push(("rollback.sql", self.file("rollback.sql", |out| script::rollback(dialect, &script, out))?));
        } else {
            self.withdraw(&["rollback.sql"])?;
        }
        let hashes: Vec<(&str, String)> = scripts.iter().map(|(name, file)| (*name, file.hash.clone())).collect();
        let record = record(report, compiled, &header, &tables, &exported, &hashes);
        let run = self.file("run.json", |out| out.write_all(record.as_bytes()))?;
        self.withdraw(&[VIEWS])?;
        pending.extend(scripts.into_iter().map(|(_, file)| file));
        pending.extend(self.views(plan, &header)?);
        pending.push(run);
        Ok(pending)
    }

    /// Writes the page that tells people of the run, whether it has passed or not, and notes that it was written.
    pub fn write_report(
        &self,
        (sources, warnings): (&SourceMap, &[Diagnostic]),
        done: &mut RunReport,
        secrets: &Secrets,
    ) -> Result<(), Error> {
        let warnings: Vec<_> = warnings.iter().map(|w| render::json(sources, w)).collect();
        let mut run = report::json::report(done, sources, false);
        // Beside the page, files go by their names, so that a run gives the same page in every folder.
        let folder = format!("{}/", self.folder.display());
        run["written"] = done.written.iter().map(|path| path.strip_prefix(&folder).unwrap_or(path)).collect();
        let page = report::html::page(&run, &warnings, &|text| secrets.mask(text))
            .map_err(|e| Error::new("X0104", format!("cannot write `{REPORT}`: {e}")))?;
        done.written.push(self.file(REPORT, |out| out.write_all(page.as_bytes()))?.keep()?);
        Ok(())
    }

    /// Writes the script that only counts what would change, and returns its path and how many tables it is about.
    pub fn write_preview(&self, compiled: &Compiled, format: RowFormat) -> Result<(PathBuf, usize), Error> {
        let name = compiled.plan.dialect.name();
        let none = || Error::new("X0502", format!("a dry run cannot ask targets of dialect `{name}` yet"));
        let dialect = emit::find(name).ok_or_else(none)?;
        let (formatted, sources) =
            rayon::join(|| self.format_all(compiled, dialect, format), || Hashes::later().all(&compiled.plan));
        let ((tables, mut parts), sources) = (formatted?, sources?);
        let header = header(compiled, sources, &tables);
        let script = Script { header: &header, tables: &tables, format, undo: false };
        let file = self.file("preview.sql", |out| script::preview(dialect, &script, &mut parts, out))?;
        let path = file.path.clone();
        file.keep()?;
        Ok((path, tables.len()))
    }

    /// Formats the rows of all loaded tables, in parallel.
    fn format_all(
        &self,
        compiled: &Compiled,
        dialect: &dyn Dialect,
        format: RowFormat,
    ) -> Result<(Vec<(Table, Evidence)>, Spooled), Error> {
        let plan = &compiled.plan;
        let mut loads = vec![];
        for (number, (t, l)) in plan.load_order.iter().enumerate() {
            let (table, load) = (&plan.tables[*t], &plan.tables[*t].loads[*l]);
            loads.push((table, target_table(number + 1, table, load, plan.deferred, &compiled.session)?));
        }
        let formatted: Vec<(Evidence, Part, Part)> = loads
            .par_iter()
            .map(|(source, table)| self.format(source, table, dialect, format, &compiled.session))
            .collect::<Result<_, Error>>()?;
        let mut tables = vec![];
        let mut parts = Spooled { parts: vec![] };
        for ((_, mut table), (evidence, rows, keys)) in loads.into_iter().zip(formatted) {
            table.rows = evidence.rows;
            tables.push((table, evidence));
            parts.parts.push((rows, keys));
        }
        Ok((tables, parts))
    }

    /// Writes the script that creates the views, if there are any.
    fn views(&self, plan: &Plan, header: &Header) -> Result<Option<Pending>, Error> {
        let statements: Vec<&str> = plan.views.iter().map(|v| v.sql.as_str()).collect();
        match emit::find(plan.dialect.name()) {
            Some(dialect) if !statements.is_empty() => {
                self.file(VIEWS, |out| script::views(dialect, header, &statements, out)).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Formats one table's rows and keys.
    fn format(
        &self,
        source: &TablePlan,
        table: &Table,
        dialect: &dyn Dialect,
        format: RowFormat,
        session: &Session,
    ) -> Result<(Evidence, Part, Part), Error> {
        let (mut rows, mut keys) = (Part::new(&self.folder), Part::new(&self.folder));
        let (mut row_text, mut key_text) = (vec![], vec![]);
        let mut writer = None;
        let query = select(source);
        let mut deliver = |batch: arrow::record_batch::RecordBatch| {
            let writer = match &mut writer {
                Some(writer) => writer,
                none => none.insert(dialect.rows(table, &batch.schema(), format)?),
            };
            writer.write(&batch, &mut row_text, &mut key_text)?;
            rows.take(&mut row_text, FLUSH)?;
            keys.take(&mut key_text, FLUSH)
        };
        session.stream(&query, &mut deliver)?;
        let mut writer = match writer {
            Some(writer) => writer,
            // Without rows there was no batch to learn the schema from; every column as text is as good as any.
            None => {
                let fields: Vec<_> = table
                    .columns
                    .iter()
                    .map(|c| arrow::datatypes::Field::new(&c.name, arrow::datatypes::DataType::Utf8, true))
                    .collect();
                dialect.rows(table, &arrow::datatypes::Schema::new(fields), format)?
            }
        };
        let evidence = writer.finish(&mut row_text, &mut key_text)?;
        rows.take(&mut row_text, 0)?;
        keys.take(&mut key_text, 0)?;
        Ok((evidence, rows, keys))
    }

    /// Writes a file beside its place.
    fn file(&self, name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Pending, Error> {
        let path = self.folder.join(name);
        let failed = |e: io::Error| Error::file(&path, "cannot write", &e);
        let file = tempfile::Builder::new().prefix(&format!(".{name}.")).tempfile_in(&self.folder).map_err(failed)?;
        let mut out = BufWriter::with_capacity(1 << 20, Hashed { file: file.as_file(), hasher: Digest::default() });
        write(&mut out).and_then(|()| out.flush()).map_err(failed)?;
        let hash = out.get_ref().hasher.clone().digits();
        drop(out);
        Ok(Pending { file, path, hash })
    }
}

/// A whole file that is not yet in its place; dropped, it is gone.
pub(super) struct Pending {
    pub(super) file: NamedTempFile,
    pub(super) path: PathBuf,
    /// SHA-256 of what was written, where it was written here.
    pub(super) hash: String,
}

/// Hashes what is written on its way into a file.
struct Hashed<'a> {
    file: &'a File,
    hasher: Digest,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.add(bytes.get(..written).unwrap_or(&[]));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Moves files to their places and returns their paths.
pub(super) fn keep(files: Vec<Pending>) -> Result<Vec<String>, Error> {
    files.into_iter().map(Pending::keep).collect()
}

impl Pending {
    fn keep(self) -> Result<String, Error> {
        let shown = self.path.display().to_string();
        readable_by_all(self.file.as_file());
        self.file.persist(&self.path).map_err(|e| Error::file(&self.path, "cannot write", &e.error))?;
        Ok(shown)
    }
}

/// Gives a new file the rights that files usually have: temporary ones are private.
#[cfg(unix)]
fn readable_by_all(file: &File) {
    use std::os::unix::fs::PermissionsExt;
    // Without them the file is only less convenient.
    let _ = file.set_permissions(std::fs::Permissions::from_mode(0o644));
}

#[cfg(not(unix))]
fn readable_by_all(_: &File) {}

/// The formatted text of a table, in memory while it is small.
struct Part {
    text: Mutex<SpooledTempFile>,
    folder: PathBuf,
}

impl Part {
    fn new(folder: &Path) -> Part {
        Part { text: Mutex::new(tempfile::spooled_tempfile_in(SPOOL, folder)), folder: folder.to_path_buf() }
    }

    /// Takes the text over once there is more than `least` of it.
    fn take(&mut self, text: &mut Vec<u8>, least: usize) -> Result<(), Error> {
        if text.len() > least {
            let file = self.text.get_mut().unwrap_or_else(PoisonError::into_inner);
            file.write_all(text).map_err(|e| Error::file(&self.folder, "cannot write into", &e))?;
            text.clear();
        }
        Ok(())
    }

    fn copy(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut file = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut *file, out).map(|_| ())
    }
}

struct Spooled {
    parts: Vec<(Part, Part)>,
}

impl Parts for Spooled {
    fn rows(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()> {
        self.parts.get(table).map_or(Ok(()), |(rows, _)| rows.copy(out))
    }

    fn keys(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()> {
        self.parts.get(table).map_or(Ok(()), |(_, keys)| keys.copy(out))
    }
}

/// The query that reads a staged table for emission; what Arrow has no plain form for arrives as text.
fn select(table: &TablePlan) -> String {
    let columns: Vec<String> =
        table.columns.iter().map(|c| format!("{} AS {}", exported(&quote(&c.name), &c.data_type), quote(&c.name))).collect();
    format!("SELECT {} FROM {}", columns.join(", "), quote(&table.name.value))
}

fn exported(name: &str, data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(_) => format!("to_json({name})::VARCHAR"),
        DataType::List(element) => match &**element {
            DataType::Struct(_) | DataType::List(_) | DataType::Json { .. } => format!("to_json({name})::VARCHAR"),
            DataType::Uuid | DataType::Interval | DataType::HugeInt => format!("{name}::VARCHAR[]"),
            _ => name.to_string(),
        },
        DataType::Uuid
        | DataType::HugeInt
        | DataType::Interval
        | DataType::Json { .. }
        | DataType::Unknown
        | DataType::Named(_) => {
            format!("{name}::VARCHAR")
        }
        _ => name.to_string(),
    }
}

fn target_table(number: usize, table: &TablePlan, load: &LoadPlan, in_cycle: bool, session: &Session) -> Result<Table, Error> {
    let staged = session.describe(&format!("SELECT * FROM {}", quote(&table.name.value)))?;
    let columns: Vec<Column> = table
        .columns
        .iter()
        .map(|column| {
            let contract = load.contract.as_ref().and_then(|c| c.column(&column.name));
            let known = staged.iter().find(|(name, _)| *name == column.name).map(|(_, t)| t.clone());
            Column {
                name: column.name.clone(),
                data_type: contract.map(|c| c.data_type.clone()).or(known).unwrap_or(DataType::Text),
                type_name: contract.and_then(|c| c.type_name.clone()),
                generated: contract.map_or(Generated::No, |c| c.generated),
            }
        })
        .collect();
    let mode = match &load.mode {
        Mode::Insert => emit::Mode::Insert,
        Mode::Upsert { changes, .. } => emit::Mode::Upsert(Box::new(emit::Upsert {
            keep: changes.keep.clone(),
            when_changed: changes.when_changed.clone(),
            set: changes.set.clone(),
            when: changes.when.clone(),
            columns: load.contract.iter().flat_map(|c| &c.columns).map(target_column).collect(),
        })),
        Mode::Append { .. } => emit::Mode::Append,
        Mode::Replace { scope } => {
            emit::Mode::Replace { scope: scope.iter().map(|(column, value)| (column.clone(), literal(value))).collect() }
        }
    };
    Ok(Table {
        number,
        schema: load.schema.clone(),
        name: load.table.clone(),
        overriding_identity: load.contract.is_none() || columns.iter().any(|c| c.generated == Generated::Always),
        columns,
        mode,
        key: load.key(),
        rows: 0,
        in_cycle,
    })
}

fn target_column(column: &crate::contract::Column) -> Column {
    Column {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        type_name: column.type_name.clone(),
        generated: column.generated,
    }
}

/// A value of a scope.
pub fn literal(node: &Node) -> emit::Literal {
    match &node.value {
        Value::Null => emit::Literal::Null,
        Value::Boolean(b) => emit::Literal::Boolean(*b),
        Value::Number(n) => emit::Literal::Number(n.clone()),
        Value::Text { text, .. } => emit::Literal::Text(text.clone()),
        Value::List(_) | Value::Map(_) => emit::Literal::Text(node.to_json().to_string()),
    }
}
