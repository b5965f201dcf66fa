//! Delimited text in another encoding than UTF-8: windows-1252 of spreadsheets, UTF-16, and the others that have a name on the web.
//!
//! In: a file and the name of its encoding. Out: the same lines in UTF-8, piece by piece. What an encoding does not define is an error with its
//! place: nothing is replaced, and nothing is guessed but the order of UTF-16's bytes. Does not know about delimiters or columns.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::error::Error;

/// The encodings that messages name; others go by the names that the web has for them.
pub const NAMES: &[&str] = &["utf-8", "windows-1252", "latin-1", "utf-16", "windows-1250", "iso-8859-15", "shift_jis", "gbk"];

/// How many bytes are read at a time.
const PIECE: usize = 1 << 16;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Written {
    pub(super) encoding: &'static Encoding,
    /// Latin-1 is windows-1252 without the characters of 0x80 to 0x9F.
    latin: bool,
}

/// Tells whether there is an encoding of this name.
pub fn is_known(name: &str) -> bool {
    find(name).is_some()
}

pub(super) fn find(name: &str) -> Option<Written> {
    let name = name.trim().to_lowercase().replace('_', "-");
    let plain = |encoding| Some(Written { encoding, latin: false });
    match name.as_str() {
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" => Some(Written { encoding: WINDOWS_1252, latin: true }),
        "ascii" | "us-ascii" | "utf-8-sig" => plain(UTF_8),
        "utf16" => plain(UTF_16LE),
        // Labels of the web that are no encodings of texts.
        "x-user-defined" | "replacement" => None,
        label => {
            let found = Encoding::for_label_no_replacement(label.as_bytes());
            plain(found.or_else(|| Encoding::for_label_no_replacement(label.replace('-', "_").as_bytes()))?)
        }
    }
}

/// Says which encodings there are.
pub fn known() -> String {
    format!("Encodings are {}, and the others that have a name on the web.", NAMES.join(", "))
}

/// Reads a file as UTF-8, unpacked where it is packed; what is wrong in it ends the text.
pub fn stream(file: &Path, encoding: Option<&str>) -> io::Result<Box<dyn Read>> {
    let written = encoding.and_then(find).filter(|w| w.encoding != UTF_8);
    match written {
        Some(written) => Ok(Box::new(Stream { text: Text::open(file, written)?, piece: vec![], at: 0, more: true })),
        None => unpacked(file),
    }
}

/// Names the encoding that a file which is not UTF-8 probably has, as the line of YAML that is missing.
pub fn advice(file: &Path) -> String {
    let mut head = [0; 512];
    let read = unpacked(file).and_then(|mut bytes| bytes.read(&mut head)).unwrap_or(0);
    let head = head.get(..read).unwrap_or_default();
    let wide = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) || head.contains(&0);
    match wide {
        true => "It is probably UTF-16: add `csv: {encoding: utf-16}` to the extract.".to_string(),
        false => "Name the encoding it was written in: add `csv: {encoding: windows-1252}` to the extract, which is what spreadsheets mostly \
                  write; or save the file as UTF-8."
            .to_string(),
    }
}

fn unpacked(file: &Path) -> io::Result<Box<dyn Read>> {
    let mut mark = [0; 4];
    let read = File::open(file)?.read(&mut mark)?;
    let file = File::open(file)?;
    match mark.get(..read).unwrap_or_default() {
        [0x1f, 0x8b, ..] => Ok(Box::new(flate2::read::MultiGzDecoder::new(file))),
        [0x28, 0xb5, 0x2f, 0xfd] => Err(io::Error::other("it is packed by zstd, which is only unpacked for texts in UTF-8")),
        _ => Ok(Box::new(file)),
    }
}

/// What is no character.
pub(super) enum Fault {
    Read(io::Error),
    /// Line and character of the line, from 1, and the bytes as far as they are known.
    Undefined {
        line: usize,
        character: usize,
        bytes: Vec<u8>,
    },
}

impl Fault {
    pub(super) fn error(self, file: &Path, name: &str, written: Written) -> Error {
        let (line, character, bytes) = match self {
            Fault::Read(cause) => return Error::file(file, "cannot read", &cause),
            Fault::Undefined { line, character, bytes } => (line, character, bytes),
        };
        let digits: Vec<String> = bytes.iter().map(|b| format!("{b:02X}")).collect();
        let what = if digits.is_empty() { "what stands".to_string() } else { format!("the byte 0x{}", digits.concat()) };
        let help = match written {
            Written { latin: true, .. } => {
                "Texts with a euro sign or curved quotes are mostly windows-1252: say `csv: {encoding: windows-1252}`."
            }
            _ => "Name the encoding that the file was written in, or look at that place with an editor: the file may be damaged.",
        };
        let message = format!("cannot read `{}`: {what} at character {character} of the line is none of {name}", file.display());
        Error::new("X0202", message).at(file).line(line).help(help)
    }
}

