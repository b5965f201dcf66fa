//! Formats a table's rows for Postgres, their keys for `verify.sql`, and sums up their checksum, all in one pass.
//!
//! In: record batches in the order of the table's columns. Out: lines of COPY data or INSERT statements of 500 rows; queries over
//! arrays of 10,000 keys. The checksum is the sum of the first 60 bits of the SHA-256 of each row's image (see [`Canon`]).
//! Does not know what the scripts around the rows look like.

use arrow::datatypes::{DataType as Staged, Schema};
use arrow::record_batch::RecordBatch;
use sha2::{Digest, Sha256};

use super::canon::Canon;
use super::{relation, stage, text, value};
use crate::emit::cells::{Cells, Value};
use crate::emit::plain::{Kinds, Plain};
use crate::emit::rows::{Evidence, RowFormat, RowWriter, Tally};
use crate::emit::{Column, Table};
use crate::error::Error;
use crate::types::DataType;

/// Rows to an INSERT statement.
const STATEMENT: u64 = 500;
/// Keys to an array.
const CHUNK: u64 = 10_000;

/// The formatter of one table.
pub struct Rows {
    tally: Tally<Form>,
    format: RowFormat,
    /// `INSERT INTO ... VALUES`.
    statement: String,
    keys: Keys,
    plain: Vec<u8>,
    image: Vec<u8>,
}

/// What is known of a column before its rows are seen.
struct Form {
    canon: Option<Canon>,
    /// Whether its values stand in a statement without quotes.
    bare: bool,
    /// Whether zeros at the end of a fraction are left out.
    trimmed: bool,
}

/// The keys that are gathered for the next array.
struct Keys {
    relation: String,
    names: Vec<String>,
    arrays: Vec<Vec<u8>>,
    count: u64,
    chunks: u64,
}

impl Rows {
    pub fn new(table: &Table, staged: &Schema, format: RowFormat) -> Result<Rows, Error> {
        let tally = Tally::new(table, staged, |column, field| {
            Ok(Form {
                canon: Canon::choose(field.data_type(), &column.data_type).filter(|_| table.is_given(&column.name)),
                bare: is_bare(column, field.data_type()),
                trimmed: column.data_type == DataType::Decimal(None) && matches!(field.data_type(), Staged::Decimal128(..)),
            })
        })?;
        let list = text::names("", table.columns.iter().map(|c| c.name.as_str()));
        let names: Vec<String> = tally.columns.iter().filter(|c| c.is_key).map(|c| c.name.clone()).collect();
        Ok(Rows {
            tally,
            format,
            statement: format!("INSERT INTO {} ({list}) VALUES\n", stage(table)),
            keys: Keys { relation: relation(table), arrays: vec![vec![]; names.len()], names, count: 0, chunks: 0 },
            plain: vec![],
            image: vec![],
        })
    }

    /// Appends one row; fails with the position of a column whose text has the character U+0000.
    fn row(&mut self, cells: &[Cells], row: usize, out: &mut Vec<u8>) -> Result<(), usize> {
        let insert = self.format == RowFormat::Insert;
        if insert {
            match self.tally.rows % STATEMENT {
                0 => out.extend_from_slice(self.statement.as_bytes()),
                _ => out.extend_from_slice(b",\n"),
            }
            out.push(b'(');
        }
        self.image.clear();
        let mut key = 0;
        for (i, (column, cells)) in self.tally.columns.iter_mut().zip(cells).enumerate() {
            let value = cells.get(row);
            let plain = match value {
                Value::Text(text) => Plain { bytes: text.as_bytes(), kinds: cells.kinds(&value) },
                _ => {
                    self.plain.clear();
                    value::print(&value, &mut self.plain);
                    if column.form.trimmed {
                        trim(&mut self.plain);
                    }
                    Plain::of(&self.plain)
                }
            };
            let null = matches!(value, Value::Null);
            if i > 0 {
                out.extend_from_slice(if insert { b", " } else { b"\t" });
            }
            let start = out.len();
            match (null, insert) {
                (true, true) => out.extend_from_slice(b"NULL"),
                (true, false) => out.extend_from_slice(b"\\N"),
                (false, true) if column.form.bare => out.extend_from_slice(plain.bytes),
                (false, true) => text::constant(plain, out),
                (false, false) => text::copy_field(plain, out),
            }
            column.nulls |= null;
            if let Some(canon) = &column.form.canon {
                if !self.image.is_empty() {
                    self.image.push(b',');
                }
                canon.append(&value, plain, &mut self.image);
            }
            if column.is_key {
                self.keys.push(key, (!null).then_some(plain.bytes));
                key += 1;
            }
            if plain.has(Kinds::ZERO) {
                out.truncate(start);
                return Err(i);
            }
        }
        out.extend_from_slice(if insert { b")" } else { b"\n" });
        self.tally.rows += 1;
        if insert && self.tally.rows.is_multiple_of(STATEMENT) {
            out.extend_from_slice(b";\n");
        }
        let digest = Sha256::digest(&self.image);
        let first = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        self.tally.checksum += u128::from(first >> 4);
        Ok(())
    }
}

