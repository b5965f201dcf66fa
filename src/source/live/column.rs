//! PostgreSQL's binary values as Arrow columns.
//!
//! In: the bytes of one value after the other. Out: an array. Nothing goes by way of text or floating point, and a value that the engine
//! cannot hold is a fault that says why. Sources: the `*_send` functions of PostgreSQL 15 (numeric.c, date.c, timestamp.c, arrayfuncs.c).
//! Does not know about rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Array, FixedSizeBinaryBuilder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, ListArray, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType as ArrowType, Field, TimeUnit};
use arrow::error::ArrowError;

use super::rows::{long, short};
use crate::types::DataType;

/// From 1970 to 2000, where the server's clock starts.
const DAYS: i32 = 10_957;
const MICROSECONDS: i64 = 946_684_800_000_000;

/// Why a value cannot be held.
pub(super) type Fault = String;

/// A column under construction.
pub(super) enum Column {
    Boolean(BooleanBuilder),
    Short(Int16Builder),
    Integer(Int32Builder),
    Long(Int64Builder),
    Real(Float32Builder),
    Double(Float64Builder),
    Decimal {
        values: Vec<Option<i128>>,
        precision: u8,
        scale: u8,
    },
    /// `version` is the byte before the text of jsonb.
    Text {
        values: StringBuilder,
        version: bool,
    },
    Bytes(BinaryBuilder),
    Uuid(FixedSizeBinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp {
        values: TimestampMicrosecondBuilder,
        zone: bool,
    },
    List {
        element: Box<Column>,
        field: Arc<Field>,
        offsets: Vec<i32>,
        valid: Vec<bool>,
    },
}

/// Describes a column to the engine.
pub(super) fn field(name: &str, data_type: &DataType) -> Field {
    let field = Field::new(name, arrow_type(data_type), true);
    match data_type {
        DataType::Uuid => field.with_metadata(HashMap::from([("ARROW:extension:name".into(), "arrow.uuid".into())])),
        _ => field,
    }
}

fn arrow_type(data_type: &DataType) -> ArrowType {
    match data_type {
        DataType::Boolean => ArrowType::Boolean,
        DataType::SmallInt => ArrowType::Int16,
        DataType::Integer => ArrowType::Int32,
        DataType::BigInt => ArrowType::Int64,
        DataType::Real => ArrowType::Float32,
        DataType::Double => ArrowType::Float64,
        DataType::Decimal(size) => {
            let (precision, scale) = size.unwrap_or((38, 9));
            ArrowType::Decimal128(precision, scale as i8)
        }
        DataType::Bytes => ArrowType::Binary,
        DataType::Uuid => ArrowType::FixedSizeBinary(16),
        DataType::Date => ArrowType::Date32,
        DataType::Time => ArrowType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_) => ArrowType::Timestamp(TimeUnit::Microsecond, None),
        DataType::TimestampTz(_) => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::List(element) => ArrowType::List(Arc::new(field("item", element))),
        _ => ArrowType::Utf8,
    }
}

impl Column {
    pub(super) fn new(data_type: &DataType) -> Column {
        match data_type {
            DataType::Boolean => Column::Boolean(BooleanBuilder::new()),
            DataType::SmallInt => Column::Short(Int16Builder::new()),
            DataType::Integer => Column::Integer(Int32Builder::new()),
            DataType::BigInt => Column::Long(Int64Builder::new()),
            DataType::Real => Column::Real(Float32Builder::new()),
            DataType::Double => Column::Double(Float64Builder::new()),
            DataType::Decimal(size) => {
                let (precision, scale) = size.unwrap_or((38, 9));
                Column::Decimal { values: vec![], precision, scale }
            }
            DataType::Bytes => Column::Bytes(BinaryBuilder::new()),
            DataType::Uuid => Column::Uuid(FixedSizeBinaryBuilder::new(16)),
            DataType::Date => Column::Date(Date32Builder::new()),
            DataType::Time => Column::Time(Time64MicrosecondBuilder::new()),
            DataType::Timestamp(_) => Column::Timestamp { values: TimestampMicrosecondBuilder::new(), zone: false },
            DataType::TimestampTz(_) => Column::Timestamp { values: TimestampMicrosecondBuilder::new(), zone: true },
            DataType::List(element) => Column::List {
                element: Box::new(Column::new(element)),
                field: Arc::new(field("item", element)),
                offsets: vec![0],
                valid: vec![],
            },
            DataType::Json { binary } => Column::Text { values: StringBuilder::new(), version: *binary },
            _ => Column::Text { values: StringBuilder::new(), version: false },
        }
    }

