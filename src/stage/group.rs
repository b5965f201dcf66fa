//! `group_by: [k]`: one row per key; `map` then speaks of keys and aggregates.
//!
//! The aggregates that `map` holds are computed here, each as a column of its own, so that `map` maps, casts and checks their values
//! like any others. What the books know of the rows is kept: their first record, and whether a value of the group would not cast.

use super::flow::{Change, Column, Flow};
use super::keys::{GROUPED, Key};
use super::{Clause, Lowering};
use crate::diagnostics::{Span, Spanned};
use crate::expr::parse::is_aggregate;
use crate::expr::{BinaryOp, Call, Expr, ExprKind, OrderBy, UnaryOp};
use crate::relation::{ROW, Relation};
use crate::spec::yaml::{Node, Value};
use crate::types::DataType;

pub struct GroupBy;

/// What stands for the parts of `map` that are made of whole groups.
#[derive(Clone, Debug)]
pub struct Grouped {
    /// Aggregates and key expressions as written, and the column that holds each.
    known: Vec<(Expr, String)>,
    /// The columns that the rows had before.
    before: Vec<String>,
    keys: Vec<String>,
}

/// Aggregates whose result depends on the order of rows.
const IN_ORDER: &[&str] = &[
    "any_value",
    "arbitrary",
    "arg_max",
    "arg_min",
    "argmax",
    "argmin",
    "array_agg",
    "first",
    "group_concat",
    "json_group_array",
    "json_group_object",
    "last",
    "list",
    "listagg",
    "max_by",
    "min_by",
    "mode",
    "string_agg",
];

impl Clause for GroupBy {
    fn keyword(&self) -> &'static str {
        "group_by"
    }

    fn summary(&self) -> &'static str {
        "one row per key; `map` holds the aggregates"
    }

    fn lower(&self, body: Option<&Node>, flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let body = body?;
        let names = body.expect_names("`group_by`", cx.out)?;
        let mut groups = Groups { exprs: vec![], columns: vec![], known: vec![] };
        let mut keys = vec![];
        let mut whole = true;
        for name in &names {
            match groups.key(name, &flow, cx) {
                Some(key) => keys.push(key),
                None => whole = false,
            }
        }
        if !whole {
            return None;
        }
        for aggregate in aggregates(cx) {
            let span = aggregate.span;
            if groups.aggregate(aggregate.clone(), &flow, cx).is_none() {
                // It has been told what is wrong with it; the rest of `map` can still be looked at.
                let name = format!("#agg.{}", groups.columns.len());
                groups.add(name, aggregate, &Expr::null(span), DataType::Unknown, &flow, cx);
            }
        }
        let mut grouped = Flow::start(flow.relation.clone());
        let key_names = groups.known.iter().take(keys.len()).map(|(_, name)| name.clone());
        grouped.keys = vec![Key::new(key_names, GROUPED)];
        let hidden = kept_books(&flow, body.span);
        grouped.hidden = hidden.iter().map(|(name, _)| name.clone()).collect();
        grouped.origin.source = flow.origin.source.clone();
        grouped.origin.others = flow.origin.others.clone();
        // Records that were unnested can lie in several groups.
        grouped.origin.shared = flow.origin.shared || !flow.origin.lists.is_empty();
        grouped.grouped = Some(Grouped {
            known: groups.known,
            before: flow.columns.iter().map(|c| c.name.clone()).collect(),
            keys: names.iter().map(|n| n.value.clone()).collect(),
        });
        grouped.relation = Relation::Aggregate {
            input: Box::new(flow.relation),
            keys,
            columns: groups.exprs.into_iter().chain(hidden).collect(),
        };
        grouped.columns = groups.columns;
        grouped.open = flow.open;
        grouped.ordered = false;
        grouped.steps = flow.steps;
        let by = names.iter().map(|n| n.value.as_str()).collect::<Vec<_>>().join(", ");
        grouped.step(self.keyword(), body.span, Change::Merge { after: grouped.relation.clone(), by });
        Some(grouped)
    }
}

