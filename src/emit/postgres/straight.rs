//! Rows that go straight into their tables, without a temporary one in between.
//!
//! That gives the same rows where every table of the script is empty, a unique index watches over the key, and nothing listens to what
//! comes in: no triggers, rules or policies. Only the server can tell, so the script asks it, by `psql`'s own `\gset` and `\if`. Such rows are
//! known by the transaction that wrote them: that is counted here, and is all that `rollback.sql` needs.
//! In: plans. Out: the question, and what stands in the branch of a yes. Does not know how rows are merged where it is a no.

use super::merge::Plan;
use super::{guard, relation, stage, text};
use crate::emit::Script;
use crate::emit::rows::RowFormat;

/// The variable of `psql` that holds the answer.
pub const ANSWER: &str = "pipe_straight";

/// Whether a script can ask: it is for `psql`, no tables wait for each other, and keys hold no NULL that an index would let pass.
pub fn possible(script: &Script, plans: &[Plan]) -> bool {
    let simple = |plan: &Plan| !plan.table.in_cycle && plan.key.iter().all(|(_, _, nulls)| !nulls);
    script.format == RowFormat::Copy && !plans.is_empty() && plans.iter().all(simple)
}

/// Asks whether rows may go straight in, and notes where each COPY leads.
pub fn ask(plans: &[Plan]) -> String {
    let wanted: Vec<String> = plans
        .iter()
        .map(|plan| {
            let key: Vec<String> = plan.key_columns().map(text::literal).collect();
            format!(
                "      ({}, {}, ARRAY[{}]::text[], {})",
                plan.table.number,
                text::literal(&relation(plan.table)),
                key.join(", "),
                plan.goes().is_some()
            )
        })
        .collect();
    let into: Vec<String> = plans
        .iter()
        .map(|plan| {
            format!(
                ",\n  CASE WHEN s.straight THEN {} ELSE {} END AS {}",
                text::literal(&relation(plan.table)),
                text::literal(&stage(plan.table)),
                into(plan)
            )
        })
        .collect();
    text::block(include_str!("straight.sql").trim_end().replace("@wanted@", &wanted.join(",\n")).as_str())
        + &format!(
            "SELECT s.straight AS {ANSWER}{}\nFROM (SELECT current_setting('pipe.straight')::boolean AS straight) AS s\n\\gset\n",
            into.concat()
        )
}

/// The variable of `psql` that names where the rows of a table are copied to.
pub fn into(plan: &Plan) -> String {
    format!("pipe_into_{}", plan.table.number)
}

/// Counts what went straight in; views stand in the place of temporary tables for the steps that follow.
pub fn counted(plans: &[Plan]) -> String {
    let one = |plan: &Plan| {
        format!(
            "CREATE TEMP VIEW {} AS\nSELECT {} FROM {} AS t WHERE t.xmin = (SELECT pg_current_xact_id()::xid);\n{}",
            stage(plan.table),
            text::names("t.", plan.table.columns.iter().map(|c| c.name.as_str())),
            relation(plan.table),
            guard::all_staged(plan.table)
        )
    };
    plans.iter().map(one).collect()
}

/// Takes the views away.
pub fn done(plans: &[Plan]) -> String {
    let views: Vec<String> = plans.iter().map(|plan| stage(plan.table)).collect();
    format!("DROP VIEW {};\n", views.join(", "))
}
