"""What `live.py` and `live_faults.py` share: a project with two runs, a database with its tables, what is expected of an error.

Standard library only, and the `psql` program. Knows nothing about any case.
"""
import argparse
import json
import random
import time
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from harness import Failures, database, folder, psql, query, run

SCHEMA = """\
CREATE TABLE parent (id integer PRIMARY KEY, version integer NOT NULL, name text NOT NULL);
CREATE TABLE child (id integer PRIMARY KEY, parent_id integer NOT NULL REFERENCES parent (id), note text, version integer NOT NULL);
CREATE INDEX ON child (parent_id);
"""
PIPELINE = """\
pipeline: live
vars: {data: a}
extract:
  raw: {file: "data/{{ vars.data }}.json"}
tables:
  parent:
    from: raw
    map: {id: id, version: version, name: name}
    load: {mode: MODE, key: id}
  child:
    from: raw
    unnest: notes
    map:
      id: parent.id * 10 + position
      parent_id: parent.id
      note: value
      version: parent.version
    load: {mode: MODE, key: id}
"""
PROJECT = """\
targets:
  here: {dialect: postgres, url: "{{ env.LIVE_URL }}"}
  parts: {dialect: postgres, url: "postgres://{{ env.LIVE_USER }}:{{ env.LIVE_PASSWORD }}@{{ env.LIVE_PLACE }}"}
  told: {dialect: postgres, url: "{{ env.LIVE_URL }}", runs: "ops.Pipe's runs"}
  bare: {dialect: postgres}
default_target: here
"""
STATE = "SELECT md5(coalesce(string_agg(r, '|' ORDER BY r), '')) FROM (SELECT p::text AS r FROM parent p UNION ALL SELECT 'c' || c::text FROM child c) x"
TEXTS = ["plain", "it's", "back\\slash", "\\.", "\\N", "tab\tand\nline", "\r\n", "$$;", "-- no", "/* no", "\u00fc\U0001f642", "", "';"]


class Place:
    """A project in a folder, with runs of two data sets that were never deployed."""

    def __init__(self, pipe, root, mode="replace", parents=(400, 300)):
        self.pipe, self.root, self.out = pipe, root, {}
        for name, text in {"pipe.yaml": PROJECT, "pipelines/live.yaml": PIPELINE.replace("MODE", mode), "schemas/tables.sql": SCHEMA}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (root / "data").mkdir()
        for number, (data, count) in enumerate(zip("ab", parents), 1):
            rows = [{"id": i, "version": number, "name": TEXTS[i % len(TEXTS)], "notes": [TEXTS[(i + k) % len(TEXTS)] for k in range(2 + number)]} for i in range(1, count + 1)]
            (root / f"data/{data}.json").write_text(json.dumps(rows))
            self.out[data] = root / f"out-{data}"
            done = run([pipe, "run", "live", "--var", f"data={data}", "--out", self.out[data]], cwd=root)
            if done.code:
                raise RuntimeError(str(done))

    def do(self, command, url, *arguments, data="a", env=None, **options):
        """Runs a command on a data set's output folder."""
        return run([self.pipe, command, self.out[data], *arguments], cwd=self.root, env={"LIVE_URL": url, **(env or {})}, **options)


def state(url):
    return query(url, STATE).strip()


def with_parts(url, **parts):
    """Returns a URL with another user, password, host, port, path or query."""
    now = urlsplit(url)
    user, password = parts.get("user", now.username), parts.get("password", now.password)
    who = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    return urlunsplit(now._replace(netloc=f"{who}@{parts.get('host', now.hostname)}:{parts.get('port', now.port or 5432)}", path=parts.get("path", now.path), query=parts.get("query", "")))


def idle(url):
    """Waits until no session of `pipe` is left in the database."""
    for _ in range(400):
        if query(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pipe'").strip() == "0":
            return True
        time.sleep(0.02)
    return False


def temporary(url):
    # What a deployment keeps for the way back is meant to stay.
    return query(url, "SELECT count(*) FROM pg_class WHERE relpersistence = 't' OR relname LIKE 'pipe!_%' ESCAPE '!' AND relname NOT LIKE 'pipe!_undo!_%' ESCAPE '!'").strip()


def answered(server):
    """Waits until the server takes connections again."""
    for _ in range(600):
        if psql(server, "-c", "SELECT 1").code == 0:
            return
        time.sleep(0.05)
    raise RuntimeError("the server did not come back")


class Cases:
    def __init__(self, server, pipe, check, points, seed):
        self.server, self.pipe, self.check, self.points, self.dice = server, pipe, check, points, random.Random(seed)
        self.skipped = []

    def world(self, name, **options):
        """A project and an empty database with its tables."""
        return World(self, name, options)

    def fails(self, name, done, code, url=None, before=None, words=()):
        """Expects an error with this code, its fix, and an unchanged target."""
        good = done.code == 3 and f"error[{code}]" in done.stderr and "= help: " in done.stderr and all(w in done.stderr for w in words)
        self.check(good and "panicked" not in done.stderr, f"{name}: error {code} that says what to do", done)
        if before is not None:
            self.check(state(url) == before, f"{name}: nothing changed", done)

    def until(self, url, sql, wanted):
        for _ in range(500):
            if query(url, sql).strip() == wanted:
                return True
            time.sleep(0.02)
        return self.check(False, f"waited for {wanted}: {sql}")


class World:
    def __init__(self, cases, name, options):
        self.folder, self.database, self.cases, self.options = folder(f"live-{name}"), database(cases.server, f"live_{name}"), cases, options

    def __enter__(self):
        place = Place(self.cases.pipe, self.folder.__enter__(), **self.options)
        url = self.database.__enter__()
        psql(url, "-c", SCHEMA)
        return place, url

    def __exit__(self, *error):
        self.database.__exit__(*error)
        self.folder.__exit__(*error)


def main(title, description, kind):
    """Runs every case of a class, in the order of its methods; a case is a method that takes nothing."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipe", required=True, type=Path)
    parser.add_argument("--db", required=True)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="the name of one case")
    given = parser.parse_args()
    failures = Failures()
    cases = kind(given.db, given.pipe.resolve(), failures.check, given.points, given.seed)
    for name in kind.ORDER:
        if given.only in (None, name):
            getattr(cases, name)()
    for skipped in cases.skipped:
        print(f"   skipped: {skipped}")
    failures.finish(title)
