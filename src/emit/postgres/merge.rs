//! How staged rows meet those in the target.
//!
//! In: a table and its evidence. Out: the DELETE, UPDATE and INSERT statements of its mode. Rows that are already as they should
//! be are not touched: they are compared by their stored bytes (`*<>`), which works for every type and keeps every difference.
//! Does not know about guards or the order of tables.

use super::undo::Undo;
use super::{guard, relation, same_key, scope_condition, stage, text};
use crate::contract::Generated;
use crate::emit::rows::Evidence;
use crate::emit::{Mode, Table};
use crate::error::Error;
use crate::expr::Expr;
use crate::sql::{self, Binding, Unsupported};

/// A table and the key that its rows are merged by.
pub struct Plan<'a> {
    pub table: &'a Table,
    pub evidence: &'a Evidence,
    /// Quoted columns, twice (target and stage), and whether NULLs must be equal; empty without a usable key.
    pub key: Vec<(String, String, bool)>,
}

impl<'a> Plan<'a> {
    pub fn new(table: &'a Table, evidence: &'a Evidence) -> Plan<'a> {
        // In the order of the columns, as the row writer gathers keys, and each once, however the author wrote them.
        let mut positions: Vec<usize> = table.loaded_key().iter().filter_map(|k| table.position(k)).collect();
        positions.sort_unstable();
        positions.dedup();
        // Where NULLs are distinct, a new row with a NULL in its key is none that is there: it has no key at all.
        if table.mode == Mode::Insert && evidence.has_nulls(&positions) {
            return Plan { table, evidence, key: vec![] };
        }
        let key = positions.iter().filter_map(|p| {
            let name = text::identifier(&table.columns.get(*p)?.name);
            Some((name.clone(), name, evidence.has_nulls(&[*p])))
        });
        Plan { table, evidence, key: key.collect() }
    }

    /// Says that target row `t` and staged row `s` have the same key.
    pub fn same_row(&self) -> String {
        same_key("t", "s", &self.key)
    }

    /// Says which rows of the target a replacement leaves out; empty for all of them.
    pub fn goes(&self) -> Option<String> {
        let Mode::Replace { scope } = &self.table.mode else {
            return None;
        };
        let mut conditions = vec![];
        if !scope.is_empty() {
            conditions.push(scope_condition("t", scope));
        }
        if !self.key.is_empty() {
            conditions.push(format!("NOT EXISTS (SELECT FROM {} AS s WHERE {})", stage(self.table), self.same_row()));
        }
        Some(conditions.join("\n  AND "))
    }

    /// Deletes what a replacement leaves out.
    pub(super) fn delete(&self) -> Option<String> {
        let condition = self.goes()?;
        let condition = if condition.is_empty() { String::new() } else { format!("\nWHERE {condition}") };
        Some(format!("DELETE FROM {} AS t{condition}", relation(self.table)))
    }

    /// The columns that a merge changes; none where rows are not changed.
    fn changeable(&self) -> Vec<&str> {
        if !self.table.mode.changes_rows() || self.key.is_empty() {
            return vec![];
        }
        let kept = |name: &String| match &self.table.mode {
            Mode::Upsert(upsert) => upsert.keep.contains(name) || upsert.set.iter().any(|(c, _)| c == name),
            _ => false,
        };
        let free = self.table.columns.iter().filter(|c| c.generated != Generated::Always && !kept(&c.name));
        free.map(|c| c.name.as_str()).filter(|c| !self.is_key(c)).collect()
    }

    /// The names of the key's columns, as the catalog has them.
    pub fn key_columns(&self) -> impl Iterator<Item = &str> {
        self.table.columns.iter().map(|c| c.name.as_str()).filter(|name| self.is_key(name))
    }

    fn is_key(&self, name: &str) -> bool {
        self.key.iter().any(|(k, _, _)| *k == text::identifier(name))
    }

    /// Says that target row `t` and staged row `s` differ in columns other than the key; none if there are no others.
    pub fn differ(&self) -> Option<String> {
        let names: Vec<&str> = self.table.columns.iter().map(|c| c.name.as_str()).filter(|c| !self.is_key(c)).collect();
        differ(&names)
    }

    /// Says which rows of the target, met by those staged with the same key, differ from them.
    pub fn changes(&self) -> Option<String> {
        let all = differ(&self.changeable());
        let Mode::Upsert(upsert) = &self.table.mode else { return all };
        if self.key.is_empty() || (all.is_none() && upsert.set.is_empty()) {
            return None;
        }
        let watched: Vec<&str> = upsert.when_changed.iter().map(String::as_str).collect();
        let changed = differ(&watched).or(all);
        match upsert.when.as_ref().and_then(|when| operand(when).ok()) {
            // What is set may change a row that is otherwise as it comes.
            Some(when) if upsert.when_changed.is_empty() && !upsert.set.is_empty() => Some(when),
            Some(when) => Some(changed.map_or(when.clone(), |changed| format!("{when}\n  AND {changed}"))),
            None => Some(changed.unwrap_or_else(|| "true".to_string())),
        }
    }

    /// Changes the rows that are there and differ.
    fn update(&self) -> Option<String> {
        let differ = self.changes()?;
        let mut set: Vec<String> = self.changeable().iter().map(|c| format!("{0} = s.{0}", text::identifier(c))).collect();
        if let Mode::Upsert(upsert) = &self.table.mode {
            set.extend(
                upsert.set.iter().filter_map(|(c, value)| Some(format!("{} = {}", text::identifier(c), operand(value).ok()?))),
            );
        }
        Some(format!(
            "UPDATE {} AS t\nSET {}\nFROM {} AS s\nWHERE {}\n  AND {differ}",
            relation(self.table),
            set.join(",\n    "),
            stage(self.table),
            self.same_row(),
        ))
    }

    /// Inserts the rows that are not there; `after` names the step that must come before.
    fn insert(&self, after: Option<&str>, undo: bool) -> String {
        let columns = || self.table.columns.iter().map(|c| c.name.as_str());
        let overriding = if self.table.overriding_identity { "\nOVERRIDING SYSTEM VALUE" } else { "" };
        let mut insert = format!(
            "INSERT INTO {}{} ({}){overriding}\nSELECT {}\nFROM {} AS s",
            relation(self.table),
            if undo { " AS t" } else { "" },
            text::names("", columns()),
            text::names("s.", columns()),
            stage(self.table)
        );
        if let Some(step) = after {
            insert += &format!("\nCROSS JOIN (SELECT count(*) FROM {step}) AS first");
        }
        if self.table.mode != Mode::Insert && !self.key.is_empty() {
            insert += &format!("\nWHERE NOT EXISTS (SELECT FROM {} AS t WHERE {})", relation(self.table), self.same_row());
        }
        if undo {
            insert += &format!("\n{}", Undo::returning(self));
        }
        insert
    }
}

