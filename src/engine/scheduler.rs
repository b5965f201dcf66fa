//! Runs the nodes of a graph as soon as all they depend on is done, in parallel.
//!
//! In: a graph and the work of one node. Out: nothing, or the first error in the order of nodes. Does not know what a node is.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::error::Error;

/// Runs `work` once for every node, after all its predecessors.
///
/// After an error nothing new begins; what runs is waited for.
pub fn run<N: Sync>(graph: &DiGraph<N, ()>, work: &(dyn Fn(NodeIndex) -> Result<(), Error> + Sync)) -> Result<(), Error> {
    let waiting: Vec<AtomicUsize> =
        graph.node_indices().map(|n| AtomicUsize::new(graph.neighbors_directed(n, Direction::Incoming).count())).collect();
    let state = State { graph, work, waiting, failed: AtomicBool::new(false), errors: Mutex::default() };
    rayon::scope(|scope| {
        for node in graph.node_indices().filter(|n| graph.neighbors_directed(*n, Direction::Incoming).next().is_none()) {
            let state = &state;
            scope.spawn(move |scope| state.start(node, scope));
        }
    });
    let mut errors = state.errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    errors.sort_by_key(|(node, _)| *node);
    match errors.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// Returns how many nodes can at most run at once, taking each as soon as it may.
pub fn width<N>(graph: &DiGraph<N, ()>) -> usize {
    let mut level: Vec<usize> = vec![0; graph.node_count()];
    let mut widths: Vec<usize> = vec![];
    for node in petgraph::algo::toposort(graph, None).unwrap_or_default() {
        let before = graph.neighbors_directed(node, Direction::Incoming).filter_map(|n| level.get(n.index()));
        let own = before.map(|l| l + 1).max().unwrap_or(0);
        if let Some(level) = level.get_mut(node.index()) {
            *level = own;
        }
        widths.resize(widths.len().max(own + 1), 0);
        if let Some(width) = widths.get_mut(own) {
            *width += 1;
        }
    }
    widths.into_iter().max().unwrap_or(0)
}

struct State<'a, N> {
    graph: &'a DiGraph<N, ()>,
    work: &'a (dyn Fn(NodeIndex) -> Result<(), Error> + Sync),
    waiting: Vec<AtomicUsize>,
    failed: AtomicBool,
    errors: Mutex<Vec<(NodeIndex, Error)>>,
}

impl<N: Sync> State<'_, N> {
    fn start<'scope>(&'scope self, node: NodeIndex, scope: &rayon::Scope<'scope>) {
        if self.failed.load(Ordering::SeqCst) {
            return;
        }
        if let Err(error) = (self.work)(node) {
            self.failed.store(true, Ordering::SeqCst);
            self.errors.lock().unwrap_or_else(PoisonError::into_inner).push((node, error));
            return;
        }
        for next in self.graph.neighbors_directed(node, Direction::Outgoing) {
            if self.waiting[next.index()].fetch_sub(1, Ordering::SeqCst) == 1 {
                scope.spawn(move |scope| self.start(next, scope));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_runs_after_what_it_reads() {
        let mut graph = DiGraph::new();
        let nodes: Vec<NodeIndex> = (0..50).map(|i| graph.add_node(i)).collect();
        for i in 1..50_usize {
            graph.add_edge(nodes[i / 2], nodes[i], ());
            graph.update_edge(nodes[i - 1 - (i - 1) % 3], nodes[i], ());
        }
        let done = Mutex::new(vec![]);
        let result = run(&graph, &|node| {
            let mut done = done.lock().map_err(|_| Error::interrupted())?;
            for before in graph.neighbors_directed(node, Direction::Incoming) {
                assert!(done.contains(&before), "{node:?} ran before {before:?}");
            }
            done.push(node);
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(done.into_inner().map(|d| d.len()).ok(), Some(50));
    }

    #[test]
    fn the_width_is_that_of_the_widest_level() {
        let mut graph = DiGraph::new();
        let nodes: Vec<NodeIndex> = (0..6).map(|i| graph.add_node(i)).collect();
        for (from, to) in [(0, 1), (0, 2), (0, 3), (3, 4), (2, 5)] {
            graph.add_edge(nodes[from], nodes[to], ());
        }
        assert_eq!(width(&graph), 3);
    }

    #[test]
    fn nothing_begins_after_an_error() {
        let mut graph = DiGraph::new();
        let (a, b) = (graph.add_node("a"), graph.add_node("b"));
        graph.add_edge(a, b, ());
        let error = run(&graph, &|node| {
            if node == a { Err(Error::new("X0104", "no")) } else { panic!("b must not run") }
        });
        assert_eq!(error.err().map(|e| e.code), Some("X0104"));
    }
}
