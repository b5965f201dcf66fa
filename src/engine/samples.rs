//! Turns broken rules into violations: with rows, origins, suggestions, and what follows from what.
//!
//! Only runs where something failed, so it may compute a table's rows a second time to show the values before their casts.

use super::broken_rows::{self, Row};
use super::findings::{Finding, accepted};
use super::folding::{self, Folded};
use super::judge;
use super::places::Places;
use super::session::{Session, quote};
use super::{Facts, judge::TableFacts, references};
use crate::check::rows::Rows;
use crate::check::{Check, Measure, RowCount, Tolerance};
use crate::diagnostics::{Severity, Span};
use crate::error::Error;
use crate::plan::{Plan, TablePlan};
use crate::report::{Consequence, Sample, Tolerated, Violation};
use crate::source::Staging;
use crate::stage::PlannedCheck;

/// How many rows of a violation are shown.
pub const SAMPLES: usize = 10;

/// Returns the violations of all tables; those that follow from another are folded under it.
///
/// What is broken no more than its author accepts goes into `tolerated`.
pub fn violations(
    plan: &Plan,
    session: &Session,
    facts: &Facts,
    tolerated: &mut Vec<Tolerated>,
) -> Result<Vec<Violation>, Error> {
    let mut found: Vec<((usize, usize), Violation)> = vec![];
    let folded = folding::fold(plan, session, facts)?;
    for (t, table) in plan.tables.iter().enumerate() {
        let Some(known) = facts.tables.get(&table.name.value) else {
            continue;
        };
        found.extend(known.broken.iter().map(|v| ((t, usize::MAX), v.clone())));
        if facts.blocked.contains(&table.name.value) {
            continue;
        }
        let mut of_rows = vec![];
        for (c, check) in table.checks.iter().enumerate() {
            if let Some(taken) = facts.taken.get(&(table.name.value.clone(), c)) {
                let mut violation = describe(table, check, taken.count, known.rows);
                violation.allowed.clone_from(&taken.allowed);
                violation.samples = taken_samples(plan, table, check, &taken.condition, session)?;
                violation.samples.iter_mut().for_each(|s| s.suggestion = Some(taken.help.to_string()));
                // No cause of what is folded, so it has no place among those.
                found.push(((t, usize::MAX), violation));
            }
            let finding = known.findings.get(&c);
            let all = finding.map_or_else(|| failing(check, table, known, c, facts), |f| f.count);
            let count = all.saturating_sub(folded.follows(t, c));
            if count == 0 || facts.skipped.contains(&(table.name.value.clone(), c)) {
                continue;
            }
            let rows = finding.map_or(known.rows, |f| f.of);
            let mut violation = describe(table, check, count, rows);
            if finding.map_or_else(|| accepted(&check.declared.tolerance, count, known.rows), |f| f.tolerated) {
                tolerated.push(tolerate(violation, &check.declared.tolerance, finding));
                continue;
            }
            if let Some(finding) = finding {
                violation.found = Some(finding.text.clone());
                violation.samples.clone_from(&finding.samples);
                found.push(((t, c), violation));
                continue;
            }
            match check.measure {
                Measure::Row(_) => of_rows.push((c, found.len())),
                _ => violation.samples = samples(plan, table, check, &folded, (t, c), session, facts)?,
            }
            found.push(((t, c), violation));
        }
        let broken: Vec<usize> = of_rows.iter().map(|(c, _)| *c).collect();
        let mut rows = broken_rows::first(table, &broken, session)?;
        let mut places = Places::new(plan, table);
        let all: Vec<&Row> = rows.values().flatten().collect();
        places.learn(&all.iter().map(|row| origins(table, row)).collect::<Vec<_>>(), session)?;
        for (c, at) in of_rows {
            found[at].1.samples = shown(table, &table.checks[c], rows.remove(&c).unwrap_or_default(), &places, session)?;
        }
    }
    for ((t, c), cause, count) in folded.consequences() {
        let check = &plan.tables[t].checks[c].declared;
        let consequence = Consequence {
            table: plan.tables[t].name.value.clone(),
            columns: check.check.columns(),
            rule: check.check.rule().to_string(),
            name: check.name.clone(),
            count,
        };
        if let Some((_, violation)) = found.iter_mut().find(|(at, _)| *at == cause) {
            violation.consequences.push(consequence);
        }
    }
    let mut violations = expectations(plan, facts);
    violations.extend(found.into_iter().map(|(_, violation)| violation));
    Ok(violations)
}

