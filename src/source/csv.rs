//! Delimited text, read by the engine as text and typed by all its values.
//!
//! Ragged rows and wrong bytes are errors with their line: nothing is skipped. A number with leading zeros ("007") is text, since it is a
//! code.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::csv_copies::{self, Copied};
use super::csv_types::{self, Loaded};
use super::json::column_name;
use super::origin::Place;
use super::{CsvOptions, Request, Scope, Source, SourceKind, Staging, Texts, csv_encoding, csv_header, record_number};
use crate::digest::Digest;
use crate::error::Error;
use crate::types::DataType;

pub struct Csv;
pub struct Tsv;

/// The most bytes that a line may have: the engine keeps several such lines in memory.
pub const MAX_LINE: usize = 128 << 20;

/// What a reader that is after a few rows is told: the engine would fetch 32 MB at once. Lines may be as long as without it.
pub const FEW: &str = ", buffer_size = 2000000";

impl SourceKind for Csv {
    fn format(&self) -> &'static str {
        "csv"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn open(&self, request: &Request, scope: Scope, staging: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        open(request, scope, ",", staging)
    }

    fn place(&self, request: &Request, file: usize, record: u64) -> Place {
        places(request, file, &[record]).pop().unwrap_or_default()
    }

    fn places(&self, request: &Request, file: usize, records: &[u64]) -> Vec<Place> {
        places(request, file, records)
    }
}

impl SourceKind for Tsv {
    fn format(&self) -> &'static str {
        "tsv"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["tsv", "tab"]
    }

    fn open(&self, request: &Request, scope: Scope, staging: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        open(request, scope, "\t", staging)
    }

    fn place(&self, request: &Request, file: usize, record: u64) -> Place {
        places(request, file, &[record]).pop().unwrap_or_default()
    }

    fn places(&self, request: &Request, file: usize, records: &[u64]) -> Vec<Place> {
        places(request, file, records)
    }
}

fn open(request: &Request, _: Scope, delimiter: &str, staging: &dyn Staging) -> Result<Box<dyn Source>, Error> {
    for file in &request.files {
        readable(file)?;
    }
    match csv_copies::copies(request, staging)? {
        None => open_text(request, delimiter, staging),
        Some((inner, copies)) => match open_text(&inner, delimiter, staging) {
            Ok(inner) => Ok(Box::new(Copied { inner, copies })),
            Err(error) => Err(copies.named(error)),
        },
    }
}

/// Opens files in UTF-8.
fn open_text(request: &Request, delimiter: &str, staging: &dyn Staging) -> Result<Box<dyn Source>, Error> {
    let delimiter = request.csv.delimiter.as_deref().unwrap_or(delimiter);
    let mut scans = vec![];
    for file in &request.files {
        let (names, blank) = csv_header::names(file, &request.csv, delimiter, staging)?;
        let call = scan(file, &request.csv, delimiter, (names.len(), blank));
        scans.push(Scan {
            call: format!("read_csv({call}, max_line_size = {MAX_LINE})"),
            quick: Some(format!("read_csv({call})")),
            head: Some(format!("read_csv({call}{FEW})")),
            names,
        });
    }
    Scanned::open(request, &scans, staging)
}

/// The arguments of the engine's call that reads a file, every column as text; columns are named by their number, `0` and so on.
///
/// `blank` lines stand before the header. Nothing is guessed: the engine's sniffer would take a ragged row for another delimiter.
fn scan(file: &Path, options: &CsvOptions, delimiter: &str, (columns, blank): (usize, usize)) -> String {
    let columns: Vec<String> = (0..columns).map(|i| format!("'{i}': 'VARCHAR'")).collect();
    let mut arguments = vec![
        path_text(file),
        format!("auto_detect = false, columns = {{{}}}", columns.join(", ")),
        format!("delim = {}", quote_text(delimiter)),
        format!("header = {}, skip = {blank}", options.header),
        format!("quote = {}", quote_text(options.quote.as_deref().unwrap_or("\""))),
        format!("escape = {}", quote_text(options.quote.as_deref().unwrap_or("\""))),
        "ignore_errors = false, null_padding = false, strict_mode = true".to_string(),
    ];
    match options.nulls.is_empty() {
        // A field in quotes is a text, and be it an empty one.
        true => arguments.push("allow_quoted_nulls = false".to_string()),
        false => {
            let nulls: Vec<String> = options.nulls.iter().map(|n| quote_text(n)).collect();
            arguments.push(format!("nullstr = [{}]", nulls.join(", ")));
        }
    }
    arguments.join(", ")
}

