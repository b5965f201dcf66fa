//! Reads a script of T-SQL as `sqlcmd` would: batch by batch, with the rows of `OPENJSON(N'[...]')` taken out of their batches.
//!
//! In: a script as we emit it. Out: a [`Step`] for each batch, and one for all rows of a table, however many batches hold them; they are read
//! line by line. A batch goes out as it stands, but for the COMMIT at the end of the last, which is the caller's; what follows it is for
//! tools that go on after an error. A script without a transaction ends where its text does. Does not know what batches mean.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use super::super::script::{Script, Statement, Step};

const BEGIN: &str = "BEGIN TRANSACTION;";
const COMMIT: &str = "COMMIT TRANSACTION;";
/// The line that begins each batch of rows of the transaction; there is no next batch after one that failed.
const STILL_OPEN: &str = "IF @@TRANCOUNT = 0 SET NOEXEC ON;";
/// What is before and after rows, each of which has a line of its own.
const ROWS: &str = "FROM OPENJSON(N'[";
const ROWS_END: &str = "]') WITH (";

/// Reads the steps of a script of T-SQL.
pub struct Batches<R> {
    reader: R,
    line: usize,
    /// Lines that were read too early.
    ahead: VecDeque<String>,
    about: Option<String>,
    opened: bool,
    ended: Ended,
    loading: Loading,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    /// The last batch was given out, its COMMIT was not told of.
    Committing,
    Yes,
}

/// The rows that are being given out.
#[derive(Default)]
struct Loading {
    /// The lines before the rows, which are the same in each statement.
    head: Vec<String>,
    /// Rows of the first statement.
    first: VecDeque<String>,
    /// Whether rows of the current statement follow.
    inside: bool,
    done: bool,
}

impl<R: BufRead> Batches<R> {
    pub fn new(reader: R) -> Batches<R> {
        Batches {
            reader,
            line: 0,
            ahead: VecDeque::new(),
            about: None,
            opened: false,
            ended: Ended::No,
            loading: Loading::default(),
        }
    }

    /// Reads a line, without its end.
    fn next_line(&mut self) -> io::Result<Option<String>> {
        if let Some(line) = self.ahead.pop_front() {
            self.line += 1;
            return Ok(Some(line));
        }
        let mut bytes = vec![];
        if self.reader.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes).to_vec();
        String::from_utf8(line).map(Some).map_err(|_| invalid("the script is not UTF-8 text"))
    }

    fn push_back(&mut self, lines: Vec<String>) {
        self.line -= lines.len();
        lines.into_iter().rev().for_each(|line| self.ahead.push_front(line));
    }

    /// Makes the step of a batch.
    fn batch(&mut self, mut lines: Vec<String>, started: usize) -> Step {
        let comment = |i: usize| lines.get(i).and_then(|l| l.strip_prefix("-- "));
        if let (Some(title), None) = (comment(0), comment(1)) {
            self.about = Some(title.trim().to_string());
        }
        self.opened |= lines.iter().any(|l| l == BEGIN);
        if lines.last().is_some_and(|l| l == COMMIT) {
            lines.pop();
            self.ended = Ended::Committing;
        }
        Step::Statement(Statement { sql: lines.join("\n"), line: started, about: self.about.clone() })
    }

    /// Reads up to the end of the first statement with rows, which tells their types.
    fn begin_rows(&mut self, lines: Vec<String>, started: usize) -> io::Result<Step> {
        let mut head: Vec<String> = lines.into_iter().filter(|l| l != STILL_OPEN).collect();
        if head.len() != 2 || !head.iter().zip(["INSERT INTO ", "SELECT "]).all(|(line, word)| line.starts_with(word)) {
            return Err(invalid("there are rows without an INSERT"));
        }
        head.push(ROWS.to_string());
        let mut first = VecDeque::new();
        let end = loop {
            match self.next_line()? {
                Some(line) if line.starts_with(ROWS_END) => break line,
                Some(line) => first.push_back(line),
                None => return Err(cut()),
            }
        };
        let sql = format!("{}{end}", head.join("\n"));
        self.loading = Loading { head, first, inside: false, done: false };
        Ok(Step::Copy(Statement { sql, line: started, about: self.about.clone() }))
    }

    /// The next row of the table whose rows are given out.
    fn next_row(&mut self) -> io::Result<Option<String>> {
        if let Some(row) = self.loading.first.pop_front() {
            return Ok(Some(row));
        }
        while !self.loading.done {
            if self.loading.inside {
                let line = self.next_line()?.ok_or_else(cut)?;
                if !line.starts_with(ROWS_END) {
                    return Ok(Some(line));
                }
                self.loading.inside = false;
            }
            let mut read = vec![];
            let mut matched = 0;
            while matched < self.loading.head.len() {
                let Some(line) = self.next_line()? else { break };
                let skipped = matched == 0 && (is_go(&line) || line == STILL_OPEN);
                let expected = self.loading.head.get(matched) == Some(&line);
                read.push(line);
                match (skipped, expected) {
                    (true, _) => {}
                    (_, true) => matched += 1,
                    _ => break,
                }
            }
            self.loading.inside = matched == self.loading.head.len();
            if !self.loading.inside {
                self.push_back(read);
                self.loading.done = true;
            }
        }
        Ok(None)
    }
}

