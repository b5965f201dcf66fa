//! Rows that go straight into their tables, without a temporary one in between.
//!
//! That gives the same rows where every table of the script is empty, a unique index watches over the key, and nothing listens to what
//! comes in: no triggers, rules or policies. Only the server can tell, so the script asks it, by `psql`'s own `\gset` and `\if`. Such rows are
//! known by the transaction that wrote them: that is counted here, and is all that `rollback.sql` needs.
//! Sources: PostgreSQL 15 manual, psql (`\gset`, `\if`), section 5.5 (system columns).
//! In: plans. Out: the question, and the steps in both of its branches. Does not know how rows are merged where the answer is no.

use super::{guard, relation, stage, staging, text, undo};
use crate::emit::load::{Load, Step};
use crate::emit::merge::Plan;
use crate::emit::rows::RowFormat;
use crate::emit::script;

/// The variable of `psql` that holds the answer.
const ANSWER: &str = "pipe_straight";

/// Whether a script can ask: it is for `psql`, no tables wait for each other, and keys hold no NULL that an index would let pass.
pub fn possible(load: &Load) -> bool {
    let simple = |plan: &Plan| !plan.table.in_cycle && plan.key.iter().all(|k| !k.nulls);
    load.script.format == RowFormat::Copy && !load.plans.is_empty() && load.plans.iter().all(simple)
}

/// The steps that load rows straight into their tables if these are empty, and else by way of temporary ones.
pub fn or_by_stages(load: &Load) -> Vec<Step> {
    let plans = &load.plans;
    let mut steps: Vec<Step> = load.kept.iter().flat_map(|kept| load.dialect.keep(kept, plans)).collect();
    steps.push(Step::new("Rows go straight into tables that are empty, unless something there listens to them.", ask(plans)));
    let staging: String = plans.iter().map(|plan| staging::create(plan.table)).collect();
    steps.push(Step::Plain(format!("\n\\if :{ANSWER}\n\\else\n{staging}\\endif\n")));
    for (at, plan) in plans.iter().enumerate() {
        let copy = staging::copy_into(&format!(":{}", into(plan)), plan.table);
        steps.push(Step::new(&format!("Rows of {}", plan.table.shown()), copy));
        steps.extend([Step::Rows(at), Step::Plain(staging::COPIED.to_string())]);
    }
    steps.push(Step::Plain(format!("\\if :{ANSWER}\n")));
    steps.push(Step::new("What went straight in was written by this transaction.", counted(plans)));
    steps.extend(load.kept.iter().map(|kept| Step::new("That is how rollback.sql knows it.", undo::written(kept, plans))));
    steps.push(Step::Plain("\n\\else\n".to_string()));
    let staged = plans.iter().map(|plan| staging::analyze(plan.table) + &guard::all_staged(plan.table)).collect();
    steps.push(Step::new("All rows are here.", staged));
    steps.extend(script::guarded(load));
    steps.extend(script::merged(load));
    steps.push(Step::Plain("\n\\endif\n".to_string()));
    steps
}

/// Asks whether rows may go straight in, and notes where each COPY leads.
fn ask(plans: &[Plan]) -> String {
    let wanted: Vec<String> = plans
        .iter()
        .map(|plan| {
            let key: Vec<String> = plan.key.iter().map(|k| text::literal(k.name)).collect();
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
fn into(plan: &Plan) -> String {
    format!("pipe_into_{}", plan.table.number)
}

/// Counts what went straight in; views stand in the place of temporary tables for the steps that follow.
fn counted(plans: &[Plan]) -> String {
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
    format!("\n\\if :{ANSWER}\nDROP VIEW {};\n\\endif\n", views.join(", "))
}
