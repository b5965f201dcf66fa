//! Judges unique keys against rows that already live in the target, as they are once the load has met them.
//!
//! In: staged tables and a [`Lookup`]. Out: for each unique key the rows that repeat one which stays with another row. What a row that is
//! changed gives up, a new row may take; from one changed row to another it cannot pass, since the target looks at every single change.
//! Rows beyond a replaced scope stay as they are; those within it that do not come again go before anything else.
//! Does not know how a target is reached.

use std::collections::BTreeSet;

use super::Facts;
use super::existing::{Among, Index, Lookup, Part, Question, ask};
use super::judge;
use super::references::compared_as;
use super::session::{Session, quote};
use crate::check::condition::collect_columns;
use crate::check::{Measure, UniqueKey};
use crate::error::Error;
use crate::expr::{Expr, ExprKind};
use crate::plan::{Plan, TablePlan};
use crate::report::Unjudged;
use crate::source::Staging;
use crate::sql::duckdb::type_name;
use crate::stage::{LoadPlan, Mode, PlannedCheck};
use crate::types::DataType;

/// Rows whose key the target has already.
#[derive(Clone, Debug)]
pub struct Taken {
    pub count: u64,
    /// Holds for these rows, over the alias `child`.
    pub condition: String,
    /// What would be allowed, for the reader.
    pub allowed: String,
    /// What the author may do.
    pub help: &'static str,
}

/// Looks up the unique keys of the rows that are loaded, and notes those that another row of the target keeps.
pub fn uniques(plan: &Plan, lookup: &dyn Lookup, session: &Session, facts: &mut Facts) -> Result<(), Error> {
    for table in plan.tables.iter().filter(|t| t.staged && !facts.blocked.contains(&t.name.value)).collect::<Vec<_>>() {
        for load in &table.loads {
            for (i, check) in table.checks.iter().enumerate() {
                let Measure::Unique(key) = &check.measure else { continue };
                if (check.declared.enforced || is_own_key(load, table, &check.declared.check.columns()))
                    && let Some(why) = unique(table, load, (i, key), lookup, session, facts)?
                {
                    let what = format!("unique {} against rows of the target", check.declared.check.columns().join(", "));
                    facts.unjudged.push(Unjudged { table: table.name.value.clone(), what, why });
                }
            }
        }
    }
    Ok(())
}

/// Whether columns are the key that an author gave to a load that finds none of its rows there, and no constraint's.
fn is_own_key(load: &LoadPlan, table: &TablePlan, columns: &[String]) -> bool {
    let same =
        |c: &PlannedCheck| matches!(&c.measure, Measure::Unique(key) if key.columns == columns && key.only_where.is_none());
    let enforced = table.checks.iter().any(|c| c.declared.enforced && same(c));
    let finds_none = match &load.mode {
        Mode::Insert => true,
        Mode::Replace { scope } => !scope.is_empty(),
        Mode::Upsert { .. } | Mode::Append { .. } => false,
    };
    finds_none && load.written_key == columns && !enforced
}

