//! The type of an expression, as the engine gives it.
//!
//! In: an expression and the types of columns. Out: its type, or `Unknown` where only the engine can tell: a wrong guess would be worse.
//! Does not know about relations; functions are in `signatures`, common types in `common`.

use super::common::{combine, precision};
use super::{BinaryOp, Call, Expr, ExprKind, Literal, UnaryOp, signatures};
use crate::types::DataType;

pub use super::common::unify;

/// Returns the type of an expression, or `Unknown` where only the engine can tell.
pub fn type_of(expr: &Expr, columns: &dyn Fn(&str) -> Option<DataType>) -> DataType {
    Typer { columns, locals: vec![] }.expr(expr)
}

/// The state of typing one expression: the parameters of the lambdas around the part at hand.
struct Typer<'a> {
    columns: &'a dyn Fn(&str) -> Option<DataType>,
    locals: Vec<(String, DataType)>,
}

impl Typer<'_> {
    fn expr(&mut self, expr: &Expr) -> DataType {
        match &expr.kind {
            ExprKind::Name(parts) => self.name(parts),
            ExprKind::Column(name) => (self.columns)(name).unwrap_or(DataType::Unknown),
            ExprKind::Field(operand, field) => field_of(&self.expr(operand), field),
            ExprKind::Literal(literal) => literal_type(literal),
            ExprKind::Unary(UnaryOp::Not, _) => DataType::Boolean,
            ExprKind::Unary(UnaryOp::Minus | UnaryOp::Plus, operand) => match self.expr(operand) {
                number if number.is_number() || number == DataType::Interval => number,
                _ => DataType::Unknown,
            },
            ExprKind::Binary(..) => self.chain(expr),
            ExprKind::IsNull { .. } | ExprKind::InList { .. } | ExprKind::Between { .. } | ExprKind::Like { .. } => {
                DataType::Boolean
            }
            ExprKind::Case { branches, otherwise, .. } => {
                self.common(branches.iter().map(|(_, then)| then).chain(otherwise.iter().map(|e| &**e)))
            }
            ExprKind::Cast { to, .. } => to.clone(),
            ExprKind::Call(call) => self.call(call),
            ExprKind::Subscript(list, index) => match (self.expr(list), &index.kind) {
                (DataType::List(element), _) => *element,
                (text, _) if text.is_text() => DataType::Text,
                (structure @ DataType::Struct(_), ExprKind::Literal(Literal::Text(field))) => field_of(&structure, field),
                _ => DataType::Unknown,
            },
            ExprKind::List(items) if items.is_empty() => DataType::List(Box::new(DataType::Unknown)),
            ExprKind::List(items) => match self.common(items.iter()) {
                DataType::Unknown => DataType::Unknown,
                element => DataType::List(Box::new(element)),
            },
            ExprKind::Struct(fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), self.expr(value))).collect();
                DataType::Struct(fields)
            }
            ExprKind::Lambda { .. } => DataType::Unknown,
        }
    }

    fn name(&self, parts: &[String]) -> DataType {
        let local = self.locals.iter().rev().find(|(name, _)| parts.first() == Some(name));
        match local {
            Some((_, kind)) => parts.iter().skip(1).fold(kind.clone(), |kind, part| field_of(&kind, part)),
            None => (self.columns)(&parts.join(".")).unwrap_or(DataType::Unknown),
        }
    }

    /// Types a chain of operators without going down its left side by recursion.
    fn chain(&mut self, expr: &Expr) -> DataType {
        let mut chain = vec![];
        let mut first = expr;
        while let ExprKind::Binary(left, op, right) = &first.kind {
            chain.push((left, *op, right));
            first = left;
        }
        let mut kind = self.expr(first);
        for (left, op, right) in chain.into_iter().rev() {
            kind = match op {
                BinaryOp::Or
                | BinaryOp::And
                | BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Less
                | BinaryOp::LessOrEqual
                | BinaryOp::Greater
                | BinaryOp::GreaterOrEqual
                | BinaryOp::IsNotDistinctFrom
                | BinaryOp::IsDistinctFrom => DataType::Boolean,
                BinaryOp::Add
                | BinaryOp::Subtract
                | BinaryOp::Multiply
                | BinaryOp::Divide
                | BinaryOp::IntegerDivide
                | BinaryOp::Modulo
                | BinaryOp::Concat => {
                    let right_type = self.expr(right);
                    let (a, b) = adapt((left, kind), (right, right_type));
                    arithmetic(op, a, b)
                }
            };
        }
        kind
    }

    /// Returns the type that the engine gives several alternatives; NULLs and bare texts take the type of the others.
    fn common<'e>(&mut self, alternatives: impl Iterator<Item = &'e Expr>) -> DataType {
        let mut found: Option<(&Expr, DataType)> = None;
        let mut bare_text = false;
        for alternative in alternatives {
            match &alternative.kind {
                ExprKind::Literal(Literal::Null) => continue,
                ExprKind::Literal(Literal::Text(_)) => bare_text = true,
                _ => {
                    let kind = self.expr(alternative);
                    let together = match found {
                        None => kind,
                        Some((before, known)) => {
                            let (a, b) = adapt((before, known), (alternative, kind));
                            combine(&a, &b)
                        }
                    };
                    if together == DataType::Unknown {
                        return DataType::Unknown;
                    }
                    found = Some((alternative, together));
                }
            }
        }
        match found {
            Some((_, kind)) => kind,
            None if bare_text => DataType::Text,
            None => DataType::Unknown,
        }
    }

    fn call(&mut self, call: &Call) -> DataType {
        let arguments: Vec<DataType> = call.arguments.iter().map(|a| self.expr(a)).collect();
        match (call.function.as_str(), call.arguments.as_slice()) {
            ("coalesce" | "ifnull" | "greatest" | "least", list) => self.common(list.iter()),
            ("list_value" | "list_pack" | "array_value", list) if !list.is_empty() => match self.common(list.iter()) {
                DataType::Unknown => DataType::Unknown,
                element => DataType::List(Box::new(element)),
            },
            ("if", [_, then, otherwise]) => self.common([then, otherwise].into_iter()),
            ("struct_extract", [_, Expr { kind: ExprKind::Literal(Literal::Text(field)), .. }]) => {
                arguments.first().map_or(DataType::Unknown, |structure| field_of(structure, field))
            }
            (
                "list_transform" | "list_apply" | "array_transform" | "array_apply" | "apply",
                [_, Expr { kind: ExprKind::Lambda { parameters, body }, .. }],
            ) => {
                let Some(DataType::List(element)) = arguments.first() else {
                    return DataType::Unknown;
                };
                let outer = self.locals.len();
                let kinds = [(**element).clone(), DataType::BigInt];
                self.locals.extend(parameters.iter().cloned().zip(kinds));
                let body = self.expr(body);
                self.locals.truncate(outer);
                if body == DataType::Unknown { body } else { DataType::List(Box::new(body)) }
            }
            _ => signatures::returns(call, &arguments),
        }
    }
}