    /// Adds a value; `None` is NULL.
    pub(super) fn push(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        match self {
            Column::Boolean(values) => values.append_option(value.map(|v| fixed::<1>(v).map(|[b]| b != 0)).transpose()?),
            Column::Short(values) => values.append_option(value.map(|v| fixed(v).map(i16::from_be_bytes)).transpose()?),
            Column::Integer(values) => values.append_option(value.map(|v| fixed(v).map(i32::from_be_bytes)).transpose()?),
            Column::Long(values) => values.append_option(value.map(|v| fixed(v).map(i64::from_be_bytes)).transpose()?),
            Column::Real(values) => values.append_option(value.map(|v| fixed(v).map(f32::from_be_bytes)).transpose()?),
            Column::Double(values) => values.append_option(value.map(|v| fixed(v).map(f64::from_be_bytes)).transpose()?),
            Column::Decimal { values, scale, .. } => values.push(value.map(|v| decimal(v, *scale)).transpose()?),
            Column::Text { values, version } => {
                let text = value.map(|v| v.get(usize::from(*version)..).unwrap_or(&[]));
                let text = text.map(|t| std::str::from_utf8(t).map_err(|_| "the value is not UTF-8".to_string())).transpose()?;
                values.append_option(text);
            }
            Column::Bytes(values) => values.append_option(value),
            Column::Uuid(values) => match value {
                Some(bytes) => values.append_value(bytes).map_err(|e| e.to_string())?,
                None => values.append_null(),
            },
            Column::Date(values) => values.append_option(value.map(date).transpose()?),
            Column::Time(values) => values.append_option(value.map(|v| fixed(v).map(i64::from_be_bytes)).transpose()?),
            Column::Timestamp { values, .. } => values.append_option(value.map(instant).transpose()?),
            Column::List { element, offsets, valid, .. } => {
                let added = match value {
                    Some(bytes) => elements(bytes, element)?,
                    None => 0,
                };
                let last = offsets.last().copied().unwrap_or(0);
                offsets.push(last.checked_add(added).ok_or("the lists have too many elements")?);
                valid.push(value.is_some());
            }
        }
        Ok(())
    }

    /// Makes an array of the values so far, and starts anew.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Column::Boolean(values) => Arc::new(values.finish()),
            Column::Short(values) => Arc::new(values.finish()),
            Column::Integer(values) => Arc::new(values.finish()),
            Column::Long(values) => Arc::new(values.finish()),
            Column::Real(values) => Arc::new(values.finish()),
            Column::Double(values) => Arc::new(values.finish()),
            Column::Decimal { values, precision, scale } => {
                let array = Decimal128Array::from(std::mem::take(values));
                Arc::new(array.with_precision_and_scale(*precision, *scale as i8)?)
            }
            Column::Text { values, .. } => Arc::new(values.finish()),
            Column::Bytes(values) => Arc::new(values.finish()),
            Column::Uuid(values) => Arc::new(values.finish()),
            Column::Date(values) => Arc::new(values.finish()),
            Column::Time(values) => Arc::new(values.finish()),
            Column::Timestamp { values, zone: false } => Arc::new(values.finish()),
            Column::Timestamp { values, zone: true } => Arc::new(values.finish().with_timezone("UTC")),
            Column::List { element, field, offsets, valid } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(offsets, vec![0])));
                let nulls = NullBuffer::from(std::mem::take(valid));
                Arc::new(ListArray::try_new(field.clone(), offsets, element.finish()?, Some(nulls))?)
            }
        })
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Fault> {
    bytes.try_into().map_err(|_| format!("the value has {} bytes instead of {N}", bytes.len()))
}

/// Reads days; both infinities have their own words in the engine.
fn date(bytes: &[u8]) -> Result<i32, Fault> {
    match i32::from_be_bytes(fixed(bytes)?) {
        i32::MAX => Ok(i32::MAX),
        i32::MIN => Ok(-i32::MAX),
        days => days.checked_add(DAYS).ok_or_else(|| "the date is later than the engine can hold".to_string()),
    }
}

