//! `map:`: exactly these columns.
//!
//! A loaded table without `map` takes all its columns as they are named, and casts them to the contract's types.

use super::flow::{Change, Column, Flow};
use super::mapping::Mapping;
use super::{Clause, Lowering, TableContext};
use crate::diagnostics::{Span, Spanned};
use crate::expr::Expr;
use crate::spec::yaml::{Node, Value};

pub struct Map;

impl Clause for Map {
    fn keyword(&self) -> &'static str {
        "map"
    }

    fn summary(&self) -> &'static str {
        "the table's columns, each an expression with its values, parsing and type"
    }

    fn implied(&self, context: &TableContext) -> bool {
        context.loaded || !context.values.is_empty()
    }

    fn lower(&self, body: Option<&Node>, mut flow: Flow, cx: &mut Lowering) -> Option<Flow> {
        let span = body.map_or(cx.table.name.span, |b| b.span);
        let definitions = match body {
            Some(body) => body.expect_map("`map`", cx.out)?.entries.clone(),
            None => same_names(&flow, span),
        };
        let mut exprs: Vec<(String, Expr)> = vec![];
        let mut columns: Vec<Column> = vec![];
        let mut hidden = vec![];
        let mut whole = true;
        for (name, node) in &definitions {
            if let Some(twin) = columns.iter().find(|c| c.name.eq_ignore_ascii_case(&name.value)) {
                cx.out
                    .error("E0208", name.span, format!("columns `{}` and `{}` differ only in case", twin.name, name.value))
                    .help("Give one of them another name: databases that ignore case would take them for one.");
                whole = false;
                continue;
            }
            let Some(mapping) = Mapping::lower(name, node, &flow, cx) else {
                whole = false;
                continue;
            };
            columns.push(cx.column(&name.value, &mapping.value, mapping.data_type.clone(), &flow));
            let mut hide = |label: &str, expr: Expr| {
                let column = format!("#{label}.{}", name.value);
                exprs.push((column.clone(), expr));
                hidden.push(column);
            };
            if let Some(fails) = mapping.fails {
                hide("fails", fails);
                hide("raw", mapping.raw);
            }
            if let Some(unmapped) = mapping.unmapped {
                hide("unmapped", unmapped);
            }
            exprs.push((name.value.clone(), mapping.value));
        }
        // `distinct` may choose by a column that is not kept, as ORDER BY may in SQL; the engine drops what nobody asks for.
        if cx.table.clauses.get("distinct").is_some() {
            let unmapped = flow.columns.iter().filter(|c| !columns.iter().any(|own| own.name == c.name));
            for column in unmapped {
                let name = input_column(&column.name);
                exprs.push((name.clone(), Expr::column(&column.name, span)));
                hidden.push(name);
            }
        }
        flow.hidden.retain(|h| !hidden.contains(h));
        exprs.extend(flow.hidden.iter().map(|h| (h.clone(), Expr::column(h, span))));
        flow.keys = super::keys::projected(&flow.keys, &exprs);
        flow.relation = flow.relation.project(exprs);
        flow.columns = columns;
        flow.grouped = None;
        flow.hidden.extend(hidden);
        if body.is_some() {
            flow.step(self.keyword(), span, Change::None);
        }
        whole.then_some(flow)
    }
}

/// The hidden name of a column that `map` did not keep.
pub(super) fn input_column(name: &str) -> String {
    format!("#in.{name}")
}

/// The definitions of a table without `map`: every column as it is; what belongs to an outer row is left out.
fn same_names(flow: &Flow, span: Span) -> Vec<(Spanned<String>, Node)> {
    let own = flow.columns.iter().filter(|c| !c.name.starts_with("parent."));
    own.map(|c| {
        let text = format!("\"{}\"", c.name.replace('"', "\"\""));
        (Spanned::new(c.name.clone(), span), Node { value: Value::Text { text, plain: false }, span })
    })
    .collect()
}
