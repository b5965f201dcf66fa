//! Values, types and names: what goes in comes back, and both sides compute the same checksum.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as Staged, Field};
use arrow::record_batch::RecordBatch;

use super::super::{Postgres, text};
use super::server::*;
use crate::emit::rows::RowFormat;
use crate::emit::torture::{self, Dice};
use crate::emit::{Dialect, Literal, Mode};

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
            texts(
                (0..all.len()).filter(|i| i + 2 < all.len()).flat_map(|i| all.iter().rev().cycle().skip(i).take(i % 3).copied()),
            ),
            Some(NullBuffer::from_iter((0..all.len()).map(|i| i % 7 != 6))),
        );
        let columns = [("id", "bigint"), ("body", "text"), ("list", "text[]")];
        let rows = batch(vec![ids.clone(), texts(all.iter().copied()), Arc::new(lists)]);
        let load = Load::new(format, vec![(table("texts", Mode::Upsert(Default::default()), &["id"], &columns), rows)]);
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
            "UPDATE texts SET body = replace(body, E'\\r', '') WHERE id = (SELECT min(id) FROM texts WHERE body LIKE E'%\\r\\n')",
            "DELETE FROM texts WHERE id = 3",
        ] {
            assert_eq!(server.verifies_after(change, &load), ["MISMATCH"], "{change}");
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
    let decimals: ArrayRef =
        Arc::new(Decimal128Array::from(cycle(torture::DECIMALS, rows)).with_precision_and_scale(38, 10).unwrap());
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
        (
            "real_of_double",
            "real",
            "real",
            Arc::new(Float64Array::from(cycle(&[0.1, 16_777_217.0, 1.000_000_059_604_644_8], rows))),
        ),
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
    let (columns, rows) = everything(130);
    let ddl: Vec<String> = columns.iter().map(|(name, _, theirs)| format!("\"{name}\" {theirs}")).collect();
    let ours: Vec<(&str, &str)> = columns.iter().map(|(name, ours, _)| (*name, *ours)).collect();
    for format in FORMATS {
        server.sql(&format!("DROP TABLE IF EXISTS everything; CREATE TABLE everything ({}, PRIMARY KEY (id))", ddl.join(", ")));
        let load = Load::new(format, vec![(table("everything", Mode::Upsert(Default::default()), &["id"], &ours), rows.clone())]);
        server.deploys(&load);
        assert_eq!(server.verifies(&load), ["ok"], "{format:?}");
        let untouched = server.sql("SELECT sum(xmin::text::bigint) FROM everything");
        server.deploys(&load);
        assert_eq!(server.sql("SELECT sum(xmin::text::bigint) FROM everything"), untouched, "a second deploy changes nothing");
    }
    let (rows, cells) = (rows.num_rows(), columns.len());
    assert!(rows > 100 && cells > 35);
    // Each column's value exchanged for another row's is found, and only the interval is said not to be compared.
    let load = Load::new(
        RowFormat::Copy,
        vec![(table("everything", Mode::Upsert(Default::default()), &["id"], &ours), everything(rows).1)],
    );
    for (name, ours, _) in columns.iter().skip(1) {
        let change = format!(
            "UPDATE everything AS t SET \"{name}\" = o.\"{name}\" FROM everything AS o
             WHERE t.id = 101 AND o.id = (SELECT min(id) FROM everything WHERE \"{name}\"::text IS DISTINCT FROM
                   (SELECT \"{name}\"::text FROM everything WHERE id = 101))"
        );
        assert_eq!(server.verifies_after(&change, &load), [if *ours == "interval" { "ok" } else { "MISMATCH" }], "{name}");
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
    let quoted = |n: &str| text::identifier(n);
    let list: Vec<String> = torture::IDENTIFIERS.iter().map(|n| format!("{} bigint", quoted(n))).collect();
    let columns: Vec<(&str, &str)> = torture::IDENTIFIERS.iter().map(|n| (*n, "bigint")).collect();
    let rows = batch(columns.iter().map(|_| numbers([Some(1), Some(2), Some(3)])).collect());
    for name in torture::IDENTIFIERS {
        assert!(name.len() <= 63, "{name}");
        let schema = format!("emit {name}").chars().take(50).collect::<String>();
        server.sql(&format!(
            "SET client_min_messages = error; DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}",
            quoted(&schema)
        ));
        server.sql(&format!("CREATE TABLE {}.{} ({})", quoted(&schema), quoted(name), list.join(", ")));
        for (mode, key) in [
            (Mode::Insert, vec![]),
            (Mode::Upsert(Default::default()), vec![*name, "Order"]),
            (Mode::Replace { scope: vec![(name.to_string(), Literal::Number("1".into()))] }, vec![*name]),
        ] {
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
fn wide_tables_are_compared_too() {
    let Some(server) = Server::open("emit_wide") else { return };
    let names: Vec<String> = (0..1_200).map(|i| format!("c{i}")).collect();
    let columns: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "int")).collect();
    server.sql(&format!("CREATE TABLE wide ({})", names.iter().map(|n| format!("{n} int")).collect::<Vec<_>>().join(", ")));
    let rows = batch(names.iter().enumerate().map(|(i, _)| numbers([Some(i as i64), None])).collect());
    let load = Load::new(RowFormat::Copy, vec![(table("wide", Mode::Upsert(Default::default()), &["c0"], &columns), rows)]);
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
    assert_eq!(
        (error.code, error.message.as_str()),
        ("X0402", "column `body` of table `t` has a text with the character U+0000")
    );
}

#[test]
fn the_same_rows_give_the_same_bytes_and_any_order_the_same_checksum() {
    let (columns, rows) = everything(100);
    let ours: Vec<(&str, &str)> = columns.iter().map(|(name, ours, _)| (*name, *ours)).collect();
    let load = |rows: &RecordBatch| {
        Load::new(RowFormat::Copy, vec![(table("t", Mode::Upsert(Default::default()), &["id"], &ours), rows.clone())])
    };
    let (first, second) = (load(&rows), load(&rows));
    assert_eq!((first.deploy(), first.verify()), (second.deploy(), second.verify()));
    let index = UInt32Array::from_iter_values((0..100).rev());
    let reversed: Vec<ArrayRef> = rows.columns().iter().map(|c| arrow::compute::take(c, &index, None).unwrap()).collect();
    assert_eq!(load(&batch(reversed)).tables[0].1.checksum, first.tables[0].1.checksum);
}
