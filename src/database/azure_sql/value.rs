//! Values of a server of the SQL Server family, as text and from text.
//!
//! In: a value that the driver has read, or one of a script's rows in JSON. Out: its text, or the driver's value for a bulk load.
//! Does not know about statements.

use std::borrow::Cow;

use serde_json::Value;
use tiberius::ColumnData;
use tiberius::numeric::Numeric;

/// A type that a script's rows have on their way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    BigInteger,
    Bit,
    /// With this many digits after the point.
    Decimal(u8),
    Real,
    Float,
    Text,
}

/// The most digits that a decimal has; the driver takes no more for granted.
const DIGITS: u8 = 38;

impl Kind {
    /// Reads the name of a type; whatever its length, text travels as `nvarchar(max)`.
    pub fn read(name: &str) -> Option<Kind> {
        Some(match name {
            "int" => Kind::Integer,
            "bigint" => Kind::BigInteger,
            "bit" => Kind::Bit,
            "real" => Kind::Real,
            "float" => Kind::Float,
            _ if name.starts_with("nvarchar(") => Kind::Text,
            _ => {
                let (_, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
                Kind::Decimal(scale.trim().parse().ok().filter(|scale| *scale <= DIGITS)?)
            }
        })
    }

    /// The name of the type that the rows' table has.
    pub fn column(self) -> String {
        match self {
            Kind::Integer => "int".to_string(),
            Kind::BigInteger => "bigint".to_string(),
            Kind::Bit => "bit".to_string(),
            Kind::Decimal(scale) => format!("decimal(38, {scale})"),
            Kind::Real => "real".to_string(),
            Kind::Float => "float".to_string(),
            Kind::Text => "nvarchar(max)".to_string(),
        }
    }

    /// Makes the driver's value of a cell; nothing if it is not of the type.
    pub fn value(self, cell: Value) -> Option<ColumnData<'static>> {
        let null = cell.is_null();
        let digits = match (&cell, self) {
            (Value::Number(number), _) => number.to_string(),
            _ => String::new(),
        };
        Some(match self {
            _ if null => self.null(),
            Kind::Integer => ColumnData::I32(Some(digits.parse().ok()?)),
            Kind::BigInteger => ColumnData::I64(Some(digits.parse().ok()?)),
            Kind::Bit => ColumnData::Bit(Some(cell.as_bool()?)),
            Kind::Decimal(scale) => ColumnData::Numeric(Some(Numeric::new_with_scale(unscaled(&digits, scale)?, scale))),
            Kind::Real => ColumnData::F32(Some(digits.parse().ok()?)),
            Kind::Float => ColumnData::F64(Some(digits.parse().ok()?)),
            Kind::Text => match cell {
                Value::String(text) => ColumnData::String(Some(Cow::Owned(text))),
                _ => return None,
            },
        })
    }

    fn null(self) -> ColumnData<'static> {
        match self {
            Kind::Integer => ColumnData::I32(None),
            Kind::BigInteger => ColumnData::I64(None),
            Kind::Bit => ColumnData::Bit(None),
            Kind::Decimal(_) => ColumnData::Numeric(None),
            Kind::Real => ColumnData::F32(None),
            Kind::Float => ColumnData::F64(None),
            Kind::Text => ColumnData::String(None),
        }
    }
}

/// Reads digits as a whole number of units of the last of `scale` digits.
fn unscaled(digits: &str, scale: u8) -> Option<i128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    format!("{whole}{fraction}{}", "0".repeat(missing)).parse().ok()
}

/// Prints a value as the server does; `Err` has the name of a type whose values are not read.
pub fn printed(value: &ColumnData) -> Result<Option<String>, &'static str> {
    Ok(match value {
        ColumnData::U8(value) => value.map(|v| v.to_string()),
        ColumnData::I16(value) => value.map(|v| v.to_string()),
        ColumnData::I32(value) => value.map(|v| v.to_string()),
        ColumnData::I64(value) => value.map(|v| v.to_string()),
        ColumnData::F32(value) => value.map(|v| v.to_string()),
        ColumnData::F64(value) => value.map(|v| v.to_string()),
        ColumnData::Bit(value) => value.map(|v| u8::from(v).to_string()),
        ColumnData::String(value) => value.as_ref().map(ToString::to_string),
        ColumnData::Guid(value) => value.map(|v| v.to_string()),
        ColumnData::Binary(value) => {
            value.as_ref().map(|bytes| bytes.iter().fold("0x".to_string(), |text, byte| format!("{text}{byte:02X}")))
        }
        ColumnData::Numeric(value) => value.as_ref().map(decimal),
        ColumnData::Xml(_) => return Err("xml"),
        ColumnData::DateTime(_) | ColumnData::SmallDateTime(_) | ColumnData::DateTime2(_) => return Err("datetime"),
        ColumnData::Time(_) => return Err("time"),
        ColumnData::Date(_) => return Err("date"),
        ColumnData::DateTimeOffset(_) => return Err("datetimeoffset"),
    })
}

fn decimal(number: &Numeric) -> String {
    let scale = usize::from(number.scale());
    let digits = format!("{:0width$}", number.value().unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if number.value() < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        for (digits, scale) in [("-0.05", 2), ("12345678901234567890123456789012345678", 0), ("7.50", 2)] {
            let read = Kind::Decimal(scale).value(serde_json::from_str(digits).unwrap()).unwrap();
            assert_eq!(printed(&read), Ok(Some(digits.to_string())));
        }
        assert_eq!(Kind::read("decimal(38, 2)"), Some(Kind::Decimal(2)));
        assert!(Kind::Decimal(1).value(serde_json::from_str("0.25").unwrap()).is_none());
        assert!(Kind::Integer.value(serde_json::from_str("3000000000").unwrap()).is_none());
        assert!(Kind::Text.value(Value::Bool(true)).is_none());
    }
}
