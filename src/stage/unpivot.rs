//! `unpivot: {columns: [...], name: industry, value: x, nulls: drop}`: one row per value, its column's name beside it.

use super::cast;
use super::flow::{Change, Column, Flow, hidden_position};
use super::{Clause, Lowering};
use crate::diagnostics::Spanned;
use crate::expr::{Expr, ExprKind, typing};
use crate::relation::Relation;
use crate::spec::yaml::Node;
use crate::types::DataType;

pub struct Unpivot;

/// What an author wrote.
struct Written {
    columns: Vec<Spanned<String>>,
    name: Spanned<String>,
    value: Spanned<String>,
    keep_nulls: bool,
}

impl Clause for Unpivot {
    fn keyword(&self) -> &'static str {
        "unpivot"
    }

    fn summary(&self) -> &'static str {
        "one row per value of several columns, with the column's name beside it"
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let body = body?;
        let written = decode(body, cx)?;
        let mut taken: Vec<Column> = vec![];
        let mut data_type = DataType::Unknown;
        let mut whole = true;
        for name in &written.columns {
            let expr = Expr::new(ExprKind::Name(vec![name.value.clone()]), name.span);
            let Some(Expr { kind: ExprKind::Column(found), .. }) = cx.resolve(expr, &flow) else {
                whole = false;
                continue;
            };
            let Some(column) = flow.column(&found).cloned() else {
                continue;
            };
            match typing::unify(&data_type, &column.data_type) {
                Some(common) => data_type = common,
                None => {
                    let message = format!("column `{found}` is {}, the columns before it are {data_type}", column.data_type);
                    cx.out
                        .error("E0446", name.span, message)
                        .help("Values that share one column share one type: `derive` them first, or unpivot them apart.");
                    whole = false;
                }
            }
            taken.push(column);
        }
        flow.columns.retain(|c| !taken.iter().any(|t| t.name == c.name));
        for name in [&written.name, &written.value] {
            if flow.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&name.value)) {
                cx.out
                    .error("E0208", name.span, format!("the row already has a column `{}`", name.value))
                    .help("Give the new column another name.");
                whole = false;
            }
        }
        if !whole {
            return None;
        }
        let span = body.span;
        let position = hidden_position(flow.origin.lists.len() + 1);
        let values = taken.iter().map(|column| {
            let raw = Expr::column(&column.name, span);
            let same = column.data_type == data_type || data_type == DataType::Unknown;
            let value = match data_type.is_text() {
                _ if same => raw,
                true => cast::as_text(&raw, &column.data_type),
                false => raw.cast(data_type.clone()),
            };
            (column.name.clone(), value)
        });
        let relation = Relation::Unpivot {
            input: Box::new(flow.relation.clone()),
            values: values.collect(),
            name: written.name.value.clone(),
            value: written.value.value.clone(),
            position: position.clone(),
            keep_nulls: written.keep_nulls,
        };
        let lineage = taken.iter().flat_map(|c| c.lineage.iter().cloned()).collect();
        flow.columns.push(Column { name: written.name.value, data_type: DataType::Text, lineage: [].into(), direct: false });
        flow.columns.push(Column { name: written.value.value, data_type, lineage, direct: taken.iter().all(|c| c.direct) });
        flow.hidden.push(position.clone());
        // The columns that became rows are gone.
        let kept = flow.columns.iter().map(|c| &c.name).chain(&flow.hidden);
        // A row becomes several: what told rows apart no longer does.
        flow.keys.clear();
        flow.relation = relation.project(kept.map(|c| (c.clone(), Expr::column(c, span))).collect());
        flow.origin.lists.push(self.keyword().to_string());
        let list = taken.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        flow.step(self.keyword(), span, Change::Expand { after: flow.relation.clone(), position, list, keep_empty: false });
        Some(flow)
    }
}

fn decode(body: &Node, cx: &mut Lowering) -> Option<Written> {
    let map = body.expect_map("`unpivot`", cx.out)?;
    map.only("`unpivot`", &["columns", "name", "value", "nulls"], cx.out);
    let mut needed = |key: &str| {
        let found = map.get(key);
        if found.is_none() {
            cx.out
                .error("E0202", body.span, format!("`unpivot` has no `{key}`"))
                .help("Write `unpivot: {columns: [a, b], name: kind, value: amount}`.");
        }
        found
    };
    let (columns, name, value) = (needed("columns"), needed("name"), needed("value"));
    let columns = columns?.expect_names("`columns`", cx.out)?;
    let (name, value) = (name?.expect_text("`name`", cx.out)?, value?.expect_text("`value`", cx.out)?);
    if columns.is_empty() {
        cx.out.error("E0202", body.span, "`unpivot` names no columns").help("List the columns that become rows.");
        return None;
    }
    let mut whole = true;
    for (i, column) in columns.iter().enumerate() {
        if columns.iter().take(i).any(|c| c.value == column.value) {
            cx.out.error("E0208", column.span, format!("column `{}` is listed twice", column.value)).help("List it once.");
            whole = false;
        }
    }
    if name.value.eq_ignore_ascii_case(&value.value) {
        cx.out
            .error("E0208", value.span, format!("`name` and `value` are both `{}`", value.value))
            .help("Give each its own name.");
        whole = false;
    }
    let nulls = map.get("nulls").and_then(|n| n.expect_text("`nulls`", cx.out));
    let keep_nulls = match nulls.as_ref().map(|n| (n.value.as_str(), n.span)) {
        None | Some(("drop", _)) => false,
        Some(("keep", _)) => true,
        Some((other, span)) => {
            cx.out.error("E0206", span, format!("`nulls` is drop or keep, not `{other}`")).suggest(other, ["drop", "keep"]);
            false
        }
    };
    whole.then_some(Written { columns, name, value, keep_nulls })
}
