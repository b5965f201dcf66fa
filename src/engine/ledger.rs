//! The books: what every stage did to the number of rows, each difference with its cause.
//!
//! In: the plan and the facts. Out: one [`LedgerLine`] per stage.

use super::Facts;
use super::joins;
use super::judge::TableFacts;
use crate::plan::{Plan, TablePlan};
use crate::relation::JoinKind;
use crate::report::{LedgerLine, Proof};
use crate::stage::Change;

/// Writes the books of all stages, in the order of the plan.
pub fn lines(plan: &Plan, facts: &Facts) -> Vec<LedgerLine> {
    let mut lines = vec![];
    for extract in &plan.extracts {
        let name = &extract.extract.request.name;
        let rows = facts.sources.get(name).copied().unwrap_or(0);
        lines.push(line(format!("{name}.extract"), rows, rows));
    }
    for table in &plan.tables {
        if let Some(known) = facts.tables.get(&table.name.value).filter(|k| k.broken.is_empty()) {
            lines.extend(table_lines(table, known, facts));
        }
    }
    lines
}

/// Lists the joins that are held to their declaration by proof.
pub fn proofs(plan: &Plan, facts: &Facts) -> Vec<Proof> {
    let mut proofs = vec![];
    for table in &plan.tables {
        let Some(known) = facts.tables.get(&table.name.value).filter(|k| k.broken.is_empty()) else { continue };
        for (i, step) in table.steps.iter().enumerate() {
            let Change::Join(join) = &step.change else { continue };
            let stage = format!("{}.{}", table.name.value, step.clause);
            let keys = |right: bool| join.equal.iter().map(move |(l, r)| joins::shown(if right { r } else { l }));
            let mut add = |relation: &str, right: bool, why: &Option<String>| {
                let proof = |why: &String| Proof {
                    stage: stage.clone(),
                    relation: relation.to_string(),
                    key: keys(right).collect(),
                    why: why.clone(),
                };
                proofs.extend(why.as_ref().filter(|_| known.joins.contains_key(&i)).map(proof));
            };
            if join.expect.one_on_the_right() {
                add(&join.to, true, &join.right_unique);
            }
            if join.expect.one_on_the_left() {
                add(&table.name.value, false, &join.left_unique);
            }
        }
    }
    proofs
}

fn table_lines(table: &TablePlan, known: &TableFacts, facts: &Facts) -> Vec<LedgerLine> {
    let mut lines = vec![];
    let mut rows = 0;
    for (i, step) in table.steps.iter().enumerate() {
        let mut this = line(format!("{}.{}", table.name.value, step.clause), rows, rows);
        match &step.change {
            Change::Enter { from } => {
                rows = rows_of(from, facts);
                (this.rows_in, this.rows_out) = (rows, rows);
            }
            Change::Expand { list, keep_empty, .. } => {
                let (after, with_elements) = known.steps.get(&i).copied().unwrap_or((rows, rows));
                this.rows_out = after;
                let first = if *keep_empty { rows } else { with_elements.min(rows) };
                push(&mut this.added, after.saturating_sub(first), format!("further elements of {list}"));
                push(&mut this.removed, rows - first, format!("no element in {list}"));
                rows = after;
            }
            Change::Drop { why, .. } => {
                let (after, _) = known.steps.get(&i).copied().unwrap_or((rows, 0));
                this.rows_out = after;
                push(&mut this.removed, rows.saturating_sub(after), why.clone());
                rows = after;
            }
            Change::Join(join) => {
                let (after, _) = known.steps.get(&i).copied().unwrap_or((rows, 0));
                this.rows_out = after;
                if let Some(facts) = known.joins.get(&i) {
                    let lost = if join.kind == JoinKind::Inner { facts.unmatched_left } else { 0 };
                    let alone = if join.kind == JoinKind::Full { facts.unmatched_right } else { 0 };
                    push(&mut this.removed, lost, format!("no partner in {}", join.to));
                    push(&mut this.added, alone, format!("only in {}", join.to));
                    let more = (after + lost).saturating_sub(rows + alone);
                    push(&mut this.added, more, format!("further partners in {} ({})", join.to, join.expect.name()));
                    this.notes.extend(joins::notes(join, facts));
                }
                rows = after;
            }
            Change::Merge { by, .. } => {
                let (after, _) = known.steps.get(&i).copied().unwrap_or((rows, 0));
                this.rows_out = after;
                let why = if by.is_empty() { "merged into one group".to_string() } else { format!("merged into groups of {by}") };
                push(&mut this.removed, rows.saturating_sub(after), why);
                push(&mut this.added, after.saturating_sub(rows), "the one group, of no rows".to_string());
                rows = after;
            }
            Change::Union { inputs } => {
                (this.rows_in, rows) = (0, 0);
                for input in inputs {
                    push(&mut this.added, rows_of(input, facts), format!("rows of {input}"));
                    rows += rows_of(input, facts);
                }
                this.rows_out = rows;
            }
            Change::Query { .. } => {
                rows = known.steps.get(&i).map_or(known.rows, |(after, _)| *after);
                (this.rows_in, this.rows_out) = (0, rows);
                push(&mut this.added, rows, "rows of the query".to_string());
            }
            Change::View { name } => this.notes.push(format!("view {name}")),
            Change::Write { file } => this.notes.push(format!("written to {file}")),
            Change::Fill => {
                this.notes.extend(known.fills.iter().filter(|(_, n)| *n > 0).map(|(column, n)| format!("filled {column} {n}")));
            }
            Change::Judge => {
                let left = known.quarantined.rows;
                push(&mut this.removed, left, "quarantined".to_string());
                rows = rows.saturating_sub(left);
                this.rows_out = rows;
            }
            Change::None | Change::Load { .. } => {}
        }
        lines.push(this);
    }
    lines
}

fn rows_of(name: &str, facts: &Facts) -> u64 {
    facts.sources.get(name).copied().or(facts.tables.get(name).map(|t| t.rows)).unwrap_or(0)
}

fn line(stage: String, rows_in: u64, rows_out: u64) -> LedgerLine {
    LedgerLine { stage, rows_in, rows_out, added: vec![], removed: vec![], notes: vec![] }
}

fn push(parts: &mut Vec<(u64, String)>, rows: u64, why: String) {
    if rows > 0 {
        parts.push((rows, why));
    }
}
