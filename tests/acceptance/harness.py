"""What the acceptance scripts share: running `pipe` and `psql`, databases of their own, and the list of what failed.

Standard library only, and the `psql` program. Knows nothing about any case.
"""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / "tests/cases_kit"
LEFTOVERS_ALLOWED = {"run.json", "report.html", "deploy.log", "quarantine"}


class Failures:
    """Collects what failed, prints it as it comes and decides the exit code."""

    def __init__(self):
        self.count, self.passed, self.lock = 0, 0, threading.Lock()

    def check(self, good, name, detail=""):
        """Notes one expectation; returns whether it held."""
        with self.lock:
            if good:
                self.passed += 1
            else:
                self.count += 1
                lines = str(detail() if callable(detail) else detail).rstrip().splitlines()
                print(f"FAIL {name}", *[f"     {line[:400]}" for line in lines[:40]], sep="\n", flush=True)
        return bool(good)

    def finish(self, title):
        print(f"{title}: {self.passed} checks passed, {self.count} failed", flush=True)
        sys.exit(1 if self.count else 0)


class Ran:
    """The outcome of one process."""

    def __init__(self, command, code, stdout, stderr):
        self.command, self.code, self.stdout, self.stderr = command, code, stdout, stderr

    def __str__(self):
        shown = " ".join(str(c) for c in self.command)
        return f"$ {shown}\nexit code {self.code}\nstdout: {self.stdout[:2000]}\nstderr: {self.stderr[:3000]}"

    def json(self):
        """What was printed to stdout, as JSON; None if it is not."""
        try:
            return json.loads(self.stdout)
        except ValueError:
            return None


def run(command, cwd=None, env=None, timeout=600, file_size=None, **options):
    """Runs a command to its end. `file_size` limits what it may write, in bytes: a disk that is full from there on."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    if file_size is not None:
        options |= {"preexec_fn": limit, "restore_signals": False}
    try:
        done = subprocess.run([str(c) for c in command], cwd=cwd, env={**os.environ, "NO_COLOR": "1", **(env or {})}, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=timeout, **options)
    except subprocess.TimeoutExpired as late:
        return Ran(command, f"none: still running after {timeout} s", str(late.stdout or ""), str(late.stderr or ""))
    return Ran(command, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def psql(url, *arguments, env=None):
    """Runs `psql` so that its first error ends it."""
    return run(["psql", url, "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments], env={"PGCLIENTENCODING": "UTF8", "PGTZ": "UTC", **(env or {})})


def query(url, sql):
    """Returns the text that a query prints, one line per row, columns parted by `|`; raises on an error."""
    done = psql(url, "-At", "-c", sql)
    if done.code:
        raise RuntimeError(str(done))
    return done.stdout


def identifier(name):
    """A name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def dump(url, *options):
    """The lines of a dump; the key that newer versions write for each dump is taken out."""
    done = run(["pg_dump", url, "--no-owner", *options])
    if done.code:
        raise RuntimeError(str(done))
    return [line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


def contents(url):
    """Schema, and data in the order of its lines: restored rows may lie elsewhere on the disk."""
    return dump(url, "--schema-only"), sorted(dump(url, "--data-only"))


def generate(out, case, seed, *options, defects=False):
    """Writes a case of `cases_kit` and returns its folder."""
    made = run([sys.executable, KIT / "generate.py", out, "--case", case, "--seed", seed, *options, *(["--defects"] if defects else [])])
    if made.code:
        raise SystemExit(str(made))
    return Path(out) / case


@contextmanager
def database(server, name, schema=None, options=""):
    """Makes an empty database with the statements of `schema` applied, and drops it in the end. Gives its URL."""
    name = f"pipe_{name}_{os.getpid()}"
    query(server, f'DROP DATABASE IF EXISTS "{name}"')
    query(server, f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING \'UTF8\'{options}')
    parts = urlsplit(server)
    url = urlunsplit(parts._replace(path=f"/{name}"))
    try:
        if schema:
            done = psql(url, "-f", schema)
            if done.code:
                raise RuntimeError(str(done))
        yield url
    finally:
        query(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def folder(prefix):
    """Makes a temporary folder that others may enter, and removes it in the end."""
    path = Path(tempfile.mkdtemp(prefix=f"pipe-{prefix}-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def leftovers(out):
    """Names in an output folder that a run without a script must not leave: scripts, and parts of what it was about to write."""
    if not Path(out).is_dir():
        return []
    return sorted(p.name for p in Path(out).iterdir() if p.name not in LEFTOVERS_ALLOWED)


def verified(url, script, tables):
    """Runs a verify script; returns "" if it says ok of that many tables and nothing else, or what is wrong."""
    done = psql(url, "-At", "-f", script)
    rows = [line.split("|") for line in done.stdout.splitlines() if "|" in line]
    wrong = [row for row in rows if "ok" not in row or "MISMATCH" in row]
    if done.code or wrong or len(rows) < tables:
        return f"{len(rows)} rows for {tables} tables; not ok: {wrong}\n{done}"
    return ""


def standing(url):
    """Returns every row of every table of schema public with its place and version: what a deploy that changes nothing leaves alone."""
    tables = query(url, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").split("\n")
    return {t: query(url, f"SELECT t.ctid, t.xmin, t::text FROM {t} t ORDER BY t.ctid") for t in tables if t}
