//! A value's text before any quoting, and which kinds of bytes it has.
//!
//! In: bytes. Out: their [`Kinds`], found in one look, so that most texts are copied into a script as they are, without a look for every
//! rule that might want to change them. Does not know those rules.

/// A value's text before any quoting.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    pub bytes: &'a [u8],
    /// The kinds that occur.
    pub kinds: Kinds,
}

impl<'a> Plain<'a> {
    /// Looks at a text.
    pub fn of(bytes: &'a [u8]) -> Plain<'a> {
        Plain { bytes, kinds: Kinds::of(bytes) }
    }

    /// Leaves out the spaces at the end, which are of no kind.
    pub fn without_last_spaces(self) -> Plain<'a> {
        let end = self.bytes.iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1);
        Plain { bytes: self.bytes.get(..end).unwrap_or_default(), ..self }
    }

    pub fn has(self, kinds: u8) -> bool {
        self.kinds.0 & kinds != 0
    }
}

/// A set of kinds of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// The character U+0000.
    pub const ZERO: u8 = 1;
    /// Below U+0020, with U+0000.
    pub const CONTROL: u8 = 1 << 1;
    pub const SINGLE_QUOTE: u8 = 1 << 2;
    pub const DOUBLE_QUOTE: u8 = 1 << 3;
    pub const BACKSLASH: u8 = 1 << 4;
    pub const DOLLAR: u8 = 1 << 5;
    /// The first byte of a character that some tools take for the end of a line or file, or for a byte order mark.
    pub const LIKE_AN_END: u8 = 1 << 6;
    /// Beyond ASCII.
    pub const WIDE: u8 = 1 << 7;

    const OF_BYTE: [u8; 256] = {
        let mut kinds = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            kinds[byte] = match byte as u8 {
                0 => Kinds::ZERO | Kinds::CONTROL,
                1..0x20 => Kinds::CONTROL,
                b'\'' => Kinds::SINGLE_QUOTE,
                b'"' => Kinds::DOUBLE_QUOTE,
                b'\\' => Kinds::BACKSLASH,
                b'$' => Kinds::DOLLAR,
                0xc2 | 0xe2 | 0xef => Kinds::LIKE_AN_END | Kinds::WIDE,
                0x80.. => Kinds::WIDE,
                _ => 0,
            };
            byte += 1;
        }
        kinds
    };

    /// Looks at a text. Most are short, so it is one look into a table for each byte.
    pub fn of(text: &[u8]) -> Kinds {
        Kinds(text.iter().fold(0, |kinds, byte| kinds | Kinds::OF_BYTE[usize::from(*byte)]))
    }

    /// Tells whether long bytes have none of the kinds; written so that it compiles to vector instructions.
    pub fn none_in(bytes: &[u8]) -> bool {
        let none = |b: &u8| (*b >= 0x20) & (*b < 0x80) & (*b != b'\'') & (*b != b'"') & (*b != b'\\') & (*b != b'$');
        bytes.iter().fold(true, |so_far, byte| so_far & none(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_looks_find_the_same() {
        for byte in 0..=255_u8 {
            assert_eq!(Kinds::of(&[b'a', byte]) == Kinds::default(), Kinds::none_in(&[b'a', byte]), "{byte}");
        }
        let text = Plain::of("a'\u{85}  ".as_bytes());
        assert_eq!(text.without_last_spaces().bytes, "a'\u{85}".as_bytes());
        assert!(text.has(Kinds::SINGLE_QUOTE) && text.has(Kinds::WIDE) && text.has(Kinds::LIKE_AN_END));
        assert!(!text.has(Kinds::ZERO | Kinds::CONTROL | Kinds::DOUBLE_QUOTE | Kinds::BACKSLASH | Kinds::DOLLAR));
    }
}
