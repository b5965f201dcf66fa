//! Which texts Azure SQL takes for equal, by the collations of their columns: in unique keys, foreign keys and CHECKs among staged rows.
//!
//! Each pair of texts stands in a row of its own for each constraint; what a run sets aside tells how it judged them. What no list of the vendor
//! says must be refused by all of them: it is neither surely equal nor surely different.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::Folder;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Equal,
    Different,
    Doubt,
}

use Verdict::{Different, Doubt, Equal};

type Pair = (&'static str, &'static str, Verdict);

/// Pairs that every collation judges alike, binary ones too: spaces at the end never count, others do.
const EVERYWHERE: &[Pair] = &[
    ("a", "a", Equal),
    ("a", "a   ", Equal),
    ("", "  ", Equal),
    ("a", " a", Different),
    ("a b", "ab", Different),
    ("a", "a\t", Different),
    ("a", "b", Different),
    ("1", "01", Different),
    ("Ж", "Щ", Different),
];

const BY_COLLATION: &[(&str, &[Pair])] = &[
    (
        "",
        &[
            ("Ana", "ANA", Equal),
            ("ÉLAN", "élan ", Equal),
            ("Ж", "ж", Equal),
            ("Ω", "ω", Equal),
            ("é", "e", Different),
            ("ø", "o", Different),
            ("é", "e\u{301}", Doubt),
            ("straße", "STRASSE", Doubt),
            ("Æ", "ae", Doubt),
            ("ａ", "A", Doubt),
            ("x²", "x2", Doubt),
            ("か", "カ", Doubt),
            ("a\u{a0}", "a", Doubt),
            ("a\u{200b}b", "ab", Doubt),
            ("a\u{1}b", "ab", Doubt),
            ("🍕", "🍺", Doubt),
            ("ሀ", "ለ", Doubt),
            ("\u{212a}", "k", Doubt),
        ],
    ),
    (
        "SQL_Latin1_General_CP1_CS_AS",
        &[("Ana", "ANA", Different), ("é", "É", Different), ("é", "e", Different), ("ß", "ss", Doubt)],
    ),
    (
        "SQL_Latin1_General_CP1_CI_AI",
        &[("Ana", "ANA", Equal), ("ÉLAN", "elan", Equal), ("ñ", "N", Equal), ("ø", "o", Doubt), ("й", "и", Doubt)],
    ),
    ("Latin1_General_100_CS_AI", &[("é", "e", Equal), ("é", "E", Different), ("ሀ", "ለ", Different), ("🍕", "🍺", Doubt)]),
    (
        "Latin1_General_100_CI_AS_KS_WS",
        &[("Ana", "ANA", Equal), ("か", "カ", Different), ("ａ", "a", Different), ("ﾊﾞ", "バ", Different)],
    ),
    ("Latin1_General_100_CI_AS", &[("ﾊﾞ", "バ", Doubt), ("は", "ハ", Doubt), ("ﬁ", "fi", Doubt)]),
    ("Latin1_General_BIN", &[("Ana", "ANA", Different), ("é", "e", Different)]),
    (
        "Latin1_General_100_BIN2",
        &[("é", "e\u{301}", Different), ("a\u{200b}b", "ab", Different), ("🍕", "🍺", Different), ("ß", "ss", Different)],
    ),
    ("Turkish_CI_AS", &[("I", "i", Doubt), ("I", "ı", Doubt), ("a", "A", Doubt)]),
    ("French_CI_AS", &[("Ana", "ANA", Equal), ("É", "é", Doubt), ("é", "e", Different)]),
    ("Danish_Norwegian_CI_AS", &[("aa", "å", Doubt), ("aA", "aa", Doubt), ("b", "c", Different)]),
];

/// The pairs of a collation; a language of its own leaves letters beyond ASCII in doubt.
fn pairs(at: usize) -> Vec<Pair> {
    EVERYWHERE.iter().chain(BY_COLLATION[at].1).copied().collect()
}

