//! Writes the views that tables become, and reports at its place what the target cannot say.
//!
//! In: lowered tables. Out: one statement per view. A join stands in a view only if its stages themselves make the right side's key
//! unique, or if the author declares that it repeats rows: what a run counts or checks, a view cannot.
//! Does not know how a view is written.

use std::collections::{BTreeMap, BTreeSet};

use super::{ExtractPlan, Inputs, TablePlan};
use crate::contract::Contract;
use crate::diagnostics::{Diagnostics, Spanned};
use crate::sql::view::{self, Input};
use crate::stage::{Change, ViewPlan, is_made_unique};
use crate::types::DataType;

/// A written view.
pub struct View {
    /// The table of the pipeline.
    pub table: String,
    /// The name in the target, as messages show it.
    pub name: String,
    /// The statement that creates it.
    pub sql: String,
}

/// Writes every view of the tables.
pub fn write(inputs: &Inputs, extracts: &[ExtractPlan], tables: &[TablePlan], out: &mut Diagnostics) -> Vec<View> {
    let mut written: Vec<View> = vec![];
    for table in tables {
        for plan in &table.views {
            written.extend(one(plan, table, inputs, extracts, tables, out));
        }
    }
    written
}

fn one(
    plan: &ViewPlan,
    table: &TablePlan,
    inputs: &Inputs,
    extracts: &[ExtractPlan],
    tables: &[TablePlan],
    out: &mut Diagnostics,
) -> Option<View> {
    let errors = out.errors();
    let dialect = view::find(inputs.dialect.name())?;
    let known: Vec<&str> =
        extracts.iter().map(|e| e.extract.request.name.as_str()).chain(tables.iter().map(|t| t.name.value.as_str())).collect();
    for (relation, _) in plan.over.iter().filter(|(relation, _)| !known.contains(&relation.value.as_str())) {
        out.error("E0463", relation.span, format!("there is no relation `{}` for the view to read", relation.value))
            .suggest(&relation.value, known.iter().copied())
            .help("`over` names extracts and tables of the pipeline, each with the target's table that holds its rows.");
    }
    let mut sources = BTreeMap::new();
    let mut reads = BTreeSet::new();
    collect(table, plan, tables, &mut reads);
    for read in &reads {
        // The records of an extract with pinned types have a name of their own in the engine, which no target knows.
        let extract = extracts.iter().find(|e| e.extract.request.name == *read || e.extract.request.staged() == *read);
        let name = extract.map_or(read, |e| &e.extract.request.name);
        let over = plan.over.iter().find(|(relation, _)| relation.value == *name).map(|(_, table)| table);
        let columns = match (extract, over, tables.iter().find(|t| t.name.value == *name)) {
            (Some(extract), ..) => extract.source.columns().to_vec(),
            (None, Some(_), Some(table)) => table.columns.iter().map(|c| (c.name.clone(), c.data_type.clone())).collect(),
            _ => continue,
        };
        let (schema, place) = place(name, over, plan);
        if place == plan.name && schema == plan.schema {
            out.error(
                "E0463",
                plan.span,
                format!("the view `{}` would read itself: `{name}` is the table of its name", plan.shown()),
            )
            .help(format!("Say which table holds the rows: `over: {{{name}: schema.table}}`."));
        }
        let pins = extract.map(|e| e.extract.request.pins.clone()).unwrap_or_default();
        let cast = !pins.is_empty();
        let pins = with_contract(pins, &columns, &schema, &place, inputs);
        sources.insert(read.clone(), Input { schema, table: place, columns, pins, cast });
    }
    let stages: Vec<&TablePlan> = tables
        .iter()
        .filter(|t| reads.contains(&t.name.value) && !sources.contains_key(&t.name.value) || t.name.value == table.name.value)
        .collect();
    for stage in &stages {
        judge(stage, plan, inputs, out);
    }
    if out.errors() > errors {
        return None;
    }
    let request = view::View {
        dialect,
        schema: plan.schema.as_deref(),
        name: &plan.name,
        span: plan.span,
        inputs: sources,
        tables: stages.iter().map(|t| (t.name.value.as_str(), &t.relation)).collect(),
        columns: table.columns.iter().map(|c| c.name.clone()).collect(),
    };
    match view::create(&request) {
        Ok(view) => {
            let whole = has_columns(&request, &view.takes, plan, inputs, out);
            whole.then(|| View { table: table.name.value.clone(), name: plan.shown(), sql: view.sql })
        }
        Err(refused) => {
            let message = format!("a view cannot say {} in {}", refused.what, inputs.dialect.name());
            out.error("E0460", refused.span, message)
                .label(plan.span, format!("for the view `{}`", plan.shown()))
                .help("Say it in other words, or load the rows: `load: {table: ...}` takes all that the engine can compute.");
            None
        }
    }
}

/// Adds the types that a contract states to those that the author pins.
fn with_contract(
    mut pins: Vec<(String, DataType)>,
    columns: &[(String, DataType)],
    schema: &Option<String>,
    table: &str,
    inputs: &Inputs,
) -> Vec<(String, DataType)> {
    let Some(contract) = contract_of(inputs, schema, table) else { return pins };
    for (name, found) in columns {
        let Some(stated) = contract.column(name).map(|c| &c.data_type) else { continue };
        // A file with faults has other types than the table, which the view is about.
        let known = !matches!(stated, DataType::Unknown | DataType::Named(_) | DataType::Json { .. });
        if known && found != stated && !pins.iter().any(|(pin, _)| pin == name) {
            pins.push((name.clone(), stated.clone()));
        }
    }
    pins
}

