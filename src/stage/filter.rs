//! `where: <condition>`: keeps the rows for which it is true, and counts the others.

use super::flow::{Change, Flow};
use super::{Clause, Lowering};
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
        flow.relation = flow.relation.filter(condition);
        let why = format!("not {}", cx.sources.snippet(body.span).trim());
        flow.step(self.keyword(), body.span, Change::Drop { after: flow.relation.clone(), why });
        Some(flow)
    }
}
