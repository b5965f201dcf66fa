//! The form in which values are compared with those in the target.
//!
//! In: the staged and the target's type of a column. Out: a [`Canon`], which says the same thing twice: as a T-SQL expression over the
//! target's column ([`Canon::sql`]) and as text made of a staged value ([`Canon::append`]). Both give the same text exactly when the
//! target holds the value. A row's image is, for each column, the text behind its length in bytes (UTF-16) and a colon, or `-` for NULL.
//! Does not know about rows or hashes.

use arrow::datatypes::DataType as Staged;

use super::value::{self, Moment};
use crate::emit::cells::Value;
use crate::emit::plain::{Kinds, Plain};
use crate::emit::rows::Compared;
use crate::emit::{Column, numbers};
use crate::types::DataType;

const DAY: i64 = 86_400_000_000;

/// A form to compare values in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Canon {
    /// `1` or `0`.
    Bit,
    /// Decimal digits with this many after the point.
    Number(u8),
    /// The bits in hexadecimal digits.
    Real,
    Double,
    Text,
    /// Text without the spaces at its end, which `char(n)` does not keep.
    Padded,
    /// Days since 1970.
    Date,
    /// Microseconds since midnight, or since 1970, rounded as the target does.
    Time,
    Moment(Moment),
    Uuid,
    /// Hexadecimal digits.
    Bytes,
}

impl Canon {
    /// Chooses the form for a column; `None` where the target may show the value in another way than we know.
    pub fn choose(staged: &Staged, column: &Column, moment: Moment) -> Option<Canon> {
        use Staged as S;
        let text = matches!(staged, S::Utf8 | S::LargeUtf8 | S::Utf8View | S::Null);
        let number = staged.is_numeric() || *staged == S::Null;
        let exact = staged.is_integer() || matches!(staged, S::Decimal128(..) | S::Null);
        let bytes = matches!(staged, S::Binary | S::LargeBinary | S::BinaryView | S::FixedSizeBinary(_) | S::Null);
        match &column.data_type {
            DataType::Boolean => matches!(staged, S::Boolean | S::Null).then_some(Canon::Bit),
            DataType::SmallInt | DataType::Integer | DataType::BigInt => exact.then_some(Canon::Number(0)),
            DataType::HugeInt => (exact || text).then_some(Canon::Number(0)),
            DataType::Decimal(Some((_, scale))) => exact.then_some(Canon::Number(*scale)),
            DataType::Decimal(None) => match staged {
                S::Decimal128(_, scale) => u8::try_from(*scale).ok().map(Canon::Number),
                _ => None,
            },
            DataType::Real => number.then_some(Canon::Real),
            DataType::Double => number.then_some(Canon::Double),
            DataType::Text | DataType::Varchar(_) | DataType::Json { .. } => text.then_some(Canon::Text),
            DataType::Char(_) => text.then_some(Canon::Padded),
            DataType::Date => matches!(staged, S::Date32 | S::Null).then_some(Canon::Date),
            DataType::Time => matches!(staged, S::Time64(_) | S::Null).then_some(Canon::Time),
            DataType::Timestamp(_) | DataType::TimestampTz(_) => {
                matches!(staged, S::Timestamp(..) | S::Date32 | S::Null).then_some(Canon::Moment(moment))
            }
            DataType::Uuid => text.then_some(Canon::Uuid),
            DataType::Bytes => bytes.then_some(Canon::Bytes),
            DataType::Named(_) | DataType::Unknown | DataType::Interval | DataType::List(_) | DataType::Struct(_) => None,
        }
    }

    /// Says how the target's column gets into this form.
    pub fn compared(&self, column: &str) -> Compared {
        let needs = match self {
            Canon::Text | Canon::Padded => Some("text"),
            Canon::Bytes => Some("bytes"),
            Canon::Bit | Canon::Number(_) | Canon::Real | Canon::Double => Some("number"),
            Canon::Date | Canon::Time | Canon::Moment(_) => Some("time"),
            Canon::Uuid => Some("uuid"),
        };
        let text = self.sql(column);
        let sql = format!(
            "CASE WHEN {column} IS NULL THEN N'-' ELSE CONCAT(CONVERT(nvarchar(20), DATALENGTH({text})), N':', {text}) END"
        );
        Compared { sql, needs }
    }

    /// Writes the expression that gives this form for the value of `column`.
    fn sql(&self, column: &str) -> String {
        let number = |sql: String| format!("CONVERT(nvarchar(max), {sql})");
        match self {
            Canon::Bit => number(format!("CONVERT(tinyint, {column})")),
            Canon::Number(scale) => number(format!("CONVERT(decimal(38, {scale}), {column})")),
            // Adding zero makes one zero of two.
            Canon::Real => format!("CONVERT(nvarchar(max), CONVERT(binary(4), CONVERT(real, {column}) + CONVERT(real, 0)), 2)"),
            Canon::Double => {
                format!("CONVERT(nvarchar(max), CONVERT(binary(8), CONVERT(float, {column}) + CONVERT(float, 0)), 2)")
            }
            Canon::Text => format!("CONVERT(nvarchar(max), {column})"),
            Canon::Padded => format!("CONVERT(nvarchar(max), RTRIM({column}))"),
            Canon::Date => number(format!("DATEDIFF(day, CONVERT(date, N'1970-01-01'), CONVERT(date, {column}))")),
            Canon::Time => {
                number(format!("DATEDIFF_BIG(microsecond, CONVERT(time(7), N'00:00:00'), CONVERT(time(7), {column}))"))
            }
            Canon::Moment(moment) => {
                // A datetime is a fraction of a second that three digits do not show; rounded to them it is what was written.
                let local = match moment {
                    Moment::Zoned => {
                        format!("CONVERT(datetime2(7), SWITCHOFFSET(CONVERT(datetimeoffset(7), {column}), '+00:00'))")
                    }
                    Moment::Ticks => format!("CONVERT(datetime2(3), {column})"),
                    Moment::Digits(_) | Moment::Minutes | Moment::Natural => format!("CONVERT(datetime2(7), {column})"),
                };
                number(format!("DATEDIFF_BIG(microsecond, CONVERT(datetime2(7), N'1970-01-01T00:00:00'), {local})"))
            }
            Canon::Uuid => format!("CONVERT(nvarchar(max), CONVERT(uniqueidentifier, {column}))"),
            Canon::Bytes => format!("CONVERT(nvarchar(max), {column}, 2)"),
        }
    }

