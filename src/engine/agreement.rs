//! Compares a table with another relation by key: old against new.
//!
//! Both sides are put into one row per key, and met in full. Out: how many keys are only here, only there, repeated, or have other
//! values, and the first of each with what stands on both sides. NULLs agree with NULLs.

use super::findings::{Finding, accepted, columns};
use super::session::{Session, number, quote};
use crate::check::{Agreement, Tolerance};
use crate::error::Error;
use crate::plan::{Plan, TablePlan};
use crate::report::Sample;
use crate::source::Staging;

/// How many keys are shown.
const SHOWN: usize = 10;

/// Judges one agreement; `None` where there is no difference.
pub fn judge(
    plan: &Plan,
    table: &TablePlan,
    agreement: &Agreement,
    tolerance: &Tolerance,
    session: &Session,
) -> Result<Option<Finding>, Error> {
    let names = |relation: &str| columns(plan, relation).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let compared = agreement.compared(&names(&table.name.value), &names(&agreement.table));
    let query = Query::new(&table.name.value, agreement, &compared);
    let counts = format!(
        "SELECT count(*), count(*) FILTER (\"#t\" IS NULL), count(*) FILTER (\"#h\" IS NULL), \
         count(*) FILTER (\"#h\" > 1 OR \"#t\" > 1), count(*) FILTER ({differs} AND \"#h\" = 1 AND \"#t\" = 1), \
         count(*) FILTER ({failing}) FROM {met}",
        differs = query.differs(),
        failing = query.failing(),
        met = query.met
    );
    let row = session.rows(&counts)?.into_iter().next().unwrap_or_default();
    let at = |i: usize| number(row.get(i));
    // A key that repeats and is on one side only is one key.
    let (of, here, there, repeated, other, count) = (at(0), at(1), at(2), at(3), at(4), at(5));
    if count == 0 {
        return Ok(None);
    }
    let rows = format!("SELECT * FROM {} WHERE {} ORDER BY ALL LIMIT {SHOWN}", query.met, query.failing());
    let samples: Vec<Sample> = session.rows(&rows)?.into_iter().map(|row| query.sample(&row, agreement, &compared)).collect();
    let to = &agreement.table;
    let parts = [
        (here, "only here".to_string()),
        (there, format!("only in {to}")),
        (repeated, "more than once".to_string()),
        (other, "with other values".to_string()),
    ];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let keys = if of == 1 { "key" } else { "keys" };
    let text = format!("{count} of {of} {keys} differ from {to}: {}", parts.join(", "));
    Ok(Some(Finding { count, of, text, tolerated: accepted(tolerance, count, of), samples }))
}

/// Both sides, met by key: the keys, how often each occurs here and there (`#h`, `#t`), then for each compared column
/// the value here, the value there, and whether they differ.
struct Query {
    met: String,
    columns: usize,
}

impl Query {
    fn new(table: &str, agreement: &Agreement, compared: &[(String, String)]) -> Query {
        let side = |relation: &str, of: &dyn Fn(&(String, String)) -> String, count: &str| {
            let keys = agreement.keys.iter().enumerate().map(|(i, pair)| format!("{} AS k{i}", quote(&of(pair))));
            let values = compared.iter().enumerate().map(|(i, pair)| format!("first({}) AS c{i}", quote(&of(pair))));
            let all: Vec<String> = keys.chain([format!("count(*) AS {}", quote(count))]).chain(values).collect();
            let by: Vec<String> = (0..agreement.keys.len()).map(|i| format!("k{i}")).collect();
            format!("(SELECT {} FROM {} GROUP BY {})", all.join(", "), quote(relation), by.join(", "))
        };
        let here = side(table, &|(h, _)| h.clone(), "#h");
        let there = side(&agreement.table, &|(_, t)| t.clone(), "#t");
        let same: Vec<String> = (0..agreement.keys.len()).map(|i| format!("h.k{i} IS NOT DISTINCT FROM t.k{i}")).collect();
        let keys = (0..agreement.keys.len()).map(|i| format!("coalesce(h.k{i}, t.k{i}) AS k{i}"));
        let values =
            (0..compared.len()).map(|i| format!("h.c{i} AS h{i}, t.c{i} AS t{i}, h.c{i} IS DISTINCT FROM t.c{i} AS d{i}"));
        let all: Vec<String> = keys.chain(["\"#h\"".to_string(), "\"#t\"".to_string()]).chain(values).collect();
        let met = format!("(SELECT {} FROM {here} AS h FULL JOIN {there} AS t ON {})", all.join(", "), same.join(" AND "));
        Query { met, columns: compared.len() }
    }

    /// The condition that a value is another one.
    fn differs(&self) -> String {
        let parts: Vec<String> = (0..self.columns).map(|i| format!("d{i}")).collect();
        if parts.is_empty() { "FALSE".to_string() } else { format!("({})", parts.join(" OR ")) }
    }

    fn failing(&self) -> String {
        format!("(\"#h\" IS NULL OR \"#t\" IS NULL OR \"#h\" > 1 OR \"#t\" > 1 OR {})", self.differs())
    }

    /// Shows one key: where it is missing, or which values differ.
    fn sample(&self, row: &[Option<String>], agreement: &Agreement, compared: &[(String, String)]) -> Sample {
        let width = agreement.keys.len();
        let key: Vec<(String, Option<String>)> =
            agreement.keys.iter().map(|(here, _)| here.clone()).zip(row.iter().take(width).cloned()).collect();
        let times = |i: usize| number(row.get(width + i));
        let mut shown = vec![];
        let place = match (times(0), times(1)) {
            (_, 0) => "only here".to_string(),
            (0, _) => format!("only in {}", agreement.table),
            (h, t) if h > 1 || t > 1 => format!("{h} times here, {t} times in {}", agreement.table),
            _ => {
                for (i, (here, there)) in compared.iter().enumerate() {
                    let value = |part: usize| row.get(width + 2 + 3 * i + part).cloned().flatten();
                    // Equal numbers may be written in two ways, so the engine is asked.
                    if value(2).as_deref() == Some("true") {
                        shown.push((here.clone(), value(0)));
                        shown.push((format!("{}.{there}", agreement.table), value(1)));
                    }
                }
                "differs".to_string()
            }
        };
        let value = key.iter().map(|(_, v)| v.clone().unwrap_or("NULL".to_string())).collect::<Vec<_>>().join(", ");
        Sample { value: Some(value), row: shown, origin: Some(place), key, ..Sample::default() }
    }
}
