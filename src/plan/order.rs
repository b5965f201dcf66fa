//! The order of loads: a table after those that its foreign keys point to.

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::TablePlan;
use crate::diagnostics::Diagnostics;

/// Loads by table and place among its loads; an edge leads from a parent to its child, and says whether some key between them is checked at once.
type Loads = DiGraph<(usize, usize), bool>;

/// Returns the loads, parents first, and whether keys must be deferred to the end of the transaction.
///
/// Within a cycle only keys that the target checks at once decide the order. Reports a cycle of such keys: no order of inserts could satisfy it.
pub fn loads(tables: &[TablePlan], out: &mut Diagnostics) -> (Vec<(usize, usize)>, bool) {
    let mut graph = Loads::new();
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
                let before = graph.find_edge(parent, child).is_some_and(|e| graph[e]);
                graph.update_edge(parent, child, before || !key.deferrable);
            }
        }
    }
    let cycles: Vec<_> = tarjan_scc(&graph).into_iter().filter(|c| c.len() > 1).collect();
    graph.retain_edges(|graph, edge| {
        let within = |(from, to): (NodeIndex, NodeIndex)| cycles.iter().any(|c| c.contains(&from) && c.contains(&to));
        graph[edge] || !graph.edge_endpoints(edge).is_some_and(within)
    });
    let mut order = vec![];
    // Tarjan gives the components readers first.
    for component in tarjan_scc(&graph).into_iter().rev() {
        if let [first, _, ..] = component.as_slice() {
            let names: Vec<String> = component.iter().map(|n| format!("`{}`", load(graph[*n]).shown())).collect();
            out.error("E0430", load(graph[*first]).span, format!("foreign keys form a cycle: {}", names.join(", ")))
                .help("Make one of them DEFERRABLE in the database and in the contract, so that it is checked at the end.");
        }
        let mut members: Vec<_> = component.iter().map(|n| graph[*n]).collect();
        members.sort_unstable();
        order.extend(members);
    }
    stable(&mut order, &graph);
    (order, !cycles.is_empty())
}

/// Keeps the written order among loads that do not depend on each other.
fn stable(order: &mut Vec<(usize, usize)>, graph: &Loads) {
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
