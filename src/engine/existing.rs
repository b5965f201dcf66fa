//! Asks the target for keys of rows that already live there, and judges foreign keys by what it has.
//!
//! In: staged tables and a [`Lookup`]. Out: for each question a table of the session with those of the needed keys that the target has.
//! Only distinct keys that are needed are asked for, in portions. Does not know how a target is reached.

use super::Facts;
use super::references;
use super::references::Parent;
use super::session::{Session, quote};
use crate::check::Declared;
use crate::error::Error;
use crate::expr::Expr;
use crate::plan::TablePlan;
use crate::source::Staging;
use crate::sql::print;
use crate::stage::{Mode, Scope};
use crate::types::DataType;

/// How many keys travel at a time.
const PORTION: u64 = 20_000;

/// A target that can be asked for keys.
pub trait Lookup: Sync {
    /// Finds those of the keys that the target has.
    ///
    /// Errors: the command was interrupted. A target that cannot answer is no error.
    fn find(&self, question: &Question) -> Result<Answer, Error>;

    /// Whether unique keys are looked at once for all rows that a statement changes, so that two of them can swap theirs.
    fn changes_at_once(&self) -> bool;
}

/// Which keys are meant, as texts that the target reads as its own types.
#[derive(Debug, Default)]
pub struct Question {
    /// None is the target's own.
    pub schema: Option<String>,
    pub table: String,
    /// The columns whose values are sent; none means the primary key.
    pub columns: Vec<String>,
    /// What must be equal, where that is not the columns themselves.
    pub index: Option<Index>,
    pub among: Among,
    pub keys: Vec<Vec<Option<String>>>,
}

/// Which rows of the target count.
#[derive(Clone, Debug, Default)]
pub enum Among {
    #[default]
    All,
    /// Those that a replacement is about.
    Within(Scope),
    /// Those that it leaves alone.
    Beyond(Scope),
}

/// A unique index, and what makes another row of one that has the same key.
#[derive(Debug, Default)]
pub struct Index {
    pub parts: Vec<Part>,
    /// The condition of the index in the target's words, over the columns.
    pub only_where: Option<String>,
    /// Whether two NULLs are equal.
    pub nulls_equal: bool,
    /// Columns of which one must differ: a row that has them all is the same row.
    pub besides: Vec<String>,
}

/// What an index is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Column(String),
    /// An expression over the columns in the target's words.
    Written(String),
}

/// A key that the target has.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit {
    pub place: usize,
    /// The values of `besides` in the row that has it.
    pub besides: Vec<Option<String>>,
}

/// What the target says.
#[derive(Debug)]
pub enum Answer {
    Found(Vec<Hit>),
    /// Why it cannot be said.
    Unknown(String),
}

/// Asks for the keys that `select` gives, and leaves the found ones in the session's table `name`, with `besides` of the rows that have
/// them as `#0`, `#1` and so on; otherwise says why not.
pub(super) fn ask(
    name: &str,
    select: &str,
    mut question: Question,
    lookup: &dyn Lookup,
    session: &Session,
) -> Result<Option<String>, Error> {
    let (table, asked, found) = (quote(name), quote(&format!("{name}.asked")), quote(&format!("{name}.found")));
    let besides = question.index.as_ref().map_or(0, |index| index.besides.len());
    let others: String = (0..besides).map(|i| format!(", \"#{i}\" VARCHAR")).collect();
    session.execute(&format!(
        "CREATE OR REPLACE TABLE {asked} AS SELECT row_number() OVER () AS \"#n\", * FROM ({select});
         CREATE OR REPLACE TABLE {found} (\"#n\" BIGINT{others})"
    ))?;
    let columns = session.describe(&format!("SELECT * EXCLUDE (\"#n\") FROM {asked}"))?;
    let texts = columns.iter().map(|(column, data_type)| match data_type {
        DataType::Bytes => format!("'\\x' || hex({})", quote(column)),
        _ => quote(column),
    });
    let texts: Vec<String> = texts.collect();
    let keys = session.number(&format!("SELECT count(*) FROM {asked}"))?;
    for first in (0..keys).step_by(PORTION as usize) {
        let sql = format!(
            "SELECT {} FROM {asked} WHERE \"#n\" > {first} AND \"#n\" <= {} ORDER BY \"#n\"",
            texts.join(", "),
            first + PORTION
        );
        question.keys = session.rows(&sql)?;
        match lookup.find(&question)? {
            Answer::Unknown(why) => return Ok(Some(why)),
            Answer::Found(hits) if hits.is_empty() => {}
            Answer::Found(hits) => {
                let row = |hit: &Hit| {
                    let others = hit.besides.iter().map(|v| v.as_deref().map_or("NULL".to_string(), print::text));
                    let values: Vec<String> = std::iter::once((first + hit.place as u64 + 1).to_string()).chain(others).collect();
                    format!("({})", values.join(", "))
                };
                let list: Vec<String> = hits.iter().map(row).collect();
                session.execute(&format!("INSERT INTO {found} VALUES {}", list.join(", ")))?;
            }
        }
    }
    session.execute(&format!(
        "CREATE OR REPLACE TABLE {table} AS SELECT * FROM {asked} JOIN {found} USING (\"#n\"); DROP TABLE {found}; DROP TABLE {asked}"
    ))?;
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
    /// The form in which the target compares the columns.
    pub compared: &'a [Option<Expr>],
    /// The staged rows, if there are any.
    pub parent: Option<Parent<'a>>,
}

/// Looks up what a reference does not find among the staged rows, and notes the answer.
pub fn refer(reference: &Reference, lookup: &dyn Lookup, session: &Session, facts: &mut Facts) -> Result<(), Error> {
    let table = reference.table;
    let load = reference.parent.and_then(|p| p.as_table()).and_then(|p| p.loads.iter().find(|l| l.table == reference.to));
    // What a replacement leaves out is gone afterwards: only staged rows count, and those beyond its scope.
    let among = match load.map(|l| &l.mode) {
        Some(Mode::Replace { scope }) if scope.is_empty() => return Ok(()),
        Some(Mode::Replace { scope }) => Among::Beyond(scope.clone()),
        None if reference.parent.is_some() => return Ok(()),
        Some(Mode::Insert | Mode::Upsert { .. } | Mode::Append { .. }) | None => Among::All,
    };
    let references = match &reference.parent {
        Some(parent) => parent.referenced(reference.references),
        None => reference.references.to_vec(),
    };
    let (schema, name) = match load {
        Some(load) => (load.schema.clone(), load.table.clone()),
        None => located(reference),
    };
    let question = Question { schema, table: name, columns: references.clone(), among, ..Question::default() };
    let list: Vec<String> = reference.columns.iter().map(|c| quote(c)).collect();
    let needed = references::orphan(reference.columns, reference.compared, reference.parent.as_ref(), &references, None)?;
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
