//! `from: raw`: the relation that a table starts with.

use super::cast;
use super::flow::{Change, Column, Flow, Origin, Written};
use super::{Clause, Lowering};
use crate::diagnostics::{Diagnostics, Span, Spanned};
use crate::expr::Expr;
use crate::relation::Relation;
use crate::spec::yaml::Node;
use crate::types::DataType;

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
        let mut flow = match &read.written {
            Some(written) => pinned(written.flow.clone(), &written.pins, from.span),
            None => read_relation(&from.value, read),
        };
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

/// Casts the columns that `columns:` pins, and adds those that no record has; what will not cast is reported by the table.
fn pinned(mut flow: Flow, pins: &[(String, DataType)], span: Span) -> Flow {
    let mut exprs: Vec<(String, Expr)> = vec![];
    let mut hidden = vec![];
    for column in &mut flow.columns {
        let raw = Expr::column(&column.name, span);
        let pin = pins.iter().find(|(name, to)| *name == column.name && casts(&column.data_type, to));
        let Some((name, to)) = pin else {
            exprs.push((column.name.clone(), raw));
            continue;
        };
        let cast = cast::to(&raw, &column.data_type, to);
        if let Some(fails) = cast.fails {
            hidden.extend([(format!("#pinned.{name}"), fails), (format!("#written.{name}"), raw)]);
        }
        exprs.push((name.clone(), cast.value));
        column.data_type = to.clone();
    }
    let unseen: Vec<_> = pins.iter().filter(|(name, _)| !exprs.iter().any(|(known, _)| known == name)).collect();
    for (name, to) in unseen {
        exprs.push((name.clone(), Expr::null(span).cast(to.clone())));
        flow.columns.push(Column { name: name.clone(), data_type: to.clone(), lineage: [].into(), direct: false });
    }
    if pins.is_empty() {
        return flow;
    }
    exprs.extend(flow.hidden.iter().map(|h| (h.clone(), Expr::column(h, span))));
    flow.hidden.extend(hidden.iter().map(|(name, _)| name.clone()));
    exprs.extend(hidden);
    flow.keys = super::keys::projected(&flow.keys, &exprs);
    flow.relation = flow.relation.project(exprs);
    flow
}

/// Makes an extract with pinned types of its records: the relation as all others read it, and the one that tells what does not cast.
///
/// Records that do not cast have NULL there; columns `#pinned.<name>` of the second relation are TRUE for them.
pub fn pinned_extract(staged: &str, mut raw: Flow, pins: &[(String, DataType)], span: Span) -> (Flow, Flow) {
    raw.relation = Relation::scan(staged);
    let judged = pinned(raw.clone(), pins, span);
    let mut seen = judged.clone();
    seen.hidden = seen.origin.columns();
    let kept = seen.columns.iter().map(|c| &c.name).chain(&seen.hidden).map(|c| (c.clone(), Expr::column(c, span))).collect();
    seen.relation = judged.relation.clone().project(kept);
    seen.written = Some(Box::new(Written { flow: raw, pins: pins.to_vec() }));
    (seen, judged)
}

/// Whether a pin is more than what the reader gave already: lists, structs and JSON are read as pinned.
fn casts(from: &DataType, to: &DataType) -> bool {
    from != to && !matches!(to, DataType::Json { .. } | DataType::List(_) | DataType::Struct(_))
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
            written: None,
            keys: vec![],
            files: vec![],
            views: vec![],
            grouped: None,
        }
    }

    /// The flow of an extract.
    pub fn of_source(name: &str, columns: &[(String, crate::types::DataType)], complete: bool) -> Flow {
        let mut flow = Flow::start(Relation::scan(name));
        flow.origin = Origin { source: Some(name.to_string()), lists: vec![], shared: false, others: vec![] };
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
