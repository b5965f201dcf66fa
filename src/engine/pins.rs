//! Reports what does not cast to the types that an extract's `columns:` pins, for extracts that are read by joins, unions, queries or checks.
//!
//! A table that begins with the extract reports by itself, and may put such rows into quarantine; all other readers would meet a NULL
//! that nobody wrote.

use super::judge;
use super::places::Places;
use super::samples::{SAMPLES, broken};
use super::session::{Session, number, quote};
use crate::check::Check;
use crate::check::data_type::ReadsAs;
use crate::error::Error;
use crate::plan::{ExtractPlan, Pinned, Plan};
use crate::relation::ROW;
use crate::report::{Sample, Violation};
use crate::source::Staging;

/// Returns a violation for each pinned column with a value that does not cast.
pub fn violations(plan: &Plan, session: &Session) -> Result<Vec<Violation>, Error> {
    let mut found = vec![];
    for extract in &plan.extracts {
        let Some(pinned) = extract.pinned.as_ref().filter(|p| p.judged && !p.unsure.is_empty()) else { continue };
        found.extend(judge(extract, pinned, session)?);
    }
    Ok(found)
}

fn judge(extract: &ExtractPlan, pinned: &Pinned, session: &Session) -> Result<Vec<Violation>, Error> {
    let rows = judge::source(&pinned.relation)?;
    let fails = |column: &String| quote(&format!("#pinned.{column}"));
    let counts: Vec<String> = pinned.unsure.iter().map(|c| format!("count(*) FILTER ({})", fails(c))).collect();
    let counted = session.rows(&format!("SELECT count(*), {} FROM {rows}", counts.join(", ")))?;
    let counted = counted.into_iter().next().unwrap_or_default();
    let mut found = vec![];
    for (i, column) in pinned.unsure.iter().enumerate() {
        let count = number(counted.get(i + 1));
        let to = pinned.columns.iter().find(|(name, _)| name == column).map(|(_, t)| t.clone());
        let (Some(to), true) = (to, count > 0) else { continue };
        let check = ReadsAs::new(column, to, extract.extract.span);
        let written = quote(&format!("#written.{column}"));
        let sql = format!(
            "SELECT {written}, {row} FROM {rows} WHERE {} ORDER BY {row} LIMIT {SAMPLES}",
            fails(column),
            row = quote(ROW)
        );
        let mut samples = vec![];
        for mut row in session.rows(&sql)? {
            let origin = row.split_off(1);
            let value = row.pop().flatten();
            let suggestion = check.suggest(value.as_deref().unwrap_or(""));
            let mut sample = Sample { value, suggestion, ..Sample::default() };
            Places::of_extract(extract).locate(&origin, &mut sample, session)?;
            samples.push(sample);
        }
        let (name, span) = (&extract.extract.request.name, extract.extract.span);
        found.push(Violation { samples, ..broken(name, &check, span, count, number(counted.first())) });
    }
    Ok(found)
}
