//! Delimited text, read by the engine as text and typed by all its values.
//!
//! Ragged rows and wrong bytes are errors with their line: nothing is skipped. A column's type is the narrowest of boolean, whole number,
//! decimal, date and timestamp that every value has exactly; a number with leading zeros ("007") is text, since it is a code.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::origin::Place;
use super::{CsvOptions, Request, Scope, Source, SourceKind, Staging, record_number};
use crate::error::Error;
use crate::types::DataType;

pub struct Csv;
pub struct Tsv;

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
        place(request, file, record)
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
        place(request, file, record)
    }
}

fn open(request: &Request, _: Scope, delimiter: &str, staging: &dyn Staging) -> Result<Box<dyn Source>, Error> {
    for file in &request.files {
        readable(file)?;
    }
    let scans = request.files.iter().map(|f| scan(f, &request.csv, delimiter)).collect();
    Scanned::open(request, scans, false, staging)
}

/// The engine's call that reads a file, every column as text.
fn scan(file: &Path, options: &CsvOptions, delimiter: &str) -> String {
    let text = |t: &str| format!("'{}'", t.replace('\'', "''"));
    let mut arguments = vec![
        path_text(file),
        format!("delim = {}", text(options.delimiter.as_deref().unwrap_or(delimiter))),
        format!("header = {}", options.header),
        format!("quote = {}", text(options.quote.as_deref().unwrap_or("\""))),
        format!("escape = {}", text(options.quote.as_deref().unwrap_or("\""))),
        "all_varchar = true, sample_size = 1, max_line_size = 1073741824".to_string(),
        "ignore_errors = false, null_padding = false, strict_mode = true".to_string(),
    ];
    if !options.nulls.is_empty() {
        let nulls: Vec<String> = options.nulls.iter().map(|n| text(n)).collect();
        arguments.push(format!("nullstr = [{}]", nulls.join(", ")));
    }
    if let Some(encoding) = &options.encoding {
        arguments.push(format!("encoding = {}", text(encoding)));
    }
    format!("read_csv({})", arguments.join(", "))
}

/// Quotes a path for the engine; characters that it would take for a pattern lose that meaning.
pub fn path_text(file: &Path) -> String {
    let escaped: String = file.to_string_lossy().chars().map(|c| if "*?[".contains(c) { format!("[{c}]") } else { c.to_string() }).collect();
    format!("'{}'", escaped.replace('\'', "''"))
}

fn readable(file: &Path) -> Result<(), Error> {
    let length = std::fs::File::open(file).and_then(|f| f.metadata()).map_err(|e| Error::file(file, "cannot read", &e))?;
    match length.is_file() && length.len() == 0 {
        true => Err(Error::new("X0201", format!("`{}` is empty", file.display())).at(file).help("A delimited file has at least a header line.")),
        false => Ok(()),
    }
}

/// A source that the engine reads by itself.
pub struct Scanned {
    files: Vec<PathBuf>,
    /// One call of a reader per file.
    scans: Vec<String>,
    columns: Vec<(String, DataType)>,
    /// Whether the reader gives the types, or text that is still to be typed.
    typed: bool,
    limit: Option<u64>,
}

impl Scanned {
    /// Reads the columns; text columns are typed by all their values.
    pub fn open(request: &Request, scans: Vec<String>, typed: bool, staging: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        for file in &request.files {
            std::fs::File::open(file).map_err(|e| Error::file(file, "cannot read", &e))?;
        }
        let mut columns: Vec<(String, DataType)> = vec![];
        for (scan, file) in scans.iter().zip(&request.files) {
            let found = staging.describe(&format!("SELECT * FROM {scan}")).map_err(|e| at_line(e, file))?;
            if columns.is_empty() {
                columns = found;
            } else if found.iter().map(|c| &c.0).ne(columns.iter().map(|c| &c.0)) {
                let message = format!("`{}` has other columns than `{}`", file.display(), request.files[0].display());
                return Err(Error::new("X0204", message).at(file).help("Files that one `file:` pattern names must have the same columns."));
            }
        }
        let mut source =
            Scanned { files: request.files.clone(), scans, columns, typed, limit: request.limit };
        if !typed {
            source.infer(request, staging)?;
        }
        Ok(Box::new(source))
    }

