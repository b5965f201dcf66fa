//! The databases that scripts are written for: one folder entry per target, one line each in [`TARGETS`].
//!
//! A target says how its constraints judge values ([`Target::column_checks`]); how it writes SQL is its dialect's business.
//! Does not know about stages or the engine.

pub mod azure_sql;
mod code_page;
mod collated;
mod collation;
mod collation_letters;
mod pattern;
pub mod postgres;

use std::fmt;
use std::sync::Arc;

use crate::check::{Check, Declared, Measure, Tolerance};
use crate::contract::ddl::Flavor;
use crate::contract::{Column, Contract};
use crate::diagnostics::{Severity, Span};
use crate::expr::Expr;

/// Every target, by the word in `dialect:`.
pub const TARGETS: &[&dyn Target] = &[&postgres::Postgres, &azure_sql::AzureSql];

/// A kind of database.
pub trait Target: Sync + Send {
    /// The word in `dialect:`.
    fn name(&self) -> &'static str;

    /// What the type and the NOT NULL of a column demand of its values, with this database's meaning of lengths and ranges.
    fn column_checks(&self, column: &Column) -> Vec<Declared>;

    /// Gives a constraint this database's meaning: which keys are equal, and whether NULLs are.
    fn adapt(&self, declared: Declared, contract: &Contract) -> Declared {
        let _ = contract;
        declared
    }

    /// What this database demands of whole rows, besides the declared constraints: the size of an index key.
    fn table_checks(&self, contract: &Contract) -> Vec<Declared> {
        let _ = contract;
        vec![]
    }

    /// Whether texts can be compared by a collation of this name.
    fn knows_collation(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// What of a contract is judged, but not as the database does, and why.
    fn in_doubt(&self, contract: &Contract) -> Vec<(String, String)> {
        let _ = contract;
        vec![]
    }

    /// The characters of a text that a column would not keep: those that its code page lacks.
    fn lost(&self, column: &Column, text: &str) -> String {
        let _ = (column, text);
        String::new()
    }

    /// How this database writes CREATE TABLE.
    fn flavor(&self) -> Flavor;

    /// The schema of tables whose names have none.
    fn usual_schema(&self) -> &'static str {
        "public"
    }

    /// The longest identifier in bytes, and what is said about it.
    fn identifier_limit(&self) -> usize;
}

/// Finds a target by its word.
pub fn find(name: &str) -> Option<&'static dyn Target> {
    TARGETS.iter().find(|t| t.name() == name).copied()
}

/// A demand of a column's type or nullability.
pub struct ColumnRule {
    pub rule: &'static str,
    pub column: String,
    /// TRUE where a row breaks it.
    pub fails: Expr,
    pub allowed: String,
    /// What would mend a value.
    pub suggest: fn(&ColumnRule, &str) -> Option<String>,
}

impl fmt::Debug for ColumnRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.rule, self.column)
    }
}

impl Check for ColumnRule {
    fn rule(&self) -> &'static str {
        self.rule
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        Measure::Row(self.fails.clone())
    }

    fn allowed(&self) -> String {
        self.allowed.clone()
    }

    fn suggest(&self, value: &str) -> Option<String> {
        (self.suggest)(self, value)
    }
}

impl ColumnRule {
    /// Declares the rule as one that the target enforces.
    pub fn enforced(self, span: Span) -> Declared {
        Declared {
            check: Arc::new(self),
            name: None,
            severity: Severity::Error,
            tolerance: Tolerance::Rows(0),
            why: None,
            span,
            enforced: true,
        }
    }
}