/// Makes a table per constraint and collation; gives the project.
fn project() -> Folder {
    let (mut schema, mut extracts, mut tables) = (String::new(), BTreeMap::new(), BTreeMap::new());
    for (i, (collation, _)) in BY_COLLATION.iter().enumerate() {
        let collate = if collation.is_empty() { String::new() } else { format!(" COLLATE {collation}") };
        let text = format!("nvarchar(40){collate}");
        for (name, rule) in [("equal", "a = b"), ("different", "a <> b")] {
            schema.push_str(&format!(
                "CREATE TABLE {name}{i} (id int PRIMARY KEY, a {text}, b nvarchar(40){collate}, CHECK ({rule}));\n"
            ));
        }
        for (name, rule) in [("one_of", "a IN (N'Ana', N'élan')"), ("like", "a LIKE N'an_%'"), ("unlike", "a NOT LIKE N'%AN_'")]
        {
            schema.push_str(&format!("CREATE TABLE {name}{i} (id int PRIMARY KEY, a {text} CHECK ({rule}));\n"));
        }
        schema.push_str(&format!("CREATE TABLE unique{i} (id int, a {text}, UNIQUE (id, a));\n"));
        schema.push_str(&format!("CREATE TABLE parent{i} (id int, a {text}, PRIMARY KEY (id, a));\n"));
        schema
            .push_str(&format!("CREATE TABLE child{i} (id int, a {text}, FOREIGN KEY (id, a) REFERENCES parent{i} (id, a));\n"));
        let all = pairs(i);
        let numbered = || all.iter().enumerate();
        let both: Vec<Value> = numbered().map(|(id, (a, b, _))| json!({"id": id, "a": a, "b": b})).collect();
        let left: Vec<Value> = numbered().map(|(id, (a, _, _))| json!({"id": id, "a": a})).collect();
        let right: Vec<Value> = numbered().map(|(id, (_, b, _))| json!({"id": id, "a": b})).collect();
        let words: Vec<Value> = WORDS.iter().enumerate().map(|(id, a)| json!({"id": id, "a": a})).collect();
        let columns = json!({"id": "integer", "a": "text"});
        for (name, rows) in [("equal", &both), ("different", &both)] {
            extracts
                .insert(format!("{name}{i}_raw"), json!({"rows": rows, "columns": {"id": "integer", "a": "text", "b": "text"}}));
        }
        for (name, rows) in [
            ("unique", [left.clone(), right.clone()].concat()),
            ("parent", left),
            ("child", right),
            ("one_of", words.clone()),
            ("like", words.clone()),
            ("unlike", words),
        ] {
            extracts.insert(format!("{name}{i}_raw"), json!({"rows": rows, "columns": columns}));
        }
        for name in ["equal", "different", "unique", "parent", "child", "one_of", "like", "unlike"] {
            let load = json!({"from": format!("{name}{i}_raw"), "on_failure": "quarantine", "load": {"mode": "insert"}});
            tables.insert(format!("{name}{i}"), load);
        }
    }
    let pipeline = json!({"target": {"dialect": "azure_sql"}, "extract": extracts, "tables": tables});
    Folder::with(&[("p.yaml", &pipeline.to_string()), ("schemas/tables.sql", &schema)])
}

/// The rows that a table has set aside, by number.
pub fn aside(folder: &Folder, table: &str) -> BTreeSet<usize> {
    let text = std::fs::read_to_string(folder.path().join(format!("out/p/quarantine/{table}.csv"))).unwrap_or_default();
    let mut lines = text.lines();
    let at = lines.next().map(|head| head.split(',').position(|c| c == "id").expect("a number"));
    lines.filter_map(|line| line.split(',').nth(at?)?.parse().ok()).collect()
}