/// A text that is decoded piece by piece.
pub(super) struct Text {
    from: Box<dyn Read>,
    written: Written,
    decoder: encoding_rs::Decoder,
    /// Bytes that are not decoded yet.
    bytes: Vec<u8>,
    ended: bool,
    /// The place behind what was decoded, from 0.
    line: usize,
    character: usize,
    /// Whether the last character was a carriage return, which a line feed belongs to.
    returned: bool,
}

impl Text {
    /// Opens a file and looks at its first bytes, which may say the order of UTF-16's bytes.
    pub(super) fn open(file: &Path, mut written: Written) -> io::Result<Text> {
        let mut text = Text {
            from: unpacked(file)?,
            written,
            decoder: written.encoding.new_decoder_with_bom_removal(),
            bytes: vec![],
            ended: false,
            line: 0,
            character: 0,
            returned: false,
        };
        text.fill()?;
        if [UTF_16LE, UTF_16BE].contains(&written.encoding) {
            let zeros = |first: usize| text.bytes.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
            written.encoding = match text.bytes.as_slice() {
                [0xff, 0xfe, ..] => UTF_16LE,
                [0xfe, 0xff, ..] => UTF_16BE,
                // Delimiters and ends of lines have a zero before or behind them.
                _ if zeros(0) > zeros(1) => UTF_16BE,
                _ => written.encoding,
            };
            (text.written, text.decoder) = (written, written.encoding.new_decoder_with_bom_removal());
        }
        Ok(text)
    }

    /// Refuses a file whose first bytes say that it is of another encoding.
    pub(super) fn marks(&self, file: &Path, name: &str) -> Result<(), Error> {
        let wide = [UTF_16LE, UTF_16BE].contains(&self.written.encoding);
        let (is, help) = match self.bytes.as_slice() {
            [0xef, 0xbb, 0xbf, ..] => ("begins with the mark of UTF-8", "Leave `encoding` out: files are read as UTF-8."),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] if !wide => {
                ("begins with the mark of UTF-16", "Say `csv: {encoding: utf-16}` instead.")
            }
            bytes if wide && !bytes.contains(&0) => (
                "has no zero among its first bytes, as UTF-16 has",
                "Leave `encoding` out, or name the one that the file was written in.",
            ),
            _ => return Ok(()),
        };
        Err(Error::new("X0202", format!("cannot read `{}` as {name}: it {is}", file.display())).at(file).line(1).help(help))
    }

    /// Reads until there is something to decode.
    fn fill(&mut self) -> io::Result<()> {
        let old = self.bytes.len();
        self.bytes.resize(old + PIECE, 0);
        let mut read = old;
        while read < self.bytes.len() && !self.ended {
            match self.from.read(&mut self.bytes[read..]) {
                Ok(0) => self.ended = true,
                Ok(count) => read += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.bytes.truncate(read);
        Ok(())
    }

    /// Appends the next piece; tells whether there may be more.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, Fault> {
        if self.bytes.is_empty() && !self.ended {
            self.fill().map_err(Fault::Read)?;
        }
        let bytes = std::mem::take(&mut self.bytes);
        // Control characters that no text has: the bytes that the tables of 8-bit encodings leave open.
        let latin = self.written.latin.then(|| bytes.iter().position(|b| (0x80..0xa0).contains(b))).flatten();
        let sound = bytes.get(..latin.unwrap_or(bytes.len())).unwrap_or_default();
        let begin = out.len();
        // One byte becomes at most three.
        out.resize(begin + 3 * sound.len() + 16, 0);
        let (result, read, count) =
            self.decoder.decode_to_utf8_without_replacement(sound, &mut out[begin..], self.ended && latin.is_none());
        out.truncate(begin + count);
        let text = out.get(begin..).unwrap_or_default();
        let open = if self.written.encoding.is_single_byte() { control(text) } else { None };
        if let Some(at) = open {
            self.pass(&text[..at]);
            // Of these encodings the number of such a character is the byte.
            return Err(self.undefined(text.get(at + 1).copied().into_iter().collect()));
        }
        self.pass(text);
        if let DecoderResult::Malformed(length, behind) = result {
            let end = read.saturating_sub(usize::from(behind));
            let bad = sound.get(end.saturating_sub(usize::from(length))..end).unwrap_or_default().to_vec();
            return Err(self.undefined(if bad.len() == usize::from(length) { bad } else { vec![] }));
        }
        if let Some(at) = latin {
            return Err(self.undefined(bytes.get(at).copied().into_iter().collect()));
        }
        self.bytes = bytes.get(read..).unwrap_or_default().to_vec();
        Ok(!self.ended || !self.bytes.is_empty())
    }

    /// Moves the place behind a text.
    fn pass(&mut self, text: &[u8]) {
        let mut last = None;
        for at in memchr::memchr2_iter(b'\n', b'\r', text) {
            let follows = match at.checked_sub(1) {
                Some(before) => text[before] == b'\r',
                None => self.returned,
            };
            self.line += usize::from(text[at] == b'\r' || !follows);
            last = Some(at);
        }
        let tail = &text[last.map_or(0, |at| at + 1)..];
        let characters = tail.iter().filter(|b| **b & 0xc0 != 0x80).count();
        self.character = if last.is_some() { characters } else { self.character + characters };
        if let Some(byte) = text.last() {
            self.returned = *byte == b'\r';
        }
    }

    fn undefined(&self, bytes: Vec<u8>) -> Fault {
        Fault::Undefined { line: self.line + 1, character: self.character + 1, bytes }
    }
}

