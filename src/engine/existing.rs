//! Judges keys against rows that already live in the target: what a foreign key refers to, and what a new row may not repeat.
//!
//! In: staged tables and a [`Lookup`]. Out: for each question a table of the session with those of the needed keys that the target has.
//! Only distinct keys that are needed are asked for, in portions. Does not know how a target is reached.

use super::Facts;
use super::references::Parent;
use super::session::{Session, quote};
use super::staging::number;
use super::{judge, references};
use crate::check::{Declared, Measure, UniqueKey};
use crate::error::Error;
use crate::expr::ExprKind;
use crate::plan::{Plan, TablePlan};
use crate::report::Unjudged;
use crate::source::Staging;
use crate::stage::{LoadPlan, Mode};
use crate::types::DataType;

/// How many keys travel at a time.
const PORTION: u64 = 20_000;

/// A target that can be asked for keys.
pub trait Lookup: Sync {
    /// Finds those of the keys that the target has.
    ///
    /// Errors: the command was interrupted. A target that cannot answer is no error.
    fn find(&self, question: &Question) -> Result<Answer, Error>;
}

/// Which keys are meant, as texts that the target reads as its own types.
#[derive(Debug, Default)]
pub struct Question {
    /// None is the target's own.
    pub schema: Option<String>,
    pub table: String,
    /// The columns that must be equal; none means the primary key.
    pub columns: Vec<String>,
    /// Columns of which one must differ: a row that has them all is the same row. Their values come last in each key.
    pub besides: Vec<String>,
    pub keys: Vec<Vec<Option<String>>>,
}

/// What the target says.
#[derive(Debug)]
pub enum Answer {
    /// The places of the found keys.
    Found(Vec<usize>),
    /// Why it cannot be said.
    Unknown(String),
}

/// Asks for the keys that `select` gives, and leaves the found ones in the session's table `name`; otherwise says why not.
fn ask(name: &str, select: &str, question: Question, lookup: &dyn Lookup, session: &Session) -> Result<Option<String>, Error> {
    let (table, found) = (quote(name), quote(&format!("{name}.found")));
    session.execute(&format!(
        "CREATE OR REPLACE TABLE {table} AS SELECT row_number() OVER () AS \"#n\", * FROM ({select});
         CREATE OR REPLACE TABLE {found} (n BIGINT)"
    ))?;
    let columns = session.describe(&format!("SELECT * EXCLUDE (\"#n\") FROM {table}"))?;
    let texts = columns.iter().map(|(column, data_type)| match data_type {
        DataType::Bytes => format!("'\\x' || hex({})", quote(column)),
        _ => quote(column),
    });
    let texts: Vec<String> = texts.collect();
    let keys = number(session.rows(&format!("SELECT count(*) FROM {table}"))?.first().and_then(|r| r.first()));
    let mut question = question;
    for first in (0..keys).step_by(PORTION as usize) {
        let sql = format!(
            "SELECT {} FROM {table} WHERE \"#n\" > {first} AND \"#n\" <= {} ORDER BY \"#n\"",
            texts.join(", "),
            first + PORTION
        );
        question.keys = session.rows(&sql)?;
        match lookup.find(&question)? {
            Answer::Unknown(why) => return Ok(Some(why)),
            Answer::Found(places) if places.is_empty() => {}
            Answer::Found(places) => {
                let list: Vec<String> = places.iter().map(|place| (first + *place as u64 + 1).to_string()).collect();
                session.execute(&format!("INSERT INTO {found} SELECT unnest([{}])", list.join(", ")))?;
            }
        }
    }
    session.execute(&format!("DELETE FROM {table} WHERE \"#n\" NOT IN (SELECT n FROM {found}); DROP TABLE {found}"))?;
    Ok(None)
}

/// A foreign key of a table: its columns, and what it points to.
pub struct Reference<'a> {
    pub table: &'a TablePlan,
    pub check: usize,
    pub declared: &'a Declared,
    pub columns: &'a [String],
    pub to: &'a str,
    pub references: &'a [String],
    /// The staged rows, if there are any.
    pub parent: Option<Parent<'a>>,
}

/// Looks up what a reference does not find among the staged rows, and notes the answer.
pub fn refer(reference: &Reference, lookup: &dyn Lookup, session: &Session, facts: &mut Facts) -> Result<(), Error> {
    let table = reference.table;
    // What a replacement leaves out is gone afterwards, so only staged rows count.
    let load = reference.parent.and_then(|p| p.as_table()).and_then(|p| p.loads.iter().find(|l| l.table == reference.to));
    if reference.parent.is_some() && load.is_none_or(|l| matches!(l.mode, Mode::Replace { .. })) {
        return Ok(());
    }
    let references = match &reference.parent {
        Some(parent) => parent.referenced(reference.references),
        None => reference.references.to_vec(),
    };
    let (schema, name) = match load {
        Some(load) => (load.schema.clone(), load.table.clone()),
        None => located(reference),
    };
    let question = Question { schema, table: name, columns: references.clone(), ..Question::default() };
    let list: Vec<String> = reference.columns.iter().map(|c| quote(c)).collect();
    let needed = references::orphan(reference.columns, reference.parent.as_ref(), &references, None);
    let select = format!("SELECT DISTINCT {} FROM {} AS child WHERE {needed}", list.join(", "), quote(&table.name.value));
    let live = format!("#live.{}.{}", table.name.value, reference.check);
    let at = (table.name.value.clone(), reference.check);
    match ask(&live, &select, question, lookup, session)? {
        None => {
            facts.live.insert(at, live);
        }
        Some(why) => {
            facts.unanswered.insert(at, why);
        }
    }
    Ok(())
}

