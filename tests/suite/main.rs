//! All Rust tests above the unit tests, in one program: linking the engine takes longer than running them.

mod algebra;
mod cases;
mod commands;
mod floors;
mod rejects;
mod support;
