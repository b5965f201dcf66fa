//! What a deployment would do, counted in the target without changing it.
//!
//! In: the same as for `deploy.sql`. Out: a script that loads the rows into tables of the session and gives one row per table: how many would be
//! inserted, updated, left alone and deleted, and how many stand in the way of an insertion. Whoever plays it takes its transaction
//! back; it writes to no table of the target. Does not know how it is played.

use std::io::{self, Write};

use super::batch::Batches;
use super::merge::Plan;
use super::{deploy, guard, relation, stage, text};
use crate::emit::{Mode, Parts, Script, Table};

/// Writes the script.
pub fn write(script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let tables: Vec<&Table> = script.tables.iter().map(|(table, _)| table).collect();
    out.write_all(deploy::header(script.header, &tables).as_bytes())?;
    let mut batches = Batches::begin(out)?;
    if tables.is_empty() {
        return batches.end("");
    }
    batches.batch("The target has every table and column that is loaded.", &guard::target_fits(&tables))?;
    for (i, table) in tables.iter().enumerate() {
        deploy::rows(i, table, parts, &mut batches)?;
    }
    let counted: Vec<String> = script.tables.iter().map(|(table, evidence)| counts(&Plan::new(table, evidence))).collect();
    let sql = format!(
        "SELECT [table], inserts, updates, unchanged, deletes, in_the_way FROM (\n{}\n) AS c ORDER BY number;\n",
        counted.join("\nUNION ALL\n")
    );
    batches.batch("What would change", &sql)?;
    batches.end("")
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
            let (differing, same) = split(Some(plan.differ()));
            (absent(), none(), same, differing)
        }
        (Mode::Upsert(_) | Mode::Replace { .. }, false) => {
            let (changed, same) = split(plan.changes().map(|(_, condition)| condition));
            (absent(), changed, same, none())
        }
    };
    let deletes = plan.goes().map_or_else(none, |condition| {
        let condition = if condition.is_empty() { condition } else { format!("\n  WHERE {condition}") };
        count(&format!("FROM {target} AS t{condition}"))
    });
    format!(
        "SELECT {} AS number, {} AS [table], {inserts} AS inserts,\n  {updates} AS updates,\n  {unchanged} AS unchanged,\n  {deletes} AS deletes,\n  {in_the_way} AS in_the_way",
        table.number,
        text::literal(&table.shown())
    )
}
