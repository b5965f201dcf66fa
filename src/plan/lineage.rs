//! Where columns come from and what they feed.
//!
//! In: a plan. Out: for each column the fields of sources that its values are made of; for a field or column, the columns of later
//! tables that are made of the same fields. Does not look at rows.

use std::collections::BTreeSet;

use petgraph::visit::Dfs;
use serde::Serialize;

use super::Plan;
use crate::diagnostics::closest;

/// One column and its relatives, each as `relation.name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnLineage {
    pub column: String,
    pub comes_from: Vec<String>,
    pub feeds: Vec<String>,
}

/// Describes one column, or the columns of all tables.
///
/// Errors: there is no such column; with what is close to it, if anything is.
pub fn trace(plan: &Plan, wanted: Option<&str>) -> Result<Vec<ColumnLineage>, Option<String>> {
    let all = columns(plan);
    let chosen: Vec<&Made> = match wanted {
        Some(wanted) => all.iter().filter(|column| column.name() == wanted).collect(),
        None => all.iter().filter(|column| plan.tables.iter().any(|t| t.name.value == column.relation)).collect(),
    };
    match wanted.filter(|_| chosen.is_empty()) {
        Some(wanted) => {
            let names: Vec<String> = all.iter().map(Made::name).collect();
            // Of a bare name, the column of that name is meant.
            let named = all.iter().rev().find(|c| c.column == wanted).map(Made::name);
            Err(named.or_else(|| closest(wanted, names.iter().map(String::as_str)).map(String::from)))
        }
        None => Ok(chosen.into_iter().map(|column| one(plan, column, &all)).collect()),
    }
}

/// A column of an extract or a table, and the fields of sources that it is made of.
struct Made<'a> {
    relation: &'a str,
    column: &'a str,
    fields: BTreeSet<String>,
}

impl Made<'_> {
    fn name(&self) -> String {
        format!("{}.{}", self.relation, self.column)
    }
}

/// Every column of extracts and tables.
fn columns(plan: &Plan) -> Vec<Made<'_>> {
    let mut found = vec![];
    for extract in &plan.extracts {
        let relation = extract.extract.request.name.as_str();
        found.extend(extract.columns().iter().map(|(column, _)| Made {
            relation,
            column,
            fields: [format!("{relation}.{column}")].into(),
        }));
    }
    for table in &plan.tables {
        for column in &table.columns {
            let fields = column.lineage.iter().map(|l| format!("{}.{}", l.source, l.path)).collect();
            found.push(Made { relation: &table.name.value, column: &column.name, fields });
        }
    }
    found
}

fn one(plan: &Plan, column: &Made, all: &[Made]) -> ColumnLineage {
    let own = column.name();
    let mut later = BTreeSet::new();
    if let Some(node) = plan.graph.node_indices().find(|n| plan.graph[*n] == column.relation) {
        let mut walk = Dfs::new(&plan.graph, node);
        while let Some(next) = walk.next(&plan.graph) {
            later.insert(plan.graph[next].as_str());
        }
    }
    // A field of a document feeds what is made of its parts as well.
    let related = |field: &String| column.fields.iter().any(|f| field == f || field.starts_with(&format!("{f}.")));
    let fed = all.iter().filter(|c| c.relation != column.relation && later.contains(c.relation) && c.fields.iter().any(related));
    let feeds = fed.map(Made::name).collect();
    ColumnLineage { comes_from: column.fields.iter().filter(|f| **f != own).cloned().collect(), column: own, feeds }
}
