//! Judges what concerns a table as a whole, once every table is staged: sums, agreement with another relation, freshness.
//!
//! In: the plan and what was counted so far. Out: a [`Finding`] per check that does not hold to the letter, and the checks that could not
//! be judged, so that none of them passes in silence.

use super::{Facts, agreement, fresh, totals};
use crate::check::{Measure, RowCount, Tolerance};
use crate::engine::session::Session;
use crate::error::Error;
use crate::plan::{Plan, TablePlan};
use crate::report::{Sample, Unjudged};

/// What a check of a whole table found.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    /// How many things are wrong: one for a sum, keys for an agreement.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// What was found, as a sentence without its end.
    pub text: String,
    /// Whether the author accepts as much.
    pub tolerated: bool,
    pub samples: Vec<Sample>,
}

/// Judges all such checks.
pub fn judge(plan: &Plan, session: &Session, facts: &mut Facts) -> Result<(), Error> {
    for table in plan.tables.iter().filter(|t| !t.checks.is_empty()) {
        let name = &table.name.value;
        if facts.blocked.contains(name) {
            let why = "its rows were not made, since a join before them does not hold".to_string();
            facts.unjudged.push(Unjudged { table: name.clone(), what: "(every check)".to_string(), why });
            continue;
        }
        for (i, check) in table.checks.iter().enumerate() {
            if let Some(why) = other(&check.measure).and_then(|to| missing(plan, to, facts)) {
                let what = format!("{} {}", check.declared.check.rule(), check.declared.check.allowed());
                facts.unjudged.push(Unjudged { table: name.clone(), what, why });
                facts.skipped.insert((name.clone(), i));
                continue;
            }
            let rows = facts.tables.get(name).map_or(0, |known| known.rows);
            let tolerance = &check.declared.tolerance;
            let found = match &check.measure {
                Measure::Total { column, table: to, other } => {
                    totals::judge(plan, table, column, (to, other), tolerance, session)?
                }
                Measure::Fresh { column, seconds } => fresh::judge(table, column, *seconds, rows, session)?,
                Measure::Agreement(_) if sampled(plan) => {
                    let why = "both sides are samples (`--limit`)".to_string();
                    let what = format!("agrees_with {}", check.declared.check.allowed());
                    facts.unjudged.push(Unjudged { table: name.clone(), what, why });
                    None
                }
                Measure::Agreement(agreement) => agreement::judge(plan, table, agreement, tolerance, session)?,
                Measure::Row(_) | Measure::Unique(_) | Measure::References { .. } | Measure::Count(_) => None,
            };
            if let (Some(found), Some(known)) = (found, facts.tables.get_mut(name)) {
                known.findings.insert(i, found);
            }
        }
    }
    Ok(())
}

/// The other relation whose rows a check needs.
fn other(measure: &Measure) -> Option<&String> {
    match measure {
        Measure::Total { table, .. } | Measure::Count(RowCount::SameAs(table)) => Some(table),
        Measure::Agreement(agreement) => Some(&agreement.table),
        Measure::Row(_) | Measure::Unique(_) | Measure::References { .. } | Measure::Count(_) | Measure::Fresh { .. } => None,
    }
}

/// Says why a relation has no rows to compare with.
fn missing(plan: &Plan, name: &str, facts: &Facts) -> Option<String> {
    if facts.blocked.contains(name) {
        return Some(format!("the rows of `{name}` were not made, since a join before them does not hold"));
    }
    let made = facts.sources.contains_key(name) || facts.tables.contains_key(name);
    (!made || plan.table(name).is_none() && !facts.sources.contains_key(name))
        .then(|| format!("`{name}` is not part of this run (`--select`)"))
}

fn sampled(plan: &Plan) -> bool {
    plan.extracts.iter().any(|e| e.extract.request.limit.is_some())
}

/// The columns of a relation with their types, as the engine has them.
pub fn columns<'a>(plan: &'a Plan, name: &str) -> Vec<(&'a str, &'a crate::types::DataType)> {
    let of = |table: &'a TablePlan| table.columns.iter().map(|c| (c.name.as_str(), &c.data_type)).collect();
    let extract = || plan.extracts.iter().find(|e| e.extract.request.name == name);
    match plan.table(name) {
        Some(table) => of(table),
        None => extract().map(|e| e.columns().iter().map(|(n, t)| (n.as_str(), t)).collect()).unwrap_or_default(),
    }
}

/// Tells whether so many failures of so many are accepted.
pub fn accepted(tolerance: &Tolerance, count: u64, of: u64) -> bool {
    count <= tolerance.rows_of(of)
}
