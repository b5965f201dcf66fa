//! `pipe schema import`: the contracts of live tables, as files.
//!
//! In: names of tables. Out: one file per table below `schemas/`, or all in one file. A file that an import did not write is never
//! touched, and a table that has its contract elsewhere is refused: a table has one contract.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::schema::{Finished, Scene, Wanted, read_back};
use super::{Failure, Options};
use crate::catalog::{self, Frame, TableName};
use crate::digest;
use crate::error::Error;

/// The first line of a file that another import may replace.
const MARK: &str = "-- Imported by `pipe schema import`, which replaces this file: change the database, not this.\n";

/// Where an import goes.
#[derive(Clone, Debug)]
pub enum Destination {
    /// One file per table below `schemas/`.
    Schemas,
    File(PathBuf),
    /// No file: the text is the result.
    Text,
}

/// One table that was imported.
pub struct ImportedTable {
    pub name: String,
    pub path: Option<PathBuf>,
    pub text: String,
    pub columns: usize,
    pub checks: usize,
    /// What a run cannot judge before the load.
    pub unjudged: Vec<String>,
}

/// Writes the contracts of live tables.
pub fn import(wanted: &Wanted, options: &Options, to: &Destination) -> Result<Finished<Vec<ImportedTable>>, Failure> {
    let mut scene = Scene::load(wanted, options)?;
    let mut names = scene.names(wanted)?;
    if names.is_empty() {
        // Without names, what was imported before is imported again.
        let imported = |c: &crate::contract::Contract| scene.sources.text(c.span.file).starts_with(MARK);
        names = scene.contracts.iter().filter(|c| imported(c)).map(|c| scene.name_of(c)).collect();
    }
    if names.is_empty() {
        let error = Error::new("X0106", "no table is named");
        let help = "Write `pipe schema import schema.table ...`, or `--for PIPELINE` for the tables that a pipeline loads.";
        return Err(error.help(help).into());
    }
    let paths: Vec<Option<PathBuf>> = names.iter().map(|name| path_for(&scene, name, to)).collect();
    refuse_to_overwrite(&scene, &names, &paths)?;
    let found = catalog::find(scene.dialect.name())?.import(&mut *scene.connect()?, &names, Frame::Own)?;
    let live = read_back(&found, scene.dialect.flavor());
    let mut tables = vec![];
    for ((table, path), live) in found.into_iter().zip(paths).zip(live) {
        let mut unjudged: Vec<String> =
            live.contract.iter().flat_map(|c| c.unjudged.iter().map(|(text, _)| text.clone())).collect();
        unjudged.extend(live.unread);
        unjudged.extend(table.unjudged);
        tables.push(ImportedTable {
            name: table.name.to_string(),
            path,
            text: table.text,
            columns: live.contract.as_ref().map_or(0, |c| c.columns.len()),
            checks: live.contract.as_ref().map_or(0, |c| c.checks.len()),
            unjudged,
        });
    }
    write(&tables)?;
    Ok(Finished { result: tables, sources: scene.sources, warnings: scene.out.into_sorted() })
}

/// The file that a table's contract goes into.
fn path_for(scene: &Scene, name: &TableName, to: &Destination) -> Option<PathBuf> {
    match to {
        Destination::Text => None,
        Destination::File(path) => Some(path.clone()),
        Destination::Schemas => {
            let own = name.schema == scene.schema();
            let name = if own { name.table.clone() } else { name.to_string() };
            Some(scene.project.root.join("schemas").join(file_name(&name)))
        }
    }
}

/// Makes a file name of a table's name, which may hold anything: what is replaced is told apart by a hash.
fn file_name(table: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let mut parts = table.split('.');
    if table.len() <= 130 && parts.all(|p| !p.is_empty() && p.chars().all(plain)) {
        return format!("{table}.sql");
    }
    let kept: String = table.chars().map(|c| if plain(c) { c } else { '_' }).take(40).collect();
    let hash: String = digest::of(table).short(8);
    format!("{kept}-{hash}.sql")
}

fn refuse_to_overwrite(scene: &Scene, names: &[TableName], paths: &[Option<PathBuf>]) -> Result<(), Error> {
    for (name, path) in names.iter().zip(paths) {
        let Some(path) = path else { continue };
        if let Ok(text) = std::fs::read_to_string(path)
            && !text.starts_with(MARK)
        {
            return Err(Error::new("X0602", format!("`{}` was not written by an import", path.display()))
                .at(path)
                .help("Move it away, or name another file with `--out`; `--out -` only prints."));
        }
        let elsewhere =
            scene.contracts.iter().find(|c| scene.name_of(c) == *name && !same(scene.sources.path(c.span.file), path));
        if let Some(contract) = elsewhere {
            let (file, (line, _)) = (scene.sources.path(contract.span.file), scene.sources.line_column(contract.span));
            return Err(Error::new("X0602", format!("table `{name}` has a contract already")).at(file).line(line).help(
                "Remove it there before you import it, or compare the two with `pipe schema diff`; `--out -` only prints.",
            ));
        }
    }
    Ok(())
}

fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// Writes each file beside its place and moves it there when it is whole.
fn write(tables: &[ImportedTable]) -> Result<(), Error> {
    let mut files: Vec<(&Path, String)> = vec![];
    for table in tables {
        let Some(path) = &table.path else { continue };
        match files.iter_mut().find(|(known, _)| known == path) {
            Some((_, text)) => text.push_str(&format!("\n{}", table.text)),
            None => files.push((path, format!("{MARK}{}", table.text))),
        }
    }
    for (path, text) in files {
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, "cannot create the folder", &e))?;
        let failed = |e: std::io::Error| Error::file(path, "cannot write", &e);
        let mut beside = tempfile::Builder::new().prefix(".schema-").tempfile_in(folder).map_err(failed)?;
        beside.write_all(text.as_bytes()).map_err(failed)?;
        beside.persist(path).map_err(|e| failed(e.error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn file_names_are_plain_and_differ() {
        assert_eq!(file_name("personas"), "personas.sql");
        assert_eq!(file_name("sales.orders"), "sales.orders.sql");
        assert!(file_name("../x").starts_with("___x-"));
        assert_ne!(file_name("A"), file_name("a"));
        assert_ne!(file_name("a;b"), file_name("a\nb"));
    }
}