/// Quotes a path for the engine; characters that it would take for a pattern lose that meaning.
pub fn path_text(file: &Path) -> String {
    let escaped: String =
        file.to_string_lossy().chars().map(|c| if "*?[".contains(c) { format!("[{c}]") } else { c.to_string() }).collect();
    quote_text(&escaped)
}

fn readable(file: &Path) -> Result<(), Error> {
    let length = std::fs::File::open(file).and_then(|f| f.metadata()).map_err(|e| Error::file(file, "cannot read", &e))?;
    if length.is_dir() {
        return Err(Error::file(file, "cannot read", &std::io::ErrorKind::IsADirectory.into()));
    }
    match length.is_file() && length.len() == 0 {
        true => Err(Error::new("X0201", format!("`{}` is empty", file.display()))
            .at(file)
            .help("A delimited file has at least a header line.")),
        false => Ok(()),
    }
}

/// The engine's call that reads a file, and the names that the file gives its columns, in the call's order.
pub struct Scan {
    pub call: String,
    /// A call that gives only text, and shares the file among all threads, since it refuses very long lines.
    pub quick: Option<String>,
    /// A call that gives the same, for a few rows: see [`FEW`].
    pub head: Option<String>,
    pub names: Vec<String>,
}

/// A source that the engine reads by itself.
pub struct Scanned {
    files: Vec<PathBuf>,
    /// One query per file, whose columns have their final names.
    scans: Vec<String>,
    columns: Vec<(String, DataType)>,
    /// Whether the reader gives the types, or text that is still to be typed.
    typed: bool,
    /// The rows, where typing the columns has loaded them already.
    loaded: Option<Loaded>,
    limit: Option<u64>,
    options: CsvOptions,
}

impl Scanned {
    /// Reads the columns; text columns are typed by all their values.
    pub fn open(request: &Request, scans: &[Scan], staging: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        let mut columns: Vec<(String, DataType)> = vec![];
        let (mut queries, mut quick, mut head) = (vec![], vec![], None);
        for (scan, file) in scans.iter().zip(&request.files) {
            let found = staging.describe(&format!("SELECT * FROM {}", scan.call)).map_err(|e| at_line(e, file, &request.csv))?;
            let mut taken = BTreeSet::new();
            let names: Vec<String> = scan.names.iter().map(|name| column_name(name, &mut taken)).collect();
            let select = found.iter().zip(&names).map(|((given, _), name)| format!("{} AS {}", quote(given), quote(name)));
            let select = select.collect::<Vec<_>>().join(", ");
            queries.push(format!("SELECT {select} FROM {}", scan.call));
            quick.extend(scan.quick.iter().map(|call| format!("SELECT {select} FROM {call}")));
            if columns.is_empty() {
                head = scan.head.as_ref().map(|call| format!("SELECT {select} FROM {call}"));
                columns = names.into_iter().zip(found.into_iter().map(|(_, data_type)| data_type)).collect();
                continue;
            }
            if names.iter().ne(columns.iter().map(|(name, _)| name)) {
                return Err(other_columns(file, request));
            }
        }
        let typed = quick.is_empty();
        if typed && queries.len() > 1 {
            // Files may differ in their types: the engine finds those that hold the values of all.
            let all = staging.describe(&queries.join(" UNION ALL ")).map_err(|_| other_columns(&request.files[0], request))?;
            columns = all;
        }
        let mut loaded = None;
        if let Some(head) = head {
            loaded = csv_types::guess(request, &head, &quick, &mut columns, staging)?;
            let sampled = request.limit.is_some() && csv_types::infer(request, &quick, &mut columns, staging).is_ok();
            if sampled {
                // Memory for a line of any length would take longer to get than a few lines take to read.
                queries = quick;
            } else if loaded.is_none() {
                csv_types::infer(request, &queries, &mut columns, staging)?;
            }
        }
        Ok(Box::new(Scanned {
            files: request.files.clone(),
            scans: queries,
            columns,
            typed,
            loaded,
            limit: request.limit,
            options: request.csv.clone(),
        }))
    }
}

