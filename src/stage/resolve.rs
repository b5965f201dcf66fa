//! Looking names up: `parent.profile.age` becomes a field of a column of the flow.
//!
//! In: an expression with names as written. Out: one whose names are columns, or diagnostics with a did-you-mean.
//! Does not know about clauses.

use std::collections::BTreeSet;

use super::flow::{Column, Flow, Lineage};
use super::lowering::Lowering;
use crate::diagnostics::closest;
use crate::expr::exact::exact_division;
use crate::expr::parse::is_aggregate;
use crate::expr::sure::sure;
use crate::expr::{Expr, ExprKind};
use crate::types::DataType;

impl Lowering<'_> {
    /// Replaces every name by the column or field it means; reports each that means nothing, and aggregates, which no row can have.
    pub fn resolve(&mut self, expr: Expr, flow: &Flow) -> Option<Expr> {
        let resolved = self.resolve_any(expr, flow)?;
        let mut aggregate = None;
        resolved.walk(&mut |part| match &part.kind {
            ExprKind::Call(call) if call.over.is_none() && is_aggregate(&call.function) => {
                aggregate = aggregate.or(Some((part.span, call.function.as_str())));
            }
            _ => {}
        });
        let Some((span, function)) = aggregate else {
            return Some(resolved);
        };
        self.out.error("E0441", span, format!("the aggregate `{function}` stands outside of `group_by` with `map`")).help(
            "Aggregates are columns of `map` in a table with `group_by`; for a value beside each row make it a window function: \
             `sum(x) OVER (PARTITION BY k)`.",
        );
        None
    }

    /// Does the same for an expression that may be an aggregate.
    pub fn resolve_any(&mut self, mut expr: Expr, flow: &Flow) -> Option<Expr> {
        if let Some(grouped) = &flow.grouped {
            grouped.replace(&mut expr);
        }
        let ok = self.resolve_in_place(&mut expr, flow, &mut vec![]);
        if !ok {
            return None;
        }
        let types = |name: &str| flow.column(name).map(|c| c.data_type.clone());
        let expr = exact_division(expr, &types);
        self.unsure |= !sure(&expr, &|name| types(name).or(name.starts_with('#').then_some(DataType::Boolean)));
        let expr = super::functions::expand(expr, self.namespace);
        Some(expr)
    }

    fn resolve_in_place(&mut self, expr: &mut Expr, flow: &Flow, locals: &mut Vec<String>) -> bool {
        match &mut expr.kind {
            ExprKind::Name(parts) => {
                if parts.first().is_some_and(|p| locals.contains(p)) {
                    return true;
                }
                match self.name(parts, expr.span, flow) {
                    Some(resolved) => *expr = resolved,
                    None => return false,
                }
                true
            }
            ExprKind::Lambda { parameters, body } => {
                let outer = locals.len();
                locals.extend(parameters.iter().cloned());
                let ok = self.resolve_in_place(body, flow, locals);
                locals.truncate(outer);
                ok
            }
            _ => expr
                .children_mut()
                .into_iter()
                .map(|child| self.resolve_in_place(child, flow, locals))
                .fold(true, |all, one| all & one),
        }
    }

    fn name(&mut self, parts: &[String], span: crate::diagnostics::Span, flow: &Flow) -> Option<Expr> {
        for taken in (1..=parts.len()).rev() {
            let name = parts[..taken].join(".");
            if let Some(column) = find(flow, &name) {
                return self.fields(column, &parts[taken..], span);
            }
        }
        if flow.open {
            return Some(Expr::null(span));
        }
        let name = parts.join(".");
        if let Some(grouped) = flow.grouped.as_ref().filter(|g| g.had(&name)) {
            let diagnostic =
                self.out.error("E0440", span, format!("column `{name}` is neither a key of `group_by` nor aggregated"));
            diagnostic.help(format!(
                "A group of rows has many values of it: say which, as in `min({name})` or `any_value({name})`, or add it to the keys ({}).",
                grouped.keys()
            ));
            return None;
        }
        let names: Vec<&str> = flow.columns.iter().map(|c| c.name.as_str()).collect();
        let table = self.table.name.value.clone();
        let diagnostic = self.out.error("E0421", span, format!("table `{table}` has no column `{name}` here"));
        if flow.columns.iter().any(|c| c.name == format!("parent.{name}")) {
            diagnostic.help(format!("`{name}` belongs to the outer row: write `parent.{name}`."));
            return None;
        }
        match closest(&name, names.iter().copied()) {
            Some(close) => diagnostic.help(format!("Did you mean `{close}`?")),
            None => diagnostic.help(format!("There are {}.", listing(&names))),
        };
        if self.sources.snippet(span).starts_with('"') {
            diagnostic.help(format!("Double quotes are for names: write '{name}' in single quotes if text is meant."));
        }
        None
    }

    fn fields(&mut self, column: &Column, path: &[String], span: crate::diagnostics::Span) -> Option<Expr> {
        let mut expr = Expr::column(&column.name, span);
        let mut data_type = &column.data_type;
        for part in path {
            match data_type {
                DataType::Struct(fields) => {
                    let found = fields.iter().find(|(f, _)| f == part);
                    let Some((name, inner)) = found.or(fields.iter().find(|(f, _)| f.eq_ignore_ascii_case(part))) else {
                        let message = format!("`{}` has no field `{part}`", column.name);
                        let names: Vec<&str> = fields.iter().map(|(f, _)| f.as_str()).collect();
                        self.out.error("E0422", span, message).suggest(part, names.iter().copied()).help(format!(
                            "Its fields are {}. An optional field that no record has is declared in `extract` with `columns:`.",
                            listing(&names)
                        ));
                        return None;
                    };
                    expr = Expr::new(ExprKind::Field(Box::new(expr), name.clone()), span);
                    data_type = inner;
                }
                DataType::Json { .. } => {
                    let key = Expr::text(format!("$.{part}"), span);
                    expr = Expr::call("json_extract_string", vec![expr, key], span);
                    data_type = &DataType::Text;
                }
                DataType::Unknown => return Some(Expr::null(span)),
                DataType::List(_) => {
                    let list = column.name.clone();
                    self.out
                        .error("E0422", span, format!("`{list}` is a list, so it has no field `{part}`"))
                        .help(format!("Make a table with `unnest: {list}`, or take one element: `{list}[1].{part}`."));
                    return None;
                }
                other => {
                    let message = format!("`{}` is {other}, so it has no field `{part}`", column.name);
                    self.out.error("E0422", span, message);
                    return None;
                }
            }
        }
        Some(expr)
    }
}

