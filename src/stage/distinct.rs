//! `distinct: {on: [k], order_by: "ts desc", keep: first}`: one row per key; the others are counted.

use super::flow::{Change, Flow};
use super::keys::{DISTINCT, Key, column_of};
use super::map::input_column;
use super::{Clause, Lowering};
use crate::diagnostics::Spanned;
use crate::expr::{Expr, ExprKind, OrderBy, parse};
use crate::relation::Relation;
use crate::spec::yaml::{Node, Value};

pub struct Distinct;

impl Clause for Distinct {
    fn keyword(&self) -> &'static str {
        "distinct"
    }

    fn summary(&self) -> &'static str {
        "one row per key, chosen by an order; the others are counted"
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let body = body?;
        let (names, mut order_by, last) = decode(body, &flow, cx)?;
        let mut on = vec![];
        for name in &names {
            let key = cx.parse(name)?;
            on.push(look_up(key, &flow, cx)?);
        }
        for key in &mut order_by {
            key.expr = look_up(key.expr.clone(), &flow, cx)?;
        }
        // Where the order leaves a choice, the source's order decides, so that every run keeps the same row.
        // A column decides only as it is: several texts cast to the same number.
        let bare = |expr: &Expr| if let ExprKind::Column(name) = &expr.kind { Some(name.clone()) } else { None };
        let decided: Vec<String> = on.iter().chain(order_by.iter().map(|key| &key.expr)).filter_map(bare).collect();
        let rest = flow.origin.order(&flow.columns);
        order_by.extend(rest.iter().filter(|c| !decided.contains(c)).map(|c| ascending(c, body)));
        if last {
            for key in &mut order_by {
                key.descending = !key.descending;
                key.nulls_first = Some(!key.nulls_first.unwrap_or(false));
            }
        }
        let columns: Option<Vec<String>> = on.iter().map(column_of).collect();
        flow.keys.extend(columns.map(|c| Key::new(c, DISTINCT)));
        flow.relation = Relation::Distinct { input: Box::new(flow.relation), on, order_by };
        flow.ordered = false;
        let keys: Vec<&str> = names.iter().map(|n| n.value.as_str()).collect();
        let why = format!("same {}", keys.join(", "));
        flow.step(self.keyword(), body.span, Change::Drop { after: flow.relation.clone(), why });
        Some(flow)
    }
}

/// Looks names up among the table's columns, then among those that `map` did not keep.
fn look_up(expr: Expr, flow: &Flow, cx: &mut Lowering) -> Option<Expr> {
    if let Some(found) = cx.silently(|cx| cx.resolve(expr.clone(), flow)) {
        return Some(found);
    }
    let mut hidden = expr.clone();
    rename(&mut hidden, flow);
    if hidden != expr { Some(hidden) } else { cx.resolve(expr, flow) }
}

fn rename(expr: &mut Expr, flow: &Flow) {
    if let ExprKind::Name(parts) = &expr.kind {
        let name = parts.join(".");
        let input = input_column(&name);
        if flow.column(&name).is_some() {
            expr.kind = ExprKind::Column(name);
        } else if flow.hidden.contains(&input) {
            expr.kind = ExprKind::Column(input);
        }
        return;
    }
    for child in expr.children_mut() {
        rename(child, flow);
    }
}

fn ascending(column: &str, at: &Node) -> OrderBy {
    OrderBy { expr: Expr::column(column, at.span), descending: false, nulls_first: None }
}

type Parts = (Vec<Spanned<String>>, Vec<OrderBy>, bool);

fn decode(body: &Node, flow: &Flow, cx: &mut Lowering) -> Option<Parts> {
    let Value::Map(map) = &body.value else {
        // `distinct: true` is about whole rows, `distinct: [a, b]` about these columns.
        if body.value == Value::Boolean(true) {
            return Some((
                flow.columns.iter().map(|c| Spanned::new(format!("\"{}\"", c.name), body.span)).collect(),
                vec![],
                false,
            ));
        }
        return Some((body.expect_names("`distinct`", cx.out)?, vec![], false));
    };
    map.only("`distinct`", &["on", "order_by", "keep"], cx.out);
    let Some(on) = map.get("on") else {
        cx.out.error("E0202", body.span, "`distinct` has no `on`").help("Name the key: `distinct: {on: [id]}`.");
        return None;
    };
    let on = on.expect_names("`on`", cx.out)?;
    let mut order_by = vec![];
    if let Some(node) = map.get("order_by") {
        for text in node.expect_names("`order_by`", cx.out)? {
            let rendered = cx.templates.expression(&text, cx.out)?;
            let exact = rendered.exact && cx.sources.snippet(text.span) == text.value;
            order_by.extend(parse::order_by(&rendered.text, text.span, exact, cx.out)?);
        }
    }
    let keep = map.get("keep").and_then(|n| n.expect_text("`keep`", cx.out));
    let last = match keep.as_ref().map(|k| k.value.as_str()) {
        None | Some("first") => false,
        Some("last") => true,
        Some(other) => {
            let span = keep.as_ref().map_or(body.span, |k| k.span);
            cx.out.error("E0206", span, format!("`keep` is first or last, not `{other}`")).suggest(other, ["first", "last"]);
            false
        }
    };
    Some((on, order_by, last))
}
