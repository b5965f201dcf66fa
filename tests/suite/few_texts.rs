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
