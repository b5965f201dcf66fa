//! A schema of its own on the server, and loads made of arrays.

use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::*;
use arrow::record_batch::RecordBatch;

use super::super::Postgres;
use crate::contract::Generated;
use crate::emit::rows::{Evidence, RowFormat};
use crate::emit::{Column, Dialect, Header, Mode, Script, Table, script};
use crate::types::DataType;

/// A schema of its own on the server.
pub(super) struct Server {
    url: String,
    schema: &'static str,
}

impl Server {
    pub(super) fn open(schema: &'static str) -> Option<Server> {
        let Ok(url) = std::env::var("PIPE_TEST_PG") else {
            eprintln!("PIPE_TEST_PG is not set: nothing was tested");
            return None;
        };
        let server = Server { url, schema };
        server.sql(&format!("SET client_min_messages = error; DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};"));
        Some(server)
    }

    pub(super) fn psql(&self, arguments: &[&str], script: &[u8]) -> Output {
        let file = std::env::temp_dir().join(format!("pipe-emit-{}-{}.sql", self.schema, std::process::id()));
        std::fs::write(&file, script).unwrap();
        let output = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-F", "|", "-d", &self.url])
            .args(arguments)
            .arg("-f")
            .arg(&file)
            .env("PGOPTIONS", format!("-c search_path={},public", self.schema))
            .output()
            .unwrap();
        std::fs::remove_file(&file).unwrap();
        output
    }

    /// Runs statements that must succeed and returns what they print.
    pub(super) fn sql(&self, sql: &str) -> String {
        let output = self.psql(&["-v", "ON_ERROR_STOP=1"], sql.as_bytes());
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_string()
    }

    pub(super) fn deploys(&self, load: &Load) {
        let output = self.psql(&[], &load.deploy());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{error}\n{}", String::from_utf8_lossy(&load.deploy()));
    }

    /// Runs a script that must fail, and returns what it says.
    pub(super) fn fails(&self, load: &Load) -> String {
        let output = self.psql(&[], &load.deploy());
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Runs `verify.sql` and returns each row's result.
    pub(super) fn verifies(&self, load: &Load) -> Vec<String> {
        self.results(&load.verify())
    }

    /// Runs `verify.sql` after a change that is taken back.
    pub(super) fn verifies_after(&self, change: &str, load: &Load) -> Vec<String> {
        let verify = String::from_utf8(load.verify()).unwrap();
        self.results(
            verify
                .replace("START TRANSACTION READ ONLY;", &format!("BEGIN; {change};"))
                .replace("COMMIT;", "ROLLBACK;")
                .as_bytes(),
        )
    }

    fn results(&self, verify: &[u8]) -> Vec<String> {
        let output = self.psql(&["-v", "ON_ERROR_STOP=1"], verify);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{error}\n{}", String::from_utf8_lossy(verify));
        let printed = String::from_utf8(output.stdout).unwrap();
        printed.lines().filter(|l| l.contains('|')).map(|l| l.rsplit('|').next().unwrap().to_string()).collect()
    }
}

/// A load with its rows formatted.
pub(super) struct Load {
    pub(super) tables: Vec<(Table, Evidence)>,
    parts: Vec<(Vec<u8>, Vec<u8>)>,
    format: RowFormat,
}

impl Load {
    pub(super) fn new(format: RowFormat, tables: Vec<(Table, RecordBatch)>) -> Load {
        let mut load = Load { tables: vec![], parts: vec![], format };
        for (i, (mut table, batch)) in tables.into_iter().enumerate() {
            table.number = i + 1;
            table.rows = batch.num_rows() as u64;
            let (mut rows, mut keys) = (vec![], vec![]);
            let mut writer = Postgres.rows(&table, &batch.schema(), format).unwrap();
            // In two batches, as staging delivers them.
            let half = batch.num_rows() / 2;
            writer.write(&batch.slice(0, half), &mut rows, &mut keys).unwrap();
            writer.write(&batch.slice(half, batch.num_rows() - half), &mut rows, &mut keys).unwrap();
            let evidence = writer.finish(&mut rows, &mut keys).unwrap();
            assert_eq!(evidence.rows, table.rows);
            load.tables.push((table, evidence));
            load.parts.push((rows, keys));
        }
        load
    }

    pub(super) fn write(&self, write: impl Fn(&Script, &mut Vec<(Vec<u8>, Vec<u8>)>, &mut Vec<u8>)) -> Vec<u8> {
        let header = Header {
            pipeline: "torture\n\\q".into(),
            run_id: "0123".into(),
            tool_version: "0.1.0".into(),
            spec_hash: "ab".into(),
            sources: vec![("a\nSELECT 1/0;".into(), "cd".into())],
            target: "test".into(),
        };
        let script = Script { header: &header, tables: &self.tables, format: self.format, undo: true };
        let mut out = vec![];
        write(&script, &mut self.parts.clone(), &mut out);
        out
    }

    pub(super) fn deploy(&self) -> Vec<u8> {
        self.write(|script, parts, out| script::deploy(&Postgres, script, parts, out).unwrap())
    }

    pub(super) fn verify(&self) -> Vec<u8> {
        self.write(|script, parts, out| script::verify(&Postgres, script, parts, out).unwrap())
    }
}

pub(super) fn table(name: &str, mode: Mode, key: &[&str], columns: &[(&str, &str)]) -> Table {
    let column = |(name, data_type): &(&str, &str)| Column {
        name: name.to_string(),
        data_type: DataType::parse(data_type).unwrap_or(DataType::Named(data_type.to_string())),
        type_name: None,
        generated: Generated::No,
    };
    Table {
        number: 0,
        schema: None,
        name: name.into(),
        columns: columns.iter().map(column).collect(),
        mode,
        key: key.iter().map(|k| k.to_string()).collect(),
        rows: 0,
        overriding_identity: false,
        in_cycle: false,
    }
}

pub(super) fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().enumerate().map(|(i, c)| (format!("c{i}"), c, true))).unwrap()
}

pub(super) fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

pub(super) fn numbers(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Each value of `values`, each `None` a NULL, repeated to `rows`.
pub(super) fn cycle<T: Clone>(values: &[T], rows: usize) -> Vec<Option<T>> {
    values.iter().cloned().map(Some).chain([None]).cycle().take(rows).collect()
}

pub(super) const FORMATS: [RowFormat; 2] = [RowFormat::Copy, RowFormat::Insert];
