//! `total: {column: amount, same_as: orders.amount}`: a sum is kept from one relation to another.
//!
//! In: a column and `relation.column`. Out: one check of the whole table. Does not know how sums are made exact.

use std::sync::Arc;

use super::{Check, CheckKind, Measure, Tolerated};
use crate::diagnostics::Diagnostics;
use crate::spec::yaml::Node;

/// The kind `total`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "total"
    }

    fn summary(&self) -> &'static str {
        "the sum of a column is that of a column elsewhere"
    }

    fn tolerates(&self) -> Tolerated {
        Tolerated::Amount
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(map) = body.expect_map("`total`", out) else {
            return vec![];
        };
        map.only("`total`", &["column", "same_as"], out);
        let (Some(column), Some(other)) = (map.get("column"), map.get("same_as")) else {
            out.error("E0414", body.span, "`total` needs `column` and `same_as`")
                .help("Write `total: {column: amount, same_as: orders.amount}`.");
            return vec![];
        };
        let (Some(column), Some(other)) = (column.expect_text("`column`", out), other.expect_text("`same_as`", out)) else {
            return vec![];
        };
        match other.value.rsplit_once('.') {
            Some((table, name)) if !table.is_empty() && !name.is_empty() => {
                vec![Arc::new(Total { column: column.value, table: table.to_string(), other: name.to_string() })]
            }
            _ => {
                out.error("E0414", other.span, "`same_as` of `total` names no column")
                    .help(format!("Write the relation and its column: `{}.{}`.", other.value, column.value));
                vec![]
            }
        }
    }
}

/// A column whose sum is kept.
#[derive(Clone, Debug)]
struct Total {
    column: String,
    table: String,
    other: String,
}

impl Check for Total {
    fn rule(&self) -> &'static str {
        "total"
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        Measure::Total { column: self.column.clone(), table: self.table.clone(), other: self.other.clone() }
    }

    fn allowed(&self) -> String {
        format!("the sum of {}.{}", self.table, self.other)
    }
}
