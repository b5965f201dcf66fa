#!/usr/bin/env python3
"""Deploys onto tables that have rows, rolls back, and compares dumps: what was there before is there again, and nothing besides.

    rollback.py --pipe PROGRAM --db URL [--seed N] [--rounds N]

Dumps are compared line by line in order of their text where rows moved on the disk, and the dump of the schema as it is.
"""
import argparse
import json
import random

from harness import Failures, contents, database, dump, folder, psql, query, run

FAILURES = Failures()
TYPES = {
    "integer": lambda r: str(r.randint(-2**31, 2**31 - 1)),
    "numeric(20,5)": lambda r: f"{r.randint(-10**12, 10**12)}.{r.randint(0, 99999):05}",
    "text": lambda r: r.choice(["", "NULL", "\\N", "o'hara", 'a"b', "two\nlines", "tab\t", "\\", "$$", "😀", "x" * r.randint(1, 3000)]),
    "boolean": lambda r: r.choice(["true", "false"]),
    "uuid": lambda r: f"{r.getrandbits(128):032x}",
    "double precision": lambda r: repr(r.uniform(-1e9, 1e9)),
    "date": lambda r: f"{r.randint(1, 9999):04}-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
    "timestamptz": lambda r: f"{r.randint(1, 9999):04}-{r.randint(1, 12):02}-{r.randint(1, 28):02} 12:34:56.{r.randint(0, 999999):06}+00",
    "jsonb": lambda r: json.dumps({"a": r.randint(0, 9), "b": [None, "ü", 1.50]}),
    "json": lambda r: '{"z" : 1, "a":  2.0}' if r.random() < 0.5 else "[]",
    "text[]": lambda r: r.choice(["{}", '{a,NULL,"b c"}', '{"NULL","",\\\\\\\\}'.replace("\\\\\\\\", '"\\\\"')]),
    "bytea": lambda r: "\\x" + r.randbytes(r.randint(0, 9)).hex(),
    "mood": lambda r: r.choice(["glad", "sad"]),
    "interval": lambda r: f"{r.randint(-9, 9)} days {r.randint(0, 9)} hours",
}