fn other_columns(file: &Path, request: &Request) -> Error {
    let first = request.files.first().map(|f| f.display().to_string()).unwrap_or_default();
    let message = format!("`{}` has other columns than `{first}`", file.display());
    Error::new("X0204", message).at(file).help("Files that one `file:` pattern names must have the same columns.")
}

/// Quotes a name for the engine.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text for the engine.
pub fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Source for Scanned {
    fn columns(&self) -> &[(String, DataType)] {
        &self.columns
    }

    fn complete(&self) -> bool {
        true
    }

    fn texts(&self) -> Texts {
        self.loaded.as_ref().map(|loaded| loaded.texts.clone()).unwrap_or_default()
    }

    fn load(&self, table: &str, staging: &dyn Staging) -> Result<(), Error> {
        if let Some(loaded) = &self.loaded {
            let table = quote(table);
            return staging.execute(&format!("DROP TABLE {table}; CREATE VIEW {table} AS {}", loaded.query));
        }
        for (i, (scan, file)) in self.scans.iter().zip(&self.files).enumerate() {
            let list: Vec<String> = self
                .columns
                .iter()
                .map(|(name, t)| match (self.typed, t) {
                    (true, _) | (_, DataType::Text | DataType::Unknown) => quote(name),
                    (_, t) => csv_types::cast(name, t),
                })
                .collect();
            let limit = self.limit.map(|n| format!(" LIMIT {n}")).unwrap_or_default();
            let first = record_number(i, 0);
            let sql = format!(
                "INSERT INTO {} SELECT {first} + row_number() OVER () - 1, {} FROM ({scan}){limit}",
                quote(table),
                list.join(", ")
            );
            staging.execute(&sql).map_err(|e| at_line(e, file, &self.options))?;
        }
        Ok(())
    }

    fn hash(&self) -> Result<String, Error> {
        hash_files(&self.files)
    }
}

/// Hashes the bytes of files, one after the other.
pub fn hash_files(files: &[PathBuf]) -> Result<String, Error> {
    let mut digest = Digest::default();
    for file in files {
        std::fs::File::open(file).and_then(|f| digest.add_all(f)).map_err(|e| Error::file(file, "cannot read", &e))?;
    }
    Ok(digest.digits())
}

/// Says what the engine says against a file in our words, with the line.
pub fn at_line(error: Error, file: &Path, options: &CsvOptions) -> Error {
    if error.is_interrupted() || error.code != "X0301" {
        return error;
    }
    let said = &error.message;
    let number = |start: &str| {
        let (_, rest) = said.split_once(start)?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()
    };
    // The engine names the file that a query over several stopped at.
    let named = said.lines().find_map(|l| l.trim().strip_prefix("file = ")).map(PathBuf::from).filter(|named| named.is_file());
    let file = named.as_deref().unwrap_or(file);
    let advice;
    let (cause, help) = match (number("Expected Number of Columns: "), number(" Found: ")) {
        (Some(expected), Some(found)) => {
            let help = match expected {
                1 => "The header is one field: name the character that parts the fields, such as `csv: {delimiter: ';'}`.",
                _ => "Every row must have as many fields as the header; quote values that hold the delimiter.",
            };
            (format!("the row has {found} {} instead of {expected}", if found == 1 { "field" } else { "fields" }), help)
        }
        _ if said.contains("not utf-8") || said.contains("unicode") => {
            advice = csv_encoding::advice(file);
            ("the line is not UTF-8".to_string(), advice.as_str())
        }
        _ if said.contains("nterminated quote")
            || said.contains("unquoted")
            || said.contains("quoted") && said.contains("CSV Error") =>
        {
            let cause = "a quote is not closed, or text follows behind a closing one".to_string();
            (cause, "Within quotes, a quote is written twice; another mark is named with `csv: {quote: ...}`.")
        }
        _ if said.contains("Maximum line size") => {
            let cause = format!("the line is longer than {MAX_LINE} bytes");
            (cause, "A quote is perhaps not closed, or the file has no line breaks.")
        }
        _ => {
            let first = said.lines().next().unwrap_or_default();
            let first = first.split_once(" Error: ").map_or(first, |(_, rest)| rest);
            (
                first.trim_end_matches('.').to_string(),
                "Check that the file is whole, and of the format that its suffix or `format:` says.",
            )
        }
    };
    let mut found = Error::new("X0202", format!("cannot read `{}`: {cause}", file.display())).at(file).help(help);
    // The engine does not count line breaks within quotes.
    let counted = number("Line: ");
    let line = counted.and_then(|n| n.checked_sub(1)).and_then(|before| {
        let text = csv_encoding::stream(file, None).ok()?;
        lines_of(BufReader::with_capacity(1 << 16, text), quote_byte(options), &[before as u64], true).pop()
    });
    found.line = line.map(|n| n as usize).or(counted);
    found
}

