//! Asks Azure SQL or SQL Server which of the needed keys it has.
//!
//! In: a connection in a transaction that is never committed, and a question. Out: the places of the keys that are there. Keys travel as one JSON
//! text that the server reads as the column's own type and collation, so that it alone says which texts are equal; nothing is made for it, not
//! even a table of the session. Sources: Transact-SQL reference, TRY_CONVERT, OPENJSON, collation precedence. Never met a real server so far.
//! Does not know how the connection is made.

use super::azure_sql_types::Typed;
use super::{Kind, asked, scoped};
use crate::database::Connection;
use crate::database::azure_sql::{identifier, literal};
use crate::emit::azure_sql::AzureSql;
use crate::engine::existing::{Among, Answer, Hit, Index, Part, Question};
use crate::error::Error;

pub(super) const KIND: Kind = Kind { dialect: "azure_sql", ask, mend, at_once: true };

/// An error has taken the whole transaction back: the next questions get another.
fn mend(connection: &mut dyn Connection) -> Result<(), Error> {
    connection.execute("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;")?;
    connection.snapshot().map(|_| ())
}

fn ask(connection: &mut dyn Connection, question: &Question, schema: &str) -> Result<Answer, Error> {
    let relation = format!("{}.{}", identifier(question.schema.as_deref().unwrap_or(schema)), identifier(&question.table));
    let types = types(connection, &relation)?;
    if types.is_empty() {
        return Ok(Answer::Unknown(format!("the target has no table {relation}")));
    }
    let columns = match asked(connection, question, &relation)? {
        Ok(columns) => columns,
        Err(why) => return Ok(Answer::Unknown(why)),
    };
    let mut typed = vec![];
    for column in &columns {
        let found = types.iter().find(|t| t.name == *column);
        match found.or_else(|| types.iter().find(|t| t.name.eq_ignore_ascii_case(column))) {
            Some(found) if found.is_known() => typed.push(found),
            Some(found) => {
                return Ok(Answer::Unknown(format!(
                    "keys of type `{}` are not looked up ({relation}, column {})",
                    found.data_type,
                    identifier(column)
                )));
            }
            None => return Ok(Answer::Unknown(format!("{relation} of the target has no column {}", identifier(column)))),
        }
    }
    let json = json(&question.keys, &typed);
    if json.is_empty() {
        return Ok(Answer::Found(vec![]));
    }
    let rows = rows(&json, &typed);
    let query = match &question.index {
        Some(index) => repeated(&relation, &rows, &types, index, &question.among),
        None => select(&relation, &rows, &typed, &question.among),
    };
    let mut found = vec![];
    for row in connection.query(&query)?.rows {
        let mut values = row.into_iter();
        if let Some(place) = values.next().flatten().and_then(|n| n.parse::<usize>().ok()).filter(|n| *n < question.keys.len()) {
            found.push(Hit { place, besides: values.collect() });
        }
    }
    found.sort_by_key(|hit| hit.place);
    Ok(Answer::Found(found))
}

/// Writes the keys with their numbers, without those that no row can have.
fn json(keys: &[Vec<Option<String>>], columns: &[&Typed]) -> String {
    let mut written = vec![];
    for (place, key) in keys.iter().enumerate() {
        let parts = key.iter().zip(columns).map(|(part, column)| match part {
            Some(text) => column.sent(text).map(serde_json::Value::String),
            None => Some(serde_json::Value::Null),
        });
        if let Some(parts) = parts.collect::<Option<Vec<_>>>() {
            let row: Vec<serde_json::Value> = std::iter::once(place.into()).chain(parts).collect();
            written.push(serde_json::Value::Array(row).to_string());
        }
    }
    if written.is_empty() { String::new() } else { format!("[{}]", written.join(",")) }
}

