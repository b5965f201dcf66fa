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
    let all: Vec<ColumnLineage> =
        columns(plan).into_iter().map(|(table, name, fields)| one(plan, &table, &name, &fields)).collect();
    let Some(wanted) = wanted else {
        return Ok(all
            .into_iter()
            .filter(|c| plan.tables.iter().any(|t| c.column.starts_with(&format!("{}.", t.name.value))))
            .collect());
    };
    let found: Vec<ColumnLineage> = all.iter().filter(|c| c.column == wanted).cloned().collect();
    if found.is_empty() {
        return Err(closest(wanted, all.iter().map(|c| c.column.as_str())).map(String::from));
    }
    Ok(found)
}

/// Every column of extracts and tables, with the fields of sources behind it.
fn columns(plan: &Plan) -> Vec<(String, String, BTreeSet<String>)> {
    let mut found = vec![];
    for extract in &plan.extracts {
        let name = &extract.extract.request.name;
        found.extend(extract.columns().iter().map(|(c, _)| (name.clone(), c.clone(), [format!("{name}.{c}")].into())));
    }
    for table in &plan.tables {
        for column in &table.columns {
            let field = |l: &crate::stage::Lineage| format!("{}.{}", l.source, l.path);
            found.push((table.name.value.clone(), column.name.clone(), column.lineage.iter().map(field).collect()));
        }
    }
    found
}

fn one(plan: &Plan, relation: &str, name: &str, fields: &BTreeSet<String>) -> ColumnLineage {
    let own = format!("{relation}.{name}");
    let mut later = vec![];
    if let Some(node) = plan.graph.node_indices().find(|n| plan.graph[*n] == relation) {
        let mut walk = Dfs::new(&plan.graph, node);
        while let Some(next) = walk.next(&plan.graph) {
            later.push(plan.graph[next].clone());
        }
    }
    // A field of a document feeds what is made of its parts as well.
    let related = |field: &String| fields.iter().any(|f| field == f || field.starts_with(&format!("{f}.")));
    let fed = columns(plan)
        .into_iter()
        .filter(|(table, _, made_of)| table != relation && later.contains(table) && made_of.iter().any(related));
    let feeds = fed.map(|(table, column, _)| format!("{table}.{column}")).collect();
    ColumnLineage { comes_from: fields.iter().filter(|f| **f != own).cloned().collect(), column: own, feeds }
}
