//! The expressions of CHECK constraints and indexes, as far as they mean the same in the engine.
//!
//! In: a parsed expression in the target's dialect. Out: an [`Expr`] over the table's columns, or `None` where the engine could come
//! to another verdict than the target: other functions, collations, division of whole numbers, the clock.
//! Does not know which kinds of checks there are.

use sqlparser::ast::{self, BinaryOperator, UnaryOperator, Value};

use super::ddl::Flavor;
use super::ddl_call::{counted, lower_call};
use super::ddl_cursor::fold;
use super::ddl_like::{collated, like};
use super::ddl_list;
use super::ddl_number::{self, arithmetic, comparable};
use super::{Column, pattern};
use crate::check::matches;
use crate::diagnostics::Span;
use crate::expr::{BinaryOp, Expr, ExprKind, Literal, UnaryOp};
use crate::types::DataType;

/// The text that every locale reads alike.
const ASCII: &str = r"^[\x00-\x7F]*$";

/// What names mean in an expression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) flavor: Flavor,
    pub(super) columns: &'a [Column],
    /// What VALUE stands for in a domain's CHECK.
    pub(super) value: Option<&'a str>,
    pub(super) span: Span,
}

/// What an expression yields, as far as comparisons need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text literal, which takes the type of what it is compared with.
    Quoted,
    Number,
    Boolean,
    Time,
    Uuid,
    Other,
}

impl Scope<'_> {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        let same = |c: &&Column| match self.flavor {
            Flavor::Postgres => c.name == name,
            Flavor::Tsql => c.name.eq_ignore_ascii_case(name),
        };
        self.columns.iter().find(same)
    }

    fn named(&self, ident: &ast::Ident) -> Option<Expr> {
        let value = self.value.filter(|_| ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("value"));
        let word = sqlparser::tokenizer::Word {
            value: ident.value.clone(),
            quote_style: ident.quote_style,
            keyword: sqlparser::keywords::Keyword::NoKeyword,
        };
        let name = value.map(str::to_string).unwrap_or_else(|| fold(&word, self.flavor));
        self.column(&name).map(|c| Expr::column(&c.name, self.span))
    }

    fn make(&self, kind: ExprKind) -> Expr {
        Expr::new(kind, self.span)
    }

    /// Tells what an expression yields.
    pub(super) fn kind(&self, expr: &Expr) -> Kind {
        match &expr.kind {
            ExprKind::Column(name) => self.column(name).map_or(Kind::Other, |c| of_type(&c.data_type)),
            ExprKind::Literal(Literal::Text(_)) => Kind::Quoted,
            ExprKind::Literal(Literal::Number(_)) => Kind::Number,
            ExprKind::Literal(Literal::Boolean(_)) => Kind::Boolean,
            ExprKind::Literal(Literal::Typed(to, _)) | ExprKind::Cast { to, .. } => of_type(to),
            ExprKind::Unary(UnaryOp::Minus | UnaryOp::Plus, _) => Kind::Number,
            ExprKind::Binary(_, BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Modulo, _) => Kind::Number,
            ExprKind::Binary(_, BinaryOp::Concat, _) => Kind::Text,
            ExprKind::Binary(..) | ExprKind::Unary(UnaryOp::Not, _) => Kind::Boolean,
            ExprKind::IsNull { .. } | ExprKind::InList { .. } | ExprKind::Between { .. } | ExprKind::Like { .. } => Kind::Boolean,
            ExprKind::Call(call) => match call.function.as_str() {
                "lower" | "upper" | "trim" | "ltrim" | "rtrim" | "replace" | "substring" | "left" | "right" => Kind::Text,
                "length" | "strlen" | "strpos" | "len" | "abs" | "year" | "month" | "day" => Kind::Number,
                "regexp_matches" | "starts_with" | pattern::CLASSES => Kind::Boolean,
                _ => call.arguments.first().map_or(Kind::Other, |first| self.kind(first)),
            },
            ExprKind::Case { branches, otherwise, .. } => {
                let first = otherwise.iter().map(|e| &**e).chain(branches.iter().map(|(_, then)| then));
                first.map(|e| self.kind(e)).find(|k| *k != Kind::Other).unwrap_or(Kind::Other)
            }
            ExprKind::Name(_)
            | ExprKind::Field(..)
            | ExprKind::Literal(Literal::Null)
            | ExprKind::Subscript(..)
            | ExprKind::List(_)
            | ExprKind::Struct(_)
            | ExprKind::Lambda { .. } => Kind::Other,
        }
    }
}

