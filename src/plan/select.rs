//! `--select table`: runs a part of a pipeline.
//!
//! `table` loads that table; `+table` also what it reads; `table+` also what reads it. What is not selected is computed where it is
//! needed, but not loaded.

use std::collections::BTreeSet;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};

use super::TablePlan;
use crate::diagnostics::Diagnostics;

/// The tables that the command line names; empty is all.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub patterns: Vec<String>,
}

impl Selection {
    /// Returns the first pattern that names no table, with what is close to it.
    pub fn unknown<'a>(&'a self, names: &[&'a str]) -> Option<(&'a str, Option<&'a str>)> {
        let bare = self.patterns.iter().map(|p| p.trim_matches('+'));
        bare.filter(|p| !names.contains(p)).map(|p| (p, crate::diagnostics::closest(p, names.iter().copied()))).next()
    }
}

/// Takes the loads away from tables that are not selected, and drops those that nobody needs.
pub fn apply(selection: &Selection, tables: &mut Vec<TablePlan>, graph: &DiGraph<String, ()>, _: &mut Diagnostics) {
    if selection.patterns.is_empty() {
        return;
    }
    let mut wanted: BTreeSet<NodeIndex> = BTreeSet::new();
    let mut needed: BTreeSet<NodeIndex> = BTreeSet::new();
    for pattern in &selection.patterns {
        let name = pattern.trim_matches('+');
        let Some(node) = graph.node_indices().find(|n| graph[*n] == name) else {
            continue;
        };
        wanted.insert(node);
        if pattern.starts_with('+') {
            wanted.extend(reachable(graph, node, Direction::Incoming));
        }
        if pattern.ends_with('+') {
            wanted.extend(reachable(graph, node, Direction::Outgoing));
        }
    }
    for node in &wanted {
        needed.extend(reachable(graph, *node, Direction::Incoming));
    }
    let holds = |set: &BTreeSet<NodeIndex>, name: &str| set.iter().any(|n| graph[*n] == name);
    tables.retain(|t| holds(&needed, &t.name.value));
    for table in tables.iter_mut().filter(|t| !holds(&wanted, &t.name.value)) {
        table.loads.clear();
        table.files.clear();
        table.views.clear();
        table.steps.retain(|s| s.clause != "load");
    }
}

/// Returns a node and everything before or behind it.
fn reachable(graph: &DiGraph<String, ()>, start: NodeIndex, direction: Direction) -> Vec<NodeIndex> {
    let mut found = vec![];
    match direction {
        Direction::Outgoing => {
            let mut walk = Dfs::new(graph, start);
            while let Some(node) = walk.next(graph) {
                found.push(node);
            }
        }
        Direction::Incoming => {
            let reversed = Reversed(graph);
            let mut walk = Dfs::new(reversed, start);
            while let Some(node) = walk.next(reversed) {
                found.push(node);
            }
        }
    }
    found
}
