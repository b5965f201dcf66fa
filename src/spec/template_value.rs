//! How values are printed by templates, and what is known about them.
//!
//! A printed text becomes a SQL literal, a number keeps the digits that its author wrote, and what has no form in SQL is refused.
//! [`Known`] also tells apart what a template wrote (an expression) from what a variable holds (a value), and counts what is spent.
//! Does not know about diagnostics.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Error, ErrorKind, Output, State};

use super::template::{Lookup, MAX_OUTPUT, Names};

/// What is known about the values of one pipeline, and what the string at hand has used up.
pub(super) struct Known {
    pub(super) vars: Value,
    pub(super) var_names: Vec<String>,
    /// Decimals as written, by what floating point makes of them.
    numbers: BTreeMap<u64, String>,
    /// All texts that variables hold.
    texts: BTreeSet<String>,
    lookup: Lookup,
    used: Mutex<BTreeMap<String, String>>,
    /// The texts of the macro files, and of the string that is being rendered.
    sources: Mutex<Vec<String>>,
    written: Mutex<String>,
    calls: AtomicUsize,
    spent: AtomicU64,
    printed: AtomicUsize,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known")
    }
}

impl Known {
    pub(super) fn new(names: &Names) -> Self {
        let mut numbers = BTreeMap::new();
        let mut texts = BTreeSet::new();
        let vars = names.vars.iter().map(|(name, json)| (name.clone(), from_json(json, &mut numbers, &mut texts)));
        let vars = Value::from_pairs(vars);
        Known {
            vars,
            var_names: names.vars.keys().cloned().collect(),
            numbers,
            texts,
            lookup: names.env.clone(),
            used: Mutex::default(),
            sources: Mutex::default(),
            written: Mutex::default(),
            calls: AtomicUsize::new(0),
            spent: AtomicU64::new(0),
            printed: AtomicUsize::new(0),
        }
    }

    /// Begins a new string.
    pub(super) fn start(&self) {
        self.calls.store(0, Ordering::Relaxed);
        self.spent.store(0, Ordering::Relaxed);
        self.printed.store(0, Ordering::Relaxed);
        open(&self.written).clear();
    }

    pub(super) fn add_written(&self, text: &str) {
        open(&self.written).push_str(text);
    }

    pub(super) fn add_source(&self, text: &str) {
        open(&self.sources).push(text.to_owned());
    }

    /// Tells whether a text comes from a template rather than from a variable.
    pub(super) fn is_written(&self, text: &str) -> bool {
        let from_variable = self.texts.contains(text) || open(&self.used).values().any(|value| value == text);
        let literals = [format!("\"{text}\""), format!("'{text}'")];
        let stands_in = |source: &str| literals.iter().any(|literal| source.contains(literal.as_str()));
        !from_variable || stands_in(&open(&self.written)) || open(&self.sources).iter().any(|source| stands_in(source))
    }

    pub(super) fn environment(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        open(&self.used).insert(name.to_owned(), value.clone());
        Some(value)
    }

    pub(super) fn used_values(&self) -> Vec<String> {
        open(&self.used).values().filter(|value| !value.is_empty()).cloned().collect()
    }

    /// Hides the values of the environment in a message.
    pub(super) fn redact(&self, message: &str) -> String {
        self.used_values().iter().fold(message.to_owned(), |message, secret| message.replace(secret.as_str(), "***"))
    }

    /// Returns how many macro calls are open.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Runs a macro call one level further down.
    pub(super) fn nested<T>(&self, call: impl FnOnce() -> T) -> T {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let result = call();
        self.calls.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Adds what a macro call has used up, and returns what all have.
    pub(super) fn spend(&self, fuel: u64) -> u64 {
        self.spent.fetch_add(fuel, Ordering::Relaxed) + fuel
    }

    /// Prints a value the way the template at hand wants it.
    pub(super) fn print(&self, out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
        let text = match state.auto_escape() {
            AutoEscape::None => self.bare(value)?,
            _ => self.literal(value)?,
        };
        if self.printed.fetch_add(text.len(), Ordering::Relaxed) + text.len() > 4 * MAX_OUTPUT {
            return Err(refused("output is too large"));
        }
        Ok(out.write_str(&text)?)
    }

    fn literal(&self, value: &Value) -> Result<String, Error> {
        match value.kind() {
            ValueKind::Undefined => Ok(String::new()),
            ValueKind::None => Ok("NULL".to_owned()),
            ValueKind::Bool => Ok(if value.is_true() { "TRUE" } else { "FALSE" }.to_owned()),
            // Without parentheses `x -{{ vars.n }}` would begin a comment.
            ValueKind::Number => {
                self.number(value).map(|number| if number.starts_with('-') { format!("({number})") } else { number })
            }
            ValueKind::String => match value.as_str() {
                Some(text) if value.is_safe() => Ok(text.to_owned()),
                Some(text) if text.contains('\0') => Err(refused("a text with a zero byte has no SQL literal")),
                Some(text) => Ok(format!("'{}'", text.replace('\'', "''"))),
                None => Err(refused("this text has no SQL literal")),
            },
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter()?.map(|item| match item.kind() {
                    ValueKind::Seq | ValueKind::Iterable => Err(refused("a list of lists has no SQL literal")),
                    _ => self.literal(&item),
                });
                let items = items.collect::<Result<Vec<_>, Error>>()?;
                if items.is_empty() { Err(refused("an empty list has no SQL literal")) } else { Ok(items.join(", ")) }
            }
            kind => Err(refused(format!("a {kind} has no SQL literal"))),
        }
    }

