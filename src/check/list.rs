//! The list under `validate:`, and under a contract's `checks:`.
//!
//! In: a YAML list, each item one check with what its author says about it. Out: [`Declared`] checks.
//! Does not know what any kind of check means: the item is given to the kind that its key names.

use super::{CHECKS, CheckKind, Declared, Tolerance, Tolerated};
use crate::diagnostics::{Diagnostics, Severity, Span, Spanned};
use crate::spec::yaml::{Map, Node};

/// The keys of an item that are not checks.
const ABOUT: &[&str] = &["name", "severity", "max", "why"];

/// Reads the list; each item that is wrong is reported and left out.
pub fn decode_list(node: &Node, out: &mut Diagnostics) -> Vec<Declared> {
    let Some(items) = node.expect_list("`validate`", out) else {
        return vec![];
    };
    items.iter().flat_map(|item| decode_item(item, out)).collect()
}

fn decode_item(item: &Node, out: &mut Diagnostics) -> Vec<Declared> {
    let Some(map) = item.expect_map("an item of `validate`", out) else {
        return vec![];
    };
    let name = map.get("name").and_then(|n| n.expect_text("`name`", out)).map(|t| t.value);
    let why = map.get("why").and_then(|n| n.expect_text("`why`", out)).map(|t| t.value);
    let severity = map.get("severity").and_then(|n| severity(n, out)).unwrap_or(Severity::Error);
    let found = the_check(map, item.span, out);
    let what = found.map_or(Tolerated::Rows, |(kind, _)| kind.tolerates());
    let tolerance = map.get("max").and_then(|n| tolerance(n, what, out)).unwrap_or(Tolerance::Rows(0));
    let Some((kind, body)) = found else {
        return vec![];
    };
    kind.decode(body, out)
        .into_iter()
        .map(|check| Declared {
            check,
            name: name.clone(),
            severity,
            tolerance: tolerance.clone(),
            why: why.clone(),
            span: item.span,
            enforced: false,
        })
        .collect()
}

