//! `deploy.log`: what a command did to a database, counted and answered, with times, fit to be archived.
//!
//! In: lines, as things happen. Out: the file, to which every command adds. No line holds a secret. Does not know what the lines say.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Secrets;
use crate::emit::times;
use crate::error::Error;

/// The log of an output folder.
pub struct Journal {
    file: File,
    path: PathBuf,
    secrets: Secrets,
}

impl Journal {
    /// Opens the log, before anything is done that should stand in it.
    pub fn open(folder: &Path, secrets: &Secrets) -> Result<Journal, Error> {
        let path = folder.join("deploy.log");
        let file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(|e| Error::file(&path, "cannot write", &e))?;
        Ok(Journal { file, path, secrets: secrets.clone() })
    }

    /// Adds a line for each line of a text.
    pub fn add(&mut self, text: &str) -> Result<(), Error> {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
        let mut entry = vec![];
        for line in self.secrets.mask(text).lines() {
            times::timestamp(micros / 1_000 * 1_000, true, &mut entry);
            entry.extend_from_slice(format!("  {line}\n").as_bytes());
        }
        self.file.write_all(&entry).map_err(|e| Error::file(&self.path, "cannot write", &e))
    }

    /// Adds lines that come too late to stop anything: what they tell has happened, written down or not.
    pub fn close(&mut self, text: &str) {
        let _ = self.add(text);
    }
}
