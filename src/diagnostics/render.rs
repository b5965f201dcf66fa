//! Diagnostics as text with snippets.
