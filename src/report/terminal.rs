//! A run as text: the ledger, then what is wrong, then what was written.
//!
//! In: a [`RunReport`]. Out: text. Colour adds nothing that the words do not say.

use super::{LedgerLine, RunReport, Sample, Tolerated, Violation};
use crate::diagnostics::{Severity, SourceMap};

/// How many rows of a violation people are shown.
const SHOWN: usize = 5;
/// Longer values are cut.
const LONGEST: usize = 80;

/// Prints the whole report; `quiet` leaves the ledger out when nothing is wrong.
pub fn report(report: &RunReport, sources: &SourceMap, color: bool, quiet: bool) -> String {
    let mut out = String::new();
    if !quiet {
        out.push_str(&ledger(&report.ledger));
    }
    for violation in &report.violations {
        out.push('\n');
        out.push_str(&violation_text(violation, sources, color));
    }
    if !quiet {
        for tolerated in &report.tolerated {
            out.push('\n');
            out.push_str(&tolerated_text(tolerated));
        }
        for unjudged in &report.unjudged {
            out.push_str(&format!("\nnot judged: {} {}: {}\n", unjudged.table, unjudged.what, unjudged.why));
        }
    }
    for left in &report.quarantined {
        out.push_str(&format!(
            "\nquarantined: {} row{} of {} in {}\n",
            grouped(left.rows),
            plural(left.rows),
            left.table,
            left.file
        ));
        for (reason, rows) in &left.reasons {
            out.push_str(&format!("  {} {reason}\n", grouped(*rows)));
        }
    }
    out.push_str(&closing(report, quiet));
    out
}

fn closing(report: &RunReport, quiet: bool) -> String {
    let errors = report.violations.iter().filter(|v| v.severity == Severity::Error).count();
    if errors > 0 {
        let rows: u64 = report.violations.iter().filter(|v| v.severity == Severity::Error).map(|v| v.count).sum();
        // What a failed run has written is the page that tells of it.
        let told =
            if quiet || report.written.is_empty() { String::new() } else { format!("; see {}", report.written.join(", ")) };
        return format!(
            "\n{errors} broken rule{}, {} row{}: nothing was emitted{told}\n",
            plural(errors as u64),
            grouped(rows),
            plural(rows)
        );
    }
    if quiet {
        return String::new();
    }
    let mut passed = "every check passed".to_string();
    let warnings = report.violations.len() as u64;
    if warnings > 0 {
        passed = format!("no error, {warnings} warning{}", plural(warnings));
    }
    let tolerated = report.tolerated.len() as u64;
    if tolerated > 0 {
        passed.push_str(&format!(", {tolerated} within what is tolerated"));
    }
    match report.written.is_empty() {
        true => format!("\n{passed}; nothing was written\n"),
        false => format!("\n{passed}; wrote {}\n", report.written.join(", ")),
    }
}

/// A rule that is broken no more than its author accepts, on one line.
fn tolerated_text(t: &Tolerated) -> String {
    let name = t.name.as_ref().map(|n| format!(" [{n}]")).unwrap_or_default();
    let subject = subject(&t.table, &t.columns, t.found.is_some());
    let what = match &t.found {
        Some(found) => found.clone(),
        None => format!("{} row{} of {} ({})", grouped(t.count), plural(t.count), grouped(t.rows), percent(t.count, t.rows)),
    };
    format!("tolerated: {subject} breaks {}{name}: {what}; max {}\n", t.rule, t.max)
}

/// What breaks a rule: the table, with its columns unless the whole of it is meant and these are many.
fn subject(table: &str, columns: &[String], whole: bool) -> String {
    match columns {
        [] => table.to_string(),
        [_, _, ..] if whole => table.to_string(),
        columns => format!("{table}.{}", columns.join(", ")),
    }
}

