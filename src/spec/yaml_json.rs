//! The reader behind [`super::yaml::parse_json`]: a JSON file as the same tree as YAML, with the same spans.
//!
//! JSON is nearly YAML, but not quite (tabs, control characters, long keys), so `serde_json` judges the syntax and decodes the texts;
//! this file only walks what is already known to be correct, to learn where each part stands. Does not know about YAML.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::yaml::{Map, Node, Value};
use crate::diagnostics::{Diagnostics, FileId, Span, Spanned};

/// Reads `text`, which is the content of `file`.
pub(super) fn read(text: &str, file: FileId, out: &mut Diagnostics) -> Option<Node> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let json = text.get(start..).unwrap_or("");
    if u32::try_from(text.len()).is_err() {
        out.error("E0104", Span { file, start: 0, end: 0 }, "document is larger than 4 GiB");
        return None;
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(json) {
        syntax_error(&error, json, start, file, out);
        return None;
    }
    Walk { text, at: start, file, out, depth: 0 }.value()
}

fn syntax_error(error: &serde_json::Error, json: &str, start: usize, file: FileId, out: &mut Diagnostics) {
    let line_start: usize = json.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let mut at = (line_start + error.column().saturating_sub(1)).min(json.len());
    while !json.is_char_boundary(at) {
        at -= 1;
    }
    let length = json[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    let span = Span { file, start: (start + at) as u32, end: (start + at + length) as u32 };
    let whole = error.to_string();
    let message = whole.split(" at line ").next().unwrap_or(&whole);
    out.error("E0101", span, format!("JSON cannot be read: {message}"));
}

/// How deep lists and mappings may nest.
const MAX_DEPTH: usize = 128;

/// A place in JSON that is known to be correct.
struct Walk<'t, 'o> {
    text: &'t str,
    at: usize,
    file: FileId,
    out: &'o mut Diagnostics,
    depth: usize,
}

impl Walk<'_, '_> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn span_from(&self, start: usize) -> Span {
        Span { file: self.file, start: start as u32, end: self.at as u32 }
    }

    fn value(&mut self) -> Option<Node> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'{' | b'[' if self.depth >= MAX_DEPTH => {
                let message = format!("lists and mappings are nested more than {MAX_DEPTH} levels deep");
                self.out.error("E0104", self.span_from(start), message);
                None
            }
            b'{' | b'[' => {
                self.depth += 1;
                let node = if first == b'{' { self.map(start) } else { self.list(start) };
                self.depth -= 1;
                node
            }
            b'"' => {
                let text = self.string()?;
                Some(Node { value: Value::Text { text: text.value, plain: false }, span: text.span })
            }
            _ => {
                let rest = self.text.get(start..)?;
                let end = rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
                self.at = start + end;
                let value = match rest.get(..end)? {
                    "null" => Value::Null,
                    "true" => Value::Boolean(true),
                    "false" => Value::Boolean(false),
                    number => Value::Number(number.to_owned()),
                };
                Some(Node { value, span: self.span_from(start) })
            }
        }
    }

    /// Reads a text; its span is what stands between the quotes.
    fn string(&mut self) -> Option<Spanned<String>> {
        let start = self.at;
        let mut escaped = false;
        let inside = self.text.get(start + 1..)?;
        let length = inside.bytes().position(|b| {
            let ends = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        })?;
        self.at = start + length + 2;
        let value = serde_json::from_str(self.text.get(start..self.at)?).ok()?;
        Some(Spanned::new(value, Span { file: self.file, start: start as u32 + 1, end: self.at as u32 - 1 }))
    }

    fn list(&mut self, start: usize) -> Option<Node> {
        let mut items = vec![];
        self.at += 1;
        while self.peek()? != b']' {
            items.push(self.value()?);
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        Some(Node { value: Value::List(items), span: self.span_from(start) })
    }

    fn map(&mut self, start: usize) -> Option<Node> {
        let mut map = Map::default();
        let mut places: BTreeMap<String, Span> = BTreeMap::new();
        self.at += 1;
        while self.peek()? != b'}' {
            let key = self.string()?;
            self.peek()?;
            self.at += 1;
            let value = self.value()?;
            if let Some(first) = places.get(&key.value) {
                self.out
                    .error("E0103", key.span, format!("key `{}` stands twice in the same mapping", key.value))
                    .label(*first, "first here")
                    .help("Remove one of them, or merge their values.");
            } else {
                places.insert(key.value.clone(), key.span);
                map.entries.push((key, value));
            }
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        Some(Node { value: Value::Map(map), span: self.span_from(start) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::yaml::parse_json;
    use super::*;
    use crate::diagnostics::SourceMap;

    #[test]
    fn every_form_of_json_keeps_its_place() {
        let text = "{\"a\\/b\": [1.10, -0, 1E5, true, null],\n\t\"\\ud83d\\ude00\": \"x\\\"\\\\\", \"é\": {}, \"l\": [ ] }\n";
        let mut sources = SourceMap::default();
        let file = sources.add("v.json", text);
        let mut out = Diagnostics::default();
        let node = parse_json(&sources, file, &mut out).unwrap();
        assert!(out.is_empty());
        assert_eq!(node.to_json().to_string(), r#"{"a/b":[1.10,-0,1e+5,true,null],"😀":"x\"\\","é":{},"l":[]}"#);
        let Value::Map(map) = &node.value else { panic!("a mapping") };
        let shown: Vec<_> = map.entries.iter().map(|(k, v)| (sources.snippet(k.span), sources.snippet(v.span))).collect();
        assert_eq!(shown, [("a\\/b", "[1.10, -0, 1E5, true, null]"), ("\\ud83d\\ude00", "x\\\"\\\\"), ("é", "{}"), ("l", "[ ]")]);
    }

    #[test]
    fn broken_json_is_told_at_its_place() {
        for (text, place, code) in [
            ("", (1, 1), "E0101"),
            ("{\"a\": 1,}", (1, 9), "E0101"),
            ("{\"a\": 1,\n \"b\" 2}", (2, 6), "E0101"),
            ("{\"a\": ", (1, 6), "E0101"),
            ("{} x", (1, 4), "E0101"),
        ] {
            let mut sources = SourceMap::default();
            let file = sources.add("v.json", text);
            let mut out = Diagnostics::default();
            assert!(parse_json(&sources, file, &mut out).is_none(), "{text}");
            let found = out.into_sorted();
            assert_eq!((found[0].code, sources.line_column(found[0].span)), (code, place), "{text} {found:?}");
        }
    }

    #[test]
    fn deep_json_is_refused_and_repeated_keys_are_told() {
        let mut sources = SourceMap::default();
        let deep = sources.add("deep.json", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
        let twice = sources.add("twice.json", r#"{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}"#);
        let mut out = Diagnostics::default();
        assert!(parse_json(&sources, deep, &mut out).is_none());
        assert!(parse_json(&sources, twice, &mut out).is_some());
        let codes: Vec<_> = out.into_sorted().iter().map(|d| (d.code, d.labels.len())).collect();
        assert_eq!(codes, [("E0104", 0), ("E0103", 1), ("E0103", 1)]);
    }
}