/// Judges one key; gives the reason where it cannot.
fn unique(
    table: &TablePlan,
    load: &LoadPlan,
    (check, key): (usize, &UniqueKey),
    lookup: &dyn Lookup,
    session: &Session,
    facts: &mut Facts,
) -> Result<Option<String>, Error> {
    let name = &table.name.value;
    let mut columns = vec![];
    key.parts.iter().chain(&key.only_where).for_each(|part| collect_columns(part, &mut columns));
    let plain = key.only_where.is_none() && !key.columns.is_empty();
    let besides = match &load.mode {
        Mode::Insert => vec![],
        Mode::Append { key } | Mode::Upsert { key, .. } => key.clone(),
        Mode::Replace { .. } => load.key(),
    };
    // A row with this key is the same row, which is meant to be there already.
    let same_row = plain && !besides.is_empty() && besides.iter().all(|c| columns.contains(c));
    // What is asked about, each with the columns that make another row of one.
    let asked = match &load.mode {
        Mode::Replace { scope } => {
            let beyond = (!scope.is_empty()).then(|| (Among::Beyond(scope.clone()), vec![]));
            let there = if scope.is_empty() { Among::All } else { Among::Within(scope.clone()) };
            let swapped = !lookup.changes_at_once() && !besides.is_empty() && !same_row;
            beyond.into_iter().chain(swapped.then(|| (there, besides.clone()))).collect()
        }
        Mode::Insert | Mode::Append { .. } | Mode::Upsert { .. } if same_row => vec![],
        Mode::Insert | Mode::Append { .. } | Mode::Upsert { .. } => vec![(Among::All, besides.clone())],
    };
    if asked.is_empty() {
        return Ok(None);
    }
    if let Some(why) = undecided(&load.mode, &columns) {
        return Ok(Some(why));
    }
    let Some((parts, only_where)) = written(key) else { return Ok(Some("the target's own expression".to_string())) };
    let sent: Vec<String> = columns.iter().chain(&besides).cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let list: Vec<String> = sent.iter().enumerate().map(|(i, c)| format!("{} AS k{i}", quote(c))).collect();
    let select = format!("SELECT DISTINCT {} FROM {} WHERE {}", list.join(", "), quote(name), judge::takes_part(key)?);
    let same: Vec<String> =
        sent.iter().enumerate().map(|(i, c)| format!("live.k{i} IS NOT DISTINCT FROM child.{}", quote(c))).collect();
    let mut taken = vec![];
    for (number, (among, besides)) in asked.iter().enumerate() {
        let live = format!("#taken.{name}.{check}.{number}");
        let index = Index {
            parts: parts.clone(),
            only_where: only_where.clone(),
            nulls_equal: key.nulls_equal,
            besides: besides.clone(),
        };
        let question = Question { columns: sent.clone(), index: Some(index), ..about(load, among) };
        if let Some(why) = ask(&live, &select, question, lookup, session)? {
            return Ok(Some(why));
        }
        if matches!(load.mode, Mode::Upsert { .. } | Mode::Replace { .. })
            && !besides.is_empty()
            && let Some(why) = release(table, load, (&live, &sent, besides), among, lookup, session)?
        {
            return Ok(Some(why));
        }
        taken.push(format!("EXISTS (SELECT 1 FROM {} AS live WHERE {})", quote(&live), same.join(" AND ")));
    }
    let condition = format!("({})", taken.join(" OR "));
    let sql = format!("SELECT count(*) FROM {} AS child WHERE {condition}", quote(name));
    let count = session.number(&sql)?;
    if count > 0 {
        let beyond = matches!(asked.first(), Some((Among::Beyond(_), _)));
        let of = if beyond { "beyond the `scope`" } else { "yet" };
        let allowed = format!("a key that `{}` of the target does not have {of}", load.shown());
        let help = match &load.mode {
            _ if beyond => "Rows beyond the `scope` stay as they are: leave the row out with `where`, or widen the scope.",
            Mode::Insert => "Rows that may be there already are loaded with `mode: upsert` or `append`.",
            _ => "The row that has it stays as it is: leave this one out with `where`, or load both so that they differ.",
        };
        facts.taken.insert((name.clone(), check), Taken { count, condition, allowed, help });
    }
    Ok(None)
}

/// A question about rows of a load's table.
fn about(load: &LoadPlan, among: &Among) -> Question {
    Question { schema: load.schema.clone(), table: load.table.clone(), among: among.clone(), ..Question::default() }
}