/// The columns of the groups, as they are found.
struct Groups {
    exprs: Vec<(String, Expr)>,
    columns: Vec<Column>,
    known: Vec<(Expr, String)>,
}

impl Groups {
    /// Adds a key: a column under its own name, or an expression that `map` repeats.
    fn key(&mut self, text: &Spanned<String>, flow: &Flow, cx: &mut Lowering) -> Option<Expr> {
        let written = cx.parse(text)?;
        let key = cx.resolve(written.clone(), flow)?;
        let mut reads = false;
        key.walk(&mut |part| reads |= matches!(part.kind, ExprKind::Column(_)));
        if !reads && !flow.open {
            cx.out
                .error("E0443", text.span, format!("the key `{}` is the same for all rows", text.value))
                .help("Group by a column; `group_by: []` makes one row of all.");
            return None;
        }
        let name = match &written.kind {
            ExprKind::Name(parts) => parts.join("."),
            _ if cx.table.clauses.get("map").is_none() => {
                cx.out
                    .error("E0443", text.span, format!("the key `{}` is an expression without a name", text.value))
                    .help("Name it in `derive` and group by that name, or repeat the expression in `map`.");
                return None;
            }
            _ => format!("#key.{}", self.columns.len()),
        };
        if self.columns.iter().any(|c| c.name == name) {
            cx.out.error("E0208", text.span, format!("the key `{name}` is listed twice")).help("List it once.");
            return None;
        }
        let data_type = cx.type_of(&key, flow);
        self.add(name, written, &key, data_type, flow, cx);
        Some(key)
    }

    /// Adds an aggregate as written; its arguments are of the rows.
    fn aggregate(&mut self, written: Expr, flow: &Flow, cx: &mut Lowering) -> Option<()> {
        if self.known.iter().any(|(known, _)| same(known, &written)) {
            return Some(());
        }
        for part in written.children() {
            part_of_aggregate(part, cx)?;
        }
        let joined = match &written.kind {
            ExprKind::Call(call) => joined_texts(call, written.span),
            _ => None,
        };
        let (inner, brackets) = joined.map_or((written.clone(), None), |(inner, brackets)| (inner, Some(brackets)));
        let mut call = cx.resolve_any(inner, flow)?;
        if let ExprKind::Call(call) = &mut call.kind {
            put_in_order(call, flow, cx);
        }
        if let Some((open, close)) = brackets {
            let (open, close) = (Expr::text(open, written.span), Expr::text(close, written.span));
            let text = open.binary(BinaryOp::Concat, call).binary(BinaryOp::Concat, close);
            call = text.cast(DataType::Json { binary: false });
        }
        let data_type = cx.type_of(&call, flow);
        let name = format!("#agg.{}", self.columns.len());
        self.add(name, written, &call, data_type, flow, cx);
        Some(())
    }

    fn add(&mut self, name: String, written: Expr, expr: &Expr, data_type: DataType, flow: &Flow, cx: &Lowering) {
        self.columns.push(cx.column(&name, expr, data_type, flow));
        self.exprs.push((name.clone(), expr.clone()));
        self.known.push((written, name));
    }
}

impl Grouped {
    /// Puts the columns of the groups in the place of the aggregates and key expressions that they hold.
    pub fn replace(&self, expr: &mut Expr) {
        if let Some((_, column)) = self.known.iter().find(|(known, _)| same(known, expr)) {
            expr.kind = ExprKind::Column(column.clone());
            return;
        }
        for child in expr.children_mut() {
            self.replace(child);
        }
    }

    /// Whether the rows had this column before they were grouped.
    pub fn had(&self, name: &str) -> bool {
        self.before.iter().any(|column| column == name || name.starts_with(&format!("{column}.")))
    }

    /// The keys for a message.
    pub fn keys(&self) -> String {
        self.keys.join(", ")
    }
}

