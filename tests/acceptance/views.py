#!/usr/bin/env python3
"""Random small plans as views: what PostgreSQL shows through a view is what the run has staged.

Each round writes tables with NULLs, repeated keys and awkward texts into a real database and into files, and a pipeline of many random tables over
them (join, group_by, distinct, union, unnest, unpivot, where, map). Every table becomes a view in a pipeline of its own run: what `check` accepts is
created and read, and its rows are compared with the file that the same table writes; what it refuses must carry a code of views, at a place.
Nothing is retried: a view that PostgreSQL does not take, or whose rows differ, is a failure.

The view of `examples/scout` is read as well, over the tables of its sources.

    views.py --pipe BIN --db URL [--plans N] [--seed S] [--seconds T] [--floor F]
"""
import argparse
import csv
import io
import json
import random
import time
from collections import Counter

import harness

TABLES, LEAVES = 60, 6
TEXTS = ["x", "y", "Z", "z ", " z", "it's", 'a "b"', "é", "\u00e4b", "", "10", "9", "a_b", "a%b", "[a]", "\U0001f642 ok", "\u00a0n", "tab\t", "b\\c"]
TYPES = {"k": "bigint", "a": "integer", "n": "decimal(8,2)", "t": "text", "u": "text", "b": "boolean", "d": "date", "s": "timestamp", "l": "bigint[]"}
POSTGRES = TYPES | {"t": "varchar(30)", "n": "numeric(10,2)", "a": "integer"}
CODES = {"E0460", "E0461", "E0462", "E0463"}


def cell(rng, column):
    if rng.random() < 0.2 and column != "l":
        return None
    return {
        "k": lambda: rng.randint(1, 6), "a": lambda: rng.randint(-9, 9), "n": lambda: round(rng.randint(-99999, 99999) / 100, 2), "t": lambda: rng.choice(TEXTS),
        "u": lambda: rng.choice(TEXTS), "b": lambda: rng.random() < 0.5, "d": lambda: f"{rng.choice([1999, 2024])}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        "s": lambda: f"{rng.choice([1969, 2024])}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}:0{rng.randint(0, 9)}",
        "l": lambda: [rng.randint(1, 5) if rng.random() < 0.8 else None for _ in range(rng.randint(0, 3))]}[column]()


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        return "ARRAY[" + ",".join(literal(v) for v in value) + "]::bigint[]"
    return str(value) if isinstance(value, (int, float)) else "'" + value.replace("'", "''") + "'"


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


# ---------------------------------------------------------------- random expressions: (SQL, type), over columns {name: type}

def pick(rng, columns, *types):
    found = [c for c, t in columns.items() if t in types]
    return rng.choice(found) if found else None


def number(rng, columns, depth=0):
    a = pick(rng, columns, "int", "dec")
    if a is None:
        return "7", "int"
    kind = columns[a]
    if depth > 2 or rng.random() < 0.3:
        return a, kind
    x, xt = number(rng, columns, depth + 1)
    ways = [lambda: (f"({x} + {rng.randint(0, 9)})", xt), lambda: (f"abs({x})", xt), lambda: (f"({x} - {a})", "dec" if "dec" in (xt, kind) else "int"),
            lambda: (f"-{x}" if x.isidentifier() else f"-({x})", xt), lambda: (f"coalesce({x}, 3)", xt), lambda: (f"nullif({x}, 2)", xt),
            lambda: (f"CASE WHEN {condition(rng, columns, depth + 1)} THEN {x} ELSE 0 END", xt), lambda: (f"if({condition(rng, columns, depth + 1)}, {x}, NULL)", xt),
            lambda: (f"({x} * 2)", xt), lambda: (f"greatest({x}, 1)", xt), lambda: (f"least({x}, {a})", "dec" if "dec" in (xt, kind) else "int"),
            lambda: (f"({x} * {a})", "dec" if "dec" in (xt, kind) else "int")]
    if xt == "int" and kind == "int":
        ways += [lambda: (f"({x} // nullif({a}, 0))", "int"), lambda: (f"({x} % nullif({a}, 0))", "int"), lambda: (f"({x} % 3)", "int"), lambda: (f"({x} // -2)", "int")]
    if xt == "dec":
        ways += [lambda: (f"round({x}, 1)", "dec"), lambda: (f"floor({x})", "dec"), lambda: (f"ceil({x})", "dec"), lambda: (f"round({x})", "dec"), lambda: (f"({x} * 0.5)", "dec")]
    if (t := pick(rng, columns, "text")) and rng.random() < 0.3:
        ways += [lambda: (f"length({t})", "int")]
    if (d := pick(rng, columns, "date", "stamp")) and rng.random() < 0.4:
        part = rng.choice(["year", "month", "day", "quarter"] + (["hour", "minute"] if columns[d] == "stamp" else []))
        ways += [lambda: (f"{part}({d})", "int")]
    if (b := pick(rng, columns, "bool")) and rng.random() < 0.2:
        ways += [lambda: (f"{b}::integer", "int")]
    return rng.choice(ways)()


