#!/usr/bin/env python3
"""Measures what writing the scripts costs, against DuckDB's own COPY of the same rows to CSV.

    .bench/venv/bin/python emission.py --pipe ../../target/release/pipe ROWS.csv [--runs 8]

ROWS.csv is any wide file, such as W1's result. Each pipeline reads and stages it; one loads nothing, the others write a CSV file, a script
for Postgres, a script for T-SQL. The processor time above the first one's is the writing. The engine's COPY is measured alone, in the
engine's Python package, on one connection that has the rows staged. Least of the runs.
"""

import argparse
import os
import pathlib
import resource
import subprocess
import tempfile
import time

import duckdb

SINKS = {
    "staged": "",
    "csv file": "    load: {file: rows.csv}\n",
    "postgres": "    load: {mode: insert}\n",
    "azure_sql": "    load: {mode: insert}\n",
}


def pipeline(folder: pathlib.Path, name: str, rows: pathlib.Path) -> pathlib.Path:
    dialect = name if name in ("postgres", "azure_sql") else "postgres"
    path = folder / f"{name.replace(' ', '_')}.yaml"
    path.write_text(
        f"pipeline: emission\ntarget: {{dialect: {dialect}, schema: s}}\nextract:\n  rows: {{file: {rows}}}\n"
        f"tables:\n  written:\n    from: rows\n{SINKS[name]}"
    )
    return path


def cpu_of(command: list[str], cwd: pathlib.Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def copy_csv(rows: pathlib.Path, folder: pathlib.Path, runs: int) -> float:
    engine = duckdb.connect()
    engine.execute("CREATE TABLE written AS SELECT * FROM read_csv(?)", [str(rows)])
    least = float("inf")
    for _ in range(runs):
        started = time.process_time()
        engine.execute(f"COPY written TO '{folder}/copied.csv' (HEADER)")
        least = min(least, time.process_time() - started)
    return least


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("rows", type=pathlib.Path)
    arguments.add_argument("--pipe", type=pathlib.Path, required=True)
    arguments.add_argument("--runs", type=int, default=8)
    options = arguments.parse_args()
    rows, pipe = options.rows.resolve(), str(options.pipe.resolve())
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as temporary:
        folder = pathlib.Path(temporary)
        (folder / "pipe.yaml").write_text("{}\n")
        limit = copy_csv(rows, folder, options.runs)
        spent = {}
        for name in SINKS:
            path = pipeline(folder, name, rows)
            command = [pipe, "run", str(path), "--out", str(folder / "out"), "--quiet"]
            spent[name] = min(cpu_of(command, folder) for _ in range(options.runs))
    print(f"DuckDB COPY to CSV: {limit:.2f} s of processor time")
    for name in list(SINKS)[1:]:
        writing = spent[name] - spent["staged"]
        print(f"{name:10} {writing:6.2f} s  {writing / limit:.2f}x")


if __name__ == "__main__":
    main()
