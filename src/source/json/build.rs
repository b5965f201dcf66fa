//! Builds record batches of the runs that the first pass noted, on all cores, and delivers them in order.
//!
//! Each worker is at most two batches ahead of what was delivered, which bounds the memory.
//! Does not know how values become columns.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use indexmap::IndexMap;
use jiter::{Jiter, Peek};

use super::column::{self, Column};
use super::malformed::{Fault, Malformed, changed};
use super::{Inspected, Run};
use crate::relation::ROW;

/// Reads all records into batches and delivers them in order; ends with the first error that `deliver` returns.
///
/// The first column is `#row`: `base` plus the record's index from 0, or plus its line from 1.
pub fn batches<E: From<Malformed>>(
    bytes: &[u8],
    inspected: &Inspected,
    base: i64,
    deliver: &mut dyn FnMut(RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let builder = Builder { bytes, inspected, base, schema: schema(inspected) };
    let build = |run: &Run| builder.batch(run).map_err(|fault| Malformed::locate(fault, bytes));
    let workers = rayon::current_num_threads().min(inspected.runs.len());
    if workers < 2 {
        return inspected.runs.iter().try_for_each(|run| deliver(build(run)?));
    }
    thread::scope(|scope| {
        let receivers: Vec<_> = (0..workers)
            .map(|worker| {
                let (sender, receiver) = sync_channel(1);
                let build = &build;
                scope.spawn(move || {
                    // Nobody receives any more when delivery has failed.
                    inspected.runs.iter().skip(worker).step_by(workers).all(|run| sender.send(build(run)).is_ok());
                });
                receiver
            })
            .collect();
        for (receiver, _) in receivers.iter().cycle().zip(&inspected.runs) {
            let batch = receiver.recv().map_err(|_| Malformed::locate(changed(0), bytes))?;
            deliver(batch?)?;
        }
        Ok(())
    })
}

struct Builder<'a> {
    bytes: &'a [u8],
    inspected: &'a Inspected,
    base: i64,
    schema: SchemaRef,
}

fn schema(inspected: &Inspected) -> SchemaRef {
    let columns = inspected.columns.iter().map(|(name, kind)| Field::new(name, column::arrow_type(kind), true));
    Arc::new(Schema::new(std::iter::once(Field::new(ROW, ArrowType::Int64, true)).chain(columns).collect::<Vec<_>>()))
}

impl Builder<'_> {
    fn batch(&self, run: &Run) -> Result<RecordBatch, Fault> {
        let kinds = self.inspected.columns.iter().map(|(_, kind)| kind);
        let mut columns: IndexMap<Box<str>, Column> =
            self.inspected.keys.iter().zip(kinds).map(|(key, kind)| (key.as_str().into(), Column::new(kind))).collect();
        let mut numbers: Vec<i64> = vec![];
        let mut records = Records::new(self.bytes, run);
        while records.remain() {
            records.read(|reader| column::object(reader, &mut columns, numbers.len()))?;
            let number = if self.inspected.lines { records.line } else { run.first + numbers.len() as u64 };
            numbers.push(self.base + number as i64);
        }
        let length = numbers.len();
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(numbers))];
        for (_, column) in columns {
            arrays.push(column.finish(length).map_err(|_| changed(run.start))?);
        }
        RecordBatch::try_new(self.schema.clone(), arrays).map_err(|_| changed(run.start))
    }
}

/// Finds the offset of the record of this number in its run.
pub(super) fn offset(bytes: &[u8], run: &Run, number: u64) -> Option<usize> {
    let mut records = Records::new(bytes, run);
    for _ in run.first..number {
        records.read(|reader| Ok(reader.known_skip(Peek::Object)?)).ok()?;
    }
    records.separator();
    records.remain().then_some(records.at)
}

/// Goes from record to record of a run.
struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The line of the last record that was read, counted on from the first one's number.
    line: u64,
    left: u64,
    tape: Vec<u8>,
}

impl<'a> Records<'a> {
    fn new(bytes: &'a [u8], run: &Run) -> Records<'a> {
        let bytes = bytes.get(..run.end).unwrap_or(bytes);
        Records { bytes, at: run.start, line: run.first, left: run.records, tape: vec![] }
    }

    fn remain(&self) -> bool {
        self.left > 0
    }

    /// Reads the next record; `object` gets a reader that stands before its brace.
    fn read(&mut self, object: impl FnOnce(&mut Jiter) -> Result<(), Fault>) -> Result<(), Fault> {
        self.separator();
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut reader = Jiter::with_tape(rest, std::mem::take(&mut self.tape));
        let read = match reader.peek() {
            Ok(Peek::Object) => object(&mut reader),
            _ => Err(changed(0)),
        };
        read.map_err(|fault| fault.shift(self.at))?;
        self.at += reader.current_index();
        self.left = self.left.saturating_sub(1);
        self.tape = reader.into_tape();
        Ok(())
    }

    /// Goes over what stands between two records.
    fn separator(&mut self) {
        while let Some(byte @ (b',' | b' ' | b'\t' | b'\r' | b'\n')) = self.bytes.get(self.at) {
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
    }
}
