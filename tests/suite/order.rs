//! The order of rows: whatever the number of threads, what leaves a run leaves in the order of its origin.

use crate::support::Folder;

#[test]
fn every_run_gives_the_same_bytes() {
    let mut csv = String::from("id,k,x\n");
    for i in 0..60_000_u64 {
        csv.push_str(&format!("{i},{},{}\n", i * 7919 % 5000, i * 31 % 1000));
    }
    let pipeline = "
pipeline: p
target: {dialect: postgres}
extract: {raw: {file: raw.csv}}
tables:
  g:
    from: raw
    group_by: [k]
    map: {k: k, n: count(*), one: any_value(x), all_of: \"string_agg(x::text, ' ')\", mean: avg(x::double)}
    load: {file: g.csv}
  u: {union: [raw, raw2], distinct: {on: [k]}, load: {file: u.csv}}
  raw2: {from: raw, where: x > 500}
  s: {sql: 'SELECT k, sum(x) AS x FROM raw GROUP BY k', load: {file: s.csv}}
";
    let folder = Folder::with(&[("p.yaml", pipeline), ("raw.csv", &csv)]);
    let run = |threads: &str| {
        let ran = folder.pipe(&["run", "p.yaml", "--threads", threads]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ["g.csv", "u.csv", "s.csv"].map(|name| folder.read(&format!("out/p/{name}")))
    };
    let first = run("1");
    assert_eq!(first[0].lines().count(), 5001);
    assert!(first[0].starts_with("k,n,one,all_of,mean\n0,12,0,0 "), "{}", first[0].lines().nth(1).unwrap());
    for threads in ["4", "4", "3"] {
        assert!(run(threads) == first, "another result with {threads} threads");
    }
}

#[test]
fn rows_that_joins_scatter_leave_in_order() {
    let few: String = (0..9_000_u64).map(|i| format!("{i},{}\n", i * 7919 % 40_000)).collect();
    let many: String = (0..40_000_u64).map(|i| format!("{},{i}\n", i * 6007 % 40_000)).collect();
    let pipeline = "
pipeline: p
target: {dialect: postgres}
extract: {few: {file: few.csv}, many: {file: many.csv}}
tables:
  each: {from: many, distinct: [k]}
  again: {from: few, join: {to: each, on: k, columns: [x]}}
  once: {from: again, join: {to: each, on: {x: k}, columns: {y: x}}, load: {file: once.csv}}
  asked: {sql: 'SELECT id, row_number() OVER () AS n FROM again', load: {file: asked.csv}}
";
    let few = format!("id,k\n{few}");
    let many = format!("k,x\n{many}");
    let folder = Folder::with(&[("p.yaml", pipeline), ("few.csv", &few), ("many.csv", &many)]);
    for threads in ["1", "4"] {
        let ran = folder.pipe(&["run", "p.yaml", "--threads", threads]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let ids = |name: &str| -> Vec<u64> {
            let text = folder.read(&format!("out/p/{name}"));
            text.lines().skip(1).map(|l| l.split(',').next().unwrap().parse().unwrap()).collect()
        };
        assert_eq!(ids("once.csv"), (0..9_000).collect::<Vec<u64>>(), "{threads} threads");
        let asked = folder.read("out/p/asked.csv");
        assert!(
            asked
                .lines()
                .skip(1)
                .all(|l| l.split_once(',').is_some_and(|(id, n)| id.parse::<u64>().unwrap() + 1 == n.parse::<u64>().unwrap()))
        );
    }
}

#[test]
fn rows_that_threads_join_piece_by_piece_leave_in_order() {
    // Several pieces of the left side: the engine hands out 122,880 rows at a time.
    let rows = 500_000_u64;
    let left: String = (0..rows).map(|i| format!("{i},{}\n", i * 7919 % 100)).collect();
    let right: String = (0..90_u64).map(|k| format!("{k},name {k}\n")).collect();
    let pipeline = "
pipeline: p
target: {dialect: postgres}
extract: {many: {file: many.csv}, few: {file: few.csv}}
tables:
  named:
    from: many
    join: {to: few, on: k}
    validate: [{unique: id}]
    load: [{file: named.csv}, {table: named}]
";
    let files = [("p.yaml", pipeline), ("many.csv", &format!("id,k\n{left}")), ("few.csv", &format!("k,name\n{right}"))];
    let folder = Folder::with(&files);
    for threads in ["1", "2", "3"] {
        let ran = folder.pipe(&["run", "p.yaml", "--threads", threads]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for (name, separator) in [("named.csv", ','), ("deploy.sql", '\t')] {
            let text = folder.read(&format!("out/p/{name}"));
            let numbers = text.lines().filter_map(|l| l.split_once(separator)?.0.parse::<u64>().ok());
            assert!(numbers.eq(0..rows), "{name} with {threads} threads");
        }
    }
}