def text(rng, columns, depth=0):
    a = pick(rng, columns, "text")
    if a is None:
        return quoted(rng.choice(TEXTS)), "text"
    if depth > 2 or rng.random() < 0.3:
        return a, "text"
    x = text(rng, columns, depth + 1)[0]
    ways = [lambda: f"({x} || {quoted(rng.choice(TEXTS))})", lambda: f"({x} || {a})", lambda: f"coalesce({x}, {quoted(rng.choice(TEXTS))})", lambda: f"nullif({x}, {quoted(rng.choice(TEXTS))})",
            lambda: f"trim({x})", lambda: f"ltrim({x})", lambda: f"rtrim({x})", lambda: f"concat({x}, {a}, 'q')", lambda: f"concat_ws('-', {x}, NULL, {a})", lambda: f"left({x}, {rng.randint(0, 3)})",
            lambda: f"right({x}, {rng.randint(0, 3)})", lambda: f"substring({x}, {rng.randint(1, 3)}, {rng.randint(0, 3)})", lambda: f"substring({x}, {rng.randint(1, 3)})",
            lambda: f"replace({x}, 'z', {quoted(rng.choice(TEXTS))})", lambda: f"greatest({x}, {a})", lambda: f"least({x}, 'b')",
            lambda: f"CASE {x} WHEN {quoted(rng.choice(TEXTS))} THEN 'one' WHEN {a} THEN {a} ELSE 'other' END", lambda: f"CASE WHEN {condition(rng, columns, depth + 1)} THEN {x} END"]
    if (other := pick(rng, columns, "int", "dec", "date", "bool")) and rng.random() < 0.5:
        ways += [lambda: f"{other}::text", lambda: f"({other} || '/' || {x})"]
    if rng.random() < 0.03:
        ways = [lambda: f"upper({x})", lambda: f"md5({x})", lambda: f"regexp_replace({x}, 'a', 'b')", lambda: f"reverse({x})", lambda: f"strip_accents({x})"]
    return rng.choice(ways)(), "text"


def condition(rng, columns, depth=0):
    if depth < 2 and rng.random() < 0.35:
        a, b = condition(rng, columns, depth + 1), condition(rng, columns, depth + 1)
        return rng.choice([f"({a}) AND ({b})", f"({a}) OR ({b})", f"NOT ({a})"])
    word = rng.choice(["=", "<>", "<", "<=", ">", ">=", "IS NOT DISTINCT FROM", "IS DISTINCT FROM"])
    name = rng.choice([c for c, t in columns.items() if t != "ints"])
    kind = columns[name]
    if rng.random() < 0.15:
        return f"{name} IS {rng.choice(['', 'NOT '])}NULL"
    if kind == "text":
        x = text(rng, columns, depth + 1)[0]
        y = rng.choice([quoted(rng.choice(TEXTS)), text(rng, columns, 2)[0]])
        pattern = quoted(rng.choice(["%a%", "_", "z%", "%\\%", "%[a]%", "% ", "a_b"]))
        return rng.choice([f"{x} {word} {y}", f"{x} {word} {y}", f"{x} LIKE {pattern}", f"{x} NOT LIKE {pattern}", f"{x} IN ({quoted(rng.choice(TEXTS))}, {y}, NULL)" if rng.random() < 0.2 else f"{x} NOT IN ({y}, 'z')",
                           f"contains({x}, {y})", f"starts_with({x}, {y})", f"{x} BETWEEN 'a' AND {y}"])
    if kind in ("int", "dec"):
        x, y = number(rng, columns, depth + 1)[0], rng.choice([str(rng.randint(-5, 5)), number(rng, columns, 2)[0]])
        return rng.choice([f"{x} {word} {y}", f"{x} {word} {y}", f"{x} IN (1, 2, {y})", f"{x} NOT BETWEEN 0 AND {y}"])
    if kind == "bool":
        return rng.choice([name, f"NOT {name}", f"{name} = TRUE", f"{name} IS NOT DISTINCT FROM FALSE"])
    constant = "DATE '2024-05-05'" if kind == "date" else "TIMESTAMP '2024-05-05 12:00:00'"
    return f"{name} {word} {constant}"


