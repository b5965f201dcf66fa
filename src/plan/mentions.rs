//! The relations that checks name besides their own: are they there, with these columns, of types that can be compared?
//!
//! In: the lowered tables. Out: diagnostics. Constraints of the target may point to tables that only the target has; what an author
//! writes in `validate` may name those that have a contract.

use super::{ExtractPlan, Inputs, TablePlan};
use crate::check::{Agreement, Measure, RowCount};
use crate::diagnostics::{Diagnostics, Span};
use crate::types::DataType;

/// Reports unknown relations and columns in checks and in what extracts expect.
pub fn judge(inputs: &Inputs, extracts: &[ExtractPlan], tables: &[TablePlan], out: &mut Diagnostics) {
    let mut names: Vec<&str> = inputs.spec.extracts.iter().map(|(name, _)| name.value.as_str()).collect();
    names.extend(inputs.spec.tables.iter().map(|t| t.name.value.as_str()));
    for expected in extracts.iter().filter_map(|e| e.extract.expected_rows.as_ref()) {
        count(&expected.value, expected.span, &names, out);
    }
    let relation = |name: &str| Other::find(name, extracts, tables);
    for table in tables {
        for check in table.checks.iter().filter(|c| !c.declared.enforced) {
            let span = check.declared.span;
            match &check.measure {
                Measure::Count(bound) => count(bound, span, &names, out),
                Measure::References { table: to, references, .. } => {
                    let loads = tables.iter().find(|t| t.loads.iter().any(|l| l.table == *to)).map(Other::table);
                    match loads.or_else(|| relation(to)) {
                        Some(parent) => {
                            for name in references {
                                let _ = parent.column(name, span, out);
                            }
                        }
                        // A table that could not be lowered has its reasons elsewhere.
                        None if inputs.spec.tables.iter().any(|t| t.name.value == *to) => {}
                        None if inputs.contracts.iter().any(|c| c.table == *to) => {}
                        None => unknown(to, span, &names, out),
                    }
                }
                Measure::Total { column, table: to, other } => match relation(to) {
                    Some(there) => {
                        let here = table.columns.iter().find(|c| c.name == *column).map(|c| &c.data_type);
                        let there_type = there.column(other, span, out);
                        number(column, here, span, out);
                        number(&format!("{to}.{other}"), there_type, span, out);
                    }
                    None => count(&RowCount::SameAs(to.clone()), span, &names, out),
                },
                Measure::Agreement(agreement) => match relation(&agreement.table) {
                    Some(there) => comparable(table, agreement, &there, span, out),
                    None => count(&RowCount::SameAs(agreement.table.clone()), span, &names, out),
                },
                Measure::Fresh { column, .. } => {
                    let here = table.columns.iter().find(|c| c.name == *column).map(|c| &c.data_type);
                    let timed = |t: &DataType| {
                        matches!(t, DataType::Date | DataType::Timestamp(_) | DataType::TimestampTz(_) | DataType::Unknown)
                    };
                    if let Some(data_type) = here.filter(|t| !timed(t)) {
                        out.error("E0419", span, format!("`fresh` needs a date or time: column `{column}` is {data_type}"))
                            .help(format!("Cast it where it is made: `{column}: {{from: {column}, type: timestamp}}`."));
                    }
                }
                Measure::Row(_) | Measure::Unique(_) => {}
            }
        }
    }
}

/// Another relation of the pipeline.
struct Other<'a> {
    what: &'static str,
    name: &'a str,
    columns: Vec<(&'a str, &'a DataType)>,
    /// Whether it has no columns that nobody has seen yet.
    whole: bool,
}

impl<'a> Other<'a> {
    fn find(name: &str, extracts: &'a [ExtractPlan], tables: &'a [TablePlan]) -> Option<Other<'a>> {
        let extract = |e: &'a ExtractPlan| Other {
            what: "extract",
            name: &e.extract.request.name,
            columns: e.columns().iter().map(|(name, t)| (name.as_str(), t)).collect(),
            whole: e.source.complete(),
        };
        let table = tables.iter().find(|t| t.name.value == name).map(Other::table);
        table.or_else(|| extracts.iter().find(|e| e.extract.request.name == name).map(extract))
    }

    fn table(table: &'a TablePlan) -> Other<'a> {
        let columns = table.columns.iter().map(|c| (c.name.as_str(), &c.data_type)).collect();
        Other { what: "table", name: &table.name.value, columns, whole: true }
    }

    /// Returns the type of a column, or reports that there is none.
    fn column(&self, name: &str, span: Span, out: &mut Diagnostics) -> Option<&'a DataType> {
        let found = self.columns.iter().find(|(known, _)| *known == name);
        if found.is_none() && self.whole {
            out.error("E0421", span, format!("{} `{}` has no column `{name}`", self.what, self.name))
                .suggest(name, self.columns.iter().map(|(known, _)| *known));
        }
        found.map(|(_, data_type)| *data_type)
    }
}

/// Reports the sum of what is no number.
fn number(name: &str, data_type: Option<&DataType>, span: Span, out: &mut Diagnostics) {
    if let Some(data_type) = data_type.filter(|t| !t.is_number() && **t != DataType::Unknown) {
        out.error("E0415", span, format!("`total` needs numbers: `{name}` is {data_type}"))
            .help("Cast the column where it is made, with `type: \"decimal(12,2)\"` in `map` or `columns:` of the extract.");
    }
}

/// Reports columns of an agreement that are not there, or that can only be equal after a conversion that nobody asked for.
fn comparable(table: &TablePlan, agreement: &Agreement, there: &Other, span: Span, out: &mut Diagnostics) {
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let others: Vec<&str> = there.columns.iter().map(|(name, _)| *name).collect();
    for (here, other) in agreement.keys.iter().chain(&agreement.compared(&names, &others)) {
        let own = table.columns.iter().find(|c| c.name == *here).map(|c| &c.data_type);
        let (Some(l), Some(r)) = (own, there.column(other, span, out)) else { continue };
        if !l.compares_with(r) {
            let message = format!("`agrees_with` compares different types: `{here}` is {l}, `{}.{other}` is {r}", there.name);
            out.error("E0417", span, message).help(format!(
                "Cast one of them where it is made (`type:` in `map`, `columns:` of the extract), or leave it out: `columns: [...]` names what is compared with `{}`.",
                there.name
            ));
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

fn unknown(name: &str, span: Span, names: &[&str], out: &mut Diagnostics) {
    out.error("E0210", span, format!("there is no extract or table `{name}`")).suggest(name, names.iter().copied());
}
