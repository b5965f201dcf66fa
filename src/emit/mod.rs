//! stub
pub mod rows { #[derive(Clone, Copy)] pub enum RowFormat { Copy, Insert } }
