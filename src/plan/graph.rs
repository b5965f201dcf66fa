//! The graph of relations: who reads whom, and in which order tables can be lowered.
//!
//! Reports unknown relations (with a did-you-mean), tables without a beginning, unknown clauses, and cycles with their whole chain.

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::diagnostics::{Diagnostics, Spanned};
use crate::spec::PipelineSpec;
use crate::spec::pipeline::TableSpec;
use crate::stage::{STAGES, keywords};

/// The clauses that a table can start with; the two others besides `from` may read several relations, or none.
const BEGINNINGS: &[&str] = &["from", "union", "sql"];

/// Returns the graph and the tables in an order that has each after those it reads.
pub fn order(spec: &PipelineSpec, out: &mut Diagnostics) -> Option<(DiGraph<String, ()>, Vec<usize>)> {
    let mut graph = DiGraph::new();
    let nodes: Vec<NodeIndex> = spec
        .extracts
        .iter()
        .map(|(n, _)| n)
        .chain(spec.tables.iter().map(|t| &t.name))
        .map(|n| graph.add_node(n.value.clone()))
        .collect();
    let first_table = spec.extracts.len();
    for (i, table) in spec.tables.iter().enumerate() {
        table.clauses.only(&format!("table `{}`", table.name.value), &keywords(), out);
        let reads = reads(table);
        if reads.is_empty() && !BEGINNINGS.iter().any(|b| table.clauses.get(b).is_some()) {
            out.error("E0209", table.name.span, format!("table `{}` has no `from`", table.name.value))
                .help("Say which extract or table its rows come from: `from: raw`.");
        }
        for read in reads {
            match graph.node_indices().find(|n| graph[*n] == read.value) {
                Some(from) => {
                    graph.update_edge(from, nodes[first_table + i], ());
                }
                None => {
                    let names: Vec<&str> = graph.node_weights().map(String::as_str).collect();
                    out.error("E0210", read.span, format!("there is no extract or table `{}`", read.value))
                        .suggest(&read.value, names.iter().copied());
                }
            }
        }
    }
    match toposort(&graph, None) {
        // A name that is unknown, or a table without `from`, leaves nothing that could be lowered.
        Ok(_) if out.has_errors() => None,
        Ok(order) => {
            let mut tables: Vec<usize> = order.iter().filter_map(|n| n.index().checked_sub(first_table)).collect();
            stable(&mut tables, &graph, first_table);
            Some((graph, tables))
        }
        Err(_) => {
            report_cycles(spec, &graph, first_table, out);
            None
        }
    }
}

/// The relations that a table's clauses read, as written.
pub fn reads(table: &TableSpec) -> Vec<Spanned<String>> {
    let bodies = STAGES.iter().filter_map(|s| table.clauses.get(s.keyword()).map(|body| s.reads(body)));
    bodies.flatten().collect()
}

/// Puts tables that do not depend on each other in the order they were written in, so that plans read as their files do.
fn stable(tables: &mut Vec<usize>, graph: &DiGraph<String, ()>, first: usize) {
    let mut left: Vec<usize> = std::mem::take(tables);
    left.sort_unstable();
    while !left.is_empty() {
        let ready = left.iter().position(|t| {
            let node = NodeIndex::new(first + t);
            graph.neighbors_directed(node, petgraph::Incoming).all(|read| !left.iter().any(|l| first + l == read.index()))
        });
        tables.push(left.remove(ready.unwrap_or(0)));
    }
}

fn report_cycles(spec: &PipelineSpec, graph: &DiGraph<String, ()>, first: usize, out: &mut Diagnostics) {
    for component in tarjan_scc(graph) {
        let alone = component.len() == 1 && !graph.contains_edge(component[0], component[0]);
        if alone {
            continue;
        }
        let start = component.iter().min().copied().unwrap_or_default();
        let mut chain = vec![start];
        let mut at = start;
        // Walk backwards along what is read, inside the component, until the start is met again.
        while let Some(read) = graph
            .neighbors_directed(at, petgraph::Incoming)
            .filter(|n| component.contains(n))
            .find(|n| *n == start || !chain.contains(n))
        {
            chain.push(read);
            if read == start {
                break;
            }
            at = read;
        }
        let names: Vec<String> = chain.iter().map(|n| format!("`{}`", graph[*n])).collect();
        let Some(table) = start.index().checked_sub(first).and_then(|i| spec.tables.get(i)) else {
            continue;
        };
        out.error("E0211", table.name.span, format!("tables read each other in a cycle: {}", names.join(" reads ")))
            .help("Take one of these steps away: a table can only read what is complete before it.");
    }
}
