//! The reader behind [`super::yaml::parse`]: YAML events in, a spanned tree out.
//!
//! Works on the parser's event stream with a stack of its own, because only events tell the byte span and the style of every key and
//! scalar, and because a document of a hundred thousand brackets must not end in a stack overflow. Depth, and what aliases copy, are
//! bounded. The only user of the YAML crate. Does not know about pipelines, or about JSON (see `yaml_json`).

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

use super::yaml::{Node, Value};
use super::{yaml_error, yaml_mend};
use crate::diagnostics::{Diagnostics, FileId, Span};

/// How deep lists and mappings may nest, aliases followed.
const MAX_DEPTH: usize = 128;
/// How much all aliases together may copy: nodes, plus one for each 16 bytes of text.
const MAX_COPIED: usize = 200_000;
/// The largest document; spans count bytes in 32 bits, and no honest spec comes near.
const MAX_BYTES: usize = 1 << 30;

/// Reads `text`, which is the content of `file`.
pub(super) fn read(text: &str, file: FileId, out: &mut Diagnostics) -> Option<Node> {
    if text.len() > MAX_BYTES {
        out.error("E0104", Span { file, start: 0, end: 0 }, "document is larger than 1 GiB");
        return None;
    }
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        simple_key_max_lookahead: 65_536,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut reader = Reader { text, file, out, stack: vec![], anchors: BTreeMap::new(), copied: 0, root: None, failed: false };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => reader.event(event, span),
            Err(error) => reader.syntax_error(&error),
        }
        if reader.failed {
            return None;
        }
    }
    Some(reader.root.unwrap_or(Node { value: Value::Null, span: Span { file, start: 0, end: 0 } }))
}

/// A list or mapping that is still open. A mapping's keys and values lie in `nodes` by turns.
pub(super) struct Open {
    pub(super) map: bool,
    pub(super) flow: bool,
    pub(super) start: usize,
    pub(super) nodes: Vec<Node>,
    anchor: usize,
    /// How many levels lie below this one.
    depth: usize,
}

struct Anchor {
    node: Node,
    depth: usize,
    cost: usize,
}

struct Reader<'t, 'o> {
    text: &'t str,
    file: FileId,
    out: &'o mut Diagnostics,
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Anchor>,
    copied: usize,
    root: Option<Node>,
    failed: bool,
}