class Case:
    """One pipeline over inline tables, one database."""

    def __init__(self, name, pipe, url, temporary):
        self.name, self.pipe, self.url, self.folder = name, pipe, url, temporary / name
        (self.folder / "schemas").mkdir(parents=True)

    def emit(self, schema, tables, data, *options):
        """Writes the project and runs it; `tables` is YAML, `data` rows by source."""
        (self.folder / "schemas/schema.sql").write_text(schema)
        extract = []
        for source, rows in data.items():
            (self.folder / f"{source}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
            extract.append(f"  {source}: {{file: {source}.ndjson}}\n")
        (self.folder / "pipe.yaml").write_text("rules: {json_columns: allow, array_columns: allow, undeclared_defaults: allow}\n")
        (self.folder / "p.yaml").write_text(
            f"pipeline: {self.name}\ntarget: {{dialect: postgres, schema: public}}\nextract:\n{''.join(extract)}tables:\n{tables}")
        done = run([self.pipe, "run", "p.yaml", "--out", "out", "--quiet", *options], cwd=self.folder)
        return FAILURES.check(done.code == 0, f"{self.name}: pipe run", done)

    def play(self, script):
        return psql(self.url, "-f", self.folder / "out" / script)

    def works(self, script, what):
        done = self.play(script)
        return FAILURES.check(done.code == 0 and not done.stderr, f"{self.name}: {what}", done)

    def refuses(self, script, said, what):
        before = contents(self.url)
        done = self.play(script)
        FAILURES.check(done.code == 3 and said in done.stderr, f"{self.name}: {what}", done)
        FAILURES.check(contents(self.url) == before, f"{self.name}: {what}: something was changed")

    def same(self, before, what):
        after = contents(self.url)
        for kind, old, new in zip(("schema", "data"), before, after):
            FAILURES.check(old == new, f"{self.name}: {what}: {kind}", lambda old=old, new=new: "\n".join(
                [f"- {line}" for line in old if line not in new] + [f"+ {line}" for line in new if line not in old]))


SHOP = """CREATE TABLE shops (id integer PRIMARY KEY, slug text NOT NULL UNIQUE, name text, stars numeric(4,2), loaded_by text DEFAULT 'nobody');
CREATE TABLE goods (id integer PRIMARY KEY, shop_id integer NOT NULL REFERENCES shops (id) ON DELETE CASCADE, label text);
"""
EXTRAS = """CREATE TABLE visits (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shop_id integer NOT NULL REFERENCES shops (id) ON DELETE CASCADE);
CREATE TABLE fans (id integer PRIMARY KEY, shop_id integer REFERENCES shops (id) ON DELETE SET NULL);
CREATE TABLE stamps (visit_id integer REFERENCES visits (id) ON DELETE CASCADE, inked text);
ALTER TABLE shops ADD COLUMN shout text GENERATED ALWAYS AS (upper(name)) STORED;
ALTER TABLE shops ADD COLUMN seen timestamptz DEFAULT clock_timestamp();
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := clock_timestamp(); RETURN NEW; END';
CREATE TRIGGER touched BEFORE INSERT OR UPDATE ON shops FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO shops (id, slug, name, stars) VALUES (1, 'one', 'One', 1.5), (2, 'two', NULL, NULL), (3, 'three', 'Three', 3);
INSERT INTO goods VALUES (10, 1, 'pear'), (11, 2, 'plum'), (12, 3, NULL);
INSERT INTO visits (shop_id) VALUES (1), (3), (3);
INSERT INTO stamps VALUES (1, 'red'), (2, 'blue'), (3, NULL);
INSERT INTO fans VALUES (1, 1), (2, 3), (3, NULL);
"""
TABLES = """  shops: {{from: shop, load: {{{shops}}}}}
  goods: {{from: good, load: {{{goods}}}}}
"""


def rows(shops, goods):
    return {"shop": [dict(zip(("id", "slug", "name", "stars"), row)) for row in shops],
            "good": [dict(zip(("id", "shop_id", "label"), row)) for row in goods]}


MODES = {
    "insert": ("mode: insert", "mode: insert", rows([(4, "four", "Four", 4), (5, "five", None, 5.25)], [(13, 4, "fig"), (14, 5, None)])),
    "upsert": ("mode: upsert, key: id", "mode: upsert, key: [id]",
               rows([(1, "one", "Uno", 1.5), (2, "two", None, 2), (4, "four", "Four", 4)], [(10, 4, "pear"), (11, 2, "plum"), (13, 1, "fig")])),
    "replace": ("mode: replace", "mode: replace", rows([(1, "one", "Uno", 1.5), (4, "four", "Four", 4)], [(10, 4, "pear"), (13, 1, None)])),
    "cascade": ("mode: replace", "mode: upsert, key: id", rows([(2, "two", "Due", 1), (4, "three", "Four", 4)], [(12, 4, "back"), (13, 2, None)])),
    "append": ("mode: append", "mode: append, key: id", rows([(2, "two", None, None), (4, "four", "Four", 4)], [(13, 4, "fig"), (11, 2, "plum")])),
    "empty": ("mode: replace", "mode: replace", rows([(9, "nine", "Nine", 9)], [(90, 9, "nut")])),
}


def modes(arguments, temporary):
    for format_rows in ("copy", "insert"):
        for name, (shops, goods, data) in MODES.items():
            with database(arguments.db, "rollback") as url:
                case = Case(f"{name}_{format_rows}", arguments.pipe, url, temporary)
                query(url, SHOP + EXTRAS)
                before = contents(url)
                if not case.emit(SHOP, TABLES.format(shops=shops, goods=goods), data, "--format-rows", format_rows):
                    continue
                case.refuses("rollback.sql", "nothing to roll back", "no rollback before the deployment")
                if not case.works("deploy.sql", "deploy"):
                    continue
                kept = query(url, "SELECT relname FROM pg_class WHERE relname LIKE 'pipe\\_undo%' AND relkind = 'r' ORDER BY 1").split()
                FAILURES.check(len(kept) >= 5 and not any("new" in k for k in kept), f"{case.name}: kept tables", kept)
                if name not in ("insert",):
                    deployed = contents(url)
                    case.works("deploy.sql", "second deploy")
                    case.same(deployed, "a second deploy changes nothing and keeps the way back")
                drift(case, url)
                if case.works("rollback.sql", "rollback"):
                    case.same(before, "rollback")
                case.refuses("rollback.sql", "nothing to roll back", "second rollback")
                case.works("deploy.sql", "deploy after rollback")
                case.works("rollback.sql", "rollback of that")
                case.same(before, "rollback of that")


def drift(case, url):
    """Refused with nothing changed, whatever somebody has done to what was deployed; each change is taken back by its own undo."""
    changed = query(url, "SELECT id FROM shops WHERE name IN ('Uno', 'Four', 'Due', 'Nine') ORDER BY id LIMIT 1").strip()
    seen = query(url, f"SELECT quote_literal(seen) FROM shops WHERE id = {changed}").strip()
    back = f"ALTER TABLE shops DISABLE TRIGGER touched; UPDATE shops SET loaded_by = 'nobody', seen = {seen} WHERE id = {changed}; ALTER TABLE shops ENABLE TRIGGER touched"
    query(url, f"UPDATE shops SET loaded_by = 'me' WHERE id = {changed}")
    case.refuses("rollback.sql", "changed or deleted since", "a changed row")
    query(url, back)
    brought = query(url, "SELECT id FROM shops WHERE id IN (4, 5, 9) ORDER BY id LIMIT 1").strip()
    query(url, f"INSERT INTO fans VALUES (77, {brought})")
    case.refuses("rollback.sql", "refer to rows", "a row of somebody else that refers to a new one")
    query(url, "DELETE FROM fans WHERE id = 77")
    if case.name.startswith(("replace", "empty", "cascade")) and query(url, "SELECT count(*) FROM shops WHERE id = 3").strip() == "0":
        query(url, "INSERT INTO shops (id, slug) VALUES (3, 'again')")
        case.refuses("rollback.sql", "where it had deleted some", "a row in the place of a deleted one")
        query(url, "DELETE FROM shops WHERE id = 3")


def stacked(arguments, temporary):
    """Two deployments, rolled back in reverse order; in the wrong order it is refused."""
    with database(arguments.db, "rollback") as url:
        query(url, SHOP + EXTRAS)
        states, cases = [contents(url)], []
        for name in ("upsert", "replace"):
            shops, goods, data = MODES[name]
            case = Case(f"stacked_{name}", arguments.pipe, url, temporary)
            if not (case.emit(SHOP, TABLES.format(shops=shops, goods=goods), data) and case.works("deploy.sql", "deploy")):
                return
            states.append(contents(url))
            cases.append(case)
        cases[0].refuses("rollback.sql", "since the deployment", "the first before the second")
        cases[1].works("rollback.sql", "rollback of the second")
        cases[1].same(states[1], "rollback of the second")
        cases[0].works("rollback.sql", "rollback of the first")
        cases[0].same(states[0], "rollback of the first")


def numbered(arguments, temporary):
    """Sequences, identity columns, a table without any key, and failures in the middle."""
    schema = "CREATE TABLE notes (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code integer UNIQUE, label text);\nCREATE TABLE lines (label text, n bigserial);\n"
    tables = "  notes: {from: note, load: {mode: upsert, key: id}}\n  lines: {from: line, load: {mode: insert}}\n"
    data = {"note": [{"id": 1, "code": 1, "label": "changed"}, {"id": 50, "code": 50, "label": "new"}], "line": [{"label": "a"}, {"label": "a"}, {"label": "b"}]}
    with database(arguments.db, "rollback") as url:
        query(url, schema + "INSERT INTO notes (code, label) VALUES (1, 'x'), (2, 'y'); INSERT INTO lines (label) VALUES ('a'), ('z')")
        case = Case("numbered", arguments.pipe, url, temporary)
        before = contents(url)
        if not case.emit(schema, tables, data):
            return
        case.works("deploy.sql", "deploy")
        FAILURES.check(query(url, "SELECT last_value FROM notes_id_seq").strip() == "50", "numbered: the sequence goes on behind the loaded numbers")
        case.works("rollback.sql", "rollback")
        case.same(before, "rollback")
        query(url, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.label = 'b' THEN RAISE 'injected'; END IF; RETURN NEW; END$$; "
                   "CREATE TRIGGER refused BEFORE INSERT ON lines FOR EACH ROW EXECUTE FUNCTION refuse()")
        schema_before, rows_before = dump(url, "--schema-only"), query(url, "SELECT * FROM notes") + query(url, "SELECT * FROM lines")
        done = case.play("deploy.sql")
        FAILURES.check(done.code == 3 and "injected" in done.stderr, "numbered: a failing deploy", done)
        FAILURES.check(dump(url, "--schema-only") == schema_before and query(url, "SELECT * FROM notes") + query(url, "SELECT * FROM lines") == rows_before,
                       "numbered: a deploy that failed leaves nothing")
        query(url, "DROP FUNCTION refuse CASCADE")
        case.works("deploy.sql", "deploy")
        query(url, "SELECT nextval('notes_id_seq'); CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''injected''; END'; "
                   "CREATE EVENT TRIGGER refused ON sql_drop EXECUTE FUNCTION refuse()")
        case.refuses("rollback.sql", "injected", "a rollback that fails in the middle")
        query(url, "DROP EVENT TRIGGER refused; DROP FUNCTION refuse")
        case.works("rollback.sql", "rollback")
        FAILURES.check(query(url, "SELECT last_value FROM notes_id_seq").strip() == "51", "numbered: a sequence that went on stays")
        FAILURES.check(query(url, "SELECT id, label FROM notes ORDER BY 1").split() == ["1|x", "2|y"], "numbered: the rows are back")
        none = case.emit(schema, tables, data, "--no-rollback")
        FAILURES.check(none and not (case.folder / "out/rollback.sql").exists(), "numbered: --no-rollback withdraws the script")
        case.works("deploy.sql", "deploy without a way back")
        FAILURES.check(not query(url, "SELECT relname FROM pg_class WHERE relname LIKE 'pipe\\_undo%'").strip(), "numbered: --no-rollback keeps nothing")


def careful(arguments, temporary):
    """Appending never changes a row that is there; `keep` and `when_changed` change only what they say."""
    schema = "CREATE TABLE facts (id integer PRIMARY KEY, body text, made text, note text);\n"
    data = {"fact": [{"id": 1, "body": "same", "made": "new", "note": "new"}, {"id": 2, "body": "new", "made": "new", "note": "new"}, {"id": 3, "body": "b", "made": "m", "note": "n"}]}
    with database(arguments.db, "rollback") as url:
        query(url, schema + "INSERT INTO facts VALUES (1, 'same', 'old', 'old'), (2, 'old', 'old', 'old')")
        before = contents(url)
        case = Case("careful", arguments.pipe, url, temporary)
        if case.emit(schema, "  facts: {from: fact, load: {mode: append, key: id}}\n", data):
            case.refuses("deploy.sql", "are there with other content", "an append onto rows with other content")
        if case.emit(schema, "  facts: {from: fact, load: {mode: upsert, key: id, keep: made, when_changed: [body]}}\n", data):
            case.works("deploy.sql", "deploy")
            FAILURES.check(query(url, "SELECT * FROM facts ORDER BY id").split() == ["1|same|old|old", "2|new|old|new", "3|b|m|n"],
                           "careful: keep and when_changed", lambda: query(url, "SELECT * FROM facts ORDER BY id"))
            case.works("rollback.sql", "rollback")
            case.same(before, "rollback")


def history(arguments, temporary):
    """A row that counts its versions and gathers the ids it came from, as `set` says; the same batch again changes nothing."""
    schema = "CREATE TABLE people (id integer PRIMARY KEY, name text, version integer, data text[], changed timestamptz);\n"
    tables = """  people:
    from: person
    map: {id: id, name: name, version: 1, data: "[data]"}
    load:
      mode: upsert
      key: id
      when: "NOT list_contains(target.data, source.data[1])"
      set: {version: target.version + 1, data: target.data || source.data, changed: now()}
"""
    with database(arguments.db, "rollback") as url:
        query(url, schema + "INSERT INTO people VALUES (1, 'old', 1, '{d0}', NULL), (2, 'two', 7, '{d1,d2}', NULL)")
        before = contents(url)
        case = Case("history", arguments.pipe, url, temporary)
        data = {"person": [{"id": 1, "name": "new", "data": "d3"}, {"id": 2, "name": "other", "data": "d2"}, {"id": 3, "name": "three", "data": "d4"}]}
        if not case.emit(schema, tables, data):
            return
        for time in ("deploy", "second deploy"):
            case.works("deploy.sql", time)
            found = query(url, "SELECT id, name, version, data FROM people ORDER BY id").split()
            FAILURES.check(found == ["1|new|2|{d0,d3}", "2|two|7|{d1,d2}", "3|three|1|{d4}"], f"history: {time}: rows", found)
        done = psql(url, "-At", "-f", case.folder / "out/verify.sql")
        FAILURES.check(done.code == 0 and "|ok" in done.stdout, "history: verify", done)
        case.works("rollback.sql", "rollback")
        case.same(before, "rollback")


def kept(arguments, temporary):
    """Of one pipeline the last two deployments that changed something can be rolled back; others' ways back are left alone."""
    registers = "SELECT count(*), count(DISTINCT left(relname, 26)) FROM pg_class WHERE relname LIKE 'pipe\\_undo%' AND relkind = 'r'"
    with database(arguments.db, "rollback") as url:
        query(url, SHOP + "INSERT INTO shops (id, slug) VALUES (-1, 'first')")
        cases = []
        for number in range(4):
            # Each batch is a run of its own; the folder is where its scripts stay.
            case = Case(f"kept{number}", arguments.pipe, url, temporary)
            case.name = "other" if number == 0 else "kept"
            data = rows([(i, f"shop {number} {i}", None, number) for i in range(2)], [(i, i, f"good {number}") for i in range(2)])
            if not (case.emit(SHOP, TABLES.format(shops="mode: upsert, key: id", goods="mode: upsert, key: id"), data) and case.works("deploy.sql", f"deploy {number}")):
                return
            cases.append(case)
        found = query(url, registers).strip()
        FAILURES.check(found == "15|3", "kept: that of the other pipeline and the last two", found)
        before = contents(url)
        cases[3].works("deploy.sql", "deploy what is there")
        FAILURES.check(query(url, registers).strip() == found, "kept: a deployment that changes nothing drops nothing")
        cases[3].same(before, "deploy what is there")
        cases[1].refuses("rollback.sql", "two later deployments", "rollback of the oldest")
        for number in (3, 2):
            cases[number].works("rollback.sql", f"rollback of deployment {number}")
            left = query(url, "SELECT DISTINCT slug FROM shops WHERE id = 1 UNION SELECT label FROM goods ORDER BY 1").split("\n")
            FAILURES.check(left[:2] == [f"good {number - 1}", f"shop {number - 1} 1"], f"kept: rows after rollback {number}", left)


def random_round(arguments, temporary, seed):
    """Tables of random columns with random rows, met by others that share some of the keys."""
    r = random.Random(seed)
    kinds = r.sample(sorted(TYPES), r.randint(3, len(TYPES)))
    names = [f"c{i} {kind[0]}" if r.random() < 0.3 else f"c{i}" for i, kind in enumerate(kinds)]
    mode = r.choice(["mode: insert", "mode: upsert, key: id", "mode: upsert, key: [id, part]", "mode: replace", "mode: replace, scope: {part: 1}"])
    columns = ", ".join(f'"{name}" {kind}' for name, kind in zip(names, kinds))
    primary = "" if mode == "mode: replace" and r.random() < 0.5 else ", PRIMARY KEY (id, part)" if "part]" in mode or r.random() < 0.3 else ", PRIMARY KEY (id)"
    schema = f"CREATE TYPE mood AS ENUM ('glad', 'sad');\nCREATE TABLE things (id bigint NOT NULL, part integer NOT NULL, {columns}{primary});\n"

    def row(number):
        return {"id": number, "part": 1, **{name: None if r.random() < 0.2 else TYPES[kind](r) for name, kind in zip(names, kinds)}}

    there = [row(i) for i in range(r.randint(0, 40))]
    base = 1000 if mode == "mode: insert" else 0
    coming = [r.choice(there) if there and base == 0 and r.random() < 0.3 else row(base + i) for i in range(20, 20 + r.randint(1, 60))]
    coming = list({c["id"]: c for c in coming}.values())
    with database(arguments.db, "rollback") as url:
        list_of = ", ".join(f'"{n}"' for n in ["id", "part", *names])
        quoted = lambda v: "NULL" if v is None else str(v) if isinstance(v, int) else "E'" + v.replace("\\", "\\\\").replace("'", "''") + "'"
        values = ", ".join("(" + ", ".join(quoted(v) for v in t.values()) + ")" for t in there)
        query(url, schema)
        if there:
            casts = ", ".join(f'v."{n}"::{k}' for n, k in zip(names, kinds))
            script = temporary / f"seed{seed}.sql"
            script.write_text(f"INSERT INTO things ({list_of}) SELECT v.id, v.part, {casts} FROM (VALUES {values}) AS v ({list_of});")
            done = psql(url, "-f", script)
            if done.code:
                raise RuntimeError(str(done))
        before = contents(url)
        case = Case(f"seed{seed}", arguments.pipe, url, temporary)
        text_types = "".join(f'\n      "{n}": {{from: "\\"{n}\\"", type: "{k}"}}' for n, k in zip(names, kinds) if k in ("integer", "numeric(20,5)", "boolean", "date", "timestamptz"))
        plain = "".join(f'\n      "{n}": "\\"{n}\\""' for n, k in zip(names, kinds) if k not in ("integer", "numeric(20,5)", "boolean", "date", "timestamptz", "text[]", "bytea"))
        tables = f"  things:\n    from: thing\n    map:\n      id: id\n      part: part{text_types}{plain}\n    load: {{{mode}}}\n"
        if not (case.emit(schema, tables, {"thing": coming}) and case.works("deploy.sql", f"deploy, {mode}, {kinds}")):
            return
        if contents(url)[1] == before[1]:
            return case.refuses("rollback.sql", "nothing to roll back", "nothing was changed")
        case.works("rollback.sql", f"rollback, {mode}, {kinds}")
        case.same(before, f"rollback, {mode}, {kinds}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipe", required=True)
    parser.add_argument("--db", required=True, help="a server's URL; databases are made and dropped there")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    print(f"rollback: seed {arguments.seed}", flush=True)
    with folder("rollback") as temporary:
        modes(arguments, temporary)
        stacked(arguments, temporary)
        numbered(arguments, temporary)
        careful(arguments, temporary)
        history(arguments, temporary)
        kept(arguments, temporary)
        for number in range(arguments.rounds):
            random_round(arguments, temporary, arguments.seed + number)
    FAILURES.finish("rollback")


if __name__ == "__main__":
    main()
