//! A YAML document as a tree that knows where each part was written.
//!
//! In: the text of one file. Out: a [`Node`], or diagnostics. Scalars keep their written form, so that `1.10` stays `1.10`.
//! The span of a scalar is the text inside its quotes, so where the text has as many bytes as its span, offsets map one to one.
//! `yaml_read` makes the tree from YAML, `yaml_json` from JSON. Does not know about pipelines.

use crate::diagnostics::{Diagnostics, FileId, SourceMap, Span, Spanned};

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub value: Value,
    pub span: Span,
}

/// The kinds of YAML values.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    /// A plain number, as written.
    Number(String),
    /// `plain` tells that it stood without quotes; only then do its characters lie in the file as they are here.
    Text {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Map),
}

/// A mapping in written order, without repeated keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    pub entries: Vec<(Spanned<String>, Node)>,
}

/// Parses `file`; reports syntax errors, repeated keys and alias bombs, and returns what can be used.
///
/// An empty file is [`Value::Null`]; after a syntax error there is nothing.
pub fn parse(sources: &SourceMap, file: FileId, out: &mut Diagnostics) -> Option<Node> {
    super::yaml_read::read(sources.text(file), file, out)
}

/// Parses a JSON `file` into the same tree; reports syntax errors and repeated keys.
pub fn parse_json(sources: &SourceMap, file: FileId, out: &mut Diagnostics) -> Option<Node> {
    super::yaml_json::read(sources.text(file), file, out)
}

impl Node {
    /// Names the kind of this value for messages: `a list`, `text`.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Boolean(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text { .. } => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Returns the text of a scalar (numbers and booleans as written), or reports that `what` must be text.
    pub fn expect_text(&self, what: &str, out: &mut Diagnostics) -> Option<Spanned<String>> {
        let text = match &self.value {
            Value::Text { text, .. } => text.clone(),
            Value::Number(number) => number.clone(),
            Value::Boolean(boolean) => boolean.to_string(),
            Value::Null | Value::List(_) | Value::Map(_) => return self.unexpected(what, "text", out),
        };
        Some(Spanned::new(text, self.span))
    }

    /// Returns the items of a list, or reports that `what` must be a list.
    pub fn expect_list(&self, what: &str, out: &mut Diagnostics) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => self.unexpected(what, "a list", out),
        }
    }

    /// Returns the mapping, or reports that `what` must be one.
    pub fn expect_map(&self, what: &str, out: &mut Diagnostics) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => self.unexpected(what, "a mapping", out),
        }
    }

    /// Returns a boolean, or reports that `what` must be one.
    pub fn expect_boolean(&self, what: &str, out: &mut Diagnostics) -> Option<bool> {
        match &self.value {
            Value::Boolean(boolean) => Some(*boolean),
            Value::Text { text, plain: true } if is_old_boolean(text) => {
                let meant = if matches!(text.to_ascii_lowercase().as_str(), "yes" | "on") { "true" } else { "false" };
                out.error("E0106", self.span, format!("expected {what} to be a boolean, found text `{text}`"))
                    .help(format!("In YAML 1.2 `{text}` is text; write `{meant}`."));
                None
            }
            _ => self.unexpected(what, "a boolean", out),
        }
    }

    /// Returns one text or a list of texts as a list, or reports what else it is.
    pub fn expect_names(&self, what: &str, out: &mut Diagnostics) -> Option<Vec<Spanned<String>>> {
        match &self.value {
            Value::List(items) => {
                let names: Vec<_> = items.iter().map(|item| item.expect_text(&format!("each item of {what}"), out)).collect();
                names.into_iter().collect()
            }
            Value::Null | Value::Map(_) => self.unexpected(what, "a name or a list of names", out),
            Value::Boolean(_) | Value::Number(_) | Value::Text { .. } => self.expect_text(what, out).map(|name| vec![name]),
        }
    }

    /// Returns this value as JSON; numbers keep every digit, and what JSON cannot say (`.inf`) becomes text.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(boolean) => (*boolean).into(),
            Value::Number(number) => json_number(number).map_or_else(|| number.clone().into(), serde_json::Value::Number),
            Value::Text { text, .. } => text.clone().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(map) => map.entries.iter().map(|(key, value)| (key.value.clone(), value.to_json())).collect(),
        }
    }

    fn unexpected<T>(&self, what: &str, wanted: &str, out: &mut Diagnostics) -> Option<T> {
        out.error("E0106", self.span, format!("expected {what} to be {wanted}, found {}", self.kind()));
        None
    }
}

