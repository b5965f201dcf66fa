//! How the rows of a table become text, and what is remembered of them.
//!
//! In: record batches. Out: the text of the rows, the text of their keys, and the [`Evidence`] that `verify.sql` is judged by.
//! Does not know how any database writes a value.

use arrow::record_batch::RecordBatch;

use crate::error::Error;

/// How the rows of a deploy script are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowFormat {
    /// The database's bulk form.
    #[default]
    Copy,
    /// INSERT statements that any tool runs.
    Insert,
}

/// Formats the rows of one table, batch by batch.
pub trait RowWriter: Send {
    /// Appends the rows of a batch to `rows` and their keys to `keys`; both may be written away and emptied between calls.
    fn write(&mut self, batch: &RecordBatch, rows: &mut Vec<u8>, keys: &mut Vec<u8>) -> Result<(), Error>;

    /// Ends what is still open and returns what the rows gave.
    fn finish(&mut self, rows: &mut Vec<u8>, keys: &mut Vec<u8>) -> Result<Evidence, Error>;
}

/// What is known of a table's rows once all are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub rows: u64,
    /// The sum over all rows of a hash of each: it does not depend on their order.
    pub checksum: u128,
    /// For each column the expression that gives the target's value in the form that was hashed; `None` where values cannot be
    /// compared.
    pub compared: Vec<Option<Compared>>,
    /// For each column whether any row has NULL there.
    pub nulls: Vec<bool>,
}

/// How a column of the target is brought into the form that was hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// An expression of the dialect over the column.
    pub sql: String,
    /// The kind of type that it takes for granted, in the dialect's words; `None` where it converts from whatever it finds.
    pub needs: Option<&'static str>,
}

impl Evidence {
    /// Tells whether any of these columns has NULL in any row.
    pub fn has_nulls(&self, columns: &[usize]) -> bool {
        columns.iter().any(|c| self.nulls.get(*c).copied().unwrap_or(false))
    }
}
