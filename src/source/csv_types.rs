//! The types of a delimited file's columns: guessed by its head, held to by every value, and measured only where the guess was wrong.
//!
//! A type is the narrowest of boolean, whole number, decimal, date and timestamp that every value has exactly. Measuring all values by
//! patterns costs far more than reading them: most files keep on as they begin, and one pass reads, verifies and loads them.
//! In: queries that give a file's columns as text. Out: the types, and where the guess held the table that already has the rows.

use std::collections::BTreeSet;

use super::csv::{at_line, quote, quote_text};
use super::csv_patterns::{MEASURES, exactly, is_converted, measures, narrowest};
use super::csv_seen::Seen;
use super::csv_words::{Numbered, Words, tried};
use super::{Request, Staging, Texts, record_number};
use crate::error::Error;
use crate::types::DataType;

/// How many records the guess looks at.
const HEAD: usize = 8_192;

/// How many files get a table of their own.
const FILES: usize = 16;

/// How many values the guess looks at where there are so many columns that the records would be too many, and how many records at least.
const VALUES: usize = 1_000_000;
const FEWEST: usize = 100;

/// How many columns are typed in one scan: the engine's time to plan grows faster than the number of aggregates.
const AT_ONCE: usize = 64;

/// The widest decimal that the guess tries; wider ones are measured.
const DIGITS: u8 = 18;

/// Rows that are in the engine.
pub struct Loaded {
    /// The query that gives them, numbered, in their final types.
    pub query: String,
    /// All texts of the columns that have few.
    pub texts: Texts,
}

/// Types all columns and loads all rows by the types that the head of the first file shows.
///
/// `head` gives what the first of the queries does, for a few rows. Columns that nobody reads are not loaded; they have the types that the
/// head shows. `None`: some value is of another type, or a line is wrong or very long; nothing was loaded.
pub fn guess(
    request: &Request,
    head: &str,
    scans: &[String],
    columns: &mut [(String, DataType)],
    staging: &dyn Staging,
) -> Result<Option<Loaded>, Error> {
    if scans.len() > FILES || request.limit.is_some() {
        return Ok(None);
    }
    let mut guessed = columns.to_vec();
    let words = match measure_head(head, &mut guessed, staging) {
        Err(error) if error.is_interrupted() => return Err(error),
        Err(_) => return Ok(None),
        Ok(words) => words,
    };
    for (i, (name, guess)) in guessed.iter_mut().enumerate() {
        if let Some((_, pin)) = request.pins.iter().find(|(pinned, _)| pinned == name) {
            // Values that are all written as the type is need no cast of their own; one that is not is told by the cast.
            *guess = if is_written_as(guess, pin) { pin.clone() } else { columns[i].1.clone() };
        } else if let DataType::Decimal(size) = guess {
            *guess = match size {
                Some((digits, after)) if *digits <= DIGITS => DataType::Decimal(Some((DIGITS, *after))),
                _ => DataType::Unknown,
            };
        }
    }
    let mut kept: BTreeSet<usize> = (0..guessed.len()).filter(|i| request.is_read(&guessed[*i].0)).collect();
    if kept.is_empty() {
        // Rows are counted, be there nothing else that is asked of them.
        kept.insert(0);
    }
    let open: Vec<usize> = open(request, columns).into_iter().filter(|i| kept.contains(i)).collect();
    let texts = kept.iter().filter(|i| guessed[**i].1 == DataType::Text).map(|i| (guessed[*i].0.as_str(), &words[*i]));
    let numbered = Numbered::of(&request.name, texts, staging)?;
    let (list, conversions) = stored(kept.iter().map(|i| &guessed[*i]), &numbered);
    let mut parts = vec![];
    for (i, scan) in scans.iter().enumerate() {
        let table = quote(&format!("#csv.{}.{i}", request.name));
        let rows = format!("SELECT {list} FROM (SELECT *{conversions} FROM ({scan}))");
        match staging.execute(&format!("CREATE OR REPLACE TABLE {table} AS {rows}")) {
            Err(error) if error.is_interrupted() => return Err(error),
            Err(_) => {
                // The files before it were loaded for nothing.
                for (_, table) in parts {
                    staging.execute(&format!("DROP TABLE {table}"))?;
                }
                return Ok(None);
            }
            Ok(()) => parts.push((record_number(i, 0), table)),
        }
    }
    // What the head did not tell is measured now, among the loaded rows.
    let unknown: Vec<usize> = open.iter().copied().filter(|i| guessed[*i].1 == DataType::Unknown).collect();
    let all: Vec<String> = parts.iter().map(|(_, table)| format!("SELECT * FROM {table}")).collect();
    let all = format!("({})", all.join(" UNION ALL "));
    let some = with_values(&all, &unknown, &guessed, staging)?;
    measure(&all, &some, &mut guessed, staging)?;
    whole_digits(&all, &open, &mut guessed, staging)?;
    for ((_, data_type), (_, guess)) in columns.iter_mut().zip(&guessed) {
        *data_type = guess.clone();
    }
    let tables: Vec<String> = parts.iter().map(|(_, table)| table.clone()).collect();
    let others = numbered.are_others(&tables, staging)?;
    let list: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(i, (name, t))| match t {
            t if !kept.contains(&i) => absent(name, t),
            DataType::Decimal(_) => cast(name, t),
            t if unknown.contains(&i) && !matches!(t, DataType::Text | DataType::Unknown) => cast(name, t),
            _ => numbered.read(name, others).unwrap_or_else(|| quote(name)),
        })
        .collect();
    let list = list.join(", ");
    let row = quote(crate::relation::ROW);
    let parts: Vec<String> =
        parts.iter().map(|(number, table)| format!("SELECT rowid + {number} AS {row}, {list} FROM {table}")).collect();
    let texts = if others { Texts::new() } else { numbered.texts() };
    Ok(Some(Loaded { query: parts.join(" UNION ALL "), texts }))
}

