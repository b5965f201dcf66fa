//! Brings rows into the engine: sources, then each table as one statement.
//!
//! In: one extract or table of the plan. Out: its rows, staged, and the facts that judging them gave.

use std::collections::BTreeMap;
use std::sync::Mutex;

use petgraph::graph::DiGraph;

use super::carried::Stored;
use super::judge::{self, TableFacts};
use super::numbered::Numbered;
use super::order::Order;
use super::session::{Session, quote};
use super::{Facts, books, firsts, joins, pieces, quarantine};
use crate::error::Error;
use crate::expr::{Expr, OrderBy};
use crate::plan::{ExtractPlan, Plan, TablePlan};
use crate::relation::number_of;
use crate::source::Staging;
use crate::sql;
use crate::stage::Change;

/// Returns the plan's graph, with an edge more from each quarantining table to those whose rows refer to it: children leave with their
/// parents, so the parents must be judged first.
pub fn schedule(plan: &Plan) -> DiGraph<String, ()> {
    let mut graph = plan.graph.clone();
    for child in &plan.tables {
        let mut before: Vec<&str> = quarantine::parents(plan, child).iter().map(|p| p.name.value.as_str()).collect();
        before.extend(quarantine::extracts(plan, child));
        for parent in before {
            let find = |name: &str| graph.node_indices().find(|n| graph[*n] == name);
            if let (Some(from), Some(to)) = (find(parent), find(&child.name.value)) {
                let edge = graph.update_edge(from, to, ());
                if petgraph::algo::is_cyclic_directed(&graph) {
                    graph.remove_edge(edge);
                }
            }
        }
    }
    graph
}

/// Loads all rows of a source into its table, which exists and is empty.
pub fn load(plan: &ExtractPlan, session: &Session) -> Result<u64, Error> {
    let request = &plan.extract.request;
    plan.source.load(&request.staged(), session)?;
    count(session, &request.staged())
}

/// Stages one table and judges its rows.
pub fn stage(
    plan: &Plan,
    table: &TablePlan,
    order: &Order,
    session: &Session,
    facts: &Mutex<Facts>,
) -> Result<TableFacts, Error> {
    let mut joined = BTreeMap::new();
    let mut broken = vec![];
    let told = books::told(table);
    for (i, step) in table.steps.iter().enumerate() {
        if let Change::Join(join) = &step.change
            && !told.contains_key(&i)
        {
            let (books, wrong) = joins::judge(&table.name.value, join, session)?;
            joined.insert(i, books);
            broken.extend(wrong);
            if !broken.is_empty() {
                // A join that multiplies is not made, and what reads it is not either.
                return Ok(TableFacts { broken, ..TableFacts::default() });
            }
        }
    }
    if !table.staged {
        let query = sql::relation::query(&sql::duckdb::DuckDb, &table.relation).map_err(|u| Error::new("X0301", u.what))?;
        session.execute(&format!("CREATE OR REPLACE VIEW {} AS {query}", quote(&table.name.value)))?;
        return judge::measure(table, joined, session);
    }
    let name = quote(&table.name.value);
    let mut kept: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
    kept.extend(table.kept_hidden());
    kept.extend(told.values().map(|join| join.matched.clone()));
    let span = table.name.span;
    let stored = Stored { plan, facts };
    let mut carried = firsts::together(&table.relation, &stored, session)?;
    if *order == Order::Sorted {
        carried.relation = carried.relation.sort(table.order().iter().map(|c| ascending(Expr::column(c, span))).collect());
    }
    let separated = table.quarantine || !quarantine::parents(plan, table).is_empty();
    let numbered =
        if separated { Numbered::default() } else { Numbered::of(table, &carried, matches!(order, Order::Pieces(_)))? };
    let numbers = numbered.texts().into_keys().filter(|c| carried.columns.contains_key(c)).map(|c| number_of(&c));
    let named = kept.iter().cloned().chain(numbers).map(|c| (c.clone(), Expr::column(c, span))).collect();
    let query =
        sql::relation::query(&sql::duckdb::DuckDb, &carried.relation.project(named)).map_err(|u| Error::new("X0301", u.what))?;
    session.execute(&format!("DROP VIEW IF EXISTS {name}"))?;
    let numbered = numbered.create(&name, &kept, &query, session)?;
    let (books, broken) = books::count(table, &told, session)?;
    if !broken.is_empty() {
        return Ok(TableFacts { broken, ..TableFacts::default() });
    }
    joined.extend(books);
    let mut known = judge::measure(table, joined, session)?;
    if separated {
        known.quarantined = quarantine::separate(plan, table, &known, session, facts)?;
        known.rows -= known.quarantined.rows;
        if known.quarantined.rows > 0 && !table.quarantine {
            // What was wrong with rows that left, or only beside them, is wrong no more.
            known.failures = judge::measure(table, known.joins.clone(), session)?.failures;
        }
    }
    match order {
        Order::Pieces(by) => pieces::arrange(&table.name.value, by, &numbered, session)?,
        Order::AsTheyCome | Order::Sorted => pieces::leave(&table.name.value, &numbered, session)?,
    }
    known.numbered = numbered.texts();
    Ok(known)
}

/// Sorts by this expression from the smallest.
fn ascending(expr: Expr) -> OrderBy {
    OrderBy { expr, descending: false, nulls_first: None }
}

/// Counts the rows of a relation.
pub fn count(session: &Session, table: &str) -> Result<u64, Error> {
    session.number(&format!("SELECT count(*) FROM {}", quote(table)))
}
