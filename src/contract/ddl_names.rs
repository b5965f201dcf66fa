//! The names that Postgres gives to what its author left unnamed, so that reports name the constraint that would break.
//!
//! In: the names taken so far and the table and columns of a constraint. Out: the name that the server would choose.
//! Does not know about statements; whoever reads them asks in the order in which the server would.

use std::collections::{BTreeMap, BTreeSet};

/// The most bytes that a Postgres name has.
pub(super) const LIMIT: usize = 63;

/// The names of relations and constraints that are taken, by schema.
#[derive(Debug, Default)]
pub(super) struct Names {
    schemas: BTreeMap<String, Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    relations: BTreeSet<String>,
    constraints: BTreeSet<String>,
}

impl Names {
    /// Notes a table, an index or a sequence.
    pub(super) fn take_relation(&mut self, schema: &str, name: &str) {
        self.schema(schema).relations.insert(name.to_string());
    }

    /// Notes a constraint that has a name; those that are indexes take a relation's name too.
    pub(super) fn take_constraint(&mut self, schema: &str, name: &str, is_index: bool) {
        let taken = self.schema(schema);
        taken.constraints.insert(name.to_string());
        if is_index {
            taken.relations.insert(name.to_string());
        }
    }

    /// Chooses and takes a name for an index, a sequence, or a constraint that is an index.
    pub(super) fn choose_relation(&mut self, schema: &str, parts: (&str, &str, &str), is_constraint: bool) -> String {
        let taken = self.schema(schema);
        let used = |name: &str| taken.relations.contains(name) || is_constraint && taken.constraints.contains(name);
        let name = first_free(parts, |name| !used(name));
        taken.relations.insert(name.clone());
        if is_constraint {
            taken.constraints.insert(name.clone());
        }
        name
    }

    /// Chooses and takes a name for a constraint that is no index.
    pub(super) fn choose_constraint(&mut self, schema: &str, parts: (&str, &str, &str)) -> String {
        let taken = self.schema(schema);
        let name = first_free(parts, |name| !taken.constraints.contains(name));
        taken.constraints.insert(name.clone());
        name
    }

    fn schema(&mut self, schema: &str) -> &mut Taken {
        self.schemas.entry(schema.to_string()).or_default()
    }
}

/// Tries `table_columns_label`, then `..._label1`, `..._label2` and so on.
fn first_free((table, columns, label): (&str, &str, &str), free: impl Fn(&str) -> bool) -> String {
    let mut name = object_name(table, columns, label);
    let mut pass = 0u32;
    while !free(&name) {
        pass += 1;
        name = object_name(table, columns, &format!("{label}{pass}"));
    }
    name
}

/// Joins the parts with underscores and cuts the longer of the first two until the whole fits.
pub(super) fn object_name(table: &str, columns: &str, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(!columns.is_empty());
    let room = LIMIT.saturating_sub(overhead);
    let (mut first, mut second) = (table.len(), columns.len());
    while first + second > room {
        if first > second {
            first -= 1;
        } else {
            second -= 1;
        }
    }
    let (table, columns) = (clip(table, first), clip(columns, second));
    if columns.is_empty() { format!("{table}_{label}") } else { format!("{table}_{columns}_{label}") }
}

/// Joins column names as index and foreign key names do.
pub(super) fn join_columns(columns: &[String]) -> String {
    let mut joined = String::new();
    for column in columns {
        if !joined.is_empty() {
            joined.push('_');
        }
        joined.push_str(clip(column, LIMIT));
        if joined.len() > LIMIT {
            break;
        }
    }
    joined
}

/// Cuts a text to at most `bytes` bytes, between characters.
pub(super) fn clip(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_server() {
        let mut names = Names::default();
        assert_eq!(names.choose_relation("public", ("personas", "", "pkey"), true), "personas_pkey");
        assert_eq!(names.choose_constraint("public", ("t", "c", "check")), "t_c_check");
        assert_eq!(names.choose_constraint("public", ("t", "c", "check")), "t_c_check1");
        assert_eq!(names.choose_constraint("other", ("t", "c", "check")), "t_c_check");
        assert_eq!(names.choose_relation("public", ("t", &join_columns(&["a".into(), "b".into()]), "key"), true), "t_a_b_key");
    }

    #[test]
    fn long_names_are_cut_where_they_are_longest() {
        let table = "a_table_whose_name_is_quite_long_and_goes_on_and_on";
        let column = "a_column_with_a_long_name_too";
        let name = object_name(table, column, "check");
        assert_eq!(name.len(), LIMIT);
        assert_eq!(name, "a_table_whose_name_is_quite__a_column_with_a_long_name_to_check");
        assert_eq!(object_name(&"ż".repeat(40), "", "pkey"), format!("{}_pkey", "ż".repeat(29)));
    }
}
