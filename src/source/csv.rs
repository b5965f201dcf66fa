//! Delimited text, read by the engine as text and typed by all its values.
//!
//! Ragged rows and wrong bytes are errors with their line: nothing is skipped. A column's type is the narrowest of boolean, whole number,
//! decimal, date and timestamp that every value has exactly; a number with leading zeros ("007") is text, since it is a code.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::json::column_name;
use super::origin::Place;
use super::{CsvOptions, Request, Scope, Source, SourceKind, Staging, csv_header, record_number};
use crate::error::Error;
use crate::types::DataType;

pub struct Csv;
pub struct Tsv;

/// The most bytes that a line may have: the engine keeps several such lines in memory.
pub const MAX_LINE: usize = 128 << 20;

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
    let delimiter = request.csv.delimiter.as_deref().unwrap_or(delimiter);
    let mut scans = vec![];
    for file in &request.files {
        readable(file)?;
        let (names, blank) = csv_header::names(file, &request.csv, delimiter, staging)?;
        scans.push(Scan { call: scan(file, &request.csv, delimiter, (names.len(), blank)), names });
    }
    Scanned::open(request, &scans, false, staging)
}

/// The engine's call that reads a file, every column as text; columns are named by their number, `0` and so on.
///
/// `blank` lines stand before the header. Nothing is guessed: the engine's sniffer would take a ragged row for another delimiter.
fn scan(file: &Path, options: &CsvOptions, delimiter: &str, (columns, blank): (usize, usize)) -> String {
    let text = |t: &str| format!("'{}'", t.replace('\'', "''"));
    let columns: Vec<String> = (0..columns).map(|i| format!("'{i}': 'VARCHAR'")).collect();
    let mut arguments = vec![
        path_text(file),
        format!("auto_detect = false, columns = {{{}}}", columns.join(", ")),
        format!("delim = {}", text(delimiter)),
        format!("header = {}, skip = {blank}", options.header),
        format!("quote = {}", text(options.quote.as_deref().unwrap_or("\""))),
        format!("escape = {}", text(options.quote.as_deref().unwrap_or("\""))),
        format!("max_line_size = {MAX_LINE}"),
        "ignore_errors = false, null_padding = false, strict_mode = true".to_string(),
    ];
    match options.nulls.is_empty() {
        // A field in quotes is a text, and be it an empty one.
        true => arguments.push("allow_quoted_nulls = false".to_string()),
        false => {
            let nulls: Vec<String> = options.nulls.iter().map(|n| text(n)).collect();
            arguments.push(format!("nullstr = [{}]", nulls.join(", ")));
        }
    }
    if let Some(encoding) = &options.encoding {
        arguments.push(format!("encoding = {}", text(encoding)));
    }
    format!("read_csv({})", arguments.join(", "))
}

/// Quotes a path for the engine; characters that it would take for a pattern lose that meaning.
pub fn path_text(file: &Path) -> String {
    let escaped: String =
        file.to_string_lossy().chars().map(|c| if "*?[".contains(c) { format!("[{c}]") } else { c.to_string() }).collect();
    format!("'{}'", escaped.replace('\'', "''"))
}

fn readable(file: &Path) -> Result<(), Error> {
    let length = std::fs::File::open(file).and_then(|f| f.metadata()).map_err(|e| Error::file(file, "cannot read", &e))?;
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
    limit: Option<u64>,
}

