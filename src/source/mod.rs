//! Where rows come from: one file per kind, one line each in [`SOURCES`].
//!
//! A kind opens what an `extract` block names and gives its columns and its rows. What Rust reads arrives as Arrow batches; what the
//! engine reads itself is a query in the engine's words. Does not know about tables, stages or the engine's connection: it sees the
//! [`Staging`] that the session implements.

pub mod csv;
mod csv_copies;
pub mod csv_encoding;
mod csv_header;
mod csv_patterns;
mod csv_seen;
mod csv_types;
mod csv_words;
pub mod inline;
pub mod json;
pub mod json_file;
pub mod live;
pub mod origin;
pub mod parquet;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::record_batch::RecordBatch;

use crate::error::Error;
use crate::types::DataType;

/// Every kind of source file, by format name and suffix.
pub const SOURCES: &[&dyn SourceKind] = &[&json_file::Json, &json_file::Ndjson, &csv::Csv, &csv::Tsv, &parquet::Parquet];

/// A kind of source file.
pub trait SourceKind: Sync {
    /// The word in `format:`.
    fn format(&self) -> &'static str;

    /// The file suffixes that mean this format, without the dot.
    fn suffixes(&self) -> &'static [&'static str];

    /// Looks at the files' shape; `scope` says how much may be read.
    fn open(&self, request: &Request, scope: Scope, staging: &dyn Staging) -> Result<Box<dyn Source>, Error>;

    /// Says where a record stands in its file, as a person would: `personas[4]`, `line 12`.
    fn place(&self, request: &Request, file: usize, record: u64) -> origin::Place;

    /// Says the same of many records of a file, in ascending order.
    fn places(&self, request: &Request, file: usize, records: &[u64]) -> Vec<origin::Place> {
        records.iter().map(|record| self.place(request, file, *record)).collect()
    }
}

/// How much of a source may be read to learn its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The beginning: enough for a static check.
    Head,
    /// Everything: types are inferred from all values.
    All,
}

/// What an `extract` block asks for, with names and templates resolved.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The name of the extract.
    pub name: String,
    /// The files, in order; at least one.
    pub files: Vec<PathBuf>,
    /// The dotted path to the array inside a JSON document.
    pub records: Option<String>,
    /// Types that the author pins.
    pub pins: Vec<(String, DataType)>,
    pub csv: CsvOptions,
    /// Rows that stand in the pipeline itself.
    pub rows: Vec<serde_json::Value>,
    /// What is read of a database.
    pub reading: Option<live::Reading>,
    /// Where the pipeline names the extract: file and line.
    pub place: Option<(PathBuf, usize)>,
    /// Take only the first so many records (`--limit`).
    pub limit: Option<u64>,
    /// All that those say who read the rows, in small letters; `None` where they may take any column without naming it.
    pub spoken: Option<String>,
}

impl Request {
    /// The name of the engine's table that holds the records as they are written; where types are pinned, what readers see under the
    /// extract's own name are the cast values.
    pub fn staged(&self) -> String {
        if self.pins.is_empty() { self.name.clone() } else { format!("{}#written", self.name) }
    }

    /// Whether somebody may read a column: one that nobody does need not be loaded.
    pub fn is_read(&self, column: &str) -> bool {
        // A quote in a name is written twice where it is spoken of.
        let named = |spoken: &String| column.contains('"') || spoken.contains(&column.to_lowercase());
        self.pins.iter().any(|(pinned, _)| pinned == column) || self.spoken.as_ref().is_none_or(named)
    }
}

/// How a delimited file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    pub delimiter: Option<String>,
    pub header: bool,
    pub quote: Option<String>,
    pub nulls: Vec<String>,
    pub encoding: Option<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { delimiter: None, header: true, quote: None, nulls: vec![], encoding: None }
    }
}

/// A source whose columns are known.
pub trait Source: Send + Sync {
    /// The columns in order, without the hidden ones.
    fn columns(&self) -> &[(String, DataType)];

    /// Whether all of the source was looked at, so that a column that is not listed does not exist.
    fn complete(&self) -> bool;

    /// All texts that columns have, of those of which that is known; NULL aside.
    fn texts(&self) -> Texts {
        Texts::new()
    }

    /// Loads all rows into the new staged table `table`, whose first column is `#row`.
    fn load(&self, table: &str, staging: &dyn Staging) -> Result<(), Error>;

    /// Hashes the bytes that were read, as hex of SHA-256.
    fn hash(&self) -> Result<String, Error>;
}

/// All texts of columns that have few.
pub type Texts = BTreeMap<String, BTreeSet<String>>;

/// Takes one batch after the other.
pub type Deliver<'a> = &'a mut dyn FnMut(RecordBatch) -> Result<(), Error>;

/// What sources need of the engine.
pub trait Staging {
    /// Runs statements that return nothing.
    fn execute(&self, sql: &str) -> Result<(), Error>;

    /// Runs a query and returns its rows as text, NULL as `None`.
    fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error>;

    /// Returns the columns that a query would have.
    fn describe(&self, sql: &str) -> Result<Vec<(String, DataType)>, Error>;

    /// Creates a table.
    fn create(&self, table: &str, columns: &[(String, DataType)]) -> Result<(), Error>;

    /// Appends batches to a table, in the order that `produce` gives them.
    fn append(&self, table: &str, produce: &mut dyn FnMut(Deliver) -> Result<(), Error>) -> Result<(), Error>;
}

/// Finds the kind of a file by `format:` or by its suffix (a `.gz` or `.zst` behind it aside).
pub fn kind(format: Option<&str>, file: &std::path::Path) -> Option<&'static dyn SourceKind> {
    if let Some(format) = format {
        return SOURCES.iter().find(|s| s.format() == format).copied();
    }
    let name = file.file_name()?.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    let suffix = name.rsplit_once('.')?.1;
    SOURCES.iter().find(|s| s.suffixes().contains(&suffix)).copied()
}

/// Numbers a record across the files of one source: the file in the high bits, the record in the low 40.
pub fn record_number(file: usize, record: u64) -> i64 {
    ((file as i64) << 40) | record as i64
}

/// Splits a number made by [`record_number`].
pub fn split_number(number: i64) -> (usize, u64) {
    ((number >> 40) as usize, (number & ((1 << 40) - 1)) as u64)
}