    /// Types each text column by all its values, in one scan of the files.
    fn infer(&mut self, request: &Request, staging: &dyn Staging) -> Result<(), Error> {
        let pinned = |name: &str| request.pins.iter().any(|(p, _)| p == name);
        let open: Vec<usize> = (0..self.columns.len()).filter(|i| !pinned(&self.columns[*i].0)).collect();
        let measures: Vec<String> = open.iter().map(|i| measures(&self.columns[*i].0)).collect();
        if measures.is_empty() {
            return Ok(());
        }
        let all: Vec<String> = self.scans.iter().map(|s| format!("SELECT * FROM {s}")).collect();
        let sql = format!("SELECT {} FROM ({})", measures.join(", "), all.join(" UNION ALL "));
        let row = staging.rows(&sql).map_err(|e| at_line(e, &self.files[0]))?.into_iter().next().unwrap_or_default();
        let numbers: Vec<u64> = row.into_iter().map(|c| c.and_then(|t| t.parse().ok()).unwrap_or(0)).collect();
        for (i, found) in open.iter().zip(numbers.chunks(MEASURES)) {
            self.columns[*i].1 = narrowest(found);
        }
        Ok(())
    }
}

/// How many numbers [`measures`] gives for a column.
const MEASURES: usize = 8;

/// Counts, for one column: values, booleans, whole numbers, decimals, most whole digits, most digits after the point, dates, timestamps.
fn measures(column: &str) -> String {
    let c = format!("\"{}\"", column.replace('"', "\"\""));
    let whole = format!("regexp_full_match({c}, '-?(0|[1-9][0-9]*)')");
    let decimal = format!("regexp_full_match({c}, '-?(0|[1-9][0-9]*)(\\.[0-9]+)?')");
    format!(
        "count({c}), count(*) FILTER ({c} IN ('true', 'false')), count(*) FILTER ({whole} AND TRY_CAST({c} AS BIGINT) IS NOT NULL), \
         count(*) FILTER ({decimal}), max(length(split_part(ltrim({c}, '-'), '.', 1))) FILTER ({decimal}), \
         max(length(split_part({c}, '.', 2))) FILTER ({decimal}), \
         count(*) FILTER (regexp_full_match({c}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') AND TRY_CAST({c} AS DATE) IS NOT NULL), \
         count(*) FILTER (regexp_full_match({c}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\\.[0-9]{{1,6}})?') \
         AND TRY_CAST({c} AS TIMESTAMP) IS NOT NULL)"
    )
}

fn narrowest(found: &[u64]) -> DataType {
    let &[values, booleans, wholes, decimals, before, after, dates, timestamps] = found else { return DataType::Text };
    match values {
        0 => DataType::Unknown,
        n if n == booleans => DataType::Boolean,
        n if n == wholes => DataType::BigInt,
        n if n == decimals && before + after <= 38 => DataType::Decimal(Some(((before + after) as u8, after as u8))),
        n if n == dates => DataType::Date,
        n if n == timestamps => DataType::Timestamp(None),
        _ => DataType::Text,
    }
}

impl Source for Scanned {
    fn columns(&self) -> &[(String, DataType)] {
        &self.columns
    }

    fn complete(&self) -> bool {
        true
    }

    fn load(&self, table: &str, staging: &dyn Staging) -> Result<(), Error> {
        let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        for (i, (scan, file)) in self.scans.iter().zip(&self.files).enumerate() {
            let list: Vec<String> = self
                .columns
                .iter()
                .map(|(name, t)| match (self.typed, t) {
                    (true, _) | (_, DataType::Text | DataType::Unknown) => quote(name),
                    (_, t) => format!("CAST({} AS {})", quote(name), t.to_string().to_uppercase()),
                })
                .collect();
            let limit = self.limit.map(|n| format!(" LIMIT {n}")).unwrap_or_default();
            let first = record_number(i, 0);
            let sql = format!(
                "INSERT INTO {} SELECT {first} + row_number() OVER () - 1, {} FROM {scan}{limit}",
                quote(table),
                list.join(", ")
            );
            staging.execute(&sql).map_err(|e| at_line(e, file))?;
        }
        Ok(())
    }

