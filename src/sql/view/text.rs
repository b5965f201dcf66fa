//! Names, literals and types in the words of each target.
//!
//! Texts are compared by their characters, whatever collation the database has: in Postgres by `"C"`, in T-SQL by a binary one of `nvarchar(max)`.
//! Does not know about expressions.

use super::{Tongue, Unsupported};
use crate::diagnostics::Span;
use crate::types::DataType;

impl Tongue {
    /// Writes a name so that it means exactly itself.
    pub(super) fn quote(self, name: &str, span: Span) -> Result<String, Unsupported> {
        let (fits, limit) = match self {
            Tongue::Postgres => (name.len() <= 63, "63 bytes"),
            Tongue::Tsql => (name.encode_utf16().count() <= 128, "128 characters"),
        };
        if !fits {
            return Err(Unsupported::new(format!("the name `{name}`, longer than {limit},"), span));
        }
        // The tools that run scripts act upon lines and on variables, wherever they stand.
        if name.chars().any(char::is_control) || self == Tongue::Tsql && name.contains("$(") {
            return Err(Unsupported::new(format!("the name `{}`", name.escape_debug()), span));
        }
        Ok(match self {
            Tongue::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
            Tongue::Tsql => format!("[{}]", name.replace(']', "]]")),
        })
    }

    /// Writes a table's name with its schema.
    pub(super) fn relation(self, schema: Option<&str>, name: &str, span: Span) -> Result<String, Unsupported> {
        let schema = schema.or((self == Tongue::Tsql).then_some("dbo"));
        let name = self.quote(name, span)?;
        Ok(match schema {
            Some(schema) => format!("{}.{name}", self.quote(schema, span)?),
            None => name,
        })
    }

    /// Writes a text literal.
    pub(super) fn literal(self, text: &str, span: Span) -> Result<String, Unsupported> {
        if text.contains('\0') {
            return Err(Unsupported::new("a text with the character U+0000", span));
        }
        let quoted = text.replace('\'', "''");
        if self == Tongue::Postgres {
            return Ok(format!("'{quoted}'"));
        }
        // `sqlcmd` acts upon lines and on `$(`: neither stands in the script as it is.
        let broken = quoted.replace('\r', "' + NCHAR(13) + N'").replace('\n', "' + NCHAR(10) + N'").replace("$(", "$' + N'(");
        Ok(if broken == quoted { format!("N'{quoted}'") } else { format!("(N'{broken}')") })
    }

    /// The collation in which texts are what their characters are.
    pub(super) fn collate(self, sql: &str) -> String {
        match self {
            Tongue::Postgres => format!("({sql}) COLLATE \"C\""),
            Tongue::Tsql => format!("({sql}) COLLATE Latin1_General_100_BIN2"),
        }
    }

    /// The name of a type that values of a view may have.
    pub(super) fn type_name(self, data_type: &DataType, span: Span) -> Result<String, Unsupported> {
        let postgres = self == Tongue::Postgres;
        let either = |a: &str, b: &str| if postgres { a.to_string() } else { b.to_string() };
        Ok(match data_type {
            DataType::Boolean => either("boolean", "bit"),
            DataType::SmallInt => "smallint".to_string(),
            DataType::Integer => either("integer", "int"),
            DataType::BigInt => "bigint".to_string(),
            DataType::HugeInt => either("numeric(39,0)", "decimal(38,0)"),
            DataType::Decimal(Some((precision, scale))) => format!("{}({precision},{scale})", either("numeric", "decimal")),
            DataType::Double => either("double precision", "float"),
            DataType::Text | DataType::Varchar(_) => either("text", "nvarchar(max)"),
            DataType::Date => "date".to_string(),
            DataType::Timestamp(_) => either("timestamp", "datetime2(6)"),
            DataType::Uuid => either("uuid", "uniqueidentifier"),
            DataType::List(element) if postgres && !matches!(**element, DataType::List(_)) => {
                format!("{}[]", self.type_name(element, span)?)
            }
            other => return Err(Unsupported::new(format!("the type {other}"), span)),
        })
    }
}
