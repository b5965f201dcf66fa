//! The form in which values are compared with those in the target.
//!
//! In: the staged and the target's type of a column. Out: a [`Canon`], which says the same thing twice: as a SQL expression over
//! the target's column ([`Canon::sql`]) and as bytes made of a staged value ([`Canon::append`]). Both give the same text exactly
//! when the target holds the value. A row's image is the quoted texts of its columns (NULL unquoted) with commas between them.
//! Does not know about rows or hashes.

use arrow::datatypes::DataType as Staged;

use super::{jsonb, text, value};
use crate::emit::cells::Value;
use crate::emit::plain::Plain;
use crate::emit::rows::Compared;
use crate::emit::times;
use crate::types::DataType;

/// A form to compare values in.
#[derive(Clone, Debug, PartialEq)]
pub enum Canon {
    /// `true` or `false`.
    Boolean,
    /// Decimal digits without zeros at the end: the target's scale does not matter.
    Number,
    /// The bits in hexadecimal digits.
    Real,
    Double,
    /// The text itself.
    Text,
    /// Text without the spaces at its end, which `char(n)` does not keep.
    Padded,
    Json,
    Jsonb,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
    /// Hexadecimal digits.
    Bytes,
    /// The image of the elements; lists of lists as one list.
    List(Box<Canon>),
}

impl Canon {
    /// Chooses the form for a column; `None` where the target may print the value in another way than we know.
    pub fn choose(staged: &Staged, target: &DataType) -> Option<Canon> {
        use Staged as S;
        let text = matches!(staged, S::Utf8 | S::LargeUtf8 | S::Utf8View | S::Null);
        let list = matches!(staged, S::List(_) | S::LargeList(_));
        let number = staged.is_numeric() || *staged == S::Null;
        let time_or_date = matches!(staged, S::Timestamp(..) | S::Date32 | S::Null);
        let bytes = matches!(staged, S::Binary | S::LargeBinary | S::BinaryView | S::FixedSizeBinary(_) | S::Null);
        match target {
            DataType::Boolean => matches!(staged, S::Boolean | S::Null).then_some(Canon::Boolean),
            DataType::SmallInt | DataType::Integer | DataType::BigInt | DataType::HugeInt | DataType::Decimal(_) => {
                number.then_some(Canon::Number)
            }
            DataType::Real => number.then_some(Canon::Real),
            DataType::Double => number.then_some(Canon::Double),
            DataType::Text | DataType::Varchar(_) => (!list && !bytes || text).then_some(Canon::Text),
            DataType::Char(_) => (!list && !bytes || text).then_some(Canon::Padded),
            DataType::Json { binary: false } => text.then_some(Canon::Json),
            DataType::Json { binary: true } => text.then_some(Canon::Jsonb),
            DataType::Date => matches!(staged, S::Date32 | S::Null).then_some(Canon::Date),
            DataType::Time => matches!(staged, S::Time64(_) | S::Null).then_some(Canon::Time),
            DataType::Timestamp(_) => time_or_date.then_some(Canon::Timestamp),
            DataType::TimestampTz(_) => time_or_date.then_some(Canon::TimestampTz),
            DataType::Uuid => text.then_some(Canon::Uuid),
            DataType::Bytes => bytes.then_some(Canon::Bytes),
            DataType::List(element) => match staged {
                S::List(field) | S::LargeList(field) => Canon::choose(field.data_type(), element).map(Canon::list),
                S::Null => Some(Canon::list(Canon::Text)),
                _ => None,
            },
            DataType::Named(_) | DataType::Unknown | DataType::Struct(_) => Canon::natural(staged),
            DataType::Interval => None,
        }
    }

    /// Chooses the form by what was staged, where nothing is known of the target.
    fn natural(staged: &Staged) -> Option<Canon> {
        Some(match staged {
            Staged::Boolean => Canon::Boolean,
            Staged::Float32 => Canon::Real,
            Staged::Float64 => Canon::Double,
            number if number.is_numeric() => Canon::Number,
            Staged::Utf8 | Staged::LargeUtf8 | Staged::Utf8View | Staged::Null => Canon::Text,
            Staged::Binary | Staged::LargeBinary | Staged::BinaryView => Canon::Bytes,
            Staged::Date32 => Canon::Date,
            Staged::Time64(_) => Canon::Time,
            Staged::Timestamp(_, None) => Canon::Timestamp,
            Staged::Timestamp(_, Some(_)) => Canon::TimestampTz,
            Staged::List(field) | Staged::LargeList(field) => Canon::list(Canon::natural(field.data_type())?),
            _ => return None,
        })
    }

    fn list(element: Canon) -> Canon {
        match element {
            Canon::List(_) => element,
            leaf => Canon::List(Box::new(leaf)),
        }
    }

    /// Says how the target's column gets into this form.
    pub fn compared(&self, column: &str) -> Compared {
        let needs = match self {
            Canon::Text | Canon::Padded => Some("text"),
            Canon::Json => Some("json"),
            Canon::Jsonb => Some("jsonb"),
            _ => None,
        };
        Compared { sql: self.sql(column), needs }
    }

