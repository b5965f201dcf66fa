//! `deploy.sql`: one transaction that loads everything or nothing.
//!
//! In: tables and their formatted rows. Out: header, settings, guard, staging tables with the rows and their counts, merge in
//! load order, counts and constraints, commit. Does not know how the parts are phrased: see the modules it calls.

use std::io::{self, Write};

use super::merge::{self, Plan};
use super::undo::Undo;
use super::{guard, relation, sequence, stage, straight, text};
use crate::emit::rows::RowFormat;
use crate::emit::{Header, Mode, Parts, Script, Table};

/// Writes the script.
pub fn write(script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let tables: Vec<&Table> = script.tables.iter().map(|(table, _)| table).collect();
    let plans: Vec<Plan> = script.tables.iter().map(|(table, evidence)| Plan::new(table, evidence)).collect();
    out.write_all(header(script.header, &tables).as_bytes())?;
    out.write_all(b"--\n")?;
    out.write_all(run_with("deploy.sql", script.format).as_bytes())?;
    out.write_all(b"BEGIN;\n\n")?;
    out.write_all(SETTINGS.as_bytes())?;
    if tables.is_empty() {
        return out.write_all(b"\nCOMMIT;\n");
    }
    section(out, "The target has every table and column that is loaded.", &guard::target_fits(&tables))?;
    let undo = Undo::of(script);
    let straight = straight::possible(script, &plans);
    if straight {
        straight_or_staged(&plans, undo.as_ref(), parts, out)?;
    } else {
        for (i, table) in tables.iter().enumerate() {
            rows(script, i, parts, out)?;
            out.write_all(guard::all_staged(table).as_bytes())?;
        }
        out.write_all(guarded(&plans).as_bytes())?;
        if let Some(undo) = &undo {
            section(out, KEPT, &undo.begin(&plans))?;
        }
        out.write_all(merged(&plans, undo.as_ref()).as_bytes())?;
    }
    section(out, "Constraints that wait for the end of the transaction are checked now.", "SET CONSTRAINTS ALL IMMEDIATE;\n")?;
    let advance = sequence::advance(&tables);
    if !advance.is_empty() {
        section(out, "Sequences go on after the loaded numbers.", &advance)?;
    }
    if straight {
        write!(out, "\n\\if :{}\n{}\\endif\n", straight::ANSWER, straight::done(&plans))?;
    }
    if let Some(undo) = undo {
        section(out, "How the rows were left, for rollback.sql.", &undo.finish())?;
    }
    out.write_all(b"\nCOMMIT;\n")
}

const KEPT: &str = "Here stays what rollback.sql needs.";

/// Writes rows that go straight into their tables if these are empty, and else by way of temporary ones.
fn straight_or_staged(plans: &[Plan], undo: Option<&Undo>, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    if let Some(undo) = undo {
        section(out, KEPT, &undo.begin(plans))?;
    }
    section(out, "Rows go straight into tables that are empty, unless something there listens to them.", &straight::ask(plans))?;
    let staged: String = plans.iter().map(|plan| staging(plan.table)).collect();
    write!(out, "\n\\if :{}\n\\else\n{staged}\\endif\n", straight::ANSWER)?;
    for (i, plan) in plans.iter().enumerate() {
        section(out, &rows_of(plan.table), "")?;
        copied(plan.table, &format!(":{}", straight::into(plan)), i, parts, out)?;
    }
    write!(out, "\\if :{}\n", straight::ANSWER)?;
    section(out, "What went straight in was written by this transaction.", &straight::counted(plans))?;
    if let Some(undo) = undo {
        section(out, "That is how rollback.sql knows it.", &undo.written(plans))?;
    }
    let counted: String = plans.iter().map(|plan| analyze(plan.table) + &guard::all_staged(plan.table)).collect();
    out.write_all(b"\n\\else\n")?;
    section(out, "All rows are here.", &counted)?;
    out.write_all(guarded(plans).as_bytes())?;
    out.write_all(merged(plans, undo).as_bytes())?;
    out.write_all(b"\n\\endif\n")
}

