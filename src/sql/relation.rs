//! Prints relations as SELECT statements of the engine.
//!
//! In: a [`Relation`]. Out: one query. Nested inputs are subqueries: the engine's optimizer folds them, and unused columns cost nothing.
//! Does not know about stages.

use std::collections::{HashMap, HashSet};

use super::{Dialect, Unsupported, expression};
use crate::expr::{Expr, ExprKind, OrderBy};
use crate::relation::{JoinKind, Relation};

/// Prints a relation as a query.
///
/// Errors: an expression that the dialect cannot say.
pub fn query(dialect: &dyn Dialect, relation: &Relation) -> Result<String, Unsupported> {
    Ok(match relation {
        Relation::Scan { table } => format!("SELECT * FROM {}", dialect.quote(table)),
        Relation::Project { input, columns } => {
            let (columns, input) = folded(columns, input);
            format!("SELECT {} FROM {}", named(dialect, columns)?, source(dialect, input)?)
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
        Relation::Aggregate { input, keys, columns } => {
            let keys = self::columns(dialect, keys)?;
            let keys = if keys.is_empty() { "()" } else { &keys };
            let columns = named(dialect, columns.iter().map(|(name, expr)| (name.as_str(), expr)))?;
            format!("SELECT {columns} FROM {} GROUP BY {keys}", source(dialect, input)?)
        }
        Relation::Union { inputs } => {
            inputs.iter().map(|i| query(dialect, i)).collect::<Result<Vec<_>, _>>()?.join(" UNION ALL ")
        }
        Relation::Unpivot { input, values, name, value, position, keep_nulls } => {
            let pair =
                |(label, expr): &(String, Expr)| Ok(format!("{{'n': {}, 'v': {}}}", text(label), expression(dialect, expr)?));
            let pairs = values.iter().map(pair).collect::<Result<Vec<_>, Unsupported>>()?.join(", ");
            let kept = match keep_nulls {
                true => format!("[{pairs}]"),
                false => format!("list_filter([{pairs}], lambda pair: pair.v IS NOT NULL)"),
            };
            // The list is made once, in a subquery of its own: both of its readers would compute it again.
            let list = dialect.quote("#pairs");
            let (name, value, position) = (dialect.quote(name), dialect.quote(value), dialect.quote(position));
            let pair = dialect.quote("#pair");
            let source = source(dialect, input)?;
            let unnested = format!(
                "SELECT * EXCLUDE ({list}), unnest({list}) AS {pair}, generate_subscripts({list}, 1) AS {position} \
                 FROM (SELECT *, {kept} AS {list} FROM {source})"
            );
            format!("SELECT * EXCLUDE ({pair}), {pair}.n AS {name}, {pair}.v AS {value} FROM ({unnested})")
        }
        Relation::Query { sql, reads } => {
            // The author's text sees the tables without the books' columns. The schema tells a table from the name it gets here.
            let tables = reads.iter().map(|(table, columns)| {
                let table = dialect.quote(table);
                let columns: Vec<String> = columns.iter().map(|c| dialect.quote(c)).collect();
                format!("{table} AS (SELECT {} FROM main.{table})", columns.join(", "))
            });
            let tables: Vec<String> = tables.collect();
            let with = if tables.is_empty() { String::new() } else { format!("WITH {} ", tables.join(", ")) };
            // The line ends keep a comment at the end of the text from swallowing the bracket.
            format!("{with}SELECT * FROM (\n{sql}\n)")
        }
        Relation::Sort { input, order_by } => {
            format!("SELECT * FROM {} ORDER BY {}", source(dialect, input)?, order(dialect, order_by)?)
        }
    })
}

/// A column's name and what it is made of.
type Named<'a> = (&'a str, &'a Expr);

/// The columns of a projection, made directly of what the projections below it are made of, as long as it only picks and renames: the
/// engine's time to read and to plan a query grows with its length.
fn folded<'a>(columns: &'a [(String, Expr)], mut input: &'a Relation) -> (Vec<Named<'a>>, &'a Relation) {
    let mut columns: Vec<Named> = columns.iter().map(|(name, expr)| (name.as_str(), expr)).collect();
    while let Relation::Project { input: below, columns: made } = input {
        let made: HashMap<&str, &Expr> = made.iter().map(|(name, expr)| (name.as_str(), expr)).collect();
        let mut taken = HashSet::new();
        let mut pick = |(name, expr): &Named<'a>| {
            let ExprKind::Column(column) = &expr.kind else { return None };
            let expr = *made.get(column.as_str())?;
            // What is computed is computed once.
            (matches!(expr.kind, ExprKind::Column(_)) || taken.insert(column)).then_some((*name, expr))
        };
        let Some(picked) = columns.iter().map(&mut pick).collect() else { break };
        (columns, input) = (picked, below);
    }
    (columns, input)
}

/// Prints columns and their names.
fn named<'a>(dialect: &dyn Dialect, columns: impl IntoIterator<Item = Named<'a>>) -> Result<String, Unsupported> {
    let print = |(name, expr): Named| {
        let (expr, name) = (expression(dialect, expr)?, dialect.quote(name));
        Ok(if expr == name { name } else { format!("{expr} AS {name}") })
    };
    Ok(columns.into_iter().map(print).collect::<Result<Vec<_>, Unsupported>>()?.join(", "))
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
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
