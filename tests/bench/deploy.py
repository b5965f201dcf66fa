#!/usr/bin/env python3
"""Measures deployments against `psql \\copy` of the same rows, as CSV, into the same table.

    deploy.py --pipe ../../target/release/pipe --db postgresql://postgres@localhost/postgres ROWS.csv [--runs 5] [--key transaction_id] [--mode insert] [--filled]

ROWS.csv is W1's result (see README.md), the table that of schema/w1.sql. `--key` gives it a primary key, `--filled` lets it hold the same number of
other rows beforehand, so that rows go by way of a temporary table and are merged. A database is made and dropped. Each round plays all commands once,
one after the other; the first warms the caches and is not counted. Medians, ratios to `\\copy`, and the rows compared once.
"""
import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

HERE = Path(__file__).resolve().parent
NAME = "pipe_bench_deploy"


def run(command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def psql(url, sql):
    return run(["psql", url, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--pipe", type=Path, required=True)
    parser.add_argument("--db", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--key")
    parser.add_argument("--mode", default="insert")
    parser.add_argument("--filled", action="store_true")
    options = parser.parse_args()
    rows, pipe = options.rows.resolve(), options.pipe.resolve()
    psql(options.db, f"DROP DATABASE IF EXISTS {NAME}")
    psql(options.db, f"CREATE DATABASE {NAME}")
    url = urlunsplit(urlsplit(options.db)._replace(path=f"/{NAME}"))
    try:
        with tempfile.TemporaryDirectory() as temporary:
            measure(options, rows, pipe, url, Path(temporary))
    finally:
        psql(options.db, f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def measure(options, rows, pipe, url, folder):
    schema = (HERE / "schema/w1.sql").read_text()
    if options.key:
        schema += f"ALTER TABLE w1_export ADD PRIMARY KEY ({options.key});\n"
    psql(url, schema)
    (folder / "schemas").mkdir()
    (folder / "schemas/w1.sql").write_text(schema.split(";\n", 1)[1])
    (folder / "pipe.yaml").write_text(f"targets:\n  bench: {{dialect: postgres, schema: public, url: \"{url}\"}}\ndefault_target: bench\n")
    key = f", key: {options.key}" if options.mode != "insert" and options.key else ""
    (folder / "p.yaml").write_text(f"pipeline: p\nextract:\n  rows: {{file: {rows}}}\ntables:\n  w1_export: {{from: rows, load: {{mode: {options.mode}{key}}}}}\n")
    for name, flags in (("out", []), ("bare", ["--no-rollback"])):
        run([pipe, "run", "p.yaml", "--out", name, "--quiet", *flags], cwd=folder)
    copy = f"\\copy w1_export FROM '{rows}' CSV HEADER"
    cells = {
        "psql \\copy, csv": ["psql", url, "-X", "-q", "-c", copy],
        "pipe deploy": [pipe, "deploy", "p.yaml", "--out", "out"],
        "pipe deploy, no rollback": [pipe, "deploy", "p.yaml", "--out", "bare"],
        "psql -f deploy.sql": ["psql", url, "-X", "-q", "-f", "out/deploy.sql"],
    }
    if options.filled:
        psql(url, "CREATE TABLE others (LIKE w1_export)")
        psql(url, copy.replace("w1_export", "others"))
        psql(url, "UPDATE others SET transaction_id = 'other ' || transaction_id")
    taken, sums = {name: [] for name in cells}, {}
    for round_ in range(options.runs + 1):
        for name, command in cells.items():
            psql(url, "DO $$ DECLARE n text; BEGIN FOR n IN SELECT relname FROM pg_class WHERE relname LIKE 'pipe\\_undo%' AND relkind = 'r' LOOP EXECUTE 'DROP TABLE ' || n; END LOOP; END $$")
            psql(url, "TRUNCATE w1_export")
            if options.filled:
                psql(url, "INSERT INTO w1_export SELECT * FROM others")
                psql(url, "VACUUM ANALYZE w1_export")
            psql(url, "CHECKPOINT")
            started = time.perf_counter()
            run(command, cwd=folder)
            taken[name].append(time.perf_counter() - started)
            if round_ == 0:
                sums[name] = psql(url, "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM w1_export AS t")
    base = statistics.median(taken["psql \\copy, csv"][1:])
    for name, times in taken.items():
        median = statistics.median(times[1:])
        each = " ".join(f"{t:.2f}" for t in times[1:])
        print(f"{name:26} {median:6.2f} s  {median / base:5.2f}x   {each}")
    print("the same rows" if len(set(sums.values())) == 1 else f"the rows differ: {sums}")


if __name__ == "__main__":
    main()