fn of_type(data_type: &DataType) -> Kind {
    match data_type {
        t if t.is_text() => Kind::Text,
        t if t.is_number() => Kind::Number,
        DataType::Boolean => Kind::Boolean,
        DataType::Date | DataType::Time | DataType::Timestamp(_) | DataType::TimestampTz(_) => Kind::Time,
        DataType::Uuid => Kind::Uuid,
        _ => Kind::Other,
    }
}

/// Lowers an expression, if the engine would come to the same verdict.
pub(super) fn lower(expr: &ast::Expr, scope: &Scope) -> Option<Expr> {
    let is = |operand: &ast::Expr, truth: bool, op: BinaryOp| {
        Some(lower(operand, scope)?.binary(op, Expr::boolean(truth, scope.span)))
    };
    match expr {
        ast::Expr::Identifier(ident) => scope.named(ident),
        ast::Expr::CompoundIdentifier(parts) => scope.named(parts.last()?),
        ast::Expr::Value(value) => Some(scope.make(ExprKind::Literal(literal(&value.value)?))),
        ast::Expr::TypedString(typed) => cast(quoted(&typed.value.value, scope)?, &typed.data_type, scope),
        ast::Expr::Nested(inner) => lower(inner, scope),
        ast::Expr::UnaryOp { op, expr } => lower_unary(*op, lower(expr, scope)?, scope),
        ast::Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::PGOverlap | BinaryOperator::AtArrow | BinaryOperator::ArrowAt),
            right,
        } => ddl_list::compare(left, op, right, scope),
        ast::Expr::BinaryOp { left, op: BinaryOperator::Minus, right } if counted(left, right, scope).is_some() => {
            counted(left, right, scope)
        }
        ast::Expr::BinaryOp { left, op, right } => lower_binary(lower(left, scope)?, op, lower(right, scope)?, scope),
        ast::Expr::IsNull(operand) => Some(lower(operand, scope)?.is_null()),
        ast::Expr::IsNotNull(operand) => Some(lower(operand, scope)?.is_not_null()),
        ast::Expr::IsTrue(operand) => is(operand, true, BinaryOp::IsNotDistinctFrom),
        ast::Expr::IsNotTrue(operand) => is(operand, true, BinaryOp::IsDistinctFrom),
        ast::Expr::IsFalse(operand) => is(operand, false, BinaryOp::IsNotDistinctFrom),
        ast::Expr::IsNotFalse(operand) => is(operand, false, BinaryOp::IsDistinctFrom),
        ast::Expr::IsDistinctFrom(a, b) => compare(lower(a, scope)?, BinaryOp::IsDistinctFrom, lower(b, scope)?, scope),
        ast::Expr::IsNotDistinctFrom(a, b) => compare(lower(a, scope)?, BinaryOp::IsNotDistinctFrom, lower(b, scope)?, scope),
        ast::Expr::InList { expr, list, negated } => lower_list(expr, list, (*negated, list.len() > 1), scope),
        ast::Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
            lower_list(left, elements(right)?, (false, false), scope)
        }
        ast::Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
            lower_list(left, elements(right)?, (true, false), scope)
        }
        ast::Expr::Between { expr, negated, low, high } => {
            let operand = doubled(lower(expr, scope)?, scope);
            let bound = |e: &ast::Expr| {
                let bound = as_compared(lower(e, scope)?, scope.kind(&operand))?;
                let fits = sortable(scope.kind(&operand), scope.kind(&bound)) && comparable(&operand, &bound, scope);
                fits.then(|| Box::new(bound))
            };
            let (low, high) = (bound(low)?, bound(high)?);
            Some(scope.make(ExprKind::Between { operand: Box::new(operand), low, high, negated: *negated }))
        }
        ast::Expr::Like { negated, any: false, expr, pattern, escape_char } => {
            like(lower(expr, scope)?, lower(pattern, scope)?, escape_char.as_deref(), (false, *negated), scope)
        }
        ast::Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
            like(lower(expr, scope)?, lower(pattern, scope)?, escape_char.as_deref(), (true, *negated), scope)
        }
        ast::Expr::Case { operand, conditions, else_result, .. } => {
            let part = |e: &ast::Expr| lower(e, scope);
            let operand = match operand {
                Some(operand) => Some(Box::new(part(operand)?)),
                None => None,
            };
            let branches = conditions.iter().map(|c| Some((part(&c.condition)?, part(&c.result)?))).collect::<Option<_>>()?;
            let otherwise = match else_result {
                Some(result) => Some(Box::new(part(result)?)),
                None => None,
            };
            Some(scope.make(ExprKind::Case { operand, branches, otherwise }))
        }
        ast::Expr::Cast { kind: ast::CastKind::Cast | ast::CastKind::DoubleColon, expr, data_type, .. } => {
            cast(lower(expr, scope)?, data_type, scope)
        }
        ast::Expr::Convert { is_try: false, expr, data_type: Some(to), charset: None, styles, .. } if styles.is_empty() => {
            cast(lower(expr, scope)?, to, scope)
        }
        ast::Expr::Collate { expr, collation } => collated(lower(expr, scope)?, collation, scope),
        other => lower_call(other, scope),
    }
}

