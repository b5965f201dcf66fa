//! What must hold of rows: one file per kind of check, one line each in [`CHECKS`].
//!
//! A kind decodes itself from YAML and says how it is measured ([`Measure`], closed), so that the engine can judge all checks of a
//! table in one scan and the dialects can say the same in the target. Does not know about stages, engines or dialects.

pub mod agreement;
pub mod condition;
pub mod constant;
pub mod data_type;
pub mod fresh;
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
use crate::expr::{Expr, ExprKind};
use crate::spec::yaml::Node;

pub use agreement::Agreement;
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
    &fresh::Kind,
    &agreement::Kind,
];

/// A kind of check, as an author declares it.
pub trait CheckKind: Sync {
    /// The key in `validate:`.
    fn keyword(&self) -> &'static str;

    /// One line for help and documentation.
    fn summary(&self) -> &'static str;

    /// Reads the value of the key; one declaration may give several checks (`one_of: {a: [...], b: [...]}`).
    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>>;

    /// What `max:` counts for this kind.
    fn tolerates(&self) -> Tolerated {
        Tolerated::Rows
    }

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
    /// Each row without a NULL here has a partner. `compared` has for each column the form in which the target compares its values; where it
    /// has none, they are compared as they are.
    References { columns: Vec<String>, table: String, references: Vec<String>, compared: Vec<Option<Expr>> },
    /// The table has this many rows.
    Count(RowCount),
    /// The sum of the column is that of a column of another relation.
    Total { column: String, table: String, other: String },
    /// The newest value of the column is at most this old.
    Fresh { column: String, seconds: u64 },
    /// The rows are those of another relation, by key.
    Agreement(Agreement),
}

/// What must be unique.
#[derive(Clone, Debug, PartialEq)]
pub struct UniqueKey {
    /// What must differ, in a form in which those are the same that the target takes for equal, or may.
    pub parts: Vec<Expr>,
    /// The parts in a form in which only those are the same that the target surely takes for equal.
    pub surely: Vec<Expr>,
    /// The columns that the parts are, in whatever form; none where a part is an expression.
    pub columns: Vec<String>,
    /// Whether two NULLs are equal.
    pub nulls_equal: bool,
    /// Only rows where this is TRUE take part (a partial unique index).
    pub only_where: Option<Expr>,
    /// The same in the target's own words, of an index.
    pub written: Option<WrittenKey>,
}

impl UniqueKey {
    /// Makes a key in which NULLs are distinct, over all rows.
    pub fn of(parts: Vec<Expr>) -> UniqueKey {
        let column = |part: &Expr| match &part.kind {
            ExprKind::Column(name) => Some(name.clone()),
            _ => None,
        };
        let columns = parts.iter().map(column).collect::<Option<Vec<String>>>().unwrap_or_default();
        UniqueKey { surely: parts.clone(), parts, columns, nulls_equal: false, only_where: None, written: None }
    }
}

/// The parts of a unique index and its condition as the target reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenKey {
    /// None where they are the columns as they are.
    pub parts: Vec<String>,
    pub only_where: Option<String>,
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

/// How much failure is accepted.
#[derive(Clone, Debug, PartialEq)]
pub enum Tolerance {
    Rows(u64),
    /// Of all rows (of a total: of the other sum), from 0 to 1.
    Share(f64),
    /// A difference between sums, as written.
    Amount(String),
}

/// What `max:` may stand for in a kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerated {
    /// A number or share of failing rows.
    Rows,
    /// A difference, or its share.
    Amount,
    /// There is nothing that could be tolerated in part.
    Nothing,
}

impl Tolerance {
    /// The number of failing rows of so many that is accepted.
    pub fn rows_of(&self, rows: u64) -> u64 {
        match self {
            Tolerance::Rows(n) => *n,
            // What is written as 29% of 100 rows must not become 28 on the way through floating point.
            Tolerance::Share(share) => (share * rows as f64 + 1e-9).floor() as u64,
            Tolerance::Amount(_) => 0,
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tolerance::Rows(n) => write!(f, "{n}"),
            Tolerance::Share(share) => {
                let percent = format!("{:.6}", share * 100.0);
                write!(f, "{}%", percent.trim_end_matches('0').trim_end_matches('.'))
            }
            Tolerance::Amount(text) => f.write_str(text),
        }
    }
}
