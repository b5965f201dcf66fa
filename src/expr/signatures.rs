//! What the engine's functions return, for those that pipelines use most.
//!
//! In: a call and the types of its arguments. Out: its type; `Unknown` for functions that are not here, so that the engine is asked.
//! Does not know about functions that take lambdas or choose among their arguments; see `typing`.

use super::{Call, Expr, ExprKind, Literal};
use crate::types::DataType;

/// Returns the type of a call, or `Unknown`.
pub(super) fn returns(call: &Call, arguments: &[DataType]) -> DataType {
    use DataType::{
        BigInt, Boolean, Date, Decimal, Double, HugeInt, Integer, Interval, Json, List, Real, SmallInt, Text, Timestamp,
    };
    use DataType::{TimestampTz, Unknown, Uuid};
    let first = || arguments.first().cloned().unwrap_or(Unknown);
    let second = || arguments.get(1).cloned().unwrap_or(Unknown);
    match call.function.as_str() {
        "lower"
        | "lcase"
        | "upper"
        | "ucase"
        | "trim"
        | "ltrim"
        | "rtrim"
        | "substring"
        | "substr"
        | "left"
        | "right"
        | "replace"
        | "concat"
        | "concat_ws"
        | "lpad"
        | "rpad"
        | "split_part"
        | "regexp_replace"
        | "regexp_extract"
        | "chr"
        | "md5"
        | "sha1"
        | "sha256"
        | "format"
        | "printf"
        | "strip_accents"
        | "translate"
        | "strftime"
        | "dayname"
        | "monthname"
        | "typeof"
        | "decode"
        | "base64"
        | "array_to_string"
        | "list_to_string"
        | "string_agg"
        | "group_concat"
        | "listagg"
        | "json_extract_string"
        | "json_type"
        | "nfc_normalize"
        | "url_encode"
        | "url_decode" => Text,
        "repeat" | "reverse" if first().is_text() => Text,
        "string_split"
        | "split"
        | "str_split"
        | "string_to_array"
        | "regexp_extract_all"
        | "regexp_split_to_array"
        | "string_split_regex"
        | "json_keys" => List(Box::new(Text)),
        "regexp_matches" | "regexp_full_match" | "starts_with" | "ends_with" | "prefix" | "suffix" | "contains"
        | "list_contains" | "array_contains" | "list_has" | "list_has_any" | "list_has_all" | "bool_and" | "bool_or"
        | "json_valid" | "isnan" | "isinf" | "isfinite" => Boolean,
        "length"
        | "len"
        | "strlen"
        | "char_length"
        | "character_length"
        | "strpos"
        | "instr"
        | "octet_length"
        | "bit_length"
        | "levenshtein"
        | "year"
        | "month"
        | "day"
        | "hour"
        | "minute"
        | "second"
        | "quarter"
        | "week"
        | "weekofyear"
        | "dayofweek"
        | "dayofmonth"
        | "dayofyear"
        | "weekday"
        | "isodow"
        | "isoyear"
        | "date_diff"
        | "datediff"
        | "date_sub"
        | "datesub"
        | "epoch_ms"
        | "count"
        | "count_star"
        | "approx_count_distinct"
        | "row_number"
        | "rank"
        | "dense_rank"
        | "ntile"
        | "array_length"
        | "list_count"
            if call.function != "epoch_ms" || !first().is_integer() =>
        {
            BigInt
        }
        "date_part" | "datepart" => match call.arguments.first().map(|a| &a.kind) {
            Some(ExprKind::Literal(Literal::Text(part))) if matches!(part.as_str(), "epoch" | "julian") => Double,
            Some(ExprKind::Literal(Literal::Text(_))) if second() != Unknown => BigInt,
            _ => Unknown,
        },
        "ascii" | "unicode" | "ord" | "list_position" | "list_indexof" | "array_position" => Integer,
        "sign" => SmallInt,
        "count_if" | "countif" => HugeInt,
        "sqrt"
        | "power"
        | "pow"
        | "exp"
        | "ln"
        | "log"
        | "log10"
        | "log2"
        | "random"
        | "epoch"
        | "percent_rank"
        | "cume_dist"
        | "stddev"
        | "stddev_samp"
        | "stddev_pop"
        | "variance"
        | "var_samp"
        | "var_pop"
        | "corr"
        | "jaccard"
        | "jaro_similarity"
        | "jaro_winkler_similarity" => Double,
        "abs" if first().is_number() => first(),
        "mod" | "round" if first().is_integer() && (call.function == "round" || second() == first()) => first(),
        "round" | "ceil" | "ceiling" | "floor" | "trunc" => match (call.function.as_str(), first(), call.arguments.get(1)) {
            (_, Decimal(Some((precision, _))), None) => Decimal(Some((precision, 0))),
            ("round", Decimal(Some(digits)), Some(to)) => rounded(digits, to),
            (_, float @ (Real | Double), _) => float,
            ("ceil" | "ceiling" | "floor", integer, None) if integer.is_integer() => Double,
            ("trunc", integer, None) if integer.is_integer() => integer,
            _ => Unknown,
        },
        "sum" => match first() {
            Decimal(Some((_, scale))) => Decimal(Some((38, scale))),
            Real | Double => Double,
            Boolean => HugeInt,
            integer if integer.is_integer() => HugeInt,
            _ => Unknown,
        },
        "avg" | "mean" if first().is_number() => Double,
        "median" | "quantile_cont" if first().is_integer() && call.arguments.len() <= 2 => Double,
        "median" if matches!(first(), Decimal(Some(_)) | Double | Real) => first(),
        "min" | "max" | "any_value" | "arbitrary" | "first" | "last" | "mode" if arguments.len() == 1 => first(),
        "arg_max" | "arg_min" | "max_by" | "min_by" if arguments.len() == 2 => first(),
        "lag" | "lead" if arguments.len() <= 2 => first(),
        "first_value" | "last_value" | "nth_value" | "nullif" | "try" => first(),
        "list" | "array_agg" => listed(first()),
        "range" | "generate_series" if first().is_integer() => List(Box::new(BigInt)),
        "list_filter" | "list_distinct" | "list_sort" | "list_reverse_sort" | "list_reverse" | "list_slice" | "array_slice"
        | "array_filter" | "array_distinct" | "array_sort" | "array_reverse"
            if matches!(first(), List(_)) =>
        {
            first()
        }
        "list_concat" | "list_cat" | "array_concat" | "array_cat" if matches!(first(), List(_)) && first() == second() => first(),
        "list_extract" | "list_element" | "array_extract" | "list_min" | "list_max" | "list_first" | "list_last" | "unnest" => {
            match first() {
                List(element) => *element,
                _ => Unknown,
            }
        }
        "flatten" => match first() {
            List(inner) if matches!(*inner, List(_)) => *inner,
            _ => Unknown,
        },
        "current_date" | "today" | "make_date" | "last_day" => Date,
        "now" | "current_timestamp" | "get_current_timestamp" | "transaction_timestamp" | "to_timestamp" => TimestampTz(None),
        "strptime" | "try_strptime" | "make_timestamp" => Timestamp(None),
        "date_trunc" | "datetrunc" => match second() {
            Date | Timestamp(_) => Timestamp(None),
            TimestampTz(_) => TimestampTz(None),
            Interval => Interval,
            _ => Unknown,
        },
        "date_add" => match (first(), second()) {
            (Date | Timestamp(_), Interval) => Timestamp(None),
            _ => Unknown,
        },
        "timezone" => match second() {
            Timestamp(_) => TimestampTz(None),
            TimestampTz(_) => Timestamp(None),
            _ => Unknown,
        },
        "age" | "to_years" | "to_months" | "to_weeks" | "to_days" | "to_hours" | "to_minutes" | "to_seconds" => Interval,
        "uuid" | "gen_random_uuid" | "uuidv4" | "uuidv7" => Uuid,
        "json_extract" | "json" | "to_json" | "json_object" | "json_array" | "json_merge_patch" => Json { binary: false },
        "encode" | "from_base64" | "unhex" => DataType::Bytes,
        _ => Unknown,
    }
}

fn listed(element: DataType) -> DataType {
    if element == DataType::Unknown { element } else { DataType::List(Box::new(element)) }
}

/// The type of `round(decimal, digits)` for digits that are written out.
fn rounded((precision, scale): (u8, u8), to: &Expr) -> DataType {
    match &to.kind {
        ExprKind::Literal(Literal::Number(n)) => match n.parse::<u8>() {
            Ok(digits) => DataType::Decimal(Some((precision, scale.min(digits)))),
            Err(_) => DataType::Unknown,
        },
        _ => DataType::Unknown,
    }
}