/// Writes what reads keys as rows with their numbers, each column by its own name and type; those that cannot be read are left out.
fn rows(json: &str, columns: &[&Typed]) -> String {
    let (mut taken, mut read, mut whole) = (vec![], vec![], vec![]);
    for (i, column) in columns.iter().enumerate() {
        let (text, name) = (format!("r.k{i}"), identifier(&column.name));
        taken.push(format!("k{i} nvarchar(max) '$[{}]'", i + 1));
        read.push(format!("{} AS {name}", column.read(&text)));
        whole.push(format!("({text} IS NULL OR {})", column.is_whole(&text, &format!("c.{name}"))));
    }
    format!(
        "SELECT r.n AS [#n], c.*\nFROM OPENJSON({}) WITH (n int '$[0]', {}) AS r\nCROSS APPLY (SELECT {}) AS c\nWHERE {}",
        literal(json),
        taken.join(", "),
        read.join(", "),
        whole.join(" AND ")
    )
}

/// Writes the query for keys whose columns are all equal.
fn select(relation: &str, rows: &str, columns: &[&Typed], among: &Among) -> String {
    let mut same: Vec<String> = columns.iter().map(|c| identifier(&c.name)).map(|c| format!("t.{c} = k.{c}")).collect();
    same.extend(counts(among));
    format!(
        "WITH k AS (\n{rows}\n)\nSELECT k.[#n] FROM k WHERE EXISTS (SELECT 1 FROM {relation} AS t WHERE {});",
        same.join(" AND ")
    )
}

/// Writes the query for keys of an index that another row has; the server computes the index's condition on both sides.
fn repeated(relation: &str, rows: &str, types: &[Typed], index: &Index, among: &Among) -> String {
    let list = |list: &mut dyn Iterator<Item = String>| list.collect::<Vec<_>>().join(", ");
    let parts = index.parts.iter().enumerate().map(|(i, part)| match part {
        Part::Column(column) => format!("{} AS [#e{i}]", identifier(column)),
        Part::Written(text) => format!("({text}\n) AS [#e{i}]"),
    });
    let besides = index.besides.iter().enumerate().map(|(i, column)| format!("{} AS [#b{i}]", identifier(column)));
    let computed = list(&mut parts.chain(besides));
    let condition = |more: Option<String>| {
        let all: Vec<String> = index.only_where.iter().map(|w| format!("({w}\n)")).chain(more).collect();
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    };
    // Two NULLs are the same in a set.
    let both = |alias: &str, letter: &str, count: usize| list(&mut (0..count).map(|i| format!("{alias}.[#{letter}{i}]")));
    let equal = |letter: &str, count: usize| {
        format!("EXISTS (SELECT {} INTERSECT SELECT {})", both("t", letter, count), both("k", letter, count))
    };
    let mut same = match index.nulls_equal {
        true => equal("e", index.parts.len()),
        false => (0..index.parts.len()).map(|i| format!("t.[#e{i}] = k.[#e{i}]")).collect::<Vec<_>>().join(" AND "),
    };
    if !index.besides.is_empty() {
        same = format!("{same} AND NOT {}", equal("b", index.besides.len()));
    }
    let told = index.besides.iter().enumerate().map(|(i, column)| {
        let value = format!("t.[#b{i}]");
        let known = types.iter().find(|t| t.name.eq_ignore_ascii_case(column));
        format!(", {} AS [#b{i}]", known.map_or_else(|| format!("CONVERT(nvarchar(max), {value})"), |t| t.told(&value)))
    });
    let told: String = told.collect();
    format!(
        "WITH r AS (\n{rows}\n)\nSELECT DISTINCT k.[#n]{told}\nFROM (SELECT [#n], {computed} FROM r{}) AS k\n\
         JOIN (SELECT {computed} FROM {relation} AS t{}) AS t ON {same};",
        condition(None),
        condition(counts(among))
    )
}

/// Says that a row `t` counts; nothing where all do.
fn counts(among: &Among) -> Option<String> {
    scoped(&AzureSql, among).map(|(scope, inside)| match inside {
        true => format!("({scope})"),
        false => format!("NOT EXISTS (SELECT 1 WHERE {scope})"),
    })
}

