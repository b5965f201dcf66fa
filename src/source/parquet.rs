//! Parquet files, read by the engine.

use super::csv::{Scan, Scanned};
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
        let mut scans = vec![];
        for file in &request.files {
            std::fs::File::open(file).map_err(|e| Error::file(file, "cannot read", &e))?;
            let call = format!("read_parquet({})", super::csv::path_text(file));
            let columns =
                staging.describe(&format!("SELECT * FROM {call}")).map_err(|e| super::csv::at_line(e, file, &request.csv))?;
            scans.push(Scan { call, quick: None, head: None, names: columns.into_iter().map(|(name, _)| name).collect() });
        }
        Scanned::open(request, &scans, staging)
    }

    fn place(&self, request: &Request, file: usize, record: u64) -> Place {
        Place { file: request.files.get(file).cloned(), position: format!("row {}", record + 1) }
    }
}
