//! What a deployment would do, counted in the target without changing it.
//!
//! In: the same as for `deploy.sql`. Out: the steps of a script that loads the rows into tables of the session and gives one row per table: how
//! many would be inserted, updated, left alone and deleted, and how many stand in the way of an insertion. Whoever plays it takes its
//! transaction back; it writes to no table of the target. Does not know how it is played.

use super::load::{Load, Step};
use super::merge::Plan;
use super::{Literal, Mode};

/// The steps of the script.
pub fn steps(load: &Load) -> Vec<Step> {
    let dialect = load.dialect;
    if load.plans.is_empty() {
        return vec![];
    }
    let mut steps = vec![Step::new("The target has every table and column that is loaded.", dialect.target_fits(&load.plans))];
    for (at, plan) in load.plans.iter().enumerate() {
        steps.extend(dialect.staged(&format!("Rows of {}", plan.table.shown()), at, load));
    }
    let counted: Vec<String> = load.plans.iter().map(counts).collect();
    let query = format!(
        "SELECT {}, inserts, updates, unchanged, deletes, in_the_way FROM (\n{}\n) AS c ORDER BY number;\n",
        dialect.identifier("table"),
        counted.join("\nUNION ALL\n")
    );
    steps.push(Step::new("What would change", query));
    steps
}

/// Counts what would happen to one table.
fn counts(plan: &Plan) -> String {
    let (table, dialect) = (plan.table, plan.dialect);
    let (staged, target) = (dialect.stage(table), dialect.relation(table));
    let count = |what: &str| format!("(SELECT {} {what})", dialect.count());
    let all = || count(&format!("FROM {staged}"));
    let there = format!("FROM {staged} AS s INNER JOIN {target} AS t ON {}", plan.same_row());
    let absent =
        || count(&format!("FROM {staged} AS s WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {})", plan.same_row()));
    let none = || "CAST(0 AS bigint)".to_string();
    // Of the rows that are there: those for which a condition holds, and the others.
    let split = |condition: Option<String>| match condition {
        Some(condition) => {
            let met = |holds: u8| count(&format!("{there}\n  WHERE CASE WHEN {condition} THEN 1 ELSE 0 END = {holds}"));
            (met(1), met(0))
        }
        None => (none(), count(&there)),
    };
    let (inserts, updates, unchanged, in_the_way) = match (&table.mode, plan.key.is_empty()) {
        (_, true) => (all(), none(), none(), none()),
        (Mode::Insert, false) => (absent(), none(), none(), count(&there)),
        (Mode::Append, false) => {
            let (differing, same) = split(plan.differ(&plan.may_differ()));
            (absent(), none(), same, differing)
        }
        (Mode::Upsert(_) | Mode::Replace { .. }, false) => {
            let (changed, same) = split(plan.changes().map(|(_, condition)| condition));
            (absent(), changed, same, none())
        }
    };
    let deletes = plan.goes().map_or_else(none, |clause| count(&format!("FROM {target} AS t{clause}")));
    format!(
        "SELECT {} AS number, {} AS {}, {inserts} AS inserts,\n  {updates} AS updates,\n  {unchanged} AS unchanged,\n  \
         {deletes} AS deletes,\n  {in_the_way} AS in_the_way",
        table.number,
        dialect.constant(&Literal::Text(table.shown())),
        dialect.identifier("table")
    )
}
