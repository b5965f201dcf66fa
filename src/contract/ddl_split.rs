//! One SQL file as its statements, found without understanding them, so that one that cannot be read loses nothing else.
//!
//! In: the text of a schema file. Out: the byte range of each statement, with the T-SQL batch that it stands in. Knows strings,
//! comments, dollar quotes, brackets, `GO` lines, and what dumps contain besides SQL: COPY data and lines for the client program.
//! Does not know any statement but COPY.

use std::ops::Range;

use super::ddl::Flavor;

/// One statement of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) bytes: Range<usize>,
    /// Counts the `GO` lines above.
    pub(super) batch: usize,
}

/// Splits `text` into statements.
pub(super) fn split(text: &str, flavor: Flavor) -> Vec<Piece> {
    let mut splitter = Splitter { text, bytes: text.as_bytes(), flavor, at: 0, start: None, batch: 0, pieces: vec![] };
    while splitter.at < text.len() {
        splitter.step();
    }
    splitter.end_statement();
    splitter.pieces
}

struct Splitter<'a> {
    text: &'a str,
    bytes: &'a [u8],
    flavor: Flavor,
    at: usize,
    /// Where the current statement's first word stands, once there is one.
    start: Option<usize>,
    batch: usize,
    pieces: Vec<Piece>,
}

