//! A run as one page to be read in a browser, kept and sent: `report.html`.
//!
//! In: the run as JSON. Out: HTML that loads nothing and runs nothing: styles stand inside, there is no script. All texts are escaped by the
//! template engine; characters that a reader would not see are written out. The same run gives the same bytes.
//! Does not know about files, or about what must not be shown: the caller's `shown` sees every text first.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value as Shown;
use minijinja::{Environment, Error, UndefinedBehavior, context};
use serde_json::Value;

use super::terminal::{grouped, percent};

const NAME: &str = "report.html";
const PAGE: &str = include_str!("report.html");

/// Writes the page of a run and of the warnings about its texts, both as `json` has them.
pub fn page(run: &Value, warnings: &[Value], shown: &dyn Fn(&str) -> String) -> Result<String, Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    env.add_filter("grouped", grouped);
    env.add_function("percent", percent);
    // Its name makes the engine escape what stands in it.
    env.add_template(NAME, PAGE)?;
    let warnings: Vec<Shown> = warnings.iter().map(|w| value(w, shown)).collect();
    env.get_template(NAME)?.render(context! { run => value(run, shown), warnings, version => env!("CARGO_PKG_VERSION") })
}

/// Hands JSON to the template; the columns of a sample become pairs, which keep their order.
fn value(json: &Value, shown: &dyn Fn(&str) -> String) -> Shown {
    match json {
        Value::Null => Shown::from(()),
        Value::Bool(b) => Shown::from(*b),
        Value::Number(n) => n.as_u64().map_or_else(|| Shown::from(n.to_string()), Shown::from),
        Value::String(text) => Shown::from(visible(&shown(text))),
        Value::Array(items) => items.iter().map(|item| value(item, shown)).collect(),
        Value::Object(parts) => {
            let part = |(name, part): (&String, &Value)| match (name.as_str(), part) {
                ("row" | "key", Value::Object(columns)) => (name.clone(), pairs(columns, shown)),
                _ => (name.clone(), value(part, shown)),
            };
            parts.iter().map(part).collect::<BTreeMap<String, Shown>>().into()
        }
    }
}

fn pairs(columns: &serde_json::Map<String, Value>, shown: &dyn Fn(&str) -> String) -> Shown {
    columns.iter().map(|(name, cell)| Shown::from(vec![Shown::from(visible(&shown(name))), value(cell, shown)])).collect()
}

/// Writes out what has no shape of its own or turns the direction of reading.
fn visible(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().flat_map(|c| if hidden(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(value: &str) -> Value {
        json!({
            "status": "checks_failed", "pipeline": value, "target": "here", "dry_run": false,
            "ledger": [{"stage": "t.where", "in": 12047, "out": 12046, "added": [], "removed": [{"rows": 1, "why": value}], "notes": [value]}],
            "violations": [{
                "table": "t", "column": "a", "columns": ["a"], "rule": "one_of", "constraint": value, "severity": "error", "allowed": value,
                "why": null, "found": null, "count": 1, "rows": 12046, "demanded_by": {"file": "p.yaml", "line": 1, "column": 2},
                "samples": [{"value": value, "row": {"z": value, "a": null}, "file": "d.json", "origin": "[0]", "key": {}, "suggestion": value}],
                "consequences": [{"table": "u", "columns": ["b"], "rule": "unique", "constraint": null, "count": 2}],
            }],
            "tolerated": [], "proofs": [], "unjudged": [], "quarantined": [], "written": [],
        })
    }

    #[test]
    fn values_stay_text() {
        let page = page(&run("<script>alert('1')</script> & \"\u{202e}\0"), &[], &|t| t.to_string()).unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;alert("), "{page}");
        assert!(page.contains("\\u{202e}\\u{0}"), "{page}");
        assert!(page.contains("12,047") && page.contains("&lt;0.1%"), "{page}");
    }

    #[test]
    fn what_must_not_be_shown_is_not() {
        let page = page(&run("hunter22"), &[], &|t| t.replace("hunter22", "***")).unwrap();
        assert!(page.contains("***") && !page.contains("hunter22"), "{page}");
    }
}
