//! How T-SQL scripts hold text: literals, identifiers, JSON strings, comments.
//!
//! In: any text. Out: the same content in a form that survives the tools that send scripts, which look at lines before the server sees
//! them: a line that is only GO ends the batch, lines that begin with a colon or `!!` are commands, `$(name)` is replaced by a variable,
//! and a backslash before the end of a line joins it with the next. So no literal holds a line end or `$(`.
//! Does not know about types.

use crate::emit::load::one_line;
use crate::emit::plain::{Kinds, Plain};

/// The most pieces that a literal is broken into by `+`: deeply nested expressions are refused by the server.
const PIECES: usize = 16;
/// The longest text, in UTF-16 code units, that concatenation keeps whole by itself.
const SHORT: usize = 4_000;
/// What may need an escape in a JSON string inside of a literal.
const ESCAPED: u8 =
    Kinds::CONTROL | Kinds::SINGLE_QUOTE | Kinds::DOUBLE_QUOTE | Kinds::BACKSLASH | Kinds::DOLLAR | Kinds::LIKE_AN_END;

/// Quotes a name.
pub fn identifier(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// Tells whether a name cannot be written so that every tool leaves it alone.
pub fn is_unwritable(name: &str) -> bool {
    name.contains("$(") || name.contains(['\n', '\r', '\0'])
}

/// Quotes the name of a table, with its schema.
pub fn relation(schema: Option<&str>, name: &str) -> String {
    format!("{}.{}", identifier(schema.unwrap_or("dbo")), identifier(name))
}

/// Lists names, quoted, each behind `prefix`.
pub fn names<'a>(prefix: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|n| format!("{prefix}{}", identifier(n))).collect();
    quoted.join(", ")
}

/// Makes a comment line of a text that may hold anything.
pub fn comment(text: &str) -> String {
    // The backslash would join the comment with the next line.
    format!("-- {}\n", one_line(text).replace("$(", "$ (").trim_end_matches(['\\', ' ']))
}

