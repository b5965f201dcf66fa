//! Reads JSON documents and newline-delimited JSON into Arrow record batches, with exact types inferred from all values.
//!
//! In: the bytes of one document and where its records stand. Out: the columns, then batches of a few thousand records in order.
//! Two passes over the bytes: [`inspect`] validates everything, learns the types and notes where runs of records begin;
//! [`batches`] builds those runs on all cores. Does not know about files, extracts or the engine.
//!
//! Types: `true`/`false` are booleans; whole numbers `bigint`, else `decimal(38,0)`; numbers with a fraction or an exponent
//! `decimal(p,s)` wide enough for every value, exactly; numbers that no decimal of 38 digits holds, and places where kinds mix,
//! are text as written (`1.10` stays `1.10`; an object is its JSON text). Objects are structs of all their keys, in the order
//! first seen. JSON text as written is what becomes of objects that have no keys, more than 500 different keys, an empty key, or
//! keys that differ only by case, because the engine does not tell such fields apart. At the top level, where keys are columns,
//! the first keeps its name and a later one is renamed: `Name`, `name_1`; an empty key becomes `unnamed`, and `_` replaces a
//! leading `#`. If a key appears twice in one object, the last one wins. A JSON null is NULL everywhere.

mod build;
mod column;
mod document;
mod infer;
mod lines;
mod malformed;
mod number;
mod resolve;
mod shape;
#[cfg(test)]
mod tests;

use crate::types::DataType;

pub use build::batches;
pub use malformed::Malformed;
pub use resolve::column_name;

use malformed::Fault;
use shape::Fields;

/// How many records a batch has at most, and how many bytes they are unless a single one is larger.
const BATCH_RECORDS: u64 = 4096;
const BATCH_BYTES: usize = 4 << 20;

/// How many different keys a record may have: more is surely a map from keys to values.
const COLUMNS: usize = 5000;

/// How the records stand in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One JSON document. `records` is the dotted path to the list inside of it; without one, the document is a list of records
    /// or a single record.
    Document { records: Option<String> },
    /// One record per line; blank lines are skipped.
    Lines,
}

/// What the first pass found.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The columns in order, as the batches have them behind `#row`.
    pub columns: Vec<(String, DataType)>,
    /// How many records there are, as far as was read.
    pub records: u64,
    /// Whether everything was read.
    pub complete: bool,
    /// The keys that the columns are read from.
    keys: Vec<String>,
    fields: Fields,
    pins: Vec<(String, DataType)>,
    runs: Vec<Run>,
    lines: bool,
}

/// A run of records that becomes one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: usize,
    end: usize,
    /// The number of the first record: its index, or the line that `start` is on.
    first: u64,
    records: u64,
}

/// Reads through the document: validates it, infers the columns, and notes where records begin.
///
/// `pins` are types that the author gave: a `json` one is not looked into, a list or struct is inferred all the same, and any
/// other is text as written, for the engine to cast. With `limit`, reading stops behind the record that reaches that many bytes.
pub fn inspect(bytes: &[u8], layout: &Layout, pins: &[(String, DataType)], limit: Option<usize>) -> Result<Inspected, Malformed> {
    let locate = |fault: Fault| Malformed::locate(fault, bytes);
    let start = malformed::start(bytes).map_err(locate)?;
    let written = pins.iter().filter(|(_, kind)| matches!(kind, DataType::Json { .. })).map(|(name, _)| name.as_str());
    let fields = Fields::records(COLUMNS, written);
    let found = match layout {
        Layout::Document { records } => document::read(bytes, start, records.as_deref(), fields, limit),
        Layout::Lines => lines::read(bytes, start, fields, limit),
    };
    // The bytes are checked only as far as they were read; where both are wrong, what comes first is the cause.
    let end = found.as_ref().map_or_else(|fault| fault.offset.saturating_add(4).min(bytes.len()), |found| found.end);
    malformed::utf8(bytes.get(..end).unwrap_or(bytes), end == bytes.len() || found.is_ok()).map_err(locate)?;
    let found = found.map_err(locate)?;
    let mut inspected = Inspected {
        columns: vec![],
        records: found.runs.iter().map(|run| run.records).sum(),
        complete: found.complete,
        keys: vec![],
        fields: found.fields,
        pins: pins.to_vec(),
        runs: found.runs,
        lines: *layout == Layout::Lines,
    };
    inspected.resolve();
    Ok(inspected)
}

/// Gives documents that are read into one table the same columns, those of all of them together.
///
/// To be called before [`Inspected::select`], which it undoes.
pub fn reconcile(mut documents: Vec<Inspected>) -> Vec<Inspected> {
    if documents.len() > 1 {
        let mut all = Fields::records(usize::MAX, std::iter::empty());
        for document in &documents {
            all.merge(document.fields.clone());
        }
        for document in &mut documents {
            document.fields = all.clone();
            document.resolve();
        }
    }
    documents
}

/// Finds the line, from 1, on which record `row` begins; `row` is as in `#row`, counted from 0 in the document.
pub fn position(bytes: &[u8], inspected: &Inspected, row: u64) -> Option<usize> {
    if inspected.lines {
        return usize::try_from(row).ok();
    }
    let run = inspected.runs.iter().rev().find(|run| run.first <= row)?;
    let offset = build::offset(bytes, run, row)?;
    Some(malformed::line_and_column(bytes, offset).0)
}

impl Inspected {
    /// Keeps only the columns of these names, in their order in the document.
    pub fn select(&mut self, wanted: &[String]) {
        let columns = std::mem::take(&mut self.columns).into_iter().zip(std::mem::take(&mut self.keys));
        (self.columns, self.keys) = columns.filter(|((name, _), _)| wanted.contains(name)).unzip();
    }

    /// Keeps only the first so many records.
    pub fn truncate(&mut self, records: u64) {
        let mut left = records;
        for run in &mut self.runs {
            run.records = run.records.min(left);
            left -= run.records;
        }
        self.runs.retain(|run| run.records > 0);
        self.records = self.records.min(records);
    }

    fn resolve(&mut self) {
        (self.columns, self.keys) = resolve::columns(&self.fields, &self.pins);
    }
}

/// What a reader of either layout hands back.
struct Found {
    fields: Fields,
    runs: Vec<Run>,
    complete: bool,
    /// Where reading stopped.
    end: usize,
}

/// Gathers records into runs.
#[derive(Default)]
struct Runs(Vec<Run>);

impl Runs {
    /// Adds a record that stands at `start..end`.
    fn add(&mut self, number: u64, start: usize, end: usize) -> Result<(), Fault> {
        if end - start > i32::MAX as usize {
            return Err(Fault::new(start, "the record is larger than 2 GiB")
                .help("Split it, or name a list inside of it with `records:`."));
        }
        match self.0.last_mut() {
            Some(run) if run.records < BATCH_RECORDS && end - run.start <= BATCH_BYTES => {
                run.end = end;
                run.records += 1;
            }
            _ => self.0.push(Run { start, end, first: number, records: 1 }),
        }
        Ok(())
    }
}
