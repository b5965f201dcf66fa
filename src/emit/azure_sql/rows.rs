//! Formats a table's rows for T-SQL, their keys for `verify.sql`, and sums up their checksum, all in one pass.
//!
//! In: record batches in the order of the table's columns. Out: batches of INSERT statements for rows and for keys. Where the bulk form is
//! asked for, a table of at most 1,000 rows still gets readable VALUES. The checksum is the sum of the first 56 bits of the SHA-256 of
//! each row's image (see [`Canon`]) in UTF-16, the text that T-SQL hashes.
//! Does not know what the scripts around the rows look like.

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use sha2::{Digest, Sha256};

use super::canon::Canon;
use super::inserts::{Cell, Inserts, Layout, STILL_OPEN};
use super::value::Written;
use super::{keys, stage, text};
use crate::emit::Table;
use crate::emit::cells::{Cells, Value};
use crate::emit::rows::{Evidence, RowFormat, RowWriter, Tally};
use crate::error::Error;

/// The most rows that are written as VALUES where the bulk form is asked for.
const READABLE: usize = 1_000;

/// The formatter of one table.
pub struct Rows {
    tally: Tally<Form>,
    inserts: Inserts,
    keys: Inserts,
    /// Batches that wait until it is known how many rows there are; `None` once it is.
    waiting: Option<Vec<RecordBatch>>,
    plain: Vec<u8>,
    form: Vec<u8>,
    image: Vec<u8>,
    wide: Vec<u8>,
}

/// What is known of a column before its rows are seen.
struct Form {
    written: Written,
    canon: Option<Canon>,
}

impl Rows {
    pub fn new(table: &Table, staged: &Schema, format: RowFormat) -> Result<Rows, Error> {
        let mut names = table.columns.iter().map(|c| &c.name).chain([&table.name]).chain(&table.schema);
        if let Some(name) = names.find(|name| text::is_unwritable(name)) {
            let message = format!("table `{}`: a T-SQL script cannot hold the name `{}`", table.shown(), name.escape_debug());
            return Err(Error::new("X0403", message)
                .help("The tools that send scripts replace `$(...)` and split lines, in names too. Rename it."));
        }
        let tally = Tally::new(table, staged, |column, field| {
            let (name, staged) = (&column.name, field.data_type());
            let written = Written::choose(staged, column).ok_or_else(|| {
                let message =
                    format!("column `{name}` of table `{}` is staged as {staged}, which T-SQL has no type for", table.shown());
                Error::new("X0401", message).help(
                    "Give a list a table of its own with `unnest`, or make it JSON text in `map`: `to_json(column)::varchar`.",
                )
            })?;
            let canon = Canon::choose(staged, column, written.moment()).filter(|_| table.is_given(name));
            Ok(Form { written, canon })
        })?;
        let cells = |only_key: bool| -> Vec<Cell> {
            let wanted = tally.columns.iter().filter(|c| c.is_key || !only_key);
            wanted.map(|c| Cell { name: c.name.clone(), written: c.form.written.clone() }).collect()
        };
        Ok(Rows {
            inserts: Inserts::new(&stage(table), cells(false), STILL_OPEN),
            keys: Inserts::new(&keys(table), cells(true), ""),
            waiting: (format == RowFormat::Copy).then(Vec::new),
            tally,
            plain: vec![],
            form: vec![],
            image: vec![],
            wide: vec![],
        })
    }

    fn format(&mut self, batch: &RecordBatch, rows: &mut Vec<u8>, keys: &mut Vec<u8>) -> Result<(), Error> {
        let cells = self.tally.cells(batch)?;
        for row in 0..batch.num_rows() {
            self.row(&cells, row, rows, keys).map_err(|column| {
                let name = self.tally.name(column);
                let message = format!("column `{name}` of table `{}` has a value that T-SQL cannot hold", self.tally.table);
                Error::new("X0404", message).help(
                    "It has no infinities, no dates outside of the years 1 to 9999, no time 24:00, and text with the character U+0000 is not \
                     safe there. Give the table a contract, so that such rows are reported before.",
                )
            })?;
        }
        Ok(())
    }

    /// Appends one row; fails with the position of a column whose value cannot be written.
    fn row(&mut self, cells: &[Cells], row: usize, out: &mut Vec<u8>, keys: &mut Vec<u8>) -> Result<(), usize> {
        let has_keys = !self.keys.is_empty();
        let (start, keys_start) = (out.len(), keys.len());
        self.inserts.open(out);
        if has_keys {
            self.keys.open(keys);
        }
        self.image.clear();
        let mut key = 0;
        for (i, (column, cells)) in self.tally.columns.iter_mut().zip(cells).enumerate() {
            let value = cells.get(row);
            let plain = column.form.written.plain(&value, cells.kinds(&value), &mut self.plain).ok_or(i)?;
            let null = matches!(value, Value::Null);
            let given = (!null).then_some(plain);
            self.inserts.cell(i, given, out);
            if column.is_key {
                self.keys.cell(key, given, keys);
                key += 1;
            }
            column.nulls |= null;
            if let Some(canon) = &column.form.canon {
                canon.append(&value, plain, &mut self.form, &mut self.image);
            }
        }
        self.inserts.close(start, out);
        if has_keys {
            self.keys.close(keys_start, keys);
        }
        self.tally.rows += 1;
        self.tally.checksum += u128::from(self.hash());
        Ok(())
    }

    /// Hashes the image as `HASHBYTES('SHA2_256', nvarchar)` does.
    fn hash(&mut self) -> u64 {
        self.wide.clear();
        if self.image.is_ascii() {
            self.wide.resize(2 * self.image.len(), 0);
            self.wide.chunks_exact_mut(2).zip(&self.image).for_each(|(unit, byte)| unit[0] = *byte);
        } else {
            self.wide.extend(String::from_utf8_lossy(&self.image).encode_utf16().flat_map(u16::to_le_bytes));
        }
        Sha256::digest(&self.wide).iter().take(7).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }

    /// Writes the batches that wait.
    fn release(&mut self, layout: Layout, rows: &mut Vec<u8>, keys: &mut Vec<u8>) -> Result<(), Error> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        self.inserts.lay_out(layout);
        self.keys.lay_out(layout);
        waiting.iter().try_for_each(|batch| self.format(batch, rows, keys))
    }
}

impl RowWriter for Rows {
    fn write(&mut self, batch: &RecordBatch, rows: &mut Vec<u8>, keys: &mut Vec<u8>) -> Result<(), Error> {
        match &mut self.waiting {
            Some(waiting) => {
                waiting.push(batch.clone());
                if waiting.iter().map(RecordBatch::num_rows).sum::<usize>() > READABLE {
                    self.release(Layout::Json, rows, keys)?;
                }
                Ok(())
            }
            None => self.format(batch, rows, keys),
        }
    }

    fn finish(&mut self, rows: &mut Vec<u8>, keys: &mut Vec<u8>) -> Result<Evidence, Error> {
        self.release(Layout::Values, rows, keys)?;
        self.inserts.finish(rows);
        self.keys.finish(keys);
        Ok(self.tally.evidence(|c| Some(c.form.canon.as_ref()?.compared(&format!("t.{}", text::identifier(&c.name))))))
    }
}
