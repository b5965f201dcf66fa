//! `on_failure: quarantine`: rows that break a rule leave the flow, with their reasons and with the rows that refer to them.
//!
//! In: a staged and judged table. Out: the same table without those rows, and a CSV file of them below `quarantine/`.

use std::path::Path;
use std::sync::Mutex;

use super::judge::{self, TableFacts};
use super::session::{Session, number, quote, quote_path, quote_text};
use super::staging::count;
use super::{Facts, lock, references};
use crate::check::Measure;
use crate::diagnostics::Severity;
use crate::error::Error;
use crate::expr::Expr;
use crate::plan::{Plan, TablePlan};
use crate::report::Quarantined;
use crate::source::Staging;
use crate::stage::PlannedCheck;

/// What left a table.
#[derive(Debug, Default)]
pub struct Separated {
    pub rows: u64,
}

/// The column of the quarantine file that says why a row is there.
const REASONS: &str = "_reasons";

/// The tables of this pipeline that must be judged before a table, since its rows leave with those they refer to: parents that put rows
/// into quarantine, themselves or with their own parents; and every parent of a table that has a quarantine of its own.
pub fn parents<'a>(plan: &'a Plan, table: &TablePlan) -> Vec<&'a TablePlan> {
    parents_besides(plan, table, &mut vec![table.name.value.clone()])
}

/// Does so without coming back to tables that were seen: references may form a cycle.
fn parents_besides<'a>(plan: &'a Plan, table: &TablePlan, seen: &mut Vec<String>) -> Vec<&'a TablePlan> {
    let mut found: Vec<&TablePlan> = vec![];
    for check in &table.checks {
        if let Measure::References { table: to, .. } = &check.measure
            && let Some(parent) = references::parent(plan, to, &check.declared).and_then(|p| p.as_table())
            && !seen.contains(&parent.name.value)
        {
            let before = seen.len();
            seen.push(parent.name.value.clone());
            let leaves = table.quarantine || parent.quarantine || !parents_besides(plan, parent, seen).is_empty();
            seen.truncate(before);
            if leaves && !found.iter().any(|p| p.name.value == parent.name.value) {
                found.push(parent);
            }
        }
    }
    found
}

/// The extracts that a table with a quarantine refers to.
pub fn extracts<'a>(plan: &'a Plan, table: &TablePlan) -> Vec<&'a str> {
    let refers = table.checks.iter().filter(|_| table.quarantine).filter_map(|check| match &check.measure {
        Measure::References { table: to, .. } => references::parent(plan, to, &check.declared),
        _ => None,
    });
    refers.filter(|p| p.as_table().is_none()).map(|p| p.name()).collect()
}

/// Moves the rows that break a rule, or refer to a row that left, out of a staged table.
pub fn separate(
    plan: &Plan,
    table: &TablePlan,
    known: &TableFacts,
    session: &Session,
    facts: &Mutex<Facts>,
) -> Result<Separated, Error> {
    let mut reasons = vec![];
    for (i, check) in table.checks.iter().enumerate() {
        let parents_left = match &check.measure {
            Measure::References { table: to, .. } => references::parent(plan, to, &check.declared)
                .is_some_and(|p| lock(facts).tables.get(p.name()).is_some_and(|f| f.quarantined.rows > 0)),
            _ => false,
        };
        // References are not counted yet: their parents are judged at last here.
        let broken = known.failures.contains_key(&i) || parent_is_made(plan, table, check, facts);
        let own = table.quarantine && check.declared.severity == Severity::Error && broken;
        if !own && !parents_left {
            continue;
        }
        let what = format!("{} {}", check.declared.check.rule(), check.declared.check.columns().join(", "));
        let condition = match &check.measure {
            Measure::Row(_) => match check.bit {
                Some((word, bit)) => format!("{} & {} <> 0", quote(&format!("#bad{word}")), 1_u64 << bit),
                None => continue,
            },
            Measure::Unique(key) => {
                let parts = key.parts.iter().map(judge::print).collect::<Result<Vec<_>, _>>()?.join(", ");
                let takes_part = judge::takes_part(key)?;
                // A row outside a partial index repeats nothing.
                format!("{takes_part} AND count(*) FILTER (WHERE {takes_part}) OVER (PARTITION BY {parts}) > 1")
            }
            Measure::References { columns, table: to, references, compared } => {
                match references::parent(plan, to, &check.declared) {
                    Some(parent) => leaves(own, columns, compared, &parent, references)?,
                    None => continue,
                }
            }
            Measure::Count(_) | Measure::Total { .. } | Measure::Fresh { .. } | Measure::Agreement(_) => continue,
        };
        reasons.push(format!("CASE WHEN {condition} THEN {} END", quote_text(&what)));
    }
    if reasons.is_empty() {
        return Ok(Separated::default());
    }
    let name = quote(&table.name.value);
    let (judged, left) = (quote(&format!("{}#judged", table.name.value)), quote(&left_table(table)));
    let why = format!("concat_ws('; ', {})", reasons.join(", "));
    let order = table.order().iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
    let reasons = quote(REASONS);
    session
        .execute(&format!("CREATE TABLE {judged} AS SELECT child.*, {why} AS {reasons} FROM {name} AS child ORDER BY {order}"))?;
    session.execute(&format!("CREATE TABLE {left} AS SELECT * FROM {judged} WHERE {reasons} <> ''"))?;
    session.execute(&format!("DROP TABLE {name}"))?;
    session.execute(&format!("CREATE TABLE {name} AS SELECT * EXCLUDE ({reasons}) FROM {judged} WHERE {reasons} = ''"))?;
    session.execute(&format!("DROP TABLE {judged}"))?;
    follow(plan, table, (&name, &left), session)?;
    Ok(Separated { rows: count(session, &left_table(table))? })
}

