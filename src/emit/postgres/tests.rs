//! Scripts against a real server: `PIPE_TEST_PG` holds its URL; without it these tests only say so.

use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as Staged, Field};
use arrow::record_batch::RecordBatch;

use super::Postgres;
use crate::contract::Generated;
use crate::emit::rows::{Evidence, RowFormat};
use crate::emit::torture::{self, Dice};
use crate::emit::{Column, Dialect, Header, Literal, Mode, Script, Table};
use crate::types::DataType;

/// A schema of its own on the server.
struct Server {
    url: String,
    schema: &'static str,
}

impl Server {
    fn open(schema: &'static str) -> Option<Server> {
        let Ok(url) = std::env::var("PIPE_TEST_PG") else {
            eprintln!("PIPE_TEST_PG is not set: nothing was tested");
            return None;
        };
        let server = Server { url, schema };
        server.sql(&format!("SET client_min_messages = error; DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};"));
        Some(server)
    }

    fn psql(&self, arguments: &[&str], script: &[u8]) -> Output {
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
    fn sql(&self, sql: &str) -> String {
        let output = self.psql(&["-v", "ON_ERROR_STOP=1"], sql.as_bytes());
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_string()
    }

    fn deploys(&self, load: &Load) {
        let output = self.psql(&[], &load.deploy());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{error}\n{}", String::from_utf8_lossy(&load.deploy()));
    }

    /// Runs a script that must fail, and returns what it says.
    fn fails(&self, load: &Load) -> String {
        let output = self.psql(&[], &load.deploy());
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Runs `verify.sql` and returns each row's result.
    fn verifies(&self, load: &Load) -> Vec<String> {
        let output = self.psql(&["-v", "ON_ERROR_STOP=1"], &load.verify());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{error}\n{}", String::from_utf8_lossy(&load.verify()));
        String::from_utf8(output.stdout).unwrap().lines().map(|l| l.rsplit('|').next().unwrap().to_string()).collect()
    }
}

/// A load with its rows formatted.
struct Load {
    tables: Vec<(Table, Evidence)>,
    parts: Vec<(Vec<u8>, Vec<u8>)>,
    format: RowFormat,
}

impl Load {
    fn new(format: RowFormat, tables: Vec<(Table, RecordBatch)>) -> Load {
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

    fn write(&self, write: impl Fn(&Script, &mut Vec<(Vec<u8>, Vec<u8>)>, &mut Vec<u8>)) -> Vec<u8> {
        let header = Header {
            pipeline: "torture\n\\q".into(),
            run_id: "0123".into(),
            tool_version: "0.1.0".into(),
            spec_hash: "ab".into(),
            sources: vec![("a\nSELECT 1/0;".into(), "cd".into())],
            target: "test".into(),
        };
        let script = Script { header: &header, tables: &self.tables, format: self.format };
        let mut out = vec![];
        write(&script, &mut self.parts.clone(), &mut out);
        out
    }

    fn deploy(&self) -> Vec<u8> {
        self.write(|script, parts, out| Postgres.deploy(script, parts, out).unwrap())
    }

    fn verify(&self) -> Vec<u8> {
        self.write(|script, parts, out| Postgres.verify(script, parts, out).unwrap())
    }
}

fn table(name: &str, mode: Mode, key: &[&str], columns: &[(&str, &str)]) -> Table {
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

fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().enumerate().map(|(i, c)| (format!("c{i}"), c, true))).unwrap()
}

fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

fn numbers(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Each value of `values`, each `None` a NULL, repeated to `rows`.
fn cycle<T: Clone>(values: &[T], rows: usize) -> Vec<Option<T>> {
    values.iter().cloned().map(Some).chain([None]).cycle().take(rows).collect()
}

const FORMATS: [RowFormat; 2] = [RowFormat::Copy, RowFormat::Insert];

#[test]
fn every_nasty_text_comes_back_byte_for_byte() {
    let Some(server) = Server::open("emit_texts") else { return };
    let long = torture::long_text();
    let mut dice = Dice(7);
    let random: Vec<String> = (0..1_500).map(|_| dice.text()).collect();
    let mut all: Vec<Option<&str>> = torture::TEXTS.iter().copied().chain([long.as_str()]).map(Some).collect();
    all.extend(random.iter().map(|t| Some(t.as_str())));
    all.push(None);
    let ids = numbers((0..all.len() as i64).map(Some));
    for format in FORMATS {
        server.sql("DROP TABLE IF EXISTS texts; CREATE TABLE texts (id bigint PRIMARY KEY, body text, list text[])");
        let lists = ListArray::new(
            Arc::new(Field::new("item", Staged::Utf8, true)),
            OffsetBuffer::from_lengths((0..all.len()).map(|i| if i + 2 < all.len() { i % 3 } else { 0 })),
            texts((0..all.len()).filter(|i| i + 2 < all.len()).flat_map(|i| all.iter().rev().cycle().skip(i).take(i % 3).copied())),
            Some(NullBuffer::from_iter((0..all.len()).map(|i| i % 7 != 6))),
        );
        let columns = [("id", "bigint"), ("body", "text"), ("list", "text[]")];
        let rows = batch(vec![ids.clone(), texts(all.iter().copied()), Arc::new(lists)]);
        let load = Load::new(format, vec![(table("texts", Mode::Upsert, &["id"], &columns), rows)]);
        server.deploys(&load);
        let expected: Vec<String> = all.iter().map(|t| t.map_or("NULL".into(), |t| hex(t.as_bytes()))).collect();
        let found = server.sql("SELECT coalesce(encode(convert_to(body, 'UTF8'), 'hex'), 'NULL') FROM texts ORDER BY id");
        assert!(found.split('\n').eq(expected), "{format:?}");
        assert_eq!(server.verifies(&load), ["ok"], "{format:?}");
        let untouched = server.sql("SELECT sum(xmin::text::bigint) FROM texts");
        server.deploys(&load);
        assert_eq!(server.sql("SELECT sum(xmin::text::bigint) FROM texts"), untouched, "a second deploy changes nothing");
        for change in [
            "UPDATE texts SET body = body || ' ' WHERE id = 50",
            "UPDATE texts SET body = '' WHERE body IS NULL",
            "UPDATE texts SET body = NULL WHERE id = 0",
            "UPDATE texts SET list = NULL WHERE id = 0",
            "UPDATE texts SET list = list[1:1] WHERE id = 2",
            "UPDATE texts SET body = replace(body, E'\\r', '') WHERE id = 1500",
            "DELETE FROM texts WHERE id = 3",
        ] {
            let verify = format!("BEGIN; {change}; {}", String::from_utf8(load.verify()).unwrap().replace("START TRANSACTION READ ONLY;", ""));
            let changed = server.sql(&verify.replace("COMMIT;", "ROLLBACK;"));
            assert_eq!(changed.ends_with("MISMATCH"), change != "UPDATE texts SET body = replace(body, E'\\r', '') WHERE id = 1500" || {
                random[1_500 - torture::TEXTS.len() - 1].contains('\r')
            }, "{change}: {changed}");
        }
    }
}

/// A table of every type, with the values that are hard.
fn everything(rows: usize) -> (Vec<(&'static str, &'static str, &'static str)>, RecordBatch) {
    let json = cycle(torture::JSON, rows);
    let uuid = |i: usize| format!("{i:08X}-0000-4000-8000-{:012x}", i * 7919);
    let uuids: Vec<String> = (0..rows).map(uuid).collect();
    let lists = |values: ArrayRef, data_type: Staged| -> ArrayRef {
        let lengths: Vec<usize> = (0..rows).map(|i| i % 4).collect();
        let total: usize = lengths.iter().sum();
        let index = UInt32Array::from_iter_values((0..total).map(|i| (i % values.len()) as u32));
        let values = arrow::compute::take(&values, &index, None).unwrap();
        Arc::new(ListArray::new(Arc::new(Field::new("item", data_type, true)), OffsetBuffer::from_lengths(lengths), values, None))
    };
    let doubles: ArrayRef = Arc::new(Float64Array::from(cycle(torture::DOUBLES, rows)));
    let stamps: ArrayRef = Arc::new(TimestampMicrosecondArray::from(cycle(torture::TIMESTAMPS, rows)));
    let instants: ArrayRef = Arc::new(TimestampMicrosecondArray::from(cycle(torture::TIMESTAMPS, rows)).with_timezone("UTC"));
    let decimals: ArrayRef = Arc::new(Decimal128Array::from(cycle(torture::DECIMALS, rows)).with_precision_and_scale(38, 10).unwrap());
    let small: ArrayRef =
        Arc::new(Decimal128Array::from(cycle(&[0, 5, -5, 150, 99_999], rows)).with_precision_and_scale(5, 2).unwrap());
    let instant_type = instants.data_type().clone();
    let columns: Vec<(&str, &str, &str, ArrayRef)> = vec![
        ("id", "bigint", "bigint", numbers((0..rows as i64).map(Some))),
        ("flag", "boolean", "boolean", Arc::new(BooleanArray::from(cycle(&[true, false], rows)))),
        ("small", "smallint", "smallint", Arc::new(Int16Array::from(cycle(&[0, i16::MAX, i16::MIN], rows)))),
        ("int", "integer", "integer", Arc::new(Int32Array::from(cycle(&[0, i32::MAX, i32::MIN], rows)))),
        ("big", "bigint", "bigint", Arc::new(Int64Array::from(cycle(torture::BIG_INTEGERS, rows)))),
        ("huge", "decimal", "numeric", Arc::new(UInt64Array::from(cycle(&[0, u64::MAX], rows)))),
        ("wide", "decimal", "numeric", decimals.clone()),
        ("exact", "decimal(38,10)", "numeric(38,10)", decimals.clone()),
        ("scaled", "decimal(10,4)", "numeric(10,4)", small.clone()),
        ("whole_in_text", "text", "text", small),
        ("real", "real", "real", Arc::new(Float32Array::from(cycle(torture::REALS, rows)))),
        ("real_of_double", "real", "real", Arc::new(Float64Array::from(cycle(&[0.1, 16_777_217.0, 1.000_000_059_604_644_8], rows)))),
        ("double", "double", "double precision", doubles.clone()),
        ("double_of_int", "double", "double precision", Arc::new(Int64Array::from(cycle(torture::BIG_INTEGERS, rows)))),
        ("fixed", "char(8)", "char(8)", texts(cycle(&["", "a", " b ", "12345678", "ñ  "], rows))),
        ("limited", "varchar(40)", "varchar(40)", texts(cycle(&["", "a", " b ", "\\N", "😀"], rows))),
        ("mood", "text", "mood", texts(cycle(&["sad", "it's \\ \"fine\""], rows))),
        ("share", "decimal(5,2)", "share", Arc::new(Float64Array::from(cycle(&[0.25, 1.0, 0.0], rows)))),
        ("share_named", "share", "share", Arc::new(Float64Array::from(cycle(&[0.25, 0.5], rows)))),
        ("ci", "citext", "public.citext", texts(cycle(&["Ana", "ANA", "ana"], rows))),
        ("day", "date", "date", Arc::new(Date32Array::from(cycle(torture::DATES, rows)))),
        ("clock", "time", "time", Arc::new(Time64MicrosecondArray::from(cycle(torture::TIMES, rows)))),
        ("stamp", "timestamp", "timestamp", stamps.clone()),
        ("instant", "timestamptz", "timestamptz", instants.clone()),
        ("instant_of_stamp", "timestamptz", "timestamptz", stamps.clone()),
        ("stamp_of_day", "timestamp", "timestamp", Arc::new(Date32Array::from(cycle(&[0, -719_163, 2_932_897, i32::MAX], rows)))),
        ("uuid", "uuid", "uuid", texts(uuids.iter().map(|u| Some(u.as_str())))),
        ("json", "json", "json", texts(json.clone())),
        ("jsonb", "jsonb", "jsonb", texts(json)),
        ("bytes", "bytes", "bytea", Arc::new(BinaryArray::from(cycle(torture::BYTES, rows)))),
        ("span", "interval", "interval", texts(cycle(&["1 year 2 months", "00:00:01"], rows))),
        ("texts", "text[]", "text[]", lists(texts(cycle(torture::TEXTS, 60)), Staged::Utf8)),
        ("uuids", "uuid[]", "uuid[]", lists(texts(uuids.iter().map(|u| Some(u.as_str()))), Staged::Utf8)),
        ("doubles", "double[]", "double precision[]", lists(doubles, Staged::Float64)),
        ("decimals", "decimal(38,10)[]", "numeric(38,10)[]", lists(decimals, Staged::Decimal128(38, 10))),
        ("flags", "boolean[]", "boolean[]", lists(Arc::new(BooleanArray::from(cycle(&[true, false], 9))), Staged::Boolean)),
        ("instants", "timestamptz[]", "timestamptz[]", lists(instants, instant_type)),
        ("days", "date[]", "date[]", lists(Arc::new(Date32Array::from(cycle(torture::DATES, 13))), Staged::Date32)),
        ("blobs", "bytes[]", "bytea[]", lists(Arc::new(BinaryArray::from(cycle(torture::BYTES, 7))), Staged::Binary)),
        ("moods", "mood[]", "mood[]", lists(texts(cycle(&["sad", "it's \\ \"fine\""], 5)), Staged::Utf8)),
    ];
    let names = columns.iter().map(|(name, ours, theirs, _)| (*name, *ours, *theirs)).collect();
    (names, batch(columns.into_iter().map(|(_, _, _, array)| array).collect()))
}

#[test]
fn every_type_has_the_same_checksum_on_both_sides() {
    let Some(server) = Server::open("emit_types") else { return };
    server.sql(
        "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
         CREATE TYPE mood AS ENUM ('sad', 'it''s \\ \"fine\"'); CREATE DOMAIN share AS numeric(5,2) CHECK (VALUE <= 1)",
    );
    let (columns, rows) = everything(400);
    let ddl: Vec<String> = columns.iter().map(|(name, _, theirs)| format!("\"{name}\" {theirs}")).collect();
    let ours: Vec<(&str, &str)> = columns.iter().map(|(name, ours, _)| (*name, *ours)).collect();
    for format in FORMATS {
        server.sql(&format!("DROP TABLE IF EXISTS everything; CREATE TABLE everything ({}, PRIMARY KEY (id))", ddl.join(", ")));
        let load = Load::new(format, vec![(table("everything", Mode::Upsert, &["id"], &ours), rows.clone())]);
        server.deploys(&load);
        assert_eq!(server.verifies(&load), ["ok"], "{format:?}");
        let untouched = server.sql("SELECT sum(xmin::text::bigint) FROM everything");
        server.deploys(&load);
        assert_eq!(server.sql("SELECT sum(xmin::text::bigint) FROM everything"), untouched, "a second deploy changes nothing");
        // Each column's value exchanged for another row's is found, and only the interval is said not to be compared.
        for (name, ours, _) in columns.iter().skip(1) {
            server.sql(&format!(
                "UPDATE everything AS t SET \"{name}\" = o.\"{name}\" FROM everything AS o
                 WHERE t.id = 101 AND o.id = (SELECT min(id) FROM everything WHERE \"{name}\"::text IS DISTINCT FROM
                       (SELECT \"{name}\"::text FROM everything WHERE id = 101))"
            ));
            assert_eq!(server.verifies(&load), [if *ours == "interval" { "ok" } else { "MISMATCH" }], "{name}");
            server.deploys(&load);
            assert_eq!(server.verifies(&load), ["ok"], "{name} mended");
        }
    }
    // Values as the server prints them, without any of our own forms.
    let shown = server.sql(
        "SET TimeZone = 'UTC'; SELECT string_agg(day::text, ',' ORDER BY id) FROM everything WHERE id < 12;
         SELECT string_agg(instant::text, ',' ORDER BY id) FROM everything WHERE id < 12;
         SELECT string_agg(exact::text, ',' ORDER BY id) FROM everything WHERE id < 9;
         SELECT string_agg(double::text, ',' ORDER BY id) FROM everything WHERE id < 18",
    );
    assert_eq!(
        shown,
        "1970-01-01,1969-12-31,2024-02-29,2000-02-29,0001-01-01,0001-12-31 BC,9999-12-31,10000-01-01,4714-11-24 BC,5874897-12-31,infinity,-infinity\n\
         1970-01-01 00:00:00+00,1970-01-01 00:00:00.000001+00,1969-12-31 23:59:59.999999+00,2024-02-29 00:00:00.123456+00,\
         2000-02-29 00:00:00+00,0001-01-01 00:00:00+00,0001-12-31 23:59:59.999999+00 BC,10000-01-01 00:00:00+00,4714-11-24 00:00:00+00 BC,\
         294247-01-10 04:00:54.775806+00,infinity,-infinity\n\
         0.0000000000,0.0000000001,-0.0000000001,1.0000000000,-1.0000000000,1.5000000000,1234567890.1234567890,\
         9999999999999999999999999999.9999999999,-9999999999999999999999999999.9999999999\n\
         0,-0,0.1,1,-1.5,1e+15,100000000000000,1e+16,0.0001,1e-05,123456789.12345678,1.7976931348623157e+308,-1.7976931348623157e+308,\
         2.2250738585072014e-308,5e-324,Infinity,-Infinity,NaN"
    );
}

#[test]
fn every_nasty_name_is_quoted() {
    let Some(server) = Server::open("emit_names") else { return };
    let quoted = |n: &str| super::text::identifier(n);
    let list: Vec<String> = torture::IDENTIFIERS.iter().map(|n| format!("{} bigint", quoted(n))).collect();
    let columns: Vec<(&str, &str)> = torture::IDENTIFIERS.iter().map(|n| (*n, "bigint")).collect();
    let rows = batch(columns.iter().map(|_| numbers([Some(1), Some(2), Some(3)])).collect());
    for name in torture::IDENTIFIERS {
        assert!(name.len() <= 63, "{name}");
        let schema = format!("emit {name}").chars().take(50).collect::<String>();
        server.sql(&format!("SET client_min_messages = error; DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", quoted(&schema)));
        server.sql(&format!("CREATE TABLE {}.{} ({})", quoted(&schema), quoted(name), list.join(", ")));
        for (mode, key) in [(Mode::Insert, vec![]), (Mode::Upsert, vec![*name, "Order"]), (Mode::Replace { scope: vec![(name.to_string(), Literal::Number("1".into()))] }, vec![*name])] {
            let mut target = table(name, mode.clone(), &key, &columns);
            target.schema = Some(schema.clone());
            let rows = if matches!(mode, Mode::Replace { .. }) { rows.slice(0, 1) } else { rows.clone() };
            let load = Load::new(RowFormat::Copy, vec![(target, rows)]);
            server.deploys(&load);
            assert_eq!(server.verifies(&load), ["ok"], "{name} {mode:?}");
        }
        server.sql(&format!("DROP SCHEMA {} CASCADE", quoted(&schema)));
    }
}

#[test]
fn a_script_that_does_not_fit_changes_nothing() {
    let Some(server) = Server::open("emit_guard") else { return };
    server.sql("CREATE TABLE a (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, n int GENERATED ALWAYS AS IDENTITY)");
    let columns = [("id", "int"), ("twice", "int"), ("n", "int"), ("it's gone", "int")];
    let rows = || batch(columns.iter().map(|_| numbers([Some(1)])).collect());
    let gone = table("gone % table", Mode::Insert, &[], &columns[..1]);
    let load = Load::new(RowFormat::Copy, vec![(table("a", Mode::Insert, &["id"], &columns), rows()), (gone, batch(vec![numbers([])]))]);
    let message = server.fails(&load);
    for part in ["column twice of table a is computed by the database", "table a has no column it's gone", "table gone % table does not exist"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(message.contains("column n of table a is numbered by the database alone"), "{message}");

    server.sql("CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)");
    let pair = |last: i64| {
        let a = (table("a", Mode::Insert, &["id"], &[("id", "int")]), batch(vec![numbers([Some(1), Some(2)])]));
        let b = table("b", Mode::Insert, &["id"], &[("id", "int"), ("a", "int")]);
        vec![a, (b, batch(vec![numbers([Some(1), Some(2)]), numbers([Some(1), Some(last)])]))]
    };
    let count = || server.sql("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)");
    assert!(server.fails(&Load::new(RowFormat::Copy, pair(3))).contains("violates foreign key constraint"));
    assert_eq!(count(), "0|0");
    // A row that is lost on the way, in a table whose other rows arrived.
    let mut short = Load::new(RowFormat::Copy, pair(2));
    short.tables[1].0.rows = 5;
    assert!(server.fails(&short).contains("table b: expected 5 rows in this script, found 2"));
    assert_eq!(count(), "0|0");
    // The second run of an insert fails before anything changed.
    let good = Load::new(RowFormat::Copy, pair(2));
    server.deploys(&good);
    assert_eq!(server.verifies(&good), ["ok", "ok"]);
    let again = server.fails(&good);
    assert!(again.contains("table a: expected none of the 2 keys, found 2, such as (1)"), "{again}");
    assert_eq!(count(), "2|2");
    // A trigger that swallows rows is found out.
    server.sql(
        "TRUNCATE a, b; CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN NEW.id = 2 THEN NULL ELSE NEW END; END';
         CREATE TRIGGER swallow BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION swallow()",
    );
    assert!(server.fails(&good).contains("table b: expected 2 rows with these keys after the load, found 1"));
    assert_eq!(count(), "0|0");
    // In one transaction of psql's own, the same.
    server.sql("DROP TRIGGER swallow ON b");
    let output = server.psql(&["-v", "ON_ERROR_STOP=1", "--single-transaction"], &good.deploy());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(count(), "2|2");
}

#[test]
fn rows_without_a_key_are_counted() {
    let Some(server) = Server::open("emit_keyless") else { return };
    server.sql("CREATE TABLE log (line text, at json); INSERT INTO log VALUES ('there', '{}')");
    let columns = [("line", "text"), ("at", "json")];
    let rows = || batch(vec![texts([Some("a"), Some("a"), None]), texts([Some("1"), Some("1"), Some("{}")])]);
    let load = Load::new(RowFormat::Insert, vec![(table("log", Mode::Insert, &[], &columns), rows())]);
    server.deploys(&load);
    assert_eq!(server.verifies(&load), ["ok"]);
    let output = server.psql(&["-v", "ON_ERROR_STOP=1"], &load.deploy());
    assert!(String::from_utf8_lossy(&output.stderr).contains("table log: expected none of the 3 rows, found all of them"));
    assert_eq!(server.sql("SELECT count(*) FROM log"), "4");
    let load = Load::new(RowFormat::Copy, vec![(table("log", Mode::Replace { scope: vec![] }, &[], &columns), rows())]);
    for _ in 0..2 {
        server.deploys(&load);
        assert_eq!(server.verifies(&load), ["ok"]);
        assert_eq!(server.sql("SELECT count(*) FROM log"), "3");
    }
    server.sql("UPDATE log SET line = 'A' WHERE line = 'a'");
    assert_eq!(server.verifies(&load), ["MISMATCH"]);
    // A nullable key in insert mode: NULLs are distinct, so a second NULL is a new row.
    server.sql("CREATE TABLE nullable (k int UNIQUE); INSERT INTO nullable VALUES (NULL), (7)");
    let rows = batch(vec![numbers([Some(1), None])]);
    let load = Load::new(RowFormat::Copy, vec![(table("nullable", Mode::Insert, &["k"], &[("k", "int")]), rows.clone())]);
    server.deploys(&load);
    assert_eq!(server.verifies(&load), ["ok"]);
    // In upsert mode they are the same row, so that a second run changes nothing.
    server.sql("TRUNCATE nullable");
    let load = Load::new(RowFormat::Copy, vec![(table("nullable", Mode::Upsert, &["k"], &[("k", "int")]), rows)]);
    for _ in 0..2 {
        server.deploys(&load);
        assert_eq!(server.sql("SELECT count(*) FROM nullable"), "2");
        assert_eq!(server.verifies(&load), ["ok"]);
    }
}

#[test]
fn a_replacement_touches_its_scope_only() {
    let Some(server) = Server::open("emit_replace") else { return };
    server.sql(
        "CREATE TABLE shop (country text, id int, name text, PRIMARY KEY (country, id));
         CREATE TABLE sale (country text, shop int, id int PRIMARY KEY, FOREIGN KEY (country, shop) REFERENCES shop);
         INSERT INTO shop VALUES ('it''s', 1, 'old'), ('it''s', 2, 'same'), ('it''s', 9, 'goes'), ('fr', 1, 'stays');
         INSERT INTO sale VALUES ('it''s', 9, 1), ('fr', 1, 2)",
    );
    let scope = || Mode::Replace { scope: vec![("country".into(), Literal::Text("it's".into()))] };
    let shops = |country: &str| {
        let rows = batch(vec![texts([Some(country); 3]), numbers([Some(1), Some(2), Some(3)]), texts(["new", "same", "added"].map(Some))]);
        (table("shop", scope(), &["country", "id"], &[("country", "text"), ("id", "int"), ("name", "text")]), rows)
    };
    let sales = || {
        let rows = batch(vec![texts([Some("it's")]), numbers([Some(3)]), numbers([Some(3)])]);
        (table("sale", scope(), &["id"], &[("country", "text"), ("shop", "int"), ("id", "int")]), rows)
    };
    let before = server.sql("SELECT xmin FROM shop WHERE name IN ('same', 'stays')");
    let load = Load::new(RowFormat::Copy, vec![shops("it's"), sales()]);
    for _ in 0..2 {
        server.deploys(&load);
        assert_eq!(server.verifies(&load), ["ok", "ok"]);
        assert_eq!(server.sql("SELECT string_agg(name, ',' ORDER BY country, id) FROM shop"), "stays,new,same,added");
        assert_eq!(server.sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM sale"), "2,3");
    }
    assert_eq!(server.sql("SELECT xmin FROM shop WHERE name IN ('same', 'stays')"), before);
    server.sql("INSERT INTO shop VALUES ('it''s', 50, 'strange')");
    assert_eq!(server.verifies(&load), ["MISMATCH", "ok"]);
    let message = server.fails(&Load::new(RowFormat::Copy, vec![shops("de"), sales()]));
    assert!(message.contains("table shop: expected 0 rows outside of the replaced scope, found 3"), "{message}");
}

#[test]
fn foreign_keys_and_unique_values_may_move_between_rows() {
    let Some(server) = Server::open("emit_cycles") else { return };
    server.sql(
        "CREATE TABLE person (id int PRIMARY KEY, boss int REFERENCES person, email text UNIQUE);
         INSERT INTO person VALUES (1, NULL, 'a@x'), (2, 1, 'b@x');
         CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
         ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b",
    );
    // Person 2 now reports to the new person 3, who has the address that person 1 had.
    let columns = [("id", "int"), ("boss", "int"), ("email", "text")];
    let rows = batch(vec![
        numbers([Some(1), Some(2), Some(3)]),
        numbers([None, Some(3), Some(1)]),
        texts([Some("c@x"), Some("b@x"), Some("a@x")]),
    ]);
    let load = Load::new(RowFormat::Copy, vec![(table("person", Mode::Upsert, &["id"], &columns), rows)]);
    server.deploys(&load);
    server.deploys(&load);
    assert_eq!(server.verifies(&load), ["ok"]);
    // A cycle that is not deferrable.
    let member = |name: &str, other: &str, mode: Mode, rows: &[i64]| {
        let mut table = table(name, mode, &["id"], &[("id", "int"), (other, "int")]);
        table.in_cycle = true;
        (table, batch(vec![numbers(rows.iter().copied().map(Some)), numbers(rows.iter().copied().map(Some))]))
    };
    let whole = Mode::Replace { scope: vec![] };
    for (mode, rows) in [(Mode::Insert, vec![1, 2]), (Mode::Upsert, vec![2, 3]), (whole.clone(), vec![3, 4]), (whole, vec![])] {
        let load = Load::new(RowFormat::Copy, vec![member("a", "b", mode.clone(), &rows), member("b", "a", mode.clone(), &rows)]);
        server.deploys(&load);
        assert_eq!(server.verifies(&load), ["ok", "ok"], "{mode:?}");
    }
    assert_eq!(server.sql("SELECT count(*) FROM a"), "0");
}

#[test]
fn sequences_move_forward_only() {
    let Some(server) = Server::open("emit_sequences") else { return };
    server.sql(
        "CREATE TABLE s (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, m bigint GENERATED BY DEFAULT AS IDENTITY);
         CREATE SEQUENCE own; CREATE TABLE d (id int DEFAULT nextval('own'), k int); SELECT setval('own', 100, false)",
    );
    let mut identity = table("s", Mode::Upsert, &["id"], &[("id", "int"), ("n", "int"), ("m", "bigint")]);
    identity.overriding_identity = true;
    identity.columns[1].generated = Generated::Always;
    let rows = batch(vec![numbers([Some(5), Some(7)]), numbers([Some(40), Some(1)]), numbers([Some(3), Some(1)])]);
    let own = (table("d", Mode::Insert, &[], &[("id", "int"), ("k", "int")]), batch(vec![numbers([Some(9)]), numbers([Some(1)])]));
    let mut load = Load::new(RowFormat::Copy, vec![(identity, rows), own]);
    server.deploys(&load);
    assert_eq!(server.verifies(&load), ["ok", "ok"]);
    load.tables.truncate(1);
    server.deploys(&load);
    let next = "SELECT nextval('s_id_seq'), nextval('s_n_seq'), nextval('s_m_seq'), nextval('own')";
    assert_eq!(server.sql(next), "8|41|4|100");
    server.sql("SELECT setval('s_id_seq', 1000)");
    server.deploys(&load);
    assert_eq!(server.sql(next), "1001|42|5|101");
}

#[test]
fn policies_and_triggers_are_respected() {
    let Some(server) = Server::open("emit_policies") else { return };
    server.sql(
        "CREATE TABLE doc (id int PRIMARY KEY, tenant int, body text, seen int DEFAULT 0); INSERT INTO doc VALUES (1, 2, 'theirs');
         ALTER TABLE doc ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON doc USING (tenant = 1);
         CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := coalesce(NEW.seen, 0) + 1; RETURN NEW; END';
         CREATE TRIGGER count_up BEFORE INSERT OR UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION count_up();
         DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pipe_emit_clerk') THEN CREATE ROLE pipe_emit_clerk; END IF; END $$;
         GRANT USAGE ON SCHEMA emit_policies TO pipe_emit_clerk; GRANT ALL ON doc TO pipe_emit_clerk",
    );
    let columns = [("id", "int"), ("tenant", "int"), ("body", "text")];
    let rows = |tenant| batch(vec![numbers([Some(10), Some(11)]), numbers([Some(1), Some(tenant)]), texts([Some("x"), Some("y")])]);
    let load = |tenant| Load::new(RowFormat::Copy, vec![(table("doc", Mode::Upsert, &["id"], &columns), rows(tenant))]);
    let as_clerk = |load: &Load| {
        let script = [b"\\set ON_ERROR_STOP on\nSET ROLE pipe_emit_clerk;\n".to_vec(), load.deploy()].concat();
        server.psql(&[], &script)
    };
    let refused = as_clerk(&load(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("row-level security"), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(server.sql("SELECT count(*) FROM doc"), "1");
    for _ in 0..2 {
        let output = as_clerk(&load(1));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(server.sql("SELECT string_agg(seen::text, ',' ORDER BY id) FROM doc"), "1,1,1");
    assert_eq!(server.verifies(&load(1)), ["ok"]);
}

#[test]
fn an_empty_load_and_a_wrong_contract_are_told() {
    let Some(server) = Server::open("emit_odd") else { return };
    server.sql("CREATE TABLE t (id int PRIMARY KEY, body jsonb)");
    let columns = [("id", "int"), ("body", "text")];
    for mode in [Mode::Insert, Mode::Upsert, Mode::Replace { scope: vec![] }] {
        for format in FORMATS {
            let load = Load::new(format, vec![(table("t", mode.clone(), &["id"], &columns), batch(vec![numbers([]), texts([])]))]);
            server.deploys(&load);
            assert_eq!(server.verifies(&load), ["ok"]);
        }
    }
    let none = Load::new(RowFormat::Copy, vec![]);
    server.deploys(&none);
    assert!(server.verifies(&none).is_empty());
    // Believed to be text, the column is jsonb, which prints the value in its own way: said, not taken for a difference.
    let rows = batch(vec![numbers([Some(1)]), texts([Some("{\"a\":1}")])]);
    let load = Load::new(RowFormat::Copy, vec![(table("t", Mode::Upsert, &["id"], &columns), rows)]);
    server.deploys(&load);
    assert_eq!(server.verifies(&load), ["ok"]);
    assert!(server.sql(&String::from_utf8(load.verify()).unwrap()).contains("not checked"));
}

#[test]
fn wide_tables_are_compared_too() {
    let Some(server) = Server::open("emit_wide") else { return };
    let names: Vec<String> = (0..1_200).map(|i| format!("c{i}")).collect();
    let columns: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "int")).collect();
    server.sql(&format!("CREATE TABLE wide ({})", names.iter().map(|n| format!("{n} int")).collect::<Vec<_>>().join(", ")));
    let rows = batch(names.iter().enumerate().map(|(i, _)| numbers([Some(i as i64), None])).collect());
    let load = Load::new(RowFormat::Copy, vec![(table("wide", Mode::Upsert, &["c0"], &columns), rows)]);
    server.deploys(&load);
    server.deploys(&load);
    assert_eq!(server.verifies(&load), ["ok"]);
}

#[test]
fn a_text_with_nul_is_never_written() {
    let columns = [("body", "text")];
    let rows = batch(vec![texts([Some("fine"), Some("a\0b")])]);
    let mut writer = Postgres.rows(&table("t", Mode::Insert, &[], &columns), &rows.schema(), RowFormat::Copy).unwrap();
    let error = writer.write(&rows, &mut vec![], &mut vec![]).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), ("X0402", "column `body` of table `t` has a text with the character U+0000"));
}

#[test]
fn the_same_rows_give_the_same_bytes_and_any_order_the_same_checksum() {
    let (columns, rows) = everything(100);
    let ours: Vec<(&str, &str)> = columns.iter().map(|(name, ours, _)| (*name, *ours)).collect();
    let load = |rows: &RecordBatch| Load::new(RowFormat::Copy, vec![(table("t", Mode::Upsert, &["id"], &ours), rows.clone())]);
    let (first, second) = (load(&rows), load(&rows));
    assert_eq!((first.deploy(), first.verify()), (second.deploy(), second.verify()));
    let index = UInt32Array::from_iter_values((0..100).rev());
    let reversed: Vec<ArrayRef> = rows.columns().iter().map(|c| arrow::compute::take(c, &index, None).unwrap()).collect();
    assert_eq!(load(&batch(reversed)).tables[0].1.checksum, first.tables[0].1.checksum);
}
