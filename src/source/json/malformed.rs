//! What can be wrong with a document, and where.
//!
//! Readers report a [`Fault`], which only has an offset; [`Malformed`] is the same with line and column counted.
//! Does not know which file it is about.

use jiter::{JiterError, JiterErrorType, JsonErrorType, Peek};

use crate::error::Error;

/// A document that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub message: String,
    /// Bytes from the start of the document.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// A full sentence that says what to do.
    pub help: Option<String>,
}

impl Malformed {
    pub(super) fn locate(fault: Fault, bytes: &[u8]) -> Malformed {
        let offset = fault.offset.min(bytes.len());
        let (line, column) = line_and_column(bytes, offset);
        Malformed { message: fault.message, offset, line, column, help: fault.help }
    }
}

impl From<Malformed> for Error {
    fn from(found: Malformed) -> Error {
        let error = Error::new("X0203", found.message).line(found.line);
        found.help.into_iter().fold(error, Error::help)
    }
}

/// Something wrong at an offset.
#[derive(Debug)]
pub(super) struct Fault {
    pub offset: usize,
    pub message: String,
    pub help: Option<String>,
}

impl Fault {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Fault {
        Fault { offset, message: message.into(), help: None }
    }

    pub(super) fn help(mut self, text: impl Into<String>) -> Fault {
        self.help = Some(text.into());
        self
    }

    /// Moves the offset from a part of the document to the whole.
    pub(super) fn shift(mut self, base: usize) -> Fault {
        self.offset += base;
        self
    }
}

impl From<JiterError> for Fault {
    fn from(error: JiterError) -> Fault {
        use JsonErrorType as T;
        let JiterErrorType::JsonError(kind) = error.error_type else {
            return changed(error.index);
        };
        let ends = |inside: &str| {
            Fault::new(error.index, format!("the document ends inside {inside}"))
                .help("The file is probably truncated: write or download it again.")
        };
        match kind {
            T::EofWhileParsingList => ends("a list"),
            T::EofWhileParsingObject => ends("an object"),
            T::EofWhileParsingString => ends("a string"),
            T::EofWhileParsingValue => ends("a value"),
            T::ExpectedListCommaOrEnd => Fault::new(error.index, "expected `,` or `]` behind a list's element"),
            T::ExpectedObjectCommaOrEnd => Fault::new(error.index, "expected `,` or `}` behind an object's value"),
            T::ExpectedColon => Fault::new(error.index, "expected `:` behind an object's key"),
            T::KeyMustBeAString => Fault::new(error.index, "expected an object's key in double quotes"),
            T::ExpectedSomeValue => Fault::new(error.index, "expected a value"),
            T::ExpectedSomeIdent => Fault::new(error.index, "expected `true`, `false` or `null`"),
            T::InvalidNumber => Fault::new(error.index, "invalid number"),
            T::NumberOutOfRange => Fault::new(error.index, "a number has more than 4300 digits"),
            T::InvalidEscape | T::UnexpectedEndOfHexEscape => Fault::new(error.index, "invalid escape in a string"),
            T::InvalidUnicodeCodePoint => Fault::new(error.index, "invalid UTF-8 in a string"),
            T::LoneLeadingSurrogateInHexEscape => Fault::new(error.index, "a `\\u` escape is half of a surrogate pair"),
            T::ControlCharacterWhileParsingString => Fault::new(error.index, "a control character in a string must be escaped"),
            T::TrailingComma => Fault::new(error.index, "a comma stands before the end of a list or object"),
            T::TrailingCharacters => Fault::new(error.index, "more follows behind the end of the document"),
            T::RecursionLimitExceeded => too_deep(error.index),
            T::FloatExpectingInt | T::DuplicateKey(_) | T::InternalError(_) => changed(error.index),
        }
    }
}

pub(super) fn too_deep(offset: usize) -> Fault {
    Fault::new(offset, format!("lists and objects are nested more than {} deep", super::infer::DEPTH))
}

/// Makes the fault of a second pass that does not see what the first one saw.
pub(super) fn changed(offset: usize) -> Fault {
    Fault::new(offset, "the document changed while it was read")
}

/// Names the kind of value that starts with this byte.
pub(super) fn kind(peek: Peek) -> &'static str {
    match peek {
        Peek::Null => "null",
        Peek::True | Peek::False => "a boolean",
        Peek::String => "text",
        Peek::Array => "a list",
        Peek::Object => "an object",
        peek if peek.is_num() => "a number",
        _ => "no JSON value",
    }
}

/// Finds where the text starts: behind a byte order mark. Names other encodings and formats that are easily told.
pub(super) fn start(bytes: &[u8]) -> Result<usize, Fault> {
    let encoded =
        |name: &str| Err(Fault::new(0, format!("the document is {name}, not UTF-8")).help("Convert it to UTF-8 first."));
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return encoded("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return encoded("UTF-16"),
        [0x1f, 0x8b, ..] => return Err(Fault::new(0, "the document is compressed with gzip").help("Decompress it first.")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            return Err(Fault::new(0, "the document is compressed with zstd").help("Decompress it first."));
        }
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] if *a != 0 && *b != 0 => return encoded("UTF-16"),
        _ => {}
    }
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    if bytes.iter().skip(start).all(u8::is_ascii_whitespace) {
        return Err(Fault::new(bytes.len(), "the document is empty"));
    }
    Ok(start)
}

/// Checks that the bytes are UTF-8; a character may be cut off at the end unless they are `whole`.
pub(super) fn utf8(bytes: &[u8], whole: bool) -> Result<(), Fault> {
    match std::str::from_utf8(bytes) {
        Err(error) if whole || error.error_len().is_some() => {
            let offset = error.valid_up_to();
            let byte = bytes.get(offset).copied().unwrap_or_default();
            Err(Fault::new(offset, format!("invalid UTF-8: byte 0x{byte:02x}"))
                .help("Convert the file to UTF-8; it is perhaps Latin-1 or Windows-1252, or it was cut."))
        }
        _ => Ok(()),
    }
}

/// Counts lines and columns, both from 1.
pub(super) fn line_and_column(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let begin = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    // Bytes that continue a character do not count.
    let column = before.iter().skip(begin).filter(|b| **b & 0xc0 != 0x80).count() + 1;
    (line, column)
}
