//! How Postgres wants text inside of statements and COPY data: literals, identifiers, array elements, dollar quotes.
//!
//! In: any bytes. Out: the same content in a form that reads back as exactly those bytes.
//! Sources: PostgreSQL 15 manual, sections 4.1.1 (identifiers), 4.1.2 (constants, dollar quotes), 8.15.6 (array elements), and COPY (text format).
//! Does not know about types.

use crate::emit::plain::{Kinds, Plain};

/// Quotes a name.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes the name of a table, with its schema if it has one.
pub fn relation(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", identifier(schema), identifier(name)),
        None => identifier(name),
    }
}

/// Quotes a text as a constant.
pub fn literal(text: &str) -> String {
    let mut out = vec![];
    constant(Plain::of(text.as_bytes()), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Lists names, quoted, each behind `prefix`.
pub fn names<'a>(prefix: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|n| format!("{prefix}{}", identifier(n))).collect();
    quoted.join(", ")
}

/// Makes a DO statement; its tag is one that does not occur in the body.
pub fn block(body: &str) -> String {
    let mut tag = "$pipe$".to_string();
    let mut number = 1;
    while body.contains(&tag) {
        tag = format!("$pipe{number}$");
        number += 1;
    }
    format!("DO {tag}\n{body}\n{tag};\n")
}

/// Tells whether any byte is such a one; looks at all of them, so that it compiles to vector instructions.
pub fn any(text: &[u8], is: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(false, |found, b| found | is(*b))
}

/// Appends a field of COPY's text format.
pub fn copy_field(text: Plain, out: &mut Vec<u8>) {
    let has_escapes = text.has(Kinds::CONTROL | Kinds::BACKSLASH);
    let text = text.bytes;
    if !has_escapes {
        return out.extend_from_slice(text);
    }
    let mut start = 0;
    for (i, byte) in text.iter().enumerate() {
        let escape = match byte {
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0x0b => b'v',
            _ => continue,
        };
        out.extend_from_slice(&text[start..i]);
        out.extend_from_slice(&[b'\\', escape]);
        start = i + 1;
    }
    out.extend_from_slice(&text[start..]);
}

/// Appends a constant that stays on one line: `'it''s'`, or `E'two\nlines'` where there are control characters.
///
/// Line ends are escaped because editors and version control change them.
pub fn constant(text: Plain, out: &mut Vec<u8>) {
    if !text.has(Kinds::CONTROL) {
        return quoted(text, b"'", Kinds::SINGLE_QUOTE, out);
    }
    out.extend_from_slice(b"E'");
    for byte in text.bytes {
        match byte {
            b'\'' => out.extend_from_slice(b"''"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(*byte),
        }
    }
    out.push(b'\'');
}

/// Appends a text as the function `quote_literal` returns it.
pub fn quote_literal(text: Plain, out: &mut Vec<u8>) {
    let open: &[u8] = if text.has(Kinds::BACKSLASH) { b"E'" } else { b"'" };
    quoted(text, open, Kinds::SINGLE_QUOTE | Kinds::BACKSLASH, out);
}

/// Appends a text between quotes; the characters of these kinds stand twice.
fn quoted(text: Plain, open: &[u8], doubled: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(open);
    let bytes = text.bytes;
    let mut start = 0;
    if text.has(doubled) {
        for (i, byte) in bytes.iter().enumerate() {
            if *byte == b'\'' || (*byte == b'\\' && doubled & Kinds::BACKSLASH != 0) {
                out.extend_from_slice(&bytes[start..=i]);
                start = i;
            }
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'\'');
}

/// Appends an element of an array constant, quoted where it must be.
pub fn element(text: &[u8], out: &mut Vec<u8>) {
    let special = |b: u8| b <= b' ' || b == b'"' || b == b'\\' || b == b',' || b == b'{' || b == b'}';
    if !text.is_empty() && !any(text, special) && !text.eq_ignore_ascii_case(b"null") {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::Dialect;

    fn shown(write: fn(Plain, &mut Vec<u8>), text: &str) -> String {
        let mut out = vec![];
        write(Plain::of(text.as_bytes()), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn copy_fields_stay_on_their_line() {
        assert_eq!(shown(copy_field, "plain ünï"), "plain ünï");
        assert_eq!(shown(copy_field, "\\."), "\\\\.");
        assert_eq!(shown(copy_field, "\\N"), "\\\\N");
        assert_eq!(shown(copy_field, "a\tb\r\nc\u{8}\u{b}\u{c}\u{1}"), "a\\tb\\r\\nc\\b\\v\\f\u{1}");
        assert_eq!(shown(copy_field, ""), "");
    }

    #[test]
    fn constants_are_safe_with_any_content() {
        assert_eq!(shown(constant, "it's"), "'it''s'");
        assert_eq!(shown(constant, "''"), "''''''");
        assert_eq!(shown(constant, "C:\\x"), "'C:\\x'");
        assert_eq!(shown(constant, "a'\\\r\n\u{1}"), "E'a''\\\\\\r\\n\\x01'");
        assert_eq!(shown(quote_literal, "a'\\b\n"), "E'a''\\\\b\n'");
        assert_eq!(shown(quote_literal, "a'b"), "'a''b'");
    }

    #[test]
    fn elements_are_quoted_where_they_must_be() {
        for (text, quoted) in
            [("a-1", "a-1"), ("", "\"\""), ("NULL", "\"NULL\""), ("a\"\\", "\"a\\\"\\\\\""), ("{a,b}", "\"{a,b}\"")]
        {
            assert_eq!(shown(|text, out| element(text.bytes, out), text), quoted);
        }
    }

    #[test]
    fn a_block_is_never_ended_by_its_content() {
        assert_eq!(block("a $pipe$ $pipe1$"), "DO $pipe2$\na $pipe$ $pipe1$\n$pipe2$;\n");
        assert_eq!(super::super::Postgres.comment("a\nDROP TABLE b;"), "-- a DROP TABLE b;\n");
        assert_eq!(relation(Some("My \"s\""), "order"), "\"My \"\"s\"\"\".\"order\"");
    }
}