impl<R: BufRead> Script for Batches<R> {
    fn next_step(&mut self) -> io::Result<Option<Step>> {
        match self.ended {
            Ended::Yes => return Ok(None),
            Ended::Committing => {
                self.ended = Ended::Yes;
                return Ok(Some(Step::End));
            }
            Ended::No => {}
        }
        let (mut lines, mut started) = (vec![], 0);
        loop {
            match self.next_line()? {
                Some(line) if lines.is_empty() && (line.trim().is_empty() || is_go(&line)) => {}
                Some(line) if is_go(&line) => return Ok(Some(self.batch(lines, started))),
                Some(line) if line == ROWS => return self.begin_rows(lines, started).map(Some),
                Some(line) => {
                    if lines.is_empty() {
                        started = self.line;
                    }
                    lines.push(line);
                }
                None if !lines.is_empty() => return Ok(Some(self.batch(lines, started))),
                None => {
                    self.ended = Ended::Yes;
                    return Ok((!self.opened).then_some(Step::End));
                }
            }
        }
    }

    fn rows(&mut self) -> Box<dyn Read + '_> {
        Box::new(Rows { script: self, pending: vec![], taken: 0 })
    }
}

fn is_go(line: &str) -> bool {
    line.trim().eq_ignore_ascii_case("GO")
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the script ends before the rows do")
}

/// Rows as lines of JSON, without the doubling of quotes that a literal wants.
struct Rows<'a, R> {
    script: &'a mut Batches<R>,
    pending: Vec<u8>,
    taken: usize,
}

impl<R: BufRead> Read for Rows<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.pending.len() {
            self.taken = 0;
            self.pending.clear();
            if let Some(row) = self.script.next_row()? {
                self.pending = row.replace("''", "'").into_bytes();
                self.pending.push(b'\n');
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

    const SCRIPT: &str = "-- pipeline x\n-- Run with: sqlcmd\n\nSET NOEXEC OFF;\nGO\nBEGIN TRANSACTION;\nGO\n\n-- Rows of t\nSELECT 1;\nGO\n\
        IF @@TRANCOUNT = 0 SET NOEXEC ON;\nINSERT INTO #s ([a])\nSELECT r.c1\nFROM OPENJSON(N'[\n[\"it''s\"],\n[null]\n]') WITH (c1 nvarchar(max) '$[0]') AS r;\n\
        INSERT INTO #s ([a])\nSELECT r.c1\nFROM OPENJSON(N'[\n[\"GO\"]\n]') WITH (c1 nvarchar(max) '$[0]') AS r;\nGO\n\
        IF @@TRANCOUNT = 0 SET NOEXEC ON;\nINSERT INTO #s ([a])\nSELECT r.c1\nFROM OPENJSON(N'[\n[\"b\"]\n]') WITH (c1 nvarchar(max) '$[0]') AS r;\nGO\n\
        \n-- All are here.\nSELECT 2;\nGO\n-- All is done.\nDROP TABLE #s;\nCOMMIT TRANSACTION;\nGO\nSET NOEXEC OFF;\nGO\n";

    fn sql(step: Option<Step>) -> (String, Option<String>) {
        match step {
            Some(Step::Statement(s) | Step::Copy(s)) => (s.sql, s.about),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn batches_go_out_as_they_stand_and_rows_by_tables() {
        let mut script = Batches::new(SCRIPT.as_bytes());
        assert_eq!(sql(script.next_step().unwrap()), ("-- pipeline x\n-- Run with: sqlcmd\n\nSET NOEXEC OFF;".into(), None));
        assert_eq!(sql(script.next_step().unwrap()).0, "BEGIN TRANSACTION;");
        assert_eq!(sql(script.next_step().unwrap()).1.as_deref(), Some("Rows of t"));
        let (load, about) = sql(script.next_step().unwrap());
        assert_eq!((load.lines().count(), about.as_deref()), (3, Some("Rows of t")));
        assert!(load.ends_with("FROM OPENJSON(N'[]') WITH (c1 nvarchar(max) '$[0]') AS r;"), "{load}");
        let mut rows = String::new();
        script.rows().read_to_string(&mut rows).unwrap();
        assert_eq!(rows, "[\"it's\"],\n[null]\n[\"GO\"]\n[\"b\"]\n");
        assert_eq!(sql(script.next_step().unwrap()).0, "-- All are here.\nSELECT 2;");
        assert_eq!(sql(script.next_step().unwrap()).0, "-- All is done.\nDROP TABLE #s;");
        assert_eq!(script.next_step().unwrap(), Some(Step::End));
        assert_eq!(script.next_step().unwrap(), None);
    }

    #[test]
    fn a_transaction_without_its_end_is_no_whole_script() {
        let mut open = Batches::new(&b"BEGIN TRANSACTION;\nGO\nSELECT 1;\n"[..]);
        assert!(open.next_step().unwrap().is_some() && open.next_step().unwrap().is_some());
        assert_eq!(open.next_step().unwrap(), None);
        let mut reading = Batches::new(&b"SELECT 1;\nGO\n"[..]);
        assert!(reading.next_step().unwrap().is_some());
        assert_eq!(reading.next_step().unwrap(), Some(Step::End));
        assert!(Batches::new(&b"INSERT INTO #s (a)\nSELECT 1\nFROM OPENJSON(N'[\n[1]\n"[..]).next_step().is_err());
    }
}
