//! The clauses of a table: one file per clause, one line each in [`STAGES`], which is also the order they run in.
//!
//! A clause reads its own YAML and lowers it onto the [`Flow`] of its table: a relation of the closed algebra, the columns it has, and
//! the [`Step`] that the ledger will account for. No clause counts rows or names a dialect.

pub mod cast;
mod changes;
mod default;
mod derive;
mod distinct;
mod file;
mod filter;
mod flow;
mod from;
pub mod functions;
mod group;
mod join;
mod join_condition;
mod keys;
mod load;
mod lowering;
mod map;
mod mapping;
mod query;
pub mod resolve;
mod scope;
pub mod texts;
pub mod unfilled;
mod union;
mod unnest;
mod unpivot;
mod validate;
mod validate_templates;
mod view;

pub use changes::Changes;
pub use file::{FileFormat, FilePlan};
pub use flow::{Change, Column, Flow, Lineage, Origin, Step, hidden_position};
pub use from::pinned_extract;
pub use join::{Expect, Join, Unmatched, bare};
pub use keys::is_made_unique;
pub use load::{LoadPlan, Mode, Scope, destinations, is_loaded, proofread};
pub use lowering::{Binder, Lowering, PerColumn, TableContext, innermost};
pub use validate::{PlannedCheck, on_failure};
pub use view::ViewPlan;

use crate::diagnostics::Spanned;
use crate::spec::yaml::Node;

/// Every clause, in the order they run.
pub const STAGES: &[&dyn Clause] = &[
    &from::From,
    &union::Union,
    &query::Sql,
    &unnest::Unnest,
    &unpivot::Unpivot,
    &join::JoinClause,
    &filter::Where,
    &derive::Derive,
    &group::GroupBy,
    &map::Map,
    &distinct::Distinct,
    &default::Default,
    &validate::Validate,
    &validate::OnFailure,
    &load::Load,
];

/// A clause of a table.
pub trait Clause: Sync {
    /// The key in the table's block.
    fn keyword(&self) -> &'static str;

    /// One line for help and documentation.
    fn summary(&self) -> &'static str;

    /// The relations that the clause reads, so that tables can be put in order before anything is lowered.
    fn reads(&self, body: &Node) -> Vec<Spanned<String>> {
        let _ = body;
        vec![]
    }

    /// Whether the clause has work although the author did not write it.
    fn implied(&self, context: &TableContext) -> bool {
        let _ = context;
        false
    }

    /// Adds the clause to the table's flow; `None` after an error that leaves nothing to go on with.
    fn lower(&self, body: Option<&Node>, flow: Flow, cx: &mut Lowering) -> Option<Flow>;
}

/// Returns the keys that a table's block may have.
pub fn keywords() -> Vec<&'static str> {
    STAGES.iter().map(|s| s.keyword()).collect()
}
