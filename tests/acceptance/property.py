#!/usr/bin/env python3
"""Random small plans against an evaluator of their own: what joins, groups and filters give, what the books say, and what is called proven.

Each round writes a pipeline of many random tables (join, group_by, distinct, union, unnest, where over tables with NULLs and repeated keys)
and evaluates the same plan here, over lists of dicts with the semantics of SQL's NULL. Checked for every table: the rows of its file, the
rows in and out of every stage, that its books balance, and that what the ledger and the plan call proven is unique in the data. The second
pipeline of a round adds joins that declare many_to_one whatever the data are: those that multiply are reported with the rows that the
evaluator counts, those that do not pass.

    property.py --pipe BIN [--cases N] [--seed S]
"""
import argparse
import csv
import json
import random
import re
from collections import Counter
from pathlib import Path

import harness

TABLES, LEAVES = 15, 8
TEXTS = ["x", "X", "y", "Z", "it's", 'a "b"', "p,q"]


class Rows:
    """A relation: its columns with their types (int, text, digits, list of int, list of records), and its rows."""

    def __init__(self, columns, rows, keys=()):
        self.columns, self.rows = columns, rows
        # Columns that were a key at some stage, and may be called proven: what joins are made on more often than by chance.
        self.keys = [c for c in keys if c in columns]

    def of(self, *types):
        return [c for c, t in self.columns.items() if t in types]


def value(rng, kind):
    if rng.random() < 0.2:
        return None
    if kind == "int":
        return rng.randint(1, 7)
    return rng.choice(["1", "01", "2", "02", "3"] if kind == "digits" else TEXTS)


