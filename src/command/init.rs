//! `pipe init`: a small project that runs.
//!
//! In: a folder. Out: the files of `starter/` in it, unless one of them is there already: nothing of an author's is overwritten.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// The files of a new project.
const FILES: &[(&str, &str)] = &[
    ("pipe.yaml", include_str!("starter/pipe.yaml")),
    ("pipelines/people.yaml", include_str!("starter/people.yaml")),
    ("data/people.csv", include_str!("starter/people.csv")),
    ("schemas/people.sql", include_str!("starter/people.sql")),
    ("tests/people.yaml", include_str!("starter/people_test.yaml")),
    (".gitignore", "out/\n"),
];

/// Writes a new project and returns its files.
///
/// Errors: one of the files exists, or the folder cannot be written.
pub fn init(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    // Besides the ignored names, which most folders have already.
    let wanted: Vec<(PathBuf, &str)> = FILES
        .iter()
        .map(|(name, text)| (folder.join(name), *text))
        .filter(|(path, _)| !path.ends_with(".gitignore") || !path.exists())
        .collect();
    if let Some((taken, _)) = wanted.iter().find(|(path, _)| path.exists()) {
        let error = Error::new("X0108", format!("`{}` exists already: nothing was written", taken.display()));
        return Err(error.at(taken).help("Name a new folder: `pipe init DIR`."));
    }
    for (path, text) in &wanted {
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|e| Error::file(parent, "cannot create", &e))?;
        std::fs::write(path, text).map_err(|e| Error::file(path, "cannot write", &e))?;
    }
    Ok(wanted.into_iter().map(|(path, _)| path).collect())
}
