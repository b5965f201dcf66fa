//! Values as T-SQL reads them: the text before any quoting, and which kind of constant holds it.
//!
//! In: a staged type and a target column give a [`Form`]; a [`Value`] gives its text. A value that T-SQL has no constant for (a date
//! before year 1, an infinity, a list) is refused: earlier checks should have found it.
//! Does not know about statements.

use arrow::datatypes::DataType as Staged;

use crate::emit::cells::Value;
use crate::emit::plain::{Kinds, Plain};
use crate::emit::{Column, numbers, times};
use crate::types::DataType;

const DAY: i64 = 86_400_000_000;
/// 0001-01-01 and 9999-12-31 in days since 1970.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;

/// The kind of constant that a column's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Digits without quotes.
    Number,
    /// 1 or 0.
    Bit,
    Text,
    /// `0x...`; in JSON, hexadecimal digits.
    Bytes,
}

/// How one column's values are written.
#[derive(Clone, Debug)]
pub struct Written {
    pub form: Form,
    /// The type that OPENJSON reads the value as.
    pub json_type: String,
    moment: Moment,
}

/// What the target does with instants and fractions of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Takes an offset: `datetimeoffset`.
    Zoned,
    /// Digits of the second's fraction: `datetime2(n)`.
    Digits(u8),
    /// Ticks of a three hundredth of a second: `datetime`.
    Ticks,
    /// Whole minutes: `smalldatetime`.
    Minutes,
    /// As staged.
    Natural,
}

impl Moment {
    fn of(column: &Column) -> Moment {
        match (column.type_name.as_deref(), &column.data_type) {
            (Some("datetime"), _) => Moment::Ticks,
            (Some("smalldatetime"), _) => Moment::Minutes,
            (_, DataType::Timestamp(digits)) => Moment::Digits(digits.unwrap_or(7)),
            (_, DataType::TimestampTz(_)) => Moment::Zoned,
            _ => Moment::Natural,
        }
    }

    /// Rounds microseconds as the target does, to what it stores, shown with the digits that its type has.
    pub fn stored(self, micros: i64) -> i64 {
        match self {
            Moment::Zoned | Moment::Natural => micros,
            Moment::Digits(digits) if digits >= 6 => micros,
            Moment::Digits(digits) => {
                let unit = 10_i64.pow(u32::from(6 - digits));
                (micros + unit / 2).div_euclid(unit) * unit
            }
            Moment::Ticks => {
                let second = micros.div_euclid(1_000_000);
                let ticks = (micros.rem_euclid(1_000_000) * 3 + 5_000) / 10_000;
                second * 1_000_000 + (ticks * 10 + 1) / 3 * 1_000
            }
            // From 29.999 seconds on it is the next minute.
            Moment::Minutes => (micros + 30_001_000).div_euclid(60_000_000) * 60_000_000,
        }
    }
}

impl Written {
    /// Chooses how a column's values are written; `None` where T-SQL has no place for them.
    pub fn choose(staged: &Staged, column: &Column) -> Option<Written> {
        use Staged as S;
        let into_text = column.data_type.is_text() || matches!(column.data_type, DataType::Json { .. });
        let number =
            |json_type: String| if into_text { (Form::Text, "nvarchar(max)".to_string()) } else { (Form::Number, json_type) };
        let (form, json_type) = match staged {
            S::Boolean if into_text => (Form::Text, "nvarchar(max)".to_string()),
            S::Boolean => (Form::Bit, "bit".to_string()),
            S::Int8 | S::Int16 | S::Int32 | S::UInt8 | S::UInt16 => number("int".to_string()),
            S::Int64 | S::UInt32 => number("bigint".to_string()),
            S::UInt64 => number("decimal(20, 0)".to_string()),
            S::Decimal128(_, scale) => number(format!("decimal(38, {})", (*scale).max(0))),
            S::Float32 => number("real".to_string()),
            S::Float64 => number("float".to_string()),
            S::Binary | S::LargeBinary | S::BinaryView | S::FixedSizeBinary(_) => (Form::Bytes, "nvarchar(max)".to_string()),
            // Whole numbers beyond 64 bits are staged as text.
            S::Utf8 | S::LargeUtf8 | S::Utf8View if matches!(column.data_type, DataType::HugeInt) => {
                (Form::Number, "decimal(38, 0)".to_string())
            }
            S::Utf8 | S::LargeUtf8 | S::Utf8View | S::Null => match column.data_type {
                DataType::Uuid => (Form::Text, "nvarchar(36)".to_string()),
                DataType::List(_) | DataType::Struct(_) | DataType::Interval => return None,
                _ => (Form::Text, "nvarchar(max)".to_string()),
            },
            S::Date32 | S::Time64(_) | S::Timestamp(..) => (Form::Text, "nvarchar(40)".to_string()),
            _ => return None,
        };
        Some(Written { form, json_type, moment: Moment::of(column) })
    }

    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// Gives a value's text, empty for NULL: a text as it is, `kinds` with it; of others what is printed into `buffer`. Returns `None`
    /// where T-SQL has no constant for the value.
    pub fn plain<'a>(&self, value: &Value<'a>, kinds: Kinds, buffer: &'a mut Vec<u8>) -> Option<Plain<'a>> {
        if let Value::Text(text) = value {
            let plain = Plain { bytes: text.as_bytes(), kinds };
            let is_refused = plain.has(Kinds::ZERO) || (self.form == Form::Number && !is_plain_number(text));
            return (!is_refused).then_some(plain);
        }
        buffer.clear();
        self.print(value, buffer)?;
        // Digits and letters, and what stands between them in dates.
        Some(Plain { bytes: buffer, kinds: Kinds::default() })
    }

