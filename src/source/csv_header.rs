//! The first line of a delimited file: how many columns there are, and their names.
//!
//! In: a file and its options. Out: one name per column, as written, or `column0` and so on where the file has no header. The line comes
//! raw from the engine, which knows how to decompress it. Does not know about the rows below.

use std::path::Path;

use super::csv::{FEW, MAX_LINE, at_line, path_text};
use super::{CsvOptions, Staging};
use crate::error::Error;

/// How many lines a header with line breaks inside quotes may have.
const LINES: usize = 100;

/// Reads the names of a file's columns, and how many empty lines stand before them.
pub fn names(file: &Path, options: &CsvOptions, delimiter: &str, staging: &dyn Staging) -> Result<(Vec<String>, usize), Error> {
    // With a delimiter and a quote that no text has, a line is one field.
    let read = |line: &str| {
        staging.rows(&format!(
            "SELECT * FROM read_csv({}, auto_detect = false, columns = {{'line': 'VARCHAR'}}, header = false, \
             delim = '\x01\x02\x01\x02', quote = '', escape = '', strict_mode = false{line}) LIMIT {LINES}",
            path_text(file)
        ))
    };
    // Room for very long lines is dear: it is asked for where a line needs it.
    let lines = match read(FEW) {
        Err(error) if !error.is_interrupted() => read(&format!(", max_line_size = {MAX_LINE}")),
        lines => lines,
    };
    let lines = lines.map_err(|e| at_line(e, file, options))?;
    let lines: Vec<String> = lines.into_iter().map(|row| row.into_iter().next().flatten().unwrap_or_default()).collect();
    let blank = lines.iter().take_while(|line| line.is_empty()).count();
    let lines = lines.get(blank..).unwrap_or_default();
    let quote = options.quote.as_deref().unwrap_or("\"");
    let Some(names) = split(lines, delimiter, quote) else {
        let error = Error::new("X0201", format!("`{}` is empty", file.display())).at(file);
        return Err(error.help("A delimited file has at least a header line."));
    };
    if !options.header {
        return Ok(((0..names.len()).map(|i| format!("column{i}")).collect(), blank));
    }
    for (i, name) in names.iter().enumerate() {
        if !name.is_empty() && names.get(..i).is_some_and(|before| before.contains(name)) {
            let mut error =
                Error::new("X0205", format!("`{}` has two columns `{name}`", file.display())).at(file).line(blank + 1);
            error.help.push("Give each column a name of its own; without a header, say `csv: {header: false}`.".to_string());
            return Err(error);
        }
    }
    Ok((names, blank))
}

/// Splits the first record into its fields; lines are joined for as long as a quote is open.
fn split(lines: &[String], delimiter: &str, quote: &str) -> Option<Vec<String>> {
    let mut record = lines.first()?.clone();
    for line in lines.iter().skip(1) {
        if quote.is_empty() || record.matches(quote).count() % 2 == 0 {
            break;
        }
        record.push('\n');
        record.push_str(line);
    }
    let (mut fields, mut field, mut quoted, mut rest) = (vec![], String::new(), false, record.as_str());
    while let Some(c) = rest.chars().next() {
        if !quote.is_empty() && rest.starts_with(quote) {
            rest = &rest[quote.len()..];
            if quoted && rest.starts_with(quote) {
                field.push_str(quote);
                rest = &rest[quote.len()..];
            } else {
                quoted = !quoted;
            }
        } else if !quoted && !delimiter.is_empty() && rest.starts_with(delimiter) {
            fields.push(std::mem::take(&mut field));
            rest = &rest[delimiter.len()..];
        } else {
            field.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    fields.push(field);
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn headers_are_split_at_delimiters_outside_of_quotes() {
        let fields = |lines: &[&str], delimiter| split(&lines.iter().map(|l| l.to_string()).collect::<Vec<_>>(), delimiter, "\"");
        assert_eq!(fields(&["a,\"b,\"\"c\"\"\",", "1,2,3"], ","), Some(vec!["a".into(), "b,\"c\"".into(), "".into()]));
        assert_eq!(fields(&["a;\"b", "c\";d", "1;2;3"], ";"), Some(vec!["a".into(), "b\nc".into(), "d".into()]));
        assert_eq!(fields(&["id"], "\t"), Some(vec!["id".into()]));
        assert_eq!(fields(&[], ","), None);
    }
}
