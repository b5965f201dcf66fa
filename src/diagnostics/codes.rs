//! The table of all codes, with what `pipe explain CODE` says: it stands in `codes.md`, so that it can be read as a text.
//!
//! A code is never reused. E01 files and YAML, E02 names and keys, E03 expressions and templates, E04 tables, columns and checks,
//! E05 contracts, E06 joins and rows; W the same for warnings; X files, the engine and databases.

/// A code, its title and the text of `pipe explain`.
#[derive(Debug)]
pub struct Code {
    pub code: &'static str,
    pub title: &'static str,
    pub text: &'static str,
}

const TEXT: &str = include_str!("codes.md");

/// Returns every code, in order.
pub fn all() -> impl Iterator<Item = Code> {
    TEXT.split("\n## ").filter_map(|section| {
        let (head, text) = section.trim_start_matches("## ").split_once('\n')?;
        let (code, title) = head.split_once(": ")?;
        Some(Code { code, title, text: text.trim() })
    })
}

/// Finds a code, in capitals.
pub fn find(code: &str) -> Option<Code> {
    all().find(|c| c.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_unique_and_explained() {
        let codes: Vec<Code> = all().collect();
        assert!(codes.len() > 10);
        for pair in codes.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} stands before {}", pair[0].code, pair[1].code);
        }
        for code in &codes {
            assert!(code.text.len() > 40, "{} is not explained", code.code);
        }
    }
}
