//! PostgreSQL's binary COPY as Arrow batches.
//!
//! In: the bytes of a COPY, in pieces of any size. Out: batches of some thousand rows, delivered as soon as they are full, so that memory does
//! not grow with the result; and the hash of all bytes. Sources: PostgreSQL 15 manual, COPY (binary format).
//! Every kind of database sends this form, or has its session put rows into it. Does not know where the bytes come from.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::column::{Column, field};
use crate::digest::Digest;
use crate::error::Error;
use crate::relation::ROW;
use crate::source::Deliver;
use crate::types::DataType;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The rows and the bytes that one batch has at most, a last row beyond aside.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 8 << 20;

/// Takes the bytes of a COPY and delivers its rows.
pub(super) struct Rows<'a> {
    names: Vec<String>,
    columns: Vec<Column>,
    schema: SchemaRef,
    deliver: Deliver<'a>,
    /// Bytes that are not a whole row yet.
    open: Vec<u8>,
    begun: bool,
    ended: bool,
    /// The number of the next row, and of the first in the batch.
    next: i64,
    first: i64,
    bytes: usize,
    failed: Option<Error>,
    hasher: Digest,
}

impl<'a> Rows<'a> {
    /// `base` is the number of the first row.
    pub(super) fn new(columns: &[(String, DataType)], base: i64, deliver: Deliver<'a>) -> Rows<'a> {
        let fields = columns.iter().map(|(name, t)| field(name, t));
        let schema = Schema::new(std::iter::once(Field::new(ROW, ArrowType::Int64, true)).chain(fields).collect::<Vec<_>>());
        Rows {
            names: columns.iter().map(|(name, _)| name.clone()).collect(),
            columns: columns.iter().map(|(_, t)| Column::new(t)).collect(),
            schema: Arc::new(schema),
            deliver,
            open: vec![],
            begun: false,
            ended: false,
            next: base,
            first: base,
            bytes: 0,
            failed: None,
            hasher: Digest::default(),
        }
    }

    /// Delivers what is left and returns the hash; `copied` is what became of the COPY.
    pub(super) fn finish(mut self, copied: Result<u64, Error>) -> Result<String, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        copied?;
        if !self.ended {
            return Err(Error::new("X0604", "the server ended the result before its end"));
        }
        self.flush()?;
        Ok(self.hasher.digits())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hasher.add(bytes);
        let mut open = std::mem::take(&mut self.open);
        open.extend_from_slice(bytes);
        let mut at = 0;
        if !self.begun {
            let Some(length) = header(&open)? else {
                self.open = open;
                return Ok(());
            };
            (at, self.begun) = (length, true);
        }
        while !self.ended {
            let Some(used) = self.row(open.get(at..).unwrap_or(&[]))? else { break };
            at += used;
            if (self.next - self.first) as usize >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
                self.flush()?;
            }
        }
        open.drain(..at);
        self.open = open;
        Ok(())
    }

    /// Takes one row if all of it is there, and returns how many bytes it has.
    fn row(&mut self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let Some(count) = short(bytes, 0) else { return Ok(None) };
        if count == -1 {
            self.ended = true;
            return Ok(Some(2));
        }
        if count as usize != self.columns.len() {
            return Err(Error::new("X0604", format!("the server sends {count} columns instead of {}", self.columns.len())));
        }
        let mut values: Vec<Option<(usize, usize)>> = Vec::with_capacity(self.columns.len());
        let mut at = 2;
        for _ in 0..count {
            let Some(length) = long(bytes, at) else { return Ok(None) };
            at += 4;
            if length < 0 {
                values.push(None);
                continue;
            }
            let end = at + length as usize;
            if end > bytes.len() {
                return Ok(None);
            }
            values.push(Some((at, end)));
            at = end;
        }
        for ((column, name), value) in self.columns.iter_mut().zip(&self.names).zip(values) {
            let value = value.and_then(|(start, end)| bytes.get(start..end));
            column.push(value).map_err(|why| {
                let row = self.next + 1;
                Error::new("X0604", format!("column `{name}`, row {row}: {why}"))
                    .help(format!("Read it in the server's own words: `columns: {{{name}: text}}`."))
            })?;
        }
        self.next += 1;
        self.bytes += at;
        Ok(Some(at))
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.next == self.first {
            return Ok(());
        }
        let numbers = Int64Array::from_iter_values(self.first..self.next);
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(numbers)];
        let broken = |e: arrow::error::ArrowError| Error::new("X0604", format!("the rows cannot be staged: {e}"));
        for column in &mut self.columns {
            arrays.push(column.finish().map_err(broken)?);
        }
        (self.first, self.bytes) = (self.next, 0);
        (self.deliver)(RecordBatch::try_new(self.schema.clone(), arrays).map_err(broken)?)
    }
}

impl Write for Rows<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.take(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                // The caller sees an error of its own kind; `finish` returns this one.
                self.failed = Some(error);
                Err(io::Error::other("the rows cannot be staged"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the header's length, if all of it is there.
fn header(bytes: &[u8]) -> Result<Option<usize>, Error> {
    let begins = bytes.len().min(SIGNATURE.len());
    if bytes.get(..begins) != SIGNATURE.get(..begins) {
        return Err(Error::new("X0604", "the server's answer is no binary COPY"));
    }
    let Some(extension) = long(bytes, SIGNATURE.len() + 4) else { return Ok(None) };
    let length = SIGNATURE.len() + 8 + extension.max(0) as usize;
    Ok((bytes.len() >= length).then_some(length))
}

/// Reads a number of two bytes.
pub(super) fn short(bytes: &[u8], at: usize) -> Option<i16> {
    Some(i16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Reads a number of four bytes.
pub(super) fn long(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
