//! What a run found: the ledger of rows, the broken rules with samples, and what could not be judged.
//!
//! Plain data, made by the engine, printed by `terminal`, `json` and `html`. Does not know about DuckDB, SQL or terminals.

pub mod html;
pub mod json;
pub mod terminal;

use crate::diagnostics::{Severity, Span};
use crate::plan::Plan;

/// Everything that a run tells its author.
#[derive(Debug, Default)]
pub struct RunReport {
    pub pipeline: String,
    pub target: String,
    pub ledger: Vec<LedgerLine>,
    pub violations: Vec<Violation>,
    pub tolerated: Vec<Tolerated>,
    /// What was known without counting.
    pub proofs: Vec<Proof>,
    pub unjudged: Vec<Unjudged>,
    pub quarantined: Vec<Quarantined>,
    /// The files that were written, as shown.
    pub written: Vec<String>,
}

/// One stage's rows: `rows_in` plus what was added is `rows_out` plus what was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    /// `table.clause`, or `extract.name`.
    pub stage: String,
    pub rows_in: u64,
    pub rows_out: u64,
    pub added: Vec<(u64, String)>,
    pub removed: Vec<(u64, String)>,
    /// What happened to values while the rows stayed, such as fills.
    pub notes: Vec<String>,
}

/// A rule that rows break.
#[derive(Clone, Debug)]
pub struct Violation {
    pub table: String,
    pub columns: Vec<String>,
    pub rule: String,
    /// The constraint's name in the target, or the author's.
    pub name: Option<String>,
    pub severity: Severity,
    /// What is allowed.
    pub allowed: String,
    pub why: Option<String>,
    /// What a check of the whole table found, in words; its rows then have no share.
    pub found: Option<String>,
    /// Failing rows, without those that follow from another violation.
    pub count: u64,
    pub rows: u64,
    /// The clause or constraint that demands it.
    pub span: Span,
    pub samples: Vec<Sample>,
    pub consequences: Vec<Consequence>,
}

/// One failing row.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The value that breaks the rule, before any cast.
    pub value: Option<String>,
    /// The row's columns.
    pub row: Vec<(String, Option<String>)>,
    /// The source's file as it was named.
    pub file: Option<String>,
    /// Where in the file: `personas[4].goals[0]`, `line 12`.
    pub origin: Option<String>,
    /// What names the source's record: its natural key.
    pub key: Vec<(String, Option<String>)>,
    /// What would mend the value.
    pub suggestion: Option<String>,
}

/// A rule that only breaks because another one does.
#[derive(Clone, Debug)]
pub struct Consequence {
    pub table: String,
    pub columns: Vec<String>,
    pub rule: String,
    pub name: Option<String>,
    pub count: u64,
}

/// A rule that rows break, as few as its author accepts.
#[derive(Clone, Debug)]
pub struct Tolerated {
    pub table: String,
    pub columns: Vec<String>,
    pub rule: String,
    pub name: Option<String>,
    pub severity: Severity,
    pub count: u64,
    pub rows: u64,
    /// What is accepted, as written.
    pub max: String,
    /// What a check of the whole table found.
    pub found: Option<String>,
}

/// A declaration of a join that holds by proof, so that no query was needed.
#[derive(Clone, Debug)]
pub struct Proof {
    pub stage: String,
    /// The relation whose key it is about, and the key.
    pub relation: String,
    pub key: Vec<String>,
    pub why: String,
}

/// A constraint that nobody can judge before the load.
#[derive(Clone, Debug)]
pub struct Unjudged {
    pub table: String,
    pub what: String,
    pub why: String,
}

/// Rows that left the flow.
#[derive(Clone, Debug)]
pub struct Quarantined {
    pub table: String,
    pub rows: u64,
    pub file: String,
    /// Rows by reason.
    pub reasons: Vec<(String, u64)>,
}

impl RunReport {
    pub fn new(plan: &Plan) -> RunReport {
        RunReport { pipeline: plan.pipeline.clone(), target: plan.target.name.value.clone(), ..RunReport::default() }
    }

    /// Whether nothing may be emitted.
    pub fn failed(&self) -> bool {
        self.violations.iter().any(|v| v.severity == Severity::Error)
    }

    /// The stages whose books do not balance; there must never be one.
    pub fn unbalanced(&self) -> Vec<&LedgerLine> {
        let sum = |parts: &[(u64, String)]| parts.iter().map(|(n, _)| n).sum::<u64>();
        self.ledger.iter().filter(|l| l.rows_in + sum(&l.added) != l.rows_out + sum(&l.removed)).collect()
    }
}
