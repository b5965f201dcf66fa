//! Typed access to the cells of Arrow columns.
//!
//! In: an Arrow array of any type that staging uses. Out: one [`Value`] per row, borrowed, in one enum for all widths and
//! layouts. Does not know how values are written.

use std::ops::Range;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray,
    LargeBinaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::plain::Kinds;

/// The content of a cell.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    /// The digits and how many of them stand after the point.
    Decimal(i128, i8),
    Real(f32),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970; whether it is an instant.
    Timestamp(i64, bool),
    List(Elements<'a>),
}

/// The elements of a list.
#[derive(Clone)]
pub struct Elements<'a> {
    cells: &'a Cells<'a>,
    range: Range<usize>,
}

impl<'a> Elements<'a> {
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let cells = self.cells;
        self.range.clone().map(move |row| cells.get(row))
    }
}

impl std::fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A column, its type found out once.
pub struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    kind: Kind<'a>,
    /// Whether no text of the column has any of the [`Kinds`] of bytes that are looked for.
    clean: bool,
}

enum Kind<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    UInt8(&'a PrimitiveArray<UInt8Type>),
    UInt16(&'a PrimitiveArray<UInt16Type>),
    UInt32(&'a PrimitiveArray<UInt32Type>),
    UInt64(&'a PrimitiveArray<UInt64Type>),
    Decimal(&'a Decimal128Array, i8),
    Real(&'a PrimitiveArray<Float32Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Text(&'a StringArray),
    LargeText(&'a LargeStringArray),
    TextView(&'a StringViewArray),
    Bytes(&'a BinaryArray),
    LargeBytes(&'a LargeBinaryArray),
    BytesView(&'a BinaryViewArray),
    FixedBytes(&'a FixedSizeBinaryArray),
    Date(&'a PrimitiveArray<Date32Type>),
    Time(&'a PrimitiveArray<Time64MicrosecondType>),
    /// The raw numbers, what one of them is in microseconds (or how many of them make one), and whether it is an instant.
    Timestamp(&'a [i64], Unit, bool),
    List(&'a OffsetBuffer<i32>, Box<Cells<'a>>),
    LargeList(&'a OffsetBuffer<i64>, Box<Cells<'a>>),
}

/// The unit of a timestamp.
#[derive(Clone, Copy)]
enum Unit {
    Times(i64),
    Nanoseconds,
}

impl<'a> Cells<'a> {
    /// Looks at an array; `None` if its type is not one that staging uses.
    pub fn new(array: &'a ArrayRef) -> Option<Cells<'a>> {
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Boolean(array.as_boolean_opt()?),
            DataType::Int8 => Kind::Int8(array.as_primitive_opt()?),
            DataType::Int16 => Kind::Int16(array.as_primitive_opt()?),
            DataType::Int32 => Kind::Int32(array.as_primitive_opt()?),
            DataType::Int64 => Kind::Int64(array.as_primitive_opt()?),
            DataType::UInt8 => Kind::UInt8(array.as_primitive_opt()?),
            DataType::UInt16 => Kind::UInt16(array.as_primitive_opt()?),
            DataType::UInt32 => Kind::UInt32(array.as_primitive_opt()?),
            DataType::UInt64 => Kind::UInt64(array.as_primitive_opt()?),
            DataType::Decimal128(_, scale) => Kind::Decimal(array.as_primitive_opt::<Decimal128Type>()?, *scale),
            DataType::Float32 => Kind::Real(array.as_primitive_opt()?),
            DataType::Float64 => Kind::Double(array.as_primitive_opt()?),
            DataType::Utf8 => Kind::Text(array.as_string_opt()?),
            DataType::LargeUtf8 => Kind::LargeText(array.as_string_opt()?),
            DataType::Utf8View => Kind::TextView(array.as_string_view_opt()?),
            DataType::Binary => Kind::Bytes(array.as_binary_opt()?),
            DataType::LargeBinary => Kind::LargeBytes(array.as_binary_opt()?),
            DataType::BinaryView => Kind::BytesView(array.as_binary_view_opt()?),
            DataType::FixedSizeBinary(_) => Kind::FixedBytes(array.as_fixed_size_binary_opt()?),
            DataType::Date32 => Kind::Date(array.as_primitive_opt()?),
            DataType::Time64(TimeUnit::Microsecond) => Kind::Time(array.as_primitive_opt()?),
            DataType::Timestamp(unit, zone) => {
                let (numbers, unit) = match unit {
                    TimeUnit::Second => (array.as_primitive_opt::<TimestampSecondType>()?.values(), Unit::Times(1_000_000)),
                    TimeUnit::Millisecond => (array.as_primitive_opt::<TimestampMillisecondType>()?.values(), Unit::Times(1_000)),
                    TimeUnit::Microsecond => (array.as_primitive_opt::<TimestampMicrosecondType>()?.values(), Unit::Times(1)),
                    TimeUnit::Nanosecond => (array.as_primitive_opt::<TimestampNanosecondType>()?.values(), Unit::Nanoseconds),
                };
                Kind::Timestamp(numbers, unit, zone.is_some())
            }
            DataType::List(_) => {
                let list = array.as_list_opt::<i32>()?;
                Kind::List(list.offsets(), Box::new(Cells::new(list.values())?))
            }
            DataType::LargeList(_) => {
                let list = array.as_list_opt::<i64>()?;
                Kind::LargeList(list.offsets(), Box::new(Cells::new(list.values())?))
            }
            _ => return None,
        };
        let clean = matches!(kind, Kind::Text(texts) if Kinds::none_in(texts.value_data()));
        Some(Cells { nulls: array.nulls(), kind, clean })
    }

    /// Finds the kinds of bytes that a value of this column has, if it is a text.
    pub fn kinds(&self, value: &Value) -> Kinds {
        match value {
            Value::Text(text) if !self.clean => Kinds::of(text.as_bytes()),
            _ => Kinds::default(),
        }
    }

    /// Returns the value of a row that the array has.
    pub fn get(&self, row: usize) -> Value<'_> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Value::Null;
        }
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Boolean(array) => Value::Boolean(array.value(row)),
            Kind::Int8(array) => Value::Integer(array.value(row).into()),
            Kind::Int16(array) => Value::Integer(array.value(row).into()),
            Kind::Int32(array) => Value::Integer(array.value(row).into()),
            Kind::Int64(array) => Value::Integer(array.value(row)),
            Kind::UInt8(array) => Value::Unsigned(array.value(row).into()),
            Kind::UInt16(array) => Value::Unsigned(array.value(row).into()),
            Kind::UInt32(array) => Value::Unsigned(array.value(row).into()),
            Kind::UInt64(array) => Value::Unsigned(array.value(row)),
            Kind::Decimal(array, scale) => Value::Decimal(array.value(row), *scale),
            Kind::Real(array) => Value::Real(array.value(row)),
            Kind::Double(array) => Value::Double(array.value(row)),
            Kind::Text(array) => Value::Text(array.value(row)),
            Kind::LargeText(array) => Value::Text(array.value(row)),
            Kind::TextView(array) => Value::Text(array.value(row)),
            Kind::Bytes(array) => Value::Bytes(array.value(row)),
            Kind::LargeBytes(array) => Value::Bytes(array.value(row)),
            Kind::BytesView(array) => Value::Bytes(array.value(row)),
            Kind::FixedBytes(array) => Value::Bytes(array.value(row)),
            Kind::Date(array) => Value::Date(array.value(row)),
            Kind::Time(array) => Value::Time(array.value(row)),
            Kind::Timestamp(numbers, unit, zoned) => {
                Value::Timestamp(unit.micros(numbers.get(row).copied().unwrap_or_default()), *zoned)
            }
            Kind::List(offsets, cells) => list(cells, offsets.get(row..row + 2).unwrap_or_default().iter().map(|o| *o as usize)),
            Kind::LargeList(offsets, cells) => {
                list(cells, offsets.get(row..row + 2).unwrap_or_default().iter().map(|o| *o as usize))
            }
        }
    }
}

fn list<'a>(cells: &'a Cells<'a>, mut bounds: impl Iterator<Item = usize>) -> Value<'a> {
    let (start, end) = (bounds.next().unwrap_or_default(), bounds.next().unwrap_or_default());
    Value::List(Elements { cells, range: start..end })
}

impl Unit {
    /// Converts to microseconds; infinities of any unit stay infinite.
    fn micros(self, number: i64) -> i64 {
        match self {
            Unit::Times(factor) => number.saturating_mul(factor),
            Unit::Nanoseconds if number == i64::MAX || number <= -i64::MAX => number,
            Unit::Nanoseconds => number.div_euclid(1_000),
        }
    }
}
