//! Counts partners: whether a join gives a row more of them than it declares.
//!
//! In: a join whose key nothing proves to be unique. Out: the broken declaration with the measured answer, rows in and out, the factor, the
//! worst keys and the YAML that would mend it. Keys are counted by themselves; the rows of a free condition by their pairs.

use super::joins::{JoinFacts, Sides, WORST, named, shown, violation};
use super::session::{Session, number, quote};
use crate::error::Error;
use crate::expr::{Expr, ExprKind};
use crate::relation::JoinKind;
use crate::report::{Sample, Violation};
use crate::source::Staging;
use crate::stage::{Join, bare};

/// Judges that a left row has at most one partner.
pub fn too_many(
    table: &str,
    join: &Join,
    sides: &Sides,
    session: &Session,
    facts: &mut JoinFacts,
) -> Result<Option<Violation>, Error> {
    let (left, right, on) = (sides.left.as_str(), sides.right.as_str(), sides.on.as_str());
    if join.keys().is_empty() {
        let crowded = Crowded::count((left, right), on, mentioned(&join.on, false), session)?;
        if crowded.rows == 0 {
            return Ok(None);
        }
        let rows = session.number(&format!("SELECT count(*) FROM {left}"))?;
        let alone = if join.kind == JoinKind::Inner { 0 } else { rows - crowded.matched };
        let out = crowded.pairs + alone + only_right(join, sides, session)?;
        let mut found = multiplied(table, join, (rows, out), crowded.rows, vec![]);
        found.why = Some(format!(
            "{rows} rows would become {out} ({:.2}x): {} more than one partner in `{}`",
            factor(rows, out),
            have(crowded.rows),
            join.to
        ));
        return crowded.shown(found, &format!("partners in {}", join.to), session).map(Some);
    }
    let (keys, named) = named(&sides.right_keys);
    let present: Vec<String> = sides.right_keys.iter().map(|k| format!("({k}) IS NOT NULL")).collect();
    let groups = format!(
        "SELECT {named}, count(*) AS \"#n\" FROM {right} WHERE {} GROUP BY ALL HAVING count(*) > 1",
        present.join(" AND ")
    );
    let repeated = session.number(&format!("SELECT count(*) FROM ({groups})"))?;
    facts.repeated = repeated;
    if repeated == 0 {
        return Ok(None);
    }
    // Only keys that the left side has multiply anything.
    let same: Vec<String> = sides.left_keys.iter().zip(&keys).map(|(l, r)| format!("({l}) = {r}")).collect();
    let keys = keys.join(", ");
    let hits = format!(
        "SELECT {keys}, \"#n\", count(*) AS \"#left\" FROM ({groups}) JOIN {left} ON {} GROUP BY ALL",
        same.join(" AND ")
    );
    let total = session.rows(&format!(
        "SELECT count(*), coalesce(sum((\"#n\" - 1) * \"#left\"), 0), (SELECT count(*) FROM {left}), (SELECT count(*) FROM {left} ANTI JOIN {right} ON {on}) FROM ({hits})"
    ))?;
    let row = total.into_iter().next().unwrap_or_default();
    let (keys_hit, more, rows, lost) = (number(row.first()), number(row.get(1)), number(row.get(2)), number(row.get(3)));
    if keys_hit == 0 {
        return Ok(None);
    }
    let out = rows + more + only_right(join, sides, session)? - if join.kind == JoinKind::Inner { lost } else { 0 };
    let worst =
        session.rows(&format!("SELECT {keys}, \"#n\", \"#left\" FROM ({hits}) ORDER BY \"#n\" DESC, {keys} LIMIT {WORST}"))?;
    facts.repeated = keys_hit;
    Ok(Some(multiplied(table, join, (rows, out), keys_hit, worst)))
}

/// Counts the rows that a full join adds from the right.
fn only_right(join: &Join, sides: &Sides, session: &Session) -> Result<u64, Error> {
    if join.kind != JoinKind::Full {
        return Ok(0);
    }
    let alone = format!("SELECT count(*) FROM {} ANTI JOIN {} ON {}", sides.right, sides.left, sides.on);
    session.number(&alone)
}

/// The columns of one side that a condition speaks of, in order.
fn mentioned(on: &Expr, right: bool) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    on.walk(&mut |e| match &e.kind {
        ExprKind::Column(name) if (bare(name) != name) == right && !found.contains(name) => found.push(name.clone()),
        _ => {}
    });
    found
}

/// Rows of one side that a free condition gives more than one partner: there is no key to count, so that their pairs are.
struct Crowded {
    /// A query with the columns that the condition speaks of, and `#n`, for each row that has a partner.
    query: String,
    columns: Vec<String>,
    /// Rows with more than one partner.
    rows: u64,
    /// Rows with a partner.
    matched: u64,
    pairs: u64,
}

impl Crowded {
    fn count((side, other): (&str, &str), on: &str, columns: Vec<String>, session: &Session) -> Result<Crowded, Error> {
        let list: String = columns.iter().map(|c| format!("any_value({0}) AS {0}, ", quote(c))).collect();
        let query = format!(
            "SELECT {list}count(*) AS \"#n\" FROM (SELECT *, row_number() OVER () AS \"#side\" FROM {side}) JOIN {other} ON {on} \
             GROUP BY \"#side\""
        );
        let counts = format!("SELECT count(*) FILTER (\"#n\" > 1), count(*), coalesce(sum(\"#n\"), 0) FROM ({query})");
        let row = session.rows(&counts)?.into_iter().next().unwrap_or_default();
        let at = |i: usize| number(row.get(i));
        Ok(Crowded { query, columns, rows: at(0), matched: at(1), pairs: at(2) })
    }

