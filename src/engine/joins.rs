//! Holds joins to their declarations: before a join is made, so that it never multiplies anything.
//!
//! In: a planned join. Out: its books, or the [`Broken`] declaration with the measured answer: rows in and out, the factor, the repeated
//! keys and the YAML that would fix it. Where the plan proved a key unique, nothing is counted.

use super::judge::{print, source};
use super::partners;
use super::session::{Session, number};
use crate::diagnostics::Severity;
use crate::error::Error;
use crate::expr::{Expr, ExprKind};
use crate::relation::JoinKind;
use crate::report::{Sample, Violation};
use crate::source::Staging;
use crate::stage::{Join, Unmatched, bare};

/// How many repeated keys are shown.
pub const WORST: usize = 10;

/// About how many left rows without a partner are compared with the other side's keys regardless of case and spaces: faults of writing are
/// many, or few rows are lost at all.
const LOOKED_AT: u64 = 10_000;

/// The keys of left rows without a partner, while they are looked at.
const LOST: &str = "\"#lost\"";

/// What a join did, for the ledger.
#[derive(Clone, Debug, Default)]
pub struct JoinFacts {
    pub rows_in: u64,
    pub rows_out: u64,
    pub right: u64,
    pub unmatched_left: u64,
    pub unmatched_right: u64,
    /// Right keys that occur more than once; zero without a query where that was proven.
    pub repeated: u64,
    pub null_keys: u64,
    /// Left rows without a partner that would have one but for case or spaces.
    pub nearly: u64,
}

impl JoinFacts {
    /// The rows after a join that keeps its declaration, where that follows from those before it.
    pub fn rows_after(&self, join: &Join) -> Option<u64> {
        join.expect.one_on_the_right().then_some(match join.kind {
            JoinKind::Left => self.rows_in,
            JoinKind::Inner => self.rows_in.saturating_sub(self.unmatched_left),
            JoinKind::Full => self.rows_in + self.unmatched_right,
        })
    }
}

/// Counts a join and judges it.
pub fn judge(table: &str, join: &Join, session: &Session) -> Result<(JoinFacts, Vec<Violation>), Error> {
    let sides = Sides::new(join)?;
    let mut facts = JoinFacts::default();
    let mut broken = vec![];
    if join.expect.one_on_the_right() && join.right_unique.is_none() {
        broken.extend(partners::too_many(table, join, &sides, session, &mut facts)?);
    }
    if join.expect.one_on_the_left() && join.left_unique.is_none() {
        broken.extend(partners::too_many_left(table, join, &sides, session)?);
    }
    let on = &sides.on;
    let sql = format!(
        "SELECT count(*), (SELECT count(*) FROM {right}), \
         (SELECT count(*) FROM {left} ANTI JOIN {right} ON {on}), (SELECT count(*) FROM {right} ANTI JOIN {left} ON {on}) FROM {left}",
        left = sides.left,
        right = sides.right,
    );
    let row = session.rows(&sql)?.into_iter().next().unwrap_or_default();
    let at = |i: usize| number(row.get(i));
    (facts.rows_in, facts.right, facts.unmatched_left, facts.unmatched_right) = (at(0), at(1), at(2), at(3));
    broken.extend(without_partner(table, join, (&sides, &sides.lost()), &mut facts, session)?);
    Ok((facts, broken))
}