/// Reads a constant; strings of any quoting are text.
pub(super) fn literal(value: &Value) -> Option<Literal> {
    Some(match value {
        Value::Number(digits, _) => Literal::Number(digits.clone()),
        Value::Boolean(truth) => Literal::Boolean(*truth),
        Value::Null => Literal::Null,
        Value::SingleQuotedString(text) | Value::NationalStringLiteral(text) | Value::EscapedStringLiteral(text) => {
            Literal::Text(text.clone())
        }
        Value::DollarQuotedString(text) => Literal::Text(text.value.clone()),
        _ => return None,
    })
}

fn quoted(value: &Value, scope: &Scope) -> Option<Expr> {
    literal(value).map(|l| scope.make(ExprKind::Literal(l)))
}

fn lower_unary(op: UnaryOperator, operand: Expr, scope: &Scope) -> Option<Expr> {
    match (op, &operand.kind) {
        (UnaryOperator::Not, _) => Some(operand.negate()),
        (UnaryOperator::Minus, ExprKind::Literal(Literal::Number(digits))) => {
            let digits = digits.strip_prefix('-').map_or_else(|| format!("-{digits}"), str::to_string);
            Some(Expr::number(digits, scope.span))
        }
        (UnaryOperator::Minus, _) if scope.kind(&operand) == Kind::Number => ddl_number::unary(operand, true, scope),
        (UnaryOperator::Plus, _) if scope.kind(&operand) == Kind::Number => Some(operand),
        _ => None,
    }
}

