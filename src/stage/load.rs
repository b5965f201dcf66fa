//! `load: {table, mode, key}`: where the rows go and how they meet the rows that are there.

use std::sync::Arc;

use super::changes::{self, Changes};
use super::flow::{Change, Flow};
use super::validate::PlannedCheck;
use super::{Clause, Lowering, file, view};
use crate::check::unique::Unique;
use crate::check::{Declared, Measure, Tolerance, UniqueKey};
use crate::contract::{Contract, Generated};
use crate::diagnostics::{Diagnostics, Severity, Span, Spanned};
use crate::expr::Expr;
use crate::spec::yaml::{Map, Node, Value};

pub struct Load;

const KEYS: &[&str] = &["table", "mode", "key", "scope", "keep", "when_changed", "set", "when", "file", "format", "view", "over"];
const MODES: &[&str] = &["insert", "upsert", "append", "replace"];

/// A table's way into the target.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    pub span: Span,
    pub schema: Option<String>,
    pub table: String,
    pub mode: Mode,
    /// The `key` as written, whatever the mode; may be empty.
    pub written_key: Vec<String>,
    pub contract: Option<Arc<Contract>>,
}

/// Columns with the values that all rows of a scope have.
pub type Scope = Vec<(String, Node)>;

/// How rows meet those that are already there.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// Only new rows; one whose key is there fails the load before anything changed.
    Insert,
    /// New rows are inserted, rows with the same key are changed to these.
    Upsert { key: Vec<String>, changes: Box<Changes> },
    /// New rows are inserted; one that is there with other content fails the load before anything changed.
    Append { key: Vec<String> },
    /// The rows in scope become exactly these.
    Replace { scope: Scope },
}

impl LoadPlan {
    /// The columns that tell one row from another in the target: the load's key, else the primary key, else a unique key.
    pub fn key(&self) -> Vec<String> {
        match &self.mode {
            Mode::Upsert { key, .. } | Mode::Append { key } => key.clone(),
            Mode::Insert | Mode::Replace { .. } if !self.written_key.is_empty() => self.written_key.clone(),
            Mode::Insert | Mode::Replace { .. } => self.contract.as_deref().map(own_key).unwrap_or_default(),
        }
    }

    /// The name as messages show it.
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.table),
            None => self.table.clone(),
        }
    }
}

/// The columns by which a table itself tells its rows apart: its primary key, else a unique key.
fn own_key(contract: &Contract) -> Vec<String> {
    if !contract.primary_key.is_empty() {
        return contract.primary_key.clone();
    }
    let unique = contract.checks.iter().find(|d| match d.check.measure() {
        Measure::Unique(key) => key.only_where.is_none() && key.parts.len() == d.check.columns().len(),
        _ => false,
    });
    unique.map(|d| d.check.columns()).unwrap_or_default()
}

impl Clause for Load {
    fn keyword(&self) -> &'static str {
        "load"
    }

    fn summary(&self) -> &'static str {
        "the target table and how rows meet those that are there, files, views, or a list of these"
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let body = body?;
        let mut whole = true;
        for sink in sinks(body) {
            whole &= self.sink(sink, &mut flow, cx).is_some();
        }
        whole.then_some(flow)
    }
}

impl Load {
    /// Adds one sink: a file or a target's table.
    fn sink(&self, body: &Node, flow: &mut Flow, cx: &mut Lowering) -> Option<()> {
        if let Some(map) = as_file(body) {
            let file = file::decode(map, cx)?;
            flow.step(self.keyword(), body.span, Change::Write { file: file.path.clone() });
            flow.files.push(file);
            return Some(());
        }
        if let Some(map) = as_view(body) {
            let view = view::decode(map, cx)?;
            if let Some(twin) = flow.views.iter().find(|v| v.shown() == view.shown()) {
                cx.out
                    .error("E0451", view.span, format!("the view `{}` is written twice", view.shown()))
                    .label(twin.span, "the first time")
                    .help("Keep one of them.");
                return None;
            }
            flow.step(self.keyword(), body.span, Change::View { name: view.shown() });
            flow.views.push(view);
            return Some(());
        }
        let plan = decode(body, flow, cx)?;
        if let Some(twin) = flow.loads.iter().find(|l| l.shown() == plan.shown()) {
            cx.out
                .error("E0451", body.span, format!("the table is loaded into `{}` twice", plan.shown()))
                .label(twin.span, "the first time")
                .help("Keep one of them.");
            return None;
        }
        names_fit(&plan, body, flow, cx);
        contract_fits(&plan, flow, cx);
        flow.checks.extend(key_repeats(&plan, flow, cx));
        flow.step(self.keyword(), body.span, Change::Load { target: plan.shown() });
        flow.loads.push(plan);
        Some(())
    }
}

/// The sinks of a `load`: itself, or the items of its list.
pub(super) fn sinks(body: &Node) -> Vec<&Node> {
    match &body.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![body],
    }
}

fn as_file(sink: &Node) -> Option<&Map> {
    match &sink.value {
        Value::Map(map) if map.get("file").is_some() => Some(map),
        _ => None,
    }
}

