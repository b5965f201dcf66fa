//! What can be wrong with an author's text, and where.
//!
//! A [`Diagnostic`] always has a place; passes collect them in [`Diagnostics`] and go on, so that one run tells everything.
//! Does not know about terminals (see `render`), about files that fail to open (see `Error`) or about data (see `report`).

pub mod codes;
pub mod render;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::digest::Digest;

/// Names one file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// Returns the part of this span that starts `offset` bytes in and is `len` bytes long, clamped to the span.
    pub fn slice(self, offset: usize, len: usize) -> Span {
        let start = self.start.saturating_add(offset as u32).min(self.end);
        let end = start.saturating_add(len as u32).min(self.end);
        Span { start, end, ..self }
    }
}

/// A value and the place it was written at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Spanned<T> {
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
}

/// One file as it was read.
#[derive(Debug)]
pub struct SourceFile {
    /// The path as messages show it: relative to the current folder where possible.
    pub path: PathBuf,
    pub text: String,
}

/// All texts that spans point into.
#[derive(Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a text and returns its id.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> FileId {
        self.files.push(SourceFile { path: path.into(), text: text.into() });
        FileId(self.files.len() as u32 - 1)
    }

    pub fn path(&self, file: FileId) -> &Path {
        &self.files[file.0 as usize].path
    }

    pub fn text(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].text
    }

    /// Hashes all texts, in order, as hexadecimal SHA-256.
    pub fn hash(&self) -> String {
        let mut hasher = Digest::default();
        for file in &self.files {
            hasher.add((file.text.len() as u64).to_le_bytes());
            hasher.add(file.text.as_bytes());
        }
        hasher.digits()
    }

    /// Returns the text that `span` covers.
    pub fn snippet(&self, span: Span) -> &str {
        self.text(span.file).get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Returns the 1-based line and column (in characters) where `span` starts.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let text = self.text(span.file);
        let before = text.get(..span.start as usize).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// One thing that is wrong, with its place, cause and fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code of [`codes::CODES`], such as `E0203`.
    pub code: &'static str,
    pub severity: Severity,
    /// Lowercase, no final period, names the kind of object and quotes its name.
    pub message: String,
    pub span: Span,
    /// Further places, each with a short text.
    pub labels: Vec<(Span, String)>,
    /// Full sentences that say what to do.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// Adds a sentence that says what to do.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help.push(text.into());
        self
    }

    /// Adds a second place.
    pub fn label(&mut self, span: Span, text: impl Into<String>) -> &mut Self {
        self.labels.push((span, text.into()));
        self
    }

    /// Adds a did-you-mean sentence if one of `candidates` is close to `name`.
    pub fn suggest<'a>(&mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> &mut Self {
        if let Some(close) = closest(name, candidates) {
            self.help.push(format!("Did you mean `{close}`?"));
        }
        self
    }
}

/// Returns the candidate that is most like `name`, if any is close enough to be meant.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&wanted, &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= 1 + name.chars().count().min(c.chars().count()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

/// The diagnostics that the passes have collected so far.
#[derive(Debug, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Reports an error and returns it, so that labels and help can be added.
    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Error, code, span, message.into())
    }

    /// Reports a warning and returns it, so that labels and help can be added.
    pub fn warning(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Warning, code, span, message.into())
    }

    fn push(&mut self, severity: Severity, code: &'static str, span: Span, message: String) -> &mut Diagnostic {
        self.items.push(Diagnostic { code, severity, message, span, labels: vec![], help: vec![] });
        let last = self.items.len() - 1;
        &mut self.items[last]
    }

    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|d| d.severity == Severity::Error)
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.items.iter().filter(|d| d.severity == Severity::Error).count()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns everything in the order of the text, each thing once.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.items.sort_by(|a, b| (a.span, a.severity, a.code, &a.message).cmp(&(b.span, b.severity, b.code, &b.message)));
        self.items.dedup_by(|a, b| a.span == b.span && a.code == b.code && a.message == b.message);
        self.items
    }
}