/// Refuses aggregates and windows inside of an aggregate: they are made of rows, not of groups.
fn part_of_aggregate(part: &Expr, cx: &mut Lowering) -> Option<()> {
    let mut inner = None;
    part.walk(&mut |expr| {
        if let ExprKind::Call(call) = &expr.kind
            && (call.over.is_some() || is_aggregate(&call.function))
        {
            inner = inner.or(Some((expr.span, call.function.as_str())));
        }
    });
    let Some((span, function)) = inner else { return Some(()) };
    cx.out
        .error("E0442", span, format!("`{function}` stands inside of an aggregate"))
        .help("Compute the inner one in a table of its own and aggregate that, or a window function in `derive`.");
    None
}

/// Writes `json_group_array` and `json_group_object` as what they are for the engine, which takes no order for them: joined texts, in brackets.
fn joined_texts(call: &Call, span: Span) -> Option<(Expr, (&'static str, &'static str))> {
    let text = |e: &Expr| Expr::call("to_json", vec![e.clone()], span).cast(DataType::Text);
    let value = |e: &Expr| Expr::call("coalesce", vec![text(e), Expr::text("null", span)], span);
    let (part, brackets) = match (call.function.as_str(), call.arguments.as_slice()) {
        ("json_group_array", [item]) => (value(item), ("[", "]")),
        ("json_group_object", [name, item]) => {
            let name = text(&name.clone().cast(DataType::Text));
            let pair = name.binary(BinaryOp::Concat, Expr::text(":", span));
            (pair.binary(BinaryOp::Concat, value(item)), ("{", "}"))
        }
        _ => return None,
    };
    let arguments = vec![part, Expr::text(",", span)];
    let call = Call { function: "string_agg".to_string(), arguments, ..call.clone() };
    Some((Expr::new(ExprKind::Call(call), span), brackets))
}

/// Gives an aggregate that depends on the order of rows the one order that they have, so that every run gives the same.
fn put_in_order(call: &mut Call, flow: &Flow, cx: &mut Lowering) {
    if !call.order_by.is_empty() {
        return;
    }
    let argument = call.arguments.first().cloned();
    // Sums of floating point numbers differ in their last digits with the order of addition.
    let floating = argument.as_ref().is_some_and(|a| matches!(cx.type_of(a, flow), DataType::Real | DataType::Double));
    let exact = matches!(call.function.as_str(), "min" | "max" | "count" | "approx_count_distinct");
    if !IN_ORDER.contains(&call.function.as_str()) && (!floating || exact) {
        return;
    }
    let Some(span) = argument.as_ref().map(|a| a.span) else {
        return;
    };
    if ["arg_min", "argmin", "min_by"].contains(&call.function.as_str())
        && !call.distinct
        && let [_, key] = call.arguments.as_mut_slice()
    {
        break_ties(key, &mut call.filter, false, &flow.origin.order(&flow.columns));
        return;
    }
    // Of equal ones the first wins: numbers can be turned round, and hidden columns are numbers.
    let numbered = flow.origin.order(&[]) == flow.origin.order(&flow.columns);
    if ["arg_max", "argmax", "max_by"].contains(&call.function.as_str())
        && !call.distinct
        && numbered
        && let [_, key] = call.arguments.as_mut_slice()
    {
        break_ties(key, &mut call.filter, true, &flow.origin.order(&[]));
        return;
    }
    let by = |expr: Expr| OrderBy { expr, descending: false, nulls_first: None };
    call.order_by = match call.distinct {
        true => argument.into_iter().map(by).collect(),
        false => flow.origin.order(&flow.columns).iter().map(|c| by(Expr::column(c, span))).collect(),
    };
}

