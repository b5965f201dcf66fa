//! The plan of a run: which tables there are, in which order, what each stage does to its rows, and what must hold of them.
//!
//! In: a [`PipelineSpec`] and the columns of its sources. Out: a [`Plan`]. After this, every name means something, every expression
//! has been typed by the engine, the graph has no cycle and each check knows how it is measured.
//! Does not know how a query is run or a script is written.

mod copies;
mod graph;
pub mod lineage;
mod mentions;
mod order;
mod pins;
pub mod render;
mod rules;
mod select;
mod sources;
mod spoken;
mod tables;
mod transforms;
mod upserts;
mod views;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use petgraph::graph::DiGraph;

pub use pins::Pinned;
pub use select::Selection;
pub use sources::{Extract, extracts};
pub use views::View;

use crate::contract::Contract;
use crate::diagnostics::{Diagnostics, SourceMap, Spanned};
use crate::relation::Relation;
use crate::source::{self, Source};
use crate::spec::template::Templates;
use crate::spec::{PipelineSpec, Project, TargetSpec};
use crate::stage::{Binder, Column, FilePlan, LoadPlan, Origin, PlannedCheck, Step, ViewPlan};
use crate::target::Target;

/// Everything that a run will do, in a form that can be shown.
pub struct Plan {
    pub pipeline: String,
    pub target: TargetSpec,
    pub dialect: &'static dyn Target,
    pub extracts: Vec<ExtractPlan>,
    /// In an order that has every table after those it reads.
    pub tables: Vec<TablePlan>,
    /// Extracts and tables by name; an edge runs from what is read to its reader.
    pub graph: DiGraph<String, ()>,
    /// Indices into `tables` and their loads: parents of foreign keys come first.
    pub load_order: Vec<(usize, usize)>,
    /// Whether foreign keys form a cycle, so that they must be checked at the end.
    pub deferred: bool,
    /// The views that tables become, written.
    pub views: Vec<View>,
}

/// A source with its columns.
pub struct ExtractPlan {
    pub extract: Extract,
    pub source: Arc<dyn Source>,
    /// What its readers meet, where `columns:` pins types.
    pub pinned: Option<Pinned>,
}

/// One table, lowered.
#[derive(Debug)]
pub struct TablePlan {
    pub name: Spanned<String>,
    /// The rows with everything the books keep: visible columns, origin, check and fill bits, raw values of casts.
    pub relation: Relation,
    pub columns: Vec<Column>,
    pub hidden: Vec<String>,
    pub origin: Origin,
    pub ordered: bool,
    pub steps: Vec<Step>,
    pub checks: Vec<PlannedCheck>,
    /// How many `#bad` words the relation has.
    pub words: usize,
    /// Filled columns, by bit of `#fill`.
    pub fills: Vec<String>,
    pub loads: Vec<LoadPlan>,
    pub files: Vec<FilePlan>,
    pub views: Vec<ViewPlan>,
    pub quarantine: bool,
    /// All texts that columns can have, of those of which that is known; NULL aside. Only of staged tables.
    pub texts: source::Texts,
    /// Whether the rows are staged as a table; else readers compute them anew from a view.
    pub staged: bool,
}

impl TablePlan {
    /// The columns that put the rows into one order, the same in every run.
    pub fn order(&self) -> Vec<String> {
        self.origin.order(&self.columns)
    }

    /// The columns that a staged table keeps of the books: the origin and the bits.
    pub fn kept_hidden(&self) -> Vec<String> {
        let mut kept = self.origin.columns();
        kept.extend((0..self.words).map(|w| format!("#bad{w}")));
        kept.extend((!self.fills.is_empty()).then(|| "#fill".to_string()));
        // Rows in quarantine show what was written, so the values before their casts stay.
        kept.extend(self.hidden.iter().filter(|h| self.quarantine && h.starts_with("#raw.")).cloned());
        kept
    }
}

/// What a plan is built from.
pub struct Inputs<'a> {
    pub project: &'a Project,
    pub spec: &'a PipelineSpec,
    pub target: TargetSpec,
    pub dialect: &'static dyn Target,
    pub contracts: &'a [Arc<Contract>],
    pub templates: &'a Templates,
    pub binder: &'a dyn Binder,
    pub selection: Selection,
    /// `vars.namespace` as 32 hexadecimal digits.
    pub namespace: String,
}

/// Reports what is wrong with a pipeline as far as it can be told without its sources: names, circles and files of transforms.
pub fn survey(spec: &PipelineSpec, project: &Project, templates: &Templates, sources: &mut SourceMap, out: &mut Diagnostics) {
    transforms::read(spec, project, templates, sources, out);
    // The order itself is of no use without sources.
    let _ = graph::order(spec, out);
}

/// Builds the plan: order, lowering, rules, selection and load order, in this sequence.
pub fn build(inputs: &Inputs, mut extracts: Vec<ExtractPlan>, sources: &mut SourceMap, out: &mut Diagnostics) -> Option<Plan> {
    let shared = transforms::read(inputs.spec, inputs.project, inputs.templates, sources, out);
    let (graph, sequence) = graph::order(inputs.spec, out)?;
    let relations = pins::relations(inputs, &mut extracts);
    let texts = extracts.iter().map(|e| (e.extract.request.staged(), e.source.texts())).collect();
    let mut tables = tables::lower(inputs, relations, texts, &sequence, &shared, sources, out);
    mentions::judge(inputs, &extracts, &tables, out);
    rules::apply(inputs, &tables, out);
    select::apply(&inputs.selection, &mut tables, &graph, out);
    pins::note_readers(inputs, &tables, &mut extracts);
    upserts::judge(inputs, &tables, out);
    let views = views::write(inputs, &extracts, &tables, out);
    let (load_order, deferred) = order::loads(&tables, out);
    if out.has_errors() {
        return None;
    }
    Some(Plan {
        pipeline: inputs.spec.name.value.clone(),
        target: inputs.target.clone(),
        dialect: inputs.dialect,
        extracts,
        tables,
        graph,
        load_order,
        deferred,
        views,
    })
}

impl Plan {
    pub fn table(&self, name: &str) -> Option<&TablePlan> {
        self.tables.iter().find(|t| t.name.value == name)
    }

    /// The files that the extracts read, by extract.
    pub fn files(&self) -> BTreeMap<String, Vec<PathBuf>> {
        self.extracts.iter().map(|e| (e.extract.request.name.clone(), e.extract.request.files.clone())).collect()
    }
}
