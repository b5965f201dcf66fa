//! `pipe profile FILE`: what is in a file, column by column, before a pipeline is written for it.
//!
//! In: a file. Out: a [`Profile`]: types as `extract` would give them, NULLs, distinct values, the range, the most frequent values.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::compile::watch;
use crate::engine::session::quote;
use crate::engine::{Resources, Session, count};
use crate::error::Error;
use crate::source::{Request, SOURCES, Scope, Staging, kind};
use crate::types::DataType;

/// How many frequent values are told.
const FREQUENT: usize = 3;
/// The name of the only relation.
const TABLE: &str = "profiled";

/// What a file holds.
pub struct Profile {
    pub format: &'static str,
    pub rows: u64,
    pub columns: Vec<ColumnProfile>,
}

/// What a column holds.
pub struct ColumnProfile {
    pub name: String,
    pub data_type: DataType,
    pub nulls: u64,
    pub distinct: u64,
    /// The smallest and the largest value; of lists and structures none.
    pub range: Option<(String, String)>,
    pub frequent: Vec<(String, u64)>,
}

impl ColumnProfile {
    /// Whether every row has a value of its own.
    pub fn is_key(&self, rows: u64) -> bool {
        rows > 0 && self.nulls == 0 && self.distinct == rows
    }
}

/// Reads a file whole and describes it.
pub fn profile(
    file: PathBuf,
    format: Option<&str>,
    records: Option<String>,
    resources: &Resources,
    stopped: Arc<AtomicBool>,
) -> Result<Profile, Error> {
    let Some(kind) = kind(format, &file) else {
        let names: Vec<&str> = SOURCES.iter().map(|s| s.format()).collect();
        let error = Error::new("X0106", format!("the format of `{}` is not known", file.display()));
        return Err(error.help(format!("Name it with `--as`: {}.", names.join(", "))));
    };
    let request = Request { name: TABLE.to_string(), files: vec![file], records, ..Request::default() };
    let session = Arc::new(Session::open(resources, stopped)?);
    let _watch = watch(session.clone());
    let source = kind.open(&request, Scope::All, &*session)?;
    let mut columns = vec![(crate::relation::ROW.to_string(), DataType::BigInt)];
    columns.extend(source.columns().iter().cloned());
    session.create(TABLE, &columns)?;
    source.load(TABLE, &*session)?;
    let columns = source.columns().iter().map(|(name, t)| column(name, t, &session)).collect::<Result<_, _>>()?;
    Ok(Profile { format: kind.format(), rows: count(&session, TABLE)?, columns })
}

fn column(name: &str, data_type: &DataType, session: &Session) -> Result<ColumnProfile, Error> {
    let (table, quoted) = (quote(TABLE), quote(name));
    let ordered = !matches!(data_type, DataType::List(_) | DataType::Struct(_) | DataType::Json { .. } | DataType::Unknown);
    let range = if ordered { format!("min({quoted}), max({quoted})") } else { "NULL, NULL".to_string() };
    let sql = format!("SELECT count(*) FILTER ({quoted} IS NULL), count(DISTINCT {quoted}), {range} FROM {table}");
    let row = session.rows(&sql)?.into_iter().next().unwrap_or_default();
    let cell = |i: usize| row.get(i).cloned().flatten();
    let number = |i: usize| cell(i).and_then(|t| t.parse().ok()).unwrap_or(0);
    let frequent = format!(
        "SELECT {quoted}, count(*) AS n FROM {table} WHERE {quoted} IS NOT NULL GROUP BY {quoted} HAVING n > 1 \
         ORDER BY n DESC, CAST({quoted} AS VARCHAR) LIMIT {FREQUENT}"
    );
    let frequent = if ordered { session.rows(&frequent)? } else { vec![] };
    let frequent = frequent.into_iter().filter_map(|row| {
        let mut cells = row.into_iter();
        Some((cells.next()??, cells.next()??.parse().ok()?))
    });
    Ok(ColumnProfile {
        name: name.to_string(),
        data_type: data_type.clone(),
        nulls: number(0),
        distinct: number(1),
        range: cell(2).zip(cell(3)),
        frequent: frequent.collect(),
    })
}
