//! Scripts, step by step; and those of PostgreSQL, as `psql` would read them: by statements, with the rows that follow a `COPY ... FROM stdin`.
//!
//! In: a reader. Out: [`Step`]s of a [`Script`]; of the script only one statement, or a part of a COPY block, is in memory. Commands of `psql` itself
//! (`\set`, `\echo`) are skipped where they change nothing, and refused otherwise. Does not know what statements mean.

use std::io::{self, BufRead, Read};

/// The next thing to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Statement(Statement),
    /// A statement whose rows follow: they are to be read from the script before the next step.
    Copy(Statement),
    /// The transaction ends here, though no statement of the script says so.
    End,
    /// A statement whose one row gives variables their values, as `\gset` has it.
    Set(Statement),
    /// A branch that is played if the variable is true, up to the `Else` or `EndIf`.
    If {
        line: usize,
        variable: String,
    },
    Else,
    EndIf,
    /// A line of `psql`'s own language that cannot be left out.
    Refused {
        line: usize,
        text: String,
    },
}

/// A script that is being read.
pub trait Script {
    /// Returns the next step, or nothing at the end.
    fn next_step(&mut self) -> io::Result<Option<Step>>;

    /// The rows of the [`Step::Copy`] that was just returned.
    fn rows(&mut self) -> Box<dyn Read + '_>;
}

/// A statement, without its semicolon.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    pub sql: String,
    /// The 1-based line that it begins at.
    pub line: usize,
    /// The last comment line of its own before it: what the script says that this and the next statements are about.
    pub about: Option<String>,
}

impl Statement {
    /// Returns the first word, in capitals.
    pub fn verb(&self) -> String {
        self.sql.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase()
    }
}

/// What encloses the place where the reader is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// A quoted text or name; `true` where a backslash escapes.
    Quotes(u8, bool),
    Dollars(Vec<u8>),
    LineComment,
    Comment(usize),
}

/// Reads the steps of a script of PostgreSQL.
pub struct Statements<R> {
    reader: R,
    line: usize,
    /// What is left of the current line.
    rest: Vec<u8>,
    about: Option<String>,
}

impl<R: BufRead> Statements<R> {
    pub fn new(reader: R) -> Statements<R> {
        Statements { reader, line: 0, rest: vec![], about: None }
    }

    fn next_line(&mut self) -> io::Result<bool> {
        self.line += 1;
        Ok(self.reader.read_until(b'\n', &mut self.rest)? > 0)
    }
}

impl<R: BufRead> Script for Statements<R> {
    fn next_step(&mut self) -> io::Result<Option<Step>> {
        let (mut sql, mut started) = (Vec::new(), 0);
        let mut inside = Inside::Nothing;
        loop {
            if self.rest.is_empty() && !self.next_line()? {
                return match text(sql)?.trim_end() {
                    "" => Ok(None),
                    sql => Ok(Some(step(sql, started, self.about.clone()))),
                };
            }
            let line = std::mem::take(&mut self.rest);
            if sql.is_empty() && inside == Inside::Nothing {
                let trimmed = line.trim_ascii();
                if trimmed.is_empty() {
                    continue;
                }
                if let Some(comment) = trimmed.strip_prefix(b"--") {
                    let comment = String::from_utf8_lossy(comment);
                    if !comment.trim().is_empty() {
                        self.about = Some(comment.trim().to_string());
                    }
                    continue;
                }
                if trimmed.starts_with(b"\\") {
                    if harmless(trimmed) {
                        continue;
                    }
                    if let Some(step) = branch(trimmed, self.line) {
                        return Ok(Some(step));
                    }
                    return Ok(Some(Step::Refused { line: self.line, text: String::from_utf8_lossy(trimmed).into_owned() }));
                }
                started = self.line;
            }
            if inside == Inside::Nothing && line.trim_ascii() == b"\\gset" {
                return Ok(Some(Step::Set(statement(&text(sql)?, started, self.about.clone()))));
            }
            let from = if sql.is_empty() { line.len() - line.trim_ascii_start().len() } else { 0 };
            let kept = line.get(from..).unwrap_or(&[]);
            let (end, after) = scan(kept, inside, &sql);
            inside = after;
            match end {
                Some(end) => {
                    sql.extend_from_slice(kept.get(..end).unwrap_or(&[]));
                    let rest = kept.get(end + 1..).unwrap_or(&[]);
                    self.rest = if rest.trim_ascii().is_empty() { vec![] } else { rest.to_vec() };
                    return Ok(Some(step(&text(sql)?, started, self.about.clone())));
                }
                None => sql.extend_from_slice(kept),
            }
        }
    }

