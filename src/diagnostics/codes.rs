//! The table of all codes, with what `pipe explain CODE` says.
//!
//! A code is never reused. E01 files and YAML, E02 names and keys, E03 expressions and templates, E04 tables and columns, E05 contracts,
//! E06 joins and rows; W the same for warnings; R failed rules of data; X files, engine and databases.

/// A code, its title and the text of `pipe explain`.
pub struct Code {
    pub code: &'static str,
    pub title: &'static str,
    pub text: &'static str,
}

/// Every code, in order.
pub const CODES: &[Code] = &[];