    fn bare(&self, value: &Value) -> Result<String, Error> {
        match value.kind() {
            ValueKind::Undefined => Ok(String::new()),
            ValueKind::Bool => Ok(value.is_true().to_string()),
            ValueKind::Number => self.number(value),
            ValueKind::String => Ok(value.as_str().unwrap_or("").to_owned()),
            kind => Err(refused(format!("a {kind} cannot be written into a text"))),
        }
    }

    fn number(&self, value: &Value) -> Result<String, Error> {
        if value.is_integer() {
            return Ok(value.to_string());
        }
        let float = f64::try_from(value.clone())?;
        if !float.is_finite() {
            return Err(refused("a number that is not finite has no SQL literal"));
        }
        Ok(self.numbers.get(&float.to_bits()).cloned().unwrap_or_else(|| value.to_string()))
    }
}

fn open<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}

fn from_json(json: &serde_json::Value, numbers: &mut BTreeMap<u64, String>, texts: &mut BTreeSet<String>) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(boolean) => Value::from(*boolean),
        serde_json::Value::Number(number) => {
            let written = number.to_string();
            if let Ok(integer) = written.parse::<i128>() {
                return Value::from(integer);
            }
            match written.parse::<f64>().ok().filter(|float| float.is_finite()) {
                Some(float) => {
                    numbers.entry(float.to_bits()).or_insert(written);
                    Value::from(float)
                }
                None => Value::from_safe_string(written),
            }
        }
        serde_json::Value::String(text) => {
            texts.insert(text.clone());
            Value::from(text.as_str())
        }
        serde_json::Value::Array(items) => items.iter().map(|item| from_json(item, numbers, texts)).collect(),
        serde_json::Value::Object(entries) => {
            Value::from_pairs(entries.iter().map(|(key, value)| (key.clone(), from_json(value, numbers, texts))))
        }
    }
}

/// The `replace` filter, but for results beyond the limit.
#[expect(clippy::needless_pass_by_value, reason = "filters are given their arguments")]
pub(super) fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    let count = text.matches(from.as_str()).count();
    if count.saturating_mul(to.len()).saturating_add(text.len()) > MAX_OUTPUT {
        return Err(refused("replaced text is too large"));
    }
    Ok(text.replace(&from, &to))
}

/// Puts an expression in parentheses unless it holds together by itself, so that a macro may write `{{ x }} / 100`.
pub(super) fn as_operand(expression: &str) -> String {
    let trimmed = expression.trim();
    if holds_together(trimmed) { trimmed.to_owned() } else { format!("({trimmed})") }
}

/// Tells whether this is one name, constant, call or bracket; a list of arguments is left alone as well.
fn holds_together(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut together = true;
    let mut closed = false;
    for c in text.chars() {
        let inside = depth > 0;
        match c {
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            '\'' | '"' => quote = Some(c),
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ',' if !inside => return true,
            _ => together &= inside || c.is_alphanumeric() || matches!(c, '_' | '.' | '$'),
        }
        // `(a)b` and `(a)(b)` are two things, `f(a)[1].b` is one.
        together &= inside || !closed || matches!(c, '.' | '[');
        closed = depth == 0 && (matches!(c, ')' | ']'));
    }
    together
}

/// Finds a `{{ ... }}` that stands inside SQL quotes: its offset and length.
pub(super) fn find_quoted_template(text: &str) -> Option<(usize, usize)> {
    let mut quoted = false;
    let mut rest = text;
    while let Some(offset) = rest.find(['\'', '{']) {
        let at = text.len() - rest.len() + offset;
        let found = rest.get(offset..).unwrap_or("");
        let closing = match found.get(..2) {
            Some("{{") => "}}",
            Some("{%") => "%}",
            Some("{#") => "#}",
            _ => "",
        };
        let length = if closing.is_empty() { 1 } else { found.find(closing).map_or(found.len(), |end| end + 2) };
        if closing == "}}" && quoted {
            return Some((at, length));
        }
        quoted ^= found.starts_with('\'');
        rest = found.get(length..).unwrap_or("");
    }
    None
}