/// Writes an author's expression over target and staged rows.
fn operand(expr: &Expr) -> Result<String, Unsupported> {
    sql::print::operand(&sql::postgres::Postgres, expr, Binding::Not)
}

/// Refuses expressions that the database has no words for.
pub fn sayable(table: &Table) -> Result<(), Error> {
    let Mode::Upsert(upsert) = &table.mode else { return Ok(()) };
    for expr in upsert.set.iter().map(|(_, e)| e).chain(&upsert.when) {
        operand(expr).map_err(|unsupported| {
            Error::new(
                "X0401",
                format!("the load of `{}` uses {}, which cannot be said to PostgreSQL", table.shown(), unsupported.what),
            )
            .help("Compute it in `derive` or `map`, and use the column as `source.<column>`.")
        })?;
    }
    Ok(())
}

/// Says that `t` and `s` differ in these columns, by their stored bytes.
fn differ(columns: &[&str]) -> Option<String> {
    (!columns.is_empty()).then(|| {
        let list = |alias| text::names(alias, columns.iter().copied());
        format!("ROW({})::record OPERATOR(pg_catalog.*<>) ROW({})::record", list("t."), list("s."))
    })
}

/// Writes the deletions of tables that depend on each other, as one statement.
pub fn delete(plans: &[Plan]) -> String {
    one_statement(plans.iter().rev().filter_map(|p| Some((format!("pipe_delete_{}", p.table.number), p.delete()?))).collect())
}

/// Writes updates and insertions of tables that depend on each other, as one statement: foreign keys are checked when it ends, so
/// that rows may refer to rows that it inserts. Updates come before insertions, so that a unique value may pass to a new row.
pub fn merge(plans: &[Plan], undo: Option<&Undo>) -> String {
    if let [plan] = plans
        && plan.key.is_empty()
    {
        let insert = plan.insert(None, undo.is_some());
        let insert = match undo {
            Some(undo) => format!("WITH pipe_insert AS (\n{insert}\n)\n{}", undo.keep(plan, "pipe_insert")),
            None => insert,
        };
        let body = format!(
            "DECLARE\n  found bigint;\nBEGIN\n{insert};\n  GET DIAGNOSTICS found = ROW_COUNT;\n{}END",
            guard::expect(plan.table, plan.table.rows, "inserted rows")
        );
        return text::block(&body);
    }
    let mut updates = vec![];
    let mut inserts = vec![];
    let mut kept = vec![];
    for plan in plans {
        let number = plan.table.number;
        let (update, insert) = (format!("pipe_update_{number}"), format!("pipe_insert_{number}"));
        let sql = plan.update();
        inserts.push((insert.clone(), plan.insert(sql.as_ref().map(|_| update.as_str()), undo.is_some())));
        if let (Some(undo), Some(_)) = (undo, &sql) {
            kept.push((format!("pipe_count_{number}"), undo.count(plan, &update)));
        }
        updates.extend(sql.map(|u| (update, format!("{u}\nRETURNING 1"))));
        // The last step is the statement: an insertion, never a count.
        kept.extend(undo.map(|undo| (format!("pipe_keep_{number}"), undo.keep(plan, &insert))));
    }
    updates.append(&mut inserts);
    updates.append(&mut kept);
    one_statement(updates)
}

/// Joins named steps: the last is the statement, those before it are its common table expressions.
fn one_statement(mut steps: Vec<(String, String)>) -> String {
    let Some((_, last)) = steps.pop() else { return String::new() };
    if steps.is_empty() {
        return format!("{last};\n");
    }
    let before: Vec<String> = steps.into_iter().map(|(name, sql)| format!("{name} AS (\n{sql}\n)")).collect();
    format!("WITH {}\n{last};\n", before.join(", "))
}
