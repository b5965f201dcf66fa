//! Looks up references: what rows refer to, among the staged rows and then among those of the target.
//!
//! In: staged tables. Out: for each reference the number of rows that refer to nothing. Only distinct keys that no staged row has are asked
//! of the target, see [`super::existing`]. Does not know about other checks.

use rayon::prelude::*;

use super::Facts;
use super::existing::{self, Lookup, Reference};
use super::judge::{changes, print};
use super::session::{Session, quote};
use super::taken;
use crate::check::{Declared, Measure};
use crate::error::Error;
use crate::expr::{Expr, ExprKind};
use crate::plan::{Plan, TablePlan};
use crate::relation::JoinKind;
use crate::stage::{Change, Join, bare};

/// Looks up the references of all tables, once every table is staged: among the staged rows, then among those of the target.
pub fn judge(plan: &Plan, session: &Session, lookup: Option<&dyn Lookup>, facts: &mut Facts) -> Result<(), Error> {
    let mut checks = vec![];
    for table in plan.tables.iter().filter(|t| !facts.blocked.contains(&t.name.value)) {
        for (i, check) in table.checks.iter().enumerate() {
            if let Measure::References { columns, table: to, references, compared } = &check.measure {
                let parent = parent(plan, to, &check.declared);
                if parent.is_none_or(|p| !facts.blocked.contains(p.name())) {
                    let declared = &check.declared;
                    checks.push(Reference { table, check: i, declared, columns, to, references, compared, parent });
                }
            }
        }
    }
    let known: &Facts = facts;
    let count = |reference: &Reference| {
        let Some(parent) = &reference.parent else { return Ok(0) };
        // Groups of the rows by these columns have the same keys and are fewer.
        let groups = plan.tables.iter().find(|t| !known.blocked.contains(&t.name.value) && are_groups(t, reference));
        if all_met(plan, known, reference, parent, groups.unwrap_or(reference.table)) {
            return Ok(0);
        }
        match groups.map(|t| orphans(reference, &t.name.value, Some(parent), None, session)).transpose()? {
            Some(0) => Ok(0),
            _ => orphans(reference, &reference.table.name.value, Some(parent), None, session),
        }
    };
    let counted = checks.par_iter().map(count).collect::<Result<Vec<u64>, Error>>()?;
    for (reference, mut failing) in checks.iter().zip(counted) {
        let at = (reference.table.name.value.clone(), reference.check);
        if let Some(lookup) = lookup.filter(|_| failing > 0 || reference.parent.is_none()) {
            existing::refer(reference, lookup, session, facts)?;
            if let Some(live) = facts.live.get(&at) {
                failing = orphans(reference, &at.0, reference.parent.as_ref(), Some(live), session)?;
            }
        }
        if let Some(known) = facts.tables.get_mut(&at.0).filter(|_| failing > 0) {
            known.failures.insert(at.1, failing);
        }
    }
    lookup.map_or(Ok(()), |lookup| taken::uniques(plan, lookup, session, facts))
}

/// The relation that a reference points to.
#[derive(Clone, Copy)]
pub enum Parent<'a> {
    Table(&'a TablePlan),
    /// An extract, by name; only what authors write may point there.
    Extract(&'a str),
}

impl<'a> Parent<'a> {
    pub fn name(&self) -> &'a str {
        match self {
            Parent::Table(table) => &table.name.value,
            Parent::Extract(name) => name,
        }
    }

    pub fn as_table(&self) -> Option<&'a TablePlan> {
        match self {
            Parent::Table(table) => Some(table),
            Parent::Extract(_) => None,
        }
    }

    /// The columns that a foreign key points to: as written, else the parent's primary key.
    pub fn referenced(&self, references: &[String]) -> Vec<String> {
        if !references.is_empty() {
            return references.to_vec();
        }
        let loads = self.as_table().map(|t| t.loads.as_slice()).unwrap_or_default();
        let contracts = loads.iter().filter_map(|l| l.contract.as_ref());
        contracts.map(|c| c.primary_key.clone()).next().unwrap_or_default()
    }
}

/// The condition that a row refers to nothing, over the alias `child`: neither to a staged row nor to one of those that the target was found
/// to have, which stand in the session's table `live`.
pub fn orphan(
    columns: &[String],
    compared: &[Option<Expr>],
    parent: Option<&Parent>,
    references: &[String],
    live: Option<&str>,
) -> Result<String, Error> {
    let mut conditions: Vec<String> = columns.iter().map(|c| format!("child.{} IS NOT NULL", quote(c))).collect();
    let mut absent = |relation: &str, same: String| {
        conditions.push(format!("NOT EXISTS (SELECT 1 FROM {} AS parent WHERE {same})", quote(relation)));
    };
    if let Some(parent) = parent {
        absent(parent.name(), same(columns, compared, "parent", references)?);
    }
    if let Some(live) = live {
        // It has the keys as they were asked for.
        absent(live, same(columns, &[], "parent", columns)?);
    }
    Ok(conditions.join(" AND "))
}

/// Says that columns of `child` are equal to others of `alias`, in the form in which the target compares them.
pub fn same(columns: &[String], compared: &[Option<Expr>], alias: &str, their: &[String]) -> Result<String, Error> {
    let mut same = vec![];
    for (i, (column, other)) in columns.iter().zip(their).enumerate() {
        let form = compared.get(i).and_then(Option::as_ref);
        same.push(format!("{} = {}", compared_as(form, alias, other)?, compared_as(form, "child", column)?));
    }
    Ok(same.join(" AND "))
}

