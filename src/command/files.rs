//! Writes the files of `load: {file: ...}`: each is written beside its place, in the order of the staged rows.
//!
//! In: staged tables. Out: whole files that are not yet in their places, and what is in them. Does not know about scripts.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::csv_file;
use super::write::{Outputs, Pending};
use crate::engine::session::{Session, quote, quote_path};
use crate::error::Error;
use crate::plan::{Plan, TablePlan};
use crate::source::Staging;
use crate::stage::{FileFormat, FilePlan};
use crate::types::DataType;

/// A file and its rows, for `run.json`.
pub struct Exported {
    pub path: String,
    pub table: String,
    pub format: &'static str,
    pub rows: u64,
}

impl Outputs {
    /// Writes all files of a plan beside their places.
    pub(super) fn export(&self, plan: &Plan, session: &Session) -> Result<Vec<(Exported, Pending)>, Error> {
        let files: Vec<(&TablePlan, &FilePlan)> = plan.tables.iter().flat_map(|t| t.files.iter().map(move |f| (t, f))).collect();
        files.into_par_iter().map(|(table, file)| self.export_one(table, file, session)).collect()
    }

    fn export_one(&self, table: &TablePlan, file: &FilePlan, session: &Session) -> Result<(Exported, Pending), Error> {
        let path: PathBuf = self.folder.join(&file.path).components().collect();
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, "cannot create the folder", &e))?;
        if path.is_dir() {
            return Err(Error::new("X0104", format!("cannot write `{}`: it is a folder", path.display())).at(&path));
        }
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let beside = tempfile::Builder::new().prefix(&format!(".{name}.")).tempfile_in(folder);
        let beside = beside.map_err(|e| Error::file(&path, "cannot write", &e))?;
        let rows = match options(file.format) {
            Some(options) => {
                let columns: Vec<String> = table.columns.iter().map(|c| column(&c.name, &c.data_type, file.format)).collect();
                let (columns, source, place) = (columns.join(", "), quote(&table.name.value), quote_path(beside.path()));
                let copy = format!("COPY (SELECT {columns} FROM {source}) TO {place} ({options}, USE_TMP_FILE false)");
                session.execute(&copy).map_err(|mut e| {
                    e.message = format!("cannot write `{}`: {}", path.display(), e.message);
                    e
                })?;
                crate::engine::count(session, &table.name.value)?
            }
            None => csv_file::write(session, table, beside.as_file(), &path)?,
        };
        let exported = Exported { path: file.path.clone(), table: table.name.value.clone(), format: file.format.name(), rows };
        Ok((exported, Pending { file: beside, path, hash: String::new() }))
    }
}

/// How the engine writes a format; `None` where it is written here.
fn options(format: FileFormat) -> Option<&'static str> {
    match format {
        FileFormat::Csv => None,
        FileFormat::Parquet => Some("FORMAT parquet, COMPRESSION zstd"),
        FileFormat::Json => Some("FORMAT json, ARRAY true"),
        FileFormat::Ndjson => Some("FORMAT json, ARRAY false"),
    }
}

/// A column as the format can hold it without loss.
fn column(name: &str, data_type: &DataType, format: FileFormat) -> String {
    let name = quote(name);
    match (format, data_type) {
        (FileFormat::Json | FileFormat::Ndjson, DataType::Json { .. }) => format!("{name}::JSON AS {name}"),
        // Parquet has no whole numbers beyond 64 bits: the engine would write them as floating point.
        (FileFormat::Parquet, DataType::HugeInt) => format!("{name}::DECIMAL(38,0) AS {name}"),
        _ => name,
    }
}