/// The condition that a row leaves with what it refers to, over the alias `child`: with a quarantine of its own (`own`) since it refers to
/// nothing, else only if it referred to a row that left. What was wrong before is an error there.
fn leaves(
    own: bool,
    columns: &[String],
    compared: &[Option<Expr>],
    parent: &references::Parent,
    references: &[String],
) -> Result<String, Error> {
    let there = parent.referenced(references);
    let orphan = references::orphan(columns, compared, Some(parent), &there, None)?;
    if own {
        return Ok(orphan);
    }
    let same = references::same(columns, compared, "gone", &there)?;
    let gone = quote(&left_of(parent.name()));
    Ok(format!("{orphan} AND EXISTS (SELECT 1 FROM {gone} AS gone WHERE {same})"))
}

/// Tells whether a reference can be looked up by now.
fn parent_is_made(plan: &Plan, table: &TablePlan, check: &PlannedCheck, facts: &Mutex<Facts>) -> bool {
    let Measure::References { table: to, .. } = &check.measure else { return false };
    references::parent(plan, to, &check.declared).is_some_and(|p| {
        let facts = lock(facts);
        p.name() == table.name.value || facts.sources.contains_key(p.name()) || facts.tables.contains_key(p.name())
    })
}

/// Moves the rows that refer to rows of the same table which left, until none does.
fn follow(plan: &Plan, table: &TablePlan, (name, left): (&str, &str), session: &Session) -> Result<(), Error> {
    loop {
        let before = count(session, &left_table(table))?;
        for check in table.checks.iter().filter(|c| c.declared.severity == Severity::Error) {
            if let Measure::References { columns, table: to, references, compared } = &check.measure
                && let Some(parent) = references::parent(plan, to, &check.declared).filter(|p| p.name() == table.name.value)
            {
                let orphan = leaves(table.quarantine, columns, compared, &parent, references)?;
                let what = format!("{} {}", check.declared.check.rule(), columns.join(", "));
                let (follower, reason) = (quote(&format!("{}#follower", table.name.value)), quote_text(&what));
                session.execute(&format!(
                    "CREATE TABLE {follower} AS SELECT child.*, {orphan} AS {follower} FROM {name} AS child"
                ))?;
                session.execute(&format!(
                    "INSERT INTO {left} SELECT * EXCLUDE ({follower}), {reason} FROM {follower} WHERE {follower}"
                ))?;
                session.execute(&format!("DROP TABLE {name}"))?;
                session.execute(&format!(
                    "CREATE TABLE {name} AS SELECT * EXCLUDE ({follower}) FROM {follower} WHERE NOT {follower}"
                ))?;
                session.execute(&format!("DROP TABLE {follower}"))?;
            }
        }
        if count(session, &left_table(table))? == before {
            return Ok(());
        }
    }
}

/// Writes the rows that left, one CSV file per table.
pub fn write(plan: &Plan, session: &Session, facts: &Facts, out: Option<&Path>) -> Result<Vec<Quarantined>, Error> {
    let mut found = vec![];
    for table in &plan.tables {
        let Some(known) = facts.tables.get(&table.name.value).filter(|k| k.quarantined.rows > 0) else {
            continue;
        };
        let left = quote(&left_table(table));
        let file = match out {
            Some(out) => write_rows(table, &left, &out.join("quarantine"), session)?,
            None => "nothing (a dry run)".to_string(),
        };
        let by_reason = format!("SELECT {r}, count(*) FROM {left} GROUP BY 1 ORDER BY 2 DESC, 1", r = quote(REASONS));
        let reasons = session.rows(&by_reason)?;
        found.push(Quarantined {
            table: table.name.value.clone(),
            rows: known.quarantined.rows,
            file,
            reasons: reasons.into_iter().map(|r| (r.first().cloned().flatten().unwrap_or_default(), number(r.get(1)))).collect(),
        });
    }
    Ok(found)
}

fn write_rows(table: &TablePlan, left: &str, folder: &Path, session: &Session) -> Result<String, Error> {
    std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, "cannot create", &e))?;
    let file = folder.join(format!("{}.csv", table.name.value.replace(['/', '\\'], "_")));
    let columns: Vec<String> = table.columns.iter().map(|c| shown(table, &c.name)).collect();
    let select = format!("SELECT {}, {} FROM {left}", columns.join(", "), quote(REASONS));
    session.execute(&format!("COPY ({select}) TO {} (FORMAT csv, HEADER true)", quote_path(&file)))?;
    Ok(file.display().to_string())
}

fn left_table(table: &TablePlan) -> String {
    left_of(&table.name.value)
}

fn left_of(table: &str) -> String {
    format!("{table}#quarantine")
}

/// A column as the quarantine file shows it: the value before the cast where the cast failed.
fn shown(table: &TablePlan, column: &str) -> String {
    let name = quote(column);
    let raw = format!("#raw.{column}");
    match table.kept_hidden().contains(&raw) {
        true => format!("CASE WHEN {name} IS NULL THEN {}::VARCHAR ELSE {name}::VARCHAR END AS {name}", quote(&raw)),
        false => name,
    }
}
