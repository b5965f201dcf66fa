//! `derive: {id: uuid5(slug)}`: adds columns and keeps the others.

use super::flow::{Change, Flow};
use super::mapping::Mapping;
use super::{Clause, Lowering};
use crate::expr::Expr;
use crate::spec::yaml::Node;

pub struct Derive;

impl Clause for Derive {
    fn keyword(&self) -> &'static str {
        "derive"
    }

    fn summary(&self) -> &'static str {
        "adds columns, each an expression, and keeps the others"
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let body = body?;
        let map = body.expect_map("`derive`", cx.out)?;
        let mut whole = true;
        // One column may use the one above it, so each is a projection of its own; the engine folds them into one.
        for (name, node) in &map.entries {
            let Some(mapping) = Mapping::lower(name, node, &flow, cx) else {
                whole = false;
                continue;
            };
            let mut exprs: Vec<(String, Expr)> = flow
                .columns
                .iter()
                .map(|c| &c.name)
                .filter(|c| **c != name.value)
                .chain(&flow.hidden)
                .map(|c| (c.clone(), Expr::column(c, name.span)))
                .collect();
            let column = cx.column(&name.value, &mapping.value, mapping.data_type.clone(), &flow);
            exprs.push((name.value.clone(), mapping.value.clone()));
            if let Some(fails) = &mapping.fails {
                let hidden = format!("#fails.{}", name.value);
                exprs.push((hidden.clone(), fails.clone()));
                exprs.push((format!("#raw.{}", name.value), mapping.raw.clone()));
                flow.hidden.extend([hidden, format!("#raw.{}", name.value)]);
            }
            flow.keys = super::keys::projected(&flow.keys, &exprs);
            flow.relation = flow.relation.project(exprs);
            flow.columns.retain(|c| c.name != name.value);
            flow.columns.push(column);
        }
        flow.step(self.keyword(), body.span, Change::None);
        whole.then_some(flow)
    }
}