/// Takes those keys out of `live` whose rows in the target give them up in time; gives the reason where that cannot be said.
///
/// What a row gives up since it is changed, one that is new may take; and one that is there, where the target looks at all of them at
/// once. What a row of a replacement gives up since it goes, any may take.
fn release(
    table: &TablePlan,
    load: &LoadPlan,
    (live, sent, besides): (&str, &[String], &[String]),
    among: &Among,
    lookup: &dyn Lookup,
    session: &Session,
) -> Result<Option<String>, Error> {
    let types = session.describe(&format!("SELECT * FROM {}", quote(&table.name.value)))?;
    let changed = given_up(table, besides, &types)?;
    let (live, there) = (quote(live), format!("{live}.there"));
    let mut stays = "FALSE".to_string();
    if !lookup.changes_at_once() {
        let own = besides.iter().filter_map(|c| Some(format!("k{}", sent.iter().position(|s| s == c)?)));
        let own = own.collect::<Vec<String>>().join(", ");
        let select = format!("SELECT DISTINCT {own} FROM {live} AS live WHERE {changed}");
        if let Some(why) = ask(&there, &select, Question { columns: besides.to_vec(), ..about(load, among) }, lookup, session)? {
            return Ok(Some(why));
        }
        stays = format!("({own}) IN (SELECT ({own}) FROM {})", quote(&there));
    }
    let released = match load.mode {
        // What is not changed goes.
        Mode::Replace { .. } => format!("({changed} AND {stays}) IS NOT TRUE"),
        _ => format!("{changed} AND NOT {stays}"),
    };
    session.execute(&format!("DELETE FROM {live} AS live WHERE {released}; DROP TABLE IF EXISTS {}", quote(&there)))?;
    Ok(None)
}

/// The parts of a key and its condition in the target's words; nothing where these are not known.
fn written(key: &UniqueKey) -> Option<(Vec<Part>, Option<String>)> {
    let told = key.written.as_ref().map_or(&[][..], |w| &w.parts);
    let parts: Vec<Part> = match told {
        [] => key.columns.iter().cloned().map(Part::Column).collect(),
        parts => parts.iter().cloned().map(Part::Written).collect(),
    };
    let only_where = key.written.as_ref().and_then(|w| w.only_where.clone());
    (!parts.is_empty() && key.only_where.is_some() == only_where.is_some()).then_some((parts, only_where))
}

/// Says why what becomes of the rows that are there is known to the target alone.
fn undecided(mode: &Mode, columns: &[String]) -> Option<String> {
    let changes = match mode {
        Mode::Upsert { changes, .. } => changes,
        Mode::Insert | Mode::Append { .. } | Mode::Replace { .. } => return None,
    };
    let left = columns.iter().find(|c| changes.keep.contains(c) || changes.set.iter().any(|(set, _)| set == *c));
    if let Some(column) = left {
        return Some(format!("the upsert does not give `{column}` of a row that is there the value that comes"));
    }
    let watched = &changes.when_changed;
    let may_stay = changes.when.is_some() || !watched.is_empty() && !columns.iter().all(|c| watched.contains(c));
    may_stay.then(|| "the upsert may leave rows that are there as they were".to_string())
}

/// Holds for found keys whose row in the target is itself among the staged ones.
fn given_up(table: &TablePlan, besides: &[String], types: &[(String, DataType)]) -> Result<String, Error> {
    let mut same = vec![];
    for (i, column) in besides.iter().enumerate() {
        let form = form(table, column);
        let mine = compared_as(form, "mine", column)?;
        let data_type = types.iter().find(|(c, _)| c == column).map_or(DataType::Text, |(_, t)| t.clone());
        same.push(match data_type {
            DataType::Bytes => format!("{mine} = unhex(substring(live.\"#{i}\", 3))"),
            _ if form.is_some() => format!("{mine} = {}", compared_as(form, "live", &format!("#{i}"))?),
            _ => format!("{mine} = TRY_CAST(live.\"#{i}\" AS {})", type_name(&data_type)),
        });
    }
    Ok(format!("EXISTS (SELECT 1 FROM {} AS mine WHERE {})", quote(&table.name.value), same.join(" AND ")))
}

/// The form in which the target compares a column of a key, where that is not as it is.
fn form<'a>(table: &'a TablePlan, column: &str) -> Option<&'a Expr> {
    table.checks.iter().find_map(|check| match &check.measure {
        Measure::Unique(key) => {
            let part = key.surely.get(key.columns.iter().position(|c| c == column)?)?;
            (!matches!(part.kind, ExprKind::Column(_))).then_some(part)
        }
        _ => None,
    })
}
