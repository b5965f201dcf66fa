//! `from: raw`: the relation that a table starts with.

use super::flow::{Change, Column, Flow, Origin};
use super::{Clause, Lowering};
use crate::diagnostics::{Diagnostics, Spanned};
use crate::relation::Relation;
use crate::spec::yaml::Node;

pub struct From;

impl Clause for From {
    fn keyword(&self) -> &'static str {
        "from"
    }

    fn summary(&self) -> &'static str {
        "the relation that the table starts with"
    }

    fn reads(&self, body: &Node) -> Vec<Spanned<String>> {
        body.expect_text("`from`", &mut Diagnostics::default()).into_iter().collect()
    }

    fn lower(&self, body: Option<&Node>, _: Flow, cx: &mut Lowering) -> Option<Flow> {
        let from = body?.expect_text("`from`", cx.out)?;
        let read = cx.relations.get(&from.value)?;
        let mut flow = read_relation(&from.value, read);
        flow.step(self.keyword(), from.span, Change::Enter { from: from.value.clone() });
        Some(flow)
    }
}

/// Starts a flow from a finished relation: its rows, its columns and its origin.
pub fn read_relation(name: &str, read: &Flow) -> Flow {
    let mut flow = Flow::start(Relation::scan(name));
    flow.columns = read.columns.clone();
    flow.origin = read.origin.clone();
    flow.hidden = read.origin.columns();
    flow.open = read.open;
    flow.keys = super::keys::known(name, read);
    flow
}

impl Flow {
    /// A flow that has done nothing yet.
    pub fn start(relation: Relation) -> Flow {
        Flow {
            relation,
            columns: vec![],
            hidden: vec![],
            origin: Origin::default(),
            open: false,
            ordered: true,
            steps: vec![],
            checks: vec![],
            words: 0,
            fills: vec![],
            loads: vec![],
            keys: vec![],
            files: vec![],
            grouped: None,
        }
    }

    /// The flow of an extract.
    pub fn of_source(name: &str, columns: &[(String, crate::types::DataType)], complete: bool) -> Flow {
        let mut flow = Flow::start(Relation::scan(name));
        flow.origin = Origin { source: Some(name.to_string()), lists: vec![], shared: false };
        flow.hidden = flow.origin.columns();
        flow.open = !complete;
        flow.keys = vec![super::keys::Key::new([crate::relation::ROW], "each record has its number")];
        flow.columns = columns
            .iter()
            .map(|(column, data_type)| Column {
                name: column.clone(),
                data_type: data_type.clone(),
                lineage: [super::Lineage { source: name.to_string(), path: column.clone() }].into(),
                direct: true,
            })
            .collect();
        flow
    }
}
