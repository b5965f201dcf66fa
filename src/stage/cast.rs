//! Casts that lose nothing: a value either becomes the wanted type exactly, or the row is reported.
//!
//! In: an expression, its type and the wanted one. Out: the typed value, and a condition that is TRUE where it failed. The engine's own
//! casts round ("1.5" to 2), drop times of day and take many spellings; each of these is refused here unless nothing is lost.
//! Does not know about columns or tables.

use crate::expr::{BinaryOp, Expr, ExprKind};
use crate::types::DataType;

/// A cast of one value.
#[derive(Clone, Debug)]
pub struct Cast {
    pub value: Expr,
    /// TRUE where the value was there and did not cast; `None` if it always does.
    pub fails: Option<Expr>,
}

const INTEGER_TEXT: &str = "\\s*[+-]?[0-9]+(\\.0*)?\\s*";
const NUMBER_TEXT: &str = "\\s*[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+)?\\s*";
const DATE_TEXT: &str = "\\s*[0-9]{4,}-[0-9]{1,2}-[0-9]{1,2}\\s*";

const NO_YEAR: &str = "^\\s*0+-";
const FAR_ZONE: &str = ":[0-9.]+\\s*[+-](1[6-9]|[2-9][0-9]|[0-9]{3,})(:?[0-9]+)*\\s*$";
const ENDLESS_TEXT: &str = "(?i)^\\s*[+-]?inf(inity)?\\s*$";
/// What stands between the texts of a JSON document: the engine's parser also takes commas at ends, comments and NaN.
const JSON_TEXTS: &str = "\"([^\"\\\\]|\\\\.)*\"";
const JSON_BETWEEN: &str = "([\\[\\]{}:, \\t\\n\\r0-9+.eE-]|true|false|null|\"\")*";
const JSON_COMMA: &str = ",\\s*[\\]}]";

const ZONE_TEXT: &str = ":[0-9.]+\\s*([Zz]|[+-][0-9:]+)\\s*$";

/// Casts `raw`, which has type `from`, to the type `to`.
pub fn to(raw: &Expr, from: &DataType, to: &DataType) -> Cast {
    use DataType as T;
    if from == to || *from == T::Unknown && *to == T::Text {
        return sure(raw.clone());
    }
    match to {
        T::Unknown => sure(raw.clone()),
        T::Text | T::Varchar(_) | T::Named(_) => sure(as_text(raw, from)),
        // Spaces at the end are padding: they count nowhere, in no key and no length.
        T::Char(_) => sure(Expr::call("rtrim", vec![as_text(raw, from), Expr::text(" ", raw.span)], raw.span)),
        T::SmallInt | T::Integer | T::BigInt | T::HugeInt => integer(raw, from, to),
        T::Decimal(None) => any_decimal(raw, from),
        T::Decimal(Some((precision, scale))) => decimal(raw, from, *precision, *scale),
        T::Date => date_or_part(raw, from),
        T::Json { .. } => json(raw, from),
        T::Bytes if from.is_text() => sure(Expr::call("encode", vec![raw.clone()], raw.span)),
        T::Timestamp(_) => timestamp(raw, from),
        T::TimestampTz(_) => instant(raw, from),
        T::Real | T::Double => floating(raw, from, to),
        T::List(_) => list(raw, from, to),
        T::Boolean | T::Time | T::Interval | T::Uuid | T::Bytes | T::Struct(_) => attempt(raw, to),
    }
}

/// Parses a date by a strftime format.
pub fn date(raw: &Expr, format: &str) -> Cast {
    let parsed = Expr::call("try_strptime", vec![raw.clone(), Expr::text(format, raw.span)], raw.span);
    checked(raw, parsed.cast(DataType::Date), None)
}

/// Returns the value as text: JSON for lists and structs.
pub fn as_text(raw: &Expr, from: &DataType) -> Expr {
    match from {
        DataType::Text | DataType::Varchar(_) | DataType::Char(_) => raw.clone(),
        DataType::List(_) | DataType::Struct(_) => Expr::call("to_json", vec![raw.clone()], raw.span).cast(DataType::Text),
        _ => raw.clone().cast(DataType::Text),
    }
}

/// Returns the number at the start of a text ("15 years" gives 15); a text without one stays, so that its cast reports it.
pub fn leading_number(raw: &Expr, from: &DataType) -> Expr {
    let span = raw.span;
    let text = as_text(raw, from);
    let pattern = Expr::text("^\\s*([+-]?[0-9]+(\\.[0-9]+)?)", span);
    let number = Expr::call("regexp_extract", vec![text.clone(), pattern, Expr::number(1, span)], span);
    Expr::case(vec![(number.clone().binary(BinaryOp::NotEqual, Expr::text("", span)), number)], text, span)
}