/// Returns the schemas and names of the target's tables that a block loads; nothing is reported.
pub fn destinations(name: &str, body: &Node) -> Vec<(Option<String>, String)> {
    let tables = sinks(body).into_iter().filter(|sink| as_file(sink).is_none() && as_view(sink).is_none());
    tables.map(|sink| table_of(name, sink)).collect()
}

fn as_view(sink: &Node) -> Option<&Map> {
    match &sink.value {
        Value::Map(map) if map.get("view").is_some() => Some(map),
        _ => None,
    }
}

fn table_of(name: &str, body: &Node) -> (Option<String>, String) {
    let written = match &body.value {
        Value::Map(map) => map.get("table").and_then(|n| n.expect_text("`table`", &mut Default::default())),
        _ => None,
    };
    let written = written.map_or(name.to_string(), |w| w.value);
    match written.split_once('.') {
        Some((schema, table)) => (Some(schema.to_string()), table.to_string()),
        None => (None, written),
    }
}

fn decode(body: &Node, flow: &Flow, cx: &mut Lowering) -> Option<LoadPlan> {
    let empty = Map::default();
    let map = match &body.value {
        Value::Null | Value::Boolean(true) => &empty,
        _ => body.expect_map("`load`", cx.out)?,
    };
    map.only("`load`", KEYS, cx.out);
    let (schema, table) = table_of(&cx.table.name.value, body);
    let mode = map.get("mode").and_then(|n| n.expect_text("`mode`", cx.out));
    if mode.as_ref().is_some_and(|mode| !known_mode(mode, cx.out)) {
        return None;
    }
    let key = map.get("key").and_then(|n| n.expect_names("`key`", cx.out));
    for name in key.iter().flatten() {
        known_column(name, flow, cx)?;
    }
    let written_key: Vec<String> = key.iter().flatten().map(|k| k.value.clone()).collect();
    let changes = changes::decode(map, mode.as_ref().map_or("insert", |m| m.value.as_str()), flow, cx)?;
    let mode = match mode.as_ref().map(|m| m.value.as_str()) {
        None | Some("insert") => Mode::Insert,
        Some("upsert") => {
            let Some(key) = key.filter(|k| !k.is_empty()) else {
                cx.out
                    .error("E0426", body.span, "an upsert needs a `key`")
                    .help("Name the columns that tell which row it is: `load: {mode: upsert, key: id}`.");
                return None;
            };
            Mode::Upsert { key: key.into_iter().map(|k| k.value).collect(), changes: Box::new(changes) }
        }
        Some("append") => {
            let given = |columns: &[String]| !columns.is_empty() && columns.iter().all(|c| flow.column(c).is_some());
            let own = || cx.table.contract.as_deref().filter(|c| c.table == table).map(own_key).filter(|k| given(k));
            let Some(key) = key.filter(|k| !k.is_empty()).map(|k| k.into_iter().map(|k| k.value).collect()).or_else(own) else {
                cx.out
                    .error("E0426", body.span, "an append needs a `key`, and the table's own is not among the columns")
                    .help("Name the columns that tell which row it is: `load: {mode: append, key: id}`.");
                return None;
            };
            Mode::Append { key }
        }
        Some("replace") => {
            let scope = map.get("scope").and_then(|n| n.expect_map("`scope`", cx.out)).map(|m| m.entries.clone());
            let mut rendered = vec![];
            for (column, node) in scope.unwrap_or_default() {
                known_column(&column, flow, cx)?;
                let value = match &node.value {
                    Value::Text { text, plain } => {
                        let text = cx.templates.bare(&Spanned::new(text.clone(), node.span), cx.out)?;
                        Node { value: Value::Text { text, plain: *plain }, span: node.span }
                    }
                    _ => node,
                };
                rendered.push((column.value, value));
            }
            Mode::Replace { scope: rendered }
        }
        // `known_mode` has refused it.
        Some(_) => return None,
    };
    let schema = schema.or(cx.target_schema.map(String::from));
    let same = |c: &&Arc<Contract>| c.table == table && (schema.is_none() || c.schema.is_none() || c.schema == schema);
    let contract = cx.table.contracts.iter().find(same).cloned();
    Some(LoadPlan { span: body.span, schema, table, mode, written_key, contract })
}

pub(super) fn known_column(name: &Spanned<String>, flow: &Flow, cx: &mut Lowering) -> Option<()> {
    if flow.column(&name.value).is_some() {
        return Some(());
    }
    let names: Vec<&str> = flow.columns.iter().map(|c| c.name.as_str()).collect();
    cx.out
        .error("E0421", name.span, format!("table `{}` has no column `{}`", cx.table.name.value, name.value))
        .suggest(&name.value, names.iter().copied());
    None
}