fn lower_binary(left: Expr, op: &BinaryOperator, right: Expr, scope: &Scope) -> Option<Expr> {
    let numbers = scope.kind(&left) == Kind::Number && scope.kind(&right) == Kind::Number;
    let op = match op {
        BinaryOperator::And => BinaryOp::And,
        BinaryOperator::Or => BinaryOp::Or,
        BinaryOperator::Eq => return compare(left, BinaryOp::Equal, right, scope),
        BinaryOperator::NotEq => return compare(left, BinaryOp::NotEqual, right, scope),
        BinaryOperator::Lt => return compare(left, BinaryOp::Less, right, scope),
        BinaryOperator::LtEq => return compare(left, BinaryOp::LessOrEqual, right, scope),
        BinaryOperator::Gt => return compare(left, BinaryOp::Greater, right, scope),
        BinaryOperator::GtEq => return compare(left, BinaryOp::GreaterOrEqual, right, scope),
        BinaryOperator::Plus if numbers => return arithmetic(left, BinaryOp::Add, right, scope),
        BinaryOperator::Minus if numbers => return arithmetic(left, BinaryOp::Subtract, right, scope),
        BinaryOperator::Multiply if numbers => return arithmetic(left, BinaryOp::Multiply, right, scope),
        BinaryOperator::Modulo if numbers => return arithmetic(left, BinaryOp::Modulo, right, scope),
        BinaryOperator::StringConcat => BinaryOp::Concat,
        BinaryOperator::PGRegexMatch => return regex(left, right, ("s", false), scope),
        BinaryOperator::PGRegexIMatch => return regex(left, right, ("is", false), scope),
        BinaryOperator::PGRegexNotMatch => return regex(left, right, ("s", true), scope),
        BinaryOperator::PGRegexNotIMatch => return regex(left, right, ("is", true), scope),
        // Dumps write LIKE as the operators that it is.
        BinaryOperator::PGLikeMatch => return like(left, right, None, (false, false), scope),
        BinaryOperator::PGNotLikeMatch => return like(left, right, None, (false, true), scope),
        BinaryOperator::PGILikeMatch => return like(left, right, None, (true, false), scope),
        BinaryOperator::PGNotILikeMatch => return like(left, right, None, (true, true), scope),
        _ => return None,
    };
    Some(left.binary(op, right))
}

/// Patterns see the spaces that fill a `char(n)`, which nothing else does.
pub(super) fn padded(operand: Expr, scope: &Scope) -> Expr {
    let length = match &operand.kind {
        ExprKind::Column(name) if scope.flavor == Flavor::Postgres => match scope.column(name).map(|c| &c.data_type) {
            Some(DataType::Char(length)) => *length,
            _ => return operand,
        },
        _ => return operand,
    };
    let (length, space) = (Expr::number(length, scope.span), Expr::text(" ", scope.span));
    // The engine's `rpad` would cut a text that is too long, which is judged elsewhere.
    let whole = Expr::call("length", vec![operand.clone()], scope.span).binary(BinaryOp::GreaterOrEqual, length.clone());
    let filled = Expr::call("rpad", vec![operand.clone(), length, space], scope.span);
    Expr::case(vec![(whole, operand)], filled, scope.span)
}

/// Lowers `~`; the engine is told that a dot matches a newline too, as it does for Postgres.
fn regex(left: Expr, pattern: Expr, (options, negated): (&str, bool), scope: &Scope) -> Option<Expr> {
    let ExprKind::Literal(Literal::Text(text)) = &pattern.kind else {
        return None;
    };
    // What Postgres writes in its own way, or RE2 reads otherwise.
    let foreign = [r"\m", r"\M", r"\y", r"\Y", r"\b", r"\B", r"\Z", r"\c", r"\e", "[[:<:]]", "[[:>:]]", "[=", "[.", "***"];
    let same = !foreign.iter().any(|f| text.contains(f)) && matches::fault(text).is_none() && !text.starts_with("(?");
    if !same || scope.kind(&left) != Kind::Text {
        return None;
    }
    let left = padded(left, scope);
    let found = Expr::call("regexp_matches", vec![left, pattern, Expr::text(options, scope.span)], scope.span);
    Some(if negated { found.negate() } else { found })
}

/// Leaves text beyond ASCII to the server where a condition turns it into capitals or small letters, or asks which it is.
pub(super) fn cased(holds: Expr) -> Expr {
    let mut turned: Vec<Expr> = vec![];
    holds.walk(&mut |e| match &e.kind {
        ExprKind::Call(call) if ["lower", "upper"].contains(&call.function.as_str()) => turned.extend(call.arguments.clone()),
        ExprKind::Call(call) if call.function == "regexp_matches" => match call.arguments.as_slice() {
            [of, pattern, _] if locale_pattern(pattern) => turned.push(of.clone()),
            _ => {}
        },
        ExprKind::Like { operand, ignore_case: true, .. } => turned.push((**operand).clone()),
        _ => {}
    });
    turned.into_iter().fold(holds, |holds, text| {
        let span = text.span;
        let ascii = Expr::call("regexp_matches", vec![text, Expr::text(ASCII, span), Expr::text("s", span)], span);
        holds.or(ascii.negate())
    })
}