/// The columns of a table and their types; none if there is no such table.
fn types(connection: &mut dyn Connection, relation: &str) -> Result<Vec<Typed>, Error> {
    let rows = connection.query(&format!(
        "SELECT c.name, TYPE_NAME(c.system_type_id) AS type, CONVERT(nvarchar(10), c.max_length) AS bytes, CONVERT(nvarchar(10), c.precision) AS digits,
  CONVERT(nvarchar(10), c.scale) AS scale, c.collation_name AS collation
FROM sys.columns AS c WHERE c.object_id = OBJECT_ID({}) ORDER BY c.column_id;",
        literal(relation)
    ))?;
    Ok(rows.rows.into_iter().map(|row| Typed::of(&row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(name: &str, data_type: &str, sizes: [&str; 3], collation: Option<&str>) -> Typed {
        let row = [Some(name), Some(data_type), Some(sizes[0]), Some(sizes[1]), Some(sizes[2]), collation];
        Typed::of(&row.map(|value| value.map(str::to_string)))
    }

    #[test]
    fn keys_are_read_by_the_server_as_the_columns_own_types() {
        let (id, name) = (
            typed("i]d", "int", ["4", "10", "0"], None),
            typed("name", "varchar", ["5", "0", "0"], Some("Latin1_General_CI_AS")),
        );
        let keys = [[Some("1.0"), Some("o'hara")], [Some("x"), Some("gone")], [None, Some("a\n\"")]];
        let keys: Vec<Vec<Option<String>>> =
            keys.iter().map(|key| key.iter().map(|part| part.map(str::to_string)).collect()).collect();
        let json = json(&keys, &[&id, &name]);
        assert_eq!(json, r#"[[0,"1","o'hara"],[2,null,"a\n\""]]"#);
        assert_eq!(
            select("[dbo].[p]", &rows(&json, &[&id, &name]), &[&id, &name], &Among::All),
            "WITH k AS (
SELECT r.n AS [#n], c.*
FROM OPENJSON(N'[[0,\"1\",\"o''hara\"],[2,null,\"a\\n\\\"\"]]') WITH (n int '$[0]', k0 nvarchar(max) '$[1]', k1 nvarchar(max) '$[2]') AS r
CROSS APPLY (SELECT TRY_CONVERT(int, r.k0) AS [i]]d], TRY_CONVERT(varchar(5), r.k1 COLLATE Latin1_General_CI_AS) AS [name]) AS c
WHERE (r.k0 IS NULL OR c.[i]]d] IS NOT NULL) AND (r.k1 IS NULL OR c.[name] = r.k1 COLLATE Latin1_General_CI_AS)
)
SELECT k.[#n] FROM k WHERE EXISTS (SELECT 1 FROM [dbo].[p] AS t WHERE t.[i]]d] = k.[i]]d] AND t.[name] = k.[name]);"
        );
    }

    #[test]
    fn an_index_compares_nulls_as_equal_and_leaves_the_same_row_out() {
        let id = typed("id", "varbinary", ["8", "0", "0"], None);
        let index = Index {
            parts: vec![Part::Column("mail".to_string())],
            only_where: Some("[on]=(1)".to_string()),
            nulls_equal: true,
            besides: vec!["id".to_string()],
        };
        assert_eq!(
            repeated("[dbo].[p]", "R", &[id], &index, &Among::All),
            "WITH r AS (
R
)
SELECT DISTINCT k.[#n], CONVERT(nvarchar(max), t.[#b0], 1) AS [#b0]
FROM (SELECT [#n], [mail] AS [#e0], [id] AS [#b0] FROM r WHERE ([on]=(1)
)) AS k
JOIN (SELECT [mail] AS [#e0], [id] AS [#b0] FROM [dbo].[p] AS t WHERE ([on]=(1)
)) AS t ON EXISTS (SELECT t.[#e0] INTERSECT SELECT k.[#e0]) AND NOT EXISTS (SELECT t.[#b0] INTERSECT SELECT k.[#b0]);"
        );
    }
}
