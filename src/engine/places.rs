//! Says where a row comes from: the file, the position in it, and the natural key of the record there.
//!
//! In: a table and the origin columns of one of its rows. Out: the parts of a sample that let an author find the record.

use std::collections::{BTreeMap, BTreeSet};

use super::session::{Session, quote, quote_text};
use crate::error::Error;
use crate::plan::{ExtractPlan, Plan, TablePlan};
use crate::report::Sample;
use crate::source::origin::Place;
use crate::source::{Staging, record_number, split_number};

/// What names the records that a table's rows descend from.
pub struct Places<'a> {
    extract: Option<&'a ExtractPlan>,
    /// The lists that were unnested on the way.
    lists: &'a [String],
    /// Paths of the source's fields that make the natural key.
    key: Vec<String>,
    /// How many columns tell the row's own origin.
    own: usize,
    /// Where rows come from that are not of the source, one for each further origin column.
    others: Vec<Places<'a>>,
    /// What is known of records, by their numbers.
    known: BTreeMap<i64, (Place, Vec<Option<String>>)>,
}

impl<'a> Places<'a> {
    pub fn new(plan: &'a Plan, table: &'a TablePlan) -> Places<'a> {
        let source = table.origin.source.as_deref();
        let extract = plan.extracts.iter().find(|e| Some(e.extract.request.name.as_str()) == source);
        let other = |(_, source): &(String, String)| {
            let extract = plan.extracts.iter().find(|e| e.extract.request.name == *source)?;
            Some(Places { key: natural_key(plan, table, source), ..Places::of_extract(extract) })
        };
        Places {
            extract,
            lists: &table.origin.lists,
            key: source.map(|s| natural_key(plan, table, s)).unwrap_or_default(),
            own: usize::from(source.is_some()) + table.origin.lists.len(),
            others: table.origin.others.iter().filter_map(other).collect(),
            known: BTreeMap::new(),
        }
    }

    /// The places of an extract's own records.
    pub fn of_extract(extract: &'a ExtractPlan) -> Places<'a> {
        Places { extract: Some(extract), lists: &[], key: vec![], own: 1, others: vec![], known: BTreeMap::new() }
    }

    /// Looks up the records of many rows at once, for [`Places::locate`]: each file is read once at most.
    pub fn learn(&mut self, origins: &[&[Option<String>]], session: &Session) -> Result<(), Error> {
        for (i, other) in self.others.iter_mut().enumerate() {
            let of: Vec<&[Option<String>]> = origins.iter().filter_map(|o| o.get(self.own + i..=self.own + i)).collect();
            other.learn(&of, session)?;
        }
        let Some(extract) = self.extract else { return Ok(()) };
        let numbers: BTreeSet<i64> = origins.iter().filter_map(|o| number(o)).collect();
        let mut files: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (file, record) in numbers.iter().map(|n| split_number(*n)) {
            files.entry(file).or_default().push(record);
        }
        for (file, records) in files {
            let places = extract.extract.kind.places(&extract.extract.request, file, &records);
            self.known.extend(records.iter().zip(places).map(|(r, place)| (record_number(file, *r), (place, vec![]))));
        }
        if self.key.is_empty() || numbers.is_empty() {
            return Ok(());
        }
        let columns: Vec<String> = self.key.iter().map(|p| path(p)).collect();
        let source = quote(&extract.extract.request.staged());
        let list: Vec<String> = numbers.iter().map(i64::to_string).collect();
        let row = quote(crate::relation::ROW);
        let sql = format!("SELECT {row}, {} FROM {source} WHERE {row} IN ({})", columns.join(", "), list.join(", "));
        for mut found in session.rows(&sql)? {
            let key = found.split_off(1);
            if let Some((_, known)) = number(&found).and_then(|n| self.known.get_mut(&n)) {
                *known = key;
            }
        }
        Ok(())
    }

    /// Fills in file, position and key from the origin columns (`#row`, `#1`, ...), in their order.
    pub fn locate(&self, origin: &[Option<String>], sample: &mut Sample, session: &Session) -> Result<(), Error> {
        let (own, elsewhere) = origin.split_at(self.own.min(origin.len()));
        if own.first().is_none_or(Option::is_none)
            && let Some((other, at)) = self.others.iter().zip(elsewhere).find(|(_, at)| at.is_some())
        {
            return other.locate(std::slice::from_ref(at), sample, session);
        }
        let Some(extract) = self.extract else { return Ok(()) };
        let Some(number) = number(origin) else { return Ok(()) };
        let known = self.known.get(&number);
        let (file, record) = split_number(number);
        let place = match known {
            Some((place, _)) => place.clone(),
            None => extract.extract.kind.place(&extract.extract.request, file, record),
        };
        sample.file = place.file.map(|f| f.display().to_string());
        let mut position = place.position;
        for (list, at) in self.lists.iter().zip(origin.iter().skip(1)) {
            let at = at.as_ref().and_then(|n| n.parse::<u64>().ok()).map_or("-".to_string(), |n| (n - 1).to_string());
            position.push_str(&format!(".{list}[{at}]"));
        }
        sample.origin = Some(position);
        if self.key.is_empty() {
            return Ok(());
        }
        if let Some((_, key)) = known {
            sample.key = self.key.iter().cloned().zip(key.iter().cloned()).collect();
            return Ok(());
        }
        let columns: Vec<String> = self.key.iter().map(|p| path(p)).collect();
        let source = quote(&extract.extract.request.staged());
        let sql = format!("SELECT {} FROM {source} WHERE {} = {number}", columns.join(", "), quote(crate::relation::ROW));
        if let Some(row) = session.rows(&sql)?.into_iter().next() {
            sample.key = self.key.iter().cloned().zip(row).collect();
        }
        Ok(())
    }
}