/// Quotes a text as a constant.
pub fn literal(text: &str) -> String {
    let mut out = vec![];
    constant(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Finds what may not stand in a literal as it is: its place, its length, and the character that is written as a number (or none, where
/// a cut is enough).
fn special(bytes: &[u8], from: usize) -> Option<(usize, usize, Option<u32>)> {
    let rest = bytes.get(from..)?;
    for (i, byte) in rest.iter().enumerate() {
        let at = from + i;
        match byte {
            b'\t' => {}
            0..0x20 => return Some((at, 1, Some(u32::from(*byte)))),
            b'$' if rest.get(i + 1) == Some(&b'(') => return Some((at + 1, 0, None)),
            // Some tools take these for line ends, and a byte order mark for none of the text.
            0xc2 if rest.get(i + 1) == Some(&0x85) => return Some((at, 2, Some(0x85))),
            0xe2 if matches!(rest.get(i + 1..i + 3), Some([0x80, 0xa8])) => return Some((at, 3, Some(0x2028))),
            0xe2 if matches!(rest.get(i + 1..i + 3), Some([0x80, 0xa9])) => return Some((at, 3, Some(0x2029))),
            0xef if matches!(rest.get(i + 1..i + 3), Some([0xbb, 0xbf])) => return Some((at, 3, Some(0xfeff))),
            // Others for the end of the file.
            0xef if matches!(rest.get(i + 1..i + 3), Some([0xbf, 0xbe])) => return Some((at, 3, Some(0xfffe))),
            0xef if matches!(rest.get(i + 1..i + 3), Some([0xbf, 0xbf])) => return Some((at, 3, Some(0xffff))),
            _ => {}
        }
    }
    None
}

/// Appends a constant: `N'it''s'`, `N'two' + NCHAR(10) + N'lines'`, or for text with many line ends
/// `REPLACE(N'one{~10}two...', N'{~10}', NCHAR(10))`.
pub fn constant(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let Some(first) = special(bytes, 0) else { return quoted(bytes, out) };
    let mut found = vec![first];
    let mut from = first.0 + first.1;
    while let Some(next) = special(bytes, from) {
        from = next.0 + next.1;
        found.push(next);
    }
    if found.len() > PIECES {
        return replaced(text, &found, out);
    }
    let mut plus = "";
    if text.encode_utf16().count() > SHORT {
        out.extend_from_slice(b"CAST(N'' AS nvarchar(max))");
        plus = " + ";
    }
    let mut start = 0;
    for (at, length, code) in found {
        if at > start {
            out.extend_from_slice(plus.as_bytes());
            quoted(&bytes[start..at], out);
            plus = " + ";
        }
        if let Some(code) = code {
            out.extend_from_slice(format!("{plus}NCHAR({code})").as_bytes());
            plus = " + ";
        }
        start = at + length;
    }
    if start < bytes.len() {
        out.extend_from_slice(plus.as_bytes());
        quoted(&bytes[start..], out);
    }
}

/// Appends a text whose special characters stand as marks, and calls that put them back.
fn replaced(text: &str, found: &[(usize, usize, Option<u32>)], out: &mut Vec<u8>) {
    // What stands between `$` and `(` is replaced by nothing.
    let mut codes: Vec<Option<u32>> = found.iter().map(|(_, _, code)| *code).collect();
    codes.sort_unstable();
    codes.dedup();
    let mut salt = 0_u32;
    let mark = |code: Option<u32>, salt: u32| {
        let shown = code.map_or("x".to_string(), |c| c.to_string());
        if salt == 0 { format!("{{~{shown}}}") } else { format!("{{~{shown}~{salt}}}") }
    };
    while codes.iter().any(|code| text.contains(&mark(*code, salt))) {
        salt += 1;
    }
    let mut marked = vec![];
    let mut start = 0;
    for (at, length, code) in found {
        marked.extend_from_slice(&text.as_bytes()[start..*at]);
        marked.extend_from_slice(mark(*code, salt).as_bytes());
        start = at + length;
    }
    marked.extend_from_slice(&text.as_bytes()[start..]);
    out.extend_from_slice("REPLACE(".repeat(codes.len()).as_bytes());
    out.extend_from_slice(b"CAST(");
    quoted(&marked, out);
    // Other collations ignore characters that they do not know.
    out.extend_from_slice(b" AS nvarchar(max)) COLLATE Latin1_General_BIN2");
    for code in codes {
        let character = code.map_or("N''".to_string(), |c| format!("NCHAR({c})"));
        out.extend_from_slice(format!(", N'{}', {character})", mark(code, salt)).as_bytes());
    }
}

fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"N'");
    let mut start = 0;
    for at in memchr::memchr_iter(b'\'', text) {
        out.extend_from_slice(&text[start..=at]);
        start = at;
    }
    out.extend_from_slice(&text[start..]);
    out.push(b'\'');
}

/// Appends a JSON string that stands inside of a literal.
pub fn json_string(text: Plain, out: &mut Vec<u8>) {
    let bytes = text.bytes;
    out.push(b'"');
    if !text.has(ESCAPED) {
        out.extend_from_slice(bytes);
        return out.push(b'"');
    }
    let mut start = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let next = |n: usize| bytes.get(at + n).copied();
        let (escape, length) = match byte {
            b'"' => ("\\\"".to_string(), 1),
            b'\\' => ("\\\\".to_string(), 1),
            b'\'' => ("''".to_string(), 1),
            b'\n' => ("\\n".to_string(), 1),
            b'\r' => ("\\r".to_string(), 1),
            b'\t' => ("\\t".to_string(), 1),
            0..0x20 => (format!("\\u{byte:04x}"), 1),
            b'$' if next(1) == Some(b'(') => ("\\u0024".to_string(), 1),
            0xc2 if next(1) == Some(0x85) => ("\\u0085".to_string(), 2),
            0xe2 if next(1) == Some(0x80) && next(2) == Some(0xa8) => ("\\u2028".to_string(), 3),
            0xe2 if next(1) == Some(0x80) && next(2) == Some(0xa9) => ("\\u2029".to_string(), 3),
            0xef if next(1) == Some(0xbb) && next(2) == Some(0xbf) => ("\\ufeff".to_string(), 3),
            0xef if next(1) == Some(0xbf) && next(2) == Some(0xbe) => ("\\ufffe".to_string(), 3),
            0xef if next(1) == Some(0xbf) && next(2) == Some(0xbf) => ("\\uffff".to_string(), 3),
            _ => {
                at += 1;
                continue;
            }
        };
        out.extend_from_slice(&bytes[start..at]);
        out.extend_from_slice(escape.as_bytes());
        at += length;
        start = at;
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_hold_no_line_end_and_no_variable() {
        for (text, written) in [
            ("", "N''"),
            ("it's", "N'it''s'"),
            ("a\nGO\nb", "N'a' + NCHAR(10) + N'GO' + NCHAR(10) + N'b'"),
            ("\r\n", "NCHAR(13) + NCHAR(10)"),
            ("$(x) $$(y)", "N'$' + N'(x) $$' + N'(y)'"),
            ("end\\\n", "N'end\\' + NCHAR(10)"),
            ("\u{feff}x\u{2028}\u{ffff}", "NCHAR(65279) + N'x' + NCHAR(8232) + NCHAR(65535)"),
        ] {
            assert_eq!(literal(text), written);
        }
        assert!(literal(&format!("{}\n", "é".repeat(4_000))).starts_with("CAST(N'' AS nvarchar(max)) + N'é"));
    }

    #[test]
    fn many_line_ends_are_put_back_by_marks_that_the_text_does_not_have() {
        let text = "{~10}$(\n".repeat(20);
        let written = literal(&text);
        assert!(written.starts_with("REPLACE(REPLACE(CAST(N'{~10}${~x~1}({~10~1}"), "{written}");
        assert!(written.ends_with("COLLATE Latin1_General_BIN2, N'{~x~1}', N''), N'{~10~1}', NCHAR(10))"), "{written}");
        assert!(!written.contains('\n') && !written.contains("$("));
    }

    #[test]
    fn json_strings_are_safe_inside_of_literals() {
        let mut out = vec![];
        let text = "a'b\"\\\n$(x)$ é\u{2028}\u{1}😀".as_bytes();
        json_string(Plain::of(text), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\"a''b\\\"\\\\\\n\\u0024(x)$ é\\u2028\\u0001😀\"");
    }

    #[test]
    fn comments_and_names_stay_in_their_place() {
        assert_eq!(comment("a\nGO\r$(x)\\"), "-- a GO $ (x)\n");
        assert_eq!(relation(None, "a]b"), "[dbo].[a]]b]");
        assert!(is_unwritable("a$(b)") && !is_unwritable("a b$c"));
    }
}