/// Makes the order of rows a part of the key, turned round where the greatest is looked for: sorting the rows of all groups would cost ten times as much.
fn break_ties(key: &mut Expr, filter: &mut Option<Box<Expr>>, greatest: bool, order: &[String]) {
    let span = key.span;
    let there = key.clone().is_not_null();
    *filter = Some(Box::new(filter.take().map_or(there.clone(), |filter| filter.and(there))));
    let number = |column: &String| match greatest {
        true => Expr::new(ExprKind::Unary(UnaryOp::Minus, Box::new(Expr::column(column, span))), span),
        false => Expr::column(column, span),
    };
    let parts = std::iter::once(key.clone()).chain(order.iter().map(number)).collect();
    *key = Expr::call("row", parts, span);
}

/// What the books keep of a group's rows: the first record, and casts that failed in any of them.
fn kept_books(flow: &Flow, span: Span) -> Vec<(String, Expr)> {
    let column = |name: &str| Expr::column(name, span);
    let mut kept = vec![];
    // Where a cast failed, the record to show is the one that it failed in.
    let failing = flow.hidden.iter().filter(|h| h.starts_with("#fails.") || h.starts_with("#unmapped."));
    let failing = failing.map(|h| column(h)).reduce(Expr::or);
    for hidden in &flow.hidden {
        if hidden == ROW && flow.origin.source.is_some() {
            let first = |row: Expr| Expr::call("min", vec![row], span);
            let any = first(column(hidden));
            let first = match &failing {
                Some(failing) => {
                    let failing = Expr::case(vec![(failing.clone(), column(hidden))], Expr::null(span), span);
                    Expr::call("coalesce", vec![first(failing), any], span)
                }
                None => any,
            };
            kept.push((hidden.clone(), first));
        } else if flow.origin.others.iter().any(|(other, _)| other == hidden) {
            kept.push((hidden.clone(), Expr::call("min", vec![column(hidden)], span)));
        } else if hidden.starts_with("#fails.") || hidden.starts_with("#unmapped.") {
            let any = Expr::call("bool_or", vec![column(hidden)], span);
            kept.push((hidden.clone(), Expr::call("coalesce", vec![any, Expr::boolean(false, span)], span)));
        } else if let Some(name) = hidden.strip_prefix("#raw.") {
            let fails = column(&format!("#fails.{name}"));
            let failing = Expr::case(vec![(fails, column(hidden))], Expr::null(span), span);
            kept.push((hidden.clone(), Expr::call("min", vec![failing], span)));
        }
    }
    kept
}

/// The aggregates in the table's `map`, as written; what cannot be read is told when `map` is lowered.
fn aggregates(cx: &mut Lowering) -> Vec<Expr> {
    let Some(Node { value: Value::Map(map), .. }) = cx.table.clauses.get("map").cloned() else {
        return vec![];
    };
    let mut found = vec![];
    for (_, node) in &map.entries {
        let texts: Vec<&Node> = match &node.value {
            Value::Map(options) => ["from", "expr"].iter().filter_map(|key| options.get(key)).collect(),
            _ => vec![node],
        };
        for text in texts {
            if let Some(expr) = cx.silently(|cx| cx.expression(text, "a column")) {
                collect(&expr, &mut found);
            }
        }
    }
    found
}

/// Gathers the outermost aggregates; those of a window function are its arguments'.
fn collect(expr: &Expr, found: &mut Vec<Expr>) {
    match &expr.kind {
        ExprKind::Call(call) if call.over.is_none() && is_aggregate(&call.function) => found.push(expr.clone()),
        _ => expr.children().into_iter().for_each(|child| collect(child, found)),
    }
}

/// Compares two expressions wherever they stand.
fn same(a: &Expr, b: &Expr) -> bool {
    // Most differ in their first word.
    std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind) && placeless(a, a.span) == placeless(b, a.span)
}

fn placeless(expr: &Expr, span: Span) -> Expr {
    let mut bare = expr.clone();
    fn move_to(expr: &mut Expr, span: Span) {
        expr.span = span;
        expr.children_mut().into_iter().for_each(|child| move_to(child, span));
    }
    move_to(&mut bare, span);
    bare
}