/// Returns the type of a struct's field, whatever its case.
fn field_of(structure: &DataType, field: &str) -> DataType {
    let DataType::Struct(fields) = structure else {
        return DataType::Unknown;
    };
    let found =
        fields.iter().find(|(name, _)| name == field).or(fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)));
    found.map_or(DataType::Unknown, |(_, kind)| kind.clone())
}

fn literal_type(literal: &Literal) -> DataType {
    match literal {
        Literal::Null => DataType::Unknown,
        Literal::Boolean(_) => DataType::Boolean,
        Literal::Text(_) => DataType::Text,
        Literal::Typed(kind, _) => kind.clone(),
        Literal::Number(digits) if digits.contains(['e', 'E']) => DataType::Double,
        Literal::Number(digits) => match digits.trim_start_matches(['-', '+']).split_once('.') {
            Some((whole, fraction)) => match (whole.len() + fraction.len(), fraction.len()) {
                (precision @ 1..=38, scale) => DataType::Decimal(Some((precision as u8, scale as u8))),
                _ => DataType::Double,
            },
            None => match digits.parse::<i128>() {
                Ok(n) if i32::try_from(n).is_ok() => DataType::Integer,
                Ok(n) if i64::try_from(n).is_ok() => DataType::BigInt,
                Ok(_) => DataType::HugeInt,
                Err(_) => DataType::Unknown,
            },
        },
    }
}

