#!/usr/bin/env python3
"""`pipe deploy`, `verify`, `run --deploy` and `doctor` over TDS, as far as they can be seen without a real server.

    azure.py --pipe BIN [--url URL]

The other side is `tds.py`, a stand-in built from the published protocol: it executes nothing. What is seen here: that every batch of the script arrives in order and
letter by letter, that the bytes of a bulk load hold the values that were meant, and that whatever goes wrong at whatever request, no COMMIT is sent. What the
statements do is not seen. With URL (or PIPE_TEST_AZURE_URL: a database where tables may be made, and `sqlcmd` to make them) the last part deploys to a real server.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from azure_catalog import differs, imports
from azure_existing import existing
from azure_preview import previews
from azure_real import real
from azure_sources import sources
from harness import Failures, folder, run
from tds import Server
from tsql import batches

SCHEMA = """\
CREATE TABLE dbo.pipe_parent (id int NOT NULL PRIMARY KEY, name nvarchar(60) NOT NULL, price decimal(38,10) NULL, ratio float NULL, big bigint NULL, ok bit NULL, born date NULL, body varbinary(20) NULL);
GO
CREATE TABLE dbo.pipe_child (id int NOT NULL PRIMARY KEY, parent_id int NOT NULL REFERENCES dbo.pipe_parent (id), note nvarchar(max) NULL);
GO
"""
PIPELINE = """\
pipeline: azure
extract:
  raw: {file: data/parents.json, columns: {price: "decimal(38,10)", big: bigint, ratio: double, born: date}}
  few: {file: data/few.json}
tables:
  pipe_parent:
    from: raw
    map: {id: id, name: name, price: price, ratio: ratio, big: big, ok: ok, born: born, body: encode(name)}
    load: {table: dbo.pipe_parent, mode: upsert, key: id}
  pipe_child:
    from: few
    map: {id: id, parent_id: parent_id, note: note}
    load: {table: dbo.pipe_child, mode: upsert, key: id}
"""
PROJECT = """\
targets:
  here: {dialect: azure_sql, url: "{{ env.AZURE_URL }}"}
  told: {dialect: azure_sql, url: "{{ env.AZURE_URL }}", runs: "ops.Pipe's ]runs"}
default_target: here
"""
CANARY = "canary-Pa%ss'w\u00f6rd-q7391z"
TEXTS = ["plain", "it's", "''", "a\nGO\nb", "$(x)", "back\\", "\u00fc\U0001f642", "", "tab\t\"q\"", "--", "]')", "NULL"]
VERIFIED = [["table", "nvarchar(60)"], ["expected", "bigint"], ["found", "bigint"], ["expected_checksum", "decimal(38,0)"], ["found_checksum", "nvarchar(40)"], ["result", "nvarchar(10)"]]
ROWS = 2500


def parents():
    for i in range(ROWS):
        price = None if i % 7 == 0 else ["0.1", "-0.0000000001", "1234567890123456789012345678.0123456789"][i % 3]
        yield {"id": i, "name": TEXTS[i % len(TEXTS)] + "x" * (i % 3), "price": price, "ratio": [0.1, 1e300, -2.5e-300][i % 3], "big": [9223372036854775807, -9007199254740993, None][i % 3],
               "ok": [True, False, None][i % 3], "born": ["0001-01-01", "9999-12-31", None][i % 3]}


class Place:
    def __init__(self, pipe, root, check):
        self.pipe, self.root, self.check = pipe, root, check
        for name, text in {"pipe.yaml": PROJECT, "pipelines/azure.yaml": PIPELINE, "schemas/tables.sql": SCHEMA}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (root / "data").mkdir()
        (root / "data/parents.json").write_text(json.dumps(list(parents())))
        (root / "data/few.json").write_text(json.dumps([{"id": i, "parent_id": i, "note": text} for i, text in enumerate(TEXTS)]))
        done = run([pipe, "run", "azure"], cwd=root)
        if done.code:
            raise RuntimeError(str(done))
        self.out = root / "out/azure"

    def script(self, name="deploy.sql"):
        """The script's batches, but for those of rows in JSON and what follows the COMMIT."""
        kept = []
        for batch in batches((self.out / name).read_text(encoding="utf-8")):
            if "FROM OPENJSON(N'[" in batch:
                kept.append(None)
                continue
            text = batch.strip("\n")
            if text.endswith("\nCOMMIT TRANSACTION;"):
                return [*kept, text.removesuffix("\nCOMMIT TRANSACTION;")]
            kept.append(text)
        return kept

    def url(self, port, query="?sslmode=disable&connect_timeout=5", host="127.0.0.1", password=CANARY):
        return f"sqlserver://ana:{quote(password, safe='')}@{host}:{port}/sales{query}"

    def do(self, server, *command, query="?sslmode=disable&connect_timeout=5", url=None, **options):
        done = run([self.pipe, *command], cwd=self.root, env={"AZURE_URL": url or self.url(server.port, query)}, **options)
        secrets = [CANARY, quote(CANARY, safe="")]
        written = [p for p in self.root.rglob("*") if p.is_file() and any(s in p.read_text(errors="replace") for s in secrets)]
        self.check(not any(s in done.stdout + done.stderr for s in secrets) and not written, "the password is nowhere", (done, written))
        if server:
            self.check(not server.wrong, "the protocol is kept", server.wrong)
        return done


