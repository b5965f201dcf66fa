#!/usr/bin/env python3
"""Scripts for Azure SQL: the vendor's own parser takes every one of them, and their literals, read back, hold the same values.

    tsql.py --pipe BIN [--kit DIR] [--seed N] [--scale X]

DIR is where `../tsql/mslint-setup.sh` has put the parser, or will; without it scripts are only read back. No server is needed, and none is asked:
what the statements do is not seen here. The reader below knows nothing of how `pipe` writes a literal: it splits batches, replaces variables and joins
lines as `sqlcmd` does before a server sees anything.
"""
import argparse
import csv
import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from harness import KIT, ROOT, Failures, folder, run
from torture import TEXTS
from tsql_definitions import definitions

csv.field_size_limit(1 << 24)
EXTRA = ["\\\nnext", "a\\\r\nb", "\nGO\n", "\ngo 5\n", "  GO  ", "$(x)$(y)", "$$((", "]]", "\n:r file\n", "\n!! dir\n", "\nEXIT\n", "{~10}\n" * 40, "x'\n" * 30, "\U0001f642" * 4_001, "é" * 4_001 + "\n", "'" * 5_000]
COLUMNS = [("flag", "bit", ["true", "false"]), ("tiny", "tinyint", ["0", "255"]), ("small", "smallint", ["-32768", "32767"]), ("whole", "int", ["-2147483648", "2147483647"]),
           ("big", "bigint", ["-9223372036854775808", "9223372036854775807", "9007199254740993"]), ("price", "decimal(10,2)", ["0.10", "-99999999.99", "5.00"]),
           ("exact", "decimal(38,10)", ["1234567890123456789012345678.0123456789", "0.1000000000", "-0.0000000001"]), ("cash", "money", ["922337203685477.5807", "-0.0100"]),
           ("ratio", "float", ["0.1", "1e+308", "-2.5e-300", "0.0"]), ("born", "date", ["0001-01-01", "9999-12-31", "2024-02-29"]), ("at_time", "time", ["00:00:00", "23:59:59.999999"]),
           ("stamp", "datetime2", ["2024-03-31T02:30:00", "1969-12-31T23:59:59.000001"]), ("old", "datetime", ["1753-01-01T00:00:00", "2024-03-31T02:30:00.123"]),
           ("moment", "datetimeoffset", ["2024-03-30T21:00:00+00:00", "1900-01-01T08:00:00+00:00"]), ("ident", "uniqueidentifier", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
           ("limited", "nvarchar(5)", ["ab cd", "\U0001f642\U0001f642x"]), ("page", "varchar(20)", ["caf\u00e9 \u20ac", "it's"])]
TYPES = {"bit": "boolean", "tinyint": "smallint", "int": "integer", "money": "decimal(19,4)", "float": "double", "datetime2": "timestamp", "datetime": "timestamp", "datetimeoffset": "timestamptz",
         "uniqueidentifier": "uuid", "nvarchar(5)": "text", "varchar(20)": "text"}


# ---------------------------------------------------------------- reading a script as sqlcmd does

def batches(script):
    """Splits a script, refusing what the tool would act upon by itself."""
    text = script.replace("\r\n", "\n")
    if "\r" in text:
        raise ValueError("a lone carriage return")
    if "$(" in text:
        raise ValueError("a variable: " + text[text.index("$("):][:40])
    text = re.sub(r"\\\n", "", text)
    found, current = [], []
    for line in text.split("\n"):
        if re.fullmatch(r"\s*GO(\s+\d+)?\s*", line, re.I):
            found.append("\n".join(current))
            current = []
            continue
        if re.match(r"\s*(:|!!|(ed|exit|quit|reset)\b)", line, re.I):
            raise ValueError(f"a command: {line[:40]}")
        current.append(line)
    if "".join(current).strip():
        raise ValueError("statements behind the last GO: " + "".join(current)[:60])
    return found


TOKEN = re.compile(r"\s*(?:(N'(?:[^']|'')*')|(0x[0-9A-Fa-f]*)|([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(\[(?:[^\]]|\]\])*\])|(#?\w+|'\$\[\d+\]')|(.))", re.S)


class Reader:
    """Reads the INSERT statements of one batch."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def peek(self):
        match = TOKEN.match(self.text, self.at)
        return match.group(match.lastindex) if match else ""

    def take(self, wanted=None):
        match = TOKEN.match(self.text, self.at)
        token = match.group(match.lastindex) if match else ""
        if wanted and token.upper() != wanted:
            raise ValueError(f"expected {wanted}, found {token[:60]!r}")
        self.at = match.end()
        return token

    def value(self):
        value = self.term()
        while self.peek() == "+":
            self.take()
            value += self.term()
        return value

    def term(self):
        token = self.take()
        if token.startswith("N'"):
            value = token[2:-1].replace("''", "'")
        elif token.startswith("0x"):
            value = bytes.fromhex(token[2:])
        elif token == "NULL":
            value = None
        elif token == "NCHAR":
            self.take("(")
            value = chr(int(self.take()))
            self.take(")")
        elif token == "CAST":
            self.take("(")
            value = self.value()
            self.take("AS")
            while self.take() != "(":
                pass
            self.take()
            self.take(")")
            self.take(")")
        elif token == "REPLACE":
            self.take("(")
            parts = [self.value()]
            for _ in range(2):
                self.take(",")
                parts.append(self.value())
            self.take(")")
            value = parts[0].replace(parts[1], parts[2])
        else:
            value = Decimal(token) if "e" not in token.lower() else float(token)
        if self.peek().upper() == "COLLATE":
            self.take()
            self.take("LATIN1_GENERAL_BIN2")
        return value

    def rows(self):
        """Gives (table, row) for each constant row."""
        while True:
            at = self.text.find("INSERT INTO #pipe_stage", self.at)
            if at < 0:
                return
            self.at = at
            self.take("INSERT"), self.take("INTO")
            table = self.take()
            self.take("(")
            names = [self.take()[1:-1].replace("]]", "]")]
            while self.take() == ",":
                names.append(self.take()[1:-1].replace("]]", "]"))
            if self.peek().upper() == "VALUES":
                self.take()
                count = 0
                while True:
                    self.take("(")
                    row = [self.value()]
                    while self.take() == ",":
                        row.append(self.value())
                    yield table, dict(zip(names, row, strict=True))
                    count += 1
                    if self.take() == ";":
                        break
                if count > 1000:
                    raise ValueError(f"{count} rows in a VALUES list")
            else:
                while self.take().upper() != "OPENJSON":
                    pass
                self.take("(")
                for row in json.loads(self.value(), parse_float=Decimal, parse_int=Decimal):
                    yield table, dict(zip(names, row, strict=True))


def staged(script):
    """The rows of a deploy script by staging table."""
    found = {}
    for batch in batches(script):
        if len(batch) > 8 << 20:
            raise ValueError(f"a batch of {len(batch)} characters")
        for table, row in Reader(batch).rows():
            found.setdefault(table, []).append(row)
    return found


# ---------------------------------------------------------------- cases

def write_project(root, name, schema, pipeline):
    for sub in ("pipelines", "schemas", "data"):
        (root / sub).mkdir(exist_ok=True)
    (root / "pipe.yaml").write_text("project: tsql\n")
    (root / f"schemas/{name}.sql").write_text(schema, encoding="utf-8")
    (root / f"pipelines/{name}.yaml").write_text(pipeline, encoding="utf-8")


def same(want, have):
    """Whether a constant is the value that was written."""
    if want is None or have is None:
        return want is have
    if isinstance(have, bool) or want in ("true", "false"):
        return want == ("true" if have else "false")
    if isinstance(have, Decimal | float):
        return float(want) == float(have) if "e" in want or isinstance(have, float) else Decimal(want) == have
    return want == have


def emitted(pipe, root, name, failures, scripts, forms=("copy", "insert")):
    """Runs a pipeline in both row formats; gives each deploy script's rows."""
    for form in forms:
        out = root / f"out-{name}-{form}"
        ran = run([pipe, "run", f"{name}.yaml", "--out", out, "--format-rows", form], cwd=root)
        if not failures.check(ran.code == 0, f"{name} as {form}: run", ran):
            continue
        scripts += [(root / f"schemas/{name}.sql", out / "deploy.sql"), (root / f"schemas/{name}.sql", out / "verify.sql"), (root / f"schemas/{name}.sql", out / "rollback.sql")]
        try:
            batches((out / "verify.sql").read_bytes().decode())
            batches((out / "rollback.sql").read_bytes().decode())
            yield form, staged((out / "deploy.sql").read_bytes().decode())
        except ValueError as wrong:
            failures.check(False, f"{name} as {form}: reads back", wrong)


def compared(name, form, wanted, rows, failures):
    failures.check(len(rows) == len(wanted), f"{name} as {form}: rows", f"{len(rows)} of {len(wanted)}")
    wrong = [f"row {i}, column {n}: {ascii(have[n])[:80]} instead of {ascii(want[n])[:80]}" for i, (want, have) in enumerate(zip(wanted, rows)) for n in want if not same(want[n], have[n])]
    failures.check(not wrong, f"{name} as {form}: every value comes back", "\n".join(wrong[:20]))


def torture(pipe, root, failures, scripts):
    """Every nasty text and the limits of every type."""
    texts = list(dict.fromkeys(TEXTS + EXTRA)) + [None]
    wanted = []
    for i, text in enumerate(texts):
        row = {"id": str(i), "v": text, "Order [x]]": text}
        for name, _, values in COLUMNS:
            row[name] = (values + [None])[i % (len(values) + 1)]
        wanted.append(row)
    # A column of NULLs alone: a list of them has no type.
    for row in wanted:
        row["never"] = None
    columns = ["id int NOT NULL PRIMARY KEY", "v nvarchar(max) NULL", "[Order [x]]]]] nvarchar(max) NULL", "never date NULL"] + [f"{n} {t} NULL" for n, t, _ in COLUMNS]
    schema = "CREATE TABLE dbo.nasty (\n    " + ",\n    ".join(columns) + ");\nGO\n"
    lines = ["pipeline: nasty", "target: {dialect: azure_sql}", "extract:", "  raw: {file: data/nasty.json}", "tables:", "  nasty:", "    from: raw", "    map:", "      id: {from: id, type: integer}", "      v: v",
             '      "Order [x]]": v', "      never: {from: never, type: date}"]
    lines += [f"      {n}: {{from: {n}, type: {json.dumps(TYPES.get(t, t))}}}" for n, t, _ in COLUMNS] + ["    load: {mode: upsert, key: [id]}", ""]
    write_project(root, "nasty", schema, "\n".join(lines))
    plain = {n for n, t, _ in COLUMNS if t in ("bit", "tinyint", "smallint", "int", "bigint", "money", "float") or t.startswith("decimal")} | {"id"}
    member = lambda n, v: f"{json.dumps(n)}: {'null' if v is None else v if n in plain else json.dumps(v)}"
    (root / "data/nasty.json").write_text("[\n" + ",\n".join("{" + ", ".join(member(n, v) for n, v in row.items()) + "}" for row in wanted) + "\n]\n", encoding="utf-8")
    for form, rows in emitted(pipe, root, "nasty", failures, scripts):
        compared("nasty", form, wanted, rows.get("#pipe_stage_1", []), failures)
    # The bulk form needs more than a thousand rows.
    many = [{**row, "id": str(k * len(wanted) + i)} for k in range(1 + 1000 // len(wanted)) for i, row in enumerate(wanted) if len(row["v"] or "") < 10_000]
    (root / "data/nasty.json").write_text("[\n" + ",\n".join("{" + ", ".join(member(n, v) for n, v in row.items()) + "}" for row in many) + "\n]\n", encoding="utf-8")
    for form, rows in emitted(pipe, root, "nasty", failures, scripts):
        compared("nasty, many", form, many, rows.get("#pipe_stage_1", []), failures)


def scout(pipe, root, failures, scripts, seed, scale):
    """The flat table of transactions, in each mode."""
    made = subprocess.run([sys.executable, KIT / "generate.py", root / "cases", "--case", "scout", "--seed", str(seed), "--scale", str(scale)], capture_output=True, text=True)
    if not failures.check(made.returncode == 0, "scout: inputs", made.stderr):
        return
    source = root / "cases/scout/data/transactions.csv"
    schema = """CREATE TABLE dbo.flat (
    row_id int IDENTITY(1,1) NOT NULL, version rowversion, transaction_id nvarchar(20) NOT NULL CONSTRAINT pk_flat PRIMARY KEY, store_id int NOT NULL, category nvarchar(40) NOT NULL,
    brand varchar(60) NOT NULL, quantity int NOT NULL CHECK (quantity >= 1), amount decimal(10, 2) NOT NULL,
    payment_method nvarchar(10) NOT NULL CHECK (payment_method IN (N'CC', N'GC', N'CA', N'cash')), total AS (quantity * amount));
GO
"""
    with open(source, newline="", encoding="utf-8") as f:
        wanted = list(csv.DictReader(f))
    for mode, load in (("insert", "{table: dbo.flat, mode: insert}"), ("upsert", "{table: dbo.flat, mode: upsert, key: [transaction_id]}"), ("replace", "{table: dbo.flat, mode: replace}")):
        name = f"scout_{mode}"
        lines = [f"pipeline: {name}", "target: {dialect: azure_sql, schema: dbo}", "extract:", f"  raw: {{file: {json.dumps(str(source))}}}", "tables:", "  flat:", "    from: raw", "    map:"]
        lines += [f"      {n}: {n}" for n in wanted[0]] + [f"    load: {load}", ""]
        write_project(root, name, schema, "\n".join(lines))
        for other in (root / "schemas").glob("scout_*.sql"):
            if other.stem != name:
                other.unlink()
        for form, rows in emitted(pipe, root, name, failures, scripts):
            compared(name, form, wanted, rows.get("#pipe_stage_1", []), failures)
        # The parser's model needs the schema after the next mode has taken its place.
        (root / f"model_{name}.sql").write_text(schema)
        scripts[:] = [(root / f"model_{name}.sql" if s.stem == name else s, script) for s, script in scripts]


VALUES = ["a + 1", "a * n", "n - 0.5", "-a", "a / 2", "a // 2", "a % 3", "t || 'x'", "t || a", "concat(t, n, NULL)", "concat_ws('-', t, u)", "coalesce(t, '')", "nullif(t, 'x')", "if(b, 1, 2)", "length(t)", "left(t, 2)",
          "substring(t, 2, 3)", "substring(t, 2)", "trim(t)", "replace(t, 'a', 'b')", "contains(t, u)", "contains(t, 'x')", "starts_with(t, 'x')", "abs(n)", "floor(n)", "ceil(n)", "round(n, 1)", "year(d)", "quarter(d)", "hour(s)",
          "a::text", "n::text", "d::text", "b::text", "b::integer", "a::double", "s::date", "d::timestamp", "try_cast(a as smallint)", "t = u", "t <> 'x'", "NOT b", "b = TRUE", "t IN ('x', u)", "a NOT BETWEEN 1 AND 2",
          "t LIKE '%[a]_'", "t IS NOT DISTINCT FROM u", "a IS NULL AND NOT b", "CASE t WHEN 'x' THEN 1 WHEN u THEN 2 END", "CASE WHEN b THEN t ELSE 'none' END", "DATE '2024-02-29'", "TIMESTAMP '2024-02-29 12:00:00'"]
GROUPS = ["count(*)", "count(a)", "count(DISTINCT a)", "sum(a)", "sum(n)", "avg(a)", "min(t)", "max(s)", "bool_or(b)", "bool_and(b)", "string_agg(t, '|' ORDER BY t)"]


def upserts(pipe, root, failures, scripts):
    """Upserts that say of the row that is there and the one that comes all that T-SQL can say."""
    schema = """CREATE TABLE dbo.both_rows (k bigint NOT NULL PRIMARY KEY, a int NULL, n decimal(8,2) NULL, t nvarchar(20) NULL, u nvarchar(20) NULL, b bit NULL, d date NULL, s datetime2(6) NULL, f float NULL,
    version int NOT NULL DEFAULT 1, changed datetime2(6) NULL, moment datetimeoffset(6) NULL, tiny tinyint NULL, page varchar(20) NULL);
GO
"""
    # Each in turn of one row and the other.
    of = lambda i, text: re.sub(r"\b([antubds])\b", lambda m: f"{('target', 'source')[(i + m.start()) % 2]}.{m[1]}", text)
    both = lambda i, text: "".join(part if part.startswith("'") else of(i, part) for part in re.split(r"('[^']*')", text))
    when = " OR ".join(f"({both(i, text)}) IS NULL" for i, text in enumerate(VALUES)) + " OR target.t <> source.t AND NOT target.b"
    set_ = {"version": "target.version + 1", "changed": "now()", "moment": "now()", "a": "coalesce(target.a, 0) + source.a", "n": "target.n * 1.5", "t": "coalesce(target.t || '|', '') || source.t || $lines",
            "b": "source.t = target.t", "d": "NULL", "tiny": "target.tiny + 1", "page": "CASE WHEN target.b THEN 'it''s' || target.page ELSE target.page END", "f": "source.a / 2"}
    set_["t"] = set_["t"].replace("$lines", "'a\nGO\n$(x)''\r\n:r file'")
    rows = [{"k": i, "a": 2, "n": "1.50", "t": "ax", "u": "y", "b": True, "d": "2024-02-29", "s": "2024-02-29 12:00:00", "f": 0.5} for i in (1, 2)]
    types = {"k": "bigint", "a": "integer", "n": "decimal(8,2)", "t": "text", "u": "text", "b": "boolean", "d": "date", "s": "timestamp", "f": "double"}
    (root / "rows.json").write_text(json.dumps(rows))
    for name, load in (("upsert_all", {"when": when, "set": set_}), ("upsert_set", {"set": {"version": "target.version + 1"}}), ("upsert_when", {"when": "target.s < source.s", "keep": ["u"], "when_changed": ["t"]})):
        tables = {"both_rows": {"from": "raw", "load": {"table": "dbo.both_rows", "mode": "upsert", "key": "k", **load}}}
        pipeline = {"pipeline": name, "target": {"dialect": "azure_sql", "schema": "dbo"}, "extract": {"raw": {"file": "rows.json", "columns": types}}, "tables": tables}
        for other in (root / "schemas").glob("*.sql"):
            other.unlink()
        write_project(root, name, schema, json.dumps(pipeline))
        for form, found in emitted(pipe, root, name, failures, scripts):
            failures.check(len(found.get("#pipe_stage_1", [])) == 2, f"{name} as {form}: rows", found)
            said = (root / f"out-{name}-{form}/deploy.sql").read_text(encoding="utf-8")
            failures.check(("t.[version] = CAST(t.[version] AS int) + 1" in said) == ("set" in load), f"{name} as {form}: the version counts", said)
        model = root / f"model_{name}.sql"
        model.write_text(schema)
        scripts[:] = [(model if s.stem == name else s, script) for s, script in scripts]


def views(pipe, root, failures, scripts):
    """Views with all that T-SQL can say, each parsed; and the view of the example."""
    tables = {"rows": {"from": "raw"}, "keys": {"from": "rows", "group_by": ["k"], "map": {"k": "k", **{f"g{i}": x for i, x in enumerate(GROUPS)}}, "load": {"view": "dbo.v_groups"}}}
    tables["values"] = {"from": "rows", "where": "b AND t LIKE 'a%'", "map": {"k": "k", **{f"m{i}": {"expr": x} for i, x in enumerate(VALUES)}}, "load": {"view": "dbo.v_values"}}
    tables["lines"] = {"from": "rows", "map": {"k": "k", "m": {"value": "a\nGO\n$(x)'\r\n:r file"}}, "load": {"view": "dbo.v_lines"}}
    tables["joined"] = {"from": "rows", "join": {"to": "keys", "on": "k", "type": "full", "columns": ["g0"]}, "map": {"k": "k", "t": "t", "g0": "g0"},
                        "distinct": {"on": ["t"], "order_by": "k DESC NULLS FIRST, g0"}, "load": {"view": "dbo.v_joined"}}
    tables["both"] = {"union": ["first", "second"], "load": {"view": "dbo.v_both"}}
    tables |= {n: {"from": "rows", "map": {"k": "k", "t": "t"}} for n in ("first", "second")}
    tables["tall"] = {"from": "rows", "unpivot": {"columns": ["t", "u"], "name": "which", "value": "what"}, "map": {"k": "k", "which": "which", "what": "what"}, "load": {"view": "dbo.v_tall"}}
    types = {"k": "bigint", "a": "integer", "n": "decimal(8,2)", "t": "text", "u": "text", "b": "boolean", "d": "date", "s": "timestamp"}
    (root / "raw.json").write_text('[{"k": 1, "a": 2, "n": 1.5, "t": "ax", "u": "y", "b": true, "d": "2024-02-29", "s": "2024-02-29 12:00:00"}]')
    extract = {"raw": {"file": "raw.json", "columns": types}}
    (root / "views.yaml").write_text(json.dumps({"pipeline": "views", "target": {"dialect": "azure_sql", "schema": "dbo"}, "extract": extract, "tables": tables}))
    ran = run([pipe, "run", "views.yaml", "--out", root / "out"], cwd=root)
    schema = root / "empty.sql"
    schema.write_text("CREATE TABLE dbo.raw (k bigint, a int, n decimal(8,2), t nvarchar(20), u nvarchar(20), b bit, d date, s datetime2(6));\nGO\n")
    done = run([pipe, "run", "flat_export", "--out", root / "example"], cwd=ROOT / "examples/scout", env={"SCOUT_URL": "unused"})
    for name, ended, folder_, count in (("all forms", ran, "out", 6), ("scout", done, "example", 1)):
        script = root / folder_ / "views.sql"
        if failures.check(ended.code == 0 and script.exists(), f"views: {name}", ended):
            parts = batches(script.read_text(encoding="utf-8"))
            made = [p for p in parts if p.lstrip().startswith("CREATE OR ALTER VIEW")]
            failures.check(len(made) == count, f"views: {name}: each stands first in its batch", len(made))
            scripts.append((schema, script))


def judged(pipe, root, failures):
    """What Azure SQL would refuse is reported before."""
    schema = """CREATE TABLE dbo.judged (id int NOT NULL PRIMARY KEY, name nvarchar(5) NULL CONSTRAINT uq_name UNIQUE, page varchar(5) NULL, old datetime NULL, small smalldatetime NULL,
    tiny tinyint NULL, cash smallmoney NULL, word nvarchar(20) NULL CHECK (word <> N'none'));
GO
"""
    good = {"id": 0, "name": "a", "page": "x", "old": "2024-01-01T00:00:00", "small": "2024-01-01T00:00:00", "tiny": 1, "cash": "1.00", "word": "y"}
    bad = [("name", ["\U0001f642\U0001f642\U0001f642"], "length"), ("name", ["Ana", "ANA "], "unique"), ("name", [None, None], "unique"), ("page", ["\u05d0"], "text"), ("page", ["abcdef"], "length"),
           ("old", ["1752-12-31T00:00:00"], "range"), ("small", ["2080-01-01T00:00:00"], "range"), ("tiny", [256], "range"), ("cash", ["300000.00"], "range"), ("word", ["NONE"], None)]
    documents, expected = [good], []
    for column, values, rule in bad:
        for value in values:
            row = {**good, "id": len(documents), "name": f"n{len(documents)}", column: value}
            if column == "name" and rule == "unique" or column != "name" or rule:
                expected.append((column, rule))
            documents.append(row)
    lines = ["pipeline: judged", "target: {dialect: azure_sql}", "extract:", "  raw: {file: data/judged.json}", "tables:", "  judged:", "    from: raw", "    map:"]
    lines += [f"      {n}: {n}" for n in good] + ["    load: {mode: insert}", ""]
    write_project(root, "judged", schema, "\n".join(lines))
    (root / "data/judged.json").write_text(json.dumps(documents), encoding="utf-8")
    ran = run([pipe, "run", "judged.yaml", "--out", root / "out-judged", "--format", "json"], cwd=root)
    report = ran.json()
    if not failures.check(ran.code == 1 and isinstance(report, dict), "judged: violations", ran):
        return
    said = {(v.get("column") or ",".join(v.get("columns") or []), v["rule"]) for v in report["violations"]}
    for column, rule in sorted(set(expected), key=str):
        failures.check(any(c == column and (rule is None or r == rule) for c, r in said), f"judged: {column} {rule}", said)
    uniques = [v for v in report["violations"] if v["rule"] == "unique"]
    failures.check(sum(v.get("rows", v.get("count", 0)) or 0 for v in uniques) >= 4 or len(uniques) >= 1, "judged: unique keys without case, one NULL", uniques)


def parsed(kit, scripts, failures):
    """Gives every script to the vendor's parser and model, those of one schema together."""
    python = kit / "ve/bin/python"
    if not python.exists():
        subprocess.run(["bash", ROOT / "tests/tsql/mslint-setup.sh", kit], check=True, stdout=subprocess.DEVNULL)
    lint = [python, ROOT / "tests/tsql/mslint.py"]
    environment = {**os.environ, "MSLINT_HOME": str(kit)}
    # Its model looks at each batch by itself, and knows no table that another batch has made.
    for flags in ([], ["--model", "--ignore", "#pipe_", "--ignore", r"\[pipe_undo_"]):
        # The model gives up on batches with the extremes of every type, without a word on why.
        pairs = sorted({(schema, script) for schema, script in scripts if not flags or schema.stem not in ("nasty", "empty")})
        files = [str(word) for pair in pairs for word in ("::", *pair)][1:]
        done = subprocess.run([*lint, *files, *flags], env=environment, capture_output=True, text=True)
        if "libicu" in done.stdout + done.stderr and flags:
            print("the parser's model needs libicu: skipped")
            return
        # What is said of each pair ends with a line that counts its errors.
        told = re.split(r"^# (\d+) error\(s\) in (.*)$\n?", done.stdout, flags=re.MULTILINE)
        judged = {names: (int(count), text) for text, count, names in zip(told[0::3], told[1::3], told[2::3])}
        for schema, script in pairs:
            errors, text = judged.get(f"{schema} {script}", (None, done.stdout[-2000:] + done.stderr[-2000:]))
            failures.check(errors == 0, f"parser {' '.join(flags[:1])}: {script.parent.name}/{script.name}", text)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=Path)
    arguments.add_argument("--kit", type=Path)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--scale", type=float, default=0.2)
    a = arguments.parse_args()
    pipe, failures, scripts = a.pipe.resolve(), Failures(), []
    with folder("tsql") as root:
        for name, part in (("torture", torture), ("views", views), ("upserts", upserts), ("scout", lambda *x: scout(*x, a.seed, a.scale)), ("definitions", lambda *x: definitions(*x, a.seed))):
            sub = root / name
            sub.mkdir()
            part(pipe, sub, failures, scripts)
        sub = root / "judged"
        sub.mkdir()
        judged(pipe, sub, failures)
        if a.kit:
            parsed(a.kit.resolve(), scripts, failures)
        else:
            print("no --kit: the parser was not asked")
    failures.finish("tsql")


if __name__ == "__main__":
    main()
