//! A run as JSON, for tools: `pipe run --format json` and `run.json`.
//!
//! Keys are added, never renamed: `schema.json` describes them all.

use serde_json::{Map, Value, json};

use super::{LedgerLine, RunReport, Sample, Violation};
use crate::diagnostics::SourceMap;

/// The JSON Schema of a run's result.
pub const SCHEMA: &str = include_str!("schema.json");

/// Longer values are cut in samples: a report is read, the data is in the source.
const LONGEST: usize = 1000;

/// The whole report.
pub fn report(report: &RunReport, sources: &SourceMap, dry_run: bool) -> Value {
    json!({
        "status": if report.failed() { "checks_failed" } else { "ok" },
        "pipeline": report.pipeline,
        "target": report.target,
        "dry_run": dry_run,
        "ledger": ledger(&report.ledger),
        "violations": report.violations.iter().map(|v| violation(v, sources)).collect::<Vec<_>>(),
        "tolerated": report.tolerated.iter().map(|t| json!({
            "table": t.table, "columns": t.columns, "rule": t.rule, "constraint": t.name, "severity": t.severity.to_string(),
            "count": t.count, "rows": t.rows, "max": t.max, "found": t.found,
        })).collect::<Vec<_>>(),
        "proofs": report.proofs.iter().map(|p| json!({
            "stage": p.stage, "relation": p.relation, "key": p.key, "why": p.why,
        })).collect::<Vec<_>>(),
        "unjudged": report.unjudged.iter().map(|u| json!({"table": u.table, "what": u.what, "why": u.why})).collect::<Vec<_>>(),
        "quarantined": report.quarantined.iter().map(|q| json!({
            "table": q.table, "rows": q.rows, "file": q.file,
            "reasons": q.reasons.iter().map(|(reason, rows)| json!({"reason": reason, "rows": rows})).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "written": report.written,
    })
}

/// The books.
pub fn ledger(lines: &[LedgerLine]) -> Value {
    let parts = |parts: &[(u64, String)]| parts.iter().map(|(rows, why)| json!({"rows": rows, "why": why})).collect::<Vec<_>>();
    lines
        .iter()
        .map(|l| {
            json!({
                "stage": l.stage, "in": l.rows_in, "out": l.rows_out,
                "added": parts(&l.added), "removed": parts(&l.removed), "notes": l.notes,
            })
        })
        .collect()
}

fn violation(v: &Violation, sources: &SourceMap) -> Value {
    let (line, column) = sources.line_column(v.span);
    json!({
        "table": v.table,
        "column": v.columns.first(),
        "columns": v.columns,
        "rule": v.rule,
        "constraint": v.name,
        "severity": v.severity.to_string(),
        "allowed": v.allowed,
        "why": v.why,
        "found": v.found,
        "count": v.count,
        "rows": v.rows,
        "demanded_by": {"file": sources.path(v.span.file), "line": line, "column": column},
        "samples": v.samples.iter().map(sample).collect::<Vec<_>>(),
        "consequences": v.consequences.iter().map(|c| json!({
            "table": c.table, "columns": c.columns, "rule": c.rule, "constraint": c.name, "count": c.count})).collect::<Vec<_>>(),
    })
}

fn sample(s: &Sample) -> Value {
    json!({
        "value": cut(&s.value),
        "row": object(&s.row),
        "file": s.file,
        "origin": s.origin,
        "key": object(&s.key),
        "suggestion": s.suggestion,
    })
}

fn object(columns: &[(String, Option<String>)]) -> Value {
    Value::Object(columns.iter().map(|(name, value)| (name.clone(), cut(value))).collect::<Map<_, _>>())
}

fn cut(value: &Option<String>) -> Value {
    match value {
        None => Value::Null,
        Some(text) => match text.char_indices().nth(LONGEST) {
            Some((end, _)) => Value::String(format!("{}…", &text[..end])),
            None => Value::String(text.clone()),
        },
    }
}
