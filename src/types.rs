//! Data types, as authors and databases name them.
//!
//! One enum serves staged columns, `type:` clauses and contracts; each dialect prints it in its own words.
//! Does not know about YAML or about any engine.

use std::fmt;

/// The type of a column or expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataType {
    /// Nothing is known yet: only NULLs were seen, or an expression that only the engine can type.
    Unknown,
    Boolean,
    SmallInt,
    Integer,
    BigInt,
    /// Whole numbers beyond 64 bits, up to 38 digits.
    HugeInt,
    /// `decimal(precision, scale)`; `None` is a numeric of any size (Postgres only).
    Decimal(Option<(u8, u8)>),
    Real,
    Double,
    /// Text without a limit.
    Text,
    /// Text of at most this many characters (UTF-16 code units or bytes for T-SQL).
    Varchar(u32),
    /// Text padded with spaces to this many characters.
    Char(u32),
    Date,
    Time,
    /// Without a zone; digits of the second's fraction if limited.
    Timestamp(Option<u8>),
    /// An instant; digits of the second's fraction if limited.
    TimestampTz(Option<u8>),
    Interval,
    Uuid,
    /// JSON; `binary` is Postgres's jsonb.
    Json {
        binary: bool,
    },
    Bytes,
    List(Box<DataType>),
    Struct(Vec<(String, DataType)>),
    /// A type that only the target knows, by its name there.
    Named(String),
}

impl DataType {
    /// Tells whether values of this type are text in the target.
    pub fn is_text(&self) -> bool {
        matches!(self, DataType::Text | DataType::Varchar(_) | DataType::Char(_))
    }

    pub fn is_integer(&self) -> bool {
        matches!(self, DataType::SmallInt | DataType::Integer | DataType::BigInt | DataType::HugeInt)
    }

    pub fn is_number(&self) -> bool {
        self.is_integer() || matches!(self, DataType::Decimal(_) | DataType::Real | DataType::Double)
    }

    /// Tells whether values of both types can be equal without a conversion that nobody asked for.
    pub fn compares_with(&self, other: &DataType) -> bool {
        let unknown = *self == DataType::Unknown || *other == DataType::Unknown;
        let both = |test: fn(&DataType) -> bool| test(self) && test(other);
        let temporal = |t: &DataType| matches!(t, DataType::Date | DataType::Timestamp(_) | DataType::TimestampTz(_));
        unknown || self == other || both(DataType::is_text) || both(DataType::is_number) || both(temporal)
    }

    /// Parses a type as authors write it (`decimal(3,2)`, `text[]`, `timestamp with time zone`), in Postgres's, DuckDB's and T-SQL's words.
    ///
    /// Returns `None` for words that no target knows as a type.
    pub fn parse(text: &str) -> Option<DataType> {
        let text = text.trim();
        if let Some(element) = text.strip_suffix("[]") {
            return Some(DataType::List(Box::new(DataType::parse(element)?)));
        }
        let lower = text.to_lowercase();
        let (name, arguments, rest) = match (lower.find('('), lower.rfind(')')) {
            (Some(open), Some(close)) if open < close => {
                (lower[..open].trim(), lower[open + 1..close].to_string(), lower[close + 1..].trim())
            }
            (None, None) => (lower.as_str(), String::new(), ""),
            _ => return None,
        };
        let name = if rest.is_empty() { name.to_string() } else { format!("{name} {rest}") };
        let numbers: Vec<u32> = if arguments.trim().is_empty() {
            vec![]
        } else if arguments.trim() == "max" {
            vec![u32::MAX]
        } else {
            arguments.split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?
        };
        from_words(&name.split_whitespace().collect::<Vec<_>>().join(" "), &numbers)
    }
}

