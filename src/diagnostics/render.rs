//! Diagnostics as text with snippets, and as JSON.
//!
//! In: a [`Diagnostic`] and the texts that its spans point into. Out: what a terminal or a program reads. Only the lines that matter are
//! handed to the renderer, long ones cut around the place, and whatever a terminal could take for a command is made harmless.
//! The only user of the snippet crate. Does not know about streams, or whether colour is wanted.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::{Diagnostic, FileId, Severity, SourceMap, Span};

/// How wide snippets become.
const WIDTH: usize = 130;
/// A marked part that is longer is cut.
const MAX_MARKED: usize = 100;
/// Lines up to this length are given to the renderer as they are.
const MAX_LINE: usize = 4_000;

/// Returns a diagnostic the way compilers show it, with a newline at its end.
pub fn text(sources: &SourceMap, diagnostic: &Diagnostic, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut places = vec![Place::new(sources, diagnostic.span, None)];
    places.extend(diagnostic.labels.iter().map(|(span, label)| Place::new(sources, *span, Some(label))));
    let mut files: Vec<FileId> = vec![];
    for place in &places {
        if !files.contains(&place.file) {
            files.push(place.file);
        }
    }
    let title = level.primary_title(one_line(&diagnostic.message)).id(diagnostic.code);
    let mut group = Group::with_title(title);
    let mut corrections = vec![];
    for file in files {
        for window in windows(&places, file) {
            let (moved, snippet) = snippet(sources, &places, file, &window);
            corrections.extend(moved);
            group = group.element(snippet);
        }
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(harmless(help)));
    }
    let renderer = if color { Renderer::styled().hyperlink(false) } else { Renderer::plain() };
    let mut rendered = renderer.term_width(WIDTH).render(&[group]);
    for (counted, real) in corrections {
        rendered = rendered.replacen(&counted, &real, 1);
    }
    rendered = harmless_terminal(&rendered);
    rendered.push('\n');
    rendered
}

/// Returns a diagnostic for programs: lines and columns count from one, columns in characters.
pub fn json(sources: &SourceMap, diagnostic: &Diagnostic) -> serde_json::Value {
    let place = |span: Span| {
        let (line, column) = sources.line_column(span);
        (sources.path(span.file).to_string_lossy().into_owned(), line, column)
    };
    let (file, line, column) = place(diagnostic.span);
    let end = Span { start: diagnostic.span.end.max(diagnostic.span.start), ..diagnostic.span };
    let (end_line, end_column) = sources.line_column(end);
    let labels: Vec<_> = diagnostic
        .labels
        .iter()
        .map(|(span, text)| {
            let (file, line, column) = place(*span);
            json!({"file": file, "line": line, "column": column, "text": text})
        })
        .collect();
    json!({
        "code": diagnostic.code,
        "severity": diagnostic.severity.to_string(),
        "message": diagnostic.message,
        "file": file,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "help": diagnostic.help,
        "labels": labels,
    })
}

/// A span that lies within its file and within one line, and what is said about it.
struct Place {
    file: FileId,
    start: usize,
    end: usize,
    /// Counted from one.
    line: usize,
    line_start: usize,
    line_end: usize,
    label: Option<String>,
}

impl Place {
    fn new(sources: &SourceMap, span: Span, label: Option<&String>) -> Place {
        let text = sources.text(span.file);
        let start = boundary(text, span.start as usize);
        let before = text.get(..start).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |length| start + length);
        // A carriage return belongs to the line's end.
        let line_end = if text.get(start..line_end).is_some_and(|rest| rest.ends_with('\r')) { line_end - 1 } else { line_end };
        let end = boundary(text, (span.end as usize).min(line_end).min(start + MAX_MARKED)).max(start);
        let line = before.matches('\n').count() + 1;
        Place { file: span.file, start, end, line, line_start, line_end, label: label.map(|label| one_line(label)) }
    }
}

