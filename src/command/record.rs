//! What a run leaves of itself: its name, made of its content, and `run.json`.
//!
//! In: what was compiled, read and written. Out: the [`Header`] of every script, and the record. Does not write any file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use rayon::prelude::*;
use serde_json::json;

use super::Compiled;
use super::files::Exported;
use crate::digest::Digest;
use crate::emit::rows::Evidence;
use crate::emit::{Header, Table};
use crate::error::Error;
use crate::plan::{ExtractPlan, Plan};
use crate::report::{self, RunReport};

/// The hashes of what the sources gave.
pub(super) struct Hashes {
    /// Those of files, by extract.
    early: Option<JoinHandle<BTreeMap<String, Result<String, Error>>>>,
}

impl Hashes {
    /// Begins to hash files: the threads that stage rows wait for each other now and then.
    pub(super) fn begin(plan: &Plan) -> Hashes {
        let files = plan.extracts.iter().filter(|e| !e.extract.request.files.is_empty());
        let files: Vec<_> = files.map(|e| (e.extract.request.name.clone(), Arc::clone(&e.source))).collect();
        let hash = move || files.into_iter().map(|(name, source)| (name, source.hash())).collect();
        Hashes { early: Some(std::thread::spawn(hash)) }
    }

    /// Leaves all for the end.
    pub(super) fn later() -> Hashes {
        Hashes { early: None }
    }

    /// Returns the hash of every source, by its name; rows that came from elsewhere are staged by now.
    pub(super) fn all(self, plan: &Plan) -> Result<Vec<(String, String)>, Error> {
        let early = self.early.and_then(|thread| thread.join().ok()).unwrap_or_default();
        let of = |e: &ExtractPlan| {
            let name = &e.extract.request.name;
            Ok((name.clone(), early.get(name).cloned().unwrap_or_else(|| e.source.hash())?))
        };
        plan.extracts.par_iter().map(of).collect()
    }
}

/// Names the run by its content: the texts it was made from, its sources, and what came out.
pub(super) fn header(compiled: &Compiled, sources: Vec<(String, String)>, tables: &[(Table, Evidence)]) -> Header {
    let mut hasher = Digest::default();
    hasher.add(&compiled.spec_hash);
    for (name, hash) in &sources {
        hasher.add(format!("{name}={hash};"));
    }
    for (table, evidence) in tables {
        hasher.add(format!("{}={}:{};", table.shown(), evidence.rows, evidence.checksum));
    }
    let run_id: String = hasher.short(16);
    Header {
        pipeline: compiled.plan.pipeline.clone(),
        run_id,
        tool_version: env!("CARGO_PKG_VERSION").to_string(),
        spec_hash: compiled.spec_hash.clone(),
        sources,
        target: compiled.plan.target.name.value.clone(),
    }
}

/// `run.json`: what was run, on what, and with which outcome.
pub(super) fn record(
    done: &RunReport,
    compiled: &Compiled,
    header: &Header,
    tables: &[(Table, Evidence)],
    files: &[Exported],
    scripts: &[(&str, String)],
) -> String {
    let file = |f: &Exported| json!({"file": f.path, "table": f.table, "format": f.format, "rows": f.rows});
    let value = json!({
        "pipeline": header.pipeline,
        "run_id": header.run_id,
        "tool_version": header.tool_version,
        "spec_hash": header.spec_hash,
        "target": {"name": header.target, "dialect": compiled.plan.dialect.name()},
        "sources": header.sources.iter().map(|(name, hash)| json!({"name": name, "sha256": hash})).collect::<Vec<_>>(),
        "tables": tables.iter().map(|(t, e)| json!({"table": t.shown(), "rows": e.rows, "checksum": e.checksum.to_string()})).collect::<Vec<_>>(),
        "contracts": super::judged::record(&compiled.plan),
        "views": compiled.plan.views.iter().map(|v| json!({"view": v.name, "table": v.table})).collect::<Vec<_>>(),
        "files": files.iter().map(file).collect::<Vec<_>>(),
        "scripts": scripts.iter().map(|(name, hash)| (name.to_string(), json!(hash))).collect::<serde_json::Map<_, _>>(),
        "ledger": report::json::ledger(&done.ledger),
        "warnings": done.violations.len(),
    });
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}
