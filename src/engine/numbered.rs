//! Stores texts by numbers where all that a column can have are known: half of a flat export are words of a few lists, and rows that do not
//! fit into memory are written and read once more.
//!
//! In: a table that is about to be staged, and the relation of its rows. Out: how its columns are stored, and read back. Does not know where
//! rows lie.

use std::collections::BTreeSet;

use super::carried::Carried;
use super::session::{Session, quote, quote_text};
use crate::check::Measure;
use crate::error::Error;
use crate::expr::ExprKind;
use crate::plan::TablePlan;
use crate::relation::number_of;
use crate::source::{Staging, Texts};

/// The most texts that are told apart: a number is one byte.
const MOST: usize = 255;

/// Columns whose texts are stored by numbers.
#[derive(Default)]
pub struct Numbered(Vec<NumberedColumn>);

struct NumberedColumn {
    name: String,
    texts: BTreeSet<String>,
    /// What makes the number of a row's text.
    made: String,
}

impl Numbered {
    /// Takes the columns whose texts are known: those that come by their numbers, and where `all` is wanted also those whose texts must be
    /// looked up. Those of unique keys are left as they are, since the keys are judged as they are stored.
    pub fn of(table: &TablePlan, carried: &Carried, all: bool) -> Result<Numbered, Error> {
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
        let mut columns = vec![];
        for (name, texts) in few {
            let made = match carried.columns.get(name) {
                Some(carry) => carry.stored(&quote(&number_of(name)), texts, &numbering(texts), table.name.span)?,
                None if all => format!("CAST({} AS {})", quote(name), numbering(texts)),
                None => continue,
            };
            columns.push(NumberedColumn { name: name.clone(), texts: texts.clone(), made });
        }
        Ok(Numbered(columns))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The texts of the columns.
    pub fn texts(&self) -> Texts {
        self.0.iter().map(|column| (column.name.clone(), column.texts.clone())).collect()
    }

    /// Makes a table of these columns of a query's rows.
    pub fn create(self, name: &str, columns: &[String], query: &str, session: &Session) -> Result<Numbered, Error> {
        let create = |made: &dyn Fn(&String) -> String| {
            let list: Vec<String> = columns.iter().map(made).collect();
            session.execute(&format!("CREATE TABLE {name} AS SELECT {} FROM ({query})", list.join(", ")))
        };
        if !self.is_empty() {
            let numbered = create(&|column| match self.0.iter().find(|numbered| numbered.name == *column) {
                Some(numbered) => format!("{} AS {}", numbered.made, quote(column)),
                None => quote(column),
            });
            match numbered {
                Ok(()) => return Ok(self),
                Err(error) if error.is_interrupted() => return Err(error),
                // Whatever it is, it is told of the rows as they are.
                Err(_) => {}
            }
        }
        create(&|column| quote(column))?;
        Ok(Numbered::default())
    }

    /// All columns, the texts as texts again and by their numbers.
    pub fn read(&self) -> String {
        let texts: Vec<String> =
            self.0.iter().map(|column| format!("CAST({0} AS VARCHAR) AS {0}", quote(&column.name))).collect();
        let number = |column: &NumberedColumn| format!(", {} AS {}", quote(&column.name), quote(&number_of(&column.name)));
        let numbers: String = self.0.iter().map(number).collect();
        if texts.is_empty() { "*".to_string() } else { format!("* REPLACE ({}){numbers}", texts.join(", ")) }
    }
}

/// The engine's type that numbers texts.
fn numbering(texts: &BTreeSet<String>) -> String {
    let words: Vec<String> = texts.iter().map(|text| quote_text(text)).collect();
    format!("ENUM({})", words.join(", "))
}
