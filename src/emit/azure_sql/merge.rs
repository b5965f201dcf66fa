//! How staged rows meet those in the target.
//!
//! In: a table and its evidence. Out: the DELETE, UPDATE and INSERT statements of its mode (MERGE has known defects), under locks that keep
//! others from adding the same keys in between. Rows that are already as they should be are not touched: text is compared by its code
//! points and its length, because the target's collation takes `Ana`, `ANA` and `Ana ` for equal.
//! Does not know about guards or the order of tables.

use super::guard;
use super::{object_id, relation, same_key, scope_condition, stage, text};
use crate::contract::Generated;
use crate::emit::rows::Evidence;
use crate::emit::{Column, Mode, Table, Upsert};
use crate::error::Error;
use crate::sql::view::Pair;
use crate::types::DataType;

/// A table and the key that its rows are merged by.
pub struct Plan<'a> {
    pub table: &'a Table,
    /// Quoted columns and whether NULLs must be equal; empty without a usable key.
    pub key: Vec<(String, bool)>,
}

impl<'a> Plan<'a> {
    pub fn new(table: &'a Table, evidence: &Evidence) -> Plan<'a> {
        let positions = table.loaded_key().iter().filter_map(|k| table.position(k));
        let key = positions.filter_map(|p| Some((text::identifier(&table.columns.get(p)?.name), evidence.has_nulls(&[p]))));
        Plan { table, key: key.collect() }
    }

    /// Says that target row `t` and staged row `s` have the same key.
    pub fn same_row(&self) -> String {
        same_key("t", "s", &self.key)
    }

    /// The columns of `alias` in a form in which only the same value is equal.
    pub fn exact(&self, alias: &str) -> Vec<String> {
        self.table.columns.iter().map(|c| exact(alias, c)).collect()
    }

    /// The same, and with them the columns that are not loaded but set.
    pub fn exact_with_set(&self, alias: &str) -> Vec<String> {
        let set = self.upsert().map(|u| u.columns.iter().filter(|c| u.sets(&c.name) && self.table.position(&c.name).is_none()));
        self.exact(alias).into_iter().chain(set.into_iter().flatten().map(|c| exact(alias, c))).collect()
    }

    /// Says that staged row `s` and target row `t` differ in any column.
    pub fn differ(&self) -> String {
        format!("EXISTS (\n  SELECT {}\n  EXCEPT\n  SELECT {}\n)", self.exact("s").join(", "), self.exact("t").join(", "))
    }

    fn upsert(&self) -> Option<&Upsert> {
        match &self.table.mode {
            Mode::Upsert(upsert) => Some(upsert),
            _ => None,
        }
    }

    /// Says which rows `t` of the target a replacement leaves out, which may be all; nothing in other modes.
    pub fn goes(&self) -> Option<String> {
        let Mode::Replace { scope } = &self.table.mode else { return None };
        let mut conditions = vec![];
        if !scope.is_empty() {
            conditions.push(scope_condition("t", scope));
        }
        if !self.key.is_empty() {
            conditions.push(format!("NOT EXISTS (SELECT 1 FROM {} AS s WHERE {})", stage(self.table), self.same_row()));
        }
        Some(conditions.join("\n  AND "))
    }

    /// Deletes what a replacement leaves out; empty in other modes.
    pub fn delete(&self) -> String {
        let Some(condition) = self.goes() else { return String::new() };
        let condition = if condition.is_empty() { String::new() } else { format!("\nWHERE {condition}") };
        format!("DELETE t\nFROM {} AS t WITH (UPDLOCK, HOLDLOCK){condition};\n", relation(self.table))
    }

    /// Changes the rows that are there and differ, then inserts those that are not there.
    pub fn merge(&self) -> String {
        // Updates come before insertions, so that a unique value may pass to a new row.
        let mut sql = self.update().unwrap_or_default();
        let names: Vec<String> = self.table.columns.iter().map(|c| text::literal(&c.name)).collect();
        let relation = relation(self.table);
        let numbered = self.table.columns.iter().any(|c| matches!(c.generated, Generated::Always | Generated::ByDefault));
        // The switch is refused for a table without such a column, so that the table itself must say.
        let switch = |word: &str| match self.table.overriding_identity || numbered {
            true => format!(
                "IF EXISTS (SELECT 1 FROM sys.identity_columns WHERE object_id = {} AND name IN ({})) SET IDENTITY_INSERT {relation} {word};\n",
                object_id(self.table),
                names.join(", ")
            ),
            false => String::new(),
        };
        let counted = if self.key.is_empty() {
            format!("SET @found = ROWCOUNT_BIG();\n{}", guard::expect(self.table, self.table.rows, "inserted rows"))
        } else {
            String::new()
        };
        if self.key.is_empty() {
            sql += "DECLARE @found bigint, @message nvarchar(2048);\n";
        }
        sql + &switch("ON") + &self.insert() + &counted + &switch("OFF")
    }

    fn update(&self) -> Option<String> {
        let (columns, condition) = self.changes()?;
        let set: Vec<String> = columns.iter().map(|(c, value)| format!("t.{} = {value}", text::identifier(c))).collect();
        Some(format!(
            "UPDATE t\nSET {}\nFROM {} AS t WITH (UPDLOCK, HOLDLOCK)\nINNER JOIN {} AS s ON {}\nWHERE {condition};\n",
            set.join(",\n    "),
            relation(self.table),
            stage(self.table),
            self.same_row()
        ))
    }

    /// The columns that rows of the target may change in with the values that they get, and which rows `t` change, met by those of `s`;
    /// nothing where none may.
    pub fn changes(&self) -> Option<(Vec<(String, String)>, String)> {
        if !self.table.mode.changes_rows() || self.key.is_empty() {
            return None;
        }
        let is_key = |name: &String| self.key.iter().any(|(k, _)| *k == text::identifier(name));
        let upsert = self.upsert().cloned().unwrap_or_default();
        // The text of a key may differ by case and still be the same key.
        let comes = |c: &&Column| {
            let free = c.generated != Generated::Always && (!is_key(&c.name) || c.data_type.is_text());
            free && !upsert.keep.contains(&c.name) && !upsert.sets(&c.name)
        };
        let columns: Vec<&Column> = self.table.columns.iter().filter(comes).collect();
        let watched: Vec<&Column> = self.table.columns.iter().filter(|c| upsert.when_changed.contains(&c.name)).collect();
        let changed = differ(&watched).or_else(|| differ(&columns));
        let types = types(&upsert);
        let pair = Pair { columns: &types };
        let mut given: Vec<(String, String)> =
            columns.iter().map(|c| (c.name.clone(), format!("s.{}", text::identifier(&c.name)))).collect();
        given.extend(upsert.set.iter().filter_map(|(c, value)| Some((c.clone(), pair.value(c, value).ok()?))));
        if given.is_empty() {
            return None;
        }
        let condition = match upsert.when.as_ref().and_then(|when| pair.condition(when).ok()) {
            // What is set may change a row that is otherwise as it comes.
            Some(when) if watched.is_empty() && !upsert.set.is_empty() => when,
            Some(when) => changed.map_or(when.clone(), |changed| format!("{when}\n  AND {changed}")),
            None => changed.unwrap_or_else(|| "1 = 1".to_string()),
        };
        Some((given, condition))
    }

    fn insert(&self) -> String {
        let columns = || self.table.columns.iter().map(|c| c.name.as_str());
        let mut insert = format!(
            "INSERT INTO {} ({})\nSELECT {}\nFROM {} AS s",
            relation(self.table),
            text::names("", columns()),
            text::names("s.", columns()),
            stage(self.table)
        );
        if self.table.mode != Mode::Insert && !self.key.is_empty() {
            insert += &format!(
                "\nWHERE NOT EXISTS (SELECT 1 FROM {} AS t WITH (UPDLOCK, HOLDLOCK) WHERE {})",
                relation(self.table),
                self.same_row()
            );
        }
        insert + ";\n"
    }
}

/// Refuses expressions that T-SQL has no words for; where they are written, the plan has reported them already.
pub fn sayable(table: &Table) -> Result<(), Error> {
    let Mode::Upsert(upsert) = &table.mode else { return Ok(()) };
    let types = types(upsert);
    let pair = Pair { columns: &types };
    let said =
        upsert.set.iter().map(|(c, value)| pair.value(c, value)).chain(upsert.when.iter().map(|when| pair.condition(when)));
    match said.filter_map(Result::err).next() {
        None => Ok(()),
        Some(unsupported) => {
            let message = format!("the load of `{}` uses {}, which cannot be said in T-SQL", table.shown(), unsupported.what);
            Err(Error::new("X0401", message))
        }
    }
}

fn types(upsert: &Upsert) -> Vec<(String, DataType)> {
    upsert.columns.iter().map(|c| (c.name.clone(), c.data_type.clone())).collect()
}

/// Says that rows `s` and `t` differ in any of these columns; nothing where there are none.
fn differ(columns: &[&Column]) -> Option<String> {
    let all = |alias: &str| columns.iter().map(|c| exact(alias, c)).collect::<Vec<_>>().join(", ");
    (!columns.is_empty()).then(|| format!("EXISTS (\n  SELECT {}\n  EXCEPT\n  SELECT {}\n)", all("s"), all("t")))
}

/// A column in a form in which only the same value is equal.
fn exact(alias: &str, column: &Column) -> String {
    let name = format!("{alias}.{}", text::identifier(&column.name));
    match &column.data_type {
        // Where there is no contract the column may be a date after all: style 121 shows all of it.
        DataType::Text | DataType::Varchar(_) | DataType::Char(_) | DataType::Json { .. } => {
            format!("CONVERT(nvarchar(max), {name}, 121) COLLATE Latin1_General_BIN2, DATALENGTH({name})")
        }
        DataType::Named(_) | DataType::Unknown => {
            format!("CONVERT(nvarchar(max), {name}) COLLATE Latin1_General_BIN2, DATALENGTH({name})")
        }
        // Zeros at the end do not count in comparisons.
        DataType::Bytes => format!("{name}, DATALENGTH({name})"),
        _ => name,
    }
}
