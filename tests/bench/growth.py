#!/usr/bin/env python3
"""Measures how the time of W1 grows from a million to ten million transactions in little memory, beside the hand-written script.

    .bench/venv/bin/python growth.py --pipe ../../target/release/pipe [--home .bench] [--memory 2GB] [--sizes medium,large] [--runs 1]

Makes the data below HOME if it is not there. For both sizes it runs `pipe run --memory` and `duckdb/w1_tuned.sql` in an engine with the
same limit, in turns, and prints seconds, processor seconds, peak memory, and the growth per row: 1.0 is linear. The script shows what the
engine itself costs once memory is short. Least processor time of the runs.
"""

import argparse
import pathlib
import subprocess
import sys

from run import HERE, ROWS, measure

TUNED = """
import sys, tempfile, duckdb
data, out, memory, script = sys.argv[1:]
engine = duckdb.connect()
engine.execute("SET preserve_insertion_order = false; SET threads = 2")
spill = tempfile.TemporaryDirectory()
engine.execute("SET temp_directory = ?", [spill.name])
engine.execute("SET memory_limit = ?", [memory])
engine.execute("SET VARIABLE dir = ?", [data])
for statement in duckdb.extract_statements(open(script).read()):
    engine.execute(statement)
    engine.fetchall()
engine.execute(f"COPY export TO '{out}'")
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", type=pathlib.Path, required=True)
    arguments.add_argument("--home", type=pathlib.Path, default=pathlib.Path(".bench"))
    arguments.add_argument("--memory", default="2GB")
    arguments.add_argument("--sizes", default="medium,large")
    arguments.add_argument("--runs", type=int, default=1)
    given = arguments.parse_args()
    out = given.home.resolve() / "out"
    out.mkdir(parents=True, exist_ok=True)
    sizes = given.sizes.split(",")
    least: dict[tuple[str, str], tuple[float, float, float]] = {}
    for _ in range(given.runs):
        for size in sizes:
            data = given.home.resolve() / f"w1_{size}"
            if not data.exists():
                subprocess.run([sys.executable, HERE / "gen.py", "w1", str(ROWS["w1"][size]), data], check=True)
            commands = {
                "pipe": [given.pipe.resolve(), "run", HERE / "w1/pipelines/w1.yaml", "--memory", given.memory, "--var", f"data={data}",
                         "--out", out / "growth", "--quiet"],
                "tuned": [sys.executable, "-c", TUNED, data, out / "growth.csv", given.memory, HERE / "duckdb/w1_tuned.sql"],
            }
            for name, command in commands.items():
                found = measure(command)
                least[name, size] = min(least.get((name, size), found), found, key=lambda run: run[1])
    small, large = sizes[0], sizes[-1]
    rows = ROWS["w1"][large] / ROWS["w1"][small]
    for name in ("pipe", "tuned"):
        for size in sizes:
            wall, cpu, memory = least[name, size]
            print(f"{name:6} {ROWS['w1'][size]:>10} transactions: {wall:7.1f} s, {cpu:7.1f} s of processor time, {memory:6.0f} MB")
        (wall, cpu, _), (first_wall, first_cpu, _) = least[name, large], least[name, small]
        print(f"{name:6} grows {wall / first_wall / rows:.2f} times as fast as the rows ({cpu / first_cpu / rows:.2f} times by processor time)")


if __name__ == "__main__":
    main()
