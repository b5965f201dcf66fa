//! The statements that bring staged rows into their tables.
//!
//! In: plans of tables that depend on each other. Out: the DELETE, UPDATE and INSERT statements of their modes, as one statement. Rows that are
//! already as they should be are not touched.
//! Sources: PostgreSQL 15 manual, sections 7.8.4 (data-modifying statements in WITH) and 9.24.6 (composite type comparison).
//! Does not know about guards or the order of tables.

use super::{guard, relation, stage, text, undo};
use crate::emit::Mode;
use crate::emit::load::Kept;
use crate::emit::merge::Plan;

/// Deletes what a replacement leaves out.
fn deletion(plan: &Plan) -> Option<String> {
    Some(format!("DELETE FROM {} AS t{}", relation(plan.table), plan.goes()?))
}

/// Changes the rows that are there and differ.
fn update(plan: &Plan) -> Option<String> {
    let (given, condition) = plan.changes()?;
    let set: Vec<String> = given.iter().map(|(c, value)| format!("{} = {value}", text::identifier(c))).collect();
    Some(format!(
        "UPDATE {} AS t\nSET {}\nFROM {} AS s\nWHERE {}\n  AND {condition}",
        relation(plan.table),
        set.join(",\n    "),
        stage(plan.table),
        plan.same_row(),
    ))
}

/// Inserts the rows that are not there; `after` names the step that must come before.
fn insert(plan: &Plan, after: Option<&str>, keeps: bool) -> String {
    let columns = || plan.table.columns.iter().map(|c| c.name.as_str());
    let overriding = if plan.table.overriding_identity { "\nOVERRIDING SYSTEM VALUE" } else { "" };
    let mut insert = format!(
        "INSERT INTO {}{} ({}){overriding}\nSELECT {}\nFROM {} AS s",
        relation(plan.table),
        if keeps { " AS t" } else { "" },
        text::names("", columns()),
        text::names("s.", columns()),
        stage(plan.table)
    );
    if let Some(step) = after {
        insert += &format!("\nCROSS JOIN (SELECT count(*) FROM {step}) AS first");
    }
    if plan.table.mode != Mode::Insert && !plan.key.is_empty() {
        insert += &format!("\nWHERE NOT EXISTS (SELECT FROM {} AS t WHERE {})", relation(plan.table), plan.same_row());
    }
    if keeps {
        insert += &format!("\n{}", undo::returning(plan));
    }
    insert
}

/// Writes the deletions of tables that depend on each other, as one statement.
pub fn delete(plans: &[Plan]) -> String {
    one_statement(plans.iter().rev().filter_map(|p| Some((format!("pipe_delete_{}", p.table.number), deletion(p)?))).collect())
}

/// Writes updates and insertions of tables that depend on each other, as one statement: foreign keys are checked when it ends, so
/// that rows may refer to rows that it inserts. Updates come before insertions, so that a unique value may pass to a new row.
pub fn merge(plans: &[Plan], kept: Option<&Kept>) -> String {
    if let [plan] = plans
        && plan.key.is_empty()
    {
        let insert = insert(plan, None, kept.is_some());
        let insert = match kept {
            Some(kept) => format!("WITH pipe_insert AS (\n{insert}\n)\n{}", undo::keep(kept, plan, "pipe_insert")),
            None => insert,
        };
        let body = format!(
            "DECLARE\n  found bigint;\nBEGIN\n{insert};\n  GET DIAGNOSTICS found = ROW_COUNT;\n{}END",
            guard::expect(plan.table, plan.table.rows, "inserted rows")
        );
        return text::block(&body);
    }
    let mut updates = vec![];
    let mut inserts = vec![];
    let mut notes = vec![];
    for plan in plans {
        let number = plan.table.number;
        let (updated, inserted) = (format!("pipe_update_{number}"), format!("pipe_insert_{number}"));
        let update = update(plan);
        inserts.push((inserted.clone(), insert(plan, update.as_ref().map(|_| updated.as_str()), kept.is_some())));
        if let (Some(kept), Some(_)) = (kept, &update) {
            notes.push((format!("pipe_count_{number}"), undo::count(kept, plan, &updated)));
        }
        updates.extend(update.map(|sql| (updated, format!("{sql}\nRETURNING 1"))));
        // The last step is the statement: an insertion, never a count.
        notes.extend(kept.map(|kept| (format!("pipe_keep_{number}"), undo::keep(kept, plan, &inserted))));
    }
    updates.append(&mut inserts);
    updates.append(&mut notes);
    one_statement(updates)
}

/// Joins named steps: the last is the statement, those before it are its common table expressions.
fn one_statement(mut steps: Vec<(String, String)>) -> String {
    let Some((_, last)) = steps.pop() else { return String::new() };
    if steps.is_empty() {
        return format!("{last};\n");
    }
    let before: Vec<String> = steps.into_iter().map(|(name, sql)| format!("{name} AS (\n{sql}\n)")).collect();
    format!("WITH {}\n{last};\n", before.join(", "))
}
