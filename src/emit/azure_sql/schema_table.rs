//! The columns of `pipe schema ddl` in T-SQL: their types, collations, defaults and what numbers them.
//!
//! In: a contract. Out: what stands between the parentheses of CREATE TABLE, as the schema file has it or made of what the contract says;
//! what the database has no like for is refused, all of it at once.
//! Does not know about constraints.

use super::text::{identifier, is_unwritable};
use crate::check::Measure;
use crate::contract::{Column, Contract, Generated};
use crate::types::DataType;

/// The most characters of `nvarchar(n)`, and the most bytes of `varchar(n)`.
const WIDEST: u32 = 4_000;
const WIDEST_BYTES: u32 = 8_000;

/// What a table is made of, besides its constraints.
pub(super) struct Body {
    /// Each column's name and definition.
    pub(super) columns: Vec<(String, String)>,
    pub(super) elements: Vec<String>,
}

/// Writes the columns of a table.
pub(super) fn body(contract: &Contract, refused: &mut Vec<String>) -> Body {
    for name in contract.columns.iter().map(|c| &c.name).chain([&contract.table]) {
        if is_unwritable(name) || name.encode_utf16().count() > 128 {
            refused.push(format!("the name `{}` of `{}`", name.escape_debug(), contract.table.escape_debug()));
        }
    }
    let columns = contract
        .columns
        .iter()
        .map(|c| (c.name.clone(), format!("{} {}", identifier(&c.name), definition(contract, c, refused))));
    Body { columns: columns.collect(), elements: contract.written.elements.clone() }
}

fn definition(contract: &Contract, column: &Column, refused: &mut Vec<String>) -> String {
    let null = if column.not_null { " NOT NULL" } else { " NULL" };
    match contract.written.columns.get(&column.name) {
        Some(written) if is_computed(written) => written.clone(),
        Some(written) => format!("{written}{null}"),
        None => {
            let data_type = data_type(contract, column, refused);
            let collation = column.collation.as_ref().map(|c| format!(" COLLATE {c}")).unwrap_or_default();
            // What is numbered has a number.
            let (numbered, null) = match column.generated {
                Generated::ByDefault | Generated::Always => (" IDENTITY(1,1)", " NOT NULL"),
                Generated::No | Generated::Computed => ("", null),
            };
            let default = column.default.as_ref().map(|d| format!(" DEFAULT {}", constant(column, d))).unwrap_or_default();
            format!("{data_type}{collation}{numbered}{default}{null}")
        }
    }
}

/// Whether a definition begins with AS: the expression says whether it can be NULL.
fn is_computed(definition: &str) -> bool {
    let first = definition.get(..2).unwrap_or_default();
    first.eq_ignore_ascii_case("as") && definition.chars().nth(2).is_none_or(|c| !c.is_alphanumeric() && c != '_')
}

/// Writes a default; there is no TRUE.
fn constant(column: &Column, default: &str) -> String {
    match (&column.data_type, default.to_lowercase().as_str()) {
        (DataType::Boolean, "true") => "1".to_string(),
        (DataType::Boolean, "false") => "0".to_string(),
        _ => default.to_string(),
    }
}

fn data_type(contract: &Contract, column: &Column, refused: &mut Vec<String>) -> String {
    let named = column.type_name.as_deref().map(|n| n.trim().to_lowercase());
    let bytes = matches!(named.as_deref(), Some("varchar" | "char" | "text" | "character" | "character varying"));
    let (prefix, widest) = if bytes { ("", WIDEST_BYTES) } else { ("n", WIDEST) };
    let national = matches!(named.as_deref(), None | Some("nvarchar" | "nchar" | "ntext"));
    let mut refuse = |why: &str| {
        refused.push(format!("column `{}` of `{}` {why}", column.name, contract.table));
        column.data_type.to_string()
    };
    let size = |digits: &Option<u8>| digits.map(|n| format!("({})", n.min(7))).unwrap_or_default();
    if column.generated == Generated::Computed && named.is_none() {
        return refuse("is computed by an expression that only a file in T-SQL can give");
    }
    match &column.data_type {
        DataType::Varchar(n) | DataType::Char(n) if (bytes || national) && *n > widest => {
            refuse(&format!("is longer than {widest}: make it `text`, with a `length` check"))
        }
        DataType::Varchar(n) if bytes || national => format!("{prefix}varchar({n})"),
        DataType::Char(n) if bytes || national => format!("{prefix}char({n})"),
        DataType::Text if (bytes || national) && is_in_key(contract, column) => {
            refuse("is in a key or an index, which take no text without a length: make it `varchar(n)`")
        }
        DataType::Text if bytes || national => format!("{prefix}varchar(max)"),
        _ if named.is_some() => column.type_name.clone().unwrap_or_default(),
        DataType::Boolean => "bit".to_string(),
        DataType::SmallInt => "smallint".to_string(),
        DataType::Integer => "int".to_string(),
        DataType::BigInt => "bigint".to_string(),
        DataType::HugeInt => "decimal(38, 0)".to_string(),
        DataType::Decimal(Some((precision, scale))) => format!("decimal({precision}, {scale})"),
        DataType::Decimal(None) => refuse("is a decimal without digits: make it `decimal(p,s)`"),
        DataType::Real => "real".to_string(),
        DataType::Double => "float".to_string(),
        DataType::Date => "date".to_string(),
        DataType::Time => "time".to_string(),
        DataType::Timestamp(digits) => format!("datetime2{}", size(digits)),
        DataType::TimestampTz(digits) => format!("datetimeoffset{}", size(digits)),
        DataType::Uuid => "uniqueidentifier".to_string(),
        DataType::Bytes => "varbinary(max)".to_string(),
        DataType::Json { .. } => "nvarchar(max)".to_string(),
        DataType::Named(name) => name.clone(),
        other => refuse(&format!("is {other}: make it `text`, or a table of its own")),
    }
}

/// Whether a column is part of a key or an index.
fn is_in_key(contract: &Contract, column: &Column) -> bool {
    let has = |columns: &[String]| columns.contains(&column.name);
    let unique = |c: &crate::check::Declared| matches!(c.check.measure(), Measure::Unique(_)) && has(&c.check.columns());
    has(&contract.primary_key)
        || contract.foreign_keys.iter().any(|k| has(&k.columns))
        || contract.indexes.iter().any(|i| has(&i.columns))
        || contract.checks.iter().any(unique)
}
