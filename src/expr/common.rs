//! The common type of two types.
//!
//! [`unify`] is the pipeline's own rule, for unions and for reconciling sources: nothing is lost, everything fits into text. [`combine`]
//! is the engine's rule for the branches of one expression.
//! Does not know about expressions.

use crate::types::DataType;

/// Returns the type that holds all values of two types without loss, or `None` where there is none.
pub fn unify(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Char, Date, Decimal, Double, Json, List, Real, Struct, Text, Timestamp, TimestampTz, Unknown, Varchar};
    Some(match (a, b) {
        (a, b) if a == b => a.clone(),
        (Unknown, x) | (x, Unknown) => x.clone(),
        (Varchar(n) | Char(n), Varchar(m) | Char(m)) => Varchar(*n.max(m)),
        (a, b) if a.is_text() || b.is_text() => Text,
        (Decimal(None), n) | (n, Decimal(None)) if n.is_integer() || matches!(n, Decimal(_)) => Decimal(None),
        (Real | Double, n) | (n, Real | Double) if n.is_number() => Double,
        (a, b) if a.is_number() && b.is_number() => return numeric(a, b),
        (Date, Timestamp(_)) | (Timestamp(_), Date) => Timestamp(None),
        (Timestamp(n), Timestamp(m)) => Timestamp(n.zip(*m).map(|(n, m)| n.max(m))),
        (TimestampTz(n), TimestampTz(m)) => TimestampTz(n.zip(*m).map(|(n, m)| n.max(m))),
        (Json { .. }, Json { .. }) => Json { binary: true },
        (List(a), List(b)) => List(Box::new(unify(a, b)?)),
        (Struct(a), Struct(b)) => Struct(fields(a, b, &|a, b| unify(a, b))?),
        _ => return None,
    })
}

/// Returns the type that the engine gives to an expression with branches of two types; `Unknown` where it may refuse.
pub(super) fn combine(a: &DataType, b: &DataType) -> DataType {
    use DataType::{Date, Decimal, Double, Json, List, Real, Text, Timestamp, Unknown};
    match (a, b) {
        (Unknown, _) | (_, Unknown) => Unknown,
        (a, b) if a == b => a.clone(),
        (a, b) if a.is_text() && b.is_text() => Text,
        (Json { .. }, text) | (text, Json { .. }) if text.is_text() => Json { binary: false },
        (Decimal(None), _) | (_, Decimal(None)) => Unknown,
        (Double, n) | (n, Double) if n.is_number() => Double,
        (Real, n) | (n, Real) if n.is_number() => Real,
        (a, b) if a.is_number() && b.is_number() => numeric(a, b).unwrap_or(Unknown),
        (Date, Timestamp(_)) | (Timestamp(_), Date) | (Timestamp(_), Timestamp(_)) => Timestamp(None),
        (List(a), List(b)) => match combine(a, b) {
            Unknown => Unknown,
            element => List(Box::new(element)),
        },
        _ => Unknown,
    }
}

/// Returns the digits that a type needs as a decimal: all, and after the point.
pub(super) fn precision(kind: &DataType) -> Option<(u8, u8)> {
    match kind {
        DataType::SmallInt => Some((5, 0)),
        DataType::Integer => Some((10, 0)),
        DataType::BigInt => Some((19, 0)),
        DataType::HugeInt => Some((38, 0)),
        DataType::Decimal(Some(digits)) => Some(*digits),
        _ => None,
    }
}

fn numeric(a: &DataType, b: &DataType) -> Option<DataType> {
    let ((p, s), (q, t)) = (precision(a)?, precision(b)?);
    if a.is_integer() && b.is_integer() {
        return Some(if p >= q { a.clone() } else { b.clone() });
    }
    let scale = s.max(t);
    let whole = p.saturating_sub(s).max(q.saturating_sub(t));
    Some(DataType::Decimal(Some((whole.saturating_add(scale).min(38), scale))))
}

type Fields = Vec<(String, DataType)>;

/// Joins two lists of fields by name: those of the first in their order, then those that only the second has.
fn fields(a: &Fields, b: &Fields, common: &dyn Fn(&DataType, &DataType) -> Option<DataType>) -> Option<Fields> {
    let mut joined = vec![];
    for (name, kind) in a {
        let other = b.iter().find(|(other, _)| other == name);
        joined.push((name.clone(), other.map_or(Some(kind.clone()), |(_, other)| common(kind, other))?));
    }
    joined.extend(b.iter().filter(|(name, _)| !a.iter().any(|(other, _)| other == name)).cloned());
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::unify;
    use crate::types::DataType;

    fn common(a: &str, b: &str) -> Option<String> {
        let parse = |text: &str| DataType::parse(text).unwrap_or(DataType::Unknown);
        unify(&parse(a), &parse(b)).map(|t| t.to_string())
    }

    #[test]
    fn common_types_lose_nothing() {
        for (a, b, expected) in [
            ("integer", "bigint", "bigint"),
            ("integer", "decimal(3,2)", "decimal(12,2)"),
            ("decimal(5,1)", "decimal(3,2)", "decimal(6,2)"),
            ("bigint", "double", "double"),
            ("text", "integer", "text"),
            ("varchar(3)", "varchar(5)", "varchar(5)"),
            ("unknown", "date", "date"),
            ("date", "timestamp", "timestamp"),
            ("integer[]", "decimal(2,1)[]", "decimal(11,1)[]"),
        ] {
            assert_eq!(common(a, b).as_deref(), Some(expected), "{a}, {b}");
            assert_eq!(common(b, a).as_deref(), Some(expected), "{b}, {a}");
        }
        assert_eq!(common("boolean", "integer"), None);
        assert_eq!(common("timestamp", "timestamptz"), None);
        assert_eq!(common("date", "integer[]"), None);
    }

    #[test]
    fn structs_are_joined_by_field() {
        let field = |name: &str, kind: DataType| (name.to_string(), kind);
        let a = DataType::Struct(vec![field("x", DataType::Integer), field("y", DataType::Date)]);
        let b = DataType::Struct(vec![field("z", DataType::Text), field("x", DataType::BigInt)]);
        assert_eq!(unify(&a, &b).map(|t| t.to_string()).as_deref(), Some("struct(x bigint, y date, z text)"));
        let c = DataType::Struct(vec![field("x", DataType::Boolean)]);
        assert_eq!(unify(&a, &c), None);
    }
}
