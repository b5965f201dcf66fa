//! Judges a staged table: all its counts in two statements, whatever the number of rules.
//!
//! In: a staged table. Out: [`TableFacts`]. Row checks were already marked as bits while staging; here they are only counted.
//! Uniqueness is first counted by distinct 64-bit hashes, which is nearly free; only where these say that something repeats, rows are
//! grouped by the key itself.

use std::collections::BTreeMap;

use super::findings::Finding;
use super::joins::JoinFacts;
use super::session::{Session, number, quote};
use super::{Facts, books, references};
use crate::check::{Measure, UniqueKey};
use crate::error::Error;
use crate::expr::Expr;
use crate::plan::{Plan, TablePlan};
use crate::relation::Relation;
use crate::report::{Unjudged, Violation};
use crate::source::{Staging, Texts};
use crate::sql;
use crate::stage::{Change, unfilled};

/// What is known of a table's rows.
#[derive(Debug, Default)]
pub struct TableFacts {
    pub rows: u64,
    /// For each step that changes the number of rows: rows after it, and for an unnest the number of outer rows that have elements.
    pub steps: BTreeMap<usize, (u64, u64)>,
    /// Failing rows by check (index into the plan's checks), those that are zero left out.
    pub failures: BTreeMap<usize, u64>,
    /// Filled NULLs by column.
    pub fills: Vec<(String, u64)>,
    pub quarantined: super::quarantine::Separated,
    /// The books of joins, by step.
    pub joins: BTreeMap<usize, JoinFacts>,
    /// Declarations of joins that do not hold; the table was not made.
    pub broken: Vec<Violation>,
    /// The texts of the columns that are stored by numbers.
    pub numbered: Texts,
    /// What checks of the whole table found, by check.
    pub findings: BTreeMap<usize, Finding>,
}

/// Measures a table, of which these joins were counted already.
pub fn measure(table: &TablePlan, joins: BTreeMap<usize, JoinFacts>, session: &Session) -> Result<TableFacts, Error> {
    let name = quote(&table.name.value);
    let mut facts = TableFacts { joins, ..TableFacts::default() };
    let mut select = vec!["count(*)".to_string()];
    let mut uniques = vec![];
    for (i, check) in table.checks.iter().enumerate() {
        if let Measure::Unique(key) = &check.measure {
            if rises(&name, key, session)? {
                continue;
            }
            let parts = printed(&key.parts)?;
            let takes_part = takes_part(key)?;
            select.push(format!(
                "count(*) FILTER (WHERE {takes_part}) - count(DISTINCT hash({parts})) FILTER (WHERE {takes_part})"
            ));
            uniques.push((i, select.len() - 1));
        }
    }
    // Steps that change the number of rows: the last one left the rows that are staged, earlier ones are counted on their own.
    let changing: Vec<usize> = table.steps.iter().enumerate().filter(|(_, s)| changes(&s.change)).map(|(i, _)| i).collect();
    let mut tallies = vec![];
    let told = books::told(table);
    for step in &changing {
        // After a join that keeps all rows there are as many as in the end.
        let last = table.staged && Some(step) == changing.last() || told.contains_key(step);
        let known = |join| facts.joins.get(step).and_then(|counted| counted.rows_after(join));
        let (after, first) = match &table.steps[*step].change {
            Change::Join(join) if !last && let Some(rows) = known(join) => {
                facts.steps.insert(*step, (rows, 0));
                continue;
            }
            Change::Expand { after, position, .. } => (after, format!("count(*) FILTER (WHERE {} = 1)", quote(position))),
            Change::Join(join) => (&join.after, "min(0)".to_string()),
            Change::Drop { after, .. } | Change::Merge { after, .. } | Change::Query { after, .. } => {
                (after, "min(0)".to_string())
            }
            _ => continue,
        };
        if last {
            select.push(first);
            tallies.push((*step, "0".to_string(), select.len() - 1));
        } else {
            let source = source(after)?;
            select.push(format!("(SELECT {first} FROM {source})"));
            select.push(format!("(SELECT count(*) FROM {source})"));
            tallies.push((*step, "1".to_string(), select.len() - 2));
        }
    }
    let row = session.rows(&format!("SELECT {} FROM {name}", select.join(", ")))?.into_iter().next().unwrap_or_default();
    facts.rows = number(row.first());
    for (step, separate, at) in tallies {
        let after = if separate == "1" { number(row.get(at + 1)) } else { facts.rows };
        facts.steps.insert(step, (after, number(row.get(at))));
    }
    for (check, at) in uniques {
        if number(row.get(at)) > 0
            && let Measure::Unique(key) = &table.checks[check].measure
        {
            let repeated = repeated(&name, key, session)?;
            facts.failures.extend((repeated > 0).then_some((check, repeated)));
        }
    }
    bits(table, &name, session, &mut facts)?;
    Ok(facts)
}

