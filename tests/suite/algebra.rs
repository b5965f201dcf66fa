//! group_by, union, unpivot, sql, window functions and files: small projects, run as an author runs them.

use crate::support::{Folder, Ran};

const HEAD: &str = "\
pipeline: p
target: {dialect: postgres}
vars: {least: 1}
extract:
  orders:
    rows:
      - {id: 1, region: north, amount: 1.50, qty: '2', tags: [{t: a, w: 1}, {t: b, w: 2}]}
      - {id: 2, region: south, amount: 2.25, qty: '3', tags: [{t: a, w: 3}]}
      - {id: 3, region: north, amount: 4.00, qty: '5', tags: []}
      - {id: 4, region: null, amount: 0.25, qty: '7', tags: [{t: c, w: 4}]}
  more: {rows: [{region: east, amount: 10, id: 9}]}
  flags: {rows: [{id: true, region: east, amount: 1}]}
  wide: {rows: [{k: 1, a: 1, b: 2.5, c: null}, {k: 2, a: null, b: null, c: null}, {k: 3, a: 5, b: null, c: 7}]}
tables:
";

/// Runs tables over the sources above.
fn run(tables: &str) -> (Folder, Ran) {
    let folder = Folder::with(&[("p.yaml", &format!("{HEAD}{tables}"))]);
    let ran = folder.pipe(&["run", "p.yaml", "--format", "json"]);
    (folder, ran)
}

/// Runs tables that must pass and whose books must balance; returns a file of the output folder.
fn file(tables: &str, name: &str) -> String {
    let (folder, ran) = run(tables);
    assert_eq!(ran.code, 0, "{tables}\n{}{}", ran.out, ran.err);
    balanced(&ran);
    folder.read(&format!("out/p/{name}"))
}

fn balanced(ran: &Ran) {
    for line in ran.json()["ledger"].as_array().unwrap() {
        let sum = |key: &str| line[key].as_array().unwrap().iter().map(|p| p["rows"].as_u64().unwrap()).sum::<u64>();
        let (rows_in, rows_out) = (line["in"].as_u64().unwrap(), line["out"].as_u64().unwrap());
        assert_eq!(rows_in + sum("added"), rows_out + sum("removed"), "{line}");
    }
}

/// The ledger line of a stage: in, out, and the parts with their causes.
fn ledger(ran: &Ran, stage: &str) -> String {
    let report = ran.json();
    let line =
        report["ledger"].as_array().unwrap().iter().find(|l| l["stage"] == stage).unwrap_or_else(|| panic!("{stage}: {report}"));
    let parts = |key: &str, sign: &str| -> String {
        let parts = line[key].as_array().unwrap().iter();
        parts.map(|p| format!(" {sign}{} {}", p["rows"], p["why"].as_str().unwrap())).collect()
    };
    format!("{} {}{}{}", line["in"], line["out"], parts("added", "+"), parts("removed", "-"))
}

/// Runs tables that must be refused; returns codes and messages.
fn refused(tables: &str) -> String {
    let (_, ran) = run(tables);
    assert_eq!(ran.code, 2, "{tables}\n{}{}", ran.out, ran.err);
    ran.out + &ran.err
}

#[test]
fn groups_have_keys_and_aggregates() {
    let tables = "
  t:
    from: orders
    derive: {n: {from: qty, type: integer}}
    group_by: [region]
    map:
      region: coalesce(region, 'none')
      rows: {expr: count(*), type: integer}
      total: sum(amount)
      hundredth: sum(amount) / 100
      names: string_agg(id::text, '-')
      second: max(n) FILTER (WHERE id < 3)
      rank: rank() OVER (ORDER BY sum(amount) DESC)
      share: sum(amount) / sum(sum(amount)) OVER ()
    load: {file: t.csv}
";
    let expected = "\
region,rows,total,hundredth,names,second,rank,share
north,2,5.50,0.0550,1-3,2,1,0.6875
south,1,2.25,0.0225,2,3,2,0.28125
none,1,0.25,0.0025,4,,3,0.03125
";
    assert_eq!(file(tables, "t.csv"), expected);
    let (_, ran) = run(tables);
    assert_eq!(ledger(&ran, "t.group_by"), "4 3 -1 merged into groups of region");
}