def commits(server, session=None):
    return [sql for sql in server.batches(session) if sql == "COMMIT" or "COMMIT TRANSACTION" in sql]


def conversation(server, session=1):
    """What a session was told, with the batches of a bulk load as one `None`."""
    told = []
    for entry in (e for e in server.log if e["session"] == session and e["kind"] in ("batch", "bulk")):
        sql = entry.get("sql", "")
        if "#pipe_rows" in sql or entry["kind"] == "bulk":
            if not told or told[-1] is not None:
                told.append(None)
        else:
            told.append(sql.strip("\n"))
    return told


def squeezed(script):
    """Neighbouring batches of rows as one."""
    return [batch for i, batch in enumerate(script) if batch is not None or i == 0 or script[i - 1] is not None]


def deploys(place, check):
    with Server() as server:
        done = place.do(server, "deploy", "azure")
        check(done.code == 0 and f"dbo.pipe_parent  {ROWS} rows" in done.stdout and "deployed run" in done.stdout, "deploy: done", done)
        login = server.log[0]
        check((login["user"], login["password"], login["database"], login["app"]) == ("ana", CANARY, "sales", "pipe"), "deploy: login", login)
        told = conversation(server)
        check(told[0].startswith("SET LOCK_TIMEOUT 30000;") and "sp_getapplock @Resource = N'pipe deploys azure'" in told[1], "deploy: settings and lock come first", told[:2])
        expected = squeezed(place.script())
        check("sys.objects AS o" in told[2], "deploy: the catalog is asked before anything is done", told[2])
        check(told[3:-2] == expected, "deploy: the script's batches, letter by letter", lambda: next(((a, b) for a, b in zip(told[3:], expected) if a != b), (len(told), len(expected))))
        check("CURRENT_TRANSACTION_ID" in told[-2] and told[-1] == "COMMIT" and len(commits(server)) == 1, "deploy: one COMMIT, at the end", told[-2:])
        loads = [e for e in server.log if e["kind"] == "bulk"]
        check(len(loads) == 1 and loads[0]["types"] == ["int", "nvarchar(max)", "decimal(38,10)", "float", "bigint", "bit", "nvarchar(max)", "nvarchar(max)"], "deploy: one bulk load", [e["types"] for e in loads])
        wrong = []
        for want, got in zip(parents(), loads[0]["rows"] if loads else []):
            price = want["price"] and Decimal(want["price"])
            meant = [want["id"], want["name"], price, want["ratio"], want["big"], want["ok"], want["born"], want["name"].encode().hex().upper()]
            found = [*got[:2], got[2] and Decimal(got[2]), *got[3:]]
            if meant != found:
                wrong.append((meant, found))
        check(loads and len(loads[0]["rows"]) == ROWS and not wrong, "deploy: every value of the bulk load", wrong[:3])
        log = (place.out / "deploy.log").read_text()
        check("deploy run" in log and f"Rows of dbo.pipe_parent: {ROWS} rows" in log and "deployed in" in log, "deploy: the log", log[-1500:])
    with Server(packet=512) as server:
        check(place.do(server, "deploy", "azure").code == 0, "deploy: small packets")
        check([e for e in server.log if e["kind"] == "bulk"][0]["rows"] == loads[0]["rows"], "deploy: the same rows in small packets")
    with Server() as server:
        done = place.do(server, "deploy", "azure", "--target", "told")
        recorded = [sql for sql in server.batches() if "[ops].[Pipe's ]]runs]" in sql]
        check(done.code == 0 and len(recorded) == 2 and recorded[0].startswith("IF OBJECT_ID(N'[ops].[Pipe''s ]]runs]') IS NULL") and "N'deploy'" in recorded[1], "deploy: the target's table of runs", (done, recorded))
        told = server.batches()
        check(told and told[-1] == "COMMIT" and recorded and recorded[-1] in told[:-1], "deploy: told before the COMMIT", told[-3:])