def expression(rng, columns):
    roll = rng.random()
    if roll < 0.3:
        name = rng.choice([c for c, t in columns.items() if t != "ints"])
        return name, columns[name]
    if roll < 0.6:
        return number(rng, columns)
    if roll < 0.88:
        return text(rng, columns)
    if (s := pick(rng, columns, "stamp")) and rng.random() < 0.5:
        return rng.choice([(f"{s}::date", "date"), (f"date_trunc('month', {s})", "stamp")])
    return condition(rng, columns), "bool"


# ---------------------------------------------------------------- random tables

def table(rng, known, names, tag):
    """A random table over known relations {name: {column: type}}: its block, its columns, and how it was made."""
    base = rng.choice(names)
    columns, block, kinds = dict(known[base]), {"from": base}, []
    if rng.random() < 0.12:
        alike = [n for n in names if n != base and known[n] == columns]
        if alike:
            block = {"union": [base, rng.choice(alike)]}
            kinds.append("union")
    if not kinds and "ints" in columns.values() and rng.random() < 0.35:
        block["unnest"] = {"path": pick(rng, columns, "ints"), "keep_empty": rng.random() < 0.5}
        columns = {"value": "int", "position": "int", **{f"parent.{c}": t for c, t in columns.items() if t != "ints"}}
        block["derive"] = {c.replace(".", "_"): c for c in columns if "." in c}
        block["map"] = {c.replace(".", "_"): c for c in columns}
        kinds.append("unnest")
        del block["derive"]
        return block, {c.replace(".", "_"): t for c, t in columns.items()}, kinds
    if rng.random() < 0.3:
        other = rng.choice(names)
        key = pick(rng, columns, "int")
        right = pick(rng, known[other], "int")
        if key and right:
            take = rng.sample([c for c, t in known[other].items() if t != "ints"], k=min(2, sum(t != "ints" for t in known[other].values())))
            block["join"] = {"to": other, "on": {key: right}, "type": rng.choice(["left", "inner", "full"]), "columns": {f"j{i}_{tag}": c for i, c in enumerate(take)},
                             "expect": rng.choice(["many_to_many", "many_to_many", "many_to_many", "many_to_one"])}
            if rng.random() < 0.2 and block["join"]["type"] != "full":
                block["join"]["on"] = f"left.{key} <= right.{right} AND left.{key} IS NOT NULL"
                block["join"]["expect"] = "many_to_many"
            columns |= {f"j{i}_{tag}": known[other][c] for i, c in enumerate(take)}
            kinds.append("join")
    if rng.random() < 0.4:
        block["where"] = condition(rng, columns)
        kinds.append("where")
    plain = [c for c, t in columns.items() if t != "ints"]
    roll = rng.random()
    if roll < 0.3:
        keys = rng.sample(plain, k=rng.randint(0, min(2, len(plain))))
        block["group_by"], made = keys, {k: columns[k] for k in keys}
        block["map"] = {k: k for k in keys}
        for i in range(rng.randint(1, 3)):
            x, kind = expression(rng, columns)
            ways = [("count(*)", "int"), (f"count({x})", "int"), (f"count(DISTINCT {x})", "int")]
            if kind in ("int", "dec"):
                ways += [(f"sum({x})", kind), (f"min({x})", kind), (f"max({x})", kind), (f"sum({x}) FILTER (WHERE {condition(rng, columns)})", kind)]
            if kind == "text":
                ways += [(f"min({x})", kind), (f"max({x})", kind)]
                c = pick(rng, columns, "text")
                ways += [(f"string_agg({c}, '|' ORDER BY {rng.choice([c, x])})", kind), (f"string_agg({c}, '|' ORDER BY {c}{rng.choice(['', ' DESC'])})", kind)] if c else []
            if kind in ("date", "stamp"):
                ways += [(f"min({x})", kind), (f"max({x})", kind)]
            if kind == "bool":
                ways += [(f"bool_and({x})", kind), (f"bool_or({x})", kind)]
            block["map"][f"g{i}"], made[f"g{i}"] = rng.choice(ways)
        columns = made
        kinds.append("group_by")
    elif roll < 0.75:
        block["map"] = {c: c for c in rng.sample(list(columns), k=rng.randint(1, len(columns)))}
        made = {c: columns[c] for c in block["map"]}
        for i in range(rng.randint(1, 3)):
            block["map"][f"m{i}"], made[f"m{i}"] = expression(rng, columns)
        columns = made
        kinds.append("map")
    plain = [c for c, t in columns.items() if t != "ints"]
    if plain and rng.random() < 0.25:
        keys = rng.sample(plain, k=rng.randint(1, len(plain)))
        rest = [c for c in columns if c not in keys]
        block["distinct"] = {"on": keys}
        if rest and "ints" not in columns.values() and rng.random() < 0.8:
            rng.shuffle(rest)
            block["distinct"]["order_by"] = ", ".join(f"{c}{rng.choice(['', ' DESC', ' NULLS FIRST', ' DESC NULLS FIRST'])}" for c in rest)
            block["distinct"]["keep"] = rng.choice(["first", "last"])
        kinds.append("distinct")
    fillable = [c for c, t in columns.items() if t in ("int", "text")]
    if fillable and rng.random() < 0.2:
        c = rng.choice(fillable)
        block["default"] = {c: 5 if columns[c] == "int" else "filled"}
        kinds.append("default")
    return block, columns, kinds


