//! Which characters a `varchar` of Azure SQL keeps: those of its collation's code page.
//!
//! In: a column. Out: what its page has, and how many bytes a text takes there. A page of two bytes is known by its number alone.
//! Sources: collations and their code pages; the tables of the pages as published with Unicode. Does not know how texts are compared.

use crate::contract::Column;
use crate::expr::{BinaryOp, Expr};

/// The page of a collation that is not known, as the usual one has it.
const USUAL: u16 = 1252;

/// The characters of each page beyond ASCII, as numbers.
const PAGES: &[(u16, &str)] = &[
    (
        437,
        "A0-A3 A5 AA-AC B0-B2 B5 B7 BA-BD BF C4-C7 C9 D1 D6 DC DF-E2 E4-EF F1-F4 F6-F7 F9-FC FF 192 393 398 3A3 3A6 3A9 3B1 3B4-3B5 3C0 3C3-3C4 3C6 207F 20A7 2219-221A 221E 2229 2248 2261 2264-2265 2310 2320-2321 2500 2502 250C 2510 2514 2518 251C 2524 252C 2534 253C 2550-256C 2580 2584 2588 258C 2590-2593 25A0",
    ),
    (
        850,
        "A0-FF 131 192 2017 2500 2502 250C 2510 2514 2518 251C 2524 252C 2534 253C 2550-2551 2554 2557 255A 255D 2560 2563 2566 2569 256C 2580 2584 2588 2591-2593 25A0",
    ),
    (874, "A0 E01-E3A E3F-E5B 2013-2014 2018-2019 201C-201D 2022 2026 20AC"),
    (
        1250,
        "A0 A4 A6-A9 AB-AE B0-B1 B4-B8 BB C1-C2 C4 C7 C9 CB CD-CE D3-D4 D6-D7 DA DC-DD DF E1-E2 E4 E7 E9 EB ED-EE F3-F4 F6-F7 FA FC-FD 102-107 10C-111 118-11B 139-13A 13D-13E 141-144 147-148 150-151 154-155 158-15B 15E-165 16E-171 179-17E 2C7 2D8-2D9 2DB 2DD 2013-2014 2018-201A 201C-201E 2020-2022 2026 2030 2039-203A 20AC 2122",
    ),
    (
        1251,
        "A0 A4 A6-A7 A9 AB-AE B0-B1 B5-B7 BB 401-40C 40E-44F 451-45C 45E-45F 490-491 2013-2014 2018-201A 201C-201E 2020-2022 2026 2030 2039-203A 20AC 2116 2122",
    ),
    (1252, "A0-FF 152-153 160-161 178 17D-17E 192 2C6 2DC 2013-2014 2018-201A 201C-201E 2020-2022 2026 2030 2039-203A 20AC 2122"),
    (
        1253,
        "A0 A3-A9 AB-AE B0-B3 B5-B7 BB BD 192 384-386 388-38A 38C 38E-3A1 3A3-3CE 2013-2015 2018-201A 201C-201E 2020-2022 2026 2030 2039-203A 20AC 2122",
    ),
    (
        1254,
        "A0-CF D1-DC DF-EF F1-FC FF 11E-11F 130-131 152-153 15E-161 178 192 2C6 2DC 2013-2014 2018-201A 201C-201E 2020-2022 2026 2030 2039-203A 20AC 2122",
    ),
    (
        1255,
        "A0-A3 A5-A9 AB-B9 BB-BF D7 F7 192 2C6 2DC 5B0-5B9 5BB-5C3 5D0-5EA 5F0-5F4 200E-200F 2013-2014 2018-201A 201C-201E 2020-2022 2026 2030 2039-203A 20AA 20AC 2122",
    ),
    (
        1256,
        "A0 A2-A9 AB-B9 BB-BE D7 E0 E2 E7-EB EE-EF F4 F7 F9 FB-FC 152-153 192 2C6 60C 61B 61F 621-63A 640-652 679 67E 686 688 691 698 6A9 6AF 6BA 6BE 6C1 6D2 200C-200F 2013-2014 2018-201A 201C-201E 2020-2022 2026 2030 2039-203A 20AC 2122",
    ),
    (
        1257,
        "A0 A2-A4 A6-A9 AB-B9 BB-BE C4-C6 C9 D3 D5-D8 DC DF E4-E6 E9 F3 F5-F8 FC 100-101 104-107 10C-10D 112-113 116-119 122-123 12A-12B 12E-12F 136-137 13B-13C 141-146 14C-14D 156-157 15A-15B 160-161 16A-16B 172-173 179-17E 2C7 2D9 2DB 2013-2014 2018-201A 201C-201E 2020-2022 2026 2030 2039-203A 20AC 2122",
    ),
    (
        1258,
        "A0-C2 C4-CB CD-CF D1 D3-D4 D6-DC DF-E2 E4-EB ED-EF F1 F3-F4 F6-FC FF 102-103 110-111 152-153 178 192 1A0-1A1 1AF-1B0 2C6 2DC 300-301 303 309 323 2013-2014 2018-201A 201C-201E 2020-2022 2026 2030 2039-203A 20AB-20AC 2122",
    ),
];

