//! `where: <condition>`: keeps the rows for which it is true, and counts the others.

use super::flow::{Change, Flow};
use super::{Clause, Lowering};
use crate::expr::ExprKind;
use crate::spec::yaml::Node;
use crate::types::DataType;

pub struct Where;

impl Clause for Where {
    fn keyword(&self) -> &'static str {
        "where"
    }

    fn summary(&self) -> &'static str {
        "keeps the rows for which a condition is true; the others are counted"
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let body = body?;
        let (condition, data_type) = cx.typed_expression(body, "`where`", &flow)?;
        if !matches!(data_type, DataType::Boolean | DataType::Unknown) {
            cx.out
                .error("E0424", condition.span, format!("the condition of `where` is {data_type}, not a boolean"))
                .help("Write a comparison, such as `status = 'active'`.");
            return None;
        }
        let mut window = None;
        condition.walk(&mut |part| match &part.kind {
            ExprKind::Call(call) if call.over.is_some() => window = window.or(Some(part.span)),
            _ => {}
        });
        if let Some(span) = window {
            cx.out
                .error("E0444", span, "a window function cannot stand in `where`")
                .help("`derive` it in a table of its own and filter in the table that reads it, or keep one row per key with `distinct`.");
            return None;
        }
        flow.relation = flow.relation.filter(condition);
        let why = format!("not {}", cx.sources.snippet(body.span).trim());
        flow.step(self.keyword(), body.span, Change::Drop { after: flow.relation.clone(), why });
        Some(flow)
    }
}
