//! Standard output and standard error: results on the one, everything else on the other.

use std::io::{IsTerminal, Write};

use super::{Color, Common, Format, Outcome};
use crate::command::{Failure, Secrets};
use crate::diagnostics::{Diagnostic, Severity, SourceMap, render};
use crate::error::Error;

/// Where a command writes to.
pub(super) struct Output {
    common: Common,
    /// Diagnostics so far, for `--format json`.
    diagnostics: Vec<serde_json::Value>,
    secrets: Secrets,
}

impl Output {
    pub(super) fn new(common: Common) -> Output {
        Output { common, diagnostics: vec![], secrets: Secrets::default() }
    }

    /// Where values are noted that must not be printed.
    pub(super) fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    pub(super) fn format(&self) -> Format {
        self.common.format
    }

    pub(super) fn quiet(&self) -> bool {
        self.common.quiet
    }

    /// Whether standard error is a person's terminal.
    pub(super) fn interactive(&self) -> bool {
        !self.common.quiet && self.common.format == Format::Text && std::io::stderr().is_terminal()
    }

    /// Whether results are coloured.
    pub(super) fn colored(&self) -> bool {
        self.wants_color(std::io::stdout().is_terminal())
    }

    fn wants_color(&self, terminal: bool) -> bool {
        match self.common.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// Writes a result.
    pub(super) fn result(&mut self, text: &str) {
        let text = self.secrets.mask(text);
        let mut out = std::io::stdout().lock();
        // A reader that has gone away (`pipe ... | head`) wants no more of it.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Writes a note for people.
    pub(super) fn note(&mut self, text: &str) {
        let _ = std::io::stderr().lock().write_all(self.secrets.mask(text).as_bytes());
    }

    /// Shows what is wrong with the author's text.
    pub(super) fn diagnostics(&mut self, sources: &SourceMap, diagnostics: &[Diagnostic]) {
        if self.common.format == Format::Json {
            self.diagnostics.extend(diagnostics.iter().map(|d| render::json(sources, d)));
            return;
        }
        let color = self.wants_color(std::io::stderr().is_terminal());
        for diagnostic in diagnostics {
            if self.common.quiet && diagnostic.severity == Severity::Warning {
                continue;
            }
            let text = render::text(sources, diagnostic, color);
            self.note(&format!("{}\n\n", text.trim_end()));
        }
    }

    /// The diagnostics that were shown, for a JSON result.
    pub(super) fn taken_diagnostics(&mut self) -> Vec<serde_json::Value> {
        std::mem::take(&mut self.diagnostics)
    }

    /// Shows a failure and returns the outcome that goes with it.
    pub(super) fn failure(&mut self, failure: Failure) -> Outcome {
        match failure {
            Failure::Spec(sources, diagnostics) => {
                self.diagnostics(&sources, &diagnostics);
                let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
                if self.common.format == Format::Json {
                    let list = self.taken_diagnostics();
                    self.json(&serde_json::json!({"status": "spec_error", "diagnostics": list}));
                } else {
                    self.note(&format!(
                        "{errors} error{}; `pipe explain CODE` tells more about a code\n",
                        if errors == 1 { "" } else { "s" }
                    ));
                }
                Outcome::SpecWrong
            }
            Failure::World(error) => self.error(&error),
        }
    }

    /// Shows an error of the world.
    pub(super) fn error(&mut self, error: &Error) -> Outcome {
        if self.common.format == Format::Json && !error.is_interrupted() {
            self.json(&serde_json::json!({"status": "error", "error": error_json(error)}));
        }
        self.explained(error)
    }

    /// Tells people of an error and returns the outcome that goes with it.
    pub(super) fn explained(&mut self, error: &Error) -> Outcome {
        if error.is_interrupted() {
            self.note("interrupted: nothing was written\n");
            return Outcome::Interrupted;
        }
        let place = match (&error.path, error.line) {
            (Some(path), Some(line)) => format!("\n --> {}:{line}", path.display()),
            (Some(path), None) => format!("\n --> {}", path.display()),
            (None, _) => String::new(),
        };
        let help: String = error.help.iter().map(|h| format!("\n  = help: {h}")).collect();
        self.note(&format!("error[{}]: {}{place}{help}\n", error.code, error.message.trim_end()));
        if error.code == "X0106" { Outcome::SpecWrong } else { Outcome::WorldFailed }
    }

    /// Writes a JSON result.
    pub(super) fn json(&mut self, value: &serde_json::Value) {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        self.result(&format!("{text}\n"));
    }
}

/// An error for tools.
pub(super) fn error_json(error: &Error) -> serde_json::Value {
    serde_json::json!({"code": error.code, "message": error.message, "file": error.path, "line": error.line, "help": error.help})
}

/// Lays lines of cells out in columns, each as wide as its widest cell.
pub(super) fn in_columns<T: AsRef<str>>(lines: &[Vec<T>]) -> String {
    let long = |cell: &T| cell.as_ref().chars().count();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(long).max().unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line.iter().enumerate().map(|(i, cell)| format!("{:<1$}", cell.as_ref(), width(i))).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