    /// Adds the rows with the most partners to what is said of them.
    fn shown(&self, mut found: Violation, partners: &str, session: &Session) -> Result<Violation, Error> {
        let list: Vec<String> = self.columns.iter().map(|c| quote(c)).collect();
        let list = list.join(", ");
        let worst =
            format!("SELECT {list}, \"#n\" FROM ({}) WHERE \"#n\" > 1 ORDER BY \"#n\" DESC, {list} LIMIT {WORST}", self.query);
        let suggestion = found.samples.first().and_then(|s| s.suggestion.clone());
        found.found = Some(format!("{} more than one partner", have(self.rows)));
        found.samples = vec![];
        for row in session.rows(&worst)? {
            let times = row.last().cloned().flatten().unwrap_or_default();
            let key = self.columns.iter().map(|c| bare(c).to_string()).zip(row).collect();
            found.samples.push(Sample {
                key,
                origin: Some(format!("{times} {partners}")),
                suggestion: suggestion.clone(),
                ..Sample::default()
            });
        }
        Ok(found)
    }
}

/// Judges that a right row has at most one partner.
pub fn too_many_left(table: &str, join: &Join, sides: &Sides, session: &Session) -> Result<Option<Violation>, Error> {
    if join.keys().is_empty() {
        let crowded = Crowded::count((&sides.right, &sides.left), &sides.on, mentioned(&join.on, true), session)?;
        if crowded.rows == 0 {
            return Ok(None);
        }
        let mut found = violation(table, join, crowded.rows, vec![]);
        found.allowed = one_here(join);
        found.why = Some(format!("{} more than one partner here: they are rows of `{}`", have(crowded.rows), join.to));
        return crowded.shown(found, "partners on the left side", session).map(Some);
    }
    let (keys, named) = named(&sides.left_keys);
    let keys = keys.join(", ");
    let groups = format!(
        "SELECT {named}, count(*) AS \"#n\" FROM (SELECT * FROM {} SEMI JOIN {} ON {}) GROUP BY ALL HAVING count(*) > 1",
        sides.left, sides.right, sides.on
    );
    let repeated = session.number(&format!("SELECT count(*) FROM ({groups})"))?;
    if repeated == 0 {
        return Ok(None);
    }
    let worst = session.rows(&format!("SELECT {keys}, \"#n\", 1 FROM ({groups}) ORDER BY \"#n\" DESC, {keys} LIMIT {WORST}"))?;
    let mut found = violation(table, join, repeated, worst);
    found.allowed = one_here(join);
    found.why = Some(format!("{} more than once on the left side", occur(repeated)));
    Ok(Some(found))
}

fn multiplied(table: &str, join: &Join, (rows, out): (u64, u64), repeated: u64, worst: Vec<Vec<Option<String>>>) -> Violation {
    let mut found = violation(table, join, repeated, worst);
    found.rows = rows;
    found.allowed = format!("{}: each row here has at most one partner in `{}`", join.expect.name(), join.to);
    found.why = Some(format!(
        "{rows} rows would become {out} ({:.2}x): {} more than once in `{}`",
        factor(rows, out),
        occur(repeated),
        join.to
    ));
    if let Some(sample) = found.samples.first_mut() {
        sample.suggestion = Some(fix(join));
    } else {
        found.samples.push(Sample { suggestion: Some(fix(join)), ..Sample::default() });
    }
    found
}

fn factor(rows: u64, out: u64) -> f64 {
    if rows > 0 { out as f64 / rows as f64 } else { 0.0 }
}

fn one_here(join: &Join) -> String {
    format!("{}: each row of `{}` belongs to at most one row here", join.expect.name(), join.to)
}

/// Says how many rows have something, up to the words that differ.
fn have(rows: u64) -> String {
    if rows == 1 { "1 row has".to_string() } else { format!("{rows} rows have") }
}

/// Says how many keys come more than once, up to the words that differ.
fn occur(keys: u64) -> String {
    if keys == 1 { "1 key occurs".to_string() } else { format!("{keys} keys occur") }
}

/// The YAML that makes the right side's key unique, ready to paste.
fn fix(join: &Join) -> String {
    if join.keys().is_empty() {
        return "Make the condition an equality of keys, or declare `expect: many_to_many` if every pair is wanted.".to_string();
    }
    // What is computed gets a name first: rows are made distinct on columns.
    let mut derived = vec![];
    let mut named = |(_, right): &(Expr, Expr)| match &right.kind {
        ExprKind::Column(name) => bare(name).to_string(),
        _ => {
            let name = format!("key_{}", derived.len() + 1);
            // In YAML's quotes: an expression may begin with a quote of its own.
            derived.push(format!("{name}: '{}'", shown(right).replace('\'', "''")));
            name
        }
    };
    let key = join.keys().iter().map(&mut named).collect::<Vec<_>>().join(", ");
    let (derive, compare) = match derived.is_empty() {
        true => (String::new(), ""),
        false => (format!("        derive:\n          {}\n", derived.join("\n          ")), ", and compare with its key"),
    };
    format!(
        "Keep one row per key in a table of its own, and join that:\n      \
         {to}_by_key:\n        from: {to}\n{derive}        distinct: {{on: [{key}]}}\n    \
         or, to combine the rows, `group_by: [{key}]` with aggregates such as `max(column)` in its `map`. Then write `to: {to}_by_key`{compare}.",
        to = join.to
    )
}
