//! Tells which expressions the engine surely accepts, so that it need not be asked.
//!
//! Starting the engine and typing a table costs tens of milliseconds; most expressions are names, comparisons and a few well-known
//! functions. Whatever is not plainly right here is the engine's to judge: `false` means unsure, never wrong.
//! Does not know about relations.

use super::typing::type_of;
use super::{BinaryOp, Call, Expr, ExprKind, Literal, UnaryOp};
use crate::types::DataType;

/// Types that the engine compares and unifies without a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Null,
    Text,
    Number,
    Boolean,
    Time,
    Instant,
    Uuid,
    Other,
}

/// Tells whether the engine surely accepts a resolved expression over these columns.
pub fn sure(expr: &Expr, columns: &dyn Fn(&str) -> Option<DataType>) -> bool {
    let family = |e: &Expr| family(e, columns);
    let like = |a: &Expr, b: &Expr| match (family(a), family(b)) {
        (Family::Other, _) | (_, Family::Other) => false,
        (Family::Null, _) | (_, Family::Null) => true,
        (a, b) => a == b,
    };
    let is = |e: &Expr, wanted: Family| matches!(family(e), f if f == wanted || f == Family::Null);
    let fits = match &expr.kind {
        ExprKind::Column(_) | ExprKind::Field(..) | ExprKind::Literal(_) | ExprKind::IsNull { .. } => true,
        ExprKind::Unary(UnaryOp::Not, e) => is(e, Family::Boolean),
        ExprKind::Unary(UnaryOp::Minus | UnaryOp::Plus, e) => is(e, Family::Number),
        ExprKind::Binary(a, op, b) => match op {
            BinaryOp::Or | BinaryOp::And => is(a, Family::Boolean) && is(b, Family::Boolean),
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessOrEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterOrEqual
            | BinaryOp::IsDistinctFrom
            | BinaryOp::IsNotDistinctFrom => like(a, b),
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::IntegerDivide
            | BinaryOp::Modulo => is(a, Family::Number) && is(b, Family::Number),
            BinaryOp::Concat => is(a, Family::Text) && matches!(family(b), Family::Text | Family::Number | Family::Null),
        },
        ExprKind::InList { operand, list, .. } => list.iter().all(|item| like(operand, item)),
        ExprKind::Between { operand, low, high, .. } => like(operand, low) && like(operand, high),
        ExprKind::Like { operand, pattern, .. } => is(operand, Family::Text) && is(pattern, Family::Text),
        ExprKind::Case { operand, branches, otherwise } => {
            let first = &branches.first().map(|(_, then)| then);
            let whens = branches.iter().all(|(when, _)| operand.as_ref().map_or(is(when, Family::Boolean), |o| like(o, when)));
            let thens = branches.iter().map(|(_, then)| then).chain(otherwise.iter().map(|e| &**e));
            whens && thens.into_iter().all(|then| first.is_some_and(|first| same_family(first, then, columns)))
        }
        ExprKind::Cast { operand, to, .. } => match family(operand) {
            Family::Text | Family::Null => true,
            Family::Number => scalar(to) && is_number_or_text(to),
            Family::Boolean | Family::Time | Family::Instant | Family::Uuid | Family::Other => *to == DataType::Text,
        },
        ExprKind::Call(call) => plain(call) && call_fits(call, columns),
        ExprKind::Name(_) | ExprKind::Subscript(..) | ExprKind::List(_) | ExprKind::Struct(_) | ExprKind::Lambda { .. } => false,
    };
    fits && expr.children().into_iter().all(|child| sure(child, columns))
}

fn same_family(a: &Expr, b: &Expr, columns: &dyn Fn(&str) -> Option<DataType>) -> bool {
    let (a_type, b_type) = (type_of(a, columns), type_of(b, columns));
    let (a, b) = (family(a, columns), family(b, columns));
    a_type == b_type || a == Family::Null || b == Family::Null || (a == b && a != Family::Other)
}

fn scalar(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::List(_) | DataType::Struct(_) | DataType::Unknown)
}

fn is_number_or_text(data_type: &DataType) -> bool {
    data_type.is_number() || data_type.is_text()
}

fn plain(call: &Call) -> bool {
    !call.star && !call.distinct && call.order_by.is_empty() && call.filter.is_none() && call.over.is_none()
}