/// Returns the next place at or before `at` where `text` may be cut.
fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
}

/// The lines of one file that are shown together: the indices of their places.
struct Window {
    places: Vec<usize>,
    start: usize,
    end: usize,
    first_line: usize,
}

/// Groups the places of a file: those that lie far from each other are shown apart, the primary one first.
fn windows(places: &[Place], file: FileId) -> Vec<Window> {
    let mut found: Vec<Window> = vec![];
    for (index, place) in places.iter().enumerate().filter(|(_, place)| place.file == file) {
        let near = |window: &&mut Window| {
            let (start, end) = (window.start.min(place.line_start), window.end.max(place.line_end));
            end - start <= MAX_LINE
        };
        match found.iter_mut().find(near) {
            Some(window) => {
                window.places.push(index);
                window.start = window.start.min(place.line_start);
                window.end = window.end.max(place.line_end);
                window.first_line = window.first_line.min(place.line);
            }
            None => {
                found.push(Window { places: vec![index], start: place.line_start, end: place.line_end, first_line: place.line });
            }
        }
    }
    found
}

/// Makes the snippet of a window. Where a line is cut, the renderer counts columns from the cut: then the place that it will write comes
/// with it, and the real one.
fn snippet<'a>(
    sources: &'a SourceMap,
    places: &[Place],
    file: FileId,
    window: &Window,
) -> (Option<(String, String)>, Snippet<'a, Annotation<'a>>) {
    let text = sources.text(file);
    let path = one_line(&sources.path(file).to_string_lossy());
    let mut start = window.start;
    let mut end = window.end;
    let mut moved = None;
    if let ([only], true) = (window.places.as_slice(), end - start > MAX_LINE)
        && let Some(place) = places.get(*only)
    {
        start = boundary(text, place.start.saturating_sub(WIDTH / 3)).max(window.start);
        end = boundary(text, place.end + WIDTH / 3).min(window.end);
        let column = |from: usize| text.get(from..place.start).map_or(1, |before| before.chars().count() + 1);
        let shown = |column: usize| format!("{path}:{}:{column}", place.line);
        moved = Some((shown(column(start)), shown(column(place.line_start))));
    }
    let mut result = Snippet::source(text.get(start..end).unwrap_or("")).line_start(window.first_line).path(path);
    for index in &window.places {
        let Some(place) = places.get(*index) else { continue };
        let kind = if *index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let range = place.start.saturating_sub(start)..place.end.saturating_sub(start);
        result = result.annotation(kind.span(range).label(place.label.clone()));
    }
    (moved, result)
}

/// Makes a text harmless that must not break its line.
fn one_line(text: &str) -> String {
    annotate_snippets::normalize_untrusted_str(&text.replace(['\n', '\r'], " "))
}

/// Replaces control characters, but for newlines.
fn harmless(text: &str) -> String {
    text.lines().map(annotate_snippets::normalize_untrusted_str).collect::<Vec<_>>().join("\n")
}

