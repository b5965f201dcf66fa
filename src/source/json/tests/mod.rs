//! Tests of both passes together: here by example, in [`random`] against another parser.

mod random;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use super::{Inspected, Layout, Malformed, batches, inspect, position, reconcile};
use crate::error::Error;
use crate::types::DataType;

fn document(records: Option<&str>) -> Layout {
    Layout::Document { records: records.map(String::from) }
}

fn load(text: &[u8], layout: &Layout, pins: &[(String, DataType)]) -> Result<(Inspected, Vec<RecordBatch>), Malformed> {
    let inspected = inspect(text, layout, pins, None)?;
    assert!(inspected.complete);
    let loaded = all(text, &inspected);
    Ok((inspected, loaded))
}

fn all(text: &[u8], inspected: &Inspected) -> Vec<RecordBatch> {
    let mut loaded = vec![];
    let done = batches::<Error>(text, inspected, 0, &mut |batch| {
        loaded.push(batch);
        Ok(())
    });
    done.unwrap();
    loaded
}

fn list(text: &str) -> (Inspected, RecordBatch) {
    let (inspected, mut loaded) = load(text.as_bytes(), &document(None), &[]).unwrap();
    assert_eq!(loaded.len(), 1);
    (inspected, loaded.remove(0))
}

fn columns(inspected: &Inspected) -> String {
    inspected.columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join("; ")
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    batch.column_by_name(column).unwrap().as_string::<i32>().iter().map(|t| t.map(String::from)).collect()
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|v| Some(v.to_string())).collect()
}

fn fails(text: impl AsRef<[u8]>, layout: &Layout) -> Malformed {
    inspect(text.as_ref(), layout, &[], None).unwrap_err()
}