#[test]
fn keys_and_conditions_are_judged_by_the_collation_of_their_columns() {
    let folder = project();
    let ran = folder.pipe(&["run", "p.yaml", "--format", "json"]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    let mut wrong = vec![];
    for (i, (collation, _)) in BY_COLLATION.iter().enumerate() {
        let refused = |table: &str| aside(&folder, &format!("{table}{i}"));
        let (equal, different, unique, child) = (refused("equal"), refused("different"), refused("unique"), refused("child"));
        for (id, (a, b, verdict)) in pairs(i).iter().enumerate() {
            let has = |set: &BTreeSet<usize>| set.contains(&id);
            let judged = match (has(&equal), has(&different)) {
                (false, true) => Some(Equal),
                (true, false) => Some(Different),
                (true, true) => Some(Doubt),
                (false, false) => None,
            };
            if judged != Some(*verdict) {
                wrong.push(format!("{collation}: {a:?} and {b:?} in a CHECK: {judged:?} instead of {verdict:?}"));
            }
            if has(&unique) != (*verdict != Different) {
                wrong.push(format!("{collation}: {a:?} and {b:?} in a unique key: refused {}, {verdict:?}", has(&unique)));
            }
            if has(&child) != (*verdict != Equal) {
                wrong.push(format!("{collation}: {a:?} and {b:?} in a foreign key: refused {}, {verdict:?}", has(&child)));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// What lists and patterns are asked for.
const WORDS: &[&str] = &["Ana", "ANA", "ana ", "ÉLAN", "elan", "other", "äna", "an🍕", "a\u{200b}na"];

#[test]
fn lists_and_patterns_are_judged_by_the_collation_of_their_column() {
    let folder = project();
    assert_eq!(folder.pipe(&["run", "p.yaml"]).code, 0);
    let refused = |table: &str| aside(&folder, table).iter().map(|id| WORDS[*id]).collect::<Vec<_>>();
    for (at, one_of, like, unlike) in [
        // Without case: what no list tells of the last three is refused either way.
        (
            0,
            vec!["elan", "other", "äna", "an🍕", "a\u{200b}na"],
            vec!["ÉLAN", "elan", "other", "äna", "an🍕", "a\u{200b}na"],
            vec!["Ana", "ANA", "ana ", "an🍕", "a\u{200b}na"],
        ),
        // With case.
        (
            1,
            vec!["ANA", "ana ", "ÉLAN", "elan", "other", "äna", "an🍕", "a\u{200b}na"],
            vec!["Ana", "ANA", "ÉLAN", "elan", "other", "äna", "an🍕", "a\u{200b}na"],
            vec!["ANA", "an🍕"],
        ),
        // Without accents.
        (
            2,
            vec!["other", "an🍕", "a\u{200b}na"],
            vec!["ÉLAN", "elan", "other", "an🍕", "a\u{200b}na"],
            vec!["Ana", "ANA", "ana ", "äna", "an🍕", "a\u{200b}na"],
        ),
        // Byte by byte.
        (
            6,
            vec!["ANA", "ana ", "ÉLAN", "elan", "other", "äna", "an🍕", "a\u{200b}na"],
            vec!["Ana", "ANA", "ÉLAN", "elan", "other", "äna", "an🍕", "a\u{200b}na"],
            vec!["ANA", "an🍕"],
        ),
    ] {
        let collation = BY_COLLATION[at].0;
        assert_eq!(refused(&format!("one_of{at}")), one_of, "one of, {collation}");
        assert_eq!(refused(&format!("like{at}")), like, "like, {collation}");
        assert_eq!(refused(&format!("unlike{at}")), unlike, "unlike, {collation}");
    }
}

#[test]
fn what_is_not_known_of_a_collation_is_told() {
    let contract = "\
table: people
columns:
  id: {type: integer, primary_key: true}
  name: {type: varchar(20), unique: true, collation: French_CI_AS}
  code: {type: varchar(20), one_of: [a], collation: Klingon}
  kind: {type: varchar(20), collation: French_CI_AS}
  level: {type: varchar(20), collation: Latin1_General_CS_AS}
checks: [{expr: level < 'm'}]
";
    let pipeline = "\
target: {dialect: azure_sql}
extract: {raw: {rows: [{id: 1, name: x, code: A, kind: y, level: a}]}}
tables: {people: {from: raw, load: {mode: insert}}}
";
    let folder = Folder::with(&[("p.yaml", pipeline), ("schemas/people.yaml", contract)]);
    let report = folder.pipe(&["run", "p.yaml", "--format", "json"]).json();
    let told: Vec<String> = report["unjudged"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| format!("{}: {}", u["what"].as_str().unwrap(), u["why"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        vec![
            "expr level: which text comes first is the collation's to say",
            "texts of name: what letters the collation `French_CI_AS` takes for equal is its language's to say: such as may be equal were taken for it",
            "texts of code: the collation `Klingon` is not known: it was judged by the usual one",
        ]
    );
}

#[test]
fn no_two_texts_are_surely_equal_and_surely_different() {
    // Every letter beside its other forms, as far as one character has them.
    let letters = (1..0xffff_u32).filter_map(char::from_u32);
    let other =
        |c: char| [c.to_lowercase().to_string(), c.to_uppercase().to_string()].into_iter().filter(move |o| *o != c.to_string());
    let mut rows: Vec<Value> = letters
        .flat_map(|c| other(c).map(move |o| (c, o)))
        .map(|(c, o)| json!({"a": format!("x{c} "), "b": format!("x{o}")}))
        .collect();
    rows.iter_mut().enumerate().for_each(|(id, row)| row["id"] = json!(id));
    assert!(rows.len() > 2_000, "{}", rows.len());
    let (mut schema, mut tables) = (String::new(), BTreeMap::new());
    let collations = [
        "SQL_Latin1_General_CP1_CI_AS",
        "Latin1_General_CI_AI",
        "Latin1_General_100_CS_AI",
        "Turkish_CI_AI",
        "German_PhoneBook_CI_AS",
        "Japanese_CI_AS_KS",
    ];
    for (i, collation) in collations.iter().enumerate() {
        for (name, rule) in [("equal", "a = b"), ("different", "a <> b")] {
            let text = format!("nvarchar(40) COLLATE {collation}");
            schema.push_str(&format!("CREATE TABLE {name}{i} (id int PRIMARY KEY, a {text}, b {text}, CHECK ({rule}));\n"));
            tables.insert(format!("{name}{i}"), json!({"from": "raw", "on_failure": "quarantine", "load": {"mode": "insert"}}));
        }
    }
    let columns = json!({"id": "integer", "a": "text", "b": "text"});
    let pipeline = json!({"target": {"dialect": "azure_sql"}, "extract": {"raw": {"file": "raw.json", "columns": columns}}, "tables": tables});
    let raw = serde_json::to_string(&rows).unwrap();
    let folder = Folder::with(&[("p.yaml", &pipeline.to_string()), ("schemas/tables.sql", &schema), ("raw.json", &raw)]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for (i, collation) in collations.iter().enumerate() {
        let (equal, different) = (aside(&folder, &format!("equal{i}")), aside(&folder, &format!("different{i}")));
        let neither: Vec<&Value> =
            rows.iter().enumerate().filter(|(id, _)| !equal.contains(id) && !different.contains(id)).map(|(_, r)| r).collect();
        assert_eq!(neither, Vec::<&Value>::new(), "{collation}");
        assert!(
            !equal.is_empty() && different.len() + equal.len() >= rows.len(),
            "{collation}: {} {}",
            equal.len(),
            different.len()
        );
    }
}

#[test]
fn a_varchar_keeps_the_characters_of_its_code_page() {
    let texts = ["plain", "é", "łódź", "Жук", "Ωμέγα", "€uro", "╬", "日本", "🙂", "ééééé", "日本語"];
    let collations = [
        ("SQL_Latin1_General_CP1_CI_AS", vec!["łódź", "Жук", "Ωμέγα", "╬", "日本", "🙂", "日本語"]),
        ("Polish_CI_AS", vec!["Жук", "Ωμέγα", "╬", "日本", "🙂", "日本語"]),
        ("Cyrillic_General_100_CS_AS", vec!["é", "łódź", "Ωμέγα", "╬", "日本", "🙂", "ééééé", "日本語"]),
        ("Greek_BIN", vec!["é", "łódź", "Жук", "╬", "日本", "🙂", "ééééé", "日本語"]),
        ("SQL_Latin1_General_CP850_CI_AS", vec!["łódź", "Жук", "Ωμέγα", "€uro", "日本", "🙂", "日本語"]),
        // Eight bytes: what does not fit, not what is lacking.
        ("Latin1_General_100_CI_AS_SC_UTF8", vec!["Ωμέγα", "ééééé", "日本語"]),
        ("Japanese_CI_AS", vec!["Ωμέγα", "ééééé"]),
    ];
    let rows: Vec<Value> = texts.iter().enumerate().map(|(id, a)| json!({"id": id, "a": a})).collect();
    let (mut schema, mut tables) = (String::new(), BTreeMap::new());
    for (i, (collation, _)) in collations.iter().enumerate() {
        schema.push_str(&format!("CREATE TABLE t{i} (id int PRIMARY KEY, a varchar(8) COLLATE {collation});\n"));
        tables.insert(format!("t{i}"), json!({"from": "raw", "on_failure": "quarantine", "load": {"mode": "insert"}}));
    }
    let extract = json!({"raw": {"rows": rows, "columns": {"id": "integer", "a": "text"}}});
    let pipeline = json!({"target": {"dialect": "azure_sql"}, "extract": extract, "tables": tables});
    let folder = Folder::with(&[("p.yaml", &pipeline.to_string()), ("schemas/t.sql", &schema)]);
    let report = folder.pipe(&["run", "p.yaml", "--format", "json"]).json();
    for (i, (collation, refused)) in collations.iter().enumerate() {
        let found: Vec<&str> = aside(&folder, &format!("t{i}")).iter().map(|id| texts[*id]).collect();
        assert_eq!(found, *refused, "{collation}");
    }
    let told: Vec<&str> = report["unjudged"].as_array().unwrap().iter().map(|u| u["why"].as_str().unwrap()).collect();
    assert_eq!(told, ["which characters code page 932 has is not known; those beyond ASCII were counted as two bytes"]);
}

#[test]
fn a_target_names_the_collation_of_columns_that_name_none() {
    let schema = "CREATE TABLE t (id int PRIMARY KEY, a nvarchar(9) UNIQUE, b nvarchar(9) COLLATE Latin1_General_CI_AS UNIQUE);";
    let rows = "[{id: 1, a: x, b: p}, {id: 2, a: X, b: q}, {id: 3, a: y, b: r}, {id: 4, a: z, b: R}]";
    let refused = |collation: &str| {
        let target = format!(
            "target: {{dialect: azure_sql{collation}}}\nextract: {{raw: {{rows: {rows}}}}}\ntables: {{t: {{from: raw, load: {{mode: insert}}}}}}\n"
        );
        let folder = Folder::with(&[("p.yaml", &target), ("schemas/t.sql", schema)]);
        let report = folder.pipe(&["run", "p.yaml", "--format", "json"]).json();
        report["violations"].as_array().unwrap().iter().map(|v| v["column"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(refused(""), ["a", "b"]);
    assert_eq!(refused(", collation: Latin1_General_CS_AS"), ["b"]);
}

#[test]
fn a_violation_names_the_collation_that_decides() {
    let schema = "CREATE TABLE t (id int PRIMARY KEY, a nvarchar(9) UNIQUE, b nvarchar(9) COLLATE Latin1_General_CS_AS UNIQUE);";
    let target = "target: {dialect: azure_sql}\nextract: {raw: {rows: [{id: 1, a: x, b: p}, {id: 2, a: X, b: q}, {id: 3, a: y, b: q}]}}\n\
                  tables: {t: {from: raw, load: {mode: insert}}}\n";
    let folder = Folder::with(&[("p.yaml", target), ("schemas/t.sql", schema)]);
    let report = folder.pipe(&["run", "p.yaml", "--format", "json"]).json();
    let allowed: Vec<&str> = report["violations"].as_array().unwrap().iter().map(|v| v["allowed"].as_str().unwrap()).collect();
    assert_eq!(
        allowed,
        [
            "each value once, as SQL_Latin1_General_CP1_CI_AS compares texts",
            "each value once, as Latin1_General_CS_AS compares texts"
        ]
    );
}
