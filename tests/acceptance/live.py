#!/usr/bin/env python3
"""`pipe deploy`, `verify`, `run --deploy`, `run --dry-run --deploy` and `doctor` on a real PostgreSQL: what they do, alone and beside others.

    live.py --pipe BIN --db URL [--only CASE]

URL is that of a server where databases and roles may be created. What needs more (root) is skipped with a line that says so.
What is left when something breaks is the matter of `live_faults.py`.
"""
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import live_world
from harness import database, folder, psql, query, run
from live_world import SCHEMA, idle, state, temporary, with_parts

CANARY = "canary-Pa%ss'w\u00f6rd-q7391z"


class Cases(live_world.Cases):
    ORDER = ["same_as_psql", "way_back", "dry_run", "dry_run_of_modes", "in_turns", "readers", "doctor", "encryption", "secrets"]

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
                self.until(url, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'child'::regclass AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", "1")
                first = subprocess.Popen([self.pipe, "deploy", place.out["a"], "--lock-timeout", "4"], cwd=place.root, env={**os.environ, "LIVE_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.until(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", "1")
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

    def doctor(self):
        with self.world("doctor") as (place, url):
            well = run([self.pipe, "doctor", "--target", "here"], cwd=place.root, env={"LIVE_URL": url})
            steps = ["address", "name", "port", "encryption", "login", "version", "rights", "time-outs"]
            self.check(well.code == 0 and [line.split()[1] for line in well.stdout.splitlines()[1:]] == steps, "doctor goes through all steps", well)
            for step, code, address in [("name", "X0503", with_parts(url, host="nowhere.invalid")), ("port", "X0504", with_parts(url, port=1)), ("login", "X0507", with_parts(url, path="/not_there")), ("address", "X0502", "x")]:
                ill = run([self.pipe, "doctor", "--target", "here", "--format", "json"], cwd=place.root, env={"LIVE_URL": address})
                last = ((ill.json() or {}).get("targets") or [{"steps": [{}]}])[0]["steps"][-1]
                self.check(ill.code == 3 and (last.get("step"), last.get("ok"), last.get("error", {}).get("code")) == (step, False, code), f"doctor stops at the {step}", ill)

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


if __name__ == "__main__":
    sys.exit(live_world.main("live", __doc__, Cases))
