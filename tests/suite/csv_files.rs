//! Files that `load: {file: x.csv}` writes: every type, every character, and the order of many rows.

use crate::support::Folder;

/// A column of a query, and what its value is in the file.
const VALUES: &[(&str, &str)] = &[
    ("true AS yes", "true"),
    ("7::tinyint AS tiny", "7"),
    ("-32767::smallint AS small", "-32767"),
    ("9223372036854775807::bigint AS big", "9223372036854775807"),
    ("18446744073709551615::ubigint AS unsigned_one", "18446744073709551615"),
    ("'170141183460469231731687303715884105727'::hugeint AS huge", "170141183460469231731687303715884105727"),
    ("-0.05::decimal(5,2) AS dec", "-0.05"),
    ("0.05::decimal(2,2) AS share", "0.05"),
    ("12345678901234567890.5::decimal(38,1) AS wide", "12345678901234567890.5"),
    ("0.1::real AS narrow", "0.1"),
    ("1e100::double AS dbl", "1e+100"),
    ("'NaN'::double AS nan", "nan"),
    ("'2024-02-29'::date AS day", "2024-02-29"),
    ("'0044-03-15 (BC)'::date AS ides", "0044-03-15 BC"),
    ("'infinity'::date AS never", "infinity"),
    ("'12:30:00.5'::time AS noon", "12:30:00.5"),
    ("'2024-02-29 12:30:00'::timestamp AS stamp", "2024-02-29 12:30:00"),
    ("'2024-02-29 12:30:00.123456'::timestamp AS micro", "2024-02-29 12:30:00.123456"),
    ("'2024-02-29 12:30:00.123456789'::timestamp_ns AS nano", "2024-02-29 12:30:00.123456789"),
    ("'1 month 2 days'::interval AS iv", "1 month 2 days"),
    ("'5c1a4c5e-0000-4000-8000-00000000000a'::uuid AS id", "5c1a4c5e-0000-4000-8000-00000000000a"),
    ("'\\xAA\\x00b'::blob AS bytes", "\\xAA\\x00b"),
    ("[1, NULL, 3] AS numbers", "\"[1,null,3]\""),
    ("struct_pack(a := 1, b := 'x,y') AS object", "\"{\"\"a\"\":1,\"\"b\"\":\"\"x,y\"\"}\""),
    ("'' AS empty", "\"\""),
    ("NULL AS nothing", ""),
    ("'a,b' AS comma", "\"a,b\""),
    ("'say \"hi\"' AS quoted", "\"say \"\"hi\"\"\""),
    ("'# x' AS hash", "\"# x\""),
    ("concat('two', chr(10), 'lines') AS newline", "\"two\nlines\""),
    ("concat('a', chr(13), 'b') AS back", "\"a\rb\""),
    ("' ünï ' AS plain", " ünï "),
];

#[test]
fn values_of_every_type_are_written() {
    let (columns, values): (Vec<&str>, Vec<&str>) = VALUES.iter().copied().unzip();
    let nothing = vec!["NULL"; columns.len()].join(", ");
    let pipeline = format!(
        "pipeline: p
target: {{dialect: postgres}}
extract: {{one: {{rows: [{{n: 1}}]}}}}
tables:
  every:
    sql: >-
      SELECT {} FROM one UNION ALL SELECT {nothing} FROM one
    load: {{file: every.csv}}
",
        columns.join(", ")
    );
    let folder = Folder::with(&[("p.yaml", &pipeline)]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let names: Vec<&str> = columns.iter().filter_map(|c| c.split(" AS ").last()).collect();
    let expected = format!("{}\n{}\n{}\n", names.join(","), values.join(","), ",".repeat(columns.len() - 1));
    assert_eq!(folder.read("out/p/every.csv"), expected);
}

#[test]
fn many_rows_are_in_order_whoever_formats_them() {
    let mut csv = String::from("id,text\n");
    for i in 0..200_000_u64 {
        csv.push_str(&format!("{i},{}\n", "x".repeat((i * 7919 % 40) as usize)));
    }
    // Where rows differ in length, some threads are done sooner than others.
    let pipeline = "
pipeline: p
target: {dialect: postgres}
extract: {raw: {file: raw.csv}}
tables:
  copy: {from: raw, load: {file: copy.csv}}
  stored: {from: raw, distinct: [id], load: {file: stored.csv}}
  joined: {from: raw, join: {to: few, on: id, columns: {seen: text}}, map: {id: id, text: text}, load: {file: joined.csv}}
  few: {from: raw, where: id % 3 = 0, distinct: [id]}
";
    let folder = Folder::with(&[("p.yaml", pipeline), ("raw.csv", &csv)]);
    for threads in ["1", "2", "5"] {
        let ran = folder.pipe(&["run", "p.yaml", "--threads", threads]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for name in ["copy", "stored", "joined"] {
            assert!(folder.read(&format!("out/p/{name}.csv")) == csv, "another {name}.csv with {threads} threads");
        }
    }
}

#[test]
fn a_file_without_rows_has_its_header() {
    let pipeline = "
pipeline: p
target: {dialect: postgres}
extract: {raw: {rows: [{id: 1, 'a, b': x}]}}
tables:
  none: {from: raw, where: id > 1, load: {file: none.csv}}
";
    let folder = Folder::with(&[("p.yaml", pipeline)]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(folder.read("out/p/none.csv"), "id,\"a, b\"\n");
}

#[test]
fn texts_that_repeat_are_kept_whatever_comes_late() {
    // Within the first records there are few values; behind them come others, which are stored beside the numbers of the few.
    let words = ["x", "X", "x ", "it's", "\"\"", "", "a\"b", "ü"];
    let late =
        [("15000", "never seen", "\"other, \"\"word\"\"\""), ("15001", "x", "y"), ("15002", "", "null"), ("15003", "[1]", "")];
    let line = |i: usize| match late.iter().find(|(id, ..)| *id == i.to_string()) {
        Some((id, a, b)) => format!("{id},{a},{b},same\n"),
        None => {
            let word = words[i * 7919 % words.len()];
            let quoted = if word.contains("a\"") { "\"a\"\"b\"" } else { word };
            format!("{i},{quoted},{},same\n", ["yes", "no"][i % 2])
        }
    };
    let file = |ids: std::ops::Range<usize>| format!("id,a,b,c\n{}", ids.map(line).collect::<String>());
    let pipeline = "
pipeline: p
target: {dialect: postgres}
extract: {raw: {file: 'raw*.csv', columns: {a: text}}}
tables:
  copy: {from: raw, load: {file: copy.csv}}
  some: {from: raw, where: a = 'X' or b = 'null', map: {id: id, a: a}, load: {file: some.csv}}
";
    let all = file(0..30_000);
    let folder = Folder::with(&[("p.yaml", pipeline), ("raw1.csv", &file(0..20_000)), ("raw2.csv", &file(20_000..30_000))]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let differ = |(written, expected): &(&str, &str)| written != expected;
    let copy = folder.read("out/p/copy.csv");
    assert_eq!(copy.lines().zip(all.lines()).find(differ), None);
    assert_eq!(copy.len(), all.len());
    let some = folder.read("out/p/some.csv");
    assert!(some.contains("\n15002,\n"), "{}", some.lines().filter(|l| l.starts_with("1500")).collect::<Vec<_>>().join("\n"));
    assert_eq!(
        some.lines().count(),
        1 + 1 + (0..30_000).filter(|i| words[i * 7919 % words.len()] == "X" && !(15_000..15_004).contains(i)).count()
    );
}