/// Writes a column of `alias` in a form that was made of some other column; as it is without one.
pub fn compared_as(form: Option<&Expr>, alias: &str, column: &str) -> Result<String, Error> {
    match form {
        Some(form) => print(&renamed(form.clone(), alias, column)),
        None => Ok(format!("{alias}.{}", quote(column))),
    }
}

/// Puts a column of `alias` in the place of every column.
fn renamed(mut form: Expr, alias: &str, column: &str) -> Expr {
    if let ExprKind::Column(_) = form.kind {
        form.kind = ExprKind::Name(vec![alias.to_string(), column.to_string()]);
    }
    for child in form.children_mut() {
        let taken = std::mem::replace(child, Expr::null(child.span));
        *child = renamed(taken, alias, column);
    }
    form
}

/// Whether a table is nothing but the groups of the referring rows by the referring columns, under their names.
fn are_groups(groups: &TablePlan, reference: &Reference) -> bool {
    let [enter, merge, rest @ ..] = groups.steps.as_slice() else { return false };
    let entered = matches!(&enter.change, Change::Enter { from } if *from == reference.table.name.value);
    let merged = matches!(&merge.change, Change::Merge { by, .. } if *by == reference.columns.join(", "));
    let unchanged = |name: &String| {
        let [here, there] = [&reference.table.columns, &groups.columns].map(|c| c.iter().find(|c| c.name == *name));
        here.zip(there).is_some_and(|(here, there)| here.direct && there.direct && here.lineage == there.lineage)
    };
    groups.staged && entered && merged && !rest.iter().any(|s| changes(&s.change)) && reference.columns.iter().all(unchanged)
}

/// Whether a join has looked up the reference already: it starts from the parent's rows, and met all of `rows` by the very columns.
fn all_met(plan: &Plan, facts: &Facts, reference: &Reference, parent: &Parent, rows: &TablePlan) -> bool {
    let there = parent.referenced(reference.references);
    let pairs: Vec<(String, String)> = there.into_iter().zip(reference.columns.iter().cloned()).collect();
    let same = |join: &Join| {
        let keys = join.keys().iter().map(|(l, r)| Some((column(l)?.to_string(), bare(column(r)?).to_string())));
        join.to == rows.name.value && keys.collect::<Option<Vec<_>>>().is_some_and(|keys| !keys.is_empty() && keys == pairs)
    };
    let met = |table: &TablePlan| {
        let [enter, joins @ ..] = table.steps.as_slice() else { return false };
        let known = facts.tables.get(&table.name.value).map(|t| &t.joins);
        let mut joined = joins.iter().enumerate().map_while(|(i, step)| match &step.change {
            Change::Join(join) if join.kind != JoinKind::Full => Some((i + 1, join)),
            _ => None,
        });
        matches!(&enter.change, Change::Enter { from } if from == parent.name())
            && joined.any(|(i, join)| same(join) && known.and_then(|k| k.get(&i)).is_some_and(|k| k.unmatched_right == 0))
    };
    // Rows that were set aside may have met, and rows that they met may have been.
    let complete = || facts.tables.values().all(|t| t.quarantined.rows == 0);
    reference.compared.iter().all(Option::is_none) && complete() && plan.tables.iter().any(met)
}

/// The column that a key is.
fn column(key: &Expr) -> Option<&str> {
    match &key.kind {
        ExprKind::Column(name) => Some(name),
        _ => None,
    }
}

/// Counts the rows of a table with the reference's columns that refer to nothing.
///
/// The engine is several times faster at an anti join than at a NOT EXISTS of the same meaning.
fn orphans(
    reference: &Reference,
    rows: &str,
    parent: Option<&Parent>,
    live: Option<&str>,
    session: &Session,
) -> Result<u64, Error> {
    let references = parent.map_or_else(|| reference.references.to_vec(), |p| p.referenced(reference.references));
    if parent.is_some() && references.len() != reference.columns.len() {
        return Ok(0);
    }
    let columns = reference.columns;
    let without = |relation: &str, alias: &str, same: String| format!(" ANTI JOIN {} AS {alias} ON {same}", quote(relation));
    let staged = match parent {
        Some(parent) => without(parent.name(), "parent", same(columns, reference.compared, "parent", &references)?),
        None => String::new(),
    };
    let live = match live {
        Some(live) => without(live, "live", same(columns, &[], "live", columns)?),
        None => String::new(),
    };
    let there: Vec<String> = columns.iter().map(|c| format!("child.{} IS NOT NULL", quote(c))).collect();
    let sql = format!("SELECT count(*) FROM {} AS child{staged}{live} WHERE {}", quote(rows), there.join(" AND "));
    session.number(&sql)
}

/// Finds what gives the rows of a target table, or has this name: a table of this pipeline, or for what an author wrote an extract.
pub fn parent<'a>(plan: &'a Plan, name: &str, declared: &Declared) -> Option<Parent<'a>> {
    let loads = |t: &&TablePlan| t.loads.iter().any(|l| l.table == name);
    let table = plan.tables.iter().find(loads).or_else(|| plan.table(name)).map(Parent::Table);
    let named = || plan.extracts.iter().map(|e| e.extract.request.name.as_str()).find(|e| *e == name);
    table.or_else(|| if declared.enforced { None } else { named().map(Parent::Extract) })
}
