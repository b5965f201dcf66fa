//! How staged rows meet those in the target: which are the same, which go, which change and to what.
//!
//! In: a table, its evidence, and the words of a dialect. Out: conditions and values over `t`, a row of the target, and `s`, a staged one.
//! Does not know the statements that are made of them.

use super::rows::Evidence;
use super::{Column, Dialect, Literal, Mode, Table, Upsert};
use crate::contract::Generated;
use crate::error::Error;

/// A table and the key that its rows are merged by.
pub struct Plan<'a> {
    pub dialect: &'a dyn Dialect,
    pub table: &'a Table,
    pub evidence: &'a Evidence,
    /// Empty without a usable key.
    pub key: Vec<Key<'a>>,
}

/// A column of a key.
pub struct Key<'a> {
    pub name: &'a str,
    /// Whether NULL must be equal to NULL.
    pub nulls: bool,
}

/// The rows of the target that `verify.sql` holds against those that were loaded.
pub enum Region<'a> {
    /// All of the table's: it was replaced, or has no key.
    Whole,
    Scope(&'a [(String, Literal)]),
    /// Those with the keys that the script lists.
    Keys,
    /// None: no rows were loaded, so that there are no keys.
    Nothing,
}

impl<'a> Plan<'a> {
    pub fn new(dialect: &'a dyn Dialect, table: &'a Table, evidence: &'a Evidence) -> Plan<'a> {
        let positions = dialect.key(table, evidence).into_iter();
        let key = positions.filter_map(|p| Some(Key { name: &table.columns.get(p)?.name, nulls: evidence.has_nulls(&[p]) }));
        Plan { dialect, table, evidence, key: key.collect() }
    }

    /// Says that rows `left` and `right` have the same key.
    pub fn same_key(&self, left: &str, right: &str) -> String {
        let same = |k: &Key| {
            let name = self.dialect.identifier(k.name);
            self.dialect.same(&format!("{left}.{name}"), &format!("{right}.{name}"), k.nulls)
        };
        self.key.iter().map(same).collect::<Vec<_>>().join(" AND ")
    }

    /// Says that target row `t` and staged row `s` have the same key.
    pub fn same_row(&self) -> String {
        self.same_key("t", "s")
    }

    /// The key's columns, quoted, each behind `prefix`.
    pub fn key_names(&self, prefix: &str) -> Vec<String> {
        self.key.iter().map(|k| format!("{prefix}{}", self.dialect.identifier(k.name))).collect()
    }

    pub fn is_key(&self, name: &str) -> bool {
        self.key.iter().any(|k| k.name == name)
    }

    /// The clause for the rows of the target that a replacement leaves out, which may be all; nothing in other modes.
    pub fn goes(&self) -> Option<String> {
        let Mode::Replace { scope } = &self.table.mode else { return None };
        let mut conditions = vec![];
        if !scope.is_empty() {
            conditions.push(within(self.dialect, "t", scope));
        }
        if !self.key.is_empty() {
            let staged = self.dialect.any_row(&self.dialect.stage(self.table), &self.same_row());
            conditions.push(format!("NOT EXISTS ({staged})"));
        }
        Some(if conditions.is_empty() { String::new() } else { format!("\nWHERE {}", conditions.join("\n  AND ")) })
    }

    /// The columns that rows of the target may change in with the values that they get, and which rows `t` change, met by those of `s`;
    /// nothing where none may.
    pub fn changes(&self) -> Option<(Vec<(String, String)>, String)> {
        if !self.table.mode.changes_rows() || self.key.is_empty() {
            return None;
        }
        let plain = Upsert::default();
        let upsert = self.table.mode.upsert().unwrap_or(&plain);
        let comes = self.table.columns.iter().filter(|c| {
            c.generated != Generated::Always && self.is_free(c) && !upsert.keep.contains(&c.name) && !upsert.sets(&c.name)
        });
        let comes: Vec<&str> = comes.map(|c| c.name.as_str()).collect();
        let value = |c: &str| format!("s.{}", self.dialect.identifier(c));
        let mut given: Vec<(String, String)> = comes.iter().map(|c| (c.to_string(), value(c))).collect();
        let (expressions, types) = (self.dialect.expressions(), upsert.types());
        given.extend(upsert.set.iter().filter_map(|(c, v)| Some((c.clone(), expressions.upsert_value(&types, c, v).ok()?))));
        if given.is_empty() {
            return None;
        }
        let watched: Vec<&str> = upsert.when_changed.iter().map(String::as_str).collect();
        let changed = self.differ(&watched).or_else(|| self.differ(&comes));
        let when = upsert.when.as_ref().and_then(|when| expressions.upsert_condition(&types, when).ok());
        let condition = match (when, changed) {
            // What is set may change a row that is otherwise as it comes.
            (Some(when), _) if watched.is_empty() && !upsert.set.is_empty() => when,
            (Some(when), Some(changed)) => format!("{when}\n  AND {changed}"),
            (Some(condition), None) | (None, Some(condition)) => condition,
            (None, None) => self.dialect.always().to_string(),
        };
        Some((given, condition))
    }

    /// The columns that may differ between rows of the same key.
    pub fn may_differ(&self) -> Vec<&'a str> {
        self.table.columns.iter().filter(|c| self.is_free(c)).map(|c| c.name.as_str()).collect()
    }

