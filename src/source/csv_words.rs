//! Stores text columns that have few different values by the values' numbers: of a category, a status or a country there are millions, and a
//! dozen to tell apart. Staged rows take about half the room, which is read, checked and spilled faster than text.
//!
//! In: the values of a column's first records. Out: how the column is stored and read back. Values that come later are stored as text, beside
//! the numbers. Does not know about types other than text.

use std::collections::{BTreeSet, HashSet};

use super::csv::{quote, quote_text};
use super::{Staging, Texts};
use crate::error::Error;
use crate::relation::number_of;

/// The most values that are told apart.
const MOST: usize = 64;

/// The fewest records that must have been seen: among few, anything repeats seldom or gains little.
const LEAST: u64 = 1_000;

/// How many columns of a source are stored by numbers: the engine's time to plan grows with them.
const COLUMNS: usize = 64;

/// The different values of one column, until there are too many.
#[derive(Clone, Debug, Default)]
pub struct Words {
    seen: u64,
    /// One more than [`MOST`] where there are too many.
    different: HashSet<String>,
}

impl Words {
    /// Looks at one more value.
    pub fn add(&mut self, text: &str) {
        self.seen += 1;
        if self.different.len() <= MOST && !self.different.contains(text) {
            self.different.insert(text.to_string());
        }
    }

    /// The values in order, if they are few.
    fn few(&self) -> Option<Vec<&str>> {
        if self.seen < LEAST || self.different.len() > MOST {
            return None;
        }
        let mut few: Vec<&str> = self.different.iter().map(String::as_str).collect();
        few.sort_unstable();
        Some(few)
    }
}

/// A column that is stored by numbers.
struct NumberedColumn {
    name: String,
    /// The engine's type that has its values, quoted.
    words: String,
    texts: BTreeSet<String>,
}

/// The columns of a source that are stored by numbers.
pub struct Numbered {
    columns: Vec<NumberedColumn>,
}

/// The column of the values that the types have not: a list of them as JSON, in the order of the columns.
const OTHERS: &str = "\"#others\"";

/// The name of a column's value in the type that it is stored as, a type of words or one that was guessed, which is NULL where it cannot be.
pub fn tried(name: &str) -> String {
    format!("#tried.{name}")
}

impl Numbered {
    /// Takes those of some columns whose values are few, and makes a type of each one's values.
    pub fn of<'a>(
        extract: &str,
        columns: impl Iterator<Item = (&'a str, &'a Words)>,
        staging: &dyn Staging,
    ) -> Result<Numbered, Error> {
        let few = columns.filter_map(|(column, words)| Some((column, words.few()?))).take(COLUMNS);
        let (mut columns, mut types) = (vec![], String::new());
        for (column, few) in few {
            let list: Vec<String> = few.iter().map(|word| quote_text(word)).collect();
            let name = quote(&format!("#words.{extract}.{column}"));
            types.push_str(&format!("DROP TYPE IF EXISTS {name}; CREATE TYPE {name} AS ENUM ({});\n", list.join(", ")));
            let texts = few.into_iter().map(str::to_string).collect();
            columns.push(NumberedColumn { name: column.to_string(), words: name, texts });
        }
        if !types.is_empty() {
            staging.execute(&types)?;
        }
        Ok(Numbered { columns })
    }

    /// The type that a column's texts are stored as; `None` where they are stored themselves.
    pub fn words(&self, column: &str) -> Option<String> {
        self.columns.iter().find(|c| c.name == column).map(|c| c.words.clone())
    }

    /// What is stored besides the columns.
    pub fn others(&self) -> Option<String> {
        let unknown = |column: &str| format!("{} IS NULL AND {} IS NOT NULL", quote(&tried(column)), quote(column));
        let any: Vec<String> = self.columns.iter().map(|c| unknown(&c.name)).collect();
        let value = |column: &str| format!("CASE WHEN {} THEN {} END", unknown(column), quote(column));
        let all: Vec<String> = self.columns.iter().map(|c| value(&c.name)).collect();
        let (any, all) = (any.join(" OR "), all.join(", "));
        (!any.is_empty()).then(|| format!("CASE WHEN {any} THEN CAST(to_json([{all}]) AS VARCHAR) END AS {OTHERS}"))
    }

    /// Whether rows of these tables have values that the types have not; where none has, the room for them is given back.
    pub fn are_others(&self, tables: &[String], staging: &dyn Staging) -> Result<bool, Error> {
        if self.columns.is_empty() {
            return Ok(false);
        }
        for table in tables {
            if !staging.rows(&format!("SELECT 1 FROM {table} WHERE {OTHERS} IS NOT NULL LIMIT 1"))?.is_empty() {
                return Ok(true);
            }
        }
        let drop: Vec<String> = tables.iter().map(|table| format!("ALTER TABLE {table} DROP COLUMN {OTHERS};\n")).collect();
        staging.execute(&drop.concat())?;
        Ok(false)
    }

    /// All texts of each column, if there are no others.
    pub fn texts(self) -> Texts {
        self.columns.into_iter().map(|c| (c.name, c.texts)).collect()
    }

    /// A column's texts again, and by their numbers if there are no others; `None` where the texts are what is stored.
    pub fn read(&self, column: &str, others: bool) -> Option<String> {
        let at = self.columns.iter().position(|c| c.name == column)?;
        let (column, number) = (quote(column), number_of(column));
        Some(match others {
            true => format!("coalesce(CAST({column} AS VARCHAR), json_extract_string({OTHERS}, '$[{at}]')) AS {column}"),
            false => format!("CAST({column} AS VARCHAR) AS {column}, {column} AS {}", quote(&number)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_few_and_often_seen() {
        let seen = |values: usize, different: usize| {
            let mut words = Words::default();
            (0..values).for_each(|i| words.add(&format!("{}", i % different)));
            words.few().map(|few| few.len())
        };
        assert_eq!(seen(1_000, 64), Some(64));
        assert_eq!(seen(999, 3), None);
        assert_eq!(seen(5_000, 65), None);
    }
}
