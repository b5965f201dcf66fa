#!/usr/bin/env python3
"""Measures a `table:` source against `psql -c 'COPY ... TO STDOUT' | duckdb`: the same rows, of mixed types, into a table of the engine.

    .bench/venv/bin/python extract.py --pipe ../../target/release/pipe --db postgresql://postgres@localhost/postgres [--rows 1000000] [--runs 5]

The other side knows the types beforehand and is the engine's Python package. `ordered` reads in the order of the primary key, as `pipe` does where there is one.
A database is made and dropped. Each round plays all commands once; the first warms the caches and is not counted. Medians, and ratios to the first.
"""
import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

NAME = "pipe_bench_extract"
COLUMNS = {
    "id": ("bigint", "n"),
    "code": ("text", "'C' || lpad((n % 100000)::text, 8, '0')"),
    "label": ("varchar(80)", "CASE WHEN n % 9 > 0 THEN 'Label of article number ' || n END"),
    "kind": ("text", "(ARRAY['Snacks', 'Dairy', 'Personal Care'])[1 + n % 3]"),
    "quantity": ("integer", "(n % 97)::integer"),
    "rank": ("smallint", "(n % 5)::smallint"),
    "price": ("numeric(12,2)", "(n % 1000000) / 100.0"),
    "share": ("double precision", "n / 7.0"),
    "active": ("boolean", "n % 2 = 0"),
    "born": ("date", "date '1950-01-01' + (n % 20000)::integer"),
    "seen": ("timestamp", "timestamp '2024-01-01' + n * interval '1 second'"),
    "changed": ("timestamptz", "timestamptz '2024-01-01 00:00+00' + n * interval '1.5 seconds'"),
    "token": ("uuid", "md5(n::text)::uuid"),
    "note": ("jsonb", "jsonb_build_object('n', n, 'tags', ARRAY['a', 'b'])"),
}


def run(command, shell=False, cwd=None):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(command if shell else [str(c) for c in command], capture_output=True, text=True, shell=shell, cwd=cwd)
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout, took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def psql(url, sql):
    return run(["psql", url, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql])[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipe", type=Path, required=True)
    parser.add_argument("--db", required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    pipe = options.pipe.resolve()
    psql(options.db, f"DROP DATABASE IF EXISTS {NAME}")
    psql(options.db, f"CREATE DATABASE {NAME}")
    url = urlunsplit(urlsplit(options.db)._replace(path=f"/{NAME}"))
    try:
        types = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
        values = ", ".join(value for _, value in COLUMNS.values())
        psql(url, f"CREATE TABLE mixed ({types}, PRIMARY KEY (id))")
        psql(url, f"INSERT INTO mixed SELECT {values} FROM generate_series(1::bigint, {options.rows}) AS n")
        psql(url, "CREATE TABLE loose AS SELECT * FROM mixed")
        psql(url, "VACUUM ANALYZE")
        with tempfile.TemporaryDirectory() as temporary:
            measure(options, pipe, url, types, Path(temporary))
    finally:
        psql(options.db, f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def measure(options, pipe, url, types, folder):
    (folder / "pipe.yaml").write_text(f"targets:\n  db: {{dialect: postgres, schema: public, url: \"{url}\"}}\ndefault_target: db\n")
    for table in ("mixed", "loose"):
        (folder / f"{table}.yaml").write_text(f"pipeline: p\nextract:\n  rows: {{table: {table}, connection: db}}\ntables:\n  staged:\n    from: rows\n    validate: [{{rows: {options.rows}}}]\n")
    # COPY's own form of NULL differs from an empty text, as in the database.
    (folder / "engine.py").write_text(f"""import duckdb
con = duckdb.connect()
con.execute("CREATE TABLE rows ({types.replace('jsonb', 'json')})")
con.execute("COPY rows FROM '/dev/stdin' (FORMAT csv, HEADER false, AUTO_DETECT false, DELIMITER ',', QUOTE '\\"', ESCAPE '\\"', NULLSTR '')")
assert con.execute("SELECT count(*) FROM rows").fetchone() == ({options.rows},)
""")
    python = sys.executable
    copied = lambda what: f"psql '{url}' -X -q -c 'COPY {what} TO STDOUT (FORMAT csv)' | {python} engine.py"
    cells = {
        "psql COPY | duckdb": copied("mixed"),
        "psql COPY, ordered | duckdb": copied("(SELECT * FROM mixed ORDER BY id)"),
        "pipe run, table with a key": [pipe, "run", "mixed.yaml", "--out", "out", "--quiet"],
        "pipe run, table without": [pipe, "run", "loose.yaml", "--out", "out", "--quiet"],
        "server alone, binary": f"psql '{url}' -X -q -c 'COPY mixed TO STDOUT (FORMAT binary)' > /dev/null",
    }
    taken = {name: [] for name in cells}
    for _ in range(options.runs + 1):
        for name, command in cells.items():
            taken[name].append(run(command, isinstance(command, str), folder)[1:])
    base = statistics.median(wall for wall, _ in next(iter(taken.values()))[1:])
    for name, times in taken.items():
        wall, processor = (statistics.median(t[i] for t in times[1:]) for i in (0, 1))
        print(f"{name:30} {wall:6.2f} s  {wall / base:5.2f}x   {processor:5.2f} s of the client's processor time   " + " ".join(f"{t[0]:.2f}" for t in times[1:]))


if __name__ == "__main__":
    main()
