//! Modes, guards and constraints: what a script does to a target that has rows, and that it does all or nothing.

use super::server::*;
use crate::contract::Generated;
use crate::emit::rows::RowFormat;
use crate::emit::{Literal, Mode};

#[test]
fn a_script_that_does_not_fit_changes_nothing() {
    let Some(server) = Server::open("emit_guard") else { return };
    server.sql(
        "CREATE TABLE a (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, n int GENERATED ALWAYS AS IDENTITY)",
    );
    let columns = [("id", "int"), ("twice", "int"), ("n", "int"), ("it's gone", "int")];
    let rows = || batch(columns.iter().map(|_| numbers([Some(1)])).collect());
    let gone = table("gone % table", Mode::Insert, &[], &columns[..1]);
    let load =
        Load::new(RowFormat::Copy, vec![(table("a", Mode::Insert, &["id"], &columns), rows()), (gone, batch(vec![numbers([])]))]);
    let message = server.fails(&load);
    for part in [
        "column twice of table a is computed by the database",
        "table a has no column it's gone",
        "table gone % table does not exist",
    ] {
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
    let load =
        Load::new(RowFormat::Copy, vec![(table("nullable", Mode::Upsert(Default::default()), &["k"], &[("k", "int")]), rows)]);
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
        let rows = batch(vec![
            texts([Some(country); 3]),
            numbers([Some(1), Some(2), Some(3)]),
            texts(["new", "same", "added"].map(Some)),
        ]);
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
    let load = Load::new(RowFormat::Copy, vec![(table("person", Mode::Upsert(Default::default()), &["id"], &columns), rows)]);
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
    for (mode, rows) in
        [(Mode::Insert, vec![1, 2]), (Mode::Upsert(Default::default()), vec![2, 3]), (whole.clone(), vec![3, 4]), (whole, vec![])]
    {
        let load = Load::new(RowFormat::Copy, vec![member("a", "b", mode.clone(), &rows), member("b", "a", mode.clone(), &rows)]);
        server.deploys(&load);
        assert_eq!(server.verifies(&load), ["ok", "ok"], "{mode:?}");
    }
    assert_eq!(server.sql("SELECT count(*) FROM a"), "0");
}

#[test]
fn sequences_move_forward_only() {
    let Some(server) = Server::open("emit_sequences") else {
        return;
    };
    server.sql(
        "CREATE TABLE s (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, m bigint GENERATED BY DEFAULT AS IDENTITY);
         CREATE SEQUENCE own; CREATE TABLE d (id int DEFAULT nextval('own'), k int); SELECT setval('own', 100, false)",
    );
    let mut identity = table("s", Mode::Upsert(Default::default()), &["id"], &[("id", "int"), ("n", "int"), ("m", "bigint")]);
    identity.overriding_identity = true;
    identity.columns[1].generated = Generated::Always;
    let rows = batch(vec![numbers([Some(5), Some(7)]), numbers([Some(40), Some(1)]), numbers([Some(3), Some(1)])]);
    let own =
        (table("d", Mode::Insert, &[], &[("id", "int"), ("k", "int")]), batch(vec![numbers([Some(9)]), numbers([Some(1)])]));
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
         GRANT USAGE, CREATE ON SCHEMA emit_policies TO pipe_emit_clerk; GRANT ALL ON doc TO pipe_emit_clerk",
    );
    let columns = [("id", "int"), ("tenant", "int"), ("body", "text")];
    let rows =
        |tenant| batch(vec![numbers([Some(10), Some(11)]), numbers([Some(1), Some(tenant)]), texts([Some("x"), Some("y")])]);
    let load = |tenant| {
        Load::new(RowFormat::Copy, vec![(table("doc", Mode::Upsert(Default::default()), &["id"], &columns), rows(tenant))])
    };
    let as_clerk = |load: &Load| {
        let script = [b"\\set ON_ERROR_STOP on\nSET ROLE pipe_emit_clerk;\n".to_vec(), load.deploy()].concat();
        server.psql(&[], &script)
    };
    let refused = as_clerk(&load(2));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("row-level security"),
        "{}",
        String::from_utf8_lossy(&refused.stderr)
    );
    assert_eq!(server.sql("SELECT count(*) FROM doc"), "1");
    for _ in 0..2 {
        let output = as_clerk(&load(1));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(server.sql("SELECT string_agg(seen::text, ',' ORDER BY id) FROM doc"), "0,1,1");
    assert_eq!(server.verifies(&load(1)), ["ok"]);
}

#[test]
fn an_empty_load_and_a_wrong_contract_are_told() {
    let Some(server) = Server::open("emit_odd") else { return };
    server.sql("CREATE TABLE t (id int PRIMARY KEY, body jsonb)");
    let columns = [("id", "int"), ("body", "text")];
    for mode in [Mode::Insert, Mode::Upsert(Default::default()), Mode::Replace { scope: vec![] }] {
        for format in FORMATS {
            let load =
                Load::new(format, vec![(table("t", mode.clone(), &["id"], &columns), batch(vec![numbers([]), texts([])]))]);
            server.deploys(&load);
            assert_eq!(server.verifies(&load), ["ok"]);
        }
    }
    let none = Load::new(RowFormat::Copy, vec![]);
    server.deploys(&none);
    assert!(server.verifies(&none).is_empty());
    // Believed to be text, the column is jsonb, which prints the value in its own way: said, not taken for a difference.
    let rows = batch(vec![numbers([Some(1)]), texts([Some("{\"a\":1}")])]);
    let load = Load::new(RowFormat::Copy, vec![(table("t", Mode::Upsert(Default::default()), &["id"], &columns), rows)]);
    server.deploys(&load);
    assert_eq!(server.verifies(&load), ["ok"]);
    assert!(server.sql(&String::from_utf8(load.verify()).unwrap()).contains("not checked"));
}