/// Whether the letters that a pattern matches beyond ASCII depend on the server's locale.
fn locale_pattern(pattern: &Expr) -> bool {
    let text = |e: &Expr| if let ExprKind::Literal(Literal::Text(text)) = &e.kind { text.clone() } else { String::new() };
    let pattern = text(pattern);
    ["[:", r"\w", r"\W", r"\s", r"\S"].iter().any(|class| pattern.contains(class))
}

/// Tells whether an expression leaves text beyond ASCII to the server.
pub(super) fn by_locale(expr: &Expr) -> bool {
    let mut found = false;
    expr.walk(&mut |e| {
        found |= match &e.kind {
            ExprKind::Literal(Literal::Text(text)) => text == ASCII,
            ExprKind::Call(call) => call.function == pattern::CLASSES,
            _ => false,
        };
    });
    found
}

/// Lowers a comparison, if both sides compare alike in the engine.
fn compare(left: Expr, op: BinaryOp, right: Expr, scope: &Scope) -> Option<Expr> {
    let (mut left, mut right) = (doubled(left, scope), doubled(right, scope));
    left = trimmed(left, &right, scope);
    right = trimmed(right, &left, scope);
    right = as_compared(right, scope.kind(&left))?;
    left = as_compared(left, scope.kind(&right))?;
    let (a, b) = (scope.kind(&left), scope.kind(&right));
    let fits = match op {
        BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual => sortable(a, b),
        _ => a != Kind::Other && b != Kind::Other && (a == b || a == Kind::Quoted || b == Kind::Quoted),
    };
    (fits && comparable(&left, &right, scope)).then(|| left.binary(op, right))
}

/// A `real` is compared as the double that it is, not at its own precision: beside 0.1 it is never equal.
fn doubled(expr: Expr, scope: &Scope) -> Expr {
    let real = |name: &str| scope.column(name).is_some_and(|c| c.data_type == DataType::Real);
    match &expr.kind {
        ExprKind::Column(name) if scope.flavor == Flavor::Postgres && real(name) => expr.cast(DataType::Double),
        _ => expr,
    }
}

/// Beside a `char(n)` a literal loses the spaces at its end, as the column does.
fn trimmed(expr: Expr, other: &Expr, scope: &Scope) -> Expr {
    let char = |name: &str| scope.column(name).is_some_and(|c| matches!(c.data_type, DataType::Char(_)));
    match (&expr.kind, &other.kind) {
        (ExprKind::Literal(Literal::Text(text)), ExprKind::Column(name)) if char(name) => {
            Expr::text(text.trim_end_matches(' '), expr.span)
        }
        _ => expr,
    }
}

/// Whether the engine sorts two kinds as the target does. Text sorts by the target's collation, which the engine lacks.
fn sortable(a: Kind, b: Kind) -> bool {
    matches!((a, b), (Kind::Number, Kind::Number) | (Kind::Time, Kind::Time | Kind::Quoted) | (Kind::Quoted, Kind::Time))
}

/// Gives a literal the type of what it is compared with: `'5'` is a number beside a number, 1 is TRUE beside T-SQL's bit.
fn as_compared(expr: Expr, other: Kind) -> Option<Expr> {
    let literal = match (&expr.kind, other) {
        (ExprKind::Literal(Literal::Text(text)), Kind::Number) => {
            let text = text.trim();
            text.parse::<f64>().ok().filter(|n| n.is_finite())?;
            Literal::Number(text.to_string())
        }
        (ExprKind::Literal(Literal::Number(digits)), Kind::Boolean) => match digits.as_str() {
            "0" => Literal::Boolean(false),
            "1" => Literal::Boolean(true),
            _ => return None,
        },
        (ExprKind::Literal(Literal::Text(text)), Kind::Boolean) => match text.to_lowercase().as_str() {
            "t" | "true" => Literal::Boolean(true),
            "f" | "false" => Literal::Boolean(false),
            _ => return None,
        },
        _ => return Some(expr),
    };
    Some(Expr::new(ExprKind::Literal(literal), expr.span))
}