/// The table of the target that a reference means: the contract says it by its parts, an author by a name with a dot.
fn located(reference: &Reference) -> (Option<String>, String) {
    for contract in reference.table.loads.iter().filter_map(|l| l.contract.as_ref()).filter(|_| reference.declared.enforced) {
        let means = |table: &str| reference.to == table || reference.to.ends_with(&format!(".{table}"));
        let key = contract.foreign_keys.iter().find(|k| k.columns == reference.columns && means(&k.table));
        if let Some(key) = key {
            return (key.schema.clone().or_else(|| contract.schema.clone()), key.table.clone());
        }
    }
    match reference.to.split_once('.') {
        Some((schema, table)) => (Some(schema.to_string()), table.to_string()),
        None => (None, reference.to.to_string()),
    }
}

/// Looks up the unique keys of rows that are only inserted or appended, and notes those that the target has.
pub fn uniques(plan: &Plan, lookup: &dyn Lookup, session: &Session, facts: &mut Facts) -> Result<(), Error> {
    for table in plan.tables.iter().filter(|t| t.staged && !facts.blocked.contains(&t.name.value)).collect::<Vec<_>>() {
        for load in &table.loads {
            let besides = match &load.mode {
                Mode::Insert => vec![],
                Mode::Append { key } => key.clone(),
                Mode::Upsert { .. } | Mode::Replace { .. } => continue,
            };
            for (i, check) in table.checks.iter().enumerate() {
                let Measure::Unique(key) = &check.measure else { continue };
                if check.declared.enforced {
                    unique(table, load, (i, key), &besides, lookup, session, facts)?;
                }
            }
        }
    }
    Ok(())
}

fn unique(
    table: &TablePlan,
    load: &LoadPlan,
    (check, key): (usize, &UniqueKey),
    besides: &[String],
    lookup: &dyn Lookup,
    session: &Session,
    facts: &mut Facts,
) -> Result<(), Error> {
    let name = &table.name.value;
    let shown = table.checks[check].declared.check.columns().join(", ");
    let mut unjudged = |why: String| {
        facts.unjudged.push(Unjudged { table: name.clone(), what: format!("unique {shown} against rows of the target"), why });
    };
    let plain = key.parts.iter().map(|part| match &part.kind {
        ExprKind::Column(column) => Some(column.clone()),
        _ => None,
    });
    let columns = match plain.collect::<Option<Vec<String>>>() {
        Some(columns) if key.only_where.is_none() && !key.nulls_equal => columns,
        _ => {
            unjudged("the target's own expression".to_string());
            return Ok(());
        }
    };
    if columns.iter().all(|c| besides.contains(c)) && !besides.is_empty() {
        // Rows of the appended key are meant to be there already.
        return Ok(());
    }
    let sent: Vec<String> = columns.iter().chain(besides).enumerate().map(|(i, c)| format!("{} AS k{i}", quote(c))).collect();
    let select = format!("SELECT DISTINCT {} FROM {} WHERE {}", sent.join(", "), quote(name), judge::takes_part(key)?);
    let question = Question {
        schema: load.schema.clone(),
        table: load.table.clone(),
        columns: columns.clone(),
        besides: besides.to_vec(),
        ..Question::default()
    };
    let live = format!("#taken.{name}.{check}");
    if let Some(why) = ask(&live, &select, question, lookup, session)? {
        unjudged(why);
        return Ok(());
    }
    let same: Vec<String> =
        columns.iter().chain(besides).enumerate().map(|(i, c)| format!("live.k{i} = child.{}", quote(c))).collect();
    let condition = format!("EXISTS (SELECT 1 FROM {} AS live WHERE {})", quote(&live), same.join(" AND "));
    let sql = format!("SELECT count(*) FROM {} AS child WHERE {condition}", quote(name));
    let count = number(session.rows(&sql)?.first().and_then(|r| r.first()));
    if count > 0 {
        facts.taken.insert((name.clone(), check), Taken { count, condition, table: load.shown() });
    }
    Ok(())
}

/// Rows whose key the target has already.
#[derive(Clone, Debug)]
pub struct Taken {
    pub count: u64,
    /// Holds for these rows, over the alias `child`.
    pub condition: String,
    /// The target's table, as shown.
    pub table: String,
}
