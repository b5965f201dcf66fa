//! What can fail outside the author's text: files, the engine, a database.
//!
//! Carries a stable code like a diagnostic, and as much of the place as is known. Does not know about exit codes or printing.

use std::path::{Path, PathBuf};

/// A failure of the world around the pipeline.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// A stable code of `diagnostics::codes`, such as `X0101`.
    pub code: &'static str,
    pub message: String,
    /// The file that it is about, if any, with the line if known.
    pub path: Option<PathBuf>,
    pub line: Option<usize>,
    /// Full sentences that say what to do.
    pub help: Vec<String>,
}

impl Error {
    pub fn new(code: &'static str, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), path: None, line: None, help: vec![] }
    }

    /// Makes an error about reading or writing `path`.
    pub fn file(path: &Path, doing: &str, cause: &std::io::Error) -> Error {
        let (code, help) = match cause.kind() {
            std::io::ErrorKind::NotFound => ("X0101", Some("Check the path; relative paths start at the project's root folder.")),
            std::io::ErrorKind::IsADirectory => {
                ("X0101", Some("It is a folder: name a file, or those in it by a pattern such as `data/*.csv`."))
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                ("X0102", Some("Check the rights of the file and its folder, or name another folder with `--out`."))
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::QuotaExceeded => {
                ("X0103", Some("Free some space, or name a folder on another disk with `--out`."))
            }
            _ => ("X0104", None),
        };
        let mut error = Error::new(code, format!("{doing} `{}`: {cause}", path.display())).at(path);
        error.help.extend(help.map(String::from));
        error
    }

    pub fn at(mut self, path: &Path) -> Error {
        self.path = Some(path.to_path_buf());
        self
    }

    pub fn line(mut self, line: usize) -> Error {
        self.line = Some(line);
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Error {
        self.help.push(text.into());
        self
    }

    /// Makes the error that a stopped run ends with.
    pub fn interrupted() -> Error {
        Error::new("X0001", "interrupted")
    }

    pub fn is_interrupted(&self) -> bool {
        self.code == "X0001"
    }
}
