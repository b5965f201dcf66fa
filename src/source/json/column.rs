//! Columns that grow value by value and become Arrow arrays.
//!
//! In: a reader that stands before a value of the column's type. Out: arrays, everything nullable. A field that an object leaves
//! out costs nothing: columns are padded with NULLs only when their next value comes, or at the end.
//! Does not know about records or types other than those of columns.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Decimal128Array, Int64Array, ListArray, NullBufferBuilder, StringArray,
    StructArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType as ArrowType, Field, Fields};
use arrow::error::ArrowError;
use indexmap::IndexMap;
use jiter::{Jiter, Peek};

use super::malformed::{Fault, changed};
use super::number;
use super::shape::find;
use crate::types::DataType;

/// A column under construction.
pub(super) struct Column {
    length: usize,
    valid: NullBufferBuilder,
    values: Values,
}

enum Values {
    Boolean(BooleanBufferBuilder),
    Integer(Vec<i64>),
    Decimal {
        values: Vec<i128>,
        precision: u8,
        scale: i8,
    },
    /// `json` keeps strings in their quotes.
    Text {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
        json: bool,
    },
    List {
        offsets: Vec<i32>,
        element: Box<Column>,
    },
    Struct(IndexMap<Box<str>, Column>),
}

/// Returns the Arrow type that a column of this type is built as.
pub(super) fn arrow_type(kind: &DataType) -> ArrowType {
    match kind {
        DataType::Boolean => ArrowType::Boolean,
        DataType::BigInt => ArrowType::Int64,
        DataType::Decimal(Some((precision, scale))) => ArrowType::Decimal128(*precision, *scale as i8),
        DataType::List(element) => ArrowType::List(element_field(arrow_type(element))),
        DataType::Struct(fields) => {
            ArrowType::Struct(fields.iter().map(|(name, kind)| Field::new(name, arrow_type(kind), true)).collect())
        }
        // Inference yields no other types than these, JSON and text, and columns without values are text too.
        _ => ArrowType::Utf8,
    }
}

fn element_field(kind: ArrowType) -> Arc<Field> {
    Arc::new(Field::new("item", kind, true))
}

impl Column {
    pub(super) fn new(kind: &DataType) -> Column {
        let values = match kind {
            DataType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            DataType::BigInt => Values::Integer(vec![]),
            DataType::Decimal(Some((precision, scale))) => {
                Values::Decimal { values: vec![], precision: *precision, scale: *scale as i8 }
            }
            DataType::List(element) => Values::List { offsets: vec![0], element: Box::new(Column::new(element)) },
            DataType::Struct(fields) => {
                Values::Struct(fields.iter().map(|(name, kind)| (name.as_str().into(), Column::new(kind))).collect())
            }
            kind => Values::Text { offsets: vec![0], bytes: vec![], json: matches!(kind, DataType::Json { .. }) },
        };
        Column { length: 0, valid: NullBufferBuilder::new(0), values }
    }

    /// Reads the value of row `row`, whose first byte was peeked; rows that were left out before it become NULL.
    ///
    /// A second value for the same row replaces the first, as the last of two equal keys wins.
    pub(super) fn set(&mut self, row: usize, reader: &mut Jiter, peek: Peek) -> Result<(), Fault> {
        self.truncate(row);
        self.pad(row);
        self.append(reader, peek)
    }

    fn append(&mut self, reader: &mut Jiter, peek: Peek) -> Result<(), Fault> {
        if peek == Peek::Null {
            reader.known_null()?;
            self.pad(self.length + 1);
            return Ok(());
        }
        let at = reader.current_index();
        match (&mut self.values, peek) {
            (Values::Text { offsets, bytes, json: false }, Peek::String) => {
                bytes.extend_from_slice(reader.known_str()?.as_bytes());
                offsets.push(offset(bytes.len(), at)?);
            }
            (Values::Text { offsets, bytes, .. }, _) => {
                reader.known_skip(peek)?;
                bytes.extend_from_slice(reader.slice_to_current(at));
                offsets.push(offset(bytes.len(), at)?);
            }
            (Values::Boolean(values), _) => values.append(reader.known_bool(peek)?),
            (Values::Integer(values), _) => {
                values.push(number::integer(reader.known_number_bytes(peek)?).ok_or_else(|| changed(at))?);
            }
            (Values::Decimal { values, scale, .. }, _) => {
                values.push(number::decimal(reader.known_number_bytes(peek)?, *scale).ok_or_else(|| changed(at))?);
            }
            (Values::List { offsets, element }, Peek::Array) => {
                let mut next = reader.known_array()?;
                while let Some(peek) = next {
                    element.append(reader, peek)?;
                    next = reader.array_step()?;
                }
                offsets.push(offset(element.length, at)?);
            }
            (Values::Struct(fields), Peek::Object) => object(reader, fields, self.length)?,
            (Values::List { .. } | Values::Struct(_), _) => return Err(changed(at)),
        }
        self.valid.append_non_null();
        self.length += 1;
        Ok(())
    }

