//! Lowers every table, clause by clause in the order of [`STAGES`].
//!
//! A table that reads a failed one is left out in silence: its faults would only repeat the first.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::copies::{MOST_VIEWS, SetAside, is_copied};
use super::transforms::Shared;
use super::{Inputs, TablePlan, graph};
use crate::contract::Contract;
use crate::diagnostics::{Diagnostics, SourceMap};
use crate::expr::Expr;
use crate::relation::{JoinKind, Relation};
use crate::spec::pipeline::TableSpec;
use crate::spec::yaml::Value;
use crate::stage::texts::{self, Texts};
use crate::stage::{Binder, FilePlan, Flow, Lowering, STAGES, TableContext, destinations, innermost, is_loaded, on_failure};
use crate::types::DataType;

/// Lowers the tables in `sequence` over the extracts in `relations`; what could not be lowered has its reasons in `out`.
pub fn lower(
    inputs: &Inputs,
    mut relations: BTreeMap<String, Flow>,
    mut texts: Texts,
    sequence: &[usize],
    shared: &Shared,
    sources: &SourceMap,
    out: &mut Diagnostics,
) -> Vec<TablePlan> {
    let readers = count_readers(inputs);
    let any = inputs.spec.tables.iter().any(|t| on_failure(&t.clauses));
    let mut plans = vec![];
    // How many views stand one upon the other, by the last of them.
    let mut depths: BTreeMap<String, usize> = BTreeMap::new();
    for spec in sequence.iter().filter_map(|i| inputs.spec.tables.get(*i)) {
        let name = &spec.name.value;
        let mut cx = Lowering {
            table: context(spec, inputs, shared),
            named_values: &shared.values,
            relations: &relations,
            texts: &texts,
            templates: inputs.templates,
            binder: inputs.binder,
            target: inputs.dialect,
            target_schema: inputs.target.schema.as_deref(),
            namespace: &inputs.namespace,
            sources,
            unsure: false,
            out,
        };
        let errors = cx.out.errors();
        let Some(flow) = clauses(spec, &mut cx) else { continue };
        let readers = readers.get(name).copied().unwrap_or(0);
        let Some(flow) = define(flow, readers, errors, &mut cx) else {
            continue;
        };
        let mut plan = finish(spec, &flow, readers, any);
        let below = graph::reads(spec).into_iter().filter_map(|read| depths.get(&read.value)).max();
        let depth = below.map_or(1, |below| below + 1);
        plan.staged |= depth > MOST_VIEWS;
        if plan.staged {
            plan.texts = texts::of_all(&flow, &cx);
            texts.insert(name.clone(), plan.texts.clone());
        } else {
            depths.insert(name.clone(), depth);
        }
        relations.insert(name.clone(), flow);
        plans.push(plan);
    }
    one_table_per_file(&plans, out);
    plans
}

/// Reports two tables that would write the same file.
fn one_table_per_file(plans: &[TablePlan], out: &mut Diagnostics) {
    let files: Vec<&FilePlan> = plans.iter().flat_map(|p| &p.files).collect();
    let same = |a: &FilePlan, b: &FilePlan| Path::new(".").join(&a.path) == Path::new(".").join(&b.path);
    for (i, file) in files.iter().enumerate() {
        if let Some(first) = files.iter().take(i).find(|f| same(f, file)) {
            out.error("E0451", file.span, format!("the file `{}` is written twice", file.path))
                .label(first.span, "the first time")
                .help("Give one of them another name.");
        }
    }
}

fn clauses(spec: &TableSpec, cx: &mut Lowering) -> Option<Flow> {
    let mut flow = Flow::start(Relation::scan(""));
    for stage in STAGES {
        let body = spec.clauses.get(stage.keyword());
        if body.is_some() || stage.implied(&cx.table) {
            let Some(lowered) = stage.lower(body, flow, cx) else {
                // What is wrong with `load` on its own is told along with what broke the table.
                if let Some(load) = spec.clauses.get("load") {
                    crate::stage::proofread(load, cx.out);
                }
                return None;
            };
            flow = lowered;
            if reserved_names(spec, &flow, cx) {
                return None;
            }
        }
    }
    Some(flow)
}

/// Refuses columns whose names are kept for the books.
fn reserved_names(spec: &TableSpec, flow: &Flow, cx: &mut Lowering) -> bool {
    // Between `group_by` and `map` the columns are the books' own: they hold aggregates that have no name yet.
    let own = |name: &&String| name.starts_with('#') && !name.starts_with("#agg.") && !name.starts_with("#key.");
    let Some(taken) = flow.columns.iter().map(|c| &c.name).find(own) else {
        return false;
    };
    let written = |clause: &str| match &spec.clauses.get(clause)?.value {
        Value::Map(map) => map.entries.iter().find(|(name, _)| name.value == *taken).map(|(name, _)| name.span),
        _ => None,
    };
    let span = ["derive", "map", "default"].into_iter().find_map(written).unwrap_or(spec.name.span);
    cx.out
        .error("E0432", span, format!("the name of column `{taken}` starts with `#`"))
        .help("Such names are kept for the books of a run: choose another.");
    true
}