impl Scanned {
    /// Reads the columns; text columns are typed by all their values.
    pub fn open(request: &Request, scans: &[Scan], typed: bool, staging: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        let mut columns: Vec<(String, DataType)> = vec![];
        let mut queries = vec![];
        for (scan, file) in scans.iter().zip(&request.files) {
            let found = staging.describe(&format!("SELECT * FROM {}", scan.call)).map_err(|e| at_line(e, file))?;
            let mut taken = BTreeSet::new();
            let names: Vec<String> = scan.names.iter().map(|name| column_name(name, &mut taken)).collect();
            let select = found.iter().zip(&names).map(|((given, _), name)| format!("{} AS {}", quote(given), quote(name)));
            queries.push(format!("SELECT {} FROM {}", select.collect::<Vec<_>>().join(", "), scan.call));
            if columns.is_empty() {
                columns = names.into_iter().zip(found.into_iter().map(|(_, data_type)| data_type)).collect();
                continue;
            }
            if names.iter().ne(columns.iter().map(|(name, _)| name)) {
                return Err(other_columns(file, request));
            }
        }
        if typed && queries.len() > 1 {
            // Files may differ in their types: the engine finds those that hold the values of all.
            let all = staging.describe(&queries.join(" UNION ALL ")).map_err(|_| other_columns(&request.files[0], request))?;
            columns = all;
        }
        let mut source = Scanned { files: request.files.clone(), scans: queries, columns, typed, limit: request.limit };
        if !typed {
            source.infer(request, staging)?;
        }
        Ok(Box::new(source))
    }

    /// Types each text column by all its values, in one scan of the files.
    fn infer(&mut self, request: &Request, staging: &dyn Staging) -> Result<(), Error> {
        let pinned = |name: &str| request.pins.iter().any(|(p, _)| p == name);
        let open: Vec<usize> = (0..self.columns.len()).filter(|i| !pinned(&self.columns[*i].0)).collect();
        // The engine's time to plan grows faster than the number of aggregates: a wide file is rather read more than once.
        for some in open.chunks(AT_ONCE) {
            let measures: Vec<String> = some.iter().map(|i| measures(&self.columns[*i].0)).collect();
            let sql = format!("SELECT {} FROM ({})", measures.join(", "), self.scans.join(" UNION ALL "));
            let row = staging.rows(&sql).map_err(|e| at_line(e, &self.files[0]))?.into_iter().next().unwrap_or_default();
            let numbers: Vec<u64> = row.into_iter().map(|c| c.and_then(|t| t.parse().ok()).unwrap_or(0)).collect();
            for (i, found) in some.iter().zip(numbers.chunks(MEASURES)) {
                self.columns[*i].1 = narrowest(found);
            }
        }
        Ok(())
    }
}

fn other_columns(file: &Path, request: &Request) -> Error {
    let first = request.files.first().map(|f| f.display().to_string()).unwrap_or_default();
    let message = format!("`{}` has other columns than `{first}`", file.display());
    Error::new("X0204", message).at(file).help("Files that one `file:` pattern names must have the same columns.")
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How many columns are typed in one scan.
const AT_ONCE: usize = 200;

/// How many numbers [`measures`] gives for a column.
const MEASURES: usize = 8;

/// Counts, for one column: values, booleans, whole numbers, decimals, most whole digits, most digits after the point, dates, timestamps.
fn measures(column: &str) -> String {
    let c = quote(column);
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
    let &[values, booleans, wholes, decimals, before, after, dates, timestamps] = found else {
        return DataType::Text;
    };
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
                "INSERT INTO {} SELECT {first} + row_number() OVER () - 1, {} FROM ({scan}){limit}",
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

/// Says what the engine says against a file in our words, with the line.
pub fn at_line(error: Error, file: &Path) -> Error {
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
    let (cause, help) = match (number("Expected Number of Columns: "), number(" Found: ")) {
        (Some(expected), Some(found)) => {
            let help = "Every row must have as many fields as the header; quote values that hold the delimiter.";
            (format!("the row has {found} {} instead of {expected}", if found == 1 { "field" } else { "fields" }), help)
        }
        _ if said.contains("not utf-8") || said.contains("unicode") => {
            ("the line is not UTF-8".to_string(), "Convert the file to UTF-8, or name its encoding: `csv: {encoding: latin-1}`.")
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
        _ if said.contains("does not support the encoding") => {
            let cause = said.lines().next().unwrap_or_default().rsplit(": ").next().unwrap_or_default();
            (format!("there is no encoding {cause}"), "Encodings are utf-8, utf-16 and latin-1; convert a file in another one.")
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
    found.line = number("Line: ");
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
