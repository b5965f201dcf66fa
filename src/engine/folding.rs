//! Tells causes from consequences among repeated keys.
//!
//! Two records with one slug give two parents with one id, and children whose keys collide as well. Only the first is worth reading: a
//! group of equal keys whose rows descend from different records is a consequence where those very records already collide elsewhere,
//! nearer to the source. Does not know how violations are shown.

use std::collections::BTreeMap;

use super::Facts;
use super::judge;
use super::session::{Session, quote};
use crate::check::Measure;
use crate::error::Error;
use crate::plan::Plan;
use crate::relation::ROW;
use crate::source::Staging;

/// A check, by table and index.
type At = (usize, usize);

/// Which repeated keys follow from which.
#[derive(Debug, Default)]
pub struct Folded {
    /// Check, its cause, and the rows that follow.
    rows: BTreeMap<(At, At), u64>,
    /// The records of the groups that follow, by check.
    records: BTreeMap<At, Vec<String>>,
}

impl Folded {
    /// The number of rows of a check that follow from others.
    pub fn follows(&self, table: usize, check: usize) -> u64 {
        self.rows.iter().filter(|((at, _), _)| *at == (table, check)).map(|(_, n)| n).sum()
    }

    /// Lists checks with their cause and the rows that follow from it.
    pub fn consequences(&self) -> Vec<(At, At, u64)> {
        self.rows.iter().map(|((at, cause), n)| (*at, *cause, *n)).collect()
    }

    /// A condition that leaves the rows that are causes of their own.
    pub fn only_causes(&self, at: At, origin: &[String]) -> String {
        match self.records.get(&at) {
            Some(records) if !records.is_empty() && !origin.is_empty() => {
                // A row of another source has no number of this one.
                format!("({0} IS NULL OR {0} NOT IN ({1}))", quote(ROW), records.join(", "))
            }
            _ => "TRUE".to_string(),
        }
    }
}

/// Sorts the repeated keys of all tables into causes and consequences.
pub fn fold(plan: &Plan, session: &Session, facts: &Facts) -> Result<Folded, Error> {
    let mut failing: Vec<At> = vec![];
    for (t, table) in plan.tables.iter().enumerate() {
        let Some(known) = facts.tables.get(&table.name.value) else {
            continue;
        };
        let unique = |c: &usize| matches!(table.checks.get(*c).map(|k| &k.measure), Some(Measure::Unique(_)));
        failing.extend(known.failures.keys().filter(|c| unique(c)).map(|c| (t, *c)));
    }
    // Nearest to the source first: fewer lists unnested, then keys that are a source's own fields, then as written.
    failing.sort_by_key(|at| {
        let table = &plan.tables[at.0];
        let columns = table.checks[at.1].declared.check.columns();
        let made = columns.iter().any(|c| !table.columns.iter().any(|own| own.name == *c && own.direct));
        (table.origin.lists.len(), made, *at)
    });
    let mut folded = Folded::default();
    // The group of colliding records that a record belongs to, with the check that found it.
    let mut causes: BTreeMap<(String, String), (At, usize)> = BTreeMap::new();
    let mut groups = 0;
    for at in failing {
        let table = &plan.tables[at.0];
        let (Some(source), Measure::Unique(key)) = (table.origin.source.clone(), &table.checks[at.1].measure) else {
            continue;
        };
        let parts = key.parts.iter().map(judge::print).collect::<Result<Vec<_>, _>>()?.join(", ");
        let sql = format!(
            "SELECT list_aggregate(list_sort(list(DISTINCT {row})), 'string_agg', ','), count(*) FROM {} WHERE {} \
             GROUP BY {parts} HAVING count(*) > 1 ORDER BY min({row})",
            quote(&table.name.value),
            judge::takes_part(key)?,
            row = quote(ROW),
        );
        for group in session.rows(&sql)? {
            let rows = super::session::number(group.get(1));
            let Some(records) = group.into_iter().next().flatten() else {
                continue;
            };
            let records: Vec<String> = records.split(',').map(String::from).collect();
            let known: Vec<_> = records.iter().map(|r| causes.get(&(source.clone(), r.clone())).copied()).collect();
            match known.first().copied().flatten() {
                Some((cause, group))
                    if records.len() > 1 && cause != at && known.iter().all(|k| k.map(|(_, g)| g) == Some(group)) =>
                {
                    *folded.rows.entry((at, cause)).or_insert(0) += rows;
                    folded.records.entry(at).or_default().extend(records);
                }
                _ => {
                    groups += 1;
                    for record in records {
                        causes.entry((source.clone(), record)).or_insert((at, groups));
                    }
                }
            }
        }
    }
    Ok(folded)
}
