//! The order of loads: a table after those that its foreign keys point to.

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use super::TablePlan;
use crate::diagnostics::Diagnostics;

/// Returns the loads, parents first, and whether a cycle must be deferred to the end of the transaction.
///
/// Reports a cycle of foreign keys that the target checks at once: no order of inserts could satisfy it.
pub fn loads(tables: &[TablePlan], out: &mut Diagnostics) -> (Vec<(usize, usize)>, bool) {
    let mut graph: DiGraph<(usize, usize), ()> = DiGraph::new();
    for (t, table) in tables.iter().enumerate() {
        for l in 0..table.loads.len() {
            graph.add_node((t, l));
        }
    }
    let load = |at: (usize, usize)| &tables[at.0].loads[at.1];
    for child in graph.node_indices() {
        let Some(contract) = &load(graph[child]).contract else {
            continue;
        };
        for key in &contract.foreign_keys {
            let parents: Vec<_> = graph.node_indices().filter(|p| *p != child && load(graph[*p]).table == key.table).collect();
            for parent in parents {
                graph.update_edge(parent, child, ());
            }
        }
    }
    let mut deferred = false;
    let mut order = vec![];
    // Tarjan gives the components readers first.
    for component in tarjan_scc(&graph).into_iter().rev() {
        if component.len() > 1 {
            deferred = true;
            let names: Vec<String> = component.iter().map(|n| format!("`{}`", load(graph[*n]).shown())).collect();
            let rigid = component.iter().find(|n| {
                let keys = load(graph[**n]).contract.as_ref().map(|c| c.foreign_keys.as_slice()).unwrap_or_default();
                keys.iter().any(|k| !k.deferrable && component.iter().any(|p| load(graph[*p]).table == k.table))
            });
            if let Some(rigid) = rigid {
                out.error("E0430", load(graph[*rigid]).span, format!("foreign keys form a cycle: {}", names.join(", ")))
                    .help("Make one of them DEFERRABLE in the database and in the contract, so that it is checked at the end.");
            }
        }
        let mut members: Vec<_> = component.iter().map(|n| graph[*n]).collect();
        members.sort_unstable();
        order.extend(members);
    }
    stable(&mut order, &graph);
    (order, deferred)
}

/// Keeps the written order among loads that do not depend on each other.
fn stable(order: &mut Vec<(usize, usize)>, graph: &DiGraph<(usize, usize), ()>) {
    let mut left = order.clone();
    left.sort_unstable();
    let rank: Vec<(usize, usize)> = std::mem::take(order);
    while !left.is_empty() {
        let ready = left.iter().position(|at| {
            let node = graph.node_indices().find(|n| graph[*n] == *at);
            node.is_some_and(|n| graph.neighbors_directed(n, petgraph::Incoming).all(|p| !left.contains(&graph[p])))
        });
        // Inside a cycle nothing is ready: take the order that the components gave.
        let next =
            ready.unwrap_or_else(|| left.iter().position(|l| rank.iter().find(|r| left.contains(r)) == Some(l)).unwrap_or(0));
        order.push(left.remove(next));
    }
}