/// Says how a script is run, and stops it at its first error.
pub fn run_with(script: &str, format: RowFormat) -> String {
    match format {
        RowFormat::Copy => {
            // A savepoint around each statement would change who is said to have written a row.
            format!("-- Run with: psql -f {script}\n\n\\set ON_ERROR_STOP on\n\\set ON_ERROR_ROLLBACK off\n\n")
        }
        RowFormat::Insert => {
            format!("-- Run with: psql -v ON_ERROR_STOP=1 -f {script}, or any tool that stops at an error\n\n")
        }
    }
}

/// Makes the staging table of a script's table and fills it.
pub fn rows(script: &Script, at: usize, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let Some((table, _)) = script.tables.get(at) else { return Ok(()) };
    section(out, &rows_of(table), &staging(table))?;
    if script.format == RowFormat::Copy {
        copied(table, &stage(table), at, parts, out)?;
    } else {
        parts.rows(at, out)?;
    }
    out.write_all(analyze(table).as_bytes())
}

fn rows_of(table: &Table) -> String {
    format!("Rows of {}", table.shown())
}

/// Writes a table's rows as they are copied.
fn copied(table: &Table, into: &str, at: usize, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let list = text::names("", table.columns.iter().map(|c| c.name.as_str()));
    writeln!(out, "COPY {into} ({list}) FROM stdin;")?;
    parts.rows(at, out)?;
    out.write_all(b"\\.\n\n")
}

/// Tells the planner of many rows.
fn analyze(table: &Table) -> String {
    if table.rows >= MANY { format!("ANALYZE {};\n", stage(table)) } else { String::new() }
}

/// From so many rows on the planner should know how many there are.
const MANY: u64 = 1_000;

/// What the script relies on, for its transaction only; the search path stays as it is.
pub const SETTINGS: &str = "SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 1;
";

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

pub fn section(out: &mut dyn Write, title: &str, sql: &str) -> io::Result<()> {
    write!(out, "\n{}{sql}", text::comment(title))
}

/// Creates the staging table with the target's own types, so that each value is read as the target would read it.
fn staging(table: &Table) -> String {
    let list = text::names("", table.columns.iter().map(|c| c.name.as_str()));
    format!("CREATE TEMP TABLE {} ON COMMIT DROP AS\nSELECT {list} FROM {} WITH NO DATA;\n", stage(table), relation(table))
}

/// Writes the parts that are not empty, each below its title.
fn steps(parts: Vec<(String, String)>) -> String {
    let written = |(title, sql): (String, String)| format!("\n{}{sql}", text::comment(&title));
    parts.into_iter().filter(|(_, sql)| !sql.is_empty()).map(written).collect()
}

/// Writes what must be so before anything changes.
fn guarded(plans: &[Plan]) -> String {
    let inserted = plans.iter().filter(|p| p.table.mode == Mode::Insert).map(guard::none_there).collect();
    let differing = plans.iter().filter(|p| p.table.mode == Mode::Append).map(guard::none_differs).collect();
    steps(vec![
        ("What is only inserted is not there yet.".to_string(), inserted),
        ("What is only appended is either new or the same.".to_string(), differing),
    ])
}

/// Writes deletions, merges and counts of all tables.
fn merged(plans: &[Plan], undo: Option<&Undo>) -> String {
    // Neighbours in a cycle go together.
    let groups: Vec<&[Plan]> = plans.chunk_by(|a, b| a.table.in_cycle && b.table.in_cycle).collect();
    let captured = undo.map_or(String::new(), |undo| undo.capture(plans));
    let deleted: String = groups.iter().rev().map(|group| merge::delete(group)).collect();
    let mut parts = vec![
        ("Rows that change or go are kept.".to_string(), captured),
        ("What a replacement leaves out goes, children first.".to_string(), deleted),
    ];
    for group in &groups {
        let names: Vec<String> = group.iter().map(|p| p.table.shown()).collect();
        parts.push((format!("Merge {}", names.join(", ")), merge::merge(group, undo)));
    }
    let counted: String = plans.iter().filter(|p| !p.key.is_empty()).map(guard::all_there).collect();
    parts.push(("Every row is in the target, once.".to_string(), counted));
    steps(parts)
}
