#!/usr/bin/env python3
"""Foreign keys and unique keys judged against rows that already live in a real PostgreSQL.

    existing.py --pipe BIN --db URL

Each case makes tables with rows in a database of its own, runs a pipeline whose rows refer to them or repeat them, and compares what is
reported with what is planted; what passes is deployed. After each run the database is as it was: schema, rows, and not one row written.
URL is that of a server where databases may be created.
"""
import argparse
import json
import uuid
from pathlib import Path

from harness import Failures, database, folder, leftovers, psql, query, run

FAILURES = Failures()


class Place:
    """A project and a database."""

    def __init__(self, pipe, url, home):
        self.pipe, self.url, self.home = pipe, url, home
        (home / "schemas").mkdir(parents=True)

    def write(self, schema, tables, rows, url="{{ env.TARGET_URL }}"):
        """The target has `schema`'s tables; the pipeline loads `rows` (by source) as `tables` says, which is YAML."""
        (self.home / "schemas/schema.sql").write_text(schema)
        address = f", url: {json.dumps(url)}" if url else ""
        (self.home / "pipe.yaml").write_text(
            f"targets: {{t: {{dialect: postgres, schema: public{address}}}}}\ndefault_target: t\nrules: {{undeclared_defaults: allow}}\n")
        extract = ""
        for source, found in rows.items():
            (self.home / f"{source}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in found))
            extract += f"  {source}: {{file: {source}.ndjson}}\n"
        (self.home / "p.yaml").write_text(f"pipeline: p\nextract:\n{extract}tables:\n{tables}")

    def run(self, *flags):
        """Runs the pipeline and looks that the target stays as it is."""
        for _ in range(3):                                  # the server's own housekeeping may move its counters once, but not every time
            before = self.state()
            ran = run([self.pipe, "run", "p.yaml", "--out", "out", "--format", "json", *flags], cwd=self.home, env={"TARGET_URL": self.url})
            after = self.state()
            if after == before:
                break
        FAILURES.check(after == before, f"{self.home.name}: the run leaves the target as it is", lambda: f"{before[1:]} {after[1:]}")
        return ran, ran.json() or {}

    def state(self):
        """Everything of the database that a session could have written: a dump, and how many rows were ever written, taken back or not."""
        dumped = run(["pg_dump", self.url, "--no-owner"]).stdout.splitlines()
        written = query(self.url, "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables")
        return [line for line in dumped if not line.startswith(("\\restrict", "\\unrestrict"))], written


def broken(report):
    """Rule, columns, number of rows and the values that are shown."""
    return sorted((v["rule"], ",".join(v["columns"]), v["count"], tuple(sorted(str(s["value"]) for s in v["samples"]))) for v in report.get("violations", []))


def judged(place, name, want, said=(), flags=()):
    """Runs and compares; a run that finds something shows place and row, and writes no script."""
    ran, report = place.run(*flags)
    FAILURES.check(ran.code == (1 if want else 0), f"{name}: exit code", ran)
    FAILURES.check(broken(report) == sorted(want), f"{name}: what is reported", lambda: f"want {sorted(want)}\nhave {broken(report)}\n{ran}")
    FAILURES.check(report.get("unjudged") == [], f"{name}: nothing is left open", report.get("unjudged"))
    for violation in report.get("violations", []):
        whole = all(s["row"] and s["file"] and s["origin"] for s in violation["samples"]) and violation["samples"]
        FAILURES.check(whole, f"{name}: rows have their places", violation)
        text = json.dumps(violation)
        FAILURES.check(all(words in text for words in said), f"{name}: the message says {said}", violation)
    FAILURES.check(not leftovers(place.home / "out") if want else (place.home / "out/deploy.sql").is_file(), f"{name}: the script", ran)
    return report


def deployed(place, name):
    """What passed goes in at the first attempt."""
    done = psql(place.url, "-f", place.home / "out/deploy.sql")
    FAILURES.check(done.code == 0, f"{name}: deploy", done)


def types(place):
    """Keys of many types; of each, two are there and one is not. What the type cannot even be is not there."""
    ids = [str(uuid.UUID(int=n << 64 | 0xabcdef)) for n in range(1, 4)]
    cases = {
        "uuid": (ids[:2], [ids[0], ids[1].upper()], [ids[2]]),
        "text": (["Ann", "o'hara \\ \"x\", {NULL} ü"], ["Ann", "o'hara \\ \"x\", {NULL} ü"], ["ann", "", "NULL", "Ann "]),
        "varchar(3)": (["abc", ""], ["abc", ""], ["ab"]),
        "bigint": ([1, 9223372036854775807], [1, 9223372036854775807], [2, -1]),
        "smallint": ([1, 2], [1, 2], [3]),
        "date": (["2024-02-29", "2025-01-01"], ["2024-02-29", "2025-01-01"], ["2024-02-28"]),
        "timestamptz": (["2024-01-01 12:00:00+00", "2024-01-02 00:00:00.5+00"], ["2024-01-01T12:00:00Z", "2024-01-02T01:00:00.5+01:00"], ["2024-01-01T12:00:01Z"]),
        "numeric(10,2)": (["1.50", "2"], [1.5, 2.00], [1.51]),
    }
    for kind, (there, good, bad) in cases.items():
        query(place.url, f"DROP TABLE IF EXISTS child, parent; CREATE TABLE parent (id {kind} PRIMARY KEY)")
        values = ", ".join("('" + str(v).replace("'", "''") + "')" for v in there)
        query(place.url, f"INSERT INTO parent VALUES {values}")
        schema = f"CREATE TABLE child (n integer PRIMARY KEY, parent_id {kind} REFERENCES parent (id));\n"
        query(place.url, schema)
        load = "  child:\n    from: rows\n    load: {mode: upsert, key: n}\n"
        rows = [{"n": n, "parent_id": v} for n, v in enumerate([*good, *bad, None])]
        place.write(schema, load, {"rows": rows})
        want = [("references", "parent_id", len(bad), tuple(sorted(str(b) for b in bad)))] if kind != "timestamptz" else None
        if want is None:
            ran, report = place.run()
            FAILURES.check([b[:3] for b in broken(report)] == [("references", "parent_id", 1)], f"{kind}: what is reported", ran)
        else:
            judged(place, kind, want, said=("parent",))
        place.write(schema, load, {"rows": [r for r in rows if r["parent_id"] not in bad]})
        judged(place, f"{kind}: only good", [])
        deployed(place, kind)


def partly_staged(place):
    """Some parents come with the run, some are there, some are nowhere; and a parent that is replaced keeps only what is staged."""
    schema = ("CREATE TABLE parent (id integer PRIMARY KEY, name text);\n"
              "CREATE TABLE child (n integer PRIMARY KEY, parent_id integer NOT NULL REFERENCES parent (id));\n")
    query(place.url, schema + "INSERT INTO parent VALUES (1, 'old'), (2, 'old')")
    tables = "  parent:\n    from: parents\n    load: {mode: %s}\n  child:\n    from: children\n    load: {mode: upsert, key: n}\n"
    rows = {"parents": [{"id": 2, "name": "new"}, {"id": 3, "name": "new"}], "children": [{"n": n, "parent_id": n} for n in range(1, 6)]}
    place.write(schema, tables % "upsert, key: id", rows)
    judged(place, "partly staged", [("references", "parent_id", 2, ("4", "5"))])
    place.write(schema, tables % "upsert, key: id", {**rows, "children": rows["children"][:3]})
    judged(place, "partly staged, good", [])
    place.write(schema, tables % "replace", {**rows, "children": rows["children"][:3]})
    judged(place, "replaced parents", [("references", "parent_id", 1, ("1",))])


def composite(place):
    """Keys of two columns: both must be in one row, and a key with a NULL refers to nothing. Names may hold anything."""
    parent, a, b = 'we.ird "t"able', "a'; DROP TABLE x; --", 'sel"ect'
    q = lambda name: '"' + name.replace('"', '""') + '"'
    made = (f"CREATE SCHEMA {q('S c')}; CREATE TABLE {q('S c')}.{q(parent)} ({q(a)} text, {q(b)} bigint, PRIMARY KEY ({q(a)}, {q(b)}));"
            f"INSERT INTO {q('S c')}.{q(parent)} VALUES ('x', 1), ('y', 2), ('{{\"\\', 3);")
    schema = (f"CREATE TABLE child (n integer PRIMARY KEY, {q(a)} text, {q(b)} bigint,\n"
              f"  FOREIGN KEY ({q(a)}, {q(b)}) REFERENCES {q('S c')}.{q(parent)} ({q(a)}, {q(b)}));\n")
    query(place.url, made + schema)
    keys = [("x", 1), ("y", 2), ("{\"\\", 3), ("x", 2), ("X", 1), (None, 9), ("q", None), (None, None)]
    place.write(schema, "  child:\n    from: rows\n    load: {mode: upsert, key: n}\n", {"rows": [{"n": n, a: x, b: y} for n, (x, y) in enumerate(keys)]})
    ran, report = place.run()
    shown = [s["row"]["n"] for v in report.get("violations", []) for s in v["samples"]]
    FAILURES.check(ran.code == 1 and [str(n) for n in shown] == ["3", "4"], "composite: rows", ran)


def many(place):
    """A hundred thousand keys, of which a few are not there."""
    schema = "CREATE TABLE parent (id uuid PRIMARY KEY);\nCREATE TABLE child (n integer PRIMARY KEY, parent_id uuid NOT NULL REFERENCES parent);\n"
    query(place.url, schema + "INSERT INTO parent SELECT md5(i::text)::uuid FROM generate_series(1, 300000) AS i")
    keys = query(place.url, "SELECT md5(i::text)::uuid FROM generate_series(1, 100000) AS i").split()
    gone = [str(uuid.UUID(int=n)) for n in range(3)]
    rows = [{"n": n, "parent_id": k} for n, k in enumerate(keys[:50000] + gone + keys[50000:])]
    place.write("\n".join(schema.splitlines()[1:]), "  child:\n    from: rows\n    load: {mode: insert}\n", {"rows": rows})
    judged(place, "many keys", [("references", "parent_id", 3, tuple(gone))])


def uniques(place):
    """Rows that are inserted or appended may not repeat keys that are there."""
    schema = "CREATE TABLE people (id integer PRIMARY KEY, mail text UNIQUE, name text, born date, UNIQUE (name, born));\n"
    query(place.url, schema + "INSERT INTO people VALUES (1, 'a@x', 'Ann', '2000-01-01'), (2, NULL, 'Bob', NULL)")
    rows = [{"id": 1, "mail": "new@x", "name": "N", "born": "2001-01-01"}, {"id": 10, "mail": "a@x", "name": "M", "born": "2001-01-01"},
            {"id": 11, "mail": "A@x", "name": "Ann", "born": "2000-01-01"}, {"id": 12, "mail": None, "name": "Bob", "born": None}]
    place.write(schema, "  people:\n    from: rows\n    load: {mode: insert}\n", {"rows": rows})
    judged(place, "insert", [("unique", "id", 1, ("1",)), ("unique", "mail", 1, ("a@x",)), ("unique", "name,born", 1, ("None",))], said=("public.people",))
    place.write(schema, "  people:\n    from: rows\n    load: {mode: insert}\n", {"rows": rows[3:]})
    judged(place, "insert of new rows", [])
    deployed(place, "insert of new rows")
    # The row that is there with all its keys is the same row; another with its mail is not.
    rows = [{"id": 1, "mail": "a@x", "name": "Ann", "born": "2000-01-01"}, {"id": 20, "mail": "a@x", "name": "Z", "born": None}]
    place.write(schema, "  people:\n    from: rows\n    load: {mode: append, key: id}\n", {"rows": rows[:1]})
    judged(place, "append of the same row", [])
    deployed(place, "append of the same row")
    rows[0]["mail"] = None
    place.write(schema, "  people:\n    from: rows\n    load: {mode: append, key: id}\n", {"rows": rows})
    judged(place, "append", [("unique", "mail", 1, ("a@x",))])


def upserts(place):
    """A row that is changed gives up its unique values to a new row; one that is not among those that come keeps them."""
    schema = ("CREATE TABLE people (id integer PRIMARY KEY, mail text UNIQUE, name text, born date);\n"
              "CREATE UNIQUE INDEX people_name ON people (lower(name)) WHERE born IS NOT NULL;\n"
              "CREATE UNIQUE INDEX people_born ON people (born, id) NULLS NOT DISTINCT;\n")
    query(place.url, schema + "INSERT INTO people VALUES (1, 'a@x', 'Ann', '2000-01-01'), (2, 'b@x', 'Bob', NULL), (3, 'c@x', 'Cid', '2003-03-03')")

    def asked(name, rows, want, load="mode: upsert, key: id"):
        place.write(schema, f"  people:\n    from: rows\n    load: {{{load}}}\n", {"rows": [dict(zip(("id", "mail", "name", "born"), row)) for row in rows]})
        judged(place, f"upsert: {name}", want)
        if want:                                            # Postgres says the same of the rows, unjudged
            by = "\n".join(f"UPDATE people SET mail = {lit(m)}, name = {lit(n)}, born = {lit(b)} WHERE id = {i};\n"
                           f"INSERT INTO people SELECT {i}, {lit(m)}, {lit(n)}, {lit(b)} WHERE NOT EXISTS (SELECT FROM people WHERE id = {i});" for i, m, n, b in rows)
            tried = psql(place.url, "-1", "-c", by)
            FAILURES.check("duplicate key" in tried.stderr, f"upsert: {name}: the server refuses it too", tried)
        else:
            deployed(place, f"upsert: {name}")

    lit = lambda value: "NULL" if value is None else f"'{value}'"
    asked("another row keeps it", [(9, "a@x", "New", None)], [("unique", "mail", 1, ("a@x",))])
    asked("an expression and a part of the rows", [(9, "n@x", "ANN", "2009-09-09"), (10, "m@x", "BOB", "2009-09-09"), (11, "k@x", "CID", None)],
          [("unique", "name", 1, ("ANN",))])
    asked("two rows cannot swap", [(1, "b@x", "Ann", "2000-01-01"), (2, "a@x", "Bob", None)], [("unique", "mail", 2, ("a@x", "b@x"))])
    asked("the same rows again", [(1, "a@x", "Ann", "2000-01-01"), (2, "b@x", "Bob", None)], [])
    asked("a new row takes what a changed one gives up", [(1, "z@x", "Zoe", "2000-01-01"), (9, "a@x", "ann", "2001-01-01")], [])
    rows = [{"id": 20, "mail": "c@x", "name": "M", "born": None}]
    for load, why in (("mode: upsert, key: id, keep: [mail]", "does not give `mail`"), ("mode: upsert, key: id, when: target.born IS NULL", "may leave")):
        place.write(schema, f"  people:\n    from: rows\n    load: {{{load}}}\n", {"rows": rows})
        ran, report = place.run()
        said = [u for u in report.get("unjudged", []) if u["what"].startswith("unique mail") and why in u["why"]]
        FAILURES.check(ran.code == 0 and len(said) == 1, f"upsert: {load} is listed", ran)


def indexes(place):
    """Expressions, partial indexes and equal NULLs are the target's to compute, on both sides."""
    schema = ("CREATE TABLE people (id integer PRIMARY KEY, name text, kind text, n integer, UNIQUE NULLS NOT DISTINCT (kind, n));\n"
              "CREATE UNIQUE INDEX people_name ON people (lower(name)) WHERE kind = 'one';\n")
    query(place.url, schema + "INSERT INTO people VALUES (1, 'Ann', 'one', 1), (2, 'Bob', 'two', NULL), (3, 'ÉVA', 'one', 3)")
    load = "  people:\n    from: rows\n    load: {mode: insert}\n"
    rows = [{"id": 10, "name": "ANN", "kind": "one", "n": 10}, {"id": 11, "name": "bob", "kind": "one", "n": 11}, {"id": 12, "name": "ann", "kind": "x", "n": 12},
            {"id": 13, "name": "éva", "kind": "one", "n": 13}, {"id": 14, "name": "y", "kind": "two", "n": None}, {"id": 15, "name": None, "kind": "one", "n": 15}]
    lowered = query(place.url, "SELECT lower('ÉVA') = 'éva'").strip() == "t"         # the database's locale says
    place.write(schema, load, {"rows": rows})
    wrong = ("ANN", "éva") if lowered else ("ANN",)
    judged(place, "indexes", [("unique", "kind,n", 1, ("None",)), ("unique", "name", len(wrong), wrong)])
    place.write(schema, load, {"rows": [r for r in rows if r["id"] in (11, 12, 15)]})
    judged(place, "indexes, good", [])
    deployed(place, "indexes, good")


def keys(place):
    """A load's `key` tells rows apart in every mode: it may not repeat, and it says which rows are there already."""
    schema = "CREATE TABLE people (id integer PRIMARY KEY, name text, n integer);\n"
    query(place.url, schema + "INSERT INTO people VALUES (1, 'Ann', 1), (2, 'Bob', 2)")
    people = lambda: query(place.url, "SELECT string_agg(concat_ws(' ', id, name, n), ', ' ORDER BY id) FROM people").strip()
    load = "  people:\n    from: rows\n    load: {mode: %s, key: name}\n"
    twice = {"rows": [{"id": 5, "name": "Eve", "n": 1}, {"id": 6, "name": "Eve", "n": 2}, {"id": 7, "name": None, "n": 3}, {"id": 8, "name": None, "n": 4}]}
    for mode in ("insert", "upsert", "append", "replace"):
        place.write(schema, load % mode, twice)
        judged(place, f"keys: {mode}, repeated", [("unique", "name", 4, ("Eve", "Eve", "None", "None"))], said=("tells rows apart",))
    place.write(schema, load % "insert", {"rows": [{"id": 9, "name": "Ann", "n": 9}]})
    judged(place, "keys: insert, there already", [("unique", "name", 1, ("Ann",))])
    ran, _ = place.run()
    place.write(schema, load % "insert", {"rows": [{"id": 9, "name": "Ann", "n": 9}]}, url=None)
    ran = run([place.pipe, "run", "p.yaml", "--out", "out"], cwd=place.home)
    done = psql(place.url, "-f", place.home / "out/deploy.sql")
    FAILURES.check(ran.code == 0 and done.code != 0 and people() == "1 Ann 1, 2 Bob 2", "keys: insert, the script refuses what is there", done)
    place.write(schema, load % "insert", {"rows": [{"id": 3, "name": "Cid", "n": 3}]})
    judged(place, "keys: insert", [])
    deployed(place, "keys: insert")
    place.write(schema, load % "replace", {"rows": [{"id": 1, "name": "Ann", "n": 10}, {"id": 4, "name": "Dan", "n": 4}]})
    judged(place, "keys: replace", [])
    deployed(place, "keys: replace")
    FAILURES.check(people() == "1 Ann 10, 4 Dan 4", "keys: replace leaves exactly the rows that come", people())


def scopes(place):
    """A replacement takes no key of a row beyond its scope; what is in the scope goes, or is changed as an upsert changes it."""
    schema = ("CREATE TABLE people (id integer PRIMARY KEY, tenant text, mail text UNIQUE, name text, n integer, UNIQUE NULLS NOT DISTINCT (name, n));\n"
              "CREATE UNIQUE INDEX people_name ON people (lower(name)) WHERE n > 0;\n")
    query(place.url, schema)
    planted = [(1, "it's", "a@x", "Ann", None), (2, "it's", "b@x", "Bob", 2), (3, "b", "c@x", "Cid", 3), (4, "b", "d@x", "Dan", None), (5, None, "e@x", "Eve", 5)]
    columns, lit = ("id", "tenant", "mail", "name", "n"), lambda value: "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
    plant = "BEGIN; DELETE FROM people; INSERT INTO people VALUES " + ", ".join(f"({', '.join(map(lit, row))})" for row in planted) + "; COMMIT"

    def asked(name, rows, want, load="mode: replace, scope: {tenant: b}", said=()):
        query(place.url, plant)
        whole = [(row[0], "b", *row[1:]) if len(row) == 4 else row for row in rows]
        place.write(schema, f"  people:\n    from: rows\n    load: {{{load}}}\n", {"rows": [dict(zip(columns, row)) for row in whole]})
        judged(place, f"scopes: {name}", want, said)
        if not want:
            deployed(place, f"scopes: {name}")
            return
        # The script of a run that could not ask is stopped by its own guards or by the database, and nothing changes.
        before = query(place.url, "SELECT * FROM people ORDER BY id")
        place.write(schema, f"  people:\n    from: rows\n    load: {{{load}}}\n", {"rows": [dict(zip(columns, row)) for row in whole]}, url=None)
        ran, report = place.run()
        FAILURES.check(ran.code == 0, f"scopes: {name}: a run that cannot ask", ran)
        done = psql(place.url, "-f", place.home / "out/deploy.sql")
        FAILURES.check(done.code != 0 and query(place.url, "SELECT * FROM people ORDER BY id") == before, f"scopes: {name}: the script is stopped", done)
        FAILURES.check(any(words in done.stderr for words in ("duplicate key", "keys beyond the replaced scope, found")), f"scopes: {name}: by what", done)

    beyond = ("beyond the `scope`",)
    asked("the key of another's row", [(1, "x@x", "X", 9)], [("unique", "id", 1, ("1",))], said=beyond)
    asked("the key of a row whose scope is NULL", [(5, "x@x", "X", 9)], [("unique", "id", 1, ("5",))], said=beyond)
    asked("a unique value of another's row", [(3, "a@x", "X", 9), (9, "e@x", "Y", 10)], [("unique", "mail", 2, ("a@x", "e@x"))], said=beyond)
    asked("NULLs that are equal", [(3, "x@x", "Ann", None)], [("unique", "name,n", 1, ("None",))], said=beyond)
    asked("an expression and a part of the rows", [(8, "x@x", "BOB", 9), (9, "y@x", "ANN", 9)], [("unique", "name", 1, ("BOB",))], said=beyond)
    asked("the rows of the scope as they are", [(3, "c@x", "Cid", 3), (4, "d@x", "Dan", None)], [])
    asked("new rows take what goes", [(8, "c@x", "CID", 3), (9, "d@x", "Dan", None)], [])
    asked("a row that stays takes what goes", [(3, "d@x", "Dan", None)], [])
    asked("a new row takes what a changed one gives up", [(3, "new@x", "New", 9), (8, "c@x", "Cid", 3)], [])
    asked("two rows of the scope cannot swap", [(3, "d@x", "Cid", 3), (4, "c@x", "Dan", None)], [("unique", "mail", 2, ("c@x", "d@x"))])
    asked("NULL as the scope", [(5, None, "e@x", "Eve", 6), (7, None, "a@x", "F", 7)], [("unique", "mail", 1, ("a@x",))], load="mode: replace, scope: {tenant: null}", said=beyond)
    asked("a text with a quote", [(1, "it's", "b@x", "G", 1), (8, "it's", "c@x", "H", 2)], [("unique", "mail", 1, ("c@x",))], load="mode: replace, scope: {tenant: \"it's\"}", said=beyond)
    asked("a key of the load's own", [(8, "x@x", "Bob", 9)], [("unique", "name", 1, ("Bob",)), ("unique", "name", 1, ("Bob",))], load="mode: replace, key: name, scope: {tenant: b}", said=beyond)
    asked("all rows: two cannot swap", [(1, "b", "b@x", "Ann", None), (2, "b", "a@x", "Bob", 2)], [("unique", "mail", 2, ("a@x", "b@x"))], load="mode: replace")
    asked("all rows: what goes is free", [(1, "b", "b@x", "Ann", None), (9, "b", "c@x", "Cid", 3)], [], load="mode: replace")
    # Rows beyond the scope of parents count for their children, those within it only if they come again.
    query(place.url, plant + "; CREATE TABLE child (n integer PRIMARY KEY, person integer REFERENCES people)")
    tables = "  people:\n    from: rows\n    load: {mode: replace, scope: {tenant: b}}\n  child:\n    from: children\n    load: {mode: insert}\n"
    rows = {"rows": [{"id": 3, "tenant": "b", "mail": "c@x", "name": "Cid", "n": 3}], "children": [{"n": n, "person": n} for n in (1, 3, 4, 5, 6)]}
    schema += "CREATE TABLE child (n integer PRIMARY KEY, person integer REFERENCES people);\n"
    place.write(schema, tables, rows)
    judged(place, "scopes: parents", [("references", "person", 2, ("4", "6"))])
    rows["children"] = [c for c in rows["children"] if c["n"] in (1, 3, 5)]
    place.write(schema, tables, rows)
    judged(place, "scopes: parents, good", [])
    deployed(place, "scopes: parents, good")


def set_aside(place):
    """Rows that are set aside are no rows: what they repeat is free, and what passes is still judged against the target."""
    schema = "CREATE TABLE people (id integer PRIMARY KEY, mail text UNIQUE, age integer CHECK (age > 0));\n"
    query(place.url, schema + "INSERT INTO people VALUES (1, 'a@x', 1), (2, 'b@x', 1)")
    load = "  people:\n    from: rows\n    on_failure: quarantine\n    load: {mode: upsert, key: id}\n"
    place.write(schema, load, {"rows": [{"id": 1, "mail": "z@x", "age": -1}, {"id": 9, "mail": "a@x", "age": 5}]})
    judged(place, "set aside: the row that would give it up does not come", [("unique", "mail", 1, ("a@x",))])
    place.write(schema, load, {"rows": [{"id": 8, "mail": "a@x", "age": -1}, {"id": 9, "mail": "y@x", "age": 5}]})
    judged(place, "set aside: good", [])
    deployed(place, "set aside: good")


def unanswered(place):
    """What the target cannot answer is listed with the reason, and is no failure."""
    schema = "CREATE TABLE child (n integer PRIMARY KEY, parent_id integer REFERENCES parent (id));\n"
    load = "  child:\n    from: rows\n    load: {mode: upsert, key: n}\n"
    rows = {"rows": [{"n": 1, "parent_id": 7}]}
    reasons = {"no table": (None, 'no table "public"."parent"'), "no column": ("CREATE TABLE parent (nr integer PRIMARY KEY)", 'no column "id"'),
               "no such type": ("DROP TABLE parent; CREATE TABLE parent (id point)", "could not be asked")}
    for name, (statement, why) in reasons.items():
        if statement:
            query(place.url, statement)
        place.write(schema, load, rows)
        ran, report = place.run()
        open_ = report.get("unjudged", [])
        FAILURES.check(ran.code == 0 and len(open_) == 1 and why in open_[0]["why"], f"unanswered, {name}", ran)
    for name, url, why in (("no url", None, "live in the target"), ("nobody there", "postgresql://u:secret-word@127.0.0.1:1/x", "could not be asked"),
                           ("no variable", "{{ env.PIPE_IS_NOT_SET }}", "live in the target")):
        place.write(schema, load, rows, url)
        ran, report = place.run()
        open_ = report.get("unjudged", [])
        FAILURES.check(ran.code == 0 and len(open_) == 1 and why in open_[0]["why"], f"unanswered, {name}", ran)
        FAILURES.check("secret-word" not in ran.stdout + ran.stderr, f"unanswered, {name}: no password", ran)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=Path)
    arguments.add_argument("--db", required=True, help="URL of a PostgreSQL server where databases may be created")
    a = arguments.parse_args()
    with folder("existing") as temporary:
        for case in (types, partly_staged, composite, many, uniques, upserts, indexes, keys, scopes, set_aside, unanswered):
            with database(a.db, f"existing_{case.__name__}") as url:
                try:
                    case(Place(a.pipe.resolve(), url, temporary / case.__name__))
                except Exception as wrong:                  # a step that could not even be judged
                    FAILURES.check(False, case.__name__, repr(wrong))
    FAILURES.finish("existing")


if __name__ == "__main__":
    main()
