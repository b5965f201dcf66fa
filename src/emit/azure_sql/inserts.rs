//! Rows of constants on their way into a table of the session, in batches of bounded size.
//!
//! In: the text of each cell. Out: `INSERT ... VALUES` lists of at most 1,000 rows, or `INSERT ... SELECT ... FROM OPENJSON(N'[...]')`
//! with one JSON array to a row; each batch ends in GO and, if it is part of the transaction, does nothing once that has ended.
//! Sources: Transact-SQL reference, table value constructor (1,000 rows), OPENJSON.
//! Does not know what the rows mean.

use super::text;
use super::value::{Form, Written};
use crate::emit::plain::Plain;

/// The most rows that a VALUES list takes.
const LIST: u64 = 1_000;
/// Bytes after which a list, a JSON text, or a batch ends.
const LIST_BYTES: usize = 256 << 10;
const BATCH_BYTES: usize = 512 << 10;

/// The line that begins each batch of the transaction: once it has been rolled back, nothing more is done.
pub const STILL_OPEN: &str = "IF @@TRANCOUNT = 0 SET NOEXEC ON;\n";

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Values,
    Json,
}

/// A column of the table of the session.
pub struct Cell {
    pub name: String,
    pub written: Written,
}

/// Writes rows one after another.
pub struct Inserts {
    insert: String,
    /// What is taken from the JSON text.
    taken: String,
    /// What follows the JSON text: `) WITH (...) AS r;`.
    with: String,
    layout: Layout,
    prelude: &'static str,
    cells: Vec<Cell>,
    /// Rows and bytes of the open statement, bytes of the open batch.
    rows: u64,
    statement: usize,
    batch: usize,
}

impl Inserts {
    /// Begins to fill `table`; `prelude` opens each batch.
    pub fn new(table: &str, cells: Vec<Cell>, prelude: &'static str) -> Inserts {
        let list = text::names("", cells.iter().map(|c| c.name.as_str()));
        let places: Vec<String> =
            cells.iter().enumerate().map(|(i, c)| format!("c{} {} '$[{i}]'", i + 1, c.written.json_type)).collect();
        let taken: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(i, c)| match c.written.form {
                Form::Bytes => format!("CONVERT(varbinary(max), r.c{}, 2)", i + 1),
                Form::Number | Form::Bit | Form::Text => format!("r.c{}", i + 1),
            })
            .collect();
        Inserts {
            insert: format!("INSERT INTO {table} ({list})"),
            taken: taken.join(", "),
            with: format!(") WITH ({}) AS r;\n", places.join(", ")),
            layout: Layout::Values,
            prelude,
            rows: 0,
            statement: 0,
            batch: 0,
            cells,
        }
    }

    /// Chooses how the rows are written; before the first of them.
    pub fn lay_out(&mut self, layout: Layout) {
        self.layout = layout;
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Opens a row.
    pub fn open(&mut self, out: &mut Vec<u8>) {
        if self.rows == 0 {
            if self.batch == 0 {
                out.extend_from_slice(self.prelude.as_bytes());
            }
            let statement = match self.layout {
                Layout::Values => format!("{} VALUES\n", self.insert),
                Layout::Json => format!("{}\nSELECT {}\nFROM OPENJSON(N'[\n", self.insert, self.taken),
            };
            out.extend_from_slice(statement.as_bytes());
        } else {
            out.extend_from_slice(b",\n");
        }
        out.push(if self.layout == Layout::Values { b'(' } else { b'[' });
    }

    /// Appends a cell of the open row: its text, or nothing for NULL.
    pub fn cell(&self, position: usize, plain: Option<Plain>, out: &mut Vec<u8>) {
        let Some(cell) = self.cells.get(position) else { return };
        match self.layout {
            Layout::Values => {
                if position > 0 {
                    out.extend_from_slice(b", ");
                }
                match (plain, cell.written.form) {
                    (Some(plain), form) => constant(form, plain.bytes, out),
                    // A list takes its types from all rows; one of bare NULLs would be whole numbers, which are not converted to dates.
                    (None, Form::Text) if self.rows == 0 => out.extend_from_slice(b"CAST(NULL AS nvarchar(1))"),
                    (None, Form::Bytes) if self.rows == 0 => out.extend_from_slice(b"CAST(NULL AS varbinary(1))"),
                    (None, _) => out.extend_from_slice(b"NULL"),
                }
            }
            Layout::Json => {
                if position > 0 {
                    out.push(b',');
                }
                match (plain, cell.written.form) {
                    (None, _) => out.extend_from_slice(b"null"),
                    (Some(Plain { bytes: b"1", .. }), Form::Bit) => out.extend_from_slice(b"true"),
                    (Some(_), Form::Bit) => out.extend_from_slice(b"false"),
                    (Some(plain), Form::Number) => out.extend_from_slice(plain.bytes),
                    (Some(plain), Form::Text | Form::Bytes) => text::json_string(plain, out),
                }
            }
        }
    }

    /// Closes a row that began at `start`, and with it the statement and the batch if they are long enough.
    pub fn close(&mut self, start: usize, out: &mut Vec<u8>) {
        out.push(if self.layout == Layout::Values { b')' } else { b']' });
        let length = out.len().saturating_sub(start);
        self.rows += 1;
        self.statement += length;
        self.batch += length;
        if (self.layout == Layout::Values && self.rows == LIST) || self.statement >= LIST_BYTES {
            self.end_statement(out);
        }
        if self.batch >= BATCH_BYTES {
            self.finish(out);
        }
    }

    fn end_statement(&mut self, out: &mut Vec<u8>) {
        if self.rows == 0 {
            return;
        }
        match self.layout {
            Layout::Values => out.extend_from_slice(b";\n"),
            Layout::Json => {
                out.extend_from_slice(b"\n]'");
                out.extend_from_slice(self.with.as_bytes());
            }
        }
        self.rows = 0;
        self.statement = 0;
    }

    /// Ends what is open.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_statement(out);
        if self.batch > 0 {
            out.extend_from_slice(b"GO\n");
        }
        self.batch = 0;
    }
}

/// Appends a constant.
fn constant(form: Form, plain: &[u8], out: &mut Vec<u8>) {
    match form {
        Form::Number | Form::Bit => out.extend_from_slice(plain),
        Form::Bytes => {
            out.extend_from_slice(b"0x");
            out.extend_from_slice(plain);
        }
        Form::Text => text::constant(&String::from_utf8_lossy(plain), out),
    }
}
