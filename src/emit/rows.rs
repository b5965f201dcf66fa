//! How the rows of a table become text, and what is remembered of them.
//!
//! In: record batches. Out: the text of the rows, the text of their keys, and the [`Evidence`] that `verify.sql` is judged by. What every
//! dialect remembers while it writes is a [`Tally`].
//! Does not know how any database writes a value.

use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;

use super::cells::Cells;
use super::{Column, Mode, Table};
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

/// What is gathered of a table while its rows are written; `Form` is what a dialect knows of a column before.
pub struct Tally<Form> {
    /// The table's name as messages show it.
    pub table: String,
    pub columns: Vec<Gathered<Form>>,
    pub rows: u64,
    pub checksum: u128,
}

/// A column of a [`Tally`].
pub struct Gathered<Form> {
    pub name: String,
    pub form: Form,
    pub is_key: bool,
    pub nulls: bool,
}

impl<Form> Tally<Form> {
    /// Begins with no rows; `form` looks at each column and how it is staged.
    pub fn new(
        table: &Table,
        staged: &Schema,
        form: impl Fn(&Column, &Field) -> Result<Form, Error>,
    ) -> Result<Tally<Form>, Error> {
        let found = staged.fields().len();
        if found != table.columns.len() {
            let message = format!("table `{}` has {} columns, its staged rows {found}", table.shown(), table.columns.len());
            return Err(Error::new("X0401", message));
        }
        // The rows of a whole table need no keys to be found again.
        let key: &[String] = if matches!(table.mode, Mode::Replace { .. }) { &[] } else { table.loaded_key() };
        let gathered = |(column, field): (&Column, &std::sync::Arc<Field>)| {
            let (name, is_key) = (column.name.clone(), key.contains(&column.name));
            Ok(Gathered { name, form: form(column, field)?, is_key, nulls: false })
        };
        let columns = table.columns.iter().zip(staged.fields()).map(gathered).collect::<Result<_, Error>>()?;
        Ok(Tally { table: table.shown(), columns, rows: 0, checksum: 0 })
    }

    /// Looks at the columns of a batch.
    pub fn cells<'a>(&self, batch: &'a RecordBatch) -> Result<Vec<Cells<'a>>, Error> {
        let mut cells = vec![];
        for (position, array) in batch.columns().iter().enumerate() {
            cells.push(Cells::new(array).ok_or_else(|| {
                let (name, data_type) = (self.name(position), array.data_type());
                let message =
                    format!("column `{name}` of table `{}` is staged as {data_type}, which scripts cannot hold", self.table);
                Error::new("X0401", message).help("Cast the column to text in `map`.")
            })?);
        }
        if cells.len() != self.columns.len() {
            return Err(Error::new("X0401", format!("table `{}` was staged with other columns than planned", self.table)));
        }
        Ok(cells)
    }

    /// The name of the column at a position.
    pub fn name(&self, position: usize) -> &str {
        self.columns.get(position).map_or("", |c| c.name.as_str())
    }

    /// What is known at the end; `compared` brings a column of the target into the form that was hashed.
    pub fn evidence(&self, compared: impl Fn(&Gathered<Form>) -> Option<Compared>) -> Evidence {
        Evidence {
            rows: self.rows,
            checksum: self.checksum,
            compared: self.columns.iter().map(compared).collect(),
            nulls: self.columns.iter().map(|c| c.nulls).collect(),
        }
    }
}
