//! What is wrong with YAML that cannot be read, in an author's words.
//!
//! In: the kind of error, as the parser names it, and its place. Out: a diagnostic that says what to do. Where the line shows one of
//! the two habits that YAML does not understand (a template without quotes, an expression with commas inside brackets), that is what
//! is told. Does not know about events or trees.

use serde_saphyr::granit_parser::ErrorKind;

use super::yaml_mend::source;
use crate::diagnostics::{Diagnostics, Span};

/// Reports what the parser could not read at `at`; `in_flow` tells that it stood inside brackets that were opened before.
pub(super) fn report(kind: &ErrorKind, at: Span, in_flow: bool, text: &str, out: &mut Diagnostics) {
    if explains(at, in_flow, text, out) {
        return;
    }
    let (message, help) = wording(kind);
    let found = out.error("E0101", at, message);
    if let Some(help) = help {
        found.help(help);
    }
}

/// Reports a template without quotes, once it is known where it stands.
pub(super) fn unquoted_template(span: Span, text: &str, out: &mut Diagnostics) {
    out.error("E0108", span, "a template without quotes is read as a YAML mapping")
        .help(format!("Put the whole value in quotes: \"{}\".", source(text, span)));
}

/// Reports the cause of a syntax error, if it is a template without quotes or an expression with commas in flow style.
fn explains(at: Span, in_flow: bool, text: &str, out: &mut Diagnostics) -> bool {
    let line_start = text.get(..at.start as usize).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or("");
    let before_template = line.find("{{").map(|offset| (offset, line[..offset].trim_end()));
    if let Some((offset, before)) = before_template
        && before.ends_with([':', '-', ',', '[', '{'])
    {
        let length = line[offset..].find("}}").map_or(2, |end| end + 2);
        unquoted_template(new_span(at, line_start + offset, line_start + offset + length), text, out);
        return true;
    }
    let Some(offset) = cut_call(text.get(line_start..at.start as usize).unwrap_or(""), in_flow) else {
        return false;
    };
    out.error(
        "E0105",
        new_span(at, line_start + offset, at.end as usize),
        "flow style cuts this expression off at a comma or bracket",
    )
    .help("Quote the whole expression, or write it on a line of its own.");
    true
}

/// Finds where the value begins whose `(` is still open at the end of `line`, if it stands in flow style.
fn cut_call(line: &str, in_flow: bool) -> Option<usize> {
    let mut flow = usize::from(in_flow);
    let mut value_start = 0;
    let mut call = None;
    let mut quote = None;
    for (offset, c) in line.char_indices() {
        match c {
            _ if quote.is_some() => quote = quote.filter(|open| *open != c),
            '\'' | '"' => quote = Some(c),
            '{' | '[' if call.is_none() => flow += 1,
            '}' | ']' if call.is_none() => flow = flow.saturating_sub(1),
            '(' if flow > 0 => call = call.map(|(start, depth)| (start, depth + 1)).or(Some((value_start, 1))),
            ')' => call = call.filter(|(_, depth)| *depth > 1).map(|(start, depth)| (start, depth - 1)),
            _ => {}
        }
        if call.is_none() && matches!(c, '{' | '[' | ',' | ':' | ' ') {
            value_start = offset + 1;
        }
    }
    call.map(|(start, _): (usize, usize)| start)
}

fn new_span(near: Span, start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32, ..near }
}

/// Says a syntax error in an author's words, with what to do where that is known.
fn wording(kind: &ErrorKind) -> (String, Option<&'static str>) {
    let (message, help) = match kind {
        ErrorKind::MappingValueNotAllowed => (
            "a `:` cannot stand here",
            "Quote a text that holds `: `, and check that this line is indented like the lines around it.",
        ),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent | ErrorKind::DocumentIndicatorInQuotedScalar => {
            ("quoted text is not closed", "Close the quote on the line where it was opened.")
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "text follows a closing quote",
            "Quote the whole value: a value that begins with a quote ends with it. SQL text goes inside, as in \"'a' || b\".",
        ),
        ErrorKind::TabInIndentation
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabInPlainScalar => ("a tab cannot indent YAML", "Indent with spaces."),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::SimpleKeyExpected | ErrorKind::InvalidIndentation => (
            "expected a `key: value` line",
            "Check that the line has a `:` with a space behind it and is indented like the lines around it.",
        ),
        ErrorKind::InvalidColonPlacement | ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            (
                "expected a comma or a closing bracket",
                "Close every `[` and `{` that was opened further up, and quote texts that hold brackets or `: `.",
            )
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            ("expected another `- ` item of this list", "A list and keys cannot stand at the same indent: indent one of them.")
        }
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::UnexpectedEofFlowMapping | ErrorKind::UnclosedFlowCollection { .. } => {
            ("a bracket is not closed", "Close every `[` and `{` that was opened.")
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            ("unknown escape in double-quoted text", "Write the text in single quotes, where a backslash is only a backslash.")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let message = format!("a plain text cannot start with `{}`", character.escape_default());
            return (message, Some("Quote the text."));
        }
        other => return (other.to_string().replace("while ", ""), None),
    };
    (message.to_owned(), Some(help))
}