fn lower_list(operand: &ast::Expr, list: &[ast::Expr], (negated, several): (bool, bool), scope: &Scope) -> Option<Expr> {
    let operand = lower(operand, scope)?;
    // IN of several constants takes them at the column's own precision.
    let operand = if several { operand } else { doubled(operand, scope) };
    let kind = scope.kind(&operand);
    let item = |e: &ast::Expr| {
        let item = as_compared(trimmed(lower(e, scope)?, &operand, scope), kind)?;
        let of_item = scope.kind(&item);
        let fits = of_item == kind || of_item == Kind::Quoted || matches!(item.kind, ExprKind::Literal(Literal::Null));
        (fits && kind != Kind::Other && comparable(&operand, &item, scope)).then_some(item)
    };
    let list = list.iter().map(item).collect::<Option<Vec<_>>>()?;
    Some(scope.make(ExprKind::InList { operand: Box::new(operand), list, negated }))
}

/// Returns the elements of an array constructor, as dumps wrap it in casts: `(ARRAY['a'::character varying])::text[]`.
fn elements(array: &ast::Expr) -> Option<&[ast::Expr]> {
    match array {
        ast::Expr::Array(array) => Some(&array.elem),
        ast::Expr::Nested(inner) => elements(inner),
        ast::Expr::Cast { expr, .. } => elements(expr),
        _ => None,
    }
}

/// Lowers a cast that changes nothing to its operand, and keeps one that makes a date or time of a literal.
fn cast(operand: Expr, to: &ast::DataType, scope: &Scope) -> Option<Expr> {
    let written = to.to_string();
    let last = written.rsplit('.').next().unwrap_or("").replace(['[', ']'], "");
    let parsed = DataType::parse(&last);
    let is_literal = matches!(operand.kind, ExprKind::Literal(_));
    match (scope.kind(&operand), &parsed) {
        // A literal of an enum is written as text with a cast to the enum.
        (Kind::Quoted, None | Some(DataType::Text | DataType::Varchar(_))) => Some(operand),
        (Kind::Quoted, Some(to)) if of_type(to) == Kind::Time => match &operand.kind {
            ExprKind::Literal(Literal::Text(text)) => {
                Some(scope.make(ExprKind::Literal(Literal::Typed(to.clone(), text.clone()))))
            }
            _ => None,
        },
        (Kind::Quoted, Some(to)) if to.is_number() => as_compared(operand, Kind::Number),
        (Kind::Quoted, Some(DataType::Boolean)) => as_compared(operand, Kind::Boolean),
        (Kind::Quoted, Some(DataType::Uuid)) => Some(operand),
        (Kind::Text, Some(DataType::Text)) => Some(operand),
        (Kind::Number, Some(DataType::Decimal(None) | DataType::Double)) => Some(operand),
        (Kind::Number, Some(to)) if is_literal && to.is_number() => Some(operand),
        (Kind::Number, Some(DataType::BigInt)) if matches!(&operand.kind, ExprKind::Call(call) if call.function == "length") => {
            Some(operand)
        }
        (Kind::Uuid, Some(DataType::Text)) => Some(operand.cast(DataType::Text)),
        (Kind::Time, Some(DataType::Date)) => match operand.kind {
            // The day of an instant depends on the session's zone.
            ExprKind::Column(ref name) if matches!(scope.column(name)?.data_type, DataType::TimestampTz(_)) => None,
            _ => Some(operand.cast(DataType::Date)),
        },
        (Kind::Other, None) if matches!(operand.kind, ExprKind::Literal(Literal::Null)) => Some(operand),
        _ => None,
    }
}