    fn hash(&self) -> Result<String, Error> {
        hash_files(&self.files)
    }
}

/// Hashes the bytes of files, one after the other.
pub fn hash_files(files: &[PathBuf]) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    for file in files {
        let failed = |e: std::io::Error| Error::file(file, "cannot read", &e);
        let mut reader = std::fs::File::open(file).map_err(failed)?;
        let mut block = vec![0; 1 << 20];
        loop {
            let read = reader.read(&mut block).map_err(failed)?;
            if read == 0 {
                break;
            }
            hasher.update(&block[..read]);
        }
    }
    Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// Finds the line in the engine's message about a file, and keeps its first sentence.
fn at_line(error: Error, file: &Path) -> Error {
    if error.is_interrupted() || error.code != "X0301" {
        return error;
    }
    let line = error.message.split_once("Line: ").and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    let text = |start: &str| error.message.lines().find(|l| l.trim_start().starts_with(start)).map(|l| l.trim().to_string());
    let cause = text("Expected Number").or(text("Value with")).or(text("Invalid")).or(error.message.lines().next().map(String::from));
    let message = format!("cannot read `{}`: {}", file.display(), cause.unwrap_or_default());
    let mut found = Error::new("X0202", message).at(file).help("Every row must have as many fields as the header; quote values that hold the delimiter.");
    found.line = line;
    found
}

/// The line of a record, found by reading the file again: only samples of failing rows need it.
fn place(request: &Request, file: usize, record: u64) -> Place {
    let path = request.files.get(file).cloned();
    let quote = request.csv.quote.as_ref().and_then(|q| q.bytes().next()).unwrap_or(b'"');
    let wanted = record + u64::from(request.csv.header);
    let position = match path.as_ref().and_then(|p| std::fs::read(p).ok()).and_then(|bytes| line_of(&bytes, quote, wanted)) {
        Some(line) => format!("line {line}"),
        None => format!("record {}", record + 1),
    };
    Place { file: path, position }
}

/// Returns the 1-based line at which a record starts; newlines inside quotes and empty lines are no records.
fn line_of(bytes: &[u8], quote: u8, record: u64) -> Option<u64> {
    let (mut line, mut seen, mut quoted, mut start) = (1, 0, false, true);
    for (i, byte) in bytes.iter().enumerate() {
        if start && *byte != b'\n' && *byte != b'\r' {
            if seen == record {
                return Some(line);
            }
            seen += 1;
            start = false;
        }
        quoted ^= *byte == quote;
        let ends = *byte == b'\n' || *byte == b'\r' && bytes.get(i + 1) != Some(&b'\n');
        line += u64::from(ends);
        start |= ends && !quoted;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_records_count_newlines_in_quotes() {
        let text = b"a,b\n1,\"x\ny\"\n\n2,z\r\n3,w";
        assert_eq!(line_of(text, b'"', 1), Some(2));
        assert_eq!(line_of(text, b'"', 2), Some(5));
        assert_eq!(line_of(text, b'"', 3), Some(6));
        assert_eq!(line_of(text, b'"', 4), None);
    }

    #[test]
    fn types_are_the_narrowest_that_lose_nothing() {
        assert_eq!(narrowest(&[3, 0, 3, 3, 2, 0, 0, 0]), DataType::BigInt);
        assert_eq!(narrowest(&[3, 0, 1, 3, 2, 3, 0, 0]), DataType::Decimal(Some((5, 3))));
        assert_eq!(narrowest(&[3, 0, 2, 2, 2, 0, 0, 0]), DataType::Text);
        assert_eq!(narrowest(&[0, 0, 0, 0, 0, 0, 0, 0]), DataType::Unknown);
    }
}