fn context<'a>(spec: &'a TableSpec, inputs: &Inputs, shared: &Shared) -> TableContext<'a> {
    let name = &spec.name.value;
    let loaded = is_loaded(&spec.clauses);
    let targets = spec.clauses.get("load").map(|body| destinations(name, body)).unwrap_or_default();
    let found: Vec<_> = targets.iter().map(|(schema, table)| find_contract(inputs, schema.as_deref(), table)).collect();
    let contract = found.first().cloned().flatten();
    let contracts = found.into_iter().flatten().collect();
    TableContext {
        name: &spec.name,
        clauses: &spec.clauses,
        contract,
        contracts,
        values: shared.values.get(name).cloned().unwrap_or_default(),
        defaults: shared.defaults.get(name).cloned().unwrap_or_default(),
        loaded,
    }
}

/// Finds the contract of a table; without a schema on one side, the name alone decides.
fn find_contract(inputs: &Inputs, schema: Option<&str>, table: &str) -> Option<Arc<Contract>> {
    let schema = schema.or(inputs.target.schema.as_deref());
    let named =
        |c: &&Arc<Contract>| c.table == table && (schema.is_none() || c.schema.is_none() || c.schema.as_deref() == schema);
    inputs.contracts.iter().find(named).cloned()
}

/// Shows the finished relation to the engine, takes its column types, and points at the expression if the engine refuses it.
///
/// Where every expression is plainly right the engine is not asked: it only learns the names that others read. Where there are more
/// errors than `before`, a clause has reported already what the engine would only say again.
fn define(mut flow: Flow, readers: usize, before: usize, cx: &mut Lowering) -> Option<Flow> {
    let binder = cx.binder;
    let name = &cx.table.name.value;
    let typed = flow.columns.iter().all(|c| c.data_type != DataType::Unknown || c.direct);
    if !cx.unsure && typed {
        if readers > 0 {
            binder.announce(name, &flow.relation).ok()?;
        }
        return Some(flow);
    }
    match binder.define(name, &flow.relation) {
        Ok(types) => {
            for column in &mut flow.columns {
                if let Some((_, data_type)) = types.iter().find(|(n, _)| *n == column.name)
                    && *data_type != DataType::Unknown
                    && !matches!(column.data_type, DataType::Json { .. })
                {
                    column.data_type = data_type.clone();
                }
            }
            Some(flow)
        }
        Err(_) if cx.out.errors() > before => None,
        Err(message) => {
            let found = blame(&flow.relation, binder);
            match found {
                Some((expr, message)) => cx.refused(expr.span, &message),
                None => cx.refused(cx.table.name.span, &message),
            }
            None
        }
    }
}

/// Finds the innermost expression that the engine refuses.
fn blame(relation: &Relation, binder: &dyn Binder) -> Option<(Expr, String)> {
    let (input, exprs): (&Relation, Vec<&Expr>) = match relation {
        Relation::Scan { .. } | Relation::Query { .. } => return None,
        Relation::Union { inputs } => return inputs.iter().find_map(|input| blame(input, binder)),
        Relation::Project { input, columns } => (input, columns.iter().map(|(_, e)| e).collect()),
        Relation::Filter { input, predicate } => (input, vec![predicate]),
        Relation::Unnest { input, list, .. } => (input, vec![list]),
        Relation::Unpivot { input, values, .. } => (input, values.iter().map(|(_, e)| e).collect()),
        Relation::Aggregate { input, keys, columns } => (input, keys.iter().chain(columns.iter().map(|(_, e)| e)).collect()),
        Relation::Distinct { input, on, order_by } => (input, on.iter().chain(order_by.iter().map(|o| &o.expr)).collect()),
        Relation::Join { left, right, on, .. } => {
            let found = blame(left, binder).or_else(|| blame(right, binder));
            return found.or_else(|| {
                let both = Relation::Join {
                    left: left.clone(),
                    right: right.clone(),
                    kind: JoinKind::Inner,
                    on: Expr::boolean(true, on.span),
                };
                binder.type_of(&both, on).err().map(|message| (innermost(on, &both, binder), message))
            });
        }
        Relation::Sort { input, order_by } => (input, order_by.iter().map(|o| &o.expr).collect()),
    };
    blame(input, binder).or_else(|| {
        exprs
            .into_iter()
            .find_map(|expr| binder.type_of(input, expr).err().map(|message| (innermost(expr, input, binder), message)))
    })
}

fn count_readers(inputs: &Inputs) -> BTreeMap<String, usize> {
    let mut readers = BTreeMap::new();
    for read in inputs.spec.tables.iter().flat_map(graph::reads) {
        *readers.entry(read.value).or_insert(0) += 1;
    }
    readers
}

fn finish(spec: &TableSpec, flow: &Flow, readers: usize, any: bool) -> TablePlan {
    let quarantine = on_failure(&spec.clauses);
    TablePlan {
        name: spec.name.clone(),
        relation: flow.relation.clone(),
        columns: flow.columns.clone(),
        hidden: flow.hidden.clone(),
        origin: flow.origin.clone(),
        ordered: flow.ordered,
        steps: flow.steps.clone(),
        checks: flow.checks.clone(),
        words: flow.words,
        fills: flow.fills.clone(),
        loads: flow.loads.clone(),
        files: flow.files.clone(),
        views: flow.views.clone(),
        quarantine,
        texts: BTreeMap::new(),
        staged: is_copied(flow, readers, SetAside { own: quarantine, any }),
    }
}