/// Says why left rows have no partner, and judges that where it is an error; `lost` is the source of these rows.
pub fn without_partner(
    table: &str,
    join: &Join,
    (sides, lost): (&Sides, &str),
    facts: &mut JoinFacts,
    session: &Session,
) -> Result<Option<Violation>, Error> {
    if facts.unmatched_left == 0 {
        return Ok(None);
    }
    if !join.keys().is_empty() {
        let (keys, named) = named(&sides.left_keys);
        let null: Vec<String> = keys.iter().map(|k| format!("{k} IS NULL")).collect();
        let share = (facts.unmatched_left / LOOKED_AT).max(1);
        let lost = format!("WITH {LOST} AS MATERIALIZED (SELECT {named} FROM {lost})");
        let sql = format!("{lost} SELECT count(*) FILTER ({}), ({}) FROM {LOST}", null.join(" OR "), nearly(sides, &keys, share));
        let row = session.rows(&sql)?.into_iter().next().unwrap_or_default();
        (facts.null_keys, facts.nearly) = (number(row.first()), number(row.get(1)));
        if share > 1 && facts.nearly > 0 {
            facts.nearly = session.number(&format!("{lost} {}", nearly(sides, &keys, 1)))?;
        }
    }
    let wrong = join.unmatched == Unmatched::Error;
    wrong.then(|| unmatched(table, join, (sides, lost), facts, session)).transpose()
}

/// Both sides of a join, printed for the engine.
pub struct Sides {
    pub left: String,
    pub right: String,
    pub on: String,
    pub left_keys: Vec<String>,
    pub right_keys: Vec<String>,
}

impl Sides {
    pub fn new(join: &Join) -> Result<Sides, Error> {
        Ok(Sides {
            left: source(&join.left)?,
            right: source(&join.right)?,
            on: print(&join.on)?,
            left_keys: join.keys().iter().map(|(l, _)| print(l)).collect::<Result<_, _>>()?,
            right_keys: join.keys().iter().map(|(_, r)| print(r)).collect::<Result<_, _>>()?,
        })
    }

    /// The left rows without a partner, by making the join.
    pub fn lost(&self) -> String {
        format!("(SELECT * FROM {} ANTI JOIN {} ON {})", self.left, self.right, self.on)
    }
}

/// Gives keys names, since they may be expressions: the names, and the list of keys under these names.
pub fn named(keys: &[String]) -> (Vec<String>, String) {
    let names: Vec<String> = (1..=keys.len()).map(|n| format!("\"#key.{n}\"")).collect();
    let list = keys.iter().zip(&names).map(|(key, name)| format!("{key} AS {name}")).collect::<Vec<_>>();
    (names, list.join(", "))
}

/// A key as an author would write it in the relation that it is of.
pub fn shown(key: &Expr) -> String {
    fn rename(expr: &mut Expr) {
        if let ExprKind::Column(name) = &mut expr.kind {
            *name = bare(name).to_string();
        }
        expr.children_mut().into_iter().for_each(rename);
    }
    match &key.kind {
        ExprKind::Column(name) => bare(name).to_string(),
        _ => {
            let mut key = key.clone();
            rename(&mut key);
            print(&key).unwrap_or_default()
        }
    }
}

/// A broken declaration, with the worst keys, how often each occurs, and a number that is left to the caller.
pub fn violation(table: &str, join: &Join, count: u64, worst: Vec<Vec<Option<String>>>) -> Violation {
    let columns: Vec<String> = join.keys().iter().map(|(l, _)| shown(l)).collect();
    let width = columns.len();
    let sample = |row: Vec<Option<String>>| {
        let times = row.get(width).cloned().flatten().unwrap_or_default();
        let key: Vec<(String, Option<String>)> = columns.iter().cloned().zip(row.iter().take(width).cloned()).collect();
        let value = key.iter().map(|(_, v)| v.clone().unwrap_or("NULL".into())).collect::<Vec<_>>().join(", ");
        Sample {
            value: Some(value),
            row: key.clone(),
            key,
            origin: Some(format!("{times} times in {}", join.to)),
            ..Sample::default()
        }
    };
    Violation {
        table: table.to_string(),
        columns: columns.clone(),
        rule: "join".to_string(),
        name: None,
        severity: Severity::Error,
        allowed: String::new(),
        why: None,
        found: None,
        count,
        rows: 0,
        span: join.span,
        samples: worst.into_iter().map(sample).collect(),
        consequences: vec![],
    }
}

