#!/usr/bin/env python3
"""Random tables that set rows aside, against a model of their own: who leaves with whom, and that nobody else does.

Each round makes tables with faults (NULLs, values out of range, repeated keys, references to nothing, to other tables and to themselves),
some with `on_failure: quarantine`, and readers of them. Compared: the rows that left per table, the rows of every file, and for tables
without a quarantine the rules that are broken with their counts.

    quarantine.py --pipe BIN [--cases N] [--seed S]
"""
import argparse
import csv
import json
import random
from collections import Counter
from pathlib import Path

import harness


class Table:
    """A random table: its rows, its checks and the table that it refers to."""

    def __init__(self, rng, number, before):
        self.name = f"t{number}"
        self.quarantine = rng.random() < 0.5
        faulty = self.quarantine or rng.random() < 0.15
        self.parent = rng.choice([None, self, *before, *before])
        self.reader = rng.choice(["file", "view", "view", "group"])
        self.checks = [c for c in ("not_null", "range", "unique") if rng.random() < 0.6]
        ids = list(range(1, 9))
        self.rows = []
        for i in range(rng.randint(3, 8)):
            known = self if self.parent is None or not self.parent.rows else self.parent
            ref = rng.choice([None, *(row["id"] for row in known.rows)])
            row = {"row": i, "id": ids[i], "n": rng.randint(0, 5), "ref": ref if self.parent else None}
            if faulty and rng.random() < 0.3:
                row |= rng.choice([{"n": None}, {"n": 9}, {"id": rng.choice(ids)}, {"id": None}, {"ref": 99 if self.parent else None}])
            self.rows.append(row)

    def spec(self):
        validate = {"not_null": {"not_null": "n"}, "range": {"range": {"n": [0, 5]}}, "unique": {"unique": "id"}}
        rules = [validate[c] for c in self.checks]
        if self.parent:
            rules.append({"references": {"ref": f"{self.parent.name}.id"}})
        table = {"from": f"raw_{self.name}"}
        table |= {"validate": rules} if rules else {}
        table |= {"on_failure": "quarantine"} if self.quarantine else {}
        tables = {self.name: table}
        if self.reader == "file":
            table["load"] = {"file": f"{self.name}.csv"}
        elif self.reader == "view":
            tables[f"{self.name}_out"] = {"from": self.name, "load": {"file": f"{self.name}.csv"}}
        else:
            tables[f"{self.name}_out"] = {"from": self.name, "group_by": "n", "map": {"n": "n", "rows": "count(*)"},
                                          "load": {"file": f"{self.name}.csv"}}
        return tables

    def failing(self, rows):
        """The rows that break a rule besides references, by rule."""
        times = Counter(row["id"] for row in rows if row["id"] is not None)
        broken = {"not_null": lambda r: r["n"] is None, "range": lambda r: r["n"] is not None and r["n"] > 5,
                  "unique": lambda r: times[r["id"]] > 1}
        return {rule: [r for r in rows if broken[rule](r)] for rule in self.checks}

    def settle(self):
        """Splits the rows into those that stay and those that left; parents have been settled."""
        own = self.quarantine
        failing = {r["row"] for rows in self.failing(self.rows).values() for r in rows} if own else set()

        def orphan(row, parents):
            return self.parent and row["ref"] is not None and all(p["id"] != row["ref"] for p in parents)

        def followed(row, gone):
            return any(g["id"] == row["ref"] for g in gone if g["id"] is not None)

        parents = self.rows if self.parent is self else self.parent.stay if self.parent else []
        gone = [] if self.parent in (None, self) else self.parent.left
        leaves = [r for r in self.rows if r["row"] in failing or orphan(r, parents) and (own or followed(r, gone))]
        self.left, self.stay = leaves, [r for r in self.rows if r not in leaves]
        while self.parent is self:
            more = [r for r in self.stay if orphan(r, self.stay) and (own or followed(r, self.left))]
            if not more:
                break
            self.left, self.stay = self.left + more, [r for r in self.stay if r not in more]
        parents = self.stay if self.parent is self else parents
        self.broken = {} if own else {rule: len(rows) for rule, rows in self.failing(self.stay).items() if rows}
        lost = [r for r in self.stay if orphan(r, parents)]
        self.broken |= {"references": len(lost)} if lost else {}

    def written(self):
        if self.reader == "group":
            return Counter((str(n if n is not None else ""), str(c)) for n, c in Counter(r["n"] for r in self.stay).items())
        return Counter(tuple("" if v is None else str(v) for v in r.values()) for r in self.stay)


def one(seed, pipe, folder, failures):
    rng = random.Random(seed)
    tables = []
    for number in range(rng.randint(1, 4)):
        tables.append(Table(rng, number, tables))
    for table in tables:
        table.settle()
    spec = {"pipeline": "aside", "target": {"dialect": "postgres"},
            "extract": {f"raw_{t.name}": {"rows": t.rows, "columns": {c: "integer" for c in t.rows[0]}} for t in tables},
            "tables": {name: body for t in tables for name, body in t.spec().items()}}
    (folder / "aside.yaml").write_text(json.dumps(spec))
    ran = harness.run([pipe, "run", "aside.yaml", "--format", "json"], cwd=folder)
    report = ran.json() or {}
    about = lambda: f"seed {seed}\n{json.dumps(spec)}\n{ran}"
    left = {q["table"]: q["rows"] for q in report.get("quarantined", [])}
    failures.check(left == {t.name: len(t.left) for t in tables if t.left}, f"seed {seed}: the rows that left, {left}", about)
    broken = {(v["table"], v["rule"]): v["count"] for v in report.get("violations", [])}
    expected = {(t.name, rule): count for t in tables for rule, count in t.broken.items()}
    failures.check(broken == expected, f"seed {seed}: {broken} instead of {expected}", about)
    failures.check((report.get("status") == "ok") == (not expected), f"seed {seed}: status", about)
    if expected:
        return
    for table in tables:
        with (folder / "out/aside" / f"{table.name}.csv").open(newline="") as file:
            rows = Counter(tuple(row) for row in list(csv.reader(file))[1:])
        failures.check(rows == table.written(), f"seed {seed}: rows of {table.name}", about)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=Path)
    arguments.add_argument("--cases", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    failures = harness.Failures()
    with harness.folder("quarantine") as folder:
        for case in range(given.cases):
            room = folder / str(case)
            room.mkdir()
            one(given.seed * 100_000 + case, given.pipe.resolve(), room, failures)
    failures.finish(f"quarantine (seed {given.seed})")


if __name__ == "__main__":
    main()
