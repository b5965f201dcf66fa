//! The relations that checks name besides their own: are they there, with these columns?
//!
//! In: the lowered tables. Out: diagnostics. Constraints of the target may point to tables that only the target has; what an author
//! writes in `validate` may name those that have a contract.

use super::{ExtractPlan, Inputs, TablePlan};
use crate::check::{Measure, RowCount};
use crate::diagnostics::{Diagnostics, Span};

/// Reports unknown relations and columns in checks and in what extracts expect.
pub fn judge(inputs: &Inputs, extracts: &[ExtractPlan], tables: &[TablePlan], out: &mut Diagnostics) {
    let mut names: Vec<&str> = inputs.spec.extracts.iter().map(|(name, _)| name.value.as_str()).collect();
    names.extend(inputs.spec.tables.iter().map(|t| t.name.value.as_str()));
    for expected in extracts.iter().filter_map(|e| e.extract.expected_rows.as_ref()) {
        count(&expected.value, expected.span, &names, out);
    }
    for table in tables {
        for check in table.checks.iter().filter(|c| !c.declared.enforced) {
            match &check.measure {
                Measure::Count(bound) => count(bound, check.declared.span, &names, out),
                Measure::References { table: to, references, .. } => {
                    let own = tables.iter().find(|t| t.loads.iter().any(|l| l.table == *to) || t.name.value == *to);
                    match own {
                        Some(parent) => columns(parent, references, check.declared.span, out),
                        // A table that could not be lowered has its reasons elsewhere.
                        None if inputs.spec.tables.iter().any(|t| t.name.value == *to) => {}
                        None if inputs.contracts.iter().any(|c| c.table == *to) => {}
                        None => unknown(to, check.declared.span, &names, out),
                    }
                }
                Measure::Total { table: to, other, .. } => {
                    let span = check.declared.span;
                    let source = extracts.iter().find(|e| e.extract.request.name == *to);
                    match (tables.iter().find(|t| t.name.value == *to), source) {
                        (Some(parent), _) => columns(parent, std::slice::from_ref(other), span, out),
                        (None, Some(source)) if !source.source.columns().iter().any(|(name, _)| name == other) => {
                            out.error("E0421", span, format!("extract `{to}` has no column `{other}`"))
                                .suggest(other, source.source.columns().iter().map(|(name, _)| name.as_str()));
                        }
                        (None, Some(_)) => {}
                        (None, None) => count(&RowCount::SameAs(to.clone()), span, &names, out),
                    }
                }
                Measure::Row(_) | Measure::Unique(_) => {}
            }
        }
    }
}

fn count(bound: &RowCount, span: Span, names: &[&str], out: &mut Diagnostics) {
    if let RowCount::SameAs(other) = bound
        && !names.contains(&other.as_str())
    {
        unknown(other, span, names, out);
    }
}

fn columns(parent: &TablePlan, references: &[String], span: Span, out: &mut Diagnostics) {
    for name in references.iter().filter(|name| !parent.columns.iter().any(|c| c.name == **name)) {
        out.error("E0421", span, format!("table `{}` has no column `{name}`", parent.name.value))
            .suggest(name, parent.columns.iter().map(|c| c.name.as_str()));
    }
}

fn unknown(name: &str, span: Span, names: &[&str], out: &mut Diagnostics) {
    out.error("E0210", span, format!("there is no extract or table `{name}`")).suggest(name, names.iter().copied());
}
