//! Parquet files, read by the engine.

use super::csv::Scanned;
use super::origin::Place;
use super::{Request, Scope, Source, SourceKind, Staging};
use crate::error::Error;

pub struct Parquet;

impl SourceKind for Parquet {
    fn format(&self) -> &'static str {
        "parquet"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["parquet", "pq"]
    }

    fn open(&self, request: &Request, _: Scope, staging: &dyn Staging) -> Result<Box<dyn Source>, Error> {
        let scans = request.files.iter().map(|f| format!("read_parquet({})", super::csv::path_text(f))).collect();
        Scanned::open(request, scans, true, staging)
    }

    fn place(&self, request: &Request, file: usize, record: u64) -> Place {
        Place { file: request.files.get(file).cloned(), position: format!("row {}", record + 1) }
    }
}
