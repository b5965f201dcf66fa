//! `verify.sql`: compares the target with what was loaded, and changes nothing.
//!
//! In: tables, their evidence and keys. Out: one statement with a row for each table: counts, checksums, `ok` or `MISMATCH`. Rows
//! are found by the keys in the script, so that others may be there too; a replaced table or scope is compared as a whole;
//! without a key only the count can be judged, and that only from below. Does not know how rows are hashed on our side.

use super::{Postgres, relation, text};
use crate::emit::load::{Load, Step};
use crate::emit::merge::{Plan, Region, within};
use crate::emit::rows::Evidence;
use crate::emit::{Dialect, Table, Verify};

impl Verify for Postgres {
    fn verify(&self, load: &Load) -> Vec<Step> {
        if load.plans.is_empty() {
            return vec![];
        }
        let mut steps = vec![];
        for (at, plan) in load.plans.iter().enumerate().filter(|(_, plan)| matches!(plan.region(), Region::Keys)) {
            let columns: Vec<String> = (1..=plan.key.len()).map(|n| format!("k{n}")).collect();
            let with = if steps.is_empty() { "\nWITH" } else { "," };
            steps.push(Step::Plain(format!("{with} keys_{} ({}) AS (\n", plan.table.number, columns.join(", "))));
            steps.extend([Step::Keys(at), Step::Plain(")".to_string())]);
        }
        let results: Vec<String> = load.plans.iter().map(result).collect();
        steps.push(Step::Plain(format!(
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
",
            if steps.is_empty() { "\nWITH" } else { "," },
            results.join("\n  UNION ALL\n")
        )));
        steps
    }

    fn not_compared(&self, _table: &Table, _column: &str) -> &'static str {
        "which the database prints in its own way"
    }
}

/// Writes the query that counts and sums up one table's rows.
fn result(plan: &Plan) -> String {
    let (table, evidence) = (plan.table, plan.evidence);
    let exact = plan.is_exact();
    let region = match plan.region() {
        Region::Whole => String::new(),
        Region::Scope(scope) => format!(" WHERE {}", within(&Postgres, "t", scope)),
        Region::Nothing => " WHERE false".to_string(),
        Region::Keys => {
            let numbered = plan.key_names("t.").into_iter().zip(&plan.key).enumerate();
            let same = numbered.map(|(n, (name, key))| Postgres.same(&name, &format!("k.k{}", n + 1), key.nulls));
            format!(" JOIN keys_{} AS k ON {}", table.number, same.collect::<Vec<_>>().join(" AND "))
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
