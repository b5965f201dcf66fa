//! Counts what joins did from the rows that they made.
//!
//! In: a staged table. Out: the books of those of its joins that its rows still tell about, which costs one look at two columns instead of
//! making each join twice more. Only joins that are proven not to multiply can be made first and counted then.
//! Does not know about joins that must be judged before they are made.

use std::collections::BTreeMap;

use super::joins::{self, JoinFacts, Sides};
use super::judge::changes;
use super::session::{Session, number, quote};
use crate::error::Error;
use crate::plan::TablePlan;
use crate::relation::JoinKind;
use crate::report::Violation;
use crate::source::Staging;
use crate::stage::{Change, Join};

/// Returns the joins, by step, that the staged rows tell about: each row of their left side is one row of the table.
pub fn told(table: &TablePlan) -> BTreeMap<usize, &Join> {
    let mut told = BTreeMap::new();
    if !table.staged {
        return told;
    }
    for (i, step) in table.steps.iter().enumerate().rev().filter(|(_, s)| changes(&s.change)) {
        match &step.change {
            Change::Join(join) if keeps_rows(join) && table.hidden.contains(&join.matched) => told.insert(i, join.as_ref()),
            _ => break,
        };
    }
    told
}

/// Whether each left row comes out once, by proof.
fn keeps_rows(join: &Join) -> bool {
    let once = join.right_unique.is_some();
    let held = !join.expect.one_on_the_left() || join.left_unique.is_some();
    join.kind == JoinKind::Left && !join.keys().is_empty() && once && held
}

/// Counts the joins of a table, whose rows stand in it with their marks, and judges what a join may only be judged by its outcome.
pub fn count(
    table: &TablePlan,
    told: &BTreeMap<usize, &Join>,
    session: &Session,
) -> Result<(BTreeMap<usize, JoinFacts>, Vec<Violation>), Error> {
    if told.is_empty() {
        return Ok((BTreeMap::new(), vec![]));
    }
    let mut select = vec!["count(*)".to_string()];
    let sides = told.values().map(|join| Sides::new(join)).collect::<Result<Vec<_>, _>>()?;
    for (join, sides) in told.values().zip(&sides) {
        let mark = quote(&join.matched);
        select.extend([
            format!("count({mark})"),
            format!("count(DISTINCT {mark})"),
            format!("(SELECT count(*) FROM {})", sides.right),
        ]);
    }
    let sql = format!("SELECT {} FROM {}", select.join(", "), quote(&table.name.value));
    let row = session.rows(&sql)?.into_iter().next().unwrap_or_default();
    let rows = number(row.first());
    // The marks have told what they know; a reader's own must not meet them.
    for join in told.values() {
        session.execute(&format!("ALTER TABLE {} DROP COLUMN {}", quote(&table.name.value), quote(&join.matched)))?;
    }
    let mut books = BTreeMap::new();
    let mut broken = vec![];
    for (at, ((step, join), sides)) in told.iter().zip(&sides).enumerate() {
        let counted = |i: usize| number(row.get(3 * at + i));
        let (matched, met, right) = (counted(1), counted(2), counted(3));
        let mut facts = JoinFacts { rows_in: rows, rows_out: rows, right, ..JoinFacts::default() };
        facts.unmatched_left = rows.saturating_sub(matched);
        facts.unmatched_right = right.saturating_sub(met);
        broken.extend(joins::without_partner(&table.name.value, join, sides, &mut facts, session)?);
        books.insert(*step, facts);
    }
    Ok((books, broken))
}
