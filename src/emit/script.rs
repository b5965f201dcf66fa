//! What the scripts consist of: the steps of each, in order, the same for every dialect.
//!
//! In: a [`Script`] and the [`Dialect`] that it is written in. Out: the text of `deploy.sql`, `rollback.sql`, `verify.sql`, `views.sql`, and of the
//! script that only counts. Every script is one transaction, every step stands under a title that says what it is for.
//! Does not know a word of SQL.

use std::io::{self, Write};

use super::load::{File, Header, Load, Parts, Script, Step, shown};
use super::merge::Plan;
use super::rows::RowFormat;
use super::{Dialect, Literal, Mode, preview};

/// Writes `deploy.sql`, which loads everything or nothing.
pub fn deploy(dialect: &dyn Dialect, script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let load = Load::new(dialect, script);
    let steps = if load.plans.is_empty() {
        vec![]
    } else {
        [
            vec![Step::new("The target has every table and column that is loaded.", dialect.target_fits(&load.plans))],
            dialect.load(&load),
            dialect.settle(&load),
            load.kept.iter().flat_map(|kept| dialect.left(kept, &load.plans)).collect(),
        ]
        .concat()
    };
    write(File::Deploy, &load, steps, parts, out)
}

/// The steps that load rows by way of staging tables.
pub fn by_stages(load: &Load) -> Vec<Step> {
    let title = |plan: &Plan| format!("Rows of {}", plan.table.shown());
    let staged = load.plans.iter().enumerate().flat_map(|(at, plan)| load.dialect.staged(&title(plan), at, load)).collect();
    let keep = load.kept.iter().flat_map(|kept| load.dialect.keep(kept, &load.plans)).collect();
    [staged, guarded(load), keep, merged(load)].concat()
}

/// The steps that check what must be so before anything changes.
pub fn guarded(load: &Load) -> Vec<Step> {
    // A key that holds the scope is nowhere else.
    let holds = |plan: &Plan, scope: &[(String, Literal)]| scope.iter().all(|(column, _)| plan.is_key(column));
    let beyond = |plan: &Plan| match &plan.table.mode {
        Mode::Replace { scope } if !plan.key.is_empty() && !holds(plan, scope) => load.dialect.none_beyond(plan, scope),
        Mode::Replace { .. } | Mode::Insert | Mode::Append | Mode::Upsert(_) => String::new(),
    };
    let only = |mode: Mode| load.plans.chunks(1).filter(move |p| p.iter().all(|p| p.table.mode == mode));
    [
        load.steps(
            "What is only inserted is not there yet.",
            "What is only inserted into @ is not there yet.",
            only(Mode::Insert),
            |p| p.iter().map(|p| load.dialect.none_there(p)).collect(),
        ),
        load.steps(
            "What is only appended is either new or the same.",
            "What is only appended to @ is either new or the same.",
            only(Mode::Append).filter(|p| p.iter().all(|p| !p.key.is_empty())),
            |p| p.iter().map(|p| load.dialect.none_differs(p)).collect(),
        ),
        load.steps(
            "What replaces a scope is not there beyond it.",
            "What replaces a scope of @ is not there beyond it.",
            load.plans.chunks(1),
            |p| p.iter().map(beyond).collect(),
        ),
    ]
    .concat()
}

/// The steps that bring staged rows into their tables, and count them there.
pub fn merged(load: &Load) -> Vec<Step> {
    let (dialect, kept) = (load.dialect, load.kept.as_ref());
    // Neighbours in a cycle go together where one statement can do that.
    let together = |a: &Plan, b: &Plan| !dialect.steps_by_table() && a.table.in_cycle && b.table.in_cycle;
    let groups = || load.plans.chunk_by(together);
    let merge = |group: &[Plan]| Step::new(&format!("Merge {}", shown(group)), dialect.merge(group, kept));
    let keyed = load.plans.chunks(1).filter(|p| p.iter().all(|p| !p.key.is_empty()));
    [
        kept.map_or(vec![], |kept| dialect.capture(kept, &load.plans)),
        vec![Step::new(
            "Foreign keys among tables that are loaded together are checked once all rows are there.",
            dialect.suspend(&load.plans),
        )],
        load.steps(
            "What a replacement leaves out goes, children first.",
            "What the replacement of @ leaves out goes.",
            groups().rev(),
            |group| dialect.delete(group),
        ),
        groups().map(merge).collect(),
        vec![Step::new("The foreign keys that waited are checked now.", dialect.resume())],
        load.steps("Every row is in the target, once.", "Every row of @ is in the target, once.", keyed, |p| {
            p.iter().map(|p| dialect.all_there(p)).collect()
        }),
    ]
    .concat()
}

