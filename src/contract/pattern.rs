//! The patterns of T-SQL's LIKE: `[0-9]`, `[^a-c]`, `[%]`.
//!
//! In: a pattern. Out: its pieces, or nothing where the vendor leaves open what it means. Which characters a range holds is a collation's to say.
//! Does not know about expressions.

/// A call of this name is LIKE with a pattern that has sets: of a text and the pattern. Only a target can give it a meaning.
pub const CLASSES: &str = "#like";

/// A call of this name is COLLATE: of a text and the name of the collation, in capitals.
pub const COLLATE: &str = "#collate";

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// `%`.
    Many,
    /// `_`.
    One,
    Text(char),
    /// The first and last characters of ranges; the same where it is one character.
    Class {
        negated: bool,
        members: Vec<(char, char)>,
    },
}

/// Reads a pattern in which nothing is escaped.
pub fn pieces(pattern: &str) -> Option<Vec<Piece>> {
    let mut found = vec![];
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        found.push(match c {
            '%' => Piece::Many,
            '_' => Piece::One,
            '[' => {
                let (inside, after) = rest.as_str().split_once(']')?;
                rest = after.chars();
                class(inside)?
            }
            c => Piece::Text(c),
        });
    }
    Some(found)
}

/// Reads what stands between the brackets.
fn class(inside: &str) -> Option<Piece> {
    let (negated, inside) = inside.strip_prefix('^').map_or((false, inside), |rest| (true, rest));
    let characters: Vec<char> = inside.chars().collect();
    let mut members = vec![];
    let mut at = 0;
    while let Some(first) = characters.get(at) {
        // At either end it is a hyphen.
        match (characters.get(at + 1), characters.get(at + 2)) {
            (Some('-'), Some(last)) if *first != '-' => {
                members.push((*first, *last));
                at += 3;
            }
            (Some('-'), Some(_)) => return None,
            _ => {
                members.push((*first, *first));
                at += 1;
            }
        }
    }
    (!members.is_empty()).then_some(Piece::Class { negated, members })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_doubtful_ones_are_not() {
        let set = |negated, members: &[(char, char)]| Piece::Class { negated, members: members.to_vec() };
        assert_eq!(pieces("a[0-9_]%").unwrap(), [Piece::Text('a'), set(false, &[('0', '9'), ('_', '_')]), Piece::Many]);
        assert_eq!(pieces("[^a-c-]_").unwrap(), [set(true, &[('a', 'c'), ('-', '-')]), Piece::One]);
        assert_eq!(pieces("[-x][[]").unwrap(), [set(false, &[('-', '-'), ('x', 'x')]), set(false, &[('[', '[')])]);
        for doubtful in ["[]", "[]a]", "[a", "[^]", "[--a]"] {
            assert_eq!(pieces(doubtful), None, "{doubtful}");
        }
    }
}
