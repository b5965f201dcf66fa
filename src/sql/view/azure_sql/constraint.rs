//! Conditions of CHECK constraints in T-SQL.
//!
//! In: what every row of a table must hold to, over its columns. Out: SQL by which the database comes to the same verdict, or the part that
//! T-SQL cannot say. Texts are compared as the collation of their column says, which is how a contract for Azure SQL is judged.
//! Does not know about constraints or their names.

use super::super::expression::{Names, Writer};
use super::AzureSql;
use crate::expr::{Expr, ExprKind};
use crate::sql::Unsupported;
use crate::sql::view::Dialect;
use crate::types::DataType;

/// Writes the condition of a CHECK over these columns.
pub fn constraint(columns: &[(String, DataType)], holds: &Expr) -> Result<String, Unsupported> {
    let quoted = |(name, kind): &(String, DataType)| (name.clone(), (AzureSql.quoted(name), kind.clone()));
    let names: Names = columns.iter().map(quoted).collect();
    let mut holds = holds.clone();
    resolve(&mut holds, &names);
    Ok(Writer { collated: true, ..Writer::new(&AzureSql, &names) }.condition(&holds)?.sql)
}

/// Makes columns of the names that are some.
fn resolve(expr: &mut Expr, names: &Names) {
    if let ExprKind::Name(parts) = &expr.kind
        && let [name] = parts.as_slice()
        && names.contains_key(name)
    {
        *expr = Expr::column(name, expr.span);
    }
    expr.children_mut().into_iter().for_each(|child| resolve(child, names));
}
