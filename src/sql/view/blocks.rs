//! The structure of a view: a common table expression per stage, named after it.
//!
//! In: pruned relations. Out: one statement. Columns are named one by one, so that a column added to a table of the target changes nothing.
//! Does not know about functions.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::{Names, Writer};
use super::prune::{Needed, Needs};
use super::{Dialect, Input, Unsupported, View};
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr, ExprKind, OrderBy};
use crate::relation::{JoinKind, Relation};
use crate::types::DataType;

/// A finished expression and its columns.
#[derive(Clone)]
struct Rows {
    /// Its quoted name.
    name: String,
    columns: Vec<(String, DataType)>,
}

/// What stands behind FROM, how its columns are named there, and the condition of WHERE.
struct From {
    sql: String,
    names: Names,
    condition: Option<String>,
}

struct Blocks<'a> {
    dialect: &'static dyn Dialect,
    table: &'a str,
    span: Span,
    known: BTreeMap<String, Rows>,
    taken: BTreeSet<String>,
    written: Vec<String>,
}

/// Writes the statement of a view.
pub fn statement(view: &View, needs: &Needs) -> Result<String, Unsupported> {
    let mut blocks = Blocks {
        dialect: view.dialect,
        table: view.name,
        span: view.span,
        known: BTreeMap::new(),
        taken: BTreeSet::new(),
        written: vec![],
    };
    for (name, columns) in &needs.inputs {
        let Some(input) = view.inputs.get(name) else {
            return Err(Unsupported::new(format!("the relation `{name}`"), view.span));
        };
        blocks.input(name, input, columns)?;
    }
    for (name, relation) in &needs.tables {
        blocks.table = name;
        let rows = blocks.lower(relation)?;
        blocks.known.insert(name.clone(), rows);
    }
    let last = view.tables.last().and_then(|(name, _)| blocks.known.get(*name));
    let Some(last) = last else { return Err(Unsupported::new("a view without stages", view.span)) };
    let columns = view.columns.iter().map(|c| view.dialect.quote(c, view.span)).collect::<Result<Vec<_>, _>>()?.join(", ");
    let create = view.dialect.create_view();
    let name = view.dialect.relation(view.schema, view.name, view.span)?;
    Ok(format!("{create} {name} AS\nWITH {}\nSELECT {columns}\nFROM {};\n", blocks.written.join(",\n"), last.name))
}

