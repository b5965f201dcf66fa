//! `unnest: goals`: one row per element of a list.

use super::flow::{Change, Column, Flow, Lineage, hidden_position};
use super::{Clause, Lowering};
use crate::diagnostics::Spanned;
use crate::expr::{Expr, ExprKind};
use crate::relation::Relation;
use crate::spec::yaml::{Node, Value};
use crate::types::DataType;

/// The hidden column that holds the element while its fields are taken out.
const ELEMENT: &str = "#element";

pub struct Unnest;

impl Clause for Unnest {
    fn keyword(&self) -> &'static str {
        "unnest"
    }

    fn summary(&self) -> &'static str {
        "one row per element of a list; the outer row's columns are `parent.<name>`"
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let body = body?;
        let (path, prefix, keep_empty) = decode(body, cx)?;
        let list = cx.parse(&path)?;
        let list = cx.resolve(list, &flow)?;
        let element_type = match cx.type_of(&list, &flow) {
            DataType::List(element) => *element,
            DataType::Unknown => DataType::Unknown,
            other => {
                cx.out
                    .error("E0423", path.span, format!("`{}` is {other}, not a list", path.value))
                    .help("`unnest` needs a list; a struct's fields are reached by their path, such as `profile.age`.");
                return None;
            }
        };
        let span = path.span;
        let lineage = super::resolve::column("", &list, DataType::Unknown, &flow).lineage;
        let position = hidden_position(flow.origin.lists.len() + 1);
        let list = match element_type {
            // Of a list that is empty everywhere, the engine must still know that it is one.
            DataType::Unknown => list.cast(DataType::List(Box::new(DataType::Text))),
            _ => list,
        };
        let unnested = Relation::Unnest {
            input: Box::new(flow.relation.clone()),
            list,
            element: ELEMENT.to_string(),
            position: position.clone(),
            keep_empty,
        };
        let mut exprs = vec![];
        let mut columns = vec![];
        let mut add = |column: Column, expr: Expr| {
            exprs.push((column.name.clone(), expr));
            columns.push(column);
        };
        let element = Expr::column(ELEMENT, span);
        let named = |name: &str| match (&prefix, name.strip_prefix('#')) {
            (Some(prefix), _) => format!("{prefix}.{name}"),
            // Names with `#` are columns of the books.
            (None, Some(rest)) => format!("_{rest}"),
            (None, None) => name.to_string(),
        };
        let below = |field: &str| {
            let path = |l: &Lineage| {
                if field.is_empty() { l.path.clone() } else { format!("{}.{field}", l.path) }
            };
            lineage.iter().map(|l| Lineage { source: l.source.clone(), path: path(l) }).collect()
        };
        match &element_type {
            DataType::Struct(fields) => {
                for (field, data_type) in fields {
                    let expr = Expr::new(ExprKind::Field(Box::new(element.clone()), field.clone()), span);
                    let name = named(field);
                    add(Column { name, data_type: data_type.clone(), lineage: below(field), direct: true }, expr);
                }
            }
            other => {
                let name = prefix.clone().unwrap_or("value".to_string());
                add(Column { name, data_type: other.clone(), lineage: below(""), direct: true }, element.clone());
            }
        }
        let numbered = !columns_have(&columns_names(&element_type), "position") || prefix.is_some();
        if numbered {
            let counted = Column { name: "position".into(), data_type: DataType::BigInt, lineage: [].into(), direct: false };
            add(counted, Expr::column(&position, span));
        }
        for outer in &flow.columns {
            let name = format!("parent.{}", outer.name);
            add(Column { name, ..outer.clone() }, Expr::column(&outer.name, span));
        }
        for hidden in flow.hidden.iter().chain([&position]) {
            exprs.push((hidden.clone(), Expr::column(hidden, span)));
        }
        flow.keys = super::keys::unnested(&flow.keys, &position, numbered);
        flow.relation = unnested.project(exprs);
        flow.columns = columns;
        flow.hidden.push(position.clone());
        flow.origin.lists.push(path.value.clone());
        // An element of which nothing was seen may have any field.
        flow.open |= element_type == DataType::Unknown;
        let change = Change::Expand { after: flow.relation.clone(), position, list: path.value.clone(), keep_empty };
        flow.step(self.keyword(), body.span, change);
        Some(flow)
    }
}

fn columns_names(element: &DataType) -> Vec<&str> {
    match element {
        DataType::Struct(fields) => fields.iter().map(|(name, _)| name.as_str()).collect(),
        _ => vec![],
    }
}

fn columns_have(names: &[&str], name: &str) -> bool {
    names.contains(&name)
}

fn decode(body: &Node, cx: &mut Lowering) -> Option<(Spanned<String>, Option<String>, bool)> {
    let Value::Map(map) = &body.value else {
        return Some((body.expect_text("`unnest`", cx.out)?, None, false));
    };
    map.only("`unnest`", &["path", "as", "keep_empty"], cx.out);
    let Some(path) = map.get("path") else {
        cx.out.error("E0202", body.span, "`unnest` has no `path`").help("Write `unnest: {path: profile.goals}`.");
        return None;
    };
    let path = path.expect_text("`path`", cx.out)?;
    let prefix = map.get("as").and_then(|n| n.expect_text("`as`", cx.out)).map(|t| t.value);
    let keep_empty = map.get("keep_empty").and_then(|n| n.expect_boolean("`keep_empty`", cx.out)).unwrap_or(false);
    Some((path, prefix, keep_empty))
}
