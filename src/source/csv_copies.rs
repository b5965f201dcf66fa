//! Copies in UTF-8 of delimited files in other encodings: what the engine reads, for as long as it reads it.
//!
//! In: a request whose files have an `encoding`. Out: the same request over temporary files, line by line the same; errors about those name the
//! files that the author knows. Does not know about encodings themselves, see [`super::csv_encoding`].

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use encoding_rs::UTF_8;
use tempfile::{NamedTempFile, TempPath};

use super::csv_encoding::{Text, Written, find, known};
use super::{Request, Source, Staging, Texts};
use crate::error::Error;
use crate::types::DataType;

/// After how many pieces it is asked whether the run was interrupted.
const LOOK: usize = 256;

/// Files in UTF-8 that stand for others while they are read.
pub struct Copies {
    files: Vec<(TempPath, PathBuf)>,
}

/// Writes the files of a request in UTF-8; nothing where that is what they are declared to be.
pub fn copies(request: &Request, staging: &dyn Staging) -> Result<Option<(Request, Copies)>, Error> {
    let Some(name) = &request.csv.encoding else { return Ok(None) };
    let Some(written) = find(name) else {
        return Err(Error::new("X0202", format!("extract `{}`: there is no encoding `{name}`", request.name)).help(known()));
    };
    if written.encoding == UTF_8 {
        return Ok(None);
    }
    let mut files = vec![];
    for file in &request.files {
        files.push((copy(file, name, written, staging)?, file.clone()));
    }
    let mut inner = request.clone();
    inner.csv.encoding = None;
    inner.files = files.iter().map(|(copy, _)| copy.to_path_buf()).collect();
    Ok(Some((inner, Copies { files })))
}

fn copy(file: &Path, name: &str, written: Written, staging: &dyn Staging) -> Result<TempPath, Error> {
    let failed =
        |e: &io::Error| Error::file(&std::env::temp_dir(), &format!("cannot write `{}` in UTF-8 into", file.display()), e);
    let mut out = NamedTempFile::with_prefix("pipe-utf-8-").map_err(|e| failed(&e))?;
    let mut text = Text::open(file, written).map_err(|e| Error::file(file, "cannot read", &e))?;
    text.marks(file, name)?;
    let mut piece = vec![];
    for number in 1_usize.. {
        if number.is_multiple_of(LOOK) {
            staging.rows("SELECT 1")?;
        }
        piece.clear();
        let more = text.next(&mut piece).map_err(|fault| fault.error(file, name, written))?;
        out.write_all(&piece).map_err(|e| failed(&e))?;
        if !more {
            break;
        }
    }
    out.flush().map_err(|e| failed(&e))?;
    Ok(out.into_temp_path())
}

/// A source whose files are read by their copies.
pub struct Copied {
    pub inner: Box<dyn Source>,
    pub copies: Copies,
}

impl Source for Copied {
    fn columns(&self) -> &[(String, DataType)] {
        self.inner.columns()
    }

    fn complete(&self) -> bool {
        self.inner.complete()
    }

    fn texts(&self) -> Texts {
        self.inner.texts()
    }

    fn load(&self, table: &str, staging: &dyn Staging) -> Result<(), Error> {
        self.inner.load(table, staging).map_err(|e| self.copies.named(e))
    }

    fn hash(&self) -> Result<String, Error> {
        super::csv::hash_files(&self.copies.files.iter().map(|(_, file)| file.clone()).collect::<Vec<_>>())
    }
}

impl Copies {
    /// Says of the files what an error says of their copies.
    pub fn named(&self, mut error: Error) -> Error {
        for (copy, file) in &self.files {
            error.message = error.message.replace(&*copy.to_string_lossy(), &file.to_string_lossy());
            if error.path.as_deref() == Some(copy) {
                error.path = Some(file.clone());
            }
        }
        error
    }
}