/// Writes `rollback.sql`, which undoes what `deploy.sql` did, unless that has changed since.
pub fn rollback(dialect: &dyn Dialect, script: &Script, out: &mut dyn Write) -> io::Result<()> {
    let load = Load::new(dialect, script);
    write(File::Rollback, &load, dialect.rollback(&load), &mut vec![], out)
}

/// Writes `verify.sql`, which compares the target with what was loaded and changes nothing there.
pub fn verify(dialect: &dyn Dialect, script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let load = Load::new(dialect, script);
    write(File::Verify, &load, dialect.verify(&load), parts, out)
}

/// Writes `views.sql`, which creates views by these statements.
pub fn views(dialect: &dyn Dialect, header: &Header, statements: &[&str], out: &mut dyn Write) -> io::Result<()> {
    let script = Script { header, tables: &[], format: RowFormat::Copy, undo: false };
    let steps = statements.iter().map(|s| Step::Plain(dialect.view(s))).collect();
    write(File::Views, &Load::new(dialect, &script), steps, &mut vec![], out)
}

/// Writes the script that counts what a deployment would change.
pub fn preview(dialect: &dyn Dialect, script: &Script, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let load = Load::new(dialect, script);
    write(File::Preview, &load, preview::steps(&load), parts, out)
}

fn write(file: File, load: &Load, steps: Vec<Step>, parts: &mut dyn Parts, out: &mut dyn Write) -> io::Result<()> {
    let (dialect, format) = (load.dialect, load.script.format);
    if file != File::Preview {
        let purpose = match file {
            File::Rollback => "-- Brings back what was there before deploy.sql of this run, unless it has changed since.\n-- ",
            File::Verify => "-- Reads only. ",
            File::Deploy | File::Views | File::Preview => "-- ",
        };
        write!(out, "{}--\n{purpose}Run with: {}\n\n", header(file, load), dialect.run_with(file, format))?;
    }
    out.write_all(dialect.begin(file, format).as_bytes())?;
    let mut done = 0;
    for step in steps {
        match step {
            Step::Sql { sql, .. } if sql.is_empty() => {}
            Step::Sql { title, sql } => {
                out.write_all(dialect.step(done, &title, &sql).as_bytes())?;
                done += 1;
            }
            Step::Plain(text) => out.write_all(text.as_bytes())?,
            Step::Rows(at) => parts.rows(at, out)?,
            Step::Keys(at) => parts.keys(at, out)?,
        }
    }
    out.write_all(dialect.end(file, load, done).as_bytes())
}

/// Says where a script comes from and what it holds.
fn header(file: File, load: &Load) -> String {
    let header = load.script.header;
    let mut lines = vec![
        format!("pipeline {}, by pipe {}", header.pipeline, header.tool_version),
        format!("run      {}", header.run_id),
        format!("target   {}", header.target),
        format!("spec     sha256 {}", header.spec_hash),
    ];
    lines.extend(header.sources.iter().map(|(name, hash)| format!("source   {name}, sha256 {hash}")));
    for (table, _) in load.script.tables {
        let rows = if table.rows == 1 { "row" } else { "rows" };
        lines.push(format!("table    {}: {}, {} {rows}", table.shown(), table.mode.word(), table.rows));
    }
    for (table, evidence) in load.script.tables.iter().filter(|_| file == File::Verify) {
        for (column, _) in table.columns.iter().zip(&evidence.compared).filter(|(_, compared)| compared.is_none()) {
            let why = load.dialect.not_compared(table, &column.name);
            lines.push(format!("not compared: column {} of {}, {why}", column.name, table.shown()));
        }
    }
    lines.iter().map(|line| load.dialect.comment(line)).collect()
}
