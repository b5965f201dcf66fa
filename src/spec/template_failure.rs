//! Why a template could not be read or rendered, as a diagnostic at its place.
//!
//! In: the error of the template engine, and the string that was rendered. Out: a diagnostic in that string, or in the file of the macro
//! that failed, with what the author may have meant. Values of the environment never appear in it. Does not render anything.

use minijinja::{Error, ErrorKind};

use super::template::{FUEL, Templates};
use super::template_macros;
use crate::diagnostics::{Diagnostic, Diagnostics, Span};

impl Templates {
    /// Reports a failure at its place in the string at `span` (if offsets are `exact` there), or in the file of the macro.
    pub(super) fn report(&self, error: &Error, span: Span, exact: bool, out: &mut Diagnostics) {
        let range = error.range().filter(|range| range.start < range.end);
        let defined = error.name().and_then(template_macros::macro_name).and_then(|name| self.macros.get(name));
        let place = match (defined, &range) {
            (Some(found), Some(range)) => Span { start: range.start as u32, end: range.end as u32, ..found.span },
            (Some(found), None) => found.span,
            (None, Some(range)) if exact => span.slice(range.start, range.len()),
            (None, _) => span,
        };
        let detail = self.known.redact(error.detail().unwrap_or(""));
        // A macro's own undefined name is not in the error's text, but it is what the error points at.
        let pointed = || range.clone().and_then(|range| error.template_source()?.get(range)).filter(|source| is_name(source));
        let undefined = detail.split('`').nth(1).or_else(pointed).unwrap_or("").to_owned();
        let found = match error.kind() {
            ErrorKind::SyntaxError | ErrorKind::BadEscape => {
                out.error("E0301", place, format!("template cannot be read: {detail}"))
            }
            ErrorKind::UnknownFunction | ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownMethod => {
                let name = detail
                    .split(' ')
                    .find(|word| !matches!(*word, "filter" | "test" | "function"))
                    .unwrap_or("")
                    .trim_matches('`');
                let kind = error.kind().to_string().replace("unknown ", "");
                let kind = if kind == "function" { "macro or function".to_owned() } else { kind };
                let found = out.error("E0302", place, format!("no template {kind} is named `{name}`"));
                found.suggest(name, self.macros.keys().map(String::as_str));
                self.help_macros(found)
            }
            ErrorKind::UndefinedError => self.report_undefined(&undefined, place, out),
            _ if is_limit(error, &detail) => {
                out.error("E0304", place, "template never ends, or becomes too large").help(format!(
                    "A string may take {FUEL} steps, about 20 nested calls and 1 MiB of text: bound its loops and its recursion."
                ))
            }
            kind => {
                let message = if detail.is_empty() { kind.to_string() } else { detail };
                out.error("E0305", place, format!("template cannot be rendered: {message}"))
            }
        };
        if place.file != span.file || place.start < span.start || place.end > span.end {
            found.label(span, "called here");
        }
    }

    fn report_undefined<'o>(&self, name: &str, place: Span, out: &'o mut Diagnostics) -> &'o mut Diagnostic {
        let shown = if name.is_empty() { "a value".to_owned() } else { format!("`{name}`") };
        let found = out.error("E0303", place, format!("{shown} is undefined"));
        if let Some(variable) = name.strip_prefix("vars.") {
            found.suggest(variable, self.known.var_names.iter().map(String::as_str));
            found.help(format!("Declare it under `vars:` in the pipeline or the project, or pass `--var {variable}=...`."))
        } else if let Some(variable) = name.strip_prefix("env.") {
            found.help(format!("Set the environment variable `{variable}`."))
        } else {
            let names = ["vars", "env", "pipeline", "target", "sql"].into_iter();
            found.suggest(name, names.chain(self.macros.keys().map(String::as_str)));
            found.help("A template knows `vars.x`, `env.X`, `pipeline`, `target` and the macros of the pipeline.")
        }
    }

    pub(super) fn help_macros<'d>(&self, found: &'d mut Diagnostic) -> &'d mut Diagnostic {
        let names = self.macros.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if names.is_empty() {
            found.help("No macros are loaded: name their file under `transforms: {macros: ...}`.")
        } else {
            found.help(format!("Macros are {names}."))
        }
    }
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
}

/// Tells whether the engine stopped at one of its limits; only fuel has an error kind of its own.
fn is_limit(error: &Error, detail: &str) -> bool {
    let limits = ["recursion limit", "too many elements", "too large"];
    matches!(error.kind(), ErrorKind::OutOfFuel | ErrorKind::WriteFailure) || limits.iter().any(|limit| detail.contains(limit))
}
