//! The values of the environment that a command used: nothing that is printed may hold them.
//!
//! In: each value as a template asks for it. Out: texts in which it is replaced. What a pipeline maps into a column is data and is
//! written to the target; short values and short numbers are left, since they would be found everywhere.
//! Does not know about templates or streams.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What stands in the place of a value.
const MASK: &str = "***";
/// Shorter values are no secrets.
const SHORTEST: usize = 4;
/// Shorter numbers are no secrets: years, ports and counts.
const SHORTEST_NUMBER: usize = 8;

/// A handle that is shared by what reads the environment and what prints.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<Mutex<BTreeSet<String>>>);

impl Secrets {
    /// Notes a value, in each form that it may be printed in: as it is, in SQL, in JSON.
    pub fn keep(&self, value: &str) {
        let number = value.chars().all(|c| c.is_ascii_digit() || c == '.');
        if value.chars().count() < if number { SHORTEST_NUMBER } else { SHORTEST } {
            return;
        }
        let json = serde_json::Value::from(value).to_string();
        let json = json.get(1..json.len().saturating_sub(1)).unwrap_or(value).to_string();
        let forms = [value.to_string(), value.replace('\'', "''"), json];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(forms);
    }

    /// Replaces every noted value in a text.
    pub fn mask(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut longest: Vec<&String> = known.iter().collect();
        longest.sort_by_key(|value| std::cmp::Reverse(value.len()));
        longest.into_iter().fold(text.to_string(), |text, value| text.replace(value.as_str(), MASK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_masked_in_every_form() {
        let secrets = Secrets::default();
        secrets.keep("pa'ss\"word");
        secrets.keep("dev");
        secrets.keep("2024");
        assert_eq!(secrets.mask("a pa'ss\"word b"), "a *** b");
        assert_eq!(secrets.mask("x = 'pa''ss\"word'"), "x = '***'");
        assert_eq!(
            secrets.mask(r#"{"x": "pa'ss\"word", "in": 2024, "env": "dev"}"#),
            r#"{"x": "***", "in": 2024, "env": "dev"}"#
        );
    }
}