/// Judges `expect: {rows: ...}` of the extracts; a sample says nothing about how many rows there are.
fn expectations(plan: &Plan, facts: &Facts) -> Vec<Violation> {
    let whole = plan.extracts.iter().map(|e| &e.extract).filter(|e| e.request.limit.is_none());
    let judged = whole.filter_map(|extract| {
        let (expected, name) = (extract.expected_rows.as_ref()?, &extract.request.name);
        let rows = *facts.sources.get(name)?;
        let check = Rows::new(expected.value.clone());
        (!holds(&expected.value, rows, facts)).then(|| broken(name, &check, expected.span, 1, rows))
    });
    judged.collect()
}

/// Counts what breaks a check; a wrong number of rows counts as one.
fn failing(check: &PlannedCheck, table: &TablePlan, known: &TableFacts, index: usize, facts: &Facts) -> u64 {
    // What refers to a row that is not there is counted at the end again: in a circle of tables one is judged before its parent.
    if table.quarantine && matches!(check.measure, Measure::Row(_) | Measure::Unique(_)) {
        return 0;
    }
    match &check.measure {
        Measure::Count(bound) => u64::from(!holds(bound, known.rows, facts)),
        Measure::Row(_) | Measure::Unique(_) | Measure::References { .. } => known.failures.get(&index).copied().unwrap_or(0),
        // These have findings.
        Measure::Total { .. } | Measure::Fresh { .. } | Measure::Agreement(_) => 0,
    }
}

/// Tells whether a number of rows is within a bound.
pub fn holds(bound: &RowCount, rows: u64, facts: &Facts) -> bool {
    match bound {
        RowCount::Equal(n) => rows == *n,
        RowCount::NotEqual(n) => rows != *n,
        RowCount::Less(n) => rows < *n,
        RowCount::LessOrEqual(n) => rows <= *n,
        RowCount::Greater(n) => rows > *n,
        RowCount::GreaterOrEqual(n) => rows >= *n,
        RowCount::SameAs(name) => facts.sources.get(name).copied().or(facts.tables.get(name).map(|t| t.rows)) == Some(rows),
    }
}

/// Notes a rule that is broken, but not beyond what is accepted.
fn tolerate(violation: Violation, tolerance: &Tolerance, finding: Option<&Finding>) -> Tolerated {
    Tolerated {
        table: violation.table,
        columns: violation.columns,
        rule: violation.rule,
        name: violation.name,
        severity: violation.severity,
        count: violation.count,
        rows: violation.rows,
        max: tolerance.to_string(),
        found: finding.map(|f| f.text.clone()),
    }
}

fn describe(table: &TablePlan, check: &PlannedCheck, count: u64, rows: u64) -> Violation {
    let declared = &check.declared;
    Violation {
        name: declared.name.clone(),
        severity: declared.severity,
        why: declared.why.clone(),
        ..broken(&table.name.value, &*declared.check, declared.span, count, rows)
    }
}

/// Says that rows of a relation break a check that nobody has named; samples are still to come.
pub fn broken(relation: &str, check: &dyn Check, span: Span, count: u64, rows: u64) -> Violation {
    Violation {
        table: relation.to_string(),
        columns: check.columns(),
        rule: check.rule().to_string(),
        name: None,
        severity: Severity::Error,
        allowed: check.allowed(),
        why: None,
        found: None,
        count,
        rows,
        span,
        samples: vec![],
        consequences: vec![],
    }
}

