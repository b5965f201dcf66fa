#!/usr/bin/env python3
"""Deployments to a real PostgreSQL that something breaks: what is left, and what is said.

    live_faults.py --pipe BIN --db URL [--points N] [--seed S] [--only CASE]

A deployment is ended at N random points, by killing `pipe`, by ending its session and by killing the server's process; afterwards everything is there or
nothing is. URL is that of a server where databases and roles may be created. What needs more (the server's files, root) is skipped with a line that says so.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import live_world
from harness import folder, psql, query, run
from live_world import answered, idle, state, temporary, with_parts


class Cases(live_world.Cases):
    ORDER = ["conflicts", "unanswered_commit", "interrupted", "bad_input", "full_disk", "random_points"]

    def random_points(self):
        with self.world("points", parents=(2000, 1500)) as (place, url):
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
                query(url, "VACUUM ANALYZE" if point % 10 == 9 else "VACUUM ANALYZE parent, child")
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
            self.until(url, "SELECT count(*) FROM pg_locks WHERE relation = 'child'::regclass AND mode = 'RowExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", "1")
            deploy = subprocess.Popen([self.pipe, "deploy", place.out["a"], "--format", "json"], cwd=place.root, env={**os.environ, "LIVE_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.until(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pipe' AND wait_event_type = 'Lock'", "1")
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
                self.until(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pipe' AND wait_event = 'SyncRep'", "1")
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
            self.until(url, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'child'::regclass AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", "1")
            deploy = subprocess.Popen([self.pipe, "deploy", place.out["b"]], cwd=place.root, env={**os.environ, "LIVE_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.until(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pipe' AND wait_event_type = 'Lock'", "1")
            started = time.time()
            deploy.send_signal(signal.SIGINT)
            out, err = deploy.communicate(timeout=30)
            self.check(deploy.returncode == 130 and time.time() - started < 3 and "nothing was changed" in err, "Ctrl-C ends a statement that waits", f"exit {deploy.returncode}\n{out}\n{err}")
            holder.kill()
            query(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(31)%' AND pid <> pg_backend_pid()")
            self.check(idle(url) and state(url) == before, "Ctrl-C leaves everything as it was")

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


if __name__ == "__main__":
    sys.exit(live_world.main("live faults", __doc__, Cases))