fn from_words(name: &str, numbers: &[u32]) -> Option<DataType> {
    let digits = numbers.first().map(|n| (*n).min(9) as u8);
    Some(match (name, numbers) {
        ("boolean" | "bool" | "bit", []) => DataType::Boolean,
        ("smallint" | "int2" | "tinyint" | "smallserial", []) => DataType::SmallInt,
        ("integer" | "int" | "int4" | "serial", []) => DataType::Integer,
        ("bigint" | "int8" | "bigserial" | "long", []) => DataType::BigInt,
        ("hugeint", []) => DataType::HugeInt,
        ("decimal" | "numeric" | "dec", []) => DataType::Decimal(None),
        ("decimal" | "numeric" | "dec", [p]) if *p <= 38 => DataType::Decimal(Some((*p as u8, 0))),
        ("decimal" | "numeric" | "dec", [p, s]) if *p <= 38 && s <= p => DataType::Decimal(Some((*p as u8, *s as u8))),
        ("money", []) => DataType::Decimal(Some((19, 4))),
        ("real" | "float4", []) => DataType::Real,
        ("double" | "double precision" | "float" | "float8", _) => DataType::Double,
        ("text" | "string" | "ntext", []) => DataType::Text,
        ("varchar" | "character varying" | "nvarchar", []) => DataType::Text,
        ("varchar" | "character varying" | "nvarchar", [u32::MAX]) => DataType::Text,
        ("varchar" | "character varying" | "nvarchar", [n]) => DataType::Varchar(*n),
        ("char" | "character" | "nchar" | "bpchar", []) => DataType::Char(1),
        ("char" | "character" | "nchar" | "bpchar", [n]) => DataType::Char(*n),
        ("date", []) => DataType::Date,
        ("time" | "time without time zone", _) => DataType::Time,
        ("timestamp" | "timestamp without time zone" | "datetime" | "datetime2" | "smalldatetime", _) => {
            DataType::Timestamp(digits)
        }
        ("timestamptz" | "timestamp with time zone" | "datetimeoffset", _) => DataType::TimestampTz(digits),
        ("interval", _) => DataType::Interval,
        ("uuid" | "uniqueidentifier", []) => DataType::Uuid,
        ("json", []) => DataType::Json { binary: false },
        ("jsonb", []) => DataType::Json { binary: true },
        ("bytes" | "bytea" | "blob" | "varbinary" | "binary" | "image", _) => DataType::Bytes,
        _ => return None,
    })
}

impl fmt::Display for DataType {
    /// Writes the type in the words of the pipeline language.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |f: &mut fmt::Formatter<'_>, name: &str, digits: &Option<u8>| match digits {
            Some(n) => write!(f, "{name}({n})"),
            None => f.write_str(name),
        };
        match self {
            DataType::Unknown => f.write_str("unknown"),
            DataType::Boolean => f.write_str("boolean"),
            DataType::SmallInt => f.write_str("smallint"),
            DataType::Integer => f.write_str("integer"),
            DataType::BigInt => f.write_str("bigint"),
            DataType::HugeInt => f.write_str("hugeint"),
            DataType::Decimal(None) => f.write_str("decimal"),
            DataType::Decimal(Some((p, s))) => write!(f, "decimal({p},{s})"),
            DataType::Real => f.write_str("real"),
            DataType::Double => f.write_str("double"),
            DataType::Text => f.write_str("text"),
            DataType::Varchar(n) => write!(f, "varchar({n})"),
            DataType::Char(n) => write!(f, "char({n})"),
            DataType::Date => f.write_str("date"),
            DataType::Time => f.write_str("time"),
            DataType::Timestamp(n) => digits(f, "timestamp", n),
            DataType::TimestampTz(n) => digits(f, "timestamptz", n),
            DataType::Interval => f.write_str("interval"),
            DataType::Uuid => f.write_str("uuid"),
            DataType::Json { binary: false } => f.write_str("json"),
            DataType::Json { binary: true } => f.write_str("jsonb"),
            DataType::Bytes => f.write_str("bytes"),
            DataType::List(element) => write!(f, "{element}[]"),
            DataType::Struct(fields) => {
                f.write_str("struct(")?;
                for (i, (name, kind)) in fields.iter().enumerate() {
                    write!(f, "{}{name} {kind}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
            DataType::Named(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DataType;

    #[test]
    fn types_read_as_they_are_written() {
        for text in ["text", "integer", "decimal(3,2)", "varchar(40)", "timestamptz", "text[]", "uuid", "jsonb", "timestamp(3)"] {
            assert_eq!(DataType::parse(text).map(|t| t.to_string()).as_deref(), Some(text));
        }
        assert_eq!(DataType::parse("timestamp(3) with time zone"), Some(DataType::TimestampTz(Some(3))));
        assert_eq!(DataType::parse("nvarchar(max)"), Some(DataType::Text));
        assert_eq!(DataType::parse("decimal(39,2)"), None);
        assert_eq!(DataType::parse("intger"), None);
    }
}