    fn print(&self, value: &Value, out: &mut Vec<u8>) -> Option<()> {
        match value {
            Value::Null => {}
            Value::Boolean(value) if self.form == Form::Text => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Boolean(value) => out.push(b'0' + u8::from(*value)),
            Value::Integer(number) => numbers::integer(*number, out),
            Value::Unsigned(number) => numbers::unsigned(*number, out),
            Value::Decimal(number, scale) => numbers::decimal(*number, *scale, out),
            Value::Real(number) if number.is_finite() => out.extend_from_slice(format!("{number:e}").as_bytes()),
            Value::Double(number) if number.is_finite() => out.extend_from_slice(format!("{number:e}").as_bytes()),
            Value::Bytes(bytes) => hexadecimal(bytes, out),
            Value::Date(days) if (FIRST_DAY..=LAST_DAY).contains(days) => match self.moment {
                Moment::Natural => times::date(*days, out),
                _ => self.instant(i64::from(*days) * DAY, false, out)?,
            },
            Value::Time(micros) if (0..DAY).contains(micros) => times::time(*micros, out),
            Value::Timestamp(micros, zoned) => self.instant(*micros, *zoned, out)?,
            Value::Real(_) | Value::Double(_) | Value::Date(_) | Value::Time(_) | Value::Text(_) | Value::List(_) => return None,
        }
        Some(())
    }

    /// Appends `2024-02-29T23:59:59.999999`, the form that no language setting changes.
    fn instant(&self, micros: i64, zoned: bool, out: &mut Vec<u8>) -> Option<()> {
        let micros = match self.moment {
            // Their constants have at most three digits after the point.
            Moment::Ticks | Moment::Minutes => self.moment.stored(micros),
            _ => micros,
        };
        if !(i64::from(FIRST_DAY) * DAY..(i64::from(LAST_DAY) + 1) * DAY).contains(&micros) {
            return None;
        }
        let start = out.len();
        times::timestamp(micros, false, out);
        *out.get_mut(start + 10)? = b'T';
        if self.moment == Moment::Zoned || (self.moment == Moment::Natural && zoned) {
            out.extend_from_slice(b"+00:00");
        }
        Some(())
    }
}

/// Tells whether digits are a constant of T-SQL as they are.
pub fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

/// Appends two hexadecimal digits for each byte, in capitals as CONVERT writes them.
pub fn hexadecimal(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_round_as_the_target_stores_them() {
        let second = 1_000_000;
        assert_eq!(Moment::Digits(0).stored(1_500_000), 2 * second);
        assert_eq!(Moment::Digits(3).stored(-1), 0);
        for (micros, stored) in [(1_000, 0), (2_000, 3_000), (4_000, 3_000), (5_000, 7_000), (9_000, 10_000), (999_000, second)] {
            assert_eq!(Moment::Ticks.stored(micros), stored, "{micros}");
        }
        assert_eq!(Moment::Minutes.stored(29_998_000), 0);
        assert_eq!(Moment::Minutes.stored(29_999_000), 60 * second);
    }

    #[test]
    fn plain_numbers_are_digits() {
        for good in ["0", "-1.50", "12345678901234567890123456789012345678"] {
            assert!(is_plain_number(good), "{good}");
        }
        for bad in ["", "-", "1.", ".5", "1e5", "0x1F", "1;", "NaN"] {
            assert!(!is_plain_number(bad), "{bad}");
        }
    }
}