fn samples(
    plan: &Plan,
    table: &TablePlan,
    check: &PlannedCheck,
    folded: &Folded,
    at: (usize, usize),
    session: &Session,
    facts: &Facts,
) -> Result<Vec<Sample>, Error> {
    let name = quote(&table.name.value);
    let origin = table.origin.columns();
    let order = table.order().iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
    let columns = check.declared.check.columns();
    let value = columns.first().filter(|_| columns.len() == 1);
    let mut select: Vec<String> = table.columns.iter().map(|c| quote(&c.name)).collect();
    select.extend(origin.iter().map(|c| quote(c)));
    select.push(value.map_or("NULL".to_string(), |v| quote(v)));
    let select = select.join(", ");
    let sql = match &check.measure {
        Measure::Unique(key) => {
            let parts = key.parts.iter().map(judge::print).collect::<Result<Vec<_>, _>>()?.join(", ");
            let takes_part = judge::takes_part(key)?;
            let unfolded = folded.only_causes(at, &origin);
            format!(
                "SELECT {select} FROM {name} WHERE {takes_part} AND {unfolded} QUALIFY count(*) OVER (PARTITION BY {parts}) > 1 \
                 ORDER BY {parts}, {order}"
            )
        }
        Measure::References { columns, table: to, references, compared } => {
            let parent = references::parent(plan, to, &check.declared);
            let references = parent.map(|p| p.referenced(references)).unwrap_or_default();
            let live = facts.live.get(&(table.name.value.clone(), at.1)).map(String::as_str);
            format!(
                "SELECT {select} FROM {name} AS child WHERE {} ORDER BY {order}",
                references::orphan(columns, compared, parent.as_ref(), &references, live)?
            )
        }
        // Those of rows are found for all checks of the table at once.
        Measure::Row(_) | Measure::Count(_) | Measure::Total { .. } | Measure::Fresh { .. } | Measure::Agreement(_) => {
            return Ok(vec![]);
        }
    };
    read(plan, table, check, &sql, session)
}

/// Shows rows whose unique key the target has already.
fn taken_samples(
    plan: &Plan,
    table: &TablePlan,
    check: &PlannedCheck,
    condition: &str,
    session: &Session,
) -> Result<Vec<Sample>, Error> {
    let columns = check.declared.check.columns();
    let mut select: Vec<String> = table.columns.iter().map(|c| quote(&c.name)).collect();
    select.extend(table.origin.columns().iter().map(|c| quote(c)));
    select.push(columns.first().filter(|_| columns.len() == 1).map_or("NULL".to_string(), |c| quote(c)));
    let order = table.order().iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
    let (name, select) = (quote(&table.name.value), select.join(", "));
    read(plan, table, check, &format!("SELECT {select} FROM {name} AS child WHERE {condition} ORDER BY {order}"), session)
}

/// Reads the first rows of a query: the table's columns, the origin's, and the value that is wrong.
fn read(plan: &Plan, table: &TablePlan, check: &PlannedCheck, sql: &str, session: &Session) -> Result<Vec<Sample>, Error> {
    let rows = session.rows(&format!("{sql} LIMIT {SAMPLES}"))?;
    let mut places = Places::new(plan, table);
    places.learn(&rows.iter().map(|row| origins(table, row)).collect::<Vec<_>>(), session)?;
    shown(table, check, rows, &places, session)
}

/// The part of a row that says where it comes from.
fn origins<'r>(table: &TablePlan, row: &'r Row) -> &'r [Option<String>] {
    row.get(table.columns.len()..row.len().saturating_sub(1)).unwrap_or_default()
}

/// Makes samples of rows.
fn shown(
    table: &TablePlan,
    check: &PlannedCheck,
    rows: Vec<Row>,
    places: &Places,
    session: &Session,
) -> Result<Vec<Sample>, Error> {
    let mut samples = vec![];
    for mut row in rows {
        let value = row.pop().flatten();
        let origins = row.split_off(table.columns.len());
        let mut sample = Sample { value, ..Sample::default() };
        sample.row = table.columns.iter().map(|c| c.name.clone()).zip(row).collect();
        sample.suggestion = check.declared.check.suggest(sample.value.as_deref().unwrap_or(""));
        places.locate(&origins, &mut sample, session)?;
        samples.push(sample);
    }
    Ok(samples)
}
