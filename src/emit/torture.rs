//! Every nasty text, name, number and time that a database should survive, as plain data for tests.
//!
//! Does not know about any other module, so that tests outside of the crate can mount this file.

/// Texts that end literals, lines, blocks or scripts in the wrong place, or look like something else.
pub const TEXTS: &[&str] = &[
    "",
    " ",
    "  both ends  ",
    "NULL",
    "null",
    "\\N",
    "\\.",
    "\\",
    "\\\\",
    "a\\",
    "NaN",
    "'",
    "''",
    "it's",
    "\"",
    "say \"hi\"",
    "E'\\n'",
    "';DROP TABLE x;--",
    "$$",
    "$pipe$ END $pipe$",
    "-- not a comment",
    "/* not a comment */",
    "/*",
    ";",
    "line\nfeed",
    "\n",
    "\r",
    "carriage\rreturn",
    "both\r\nof them\r\n",
    "\\.\n\\.\n",
    "\nGO\n",
    "\n\\q\n",
    ":name :'name' :\"name\" $(name)",
    "tab\tand\u{8}\u{b}\u{c}",
    "\u{1}\u{1f}\u{7f}",
    "{}",
    "{a,b}",
    "{\"a\"}",
    "[1]",
    "a,b",
    "%s %I %%",
    "U&'\\0041'",
    "é is one, e\u{301} is two",
    "😀👩\u{200d}👩\u{200d}👧 🏳\u{fe0f}\u{200d}🌈",
    "עברית and العربية \u{202e}turned",
    "\u{feff}mark first",
    "\u{2028}\u{2029}\u{85}\u{a0}",
    "\u{10ffff}\u{fffd}",
    "ﬁ ß İ ı ſ",
];

/// Names that need quotes: words of SQL, spaces, capitals, quotes, the longest of 63 bytes.
pub const IDENTIFIERS: &[&str] = &[
    "select",
    "Order",
    "user",
    "with space",
    " leading",
    "UPPER",
    "qu\"ote",
    "apos'trophe",
    "semi;colon",
    "$pipe$",
    "back\\slash",
    "per%cent",
    "new\nline",
    "colon:name",
    "größe",
    "😀",
    "found",
    "t",
    "s",
    "k1",
    "number",
    "sixty_three_bytes_is_as_long_as_a_name_of_postgres_may_ever_be_",
];

pub const BIG_INTEGERS: &[i64] = &[0, 1, -1, 9, 10, 99, 100, 2_147_483_647, -2_147_483_648, i64::MAX, i64::MIN];

/// Digits of decimals with 38 digits, 10 of them after the point.
pub const DECIMALS: &[i128] = &[
    0,
    1,
    -1,
    10_000_000_000,
    -10_000_000_000,
    15_000_000_000,
    12_345_678_901_234_567_890,
    99_999_999_999_999_999_999_999_999_999_999_999_999,
    -99_999_999_999_999_999_999_999_999_999_999_999_999,
];

pub const DOUBLES: &[f64] = &[
    0.0,
    -0.0,
    0.1,
    1.0,
    -1.5,
    1e15,
    1e14,
    1e16,
    1e-4,
    1e-5,
    123_456_789.123_456_78,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    5e-324,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

pub const REALS: &[f32] = &[
    0.0,
    -0.0,
    0.1,
    1.0,
    1e7,
    1e6,
    3.402_823_5e38,
    1.175_494_4e-38,
    1e-45,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    16_777_217.0,
];

/// Days since 1970: today's, year 1, before Christ, beyond 9999, Postgres's first and last, the infinities.
pub const DATES: &[i32] =
    &[0, -1, 19_782, 11_016, -719_162, -719_163, 2_932_896, 2_932_897, -2_440_588, 2_145_042_905, i32::MAX, -i32::MAX];

/// Microseconds since midnight.
pub const TIMES: &[i64] = &[0, 1, 86_399_999_999, 43_200_000_000, 3_723_100_000, 86_400_000_000];

/// Microseconds since 1970.
pub const TIMESTAMPS: &[i64] = &[
    0,
    1,
    -1,
    1_709_164_800_123_456,
    951_782_400_000_000,
    -62_135_596_800_000_000,
    -62_135_596_800_000_001,
    253_402_300_800_000_000,
    -210_866_803_200_000_000,
    i64::MAX - 1,
    i64::MAX,
    -i64::MAX,
];

pub const BYTES: &[&[u8]] = &[b"", b"\0", b"\x00\xff\x80", b"\\x41", b"'\n\r\t\\.", b"plain"];

pub const JSON: &[&str] = &[
    "{}",
    "[]",
    "null",
    "\"\"",
    "{\"bb\": 1, \"a\": 2}",
    "{\"a\":1,\"a\":2}",
    "{ \"b\" :\t[1,\n2.50, 1e5, 1E-3, -0, -0.0, 12345678901234567890.123456789] }",
    "\"\\u00e9 \\ud83d\\ude00 \\\" \\\\ \\/ \\b\\f\\n\\r\\t \\u0001\"",
    "{\"it's\": \"\\\\N\", \"\": {\"deep\": [[[]]]}, \"é\": true}",
];

/// A text of 100 kB with everything in it.
pub fn long_text() -> String {
    TEXTS.concat().chars().cycle().take(70_000).collect()
}

/// A small generator of pseudo-random numbers, so that tests repeat themselves.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit.max(1)
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// A text of pieces of the nasty ones and any characters but U+0000.
    pub fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(4) {
            match self.below(3) {
                0 => text.push_str(self.one::<&str>(TEXTS)),
                1 => text.extend(char::from_u32(1 + self.below(0x7f) as u32)),
                _ => text.extend(char::from_u32(self.below(0x11_0000) as u32).filter(|c| *c != '\0')),
            }
        }
        text
    }
}
