//! Decides which tables are copied into the engine, and which are views that their readers compute again.
//!
//! In: a lowered table and how many tables read it. Out: yes or no. A copy costs writing, and memory until the run ends; a view costs its
//! expressions once per reader, of the columns that the reader takes. Does not know how rows are staged.

use crate::check::Measure;
use crate::expr::parse::{is_fleeting, is_quick};
use crate::expr::{Call, Expr, ExprKind};
use crate::stage::{Change, Flow, PlannedCheck, Step};

/// How many views may stand one upon the other: the engine plans each of them anew for whoever reads the last, and what it plans grows faster
/// than their number.
pub const MOST_VIEWS: usize = 8;

/// Which rows a run sets aside.
#[derive(Clone, Copy)]
pub struct SetAside {
    /// Those of this table that fail.
    pub own: bool,
    /// Those of some table, and with them the rows that refer to them.
    pub any: bool,
}

/// Whether a table's rows are copied.
pub fn is_copied(flow: &Flow, readers: usize, aside: SetAside) -> bool {
    let loaded = !flow.loads.is_empty() || !flow.files.is_empty();
    // A view would give each reader values of its own.
    let fleeting = flow.relation.has_expression(&|e| matches!(&e.kind, ExprKind::Call(call) if is_fleeting(&call.function)));
    // Dear work would be done once for its reader and once more to be counted.
    let dear = |step: &Step| matches!(step.change, Change::Merge { .. } | Change::Query { .. });
    let judged = !flow.checks.is_empty() && !is_handed_on(flow, readers, aside);
    fleeting || judged || loaded || readers == 0 || !flow.ordered || flow.steps.iter().any(dear)
}

/// Whether the rows are only looked at one by one, which is cheaper done again than copied: for one reader, or if it is quickly done.
fn is_handed_on(flow: &Flow, readers: usize, aside: SetAside) -> bool {
    let passes = |step: &Step| matches!(step.change, Change::Enter { .. } | Change::None | Change::Fill | Change::Judge);
    let alone = |check: &PlannedCheck| !matches!(check.measure, Measure::Unique(_));
    let once = readers == 1 && flow.checks.iter().all(alone);
    let refers = |check: &PlannedCheck| matches!(check.measure, Measure::References { .. });
    let stays = !(aside.own || aside.any && flow.checks.iter().any(refers));
    let quick = || !flow.relation.has_expression(&|e| !is_light(e));
    stays && flow.steps.iter().all(passes) && (once || quick())
}

/// Whether one node of an expression takes no longer than reading the copy of its value would.
fn is_light(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call(Call { function, over, filter, order_by, .. }) => {
            is_quick(function) && over.is_none() && filter.is_none() && order_by.is_empty()
        }
        ExprKind::Field(..)
        | ExprKind::Like { .. }
        | ExprKind::Subscript(..)
        | ExprKind::List(_)
        | ExprKind::Struct(_)
        | ExprKind::Lambda { .. } => false,
        ExprKind::Name(_)
        | ExprKind::Column(_)
        | ExprKind::Literal(_)
        | ExprKind::Unary(..)
        | ExprKind::Binary(..)
        | ExprKind::IsNull { .. }
        | ExprKind::InList { .. }
        | ExprKind::Between { .. }
        | ExprKind::Case { .. }
        | ExprKind::Cast { .. } => true,
    }
}