/// What is stored of columns, and the conversions that it is made of: these stand by themselves, since the engine would convert a value as
/// often as it is spoken of.
fn stored<'a>(columns: impl Iterator<Item = &'a (String, DataType)>, numbered: &Numbered) -> (String, String) {
    let (mut list, mut conversions) = (vec![], String::new());
    for (name, guess) in columns {
        let words = numbered.words(name);
        if let Some(typed) = words.clone().or_else(|| is_converted(guess).then(|| guess.to_string().to_uppercase())) {
            conversions.push_str(&format!(", TRY_CAST({} AS {typed}) AS {}", quote(name), quote(&tried(name))));
        }
        let value = if words.is_some() { quote(&tried(name)) } else { exactly(name, guess) };
        list.push(format!("{value} AS {}", quote(name)));
    }
    list.extend(numbered.others());
    (list.join(", "), conversions)
}

/// Types each text column by all its values, in one scan of the files; of a sample by the head that it is taken from.
pub fn infer(
    request: &Request,
    scans: &[String],
    columns: &mut [(String, DataType)],
    staging: &dyn Staging,
) -> Result<(), Error> {
    let open = open(request, columns);
    let taken = |scan: &String| match request.limit {
        Some(limit) => format!("(SELECT * FROM ({scan}) LIMIT {})", limit.max(HEAD as u64)),
        None => scan.clone(),
    };
    let all = format!("({})", scans.iter().map(taken).collect::<Vec<_>>().join(" UNION ALL "));
    let named = request.files.first().cloned().unwrap_or_default();
    measure(&all, &open, columns, staging).map_err(|e| at_line(e, &named, &request.csv))
}

/// Stands for a column that was not loaded: whoever reads it nevertheless fails, and the engine leaves out what nobody reads.
fn absent(name: &str, data_type: &DataType) -> String {
    let typed = match data_type {
        DataType::Unknown => DataType::Text,
        known => known.clone(),
    };
    let says = quote_text(&format!("column {name} was not loaded, since no table speaks of it"));
    format!("CAST(error({says}) AS {}) AS {}", typed.to_string().to_uppercase(), quote(name))
}

/// Casts a text that is known to be of a type.
pub fn cast(name: &str, data_type: &DataType) -> String {
    format!("CAST({} AS {}) AS {}", quote(name), data_type.to_string().to_uppercase(), quote(name))
}

