//! Rows as CSV, as RFC 4180 describes it, but with a line feed alone at the end of each line.
//!
//! In: record batches. Out: lines. NULL is an empty field, an empty text is `""`. Does not know about files.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::record_batch::RecordBatch;

use super::cells::{Cells, Value};
use super::{numbers, times};

/// Tells whether values of one of the engine's types are written here; others must come as text, in the engine's words.
pub fn writes(engine_type: &str) -> bool {
    const TYPES: &[&str] = &[
        "VARCHAR",
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "DATE",
        "TIMESTAMP",
    ];
    TYPES.contains(&engine_type) || ["DECIMAL(", "ENUM("].iter().any(|start| engine_type.starts_with(start))
}

/// Appends the line with the names of the columns.
pub fn header<'a>(names: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    for (i, name) in names.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        text(name, out);
    }
    out.push(b'\n');
}

/// Appends a line for each row; fails with the position of a column whose type is not written.
pub fn rows(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), usize> {
    let look = |(position, array): (usize, _)| Column::new(array).ok_or(position);
    let columns: Vec<Column> = batch.columns().iter().enumerate().map(look).collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        for (position, column) in columns.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            let cells = match column {
                Column::Plain(texts) if texts.is_null(row) => continue,
                Column::Plain(texts) => {
                    let value = texts.value(row);
                    out.extend_from_slice(if value.is_empty() { b"\"\"" } else { value.as_bytes() });
                    continue;
                }
                Column::Words { keys, .. } if keys.is_null(row) => continue,
                Column::Words { numbers, words, .. } => {
                    let word = numbers.get(row).and_then(|number| words.get(*number));
                    out.extend_from_slice(word.ok_or(position)?);
                    continue;
                }
                Column::Other(cells) => cells,
            };
            match cells.get(row) {
                Value::Null => {}
                Value::Boolean(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
                Value::Integer(number) => numbers::integer(number, out),
                Value::Unsigned(number) => numbers::unsigned(number, out),
                Value::Decimal(number, scale) => numbers::decimal(number, scale, out),
                Value::Text(value) => text(value, out),
                Value::Date(days) => times::date(days, out),
                Value::Timestamp(micros, false) => times::timestamp(micros, false, out),
                _ => return Err(position),
            }
        }
        out.push(b'\n');
    }
    Ok(())
}

/// A column of a batch.
enum Column<'a> {
    /// Texts of which none but the empty ones are quoted: their bytes were all looked at together.
    Plain(&'a StringArray),
    /// Texts by their numbers, and each as it is written.
    Words {
        keys: &'a dyn Array,
        numbers: Vec<usize>,
        words: Vec<Vec<u8>>,
    },
    Other(Cells<'a>),
}

impl<'a> Column<'a> {
    fn new(array: &'a ArrayRef) -> Option<Column<'a>> {
        // The numbers of no words at all cannot be normalized.
        if let Some(numbered) = array.as_any_dictionary_opt().filter(|numbered| !numbered.values().is_empty()) {
            let written = |word: Option<&str>| {
                let mut out = vec![];
                text(word?, &mut out);
                Some(out)
            };
            let words = numbered.values().as_string_opt::<i32>()?.iter().map(written).collect::<Option<_>>()?;
            return Some(Column::Words { keys: numbered.keys(), numbers: numbered.normalized_keys(), words });
        }
        match array.as_string_opt::<i32>() {
            Some(texts) if !is_special(texts.value_data()) => Some(Column::Plain(texts)),
            _ => Cells::new(array).map(Column::Other),
        }
    }
}

/// Tells whether a field with these bytes is quoted: many readers take a line that begins with `#` for a comment.
fn is_special(bytes: &[u8]) -> bool {
    // All bytes are looked at, so that it compiles to vector instructions.
    bytes.iter().fold(false, |found, b| found | matches!(b, b',' | b'"' | b'\n' | b'\r' | b'#'))
}

/// Appends a text, quoted where it would not be read back as it is.
fn text(value: &str, out: &mut Vec<u8>) {
    if !value.is_empty() && !is_special(value.as_bytes()) {
        return out.extend_from_slice(value.as_bytes());
    }
    out.push(b'"');
    for (i, part) in value.split('"').enumerate() {
        if i > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int32Array, StringArray, TimestampMicrosecondArray,
    };

    use arrow::datatypes::{UInt8Type, UInt16Type};

    use super::*;

    fn lines(columns: Vec<(&str, ArrayRef)>) -> String {
        let mut out = vec![];
        header(columns.iter().map(|(name, _)| *name), &mut out);
        rows(&RecordBatch::try_from_iter(columns).unwrap(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_quoted_only_where_they_must_be() {
        let texts = ["plain ünï", " space ", "", "a,b", "say \"hi\"", "two\nlines", "\r", "# no comment", "it's; a\ttab"];
        let written = lines(vec![("a, \"b\"", Arc::new(StringArray::from(texts.to_vec())))]);
        let expected = "\"a, \"\"b\"\"\"\nplain ünï\n space \n\"\"\n\"a,b\"\n\"say \"\"hi\"\"\"\n\"two\nlines\"\n\"\r\"\n\"# no comment\"\nit's; a\ttab\n";
        assert_eq!(written, expected);
    }

    #[test]
    fn texts_by_their_numbers_are_written_as_texts_are() {
        let texts = [Some("a,b"), None, Some(""), Some("plain"), Some("say \"hi\""), Some("plain")];
        let numbered: DictionaryArray<UInt8Type> = texts.into_iter().collect();
        let widely: DictionaryArray<UInt16Type> = texts.into_iter().collect();
        let same = lines(vec![("t", Arc::new(StringArray::from(texts.to_vec())))]);
        assert_eq!(lines(vec![("t", Arc::new(numbered))]), same);
        assert_eq!(lines(vec![("t", Arc::new(widely))]), same);
    }

    #[test]
    fn values_of_every_type_are_written_and_null_is_empty() {
        let decimals = Decimal128Array::from(vec![Some(-150), None]).with_precision_and_scale(5, 2).unwrap();
        let written = lines(vec![
            ("n", Arc::new(Int32Array::from(vec![Some(-7), None]))),
            ("d", Arc::new(decimals)),
            ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("day", Arc::new(Date32Array::from(vec![Some(19_782), None]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_709_164_800_500_000), None]))),
            ("t", Arc::new(StringArray::from(vec![None, Some("x")]))),
        ]);
        assert_eq!(written, "n,d,b,day,at,t\n-7,-1.50,true,2024-02-29,2024-02-29 00:00:00.5,\n,,,,,x\n");
    }
}
