//! How values of each type are written in delimited files, as the engine's patterns say it.
//!
//! In: a column's name. Out: expressions that hold its texts to a type, or count how many are of which; and the type that the counts mean.
//! Does not know about files.

use super::csv::quote;
use super::csv_words::tried;
use crate::types::DataType;

/// How many numbers [`measures`] gives for a column.
pub const MEASURES: usize = 8;

const WHOLE: &str = "-?(0|[1-9][0-9]*)";
const DATE: &str = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
const TIME: &str = "[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?";

/// Whether values of a guessed type must be converted to be of it.
pub fn is_converted(guess: &DataType) -> bool {
    !matches!(guess, DataType::Text | DataType::Unknown)
}

/// The value in a guessed type, which it must have exactly as [`measures`] means it.
///
/// Most values print as they were written, which is cheap to see; only the others are held against the pattern.
pub fn exactly(name: &str, guess: &DataType) -> String {
    let (c, value) = (quote(name), quote(&tried(name)));
    let same = format!("{value}::VARCHAR = {c}");
    let (plain, pattern) = match guess {
        DataType::Boolean => (format!("{c} IN ('true', 'false')"), None),
        DataType::Integer | DataType::BigInt | DataType::Decimal(Some((_, 0))) => (same, Some(WHOLE.to_string())),
        DataType::Decimal(Some((_, after))) => (same, Some(format!("{WHOLE}(\\.[0-9]{{1,{after}}})?"))),
        DataType::Date => (format!("length({c}) = 10 AND {same}"), Some(DATE.to_string())),
        DataType::Timestamp(_) => (format!("length({c}) = 19 AND {same}"), Some(format!("{DATE}[ T]{TIME}"))),
        _ => return c,
    };
    let otherwise = match pattern {
        Some(pattern) => format!("WHEN regexp_full_match({c}, '{pattern}') AND {value} IS NOT NULL THEN {value} "),
        None => String::new(),
    };
    format!("CASE WHEN {c} IS NULL THEN NULL WHEN {plain} THEN {value} {otherwise}ELSE error('not as guessed') END")
}

/// Counts, for one column: values, booleans, whole numbers, decimals, most whole digits, most digits after the point, dates, timestamps.
pub fn measures(column: &str) -> String {
    let c = quote(column);
    let whole = format!("regexp_full_match({c}, '{WHOLE}')");
    let decimal = format!("regexp_full_match({c}, '{WHOLE}(\\.[0-9]+)?')");
    format!(
        "count({c}), count(*) FILTER ({c} IN ('true', 'false')), count(*) FILTER ({whole} AND TRY_CAST({c} AS BIGINT) IS NOT NULL), \
         count(*) FILTER ({decimal}), max(length(split_part(ltrim({c}, '-'), '.', 1))) FILTER ({decimal}), \
         max(length(split_part({c}, '.', 2))) FILTER ({decimal}), \
         count(*) FILTER (regexp_full_match({c}, '{DATE}') AND TRY_CAST({c} AS DATE) IS NOT NULL), \
         count(*) FILTER (regexp_full_match({c}, '{DATE}[ T]{TIME}') AND TRY_CAST({c} AS TIMESTAMP) IS NOT NULL)"
    )
}

/// The narrowest type that all values have, by what [`measures`] counts.
pub fn narrowest(found: &[u64]) -> DataType {
    let &[values, booleans, wholes, decimals, before, after, dates, timestamps] = found else {
        return DataType::Text;
    };
    match values {
        0 => DataType::Unknown,
        n if n == booleans => DataType::Boolean,
        n if n == wholes => DataType::BigInt,
        n if n == decimals && before + after <= 38 => DataType::Decimal(Some(((before + after) as u8, after as u8))),
        n if n == dates => DataType::Date,
        n if n == timestamps => DataType::Timestamp(None),
        _ => DataType::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_the_narrowest_that_lose_nothing() {
        assert_eq!(narrowest(&[3, 0, 3, 3, 2, 0, 0, 0]), DataType::BigInt);
        assert_eq!(narrowest(&[3, 0, 1, 3, 2, 3, 0, 0]), DataType::Decimal(Some((5, 3))));
        assert_eq!(narrowest(&[3, 0, 2, 2, 2, 0, 0, 0]), DataType::Text);
        assert_eq!(narrowest(&[0, 0, 0, 0, 0, 0, 0, 0]), DataType::Unknown);
    }
}