/// The number of the record that an origin begins with.
fn number(origin: &[Option<String>]) -> Option<i64> {
    origin.first()?.as_ref()?.parse().ok()
}

/// The fields of the source that the table's key is made of, and for a child those of its parents' unique keys: what people call the record by.
fn natural_key(plan: &Plan, table: &TablePlan, source: &str) -> Vec<String> {
    let keys = table.loads.iter().map(|l| fields(table, source, &l.key()));
    let mut paths = keys.into_iter().find(|paths| !paths.is_empty()).unwrap_or_default();
    let parents = table.loads.iter().filter_map(|l| l.contract.as_deref()).flat_map(|c| &c.foreign_keys);
    for foreign in parents {
        let loaded =
            |t: &&TablePlan| t.origin.source.as_deref() == Some(source) && t.loads.iter().any(|l| l.table == foreign.table);
        let Some(parent) = plan.tables.iter().find(loaded) else { continue };
        let contracts = parent.loads.iter().filter_map(|l| l.contract.as_deref());
        for unique in contracts.flat_map(|c| &c.checks).filter(|c| c.check.rule() == "unique") {
            for path in fields(parent, source, &unique.check.columns()) {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
    }
    paths
}

/// The fields of the source's records that columns are made of; fields of unnested elements tell the row, not the record.
fn fields(table: &TablePlan, source: &str, columns: &[String]) -> Vec<String> {
    let mut paths = vec![];
    for column in table.columns.iter().filter(|c| columns.contains(&c.name)) {
        for lineage in column.lineage.iter().filter(|l| l.source == source) {
            let inside =
                table.origin.lists.iter().any(|list| lineage.path == *list || lineage.path.starts_with(&format!("{list}.")));
            if !inside && !paths.contains(&lineage.path) {
                paths.push(lineage.path.clone());
            }
        }
    }
    paths
}

/// Prints a field's path for the engine.
fn path(path: &str) -> String {
    let mut parts = path.split('.');
    let first = parts.next().map(quote).unwrap_or_default();
    parts.fold(first, |inner, field| format!("struct_extract({inner}, {})", quote_text(field)))
}