    /// Writes the expression that gives this form, or NULL, for the value of `column`.
    pub fn sql(&self, column: &str) -> String {
        match self {
            Canon::Boolean => format!("{column}::boolean::text"),
            Canon::Number => format!("trim_scale({column}::numeric)::text"),
            Canon::Real => format!("encode(float4send({column}::real), 'hex')"),
            Canon::Double => format!("encode(float8send({column}::double precision), 'hex')"),
            Canon::Text | Canon::Json | Canon::Jsonb => format!("{column}::text"),
            Canon::Padded => format!("rtrim({column}::text, ' ')"),
            Canon::Date => format!("{column}::date::text"),
            Canon::Time => format!("{column}::time::text"),
            Canon::Timestamp => format!("{column}::timestamp::text"),
            Canon::TimestampTz => format!("{column}::timestamptz::text"),
            Canon::Uuid => format!("{column}::uuid::text"),
            Canon::Bytes => format!("encode({column}, 'hex')"),
            Canon::List(element) => format!(
                "CASE WHEN {column} IS NOT NULL THEN (SELECT coalesce(string_agg(quote_nullable({}), ',' ORDER BY n), '') \
                 FROM unnest({column}) WITH ORDINALITY AS l (e, n)) END",
                element.sql("e")
            ),
        }
    }

    /// Appends the quoted form of a value; `plain` is its text as loaded.
    pub fn append(&self, value: &Value, plain: Plain, out: &mut Vec<u8>) {
        match (self, value) {
            (_, Value::Null) => out.extend_from_slice(b"NULL"),
            (Canon::Text | Canon::Json, _) => text::quote_literal(plain, out),
            (Canon::Jsonb, _) => {
                let mut printed = vec![];
                let known = std::str::from_utf8(plain.bytes).ok().and_then(|t| jsonb::print(t, &mut printed));
                text::quote_literal(known.map_or(plain, |()| Plain::of(&printed)), out);
            }
            (Canon::Padded, _) => text::quote_literal(plain.without_last_spaces(), out),
            (Canon::List(element), Value::List(_)) => {
                let mut image = vec![];
                elements(element, value, &mut image);
                text::quote_literal(Plain::of(&image), out);
            }
            _ => {
                // None of these forms holds a quote or a backslash.
                out.push(b'\'');
                self.append_plain(value, plain.bytes, out);
                out.push(b'\'');
            }
        }
    }

    fn append_plain(&self, value: &Value, plain: &[u8], out: &mut Vec<u8>) {
        match (self, value) {
            (Canon::Boolean, Value::Boolean(true)) => out.extend_from_slice(b"true"),
            (Canon::Boolean, _) => out.extend_from_slice(b"false"),
            (Canon::Number, Value::Double(number)) if number.is_finite() => trimmed(number.to_string().as_bytes(), out),
            (Canon::Number, Value::Real(number)) if number.is_finite() => trimmed(number.to_string().as_bytes(), out),
            (Canon::Number, _) => trimmed(plain, out),
            // Read back from the text, as the target does: the way by way of a wider number rounds twice.
            (Canon::Real, _) => real(parsed(plain), out),
            (Canon::Double, Value::Double(number)) => double(*number, out),
            (Canon::Double, _) => double(parsed(plain), out),
            (Canon::Timestamp | Canon::TimestampTz, Value::Date(days)) => {
                let micros = match days {
                    &i32::MAX => i64::MAX,
                    &i32::MIN | -2_147_483_647 => i64::MIN,
                    days => i64::from(*days) * 86_400_000_000,
                };
                times::timestamp(micros, *self == Canon::TimestampTz, out);
            }
            (Canon::Timestamp | Canon::TimestampTz, Value::Timestamp(micros, _)) => {
                times::timestamp(*micros, *self == Canon::TimestampTz, out);
            }
            (Canon::Uuid, _) => uuid(plain, out),
            (Canon::Bytes, Value::Bytes(bytes)) => hexadecimal(bytes, out),
            _ => out.extend_from_slice(plain),
        }
    }
}

/// Appends the image of a list's elements, those of inner lists in the same row.
fn elements(canon: &Canon, list: &Value, out: &mut Vec<u8>) {
    let Value::List(list) = list else { return };
    let mut plain = vec![];
    for item in list.iter() {
        if let Value::List(_) = item {
            elements(canon, &item, out);
            continue;
        }
        if !out.is_empty() {
            out.push(b',');
        }
        plain.clear();
        value::print(&item, &mut plain);
        canon.append(&item, Plain::of(&plain), out);
    }
}

fn parsed<T: std::str::FromStr + Default>(plain: &[u8]) -> T {
    // Numbers that we wrote ourselves.
    std::str::from_utf8(plain).ok().and_then(|t| t.parse().ok()).unwrap_or_default()
}

/// Appends the bits; there is one NaN in Postgres and many in the world.
fn real(number: f32, out: &mut Vec<u8>) {
    let bits = if number.is_nan() { 0x7fc0_0000 } else { number.to_bits() };
    hexadecimal(&bits.to_be_bytes(), out);
}

fn double(number: f64, out: &mut Vec<u8>) {
    let bits = if number.is_nan() { 0x7ff8_0000_0000_0000 } else { number.to_bits() };
    hexadecimal(&bits.to_be_bytes(), out);
}

fn trimmed(plain: &[u8], out: &mut Vec<u8>) {
    let mut end = plain.len();
    if plain.contains(&b'.') {
        end = plain.iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1);
        if plain.get(end - 1) == Some(&b'.') {
            end -= 1;
        }
    }
    let kept = &plain[..end];
    out.extend_from_slice(if kept == b"-0" { b"0" } else { kept });
}

fn uuid(plain: &[u8], out: &mut Vec<u8>) {
    if plain.len() == 36 && !text::any(plain, |b| b.is_ascii_uppercase()) {
        return out.extend_from_slice(plain);
    }
    let digits: Vec<u8> = plain.iter().filter(|b| b.is_ascii_hexdigit()).map(u8::to_ascii_lowercase).collect();
    for (i, digit) in digits.iter().enumerate() {
        if matches!(i, 8 | 12 | 16 | 20) {
            out.push(b'-');
        }
        out.push(*digit);
    }
}

/// Appends two hexadecimal digits for each byte.
pub fn hexadecimal(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}
