//! What an author wrote, as it was written.
//!
//! In: files of a project. Out: [`Project`] and [`PipelineSpec`], whose clause bodies are still YAML: the stage, source or check that
//! owns a body decodes it. After this, files were read and the envelope has the right keys; no name has been looked up yet.
//! Does not know about stages, sources, engines or dialects.

pub mod pipeline;
pub mod project;
pub mod template;
mod template_failure;
mod template_macros;
mod template_value;
pub mod yaml;
mod yaml_error;
mod yaml_json;
mod yaml_mend;
mod yaml_read;

pub use pipeline::PipelineSpec;
pub use project::{Project, TargetSpec};

use std::path::{Path, PathBuf};

use crate::diagnostics::{Diagnostics, FileId, SourceMap};
use crate::error::Error;

/// Reads a text file of the project into `sources`.
///
/// Errors: the file cannot be read (X01xx), or is not UTF-8 (X0105, with the line of the first wrong byte).
pub fn read_text(sources: &mut SourceMap, path: &Path) -> Result<FileId, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, "cannot read", &e))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(sources.add(shown(path), text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|b| **b == b'\n').count() + 1;
            Err(Error::new("X0105", format!("`{}` is not UTF-8 text", path.display()))
                .at(path)
                .line(line)
                .help("Save the file with the encoding UTF-8."))
        }
    }
}

/// Reads and parses a YAML file; `None` if its text is unusable, with the reasons in `out`.
pub fn read_yaml(sources: &mut SourceMap, path: &Path, out: &mut Diagnostics) -> Result<Option<yaml::Node>, Error> {
    let file = read_text(sources, path)?;
    Ok(yaml::parse(sources, file, out))
}

/// Returns `path` as messages show it: relative to the current folder where it lies below it.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_path_buf()
}