def verifies(place, check):
    for result, code in (("ok", 0), ("MISMATCH", 1)):
        rows = [["dbo.pipe_parent", ROWS, ROWS, 17, "17", result], ["dbo.pipe_child", len(TEXTS), len(TEXTS), 18, "18", "ok"]]
        with Server(answers=[("^WITH result AS|\nWITH result AS", VERIFIED, rows)]) as server:
            done = place.do(server, "verify", "azure")
            check(done.code == code and result in done.stdout and "dbo.pipe_child" in done.stdout, f"verify: {result}", done)
            told = conversation(server)
            expected = squeezed(place.script("verify.sql"))
            check(told[1] == "BEGIN TRANSACTION" and told[2:-1] == expected, "verify: the script's batches", lambda: (told[:3], next(((a, b) for a, b in zip(told[2:], expected) if a != b), None)))
            keys = [e["rows"] for e in server.log if e["kind"] == "bulk"]
            check([r for part in keys for r in part][:ROWS] == [[i] for i in range(ROWS)], "verify: the keys of all rows", len(keys))
            check(not any(re.match(r"(--.*\n)*(INSERT|UPDATE|DELETE|MERGE) ", b) and "#pipe_" not in b for b in server.batches()), "verify: only reads")
    with Server(answers=[("WITH result AS", VERIFIED, rows[:1])]) as server:
        done = place.do(server, "verify", "azure")
        check(done.code == 3 and "error[X0517]" in done.stderr and "1 of 2 tables" in done.stderr, "verify: silence is no consent", done)
    with Server(answers=[("WITH result AS", VERIFIED, [[*row[:5], "ok"] for row in rows])]) as server:
        done = place.do(server, "run", "azure", "--deploy")
        check(done.code == 0 and len(commits(server)) == 2 and "deployed run" in done.stdout and "verified run" in done.stdout, "run --deploy: deployed and verified", done)