/// Returns 'true' or 'false' for the words people use; any other text stays, so that its cast reports it.
pub fn spoken_boolean(raw: &Expr, from: &DataType) -> Expr {
    let span = raw.span;
    let text = as_text(raw, from);
    let word = Expr::call("lower", vec![Expr::call("trim", vec![text.clone()], span)], span);
    let among = |words: &[&str]| {
        let list = words.iter().map(|w| Expr::text(*w, span)).collect();
        Expr::new(crate::expr::ExprKind::InList { operand: Box::new(word.clone()), list, negated: false }, span)
    };
    let branches = vec![
        (among(&["true", "t", "yes", "y", "on", "1"]), Expr::text("true", span)),
        (among(&["false", "f", "no", "n", "off", "0"]), Expr::text("false", span)),
    ];
    Expr::case(branches, text, span)
}

fn sure(value: Expr) -> Cast {
    Cast { value, fails: None }
}

/// Fails where there was a value and the cast gave none, or where `lost` is TRUE.
fn checked(raw: &Expr, value: Expr, lost: Option<Expr>) -> Cast {
    let mut wrong = value.clone().is_null();
    if let Some(lost) = lost {
        wrong = wrong.or(lost);
    }
    Cast { fails: Some(raw.clone().is_not_null().and(wrong)), value }
}

fn attempt(raw: &Expr, to: &DataType) -> Cast {
    checked(raw, raw.clone().try_cast(to.clone()), None)
}

/// A time without a zone: a text that names a zone would silently lose it.
fn timestamp(raw: &Expr, from: &DataType) -> Cast {
    let cast = attempt(raw, &DataType::Timestamp(None));
    if !from.is_text() {
        return cast;
    }
    checked(raw, cast.value, Some(matches(raw, ZONE_TEXT).or(matches(raw, NO_YEAR))))
}

/// An instant: its zone is less than 16 hours away, as in no country but in every database.
fn instant(raw: &Expr, from: &DataType) -> Cast {
    let cast = attempt(raw, &DataType::TimestampTz(None));
    if !from.is_text() {
        return cast;
    }
    checked(raw, cast.value, Some(matches(raw, FAR_ZONE).or(matches(raw, NO_YEAR))))
}

fn matches(raw: &Expr, pattern: &str) -> Expr {
    Expr::call("regexp_matches", vec![raw.clone(), Expr::text(pattern, raw.span)], raw.span)
}

/// Floating point: rounding is its nature, but a number beyond its range must become neither infinity nor zero.
fn floating(raw: &Expr, from: &DataType, to: &DataType) -> Cast {
    let value = raw.clone().try_cast(to.clone());
    let none = || Expr::number(0, raw.span);
    let endless = Expr::call("isinf", vec![value.clone()], raw.span);
    let vanished = value.clone().binary(BinaryOp::Equal, none());
    let lost = match from {
        from if from.is_text() => {
            let said = matches(raw, ENDLESS_TEXT).negate();
            endless.and(said).or(vanished.and(matches(raw, "^[^eE]*[1-9]")))
        }
        DataType::Double if *to == DataType::Real => {
            let said = Expr::call("isinf", vec![raw.clone()], raw.span).negate();
            endless.and(said).or(vanished.and(raw.clone().binary(BinaryOp::NotEqual, none())))
        }
        _ => return checked(raw, value, None),
    };
    checked(raw, value, Some(lost))
}

/// A list: the engine makes a NULL of each element that does not cast, so these are counted before and after.
fn list(raw: &Expr, from: &DataType, to: &DataType) -> Cast {
    let value = raw.clone().try_cast(to.clone());
    if !matches!(from, DataType::List(_)) {
        return checked(raw, value, None);
    }
    let span = raw.span;
    let nulls = |list: &Expr| {
        let lambda = ExprKind::Lambda { parameters: vec!["item".into()], body: Box::new(Expr::column("item", span).is_null()) };
        Expr::call("len", vec![Expr::call("list_filter", vec![list.clone(), Expr::new(lambda, span)], span)], span)
    };
    let mut lost = nulls(&value).binary(BinaryOp::NotEqual, nulls(raw));
    if let DataType::List(element) = from
        && element.is_number()
    {
        let back = value.clone().try_cast(from.clone());
        lost = lost.or(back.binary(BinaryOp::NotEqual, raw.clone()));
    }
    checked(raw, value, Some(lost))
}

/// The value where its text has this form, else NULL.
fn where_written(raw: &Expr, pattern: &str, value: Expr) -> Expr {
    let span = raw.span;
    let fits = Expr::call("regexp_full_match", vec![raw.clone(), Expr::text(pattern, span)], span);
    Expr::case(vec![(fits, value)], Expr::null(span), span)
}

