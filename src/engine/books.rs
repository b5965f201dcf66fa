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
use crate::relation::{JoinKind, ROW};
use crate::report::Violation;
use crate::source::Staging;
use crate::stage::{Change, Join};

/// How far apart marks may lie that are counted by bits: 16 MB for each thread.
const BITS: u64 = 1 << 27;

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
    let name = quote(&table.name.value);
    let mut select = vec!["count(*)".to_string()];
    let sides = told.values().map(|join| Sides::new(join)).collect::<Result<Vec<_>, _>>()?;
    for (join, sides) in told.values().zip(&sides) {
        let mark = quote(&join.matched);
        select.push(format!("count({mark}), min({mark}), max({mark}), (SELECT count(*) FROM {})", sides.right));
    }
    let counted = session.rows(&format!("SELECT {} FROM {name}", select.join(", ")))?.into_iter().next().unwrap_or_default();
    let rows = number(counted.first());
    let counted: Vec<[u64; 4]> =
        counted.get(1..).unwrap_or_default().chunks(4).map(|c| [0, 1, 2, 3].map(|i| number(c.get(i)))).collect();
    let ranges = told.values().zip(&counted).map(|(join, [_, least, most, _])| (quote(&join.matched), *least, *most));
    let met = different(&name, ranges, session)?;
    let row = quote(ROW);
    let mut books = BTreeMap::new();
    let mut broken = vec![];
    for (((step, join), sides), ([matched, _, _, right], met)) in told.iter().zip(&sides).zip(counted.iter().zip(met)) {
        let mut facts = JoinFacts { rows_in: rows, rows_out: rows, right: *right, ..JoinFacts::default() };
        facts.unmatched_left = rows.saturating_sub(*matched);
        facts.unmatched_right = right.saturating_sub(met);
        // Where a row's number tells the left row that it is of, the marks spare making the join once more.
        let mark = quote(&join.matched);
        let marked = || format!("(SELECT * FROM {} WHERE {row} IN (SELECT {row} FROM {name} WHERE {mark} IS NULL))", sides.left);
        let lost = if table.order() == [ROW] { marked() } else { sides.lost() };
        broken.extend(joins::without_partner(&table.name.value, join, (sides, &lost), &mut facts, session)?);
        books.insert(*step, facts);
    }
    // The marks have told what they know; a reader's own must not meet them.
    for join in told.values() {
        session.execute(&format!("ALTER TABLE {name} DROP COLUMN {}", quote(&join.matched)))?;
    }
    Ok((books, broken))
}

/// Counts the different values of marks that lie between two numbers. Where these are near, each value is noted as a bit, which takes less
/// time and room than a list of values.
fn different(table: &str, marks: impl Iterator<Item = (String, u64, u64)>, session: &Session) -> Result<Vec<u64>, Error> {
    let counts: Vec<String> = marks
        .map(|(mark, least, most)| match most.saturating_sub(least) <= BITS {
            true => format!("coalesce(bit_count(bitstring_agg({mark}, {least}, {most})), 0)"),
            false => format!("count(DISTINCT {mark})"),
        })
        .collect();
    let row = session.rows(&format!("SELECT {} FROM {table}", counts.join(", ")))?.into_iter().next().unwrap_or_default();
    Ok(counts.iter().enumerate().map(|(i, _)| number(row.get(i))).collect())
}