/// Finds a control character of U+0080 to U+009F.
fn control(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(0xc2, text).find(|at| text.get(at + 1).is_some_and(|b| *b < 0xa0))
}

struct Stream {
    text: Text,
    piece: Vec<u8>,
    at: usize,
    more: bool,
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && self.more {
            self.piece.clear();
            self.at = 0;
            self.more = self.text.next(&mut self.piece).unwrap_or(false);
        }
        let count = out.len().min(self.piece.len() - self.at);
        out[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::NamedTempFile;

    use super::*;

    fn decoded(name: &str, bytes: &[u8]) -> Result<String, (usize, usize, Vec<u8>)> {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let (mut text, mut out) = (Text::open(file.path(), find(name).unwrap()).unwrap(), vec![]);
        loop {
            match text.next(&mut out) {
                Ok(true) => {}
                Ok(false) => return Ok(String::from_utf8(out).unwrap()),
                Err(Fault::Undefined { line, character, bytes }) => return Err((line, character, bytes)),
                Err(Fault::Read(e)) => panic!("{e}"),
            }
        }
    }

    #[test]
    fn names_are_those_that_people_write() {
        for name in
            NAMES.iter().chain(&["Windows-1252", "cp1252", "latin1", "ISO-8859-1", "utf16", "UTF-16LE", "utf8", "Shift-JIS"])
        {
            assert!(is_known(name), "{name}");
        }
        assert!(!["", "klingon", "replacement", "x-user-defined", "windows-1225"].iter().any(|name| is_known(name)));
    }

    #[test]
    fn texts_come_through_whole_whatever_the_pieces() {
        // Of one, two and four bytes in UTF-16, so that pieces end within characters.
        let long: String = (0..60_000).map(|i| ["a", "\u{20ac}\n", "\u{1f600}", "\u{e9}\r\n"][i % 4]).collect();
        let wide = |order: fn(u16) -> [u8; 2]| long.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        assert_eq!(decoded("utf-16", &[&[0xff, 0xfe][..], &wide(u16::to_le_bytes)].concat()).as_ref(), Ok(&long));
        assert_eq!(decoded("utf-16", &[&[0xfe, 0xff][..], &wide(u16::to_be_bytes)].concat()).as_ref(), Ok(&long));
        let plain = "id;name\n1;Zo\u{eb}\n";
        let bytes: Vec<u8> = plain.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decoded("utf-16", &bytes).as_deref(), Ok(plain));
        assert_eq!(decoded("windows-1252", b"\x80 \x93x\x94 \xff").as_deref(), Ok("\u{20ac} \u{201c}x\u{201d} \u{ff}"));
        assert_eq!(decoded("latin-1", b"\xa0\xff").as_deref(), Ok("\u{a0}\u{ff}"));
        assert_eq!(decoded("windows-1252", b"").as_deref(), Ok(""));
    }

    #[test]
    fn what_an_encoding_lacks_is_found_with_its_place() {
        for byte in [0x81, 0x8d, 0x8f, 0x90, 0x9d] {
            assert_eq!(decoded("windows-1252", &[b'a', b'\r', b'\n', 0xe9, byte]), Err((2, 2, vec![byte])));
        }
        assert_eq!(decoded("latin-1", b"a\rb\nc\xe9\x80x"), Err((3, 3, vec![0x80])));
        assert_eq!(decoded("windows-1253", b"a\n\xaa"), Err((2, 1, vec![0xaa])));
        assert_eq!(decoded("shift_jis", b"ab\x81 "), Err((1, 3, vec![0x81])));
        // Far behind, with line ends that pieces part.
        let lines = b"\xe9\r\n".repeat(100_000);
        assert_eq!(decoded("windows-1252", &[&lines[..], b"xy\x81"].concat()), Err((100_001, 3, vec![0x81])));
        let one = b"\xe9".repeat(200_000);
        assert_eq!(decoded("latin-1", &[&one[..], b"\x85"].concat()), Err((1, 200_001, vec![0x85])));
        // A text that is cut off in a character.
        assert!(matches!(decoded("utf-16", b"\xff\xfea\0\n\0b"), Err((2, 1, _))));
    }
}
