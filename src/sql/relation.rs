//! Prints relations as SELECT statements of the engine.
//!
//! In: a [`Relation`]. Out: one query. Nested inputs are subqueries: the engine's optimizer folds them, and unused columns cost nothing.
//! Does not know about stages.

use super::{Dialect, Unsupported, expression};
use crate::expr::{Expr, OrderBy};
use crate::relation::{JoinKind, Relation};

/// Prints a relation as a query.
///
/// Errors: an expression that the dialect cannot say.
pub fn query(dialect: &dyn Dialect, relation: &Relation) -> Result<String, Unsupported> {
    Ok(match relation {
        Relation::Scan { table } => format!("SELECT * FROM {}", dialect.quote(table)),
        Relation::Project { input, columns } => {
            let list = columns
                .iter()
                .map(|(name, expr)| Ok(format!("{} AS {}", expression(dialect, expr)?, dialect.quote(name))))
                .collect::<Result<Vec<_>, Unsupported>>()?;
            format!("SELECT {} FROM {}", list.join(", "), source(dialect, input)?)
        }
        Relation::Filter { input, predicate } => {
            format!("SELECT * FROM {} WHERE {}", source(dialect, input)?, expression(dialect, predicate)?)
        }
        Relation::Unnest { input, list, element, position, keep_empty } => {
            let list = expression(dialect, list)?;
            // A list without elements still gives one row where the author keeps it; its position stays NULL.
            let (elements, positions) = match keep_empty {
                true => (
                    format!("unnest(CASE WHEN len({list}) > 0 THEN {list} ELSE [NULL] END)"),
                    format!("unnest(CASE WHEN len({list}) > 0 THEN generate_series(1, len({list})) ELSE [NULL] END)"),
                ),
                false => (format!("unnest({list})"), format!("generate_subscripts({list}, 1)")),
            };
            let (element, position) = (dialect.quote(element), dialect.quote(position));
            format!("SELECT *, {elements} AS {element}, {positions} AS {position} FROM {}", source(dialect, input)?)
        }
        Relation::Distinct { input, on, order_by } => {
            let keys = on.iter().map(|e| expression(dialect, e)).collect::<Result<Vec<_>, _>>()?.join(", ");
            let order = match order_by.is_empty() {
                true => String::new(),
                false => format!(" ORDER BY {}", order(dialect, order_by)?),
            };
            format!("SELECT * FROM {} QUALIFY row_number() OVER (PARTITION BY {keys}{order}) = 1", source(dialect, input)?)
        }
        Relation::Join { left, right, kind, on } => {
            let kind = match kind {
                JoinKind::Left => "LEFT JOIN",
                JoinKind::Inner => "JOIN",
                JoinKind::Full => "FULL JOIN",
            };
            let on = expression(dialect, on)?;
            format!("SELECT * FROM {} {kind} {} ON {on}", source(dialect, left)?, source(dialect, right)?)
        }
        Relation::Sort { input, order_by } => {
            format!("SELECT * FROM {} ORDER BY {}", source(dialect, input)?, order(dialect, order_by)?)
        }
    })
}

/// Prints what stands behind FROM: a table's name, or a subquery.
pub fn source(dialect: &dyn Dialect, relation: &Relation) -> Result<String, Unsupported> {
    match relation {
        Relation::Scan { table } => Ok(dialect.quote(table)),
        other => Ok(format!("({})", query(dialect, other)?)),
    }
}

/// Prints sort keys.
pub fn order(dialect: &dyn Dialect, keys: &[OrderBy]) -> Result<String, Unsupported> {
    let print = |key: &OrderBy| {
        let direction = if key.descending { " DESC" } else { "" };
        let nulls = match key.nulls_first {
            Some(true) => " NULLS FIRST",
            Some(false) => " NULLS LAST",
            None => "",
        };
        Ok(format!("{}{direction}{nulls}", expression(dialect, &key.expr)?))
    };
    Ok(keys.iter().map(print).collect::<Result<Vec<_>, Unsupported>>()?.join(", "))
}

/// Prints the columns of a SELECT list.
pub fn columns(dialect: &dyn Dialect, exprs: &[Expr]) -> Result<String, Unsupported> {
    Ok(exprs.iter().map(|e| expression(dialect, e)).collect::<Result<Vec<_>, _>>()?.join(", "))
}
