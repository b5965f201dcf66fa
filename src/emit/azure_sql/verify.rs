//! `verify.sql`: compares the target with what was loaded, and changes nothing but tables of its own session.
//!
//! In: tables, their evidence and keys. Out: a result with a row for each table: counts, checksums, `ok` or `MISMATCH`. Rows are found by
//! the keys in the script, so that others may be there too; a replaced table or scope is compared as a whole; without a key only the
//! count can be judged, and that only from below. Does not know how rows are hashed on our side.

use super::{AzureSql, keys, like_target, object_id, relation, text};
use crate::emit::load::{Load, Step};
use crate::emit::merge::{Plan, Region, within};
use crate::emit::rows::Evidence;
use crate::emit::{Table, Verify};

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

impl Verify for AzureSql {
    fn verify(&self, load: &Load) -> Vec<Step> {
        if load.plans.is_empty() {
            return vec![];
        }
        let mut steps = vec![];
        let mut listed = vec![];
        for (at, plan) in load.plans.iter().enumerate().filter(|(_, plan)| matches!(plan.region(), Region::Keys)) {
            // The writer gathers keys in the order of the columns.
            let columns: Vec<&str> = plan.table.columns.iter().map(|c| c.name.as_str()).filter(|c| plan.is_key(c)).collect();
            let keys = keys(plan.table);
            steps.push(Step::Plain(format!("\n{}GO\n", like_target(&keys, plan.table, &columns))));
            steps.push(Step::Keys(at));
            listed.push(keys);
        }
        let results: Vec<String> = load.plans.iter().map(result).collect();
        steps.push(Step::Plain(format!(
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
        )));
        if !listed.is_empty() {
            steps.push(Step::Plain(format!("DROP TABLE {};\nGO\n", listed.join(", "))));
        }
        steps
    }

    fn not_compared(&self, table: &Table, column: &str) -> &'static str {
        match table.is_given(column) {
            true => "which the database shows in its own way",
            false => "which the upsert may leave as it was, or make another",
        }
    }
}

/// Writes the query that counts and sums up one table's rows.
fn result(plan: &Plan) -> String {
    let (table, evidence) = (plan.table, plan.evidence);
    let exact = plan.is_exact();
    let region = match plan.region() {
        Region::Whole => String::new(),
        Region::Scope(scope) => format!("\n  WHERE {}", within(&AzureSql, "t", scope)),
        Region::Nothing => "\n  WHERE 1 = 0".to_string(),
        Region::Keys => format!("\n  INNER JOIN {} AS k ON {}", keys(table), plan.same_key("t", "k")),
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
