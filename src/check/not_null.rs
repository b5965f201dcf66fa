//! `not_null: [a, b]`: the columns have a value in every row.
//!
//! In: one name or a list of names. Out: one check per column, so that each is counted for itself.
//! Does not know about columns that the target declares NOT NULL; the contract makes this check for them.

use std::sync::Arc;

use super::{Check, CheckKind, Measure};
use crate::diagnostics::{Diagnostics, Span};
use crate::expr::Expr;
use crate::spec::yaml::Node;

/// The kind `not_null`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "not_null"
    }

    fn summary(&self) -> &'static str {
        "each row has a value in these columns"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let names = super::unique::names(body, "`not_null`", out).unwrap_or_default();
        names.into_iter().map(|name| Arc::new(NotNull::new(name.value, name.span)) as Arc<dyn Check>).collect()
    }
}

/// A column that has a value in every row.
#[derive(Clone, Debug)]
pub struct NotNull {
    column: String,
    span: Span,
}

impl NotNull {
    pub fn new(column: impl Into<String>, span: Span) -> NotNull {
        NotNull { column: column.into(), span }
    }
}

impl Check for NotNull {
    fn rule(&self) -> &'static str {
        "not_null"
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        Measure::Row(Expr::column(&self.column, self.span).is_null())
    }

    fn allowed(&self) -> String {
        "a value".to_string()
    }

    fn suggest(&self, _value: &str) -> Option<String> {
        Some(format!("Give `{}` a value in `default:`, or drop such rows with `where: {0} IS NOT NULL`.", self.column))
    }
}
