//! `verify.sql`: compares the target with what was loaded, and changes nothing but tables of its own session.
//!
//! In: tables, their evidence and keys. Out: a result with a row for each table: counts, checksums, `ok` or `MISMATCH`. Rows are found by
//! the keys in the script, so that others may be there too; a replaced table or scope is compared as a whole; without a key only the
//! count can be judged, and that only from below. Does not know how rows are hashed on our side.

use std::io::{self, Write};

use super::merge::Plan;
use super::{batch, deploy, keys, like_target, object_id, relation, same_key, scope_condition, text};
use crate::emit::rows::Evidence;
use crate::emit::{Mode, Parts, Script, Table};

/// The names of the types of each kind that a comparison takes for granted.
const KINDS: &[(&str, &str)] = &[
    ("text", "N'char', N'varchar', N'nchar', N'nvarchar', N'text', N'ntext'"),
    ("bytes", "N'binary', N'varbinary', N'image'"),
    (
        "number",
        "N'bit', N'tinyint', N'smallint', N'int', N'bigint', N'decimal', N'numeric', N'money', N'smallmoney', N'real', N'float'",
    ),
    ("time", "N'date', N'time', N'datetime', N'smalldatetime', N'datetime2', N'datetimeoffset'"),
    ("uuid", "N'uniqueidentifier'"),
];

/// Writes the script.
pub fn write(script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let tables: Vec<&Table> = script.tables.iter().map(|(table, _)| table).collect();
    out.write_all(deploy::header(script.header, &tables).as_bytes())?;
    for (table, evidence) in script.tables {
        for (column, compared) in table.columns.iter().zip(&evidence.compared) {
            if compared.is_none() {
                let why = match table.is_given(&column.name) {
                    true => "which the database shows in its own way",
                    false => "which the upsert may leave as it was, or make another",
                };
                let note = format!("not compared: column {} of {}, {why}", column.name, table.shown());
                out.write_all(text::comment(&note).as_bytes())?;
            }
        }
    }
    out.write_all(b"--\n-- Reads only. Run with: sqlcmd -b -f 65001 -i verify.sql, or in Azure Data Studio or SSMS\n\n")?;
    writeln!(out, "{}{}GO", batch::SETTINGS, batch::ENCODING)?;
    let mut results = vec![];
    let mut dropped = vec![];
    for (i, (table, evidence)) in script.tables.iter().enumerate() {
        let plan = Plan::new(table, evidence);
        let by_key = !plan.key.is_empty() && !matches!(table.mode, Mode::Replace { .. });
        if by_key && evidence.rows > 0 {
            // The writer gathers keys in the order of the columns.
            let key = table.loaded_key();
            let columns: Vec<&str> =
                table.columns.iter().map(|c| c.name.as_str()).filter(|c| key.iter().any(|k| k == c)).collect();
            write!(out, "\n{}GO\n", like_target(&keys(table), table, &columns))?;
            parts.keys(i, out)?;
            dropped.push(keys(table));
        }
        results.push(result(&plan, evidence));
    }
    if !results.is_empty() {
        write!(
            out,
            "
WITH result AS (
{}
)
SELECT [table], expected, found, expected_checksum,
  CASE WHEN compared = 1 THEN CONVERT(nvarchar(40), found_checksum) ELSE N'not checked' END AS found_checksum,
  CASE
    WHEN found < expected OR (exact = 1 AND found > expected) THEN N'MISMATCH'
    WHEN compared = 1 AND found_checksum <> expected_checksum THEN N'MISMATCH'
    ELSE N'ok'
  END AS result
FROM result
ORDER BY number;
GO
",
            results.join("\n  UNION ALL\n")
        )?;
    }
    if !dropped.is_empty() {
        writeln!(out, "DROP TABLE {};\nGO", dropped.join(", "))?;
    }
    out.write_all(b"SET NOEXEC OFF;\nGO\n")
}

/// Writes the query that counts and sums up one table's rows.
fn result(plan: &Plan, evidence: &Evidence) -> String {
    let table = plan.table;
    let whole = matches!(table.mode, Mode::Replace { .. });
    let exact = whole || !plan.key.is_empty();
    let region = match &table.mode {
        Mode::Replace { scope } if !scope.is_empty() => format!("\n  WHERE {}", scope_condition("t", scope)),
        Mode::Replace { .. } => String::new(),
        Mode::Insert | Mode::Upsert(_) | Mode::Append if plan.key.is_empty() => String::new(),
        // Without rows there are no keys.
        Mode::Insert | Mode::Upsert(_) | Mode::Append if evidence.rows == 0 => "\n  WHERE 1 = 0".to_string(),
        Mode::Insert | Mode::Upsert(_) | Mode::Append => {
            format!("\n  INNER JOIN {} AS k ON {}", keys(table), same_key("t", "k", &plan.key))
        }
    };
    let compared: Vec<String> = evidence.compared.iter().flatten().map(|c| format!("    {}", c.sql)).collect();
    let comparable = exact && !compared.is_empty();
    let image = match compared.as_slice() {
        _ if !comparable => String::new(),
        [one] => one.trim_start().to_string(),
        several => format!("CONCAT(\n{}\n  )", several.join(",\n")),
    };
    let sum = match comparable {
        // Seven bytes behind a zero: a number that is never negative.
        true => format!(
            "ISNULL(SUM(CONVERT(decimal(38, 0), CONVERT(bigint, 0x00 + SUBSTRING(HASHBYTES('SHA2_256', {image}), 1, 7)))), 0)"
        ),
        false => "CONVERT(decimal(38, 0), 0)".to_string(),
    };
    format!(
        "  SELECT {} AS number, {} AS [table], CONVERT(bigint, {}) AS expected, COUNT_BIG(*) AS found, {} AS exact,
  {} AS compared,
  CONVERT(decimal(38, 0), {}) AS expected_checksum,
  {sum} AS found_checksum
  FROM {} AS t{region}",
        table.number,
        text::literal(&table.shown()),
        table.rows,
        u8::from(exact),
        if comparable { types_fit(table, evidence) } else { "0".to_string() },
        evidence.checksum,
        relation(table)
    )
}

/// Says, as 1 or 0, that columns have the kinds of types whose shown form we know; elsewhere the contract, or the lack of one, led us astray.
fn types_fit(table: &Table, evidence: &Evidence) -> String {
    let mut conditions = vec![];
    for (kind, types) in KINDS {
        let needing =
            table.columns.iter().zip(&evidence.compared).filter(|(_, c)| c.as_ref().is_some_and(|c| c.needs == Some(*kind)));
        let names: Vec<String> = needing.map(|(column, _)| text::literal(&column.name)).collect();
        if !names.is_empty() {
            conditions.push(format!("(c.name IN ({}) AND TYPE_NAME(c.system_type_id) NOT IN ({types}))", names.join(", ")));
        }
    }
    format!(
        "(SELECT CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END FROM sys.columns AS c\n    WHERE c.object_id = {} AND ({}))",
        object_id(table),
        conditions.join("\n      OR ")
    )
}