class Round:
    """One database's worth of sources, and the pipelines over them."""

    def __init__(self, rng, folder, url, options, failures):
        self.rng, self.folder, self.url, self.options, self.failures = rng, folder, url, options, failures

    def pipe(self, *arguments):
        return harness.run([self.options.pipe, *arguments], cwd=self.folder)

    def write(self, name, extract, tables):
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps({"pipeline": name, "target": {"dialect": "postgres", "schema": "public"}, "extract": extract, "tables": tables}))
        return path

    def play(self, number, seen):
        rng = self.rng
        extract, known, sql = {}, {}, ["DROP SCHEMA public CASCADE; CREATE SCHEMA public;"]
        kinds = {"k": "int", "a": "int", "n": "dec", "t": "text", "u": "text", "b": "bool", "d": "date", "s": "stamp", "l": "ints"}
        for i in range(LEAVES):
            name = f"s{i}"
            columns = ["k", "a", "t", *rng.sample(["n", "u", "b", "d", "s", "l"], k=3)] if i else list(kinds)
            rows = [{c: cell(rng, c) for c in columns} for _ in range(rng.randint(0, 12))]
            # Lists are typed by what is in them.
            rows = rows or [dict.fromkeys(columns)]
            if "l" in columns:
                rows[0]["l"] = [1, 2]
            (self.folder / f"{name}.json").write_text(json.dumps(rows))
            extract[name] = {"file": f"{name}.json", "columns": {c: TYPES[c] for c in columns}}
            sql.append(f"CREATE TABLE {name} ({', '.join(f'{c} {POSTGRES[c]}' for c in columns)});")
            sql += [f"INSERT INTO {name} VALUES ({', '.join(literal(r[c]) for c in columns)});" for r in rows]
            known[name] = {c: kinds[c] for c in columns}
        made = {}
        # Joins see a source's columns as they were found: pins take effect where a table starts from it.
        tables = {f"b{i}": {"from": f"s{i}"} for i in range(LEAVES)}
        known |= {f"b{i}": known[f"s{i}"] for i in range(LEAVES)}
        names, base = [f"b{i}" for i in range(LEAVES)], dict(tables)
        for i in range(TABLES):
            name = f"t{i}"
            tables[name], known[name], made[name] = table(rng, known, names, i)
            # Chains, but not so long that every table holds something a view cannot say.
            if rng.random() < 0.35:
                names.append(name)
        # What no run takes (an overflow, a join that breaks its word) is no plan of a view either.
        for name, block in list(tables.items()):
            if block.get("join", {}).get("expect") == "many_to_one":
                seen["many_to_one"] += 1
        views = {n: {**b, "load": [{"view": f"public.v_{n}"}, {"file": f"{n}.csv"}]} for n, b in tables.items() if n not in base} | base
        # What one expression does to several views is told once: ask until nothing is refused. Refused tables stay as relations for the others.
        refused = set()
        while True:
            asked = {n: {c: v for c, v in b.items() if c != "load"} if n in refused else b for n, b in views.items()}
            found = self.refused(self.pipe("check", self.write("views", extract, asked), "--format", "json"), asked, number, seen)
            if found is None:
                return
            if not found:
                break
            refused |= found
        joins = [n for n, b in tables.items() if b.get("join", {}).get("expect") == "many_to_one"]
        for n in joins:
            tables[n]["join"]["expect"] = "many_to_many"
        plain = {n: {**b, "load": [{"file": f"{n}.csv"}] if n in refused else [{"view": f"public.v_{n}"}, {"file": f"{n}.csv"}]} for n, b in tables.items() if n not in base} | base
        path = self.write("run", extract, plain)
        done = self.pipe("run", path, "--out", self.folder / "out")
        if not self.failures.check(done.code == 0, f"round {number}: the run passes", done):
            return
        script = self.folder / "sources.sql"
        script.write_text("\n".join(sql))
        for file in (script, self.folder / "out/views.sql"):
            created = harness.psql(self.url, "-f", file)
            if not self.failures.check(created.code == 0, f"round {number}: PostgreSQL takes {file.name}", lambda: f"{created}\nseed {self.options.seed}"):
                return
        self.compare(number, [n for n in plain if n not in refused and n not in base], tables, made, known, seen)

    def refused(self, done, views, number, seen):
        """The tables that cannot be views, each for a reason of views."""
        found = done.json()
        errors = [d for d in (found or {}).get("diagnostics", []) if d.get("severity") == "error"]
        good = self.failures.check(found is not None and done.code in (0, 2), f"round {number}: check answers", done)
        good &= self.failures.check(all(e["code"] in CODES for e in errors), f"round {number}: only views are refused", lambda: [e for e in errors if e["code"] not in CODES][:3])
        if not good:
            return None
        names = set()
        for error in errors:
            seen[error["code"]] += 1
            self.failures.check(error.get("line") or error.get("span"), f"round {number}: a refusal has its place", error)
            names |= {n for n in views if f"v_{n}`" in json.dumps(error)}
        return names

    def compare(self, number, names, tables, made, known, seen):
        queries = []
        for n in names:
            shown = [f"CASE WHEN {c} THEN 'true' WHEN NOT {c} THEN 'false' END" if t == "bool" else f"array_to_json({c})::text" if t == "ints" else c for c, t in known[n].items()]
            queries.append(f"\\copy (SELECT {', '.join(shown)} FROM public.v_{n}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)\n\\echo '#### end'\n")
        script = self.folder / "read.sql"
        script.write_text("".join(queries))
        done = harness.psql(self.url, "-f", script)
        parts = done.stdout.split("#### end\n")
        if not self.failures.check(done.code == 0 and len(parts) == len(names) + 1, f"round {number}: every view can be read", done):
            return
        for n, part in zip(names, parts):
            kinds = list(known[n].values())
            header, *rows = csv.reader((self.folder / f"out/{n}.csv").open(newline="", encoding="utf-8"))
            order = [header.index(c) for c in known[n]]
            # An empty line is a row whose only column is NULL.
            staged = Counter(tuple(normal((row or [""])[at], k) for at, k in zip(order, kinds)) for row in rows)
            viewed = Counter(tuple(normal(v, k) for v, k in zip(row or [""], kinds)) for row in csv.reader(io.StringIO(part, newline="")))
            same = self.failures.check(staged == viewed, f"round {number}: view of {n} is what was staged (seed {self.options.seed})",
                                       lambda: f"{json.dumps(tables[n], ensure_ascii=False)}\nstaged only {list((staged - viewed).items())[:5]}\nviewed only {list((viewed - staged).items())[:5]}")
            seen["compared"] += same
            seen["rows"] += sum(viewed.values())
            for kind in made[n]:
                seen[kind] += 1


