//! Expressions of a view, with their types.
//!
//! In: a resolved expression and the columns it may read. Out: SQL that gives the engine's value for every row, or the part that the target
//! cannot say. Does not know the target's own words: see [`Dialect`].
//! Does not know about relations.

use std::collections::BTreeMap;

use super::{Dialect, Unsupported};
use crate::diagnostics::Span;
use crate::expr::typing::type_of;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal, OrderBy, UnaryOp};
use crate::sql::print::{infix, standard};
use crate::sql::{Binding, Printed};
use crate::types::DataType;

/// The columns that an expression may read: how each is written, and its type.
pub type Names = BTreeMap<String, (String, DataType)>;

/// What expressions are written with.
pub struct Writer<'a> {
    pub dialect: &'static dyn Dialect,
    pub names: &'a Names,
    /// Whether texts are compared by the collation of the column that is read, rather than by their characters.
    pub collated: bool,
}

/// A written expression.
#[derive(Clone, Debug)]
pub struct Typed {
    pub printed: Printed,
    pub kind: DataType,
    /// Whether it is a condition, which in T-SQL is no value.
    pub condition: bool,
}

impl<'a> Writer<'a> {
    /// Makes one that compares texts by their characters.
    pub fn new(dialect: &'static dyn Dialect, names: &'a Names) -> Writer<'a> {
        Writer { dialect, names, collated: false }
    }
}