/// Finds the one key that names a check, and reports all that name nothing.
fn the_check<'a>(map: &'a Map, span: Span, out: &mut Diagnostics) -> Option<(&'static dyn CheckKind, &'a Node)> {
    let mut found: Vec<(&Spanned<String>, &'static dyn CheckKind, &Node)> = vec![];
    let mut unknown = false;
    for (key, body) in map.entries.iter().filter(|(key, _)| !ABOUT.contains(&key.value.as_str())) {
        match CHECKS.iter().find(|kind| kind.keyword() == key.value) {
            Some(kind) => found.push((key, *kind, body)),
            None => {
                unknown = true;
                let keywords: Vec<&str> = CHECKS.iter().map(|kind| kind.keyword()).collect();
                out.error("E0402", key.span, format!("there is no check `{}`", key.value))
                    .suggest(&key.value, keywords.iter().chain(ABOUT).copied())
                    .help(format!("The checks are {}.", keywords.join(", ")));
            }
        }
    }
    match found.as_slice() {
        [(_, kind, body)] => Some((*kind, *body)),
        [] => {
            if !unknown {
                out.error("E0401", span, "an item of `validate` names no check")
                    .help("Each item holds one check, such as `not_null: [name]`.");
            }
            None
        }
        [(first, ..), (second, ..), ..] => {
            let message = format!("an item of `validate` holds two checks, `{}` and `{}`", first.value, second.value);
            out.error("E0401", second.span, message)
                .label(first.span, "the first")
                .help("Start a new item with `- ` for each check.");
            None
        }
    }
}

fn severity(node: &Node, out: &mut Diagnostics) -> Option<Severity> {
    let text = node.expect_text("`severity`", out)?;
    match text.value.as_str() {
        "error" => Some(Severity::Error),
        "warn" | "warning" => Some(Severity::Warning),
        other => {
            out.error("E0412", text.span, format!("there is no severity `{other}`"))
                .suggest(other, ["error", "warn"])
                .help("Write `error` (stops the run) or `warn` (is reported only).");
            None
        }
    }
}

fn tolerance(node: &Node, what: Tolerated, out: &mut Diagnostics) -> Option<Tolerance> {
    let text = node.expect_text("`max`", out)?;
    if what == Tolerated::Nothing {
        out.error("E0411", node.span, "`max` stands at a check that fails as a whole")
            .help("Only failing rows and differences of sums can be tolerated in part; give the check `severity: warn`, or another bound.");
        return None;
    }
    let amount = |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or(text).replace('_', "");
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let plain = |part: &str| part.len() <= 30 && part.bytes().all(|b| b.is_ascii_digit());
        (plain(whole) && plain(fraction) && !(whole.is_empty() && fraction.is_empty())).then(|| Tolerance::Amount(digits.clone()))
    };
    let read = match text.value.trim().strip_suffix('%') {
        Some(percent) => {
            percent.trim().parse().ok().filter(|p| (0.0..=100.0).contains(p)).map(|p: f64| Tolerance::Share(p / 100.0))
        }
        None if what == Tolerated::Amount => amount(text.value.trim()),
        None => text.value.trim().parse().ok().map(Tolerance::Rows),
    };
    if read.is_none() && what == Tolerated::Amount {
        out.error("E0411", text.span, format!("`max: {}` is not a difference", text.value))
            .help("Write by how much the sums may differ (`max: 0.01`), or which share of the other sum that is (`max: 0.5%`).");
    } else if read.is_none() {
        out.error("E0411", text.span, format!("`max: {}` is not a number of rows", text.value))
            .help("Write how many failing rows are accepted (`max: 5`), or their share (`max: 0.5%`).");
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Diagnostic, SourceMap};
    use crate::spec::yaml;

    fn decode(text: &str) -> (Vec<Declared>, Vec<Diagnostic>) {
        let mut sources = SourceMap::default();
        let file = sources.add("a.yaml", text);
        let mut out = Diagnostics::default();
        let checks = yaml::parse(&sources, file, &mut out).map(|node| decode_list(&node, &mut out)).unwrap_or_default();
        (checks, out.into_sorted())
    }

    #[test]
    fn reads_every_kind() {
        let (checks, reported) = decode(
            "- not_null: [a, b]\n- unique: [a, b]\n- unique: [[a], [b, c]]\n- one_of: {c: [x, 1]}\n- range: {c: [~, 10], d: [2000-01-01, ~]}\n\
             - length: {c: 200}\n- matches: {c: '^[a-z-]+$'}\n- type: {c: integer}\n- references: {persona_id: personas.id}\n\
             - references: {columns: [a, b], to: t, on: [x, y]}\n- rows: 12047\n- rows: '>= 1'\n- rows: {same_as: transactions}\n",
        );
        assert_eq!(reported, vec![]);
        let rules: Vec<&str> = checks.iter().map(|c| c.check.rule()).collect();
        let expected =
            "not_null not_null unique unique unique one_of range range length matches type references references rows rows rows";
        assert_eq!(rules.join(" "), expected);
        assert_eq!(checks[6].check.allowed(), "at most 10");
        assert_eq!(checks[12].check.allowed(), "a combination of x, y in t");
        assert_eq!(checks[15].check.allowed(), "as many rows as transactions");
    }

    #[test]
    fn keeps_what_the_author_says_about_a_check() {
        let (checks, reported) =
            decode("- {not_null: a, name: named, severity: warn, max: 0.5%, why: because}\n- {not_null: a, max: 5}\n");
        assert_eq!(reported, vec![]);
        let (first, second) = (&checks[0], &checks[1]);
        assert_eq!(
            (first.name.as_deref(), first.severity, first.why.as_deref()),
            (Some("named"), Severity::Warning, Some("because"))
        );
        assert_eq!((&first.tolerance, &second.tolerance), (&Tolerance::Share(0.005), &Tolerance::Rows(5)));
    }

    #[test]
    fn reports_everything_that_is_wrong_at_once() {
        let (checks, reported) = decode(
            "- not_nul: [a]\n- {unique: a, rows: 1}\n- name: x\n- range: {c: [5, 1], d: [1], e: [~, ~], f: [true, 1]}\n- one_of: {c: []}\n\
             - length: {c: long}\n- matches: {c: '('}\n- type: {c: intger}\n- references: {c: personas}\n- rows: some\n\
             - {not_null: a, max: lots, severity: fatal}\n- unique: [a, a]\n",
        );
        let codes: Vec<&str> = reported.iter().map(|d| d.code).collect();
        let expected = "E0402 E0401 E0401 E0405 E0404 E0405 E0404 E0403 E0406 E0407 E0408 E0409 E0410 E0411 E0412 E0413";
        assert_eq!(codes.join(" "), expected);
        assert!(reported[0].help.contains(&"Did you mean `not_null`?".to_string()));
        // What is wrong about the tolerance does not lose the check.
        assert_eq!(checks.len(), 1);
    }
}