/// The lines of records, found by reading the file again: only samples of failing rows need them.
fn places(request: &Request, file: usize, records: &[u64]) -> Vec<Place> {
    let path = request.files.get(file).cloned();
    let wanted: Vec<u64> = records.iter().map(|record| record + u64::from(request.csv.header)).collect();
    let text = path.as_ref().and_then(|p| csv_encoding::stream(p, request.csv.encoding.as_deref()).ok());
    let lines = text.map(|text| lines_of(BufReader::with_capacity(1 << 16, text), quote_byte(&request.csv), &wanted, false));
    let lines = lines.unwrap_or_default();
    let position = |(i, record): (usize, &u64)| match lines.get(i) {
        Some(line) => format!("line {line}"),
        None => format!("record {}", record + 1),
    };
    records.iter().enumerate().map(|r| Place { file: path.clone(), position: position(r) }).collect()
}

/// The quote of a file; it may be none.
fn quote_byte(options: &CsvOptions) -> Option<u8> {
    options.quote.as_deref().unwrap_or("\"").bytes().next()
}

/// Returns the 1-based lines at which records start, given in ascending order, as far as they are there; newlines inside quotes are no ends of
/// records, empty lines are none unless `empty` says so. Reads no further than the last.
fn lines_of(mut text: impl BufRead, quote: Option<u8>, records: &[u64], empty: bool) -> Vec<u64> {
    let (mut line, mut seen, mut quoted, mut start, mut before) = (1, 0, false, true, 0);
    let mut found = vec![];
    while let Some(mut wanted) = records.get(found.len()) {
        let bytes = match text.fill_buf() {
            Ok(bytes) if !bytes.is_empty() => bytes,
            _ => break,
        };
        for byte in bytes {
            let feed = *byte == b'\n' && before == b'\r';
            if start && (empty && !feed || *byte != b'\n' && *byte != b'\r') {
                while seen == *wanted {
                    found.push(line);
                    match records.get(found.len()) {
                        Some(next) => wanted = next,
                        None => return found,
                    }
                }
                seen += 1;
                start = false;
            }
            quoted ^= Some(*byte) == quote;
            let ends = *byte == b'\r' || *byte == b'\n' && before != b'\r';
            line += u64::from(ends);
            start |= ends && !quoted;
            before = *byte;
        }
        let read = bytes.len();
        text.consume(read);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_records_count_newlines_in_quotes() {
        let text = b"a,b\n1,\"x\ny\"\n\n2,z\r\n3,w";
        assert_eq!(lines_of(&text[..], Some(b'"'), &[1, 2, 3, 4], false), [2, 5, 6]);
        assert_eq!(lines_of(&text[..], Some(b'"'), &[0, 1, 2, 2, 3, 4, 5], true), [1, 2, 4, 4, 5, 6]);
        assert_eq!(lines_of(&text[..], Some(b'"'), &[3], false), [6]);
    }
}