impl Writer<'_> {
    /// Writes an expression as a value.
    pub fn value(&self, expr: &Expr) -> Result<Printed, Unsupported> {
        self.as_value(self.write(expr)?)
    }

    /// Writes an expression as a condition.
    pub fn condition(&self, expr: &Expr) -> Result<Printed, Unsupported> {
        let said = self.write(expr)?;
        if said.kind != DataType::Boolean {
            return Err(Unsupported::new(format!("a condition that is {}", said.kind), expr.span));
        }
        Ok(match said.condition {
            true => said.printed,
            false => self.dialect.as_condition(said.printed),
        })
    }

    /// Writes a column of a SELECT list: texts keep one collation from stage to stage.
    pub fn column(&self, expr: &Expr) -> Result<(String, DataType), Unsupported> {
        let said = self.write(expr)?;
        let kind = said.kind.clone();
        let passed_on = matches!(expr.kind, ExprKind::Column(_));
        let sql = self.as_value(said)?.sql;
        match kind {
            DataType::Unknown => Err(Unsupported::new("a value whose type is not known", expr.span)),
            text if text.is_text() && !passed_on => Ok((self.dialect.collate(&sql), text)),
            other => Ok((sql, other)),
        }
    }

    pub fn kind(&self, expr: &Expr) -> DataType {
        type_of(expr, &|name| self.names.get(name).map(|(_, kind)| kind.clone()))
    }

    pub(super) fn as_value(&self, said: Typed) -> Result<Printed, Unsupported> {
        Ok(if said.condition { self.dialect.as_value(said.printed) } else { said.printed })
    }

    /// Writes sort keys, with NULL where the engine has it.
    pub fn order_by(&self, keys: &[OrderBy]) -> Result<String, Unsupported> {
        let mut written = vec![];
        for key in keys {
            let kind = self.kind(&key.expr);
            self.ordered(&kind, key.expr.span)?;
            let mut sql = self.value(&key.expr)?.sql;
            if kind.is_text() && !reads(&key.expr) {
                sql = self.dialect.collate(&sql);
            }
            written.push(self.dialect.sort_key(&sql, key.descending, key.nulls_first.unwrap_or(false)));
        }
        Ok(written.join(", "))
    }

    /// Refuses types whose order is another one in the target.
    pub(super) fn ordered(&self, kind: &DataType, span: Span) -> Result<(), Unsupported> {
        match kind {
            DataType::Uuid if !self.dialect.orders(kind) => Err(Unsupported::new("an order of UUIDs", span)),
            DataType::Unknown | DataType::List(_) | DataType::Struct(_) | DataType::Json { .. } => {
                Err(Unsupported::new(format!("an order of {kind}"), span))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn write(&self, expr: &Expr) -> Result<Typed, Unsupported> {
        let span = expr.span;
        let kind = self.kind(expr);
        let value = |printed: Printed| Ok(Typed { printed, kind: kind.clone(), condition: false });
        let test =
            |sql: String, binding| Ok(Typed { printed: Printed::new(sql, binding), kind: DataType::Boolean, condition: true });
        if let ExprKind::Case { operand: None, branches, .. } = &expr.kind
            && let Some((operand, to)) = read_from_text(branches)
        {
            if self.kind(operand).is_text() {
                return Err(Unsupported::new(format!("a cast of text to {to}"), span));
            }
            // The file had text where the table has a type: there is nothing to read.
            let printed = self.cast(self.write(operand)?, to, false, span)?;
            return Ok(Typed { printed, kind: to.clone(), condition: false });
        }
        match &expr.kind {
            ExprKind::Column(name) => match self.names.get(name) {
                Some((sql, kind)) => Ok(Typed { printed: Printed::atom(sql.clone()), kind: kind.clone(), condition: false }),
                None => Err(Unsupported::new(format!("the column `{name}`"), span)),
            },
            ExprKind::Literal(literal) => value(self.constant(literal, span)?),
            ExprKind::Unary(UnaryOp::Not, operand) => {
                test(format!("NOT {}", self.condition(operand)?.within(Binding::Comparison)), Binding::Not)
            }
            ExprKind::Unary(op, operand) if self.kind(operand).is_number() => {
                let sign = if *op == UnaryOp::Minus { "-" } else { "+" };
                value(Printed::new(format!("{sign}({})", self.value(operand)?.sql), Binding::Sign))
            }
            ExprKind::Binary(left, op, right) => self.binary(expr, left, *op, right),
            ExprKind::IsNull { operand, negated } => {
                let operand = self.value(operand)?.within(Binding::Other);
                test(format!("{operand} IS {}NULL", if *negated { "NOT " } else { "" }), Binding::Comparison)
            }
            ExprKind::InList { operand, list, negated } if !list.is_empty() => {
                let equal: Vec<String> = list
                    .iter()
                    .map(|item| Ok(self.compare(operand, BinaryOp::Equal, item, span)?.within(Binding::Comparison)))
                    .collect::<Result<_, Unsupported>>()?;
                let any = equal.join(" OR ");
                if *negated { test(format!("NOT ({any})"), Binding::Not) } else { test(any, Binding::Or) }
            }
            ExprKind::Between { operand, low, high, negated } => {
                let low = self.compare(operand, BinaryOp::GreaterOrEqual, low, span)?.within(Binding::Comparison);
                let high = self.compare(operand, BinaryOp::LessOrEqual, high, span)?.within(Binding::Comparison);
                let both = format!("{low} AND {high}");
                if *negated { test(format!("NOT ({both})"), Binding::Not) } else { test(both, Binding::And) }
            }
            ExprKind::Like { operand, pattern, escape, ignore_case, negated } => {
                let ExprKind::Literal(Literal::Text(pattern)) = &pattern.kind else {
                    return Err(Unsupported::new("LIKE with a pattern that is computed", span));
                };
                if *ignore_case || escape.is_some() || !self.kind(operand).is_text() {
                    return Err(Unsupported::new("ILIKE, or LIKE with ESCAPE", span));
                }
                let operand = self.value(operand)?.within(Binding::Other);
                let not = if *negated { "NOT " } else { "" };
                // The engine has no escape of its own.
                let (pattern, escape) = self.dialect.pattern(pattern);
                let pattern = self.dialect.literal(&pattern, span)?;
                test(format!("{operand} {not}LIKE {pattern}{escape}"), Binding::Comparison)
            }
            ExprKind::Case { operand, branches, otherwise } => {
                let mut sql = "CASE".to_string();
                for (when, then) in branches {
                    let when = match operand {
                        Some(operand) => self.compare(operand, BinaryOp::Equal, when, span)?,
                        None => self.condition(when)?,
                    };
                    sql += &format!(" WHEN {} THEN {}", when.sql, self.alternative(then, &kind)?);
                }
                if let Some(otherwise) = otherwise {
                    sql += &format!(" ELSE {}", self.alternative(otherwise, &kind)?);
                }
                if kind == DataType::Unknown {
                    return Err(Unsupported::new("a CASE whose values have no common type", span));
                }
                value(Printed::atom(sql + " END"))
            }
            ExprKind::Cast { operand, to, attempt } => {
                let printed = self.cast(self.write(operand)?, to, *attempt, span)?;
                Ok(Typed { printed, kind: to.clone(), condition: false })
            }
            ExprKind::Call(call) => self.call(call, &kind, span),
            ExprKind::InList { .. } => Err(Unsupported::new("IN with an empty list", span)),
            ExprKind::Unary(..) => Err(Unsupported::new("a sign before what is no number", span)),
            ExprKind::Name(parts) => Err(Unsupported::new(format!("the name `{}`", parts.join(".")), span)),
            ExprKind::Field(_, field) => Err(Unsupported::new(format!("the field `{field}` of a record"), span)),
            ExprKind::Subscript(..) => Err(Unsupported::new("an element of a list by its place", span)),
            ExprKind::List(_) => Err(Unsupported::new("a list", span)),
            ExprKind::Struct(_) => Err(Unsupported::new("a record", span)),
            ExprKind::Lambda { .. } => Err(Unsupported::new("a lambda", span)),
        }
    }

    /// Writes one of several values that share a type; NULL and bare literals take it.
    pub(super) fn alternative(&self, expr: &Expr, common: &DataType) -> Result<String, Unsupported> {
        if matches!(expr.kind, ExprKind::Literal(Literal::Null)) {
            return Ok("NULL".to_string());
        }
        let said = self.write(expr)?;
        if family(&said.kind) != family(common) {
            return Err(Unsupported::new(format!("{} in the place of {common}", said.kind), expr.span));
        }
        Ok(self.as_value(said)?.sql)
    }

    fn constant(&self, literal: &Literal, span: Span) -> Result<Printed, Unsupported> {
        Ok(Printed::atom(match literal {
            Literal::Null => "NULL".to_string(),
            Literal::Boolean(yes) => self.dialect.boolean(*yes),
            Literal::Number(digits) if digits.contains(['e', 'E']) => {
                format!("CAST({digits} AS {})", self.dialect.type_name(&DataType::Double, span)?)
            }
            Literal::Number(digits) if digits.starts_with(['-', '+']) => format!("({digits})"),
            Literal::Number(digits) => digits.clone(),
            Literal::Text(text) => self.dialect.literal(text, span)?,
            Literal::Typed(kind @ (DataType::Date | DataType::Timestamp(_) | DataType::Uuid), text) => {
                format!("CAST({} AS {})", self.dialect.literal(text, span)?, self.dialect.type_name(kind, span)?)
            }
            Literal::Typed(kind, _) => return Err(Unsupported::new(format!("a constant {kind}"), span)),
        }))
    }

    fn binary(&self, whole: &Expr, left: &Expr, op: BinaryOp, right: &Expr) -> Result<Typed, Unsupported> {
        let (span, kind) = (whole.span, self.kind(whole));
        let refused = |what: &str| Err(Unsupported::new(format!("{what} of {} and {}", self.kind(left), self.kind(right)), span));
        let (a, b) = (self.kind(left), self.kind(right));
        let value = |printed| Ok(Typed { printed, kind: kind.clone(), condition: false });
        match op {
            BinaryOp::Or | BinaryOp::And => {
                let (symbol, binding) = standard(op);
                let printed = infix(symbol, binding, &self.condition(left)?, &self.condition(right)?);
                Ok(Typed { printed, kind: DataType::Boolean, condition: true })
            }
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply if a.is_number() && b.is_number() && kind.is_number() => {
                let (symbol, binding) = standard(op);
                let sum = infix(symbol, binding, &self.value(left)?, &self.value(right)?);
                value(self.dialect.kept(sum, &kind, &a, op, &b, span)?)
            }
            BinaryOp::Divide if a.is_number() && b.is_number() => {
                let double = self.dialect.type_name(&DataType::Double, span)?;
                let (left, right) = (self.value(left)?.sql, self.value(right)?.sql);
                // By zero the engine makes an infinity, where a target fails: loudly, at least.
                value(Printed::new(format!("CAST({left} AS {double}) / CAST({right} AS {double})"), Binding::Product))
            }
            BinaryOp::IntegerDivide | BinaryOp::Modulo if a.is_integer() && b.is_integer() => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                // Whole numbers beyond 64 bits are decimals in the targets, which divide with a remainder.
                match (op, &kind) {
                    (BinaryOp::IntegerDivide, DataType::HugeInt) => match self.dialect.divide_huge(&left.sql, &right.sql) {
                        Some(sql) => value(Printed::atom(sql)),
                        None => refused("`//`"),
                    },
                    // Division by zero fails in all of them.
                    (BinaryOp::IntegerDivide, _) => value(infix("/", Binding::Product, &left, &right)),
                    _ => value(infix("%", Binding::Product, &left, &right)),
                }
            }
            BinaryOp::Concat if a.is_text() || b.is_text() => {
                let (left, right) =
                    (self.as_text(&self.value(left)?, &a, left.span)?, self.as_text(&self.value(right)?, &b, right.span)?);
                value(self.dialect.concatenate(&left, &right))
            }
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessOrEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterOrEqual
            | BinaryOp::IsDistinctFrom
            | BinaryOp::IsNotDistinctFrom => {
                Ok(Typed { printed: self.compare(left, op, right, span)?, kind: DataType::Boolean, condition: true })
            }
            _ => refused(&format!("`{}`", standard(op).0)),
        }
    }

    /// Compares two values of one kind.
    pub(super) fn compare(&self, left: &Expr, op: BinaryOp, right: &Expr, span: Span) -> Result<Printed, Unsupported> {
        let (a, b) = (self.kind(left), self.kind(right));
        let null = |e: &Expr| matches!(e.kind, ExprKind::Literal(Literal::Null));
        let known = if null(left) { &b } else { &a };
        // A constant beside a time is read as one.
        let time =
            |k: &DataType| matches!(k, DataType::Date | DataType::Time | DataType::Timestamp(_) | DataType::TimestampTz(_));
        let text = |e: &Expr| matches!(e.kind, ExprKind::Literal(Literal::Text(_)));
        if self.collated && (time(&a) && text(right) || time(&b) && text(left)) {
            return Ok(infix(standard(op).0, Binding::Comparison, &self.value(left)?, &self.value(right)?));
        }
        if family(&a) != family(&b) && !null(left) && !null(right) || family(known).is_none() {
            return Err(Unsupported::new(format!("a comparison of {a} with {b}"), span));
        }
        let equality =
            matches!(op, BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom);
        if !equality {
            self.ordered(known, span)?;
        }
        let mut l = self.value(left)?;
        let r = self.value(right)?;
        if self.collated {
            return Ok(match op {
                BinaryOp::NotEqual => infix(standard(op).0, Binding::Comparison, &l, &r),
                _ => self.dialect.compare(&l, op, &r, false),
            });
        }
        if known.is_text() && !reads(left) && !reads(right) {
            l = Printed::atom(format!("({})", self.dialect.collate(&l.sql)));
        }
        Ok(self.dialect.compare(&l, op, &r, known.is_text()))
    }
}

/// What can be compared with each other in every target alike.
pub(super) fn family(kind: &DataType) -> Option<&'static str> {
    match kind {
        DataType::Boolean => Some("boolean"),
        text if text.is_text() => Some("text"),
        DataType::Real | DataType::Decimal(None) => None,
        number if number.is_number() => Some("number"),
        DataType::Date => Some("date"),
        DataType::Timestamp(_) => Some("timestamp"),
        DataType::Uuid => Some("uuid"),
        _ => None,
    }
}

/// The operand and the type of a cast that first looks at the text, as casts without loss are made.
fn read_from_text(branches: &[(Expr, Expr)]) -> Option<(&Expr, &DataType)> {
    let [(Expr { kind: ExprKind::Call(call), .. }, value)] = branches else { return None };
    // A number with an exponent takes another way to the same type.
    let value = match &value.kind {
        ExprKind::Case { otherwise: Some(value), .. } => value,
        _ => value,
    };
    match &value.kind {
        ExprKind::Cast { operand, to, attempt: true } if call.function == "regexp_full_match" => Some((operand, to)),
        _ => None,
    }
}

/// Whether an expression reads a column, and so has its collation.
pub(super) fn reads(expr: &Expr) -> bool {
    let mut found = false;
    expr.walk(&mut |part| found |= matches!(part.kind, ExprKind::Column(_)));
    found
}