fn contract_of<'a>(inputs: &'a Inputs, schema: &Option<String>, table: &str) -> Option<&'a Contract> {
    let same = |c: &Contract| c.table == table && (c.schema.is_none() || schema.is_none() || c.schema == *schema);
    inputs.contracts.iter().map(|c| &**c).find(|c| same(c))
}

/// Gathers the relations that a view reads, as far as `over` does not stop at one.
fn collect(table: &TablePlan, plan: &ViewPlan, tables: &[TablePlan], into: &mut BTreeSet<String>) {
    for name in table.relation.reads() {
        let over = plan.over.iter().any(|(relation, _)| relation.value == name);
        if into.insert(name.to_string())
            && !over
            && let Some(next) = tables.iter().find(|t| t.name.value == name)
        {
            collect(next, plan, tables, into);
        }
    }
}

/// The target's table that holds a relation's rows: as `over` says, else the one of its name beside the view.
fn place(name: &str, over: Option<&Spanned<String>>, plan: &ViewPlan) -> (Option<String>, String) {
    let written = over.map_or(name, |table| table.value.as_str());
    match written.split_once('.') {
        Some((schema, table)) => (Some(schema.to_string()), table.to_string()),
        None => (plan.schema.clone(), written.to_string()),
    }
}

/// Reports the stages of a table that no view can have.
fn judge(table: &TablePlan, plan: &ViewPlan, inputs: &Inputs, out: &mut Diagnostics) {
    let view = plan.shown();
    if table.quarantine {
        out.error("E0461", table.name.span, format!("the view `{view}` cannot set rows of `{}` aside", table.name.value))
            .help("`on_failure: quarantine` is what a run does: a view shows every row. Take it away, or filter with `where`.");
    }
    for step in &table.steps {
        match &step.change {
            Change::Query { .. } => {
                out.error(
                    "E0461",
                    step.span,
                    format!("the view `{view}` cannot hold a query of {}'s engine", inputs.dialect.name()),
                )
                .help("`sql` is in the engine's own words: use the clauses of a table, or load the rows into a table.");
            }
            Change::Join(join) if join.expect.one_on_the_right() && !join.right_unique.as_deref().is_some_and(is_made_unique) => {
                out.error("E0462", step.span, format!("the view `{view}` joins `{}` on a key that nothing makes unique", join.to))
                    .label(plan.span, "a view counts no rows: more rows of one key would repeat those it shows")
                    .help(format!(
                        "Group `{0}` by its key, or make it distinct on it, in a table before; or declare `expect: {1}` if rows may repeat.",
                        join.to,
                        if join.expect.one_on_the_left() { "one_to_many" } else { "many_to_many" }
                    ));
            }
            _ => {}
        }
    }
}

/// Compares what a view takes with the contracts of the tables that it reads.
fn has_columns(
    view: &view::View,
    takes: &BTreeMap<String, Vec<String>>,
    plan: &ViewPlan,
    inputs: &Inputs,
    out: &mut Diagnostics,
) -> bool {
    let errors = out.errors();
    for (name, input) in &view.inputs {
        let Some(contract) = contract_of(inputs, &input.schema, &input.table) else {
            continue;
        };
        for column in takes.get(name).into_iter().flatten().filter(|c| contract.column(c).is_none()) {
            let names: Vec<&str> = contract.columns.iter().map(|c| c.name.as_str()).collect();
            out.error(
                "E0463",
                plan.span,
                format!("the view reads column `{column}` of `{}`, which has no such column", input.table),
            )
            .label(contract.span, "the contract")
            .suggest(column, names.iter().copied())
            .help("Give the extract the names that the table has, or read another table with `over`.");
        }
        for (column, kind) in input.typed() {
            let Some(stated) = contract.column(&column).filter(|_| takes.get(name).is_some_and(|t| t.contains(&column))) else {
                continue;
            };
            if !holds(&kind, &stated.data_type) {
                let message = format!(
                    "column `{column}` of `{}` is {}, and {kind} where the view reads it as `{name}`",
                    input.table, stated.data_type
                );
                out.error("E0463", plan.span, message).label(stated.span, "the contract").help(format!(
                    "Pin the type that the table has: `columns: {{{column}: {}}}` in the extract.",
                    stated.data_type
                ));
            }
        }
    }
    out.errors() == errors
}

/// Whether a cast of a table's column to the type that the view was planned with loses nothing.
fn holds(planned: &DataType, stated: &DataType) -> bool {
    use DataType as T;
    match (stated, planned) {
        (a, b) if a == b || a.is_text() && b.is_text() || a.is_integer() && b.is_integer() => true,
        (T::Timestamp(_), T::Timestamp(_)) | (T::Date, T::Timestamp(_)) | (T::Named(_), T::Text) | (T::Real, T::Double) => true,
        (a, T::Decimal(Some(_)) | T::Double) if a.is_integer() => true,
        (T::Decimal(Some((_, s))), T::Decimal(Some((_, t)))) => s <= t,
        _ => false,
    }
}