def source(rng, name, folder):
    """Makes random rows; returns them with the YAML of their extract."""
    form = rng.choice(["rows", "csv", "json", "json"])
    columns = {"k": "int", "a": "int", "t": "text"}
    if form != "csv":
        columns["d"] = "digits"
    if form == "json":
        columns |= {"numbers": "ints", "parts": "records"}

    def cell(kind):
        if kind == "ints":
            return [value(rng, "int") for _ in range(rng.randint(0, 3))]
        if kind == "records":
            return [{"p": value(rng, "int"), "position": rng.randint(1, 2)} for _ in range(rng.randint(0, 3))]
        return value(rng, kind)

    rows = [{c: cell(t) for c, t in columns.items()} for _ in range(rng.randint(2, 9))]
    # The types are inferred from the values: the first row has one of each.
    rows[0] |= {"k": 1, "a": 2, "t": "x"} | ({"d": "01"} if "d" in columns else {})
    if form == "json":
        rows[0] |= {"numbers": [1, 2], "parts": [{"p": 1, "position": 1}, {"p": 1, "position": 1}]}
    made = Rows(columns, rows)
    if form == "rows":
        return made, {"rows": rows}
    path = folder / f"{name}.{form}"
    if form == "json":
        path.write_text(json.dumps(rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([list(columns), *[["" if r[c] is None else r[c] for c in columns] for r in rows]])
    return made, {"file": path.name}


# ---------------------------------------------------------------- conditions and expressions: SQL, and the same as a function of a row

def negated(known):
    return None if known is None else not known


def both(a, b):
    return False if a is False or b is False else None if a is None or b is None else True


def either(a, b):
    return negated(both(negated(a), negated(b)))


def compared(a, b, test):
    return None if a is None or b is None else test(a, b)


TESTS = {"=": lambda a, b: a == b, "<>": lambda a, b: a != b, ">": lambda a, b: a > b, "<=": lambda a, b: a <= b}


def condition(rng, columns, depth=0):
    """A random condition over columns {name: type}: its SQL, and whether it holds for a row (True, False or None)."""
    ways = [lambda: simple(rng, columns)] * 3
    if depth < 2:
        ways += [lambda: combined(rng, columns, depth)] * 2
    return rng.choice(ways)()


def combined(rng, columns, depth):
    (a, f), (b, g) = condition(rng, columns, depth + 1), condition(rng, columns, depth + 1)
    word = rng.choice(["AND", "OR", "NOT"])
    if word == "NOT":
        return f"NOT ({a})", lambda r: negated(f(r))
    join = both if word == "AND" else either
    return f"({a}) {word} ({b})", lambda r: join(f(r), g(r))


def simple(rng, columns):
    name = rng.choice(list(columns))
    if rng.random() < 0.25:
        return (f"{name} IS NULL", lambda r: r[name] is None) if rng.random() < 0.3 else (f"{name} IS NOT NULL", lambda r: r[name] is not None)
    word = rng.choice(list(TESTS))
    test = TESTS[word]
    alike = [c for c, t in columns.items() if c != name and t == columns[name]]
    if alike and rng.random() < 0.3:
        other = rng.choice(alike)
        return f"{name} {word} {other}", lambda r: compared(r[name], r[other], test)
    literal = rng.randint(1, 5) if columns[name] == "int" else rng.choice(TEXTS)
    shown = literal if columns[name] == "int" else "'" + literal.replace("'", "''") + "'"
    return f"{name} {word} {shown}", lambda r: compared(r[name], literal, test)


def folded(rng, pair, kind):
    """Both sides of an equality as expressions of their columns: as they are, both as text (as unique as before), or either of them folded."""
    way = rng.choice(["plain", "text", "fold", "fold"])
    if way == "plain":
        return pair
    if way == "text":
        return tuple((f"{sql}::text", lambda r, f=f: None if f(r) is None else str(f(r))) for sql, f in pair)
    form, fold = ("{} % 3", lambda n: n % 3) if kind == "int" else ("lower({})", str.lower)
    once = lambda sql, f: (form.format(sql), lambda r: None if f(r) is None else fold(f(r)))
    return tuple(once(*side) if rng.random() < 0.7 else side for side in pair)


def expression(rng, name, kind):
    """A random expression of one column: its SQL, its type, and its value for a row."""
    same = (name, kind, lambda r: r[name])
    if kind == "int":
        return rng.choice([same] * 5 + [
            (f"{name} + 1", kind, lambda r: None if r[name] is None else r[name] + 1),
            (f"{name} % 2", kind, lambda r: None if r[name] is None else r[name] % 2),
            (f"coalesce({name}, 1)", kind, lambda r: 1 if r[name] is None else r[name]),
            (f"{name}::text", "text", lambda r: None if r[name] is None else str(r[name])),
        ])
    if kind == "digits":
        return rng.choice([same, same, (f"{name}::bigint", "int", lambda r: None if r[name] is None else int(r[name]))])
    return rng.choice([same] * 3 + [(f"coalesce({name}, 'x')", kind, lambda r: "x" if r[name] is None else r[name])])


# ---------------------------------------------------------------- one random table

class Plan:
    """Builds one table clause by clause: its YAML, its rows and the books that are to be expected."""

    def __init__(self, rng, name, relations):
        self.rng, self.name, self.relations = rng, name, relations
        self.yaml, self.books, self.proofs, self.fresh, self.multiplies = {}, [], [], 0, None

    def scalars(self):
        return {c: t for c, t in self.now.columns.items() if t in ("int", "text", "digits")}

    def new(self):
        self.fresh += 1
        return f"{self.name}_{self.fresh}"

    def book(self, clause, rows_in, rows_out):
        self.books.append((f"{self.name}.{clause}", rows_in, rows_out))

    def start(self, name):
        self.yaml["from"] = name
        self.now = self.relations[name]
        self.book("from", len(self.now.rows), len(self.now.rows))

    def change(self, clause, columns, rows, keys=None):
        self.book(clause, len(self.now.rows), len(rows))
        self.now = Rows(columns, rows, self.now.keys if keys is None else keys)

    def random(self):
        rng = self.rng
        if not (rng.random() < 0.15 and self.union()):
            self.start(rng.choice(list(self.relations)))
        nested = rng.random() < 0.6 and self.unnest()
        for _ in range(rng.choice([0, 1, 1, 2])):
            self.join()
        if rng.random() < 0.35:
            self.where()
        grouped = rng.random() < 0.3
        if grouped:
            self.group_by()
        elif nested or self.now.of("ints", "records") or rng.random() < 0.3:
            self.map()
        if rng.random() < 0.35:
            self.distinct()
        self.finish()

    def finish(self):
        if self.now.of("ints", "records") or any("." in c for c in self.now.columns):
            self.map()
        self.yaml["load"] = {"file": f"{self.name}.csv"}
        return self

    def union(self):
        # Digits are told from text by this script only.
        shape = lambda r: {c: "text" if t == "digits" else t for c, t in r.columns.items()}
        first = self.rng.choice(list(self.relations))
        alike = [n for n, r in self.relations.items() if set(r.columns) == set(self.relations[first].columns) and n != first and shape(r) == shape(self.relations[first])]
        if not alike or self.relations[first].of("ints", "records"):
            return False
        names = [first, self.rng.choice(alike)]
        self.yaml["union"] = names
        self.now = Rows(shape(self.relations[first]), [r for n in names for r in self.relations[n].rows])
        self.book("union", 0, len(self.now.rows))
        return True

    def unnest(self):
        lists = self.now.of("ints", "records")
        if not lists:
            return False
        path, keep = self.rng.choice(lists), self.rng.random() < 0.3
        records = self.now.columns[path] == "records"
        own = {"p": "int", "position": "int"} if records else {"value": "int", "position": "int"}
        self.yaml["unnest"] = {"path": path, "keep_empty": keep}
        rows = []
        for outer in self.now.rows:
            parent = {f"parent.{c}": v for c, v in outer.items()}
            for i, element in enumerate(outer[path]):
                rows.append((element if records else {"value": element, "position": i + 1}) | parent)
            if keep and not outer[path]:
                rows.append({c: None for c in own} | parent)
        self.change("unnest", own | {f"parent.{c}": t for c, t in self.now.columns.items() if t not in ("ints", "records")}, rows,
                    [f"parent.{k}" for k in self.now.keys] + ["position"] * bool(self.now.keys))
        return True

    def join(self, declared=None):
        rng, left = self.rng, self.now
        to = rng.choice([n for n in self.relations])
        right = self.relations[to]
        pairs = [(l, r) for l, lt in left.columns.items() for r, rt in right.columns.items() if lt == rt and lt in ("int", "text", "digits")]
        named = [(l, r) for l, r in pairs if l == r]
        # Proofs are about the first columns of a table, its keys.
        pool = named if named and rng.random() < 0.5 else pairs
        if not pool:
            return
        chosen = rng.sample(pool, min(len(pool), rng.choice([1, 1, 1, 2])))
        keyed = [n for n, r in self.relations.items() if r.keys and all(any(lt == r.columns[k] for lt in left.columns.values()) for k in r.keys)]
        if keyed and rng.random() < 0.6:
            to = rng.choice(keyed)
            right = self.relations[to]
            chosen = [(rng.choice([l for l, lt in left.columns.items() if lt == right.columns[k]]), k) for k in right.keys]
            if len(chosen) > 2 or len({l for l, _ in chosen}) < len(chosen):
                return
        if len({l for l, _ in chosen}) < len(chosen) or len({r for _, r in chosen}) < len(chosen):
            chosen = chosen[:1]
        kind = rng.choice(["left", "left", "inner", "full"])
        item, extra = {"to": to}, None
        if any("." in l for l, _ in chosen) or all(l == r for l, r in chosen) is False:
            item["on"] = dict(chosen)
        else:
            item["on"] = chosen[0][0] if len(chosen) == 1 else [l for l, _ in chosen]
        numbers = [(l, r) for l in left.of("int") for r in right.of("int") if "." not in l]
        plain = [((f"left.{l}", lambda row, l=l: row[l]), (f"right.{r}", lambda row, r=r: row[r])) for l, r in chosen]
        if kind != "full" and not any("." in l for l, _ in chosen) and rng.random() < 0.25:
            if numbers and rng.random() < 0.6:
                extra = rng.choice(numbers)
            plain = [folded(rng, pair, left.columns[a]) for pair, (a, _) in zip(plain, chosen)]
            demands = [f"{l} = {r}" for (l, _), (r, _) in plain] + ([f"left.{extra[0]} <= right.{extra[1]}"] if extra else [])
            item["on"] = " AND ".join(demands)

        def partners(l, r):
            return all(compared(a(l), b(r), TESTS["="]) for (_, a), (_, b) in plain) and (not extra or compared(l[extra[0]], r[extra[1]], TESTS["<="]) is True)

        if kind != "left" or rng.random() < 0.3:
            item["type"] = kind
        if kind == "left" and rng.random() < 0.2:
            item["unmatched"], kind = "drop", "inner"
        taken = {self.new(): c for c, t in right.columns.items() if t in ("int", "text", "digits") and rng.random() < 0.5}
        if not taken:
            taken = {self.new(): next(c for c, t in right.columns.items() if t in ("int", "text", "digits"))}
        item["columns"] = taken
        found = [[r for r in right.rows if partners(l, r)] for l in left.rows]
        met = Counter(id(r) for rs in found for r in rs)
        many_right, many_left = any(len(f) > 1 for f in found), any(n > 1 for n in met.values())
        rows = []
        for l, partner in zip(left.rows, found):
            for r in partner or ([None] if kind != "inner" else []):
                rows.append(l | {n: r[c] if r else None for n, c in taken.items()})
        if kind == "full":
            same = {l for l, r in chosen if l == r}
            rows += [{c: r[c] if c in same else None for c in left.columns} | {n: r[c] for n, c in taken.items()} for r in right.rows if id(r) not in met]
        valid = ["many_to_many"] + ["many_to_one"] * 4 * (not many_right) + ["one_to_many"] * (not many_left)
        valid += ["one_to_one"] * (not many_right and not many_left)
        item["expect"] = declared or rng.choice(valid)
        if item["expect"] == "many_to_one" and rng.random() < 0.5:
            del item["expect"]
        self.multiplies = (len(left.rows), len(rows)) if many_right else None
        keys = [tuple(b(r) for _, (_, b) in plain) for r in right.rows]
        self.proofs.append((len(self.books), max(Counter(k for k in keys if None not in k).values(), default=0) <= 1))
        self.yaml.setdefault("join", []).append(item)
        self.change("join", left.columns | {n: right.columns[c] for n, c in taken.items()}, rows)

    def where(self):
        sql, holds = condition(self.rng, self.scalars())
        self.yaml["where"] = sql
        self.change("where", self.now.columns, [r for r in self.now.rows if holds(r) is True])

    def group_by(self):
        rng, scalars = self.rng, self.scalars()
        keys = rng.sample(list(scalars), min(len(scalars), rng.choice([1, 1, 1, 2, 2, 0])))
        groups = {} if keys else {(): []}
        for row in self.now.rows:
            groups.setdefault(tuple(row[k] for k in keys), []).append(row)
        made, passed = [], []
        for i, key in enumerate(keys):
            if rng.random() < 0.85:
                made.append((key if "." not in key else self.new(), key, scalars[key], lambda k, rows, i=i: k[i]))
                passed.append(made[-1][0])
        some = rng.choice(list(scalars))
        numbers = [c for c, t in scalars.items() if t == "int"]
        present = lambda rows, c: [r[c] for r in rows if r[c] is not None]
        made.append((self.new(), "count(*)", "int", lambda k, rows: len(rows)))
        made.append((self.new(), f"max({some})", scalars[some], lambda k, rows: max(present(rows, some), default=None)))
        made.append((self.new(), f"count({some})", "int", lambda k, rows: len(present(rows, some))))
        if numbers:
            number = rng.choice(numbers)
            made.append((self.new(), f"sum({number})", "int", lambda k, rows: sum(present(rows, number)) if present(rows, number) else None))
        self.yaml["group_by"], self.yaml["map"] = keys, {n: sql for n, sql, _, _ in made}
        columns = {n: t for n, _, t, _ in made}
        self.change("group_by", columns, [{n: f(k, rows) for n, _, _, f in made} for k, rows in groups.items()], passed)
        self.book("map", len(groups), len(groups))

    def map(self):
        made, passed = {}, []
        for name, kind in self.scalars().items():
            bare = name.removeprefix("parent.")
            made[bare if bare not in made and bare not in self.now.columns or bare == name else self.new()] = expression(self.rng, name, kind)
            passed += [list(made)[-1]] * (name in self.now.keys)
        self.yaml["map"] = {n: sql for n, (sql, _, _) in made.items()}
        self.change("map", {n: t for n, (_, t, _) in made.items()}, [{n: f(r) for n, (_, _, f) in made.items()} for r in self.now.rows], passed)

    def distinct(self):
        rng = self.rng
        if self.now.of("ints", "records"):
            return
        names = list(self.now.columns)
        if rng.random() < 0.2:
            keys, rows, self.yaml["distinct"] = names, self.now.rows, True
        else:
            keys = rng.sample(names, min(len(names), rng.choice([1, 1, 2])))
            last = rng.random() < 0.3
            descending = {c: rng.random() < 0.4 for c in names}
            # Ordered by every column: which row stays is then no matter of chance.
            order = [f"{c} desc nulls first" if descending[c] else f"{c} nulls last" for c in names]
            self.yaml["distinct"] = {"on": keys, "order_by": order} | ({"keep": "last"} if last else {})
            rows = self.now.rows
            for name in reversed(names):
                kind = "" if self.now.columns[name] != "int" else 0
                rows = sorted(rows, key=lambda r: (r[name] is None, kind if r[name] is None else r[name]), reverse=descending[name])
            rows = rows[::-1] if last else rows
        kept = {}
        for row in rows:
            kept.setdefault(tuple(row[k] for k in keys), row)
        self.change("distinct", self.now.columns, list(kept.values()), keys if len(keys) < 3 else None)


# ---------------------------------------------------------------- running and comparing

def round_of(pipe, rng, folder, failures, title):
    """Makes, runs and judges one pipeline of random tables, and the same with joins that may multiply."""
    relations, extracts = {}, {}
    for i in range(4):
        relations[f"s{i}"], extracts[f"s{i}"] = source(rng, f"s{i}", folder)
    plans = []
    for i in range(TABLES):
        plan = Plan(rng, f"t{i}", relations)
        plan.random()
        relations = relations | {plan.name: plan.now}
        plans.append(plan)
    leaves = []
    for i in range(LEAVES):
        leaf = Plan(rng, f"u{i}", relations)
        leaf.start(rng.choice(list(relations)))
        leaf.join("many_to_one")
        leaves.append(leaf.finish())
    whole = lambda tables: json.dumps({"pipeline": "property", "target": {"dialect": "postgres"}, "extract": extracts, "tables": {p.name: p.yaml for p in tables}}, indent=1)

    def show(plan, detail):
        # The whole chain of the table that failed: JSON is YAML.
        wanted, shown = [plan.name], {}
        while wanted:
            name = wanted.pop()
            yaml = next((p.yaml for p in plans + leaves if p.name == name), None) or extracts[name]
            if name not in shown:
                shown[name] = yaml
                wanted += [yaml.get("from")] * ("from" in yaml) + yaml.get("union", []) + [j["to"] for j in yaml.get("join", [])]
        data = [f"{n}: {json.dumps(y)}" + (f" = {json.dumps(relations[n].rows)}" if "file" in y else "") for n, y in sorted(shown.items())]
        return "\n".join([title, detail, *data])

    good, bad = folder / "good.yaml", folder / "bad.yaml"
    good.write_text(whole(plans))
    bad.write_text(whole(plans + leaves))
    ran = harness.run([pipe, "run", good, "--out", folder / "good", "--format", "json"], cwd=folder, timeout=120)
    said = ran.json() or {}
    if not failures.check(ran.code == 0, f"{title}: a pipeline that keeps its declarations runs", lambda: f"{ran}\n{good.read_text()}"):
        for violation in said.get("violations", []):
            for plan in plans:
                if plan.name == violation["table"]:
                    print(show(plan, violation.get("why") or ""))
        return
    planned = harness.run([pipe, "plan", good], cwd=folder, timeout=120).stdout
    for plan in plans:
        judge(plan, said["ledger"], planned, failures, show, title)
        path = folder / "good" / f"{plan.name}.csv"
        written = list(csv.reader(path.open(newline=""))) if path.exists() else [[]]
        text = lambda v: "" if v is None else str(v)
        expected = Counter(tuple(text(r[c]) for c in written[0]) for r in plan.now.rows) if set(written[0]) == set(plan.now.columns) else None
        failures.check(expected == Counter(map(tuple, written[1:])), f"{title} {plan.name}: the rows of its file",
                       lambda: show(plan, f"expected {plan.now.rows}\nwritten {written}"))
    ran = harness.run([pipe, "run", bad, "--dry-run", "--format", "json"], cwd=folder, timeout=120)
    said = ran.json() or {}
    broken = {v["table"]: v for v in said.get("violations", []) if v["rule"] == "join"}
    failures.check(ran.code == (1 if any(p.multiplies for p in leaves) else 0), f"{title}: exit code of joins that may multiply", lambda: str(ran))
    planned = harness.run([pipe, "plan", bad], cwd=folder, timeout=120).stdout
    for leaf in leaves:
        why = broken.get(leaf.name, {}).get("why")
        numbers = re.match(r"(\d+) rows would become (\d+) ", why or "")
        counted = tuple(map(int, numbers.groups())) if numbers else None
        failures.check(counted == leaf.multiplies, f"{title} {leaf.name}: rows of a join that is declared many_to_one",
                       lambda: show(leaf, f"expected {leaf.multiplies}, said {why}"))
        if why is None and not leaf.multiplies:
            judge(leaf, said.get("ledger", []), planned, failures, show, title)


def judge(plan, ledger, planned, failures, show, title):
    """Compares the books of one table, and what is called proven of it."""
    lines = [l for l in ledger if l["stage"].startswith(plan.name + ".")]
    total = lambda parts: sum(p["rows"] for p in parts)
    for line in lines:
        failures.check(line["in"] + total(line["added"]) == line["out"] + total(line["removed"]), f"{title} {line['stage']}: the books balance",
                       lambda: show(plan, str(line)))
    counted = [(l["stage"], l["in"], l["out"]) for l in lines if not l["stage"].endswith((".load", ".validate"))]
    failures.check(counted == plan.books, f"{title} {plan.name}: rows in and out of its stages", lambda: show(plan, f"expected {plan.books}\nledger {counted}"))
    joins = [l for l in lines if l["stage"].endswith(".join")]
    effects = re.findall(rf"^  {plan.name}\.join +(.*)$", planned, re.M)
    failures.check(len(effects) == len(plan.proofs), f"{title} {plan.name}: the plan shows its joins", planned)
    for line, effect, (_, unique) in zip(joins, effects, plan.proofs):
        proven = "proven:" in effect or any("proven:" in note for note in line["notes"])
        PROVEN[proven] += 1
        failures.check(unique or not proven, f"{title} {plan.name}: what is called proven is unique", lambda: show(plan, f"{effect}; {line}"))


PROVEN = Counter()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=lambda p: Path(p).resolve())
    arguments.add_argument("--cases", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=None)
    given = arguments.parse_args()
    seed = random.randrange(10**9) if given.seed is None else given.seed
    print(f"property: seed {seed}", flush=True)
    failures, done, number = harness.Failures(), 0, 0
    while done < given.cases:
        with harness.folder("property") as folder:
            round_of(given.pipe, random.Random(f"{seed}.{number}"), folder, failures, f"seed {seed} round {number}")
        done, number = done + TABLES + LEAVES, number + 1
    print(f"property: {done} tables; {PROVEN[True]} joins proven, {PROVEN[False]} counted")
    failures.check(PROVEN[True] > 0, "some joins are proven")
    failures.finish(f"property (seed {seed})")


if __name__ == "__main__":
    main()
