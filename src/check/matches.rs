//! `matches: {c: '^[a-z-]+$'}`: the column's text contains a match of a regular expression.
//!
//! In: a mapping from columns to patterns. Out: one check per column. Patterns are RE2's, which has no lookaround and no back
//! references; a pattern that uses them is refused here, not by the engine halfway through a run.
//! Does not know about the pattern dialects of targets; the contract translates theirs.

use std::sync::Arc;

use super::{Check, CheckKind, Measure};
use crate::diagnostics::{Diagnostics, Span};
use crate::expr::Expr;
use crate::spec::yaml::Node;

/// The kind `matches`.
pub struct Kind;

impl CheckKind for Kind {
    fn keyword(&self) -> &'static str {
        "matches"
    }

    fn summary(&self) -> &'static str {
        "the column's text matches a regular expression"
    }

    fn decode(&self, body: &Node, out: &mut Diagnostics) -> Vec<Arc<dyn Check>> {
        let Some(map) = body.expect_map("`matches`", out) else {
            return vec![];
        };
        map.entries.iter().filter_map(|(column, pattern)| self.decode_for_column(&column.value, pattern, out)).collect()
    }

    fn stands_under_column(&self) -> bool {
        true
    }

    fn decode_for_column(&self, column: &str, body: &Node, out: &mut Diagnostics) -> Option<Arc<dyn Check>> {
        let pattern = body.expect_text(&format!("`matches` for column `{column}`"), out)?;
        if let Some(fault) = fault(&pattern.value) {
            out.error("E0407", pattern.span, format!("the pattern of `matches` for column `{column}` {fault}"))
                .help("Patterns are RE2's. What they cannot say, an `expr` check can: `expr: \"c NOT LIKE '%x%'\"`.");
            return None;
        }
        Some(Arc::new(Matches::new(column, pattern.value, body.span)))
    }
}

/// What stands before a place in a pattern, as far as repetitions go.
#[derive(Clone, Copy)]
enum Last {
    Nothing,
    Piece,
    Repeated,
    Lazy,
}

/// Tells whether a brace begins a repetition such as `{2}`, `{2,}` or `{2,3}`; another one is text.
fn counts(mut rest: std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let mut digits = || std::iter::from_fn(|| rest.next_if(char::is_ascii_digit)).count() > 0;
    if !digits() {
        return false;
    }
    if rest.next_if_eq(&',').is_some() {
        while rest.next_if(char::is_ascii_digit).is_some() {}
    }
    rest.next() == Some('}')
}

/// Says what makes a pattern unusable: what RE2 lacks, brackets that never close, repetitions of nothing and of repetitions.
pub fn fault(pattern: &str) -> Option<&'static str> {
    if pattern.is_empty() {
        return Some("is empty");
    }
    let (mut depth, mut class) = (0i32, false);
    let mut last = Last::Nothing;
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        if !class {
            last = match (c, last) {
                ('*' | '+' | '?', Last::Nothing) => return Some("repeats nothing"),
                ('?', Last::Repeated) => Last::Lazy,
                ('*' | '+', Last::Repeated) | ('*' | '+' | '?', Last::Lazy) => return Some("repeats a repetition"),
                ('*' | '+' | '?', Last::Piece) => Last::Repeated,
                ('{', last) if counts(rest.clone()) => match last {
                    Last::Nothing => return Some("repeats nothing"),
                    Last::Repeated | Last::Lazy => return Some("repeats a repetition"),
                    Last::Piece => {
                        while rest.next().is_some_and(|c| c != '}') {}
                        Last::Repeated
                    }
                },
                ('(' | '|', _) => Last::Nothing,
                _ => Last::Piece,
            };
        }
        match c {
            '\\' => match rest.next() {
                None => return Some("ends in a backslash"),
                Some('1'..='9') if !class => return Some("has a back reference"),
                Some(_) => {}
            },
            '[' if !class => {
                class = true;
                // A bracket that stands first in a class is one of its characters.
                rest.next_if_eq(&'^');
                rest.next_if_eq(&']');
            }
            '[' if rest.peek() == Some(&':') => {
                // A named class such as [:alpha:] closes with a bracket of its own.
                while rest.next().is_some_and(|c| c != ']') {}
            }
            ']' if class => class = false,
            '(' if !class => {
                depth += 1;
                if rest.next_if_eq(&'?').is_some() {
                    let behind = rest.next_if_eq(&'<').is_some();
                    if matches!(rest.peek(), Some('=' | '!')) {
                        return Some(if behind { "looks behind" } else { "looks ahead" });
                    }
                    // Options such as `(?i)` and `(?:`, or a name, are no text.
                    while rest.next_if(|c| !matches!(c, ':' | ')' | '>')).is_some() {}
                    rest.next_if(|c| *c != ')');
                }
            }
            ')' if !class => {
                depth -= 1;
                if depth < 0 {
                    return Some("closes a group that was never opened");
                }
            }
            _ => {}
        }
    }
    match (class, depth) {
        (true, _) => Some("has a `[` that is never closed"),
        (false, 1..) => Some("has a `(` that is never closed"),
        (false, _) => None,
    }
}

/// A column whose text matches a pattern.
#[derive(Clone, Debug)]
pub struct Matches {
    column: String,
    pattern: String,
    /// The engine's option letters, as in `regexp_matches(c, p, 'is')`.
    options: String,
    span: Span,
}

impl Matches {
    pub fn new(column: impl Into<String>, pattern: impl Into<String>, span: Span) -> Matches {
        Matches { column: column.into(), pattern: pattern.into(), options: String::new(), span }
    }

    /// Sets the engine's option letters.
    pub fn with_options(mut self, options: impl Into<String>) -> Matches {
        self.options = options.into();
        self
    }
}

impl Check for Matches {
    fn rule(&self) -> &'static str {
        "matches"
    }

    fn columns(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn measure(&self) -> Measure {
        let mut arguments = vec![Expr::column(&self.column, self.span), Expr::text(&self.pattern, self.span)];
        if !self.options.is_empty() {
            arguments.push(Expr::text(&self.options, self.span));
        }
        Measure::Row(Expr::call("regexp_matches", arguments, self.span).negate())
    }

    fn allowed(&self) -> String {
        format!("text that matches `{}`", self.pattern)
    }

    fn suggest(&self, value: &str) -> Option<String> {
        let padded = value.trim() != value;
        padded.then(|| format!("It has spaces around it; `trim({})` takes them off.", self.column))
    }
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn refuses_what_the_engine_would_refuse() {
        let brackets =
            ["^[a-z-]+$", "a|b", "[]x]", "[^]]", "(?i)abc", "(?:ab)+", "(?P<n>a)", r"\(", "[(]", "[[:alpha:]]+", r"[\]]"];
        let repetitions =
            ["a+?", "a{2,3}?", "x{,5}", "{", "a{b}", "(?i)a*", "^*", "(a|b)*?", r"\**", "[*+]+", "(?s:.)*", "a{2}b{3}"];
        for good in brackets.into_iter().chain(repetitions) {
            assert_eq!(fault(good), None, "{good}");
        }
        let brackets = ["", "(", "a)", "[a", "a(?=b)", "(?<!a)b", r"(a)\1", "a\\"];
        let repetitions = ["a**", "^[a-z]+{1,}$", "*a", "(*)", "a|+", "a{2}{3}", "a+?+", "(?:+)"];
        for bad in brackets.into_iter().chain(repetitions) {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
