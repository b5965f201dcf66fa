//! Finds the first rows that break each of a table's row checks: in two scans, however many checks are broken.
//!
//! In: a staged table and some of its checks. Out: for each the first rows, with the values as they were before their casts. The first scan, of
//! the staged rows, picks them by their place; only the second computes anew what is not kept. Does not know how samples are shown.

use std::collections::{BTreeMap, BTreeSet};

use super::judge;
use super::samples::SAMPLES;
use super::session::{Session, quote};
use crate::error::Error;
use crate::plan::TablePlan;
use crate::source::Staging;

/// How many checks are picked for in one scan: the engine's time to plan grows faster than their number.
const AT_ONCE: usize = 64;

/// How many rows are read, should many have the same place.
const MOST: usize = 100_000;

/// A row as text: the table's columns, the origin's, and the value that is wrong.
pub type Row = Vec<Option<String>>;

/// A row check that is broken: its index, word and bit.
type Bit = (usize, usize, u32);

/// Returns the first rows that break each of these checks.
pub fn first(table: &TablePlan, checks: &[usize], session: &Session) -> Result<BTreeMap<usize, Vec<Row>>, Error> {
    let bits: Vec<Bit> = checks.iter().filter_map(|c| table.checks[*c].bit.map(|(word, bit)| (*c, word, bit))).collect();
    if bits.is_empty() {
        return Ok(BTreeMap::new());
    }
    let picked = quote(&format!("#picked.{}", table.name.value));
    pick(table, &bits, &picked, session)?;
    let values: BTreeMap<usize, Option<String>> = bits.iter().map(|(c, ..)| (*c, value(table, *c))).collect();
    let extra: Vec<&String> = values.values().flatten().collect::<BTreeSet<_>>().into_iter().collect();
    let words: Vec<usize> = bits.iter().map(|(_, word, _)| *word).collect::<BTreeSet<_>>().into_iter().collect();
    let mut select: Vec<String> = table.columns.iter().map(|c| quote(&c.name)).collect();
    select.extend(table.origin.columns().iter().map(|c| quote(c)));
    let width = select.len();
    select.extend(extra.iter().map(|c| quote(c)));
    select.extend(words.iter().map(|w| quote(&format!("#bad{w}"))));
    let select: Vec<String> = select.iter().enumerate().map(|(i, column)| format!("rows.{column} AS s{i}")).collect();
    let order = order(table);
    let same: Vec<String> = order.iter().enumerate().map(|(i, c)| format!("rows.{c} IS NOT DISTINCT FROM picked.o{i}")).collect();
    let by: Vec<String> = order.iter().map(|c| format!("rows.{c}")).collect();
    let rows = judge::source(&table.relation)?;
    let sql = format!(
        "SELECT {} FROM (SELECT * FROM {rows}) AS rows SEMI JOIN {picked} AS picked ON {} ORDER BY {} LIMIT {MOST}",
        select.join(", "),
        same.join(" AND "),
        by.join(", ")
    );
    let mut found: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
    for row in session.rows(&sql)? {
        let (shown, more) = row.split_at(width.min(row.len()));
        let (extras, masks) = more.split_at(extra.len().min(more.len()));
        let is_set = |word: usize, bit: u32| {
            let mask = words.iter().position(|w| *w == word).and_then(|at| masks.get(at)?.as_ref()?.parse::<u64>().ok());
            mask.is_some_and(|mask| mask >> bit & 1 == 1)
        };
        for (check, word, bit) in &bits {
            let rows = found.entry(*check).or_default();
            if rows.len() < SAMPLES && is_set(*word, *bit) {
                let value = values.get(check).and_then(Option::as_ref);
                let value = value.and_then(|v| extra.iter().position(|e| *e == v)).and_then(|at| extras.get(at).cloned());
                rows.push(shown.iter().cloned().chain([value.flatten()]).collect());
            }
        }
    }
    session.execute(&format!("DROP TABLE {picked}"))?;
    Ok(found)
}

/// Makes the table `picked` of the places of the first rows that break each check.
fn pick(table: &TablePlan, bits: &[Bit], picked: &str, session: &Session) -> Result<(), Error> {
    let order = order(table);
    let place: Vec<String> = order.iter().enumerate().map(|(i, c)| format!("o{i} := {c}")).collect();
    let parts: Vec<String> = (0..order.len()).map(|i| format!("p.o{i} AS o{i}")).collect();
    for (i, some) in bits.chunks(AT_ONCE).enumerate() {
        let fails = |(_, word, bit): &Bit| format!("{} & {} <> 0", quote(&format!("#bad{word}")), 1_u64 << bit);
        let firsts: Vec<String> = some
            .iter()
            .map(|bit| format!("coalesce(min(struct_pack({}), {SAMPLES}) FILTER (WHERE {}), [])", place.join(", "), fails(bit)))
            .collect();
        let query = format!(
            "SELECT DISTINCT {} FROM (SELECT unnest(flatten([{}])) AS p FROM {})",
            parts.join(", "),
            firsts.join(", "),
            quote(&table.name.value)
        );
        session.execute(&match i {
            0 => format!("CREATE OR REPLACE TABLE {picked} AS {query}"),
            _ => format!("INSERT INTO {picked} {query}"),
        })?;
    }
    Ok(())
}

fn order(table: &TablePlan) -> Vec<String> {
    table.order().iter().map(|c| quote(c)).collect()
}

/// The column that shows the value that is wrong. What the source said comes first: a pinned column was cast before anything else.
fn value(table: &TablePlan, check: usize) -> Option<String> {
    let columns = table.checks[check].declared.check.columns();
    let written = columns.first().into_iter().flat_map(|c| [format!("#written.{c}"), format!("#raw.{c}")]);
    let raw = written.into_iter().find(|c| table.hidden.contains(c));
    raw.or(columns.first().cloned().filter(|_| columns.len() == 1))
}
