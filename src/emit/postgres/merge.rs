//! How staged rows meet those in the target.
//!
//! In: a table and its evidence. Out: the DELETE, UPDATE and INSERT statements of its mode. Rows that are already as they should
//! be are not touched: they are compared by their stored bytes (`*<>`), which works for every type and keeps every difference.
//! Does not know about guards or the order of tables.

use super::{guard, relation, same_key, scope_condition, stage, text};
use crate::contract::Generated;
use crate::emit::rows::Evidence;
use crate::emit::{Mode, Table};

/// A table and the key that its rows are merged by.
pub struct Plan<'a> {
    pub table: &'a Table,
    /// Quoted columns, twice (target and stage), and whether NULLs must be equal; empty without a usable key.
    pub key: Vec<(String, String, bool)>,
}

impl<'a> Plan<'a> {
    pub fn new(table: &'a Table, evidence: &Evidence) -> Plan<'a> {
        // In the order of the columns, as the row writer gathers keys, and each once, however the author wrote them.
        let mut positions: Vec<usize> = table.loaded_key().iter().filter_map(|k| table.position(k)).collect();
        positions.sort_unstable();
        positions.dedup();
        // Where NULLs are distinct, a new row with a NULL in its key is none that is there: it has no key at all.
        if table.mode == Mode::Insert && evidence.has_nulls(&positions) {
            return Plan { table, key: vec![] };
        }
        let key = positions.iter().filter_map(|p| {
            let name = text::identifier(&table.columns.get(*p)?.name);
            Some((name.clone(), name, evidence.has_nulls(&[*p])))
        });
        Plan { table, key: key.collect() }
    }

    /// Says that target row `t` and staged row `s` have the same key.
    pub fn same_row(&self) -> String {
        same_key("t", "s", &self.key)
    }

    /// Deletes what a replacement leaves out.
    pub fn delete(&self) -> Option<String> {
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
        let condition = if conditions.is_empty() { String::new() } else { format!("\nWHERE {}", conditions.join("\n  AND ")) };
        Some(format!("DELETE FROM {} AS t{condition}", relation(self.table)))
    }

    /// Changes the rows that are there and differ.
    fn update(&self) -> Option<String> {
        let is_free = |name: &String| !self.key.iter().any(|(k, _, _)| *k == text::identifier(name));
        let columns: Vec<&str> = self
            .table
            .columns
            .iter()
            .filter(|c| is_free(&c.name) && c.generated != Generated::Always)
            .map(|c| c.name.as_str())
            .collect();
        if self.table.mode == Mode::Insert || self.key.is_empty() || columns.is_empty() {
            return None;
        }
        let set: Vec<String> = columns.iter().map(|c| format!("{0} = s.{0}", text::identifier(c))).collect();
        Some(format!(
            "UPDATE {} AS t\nSET {}\nFROM {} AS s\nWHERE {}\n  AND ROW({})::record OPERATOR(pg_catalog.*<>) ROW({})::record",
            relation(self.table),
            set.join(",\n    "),
            stage(self.table),
            self.same_row(),
            text::names("t.", columns.iter().copied()),
            text::names("s.", columns.iter().copied())
        ))
    }

    /// Inserts the rows that are not there; `after` names the step that must come before.
    fn insert(&self, after: Option<&str>) -> String {
        let columns = || self.table.columns.iter().map(|c| c.name.as_str());
        let overriding = if self.table.overriding_identity { "\nOVERRIDING SYSTEM VALUE" } else { "" };
        let mut insert = format!(
            "INSERT INTO {} ({}){overriding}\nSELECT {}\nFROM {} AS s",
            relation(self.table),
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
        insert
    }
}

/// Writes the deletions of tables that depend on each other, as one statement.
pub fn delete(plans: &[Plan]) -> String {
    one_statement(plans.iter().rev().filter_map(|p| Some((format!("pipe_delete_{}", p.table.number), p.delete()?))).collect())
}

/// Writes updates and insertions of tables that depend on each other, as one statement: foreign keys are checked when it ends, so
/// that rows may refer to rows that it inserts. Updates come before insertions, so that a unique value may pass to a new row.
pub fn merge(plans: &[Plan]) -> String {
    if let [plan] = plans
        && plan.key.is_empty()
    {
        let body = format!(
            "DECLARE\n  found bigint;\nBEGIN\n{};\n  GET DIAGNOSTICS found = ROW_COUNT;\n{}END",
            plan.insert(None),
            guard::expect(plan.table, plan.table.rows, "inserted rows")
        );
        return text::block(&body);
    }
    let mut updates = vec![];
    let mut inserts = vec![];
    for plan in plans {
        let step = format!("pipe_update_{}", plan.table.number);
        let update = plan.update();
        inserts.push((format!("pipe_insert_{}", plan.table.number), plan.insert(update.as_ref().map(|_| step.as_str()))));
        updates.extend(update.map(|u| (step, format!("{u}\nRETURNING 1"))));
    }
    updates.append(&mut inserts);
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
