//! Puts the rows of a joined table into their order, without moving them where that can be helped.
//!
//! In: a staged table and the column that numbers its rows. Out: the same name, whose rows now come in order; and, for readers that are
//! several, the queries that give the rows part by part. Threads join the left side
//! piece by piece and hand the pieces on as they are done: each is in order, and few readings, one piece after the other, are too. Sorting
//! costs about as much as the join. Does not know why rows must lie in order.

use super::numbered::Numbered;
use super::session::{Session, number, quote, quote_text};
use crate::error::Error;
use crate::source::Staging;

/// The most pieces that are read one after the other; the engine's time to plan grows with the square of their number.
const PIECES: usize = 256;

/// Numbers this far apart are of different pieces: the engine hands out 122,880 rows at a time.
const GAP: i64 = 1_000;

/// How many rows a thread reads at a time where several do: half of what the engine stores together.
const PART: usize = 61_440;

/// Rows that lie together and in order.
struct Piece {
    /// Their first and last number.
    numbers: (i64, i64),
    /// Where they lie in the table: the first row, and the first one behind them.
    rows: (u64, u64),
}

/// Puts a table's rows into order if they are not; its name stands for them with all texts as texts.
pub fn arrange(table: &str, by: &str, numbered: &Numbered, session: &Session) -> Result<(), Error> {
    let (name, by) = (quote(table), quote(by));
    let pieces = pieces(&name, &by, session)?;
    if pieces.is_none() {
        let back = format!("SELECT 1 FROM (SELECT {by} < lag({by}) OVER () AS back FROM {name}) WHERE back LIMIT 1");
        if !session.rows(&back)?.is_empty() {
            session.execute(&format!("CREATE OR REPLACE TABLE {name} AS SELECT * FROM {name} ORDER BY {by}"))?;
        }
    }
    let scattered = pieces.filter(|pieces| !pieces.is_sorted_by_key(|piece| piece.rows));
    let ranges: Vec<(u64, u64)> = match scattered {
        Some(pieces) => pieces.iter().map(|piece| piece.rows).collect(),
        None => return leave(table, numbered, session),
    };
    show(table, &ranges, numbered, session)
}

/// Leaves a table's rows where they lie; its name stands for them with all texts as texts.
pub fn leave(table: &str, numbered: &Numbered, session: &Session) -> Result<(), Error> {
    if numbered.is_empty() {
        return Ok(());
    }
    let rows = session.number(&format!("SELECT count(*) FROM {}", quote(table)))?;
    show(table, &[(0, rows)], numbered, session)
}

/// Makes a view of a table's pieces.
fn show(table: &str, ranges: &[(u64, u64)], numbered: &Numbered, session: &Session) -> Result<(), Error> {
    let (name, stored) = (quote(table), stored(table));
    let view = match ranges {
        [_] => format!("SELECT {} FROM {}", numbered.read(), quote(&stored)),
        _ => ranges.iter().map(|rows| part(&numbered.read(), &stored, *rows)).collect::<Vec<_>>().join(" UNION ALL "),
    };
    let rows: Vec<String> = ranges.iter().map(|(first, end)| format!("({first}, {end})")).collect();
    session.execute(&format!("CREATE OR REPLACE TABLE {} AS FROM (VALUES {})", quote(&self::ranges(table)), rows.join(", ")))?;
    session.execute(&format!("ALTER TABLE {name} RENAME TO {}", quote(&stored)))?;
    session.execute(&format!("CREATE VIEW {name} AS {view}"))
}

/// Queries that give a table's rows in their order, as they are stored, one query after the other, and can be run by several threads; none
/// where rows are not stored.
pub fn parts(table: &str, session: &Session) -> Result<Vec<String>, Error> {
    let found = session.rows(&format!(
        "SELECT table_name FROM duckdb_tables() WHERE table_name IN ({}, {})",
        quote_text(&stored(table)),
        quote_text(table)
    ))?;
    let Some(name) = found.into_iter().next().and_then(|row| row.into_iter().next().flatten()) else { return Ok(vec![]) };
    let ranges = match name == table {
        true => vec![(0, session.number(&format!("SELECT max(rowid) + 1 FROM {}", quote(table)))?)],
        false => {
            let rows = session.rows(&format!("FROM {}", quote(&ranges(table))))?;
            rows.iter().map(|row| (number(row.first()), number(row.get(1)))).collect()
        }
    };
    let cut = |(first, end): (u64, u64)| (first..end).step_by(PART).map(move |at| (at, end.min(at + PART as u64)));
    Ok(ranges.into_iter().flat_map(cut).map(|rows| part("*", &name, rows)).collect())
}

/// The name under which a table is stored whose own name is that of a view.
fn stored(table: &str) -> String {
    format!("{table}#pieces")
}

/// The name of the list of a table's pieces.
fn ranges(table: &str) -> String {
    format!("{table}#ranges")
}

fn part(columns: &str, stored: &str, (first, end): (u64, u64)) -> String {
    format!("SELECT {columns} FROM {} WHERE rowid >= {first} AND rowid < {end}", quote(stored))
}

/// Finds the pieces in which a table's rows lie, in the order of their numbers; none where there are too many, or they do not follow one
/// another.
fn pieces(name: &str, by: &str, session: &Session) -> Result<Option<Vec<Piece>>, Error> {
    let starts = session.rows(&format!(
        "SELECT lies, here, before FROM (SELECT rowid AS lies, {by} AS here, lag({by}) OVER () AS before FROM {name}) \
         WHERE here IS NULL OR before IS NULL OR here < before OR here > before + {GAP} ORDER BY lies LIMIT {}",
        PIECES + 1
    ))?;
    if starts.len() > PIECES {
        return Ok(None);
    }
    let end = session.rows(&format!("SELECT count(*), NULL, arg_max({by}, rowid) FROM {name}"))?;
    let numbered = |row: &[Option<String>], i: usize| row.get(i).and_then(Option::as_ref).and_then(|n| n.parse::<i64>().ok());
    let mut pieces = vec![];
    for (start, next) in starts.iter().zip(starts.iter().skip(1).chain(&end)) {
        let (Some(first), Some(last)) = (numbered(start, 1), numbered(next, 2)) else { return Ok(None) };
        pieces.push(Piece { numbers: (first, last), rows: (number(start.first()), number(next.first())) });
    }
    pieces.sort_unstable_by_key(|piece| piece.numbers);
    let apart = pieces.windows(2).all(|pair| matches!(pair, [one, next] if one.numbers.1 < next.numbers.0));
    Ok(apart.then_some(pieces))
}
