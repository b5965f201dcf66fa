//! Lists of allowed values over columns of few different texts: what the file's texts prove, and what they do not.

use crate::support::Folder;

/// Runs a table over two thousand rows of `a`, `b` and `c`, some without a text, and lines of one's own behind 9,000 more of them.
fn run(table: &str, last: &str) -> (i32, String) {
    let kind = |i: usize| if i.is_multiple_of(7) { "" } else { ["a", "b", "c"][i % 3] };
    let rows: String = (0..11_000).map(|i| format!("{i},{}\n", kind(i))).collect();
    let text = format!(
        "target: {{dialect: postgres}}\nextract: {{raw: {{file: raw.csv}}}}\ntables:\n  t: {{from: raw, {table}, load: {{file: t.csv}}}}\n"
    );
    let folder = Folder::with(&[("p.yaml", &text), ("raw.csv", &format!("id,kind\n{rows}{last}"))]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    (ran.code, ran.out + &ran.err)
}

/// Runs a table that must fail, and returns how many rows the report says are wrong.
fn wrong(table: &str, last: &str) -> String {
    let (code, said) = run(table, last);
    assert_eq!(code, 1, "{table}: {said}");
    let at = said.find(" of 11,").unwrap_or_else(|| panic!("{said}"));
    said[..at].split_whitespace().rev().nth(1).unwrap_or_default().to_string()
}

const LIST: &str = "validate: [one_of: {kind: [a, b, c]}]";

#[test]
fn a_list_of_all_texts_passes() {
    for table in [
        format!("map: {{kind: kind}}, {LIST}"),
        LIST.to_string(),
        format!("map: {{kind: kind}}, default: {{kind: c}}, {LIST}"),
        "map: {kind: {from: kind, values: {a: x, b: x}}}, validate: [one_of: {kind: [x, c]}]".to_string(),
        "map: {kind: {from: kind, values: {a: x, b: x, c: x}}}, validate: [one_of: {kind: [x]}]".to_string(),
        "map: {kind: \"CASE WHEN id < 9 THEN 'a' ELSE coalesce(kind, 'none') END\"}, validate: [one_of: {kind: [a, b, c, none]}]"
            .to_string(),
    ] {
        let (code, said) = run(&table, "");
        assert_eq!(code, 0, "{table}: {said}");
    }
}

#[test]
fn a_list_that_lacks_a_text_fails_with_the_number_of_rows() {
    // Of 11,000 rows every third is a `c`, and of these every seventh has no text.
    assert_eq!(wrong("map: {kind: kind}, validate: [one_of: {kind: [a, b]}]", ""), "3,142");
    assert_eq!(wrong(&format!("map: {{kind: kind}}, default: {{kind: d}}, {LIST}"), ""), "1,572");
    assert_eq!(wrong("map: {kind: {from: kind, values: {a: x, b: y}}}, validate: [one_of: {kind: [x, c]}]", ""), "3,143");
    assert_eq!(wrong("map: {kind: {from: kind, values: {c: x}}}, validate: [one_of: {kind: [a, b, c]}]", ""), "3,142");
    assert_eq!(wrong("map: {kind: \"CASE WHEN id < 9 THEN 'd' ELSE kind END\"}, validate: [one_of: {kind: [a, b, c]}]", ""), "9");
    assert_eq!(wrong("map: {kind: upper(kind)}, validate: [one_of: {kind: [a, B, C]}]", ""), "3,143");
}

#[test]
fn a_text_that_comes_late_is_found() {
    assert_eq!(wrong(&format!("map: {{kind: kind}}, {LIST}"), "11000,z\n"), "1");
    assert_eq!(wrong(&format!("map: {{kind: kind}}, default: {{kind: c}}, {LIST}"), "11000,A\n11001,\n"), "1");
    assert_eq!(wrong(LIST, "11000,\"\"\n"), "1");
}

#[test]
fn a_list_of_all_texts_of_a_group_passes() {
    let grouped = |map: &str| {
        format!("group_by: id, map: {{id: id, kind: \"{map}\"}}, validate: [one_of: {{kind: [a, b, c]}}], distinct: {{on: [id]}}")
    };
    for aggregate in ["any_value(kind)", "arg_min(kind, id)", "max(kind)", "mode(kind)"] {
        let (code, said) = run(&grouped(aggregate), "");
        assert_eq!(code, 0, "{aggregate}: {said}");
    }
    for aggregate in ["any_value(kind) || 'x'", "max(kind, 2)::varchar", "string_agg(kind, '')"] {
        let (code, said) = run(&grouped(aggregate), "1,b\n");
        assert_eq!(code, 1, "{aggregate}: {said}");
    }
}

/// A flat export of orders and customers, whose rows leave in every way there is.
const EXPORT: &str = "
  flat:
    from: orders
    join:
      - {to: customers, on: customer, columns: [region, grade]}
      - {to: firsts, on: customer, columns: [first_status]}
    map:
      id: id
      customer: customer
      status: {from: status, values: {n: new, p: paid}}
      region: region
      grade: grade
      first_status: first_status
      both: concat(status, region)
    default: {region: nowhere}
    validate:
      - one_of: {region: [north, south, nowhere]}
      - unique: [id, status]
    load: [{file: flat.csv}, {file: flat.parquet}, {file: flat.ndjson}, {table: flat, key: id}]
  back:
    from: orders
    join: {to: customers, on: customer, columns: [region, grade]}
    derive: {upside: -id}
    distinct: {on: [upside], order_by: upside}
    load: {file: back.csv}
  ways:
    from: orders
    map: {id: id, customer: customer, channel: {from: channel, values: {c1: one}}, payment: payment, status: status}
    default: {status: none}
  beginnings:
    from: ways
    group_by: customer
    map:
      customer: customer
      orders: count(*)
      channel: arg_min(channel, id)
      payment: arg_min(payment, id)
      status: arg_min(status, id)
  known:
    from: customers
    map: {customer: customer, region: {from: region, values: {north: up}}}
    default: {region: nowhere}
  kept:
    from: beginnings
    where: payment <> 'p3' and channel in ('one', 'c2', 'c3', 'c4')
  wide:
    from: kept
    join: {to: known, on: customer, type: full, columns: [region]}
    map:
      customer: customer
      orders: orders
      channel: channel
      payment: {from: payment, values: {p1: cash}}
      status: status
      region: region
      seen: coalesce(region, 'unseen')
      of_channel: \"count(*) over (partition by channel)\"
    load: {file: wide.csv}
  whole:
    from: beginnings
    join:
      - {to: known, on: customer, columns: [region]}
      - {to: firsts, on: customer, columns: [first_status]}
    load: {file: whole.csv}
  turned:
    from: known
    join: {to: firsts, on: customer, type: full, columns: [first_status]}
    load: {file: turned.csv}
";

/// Runs the export over files of one format, and returns what each of the files holds that came out.
fn export(format: &str, orders: &[String], customers: &[String]) -> Vec<String> {
    let text = format!(
        "target: {{dialect: postgres}}\nextract:\n  orders: {{file: orders.{format}}}\n  customers: {{file: customers.{format}}}\ntables:\n  \
         firsts: {{from: orders, group_by: customer, map: {{customer: customer, first_status: \"arg_min(status, id)\"}}}}\n{EXPORT}"
    );
    let read = "extract: {flat: {file: out/p/flat.parquet}}\ntarget: {dialect: postgres}\ntables:\n  read: {from: flat, load: {file: read.csv}}\n";
    let names = [format!("orders.{format}"), format!("customers.{format}")];
    let folder =
        Folder::with(&[("p.yaml", &text), ("read.yaml", read), (&names[0], &orders.concat()), (&names[1], &customers.concat())]);
    for pipeline in ["p.yaml", "read.yaml"] {
        let ran = folder.pipe(&["run", pipeline]);
        assert_eq!(ran.code, 0, "{format}: {}{}", ran.out, ran.err);
    }
    let script = folder.read("out/p/deploy.sql");
    let rows = script
        .split("\nCOPY ")
        .nth(1)
        .and_then(|rows| rows.split("\n\\.\n").next())
        .unwrap_or_else(|| panic!("{script}"))
        .to_string();
    let files = [
        "out/p/flat.csv",
        "out/p/flat.ndjson",
        "out/p/back.csv",
        "out/p/wide.csv",
        "out/p/whole.csv",
        "out/p/turned.csv",
        "out/read/read.csv",
    ];
    files.into_iter().map(|name| folder.read(name)).chain([rows]).collect()
}

#[test]
fn known_texts_leave_as_they_came() {
    let texts = |i: usize, few: &[&'static str]| few[i * i % few.len()];
    let rows = |late: &str| {
        // Enough for several of the engine's pieces, of which the last may hold a text that the first records have not.
        let last = 250_000;
        let order = |i: usize| {
            (
                i,
                i % 3_001,
                if i == last { late } else { texts(i, &["n", "p", "", "it's", "\u{e9}t\u{e9}"]) },
                i * i % 31,
                i * i % 13,
            )
        };
        let customer = |i: usize| (i, texts(i, &["north", "south", ""]), texts(i + 1, &["A", "b", "B"]));
        let json = |text: &str| if text.is_empty() { "null".to_string() } else { format!("\"{text}\"") };
        let orders: Vec<_> = (0..=last).map(order).collect();
        let customers: Vec<_> = (0..3_000).map(customer).collect();
        let csv = (
            orders.iter().map(|(i, c, s, w, p)| format!("{i},{c},{s},c{w},p{p}\n")).collect::<Vec<_>>(),
            customers.iter().map(|(i, r, g)| format!("{i},{r},{g}\n")).collect::<Vec<_>>(),
        );
        let ndjson = (
            orders
                .iter()
                .map(|(i, c, s, w, p)| {
                    format!(
                        "{{\"id\": {i}, \"customer\": {c}, \"status\": {}, \"channel\": \"c{w}\", \"payment\": \"p{p}\"}}\n",
                        json(s)
                    )
                })
                .collect::<Vec<_>>(),
            customers
                .iter()
                .map(|(i, r, g)| format!("{{\"customer\": {i}, \"region\": {}, \"grade\": {}}}\n", json(r), json(g)))
                .collect::<Vec<_>>(),
        );
        let with = |head: &str, lines: Vec<String>| std::iter::once(format!("{head}\n")).chain(lines).collect::<Vec<_>>();
        let numbered = export("csv", &with("id,customer,status,channel,payment", csv.0), &with("customer,region,grade", csv.1));
        let plain = export("ndjson", &ndjson.0, &ndjson.1);
        for (a, b) in numbered.iter().zip(&plain) {
            let differs = a.lines().zip(b.lines()).find(|(a, b)| a != b);
            assert!(a == b, "{late}: {differs:?}");
        }
    };
    rows("n");
    rows("never seen before");
}

/// Runs a pipeline over 5,000 rows of two columns of few texts, and returns its file.
fn written(tables: &str) -> String {
    let text = format!("target: {{dialect: postgres}}\nextract: {{raw: {{file: raw.csv}}}}\ntables:\n{tables}");
    let rows: String = (0..5_000).map(|i| format!("{i},{},{}\n", ["x", "y", "z"][i % 3], ["p", "q"][i % 2])).collect();
    let folder = Folder::with(&[("p.yaml", &text), ("raw.csv", &format!("id,a,b\n{rows}"))]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    folder.read("out/p/t.csv")
}

#[test]
fn nothing_is_made_of_the_words_of_no_rows() {
    for check in ["", "    validate: [unique: a]\n"] {
        let tables = format!(
            "  none: {{from: raw, map: {{id: id, a: a, b: b}}, default: {{a: unknown}}, where: id < 0}}\n  t:\n    from: none\n    \
             group_by: []\n    map: {{n: count(*), a: \"arg_min(a, id)\", b: \"arg_min(b, id)\"}}\n{check}    load: {{file: t.csv}}\n"
        );
        assert_eq!(written(&tables), "n,a,b\n0,,\n");
    }
}

#[test]
fn an_enumeration_of_an_authors_own_may_have_more_words_than_a_byte() {
    let words: Vec<String> = (0..300).map(|i| format!("'w{i}'")).collect();
    let sql = format!("select id, ('w' || id % 300)::enum({}) as w from raw", words.join(", "));
    let found = written(&format!("  t: {{sql: \"{sql}\", load: {{file: t.csv}}}}\n"));
    let expected: String = (0..5_000).map(|i| format!("{i},w{}\n", i % 300)).collect();
    assert_eq!(found, format!("id,w\n{expected}"));
}
