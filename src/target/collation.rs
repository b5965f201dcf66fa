//! Which texts a collation of Azure SQL takes for equal.
//!
//! In: a column, with its collation. Out: two forms of a text: one in which those are the same that are surely equal, and one in which those
//! are that may be. Between the two lies what the vendor does not write down: letters without a weight, widths, kana, expansions, what a
//! language reads as one letter. Spaces at the end count in none, not in binary ones either.
//! Sources: collation and Unicode support, Windows collation names, SQL Server collation names. Does not know about constraints.

use super::collation_letters::{
    BY_LANGUAGE, CONTROLS, EUROPEAN, EXPANSIONS, HIRAGANA, IGNORED, JOINED, KATAKANA, LATIN, NARROW, SIGNS, SMALL, STROKES,
    UNWEIGHTED, WIDE,
};
use crate::contract::Column;
use crate::expr::{BinaryOp, Expr};

/// The collation of a column that names none: what a database has unless it was made with another.
pub(super) const USUAL: &str = "SQL_Latin1_General_CP1_CI_AS";

/// What a collation's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Collation {
    /// The words before the flags and the version, in capitals.
    language: String,
    binary: bool,
    /// What is told apart: capitals and small letters, letters with accents and without, hiragana and katakana, wide and narrow ones.
    case: bool,
    accent: bool,
    kana: bool,
    width: bool,
    /// Version 80, which has no weights for many scripts.
    old: bool,
    /// Whether functions count characters rather than UTF-16 units.
    characters: bool,
}

/// What a form is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equality {
    /// Texts that the database surely takes for equal are the same.
    Sure,
    /// Texts that the database may take for equal are the same.
    Possible,
}

/// How letters of ASCII are sorted, as far as ranges need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// By their numbers.
    Binary,
    /// As in a dictionary, where case does not count.
    Dictionary,
    /// With capitals between small letters, or two letters as one.
    Other,
}

impl Collation {
    /// The collation of a column; the usual one where it names none, or one that cannot be read.
    pub(super) fn of(column: &Column) -> Collation {
        column.collation.as_deref().and_then(Collation::parse).unwrap_or_else(Collation::usual)
    }

    pub(super) fn usual() -> Collation {
        let language = "LATIN1_GENERAL".to_string();
        Collation::parse(USUAL).unwrap_or(Collation {
            language,
            binary: false,
            case: false,
            accent: true,
            kana: false,
            width: false,
            old: true,
            characters: false,
        })
    }

    /// Reads a name; nothing for one that says neither that it is binary nor what it tells apart.
    pub(super) fn parse(name: &str) -> Option<Collation> {
        let upper = name.trim().to_ascii_uppercase();
        let words: Vec<&str> = upper.split('_').filter(|w| !["SQL", "PREF"].contains(w)).collect();
        let has = |flag: &str| words.contains(&flag);
        let binary = has("BIN") || has("BIN2");
        if !binary && !((has("CI") || has("CS")) && (has("AI") || has("AS"))) {
            return None;
        }
        let version = words.iter().find_map(|w| w.parse::<u16>().ok());
        let ends = |w: &str| {
            let page = w.strip_prefix("CP").is_some_and(|n| n.parse::<u16>().is_ok());
            page || w.parse::<u16>().is_ok() || ["CI", "CS", "BIN", "BIN2"].contains(&w)
        };
        let language: Vec<&str> = words.iter().take_while(|w| !ends(w)).copied().collect();
        Some(Collation {
            language: language.join("_"),
            binary,
            case: has("CS"),
            accent: has("AS"),
            kana: has("KS"),
            width: has("WS"),
            old: version.is_none_or(|v| v < 90),
            characters: has("SC") || version.is_some_and(|v| v >= 140),
        })
    }

    pub(super) fn order(&self) -> Order {
        match (self.binary, self.case || self.joins_letters()) {
            (true, _) => Order::Binary,
            (false, false) => Order::Dictionary,
            (false, true) => Order::Other,
        }
    }

    /// What LEN gives for a text without spaces at its end.
    pub(super) fn length(&self, text: &Expr) -> Expr {
        let span = text.span;
        let length = Expr::call("length", vec![text.clone()], span);
        if self.characters {
            return length;
        }
        let beyond = call("regexp_replace", text.clone(), &["[^\\x{10000}-\\x{10FFFF}]", "", "g"]);
        let units = length.clone().binary(BinaryOp::Add, Expr::call("length", vec![beyond], span));
        Expr::case(vec![(is_ascii(text), length)], units, span)
    }

