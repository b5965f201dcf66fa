#!/usr/bin/env python3
"""The flat export that must not multiply, as its users run it: examples/scout, with generated data.

    scout.py --pipe BIN [--seeds 1-20] [--scale 80] [--quick]

Clean data: `flat_export.csv` holds exactly the expected rows. Planted faults: each is reported, and nothing else. The joins that people write
first (the raw interactions, both raw tables, the insights by inner join) stop with the factor, the keys and a fix, and the fix passes.
Needs no database: the target is Azure SQL, whose script is checked by tsql.py.
"""
import argparse
import csv
import json
from concurrent.futures import ThreadPoolExecutor

from harness import ROOT, Failures, folder, generate, run

NAIVE = {
    "interactions": "join: {to: interactions, on: {transaction_id: canonical_tx_id}, columns: [age_bracket]}",
    "both": "join: [{to: interactions, on: {transaction_id: canonical_tx_id}, columns: [age_bracket]}, "
            "{to: insights, on: {transaction_id: session_id}, columns: [emotion]}]",
    "insights": "join: {to: insights, on: {transaction_id: session_id}, type: inner, columns: [emotion]}",
}


def export(pipe, case, out):
    arguments = ["run", "flat_export.yaml", "--var", f"data={case / 'data'}", "--out", out, "--format", "json"]
    return run([pipe, *arguments], cwd=ROOT / "examples/scout", env={"SCOUT_URL": "unused"})


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return sorted(tuple("" if v == "\\N" else v for v in row) for row in list(csv.reader(file))[1:])


def clean(pipe, seed, scale, failures):
    with folder("scout") as temporary:
        case = generate(temporary, "scout", seed, "--scale", scale)
        name = f"seed {seed} scale {scale}"
        ran = export(pipe, case, temporary / "out")
        if not failures.check(ran.code == 0, f"{name}: run", ran):
            return
        have, want = rows(temporary / "out/flat_export.csv"), rows(case / "expected/flat_export.csv")
        failures.check(have == want, f"{name}: rows", lambda: f"missing {sorted(set(want) - set(have))[:3]}\nunexpected {sorted(set(have) - set(want))[:3]}")
        failures.check((temporary / "out/deploy.sql").exists(), f"{name}: script")


def faulty(pipe, seed, failures):
    with folder("scout") as temporary:
        case = generate(temporary, "scout", seed, defects=True)
        ran = export(pipe, case, temporary / "out")
        name = f"seed {seed} with defects"
        failures.check(ran.code == 1, f"{name}: exit code 1", ran)
        report = ran.json() or {"violations": []}
        want = {(f["table"], f["column"], f["rule"], f["row"]) for f in json.loads((case / "expected/violations.json").read_text())}
        have = {(v["table"], v["column"], v["rule"], s["row"].get("transaction_id")) for v in report["violations"] for s in v["samples"]}
        failures.check(have == want, f"{name}: faults", lambda: f"missing {sorted(want - have)}\nunexpected {sorted(have - want, key=str)}")
        failures.check(not (temporary / "out/deploy.sql").exists(), f"{name}: no script")


def naive(pipe, failures):
    with folder("scout") as temporary:
        case = generate(temporary, "scout", 1)
        joined = json.loads((case / "expected/join.json").read_text())
        for name, join in NAIVE.items():
            pipeline = temporary / f"{name}.yaml"
            tables = f"tables:\n  flat:\n    from: transactions\n    {join}\n    load: {{file: flat.csv}}\n"
            head = (f"target: {{dialect: postgres}}\nextract:\n  transactions: {{file: {case}/data/transactions.csv}}\n"
                    f"  interactions: {{file: {case}/data/sales_interactions.csv}}\n  insights: {{file: {case}/data/insight_base.csv}}\n")
            pipeline.write_text(head + tables)
            ran = run([pipe, "run", pipeline, "--out", temporary / name, "--format", "json"])
            broken = [v for v in (ran.json() or {"violations": []})["violations"] if v["rule"] == "join"]
            if not failures.check(ran.code == 1 and broken, f"naive {name}: stops", ran):
                continue
            first = broken[0]
            failures.check(f"{joined['base_rows']} rows would become" in first["why"] and "x)" in first["why"], f"naive {name}: factor", first["why"])
            failures.check(name == "insights" or str(joined["naive_join_rows"]) in first["why"], f"naive {name}: rows out", first["why"])
            failures.check(1 < len(first["samples"]) <= 10, f"naive {name}: worst keys", first)
            fix, fixed = first["samples"][0]["suggestion"], tables
            while True:                                  # paste what each run offers, as an author would
                block = fix.split("that:\n", 1)[1].split("    or,", 1)[0].rstrip()
                indented = "\n".join(line[4:] for line in block.splitlines())
                table = block.split(":", 1)[0].strip()
                fixed = fixed.replace(f"to: {table.removesuffix('_by_key')},", f"to: {table},") + indented + "\n"
                pipeline.write_text(head + fixed)
                ran = run([pipe, "run", pipeline, "--out", temporary / name, "--format", "json"])
                again = [v for v in (ran.json() or {"violations": []})["violations"] if v["rule"] == "join"]
                if not again or again[0]["samples"][0]["suggestion"] == fix:
                    break
                fix = again[0]["samples"][0]["suggestion"]
            failures.check(ran.code == 0, f"naive {name}: the fix passes", f"{ran}\n{fixed}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True)
    arguments.add_argument("--seeds", default="1-20")
    arguments.add_argument("--scale", type=float, default=80)
    arguments.add_argument("--quick", action="store_true", help="three seeds and no large one")
    a = arguments.parse_args()
    low, _, high = a.seeds.partition("-")
    seeds = list(range(int(low), int(high or low) + 1))[: 3 if a.quick else None]
    failures = Failures()
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(clean, a.pipe, seed, 1, failures) for seed in seeds] + [pool.submit(faulty, a.pipe, seed, failures) for seed in seeds]
        for job in jobs:
            job.result()
    naive(a.pipe, failures)
    if not a.quick:
        clean(a.pipe, 21, a.scale, failures)
    failures.finish("scout")


if __name__ == "__main__":
    main()