#[test]
fn mixed_kinds_are_text_as_written() {
    let (inspected, batch) =
        list(r#"[{"a": "h\u0069gh"}, {"a": 2}, {"a":1.10}, {"a": true}, {"a": {"x" : [1.0]}}, {"a": null}, {}, {"a": [ ]}]"#);
    assert_eq!(columns(&inspected), "a text");
    let mut expected = some(&["high", "2", "1.10", "true", r#"{"x" : [1.0]}"#, "", "", "[ ]"]);
    (expected[5], expected[6]) = (None, None);
    assert_eq!(texts(&batch, "a"), expected);
}

#[test]
fn types_are_inferred_from_all_values() {
    let text = r#"[{"b": true, "i": 1, "h": 9223372036854775808, "d": 0.62, "n": null, "e": [], "o": {}, "t": "x"},
        {"d": 72, "i": -5, "l": [1, null, 2], "s": {"p": 1, "q": "x"}}, {"s": {"q": null, "r": [{"k": false}]}, "h": 1e0}]"#;
    assert_eq!(
        columns(&list(text).0),
        "b boolean; i bigint; h decimal(19,0); d decimal(4,2); n unknown; e unknown[]; o json; t text; l bigint[]; \
         s struct(p bigint, q text, r struct(k boolean)[])"
    );
}

#[test]
fn keys_that_the_engine_cannot_tell_apart_are_kept_apart() {
    let (inspected, batch) =
        list(r##"[{"Name": 1, "name": 2, "NAME_1": 3, "": 4, "#row": 5, "a\"b": 6, "x": {"k": 1, "K": 2}, "y": {"": 1}}]"##);
    assert_eq!(
        columns(&inspected),
        "Name bigint; name_1 bigint; NAME_1_1 bigint; unnamed bigint; _row bigint; a\"b bigint; x json; y json"
    );
    assert_eq!(texts(&batch, "x"), some(&[r#"{"k": 1, "K": 2}"#]));
    assert_eq!(batch.column_by_name("name_1").unwrap().as_primitive::<Int64Type>().value(0), 2);
}

#[test]
fn objects_with_many_keys_are_json() {
    let keys = |range: std::ops::Range<usize>| range.map(|i| format!("\"k{i}\": {i}")).collect::<Vec<_>>().join(",");
    let (inspected, batch) = list(&format!("[{{\"m\": {{{}}}}}, {{\"m\": {{{}}}}}]", keys(0..300), keys(201..501)));
    assert_eq!(columns(&inspected), "m json");
    assert_eq!(texts(&batch, "m")[1].as_deref(), Some(format!("{{{}}}", keys(201..501)).as_str()));
    assert!(columns(&list(&format!("[{{\"m\": {{{}}}}}]", keys(0..500))).0).starts_with("m struct("));
    assert!(fails(format!("[{{{}}}]", keys(0..5001)), &document(None)).message.contains("more than 5000 different keys"));
}

#[test]
fn the_last_of_equal_keys_wins() {
    let (_, batch) = list(r#"[{"s": {"a": [1, 2], "b": "x"}, "s": {"a": [3], "c": true}}, {"s": {"b": "y", "b": null}}]"#);
    let s = batch.column_by_name("s").unwrap().as_struct();
    assert_eq!(s.column_by_name("a").unwrap().as_list::<i32>().value(0).as_primitive::<Int64Type>().values(), &[3]);
    assert!(s.column_by_name("b").unwrap().is_null(0) && s.column_by_name("b").unwrap().is_null(1));
    assert!(s.column_by_name("c").unwrap().as_boolean().value(0));
}

#[test]
fn pins_keep_what_is_written() {
    let pins = [
        ("j".to_string(), DataType::Json { binary: true }),
        ("t".to_string(), DataType::Integer),
        ("l".to_string(), DataType::List(Box::new(DataType::Text))),
    ];
    let text = br#"[{"j": {"a": 1.0}, "t": 007e0, "l": [1]}, {"j": "x", "t": "8"}, {"j": null}]"#;
    assert_eq!(inspect(text, &document(None), &pins, None).unwrap_err().message, "invalid number");
    let text = br#"[{"j": {"a" : 1.0}, "t": 7e0, "l": [1]}, {"j": "x", "t": "8"}, {"j": null}]"#;
    let (inspected, loaded) = load(text, &document(None), &pins).unwrap();
    assert_eq!(columns(&inspected), "j json; t text; l bigint[]");
    assert_eq!(texts(&loaded[0], "j"), [Some(r#"{"a" : 1.0}"#.into()), Some("\"x\"".into()), None]);
    assert_eq!(texts(&loaded[0], "t"), [Some("7e0".into()), Some("8".into()), None]);
}

#[test]
fn records_are_found_by_path() {
    let text = r#"{"v": "5.0", "a": {"b": [{"x": 1}, {"x": 2}], "c": 0}, "t": [1]}"#;
    assert_eq!(load(text.as_bytes(), &document(Some("a.b")), &[]).unwrap().0.records, 2);
    assert_eq!(columns(&list(text).0), "v text; a struct(b struct(x bigint)[], c bigint); t bigint[]");
    let missing = fails(text, &document(Some("items")));
    assert_eq!(missing.message, "the document has no `items`; its keys are `v`, `a`, `t`");
    assert_eq!(missing.help.as_deref(), Some("The list there is `t`."));
    assert_eq!(fails(text, &document(Some("a.x"))).message, "`a` has no `x`; its keys are `b`, `c`");
    assert_eq!(fails(text, &document(Some("v"))).message, "`v` is text, not a list of records");
    assert_eq!(fails(text, &document(Some("v.x"))).message, "`v` is text, so there is no `v.x`");
    assert_eq!(fails(text, &document(Some("t"))).message, "element 0 of `t` is a number, not an object");
    assert_eq!(fails("[]", &document(Some("t"))).message, "the document is a list, which has no `t`");
    assert_eq!(fails(r#"{"t": [], "t": []}"#, &document(Some("t"))).message, "the document has `t` twice");
    assert_eq!(fails("7", &document(None)).message, "the document is a number, neither a list nor an object");
    assert_eq!(load(br#"{"a.b": {"c": [{}]}, "a": {}}"#, &document(Some("a.b.c")), &[]).unwrap().0.records, 1);
    assert_eq!(load(b"[]", &document(None), &[]).unwrap().0.records, 0);
}

#[test]
fn malformed_documents_are_placed() {
    let at = |text: &[u8], layout: &Layout| {
        let found = fails(text, layout);
        (found.message, found.line, found.column)
    };
    let json = document(None);
    let placed = |message: &str, line: usize, column: usize| (message.to_string(), line, column);
    assert_eq!(at(b"", &json), placed("the document is empty", 1, 1));
    assert_eq!(at(b"\xef\xbb\xbf \n", &Layout::Lines), placed("the document is empty", 2, 1));
    assert_eq!(at(b"\xff\xfe[\0", &json).0, "the document is UTF-16, not UTF-8");
    assert_eq!(at(b"[\0{\0", &json).0, "the document is UTF-16, not UTF-8");
    assert_eq!(at(b"[{\"a\": \"\xe9\"}]", &json), placed("invalid UTF-8: byte 0xe9", 1, 9));
    assert_eq!(at("[{\"é\": 1},\n {\"b\" 2}]".as_bytes(), &json), placed("expected `:` behind an object's key", 2, 7));
    assert_eq!(at("[{\"ü\": x}]".as_bytes(), &json), placed("expected a value", 1, 8));
    assert_eq!(at(b"[{\"a\": 1}", &json), placed("the document ends inside a list", 1, 10));
    assert_eq!(at(b"[{\"a\": \"\\ud800\"}]", &json).0, "invalid escape in a string");
    assert_eq!(at(b"[{}] []", &json), placed("more follows behind the end of the document", 1, 6));
    assert!(fails(b"{}\n{}", &json).help.unwrap().contains("ndjson"));
    assert_eq!(at(b"{\"r\": [{}], \"x\": tru}", &document(Some("r"))).0, "expected `true`, `false` or `null`");
    assert_eq!(at(b"{\"a\": 1}\n\n{\"a\": \n1}", &Layout::Lines), placed("the line ends inside a value", 3, 7));
    assert_eq!(at(b"{} {}", &Layout::Lines), placed("more follows on the line behind its record", 1, 3));
    assert!(fails(b"[\n{}]", &Layout::Lines).help.unwrap().contains("Every record must stand on one line"));
    assert!(fails(b"[{}]", &Layout::Lines).help.unwrap().contains("format: json"));
    let nested = format!("[{{\"a\": {}{}}}]", "[".repeat(127), "]".repeat(127));
    assert_eq!(columns(&list(&nested).0), format!("a unknown{}", "[]".repeat(127)));
    let deep = format!("[{{\"a\": {}{}}}]", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(fails(&deep, &json).message, "lists and objects are nested more than 128 deep");
    assert_eq!(fails(&deep[1..], &document(Some("x"))).message, "lists and objects are nested more than 128 deep");
}

#[test]
fn lines_count_blank_lines_and_a_mark_is_skipped() {
    let text = "\u{feff}{\"a\": 1}\r\n\r\n  \n{\"a\": 2}\n{\"a\": 3}";
    let (inspected, loaded) = load(text.as_bytes(), &Layout::Lines, &[]).unwrap();
    assert_eq!(columns(&inspected), "a bigint");
    assert_eq!(loaded[0].column_by_name("#row").unwrap().as_primitive::<Int64Type>().values(), &[1, 4, 5]);
}

#[test]
fn many_records_come_in_order_from_all_cores() {
    let record = |i: usize| format!("{{\"i\": {i}, \"t\": \"{}\"}}", "x".repeat(i % 300));
    let records: Vec<String> = (0..30_000).map(record).collect();
    for (text, layout, first) in [
        (format!("[{}\n]", records.join(",\n")), document(None), 0),
        (format!("{{\"r\": [{}], \"t\": 1}}", records.join(" , ")), document(Some("r")), 0),
        (records.join("\n\n"), Layout::Lines, 1),
    ] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let (inspected, loaded) = pool.install(|| load(text.as_bytes(), &layout, &[])).unwrap();
        assert!(loaded.len() > 7);
        let step = if layout == Layout::Lines { 2 } else { 1 };
        let mut i = 0;
        for batch in &loaded {
            let numbers = batch.column(0).as_primitive::<Int64Type>().values();
            let values = batch.column(1).as_primitive::<Int64Type>().values();
            for (number, value) in numbers.iter().zip(values) {
                assert_eq!((*number, *value), (first + step * i, i));
                i += 1;
            }
        }
        assert_eq!((i, inspected.records), (30_000, 30_000));
        let mut few = inspected.clone();
        few.truncate(5_000);
        few.select(&["t".to_string()]);
        let few = all(text.as_bytes(), &few);
        assert_eq!(few.iter().map(RecordBatch::num_rows).sum::<usize>(), 5_000);
        assert_eq!(few[0].num_columns(), 2);
        let head = inspect(text.as_bytes(), &layout, &[], Some(100_000)).unwrap();
        assert!(!head.complete && head.records > 500 && head.records < 5_000);
        let stopped = batches(text.as_bytes(), &inspected, 0, &mut |_| Err(Error::new("X0000", "enough")));
        assert_eq!(stopped.unwrap_err().message, "enough");
    }
}

#[test]
fn records_have_lines_and_documents_reconcile() {
    let text = b"{\"r\": [\n{\"a\": 1,\n\"b\": 2},\n\n{\"a\": 2}, {\"a\": 3}]}";
    let layout = document(Some("r"));
    let one = inspect(text, &layout, &[], None).unwrap();
    let lines: Vec<_> = (0..4).map(|row| position(text, &one, row)).collect();
    assert_eq!(lines, [Some(2), Some(5), Some(5), None]);
    let other = br#"[{"c": [1], "a": 0.5}]"#;
    let both = reconcile(vec![one, inspect(other, &document(None), &[], None).unwrap()]);
    assert_eq!(columns(&both[0]), "a decimal(2,1); b bigint; c bigint[]");
    assert_eq!(columns(&both[1]), columns(&both[0]));
    assert_eq!(all(text, &both[0])[0].schema(), all(other, &both[1])[0].schema());
}