/// Lets a whole-number literal take the type of the integer beside it, if it fits.
fn adapt((left, left_type): (&Expr, DataType), (right, right_type): (&Expr, DataType)) -> (DataType, DataType) {
    let fits = |literal: &Expr, kind: &DataType| match (&literal.kind, kind) {
        (ExprKind::Literal(Literal::Number(n)), DataType::SmallInt) => n.parse::<i16>().is_ok(),
        (ExprKind::Literal(Literal::Number(n)), DataType::Integer) => n.parse::<i32>().is_ok(),
        (ExprKind::Literal(Literal::Number(n)), DataType::BigInt) => n.parse::<i64>().is_ok(),
        _ => false,
    };
    match (fits(left, &right_type), fits(right, &left_type)) {
        (true, false) => (right_type.clone(), right_type),
        (false, true) => (left_type.clone(), left_type),
        _ => (left_type, right_type),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "types are matched as pairs of values")]
fn arithmetic(op: BinaryOp, left: DataType, right: DataType) -> DataType {
    use DataType::{BigInt, Bytes, Date, Decimal, Double, Interval, List, Real, Text, Time, Timestamp, TimestampTz, Unknown};
    match (op, &left, &right) {
        (BinaryOp::Concat, Unknown, _) | (BinaryOp::Concat, _, Unknown) => Unknown,
        (BinaryOp::Concat, List(_), _) | (BinaryOp::Concat, _, List(_)) | (BinaryOp::Concat, Bytes, Bytes) => {
            combine(&left, &right)
        }
        (BinaryOp::Concat, _, _) => Text,
        (BinaryOp::Divide, Interval, n) if n.is_number() => Interval,
        (BinaryOp::Divide, a, b) if a.is_number() && b.is_number() => Double,
        (BinaryOp::IntegerDivide, a, b) if a.is_integer() && b.is_integer() => combine(a, b),
        (BinaryOp::IntegerDivide, Double | Decimal(_), b) if b.is_number() => Double,
        (BinaryOp::IntegerDivide, a, Double | Decimal(_)) if a.is_number() => Double,
        (BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Modulo, a, b) if a.is_number() && b.is_number() => {
            match (precision(a), precision(b), combine(a, b)) {
                (Some(a), Some(b), Decimal(Some(common))) => decimal(op, a, b, common),
                (_, _, common) => common,
            }
        }
        (BinaryOp::Add | BinaryOp::Subtract, Date, n) if n.is_integer() => Date,
        (BinaryOp::Add, n, Date) if n.is_integer() => Date,
        (BinaryOp::Subtract, Date, Date) => BigInt,
        (BinaryOp::Subtract, Timestamp(_) | Date, Timestamp(_) | Date) | (BinaryOp::Subtract, TimestampTz(_), TimestampTz(_)) => {
            Interval
        }
        (BinaryOp::Add | BinaryOp::Subtract, Date | Timestamp(_), Interval) | (BinaryOp::Add, Interval, Date | Timestamp(_)) => {
            Timestamp(None)
        }
        (BinaryOp::Add, Date, Time) | (BinaryOp::Add, Time, Date) => Timestamp(None),
        (BinaryOp::Add | BinaryOp::Subtract, TimestampTz(_), Interval) | (BinaryOp::Add, Interval, TimestampTz(_)) => {
            TimestampTz(None)
        }
        (BinaryOp::Add | BinaryOp::Subtract, Time, Interval) | (BinaryOp::Add, Interval, Time) => Time,
        (BinaryOp::Add | BinaryOp::Subtract, Interval, Interval) => Interval,
        (BinaryOp::Multiply, Interval, n) | (BinaryOp::Multiply, n, Interval) if n.is_integer() || *n == Double || *n == Real => {
            Interval
        }
        _ => Unknown,
    }
}

