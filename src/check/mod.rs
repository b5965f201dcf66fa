//! What must hold of rows: one file per kind of check, one line each in [`CHECKS`].
//!
//! A kind decodes itself from YAML and says how it is measured ([`Measure`], closed), so that the engine can judge all checks of a
//! table in one scan and the dialects can say the same in the target. Does not know about stages, engines or dialects.

pub mod condition;
pub mod constant;
pub mod data_type;
pub mod length;
mod list;
pub mod matches;
pub mod not_null;
pub mod one_of;
pub mod range;
pub mod references;
pub mod rows;
pub mod total;
pub mod unique;

use std::fmt;
use std::sync::Arc;

use crate::diagnostics::{Diagnostics, Severity, Span};
use crate::expr::Expr;
use crate::spec::yaml::Node;

pub use list::decode_list;

/// Every kind of check that `validate:` knows.
pub const CHECKS: &[&dyn CheckKind] = &[
    &not_null::Kind,
    &unique::Kind,
    &one_of::Kind,
    &range::Kind,
    &length::Kind,
    &matches::Kind,
    &data_type::Kind,
    &references::Kind,
    &rows::Kind,
    &total::Kind,
    &condition::Kind,
];

/// A kind of check, as an author declares it.
pub trait CheckKind: Sync {
    /// The key in `validate:`.
    fn keyword(&self) -> &'static str;

    /// One line for help and documentation.
    fn summary(&self) -> &'static str;

    /// Reads the value of the key; one declaration may give several checks (`one_of: {a: [...], b: [...]}`).
    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>>;

    /// Whether this kind can stand under a contract's column.
    fn stands_under_column(&self) -> bool {
        false
    }

    /// Reads the value that stands under a contract's column (`range: [0, 1]`), if this kind can stand there.
    fn decode_for_column(&self, column: &str, body: &Node, out: &mut Diagnostics) -> Option<Arc<dyn Check>> {
        let _ = (column, body, out);
        None
    }
}

/// One thing that must hold.
pub trait Check: fmt::Debug + Send + Sync {
    /// The name of the rule in reports: `one_of`, `not_null`, `range`, ...
    fn rule(&self) -> &'static str;

    /// The columns of the table that it speaks of.
    fn columns(&self) -> Vec<String>;

    /// How it is judged.
    fn measure(&self) -> Measure;

    /// What is allowed, for the reader: `one of primary, secondary`, `at most 1`.
    fn allowed(&self) -> String;

    /// What would mend this value: the nearest allowed one, or a cause that is often behind it. Full sentence.
    fn suggest(&self, value: &str) -> Option<String> {
        let _ = value;
        None
    }
}

/// How a check is judged.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// A row breaks the rule where this is TRUE (NULL and FALSE pass). Names are columns of the table.
    Row(Expr),
    /// No two rows have equal values here.
    Unique(UniqueKey),
    /// Each row without a NULL here has a partner.
    References { columns: Vec<String>, table: String, references: Vec<String> },
    /// The table has this many rows.
    Count(RowCount),
    /// The sum of the column is that of a column of another relation.
    Total { column: String, table: String, other: String },
}

/// What must be unique.
#[derive(Clone, Debug, PartialEq)]
pub struct UniqueKey {
    pub parts: Vec<Expr>,
    /// Whether two NULLs are equal.
    pub nulls_equal: bool,
    /// Only rows where this is TRUE take part (a partial unique index).
    pub only_where: Option<Expr>,
}

/// A bound on the number of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowCount {
    Equal(u64),
    NotEqual(u64),
    Less(u64),
    LessOrEqual(u64),
    Greater(u64),
    GreaterOrEqual(u64),
    /// As many rows as that relation has.
    SameAs(String),
}

/// A check with what its author said about it.
#[derive(Clone, Debug)]
pub struct Declared {
    pub check: Arc<dyn Check>,
    /// The constraint's name in the target, or the `name:` that the author gave.
    pub name: Option<String>,
    pub severity: Severity,
    pub tolerance: Tolerance,
    /// `why:`, shown to the reader.
    pub why: Option<String>,
    pub span: Span,
    /// Whether the target itself enforces it.
    pub enforced: bool,
}

/// How many failing rows are accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    Rows(u64),
    /// Of all rows, from 0 to 1.
    Share(f64),
}
