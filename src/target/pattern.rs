//! LIKE with sets of characters, by the collation of the text.
//!
//! In: a text and a pattern of T-SQL. Out: the same as a regular expression, for texts of ASCII; for others NULL, which no constraint refuses:
//! whoever reads a contract lists such a condition as not judged. Ranges of letters hold both cases where case does not count, and cannot be told
//! where it does: a collation that tells capitals apart sorts them between the others.
//! Does not know about constraints.

use super::collation::{Collation, Order};
use crate::contract::pattern::{Piece, pieces};
use crate::expr::{Expr, ExprKind, Literal};

/// Texts that every collation reads alike: spaces at their end count in some types alone.
const PLAIN: &str = "^([\\x09\\x0A\\x0D\\x20-\\x7E]*[\\x09\\x0A\\x0D\\x21-\\x7E])?$";

/// Gives LIKE a meaning.
pub(super) fn matches(text: &Expr, pattern: &Expr, collation: &Collation) -> Expr {
    let span = text.span;
    let written = match &pattern.kind {
        ExprKind::Literal(Literal::Text(written)) => regular(written, collation.order()),
        _ => None,
    };
    let Some(regular) = written else { return Expr::null(span).cast(crate::types::DataType::Boolean) };
    let call = |pattern: String, options: &str| {
        Expr::call("regexp_matches", vec![text.clone(), Expr::text(pattern, span), Expr::text(options, span)], span)
    };
    let options = if collation.order() == Order::Dictionary { "si" } else { "s" };
    Expr::case(vec![(call(PLAIN.to_string(), "s"), call(regular, options))], Expr::null(span), span)
}

/// Writes a pattern as a regular expression; nothing where a range holds what only the database knows.
fn regular(pattern: &str, order: Order) -> Option<String> {
    let mut written = "^".to_string();
    for piece in pieces(pattern)? {
        match piece {
            Piece::Many => written.push_str(".*"),
            Piece::One => written.push('.'),
            Piece::Text(c) => written.push_str(&literal(c)),
            Piece::Class { negated, members } => {
                written.push_str(if negated { "[^" } else { "[" });
                for (first, last) in members {
                    match first == last {
                        true => written.push_str(&literal(first)),
                        false if is_told(first, last, order) => {
                            written.push_str(&format!("{}-{}", literal(first), literal(last)));
                        }
                        false => return None,
                    }
                }
                written.push(']');
            }
        }
    }
    Some(written + "$")
}

/// Whether a range holds the same characters of ASCII as its numbers do, but for case where that does not count.
fn is_told(first: char, last: char, order: Order) -> bool {
    let both = |is: fn(&char) -> bool| is(&first) && is(&last);
    let letters = both(char::is_ascii_lowercase) || both(char::is_ascii_uppercase);
    first <= last && (order == Order::Binary || both(char::is_ascii_digit) || order == Order::Dictionary && letters)
}

/// Writes a character so that it means itself, in a set and beyond.
fn literal(c: char) -> String {
    if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) }
}