impl Splitter<'_> {
    fn step(&mut self) {
        let byte = self.byte(0);
        let line_start = self.at == 0 || self.bytes.get(self.at - 1) == Some(&b'\n');
        if line_start && self.flavor == Flavor::Tsql && is_go(self.line()) {
            self.end_statement();
            self.batch += 1;
            self.skip_line();
            return;
        }
        match byte {
            b';' => {
                let copies = self.start.is_some_and(|s| copies_from_stdin(self.text.get(s..self.at).unwrap_or("")));
                self.end_statement();
                self.at += 1;
                if copies && self.flavor == Flavor::Postgres {
                    self.skip_copy_data();
                }
            }
            b'-' if self.byte(1) == b'-' => self.skip_line(),
            b'/' if self.byte(1) == b'*' => self.skip_comment(),
            b'\\' if self.start.is_none() && self.flavor == Flavor::Postgres => self.skip_line(),
            b if b.is_ascii_whitespace() => self.at += 1,
            _ => {
                self.start.get_or_insert(self.at);
                match byte {
                    b'\'' => self.skip_quoted(b'\'', self.escapes()),
                    b'"' => self.skip_quoted(b'"', false),
                    b'[' if self.flavor == Flavor::Tsql => self.skip_quoted(b']', false),
                    b'$' if self.flavor == Flavor::Postgres => self.skip_dollar_quoted(),
                    _ => self.at += 1,
                }
            }
        }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn line(&self) -> &str {
        self.text.get(self.at..).and_then(|rest| rest.lines().next()).unwrap_or("")
    }

    fn end_statement(&mut self) {
        if let Some(start) = self.start.take() {
            let end = start + self.text.get(start..self.at).unwrap_or("").trim_end().len();
            self.pieces.push(Piece { bytes: start..end, batch: self.batch });
        }
    }

    fn skip_line(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        self.at += rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |n| n + 1);
    }

    /// Skips a comment; they nest.
    fn skip_comment(&mut self) {
        let mut depth = 0usize;
        while self.at < self.bytes.len() {
            match (self.byte(0), self.byte(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// Tells whether the string that starts here is Postgres's `E'...'`.
    fn escapes(&self) -> bool {
        let before = |n: usize| self.at.checked_sub(n).and_then(|i| self.bytes.get(i)).copied().unwrap_or(b' ');
        self.flavor == Flavor::Postgres
            && matches!(before(1), b'e' | b'E')
            && !before(2).is_ascii_alphanumeric()
            && before(2) != b'_'
    }

    fn skip_quoted(&mut self, close: u8, escapes: bool) {
        self.at += 1;
        while self.at < self.bytes.len() {
            match self.byte(0) {
                b'\\' if escapes => self.at += 2,
                b if b == close && self.byte(1) == close => self.at += 2,
                b if b == close => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
        // An escape may have led past the end of a text that is cut off.
        self.at = self.bytes.len();
    }

    /// Skips `$tag$ ... $tag$`, or the lone dollar sign of a name or parameter.
    fn skip_dollar_quoted(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or("");
        let inside = self.at > 0 && self.bytes.get(self.at - 1).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let tag_end = rest.get(1..).and_then(|r| r.find('$')).map(|n| n + 2);
        let tag = tag_end.and_then(|end| rest.get(..end)).filter(|tag| {
            let name = tag.trim_matches('$');
            !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        });
        match tag {
            Some(tag) if !inside => {
                let body = rest.get(tag.len()..).unwrap_or("");
                self.at += body.find(tag).map_or(rest.len(), |end| tag.len() + end + tag.len());
            }
            _ => self.at += 1,
        }
    }

    /// Skips the data that follows a COPY statement, up to the line `\.`.
    fn skip_copy_data(&mut self) {
        self.skip_line();
        while self.at < self.bytes.len() {
            let last = self.line() == "\\.";
            self.skip_line();
            if last {
                return;
            }
        }
    }
}

fn is_go(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let go = words.next().is_some_and(|w| w.eq_ignore_ascii_case("go"));
    go && words.next().is_none_or(|w| w.starts_with("--") || w.bytes().all(|b| b.is_ascii_digit())) && words.next().is_none()
}

fn copies_from_stdin(statement: &str) -> bool {
    let mut words = statement.split_whitespace();
    words.next().is_some_and(|w| w.eq_ignore_ascii_case("copy")) && words.any(|w| w.eq_ignore_ascii_case("stdin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str, flavor: Flavor) -> Vec<&str> {
        split(text, flavor).into_iter().map(|p| &text[p.bytes]).collect()
    }

    #[test]
    fn semicolons_inside_texts_do_not_split() {
        let text = "-- a; b\nCREATE TABLE t (a text DEFAULT 'x;''y', \"b;\" int); /* ; /* ; */ ; */\nDO $x$ ;; $$ $x$;\n\
                    SELECT E'\\';', $1; SELECT 2";
        let expected =
            vec!["CREATE TABLE t (a text DEFAULT 'x;''y', \"b;\" int)", "DO $x$ ;; $$ $x$", "SELECT E'\\';', $1", "SELECT 2"];
        assert_eq!(statements(text, Flavor::Postgres), expected);
    }

    #[test]
    fn what_dumps_hold_besides_sql_is_skipped() {
        let text = "\\restrict abc\nSELECT 1;\nCOPY t (a) FROM stdin;\nit's; one\n\\.\nSELECT 2;\n\\unrestrict abc\n";
        assert_eq!(statements(text, Flavor::Postgres), vec!["SELECT 1", "COPY t (a) FROM stdin", "SELECT 2"]);
    }

    #[test]
    fn go_ends_a_batch() {
        let text = "CREATE TABLE [a;]]] (x int)\r\nGO\r\nSELECT 'GO\n';\n  go 5\nSELECT 3\nGOTO x";
        assert_eq!(statements(text, Flavor::Tsql), vec!["CREATE TABLE [a;]]] (x int)", "SELECT 'GO\n'", "SELECT 3\nGOTO x"]);
        assert_eq!(split(text, Flavor::Tsql).iter().map(|p| p.batch).collect::<Vec<_>>(), vec![0, 1, 2]);
    }

    #[test]
    fn a_text_that_is_cut_off_ends_at_its_end() {
        for text in ["CREATE TABLE t (a text DEFAULT 'x", "SELECT $$ a", "/* a", "SELECT E'\\", "SELECT \"ż"] {
            assert!(split(text, Flavor::Postgres).len() <= 1);
        }
    }
}