impl Blocks<'_> {
    /// Adds an expression under a name of its own.
    fn add(&mut self, label: &str, select: &str, columns: Vec<(String, DataType)>) -> Result<Rows, Unsupported> {
        let mut name = label.to_string();
        let mut number = 1;
        while !self.taken.insert(name.to_lowercase()) {
            number += 1;
            name = format!("{label}.{number}");
        }
        let name = self.dialect.quote(&name, self.span)?;
        self.written.push(format!("{name} AS (\n    {select}\n)"));
        Ok(Rows { name, columns })
    }

    /// The rows of a table of the target, in the types and the collation that the stages were planned with.
    fn input(&mut self, name: &str, input: &Input, needed: &Needed) -> Result<(), Unsupported> {
        let mut columns = vec![];
        let mut list = vec![];
        for (column, kind) in &input.typed() {
            let Some(span) = needed.get(column).copied() else { continue };
            let quoted = self.dialect.quote(column, span)?;
            let named = |mut refused: Unsupported| {
                refused.what = format!("column `{column}` of `{name}`: {}", refused.what);
                refused
            };
            let wanted = self.dialect.read_as(kind, span).map_err(named)?;
            let mut sql = format!("CAST({quoted} AS {wanted})");
            if kind.is_text() {
                sql = self.dialect.collate(&sql);
            }
            list.push(format!("{sql} AS {quoted}"));
            columns.push((column.clone(), kind.clone()));
        }
        if let Some((unknown, span)) = needed.iter().find(|(c, _)| !columns.iter().any(|(known, _)| known == *c)) {
            return Err(Unsupported::new(format!("the column `{unknown}` of `{name}`"), *span));
        }
        let from = self.dialect.relation(input.schema.as_deref(), &input.table, self.span)?;
        let select = format!("SELECT {}\n    FROM {from}", self.list(&list)?);
        let rows = self.add(&format!("{name}.extract"), &select, columns)?;
        self.known.insert(name.to_string(), rows);
        Ok(())
    }

    /// A SELECT list: rows without columns still are as many.
    fn list(&self, list: &[String]) -> Result<String, Unsupported> {
        Ok(if list.is_empty() { format!("1 AS {}", self.dialect.quote("#one", self.span)?) } else { list.join(", ") })
    }

    fn label(&self, clause: &str) -> String {
        format!("{}.{clause}", self.table)
    }

    fn lower(&mut self, relation: &Relation) -> Result<Rows, Unsupported> {
        match relation {
            Relation::Scan { table } => match self.known.get(table) {
                Some(rows) => Ok(rows.clone()),
                None => Err(Unsupported::new(format!("the relation `{table}`"), self.span)),
            },
            Relation::Project { input, columns } => {
                let same = |(name, expr): &(String, Expr)| matches!(&expr.kind, ExprKind::Column(c) if c == name);
                let plain = matches!(
                    **input,
                    Relation::Scan { .. }
                        | Relation::Aggregate { .. }
                        | Relation::Distinct { .. }
                        | Relation::Union { .. }
                        | Relation::Project { .. }
                );
                if plain && !columns.is_empty() && columns.iter().all(same) {
                    let mut rows = self.lower(input)?;
                    let order = |name: &String| columns.iter().position(|(c, _)| c == name);
                    rows.columns.retain(|(name, _)| order(name).is_some());
                    rows.columns.sort_by_key(|(name, _)| order(name));
                    return Ok(rows);
                }
                let clause = match **input {
                    Relation::Join { .. } => "join",
                    Relation::Unnest { .. } => "unnest",
                    Relation::Unpivot { .. } => "unpivot",
                    _ => "map",
                };
                let from = self.from(input)?;
                self.select(clause, &from, columns, "")
            }
            Relation::Aggregate { input, keys, columns } => self.aggregate(input, keys, columns),
            Relation::Distinct { input, on, order_by } => self.distinct(input, on, order_by),
            Relation::Union { inputs } => self.union(inputs),
            Relation::Sort { input, .. } => self.lower(input),
            Relation::Filter { .. } => self.all("where", relation),
            Relation::Join { .. } => self.all("join", relation),
            Relation::Unnest { .. } => self.all("unnest", relation),
            Relation::Unpivot { .. } => self.all("unpivot", relation),
            Relation::Query { .. } => Err(Unsupported::new("a query of the author's own (`sql`)", self.span)),
        }
    }

    fn aggregate(&mut self, input: &Relation, keys: &[Expr], columns: &[(String, Expr)]) -> Result<Rows, Unsupported> {
        let from = self.from(input)?;
        let writer = Writer::new(self.dialect, &from.names);
        let mut group = vec![];
        for key in keys {
            let (sql, kind) = (writer.value(key)?.sql, writer.kind(key));
            if !self.dialect.groups_by_expressions() && !matches!(key.kind, ExprKind::Column(_)) {
                return Err(Unsupported::new("a key of `group_by` that is computed (`derive` it first)", key.span));
            }
            group.push(sql.clone());
            group.extend(self.dialect.told_apart(&sql, &kind));
        }
        let whole = if group.is_empty() { String::new() } else { format!("\n    GROUP BY {}", group.join(", ")) };
        if group.is_empty() && columns.is_empty() {
            return Err(Unsupported::new("one group without a column", self.span));
        }
        self.select("group_by", &from, columns, &whole)
    }

    /// Keeps the first row of each key by a number that a window function gives.
    fn distinct(&mut self, input: &Relation, on: &[Expr], order_by: &[OrderBy]) -> Result<Rows, Unsupported> {
        let from = self.from(input)?;
        let writer = Writer::new(self.dialect, &from.names);
        let mut keys = vec![];
        for key in on {
            let (sql, kind) = (writer.value(key)?.sql, writer.kind(key));
            keys.extend(self.dialect.told_apart(&sql, &kind));
            keys.push(sql);
        }
        let order = match order_by.is_empty() {
            // Which one is kept does not matter: all that is read of them is the key.
            true => "(SELECT NULL)".to_string(),
            false => writer.order_by(order_by)?,
        };
        let number = self.dialect.quote("#number", self.span)?;
        let columns: Vec<(String, DataType)> = from.names.iter().map(|(n, (_, k))| (n.clone(), k.clone())).collect();
        let mut inner = vec![];
        let mut outer = vec![];
        for (name, (sql, _)) in &from.names {
            let quoted = self.dialect.quote(name, self.span)?;
            inner.push(format!("{sql} AS {quoted}"));
            outer.push(quoted);
        }
        inner.push(format!("row_number() OVER (PARTITION BY {} ORDER BY {order}) AS {number}", keys.join(", ")));
        let mut inside = format!("SELECT {} FROM {}", inner.join(", "), from.sql);
        if let Some(condition) = &from.condition {
            inside += &format!(" WHERE {condition}");
        }
        let select = format!("SELECT {}\n    FROM ({inside}) AS numbered\n    WHERE {number} = 1", self.list(&outer)?);
        self.add(&self.label("distinct"), &select, columns)
    }

    fn union(&mut self, inputs: &[Relation]) -> Result<Rows, Unsupported> {
        let mut parts: Vec<Rows> = vec![];
        for input in inputs {
            parts.push(self.lower(input)?);
        }
        let columns = parts.first().map(|p| p.columns.clone()).unwrap_or_default();
        let mut selects = vec![];
        for part in &parts {
            let other = columns.iter().find(|(name, kind)| {
                !part.columns.iter().any(|(n, k)| n == name && super::expression::family(k) == super::expression::family(kind))
            });
            if let Some((name, kind)) = other {
                return Err(Unsupported::new(format!("a union in which `{name}` is not always {kind}"), self.span));
            }
            let list = columns.iter().map(|(c, _)| self.dialect.quote(c, self.span)).collect::<Result<Vec<_>, _>>()?;
            selects.push(format!("SELECT {} FROM {}", self.list(&list)?, part.name));
        }
        self.add(&self.label("union"), &selects.join("\n    UNION ALL "), columns)
    }

    /// All columns of what stands behind FROM.
    fn all(&mut self, clause: &str, relation: &Relation) -> Result<Rows, Unsupported> {
        let from = self.from(relation)?;
        let columns: Vec<(String, Expr)> = from.names.keys().map(|c| (c.clone(), Expr::column(c, self.span))).collect();
        self.select(clause, &from, &columns, "")
    }

    fn select(&mut self, clause: &str, from: &From, columns: &[(String, Expr)], rest: &str) -> Result<Rows, Unsupported> {
        let writer = Writer::new(self.dialect, &from.names);
        let (mut list, mut made) = (vec![], vec![]);
        for (name, expr) in columns {
            let (sql, kind) = writer.column(expr)?;
            list.push(format!("{sql} AS {}", self.dialect.quote(name, self.span)?));
            made.push((name.clone(), kind));
        }
        let mut select = format!("SELECT {}\n    FROM {}", self.list(&list)?, from.sql);
        if let Some(condition) = &from.condition {
            select += &format!("\n    WHERE {condition}");
        }
        select += rest;
        self.add(&self.label(clause), &select, made)
    }

    /// Columns of finished rows, named through an alias if there is one.
    fn named(&self, rows: &Rows, alias: Option<&str>) -> Result<Names, Unsupported> {
        let name = |(column, kind): &(String, DataType)| {
            let quoted = self.dialect.quote(column, self.span)?;
            let sql = alias.map_or(quoted.clone(), |alias| format!("{alias}.{quoted}"));
            Ok((column.clone(), (sql, kind.clone())))
        };
        rows.columns.iter().map(name).collect()
    }

    fn from(&mut self, relation: &Relation) -> Result<From, Unsupported> {
        match relation {
            Relation::Filter { input, predicate } => {
                let mut from = self.from(input)?;
                let writer = Writer::new(self.dialect, &from.names);
                let condition = writer.condition(predicate)?.sql;
                from.condition = Some(match from.condition {
                    Some(before) => format!("({before}) AND ({condition})"),
                    None => condition,
                });
                Ok(from)
            }
            Relation::Join { left, right, kind, on } => self.join(left, right, *kind, on),
            Relation::Unnest { input, list, element, position, keep_empty } => {
                let Some(unnest) = self.dialect.unnest() else {
                    return Err(Unsupported::new("`unnest`: there are no lists", list.span));
                };
                let rows = self.lower(input)?;
                let mut names = self.named(&rows, Some("i"))?;
                let writer = Writer::new(self.dialect, &names);
                let DataType::List(kind) = writer.kind(list) else {
                    return Err(Unsupported::new("a list whose elements are not known", list.span));
                };
                self.dialect.type_name(&kind, list.span)?;
                let list = writer.value(list)?.sql;
                let (element_name, position_name) =
                    (self.dialect.quote(element, self.span)?, self.dialect.quote(position, self.span)?);
                let joined = unnest(&list, &format!("{element_name}, {position_name}"), *keep_empty);
                let sql = format!("{} AS i {joined}", rows.name);
                let value = format!("e.{element_name}");
                let value = if kind.is_text() { format!("({})", self.dialect.collate(&value)) } else { value };
                names.insert(element.clone(), (value, *kind));
                names.insert(position.clone(), (format!("e.{position_name}"), DataType::BigInt));
                Ok(From { sql, names, condition: None })
            }
            Relation::Unpivot { input, values, name, value, keep_nulls, .. } => {
                let rows = self.lower(input)?;
                let mut names = self.named(&rows, Some("i"))?;
                let writer = Writer::new(self.dialect, &names);
                let mut pairs = vec![];
                let mut kind = DataType::Unknown;
                for (label, expr) in values {
                    let label = self.dialect.literal(label, expr.span)?;
                    pairs.push(format!("({label}, {})", writer.value(expr)?.sql));
                    kind = writer.kind(expr);
                }
                let (label, cell) = (self.dialect.quote(name, self.span)?, self.dialect.quote(value, self.span)?);
                let apply = self.dialect.apply();
                let sql = format!("{} AS i {apply} (VALUES {}) AS e({label}, {cell})", rows.name, pairs.join(", "));
                names.insert(name.clone(), (format!("({})", self.dialect.collate(&format!("e.{label}"))), DataType::Text));
                names.insert(value.clone(), (format!("e.{cell}"), kind));
                let condition = (!keep_nulls).then(|| format!("e.{cell} IS NOT NULL"));
                Ok(From { sql, names, condition })
            }
            other => {
                let rows = self.lower(other)?;
                Ok(From { names: self.named(&rows, None)?, sql: rows.name, condition: None })
            }
        }
    }

    fn join(&mut self, left: &Relation, right: &Relation, kind: JoinKind, on: &Expr) -> Result<From, Unsupported> {
        let left = self.lower(left)?;
        let mut names = self.named(&left, Some("l"))?;
        // The right side's columns only have other names in the join.
        let column = |expr: &Expr| match &expr.kind {
            ExprKind::Column(name) => Some(name.clone()),
            _ => None,
        };
        let right = match right {
            Relation::Project { input, columns } if columns.iter().all(|(_, e)| column(e).is_some()) => {
                let rows = self.lower(input)?;
                let own = self.named(&rows, Some("r"))?;
                let renamed = columns.iter().filter_map(|(name, e)| Some((name.clone(), own.get(&column(e)?)?.clone())));
                names.extend(renamed);
                rows
            }
            other => {
                let rows = self.lower(other)?;
                names.extend(self.named(&rows, Some("r"))?);
                rows
            }
        };
        if kind == JoinKind::Full && !self.dialect.joins_fully_on_any() && !equalities(on) {
            return Err(Unsupported::new("a full join on other than equal columns", on.span));
        }
        let condition = Writer::new(self.dialect, &names).condition(on)?.sql;
        let word = match kind {
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Inner => "JOIN",
            JoinKind::Full => "FULL JOIN",
        };
        let sql = format!("{} AS l\n    {word} {} AS r ON {condition}", left.name, right.name);
        Ok(From { sql, names, condition: None })
    }
}

/// Whether a condition is nothing but equalities of columns.
fn equalities(on: &Expr) -> bool {
    match &on.kind {
        ExprKind::Binary(a, BinaryOp::And, b) => equalities(a) && equalities(b),
        ExprKind::Binary(a, BinaryOp::Equal, b) => matches!((&a.kind, &b.kind), (ExprKind::Column(_), ExprKind::Column(_))),
        _ => false,
    }
}
