//! Decides how the rows of each staged table come to lie in their order, if they must.
//!
//! In: a plan. Out: an [`Order`] per table. Rows that reach a target, a file or an author's own query lie in the order of their origin, the
//! same in every run; what only other tables read need not, since whatever depends on an order of rows says so in its own query.
//! Does not know how rows are sorted.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Plan, TablePlan};
use crate::relation::JoinKind;
use crate::stage::Change;

/// How a table's rows come to lie in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// They come in it, or nobody minds.
    AsTheyCome,
    /// They are sorted while they are staged.
    Sorted,
    /// They come in pieces, each in the order of this column, since the engine's threads share the left rows of a join: see [`super::pieces`].
    Pieces(String),
}

/// Decides for all tables.
pub fn decide(plan: &Plan) -> BTreeMap<&str, Order> {
    let mut orders = BTreeMap::new();
    let mut scattered: BTreeSet<&str> = BTreeSet::new();
    let queried: BTreeSet<&str> = plan.tables.iter().flat_map(queried).collect();
    for table in &plan.tables {
        let name = table.name.value.as_str();
        let in_order = table.ordered && !table.relation.reads().iter().any(|read| scattered.contains(read));
        let leaves = !table.loads.is_empty() || !table.files.is_empty() || queried.contains(name);
        let order = match table.order().as_slice() {
            _ if in_order || !leaves => Order::AsTheyCome,
            [by] if joined(table) => Order::Pieces(by.clone()),
            _ => Order::Sorted,
        };
        if !in_order && !leaves {
            scattered.insert(name);
        }
        orders.insert(name, order);
    }
    orders
}

/// The tables that a table reads with a query of the author's own.
fn queried(table: &TablePlan) -> impl Iterator<Item = &str> {
    table.steps.iter().flat_map(|step| match &step.change {
        Change::Query { reads, .. } => reads.iter().map(String::as_str).collect(),
        _ => vec![],
    })
}

/// Whether a table's rows are those of a join's left side.
fn joined(table: &TablePlan) -> bool {
    let last = table.steps.iter().rev().find(|s| super::judge::changes(&s.change));
    last.is_some_and(|s| matches!(&s.change, Change::Join(join) if join.kind != JoinKind::Full))
}