impl Reader<'_, '_> {
    fn event(&mut self, event: Event<'_>, place: granit_parser::Span) {
        let range = place.byte_range().unwrap_or(0..0);
        let span = self.span(range.start, range.end);
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                self.out
                    .error("E0101", span, "file holds more than one YAML document")
                    .help("Put each document into a file of its own, or remove the `---`.");
                self.failed = true;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), span);
                self.complete(node, anchor, 0);
            }
            Event::SequenceStart(style, anchor, tag) => self.open(false, style, anchor, tag.as_deref(), span),
            Event::MappingStart(style, anchor, tag) => self.open(true, style, anchor, tag.as_deref(), span),
            Event::SequenceEnd | Event::MappingEnd => self.close(range.end),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                self.out
                    .error("E0101", span, format!("alias `{name}` refers to no anchor"))
                    .help(format!("Define `&{name}` further up, or quote the text if it is not meant as an alias."));
                self.complete(Node { value: Value::Null, span }, 0, 0);
            }
            _ => {}
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, mut span: Span) -> Node {
        let forced_text = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
        if let Some(tag) = tag.filter(|_| !forced_text) {
            self.unsupported_tag(tag, span);
        }
        let value = match style {
            ScalarStyle::Plain if span.start == span.end => Value::Null,
            ScalarStyle::Plain if !forced_text => plain_value(text, self.source(span) == text),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                span = Span { start: span.start + 1, end: span.end.saturating_sub(1).max(span.start + 1), ..span };
                Value::Text { text: text.to_owned(), plain: false }
            }
            _ => Value::Text { text: text.to_owned(), plain: false },
        };
        Node { value, span }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    fn source(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    fn unsupported_tag(&mut self, tag: &Tag, span: Span) {
        if !matches!(tag.core_suffix(), Some("map" | "seq")) {
            self.out
                .error("E0101", span, format!("tag `{}` is not supported", tag.original()))
                .help("Remove the tag, or quote the text if `!` belongs to it.");
        }
    }

    fn open(&mut self, map: bool, style: StructureStyle, anchor: usize, tag: Option<&Tag>, span: Span) {
        if let Some(tag) = tag {
            self.unsupported_tag(tag, span);
        }
        if self.stack.len() >= MAX_DEPTH {
            return self.too_deep(span);
        }
        let flow = style == StructureStyle::Flow;
        self.stack.push(Open { map, flow, start: span.start as usize, nodes: vec![], anchor, depth: 0 });
    }

    fn close(&mut self, end: usize) {
        let Some(open) = self.stack.pop() else { return };
        // The end of a block is only known by what follows it, so its last part tells where it really ends.
        let end =
            if open.flow { end } else { open.nodes.last().map_or(open.start, |last| last.span.end as usize).max(open.start) };
        let (anchor, depth) = (open.anchor, open.depth + 1);
        let span = self.span(open.start, end);
        let value = yaml_mend::collection(open, span, self.text, self.out);
        self.complete(Node { value, span }, anchor, depth);
    }

    /// Puts a finished node where it belongs.
    fn complete(&mut self, mut node: Node, anchor: usize, depth: usize) {
        if anchor != 0 {
            let cost = cost(&node);
            self.anchors.insert(anchor, Anchor { node: node.clone(), depth, cost });
        }
        let Some(parent) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        if node.value == Value::Null && node.span.start == node.span.end {
            // Nothing was written: the key is the place to point at.
            if let Some(key) = parent.nodes.last().filter(|_| parent.map && parent.nodes.len() % 2 == 1) {
                node.span = key.span;
            }
        }
        parent.depth = parent.depth.max(depth);
        parent.nodes.push(node);
    }

    fn alias(&mut self, id: usize, span: Span) {
        let Some(anchor) = self.anchors.get(&id) else {
            self.out.error("E0104", span, format!("alias `{}` lies inside the value that it refers to", self.source(span)));
            self.failed = true;
            return;
        };
        self.copied += anchor.cost;
        if self.copied > MAX_COPIED {
            let message = format!("aliases repeat too much: `{}` exceeds the limit", self.source(span));
            self.out
                .error("E0104", span, message)
                .label(anchor.node.span, "it stands for this")
                .help("Write the repeated parts out, or move them into a macro or a variable.");
            self.failed = true;
        } else if self.stack.len() + anchor.depth > MAX_DEPTH {
            self.too_deep(span);
        } else {
            let (node, depth) = (anchor.node.clone(), anchor.depth);
            self.complete(node, 0, depth);
        }
    }

    fn too_deep(&mut self, span: Span) {
        self.out.error("E0104", span, format!("lists and mappings are nested more than {MAX_DEPTH} levels deep"));
        self.failed = true;
    }

    fn syntax_error(&mut self, error: &ScanError) {
        self.failed = true;
        let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let length = self.text.get(at..).and_then(|rest| rest.chars().next()).filter(|c| *c != '\n').map_or(0, char::len_utf8);
        let span = self.span(at, at + length);
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            self.too_deep(span);
        } else {
            let in_flow = self.stack.last().is_some_and(|open| open.flow);
            yaml_error::report(error.kind(), span, in_flow, self.text, self.out);
        }
    }
}

/// Reads a plain scalar by the core schema of YAML 1.2; `exact` tells that it lies on one line.
fn plain_value(text: &str, exact: bool) -> Value {
    match text {
        "null" | "Null" | "NULL" | "~" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text { text: text.to_owned(), plain: exact },
    }
}

fn is_number(text: &str) -> bool {
    let all = |digits: &str, ok: fn(&u8) -> bool| !digits.is_empty() && digits.bytes().all(|b| ok(&b));
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, u8::is_ascii_hexdigit);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return all(digits, |b| (b'0'..=b'7').contains(b));
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    (!whole.is_empty() || !fraction.is_empty())
        && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        && exponent.is_none_or(|digits| all(digits, u8::is_ascii_digit))
}