def undoes(place, check):
    """rollback.sql: its batches and one COMMIT; what it refuses is told."""
    with Server() as server:
        done = place.do(server, "rollback", "azure")
        told = conversation(server)
        check(done.code == 0 and "rolled back run" in done.stdout and told[2:-2] == squeezed(place.script("rollback.sql")) and commits(server) == ["COMMIT"], "rollback: the script's batches", done)
        sent = "\n".join(server.batches())
        kept = sorted(set(re.findall(r"\[(pipe_undo_[0-9a-z_]+)\]", sent)))
        made = sorted(set(re.findall(r"@newname = N'(pipe_undo_[0-9a-z_]+)'", "\n".join(b or "" for b in place.script()))))
        check(kept == made and len(kept) == 5, "rollback: asks for the tables that the deployment keeps", (kept, made))
    with Server(answers=[("pipe_undo_[0-9a-z]+\\]'\\) IS NULL", [["x", "int"]], [[1]])], faults={6: ("error", 50007, "nothing to roll back: run x was not deployed here", 16)}) as server:
        done = place.do(server, "rollback", "azure")
        check(done.code == 3 and "error[X0516]" in done.stderr and "nothing to roll back" in done.stderr and not commits(server), "rollback: nothing to roll back", done)
    done = run([place.pipe, "run", "azure", "--no-rollback", "--out", place.root / "out-bare"], cwd=place.root)
    check(done.code == 0 and "pipe_undo" not in (place.root / "out-bare/deploy.sql").read_text() and not (place.root / "out-bare/rollback.sql").exists(), "--no-rollback: nothing is kept", done)


ERRORS = [(18456, "Login failed for user 'ana'.", 14, "X0506"), (40615, "Cannot open server 'x' requested by the login. Client with IP address is not allowed to access the server.", 14, "X0506"),
          (208, "Invalid object name 'dbo.pipe_parent'.", 16, "X0508"), (229, "The INSERT permission was denied on the object 'pipe_parent'.", 14, "X0509"), (9002, "The transaction log is full.", 17, "X0511"),
          (1222, "Lock request time out period exceeded.", 16, "X0512"), (2627, "Violation of PRIMARY KEY constraint.", 14, "X0515"), (547, "The MERGE statement conflicted with the FOREIGN KEY constraint.", 16, "X0515"),
          (50002, "table dbo.pipe_parent: expected 2500 rows, found 2499", 16, "X0516"), (102, "Incorrect syntax near 'x'.", 15, "X0517")]


