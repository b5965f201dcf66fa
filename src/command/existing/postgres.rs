//! Asks PostgreSQL which of the needed keys it has.
//!
//! In: a connection in a transaction that only reads, and a question. Out: the places of the keys that are there. Keys travel as arrays of texts
//! that the server reads as the column's own type. Does not know how the connection is made.

use std::fmt::Write;

use super::{Kind, asked, scoped};
use crate::database::{Connection, identifier, literal};
use crate::emit::postgres::Postgres;
use crate::engine::existing::{Among, Answer, Hit, Index, Part, Question};
use crate::error::Error;

pub(super) const KIND: Kind = Kind { dialect: "postgres", ask: ask_apart, mend: |_| Ok(()), at_once: false };

/// Asks so that a failure leaves the transaction open for other questions.
fn ask_apart(connection: &mut dyn Connection, question: &Question, schema: &str) -> Result<Answer, Error> {
    connection.execute("SAVEPOINT question")?;
    let answer = ask(connection, question, schema);
    let end =
        if answer.is_ok() { "RELEASE SAVEPOINT question" } else { "ROLLBACK TO SAVEPOINT question; RELEASE SAVEPOINT question" };
    match (connection.execute(end), answer) {
        // What went wrong first says why.
        (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
        (Ok(()), Ok(answer)) => Ok(answer),
    }
}

fn ask(connection: &mut dyn Connection, question: &Question, schema: &str) -> Result<Answer, Error> {
    let relation = format!("{}.{}", identifier(question.schema.as_deref().unwrap_or(schema)), identifier(&question.table));
    if connection.query(&format!("SELECT to_regclass({})", literal(&relation)))?.single().is_none() {
        return Ok(Answer::Unknown(format!("the target has no table {relation}")));
    }
    let columns = match asked(connection, question, &relation)? {
        Ok(columns) => columns,
        Err(why) => return Ok(Answer::Unknown(why)),
    };
    let types = types(connection, &relation)?;
    let mut named = vec![];
    for column in &columns {
        match types.iter().find(|(name, _)| name == column) {
            Some((_, data_type)) => named.push((identifier(column), data_type.as_str())),
            None => return Ok(Answer::Unknown(format!("{relation} of the target has no column {}", identifier(column)))),
        }
    }
    let select: Box<Writer> = match &question.index {
        Some(index) => Box::new(repeated(&relation, &named, index, &question.among)),
        None => Box::new(select(&relation, &named, &question.among)),
    };
    // Without keys it tells whether it can be asked at all, so that what fails later is a key's own fault.
    connection.query(&select(&[]))?;
    // No value of the target has this character, and no statement may.
    let sent: Vec<Key> = question
        .keys
        .iter()
        .map(Vec::as_slice)
        .enumerate()
        .filter(|(_, key)| !key.iter().flatten().any(|part| part.contains('\0')))
        .collect();
    let mut found = vec![];
    among(connection, &*select, &sent, &mut found)?;
    found.sort_by_key(|hit| hit.place);
    Ok(Answer::Found(found))
}

/// What writes the query for some keys.
type Writer<'a> = dyn Fn(&[Key<'_>]) -> String + 'a;

/// A key with its place among those that are asked for.
type Key<'a> = (usize, &'a [Option<String>]);

/// Writes keys as rows with their numbers, each column by its own name and type.
fn rows(keys: &[Key<'_>], columns: &[(String, &str)]) -> String {
    let (mut arrays, mut names, mut read) = (vec![], vec![], vec![]);
    for (i, (column, data_type)) in columns.iter().enumerate() {
        arrays.push(format!("{}::text[]", literal(&array(keys, i))));
        names.push(format!("a{i}"));
        read.push(format!("u.a{i}::{data_type} AS {column}"));
    }
    format!(
        "SELECT u.\"#n\", {} FROM unnest({}) WITH ORDINALITY AS u({}, \"#n\")",
        read.join(", "),
        arrays.join(", "),
        names.join(", ")
    )
}

/// Returns what writes the query for keys whose columns are all equal.
fn select<'a>(relation: &'a str, columns: &'a [(String, &'a str)], among: &'a Among) -> impl Fn(&[Key<'_>]) -> String + 'a {
    move |keys| {
        let mut same: Vec<String> = columns.iter().map(|(column, _)| format!("t.{column} = k.{column}")).collect();
        same.extend(counts(among));
        format!(
            "SELECT k.\"#n\" FROM ({}) AS k WHERE EXISTS (SELECT FROM {relation} AS t WHERE {})",
            rows(keys, columns),
            same.join(" AND ")
        )
    }
}