    /// Whether the rules of its language are known here, for Latin letters.
    pub(super) fn is_known(&self) -> bool {
        self.binary || self.language == "LATIN1_GENERAL"
    }

    /// Brings a text into the form in which equal texts are the same.
    pub(super) fn form(&self, text: Expr, equality: Equality) -> Expr {
        if self.binary {
            return trimmed(text);
        }
        match equality {
            Equality::Sure => self.sure(text),
            Equality::Possible => self.possible(text),
        }
    }

    fn sure(&self, text: Expr) -> Expr {
        let span = text.span;
        if self.case && self.accent || self.joins_letters() {
            return trimmed(text);
        }
        let mut branches = vec![(is_ascii(&text), trimmed(self.small(text.clone())))];
        if self.is_known() {
            let plain = if self.accent { EUROPEAN } else { LATIN };
            let bare = if self.accent { text.clone() } else { call("strip_accents", text.clone(), &[]) };
            branches.push((call("regexp_matches", text.clone(), &[plain]), trimmed(self.small(bare))));
        }
        Expr::case(branches, trimmed(text), span)
    }

    fn possible(&self, text: Expr) -> Expr {
        let span = text.span;
        let plain = is_ascii(&text).and(call("regexp_matches", text.clone(), &[CONTROLS]).negate());
        let short = trimmed(self.of_language(self.small(text.clone())));
        Expr::case(vec![(plain, short)], trimmed(self.possible_letters(text)), span)
    }

    /// The form without the trimming.
    fn possible_letters(&self, text: Expr) -> Expr {
        let mut text = call("regexp_replace", text, &[IGNORED, "", "g"]);
        if self.old {
            text = call("regexp_replace", text, &[UNWEIGHTED, "", "g"]);
        }
        text = translated(text, SIGNS);
        if !self.width {
            text = translated(translated(text, WIDE), NARROW);
        }
        text = call("nfc_normalize", text, &[]);
        if !self.kana {
            text = call("translate", text, &[HIRAGANA, KATAKANA]);
        }
        text = self.small(text);
        if !self.case {
            text = translated(text, SMALL);
        }
        text = EXPANSIONS.iter().fold(text, |text, (letter, letters)| call("replace", text, &[letter, letters]));
        text = self.of_language(text);
        if !self.accent {
            text = translated(call("strip_accents", text, &[]), STROKES);
        }
        text
    }

    /// Texts of which one surely matches a pattern in the other's form: letter by letter, spaces at the end count.
    pub(super) fn pattern(&self, text: Expr) -> Expr {
        if self.binary || self.joins_letters() {
            return text;
        }
        // Its small letter is another one's everywhere but in Turkish.
        let text = if self.case { text } else { self.small(call("replace", text, &["İ", "i\u{307}"])) };
        let span = text.span;
        match self.accent {
            true => text,
            false => {
                let latin = call("regexp_matches", text.clone(), &[LATIN]);
                Expr::case(vec![(latin, call("strip_accents", text.clone(), &[]))], text, span)
            }
        }
    }

    /// The same for texts of which one may match.
    pub(super) fn possible_pattern(&self, text: Expr) -> Expr {
        if self.binary { text } else { self.possible_letters(text) }
    }

    /// Whether two letters of ASCII may be one, so that `aA` is not what `aa` is; or whether capitals are other ones.
    fn joins_letters(&self) -> bool {
        JOINED.iter().any(|language| self.language.contains(language))
    }

    fn small(&self, text: Expr) -> Expr {
        if self.case { text } else { call("lower", text, &[]) }
    }

    /// Takes those letters for one that the language may take for one.
    fn of_language(&self, text: Expr) -> Expr {
        let pairs = BY_LANGUAGE.iter().filter(|(language, _)| self.language.contains(language)).flat_map(|(_, pairs)| *pairs);
        pairs.fold(text, |text, (letters, same)| call("replace", text, &[letters, same]))
    }
}

fn call(name: &str, first: Expr, more: &[&str]) -> Expr {
    let span = first.span;
    Expr::call(name, std::iter::once(first).chain(more.iter().map(|m| Expr::text(*m, span))).collect(), span)
}

fn translated(text: Expr, (from, to): (&str, &str)) -> Expr {
    call("translate", text, &[from, to])
}

fn trimmed(text: Expr) -> Expr {
    call("rtrim", text, &[" "])
}

fn is_ascii(text: &Expr) -> Expr {
    let span = text.span;
    Expr::call("length", vec![text.clone()], span).binary(BinaryOp::Equal, Expr::call("strlen", vec![text.clone()], span))
}

#[cfg(test)]
#[path = "collation_tests.rs"]
mod tests;