/// Whether values of which the head is of one type are likely written just as a pinned type prints them.
fn is_written_as(head: &DataType, pin: &DataType) -> bool {
    match (head, pin) {
        (DataType::BigInt, DataType::Integer | DataType::BigInt | DataType::Decimal(Some(_))) => true,
        (DataType::Decimal(Some((_, after))), DataType::Decimal(Some((_, digits)))) => after <= digits,
        (DataType::Boolean | DataType::Date | DataType::Timestamp(None), pin) => head == pin,
        _ => false,
    }
}

/// The columns that the author did not pin.
fn open(request: &Request, columns: &[(String, DataType)]) -> Vec<usize> {
    let pinned = |name: &str| request.pins.iter().any(|(p, _)| p == name);
    (0..columns.len()).filter(|i| !pinned(&columns[*i].0)).collect()
}

/// Types columns by the head of a file, and returns the words that each has there. Here is counted what [`measures`] has the engine count, which takes it longer to plan than these values
/// take to read; where a date is none after all, loading the rows finds out.
fn measure_head(scan: &str, columns: &mut [(String, DataType)], staging: &dyn Staging) -> Result<Vec<Words>, Error> {
    let records = (VALUES / columns.len().max(1)).clamp(FEWEST, HEAD);
    let mut seen = vec![(Seen::default(), Words::default()); columns.len()];
    for row in staging.rows(&format!("SELECT * FROM ({scan}) LIMIT {records}"))? {
        for ((seen, words), value) in seen.iter_mut().zip(row) {
            if let Some(text) = value {
                seen.add(&text);
                words.add(&text);
            }
        }
    }
    for ((_, data_type), (seen, _)) in columns.iter_mut().zip(&seen) {
        *data_type = narrowest(&seen.numbers());
    }
    Ok(seen.into_iter().map(|(_, words)| words).collect())
}

/// Types some of the columns of `source` by all its rows.
fn measure(source: &str, some: &[usize], columns: &mut [(String, DataType)], staging: &dyn Staging) -> Result<(), Error> {
    for some in some.chunks(AT_ONCE) {
        let measures: Vec<String> = some.iter().map(|i| measures(&columns[*i].0)).collect();
        let sql = format!("SELECT {} FROM {source}", measures.join(", "));
        let row = staging.rows(&sql)?.into_iter().next().unwrap_or_default();
        let numbers: Vec<u64> = row.into_iter().map(|c| c.and_then(|t| t.parse().ok()).unwrap_or(0)).collect();
        for (i, found) in some.iter().zip(numbers.chunks(MEASURES)) {
            columns[*i].1 = narrowest(found);
        }
    }
    Ok(())
}

/// Those of some columns that have a value at all.
fn with_values(source: &str, some: &[usize], columns: &[(String, DataType)], staging: &dyn Staging) -> Result<Vec<usize>, Error> {
    if some.is_empty() {
        return Ok(vec![]);
    }
    let counts: Vec<String> = some.iter().map(|i| format!("count({})", quote(&columns[*i].0))).collect();
    let row = staging.rows(&format!("SELECT {} FROM {source}", counts.join(", ")))?.into_iter().next().unwrap_or_default();
    let found = some.iter().zip(row).filter(|(_, count)| count.as_deref().is_some_and(|n| n != "0"));
    Ok(found.map(|(i, _)| *i).collect())
}

/// Gives decimals the digits before the point that their greatest value has.
fn whole_digits(source: &str, open: &[usize], columns: &mut [(String, DataType)], staging: &dyn Staging) -> Result<(), Error> {
    let wide = |i: &usize| matches!(columns[*i].1, DataType::Decimal(Some((DIGITS, _))));
    let decimals: Vec<usize> = open.iter().copied().filter(wide).collect();
    if decimals.is_empty() {
        return Ok(());
    }
    let lengths = decimals.iter().map(|i| format!("length(trunc(max(abs({})))::HUGEINT::VARCHAR)", quote(&columns[*i].0)));
    let sql = format!("SELECT {} FROM {source}", lengths.collect::<Vec<_>>().join(", "));
    let row = staging.rows(&sql)?.into_iter().next().unwrap_or_default();
    for (i, digits) in decimals.iter().zip(row) {
        let before: u8 = digits.and_then(|d| d.parse().ok()).unwrap_or(1);
        if let DataType::Decimal(Some((digits, after))) = &mut columns[*i].1 {
            *digits = before + *after;
        }
    }
    Ok(())
}
