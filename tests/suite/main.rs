//! All Rust tests above the unit tests, in one program: linking the engine takes longer than running them.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod algebra;
mod breadth;
mod cases;
mod checks;
mod collations;
mod commands;
mod csv_files;
mod definitions;
mod encodings;
mod few_texts;
mod floors;
mod guesses;
mod order;
mod paths;
mod rejects;
mod report_schema;
mod support;
mod t_sql_conditions;
mod tools;
mod unread;
