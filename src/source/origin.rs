//! The place of a record in its file, as a person would name it.

use std::path::PathBuf;

/// Where a record stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: Option<PathBuf>,
    /// `personas[4]`, `line 12`, `row 3`.
    pub position: String,
}
