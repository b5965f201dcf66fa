//! Judges unique keys against rows that already live in the target, as they are once the load has met them.
//!
//! In: staged tables and a [`Lookup`]. Out: for each unique key the rows that repeat one which stays with another row. What a row that is
//! changed gives up, a new row may take; from one changed row to another it cannot pass, since the target looks at every single change.
//! Does not know how a target is reached.

use std::collections::BTreeSet;

use super::Facts;
use super::existing::{Index, Lookup, Part, Question, ask};
use super::judge;
use super::references::compared_as;
use super::session::{Session, quote};
use super::staging::number;
use crate::check::condition::collect_columns;
use crate::check::{Measure, UniqueKey};
use crate::error::Error;
use crate::expr::{Expr, ExprKind};
use crate::plan::{Plan, TablePlan};
use crate::report::Unjudged;
use crate::source::Staging;
use crate::sql::duckdb::type_name;
use crate::stage::{LoadPlan, Mode};
use crate::types::DataType;

/// Rows whose key the target has already.
#[derive(Clone, Debug)]
pub struct Taken {
    pub count: u64,
    /// Holds for these rows, over the alias `child`.
    pub condition: String,
    /// The target's table, as shown.
    pub table: String,
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

/// Whether columns are the key that an author gave to an insertion, and no constraint's.
fn is_own_key(load: &LoadPlan, table: &TablePlan, columns: &[String]) -> bool {
    let enforced = table
        .checks
        .iter()
        .any(|c| c.declared.enforced && matches!(c.measure, Measure::Unique(_)) && c.declared.check.columns() == columns);
    load.mode == Mode::Insert && load.written_key == columns && !enforced
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
        Mode::Replace { scope } if scope.is_empty() => return Ok(None),
        Mode::Replace { .. } => load.key(),
    };
    if plain && !besides.is_empty() && besides.iter().all(|c| columns.contains(c)) {
        // A row with this key is the same row, which is meant to be there already.
        return Ok(None);
    }
    if let Some(why) = undecided(&load.mode, &columns) {
        return Ok(Some(why));
    }
    let Some((parts, only_where)) = written(key) else { return Ok(Some("the target's own expression".to_string())) };
    let sent: Vec<String> = columns.iter().chain(&besides).cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let list: Vec<String> = sent.iter().enumerate().map(|(i, c)| format!("{} AS k{i}", quote(c))).collect();
    let select = format!("SELECT DISTINCT {} FROM {} WHERE {}", list.join(", "), quote(name), judge::takes_part(key)?);
    let question = |columns: &[String], index: Option<Index>| Question {
        schema: load.schema.clone(),
        table: load.table.clone(),
        columns: columns.to_vec(),
        index,
        ..Question::default()
    };
    let index = Index { parts, only_where, nulls_equal: key.nulls_equal, besides: besides.clone() };
    let live = format!("#taken.{name}.{check}");
    if let Some(why) = ask(&live, &select, question(&sent, Some(index)), lookup, session)? {
        return Ok(Some(why));
    }
    if matches!(load.mode, Mode::Upsert { .. }) {
        // What another row gives up since it is changed as well, a row that is new may take; and one that is there, where the target
        // looks at all of them at once.
        let types = session.describe(&format!("SELECT * FROM {}", quote(name)))?;
        let given_up = given_up(table, &besides, &types)?;
        let mut may_take = String::new();
        let there = format!("{live}.there");
        if !lookup.changes_at_once() {
            let own = besides.iter().filter_map(|c| Some(format!("k{}", sent.iter().position(|s| s == c)?)));
            let own = own.collect::<Vec<String>>().join(", ");
            let select = format!("SELECT DISTINCT {own} FROM {} AS live WHERE {given_up}", quote(&live));
            if let Some(why) = ask(&there, &select, question(&besides, None), lookup, session)? {
                return Ok(Some(why));
            }
            may_take = format!(" AND ({own}) NOT IN (SELECT ({own}) FROM {})", quote(&there));
        }
        session.execute(&format!(
            "DELETE FROM {} AS live WHERE {given_up}{may_take}; DROP TABLE IF EXISTS {}",
            quote(&live),
            quote(&there)
        ))?;
    }
    let same: Vec<String> =
        sent.iter().enumerate().map(|(i, c)| format!("live.k{i} IS NOT DISTINCT FROM child.{}", quote(c))).collect();
    let condition = format!("EXISTS (SELECT 1 FROM {} AS live WHERE {})", quote(&live), same.join(" AND "));
    let sql = format!("SELECT count(*) FROM {} AS child WHERE {condition}", quote(name));
    let count = number(session.rows(&sql)?.first().and_then(|r| r.first()));
    if count > 0 {
        facts.taken.insert((name.clone(), check), Taken { count, condition, table: load.shown() });
    }
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
        Mode::Replace { .. } => return Some("rows beyond the `scope` stay".to_string()),
        Mode::Insert | Mode::Append { .. } => return None,
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