/// The well-known functions, with the families of their arguments.
fn call_fits(call: &Call, columns: &dyn Fn(&str) -> Option<DataType>) -> bool {
    use Family::{Null, Number, Text, Time};
    let families: Vec<Family> = call.arguments.iter().map(|a| family(a, columns)).collect();
    let each =
        |wanted: &[Family]| families.len() == wanted.len() && families.iter().zip(wanted).all(|(f, w)| f == w || *f == Null);
    match call.function.as_str() {
        // The functions of the language take whatever has a text.
        "uuid5" => !families.is_empty() && families.iter().all(|f| *f != Family::Other),
        "lower" | "upper" | "length" | "strlen" | "md5" | "sha1" | "unhex" | "encode" | "strip_accents" | "slugify"
        | "json_valid" => each(&[Text]),
        "trim" | "ltrim" | "rtrim" => each(&[Text]) || each(&[Text, Text]),
        "contains" | "starts_with" | "regexp_full_match" | "regexp_matches" | "try_strptime" | "instr" | "strpos" => {
            each(&[Text, Text])
        }
        "replace" => each(&[Text, Text, Text]),
        "regexp_replace" => each(&[Text, Text, Text]) || each(&[Text, Text, Text, Text]),
        "regexp_extract" => each(&[Text, Text]) || each(&[Text, Text, Number]),
        "chr" | "abs" => each(&[Number]),
        "round" => each(&[Number]) || each(&[Number, Number]),
        "year" | "month" | "day" => each(&[Time]),
        "isfinite" => each(&[Time]) || each(&[Family::Instant]),
        "hour" | "minute" | "second" => {
            each(&[Time]) && call.arguments.iter().all(|a| matches!(type_of(a, columns), DataType::Timestamp(_)))
        }
        "to_json" => families.len() == 1,
        "coalesce" | "nullif" | "greatest" | "least" => {
            let known: Vec<&Family> = families.iter().filter(|f| **f != Null).collect();
            !families.is_empty() && known.windows(2).all(|pair| pair[0] == pair[1] && *pair[0] != Family::Other)
        }
        _ => false,
    }
}

fn family(expr: &Expr, columns: &dyn Fn(&str) -> Option<DataType>) -> Family {
    if matches!(expr.kind, ExprKind::Literal(Literal::Null)) {
        return Family::Null;
    }
    if let ExprKind::Case { branches, otherwise, .. } = &expr.kind {
        // A branch that is NULL leaves the type to the others.
        let thens = branches.iter().map(|(_, then)| then).chain(otherwise.iter().map(|e| &**e));
        let known: Vec<Family> = thens.map(|e| family(e, columns)).filter(|f| *f != Family::Null).collect();
        return match known.split_first() {
            Some((first, rest)) if rest.iter().all(|f| f == first) => *first,
            Some(_) => Family::Other,
            None => Family::Null,
        };
    }
    match type_of(expr, columns) {
        t if t.is_text() => Family::Text,
        t if t.is_number() => Family::Number,
        DataType::Boolean => Family::Boolean,
        DataType::Date | DataType::Timestamp(_) => Family::Time,
        DataType::TimestampTz(_) => Family::Instant,
        DataType::Uuid => Family::Uuid,
        // Text as the engine sees it: of such a column only NULLs were seen.
        DataType::Unknown if matches!(expr.kind, ExprKind::Column(_)) => Family::Null,
        _ => Family::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Diagnostics, SourceMap, Span};
    use crate::expr::parse;

    fn judged(text: &str) -> bool {
        let file = SourceMap::default().add("test", text);
        let mut out = Diagnostics::default();
        let span = Span { file, start: 0, end: text.len() as u32 };
        let mut expr = parse::expression(text, span, true, &mut out).unwrap();
        fn resolve(expr: &mut Expr) {
            if let ExprKind::Name(parts) = &expr.kind {
                expr.kind = ExprKind::Column(parts.join("."));
            }
            expr.children_mut().into_iter().for_each(resolve);
        }
        resolve(&mut expr);
        let columns = |name: &str| match name {
            "t" => Some(DataType::Text),
            "n" => Some(DataType::Integer),
            "d" => Some(DataType::Date),
            "b" => Some(DataType::Boolean),
            "u" => Some(DataType::Unknown),
            "l" => Some(DataType::List(Box::new(DataType::Text))),
            _ => None,
        };
        sure(&expr, &columns)
    }

    #[test]
    fn plain_expressions_are_sure() {
        for text in [
            "t",
            "n + 1 > 3",
            "lower(t) = 'x'",
            "CASE WHEN n > 1 THEN n / 100.0 ELSE n END",
            "coalesce(t, 'x')",
            "u",
            "t || n",
            "NOT b",
            "d < DATE '2025-01-01'",
        ] {
            assert!(judged(text), "{text}");
        }
    }

    #[test]
    fn what_the_engine_might_refuse_is_not() {
        for text in [
            "t > 5",
            "n || t",
            "lower(n)",
            "lenght(t)",
            "b + 1",
            "l = t",
            "CASE WHEN t THEN 1 END",
            "CASE WHEN b THEN t ELSE n END",
            "coalesce(t, n)",
            "sum(n)",
            "l[1]",
            "NOT n",
        ] {
            assert!(!judged(text), "{text}");
        }
    }
}