#[test]
fn groups_without_map_are_their_keys() {
    let tables = "  t: {from: orders, unnest: tags, group_by: [t, parent.region], load: {file: t.ndjson}}\n";
    let (_, ran) = run(tables);
    assert_eq!(ran.code, 0, "{}", ran.err);
    // Columns of the outer row are no columns of a table without `map`.
    assert_eq!(file(tables, "t.ndjson"), "{\"t\":\"a\"}\n{\"t\":\"b\"}\n{\"t\":\"a\"}\n{\"t\":\"c\"}\n");
}

#[test]
fn one_group_of_all_rows_is_there_even_without_rows() {
    let tables = "
  none: {from: orders, where: id > 9}
  t: {from: none, group_by: [], map: {n: count(*), most: max(amount)}, load: {file: t.csv}}
  u: {from: none, group_by: region, map: {region: region, n: count(*)}, load: {file: u.csv}}
";
    assert_eq!(file(tables, "t.csv"), "n,most\n0,\n");
    assert_eq!(file(tables, "u.csv"), "region,n\n");
    let (_, ran) = run(tables);
    assert_eq!(ledger(&ran, "t.group_by"), "0 1 +1 the one group, of no rows");
}

#[test]
fn keys_may_be_expressions_that_map_repeats() {
    let tables = "
  t:
    from: orders
    group_by: [upper(region), id > 2]
    map: {region: \"lower(upper( region ))\", late: id > 2, n: count(*)}
    load: {file: t.csv}
";
    assert_eq!(file(tables, "t.csv"), "region,late,n\nnorth,false,1\nsouth,false,1\nnorth,true,1\n,true,1\n");
}

#[test]
fn a_cast_that_fails_in_a_group_is_no_silent_null() {
    let tables = "
  t:
    from: orders
    derive: {n: {expr: \"CASE WHEN id = 3 THEN 'five' ELSE qty END\", type: integer}}
    group_by: [region]
    map: {region: region, n: sum(n)}
    load: {file: t.csv}
";
    let (folder, ran) = run(tables);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let violation = &ran.json()["violations"][0];
    assert_eq!((violation["column"].as_str(), violation["rule"].as_str()), (Some("n"), Some("type")));
    assert_eq!(violation["samples"][0]["value"], "five");
    assert_eq!(violation["samples"][0]["origin"], "rows[2]");
    assert!(!folder.path().join("out/p/t.csv").exists());
}

#[test]
fn wrong_groups_are_refused_at_their_place() {
    for (tables, wanted) in [
        ("  t: {from: orders, group_by: [region], map: {a: amount}}", "E0440"),
        ("  t: {from: orders, group_by: [region], map: {a: regin}}", "Did you mean `region`?"),
        ("  t: {from: orders, group_by: [region], map: {a: sum(amont)}}", "Did you mean `amount`?"),
        ("  t: {from: orders, derive: {s: sum(amount)}}", "E0441"),
        ("  t: {from: orders, map: {s: count(*)}}", "E0441"),
        ("  t: {from: orders, where: count(*) > 1}", "E0441"),
        ("  t: {from: orders, group_by: [id], validate: [{expr: max(id) < 3}]}", "E0441"),
        ("  t: {from: orders, group_by: [region], map: {a: max(sum(amount))}}", "E0442"),
        ("  t: {from: orders, group_by: [region], map: {a: sum(row_number() over ())}}", "E0442"),
        ("  t: {from: orders, group_by: [1], map: {a: sum(amount)}}", "E0443"),
        ("  t: {from: orders, group_by: [upper(region)]}", "E0443"),
        ("  t: {from: orders, group_by: [id, id], map: {n: count(*)}}", "E0208"),
        ("  t: {from: orders, where: row_number() over (order by id) = 1}", "E0444"),
    ] {
        let told = refused(tables);
        assert!(told.contains(wanted), "{tables}: {told}");
    }
}

#[test]
fn unions_match_columns_by_name() {
    let tables = "
  slim: {from: orders, map: {id: id, region: region, amount: amount}}
  both: {union: [slim, more]}
  t: {from: both, where: id <> 2, load: {file: t.csv}}
";
    assert_eq!(file(tables, "t.csv"), "id,region,amount\n1,north,1.50\n3,north,4.00\n4,,0.25\n9,east,10.00\n");
    let (_, ran) = run(tables);
    assert_eq!(ledger(&ran, "both.union"), "0 5 +4 rows of slim +1 rows of more");
}

#[test]
fn rows_of_one_source_still_point_at_their_record_after_a_union() {
    let tables = "
  slim: {from: orders, map: {id: id, region: region}}
  late: {from: slim, where: id > 3}
  t: {union: [slim, late], validate: [unique: [id]], load: {file: t.csv}}
";
    let (_, ran) = run(tables);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(ran.json()["violations"][0]["samples"][0]["origin"], "rows[3]");
}

#[test]
fn lists_are_counted_where_rows_have_no_origin() {
    let tables = "
  a: {from: wide, map: {k: k, a: a, b: b}}
  b: {from: more, map: {k: id, a: id, b: amount}}
  both: {union: [a, b]}
  t: {from: both, unpivot: {columns: [a, b], name: what, value: x}, distinct: [what], load: {file: t.csv}}
";
    assert_eq!(file(tables, "t.csv"), "k,what,x\n1,a,1.0\n1,b,2.5\n");
    let (_, ran) = run(tables);
    assert_eq!(ledger(&ran, "t.unpivot"), "4 5 +2 further elements of a, b -1 no element in a, b");
    assert_eq!(ledger(&ran, "t.distinct"), "5 2 -3 same what");
}

#[test]
fn wrong_unions_are_refused_at_their_place() {
    for (tables, wanted) in [
        ("  t: {union: [orders, more]}", "`more` has no column `qty`, which `orders` has"),
        ("  t: {union: [more, flags]}", "column `id` is bigint in `more` and boolean in `flags`"),
        ("  t: {union: [more, moer]}", "Did you mean `more`?"),
        ("  t: {union: [more]}", "E0202"),
        ("  t: {from: more, union: [more, flags]}", "E0205"),
    ] {
        let told = refused(tables);
        assert!(told.contains(wanted), "{tables}: {told}");
    }
}

#[test]
fn unpivot_makes_rows_of_columns() {
    let tables = "
  long: {from: wide, unpivot: {columns: [a, b, c], name: what, value: x}}
  t: {from: long, where: x > 1, load: {file: t.csv}}
  u: {from: wide, unpivot: {columns: [a, b, c], name: what, value: x, nulls: keep}, load: {file: u.csv}}
";
    assert_eq!(file(tables, "t.csv"), "k,what,x\n1,b,2.5\n3,a,5.0\n3,c,7.0\n");
    assert_eq!(file(tables, "u.csv").lines().count(), 10);
    let (_, ran) = run(tables);
    assert_eq!(ledger(&ran, "long.unpivot"), "3 4 +2 further elements of a, b, c -1 no element in a, b, c");
    assert_eq!(ledger(&ran, "u.unpivot"), "3 9 +6 further elements of a, b, c");
    for (tables, wanted) in [
        ("  t: {from: wide, unpivot: {columns: [a, d], name: n, value: v}}", "E0421"),
        ("  t: {from: wide, unpivot: {columns: [a, b], name: k, value: v}}", "E0208"),
        ("  t: {from: wide, unpivot: {columns: [a, b], name: n}}", "E0202"),
        ("  t: {from: flags, unpivot: {columns: [id, amount], name: n, value: v}}", "E0446"),
        ("  t: {from: wide, unpivot: {columns: [a], name: n, value: v, nulls: skip}}", "E0206"),
    ] {
        let told = refused(tables);
        assert!(told.contains(wanted), "{tables}: {told}");
    }
}

#[test]
fn sql_is_any_select_over_relations() {
    let tables = "
  slim: {from: orders, map: {id: id, region: region, amount: amount}}
  t:
    sql: |
      WITH s AS (SELECT * FROM slim)
      SELECT s.*, m.id AS other -- the only one
      FROM s, more AS m
      WHERE s.amount > {{ vars.least }}
      ORDER BY s.id DESC
    derive: {twice: amount * 2}
    load: {file: t.csv}
";
    assert_eq!(
        file(tables, "t.csv"),
        "id,region,amount,other,twice\n3,north,4.00,9,8.00\n2,south,2.25,9,4.50\n1,north,1.50,9,3.00\n"
    );
    let (_, ran) = run(tables);
    assert_eq!(ledger(&ran, "t.sql"), "0 3 +3 rows of the query");
    for (tables, wanted) in [
        ("  t: {sql: DELETE FROM orders}", "E0448"),
        ("  t: {sql: SELECT * FROM ordes}", "Did you mean `orders`?"),
        ("  t: {sql: SELECT nope FROM orders}", "E0320"),
        ("  t: {sql: 'SELECT \"#row\" FROM orders'}", "E0320"),
        ("  t: {sql: \"SELECT * FROM 'p.yaml'\"}", "E0449"),
        ("  t: {sql: \"SELECT * FROM read_text('p.yaml')\"}", "E0449"),
        ("  t: {sql: WITH orders AS (SELECT 1 AS x) SELECT * FROM orders}", "E0204"),
        ("  t: {sql: SELECT * FROM u}\n  u: {from: t}", "E0211"),
    ] {
        let told = refused(tables);
        assert!(told.contains(wanted), "{tables}: {told}");
    }
}

#[test]
fn window_functions_are_expressions() {
    let tables = "
  t:
    from: orders
    derive:
      n: row_number() OVER (PARTITION BY region ORDER BY id DESC)
      before: lag(amount) OVER (ORDER BY id)
      so_far: sum(amount) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    map: {id: id, n: n, before: before, so_far: so_far, all: count(*) OVER ()}
    load: {file: t.csv}
";
    assert_eq!(file(tables, "t.csv"), "id,n,before,so_far,all\n1,2,,1.50,4\n2,1,1.50,3.75,4\n3,1,2.25,7.75,4\n4,1,4.00,8.00,4\n");
}

#[test]
fn an_order_by_a_cast_leaves_its_column_to_decide() {
    let tables = "
  t:
    sql: select * from (values ('a', '5'), ('a', '05'), ('b', '1')) v(k, n)
    distinct: {on: k, order_by: \"n::bigint\"}
    load: {file: t.csv}
";
    assert_eq!(file(tables, "t.csv"), "k,n\na,05\nb,1\n");
}

#[test]
fn files_are_written_whole_and_again_the_same() {
    let tables = "
  t:
    from: orders
    map: {id: id, region: region, total: amount * 100000000000000000000}
    load: [{file: t.json}, {file: deep/er/t.parquet}, {file: rows, format: ndjson}, {mode: insert}]
  again: {from: t, load: {file: again.csv}}
";
    let folder = Folder::with(&[("p.yaml", &format!("{HEAD}{tables}"))]);
    let ran = folder.pipe(&["run", "p.yaml", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let written: Vec<String> =
        ran.json()["written"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_string()).collect();
    for name in ["t.json", "deep/er/t.parquet", "rows", "again.csv", "deploy.sql", "verify.sql", "run.json"] {
        assert!(written.iter().any(|w| w.ends_with(name)), "{name}: {written:?}");
        assert!(folder.path().join("out/p").join(name).is_file(), "{name}");
    }
    assert_eq!(ledger(&ran, "again.load"), "4 4");
    let rows: serde_json::Value = serde_json::from_str(&folder.read("out/p/t.json")).unwrap();
    assert_eq!(rows.as_array().map(Vec::len), Some(4));
    let record: serde_json::Value = serde_json::from_str(&folder.read("out/p/run.json")).unwrap();
    let counted: Vec<&serde_json::Value> = record["files"].as_array().unwrap().iter().map(|file| &file["rows"]).collect();
    assert_eq!(counted, [4, 4, 4, 4], "one count for each file, whoever writes its format");
    let before = folder.read("out/p/rows");
    folder.pipe(&["run", "p.yaml"]);
    assert_eq!(folder.read("out/p/rows"), before);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("out/p")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|n| n.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn a_failed_run_leaves_no_file_behind() {
    let tables = "  t: {from: orders, map: {id: id}, load: {file: t.csv}}\n";
    let folder = Folder::with(&[("p.yaml", &format!("{HEAD}{tables}"))]);
    assert_eq!(folder.pipe(&["run", "p.yaml"]).code, 0);
    assert_eq!(folder.read("out/p/t.csv"), "id\n1\n2\n3\n4\n");
    folder.write(
        "p.yaml",
        format!("{HEAD}  t: {{from: orders, map: {{id: id}}, validate: [rows: 3], load: {{file: t.csv}}}}\n").as_bytes(),
    );
    assert_eq!(folder.pipe(&["run", "p.yaml"]).code, 1);
    assert!(!folder.path().join("out/p/t.csv").exists());
}

#[test]
fn files_may_lie_anywhere_by_their_absolute_path() {
    let elsewhere = Folder::with(&[]);
    let path = elsewhere.path().join("x.csv");
    let (_, ran) = run(&format!("  t: {{from: more, load: {{file: '{}'}}}}\n", path.display()));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(elsewhere.read("x.csv"), "region,amount,id\neast,10,9\n");
    for (tables, wanted) in [
        ("  t: {from: more, load: {file: ../x.csv}}", "E0450"),
        ("  t: {from: more, load: {file: x.xlsx}}", "E0212"),
        ("  t: {from: more, load: {file: x, format: cvs}}", "Did you mean `csv`?"),
        ("  t: {from: more, load: [{file: x.csv}, {file: ./x.csv}]}", "E0451"),
        ("  t: {from: more, load: {file: run.json}}", "E0451"),
    ] {
        let told = refused(tables);
        assert!(told.contains(wanted), "{tables}: {told}");
    }
}

#[test]
fn all_readers_see_the_same_random_values() {
    let pipeline = "
pipeline: p
target: {dialect: postgres}
extract: {raw: {rows: [{id: 1}, {id: 2}, {id: 3}]}}
tables:
  drawn: {from: raw, map: {id: id, key: uuid(), luck: random()}, validate: [{not_null: key}]}
  one: {from: drawn, load: {file: one.csv}}
  other: {from: drawn, load: {file: other.csv}}
";
    let folder = Folder::with(&[("p.yaml", pipeline)]);
    let ran = folder.pipe(&["run", "p.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let one = folder.read("out/p/one.csv");
    assert_eq!(one.lines().count(), 4);
    assert_eq!(one, folder.read("out/p/other.csv"));

    // Without checks, nothing but its readers would make a table of it.
    let folder = Folder::with(&[("p.yaml", &pipeline.replace(", validate: [{not_null: key}]", ""))]);
    assert_eq!(folder.pipe(&["run", "p.yaml"]).code, 0);
    assert_eq!(folder.read("out/p/one.csv"), folder.read("out/p/other.csv"));
}
