#!/usr/bin/env python3
"""Loads empty tables, where rows go straight in, and tables where that would not be right: both leave the same rows, and the same way back.

    straight.py --pipe PROGRAM --db URL

Which way rows took is seen in what the deployment keeps: those that went straight in are known by their writer, the others by their keys.
"""
import argparse
import json
import os
import subprocess
import time

from harness import Failures, database, folder, psql, query, run

FAILURES = Failures()
SCHEMA = """CREATE TABLE shops (id integer PRIMARY KEY, slug text NOT NULL UNIQUE, name text, stars numeric(4,2));
CREATE TABLE goods (id integer PRIMARY KEY, shop_id integer NOT NULL REFERENCES shops (id), label text);
"""
SHOPS = [{"id": i, "slug": f"shop {i}", "name": None if i % 7 == 0 else f'N"{i}\\\n', "stars": f"{i % 5}.25"} for i in range(1, 2001)]
GOODS = [{"id": i, "shop_id": i % 2000 + 1, "label": f"good {i}"} for i in range(1, 3001)]


class Case:
    """A database with the tables, and a project whose script loads them."""

    def __init__(self, options, temporary, url, name, shops="mode: insert", goods="mode: insert", flags=(), schema=SCHEMA):
        self.pipe, self.url, self.name, self.folder = options.pipe, url, name, temporary / name
        (self.folder / "schemas").mkdir(parents=True)
        (self.folder / "schemas/s.sql").write_text(schema)
        (self.folder / "pipe.yaml").write_text(f"project: x\ntargets:\n  t: {{dialect: postgres, schema: public, url: \"{url}\"}}\ndefault_target: t\n")
        (self.folder / "p.yaml").write_text(
            f"pipeline: p\nextract:\n  s: {{file: s.ndjson}}\n  g: {{file: g.ndjson}}\ntables:\n"
            f"  shops: {{from: s, map: {{id: id, slug: slug, name: name, stars: {{from: stars, type: \"decimal(4,2)\"}}}}, load: {{{shops}}}}}\n"
            f"  goods: {{from: g, load: {{{goods}}}}}\n")
        for source, rows in (("s", SHOPS), ("g", GOODS)):
            (self.folder / f"{source}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = run([self.pipe, "run", "p.yaml", "--out", "out", "--quiet", *(flags or ("--format-rows", "copy"))], cwd=self.folder)
        FAILURES.check(done.code == 0, f"{name}: run", done)

    def play(self, script, by="psql"):
        if by == "psql":
            return psql(self.url, "-f", self.folder / f"out/{script}.sql")
        return run([self.pipe, script, "p.yaml", "--out", "out"], cwd=self.folder)

    def works(self, script, what, by="psql"):
        done = self.play(script, by)
        return FAILURES.check(done.code == 0, f"{self.name}: {what}", done)

    def refuses(self, script, said, what):
        before = rows(self.url)
        done = self.play(script)
        FAILURES.check(done.code == 3 and said in done.stderr, f"{self.name}: {what}", done)
        FAILURES.check(rows(self.url) == before, f"{self.name}: {what}: something was changed")

    def straight(self, expected):
        """Rows that went straight in are known by their writer."""
        found = query(self.url, "SELECT count(*) FILTER (WHERE writer IS NOT NULL), count(*) FROM " + register(self.url) + " WHERE number > 0").strip()
        FAILURES.check(found == f"{2 if expected else 0}|2", f"{self.name}: {'straight in' if expected else 'by the detour'}", found)


def register(url):
    return query(url, "SELECT quote_ident(relname) FROM pg_class WHERE relname ~ '^pipe_undo_[0-9a-f]+$'").strip()


def rows(url):
    return query(url, "TABLE shops ORDER BY id") + query(url, "TABLE goods ORDER BY id") + query(url, "SELECT relname FROM pg_class WHERE relname LIKE 'pipe%' ORDER BY 1")


def same_rows(options, temporary):
    """By psql and by pipe, in every mode: the rows of the detour, and the way back to nothing."""
    expected = {}
    for mode in ("mode: insert", "mode: upsert, key: id", "mode: append, key: id", "mode: replace"):
        for by in ("psql", "deploy", "insert"):
            with database(options.db, "straight") as url:
                query(url, SCHEMA)
                name = mode.replace("mode: ", "").replace(", key: ", "_") + "_" + by
                case = Case(options, temporary, url, name, mode, mode, ("--format-rows", "insert") if by == "insert" else ())
                case.works("deploy", "deploy", "psql" if by == "insert" else by)
                case.straight(by != "insert")
                found = query(url, "TABLE shops ORDER BY id") + query(url, "TABLE goods ORDER BY id")
                FAILURES.check(expected.setdefault("rows", found) == found and len(found) > 50_000, f"{name}: rows")
                verify = case.play("verify", by if by == "deploy" else "psql")
                FAILURES.check(verify.code == 0 and verify.stdout.count("ok") == 2 and "MISMATCH" not in verify.stdout, f"{name}: verify", verify)
                if mode == "mode: insert":
                    case.refuses("deploy", "was this script run before?", "a second deploy")
                else:
                    case.works("deploy", "a second deploy")
                case.works("rollback", "rollback")
                FAILURES.check(rows(url) == "", f"{name}: rollback leaves nothing", lambda url=url: rows(url)[:500])
                case.refuses("rollback", "nothing to roll back", "a second rollback")


def detours(options, temporary):
    """Whatever would make a difference, or may, leads by way of temporary tables."""
    listening = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t {} INSERT ON goods FOR EACH {} EXECUTE FUNCTION f()"
    cases = {
        "row in child": "INSERT INTO shops VALUES (-1, 'x'); INSERT INTO goods VALUES (-1, -1)",
        "row in parent": "INSERT INTO shops VALUES (-1, 'x')",
        "before trigger": listening.format("BEFORE", "ROW"),
        "after trigger": listening.format("AFTER", "ROW"),
        "statement trigger": listening.format("AFTER", "STATEMENT"),
        "no unique key": "ALTER TABLE goods DROP CONSTRAINT goods_pkey",
        "partial unique key": "ALTER TABLE goods DROP CONSTRAINT goods_pkey; CREATE UNIQUE INDEX ON goods (id) WHERE id < 0",
        "wider unique key": "ALTER TABLE goods DROP CONSTRAINT goods_pkey; CREATE UNIQUE INDEX ON goods (id, label)",
        "partitioned": "DROP TABLE goods; CREATE TABLE goods (id integer PRIMARY KEY, shop_id integer REFERENCES shops, label text) PARTITION BY RANGE (id); "
                       "CREATE TABLE goods_1 PARTITION OF goods DEFAULT",
        "straight: disabled trigger": listening.format("BEFORE", "ROW") + "; ALTER TABLE goods DISABLE TRIGGER t",
        "straight: unique index of part of the key": "ALTER TABLE goods ADD UNIQUE (shop_id, id)",
        "straight: deferred keys": "ALTER TABLE goods ALTER CONSTRAINT goods_shop_id_fkey DEFERRABLE INITIALLY DEFERRED",
        "straight: deleted rows": "INSERT INTO shops VALUES (-1, 'x'); DELETE FROM shops",
    }
    # What the contract does not say stops `pipe deploy` before it begins.
    unsaid = {"partial unique key", "wider unique key", "straight: unique index of part of the key", "straight: deferred keys"}
    for name, sql in cases.items():
        for by in ("psql",) if name in unsaid else ("psql", "deploy"):
            with database(options.db, "straight") as url:
                query(url, SCHEMA + sql)
                before = rows(url)
                case = Case(options, temporary, url, name.replace(": ", "_").replace(" ", "_") + "_" + by)
                if case.works("deploy", "deploy", by):
                    case.straight(name.startswith("straight"))
                    FAILURES.check(query(url, "SELECT count(*) FROM shops WHERE id > 0; SELECT count(*) FROM goods WHERE id > 0").split() == ["2000", "3000"],
                                   f"{case.name}: rows")
                    if case.works("rollback", "rollback", by if by == "psql" else "rollback"):
                        FAILURES.check(rows(url) == before, f"{case.name}: rollback")


def drift(options, temporary):
    """Rolled back only if the rows are as they were left, and only these."""
    with database(options.db, "straight") as url:
        query(url, SCHEMA)
        case = Case(options, temporary, url, "drift")
        case.works("deploy", "deploy")
        case.straight(True)
        query(url, "UPDATE goods SET label = 'mine' WHERE id = 5")
        case.refuses("rollback", "changed or deleted since", "a changed row")
        query(url, "UPDATE goods SET label = 'good 5' WHERE id = 5")
        query(url, "DELETE FROM goods WHERE id = 6")
        case.refuses("rollback", "changed or deleted since", "a deleted row")
        query(url, "INSERT INTO goods VALUES (6, 7, 'good 7')")
        case.refuses("rollback", "changed or deleted since", "a row in its place that is not the same")
        query(url, "UPDATE goods SET label = 'good 6' WHERE id = 6; CREATE TABLE fans (shop_id integer REFERENCES shops); INSERT INTO fans VALUES (3)")
        case.refuses("rollback", "refer to rows", "a row of somebody else that refers to one")
        query(url, "DROP TABLE fans; ALTER TABLE goods ADD COLUMN more text; UPDATE goods SET more = 'x' WHERE id = 6")
        case.refuses("rollback", "changed or deleted since", "a new column of a row that was written since")
        query(url, "ALTER TABLE goods DROP COLUMN more")
        case.works("rollback", "rollback of rows that are the same again")
        FAILURES.check(rows(url) == "", "drift: nothing is left", lambda: rows(url)[:500])
        case.works("deploy", "deploy after rollback")
        query(url, "INSERT INTO shops VALUES (-1, 'later'); INSERT INTO goods VALUES (-1, -1, 'later')")
        query(url, "VACUUM FREEZE goods")
        query(url, "VACUUM FULL shops")
        case.works("rollback", "rollback beside rows that came since")
        FAILURES.check(rows(url) == "-1|later||\n-1|-1|later\n", "drift: rows of others stay", lambda: rows(url)[:500])
        query(url, "DELETE FROM goods; DELETE FROM shops")
        case.works("deploy", "deploy once more")
        copy = f"{url}_copy"
        query(options.db, f"DROP DATABASE IF EXISTS \"{copy.rsplit('/', 1)[1]}\"")
        query(options.db, f"CREATE DATABASE \"{copy.rsplit('/', 1)[1]}\" TEMPLATE template0")
        try:
            dumped = run(["pg_dump", url, "-f", temporary / "dump.sql"])
            restored = psql(copy, "-f", temporary / "dump.sql")
            FAILURES.check(dumped.code == restored.code == 0, "drift: dump and restore", restored)
            done = psql(copy, "-f", case.folder / "out/rollback.sql")
            FAILURES.check(done.code == 0 and rows(copy) == "", "drift: rollback of what was restored from a dump", done)
        finally:
            query(options.db, f"DROP DATABASE IF EXISTS \"{copy.rsplit('/', 1)[1]}\" WITH (FORCE)")
        query(url, "TRUNCATE shops, goods")
        case.refuses("rollback", "changed or deleted since", "truncated tables")


def killed(options, temporary):
    """Ended at any moment, the load is there as a whole or not at all."""
    with database(options.db, "straight") as url:
        query(url, SCHEMA)
        case = Case(options, temporary, url, "killed")
        commands = {"psql": ["psql", url, "-X", "-q", "-f", case.folder / "out/deploy.sql"], "pipe": [options.pipe, "deploy", "p.yaml", "--out", "out"]}
        for by, command in commands.items():
            started = time.perf_counter()
            case.works("deploy", f"deploy by {by}", "psql" if by == "psql" else "deploy")
            whole, seen = time.perf_counter() - started, set()
            for point in range(12):
                query(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; " + SCHEMA)
                process = subprocess.Popen([str(c) for c in command], cwd=case.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(whole * (point + 1) / 11)
                process.kill()
                process.wait()
                for _ in range(200):
                    if query(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'").strip() == "0":
                        break
                    time.sleep(0.05)
                found = query(url, "SELECT (SELECT count(*) FROM shops), (SELECT count(*) FROM goods), (SELECT count(*) FROM pg_class WHERE relname LIKE 'pipe\\_undo%' AND relkind = 'r')").strip()
                seen.add(found)
                FAILURES.check(found in ("0|0|0", "2000|3000|5"), f"killed: {by} at point {point}", found)
            FAILURES.check("0|0|0" in seen, f"killed: {by}: some point was before the end", seen)
            query(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; " + SCHEMA)


def others(options, temporary):
    """Settings of the client, somebody else at the same time, rows that the target refuses, and no way back."""
    with database(options.db, "straight") as url:
        query(url, SCHEMA)
        case = Case(options, temporary, url, "others")
        settings = temporary / "psqlrc"
        settings.write_text("\\set ON_ERROR_ROLLBACK on\n\\set QUIET on\n")
        done = run(["psql", url, "-f", case.folder / "out/deploy.sql"], env={"PSQLRC": str(settings)})
        FAILURES.check(done.code == 0 and not done.stderr, "others: savepoints of the client", done)
        case.works("rollback", "rollback")
        done = psql(url, "--single-transaction", "-f", case.folder / "out/deploy.sql")
        FAILURES.check(done.code == 0, "others: --single-transaction", done)
        case.works("rollback", "rollback")
        query(url, "ALTER TABLE goods ADD CHECK (id < 2999)")
        case.refuses("deploy", "goods_id_check", "a row that the target refuses")
        query(url, "ALTER TABLE goods DROP CONSTRAINT goods_id_check")
        # Somebody else has a row of the same key in an open transaction, then commits: the load waits, and fails as a whole.
        other = subprocess.Popen(["psql", url, "-X", "-q", "-c", "BEGIN", "-c", "INSERT INTO shops VALUES (1999, 'theirs')", "-c", "SELECT pg_sleep(2)", "-c", "COMMIT"],
                                 stdout=subprocess.DEVNULL, env={**os.environ})
        time.sleep(0.8)
        done = case.play("deploy")
        other.wait()
        FAILURES.check(done.code == 3 and "shops_pkey" in done.stderr, "others: a row of the same key at the same time", done)
        FAILURES.check(rows(url) == "1999|theirs||\n", "others: nothing of the load stays", lambda: rows(url)[:300])
        query(url, "DELETE FROM shops")
        bare = Case(options, temporary, url, "bare", flags=("--no-rollback", "--format-rows", "copy"))
        bare.works("deploy", "deploy without a way back")
        FAILURES.check(query(url, "SELECT count(*) FROM goods").strip() == "3000" and not register(url), "bare: rows and nothing kept")
        query(url, "TRUNCATE shops, goods; CREATE ROLE pipe_straight_role LOGIN; GRANT USAGE, CREATE ON SCHEMA public TO pipe_straight_role; "
                   "GRANT ALL ON shops, goods TO pipe_straight_role; ALTER TABLE goods ENABLE ROW LEVEL SECURITY; "
                   "CREATE POLICY p ON goods USING (true) WITH CHECK (true)")
        try:
            done = run(["psql", url, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", case.folder / "out/deploy.sql"], env={"PGUSER": "pipe_straight_role", "PGOPTIONS": "-c role=pipe_straight_role"})
            FAILURES.check(done.code == 0, "others: row-level security", done)
            case.straight(False)
        finally:
            query(url, "DROP OWNED BY pipe_straight_role CASCADE; DROP ROLE pipe_straight_role")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipe", required=True)
    parser.add_argument("--db", required=True, help="a server's URL; databases are made and dropped there")
    options = parser.parse_args()
    with folder("straight") as temporary:
        same_rows(options, temporary)
        detours(options, temporary)
        drift(options, temporary)
        killed(options, temporary)
        others(options, temporary)
    FAILURES.finish("straight")


if __name__ == "__main__":
    main()
