//! `union: [a, b]`: the rows of several relations, one after the other, their columns matched by name.

use std::collections::BTreeSet;

use super::cast;
use super::flow::{Change, Column, Flow, Origin};
use super::from::read_relation;
use super::{Clause, Lowering};
use crate::diagnostics::{Diagnostics, Spanned};
use crate::expr::{Expr, typing};
use crate::relation::Relation;
use crate::spec::yaml::Node;
use crate::types::DataType;

pub struct Union;

impl Clause for Union {
    fn keyword(&self) -> &'static str {
        "union"
    }

    fn summary(&self) -> &'static str {
        "the rows of several relations, one after the other; columns are matched by name"
    }

    fn reads(&self, body: &Node) -> Vec<Spanned<String>> {
        body.expect_names("`union`", &mut Diagnostics::default()).unwrap_or_default()
    }

    fn lower(&self, body: Option<&Node>, before: Flow, cx: &mut Lowering) -> Option<Flow> {
        let body = body?;
        only_beginning(self.keyword(), body, &before, cx)?;
        let names = body.expect_names("`union`", cx.out)?;
        if names.len() < 2 {
            cx.out
                .error("E0202", body.span, "`union` needs two relations or more")
                .help("Write `union: [a, b]`, or `from: a` for one.");
            return None;
        }
        let mut inputs = vec![];
        for name in &names {
            inputs.push((name, read_relation(&name.value, cx.relations.get(&name.value)?)));
        }
        let columns = common_columns(&inputs, cx)?;
        let origin = common_origin(&inputs);
        let hidden = origin.columns();
        let relations = inputs.iter().map(|(name, flow)| {
            let mut exprs: Vec<(String, Expr)> = columns.iter().map(|c| (c.name.clone(), reconciled(c, name, flow))).collect();
            exprs.extend(hidden.iter().map(|h| (h.clone(), Expr::column(h, name.span))));
            flow.relation.clone().project(exprs)
        });
        let mut flow = Flow::start(Relation::Union { inputs: relations.collect() });
        flow.columns = columns;
        flow.hidden = hidden;
        flow.origin = origin;
        flow.open = inputs.iter().all(|(_, input)| input.open);
        flow.step(self.keyword(), body.span, Change::Union { inputs: names.iter().map(|n| n.value.clone()).collect() });
        Some(flow)
    }
}

/// Reports a table that starts twice: `from`, `union` and `sql` exclude each other.
pub(super) fn only_beginning(keyword: &str, body: &Node, before: &Flow, cx: &mut Lowering) -> Option<()> {
    let Some(first) = before.steps.first() else { return Some(()) };
    cx.out
        .error("E0205", body.span, format!("table `{}` has `{}` and `{keyword}` at once", cx.table.name.value, first.clause))
        .label(first.span, "its rows already come from here")
        .help("Keep one of `from`, `union` and `sql`.");
    None
}

/// Matches the inputs' columns by name, in the order of the first; reports what one input lacks and types that have nothing in common.
fn common_columns(inputs: &[(&Spanned<String>, Flow)], cx: &mut Lowering) -> Option<Vec<Column>> {
    let mut columns: Vec<Column> = vec![];
    for (_, flow) in inputs {
        let new = flow.columns.iter().filter(|c| !columns.iter().any(|known| known.name == c.name)).cloned().collect::<Vec<_>>();
        columns.extend(new);
    }
    let mut whole = true;
    for column in &mut columns {
        let mut seen: Option<(&str, DataType)> = None;
        let mut lineage = BTreeSet::new();
        for (name, flow) in inputs {
            let Some(own) = flow.column(&column.name) else {
                // A source that was only looked at in part may still have it.
                if !flow.open {
                    let holder = inputs.iter().find(|(_, f)| f.column(&column.name).is_some());
                    let holder = holder.map_or("", |(name, _)| name.value.as_str());
                    let message = format!("`{}` has no column `{}`, which `{holder}` has", name.value, column.name);
                    let own = flow.columns.iter().map(|c| c.name.as_str());
                    let names: Vec<&str> = own.filter(|c| inputs.iter().any(|(_, f)| f.column(c).is_none())).collect();
                    cx.out.error("E0445", name.span, message).suggest(&column.name, names.iter().copied()).help(format!(
                        "Give both the same columns: `derive: {{{}: null}}` adds it, `map` takes it away.",
                        column.name
                    ));
                    whole = false;
                }
                continue;
            };
            lineage.extend(own.lineage.iter().cloned());
            column.direct &= own.direct;
            let Some((first, data_type)) = &seen else {
                seen = Some((&name.value, own.data_type.clone()));
                continue;
            };
            match typing::unify(data_type, &own.data_type) {
                Some(common) => seen = Some((first, common)),
                None => {
                    let (column, other, input) = (&column.name, &own.data_type, &name.value);
                    let message = format!("column `{column}` is {data_type} in `{first}` and {other} in `{input}`");
                    cx.out
                        .error("E0446", name.span, message)
                        .help("Give them one type before they meet: `map` or `derive` with `type:` in one of the tables.");
                    whole = false;
                }
            }
        }
        column.data_type = seen.map_or(DataType::Unknown, |(_, data_type)| data_type);
        column.lineage = lineage;
    }
    whole.then_some(columns)
}

/// A column of one input in the common type.
fn reconciled(column: &Column, name: &Spanned<String>, flow: &Flow) -> Expr {
    let span = name.span;
    match flow.column(&column.name) {
        None => Expr::null(span),
        Some(own) if own.data_type == column.data_type || column.data_type == DataType::Unknown => Expr::column(&own.name, span),
        Some(own) if column.data_type.is_text() => cast::as_text(&Expr::column(&own.name, span), &own.data_type),
        // Nothing is lost by a cast to the common type; a number that would not fit after all must stop the run, so no TRY_CAST.
        Some(own) => Expr::column(&own.name, span).cast(column.data_type.clone()),
    }
}

/// The rows' origin where all inputs descend from one source; a record may then come twice.
fn common_origin(inputs: &[(&Spanned<String>, Flow)]) -> Origin {
    let Some((_, first)) = inputs.first() else {
        return Origin::default();
    };
    if inputs.iter().any(|(_, flow)| flow.origin.source != first.origin.source || flow.origin.source.is_none()) {
        return Origin::default();
    }
    let same_lists = inputs.iter().all(|(_, flow)| flow.origin.lists == first.origin.lists);
    let lists = if same_lists { first.origin.lists.clone() } else { vec![] };
    Origin { source: first.origin.source.clone(), lists, shared: true, others: vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relation::ROW;

    #[test]
    fn rows_of_one_source_keep_their_record() {
        let mut sources = crate::diagnostics::SourceMap::default();
        let span = crate::diagnostics::Span { file: sources.add("t", ""), start: 0, end: 0 };
        let name = Spanned::new("a".to_string(), span);
        let raw = Flow::of_source("raw", &[], true);
        let mut unnested = raw.clone();
        unnested.origin.lists.push("goals".to_string());
        let other = Flow::of_source("other", &[], true);
        let origin = common_origin(&[(&name, raw.clone()), (&name, unnested)]);
        assert_eq!(origin, Origin { source: Some("raw".to_string()), lists: vec![], shared: true, others: vec![] });
        assert_eq!(origin.columns(), [ROW]);
        assert_eq!(common_origin(&[(&name, raw), (&name, other)]), Origin::default());
    }
}