fn instant(bytes: &[u8]) -> Result<i64, Fault> {
    match i64::from_be_bytes(fixed(bytes)?) {
        i64::MAX => Ok(i64::MAX),
        i64::MIN => Ok(-i64::MAX),
        time => match time.checked_add(MICROSECONDS) {
            Some(time) if time < i64::MAX => Ok(time),
            _ => Err("the time is later than the engine can hold, which ends in the year 294247".to_string()),
        },
    }
}

/// Reads a numeric: digits to the base 10,000, of which the first stands for `10000 ^ weight`.
fn decimal(bytes: &[u8], scale: u8) -> Result<i128, Fault> {
    let cut = || "the number is cut short".to_string();
    let (count, weight) = (short(bytes, 0).ok_or_else(cut)?, short(bytes, 2).ok_or_else(cut)?);
    let sign = short(bytes, 4).ok_or_else(cut)? as u16;
    match sign {
        0x0000 | 0x4000 => {}
        0xC000 => return Err("NaN is no decimal".to_string()),
        _ => return Err("infinity is no decimal".to_string()),
    }
    let too_large = || "the number has more than 38 digits".to_string();
    let mut value: i128 = 0;
    for i in 0..count {
        let digit = i128::from(short(bytes, 8 + 2 * i as usize).ok_or_else(cut)?);
        // The power of ten that this digit's last place stands for, in units of the scale.
        let power = 4 * (i32::from(weight) - i32::from(i)) + i32::from(scale);
        let (digit, power) = if power < 0 {
            let unit = 10i128.checked_pow(power.unsigned_abs()).unwrap_or(i128::MAX);
            if digit % unit != 0 {
                return Err(format!("the number has more than {scale} digits after the point"));
            }
            (digit / unit, 0)
        } else {
            (digit, power as u32)
        };
        if digit != 0 {
            let unit = 10i128.checked_pow(power).ok_or_else(too_large)?;
            value = digit.checked_mul(unit).and_then(|d| value.checked_add(d)).ok_or_else(too_large)?;
        }
    }
    Ok(if sign == 0x4000 { -value } else { value })
}

/// Reads an array into the column of its elements, and returns how many they are.
fn elements(bytes: &[u8], into: &mut Column) -> Result<i32, Fault> {
    let cut = || "the array is cut short".to_string();
    match long(bytes, 0).ok_or_else(cut)? {
        0 => return Ok(0),
        1 => {}
        n => return Err(format!("the array has {n} dimensions")),
    }
    let count = long(bytes, 12).ok_or_else(cut)?;
    let mut at = 20;
    for _ in 0..count {
        let length = long(bytes, at).ok_or_else(cut)?;
        at += 4;
        if length < 0 {
            into.push(None)?;
            continue;
        }
        let end = at + length as usize;
        into.push(Some(bytes.get(at..end).ok_or_else(cut)?))?;
        at = end;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a numeric as the server sends it.
    fn sent(weight: i16, sign: u16, digits: &[i16]) -> Vec<u8> {
        let head = [digits.len() as i16, weight, sign as i16, 0];
        head.iter().chain(digits).flat_map(|n| n.to_be_bytes()).collect()
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal(&sent(0, 0, &[12, 3400]), 2), Ok(1234));
        assert_eq!(decimal(&sent(0, 0x4000, &[12, 3400]), 4), Ok(-123_400));
        assert_eq!(decimal(&sent(-1, 0, &[1]), 4), Ok(1));
        assert_eq!(decimal(&sent(1, 0, &[5]), 0), Ok(50_000));
        assert_eq!(decimal(&sent(0, 0, &[]), 9), Ok(0));
        assert_eq!(decimal(&sent(9, 0, &[99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999]), 0), Ok(10i128.pow(38) - 1));
        assert!(decimal(&sent(0, 0, &[12, 3456]), 2).is_err_and(|why| why.contains("more than 2 digits")));
        assert!(decimal(&sent(0, 0xC000, &[]), 2).is_err_and(|why| why.contains("NaN")));
        assert!(decimal(&sent(20, 0, &[1]), 2).is_err());
    }

    #[test]
    fn both_ends_of_time_are_told_from_times() {
        assert_eq!(date(&0i32.to_be_bytes()), Ok(DAYS));
        assert_eq!(date(&i32::MIN.to_be_bytes()), Ok(-i32::MAX));
        assert_eq!(instant(&i64::MAX.to_be_bytes()), Ok(i64::MAX));
        assert!(instant(&(i64::MAX - 5).to_be_bytes()).is_err());
    }
}