/// Replaces the control characters above ASCII, which some terminals obey and the renderer passes on.
fn harmless_terminal(text: &str) -> String {
    text.chars()
        .map(
            |c| {
                if matches!(c, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}') { '\u{fffd}' } else { c }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Diagnostics;
    use super::*;

    fn one(report: impl FnOnce(&mut Diagnostics)) -> Diagnostic {
        let mut out = Diagnostics::default();
        report(&mut out);
        out.into_sorted().remove(0)
    }

    fn at(file: FileId, start: u32, end: u32) -> Span {
        Span { file, start, end }
    }

    #[test]
    fn shows_place_snippet_labels_and_help() {
        let mut sources = SourceMap::default();
        let file = sources.add("my pipelines/sales.yaml", "tables:\n  a:\n    from: rww\n  b:\n    from: raw\n");
        let other = sources.add("schemas/a.yaml", "table: a\n");
        let start = |part: &str| sources.text(file).find(part).unwrap() as u32;
        let (rww, raw) = (start("rww"), start("raw"));
        let d = one(|out| {
            out.error("E0203", at(file, rww, rww + 3), "table `a` reads `rww`, which does not exist")
                .label(at(file, raw, raw + 3), "this one does")
                .label(at(other, 7, 8), "declared here")
                .help("Did you mean `raw`?");
        });
        let wanted = "\
error[E0203]: table `a` reads `rww`, which does not exist
 --> my pipelines/sales.yaml:3:11
  |
3 |     from: rww
  |           ^^^
4 |   b:
5 |     from: raw
  |           --- this one does
  |
 ::: schemas/a.yaml:1:8
  |
1 | table: a
  |        - declared here
  |
  = help: Did you mean `raw`?
";
        assert_eq!(text(&sources, &d, false), wanted);
        assert!(text(&sources, &d, true).contains("\u{1b}["));
    }

    #[test]
    fn gives_programs_the_same() {
        let mut sources = SourceMap::default();
        let file = sources.add("a.yaml", "é: 1\nb: 2\n");
        let d = one(|out| {
            out.warning("W0201", at(file, 4, 9), "odd").label(at(file, 0, 2), "here").help("Do not.");
        });
        let wanted = json!({
            "code": "W0201", "severity": "warning", "message": "odd", "file": "a.yaml", "line": 1, "column": 4,
            "end_line": 2, "end_column": 4, "help": ["Do not."],
            "labels": [{"file": "a.yaml", "line": 1, "column": 1, "text": "here"}],
        });
        assert_eq!(json(&sources, &d), wanted);
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let mut sources = SourceMap::default();
        let long = format!("a: [{}needle{}]\n", "é, ".repeat(300_000), "x, ".repeat(300_000));
        let start = long.find("needle").unwrap() as u32;
        let file = sources.add("a.yaml", long);
        let whole = one(|out| {
            out.error("E0101", at(file, 0, 1_000_000), "whole");
        });
        let needle = one(|out| {
            out.error("E0101", at(file, start, start + 6), "part").label(at(file, 0, 1), "far off");
        });
        let shown = text(&sources, &needle, false);
        assert!(shown.contains("needle") && shown.contains("^^^^^^") && shown.contains(":1:900005"), "{shown}");
        assert!(shown.contains("far off"), "{shown}");
        for shown in [shown, text(&sources, &whole, false)] {
            assert!(shown.lines().all(|line| line.chars().count() < 2 * WIDTH), "{shown}");
        }
    }

    #[test]
    fn controls_are_made_harmless() {
        let mut sources = SourceMap::default();
        let file = sources.add("a\u{1b}[31m\n.yaml", "a: \u{1b}[2J\u{9b}31m\u{202e}\tb\r\n");
        let d = one(|out| {
            out.error("E0101", at(file, 3, 7), "bad \u{1b}[2J\u{7}\nnews")
                .label(at(file, 0, 1), "\u{1b}]0;x\u{7}")
                .help("\u{1b}c Do.\nThen \u{9b}2J.");
        });
        let shown = text(&sources, &d, false);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        assert!(!shown.contains('\u{202e}') && shown.contains("Then"), "{shown:?}");
        assert!(shown.starts_with("error[E0101]: bad "), "{shown:?}");
    }

    #[test]
    fn odd_spans_do_not_panic() {
        let mut sources = SourceMap::default();
        let files = [sources.add("empty", ""), sources.add("a", "é\n日本\r\n\n"), sources.add("no newline", "x")];
        for file in files {
            for start in 0..12 {
                for end in [0, 1, 2, 3, 5, 8, 11, u32::MAX] {
                    let d = one(|out| {
                        out.error("E0101", at(file, start, end), "m").label(at(file, end, start), "l");
                    });
                    assert!(text(&sources, &d, false).starts_with("error[E0101]: m"));
                    assert_eq!(json(&sources, &d)["code"], "E0101");
                }
            }
        }
    }
}