fn integer(raw: &Expr, from: &DataType, to: &DataType) -> Cast {
    let narrow = raw.clone().try_cast(to.clone());
    match from {
        from if from.is_integer() && width(from) <= width(to) => sure(raw.clone().cast(to.clone())),
        from if from.is_integer() || *from == DataType::Boolean => checked(raw, narrow, None),
        from if from.is_text() => checked(raw, where_written(raw, INTEGER_TEXT, narrow), None),
        _ => checked(raw, narrow.clone(), Some(narrow.binary(BinaryOp::NotEqual, raw.clone()))),
    }
}

fn width(integer: &DataType) -> u8 {
    match integer {
        DataType::SmallInt => 16,
        DataType::Integer => 32,
        DataType::BigInt => 64,
        _ => 128,
    }
}

fn decimal(raw: &Expr, from: &DataType, precision: u8, scale: u8) -> Cast {
    let to = DataType::Decimal(Some((precision, scale)));
    let value = raw.clone().try_cast(to);
    match from {
        DataType::Decimal(Some((p, s))) if s <= &scale && p - s <= precision - scale => {
            sure(raw.clone().cast(DataType::Decimal(Some((precision, scale)))))
        }
        DataType::Decimal(Some((_, s))) if s <= &scale => checked(raw, value, None),
        DataType::Decimal(_) => checked(raw, value.clone(), Some(value.binary(BinaryOp::NotEqual, raw.clone()))),
        from if from.is_integer() || *from == DataType::Boolean => checked(raw, value, None),
        from if from.is_text() => {
            // The engine reads the digits before the exponent first: 5e-1 would be too much for a decimal(1,1).
            let wide =
                raw.clone().try_cast(DataType::Decimal(Some((38, scale)))).try_cast(DataType::Decimal(Some((precision, scale))));
            let value = Expr::case(vec![(matches(raw, "[eE]"), wide)], value, raw.span);
            let value = where_written(raw, NUMBER_TEXT, value);
            checked(raw, value.clone(), Some(lost_digits(raw, &value, scale)))
        }
        _ => {
            // Floating point: its own noise (a relative 1e-12) is not a loss, a digit that the scale cannot hold is.
            let span = raw.span;
            let double = |e: Expr| e.cast(DataType::Double);
            let difference = Expr::call("abs", vec![double(value.clone()).binary(BinaryOp::Subtract, double(raw.clone()))], span);
            let size = Expr::call("abs", vec![double(raw.clone())], span);
            let noise = size.binary(BinaryOp::Multiply, Expr::number("1e-12", span));
            checked(raw, value, Some(difference.binary(BinaryOp::Greater, noise)))
        }
    }
}

/// TRUE where a written number has digits that its scale cannot hold. With an exponent it is compared as a double, which tells
/// numbers of up to 15 digits apart; longer ones are not taken on trust.
fn lost_digits(raw: &Expr, value: &Expr, scale: u8) -> Expr {
    let span = raw.span;
    let double = |e: &Expr| e.clone().try_cast(DataType::Double);
    let moved = double(value).binary(BinaryOp::NotEqual, double(raw)).or(matches(raw, "[1-9][0-9.]{16,}[eE]"));
    let beyond = matches(raw, &format!("\\.[0-9]{{{scale}}}[0-9]*[1-9]"));
    Expr::case(vec![(matches(raw, "[eE]"), moved)], beyond, span)
}

/// A numeric of any size: numbers stay as they are, text must read as a number and stays as written.
fn any_decimal(raw: &Expr, from: &DataType) -> Cast {
    if from.is_number() {
        return sure(raw.clone());
    }
    let text = as_text(raw, from);
    checked(raw, where_written(&text, NUMBER_TEXT, text.clone()), None)
}

fn date_or_part(raw: &Expr, from: &DataType) -> Cast {
    let value = raw.clone().try_cast(DataType::Date);
    match from {
        from if from.is_text() => checked(raw, where_written(raw, DATE_TEXT, value), Some(matches(raw, NO_YEAR))),
        DataType::Timestamp(_) | DataType::TimestampTz(_) => {
            let midnight = value.clone().cast(from.clone());
            checked(raw, value, Some(midnight.binary(BinaryOp::NotEqual, raw.clone())))
        }
        _ => checked(raw, value, None),
    }
}

fn json(raw: &Expr, from: &DataType) -> Cast {
    let span = raw.span;
    match from {
        DataType::Json { .. } => sure(raw.clone()),
        from if from.is_text() => {
            let valid = Expr::call("json_valid", vec![raw.clone()], span);
            let texts = Expr::text(JSON_TEXTS, span);
            let between =
                Expr::call("regexp_replace", vec![raw.clone(), texts, Expr::text("\"\"", span), Expr::text("gs", span)], span);
            let strict = Expr::call("regexp_full_match", vec![between.clone(), Expr::text(JSON_BETWEEN, span)], span);
            let valid = valid.and(strict).and(matches(&between, JSON_COMMA).negate());
            checked(raw, Expr::case(vec![(valid, raw.clone())], Expr::null(span), span), None)
        }
        _ => sure(Expr::call("to_json", vec![raw.clone()], span)),
    }
}
