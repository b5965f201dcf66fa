//! Stores texts by numbers where all that a column can have are known: half of a flat export are words of a few lists, and rows that do not
//! fit into memory are written and read once more.
//!
//! In: a table that is about to be staged. Out: how its columns are stored, and read back. Does not know where rows lie.

use std::collections::BTreeSet;

use super::session::{Session, quote, quote_text};
use crate::check::Measure;
use crate::error::Error;
use crate::expr::ExprKind;
use crate::plan::TablePlan;
use crate::source::Staging;

/// The most texts that are told apart: a number is one byte.
const MOST: usize = 255;

/// Columns, quoted, and the types that number their texts.
#[derive(Default)]
pub struct Numbered(Vec<(String, String)>);

impl Numbered {
    /// Takes the columns whose texts are known. Those of unique keys are left as they are, since the keys are judged as they are stored.
    pub fn of(table: &TablePlan) -> Numbered {
        let keys = table.checks.iter().filter_map(|check| match &check.measure {
            Measure::Unique(key) => Some(key.parts.iter().chain(&key.only_where)),
            _ => None,
        });
        let mut compared = BTreeSet::new();
        for key in keys.flatten() {
            key.walk(&mut |part| {
                if let ExprKind::Column(name) = &part.kind {
                    compared.insert(name);
                }
            });
        }
        let few = table.texts.iter().filter(|(column, texts)| (1..=MOST).contains(&texts.len()) && !compared.contains(column));
        let words = |texts: &BTreeSet<String>| texts.iter().map(|text| quote_text(text)).collect::<Vec<_>>().join(", ");
        Numbered(few.map(|(column, texts)| (quote(column), format!("ENUM({})", words(texts)))).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes a table of a query's rows.
    pub fn create(self, name: &str, query: &str, session: &Session) -> Result<Numbered, Error> {
        if !self.is_empty() {
            let stored: Vec<String> = self.0.iter().map(|(column, t)| format!("CAST({column} AS {t}) AS {column}")).collect();
            let numbered = format!("CREATE TABLE {name} AS SELECT * REPLACE ({}) FROM ({query})", stored.join(", "));
            match session.execute(&numbered) {
                Ok(()) => return Ok(self),
                Err(error) if error.is_interrupted() => return Err(error),
                // Whatever it is, it is told of the rows as they are.
                Err(_) => {}
            }
        }
        session.execute(&format!("CREATE TABLE {name} AS {query}"))?;
        Ok(Numbered::default())
    }

    /// All columns, the texts as texts again.
    pub fn read(&self) -> String {
        let texts: Vec<String> = self.0.iter().map(|(column, _)| format!("CAST({column} AS VARCHAR) AS {column}")).collect();
        if texts.is_empty() { "*".to_string() } else { format!("* REPLACE ({})", texts.join(", ")) }
    }
}