/// The engine's rules for the width of decimal results.
fn decimal(op: BinaryOp, a: (u8, u8), b: (u8, u8), common: (u8, u8)) -> DataType {
    let widest = a.0.max(b.0);
    match op {
        BinaryOp::Add | BinaryOp::Subtract => DataType::Decimal(Some((common.0.saturating_add(1).min(38), common.1))),
        BinaryOp::Multiply => {
            let (width, scale) = (a.0 + b.0, a.1 + b.1);
            // Up to 18 digits, the engine stays within 64 bits as long as the operands do.
            match scale {
                39.. => DataType::Unknown,
                0..18 if width > 18 && widest <= 18 => DataType::Decimal(Some((18, scale))),
                _ => DataType::Decimal(Some((width.min(38), scale))),
            }
        }
        _ => DataType::Decimal(Some(common)),
    }
}

#[cfg(test)]
mod tests {
    use super::type_of;
    use crate::diagnostics::{Diagnostics, SourceMap, Span};
    use crate::expr::parse;
    use crate::types::DataType;

    fn of(text: &str) -> String {
        let span = Span { file: SourceMap::default().add("test", text), start: 0, end: text.len() as u32 };
        let mut out = Diagnostics::default();
        let expr = parse::expression(text, span, true, &mut out).unwrap_or_else(|| panic!("{:?}", out.into_sorted()));
        let columns = |name: &str| {
            Some(match name {
                "s" => DataType::SmallInt,
                "i" => DataType::Integer,
                "b" => DataType::BigInt,
                "d" => DataType::Decimal(Some((5, 2))),
                "w" => DataType::Decimal(Some((18, 3))),
                "f" => DataType::Double,
                "t" => DataType::Text,
                "day" => DataType::Date,
                "l" => DataType::List(Box::new(DataType::Integer)),
                "r" => DataType::Struct(vec![("x".to_string(), DataType::Integer)]),
                _ => return None,
            })
        };
        type_of(&expr, &columns).to_string()
    }

    #[test]
    fn types_are_the_engine_s() {
        for (text, expected) in [
            ("1", "integer"),
            ("3000000000", "bigint"),
            ("99999999999999999999", "hugeint"),
            ("1.10", "decimal(3,2)"),
            ("-.5", "decimal(1,1)"),
            ("1e5", "double"),
            ("s + 1", "smallint"),
            ("s + 32768", "integer"),
            ("i * b", "bigint"),
            ("d + 1", "decimal(13,2)"),
            ("d + w", "decimal(19,3)"),
            ("d * d", "decimal(10,4)"),
            ("w * w", "decimal(18,6)"),
            ("i * 0.01", "decimal(13,2)"),
            ("d % 2", "decimal(12,2)"),
            ("d / 2", "double"),
            ("i // 2", "integer"),
            ("f + d", "double"),
            ("t || 1", "text"),
            ("day - day", "bigint"),
            ("day + interval 1 day", "timestamp"),
            ("i = 1 and t is null", "boolean"),
            ("case when t = '' then null else i end", "integer"),
            ("case when t = '' then 'none' else day end", "date"),
            ("coalesce(d, 1.555)", "decimal(6,3)"),
            ("case when t = '' then t else i end", "unknown"),
            ("sum(d)", "decimal(38,2)"),
            ("sum(i) over (order by i)", "hugeint"),
            ("round(d, 1)", "decimal(5,1)"),
            ("length(t)", "bigint"),
            ("string_split(t, ',')", "text[]"),
            ("list_transform(l, lambda x: x * 1.5)", "decimal(12,1)[]"),
            ("l[1] + (r).x", "integer"),
            ("{'a': 1, 'b': [t]}", "struct(a integer, b text[])"),
            ("try_cast(t as decimal(9,2))", "decimal(9,2)"),
            ("no_such_function(t)", "unknown"),
            ("missing + 1", "unknown"),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}