/// Refuses names that the target would cut off.
fn names_fit(plan: &LoadPlan, body: &Node, flow: &Flow, cx: &mut Lowering) {
    let limit = cx.target.identifier_limit();
    let judge = |what: &str, name: &str, span: Span, cx: &mut Lowering| {
        if name.len() > limit {
            let target = cx.target.name();
            cx.out
                .error("E0431", span, format!("the name of {what} `{name}` has {} bytes; {target} keeps {limit}", name.len()))
                .help(format!("Choose a name of at most {limit} bytes; letters beyond ASCII take two to four."));
        }
    };
    let written = match &body.value {
        Value::Map(map) => map.get("table").map(|n| n.span),
        _ => None,
    };
    let at = written.unwrap_or(cx.table.name.span);
    judge("schema", plan.schema.as_deref().unwrap_or_default(), at, cx);
    judge("table", &plan.table, at, cx);
    for column in &flow.columns {
        judge("column", &column.name, cx.written_at(&column.name).unwrap_or(plan.span), cx);
    }
}

/// The check that no two rows have the load's key, which also takes NULLs for equal, as far as no other check says so.
fn key_repeats(plan: &LoadPlan, flow: &Flow, cx: &Lowering) -> Option<PlannedCheck> {
    let columns = &plan.written_key;
    if columns.is_empty() {
        return None;
    }
    let same = |c: &PlannedCheck| match &c.measure {
        Measure::Unique(key) => {
            let told = c.declared.check.columns();
            let as_columns = key.only_where.is_none() && key.parts.len() == told.len();
            as_columns && told.len() == columns.len() && columns.iter().all(|c| told.contains(c))
        }
        _ => false,
    };
    let known = flow.checks.iter().find(|c| same(c));
    let never_null = |name: &String| plan.contract.as_ref().and_then(|c| c.column(name)).is_some_and(|c| c.not_null);
    let nulls_too = known.is_some_and(|c| matches!(&c.measure, Measure::Unique(key) if key.nulls_equal));
    if known.is_some() && (nulls_too || columns.iter().all(never_null)) {
        return None;
    }
    let span = plan.span;
    let parts: Vec<Expr> = columns.iter().map(|c| Expr::column(c, span)).collect();
    // Rows without a NULL in the key are the other check's.
    let only_where = known.and_then(|_| parts.iter().cloned().map(Expr::is_null).reduce(Expr::or));
    let check = Unique::of(UniqueKey { nulls_equal: true, only_where, ..UniqueKey::of(parts) });
    let declared = Declared {
        check: Arc::new(check),
        name: None,
        severity: Severity::Error,
        tolerance: Tolerance::Rows(0),
        why: Some("the load tells rows apart by this key".to_string()),
        span,
        enforced: false,
    };
    let declared = match &plan.contract {
        Some(contract) => cx.target.adapt(declared, contract),
        None => declared,
    };
    Some(PlannedCheck { measure: declared.check.measure(), declared, bit: None })
}

/// Reports what is wrong with a `load` whatever its table's columns are: for a table that an earlier clause broke.
pub fn proofread(body: &Node, out: &mut Diagnostics) {
    let Value::Map(map) = &body.value else { return };
    map.only("`load`", KEYS, out);
    if let Some(mode) = map.get("mode").and_then(|n| n.expect_text("`mode`", out)) {
        known_mode(&mode, out);
    }
}

fn known_mode(mode: &Spanned<String>, out: &mut Diagnostics) -> bool {
    let known = MODES.contains(&mode.value.as_str());
    if !known {
        out.error("E0206", mode.span, format!("there is no load mode `{}`", mode.value))
            .suggest(&mode.value, MODES.iter().copied());
    }
    known
}

/// Compares the table's columns with the target's.
fn contract_fits(plan: &LoadPlan, flow: &Flow, cx: &mut Lowering) {
    let Some(contract) = &plan.contract else {
        cx.out
            .warning("W0421", plan.span, format!("table `{}` is loaded without a contract", plan.shown()))
            .help("Put its CREATE TABLE statement or a YAML contract below `schemas/`, so that its constraints are judged before the load.");
        return;
    };
    for column in &flow.columns {
        let Some(target) = contract.column(&column.name) else {
            let names: Vec<&str> = contract.columns.iter().map(|c| c.name.as_str()).collect();
            let span = cx.written_at(&column.name).unwrap_or(plan.span);
            cx.out
                .error("E0427", span, format!("target table `{}` has no column `{}`", plan.shown(), column.name))
                .label(contract.span, "the contract")
                .suggest(&column.name, names.iter().copied())
                .help("Take the column out of `map`, or add it to the contract and to the database.");
            continue;
        };
        if target.generated == Generated::Computed {
            let span = cx.written_at(&column.name).unwrap_or(plan.span);
            cx.out
                .error("E0428", span, format!("column `{}` of `{}` is computed by the database", column.name, plan.shown()))
                .label(target.span, "computed here")
                .help("Take it out of `map`: a computed column cannot be written.");
        }
    }
    for column in &contract.columns {
        let given = flow.column(&column.name).is_some() || column.default.is_some() || column.generated != Generated::No;
        if column.not_null && !given {
            cx.out
                .error("E0429", plan.span, format!("column `{}` of `{}` needs a value and gets none", column.name, plan.shown()))
                .label(column.span, "NOT NULL, and without a default")
                .help(format!("Add `{}` to `map` or to `default`.", column.name));
        }
    }
}

/// Tells whether a block's rows reach the target's tables.
pub fn is_loaded(context: &Map) -> bool {
    context.get("load").is_some()
}
