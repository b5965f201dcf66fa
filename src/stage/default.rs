//! `default: {column: value}`: fills NULLs and missing columns; every fill is counted.

use super::cast;
use super::flow::{Change, Column, Flow};
use super::{Clause, Lowering, TableContext};
use crate::diagnostics::Spanned;
use crate::expr::{BinaryOp, Expr};
use crate::spec::yaml::{Node, Value};
use crate::types::DataType;

/// The hidden column whose bits tell which columns of a row were filled.
pub const FILLED: &str = "#fill";

pub struct Default;

impl Clause for Default {
    fn keyword(&self) -> &'static str {
        "default"
    }

    fn summary(&self) -> &'static str {
        "fills NULLs and missing columns; every fill is counted"
    }

    fn implied(&self, context: &TableContext) -> bool {
        !context.defaults.is_empty()
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let span = body.map_or(cx.table.name.span, |b| b.span);
        let mut fills: Vec<(Spanned<String>, Node)> = match body {
            Some(body) => body.expect_map("`default`", cx.out)?.entries.clone(),
            None => vec![],
        };
        for (column, node) in cx.table.defaults.clone() {
            if !fills.iter().any(|(name, _)| name.value == column) {
                fills.push((Spanned::new(column, node.span), node));
            }
        }
        let mut values = vec![];
        for (name, node) in &fills {
            values.push(value(name, node, &flow, cx)?);
        }
        let mut exprs: Vec<(String, Expr)> = vec![];
        let mut columns = flow.columns.clone();
        for column in &mut columns {
            let here = Expr::column(&column.name, span);
            let expr = match fills.iter().position(|(name, _)| name.value == column.name) {
                Some(i) => {
                    column.direct = false;
                    // What would not cast is NULL by now, but it is not missing: it is reported, not filled.
                    let fails = format!("#fails.{}", column.name);
                    let filled = Expr::call("coalesce", vec![here.clone(), values[i].clone()], span);
                    match flow.hidden.contains(&fails) {
                        true => Expr::case(vec![(Expr::column(fails, span), here)], filled, span),
                        false => filled,
                    }
                }
                None => here,
            };
            exprs.push((column.name.clone(), expr));
        }
        for (i, (name, _)) in fills.iter().enumerate() {
            if flow.column(&name.value).is_none() {
                exprs.push((name.value.clone(), values[i].clone()));
                let data_type = wanted(&name.value, &flow, cx).unwrap_or(DataType::Unknown);
                columns.push(Column { name: name.value.clone(), data_type, lineage: [].into(), direct: false });
            }
        }
        if !fills.is_empty() {
            exprs.push((FILLED.to_string(), mask(&fills, &flow, span)));
            flow.fills = fills.iter().map(|(name, _)| name.value.clone()).collect();
        }
        exprs.extend(flow.hidden.iter().map(|h| (h.clone(), Expr::column(h, span))));
        flow.hidden.push(FILLED.to_string());
        flow.keys = super::keys::projected(&flow.keys, &exprs);
        flow.relation = flow.relation.project(exprs);
        flow.columns = columns;
        flow.step(self.keyword(), span, Change::Fill);
        Some(flow)
    }
}

/// One bit per filled column; columns beyond the 62nd share the last bit.
fn mask(fills: &[(Spanned<String>, Node)], flow: &Flow, span: crate::diagnostics::Span) -> Expr {
    let zero = || Expr::number(0, span).cast(DataType::BigInt);
    fills
        .iter()
        .enumerate()
        .map(|(i, (name, _))| {
            let bit = Expr::number(1_u64 << i.min(62), span);
            let empty = match flow.column(&name.value) {
                Some(_) => Expr::column(&name.value, span).is_null(),
                None => return bit,
            };
            let fails = format!("#fails.{}", name.value);
            let empty = match flow.hidden.contains(&fails) {
                true => empty.and(Expr::column(fails, span).negate()),
                false => empty,
            };
            Expr::case(vec![(empty, bit)], Expr::number(0, span), span)
        })
        .fold(zero(), |sum, bit| sum.binary(BinaryOp::Add, bit))
}

/// The type that the filled column has: its own, else the contract's.
fn wanted(name: &str, flow: &Flow, cx: &Lowering) -> Option<DataType> {
    let own = flow.column(name).map(|c| c.data_type.clone()).filter(|t| *t != DataType::Unknown);
    own.or_else(|| cx.table.contract.as_ref().and_then(|c| c.column(name)).map(|c| c.data_type.clone()))
}

/// Reads a literal or `{expr: ...}`, cast to the column's type.
fn value(name: &Spanned<String>, node: &Node, flow: &Flow, cx: &mut Lowering) -> Option<Expr> {
    let (expr, data_type) = match &node.value {
        Value::Map(map) if map.get("expr").is_some() => {
            map.only("a default", &["expr"], cx.out);
            cx.typed_expression(map.get("expr")?, "`expr`", flow)?
        }
        Value::Text { text, .. } => {
            let text = cx.templates.bare(&Spanned::new(text.clone(), node.span), cx.out)?;
            (Expr::text(text, node.span), DataType::Text)
        }
        Value::List(_) | Value::Map(_) => (Expr::text(node.to_json().to_string(), node.span), DataType::Text),
        _ => {
            let expr = cx.expression(node, "a default")?;
            let data_type = cx.type_of(&expr, flow);
            (expr, data_type)
        }
    };
    let Some(to) = wanted(&name.value, flow, cx) else {
        return Some(expr);
    };
    if to == data_type {
        return Some(expr);
    }
    // The cast fails aloud in the check that follows: a default that does not fit its column is the author's mistake.
    Some(match (&to, &data_type) {
        (DataType::List(_), DataType::Text) => {
            Expr::call("from_json", vec![expr, Expr::text(json_shape(&to), node.span)], node.span)
        }
        _ => cast::to(&expr, &data_type, &to).value,
    })
}

/// The shape that `from_json` reads a list with.
fn json_shape(to: &DataType) -> String {
    match to {
        DataType::List(inner) => format!("[{}]", json_shape(inner)),
        DataType::BigInt | DataType::Integer | DataType::SmallInt => "\"BIGINT\"".to_string(),
        DataType::Boolean => "\"BOOLEAN\"".to_string(),
        _ => "\"VARCHAR\"".to_string(),
    }
}
