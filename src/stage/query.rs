//! `sql: SELECT ...`: rows that no clause can say, by any SELECT over the names of extracts and tables.
//!
//! The engine binds and runs the text; nothing is known of its rows but their columns, so their origin ends here.

use std::collections::BTreeSet;

use super::flow::{Change, Column, Flow, Lineage};
use super::{Clause, Lowering};
use crate::diagnostics::{Diagnostics, Spanned};
use crate::expr::query;
use crate::relation::Relation;
use crate::spec::yaml::Node;
use crate::types::DataType;

pub struct Sql;

impl Clause for Sql {
    fn keyword(&self) -> &'static str {
        "sql"
    }

    fn summary(&self) -> &'static str {
        "the rows of a SELECT over extracts and tables, for what the clauses cannot say"
    }

    fn reads(&self, body: &Node) -> Vec<Spanned<String>> {
        let quiet = &mut Diagnostics::default();
        let Some(text) = body.expect_text("`sql`", quiet) else {
            return vec![];
        };
        // Templates give values, never relations, so any value will do before they can be rendered.
        let plain = without_templates(&text.value);
        let exact = plain == text.value && text.value.len() == (body.span.end - body.span.start) as usize;
        query::read(&plain, text.span, exact, quiet).map(|q| q.reads).unwrap_or_default()
    }

    fn lower(&self, body: Option<&Node>, before: Flow, cx: &mut Lowering) -> Option<Flow> {
        let body = body?;
        super::union::only_beginning(self.keyword(), body, &before, cx)?;
        let text = body.expect_text("`sql`", cx.out)?;
        let rendered = cx.templates.expression(&text, cx.out)?;
        let exact = rendered.exact && cx.sources.snippet(text.span) == text.value;
        let read = query::read(&rendered.text, text.span, exact, cx.out)?;
        let mut whole = true;
        for given in &read.given {
            if cx.relations.keys().any(|name| name.eq_ignore_ascii_case(&given.value)) {
                let message = format!("WITH gives the name `{}`, which a relation of this pipeline has", given.value);
                cx.out.error("E0204", given.span, message).help("Give the part of the query another name.");
                whole = false;
            }
        }
        let mut reads = vec![];
        for name in &read.reads {
            match cx.relations.get(&name.value) {
                Some(flow) => reads.push((name.value.clone(), flow)),
                None => {
                    let names: Vec<&str> = cx.relations.keys().map(String::as_str).collect();
                    let message = format!("there is no extract or table `{}`", name.value);
                    cx.out.error("E0210", name.span, message).suggest(&name.value, names.iter().copied());
                    whole = false;
                }
            }
        }
        if !whole {
            return None;
        }
        let text = rendered.text.trim().trim_end_matches(';').to_string();
        let names = |flow: &Flow| flow.columns.iter().map(|c| c.name.clone()).collect();
        let relation =
            Relation::Query { sql: text, reads: reads.iter().map(|(name, flow)| (name.clone(), names(flow))).collect() };
        let bound = match cx.binder.define(&format!("{}#sql", cx.table.name.value), &relation) {
            Ok(columns) => columns,
            Err(message) => {
                cx.refused(body.span, &message);
                return None;
            }
        };
        let mut flow = Flow::start(relation.clone());
        flow.ordered = read.ordered;
        flow.columns = columns(bound, &reads, body, cx)?;
        let reads = reads.into_iter().map(|(name, _)| name).collect();
        flow.step(self.keyword(), body.span, Change::Query { after: relation, reads });
        Some(flow)
    }
}

/// The query's columns; one that has a name of a relation's column is taken to come from it.
fn columns(bound: Vec<(String, DataType)>, reads: &[(String, &Flow)], body: &Node, cx: &mut Lowering) -> Option<Vec<Column>> {
    let mut columns: Vec<Column> = vec![];
    for (name, data_type) in bound {
        if let Some(twin) = columns.iter().find(|c| c.name.eq_ignore_ascii_case(&name)) {
            cx.out
                .error(
                    "E0208",
                    body.span,
                    format!("the query gives columns `{}` and `{name}`, which differ only in case", twin.name),
                )
                .help("Name each with AS.");
            return None;
        }
        if name.starts_with('#') {
            let message = format!("the query gives a column `{name}`: such names are kept for the books");
            cx.out.error("E0208", body.span, message).help("Rename it with AS.");
            return None;
        }
        let same = reads.iter().filter_map(|(_, flow)| flow.column(&name));
        let lineage: BTreeSet<Lineage> = same.flat_map(|c| c.lineage.iter().cloned()).collect();
        columns.push(Column { name, data_type, lineage, direct: false });
    }
    Some(columns)
}

/// Puts NULL in the place of every template.
fn without_templates(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((_, behind)) = after.split_once("}}") else { break };
        plain.push_str(before);
        plain.push_str("NULL");
        rest = behind;
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::without_templates;

    #[test]
    fn templates_become_null() {
        assert_eq!(without_templates("SELECT {{ a }} + {{b}} FROM x"), "SELECT NULL + NULL FROM x");
        assert_eq!(without_templates("a {{ b"), "a {{ b");
    }
}
