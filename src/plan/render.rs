//! The plan as people and tools read it: text, mermaid, dot and JSON.
//!
//! In: a [`Plan`]. Out: text. Does not run anything.

use serde_json::{Value, json};

use super::{Plan, TablePlan};
use crate::check::Measure;
use crate::sql;
use crate::stage::Change;

/// Stages, checks and SQL as plain text.
pub fn text(plan: &Plan) -> String {
    let mut out = format!("pipeline {} for {} ({})\n", plan.pipeline, plan.target.name.value, plan.dialect.name());
    for extract in &plan.extracts {
        let request = &extract.extract.request;
        out.push_str(&format!("\nextract {} ({})\n", request.name, extract.extract.kind.format()));
        for (name, data_type) in extract.source.columns() {
            out.push_str(&format!("  {name}: {data_type}\n"));
        }
    }
    for table in &plan.tables {
        out.push_str(&format!("\ntable {}{}\n", table.name.value, if table.staged { "" } else { " (a view)" }));
        for step in &table.steps {
            out.push_str(&format!("  {}.{:<10} {}\n", table.name.value, step.clause, effect(&step.change)));
        }
        for check in &table.checks {
            out.push_str(&format!("    {}\n", check_line(check)));
        }
        out.push_str(&format!("  sql: {}\n", query(table)));
    }
    out
}

/// A diagram for Markdown.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("flowchart LR\n");
    for node in plan.graph.node_indices() {
        let name = &plan.graph[node];
        let label = name.replace('"', "#quot;");
        let (open, close) = if plan.extracts.iter().any(|e| e.extract.request.name == *name) { ("[(", ")]") } else { ("[", "]") };
        out.push_str(&format!("  n{}{open}\"{label}\"{close}\n", node.index()));
    }
    for edge in plan.graph.edge_indices() {
        if let Some((from, to)) = plan.graph.edge_endpoints(edge) {
            out.push_str(&format!("  n{} --> n{}\n", from.index(), to.index()));
        }
    }
    out
}

/// A diagram for Graphviz.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph pipeline {\n  rankdir=LR;\n");
    for node in plan.graph.node_indices() {
        let label = plan.graph[node].replace('\\', "\\\\").replace('"', "\\\"");
        out.push_str(&format!("  n{} [label=\"{label}\"];\n", node.index()));
    }
    for edge in plan.graph.edge_indices() {
        if let Some((from, to)) = plan.graph.edge_endpoints(edge) {
            out.push_str(&format!("  n{} -> n{};\n", from.index(), to.index()));
        }
    }
    out + "}\n"
}

/// Everything, for tools.
pub fn json(plan: &Plan) -> Value {
    let columns = |columns: Vec<(String, String)>| {
        columns.into_iter().map(|(name, t)| json!({"name": name, "type": t})).collect::<Vec<_>>()
    };
    let extracts: Vec<Value> = plan
        .extracts
        .iter()
        .map(|e| {
            let list = e.source.columns().iter().map(|(n, t)| (n.clone(), t.to_string())).collect();
            json!({"name": e.extract.request.name, "format": e.extract.kind.format(), "columns": columns(list)})
        })
        .collect();
    let tables: Vec<Value> = plan
        .tables
        .iter()
        .map(|t| {
            let list = t.columns.iter().map(|c| (c.name.clone(), c.data_type.to_string())).collect();
            json!({
                "name": t.name.value,
                "reads": t.relation.reads(),
                "staged": t.staged,
                "columns": columns(list),
                "stages": t.steps.iter().map(|s| json!({"stage": format!("{}.{}", t.name.value, s.clause), "effect": effect(&s.change)})).collect::<Vec<_>>(),
                "checks": t.checks.iter().map(|c| json!({
                    "rule": c.declared.check.rule(), "columns": c.declared.check.columns(), "allowed": c.declared.check.allowed(),
                    "constraint": c.declared.name, "judged": judged(&c.measure)})).collect::<Vec<_>>(),
                "loads": t.loads.iter().map(|l| l.shown()).collect::<Vec<_>>(),
                "files": t.files.iter().map(|f| &f.path).collect::<Vec<_>>(),
                "sql": query(t),
            })
        })
        .collect();
    json!({"pipeline": plan.pipeline, "target": plan.target.name.value, "dialect": plan.dialect.name(), "extracts": extracts, "tables": tables})
}

fn effect(change: &Change) -> String {
    match change {
        Change::None => "rows out = rows in".to_string(),
        Change::Enter { from } => format!("reads {from}"),
        Change::Expand { list, .. } => format!("one row per element of {list}: counted"),
        Change::Drop { why, .. } => format!("drops rows ({why}): counted"),
        Change::Join(join) => {
            let held = match (&join.right_unique, join.expect.one_on_the_right()) {
                (Some(why), true) => format!("proven: {why}"),
                (None, true) => "counted".to_string(),
                (_, false) => "may repeat rows".to_string(),
            };
            format!("joins {} {}: {held}", join.to, join.expect.name())
        }
        Change::Merge { by, .. } => format!("one row per {by}: counted"),
        Change::Union { inputs } => format!("reads {}, one after the other", inputs.join(", ")),
        Change::Query { reads, .. } if reads.is_empty() => "a query of its own: counted".to_string(),
        Change::Query { reads, .. } => format!("a query over {}: counted", reads.join(", ")),
        Change::Fill => "fills NULLs: counted".to_string(),
        Change::Judge => "judges rows".to_string(),
        Change::Load { target } => format!("loads {target}"),
        Change::View { name } => format!("becomes view {name}"),
        Change::Write { file } => format!("writes {file}"),
    }
}

fn check_line(check: &crate::stage::PlannedCheck) -> String {
    let declared = &check.declared;
    let columns = declared.check.columns().join(", ");
    let name = declared.name.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
    format!("{} {columns}: {}{name}, {}", declared.check.rule(), declared.check.allowed(), judged(&check.measure))
}

fn judged(measure: &Measure) -> &'static str {
    match measure {
        Measure::Row(_) => "judged while staging",
        Measure::Unique(_) => "counted",
        Measure::References { .. } => "looked up",
        Measure::Total { .. } => "summed",
        Measure::Fresh { .. } => "compared with the clock",
        Measure::Agreement(_) => "compared row by row",
        Measure::Count(_) => "compared with the ledger",
    }
}

fn query(table: &TablePlan) -> String {
    sql::relation::query(&sql::duckdb::DuckDb, &table.relation).unwrap_or_else(|u| format!("-- {} cannot be said", u.what))
}
