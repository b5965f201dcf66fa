//! What a deployment would do, counted in the target without changing it.
//!
//! In: the same as for `deploy.sql`. Out: a script that loads the rows into temporary tables and gives one row per table: how many would be
//! inserted, updated, left alone and deleted, and how many stand in the way of an insertion. It ends in a ROLLBACK for whoever plays it: the only
//! trace would be temporary tables. Does not know how it is played.

use std::io::{self, Write};

use super::merge::Plan;
use super::{deploy, guard, relation, stage, text};
use crate::contract::Generated;
use crate::emit::rows::RowFormat;
use crate::emit::{Mode, Parts, Script, Table};

/// Writes the script.
pub fn write(script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let tables: Vec<&Table> = script.tables.iter().map(|(table, _)| table).collect();
    write!(out, "BEGIN;\n\n{}", deploy::SETTINGS)?;
    if tables.is_empty() {
        return out.write_all(b"\nCOMMIT;\n");
    }
    write!(out, "\n-- The target has every table and column that is loaded.\n{}", guard::target_fits(&tables))?;
    for (i, table) in tables.iter().enumerate() {
        write!(out, "\n{}{}", text::comment(&format!("Rows of {}", table.shown())), deploy::staging(table))?;
        if script.format == RowFormat::Copy {
            let list = text::names("", table.columns.iter().map(|c| c.name.as_str()));
            writeln!(out, "COPY {} ({list}) FROM stdin;", stage(table))?;
            parts.rows(i, out)?;
            out.write_all(b"\\.\n\n")?;
        } else {
            parts.rows(i, out)?;
        }
        writeln!(out, "ANALYZE {};", stage(table))?;
    }
    let counted: Vec<String> = script.tables.iter().map(|(table, evidence)| counts(&Plan::new(table, evidence))).collect();
    write!(
        out,
        "\n-- What would change\nSELECT \"table\", inserts, updates, unchanged, deletes, in_the_way FROM (\n{}\n) AS c ORDER BY number;\n\nCOMMIT;\n",
        counted.join("\nUNION ALL\n")
    )
}

/// Counts what would happen to one table.
fn counts(plan: &Plan) -> String {
    let (table, staged) = (plan.table, stage(plan.table));
    let columns: Vec<&str> = table
        .columns
        .iter()
        .filter(|c| c.generated != Generated::Always && !plan.key.iter().any(|(k, _, _)| *k == text::identifier(&c.name)))
        .map(|c| c.name.as_str())
        .collect();
    let differs = format!(
        "ROW({})::record OPERATOR(pg_catalog.*<>) ROW({})::record",
        text::names("t.", columns.iter().copied()),
        text::names("s.", columns.iter().copied())
    );
    let there = format!("FROM {staged} AS s JOIN {} AS t ON {}", relation(table), plan.same_row());
    let absent = format!(
        "(SELECT count(*) FROM {staged} AS s WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {}))",
        relation(table),
        plan.same_row()
    );
    let all = format!("(SELECT count(*) FROM {staged})");
    let none = || "0::bigint".to_string();
    let (inserts, updates, unchanged, in_the_way) = match (&table.mode, plan.key.is_empty()) {
        (_, true) => (all, none(), none(), none()),
        (Mode::Insert, false) => (absent, none(), none(), format!("(SELECT count(*) {there})")),
        (_, false) if columns.is_empty() => (absent, none(), format!("(SELECT count(*) {there})"), none()),
        (_, false) => (
            absent,
            format!("(SELECT count(*) {there} WHERE {differs})"),
            format!("(SELECT count(*) {there} WHERE NOT {differs})"),
            none(),
        ),
    };
    let deletes = match plan.delete() {
        Some(delete) => format!("(SELECT count(*) {})", delete.trim_start_matches("DELETE ")),
        None => none(),
    };
    format!(
        "SELECT {} AS number, {} AS \"table\", {inserts} AS inserts,\n  {updates} AS updates,\n  {unchanged} AS unchanged,\n  {deletes} AS deletes,\n  {in_the_way} AS in_the_way",
        table.number,
        text::literal(&table.shown())
    )
}