/// Finds a column by its exact name, else by its name in another case if that is unambiguous.
fn find<'a>(flow: &'a Flow, name: &str) -> Option<&'a Column> {
    flow.column(name).or_else(|| {
        let mut same = flow.columns.iter().filter(|c| c.name.eq_ignore_ascii_case(name));
        same.next().filter(|_| same.next().is_none())
    })
}

/// Lists names for a message: the first dozen.
pub fn listing(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(12).map(|n| format!("`{n}`")).collect();
    let more = names.len().saturating_sub(shown.len());
    match (shown.is_empty(), more) {
        (true, _) => "none".to_string(),
        (_, 0) => shown.join(", "),
        _ => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Makes the column that a resolved expression defines: its lineage is that of all columns it names.
pub fn column(name: &str, expr: &Expr, data_type: DataType, flow: &Flow) -> Column {
    let mut lineage = BTreeSet::new();
    collect(expr, flow, &mut lineage);
    let direct = match &expr.kind {
        ExprKind::Column(from) => flow.column(from).is_some_and(|c| c.direct),
        ExprKind::Field(..) => true,
        _ => false,
    };
    Column { name: name.to_string(), data_type, lineage, direct }
}

fn collect(expr: &Expr, flow: &Flow, into: &mut BTreeSet<Lineage>) {
    let mut path = vec![];
    let mut at = expr;
    while let ExprKind::Field(inner, field) = &at.kind {
        path.insert(0, field.as_str());
        at = inner;
    }
    if let ExprKind::Column(name) = &at.kind {
        let Some(column) = flow.column(name) else { return };
        for from in &column.lineage {
            let parts: Vec<&str> =
                std::iter::once(from.path.as_str()).filter(|p| !p.is_empty()).chain(path.iter().copied()).collect();
            into.insert(Lineage { source: from.source.clone(), path: parts.join(".") });
        }
        return;
    }
    for child in at.children() {
        collect(child, flow, into);
    }
}