def normal(value, kind):
    """A cell in one form: numbers without zeros at their end, times without a fraction of nothing."""
    if kind in ("int", "dec") and value:
        whole, _, fraction = value.partition(".")
        fraction = fraction.rstrip("0")
        value = f"{whole}.{fraction}" if fraction else whole
        return "0" if value in ("-0", "") else value
    if kind == "stamp" and value:
        return value.replace("T", " ")[:19]
    return value.replace(" ", "") if kind == "ints" else value


def scout(pipe, url, failures):
    """The example's view, with Postgres as its target, over tables that hold the generated sources: the rows that the case expects."""
    with harness.folder("views") as folder:
        made = harness.run(["python3", harness.KIT / "generate.py", folder, "--case", "scout", "--seed", "3"])
        example = harness.ROOT / "examples/scout"
        (folder / "pipe.yaml").write_text("targets:\n  scout: {dialect: postgres, schema: dbo}\ndefault_target: scout\nvars: {data: scout/data}\n")
        (folder / "pipelines").mkdir()
        (folder / "pipelines/flat_export.yaml").write_text((example / "pipelines/flat_export.yaml").read_text())
        ran = harness.run([pipe, "run", "flat_export", "--out", "out"], cwd=folder)
        if not failures.check(made.code == 0 and ran.code == 0, "scout: run", f"{made}\n{ran}"):
            return
        sql = ["DROP SCHEMA IF EXISTS dbo CASCADE; CREATE SCHEMA dbo;"]
        for name in ("transactions", "sales_interactions", "persona_rules"):
            path = folder / f"scout/data/{name}.csv"
            header = next(csv.reader(path.open(newline="", encoding="utf-8")))
            kinds = {"transaction_date": "timestamp", "quantity": "integer", "amount": "decimal(12,2)", "store_id": "integer", "priority": "integer", "from_hour": "integer", "to_hour": "integer"}
            sql.append(f"CREATE TABLE dbo.{name} ({', '.join(f'{c} ' + kinds.get(c, 'text') for c in header)});\n\\copy dbo.{name} FROM '{path}' (FORMAT csv, HEADER true)")
        (folder / "load.sql").write_text("\n".join(sql) + "\n")
        for script in ("load.sql", "out/views.sql"):
            done = harness.psql(url, "-f", folder / script)
            if not failures.check(done.code == 0, f"scout: PostgreSQL takes {script}", done):
                return
        header, *want = csv.reader((folder / "scout/expected/flat_export.csv").open(newline="", encoding="utf-8"))
        done = harness.psql(url, "-c", f"\\copy (SELECT {', '.join(header)} FROM dbo.v_flat_export) TO STDOUT (FORMAT csv)")
        have = Counter(tuple(r) for r in csv.reader(io.StringIO(done.stdout, newline="")))
        want = Counter(tuple("" if v == "\\N" else v.replace("T", " ") if c == "transaction_ts" else v for c, v in zip(header, r)) for r in want)
        failures.check(have == want and len(have) > 1000, "scout: the view shows what the case expects", lambda: f"{len(have)} rows\nmissing {list((want - have).items())[:3]}\nunexpected {list((have - want).items())[:3]}\n{done.stderr}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipe", required=True)
    parser.add_argument("--db", required=True)
    parser.add_argument("--plans", type=int, default=3000, help="how many tables are tried as views")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--seconds", type=int, default=60, help="stop after that, whatever was tried")
    parser.add_argument("--floor", type=float, default=0.4, help="the share of the tried that must have been compared")
    options = parser.parse_args()
    print(f"views: seed {options.seed}", flush=True)
    failures, seen, started, rounds = harness.Failures(), Counter(), time.monotonic(), 0
    with harness.database(options.db, "views") as url:
        scout(options.pipe, url, failures)
        while rounds * TABLES < options.plans and time.monotonic() - started < options.seconds and failures.count < 12:
            with harness.folder("views") as folder:
                Round(random.Random(f"{options.seed}.{rounds}"), folder, url, options, failures).play(rounds, seen)
            rounds += 1
    tried = rounds * TABLES
    print(f"views: {tried} plans, {seen['compared']} compared ({seen['rows']} rows): " + ", ".join(f"{k} {n}" for k, n in sorted(seen.items()) if k not in ("compared", "rows")))
    failures.check(seen["compared"] >= options.floor * tried, f"at least {options.floor:.0%} of the plans are compared", seen)
    for kind in ("join", "group_by", "distinct", "union", "unnest", "where", "map", "default"):
        failures.check(seen[kind] > tried / 100, f"plans with {kind} are compared", seen)
    for code in ("E0460", "E0462"):
        failures.check(seen[code] > 0, f"plans are refused with {code}", seen)
    failures.finish("views")


if __name__ == "__main__":
    main()
