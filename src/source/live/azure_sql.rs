//! How Azure SQL or SQL Server is asked for the rows of an extract.
//!
//! In: a table's name or a SELECT, and an open snapshot. Out: the columns with their types, and one EXECUTE that runs the query as it stands, with
//! its own order and common table expressions. `WITH RESULT SETS` has the server convert what the driver would not read without loss:
//! money as decimals, texts of a code page as Unicode, `datetime` in milliseconds. Does not know how rows are coded.

use super::{Asked, Database, Reading, Relation, judged, one_select, pin};
use crate::database::Connection;
use crate::database::azure_sql::{identifier, literal};
use crate::error::Error;
use crate::source::{Request, Scope};
use crate::types::DataType;

pub(super) const AZURE_SQL: Database = Database { dialect: "azure_sql", ask };

/// The most code units that a limited `nvarchar` holds.
const LIMITED: u32 = 4_000;

fn ask(request: &Request, reading: &Reading, _: Scope, connection: &mut dyn Connection) -> Result<Asked, Error> {
    let query = match &reading.what {
        Relation::Table(parts) => {
            let name: Vec<String> = parts.iter().map(|p| identifier(p)).collect();
            let name = name.join(".");
            // The order of its primary key, so that the same rows give the same script.
            let key: Vec<String> = connection.primary_key(&name)?.iter().map(|c| identifier(c)).collect();
            let order = if key.is_empty() { String::new() } else { format!(" ORDER BY {}", key.join(", ")) };
            format!("SELECT * FROM {name}{order}")
        }
        Relation::Query(query) => {
            let query = query.trim().trim_end_matches(';').to_string();
            if let Some(word) = one_select::besides(&query) {
                return Err(Error::new("X0605", format!("the query is not one SELECT: it has `{word}`"))
                    .help("Write one SELECT without a semicolon within; a column of this name stands in brackets."));
            }
            query
        }
    };
    let described = connection.describe(&query)?;
    if let Some(place) = described.iter().position(|c| c.name.is_empty()) {
        return Err(Error::new("X0605", format!("column {} of the query has no name", place + 1))
            .help("Give it one: `SELECT count(*) AS orders ...`."));
    }
    judged(&described, request)?;
    let (mut columns, mut sets, mut unread) = (vec![], vec![], vec![]);
    for column in described {
        match natural(&column.data_type, pin(request, &column.name)) {
            Some((data_type, sent)) => {
                sets.push(format!("{} {sent} NULL", identifier(&column.name)));
                columns.push((column.name, data_type));
            }
            None if column.data_type.is_empty() => unread.push(format!("`{}` is of a type of the database's own", column.name)),
            None => unread.push(format!("`{}` is of type `{}`", column.name, column.data_type)),
        }
    }
    if !unread.is_empty() {
        return Err(Error::new("X0605", format!("columns cannot be read: {}", unread.join(", ")))
            .help("Convert them in a `query`, `SELECT CONVERT(nvarchar(max), c) AS c ...`, or leave them out."));
    }
    // The limit is the session's: what is asked afterwards must not meet it.
    let (limit, unlimited) = match request.limit {
        Some(rows) => (format!("SET ROWCOUNT {};\n", rows.min(i32::MAX as u64)), "\nSET ROWCOUNT 0;"),
        None => (String::new(), ""),
    };
    let statement = format!("{limit}EXECUTE ({}) WITH RESULT SETS ((\n{}\n));{unlimited}", literal(&query), sets.join(",\n"));
    Ok(Asked { columns, statement })
}

