//! Compiles declarative pipelines to staged rows and one SQL script.
//!
//! ```text
//!   pipelines/*.yaml, transforms/*, schemas/*
//!         | spec            files and envelope; clause bodies are still YAML
//!         v
//!    PipelineSpec
//!         | plan::build     names exist, no cycles, every expression typed by the engine, checks measured
//!         v
//!       Plan ------------------------------+
//!         | engine::execute (DuckDB)       | emit (per dialect)
//!         v                                v
//!     RunReport            deploy.sql, rollback.sql, verify.sql, run.json
//! ```
//!
//! `command` strings these together; `cli` reads arguments, prints and sets the exit code. A file uses only what stands below it:
//! `cli`, `command`, `engine` and `emit`, `report`, `plan`, `stage`, `target` and `source`, `catalog`, `contract`, `check`, `sql`, `spec`, `relation`,
//! `expr`, `types`, `database`, `diagnostics`, `digest`, `stop`. `tests/suite/floors.rs` holds the table.

pub mod cli;
pub mod command;

pub mod emit;
pub mod engine;

pub mod report;

pub mod plan;

pub mod stage;

pub mod source;
pub mod target;

pub mod catalog;

pub mod contract;

pub mod check;

pub mod sql;

pub mod spec;

pub mod relation;

pub mod expr;

pub mod types;

pub mod database;

pub mod diagnostics;

pub mod digest;
pub mod error;
pub mod stop;
