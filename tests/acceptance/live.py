#!/usr/bin/env python3
"""`pipe deploy`, `verify`, `run --deploy`, `run --dry-run --deploy` and `doctor` on a real PostgreSQL: what they do, and what is left when something breaks.

    live.py --pipe BIN --db URL [--points N] [--seed S]

A deployment is ended at N random points, by killing `pipe`, by ending its session and by killing the server's process; afterwards everything is there or
nothing is. URL is that of a server where databases and roles may be created. What needs more (the server's files, root) is skipped with a line that says so.
"""
import argparse
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
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
CANARY = "canary-Pa%ss'w\u00f6rd-q7391z"


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

    # ------------------------------------------------------------ what it does

    def same_as_psql(self):
        with self.world("same") as (place, url), database(self.server, "same_psql") as other:
            psql(other, "-c", SCHEMA)
            for data in "ab":
                done = place.do("deploy", url, data=data)
                played = psql(other, "-f", place.out[data] / "deploy.sql")
                self.check(done.code == 0 and played.code == 0 and state(url) == state(other), f"deploy of {data} gives what psql gives", done)
                self.check("400 rows" in done.stdout or data == "b", "deploy says what it copied", done)
                verified = place.do("verify", url, "--format", "json", data=data)
                tables = (verified.json() or {}).get("tables", [])
                self.check(verified.code == 0 and [t["result"] for t in tables] == ["ok", "ok"], f"verify of {data}", verified)
            self.fails("a table of runs without its schema", place.do("deploy", url, "--target", "told", data="b"), "X0508", words=["ops"])
            query(url, "CREATE SCHEMA ops")
            ends = [place.do("deploy", url, "--target", "told", data=d).code for d in "ab"]
            told = query(url, "SELECT pipeline, action, copied_rows, count(*) OVER () FROM ops.\"Pipe's runs\" ORDER BY number").split()
            self.check(ends == [0, 0] and told == ["live|deploy|1600|2", "live|deploy|1500|2"], "the table of runs is told of each deployment", told)
            query(url, "UPDATE child SET note = 'changed' WHERE id = 11")
            differs = place.do("verify", url, data="b")
            self.check(differs.code == 1 and "MISMATCH" in differs.stdout, "verify finds one changed value", differs)
            log = (place.out["b"] / "deploy.log").read_text()
            self.check(all(w in log for w in ["deploy run", "COPY Rows of child: 1200 rows", "deployed in", "MISMATCH"]) and re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", log), "deploy.log tells it with times", log)
            both = run([self.pipe, "run", "live", "--deploy", "--format-rows", "insert", "--format", "json"], cwd=place.root, env={"LIVE_URL": url})
            said = both.json() or {}
            self.check(both.code == 0 and said["deployed"]["status"] == "deployed" and said["verified"]["status"] == "verified", "run --deploy deploys and verifies", both)
            psql(other, "-f", place.out["a"] / "deploy.sql")
            self.check(state(url) == state(other), "INSERT scripts are played as well", both)

    def way_back(self):
        with self.world("back") as (place, url):
            states = [state(url)]
            for data in "ab":
                done = place.do("deploy", url, data=data)
                self.check(done.code == 0, f"deploy of {data}", done)
                states.append(state(url))
            self.check(len(set(map(str, states))) == 3, "each deployment changes something")
            query(url, "UPDATE child SET note = 'later' WHERE id = (SELECT min(id) FROM child)")
            changed = state(url)
            self.fails("a row that changed since", place.do("rollback", url, data="b"), "X0516")
            self.check(state(url) == changed, "a refused rollback changes nothing")
        with self.world("back2") as (place, url):
            before = state(url)
            place.do("deploy", url, data="a")
            between = state(url)
            place.do("deploy", url, data="b")
            for data, wanted in (("b", between), ("a", before)):
                done = place.do("rollback", url, data=data)
                self.check(done.code == 0 and state(url) == wanted, f"rollback of {data} brings back what was there", done)
            self.fails("a second rollback", place.do("rollback", url, data="a"), "X0516")
            self.check(state(url) == before, "a second rollback changes nothing")
            left = query(url, "SELECT count(*) FROM pg_class WHERE relname LIKE 'pipe_undo%'")
            self.check(left.strip() == "0", "no table stays behind", left)
            script = place.out["a"] / "rollback.sql"
            script.write_text(script.read_text() + "-- more\n")
            self.fails("a rollback that was changed", place.do("rollback", url, data="a"), "X0519")

    def dry_run(self):
        with self.world("dry") as (place, url):
            place.do("deploy", url)
            query(url, "UPDATE parent SET name = 'other' WHERE id <= 7; DELETE FROM child WHERE parent_id > 390; INSERT INTO parent VALUES (9001, 1, 'x'), (9002, 1, 'y')")
            seen = "SELECT n_tup_ins, n_tup_upd, n_tup_del, n_dead_tup FROM pg_stat_user_tables ORDER BY relname"
            rows = "SELECT ctid, xmin, xmax, t::text FROM parent t UNION ALL SELECT ctid, xmin, xmax, t::text FROM child t ORDER BY 4"
            time.sleep(1.5)                                  # counts arrive late
            before, objects = (query(url, seen), query(url, rows)), query(url, "SELECT count(*) FROM pg_class").strip()
            done = run([self.pipe, "run", "live", "--dry-run", "--deploy", "--format", "json"], cwd=place.root, env={"LIVE_URL": url})
            idle(url)
            time.sleep(1.5)
            would = {t["table"]: [int(t[k]) for k in ("inserts", "updates", "unchanged", "deletes", "in_the_way")] for t in (done.json() or {}).get("would_change", [])}
            self.check(done.code == 0 and would == {"parent": [0, 7, 393, 2, 0], "child": [30, 0, 1170, 0, 0]}, "a dry run counts what would change", done)
            self.check((query(url, seen), query(url, rows)) == before, "a dry run writes no row")
            self.check(query(url, "SELECT count(*) FROM pg_class").strip() == objects and temporary(url) == "0", "a dry run leaves no object")
            self.check(not (place.root / "out/live").exists(), "a dry run writes no file")

    def dry_run_of_modes(self):
        modes = {"append": "mode: append, key: id", "kept": "mode: upsert, key: id, keep: [b]", "watched": "mode: upsert, key: id, when_changed: [a]",
                 "conditional": "mode: upsert, key: id, when: source.a > target.a", "replaced": "mode: replace"}
        tables = "".join(f"  {name}:\n    from: raw\n    map: {{id: id, a: a, b: b}}\n    load: {{{load}}}\n" for name, load in modes.items())
        with self.world("modes") as (place, url):
            for name in modes:
                query(url, f"CREATE TABLE {name} (id integer PRIMARY KEY, a integer, b integer); INSERT INTO {name} VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (9, 9, 9)")
            (place.root / "schemas/modes.sql").write_text("CREATE TABLE replaced (id integer PRIMARY KEY, a integer, b integer);\n")
            # The rows that come: the same, another b, another and greater a, a new one.
            (place.root / "pipelines/modes.yaml").write_text("pipeline: modes\nextract:\n  raw: {rows: [{id: 1, a: 1, b: 1}, {id: 2, a: 1, b: 1}, {id: 3, a: 3, b: 1}, {id: 4, a: 1, b: 1}]}\ntables:\n" + tables)
            done = run([self.pipe, "run", "modes", "--dry-run", "--deploy", "--format", "json"], cwd=place.root, env={"LIVE_URL": url})
            would = {t["table"].split(".")[-1]: [int(t[k]) for k in ("inserts", "updates", "unchanged", "deletes", "in_the_way")] for t in (done.json() or {}).get("would_change", [])}
            wanted = {"append": [1, 0, 1, 0, 2], "kept": [1, 1, 2, 0, 0], "watched": [1, 1, 2, 0, 0], "conditional": [1, 1, 2, 0, 0], "replaced": [1, 2, 1, 1, 0]}
            self.check(done.code == 0 and would == wanted, "a dry run counts as each mode merges", f"{would}\n{done}")

    def in_turns(self):
        with self.world("turns") as (place, url):
            for _ in range(8):
                both = [subprocess.Popen([self.pipe, "deploy", place.out[d]], cwd=place.root, env={**os.environ, "LIVE_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for d in "ab"]
                ends = [p.communicate() + (p.returncode,) for p in both]
                versions = query(url, "SELECT DISTINCT version FROM parent UNION SELECT version FROM child").split()
                self.check(all(e[2] == 0 for e in ends) and len(versions) == 1, "two deployments at once: each whole, one after the other", ends)
            before = state(url)
            holder = subprocess.Popen(["psql", url, "-Xqc", "BEGIN; LOCK TABLE child; SELECT pg_sleep(30)"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.until(url, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'child'::regclass AND granted", "1")
                first = subprocess.Popen([self.pipe, "deploy", place.out["a"], "--lock-timeout", "4"], cwd=place.root, env={**os.environ, "LIVE_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.until(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted", "1")
                self.fails("a second deployment", place.do("deploy", url, "--lock-timeout", "0.5", data="b"), "X0521", words=["`live`"])
                out, err = first.communicate()
                self.check(first.returncode == 3 and "error[X0512]" in err, "a lock that is not free in time", err)
            finally:
                holder.kill()
                query(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()")
            self.check(state(url) == before, "refused deployments changed nothing")
            self.check(place.do("deploy", url).code == 0, "afterwards it can be deployed")

    def readers(self):
        with self.world("readers") as (place, url):
            place.do("deploy", url)
            whole, seen, going = {"1|400|1200", "2|300|1200"}, set(), threading.Event()
            ask = "SELECT (SELECT string_agg(DISTINCT version::text, ',') FROM (SELECT version FROM parent UNION ALL SELECT version FROM child) v), (SELECT count(*) FROM parent), (SELECT count(*) FROM child);\n"
            reader = subprocess.Popen(["psql", url, "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            listener = threading.Thread(target=lambda: seen.update(line.strip() for line in reader.stdout))
            asker = threading.Thread(target=lambda: [(reader.stdin.write(ask), reader.stdin.flush(), time.sleep(0.002)) for _ in iter(going.is_set, True)])
            listener.start()
            asker.start()
            ends = [place.do("deploy", url, data="ba"[i % 2]).code for i in range(12)]
            going.set()
            asker.join()
            reader.stdin.close()
            listener.join()
            reader.wait()
            self.check(ends == [0] * 12 and seen == whole, "readers see one data set or the other, never a mixture", (ends, sorted(seen)))

    # ------------------------------------------------------------ what is left when something breaks

    def random_points(self):
        with self.world("points", parents=(4000, 3000)) as (place, url):
            # What was committed must outlive the server's process, however the server of the tests is set.
            query(url, f'ALTER DATABASE "{urlsplit(url).path[1:]}" SET synchronous_commit = on')
            states = {}
            for data in "ba":
                started = time.time()
                place.do("deploy", url, data=data)
                states[data], length = state(url), time.time() - started
            local = urlsplit(url).hostname in ("127.0.0.1", "localhost") and os.geteuid() == 0
            if not local:
                self.skipped.append("killing the server's process (needs root on the server's machine)")
            halves = 0
            for point in range(self.points):
                new, old = "ba"[point % 2], "ab"[point % 2]
                how = "server" if local and point % 20 == 7 else ("pipe", "session")[point % 4 // 2]
                process = subprocess.Popen([self.pipe, "deploy", place.out[new]], cwd=place.root, env={**os.environ, "LIVE_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                time.sleep(self.dice.uniform(0, length * 1.1))
                mine = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pipe'"
                if how == "pipe":
                    process.send_signal(signal.SIGKILL)
                elif how == "session":
                    query(url, f"SELECT pg_terminate_backend(pid) {mine}")
                else:
                    for pid in query(url, f"SELECT pid {mine}").split():
                        os.kill(int(pid), signal.SIGKILL)
                    answered(url)
                out, err = process.communicate(timeout=120)
                self.check(idle(url), f"point {point}: the session ends")
                after = state(url)
                # pipe tries again what a session's end has spoiled, so that only its own death leaves the old rows.
                expected = {states[new]} if process.returncode == 0 else {states[old], states[new]} if how == "pipe" else {states[old]}
                halves += process.returncode == 0
                if not self.check(after in expected, f"point {point} ({how}): all or nothing", f"exit {process.returncode}\n{out}\n{err}"):
                    place.do("deploy", url, data=old)
                self.check(temporary(url) == "0", f"point {point} ({how}): no temporary object remains", lambda: temporary(url))
                query(url, "VACUUM ANALYZE")
                again = place.do("deploy", url, data=new)
                self.check(again.code == 0 and state(url) == states[new], f"point {point} ({how}): a second deployment succeeds", again)
            print(f"   {self.points} points, {halves} of them ended well, deployments of {length:.2f} s")

    def conflicts(self):
        with self.world("deadlock") as (place, url):
            place.do("deploy", url)
            query(url, "UPDATE parent SET name = 'z' WHERE id = 1; UPDATE child SET note = 'z' WHERE id = 11")
            other = subprocess.Popen(["psql", url, "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            other.stdin.write("SET deadlock_timeout = '60s'; BEGIN; UPDATE child SET note = 'y' WHERE id = 11;\n")
            other.stdin.flush()
            self.until(url, "SELECT count(*) FROM pg_locks WHERE relation = 'child'::regclass AND mode = 'RowExclusiveLock'", "1")
            deploy = subprocess.Popen([self.pipe, "deploy", place.out["a"], "--format", "json"], cwd=place.root, env={**os.environ, "LIVE_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.until(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pipe' AND wait_event_type = 'Lock'", "1")
            other.stdin.write("UPDATE parent SET name = 'y' WHERE id = 1; COMMIT;\n")
            other.stdin.close()
            out, err = deploy.communicate(timeout=60)
            other.wait()
            said = json.loads(out) if deploy.returncode == 0 else {}
            self.check(deploy.returncode == 0 and said.get("attempts", 0) > 1, "a deadlock is tried again", out + err)
            self.check(place.do("verify", url).code == 0, "after a deadlock everything is there")
            self.check("attempt 1 failed, nothing was committed: X0513" in (place.out["a"] / "deploy.log").read_text(), "deploy.log tells of the attempt")

    def unanswered_commit(self):
        """The server commits and the answer never comes: insert mode shows if the script is played twice."""
        with self.world("commit", mode="insert") as (place, url):
            query(self.server, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            query(self.server, "SELECT pg_reload_conf()")
            try:
                slow = url + "?options=-c%20synchronous_commit%3Don"
                deploy = subprocess.Popen([self.pipe, "deploy", place.out["a"], "--format", "json"], cwd=place.root, env={**os.environ, "LIVE_URL": slow}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.until(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pipe' AND wait_event = 'SyncRep'", "1")
                query(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pipe' AND datname = current_database()")
                out, err = deploy.communicate(timeout=60)
            finally:
                query(self.server, "ALTER SYSTEM RESET synchronous_standby_names")
                query(self.server, "SELECT pg_reload_conf()")
            log = (place.out["a"] / "deploy.log").read_text()
            self.check(deploy.returncode == 0 and json.loads(out or "{}").get("attempts") == 1, "a commit without an answer is asked about, not repeated", out + err + log)
            self.check("no answer to the commit" in log and " is committed" in log, "deploy.log tells of the question", log)
            self.check(place.do("verify", url).code == 0, "the rows are there once")
            self.fails("insert twice", place.do("deploy", url), "X0516", url, state(url))

    def interrupted(self):
        with self.world("interrupt") as (place, url):
            place.do("deploy", url)
            before = state(url)
            holder = subprocess.Popen(["psql", url, "-Xqc", "BEGIN; LOCK TABLE child; SELECT pg_sleep(31)"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.until(url, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'child'::regclass AND granted", "1")
            deploy = subprocess.Popen([self.pipe, "deploy", place.out["b"]], cwd=place.root, env={**os.environ, "LIVE_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.until(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pipe' AND wait_event_type = 'Lock'", "1")
            started = time.time()
            deploy.send_signal(signal.SIGINT)
            out, err = deploy.communicate(timeout=30)
            self.check(deploy.returncode == 130 and time.time() - started < 3 and "nothing was changed" in err, "Ctrl-C ends a statement that waits", f"exit {deploy.returncode}\n{out}\n{err}")
            holder.kill()
            query(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(31)%' AND pid <> pg_backend_pid()")
            self.check(idle(url) and state(url) == before, "Ctrl-C leaves everything as it was")

    def until(self, url, sql, wanted):
        for _ in range(500):
            if query(url, sql).strip() == wanted:
                return True
            time.sleep(0.02)
        return self.check(False, f"waited for {wanted}: {sql}")

    # ------------------------------------------------------------ bad input

    def bad_input(self):
        with self.world("bad") as (place, url):
            place.do("deploy", url)
            before = state(url)

            def fails(name, code, address, command="deploy", words=(), **options):
                self.fails(name, place.do(command, address, data="b", **options), code, url, before, words)

            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            fails("no server", "X0504", with_parts(url, host="127.0.0.1", port=port), words=[f"127.0.0.1:{port}"])
            fails("unknown host", "X0503", with_parts(url, host="nowhere.invalid"), words=["nowhere.invalid"])
            fails("missing database", "X0507", with_parts(url, path="/not_there"), words=["not_there"])
            fails("not a URL", "X0502", "mysql://someone:hunter22@host/x")
            fails("unknown sslmode", "X0502", with_parts(url, query="sslmode=maybe"), words=["maybe"])
            fails("unknown setting", "X0502", with_parts(url, query="nonsense=1"))
            if query(url, "SHOW ssl").strip() == "off":
                fails("no encryption", "X0505", with_parts(url, query="sslmode=require"))
            for name in ("live_none", "live_wrong"):
                query(self.server, f"DROP ROLE IF EXISTS {name}")
                query(self.server, f"CREATE ROLE {name} LOGIN PASSWORD 'right-password'")
            stranger = with_parts(url, user="live_none", password="right-password")
            self.fails("missing rights", place.do("deploy", stranger, data="b"), "X0509", url, before)
            if psql(with_parts(url, user="live_wrong", password="wrong"), "-c", "SELECT 1").code:
                fails("wrong password", "X0506", with_parts(url, user="live_wrong", password="wrong-password-1"), words=["live_wrong"])
            else:
                self.skipped.append("a wrong password (this server asks for none)")
            query(url, "GRANT SELECT ON parent, child TO live_none")
            self.fails("reading only", place.do("deploy", stranger, data="b"), "X0509", url, before)
            self.check(place.do("verify", stranger, data="a").code == 0, "verify needs no more than SELECT")
            query(url, "DROP OWNED BY live_none, live_wrong")
            query(self.server, "DROP ROLE live_none; DROP ROLE live_wrong")
            for name, code, arguments in [("no address", "X0501", ["--target", "bare"]), ("unknown target", "X0501", ["--target", "hear"])]:
                self.fails(name, place.do("deploy", url, *arguments), code, url, before)
            self.fails("no run", run([self.pipe, "deploy", "live"], cwd=place.root, env={"LIVE_URL": url}), "X0518", words=["run.json"])
            unset = run([self.pipe, "deploy", place.out["b"]], cwd=place.root)
            self.check(unset.code == 2 and "LIVE_URL" in unset.stderr, "a variable that is not set is named", unset)
            script = place.out["b"] / "deploy.sql"
            kept = script.read_bytes()
            script.write_bytes(kept + b"DELETE FROM parent;\n")
            fails("changed script", "X0519", url, words=["deploy.sql"])
            script.write_bytes(kept)
            fails("too slow", "X0514", with_parts(url, query="statement_timeout=0.001"))
            query(url, "ALTER TABLE parent ADD CONSTRAINT later CHECK (version < 2)NOT VALID")
            fails("a constraint that the contract does not have", "X0607", url, words=["version: less than 2"])
            query(url, "ALTER TABLE parent DROP CONSTRAINT later; CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS "
                       "$$BEGIN RAISE check_violation USING CONSTRAINT = 'later', MESSAGE = 'breaks later'; END$$; CREATE TRIGGER later BEFORE INSERT OR UPDATE ON parent EXECUTE FUNCTION later()")
            fails("a constraint of its own", "X0515", url, words=["later"])
            query(url, "DROP FUNCTION later CASCADE")
            query(url, "ALTER DATABASE \"" + urlsplit(url).path[1:] + "\" SET default_transaction_read_only = on")
            doctor = run([self.pipe, "doctor", "--target", "here"], cwd=place.root, env={"LIVE_URL": url})
            self.check(doctor.code == 3 and "X0509" in doctor.stdout and "only allows reading" in doctor.stdout, "doctor sees a server that only allows reading", doctor)
            psql(url, "-c", "SET default_transaction_read_only = off", "-c", "ALTER DATABASE \"" + urlsplit(url).path[1:] + "\" RESET default_transaction_read_only")
            query(url, "ALTER TABLE child RENAME COLUMN note TO remark")
            fails("a column dropped since", "X0607", url, words=["child.note"])
            fails("verify without a column", "X0508", url, command="verify", words=["note"])
            query(url, "ALTER TABLE child RENAME COLUMN remark TO note; ALTER TABLE child RENAME TO kid")
            self.fails("missing table", place.do("deploy", url, data="b"), "X0516", words=["child does not exist"])
            query(url, "ALTER TABLE kid RENAME TO child")
            self.check(state(url) == before and place.do("deploy", url, data="b").code == 0, "all mended, it can be deployed")

    def doctor(self):
        with self.world("doctor") as (place, url):
            well = run([self.pipe, "doctor", "--target", "here"], cwd=place.root, env={"LIVE_URL": url})
            steps = ["address", "name", "port", "encryption", "login", "version", "rights", "time-outs"]
            self.check(well.code == 0 and [line.split()[1] for line in well.stdout.splitlines()[1:]] == steps, "doctor goes through all steps", well)
            for step, code, address in [("name", "X0503", with_parts(url, host="nowhere.invalid")), ("port", "X0504", with_parts(url, port=1)), ("login", "X0507", with_parts(url, path="/not_there")), ("address", "X0502", "x")]:
                ill = run([self.pipe, "doctor", "--target", "here", "--format", "json"], cwd=place.root, env={"LIVE_URL": address})
                last = ((ill.json() or {}).get("targets") or [{"steps": [{}]}])[0]["steps"][-1]
                self.check(ill.code == 3 and (last.get("step"), last.get("ok"), last.get("error", {}).get("code")) == (step, False, code), f"doctor stops at the {step}", ill)

    def full_disk(self):
        directory = query(self.server, "SHOW data_directory").strip()
        if os.geteuid() != 0 or not Path(directory).is_dir():
            return self.skipped.append("a full disk on the server (needs root on the server's machine)")
        with folder("full") as small:
            if run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "tmpfs", small]).code:
                return self.skipped.append("a full disk on the server (may not mount)")
            try:
                owner = Path(directory).stat()
                os.chown(small, owner.st_uid, owner.st_gid)
                with self.world("full", parents=(200, 30_000)) as (place, url):
                    query(self.server, f"CREATE TABLESPACE pipe_small LOCATION '{small}'")
                    query(url, "ALTER TABLE child SET TABLESPACE pipe_small")
                    first = place.do("deploy", url)
                    before = state(url)
                    self.check(first.code == 0, "what fits is deployed", first)
                    self.fails("full disk", place.do("deploy", url, data="b"), "X0511", url, before, words=["No space left"])
                    self.check(temporary(url) == "0" and place.do("deploy", url).code == 0, "after a full disk, what fits is deployed")
            finally:
                query(self.server, "DROP TABLESPACE IF EXISTS pipe_small")
                run(["umount", small])

    def encryption(self):
        directory = Path(query(self.server, "SHOW data_directory").strip())
        if os.geteuid() != 0 or not directory.is_dir() or run(["openssl", "version"]).code:
            return self.skipped.append("encrypted connections (needs root on the server's machine, and openssl)")
        with self.world("tls") as (place, url), folder("tls") as keys:
            for name in ("ours", "theirs"):
                run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", keys / f"{name}.key", "-out", keys / f"{name}.pem", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:TRUE"])
            run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", keys / "server.key", "-out", keys / "server.csr"])
            (keys / "extensions").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
            run(["openssl", "x509", "-req", "-in", keys / "server.csr", "-CA", keys / "ours.pem", "-CAkey", keys / "ours.key", "-CAcreateserial", "-days", "2", "-extfile", keys / "extensions", "-out", keys / "server.pem"])
            owner = directory.stat()
            for name in ("server.key", "server.pem"):
                copy = directory / f"pipe-test-{name}"
                copy.write_bytes((keys / name).read_bytes())
                copy.chmod(0o600)
                os.chown(copy, owner.st_uid, owner.st_gid)
            try:
                for setting in ("ssl_cert_file = 'pipe-test-server.pem'", "ssl_key_file = 'pipe-test-server.key'", "ssl = on"):
                    query(self.server, f"ALTER SYSTEM SET {setting}")
                query(self.server, "SELECT pg_reload_conf()")
                self.until(url, "SHOW ssl", "on")
                ours, theirs = quote(str(keys / "ours.pem"), safe=""), quote(str(keys / "theirs.pem"), safe="")
                cases = [("disable", "127.0.0.1", "off", None), ("prefer", "127.0.0.1", "on", None), ("require", "127.0.0.1", "on", None),
                         (f"verify-ca&sslrootcert={ours}", "127.0.0.1", "on", None), (f"verify-full&sslrootcert={ours}", "localhost", "on", None),
                         (f"verify-full&sslrootcert={ours}", "127.0.0.1", None, "X0505"), (f"verify-ca&sslrootcert={theirs}", "localhost", None, "X0505"),
                         ("verify-full", "localhost", None, "X0505"), (f"require&sslrootcert={theirs}", "localhost", None, "X0505"), ("verify-ca&sslrootcert=missing.pem", "localhost", None, "X0505")]
                for mode, host, encrypted, code in cases:
                    address = with_parts(url, host=host, query=f"sslmode={mode}")
                    if code:
                        self.fails(f"sslmode={mode[:30]} at {host}", place.do("deploy", address), code)
                        continue
                    found = run([self.pipe, "doctor", "--target", "here"], cwd=place.root, env={"LIVE_URL": address})
                    self.check(found.code == 0 and f"encryption  {encrypted} " in found.stdout, f"sslmode={mode[:30]} at {host}: {encrypted}", found)
                    self.check(place.do("deploy", address).code == 0, f"sslmode={mode[:30]}: deploys")
            finally:
                for setting in ("ssl", "ssl_cert_file", "ssl_key_file"):
                    query(self.server, f"ALTER SYSTEM RESET {setting}")
                query(self.server, "SELECT pg_reload_conf()")
                for name in ("server.key", "server.pem"):
                    (directory / f"pipe-test-{name}").unlink()

    def secrets(self):
        with self.world("secrets", parents=(3000, 3000)) as (place, url):
            query(self.server, "DROP ROLE IF EXISTS live_canary")
            query(self.server, "CREATE ROLE live_canary LOGIN SUPERUSER PASSWORD '" + CANARY.replace("'", "''") + "'")
            whole = with_parts(url, user="live_canary", password=CANARY)
            now = urlsplit(url)
            parts = {"LIVE_USER": "live_canary", "LIVE_PASSWORD": quote(CANARY, safe=""), "LIVE_PLACE": f"{now.hostname}:{now.port}{now.path}"}
            forms = [CANARY, quote(CANARY, safe=""), "canary-Pa", "q7391z"]
            watching, lines = threading.Event(), set()

            def watch():
                while not watching.is_set():
                    for entry in Path("/proc").glob("[0-9]*/cmdline"):
                        try:
                            lines.add(entry.read_bytes())
                        except OSError:
                            pass

            watcher = threading.Thread(target=watch)
            watcher.start()
            said = []
            tried = [("deploy", whole), ("verify", whole), ("deploy", whole + "?sslmode=verify-full"), ("deploy", whole + "?nonsense=1"), ("deploy", with_parts(whole, port=1)),
                     ("deploy", with_parts(whole, path="/not_there")), ("deploy", with_parts(whole, user="nobody_here")), ("deploy", "x" + whole), ("verify", whole.replace("@", "@@")), ("rollback", whole)]
            for command, address in tried:
                for form in ("text", "json"):
                    done = place.do(command, address, "--format", form)
                    said.append(("here", command, done.code, done.stdout + done.stderr))
            for command in (["deploy", place.out["b"]], ["verify", place.out["b"]], ["doctor"], ["run", "live", "--deploy", "--out", place.root / "out-c"], ["run", "live", "--dry-run", "--deploy"], ["plan", "live"]):
                done = run([self.pipe, *command, "--target", "parts"], cwd=place.root, env={"LIVE_URL": whole, **parts})
                said.append(("parts", command[0], done.code, done.stdout + done.stderr))
            done = place.do("verify", with_parts(url, user="live_canary", password=None), env={"PGPASSWORD": CANARY})
            said.append(("PGPASSWORD", "verify", done.code, done.stdout + done.stderr))
            watching.set()
            watcher.join()
            well = {(target, command) for target, command, code, _ in said if code == 0}
            self.check({("here", "deploy"), ("here", "verify"), ("parts", "deploy"), ("parts", "verify"), ("parts", "run"), ("parts", "doctor")} <= well, "the canary's password opens the database", said)
            for target, command, _, text in said:
                self.check(not any(f in text for f in forms), f"no secret in what {command} says ({target})", text)
            for path in sorted(p for p in place.root.rglob("*") if p.is_file()):
                text = path.read_bytes()
                self.check(not any(f.encode() in text for f in forms), f"no secret in {path.relative_to(place.root)}", path)
            self.check(any(b"deploy" in line for line in lines) and not any(f.encode() in line for line in lines for f in forms), "no secret in the list of processes")
            # What a deployment keeps for the way back belongs to who deployed.
            query(url, "REASSIGN OWNED BY live_canary TO CURRENT_USER")
            query(self.server, "DROP ROLE live_canary")


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipe", required=True, type=Path)
    parser.add_argument("--db", required=True)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="the name of one case")
    given = parser.parse_args()
    failures = Failures()
    cases = Cases(given.db, given.pipe.resolve(), failures.check, given.points, given.seed)
    all_cases = [cases.same_as_psql, cases.way_back, cases.dry_run, cases.dry_run_of_modes, cases.in_turns, cases.readers, cases.conflicts, cases.unanswered_commit, cases.interrupted, cases.bad_input, cases.doctor,
                 cases.full_disk, cases.encryption, cases.secrets, cases.random_points]
    for case in all_cases:
        if given.only in (None, case.__name__):
            case()
    for skipped in cases.skipped:
        print(f"   skipped: {skipped}")
    failures.finish("live")


if __name__ == "__main__":
    sys.exit(main())