fn ledger(lines: &[LedgerLine]) -> String {
    let stage = lines.iter().map(|l| l.stage.chars().count()).max().unwrap_or(0).max(5);
    let rows = lines.iter().map(|l| grouped(l.rows_in.max(l.rows_out)).len()).max().unwrap_or(0).max(3);
    let mut out = format!("{:<stage$}  {:>rows$}  {:>rows$}\n", "stage", "in", "out");
    for line in lines {
        let mut causes: Vec<String> = line.removed.iter().map(|(n, why)| format!("-{} {why}", grouped(*n))).collect();
        causes.extend(line.added.iter().map(|(n, why)| format!("+{} {why}", grouped(*n))));
        causes.extend(line.notes.iter().cloned());
        let text = format!(
            "{:<stage$}  {:>rows$}  {:>rows$}  {}",
            line.stage,
            grouped(line.rows_in),
            grouped(line.rows_out),
            causes.join(", ")
        );
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

fn violation_text(v: &Violation, sources: &SourceMap, color: bool) -> String {
    let (mark, end) = match (color, v.severity) {
        (false, _) => ("", ""),
        (true, Severity::Error) => ("\x1b[1;31m", "\x1b[0m"),
        (true, Severity::Warning) => ("\x1b[1;33m", "\x1b[0m"),
    };
    // A join breaks its declaration by keys, a table by its number of rows.
    let unit = match v.rule.as_str() {
        "join" => "key",
        _ => "row",
    };
    let share = if v.rows > 0 && v.rule != "join" {
        format!(" of {} ({})", grouped(v.rows), percent(v.count, v.rows))
    } else {
        String::new()
    };
    let name = v.name.as_ref().map(|n| format!(" [{n}]")).unwrap_or_default();
    let subject = subject(&v.table, &v.columns, v.found.is_some());
    // A count is broken by the table as a whole, so that no share of its rows says anything.
    if v.rule == "rows" {
        let (line, column) = sources.line_column(v.span);
        let why = v.why.as_ref().map(|why| format!("  why: {why}\n")).unwrap_or_default();
        return format!(
            "{mark}{}{end}: {subject} breaks rows{name}: it has {} row{}\n  allowed: {}   --> {}:{line}:{column}\n{why}",
            v.severity,
            grouped(v.rows),
            plural(v.rows),
            v.allowed,
            sources.path(v.span.file).display()
        );
    }
    let what = v.found.clone().unwrap_or_else(|| format!("{} {unit}{}{share}", grouped(v.count), plural(v.count)));
    let mut out = format!("{mark}{}{end}: {subject} breaks {}{name}: {what}\n", v.severity, v.rule);
    let (line, column) = sources.line_column(v.span);
    out.push_str(&format!("  allowed: {}   --> {}:{line}:{column}\n", v.allowed, sources.path(v.span.file).display()));
    if let Some(why) = &v.why {
        out.push_str(&format!("  why: {why}\n"));
    }
    if v.rule == "total" {
        // Its one sample says what the headline says.
        return out;
    }
    for sample in v.samples.iter().take(SHOWN) {
        out.push_str(&sample_text(sample, v));
    }
    let hidden = v.count.saturating_sub(v.samples.len().min(SHOWN) as u64);
    if hidden > 0 && !v.samples.is_empty() {
        out.push_str(&format!("  and {} more\n", grouped(hidden)));
    }
    let mut suggestions: Vec<&String> = v.samples.iter().filter_map(|s| s.suggestion.as_ref()).collect();
    suggestions.dedup();
    for suggestion in suggestions.into_iter().take(3) {
        out.push_str(&format!("  = help: {suggestion}\n"));
    }
    for follows in &v.consequences {
        let name = follows.name.as_ref().map(|n| format!(" [{n}]")).unwrap_or_default();
        out.push_str(&format!(
            "  follows: {}.{} {}{name}: {} rows\n",
            follows.table,
            follows.columns.join(", "),
            follows.rule,
            grouped(follows.count)
        ));
    }
    out
}

fn sample_text(sample: &Sample, v: &Violation) -> String {
    let place = match (&sample.file, &sample.origin) {
        (Some(file), Some(origin)) => format!("{file} {origin}"),
        (None, Some(origin)) => origin.clone(),
        _ => String::new(),
    };
    let key: Vec<String> = sample.key.iter().map(|(name, value)| format!("{name} {}", shown(value))).collect();
    let values: Vec<String> = match v.columns.len() {
        // A difference between relations is told by its key, and then by the values that differ.
        _ if v.found.is_some() => sample.key.iter().map(|(name, value)| format!("{name} {}", shown(value))).collect(),
        1 => vec![shown(&sample.value)],
        _ => sample
            .row
            .iter()
            .filter(|(name, _)| v.columns.contains(name))
            .map(|(name, value)| format!("{name} {}", shown(value)))
            .collect(),
    };
    let key = if key.is_empty() || v.found.is_some() { String::new() } else { format!("  ({})", key.join(", ")) };
    let mut out = format!("  {}  {place}{key}\n", values.join(", "));
    let others: Vec<String> = sample
        .row
        .iter()
        .filter(|(name, _)| v.found.is_some() || !v.columns.contains(name))
        .map(|(name, value)| format!("{name} {}", shown(value)))
        .collect();
    let line: String = others.join(", ").chars().take(160).collect();
    if !line.is_empty() {
        out.push_str(&format!("      {line}\n"));
    }
    out
}

/// A value as text: quoted, on one line, without what a terminal would obey.
fn shown(value: &Option<String>) -> String {
    let Some(text) = value else { return "NULL".to_string() };
    let mut out: String = text
        .chars()
        .take(LONGEST)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().count() > LONGEST {
        out.push('…');
    }
    format!("\"{out}\"")
}

/// Writes a number with separators: `12,047`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub fn percent(part: u64, whole: u64) -> String {
    let share = 100.0 * part as f64 / whole as f64;
    if share > 0.0 && share < 0.1 { "<0.1%".to_string() } else { format!("{share:.1}%") }
}

fn plural(n: u64) -> &'static str {
    if n == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_shares_never_vanish() {
        assert_eq!(grouped(12047), "12,047");
        assert_eq!(grouped(999), "999");
        assert_eq!(percent(1, 1_000_000), "<0.1%");
        assert_eq!(percent(1, 8), "12.5%");
    }

    #[test]
    fn values_cannot_command_the_terminal() {
        assert_eq!(shown(&Some("a\u{1b}[2Jb\n".into())), "\"a\\u{1b}[2Jb\\n\"");
    }
}
