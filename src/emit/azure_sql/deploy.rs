//! `deploy.sql`: one transaction that loads everything or nothing.
//!
//! In: tables and their formatted rows. Out: header, settings, guard, staging tables with the rows and their counts, deletions and merges
//! in load order, counts, commit. Does not know how the parts are phrased: see the modules it calls.

use std::io::{self, Write};

use super::batch::Batches;
use super::merge::Plan;
use super::undo::{self, Undo};
use super::{cycle, guard, like_target, stage, text};
use crate::emit::{Header, Mode, Parts, Script, Table};

/// Writes the script.
pub fn write(script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let tables: Vec<&Table> = script.tables.iter().map(|(table, _)| table).collect();
    out.write_all(header(script.header, &tables).as_bytes())?;
    out.write_all(b"--\n-- Run with: sqlcmd -b -f 65001 -i deploy.sql, or in Azure Data Studio or SSMS\n\n")?;
    let mut batches = Batches::begin(out)?;
    if tables.is_empty() {
        return batches.end("");
    }
    batches.batch("The target has every table and column that is loaded.", &guard::target_fits(&tables))?;
    for (i, table) in tables.iter().enumerate() {
        rows(i, table, parts, &mut batches)?;
    }
    let plans: Vec<Plan> = script.tables.iter().map(|(table, evidence)| Plan::new(table, evidence)).collect();
    for plan in plans.iter().filter(|p| p.table.mode == Mode::Insert) {
        batches
            .batch(&format!("What is only inserted into {} is not there yet.", plan.table.shown()), &guard::none_there(plan))?;
    }
    for plan in plans.iter().filter(|p| p.table.mode == Mode::Append && !p.key.is_empty()) {
        let title = format!("What is only appended to {} is either new or the same.", plan.table.shown());
        batches.batch(&title, &guard::none_differs(plan))?;
    }
    let undo = Undo::of(script);
    if let Some(undo) = &undo {
        undo::before(undo, &plans, &mut batches)?;
    }
    // Neighbours in a cycle go together.
    let groups: Vec<&[Plan]> = plans.chunk_by(|a, b| a.table.in_cycle && b.table.in_cycle).collect();
    batches.batch(
        "Foreign keys among tables that are loaded together are checked once all rows are there.",
        &cycle::suspend(&groups),
    )?;
    for plan in plans.iter().rev() {
        batches.batch(&format!("What the replacement of {} leaves out goes.", plan.table.shown()), &plan.delete())?;
    }
    for plan in &plans {
        batches.batch(&format!("Merge {}", plan.table.shown()), &plan.merge())?;
    }
    batches.batch("The foreign keys that waited are checked now.", &cycle::resume())?;
    for plan in plans.iter().filter(|p| !p.key.is_empty()) {
        batches.batch(&format!("Every row of {} is in the target, once.", plan.table.shown()), &guard::all_there(plan))?;
    }
    if let Some(undo) = &undo {
        undo::after(undo, &plans, &mut batches)?;
    }
    let stages: Vec<String> = tables.iter().map(|t| stage(t)).collect();
    batches.end(&format!("DROP TABLE {}, #pipe_cycle;\n", stages.join(", ")))
}

/// Loads the rows of a table into one of the session, and counts them.
pub fn rows(place: usize, table: &Table, parts: &mut dyn Parts, batches: &mut Batches) -> io::Result<()> {
    let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    batches.batch(&format!("Rows of {}", table.shown()), &like_target(&stage(table), table, &columns))?;
    parts.rows(place, batches.between())?;
    batches.batch(&format!("All rows of {} are here.", table.shown()), &guard::all_staged(table))
}

/// Says what the script is made of.
pub fn header(header: &Header, tables: &[&Table]) -> String {
    let mut text = text::comment(&format!("pipeline {}, by pipe {}", header.pipeline, header.tool_version));
    text += &text::comment(&format!("run      {}", header.run_id));
    text += &text::comment(&format!("target   {}", header.target));
    text += &text::comment(&format!("spec     sha256 {}", header.spec_hash));
    for (name, hash) in &header.sources {
        text += &text::comment(&format!("source   {name}, sha256 {hash}"));
    }
    for table in tables {
        let mode = table.mode.word();
        let rows = if table.rows == 1 { "row" } else { "rows" };
        text += &text::comment(&format!("table    {}: {mode}, {} {rows}", table.shown(), table.rows));
    }
    text
}
