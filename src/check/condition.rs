//! `expr: "start_at <= end_at"`: a condition that no row makes FALSE.
//!
//! In: SQL text. Out: one check; NULL passes, as in a CHECK constraint. The names in an author's text are still as written
//! ([`ExprKind::Name`]) and are resolved with the other expressions of the table. Does not know about typing or engines.

use std::sync::Arc;

use super::{Check, CheckKind, Measure};
use crate::diagnostics::Diagnostics;
use crate::expr::{Expr, ExprKind, parse};
use crate::spec::yaml::Node;

/// The kind `expr`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "expr"
    }

    fn summary(&self) -> &'static str {
        "a SQL condition that no row makes false"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(text) = body.expect_text("`expr`", out) else {
            return vec![];
        };
        let exact = text.value.len() as u32 == text.span.end.saturating_sub(text.span.start);
        let Some(holds) = parse::expression(&text.value, text.span, exact, out) else {
            return vec![];
        };
        vec![Arc::new(Condition::new("expr", holds, text.value))]
    }
}

/// A condition on the columns of one row.
#[derive(Clone, Debug)]
pub struct Condition {
    rule: &'static str,
    holds: Expr,
    text: String,
    /// Whether a row on which the condition cannot be computed breaks it, as an overflow does in a CHECK.
    guarded: bool,
}

impl Condition {
    /// Makes a check of a condition; `text` is what the reader sees of it.
    pub fn new(rule: &'static str, holds: Expr, text: impl Into<String>) -> Condition {
        Condition { rule, holds, text: text.into(), guarded: false }
    }

    /// Says whether computing the condition can be an error, which then breaks it.
    pub fn guarded(mut self, guarded: bool) -> Condition {
        self.guarded = guarded;
        self
    }
}

impl Check for Condition {
    fn rule(&self) -> &'static str {
        self.rule
    }

    fn columns(&self) -> Vec<String> {
        let mut columns = vec![];
        collect_columns(&self.holds, &mut columns);
        columns
    }

    fn measure(&self) -> Measure {
        let fails = self.holds.clone().negate();
        if !self.guarded {
            return Measure::Row(fails);
        }
        let span = self.holds.span;
        let verdict = Expr::case(vec![(fails, Expr::boolean(true, span))], Expr::boolean(false, span), span);
        // The verdict itself is never NULL.
        Measure::Row(Expr::call("coalesce", vec![attempted(verdict), Expr::boolean(true, span)], span))
    }

    fn allowed(&self) -> String {
        format!("rows where {}", self.text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Makes an expression that is NULL where this one cannot be computed.
///
/// What occurs twice in a statement the engine computes once, beforehand and outside of `try`, where an overflow ends the statement. It
/// leaves alone what may never be reached: all of a CASE but its first condition. This one, never true, is nothing that can fail.
pub fn attempted(expr: Expr) -> Expr {
    let span = expr.span;
    let mut columns = vec![];
    collect_columns(&expr, &mut columns);
    let tried = Expr::call("try", vec![expr], span);
    match columns.into_iter().next() {
        Some(column) => Expr::case(vec![(Expr::column(column, span).is_null().is_null(), Expr::null(span))], tried, span),
        None => tried,
    }
}

/// Adds the columns that an expression names to `columns`, in order of appearance, each once.
pub fn collect_columns(expr: &Expr, columns: &mut Vec<String>) {
    collect(expr, &[], columns);
}

/// `bound` are the parameters of the lambdas around; they are not columns.
fn collect<'a>(expr: &'a Expr, bound: &[&'a str], columns: &mut Vec<String>) {
    let name = match &expr.kind {
        ExprKind::Column(name) => Some(name),
        ExprKind::Name(parts) => parts.first(),
        _ => None,
    };
    if let Some(name) = name.filter(|n| !bound.contains(&n.as_str()) && !columns.contains(n)) {
        columns.push(name.clone());
    }
    let mut inner = bound.to_vec();
    if let ExprKind::Lambda { parameters, .. } = &expr.kind {
        inner.extend(parameters.iter().map(String::as_str));
    }
    for child in expr.children() {
        collect(child, &inner, columns);
    }
}
