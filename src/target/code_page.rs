//! Which characters a `varchar` of Azure SQL keeps: those of its code page.
//!
//! In: a column. Out: whether it stores bytes of a code page, and what that lacks. Does not know how texts are compared.

use crate::contract::Column;

/// The characters of code page 1252, as a class of a regular expression.
pub(super) const CODE_PAGE: &str = "\\x{01}-\\x{7F}\\x{A0}-\\x{FF}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ";

/// Tells whether a character has a place in code page 1252.
pub(super) fn in_code_page(c: char) -> bool {
    matches!(c, '\u{1}'..='\u{7f}' | '\u{a0}'..='\u{ff}') || "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ".contains(c)
}

/// Tells whether a column stores bytes of a code page instead of UTF-16.
pub(super) fn is_code_page(column: &Column) -> bool {
    let name = column.type_name.as_deref().unwrap_or_default().to_lowercase();
    matches!(name.split('(').next().unwrap_or_default().trim(), "varchar" | "char" | "text" | "character" | "character varying")
}
