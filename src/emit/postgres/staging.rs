//! Rows on their way into staging tables, or straight into their own.
//!
//! In: plans, by position. Out: steps that make the table, copy the rows, and tell the planner of them.
//! Does not know what becomes of staged rows.

use super::{relation, stage, text};
use crate::emit::Table;
use crate::emit::load::{Load, Step};
use crate::emit::rows::RowFormat;

/// From so many rows on the planner should know how many there are.
const MANY: u64 = 1_000;

/// The end of copied rows.
pub const COPIED: &str = "\\.\n\n";

/// Makes the staging table of a plan's table and fills it.
pub fn rows(title: &str, at: usize, load: &Load) -> Vec<Step> {
    let Some(plan) = load.plans.get(at) else { return vec![] };
    let (copy, copied) = match load.script.format {
        RowFormat::Copy => (copy_into(&stage(plan.table), plan.table), COPIED),
        RowFormat::Insert => (String::new(), ""),
    };
    vec![Step::new(title, create(plan.table) + &copy), Step::Rows(at), Step::Plain(copied.to_string() + &analyze(plan.table))]
}

/// Creates the staging table with the target's own types, so that each value is read as the target would read it.
pub fn create(table: &Table) -> String {
    format!(
        "CREATE TEMP TABLE {} ON COMMIT DROP AS\nSELECT {} FROM {} WITH NO DATA;\n",
        stage(table),
        columns(table),
        relation(table)
    )
}

/// Opens the copy of a table's rows.
pub fn copy_into(relation: &str, table: &Table) -> String {
    format!("COPY {relation} ({}) FROM stdin;\n", columns(table))
}

/// Tells the planner of many rows.
pub fn analyze(table: &Table) -> String {
    if table.rows >= MANY { format!("ANALYZE {};\n", stage(table)) } else { String::new() }
}

fn columns(table: &Table) -> String {
    text::names("", table.columns.iter().map(|c| c.name.as_str()))
}
