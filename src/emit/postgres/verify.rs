//! `verify.sql`: compares the target with what was loaded, and changes nothing.
//!
//! In: tables, their evidence and keys. Out: one statement with a row for each table: counts, checksums, `ok` or `MISMATCH`. Rows
//! are found by the keys in the script, so that others may be there too; a replaced table or scope is compared as a whole;
//! without a key only the count can be judged, and that only from below. Does not know how rows are hashed on our side.

use std::io::{self, Write};

use super::merge::Plan;
use super::{deploy, relation, same_key, scope_condition, text};
use crate::emit::rows::Evidence;
use crate::emit::{Mode, Parts, Script, Table};

/// Writes the script.
pub fn write(script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let tables: Vec<&Table> = script.tables.iter().map(|(table, _)| table).collect();
    out.write_all(deploy::header(script.header, &tables).as_bytes())?;
    for (table, evidence) in script.tables {
        for (column, compared) in table.columns.iter().zip(&evidence.compared) {
            if compared.is_none() {
                let note = format!(
                    "not compared: column {} of {}, which the database prints in its own way",
                    column.name,
                    table.shown()
                );
                out.write_all(text::comment(&note).as_bytes())?;
            }
        }
    }
    write!(out, "--\n-- Reads only. Run with: psql -f verify.sql\n\nSTART TRANSACTION READ ONLY;\n\n{}", deploy::SETTINGS)?;
    if tables.is_empty() {
        return out.write_all(b"\nCOMMIT;\n");
    }
    let mut opened = false;
    let mut results = vec![];
    for (i, (table, evidence)) in script.tables.iter().enumerate() {
        let plan = Plan::new(table, evidence);
        let by_key = !plan.key.is_empty() && !matches!(table.mode, Mode::Replace { .. });
        if by_key && evidence.rows > 0 {
            let columns: Vec<String> = (1..=plan.key.len()).map(|n| format!("k{n}")).collect();
            writeln!(out, "{} keys_{} ({}) AS (", if opened { "," } else { "\nWITH" }, table.number, columns.join(", "))?;
            parts.keys(i, out)?;
            out.write_all(b")")?;
            opened = true;
        }
        results.push(result(&plan, evidence));
    }
    write!(
        out,
        "{} result AS (
{}
)
SELECT \"table\", expected, found, expected_checksum,
  CASE WHEN compared THEN found_checksum::text ELSE 'not checked' END AS found_checksum,
  CASE
    WHEN found < expected OR (exact AND found > expected) THEN 'MISMATCH'
    WHEN compared AND found_checksum <> expected_checksum THEN 'MISMATCH'
    ELSE 'ok'
  END AS result
FROM result
ORDER BY number;

COMMIT;
",
        if opened { "," } else { "\nWITH" },
        results.join("\n  UNION ALL\n")
    )
}

/// Writes the query that counts and sums up one table's rows.
fn result(plan: &Plan, evidence: &Evidence) -> String {
    let table = plan.table;
    let whole = matches!(table.mode, Mode::Replace { .. });
    let exact = whole || !plan.key.is_empty();
    let region = match &table.mode {
        Mode::Replace { scope } if !scope.is_empty() => format!(" WHERE {}", scope_condition("t", scope)),
        Mode::Replace { .. } => String::new(),
        Mode::Insert | Mode::Upsert(_) | Mode::Append if plan.key.is_empty() => String::new(),
        // Without rows there are no keys.
        Mode::Insert | Mode::Upsert(_) | Mode::Append if evidence.rows == 0 => " WHERE false".to_string(),
        Mode::Insert | Mode::Upsert(_) | Mode::Append => {
            let numbered = plan.key.iter().enumerate();
            let key: Vec<(String, String, bool)> =
                numbered.map(|(n, (name, _, nulls))| (name.clone(), format!("k{}", n + 1), *nulls)).collect();
            format!(" JOIN keys_{} AS k ON {}", table.number, same_key("t", "k", &key))
        }
    };
    let comparable = exact && evidence.compared.iter().any(Option::is_some);
    let sum = if comparable { checksum(evidence) } else { "0::numeric".to_string() };
    format!(
        "  SELECT {} AS number, {} AS \"table\", {}::bigint AS expected, count(*) AS found, {exact} AS exact,
  {} AS compared,
  {}::numeric AS expected_checksum,
  {sum} AS found_checksum
  FROM {} AS t{region}",
        table.number,
        text::literal(&table.shown()),
        table.rows,
        if comparable { types_fit(table, evidence) } else { "false".to_string() },
        evidence.checksum,
        relation(table)
    )
}

/// Sums up the rows of `t` as they were summed up on our side.
pub(super) fn checksum(evidence: &Evidence) -> String {
    let compared: Vec<String> = evidence.compared.iter().flatten().map(|c| format!("    quote_nullable({})", c.sql)).collect();
    format!(
        "coalesce(sum(('x' || left(encode(sha256(convert_to(array_to_string(ARRAY[\n{}\n  ], ','), \
         'UTF8')), 'hex'), 15))::bit(60)::bigint), 0)",
        compared.join(",\n")
    )
}

/// Says that columns have the kinds of types whose printed form we know; elsewhere the contract, or the lack of one, led us
/// astray.
pub(super) fn types_fit(table: &Table, evidence: &Evidence) -> String {
    let names = |kind: &str| -> Vec<String> {
        let needing =
            table.columns.iter().zip(&evidence.compared).filter(|(_, c)| c.as_ref().is_some_and(|c| c.needs == Some(kind)));
        needing.map(|(column, _)| text::literal(&column.name)).collect()
    };
    let conditions: Vec<String> =
        [("text", "y.typcategory NOT IN ('S', 'E')"), ("json", "y.typname <> 'json'"), ("jsonb", "y.typname <> 'jsonb'")]
            .into_iter()
            .map(|(kind, other)| (names(kind), other))
            .filter(|(names, _)| !names.is_empty())
            .map(|(names, other)| format!("(a.attname IN ({}) AND {other})", names.join(", ")))
            .collect();
    if conditions.is_empty() {
        return "true".to_string();
    }
    format!(
        "NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = to_regclass({}) AND ({}))",
        text::literal(&relation(table)),
        conditions.join(" OR ")
    )
}
