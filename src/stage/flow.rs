//! What flows from clause to clause while a table is lowered: its relation, its columns and the books kept about its rows.
//!
//! Does not know about YAML or about any one clause.

use std::collections::BTreeSet;

use super::file::FilePlan;
use super::group::Grouped;
use super::join::Join;
use super::keys::Key;
use super::load::LoadPlan;
use super::validate::PlannedCheck;
use super::view::ViewPlan;
use crate::diagnostics::Span;
use crate::relation::{ROW, Relation};
use crate::types::DataType;

/// The state of a table after some of its clauses.
#[derive(Clone, Debug)]
pub struct Flow {
    pub relation: Relation,
    /// The columns that expressions can name. A name may have dots: `parent.slug`.
    pub columns: Vec<Column>,
    /// The books' own columns that the relation carries besides.
    pub hidden: Vec<String>,
    pub origin: Origin,
    /// Whether columns may exist that nobody has seen yet, since a source was only looked at in part.
    pub open: bool,
    /// Whether rows come in the order of their source; else they are sorted before they are staged.
    pub ordered: bool,
    pub steps: Vec<Step>,
    pub checks: Vec<PlannedCheck>,
    /// How many words of check bits and fill bits the relation carries.
    pub words: usize,
    /// The columns that `default` fills, by bit of `#fill`.
    pub fills: Vec<String>,
    pub loads: Vec<LoadPlan>,
    /// An extract whose `columns:` pins types, as it is written: a table that begins with it casts its values itself.
    pub written: Option<Box<Written>>,
    /// Sets of columns that are proven to be unique, with the reason.
    pub keys: Vec<Key>,
    /// The files that the rows are written to.
    pub files: Vec<FilePlan>,
    /// The views that its stages become.
    pub views: Vec<ViewPlan>,
    /// After `group_by`: what `map` may speak of besides the keys.
    pub grouped: Option<Grouped>,
}

/// An extract before the casts to its pinned types.
#[derive(Clone, Debug)]
pub struct Written {
    pub flow: Flow,
    pub pins: Vec<(String, DataType)>,
}

/// A column that expressions can name.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
    /// The fields of sources that its values come from.
    pub lineage: BTreeSet<Lineage>,
    /// Whether its values are a source's own, unchanged.
    pub direct: bool,
}

/// A field of a source: `raw` and `profile.age`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lineage {
    pub source: String,
    pub path: String,
}

/// Where the rows come from: a source's records, and the lists unnested on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub source: Option<String>,
    /// One path per unnest; the positions are in `#1`, `#2`, ...
    pub lists: Vec<String>,
    /// Whether several rows may have the same origin, so that it does not tell one from another.
    pub shared: bool,
    /// Where rows come from that a full join took from its right side alone: hidden columns with the numbers of records, and the sources.
    pub others: Vec<(String, String)>,
}

impl Origin {
    /// The hidden columns that tell a row's origin: its own first, then those of `others`.
    pub fn columns(&self) -> Vec<String> {
        self.own().into_iter().chain(self.others.iter().map(|(column, _)| column.clone())).collect()
    }

    fn own(&self) -> Vec<String> {
        self.source.iter().map(|_| ROW.to_string()).chain((1..=self.lists.len()).map(hidden_position)).collect()
    }

    /// The columns that put rows into one order, the same in every run: their origin, then all columns if that does not tell them apart.
    pub fn order(&self, columns: &[Column]) -> Vec<String> {
        let visible = columns.iter().map(|c| c.name.clone());
        match self.source {
            Some(_) if self.shared => self.own().into_iter().chain(visible).collect(),
            Some(_) => self.own(),
            None => visible.chain(self.own()).collect(),
        }
    }
}

/// The hidden column of the position in the `level`-th unnested list.
pub fn hidden_position(level: usize) -> String {
    format!("#{level}")
}

/// One line of the ledger.
#[derive(Clone, Debug)]
pub struct Step {
    /// The clause, so that the stage is `table.clause`.
    pub clause: &'static str,
    pub span: Span,
    pub change: Change,
}

/// What a stage does to the number of rows; who counts it is the engine's business.
#[derive(Clone, Debug)]
pub enum Change {
    /// Rows out are rows in.
    None,
    /// The rows of this source or table enter.
    Enter { from: String },
    /// Each row becomes as many as its list has elements (where empty lists are kept, at least one); the relation has them, with the
    /// position in this column.
    Expand { after: Relation, position: String, list: String, keep_empty: bool },
    /// Rows leave; the relation has those that stay.
    Drop { after: Relation, why: String },
    /// Rows with equal keys become one; the relation has the groups.
    Merge { after: Relation, by: String },
    /// The rows of these sources and tables enter, one after the other.
    Union { inputs: Vec<String> },
    /// The rows of an author's own query enter; the relation has them.
    Query { after: Relation, reads: Vec<String> },
    /// NULLs are filled, rows stay.
    Fill,
    /// Rows are judged.
    Judge,
    /// Rows meet those of another relation; see [`Join`].
    Join(Box<Join>),
    /// Rows reach the target.
    Load { target: String },
    /// The stages become a view of the target.
    View { name: String },
    /// Rows reach a file.
    Write { file: String },
}

impl Flow {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Notes a step of the ledger.
    pub fn step(&mut self, clause: &'static str, span: Span, change: Change) {
        self.steps.push(Step { clause, span, change });
    }
}