    fn rows(&mut self) -> Box<dyn Read + '_> {
        Box::new(CopyRows { script: self, begun: false, ended: false, pending: vec![], taken: 0 })
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the script is not UTF-8 text"))
}

fn statement(sql: &str, line: usize, about: Option<String>) -> Statement {
    Statement { sql: sql.trim_end().to_string(), line, about }
}

fn step(sql: &str, line: usize, about: Option<String>) -> Step {
    let statement = statement(sql, line, about);
    let words = statement.sql.get(statement.sql.len().saturating_sub(12)..).unwrap_or("").to_ascii_uppercase();
    if statement.verb() == "COPY" && words.ends_with("FROM STDIN") { Step::Copy(statement) } else { Step::Statement(statement) }
}

/// Reads a line that begins, parts or ends a branch; the condition is the name of a variable.
fn branch(line: &[u8], number: usize) -> Option<Step> {
    match line {
        b"\\else" => Some(Step::Else),
        b"\\endif" => Some(Step::EndIf),
        _ => {
            let variable = std::str::from_utf8(line.strip_prefix(b"\\if :")?).ok()?;
            variable.bytes().all(is_word).then(|| Step::If { line: number, variable: variable.to_string() })
        }
    }
}

/// Whether a command of `psql` only concerns `psql`.
fn harmless(line: &[u8]) -> bool {
    let word = line.split(u8::is_ascii_whitespace).next().unwrap_or(line);
    [&b"\\set"[..], b"\\unset", b"\\echo", b"\\qecho", b"\\pset", b"\\timing", b"\\encoding"].contains(&word)
}

/// Walks along a part of a script; returns where its statement ends and what encloses the end of the part.
fn scan(part: &[u8], mut inside: Inside, before: &[u8]) -> (Option<usize>, Inside) {
    let mut at = 0;
    let byte = |i: usize| part.get(i).copied();
    while let Some(b) = byte(at) {
        at += 1;
        match &mut inside {
            Inside::Nothing => match (b, byte(at)) {
                (b';', _) => return (Some(at - 1), Inside::Nothing),
                (b'\'', _) => {
                    let previous = |back: usize| at.checked_sub(1 + back).and_then(byte).or_else(|| before.last().copied());
                    let escapes = matches!(previous(1), Some(b'E' | b'e')) && !previous(2).is_some_and(is_word);
                    inside = Inside::Quotes(b'\'', escapes);
                }
                (b'"', _) => inside = Inside::Quotes(b'"', false),
                (b'-', Some(b'-')) => inside = Inside::LineComment,
                (b'/', Some(b'*')) => {
                    inside = Inside::Comment(1);
                    at += 1;
                }
                (b'$', _) if !at.checked_sub(2).and_then(byte).is_some_and(is_word) => {
                    let tag = part.get(at..).unwrap_or(&[]).iter().take_while(|b| is_word(**b)).count();
                    if byte(at + tag) == Some(b'$') && !byte(at).is_some_and(|b| b.is_ascii_digit()) {
                        inside = Inside::Dollars(part.get(at - 1..=at + tag).unwrap_or(&[]).to_vec());
                        at += tag + 1;
                    }
                }
                _ => {}
            },
            Inside::Quotes(_, true) if b == b'\\' => at += 1,
            // A doubled quote ends and begins again: the same place in the end.
            Inside::Quotes(quote, _) if b == *quote => inside = Inside::Nothing,
            Inside::Quotes(..) => {}
            Inside::Dollars(tag) => {
                if b == b'$' && part.get(at - 1..).is_some_and(|rest| rest.starts_with(tag)) {
                    at += tag.len() - 1;
                    inside = Inside::Nothing;
                }
            }
            Inside::LineComment => {
                if b == b'\n' {
                    inside = Inside::Nothing;
                }
            }
            Inside::Comment(depth) => match (b, byte(at)) {
                (b'*', Some(b'/')) => {
                    at += 1;
                    *depth -= 1;
                    if *depth == 0 {
                        inside = Inside::Nothing;
                    }
                }
                (b'/', Some(b'*')) => {
                    at += 1;
                    *depth += 1;
                }
                _ => {}
            },
        }
    }
    (None, inside)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The rows of one COPY block, up to the line `\.`.
struct CopyRows<'a, R> {
    script: &'a mut Statements<R>,
    begun: bool,
    ended: bool,
    pending: Vec<u8>,
    taken: usize,
}

/// How many bytes are gathered before they are handed on.
const GATHER: usize = 256 << 10;

