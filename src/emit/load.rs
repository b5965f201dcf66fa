//! A load on its way into scripts: what there is to say, and the steps that say it.
//!
//! In: a [`Script`], tables with what their rows gave. Out: a [`Load`], with a plan for each table and the names of what is kept of it, which
//! [`Step`]s are made of. Does not know which steps a script has.

use std::io::{self, Write};

use super::merge::Plan;
use super::rows::{Evidence, RowFormat};
use super::{Dialect, Table};

/// Everything that a script says besides the rows.
pub struct Script<'a> {
    pub header: &'a Header,
    /// In load order, parents first, each with what its rows gave.
    pub tables: &'a [(Table, Evidence)],
    pub format: RowFormat,
    /// Whether the deploy script keeps what it changes, so that it can be undone.
    pub undo: bool,
}

/// Where a script comes from; nothing in it may depend on when or where it was made.
#[derive(Clone, Debug, Default)]
pub struct Header {
    pub pipeline: String,
    pub run_id: String,
    pub tool_version: String,
    pub spec_hash: String,
    /// Name and SHA-256 in hexadecimal digits of each source.
    pub sources: Vec<(String, String)>,
    pub target: String,
}

/// What the row writers wrote, kept wherever the caller likes (memory, temporary files), by position in [`Script::tables`].
pub trait Parts {
    /// Copies the formatted rows of a table.
    fn rows(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()>;

    /// Copies the formatted keys of a table.
    fn keys(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()>;
}

/// The parts in memory: rows and keys of each table.
impl Parts for Vec<(Vec<u8>, Vec<u8>)> {
    fn rows(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()> {
        self.get(table).map_or(Ok(()), |(rows, _)| out.write_all(rows))
    }

    fn keys(&mut self, table: usize, out: &mut dyn Write) -> io::Result<()> {
        self.get(table).map_or(Ok(()), |(_, keys)| out.write_all(keys))
    }
}

/// A file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    Deploy,
    Rollback,
    Verify,
    Views,
    /// Played by the program itself.
    Preview,
}

impl File {
    /// Its name in the output folder.
    pub fn name(self) -> &'static str {
        match self {
            File::Deploy => "deploy.sql",
            File::Rollback => "rollback.sql",
            File::Verify => "verify.sql",
            File::Views => "views.sql",
            File::Preview => "preview.sql",
        }
    }
}

/// What a script is made of.
#[derive(Clone, Debug)]
pub enum Step {
    /// Statements below a title; nothing at all without statements.
    Sql {
        title: String,
        sql: String,
    },
    /// Text that stands as it is.
    Plain(String),
    /// The formatted rows, or keys, of a table, by its position.
    Rows(usize),
    Keys(usize),
}

impl Step {
    pub fn new(title: &str, sql: String) -> Step {
        Step::Sql { title: title.to_string(), sql }
    }
}

/// A script with what its steps are made of.
pub struct Load<'a> {
    pub dialect: &'a dyn Dialect,
    pub script: &'a Script<'a>,
    pub plans: Vec<Plan<'a>>,
    pub kept: Option<Kept>,
}

impl<'a> Load<'a> {
    pub fn new(dialect: &'a dyn Dialect, script: &'a Script) -> Load<'a> {
        let plans = script.tables.iter().map(|(table, evidence)| Plan::new(dialect, table, evidence)).collect();
        Load { dialect, script, plans, kept: Kept::of(script) }
    }

    /// One step for all groups of tables, or one for each, with their names in its title.
    pub fn steps<'p>(
        &'p self,
        title_of_all: &str,
        title_of_each: &str,
        groups: impl Iterator<Item = &'p [Plan<'a>]>,
        sql: impl Fn(&'p [Plan<'a>]) -> String,
    ) -> Vec<Step>
    where
        'a: 'p,
    {
        match self.dialect.steps_by_table() {
            true => groups.map(|group| Step::new(&title_of_each.replace('@', &shown(group)), sql(group))).collect(),
            false => vec![Step::new(title_of_all, groups.map(sql).collect())],
        }
    }
}

/// The names of tables as messages show them.
pub fn shown(plans: &[Plan]) -> String {
    plans.iter().map(|p| p.table.shown()).collect::<Vec<_>>().join(", ")
}

/// The names of what one run keeps in the target so that it can be undone.
pub struct Kept {
    pub schema: Option<String>,
    /// `pipe_undo_<run>`, which the names of its tables begin with.
    pub base: String,
    pub run: String,
    pub pipeline: String,
}

impl Kept {
    /// Names what a script keeps; nothing if it is not to be undone.
    fn of(script: &Script) -> Option<Kept> {
        let (first, _) = script.tables.first().filter(|_| script.undo)?;
        let run: String = script.header.run_id.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let base = format!("pipe_undo_{run}");
        Some(Kept { schema: first.schema.clone(), base, run, pipeline: script.header.pipeline.clone() })
    }
}

/// Makes one line of a text that may hold anything.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}