/// What a column is staged as, and the type that the server sends it in; nothing if there is no like.
///
/// A pin only counts where the server's type says more than the engine holds: the engine itself casts what was staged to what is pinned.
fn natural(type_name: &str, pin: Option<&DataType>) -> Option<(DataType, String)> {
    let (word, sizes) = type_name.strip_suffix(')').and_then(|t| t.split_once('(')).unwrap_or((type_name, ""));
    let size = sizes.parse::<u32>().ok();
    let text = |units: Option<u32>| match units {
        Some(units) if units <= LIMITED => format!("nvarchar({units})"),
        _ => "nvarchar(max)".to_string(),
    };
    let fine = size.is_none_or(|digits| digits > 6);
    let moment = |data_type: DataType| match pin {
        Some(DataType::Text | DataType::Varchar(_) | DataType::Char(_)) if fine => (DataType::Text, "nvarchar(40)".to_string()),
        Some(pin) if fine && same_kind(pin, &data_type) => (data_type, format!("{word}(6)")),
        _ => (data_type, type_name.to_string()),
    };
    Some(match word {
        "bit" => (DataType::Boolean, "bit".to_string()),
        "tinyint" | "smallint" => (DataType::SmallInt, "smallint".to_string()),
        "int" => (DataType::Integer, "int".to_string()),
        "bigint" => (DataType::BigInt, "bigint".to_string()),
        "decimal" | "numeric" => {
            let (precision, scale) = sizes.split_once(',')?;
            let size = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
            (DataType::Decimal(Some(size)), format!("decimal({}, {})", size.0, size.1))
        }
        "money" => (DataType::Decimal(Some((19, 4))), "decimal(19, 4)".to_string()),
        "smallmoney" => (DataType::Decimal(Some((10, 4))), "decimal(10, 4)".to_string()),
        "real" => (DataType::Real, "real".to_string()),
        "float" => (DataType::Double, "float".to_string()),
        "date" => (DataType::Date, "date".to_string()),
        "time" => moment(DataType::Time),
        "datetime2" => moment(DataType::Timestamp(None)),
        "datetimeoffset" => moment(DataType::TimestampTz(None)),
        "datetime" => (DataType::Timestamp(None), "datetime2(3)".to_string()),
        "smalldatetime" => (DataType::Timestamp(None), "datetime2(0)".to_string()),
        "uniqueidentifier" => (DataType::Uuid, "uniqueidentifier".to_string()),
        "char" | "varchar" | "nchar" | "nvarchar" => (DataType::Text, text(size)),
        "text" | "ntext" => (DataType::Text, text(None)),
        "xml" => (DataType::Text, "xml".to_string()),
        "binary" | "varbinary" => {
            (DataType::Bytes, size.map_or_else(|| "varbinary(max)".to_string(), |n| format!("varbinary({n})")))
        }
        "image" => (DataType::Bytes, "varbinary(max)".to_string()),
        "timestamp" | "rowversion" => (DataType::Bytes, "binary(8)".to_string()),
        _ => return None,
    })
}

/// Whether both are times of day, or both with or both without a zone.
fn same_kind(a: &DataType, b: &DataType) -> bool {
    matches!(
        (a, b),
        (DataType::Time, DataType::Time)
            | (DataType::Timestamp(_), DataType::Timestamp(_))
            | (DataType::TimestampTz(_), DataType::TimestampTz(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_sent_without_loss() {
        let told = |name: &str, pin: Option<DataType>| natural(name, pin.as_ref()).map(|(t, sent)| format!("{t} <- {sent}"));
        for (name, expected) in [
            ("tinyint", "smallint <- smallint"),
            ("numeric(38,10)", "decimal(38,10) <- decimal(38, 10)"),
            ("money", "decimal(19,4) <- decimal(19, 4)"),
            ("varchar(20)", "text <- nvarchar(20)"),
            ("varchar(8000)", "text <- nvarchar(max)"),
            ("nvarchar(max)", "text <- nvarchar(max)"),
            ("datetime", "timestamp <- datetime2(3)"),
            ("datetime2(7)", "timestamp <- datetime2(7)"),
            ("datetimeoffset(3)", "timestamptz <- datetimeoffset(3)"),
            ("varbinary(max)", "bytes <- varbinary(max)"),
            ("timestamp", "bytes <- binary(8)"),
        ] {
            assert_eq!(told(name, None).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(told("datetime2(7)", Some(DataType::Timestamp(None))).as_deref(), Some("timestamp <- datetime2(6)"));
        assert_eq!(told("datetime2(7)", Some(DataType::Text)).as_deref(), Some("text <- nvarchar(40)"));
        assert_eq!(told("datetime2(3)", Some(DataType::Text)).as_deref(), Some("timestamp <- datetime2(3)"));
        assert_eq!(told("sql_variant", Some(DataType::Text)), None);
        assert_eq!(told("", None), None);
    }
}