/// Left rows without a partner, where the author called that an error.
fn unmatched(
    table: &str,
    join: &Join,
    (sides, lost): (&Sides, &str),
    facts: &JoinFacts,
    session: &Session,
) -> Result<Violation, Error> {
    let worst = match sides.left_keys.is_empty() {
        true => vec![],
        false => {
            let keys = sides.left_keys.join(", ");
            session.rows(&format!(
                "SELECT {keys}, count(*), 1 FROM {lost} GROUP BY {keys} ORDER BY count(*) DESC, {keys} LIMIT {WORST}"
            ))?
        }
    };
    let mut found = violation(table, join, facts.unmatched_left, worst);
    found.rule = "unmatched".to_string();
    found.rows = facts.rows_in;
    found.allowed = format!("a partner in `{}` for every row", join.to);
    found.why = Some(hint(join, facts));
    for sample in &mut found.samples {
        let rows = if sample.origin.as_ref().is_some_and(|o| o.starts_with("1 ")) { "row" } else { "rows" };
        sample.origin = sample.origin.take().map(|o| o.replace(" times in ", &format!(" {rows} without a partner in ")));
    }
    Ok(found)
}

/// What is worth knowing about rows without a partner.
fn hint(join: &Join, facts: &JoinFacts) -> String {
    let mut parts = vec![];
    if facts.right == 0 {
        parts.push(format!("`{}` has no rows", join.to));
    }
    if facts.null_keys > 0 {
        let rows = if facts.null_keys == 1 { "row has" } else { "rows have" };
        parts.push(format!("{} {rows} NULL in the key, which never matches", facts.null_keys));
    }
    if facts.nearly > 0 {
        parts
            .push(format!("{} would match but for upper case or spaces: compare `lower(trim(key))` on both sides", facts.nearly));
    }
    if parts.is_empty() { "their keys do not occur on the other side".to_string() } else { parts.join("; ") }
}

/// The query that counts those of the [`LOST`] rows, by their keys, that only case and spaces keep from a partner, among one key in `share`.
fn nearly(sides: &Sides, keys: &[String], share: u64) -> String {
    let alike: Vec<String> =
        keys.iter().zip(&sides.right_keys).map(|(l, r)| format!("{} = {}", plainly(l), plainly(r))).collect();
    let some = match share {
        1 => LOST.to_string(),
        // By the key, so that the same rows are looked at in every run.
        _ => format!("(SELECT * FROM {LOST} WHERE hash({}) % {share} = 0)", keys.join(", ")),
    };
    format!("SELECT count(*) FROM {some} SEMI JOIN {} ON {}", sides.right, alike.join(" AND "))
}

/// A key without upper case, and without spaces at its ends: what has neither spaces nor letters beyond ASCII needs not be trimmed, which
/// takes far longer than to see that.
fn plainly(key: &str) -> String {
    let text = format!("CAST({key} AS VARCHAR)");
    format!("lower(CASE WHEN contains({text}, ' ') OR length({text}) <> strlen({text}) THEN trim({text}) ELSE {text} END)")
}

/// The notes of a join for the ledger.
pub fn notes(join: &Join, facts: &JoinFacts) -> Vec<String> {
    let matched = facts.rows_in.saturating_sub(facts.unmatched_left);
    let mut books =
        format!("matched {matched}, unmatched left {}, unmatched right {}", facts.unmatched_left, facts.unmatched_right);
    // Where rows may have several partners, or must not by proof, nobody counted.
    if join.expect.one_on_the_right() && join.right_unique.is_none() {
        books.push_str(&format!(", repeated {}", facts.repeated));
    }
    let mut notes = vec![books];
    let hint = hint(join, facts);
    if facts.unmatched_left > 0 && !hint.starts_with("their keys") {
        notes.push(hint);
    }
    match &join.right_unique {
        Some(why) if join.expect.one_on_the_right() => notes.push(format!("proven: {why}")),
        _ => {}
    }
    notes
}