/// Returns what writes the query for keys of an index that another row has; the server computes the index's expressions on both sides.
fn repeated<'a>(
    relation: &'a str,
    columns: &'a [(String, &'a str)],
    index: &'a Index,
    among: &'a Among,
) -> impl Fn(&[Key<'_>]) -> String + 'a {
    move |keys| {
        let besides: Vec<String> = index.besides.iter().map(|c| identifier(c)).collect();
        let named = |list: &mut dyn Iterator<Item = String>| list.collect::<Vec<_>>().join(", ");
        let computed = named(
            &mut index
                .parts
                .iter()
                .enumerate()
                .map(|(i, part)| match part {
                    Part::Column(column) => format!("{} AS \"#e{i}\"", identifier(column)),
                    Part::Written(text) => format!("({text}\n) AS \"#e{i}\""),
                })
                .chain(besides.iter().enumerate().map(|(i, column)| format!("{column} AS \"#b{i}\""))),
        );
        let condition = index.only_where.as_ref().map(|w| format!("({w}\n)"));
        let condition = |more: Option<String>| {
            let all: Vec<String> = condition.iter().cloned().chain(more).collect();
            if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
        };
        let equal = if index.nulls_equal { "IS NOT DISTINCT FROM" } else { "=" };
        let mut same: Vec<String> = (0..index.parts.len()).map(|i| format!("t.\"#e{i}\" {equal} k.\"#e{i}\"")).collect();
        let all: Vec<String> = (0..besides.len()).map(|i| format!("t.\"#b{i}\" = k.\"#b{i}\"")).collect();
        if !all.is_empty() {
            same.push(format!("({}) IS NOT TRUE", all.join(" AND ")));
        }
        let told: String = (0..besides.len()).map(|i| format!(", t.\"#b{i}\"::text")).collect();
        format!(
            "SELECT DISTINCT k.\"#n\"{told} FROM (SELECT \"#n\", {computed} FROM ({}) AS r{}) AS k \
             JOIN (SELECT {computed} FROM {relation} AS t{}) AS t ON {}",
            rows(keys, columns),
            condition(None),
            condition(counts(among)),
            same.join(" AND ")
        )
    }
}

/// Says that a row `t` counts; nothing where all do.
fn counts(among: &Among) -> Option<String> {
    scoped(&Postgres, among).map(|(scope, inside)| format!("({scope}) {}", if inside { "IS TRUE" } else { "IS NOT TRUE" }))
}

/// Writes one column of the keys as an array.
fn array(keys: &[Key], column: usize) -> String {
    let mut text = String::from("{");
    for (i, (_, key)) in keys.iter().enumerate() {
        text.push_str(if i == 0 { "" } else { "," });
        match key.get(column).and_then(Option::as_deref) {
            Some(value) => {
                let _ = write!(text, "\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
            }
            None => text.push_str("NULL"),
        }
    }
    text.push('}');
    text
}

/// Finds keys; where the server cannot read one as its type, that one is not there, and the others are asked for without it.
fn among(
    connection: &mut dyn Connection,
    select: &dyn Fn(&[Key]) -> String,
    keys: &[Key],
    found: &mut Vec<Hit>,
) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    connection.execute("SAVEPOINT keys")?;
    match connection.query(&select(keys)) {
        Ok(rows) => {
            found.extend(rows.rows.into_iter().filter_map(|row| {
                let mut values = row.into_iter();
                let number = values.next()??.parse::<usize>().ok()?;
                let (place, _) = keys.get(number.checked_sub(1)?)?;
                Some(Hit { place: *place, besides: values.collect() })
            }));
            connection.execute("RELEASE SAVEPOINT keys")
        }
        Err(error) if error.code != "X0517" => Err(error),
        Err(_) => {
            connection.execute("ROLLBACK TO SAVEPOINT keys; RELEASE SAVEPOINT keys")?;
            let (first, second) = keys.split_at(keys.len() / 2);
            if first.is_empty() {
                return Ok(());
            }
            among(connection, select, first, found)?;
            among(connection, select, second, found)
        }
    }
}

/// The types that values of columns are read as: without lengths, which would cut, and below domains, which would refuse.
fn types(connection: &mut dyn Connection, relation: &str) -> Result<Vec<(String, String)>, Error> {
    let rows = connection.query(&format!(
        "WITH RECURSIVE c AS (
           SELECT attname, atttypid AS id FROM pg_catalog.pg_attribute
           WHERE attrelid = to_regclass({}) AND attnum > 0 AND NOT attisdropped
           UNION ALL
           SELECT c.attname, y.typbasetype FROM c JOIN pg_catalog.pg_type y ON y.oid = c.id WHERE y.typtype = 'd'
         )
         SELECT c.attname, pg_catalog.format_type(c.id, -1) FROM c JOIN pg_catalog.pg_type y ON y.oid = c.id WHERE y.typtype <> 'd'",
        literal(relation)
    ))?;
    let pair = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().flatten();
        Some((row.next()?, row.next()?))
    };
    Ok(rows.rows.into_iter().filter_map(pair).collect())
}