/// The languages of collations that have another page than Latin1_General, by the words that their names begin with.
const LANGUAGES: &[(u16, &[&str])] = &[
    (874, &["THAI"]),
    (932, &["JAPANESE"]),
    (936, &["CHINESE_PRC", "CHINESE_SIMPLIFIED"]),
    (949, &["KOREAN"]),
    (950, &["CHINESE"]),
    (
        1250,
        &[
            "ALBANIAN",
            "BOSNIAN_LATIN",
            "CROATIAN",
            "CZECH",
            "HUNGARIAN",
            "POLISH",
            "ROMANIAN",
            "SERBIAN_LATIN",
            "SLOVAK",
            "SLOVENIAN",
            "TURKMEN",
        ],
    ),
    (
        1251,
        &[
            "CYRILLIC",
            "UKRAINIAN",
            "MACEDONIAN",
            "SERBIAN_CYRILLIC",
            "BOSNIAN_CYRILLIC",
            "KAZAKH",
            "BASHKIR",
            "TATAR",
            "AZERI_CYRILLIC",
            "UZBEK_CYRILLIC",
            "YAKUT",
        ],
    ),
    (1253, &["GREEK"]),
    (1254, &["TURKISH", "AZERI", "UZBEK"]),
    (1255, &["HEBREW"]),
    (1256, &["ARABIC", "PERSIAN", "URDU", "DARI", "UIGHUR"]),
    (1257, &["ESTONIAN", "LATVIAN", "LITHUANIAN"]),
    (1258, &["VIETNAMESE"]),
];

/// A code page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodePage(pub(super) u16);

impl CodePage {
    pub(super) const UTF8: CodePage = CodePage(65001);

    /// The page whose bytes a column stores; nothing where it stores UTF-16.
    pub(super) fn of(column: &Column) -> Option<CodePage> {
        let name = column.type_name.as_deref().unwrap_or_default().to_lowercase();
        let name = name.split('(').next().unwrap_or_default().trim();
        let bytes = matches!(name, "varchar" | "char" | "text" | "character" | "character varying");
        bytes.then(|| CodePage(column.collation.as_deref().map_or(USUAL, page_of)))
    }

    /// The numbers of its characters beyond ASCII, first and last; nothing for UTF-8, which has all, and pages that only their numbers tell.
    fn ranges(self) -> Option<Vec<(u32, u32)>> {
        let (_, listed) = PAGES.iter().find(|(page, _)| *page == self.0)?;
        let number = |text: &str| u32::from_str_radix(text, 16).unwrap_or_default();
        let range = |text: &str| text.split_once('-').map_or((number(text), number(text)), |(a, b)| (number(a), number(b)));
        Some(listed.split(' ').map(range).collect())
    }

    /// Whether its characters are known here.
    pub(super) fn is_known(self) -> bool {
        self == CodePage::UTF8 || self.ranges().is_some()
    }

    /// Its characters as a class of a regular expression.
    pub(super) fn class(self) -> Option<String> {
        let listed: Vec<String> = self.ranges()?.iter().map(|(a, b)| format!("\\x{{{a:X}}}-\\x{{{b:X}}}")).collect();
        Some(format!("\\x{{1}}-\\x{{7F}}{}", listed.concat()))
    }

    /// The characters of a text that it lacks; of a page that is not known, all beyond ASCII may be.
    pub(super) fn lacks(self, text: &str) -> String {
        let ranges = self.ranges().unwrap_or_default();
        let has =
            |c: char| c.is_ascii() || self == CodePage::UTF8 || ranges.iter().any(|(a, b)| (*a..=*b).contains(&u32::from(c)));
        text.chars().filter(|c| !has(*c)).collect()
    }

    /// The bytes that a text takes, at most.
    pub(super) fn bytes(self, text: Expr) -> Expr {
        let span = text.span;
        let characters = Expr::call("length", vec![text.clone()], span);
        match (self, self.ranges()) {
            (CodePage::UTF8, _) => Expr::call("strlen", vec![text], span),
            (_, Some(_)) => characters,
            // Letters of ASCII are one byte there, others two.
            (_, None) => {
                let class = vec![text, Expr::text("[\\x{1}-\\x{7F}]", span), Expr::text("", span), Expr::text("g", span)];
                let beyond = Expr::call("regexp_replace", class, span);
                characters.binary(BinaryOp::Add, Expr::call("length", vec![beyond], span))
            }
        }
    }
}

/// Finds the page of a collation by its name.
fn page_of(collation: &str) -> u16 {
    let upper = collation.to_ascii_uppercase();
    let words: Vec<&str> = upper.split('_').collect();
    if words.contains(&"UTF8") {
        return CodePage::UTF8.0;
    }
    let named = words.iter().find_map(|w| w.strip_prefix("CP")?.parse::<u16>().ok()).filter(|_| words.first() == Some(&"SQL"));
    if let Some(page) = named {
        return if page == 1 { USUAL } else { page };
    }
    let begins = |languages: &[&str]| languages.iter().any(|language| upper.starts_with(language));
    LANGUAGES.iter().find(|(_, languages)| begins(languages)).map_or(USUAL, |(page, _)| *page)
}