impl<R: BufRead> Read for CopyRows<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !self.begun {
            // What follows the statement on its own line is not data.
            self.script.rest.clear();
            self.begun = true;
        }
        if self.taken == self.pending.len() {
            self.pending.clear();
            self.taken = 0;
            while !self.ended && self.pending.len() < GATHER {
                let start = self.pending.len();
                self.script.line += 1;
                let read = self.script.reader.read_until(b'\n', &mut self.pending)?;
                let line = self.pending.get(start..).unwrap_or(&[]);
                if read == 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the script ends before the rows do"));
                }
                if matches!(line, b"\\.\n" | b"\\." | b"\\.\r\n") {
                    self.ended = true;
                    self.pending.truncate(start);
                }
            }
        }
        let length = self.pending.get(self.taken..).unwrap_or(&[]).read(out)?;
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(script: &str) -> Vec<Step> {
        let mut script = Statements::new(script.as_bytes());
        std::iter::from_fn(|| script.next_step().unwrap()).collect()
    }

    fn statements(script: &str) -> Vec<String> {
        let of = |s: Step| match s {
            Step::Statement(s) | Step::Copy(s) => s.sql,
            Step::Refused { text, .. } => text,
            other => format!("{other:?}"),
        };
        steps(script).into_iter().map(of).collect()
    }

    #[test]
    fn statements_end_at_their_own_semicolon() {
        let script = "-- first; comment\nSELECT ';', \"a;b\", $$;$$, $t$ $$; $t$, E'\\';' /* ; /* ; */ ; */ -- ;\n, 'it''s;\n;' ; SELECT 2;\n\nSELECT a$1$;SELECT 3";
        assert_eq!(
            statements(script),
            [
                "SELECT ';', \"a;b\", $$;$$, $t$ $$; $t$, E'\\';' /* ; /* ; */ ; */ -- ;\n, 'it''s;\n;'",
                "SELECT 2",
                "SELECT a$1$",
                "SELECT 3"
            ]
        );
        assert_eq!(statements("SELECT 'x\\';SELECT 2;"), ["SELECT 'x\\'", "SELECT 2"]);
        assert_eq!(
            statements("DO $pipe$\nBEGIN\n  x;\nEND\n$pipe$;\nCOMMIT;\n"),
            ["DO $pipe$\nBEGIN\n  x;\nEND\n$pipe$", "COMMIT"]
        );
    }

    #[test]
    fn rows_of_a_copy_are_streamed() {
        let rows = "a\\tb\n\\\\.\n\\.x\n".to_string() + &"long;'\n".repeat(100_000);
        let text = format!("\\set ON_ERROR_STOP on\n-- Rows of t\nCOPY t (\"a\") FROM stdin;\n{rows}\\.\n\nSELECT 1;\n");
        let mut script = Statements::new(text.as_bytes());
        let Some(Step::Copy(copy)) = script.next_step().unwrap() else { panic!() };
        assert_eq!((copy.line, copy.about.as_deref()), (3, Some("Rows of t")));
        let mut read = String::new();
        script.rows().read_to_string(&mut read).unwrap();
        assert_eq!(read, rows);
        let Some(Step::Statement(last)) = script.next_step().unwrap() else { panic!() };
        assert_eq!((last.sql.as_str(), last.line), ("SELECT 1", 100_009));
        assert_eq!(script.next_step().unwrap(), None);
    }

    #[test]
    fn cut_rows_and_foreign_commands_are_refused() {
        let mut script = Statements::new(&b"COPY t FROM stdin;\n1\n"[..]);
        script.next_step().unwrap();
        assert!(script.rows().read_to_string(&mut String::new()).is_err());
        assert_eq!(steps("\\i other.sql\n"), [Step::Refused { line: 1, text: "\\i other.sql".into() }]);
    }

    #[test]
    fn branches_and_variables_are_those_of_psql() {
        let found = steps("SELECT 1 AS a\n\\gset\n\\if :a\nSELECT '\n\\else\n';\n\\else\n\\endif\nCOPY :a (b) FROM stdin;\n");
        let [Step::Set(set), Step::If { line: 3, variable }, Step::Statement(quoted), Step::Else, Step::EndIf, Step::Copy(copy)] =
            &found[..]
        else {
            panic!("{found:?}")
        };
        assert_eq!((set.sql.as_str(), variable.as_str()), ("SELECT 1 AS a", "a"));
        assert_eq!((quoted.sql.as_str(), copy.sql.as_str()), ("SELECT '\n\\else\n'", "COPY :a (b) FROM stdin"));
        assert!(matches!(&steps("\\if true\n")[..], [Step::Refused { line: 1, .. }]));
    }
}
