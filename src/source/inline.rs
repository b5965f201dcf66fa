//! `rows:`: rows that stand in the pipeline itself; read as a JSON document is.

use super::json_file::{Document, open_documents};
use super::origin::Place;
use super::{Request, Scope, Source, SourceKind, Staging};
use crate::error::Error;
use crate::source::json::Layout;

pub struct Inline;

impl SourceKind for Inline {
    fn format(&self) -> &'static str {
        "rows"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &[]
    }

    fn open(&self, request: &Request, _: Scope, _: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        let text = serde_json::to_vec(&request.rows).map_err(|e| Error::new("X0104", e.to_string()))?;
        open_documents(request, &Layout::Document { records: None }, vec![Document::inline(text)], None)
    }

    fn place(&self, _: &Request, _: usize, record: u64) -> Place {
        Place { file: None, position: format!("rows[{record}]") }
    }
}