fn cost(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Boolean(_) => 0,
        Value::Number(text) | Value::Text { text, .. } => text.len() / 16,
        Value::List(items) => items.iter().map(cost).sum(),
        Value::Map(map) => map.entries.iter().map(|(key, value)| 1 + key.value.len() / 16 + cost(value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::yaml::{Map, parse};
    use super::*;
    use crate::diagnostics::{Diagnostic, SourceMap};

    fn read(text: &str) -> (SourceMap, Option<Node>, Vec<Diagnostic>) {
        let mut sources = SourceMap::default();
        let file = sources.add("a.yaml", text);
        let mut out = Diagnostics::default();
        let node = parse(&sources, file, &mut out);
        (sources, node, out.into_sorted())
    }

    fn map(node: &Node) -> &Map {
        let Value::Map(map) = &node.value else { panic!("a mapping, not {}", node.kind()) };
        map
    }

    #[test]
    fn scalars_keep_their_kind_form_and_place() {
        let text = "a: 1.10\nb: 007\nc: 1e5\nd: '1'\ne: yes\nf: True\ng: ~\nh:\ni: \"q\\\"r\"\nj: a b\nk: |\n  x\n  y\nl: é\nm: 0x1F\nn: 1.2.3\n";
        let (sources, node, found) = read(text);
        assert!(found.is_empty(), "{found:?}");
        let node = node.unwrap();
        let entries = &map(&node).entries;
        let text_of = |t: &str, plain| Value::Text { text: t.to_owned(), plain };
        let wanted = [
            ("a", Value::Number("1.10".to_owned()), "1.10"),
            ("b", Value::Number("007".to_owned()), "007"),
            ("c", Value::Number("1e5".to_owned()), "1e5"),
            ("d", text_of("1", false), "1"),
            ("e", text_of("yes", true), "yes"),
            ("f", Value::Boolean(true), "True"),
            ("g", Value::Null, "~"),
            ("h", Value::Null, "h"),
            ("i", text_of("q\"r", false), "q\\\"r"),
            ("j", text_of("a b", true), "a b"),
            ("k", text_of("x\ny\n", false), "x\n  y\n"),
            ("l", text_of("é", true), "é"),
            ("m", Value::Number("0x1F".to_owned()), "0x1F"),
            ("n", text_of("1.2.3", true), "1.2.3"),
        ];
        assert_eq!(entries.len(), wanted.len());
        for ((key, value), (name, wanted, source)) in entries.iter().zip(wanted) {
            assert_eq!((key.value.as_str(), sources.snippet(key.span)), (name, name));
            assert_eq!((&value.value, sources.snippet(value.span)), (&wanted, source), "{name}");
        }
    }

    #[test]
    fn a_block_ends_where_its_last_part_ends() {
        let (sources, node, _) = read("a:\n  b: [1, 2]\n\n# end\nc: 1\n");
        let node = node.unwrap();
        assert_eq!(sources.snippet(map(&node).get("a").unwrap().span), "b: [1, 2]");
    }

    #[test]
    fn all_repeated_keys_are_told_with_both_places() {
        let (sources, node, found) = read("a: 1\nb: {x: 1, x: 2}\na: 3\na: 4\n");
        assert_eq!(map(&node.unwrap()).entries.len(), 2);
        let places: Vec<_> =
            found.iter().map(|d| (d.code, sources.line_column(d.span), sources.line_column(d.labels[0].0))).collect();
        assert_eq!(places, [("E0103", (2, 11), (2, 5)), ("E0103", (3, 1), (1, 1)), ("E0103", (4, 1), (1, 1))]);
    }

    #[test]
    fn syntax_errors_have_their_place() {
        for (text, place) in [
            ("a: b: c\n", (1, 5)),
            ("a:\n\t- x\n", (2, 2)),
            ("a: 'foo\nb: 3\n", (2, 1)),
            ("a: 1\n b: 2\n", (2, 3)),
            ("a: %x\n", (1, 4)),
            ("a: *nowhere\n", (1, 4)),
            ("a: !custom x\n", (1, 12)),
            ("a: 1\n---\nb: 2\n", (2, 1)),
            ("[1]: 2\n", (1, 1)),
        ] {
            let (sources, _, found) = read(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!((found[0].code, sources.line_column(found[0].span)), ("E0101", place), "{text}: {found:?}");
        }
    }

    #[test]
    fn expressions_with_commas_in_flow_style_are_told_and_mended() {
        let (sources, node, found) = read("a: {id: uuid5(x, g(1, 2), y), ok: h(1), z: k(c, d)}\nb: [f(a, b), c, d]\n");
        let told: Vec<_> = found.iter().map(|d| (d.code, sources.snippet(d.span))).collect();
        assert_eq!(told, [("E0105", "uuid5(x, g(1, 2), y)"), ("E0105", "k(c, d)"), ("E0105", "f(a, b)")]);
        let json = serde_json::json!({
            "a": {"id": "uuid5(x, g(1, 2), y)", "ok": "h(1)", "z": "k(c, d)"},
            "b": ["f(a, b)", "c", "d"],
        });
        assert_eq!(node.unwrap().to_json(), json);
        for text in ["{n: f(a, 'x')}", "{n: f([1], 2)}", "{n: f(a, \"x\")}"] {
            let (_, node, found) = read(text);
            assert!(node.is_none());
            assert_eq!((found.len(), found[0].code), (1, "E0105"), "{text} {found:?}");
        }
    }

    #[test]
    fn the_call_of_the_language_description_is_told_and_mended() {
        let (sources, node, found) = read("{id: uuid5(a, b)}");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].code, sources.snippet(found[0].span)), ("E0105", "uuid5(a, b)"));
        assert_eq!(found[0].message, "flow style splits `uuid5(a, b)` at its comma");
        assert_eq!(found[0].help, ["Quote the expression, as in `id: \"uuid5(a, b)\"`, or write it on a line of its own."]);
        let node = node.unwrap();
        assert_eq!(map(&node).entries.len(), 1);
        assert_eq!(map(&node).get("id").unwrap().value, Value::Text { text: "uuid5(a, b)".to_owned(), plain: true });
    }

    #[test]
    fn templates_without_quotes_are_told() {
        for text in ["t: {{ vars.x }}\n", "t: {{ vars.x }} + 1\n", "- {{ vars.x | default('a') }}\n", "t: [1, {{ x }}]\n"] {
            let (sources, _, found) = read(text);
            assert_eq!((found.len(), found[0].code), (1, "E0108"), "{text}: {found:?}");
            assert!(sources.snippet(found[0].span).starts_with("{{"), "{text}");
            assert!(sources.snippet(found[0].span).ends_with("}}"), "{text}");
        }
    }

    #[test]
    fn aliases_and_inherited_keys_are_followed() {
        let (_, node, found) = read("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\nsame: *b\n");
        assert!(found.is_empty(), "{found:?}");
        let json = node.unwrap().to_json();
        assert_eq!(json["more"], serde_json::json!({"y": 3, "x": 1}));
        assert_eq!(json["same"], serde_json::json!({"x": 1, "y": 2}));
    }

    #[test]
    fn bombs_are_refused() {
        let mut billion = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            billion += &format!("a{level}: &a{level} [{before}]\n");
        }
        let mut deep = "a0: &a0 [x]\n".to_owned();
        for level in 1..300 {
            deep += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        let mut block = String::new();
        for level in 0..2000 {
            block += &format!("{}a:\n", " ".repeat(level));
        }
        let texts =
            [billion, deep, block, "[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "&a [*a]".to_owned()];
        for text in texts {
            let (_, node, found) = read(&text);
            assert!(node.is_none());
            assert_eq!((found.len(), found[0].code), (1, "E0104"), "{} {found:?}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn odd_files_do_not_break_the_reader() {
        for text in ["", "# only a comment\n", "\u{feff}a: 1\n", "a: 1\r\nb: 2\r\n", "---\na: 1\n...\n"] {
            let (_, node, found) = read(text);
            assert!(node.is_some() && found.is_empty(), "{text:?} {found:?}");
        }
        for text in ["\0", "a: \u{1b}[31m", "{", "}", "'", "\"\\", "&", "*", "? ", ": ", "- - -", "{{", "a: [f(", "<<: 3"] {
            let _ = read(text);
        }
    }
}