    /// Adds NULLs up to this length.
    fn pad(&mut self, length: usize) {
        let Some(missing) = length.checked_sub(self.length).filter(|n| *n > 0) else {
            return;
        };
        match &mut self.values {
            Values::Boolean(values) => values.append_n(missing, false),
            Values::Integer(values) => values.resize(length, 0),
            Values::Decimal { values, .. } => values.resize(length, 0),
            Values::Text { offsets, .. } | Values::List { offsets, .. } => {
                let last = offsets.last().copied().unwrap_or_default();
                offsets.resize(length + 1, last);
            }
            Values::Struct(_) => {}
        }
        self.valid.append_n_nulls(missing);
        self.length = length;
    }

    /// Takes back the values from this row on.
    fn truncate(&mut self, length: usize) {
        if length >= self.length {
            return;
        }
        match &mut self.values {
            Values::Boolean(values) => values.truncate(length),
            Values::Integer(values) => values.truncate(length),
            Values::Decimal { values, .. } => values.truncate(length),
            Values::Text { offsets, bytes, .. } => {
                offsets.truncate(length + 1);
                bytes.truncate(offsets.last().map_or(0, |end| *end as usize));
            }
            Values::List { offsets, element } => {
                offsets.truncate(length + 1);
                element.truncate(offsets.last().map_or(0, |end| *end as usize));
            }
            Values::Struct(fields) => fields.values_mut().for_each(|field| field.truncate(length)),
        }
        self.valid.truncate(length);
        self.length = length;
    }

    /// Makes the array of `length` rows.
    pub(super) fn finish(mut self, length: usize) -> Result<ArrayRef, ArrowError> {
        self.pad(length);
        let valid = self.valid.build();
        Ok(match self.values {
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.build(), valid)),
            Values::Integer(values) => Arc::new(Int64Array::try_new(values.into(), valid)?),
            Values::Decimal { values, precision, scale } => {
                Arc::new(Decimal128Array::try_new(values.into(), valid)?.with_precision_and_scale(precision, scale)?)
            }
            Values::Text { offsets, bytes, .. } => {
                Arc::new(StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes), valid)?)
            }
            Values::List { offsets, element } => {
                let elements = element.length;
                let element = element.finish(elements)?;
                let field = element_field(element.data_type().clone());
                Arc::new(ListArray::try_new(field, OffsetBuffer::new(ScalarBuffer::from(offsets)), element, valid)?)
            }
            Values::Struct(fields) => {
                let mut names = vec![];
                let mut arrays = vec![];
                for (name, column) in fields {
                    let array = column.finish(length)?;
                    names.push(Field::new(name.as_ref(), array.data_type().clone(), true));
                    arrays.push(array);
                }
                Arc::new(StructArray::try_new(Fields::from(names), arrays, valid)?)
            }
        })
    }
}

/// Reads one object, whose first byte was peeked, into row `row` of its fields; other keys are skipped.
pub(super) fn object(reader: &mut Jiter, fields: &mut IndexMap<Box<str>, Column>, row: usize) -> Result<(), Fault> {
    let mut cursor = 0;
    let mut slot = reader.known_object()?.map(|key| find(fields, key, &mut cursor));
    while let Some(index) = slot {
        let peek = reader.peek()?;
        match index.and_then(|index| fields.get_index_mut(index)) {
            Some((_, field)) => field.set(row, reader, peek)?,
            None => reader.known_skip(peek)?,
        }
        slot = reader.next_key()?.map(|key| find(fields, key, &mut cursor));
    }
    Ok(())
}

/// A run's bytes bound its offsets, and no record has more than an `i32` holds.
fn offset(length: usize, at: usize) -> Result<i32, Fault> {
    i32::try_from(length).map_err(|_| changed(at))
}
