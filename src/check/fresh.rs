//! `fresh: {loaded_at: 2d}`: the newest value of a column is not older than that.
//!
//! In: a mapping from columns to spans of time. Out: one check of the whole table per column. Does not know what time it is.

use std::sync::Arc;

use super::{Check, CheckKind, Measure, Tolerated};
use crate::diagnostics::Diagnostics;
use crate::spec::yaml::Node;

/// The kind `fresh`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "fresh"
    }

    fn summary(&self) -> &'static str {
        "the newest value of a column is not older than a span of time"
    }

    fn tolerates(&self) -> Tolerated {
        Tolerated::Nothing
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(map) = body.expect_map("`fresh`", out) else {
            return vec![];
        };
        let mut checks: Vec<Arc<dyn Check>> = vec![];
        for (column, age) in &map.entries {
            let Some(text) = age.expect_text(&format!("`fresh` for column `{}`", column.value), out) else {
                continue;
            };
            match seconds(&text.value) {
                Some(seconds) => {
                    checks.push(Arc::new(Fresh {
                        column: column.value.clone(),
                        seconds,
                        written: text.value.trim().to_string(),
                    }));
                }
                None => {
                    out.error("E0418", text.span, format!("`{}` is no span of time", text.value))
                        .help("Write a number and its unit: `90s`, `30m`, `36h`, `2d` or `1w`.");
                }
            }
        }
        checks
    }
}

/// Reads `2d` or `36 hours` as seconds.
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit.trim() {
        "s" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 7 * 86_400,
        _ => return None,
    };
    // More than ten thousand years are no span that anybody means.
    number.parse::<u64>().ok()?.checked_mul(unit).filter(|s| *s <= 10_000 * 366 * 86_400)
}

/// A column with a recent value.
#[derive(Clone, Debug)]
struct Fresh {
    column: String,
    seconds: u64,
    written: String,
}

impl Check for Fresh {
    fn rule(&self) -> &'static str {
        "fresh"
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        Measure::Fresh { column: self.column.clone(), seconds: self.seconds }
    }

    fn allowed(&self) -> String {
        format!("a newest value that is at most {} old", self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn spans_of_time_have_a_unit() {
        assert_eq!(seconds("2d"), Some(172_800));
        assert_eq!(seconds(" 36 hours "), Some(129_600));
        assert_eq!(seconds("1w"), Some(604_800));
        for wrong in ["", "2", "d", "-2d", "1.5d", "2 moons", "99999999999999999999d", "9999999999999d"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
