//! What a deployment would do, counted in the target without changing it.
//!
//! In: the same as for `deploy.sql`. Out: a script that loads the rows into temporary tables and gives one row per table: how many would be
//! inserted, updated, left alone and deleted, and how many stand in the way of an insertion. It ends in a ROLLBACK for whoever plays it: the only
//! trace would be temporary tables. Does not know how it is played.

use super::{guard, merge, relation, stage, staging, text};
use crate::emit::Mode;
use crate::emit::load::{Load, Step};
use crate::emit::merge::Plan;

/// The steps of the script.
pub fn steps(load: &Load) -> Vec<Step> {
    if load.plans.is_empty() {
        return vec![];
    }
    let mut steps =
        vec![Step::new("The target has every table and column that is loaded.", load.dialect.target_fits(&load.plans))];
    for (at, plan) in load.plans.iter().enumerate() {
        steps.extend(staging::rows(&format!("Rows of {}", plan.table.shown()), at, load));
    }
    let counted: Vec<String> = load.plans.iter().map(counts).collect();
    let query = format!(
        "SELECT \"table\", inserts, updates, unchanged, deletes, in_the_way FROM (\n{}\n) AS c ORDER BY number;\n",
        counted.join("\nUNION ALL\n")
    );
    steps.push(Step::new("What would change", query));
    steps
}

/// Counts what would happen to one table.
fn counts(plan: &Plan) -> String {
    let (table, staged) = (plan.table, stage(plan.table));
    let there = format!("FROM {staged} AS s JOIN {} AS t ON {}", relation(table), plan.same_row());
    let absent = format!(
        "(SELECT count(*) FROM {staged} AS s WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {}))",
        relation(table),
        plan.same_row()
    );
    let all = format!("(SELECT count(*) FROM {staged})");
    let none = || "0::bigint".to_string();
    let met = |condition: &str| format!("(SELECT count(*) {there}{condition})");
    // Of the rows that are there: those for which a condition of the merge holds, and the others.
    let split = |condition: Option<String>| match condition {
        Some(condition) => (met(&format!(" WHERE {condition}")), met(&format!(" WHERE ({condition}) IS NOT TRUE"))),
        None => (none(), met("")),
    };
    let (inserts, updates, unchanged, in_the_way) = match (&table.mode, plan.key.is_empty()) {
        (_, true) => (all, none(), none(), none()),
        (Mode::Insert, false) => (absent, none(), none(), met("")),
        (Mode::Append, false) => {
            let (differing, same) = split(guard::differ(plan));
            (absent, none(), same, differing)
        }
        (Mode::Upsert(_) | Mode::Replace { .. }, false) => {
            let (changed, same) = split(plan.changes().map(|(_, condition)| condition));
            (absent, changed, same, none())
        }
    };
    let deletes = match merge::deletion(plan) {
        Some(delete) => format!("(SELECT count(*) {})", delete.trim_start_matches("DELETE ")),
        None => none(),
    };
    format!(
        "SELECT {} AS number, {} AS \"table\", {inserts} AS inserts,\n  {updates} AS updates,\n  {unchanged} AS unchanged,\n  {deletes} AS deletes,\n  {in_the_way} AS in_the_way",
        table.number,
        text::literal(&table.shown())
    )
}