/// Counts the bits of `#bad` and `#fill`.
fn bits(table: &TablePlan, name: &str, session: &Session, facts: &mut TableFacts) -> Result<(), Error> {
    let mut words: Vec<String> = (0..table.words).map(|w| quote(&format!("#bad{w}"))).collect();
    let fills = !table.fills.is_empty();
    words.extend(fills.then(|| quote("#fill")));
    if words.is_empty() {
        return Ok(());
    }
    let some: Vec<String> = words.iter().map(|w| format!("{w} <> 0")).collect();
    let list = words.join(", ");
    let rows = session.rows(&format!("SELECT {list}, count(*) FROM {name} WHERE {} GROUP BY {list}", some.join(" OR ")))?;
    let mut filled = vec![0_u64; table.fills.len()];
    for row in rows {
        let rows = number(row.last());
        for (i, check) in table.checks.iter().enumerate() {
            if check.bit.is_some_and(|(word, bit)| number(row.get(word)) >> bit & 1 == 1) {
                *facts.failures.entry(i).or_insert(0) += rows;
            }
        }
        if fills {
            let mask = number(row.get(table.words));
            for (i, total) in filled.iter_mut().enumerate() {
                *total += if mask >> i.min(62) & 1 == 1 { rows } else { 0 };
            }
        }
    }
    facts.fills = table.fills.iter().cloned().zip(filled).collect();
    Ok(())
}

/// Whether a step changes the number of rows.
pub fn changes(change: &Change) -> bool {
    matches!(change, Change::Expand { .. } | Change::Drop { .. } | Change::Join(_) | Change::Merge { .. } | Change::Query { .. })
}

/// The condition under which a row takes part in a unique key.
pub fn takes_part(key: &UniqueKey) -> Result<String, Error> {
    let mut conditions = vec![];
    if !key.nulls_equal {
        for part in &key.parts {
            conditions.push(format!("{} IS NOT NULL", print(part)?));
        }
    }
    if let Some(condition) = &key.only_where {
        conditions.push(format!("({}) IS TRUE", print(condition)?));
    }
    Ok(if conditions.is_empty() { "TRUE".to_string() } else { conditions.join(" AND ") })
}

/// Whether a key rises from row to row, as those of most sources do: then none occurs twice. The first that does not ends the look.
fn rises(name: &str, key: &UniqueKey, session: &Session) -> Result<bool, Error> {
    let ([part], None) = (key.parts.as_slice(), &key.only_where) else { return Ok(false) };
    let part = print(part)?;
    let sql =
        format!("SELECT 1 FROM (SELECT {part} IS NULL OR {part} <= lag({part}) OVER () AS back FROM {name}) WHERE back LIMIT 1");
    Ok(session.rows(&sql)?.is_empty())
}

/// Counts the rows whose key occurs more than once.
fn repeated(name: &str, key: &UniqueKey, session: &Session) -> Result<u64, Error> {
    let parts = printed(&key.parts)?;
    let sql = format!(
        "SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM {name} WHERE {} GROUP BY {parts} HAVING count(*) > 1)",
        takes_part(key)?
    );
    session.number(&sql)
}

/// Lists the constraints that cannot be judged before the load, with the reason.
pub fn unjudged(plan: &Plan, facts: &Facts) -> Vec<Unjudged> {
    let mut found = vec![];
    for table in &plan.tables {
        for (i, check) in table.checks.iter().enumerate() {
            let at = (table.name.value.clone(), i);
            if let Measure::References { columns, table: to, .. } = &check.measure
                && references::parent(plan, to, &check.declared).is_none()
                && !facts.live.contains_key(&at)
            {
                let what = format!("{} references {to}", columns.join(", "));
                let why = facts.unanswered.get(&at).cloned().unwrap_or_else(|| "its rows live in the target".to_string());
                found.push(Unjudged { table: at.0, what, why });
            }
        }
        for contract in table.loads.iter().filter_map(|l| l.contract.as_ref()) {
            let filled = |name: &str| table.columns.iter().any(|c| c.name == name);
            found.extend(unfilled::unjudged(contract, &filled).into_iter().map(|(what, _)| Unjudged {
                table: table.name.value.clone(),
                what,
                why: "the load does not write the column".to_string(),
            }));
            let doubts = plan.dialect.in_doubt(contract).into_iter();
            found.extend(doubts.map(|(what, why)| Unjudged { table: table.name.value.clone(), what, why }));
            found.extend(contract.unjudged.iter().map(|(text, _)| Unjudged {
                table: table.name.value.clone(),
                what: text.clone(),
                why: "the target's own expression".to_string(),
            }));
        }
    }
    found
}

/// Prints an expression for the engine.
pub fn print(expr: &Expr) -> Result<String, Error> {
    sql::expression(&sql::duckdb::DuckDb, expr).map_err(|u| Error::new("X0301", u.what))
}

/// Prints a relation for the engine, as what stands behind FROM.
pub fn source(relation: &Relation) -> Result<String, Error> {
    sql::relation::source(&sql::duckdb::DuckDb, relation).map_err(|u| Error::new("X0301", u.what))
}

fn printed(exprs: &[Expr]) -> Result<String, Error> {
    Ok(exprs.iter().map(print).collect::<Result<Vec<_>, _>>()?.join(", "))
}