impl Map {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(k, _)| k.value == key).map(|(_, v)| v)
    }

    /// Reports each key that is not in `known`, with a did-you-mean.
    pub fn only(&self, what: &str, known: &[&str], out: &mut Diagnostics) {
        for (key, _) in &self.entries {
            if known.contains(&key.value.as_str()) {
                continue;
            }
            let list = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
            let found = out.error("E0201", key.span, format!("{what} has no key `{}`", key.value));
            found.suggest(&key.value, known.iter().copied());
            if known.is_empty() {
                found.help("No keys are known here.");
            } else {
                found.help(format!("Known keys are {list}."));
            }
        }
    }
}

/// Tells whether YAML 1.1 would have read this text as a boolean.
fn is_old_boolean(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off")
}

/// Writes a YAML number the way JSON wants it: `+.50` becomes `0.50`, `007` becomes `7`, `0x1F` becomes `31`.
fn json_number(written: &str) -> Option<serde_json::Number> {
    let unsigned = written.trim_start_matches(['+', '-']);
    let sign = if written.starts_with('-') { "-" } else { "" };
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            return u128::from_str_radix(digits, radix).ok()?.to_string().parse().ok();
        }
    }
    let (mantissa, exponent) = unsigned.split_at(unsigned.find(['e', 'E']).unwrap_or(unsigned.len()));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{dot}{fraction}{exponent}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (SourceMap, Option<Node>, Vec<crate::diagnostics::Diagnostic>) {
        let mut sources = SourceMap::default();
        let file = sources.add("a.yaml", text);
        let mut out = Diagnostics::default();
        let node = parse(&sources, file, &mut out);
        (sources, node, out.into_sorted())
    }

    #[test]
    fn numbers_become_json_digit_by_digit() {
        let (_, node, _) = read("[1.10, 007, 1e5, +.50, 5., 0x1F, 0o17, -0.0, 123456789012345678901234567890.12, .inf]");
        let json = node.unwrap().to_json().to_string();
        assert_eq!(json, r#"[1.10,7,1e+5,0.50,5,31,15,-0.0,123456789012345678901234567890.12,".inf"]"#);
    }

    #[test]
    fn wrong_kinds_are_told() {
        let (_, node, _) = read("a: [1]\nb: yes\nc:\nd: {x: 1}\n");
        let node = node.unwrap();
        let mut out = Diagnostics::default();
        let map = node.expect_map("the file", &mut out).unwrap();
        assert!(map.get("a").unwrap().expect_text("`a`", &mut out).is_none());
        assert!(map.get("b").unwrap().expect_boolean("`b`", &mut out).is_none());
        assert!(map.get("c").unwrap().expect_list("`c`", &mut out).is_none());
        assert!(map.get("d").unwrap().expect_names("`d`", &mut out).is_none());
        let messages: Vec<_> = out.into_sorted().into_iter().map(|d| d.message).collect();
        assert_eq!(
            messages,
            [
                "expected `a` to be text, found a list",
                "expected `b` to be a boolean, found text `yes`",
                "expected `c` to be a list, found nothing",
                "expected `d` to be a name or a list of names, found a mapping",
            ]
        );
    }

    #[test]
    fn names_may_be_one_or_many() {
        let (_, node, _) = read("{a: id, b: [id, 2]}");
        let node = node.unwrap();
        let Value::Map(map) = &node.value else { panic!("a mapping") };
        let mut out = Diagnostics::default();
        let names = |key: &str, out: &mut Diagnostics| -> Vec<String> {
            map.get(key).unwrap().expect_names("x", out).unwrap().into_iter().map(|n| n.value).collect()
        };
        assert_eq!(names("a", &mut out), ["id"]);
        assert_eq!(names("b", &mut out), ["id", "2"]);
        assert!(out.is_empty());
    }

    #[test]
    fn unknown_keys_are_reported_with_the_known_ones() {
        let (sources, node, _) = read("from: x\nwheer: y\n");
        let node = node.unwrap();
        let Value::Map(map) = &node.value else { panic!("a mapping") };
        let mut out = Diagnostics::default();
        map.only("table `t`", &["from", "where"], &mut out);
        let found = out.into_sorted();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].code, sources.snippet(found[0].span)), ("E0201", "wheer"));
        assert_eq!(found[0].message, "table `t` has no key `wheer`");
        assert_eq!(found[0].help, ["Did you mean `where`?", "Known keys are `from`, `where`."]);
    }
}
