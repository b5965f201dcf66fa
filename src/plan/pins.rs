//! What tables read of an extract: its columns, with the types that `columns:` pins.
//!
//! In: the opened extracts. Out: a flow for each, and for those with pinned types a view under the extract's name, so that a join, a
//! union, a query or a check meets the same values as `from`. A table that begins with the extract casts by itself, so that its own
//! clauses can say what becomes of values that do not cast; for all other readers these are reported at the extract.
//! Does not know about readers' clauses, or about rows.

use std::collections::BTreeMap;

use super::{ExtractPlan, Inputs, TablePlan};
use crate::check::{Measure, RowCount};
use crate::relation::Relation;
use crate::spec::pipeline::TableSpec;
use crate::stage::{Flow, STAGES, pinned_extract};
use crate::types::DataType;

/// An extract whose types are pinned.
#[derive(Debug)]
pub struct Pinned {
    /// The records with their cast values; `#pinned.<column>` is TRUE where one does not cast, and `#written.<column>` is what stands there.
    pub relation: Relation,
    /// The columns as they are read.
    pub columns: Vec<(String, DataType)>,
    /// The columns that a value of which may not cast.
    pub unsure: Vec<String>,
    /// Whether anything reads the extract that does not report for itself what will not cast.
    pub judged: bool,
}

/// Makes the flows of all extracts, and tells the engine what is read under their names.
pub fn relations(inputs: &Inputs, extracts: &mut [ExtractPlan]) -> BTreeMap<String, Flow> {
    let mut relations = BTreeMap::new();
    for plan in extracts {
        let request = &plan.extract.request;
        let raw = Flow::of_source(&request.name, plan.source.columns(), plan.source.complete());
        if request.pins.is_empty() {
            relations.insert(request.name.clone(), raw);
            continue;
        }
        let (seen, judged) = pinned_extract(&request.staged(), raw, &request.pins, plan.extract.span);
        // What the engine has against a view it says again at whoever reads it.
        let _ = inputs.binder.declare(&request.name, &seen.relation);
        plan.pinned = Some(Pinned {
            relation: judged.relation,
            columns: seen.columns.iter().map(|c| (c.name.clone(), c.data_type.clone())).collect(),
            unsure: judged.hidden.iter().filter_map(|h| h.strip_prefix("#pinned.").map(String::from)).collect(),
            judged: false,
        });
        relations.insert(request.name.clone(), seen);
    }
    relations
}

/// Notes which extracts are read by more than tables that begin with them.
pub fn note_readers(inputs: &Inputs, tables: &[TablePlan], extracts: &mut [ExtractPlan]) {
    let kept = |spec: &&TableSpec| tables.iter().any(|t| t.name.value == spec.name.value);
    for plan in extracts {
        let name = &plan.extract.request.name;
        let Some(pinned) = &mut plan.pinned else { continue };
        let clause = |spec: &TableSpec| {
            let others = STAGES.iter().filter(|s| s.keyword() != "from");
            let mut bodies = others.filter_map(|s| spec.clauses.get(s.keyword()).map(|body| s.reads(body)));
            bodies.any(|reads| reads.iter().any(|r| r.value == *name))
        };
        let check = |table: &TablePlan| table.checks.iter().any(|c| !c.declared.enforced && mentions(&c.measure) == Some(name));
        pinned.judged = inputs.spec.tables.iter().filter(kept).any(clause) || tables.iter().any(check);
    }
}

/// The other relation whose values a check reads.
fn mentions(measure: &Measure) -> Option<&String> {
    match measure {
        Measure::References { table, .. } | Measure::Total { table, .. } => Some(table),
        Measure::Agreement(agreement) => Some(&agreement.table),
        Measure::Count(RowCount::SameAs(_)) | Measure::Count(_) => None,
        Measure::Row(_) | Measure::Unique(_) | Measure::Fresh { .. } => None,
    }
}

impl ExtractPlan {
    /// The columns as all but `from` read them.
    pub fn columns(&self) -> &[(String, DataType)] {
        self.pinned.as_ref().map_or(self.source.columns(), |p| &p.columns)
    }
}
