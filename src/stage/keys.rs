//! Which columns are proven to be unique, from clause to clause.
//!
//! A proof needs no row: a record's number, a key that rows were made distinct on, a unique constraint that is checked. Where there is no
//! proof, the engine counts. Does not know about joins or databases.

use std::collections::BTreeSet;

use super::flow::{Change, Flow};
use crate::check::{Measure, Tolerance};
use crate::diagnostics::Severity;
use crate::expr::{Expr, ExprKind};
use crate::types::DataType;

/// Columns of which no two rows have equal values (a row with NULL among them aside), and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub columns: BTreeSet<String>,
    pub why: String,
}

/// Why the key of a grouped relation is unique.
pub const GROUPED: &str = "grouped by it";
/// Why the key that rows were made distinct on is unique.
pub const DISTINCT: &str = "made distinct on it";
/// Stands before the reason of the key that a name-based UUID is made of.
const MADE_OF: &str = "made of a key: ";

/// Whether a reason holds wherever the clauses run: the clauses themselves make the key unique, not the rows that a run was given.
pub fn is_made_unique(why: &str) -> bool {
    [GROUPED, DISTINCT].contains(&why.strip_prefix(MADE_OF).unwrap_or(why))
}

impl Key {
    pub fn new(columns: impl IntoIterator<Item = impl Into<String>>, why: impl Into<String>) -> Key {
        Key { columns: columns.into_iter().map(Into::into).collect(), why: why.into() }
    }
}

/// Returns the proof that these columns are unique, if there is one: a key among them is enough.
pub fn proof<'a>(keys: &'a [Key], columns: &[String]) -> Option<&'a Key> {
    keys.iter().find(|k| !k.columns.is_empty() && k.columns.iter().all(|c| columns.contains(c)))
}

/// The keys of a finished relation as its readers see them: also those that its unique checks make sure of.
pub fn known(name: &str, read: &Flow) -> Vec<Key> {
    let visible = |key: &Key| {
        let origin = read.origin.columns();
        key.columns.iter().all(|c| read.column(c).is_some() || origin.contains(c))
    };
    let mut keys: Vec<Key> = read.keys.iter().filter(|k| visible(k)).cloned().collect();
    let judged = read.steps.iter().any(|s| matches!(s.change, Change::Judge));
    for check in read.checks.iter().filter(|_| judged) {
        let strict = check.declared.severity == Severity::Error && check.declared.tolerance == Tolerance::Rows(0);
        if let (Measure::Unique(key), true) = (&check.measure, strict) {
            let columns: Option<Vec<String>> = key.parts.iter().map(column_of).collect();
            if let (Some(columns), None) = (columns, &key.only_where) {
                keys.push(Key::new(columns, format!("`{name}` is checked to be unique on it")));
            }
        }
    }
    keys
}

/// The keys after a list was unnested: an outer key and the position in the list.
///
/// `named` says that the column `position` is that position, and not a field of the elements.
pub fn unnested(keys: &[Key], position: &str, named: bool) -> Vec<Key> {
    let below = |key: &Key, outer: &dyn Fn(&String) -> String| {
        let mut columns: BTreeSet<String> = key.columns.iter().map(outer).collect();
        columns.insert(position.to_string());
        Key { columns, why: format!("{}, and each element its position", key.why) }
    };
    let hidden = |c: &String| {
        if c.starts_with('#') { c.clone() } else { format!("parent.{c}") }
    };
    let visible: Vec<Key> = keys.iter().map(|k| below(k, &hidden)).collect();
    // The position has a visible name as well.
    let shown = visible.iter().filter(|_| named).map(|k| {
        let columns = k.columns.iter().map(|c| if c == position { "position".to_string() } else { c.clone() });
        Key::new(columns, k.why.clone())
    });
    visible.iter().cloned().chain(shown).collect()
}

/// The keys that a projection keeps: each of their columns is passed on, or is part of a `uuid5`.
pub fn projected(keys: &[Key], exprs: &[(String, Expr)]) -> Vec<Key> {
    let mut kept = vec![];
    for key in keys {
        let renamed: Option<Vec<String>> = key.columns.iter().map(|c| passed_on(c, exprs)).collect();
        kept.extend(renamed.map(|columns| Key::new(columns, key.why.clone())));
    }
    // A name-based UUID of a key is a key: its parts are escaped so that no two lists of parts are the same name.
    for (name, expr) in exprs {
        let Some(parts) = uuid5_parts(expr) else { continue };
        if let Some(key) = proof(keys, &parts) {
            kept.push(Key::new([name.clone()], format!("{MADE_OF}{}", key.why)));
        }
    }
    kept
}

fn passed_on(column: &str, exprs: &[(String, Expr)]) -> Option<String> {
    exprs.iter().find(|(_, e)| kept_apart(e).as_deref() == Some(column)).map(|(name, _)| name.clone())
}

/// The column whose different values an expression keeps different.
pub fn kept_apart(expr: &Expr) -> Option<String> {
    // Other values stay other values as text; as integers `1.2` and `1.4`, or `1` and `01`, become one.
    let merges = matches!(expr.kind, ExprKind::Cast { to: DataType::BigInt | DataType::HugeInt, .. });
    if merges { None } else { column_of(expr) }
}

/// The column that an expression is, if it is nothing else; a widening cast changes nothing about uniqueness.
pub fn column_of(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Column(name) => Some(name.clone()),
        ExprKind::Cast { operand, to: DataType::Text | DataType::BigInt | DataType::HugeInt, attempt: false } => {
            column_of(operand)
        }
        _ => None,
    }
}

/// The columns that a `uuid5` was made of, as `functions::expand` writes it.
fn uuid5_parts(expr: &Expr) -> Option<Vec<String>> {
    let ExprKind::Cast { operand, to: DataType::Uuid, .. } = &expr.kind else {
        return None;
    };
    let ExprKind::Call(call) = &operand.kind else { return None };
    if call.function != super::functions::UUID5 {
        return None;
    }
    let mut columns = vec![];
    let mut direct = true;
    operand.walk(&mut |e| match &e.kind {
        ExprKind::Column(name) => columns.push(name.clone()),
        // A part that is computed may be equal for different rows, so only plain columns count.
        ExprKind::Field(..) | ExprKind::Case { .. } | ExprKind::Binary(_, crate::expr::BinaryOp::Add, _) => direct = false,
        _ => {}
    });
    direct.then_some(columns)
}