/// Takes the zeros off the end of a fraction: a column of any scale would keep those that staging added.
fn trim(number: &mut Vec<u8>) {
    if number.contains(&b'.') {
        let kept = number.iter().rposition(|b| *b != b'0').map_or(0, |last| last + usize::from(number.get(last) != Some(&b'.')));
        number.truncate(kept);
    }
}

/// Numbers stand without quotes where the target wants numbers; all else is quoted, so that the column's type reads it.
fn is_bare(column: &Column, staged: &Staged) -> bool {
    let exact = staged.is_integer() || matches!(staged, Staged::Decimal128(..));
    let target = column.data_type.is_integer() || matches!(column.data_type, DataType::Decimal(_));
    exact && target && column.type_name.is_none()
}

impl RowWriter for Rows {
    fn write(&mut self, batch: &RecordBatch, rows: &mut Vec<u8>, keys: &mut Vec<u8>) -> Result<(), Error> {
        let cells = self.tally.cells(batch)?;
        for row in 0..batch.num_rows() {
            self.row(&cells, row, rows).map_err(|column| {
                let name = self.tally.name(column);
                let message = format!("column `{name}` of table `{}` has a text with the character U+0000", self.tally.table);
                Error::new("X0402", message).help("PostgreSQL cannot store it; take it out: `replace(column, chr(0), '')`.")
            })?;
            if !self.keys.names.is_empty() {
                self.keys.count += 1;
                if self.keys.count == CHUNK {
                    self.keys.flush(keys);
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, rows: &mut Vec<u8>, keys: &mut Vec<u8>) -> Result<Evidence, Error> {
        if self.format == RowFormat::Insert && !self.tally.rows.is_multiple_of(STATEMENT) {
            rows.extend_from_slice(b";\n");
        }
        self.keys.flush(keys);
        Ok(self.tally.evidence(|c| Some(c.form.canon.as_ref()?.compared(&format!("t.{}", text::identifier(&c.name))))))
    }
}

impl Keys {
    fn push(&mut self, position: usize, plain: Option<&[u8]>) {
        let Some(array) = self.arrays.get_mut(position) else { return };
        array.push(if array.is_empty() { b'{' } else { b',' });
        match plain {
            Some(plain) => text::element(plain, array),
            None => array.extend_from_slice(b"NULL"),
        }
    }

    /// Appends the query that returns the gathered keys, in the target's own types.
    fn flush(&mut self, out: &mut Vec<u8>) {
        if self.count == 0 {
            return;
        }
        out.extend_from_slice(if self.chunks == 0 {
            b"  SELECT * FROM unnest("
        } else {
            b"  UNION ALL\n  SELECT * FROM unnest("
        });
        for (i, (name, array)) in self.names.iter().zip(&mut self.arrays).enumerate() {
            // The empty aggregate lends its type to the constant.
            let typed = format!("(SELECT array_agg({}) FROM {} WHERE false)", text::identifier(name), self.relation);
            out.extend_from_slice(format!("{}\n    coalesce({typed}, ", if i > 0 { "," } else { "" }).as_bytes());
            array.push(b'}');
            text::constant(Plain::of(array), out);
            out.push(b')');
            array.clear();
        }
        out.extend_from_slice(b")\n");
        self.count = 0;
        self.chunks += 1;
    }
}
