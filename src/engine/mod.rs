//! Runs a plan in the embedded DuckDB: stages in parallel, judged and counted.
//!
//! In: a [`Plan`]. Out: a [`RunReport`] and the staged tables in the [`Session`].
//! Does not know how reports are printed or scripts are written.

mod agreement;
mod books;
mod broken_rows;
mod carried;
mod engine_types;
pub mod existing;
mod findings;
mod firsts;
mod folding;
mod fresh;
mod joins;
mod judge;
mod ledger;
mod numbered;
mod order;
mod packed;
mod partners;
mod pieces;
mod pins;
mod places;
mod quarantine;
mod references;
mod samples;
mod scheduler;
pub mod session;
mod staging;
mod taken;
mod totals;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::plan::{Plan, TablePlan};
use crate::report::{RunReport, Unjudged};
use crate::source::Staging;
use crate::stage::Change;
pub use pieces::parts;
pub use session::{Resources, Session};
pub use staging::count;

/// What a run tells while it goes on.
pub trait Progress: Sync {
    /// A stage of this name begins.
    fn begin(&self, stage: &str);
    /// A stage of this name has ended, with so many rows.
    fn end(&self, stage: &str, rows: u64);
}

/// What is known about each relation after it was staged.
#[derive(Debug, Default)]
pub struct Facts {
    pub sources: BTreeMap<String, u64>,
    pub tables: BTreeMap<String, judge::TableFacts>,
    /// Tables that were not made, since a join of theirs or of a table they read does not hold.
    pub blocked: BTreeSet<String>,
    /// Checks that could not be judged: by table and index, and in words.
    pub skipped: BTreeSet<(String, usize)>,
    pub unjudged: Vec<Unjudged>,
    /// References whose keys the target was asked for: the session's table of those that it has.
    pub live: BTreeMap<(String, usize), String>,
    /// References that the target could not answer, with the reason.
    pub unanswered: BTreeMap<(String, usize), String>,
    /// Unique keys of new rows that the target has already.
    pub taken: BTreeMap<(String, usize), taken::Taken>,
}

/// What a run is given besides its plan.
#[derive(Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// Where quarantined rows are written.
    pub out: Option<&'a Path>,
    /// The target, if it can be asked for rows that live there.
    pub target: Option<&'a dyn existing::Lookup>,
}

/// More joins of one table than this are planned without a pass that is dear for many.
const MANY_JOINS: usize = 12;

/// Loads the sources, stages and judges every table, judges what refers to the target's own rows if it can be asked, and writes
/// quarantined rows below `out` if there is one.
///
/// Errors: a source fails, the engine fails, or the run was interrupted. Broken rules are no errors: they are in the report.
pub fn execute(plan: &Plan, session: &Session, around: Surroundings, progress: &dyn Progress) -> Result<RunReport, Error> {
    session.forget_shapes();
    let graph = staging::schedule(plan);
    // Where many tables can be made at once each core has one of its own to work on, and the engine's threads would only wait for each
    // other; where they follow one another, the threads share the work of one.
    if scheduler::width(&graph) >= 4 * rayon::current_num_threads() {
        session.execute("SET threads = 1")?;
    }
    // The engine's time to pull projections up through joins grows with the cube of their number, and gains little.
    let joins = |table: &TablePlan| table.steps.iter().filter(|s| matches!(s.change, Change::Join(_))).count();
    if plan.tables.iter().any(|table| joins(table) > MANY_JOINS) {
        session.execute("SET disabled_optimizers = 'projection_pullup'")?;
    }
    let orders = order::decide(plan);
    let facts = Mutex::new(Facts::default());
    scheduler::run(&graph, &|node| {
        let name = &graph[node];
        progress.begin(name);
        let rows = match plan.extracts.iter().find(|e| e.extract.request.name == *name) {
            Some(extract) => {
                let rows = staging::load(extract, session)?;
                lock(&facts).sources.insert(name.clone(), rows);
                rows
            }
            None => {
                let Some(table) = plan.table(name) else { return Ok(()) };
                if blocked(plan, table, &lock(&facts)) {
                    lock(&facts).blocked.insert(name.clone());
                    return Ok(());
                }
                let order = orders.get(name.as_str()).unwrap_or(&order::Order::Sorted);
                let known = staging::stage(plan, table, order, session, &facts)?;
                let rows = known.rows;
                if !known.broken.is_empty() {
                    lock(&facts).blocked.insert(name.clone());
                }
                lock(&facts).tables.insert(name.clone(), known);
                rows
            }
        };
        progress.end(name, rows);
        Ok(())
    })?;
    let mut facts = facts.into_inner().unwrap_or_else(PoisonError::into_inner);
    references::judge(plan, session, around.target, &mut facts)?;
    findings::judge(plan, session, &mut facts)?;
    let mut report = RunReport::new(plan);
    report.ledger = ledger::lines(plan, &facts);
    report.proofs = ledger::proofs(plan, &facts);
    report.violations = pins::violations(plan, session)?;
    report.violations.extend(samples::violations(plan, session, &facts, &mut report.tolerated)?);
    report.unjudged = judge::unjudged(plan, &facts);
    report.unjudged.append(&mut facts.unjudged);
    if report.failed() {
        // What does not pass is not loaded, so the books must not say so.
        report.ledger.retain(|line| !line.stage.ends_with(".load"));
    }
    report.quarantined = quarantine::write(plan, session, &facts, around.out)?;
    Ok(report)
}

/// Whether a table reads one that was not made.
fn blocked(plan: &Plan, table: &TablePlan, facts: &Facts) -> bool {
    let node = plan.graph.node_indices().find(|n| plan.graph[*n] == table.name.value);
    node.is_some_and(|n| {
        plan.graph.neighbors_directed(n, petgraph::Incoming).any(|read| facts.blocked.contains(&plan.graph[read]))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
