//! What a deployment would do, counted in the target without changing it.
//!
//! In: the same as for `deploy.sql`. Out: a script that loads the rows into tables of the session and gives one row per table: how many would be
//! inserted, updated, left alone and deleted, and how many stand in the way of an insertion. Whoever plays it takes its transaction
//! back; it writes to no table of the target. Does not know how it is played.

use super::{AzureSql, relation, stage, text};
use crate::emit::load::{Load, Step};
use crate::emit::merge::Plan;
use crate::emit::{Dialect, Mode};

/// The steps of the script.
pub fn steps(load: &Load) -> Vec<Step> {
    if load.plans.is_empty() {
        return vec![];
    }
    let mut steps =
        vec![Step::new("The target has every table and column that is loaded.", load.dialect.target_fits(&load.plans))];
    for (at, plan) in load.plans.iter().enumerate() {
        steps.extend(AzureSql.staged(&format!("Rows of {}", plan.table.shown()), at, load));
    }
    let counted: Vec<String> = load.plans.iter().map(counts).collect();
    let query = format!(
        "SELECT [table], inserts, updates, unchanged, deletes, in_the_way FROM (\n{}\n) AS c ORDER BY number;\n",
        counted.join("\nUNION ALL\n")
    );
    steps.push(Step::new("What would change", query));
    steps
}

/// Counts what would happen to one table.
fn counts(plan: &Plan) -> String {
    let (table, staged, target) = (plan.table, stage(plan.table), relation(plan.table));
    let count = |what: &str| format!("(SELECT COUNT_BIG(*) {what})");
    let there = format!("FROM {staged} AS s INNER JOIN {target} AS t ON {}", plan.same_row());
    let absent =
        || count(&format!("FROM {staged} AS s WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {})", plan.same_row()));
    let none = || "0".to_string();
    // Of the rows that are there: those for which a condition of the merge holds, and the others.
    let split = |condition: Option<String>| match condition {
        Some(condition) => {
            let met = count(&format!("{there}\n  WHERE {condition}"));
            let rest = format!("{} - {met}", count(&there));
            (met, rest)
        }
        None => (none(), count(&there)),
    };
    let (inserts, updates, unchanged, in_the_way) = match (&table.mode, plan.key.is_empty()) {
        (_, true) => (count(&format!("FROM {staged}")), none(), none(), none()),
        (Mode::Insert, false) => (absent(), none(), none(), count(&there)),
        (Mode::Append, false) => {
            let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            let (differing, same) = split(plan.differ(&columns));
            (absent(), none(), same, differing)
        }
        (Mode::Upsert(_) | Mode::Replace { .. }, false) => {
            let (changed, same) = split(plan.changes().map(|(_, condition)| condition));
            (absent(), changed, same, none())
        }
    };
    let deletes = plan.goes().map_or_else(none, |clause| count(&format!("FROM {target} AS t{clause}")));
    format!(
        "SELECT {} AS number, {} AS [table], {inserts} AS inserts,\n  {updates} AS updates,\n  {unchanged} AS unchanged,\n  {deletes} AS deletes,\n  {in_the_way} AS in_the_way",
        table.number,
        text::literal(&table.shown())
    )
}