def errors(place, check, requests):
    """An error at any request: the coded message, and no COMMIT."""
    for number, message, severity, code in ERRORS:
        at = 0 if code == "X0506" else requests // 2
        with Server({at: ("error", number, message, severity)}) as server:
            done = place.do(server, "deploy", "azure")
            check(done.code == 3 and f"error[{code}]" in done.stderr and message.rstrip(".") in done.stderr and f"error {number}" in done.stderr and "= help: " in done.stderr, f"error {number}: {code}", done)
            check(not commits(server) and server.sessions == 1, f"error {number}: no COMMIT, no second session", server.batches()[-2:])
    for at in range(1, requests):
        with Server({at: ("error", 8134, "Divide by zero error encountered.", 16)}) as server:
            done = place.do(server, "deploy", "azure")
            sent = server.batches()
            check(done.code == 3 and "error[X0517]: Divide by zero error encountered. (error 8134" in done.stderr, f"error at request {at}: told", done)
            # The error may be the answer to the COMMIT itself, which then was none.
            check(commits(server) == (["COMMIT"] if at == requests - 1 else []), f"error at request {at}: no COMMIT", sent[-2:])
            check(len([e for e in server.log if e["kind"] in ("login", "batch", "bulk")]) == at + 1, f"error at request {at}: nothing is sent after it", sent[-2:])
    with Server({requests // 2: ("error", 208, "Invalid object name 'x'.", 16)}) as server:
        done = place.do(server, "deploy", "azure")
        check(re.search(r"at line \d+ of the script \(.*pipe_", done.stderr), "error: says where in the script", done)


def passing(place, check, requests):
    """What passes is tried again, as a whole."""
    with Server({0: ("error", 40613, "Database 'sales' is not currently available.", 14), 1: ("error", 49918, "Not enough resources.", 16)}) as server:
        done = place.do(server, "deploy", "azure")
        check(done.code == 0 and server.sessions == 3 and len(commits(server)) == 1, "transient: the login is tried again", done)
    with Server({i: ("error", 4060, "Cannot open database \"sales\" requested by the login.", 11) for i in range(9)}) as server:
        done = place.do(server, "deploy", "azure")
        check(done.code == 3 and "error[X0507]" in done.stderr and server.sessions == 3, "no such database: three times, then told", (done, server.sessions))
    for number, message in ((1205, "Transaction (Process ID 71) was deadlocked."), (40197, "The service has encountered an error processing your request."), (40501, "The service is currently busy.")):
        at = requests * 2 // 3
        with Server({at: ("error", number, message, 13)}) as server:
            done = place.do(server, "deploy", "azure")
            check(done.code == 0 and "at attempt 2" in done.stdout and server.sessions == 2, f"error {number}: tried again", done)
            check(not commits(server, 1) and commits(server, 2) == ["COMMIT"], f"error {number}: committed once")
            check(conversation(server, 2)[3:-2] == squeezed(place.script()), f"error {number}: the whole script again")
    with Server({i: ("error", 1205, "deadlocked", 13) for i in range(3, 400)}) as server:
        done = place.do(server, "deploy", "azure")
        check(done.code == 3 and "error[X0513]" in done.stderr and not commits(server), "deadlocks without end: told", done)


def drops(place, check, requests):
    """The connection ends at each request in turn: all or nothing."""
    for at in range(1, requests):
        with Server({at: ("drop",)}) as server:
            done = place.do(server, "deploy", "azure")
            first = commits(server, 1)
            if at == requests - 1:
                check(done.code == 3 and "error[X0520]" in done.stderr and first == ["COMMIT"], "drop at the COMMIT: nobody knows, and it is said", done)
                check(server.sessions >= 2 and not commits(server, 2), "drop at the COMMIT: it is not sent again")
            elif at == 1:
                # The session never came about: it is told at once.
                check(done.code in (0, 3) and not first, "drop after the login: no COMMIT", done)
            else:
                check(done.code == 0 and not first and commits(server, 2) == ["COMMIT"] and "at attempt 2" in done.stdout, f"drop at request {at}: taken back, then done", done)
    settled(place, check)
    with Server({i: ("drop",) for i in range(12, 400)}) as server:
        done = place.do(server, "deploy", "azure")
        check(done.code == 3 and re.search(r"error\[X05(04|10)\]", done.stderr) and not commits(server), "drops without end: told", done)
    with Server({0: ("drop",)}) as server:
        done = place.do(server, "deploy", "azure")
        check(done.code == 3 and "error[X0504]" in done.stderr, "drop at the login: told", done)


def settled(place, check):
    """The connection ends at the COMMIT: the row of the target's own table tells what became of the transaction."""
    def answers(*counts):
        left = list(counts)
        return [("SCOPE_IDENTITY", [["number", "nvarchar(20)"]], [["12"]]), ("\\$IDENTITY = 12", [["told", "int"]], lambda: [[left.pop(0) if len(left) > 1 else left[0]]])]

    with Server(answers=answers(1)) as server:
        place.do(server, "deploy", "azure", "--target", "told")
        told = server.batches()
        at = len([e for e in server.log if e["kind"] in ("login", "batch", "bulk")]) - 1
    check(told[-1] == "COMMIT", "the commit is the last request", told[-1:])
    for found, sessions, attempt in ((1, 2, None), (0, 3, "at attempt 2")):
        with Server({at: ("drop",)}, answers=answers(found)) as server:
            done = place.do(server, "deploy", "azure", "--target", "told")
            asked = [sql for sql in server.batches(2) if "$IDENTITY" in sql]
            check(done.code == 0 and server.sessions == sessions and (attempt or "deployed run") in done.stdout and ("at attempt" in done.stdout) == bool(attempt), f"drop at the COMMIT: {found} rows tell of it", done)
            run_id = json.loads((place.out / "run.json").read_text())["run_id"]
            check(asked == [f"SELECT COUNT(*) AS told FROM [ops].[Pipe's ]]runs] WITH (READCOMMITTEDLOCK, ROWLOCK) WHERE $IDENTITY = 12 AND [run_id] = N'{run_id}';"] and len(commits(server)) == (2 if attempt else 1), f"drop at the COMMIT: asked once, {found}", (asked, commits(server)))
    # Another session first waits for the row of the open transaction in vain: the settings of its session, then the question.
    with Server({at: ("drop",), at + 3: ("error", 1222, "Lock request time out period exceeded.", 16)}, answers=answers(1)) as server:
        done = place.do(server, "deploy", "azure", "--target", "told")
        log = (place.out / "deploy.log").read_text()
        check(done.code == 0 and server.sessions == 3 and "is still open" in log.split("deploy run")[-1] and len(commits(server)) == 1, "drop at the COMMIT: open for a while, then committed", (done, log[-600:]))
    with Server({at: ("drop",)}, answers=[("SCOPE_IDENTITY", [["number", "nvarchar(20)"]], [[None]])]) as server:
        done = place.do(server, "deploy", "azure", "--target", "told")
        check(done.code == 3 and "error[X0520]" in done.stderr and "`runs`" in done.stderr, "drop at the COMMIT: a table that does not number its rows tells nothing", done)


def routes(place, check):
    with Server() as behind, Server({0: ("route", "127.0.0.1", behind.port)}) as gateway:
        done = place.do(gateway, "deploy", "azure")
        check(done.code == 0 and commits(behind) == ["COMMIT"] and not gateway.batches(), "redirect: followed", (done, gateway.batches()))
        check(behind.log[0]["password"] == CANARY, "redirect: the login goes along")
    gateway = Server()
    gateway.faults = {i: ("route", "127.0.0.1", gateway.port) for i in range(9)}
    with gateway:
        done = place.do(gateway, "deploy", "azure")
        check(done.code == 3 and "error[X0504]" in done.stderr and gateway.sessions == 3, "redirects in a circle: told", done)


def locks(place, check):
    for answer, code in ((-1, "X0521"), (-999, "X0517")):
        with Server(answers=[("sp_getapplock", [["taken", "int"]], [[answer]])]) as server:
            done = place.do(server, "deploy", "azure", "--lock-timeout", "1.5")
            check(done.code == 3 and f"error[{code}]" in done.stderr and "pipe deploys azure" in server.batches()[-1] and "@LockTimeout = 1500" in server.batches()[-1], f"lock: {code}", done)
    with Server(answers=[("CURRENT_TRANSACTION_ID", [["number", "bigint"]], [[None]])]) as server:
        done = place.do(server, "deploy", "azure")
        check(done.code == 3 and "error[X0516]" in done.stderr and not commits(server), "a transaction that is gone: no COMMIT", done)


def ended(place, check, requests):
    """Ctrl-C and time-outs cancel what the server is doing."""
    with Server({requests - 6: ("hang",)}) as server:
        process = subprocess.Popen([place.pipe, "deploy", "azure"], cwd=place.root, env={**os.environ, "AZURE_URL": place.url(server.port), "NO_COLOR": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        arrived = server.hung.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        kinds = [e["kind"] for e in server.log]
        check(arrived and process.returncode == 130 and "attention" in kinds and not commits(server) and not server.wrong, "Ctrl-C: the server is told, nothing is committed", (process.returncode, err, kinds[-3:], server.wrong))
    with Server({requests - 6: ("hang",)}) as server:
        started = time.monotonic()
        done = place.do(server, "deploy", "azure", query="?sslmode=disable&statement_timeout=1")
        check(done.code == 3 and "error[X0514]" in done.stderr and "attention" in [e["kind"] for e in server.log] and not commits(server) and time.monotonic() - started < 15, "statement_timeout: cancelled", done)


def certificates(root):
    """An authority, a certificate of it for localhost, and an authority that has nothing to do with it."""
    keys = root / "keys"
    keys.mkdir()
    for name in ("ours", "other"):
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", keys / f"{name}.key", "-out", keys / f"{name}.pem", "-addext", "basicConstraints=critical,CA:TRUE"])
    run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", keys / "server.key", "-out", keys / "server.csr"])
    (keys / "extensions").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    run(["openssl", "x509", "-req", "-in", keys / "server.csr", "-CA", keys / "ours.pem", "-CAkey", keys / "ours.key", "-CAcreateserial", "-days", "2", "-extfile", keys / "extensions", "-out", keys / "server.pem"])
    return keys


def encrypted(place, check, root):
    import ssl
    with Server() as server:
        done = place.do(server, "deploy", "azure", query="?sslmode=require")
        check(done.code == 3 and "error[X0505]" in done.stderr and not server.log[0]["kind"] == "login", "encryption: demanded, not to be had", done)
        done = place.do(server, "deploy", "azure", query="")
        check(done.code == 3 and "error[X0505]" in done.stderr, "encryption: demanded if nothing is said", done)
        check(place.do(server, "deploy", "azure", query="?sslmode=prefer").code == 0, "encryption: preferred, not to be had")
    if not shutil.which("openssl"):
        print("azure: no openssl: encrypted connections were not tried")
        return
    keys = certificates(root)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "server.pem", keys / "server.key")
    ours, other = quote(str(keys / "ours.pem"), safe=""), quote(str(keys / "other.pem"), safe="")
    for host, query, good in (("localhost", f"?sslrootcert={ours}", True), ("127.0.0.1", f"?sslrootcert={ours}", False), ("127.0.0.1", f"?sslmode=verify-ca&sslrootcert={ours}", True), ("localhost", f"?sslmode=verify-full&sslrootcert={other}", False),
                              ("127.0.0.1", "?sslmode=require", True), ("127.0.0.1", "?sslmode=prefer", True), ("127.0.0.1", "", False), ("127.0.0.1", "?sslmode=disable", False)):
        with Server(context=context) as server:
            done = place.do(server, "deploy", "azure", url=place.url(server.port, query, host))
            logins = [e for e in server.log if e["kind"] == "login"]
            shown = query.replace(ours, "OURS").replace(other, "OTHER")
            if good:
                check(done.code == 0 and logins and logins[0]["encrypted"] and commits(server) == ["COMMIT"], f"encryption: {host} {shown}", done)
                check(len([e for e in server.log if e["kind"] == "bulk"][0]["rows"]) == ROWS, "encryption: rows")
            else:
                check(done.code == 3 and "error[X0505]" in done.stderr and not logins, f"encryption: {host} {shown} is refused before the login", done)


def doctor(place, check):
    answers = [("ProductVersion", [["version", "nvarchar(128)"], ["engine", "nvarchar(128)"], ["compatibility", "nvarchar(10)"]], [["12.0.2000.8", "5", "160"]]), ("SCHEMA_ID", [["missing", "nvarchar(200)"]], [[""]]),
               ("@@LOCK_TIMEOUT", [["milliseconds", "nvarchar(20)"]], [["30000"]])]
    with Server(answers=answers) as server:
        done = place.do(server, "doctor", "--target", "here")
        check(done.code == 0 and all(w in done.stdout for w in ("Azure SQL 12.0.2000.8", "off (sslmode=disable)", "as ana into database sales", "schema dbo", "lock_timeout=30000ms")), "doctor: all is well", done)
    old = [("ProductVersion", answers[0][1], [["13.0.1", "3", "130"]]), *answers[1:]]
    with Server(answers=old) as server:
        done = place.do(server, "doctor", "--target", "here")
        check(done.code == 3 and "older than 2017" in done.stdout + done.stderr, "doctor: an old server", done)
    with Server({0: ("error", 18456, "Login failed for user 'ana'.", 14)}) as server:
        done = place.do(server, "doctor", "--target", "here")
        check(done.code == 3 and "X0506" in done.stdout + done.stderr, "doctor: wrong password", done)


def refused(place, check):
    with Server() as server:
        port = server.port
    done = place.do(None, "deploy", "azure", url=place.url(port))
    check(done.code == 3 and "error[X0504]" in done.stderr, "nobody listens: told", done)
    done = place.do(None, "deploy", "azure", url=place.url(port, host="no-such-host.invalid"))
    check(done.code == 3 and "error[X0503]" in done.stderr, "no such host: told", done)
    for url in ("postgres://ana:x@127.0.0.1/sales", f"sqlserver://ana:{quote(CANARY, safe='')}@127.0.0.1", f"sqlserver://ana:{quote(CANARY, safe='')}@127.0.0.1/x?sslmode=maybe"):
        done = place.do(None, "deploy", "azure", url=url)
        check(done.code == 3 and "error[X0502]" in done.stderr, "an address that is none: told", done)


def parsed(place, check, kit):
    """The statements that are not the script's own, by the vendor's parser."""
    answers = [("CURRENT_TRANSACTION_ID", [["number", "bigint"]], [[1]])]
    told = ["SELECT COUNT(*) AS told FROM [ops].[runs] WITH (READCOMMITTEDLOCK, ROWLOCK) WHERE $IDENTITY = 12 AND [run_id] = N'1';"]
    for command, target in (("deploy", "told"), ("verify", "here")):
        with Server(answers=answers) as server:
            place.do(server, command, "azure", "--target", target)
            script = set(place.script(f"{command}.sql"))
            told += [sql for sql in server.batches() if sql.strip("\n") not in script and not sql.startswith("INSERT BULK")]
    with Server() as server:
        place.do(server, "doctor", "--target", "here")
        told += server.batches()
    script = place.root / "own.sql"
    script.write_text("\nGO\n".join([*told, ""]), encoding="utf-8")
    done = run([kit / "ve/bin/python", Path(__file__).resolve().parents[1] / "tsql/mslint.py", script], env={"MSLINT_HOME": str(kit)})
    check(done.code == 0 and len(told) > 15, "the vendor's parser takes what is said beside the script", done)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=Path)
    arguments.add_argument("--kit", type=Path, help="where ../tsql/mslint-setup.sh has put the vendor's parser")
    arguments.add_argument("--url", default=os.environ.get("PIPE_TEST_AZURE_URL"))
    a = arguments.parse_args()
    failures = Failures()
    with folder("azure") as root:
        place = Place(a.pipe.resolve(), root, failures.check)
        with Server() as server:
            place.do(server, "deploy", "azure")
            requests = len([e for e in server.log if e["kind"] in ("login", "batch", "bulk")])
        deploys(place, failures.check)
        verifies(place, failures.check)
        undoes(place, failures.check)
        errors(place, failures.check, requests)
        passing(place, failures.check, requests)
        drops(place, failures.check, requests)
        routes(place, failures.check)
        locks(place, failures.check)
        ended(place, failures.check, requests)
        encrypted(place, failures.check, root)
        doctor(place, failures.check)
        refused(place, failures.check)
        imports(place, failures.check, a.kit)
        differs(place, failures.check, a.kit)
        sources(place, failures.check, a.kit)
        previews(place, failures.check, a.kit)
        existing(place, failures.check, a.kit)
        if a.kit and (a.kit / "ve/bin/python").exists():
            parsed(place, failures.check, a.kit)
        else:
            print("azure: no --kit: the parser was not asked")
        if a.url and shutil.which("sqlcmd"):
            real(place, failures.check, a.url, SCHEMA, (ROWS, len(TEXTS)))
        else:
            print("azure: no real server was asked" + (": sqlcmd is missing" if a.url else ": PIPE_TEST_AZURE_URL names none"))
    failures.finish("azure")


if __name__ == "__main__":
    sys.exit(main())
