//! JSON documents and newline-delimited JSON, read by our own reader: exact types from all values, and positions for messages.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::json::{self, Inspected, Layout, Malformed};
use super::origin::Place;
use super::{Request, Scope, Source, SourceKind, Staging, record_number};
use crate::digest::Digest;
use crate::error::Error;
use crate::types::DataType;

/// How much of a document a static check reads.
const HEAD: usize = 1 << 20;

pub struct Json;
pub struct Ndjson;

impl SourceKind for Json {
    fn format(&self) -> &'static str {
        "json"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["json"]
    }

    fn open(&self, request: &Request, scope: Scope, _: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        let layout = Layout::Document { records: request.records.clone() };
        open_documents(request, &layout, documents(request)?, (scope == Scope::Head).then_some(HEAD))
    }

    fn place(&self, request: &Request, file: usize, record: u64) -> Place {
        let list = request.records.clone().unwrap_or_default();
        Place { file: request.files.get(file).cloned(), position: format!("{list}[{record}]") }
    }
}

impl SourceKind for Ndjson {
    fn format(&self) -> &'static str {
        "ndjson"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["ndjson", "jsonl"]
    }

    fn open(&self, request: &Request, scope: Scope, _: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        open_documents(request, &Layout::Lines, documents(request)?, (scope == Scope::Head).then_some(HEAD))
    }

    fn place(&self, request: &Request, file: usize, record: u64) -> Place {
        Place { file: request.files.get(file).cloned(), position: format!("line {record}") }
    }
}

/// The bytes of one document.
pub struct Document {
    path: Option<PathBuf>,
    bytes: Arc<Vec<u8>>,
}

impl Document {
    /// A document that stands in the pipeline itself.
    pub fn inline(bytes: Vec<u8>) -> Document {
        Document { path: None, bytes: Arc::new(bytes) }
    }
}

fn documents(request: &Request) -> Result<Vec<Document>, Error> {
    let read = |path: &PathBuf| {
        let bytes = std::fs::read(path).map_err(|e| Error::file(path, "cannot read", &e))?;
        let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { decompress(&bytes, path)? } else { bytes };
        Ok(Document { path: Some(path.clone()), bytes: Arc::new(bytes) })
    };
    request.files.iter().map(read).collect()
}

/// Unpacks gzip, all of its members.
fn decompress(bytes: &[u8], path: &Path) -> Result<Vec<u8>, Error> {
    let mut text = vec![];
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut text).map_err(|cause| {
        let error = Error::new("X0203", format!("cannot decompress `{}`: {cause}", path.display())).at(path);
        error.help("The file is probably truncated: write or download it again.")
    })?;
    Ok(text)
}

/// Looks at documents; `head` bounds how many bytes of each.
pub fn open_documents(
    request: &Request,
    layout: &Layout,
    documents: Vec<Document>,
    head: Option<usize>,
) -> Result<Box<dyn Source>, Error> {
    let mut inspected: Vec<Inspected> = vec![];
    for document in &documents {
        let found = json::inspect(&document.bytes, layout, &request.pins, head).map_err(|e| malformed(e, document))?;
        inspected.push(found);
    }
    let inspected = json::reconcile(inspected);
    let mut columns = inspected.first().map(|i| i.columns.clone()).unwrap_or_default();
    if columns.is_empty() {
        let records: u64 = inspected.iter().map(|i| i.records).sum();
        if records > 0 || request.pins.is_empty() {
            return Err(without_columns(request, documents.first()));
        }
        columns = request.pins.clone();
    }
    let complete = inspected.iter().all(|i| i.complete);
    Ok(Box::new(Documents { documents, inspected, columns, complete, limit: request.limit }))
}

fn without_columns(request: &Request, document: Option<&Document>) -> Error {
    let name =
        document.and_then(|d| d.path.as_ref()).map_or(format!("extract `{}`", request.name), |p| format!("`{}`", p.display()));
    let mut error =
        Error::new("X0201", format!("{name} holds no record with a column, so it is not known which columns there are"));
    error.path = document.and_then(|d| d.path.clone());
    error.help("If that may be, name them: `columns: {id: integer, name: text}`.")
}

fn malformed(error: Malformed, document: &Document) -> Error {
    let name = document.path.as_ref().map_or("`rows`".to_string(), |p| format!("`{}`", p.display()));
    let mut found = Error::new("X0203", format!("{name}: {}", error.message)).line(error.line);
    found.message.push_str(&format!(" (line {}, column {})", error.line, error.column));
    found.path = document.path.clone();
    found.help.extend(error.help);
    found
}

struct Documents {
    documents: Vec<Document>,
    inspected: Vec<Inspected>,
    columns: Vec<(String, DataType)>,
    complete: bool,
    limit: Option<u64>,
}

impl Source for Documents {
    fn columns(&self) -> &[(String, DataType)] {
        &self.columns
    }

    fn complete(&self) -> bool {
        self.complete
    }

    fn load(&self, table: &str, staging: &dyn Staging) -> Result<(), Error> {
        let mut left = self.limit.unwrap_or(u64::MAX);
        staging.append(table, &mut |append| {
            for (i, (document, inspected)) in self.documents.iter().zip(&self.inspected).enumerate() {
                let base = record_number(i, 0);
                json::batches(&document.bytes, inspected, base, &mut |batch| {
                    let rows = (batch.num_rows() as u64).min(left);
                    left -= rows;
                    if rows == 0 { Ok(()) } else { append(batch.slice(0, rows as usize)) }
                })?;
            }
            Ok(())
        })
    }

    fn hash(&self) -> Result<String, Error> {
        let mut hasher = Digest::default();
        for document in &self.documents {
            hasher.add(document.bytes.as_slice());
        }
        Ok(hasher.digits())
    }
}