    /// Whether a column may differ between rows of the same key.
    fn is_free(&self, column: &Column) -> bool {
        !self.is_key(&column.name) || self.dialect.key_may_change(column)
    }

    /// Says that `t` and `s` differ in any of these columns; nothing where there are none.
    pub fn differ(&self, columns: &[&str]) -> Option<String> {
        (!columns.is_empty()).then(|| self.dialect.differ(self.table, columns))
    }

    /// The rows that are compared once all is done.
    pub fn region(&self) -> Region<'a> {
        match &self.table.mode {
            Mode::Replace { scope } if !scope.is_empty() => Region::Scope(scope),
            Mode::Replace { .. } => Region::Whole,
            Mode::Insert | Mode::Upsert(_) | Mode::Append if self.key.is_empty() => Region::Whole,
            Mode::Insert | Mode::Upsert(_) | Mode::Append if self.evidence.rows == 0 => Region::Nothing,
            Mode::Insert | Mode::Upsert(_) | Mode::Append => Region::Keys,
        }
    }

    /// Whether rows beyond those that were loaded are wrong; without a key they may be somebody else's.
    pub fn is_exact(&self) -> bool {
        matches!(self.table.mode, Mode::Replace { .. }) || !self.key.is_empty()
    }
}

/// Says which rows of `alias` are in a scope.
pub fn within(dialect: &dyn Dialect, alias: &str, scope: &[(String, Literal)]) -> String {
    let part = |(column, value): &(String, Literal)| {
        let column = format!("{alias}.{}", dialect.identifier(column));
        match value {
            Literal::Null => format!("{column} IS NULL"),
            value => format!("{column} = {}", dialect.constant(value)),
        }
    };
    scope.iter().map(part).collect::<Vec<_>>().join(" AND ")
}

/// Refuses what an upsert says that a dialect has no words for; where it is written, the plan has reported it already.
pub fn sayable(dialect: &dyn Dialect, table: &Table, how: &str) -> Result<(), Error> {
    let Some(upsert) = table.mode.upsert() else { return Ok(()) };
    let (expressions, types) = (dialect.expressions(), upsert.types());
    let values = upsert.set.iter().map(|(column, value)| expressions.upsert_value(&types, column, value));
    let when = upsert.when.iter().map(|when| expressions.upsert_condition(&types, when));
    values.chain(when).find_map(Result::err).map_or(Ok(()), |unsupported| {
        let message = format!("the load of `{}` uses {}, which cannot be said {how}", table.shown(), unsupported.what);
        Err(Error::new("X0401", message))
    })
}