    /// Appends the form of a value behind its length; `plain` is its text as loaded.
    pub fn append(&self, value: &Value, plain: Plain, form: &mut Vec<u8>, image: &mut Vec<u8>) {
        if let Value::Null = value {
            return image.push(b'-');
        }
        let form: &[u8] = match (self, value) {
            (Canon::Text, _) => plain.bytes,
            (Canon::Padded, _) => plain.without_last_spaces().bytes,
            _ => {
                form.clear();
                self.append_form(value, plain.bytes, form);
                form
            }
        };
        numbers::unsigned(2 * if plain.has(Kinds::WIDE) { units(form) } else { form.len() as u64 }, image);
        image.push(b':');
        image.extend_from_slice(form);
    }

    fn append_form(&self, value: &Value, plain: &[u8], out: &mut Vec<u8>) {
        match (self, value) {
            (Canon::Number(scale), Value::Decimal(number, from)) => rescaled(*number, *from, *scale, out),
            (Canon::Number(scale), _) => {
                out.extend_from_slice(plain);
                if *scale > 0 {
                    out.push(b'.');
                    out.resize(out.len() + usize::from(*scale), b'0');
                }
            }
            (Canon::Real, _) => value::hexadecimal(&(parsed::<f32>(plain) + 0.0).to_bits().to_be_bytes(), out),
            (Canon::Double, _) => value::hexadecimal(&(parsed::<f64>(plain) + 0.0).to_bits().to_be_bytes(), out),
            (Canon::Date, Value::Date(days)) => numbers::integer(i64::from(*days), out),
            (Canon::Time, Value::Time(micros)) => numbers::integer(*micros, out),
            (Canon::Moment(moment), Value::Timestamp(micros, _)) => numbers::integer(moment.stored(*micros), out),
            (Canon::Moment(moment), Value::Date(days)) => numbers::integer(moment.stored(i64::from(*days) * DAY), out),
            (Canon::Uuid, _) => out.extend(plain.iter().map(u8::to_ascii_uppercase)),
            _ => out.extend_from_slice(plain),
        }
    }
}

/// Counts the UTF-16 code units of a text that is known to be UTF-8.
fn units(text: &[u8]) -> u64 {
    // Every character begins with one byte that is not 10xxxxxx; those of four bytes are two units.
    text.iter().fold(0_u64, |n, b| n + u64::from(b & 0xc0 != 0x80) + u64::from(*b >= 0xf0))
}

fn parsed<T: std::str::FromStr + Default>(plain: &[u8]) -> T {
    // Numbers that we wrote ourselves.
    std::str::from_utf8(plain).ok().and_then(|t| t.parse().ok()).unwrap_or_default()
}

/// Appends a decimal with another number of digits after the point, rounded as the target does.
fn rescaled(number: i128, from: i8, to: u8, out: &mut Vec<u8>) {
    let to = to.min(38) as i8;
    let mut number = number;
    let mut scale = from;
    while scale < to {
        match number.checked_mul(10) {
            Some(longer) => number = longer,
            None => break,
        }
        scale += 1;
    }
    if scale > to {
        let unit = 10_i128.checked_pow(u32::from((scale - to).unsigned_abs())).unwrap_or(i128::MAX);
        let half = if number < 0 { -(unit / 2) } else { unit / 2 };
        number = number.saturating_add(half) / unit;
        scale = to;
    }
    numbers::decimal(number, scale, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_shown_with_the_scale_of_the_target() {
        for (number, from, to, text) in
            [(150, 2, 4, "1.5000"), (155, 2, 1, "1.6"), (-155, 2, 1, "-1.6"), (7, 0, 0, "7"), (0, 2, 2, "0.00")]
        {
            let mut out = vec![];
            rescaled(number, from, to, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn units_are_those_of_utf_16() {
        for text in ["", "abc", "é", "😀x", "e\u{301}", "עברית"] {
            assert_eq!(units(text.as_bytes()), text.encode_utf16().count() as u64, "{text}");
        }
    }

    #[test]
    fn images_tell_null_from_empty() {
        let (mut form, mut image) = (vec![], vec![]);
        for (canon, value, plain) in [
            (Canon::Text, Value::Null, ""),
            (Canon::Text, Value::Text(""), ""),
            (Canon::Text, Value::Text("a😀"), "a😀"),
            (Canon::Padded, Value::Text("a  "), "a  "),
            (Canon::Double, Value::Double(-0.0), "-0e0"),
        ] {
            canon.append(&value, Plain::of(plain.as_bytes()), &mut form, &mut image);
        }
        assert_eq!(String::from_utf8(image).unwrap(), "-0:6:a😀2:a32:0000000000000000");
    }
}
