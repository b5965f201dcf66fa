//! The types of a schema file: the target's words for ours, and the enums and domains that the file creates.
//!
//! In: the tokens after a column's name. Out: a [`ColumnType`]. What neither we nor the file know keeps its name
//! ([`DataType::Named`]). Does not know about columns or their constraints.

use std::collections::BTreeMap;

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use super::ddl::Flavor;
use super::ddl_cursor::{Cursor, Read};
use crate::diagnostics::Span;
use crate::types::DataType;

/// The enums and domains of all schema files, by name without schema.
pub(super) type Types = BTreeMap<String, NamedType>;

/// What `CREATE TYPE` and `CREATE DOMAIN` make.
#[derive(Clone, Debug)]
pub(super) enum NamedType {
    Enum(Vec<String>),
    Domain(Domain),
}

/// A type with constraints of its own.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    pub(super) base: ColumnType,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    pub(super) checks: Vec<DomainCheck>,
}

/// A CHECK of a domain, in which VALUE stands for the column.
#[derive(Clone, Debug)]
pub(super) struct DomainCheck {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) holds: Option<ast::Expr>,
    pub(super) span: Span,
}

/// A type as a column has it.
#[derive(Clone, Debug)]
pub(super) struct ColumnType {
    pub(super) data_type: DataType,
    /// The name of the enum or domain behind it.
    pub(super) type_name: Option<String>,
    /// Whether the database counts the column up: `serial`.
    pub(super) serial: bool,
    /// Whether the database alone writes it: T-SQL's `rowversion`.
    pub(super) computed: bool,
    /// Whether the type holds 0 to 255 only: T-SQL's `tinyint`.
    pub(super) one_byte: bool,
    /// The digits of the second's fraction where Postgres would round to them.
    pub(super) fraction: Option<u8>,
}

/// The words that may follow a type's first word.
const MORE: &[&[&str]] =
    &[&["VARYING"], &["PRECISION"], &["WITH", "TIME", "ZONE"], &["WITHOUT", "TIME", "ZONE"], &["LARGE", "OBJECT"]];

/// Reads a type.
pub(super) fn read(cursor: &mut Cursor, types: &Types) -> Read<ColumnType> {
    let flavor = cursor.flavor();
    let full = cursor.qualified()?;
    let name = full.name.value;
    let mut words = name.to_lowercase();
    let mut arguments = None;
    let mut lists = 0;
    loop {
        if let Some(more) = MORE.iter().find(|more| cursor.accept(more)) {
            words = format!("{words} {}", more.join(" ").to_lowercase());
        } else if arguments.is_none() && cursor.at_group() {
            arguments = Some(cursor.group()?.source().to_lowercase());
        } else if cursor.accept_token(&Token::LBracket) {
            while !cursor.is_empty() && !cursor.accept_token(&Token::RBracket) {
                cursor.skip();
            }
            lists += 1;
        } else if cursor.accept(&["ARRAY"]) {
            lists += 1;
        } else {
            break;
        }
    }
    let mut found = match types.get(&name).filter(|_| arguments.is_none()) {
        Some(NamedType::Enum(_)) => ColumnType { type_name: Some(name), ..plain(DataType::Text) },
        Some(NamedType::Domain(domain)) => ColumnType { type_name: Some(name), ..domain.base.clone() },
        None => builtin(&words, arguments.as_deref(), &full.schema, flavor),
    };
    if flavor == Flavor::Postgres && words.starts_with("time") {
        found.fraction = arguments.and_then(|digits| digits.trim().parse().ok()).filter(|digits| *digits < 6);
    }
    for _ in 0..lists {
        found.data_type = DataType::List(Box::new(found.data_type));
        found.type_name = found.type_name.map(|name| format!("{name}[]"));
    }
    Ok(found)
}

fn plain(data_type: DataType) -> ColumnType {
    ColumnType { data_type, type_name: None, serial: false, computed: false, one_byte: false, fraction: None }
}

/// Reads a type that the target has by itself.
fn builtin(words: &str, arguments: Option<&str>, schema: &Option<String>, flavor: Flavor) -> ColumnType {
    let written = match arguments {
        Some(arguments) => match words.split_once(" with") {
            Some((first, rest)) => format!("{first}({arguments}) with{rest}"),
            None => format!("{words}({arguments})"),
        },
        None => words.to_string(),
    };
    let named = || {
        let system = schema.as_deref().is_none_or(|s| ["pg_catalog", "sys", "public", "dbo"].contains(&s));
        let name = if system { written.clone() } else { format!("{}.{written}", schema.as_deref().unwrap_or("")) };
        plain(DataType::Named(name))
    };
    match (flavor, words) {
        (Flavor::Postgres, "serial" | "serial4") => ColumnType { serial: true, ..plain(DataType::Integer) },
        (Flavor::Postgres, "bigserial" | "serial8") => ColumnType { serial: true, ..plain(DataType::BigInt) },
        (Flavor::Postgres, "smallserial" | "serial2") => ColumnType { serial: true, ..plain(DataType::SmallInt) },
        // Postgres's bit is a string of bits, and its money is written as the server's locale says.
        (Flavor::Postgres, "bit" | "bit varying" | "money") => named(),
        (Flavor::Postgres, "float") if arguments.and_then(|n| n.parse().ok()).is_some_and(|n: u8| n <= 24) => {
            plain(DataType::Real)
        }
        (Flavor::Tsql, "float") if arguments.and_then(|n| n.parse().ok()).is_some_and(|n: u8| n <= 24) => plain(DataType::Real),
        (Flavor::Tsql, "timestamp" | "rowversion") => ColumnType { computed: true, ..plain(DataType::Bytes) },
        (Flavor::Tsql, "tinyint") => ColumnType { one_byte: true, ..plain(DataType::SmallInt) },
        (Flavor::Tsql, "sysname") => plain(DataType::Varchar(128)),
        (Flavor::Tsql, "money" | "smallmoney") => ColumnType {
            type_name: Some(words.to_string()),
            ..plain(DataType::Decimal(Some((if words == "money" { 19 } else { 10 }, 4))))
        },
        // Bytes of a code page, which nvarchar and its siblings are not.
        (Flavor::Tsql, "varchar" | "char" | "text" | "character" | "character varying") => ColumnType {
            type_name: Some(words.to_string()),
            ..plain(match arguments {
                None if words.contains("var") => DataType::Varchar(1),
                _ => DataType::parse(&written).unwrap_or(DataType::Text),
            })
        },
        (Flavor::Tsql, "decimal" | "numeric" | "dec") if arguments.is_none() => plain(DataType::Decimal(Some((18, 0)))),
        (Flavor::Tsql, "nvarchar") if arguments.is_none() => plain(DataType::Varchar(1)),
        (Flavor::Tsql, "smalldatetime" | "datetime") => ColumnType {
            type_name: Some(words.to_string()),
            ..plain(DataType::Timestamp(Some(if words == "datetime" { 3 } else { 0 })))
        },
        (Flavor::Postgres | Flavor::Tsql, _) => DataType::parse(&written).map(plain).unwrap_or_else(named),
    }
}
