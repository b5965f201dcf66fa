#!/usr/bin/env python3
"""Every nasty text, identifier, number and time through `pipe` into a real PostgreSQL and back, compared byte for byte.

    torture.py --pipe BIN --db URL

One table, from JSON and from CSV, as COPY blocks and as INSERTs, by a client whose settings are unhelpful. Then the other half of the promise:
each value that PostgreSQL cannot hold is reported before anything is emitted. URL is that of a server where databases may be created.
"""
import argparse
import csv
import io
import json
import sys
import unicodedata
from pathlib import Path

from harness import Failures, database, folder, identifier, leftovers, psql, run, verified

NULL = "<null>"                                              # how the CSV input writes a missing value
LONG = "n" * 59 + "\u00fcbe"                                 # 63 bytes, the most that PostgreSQL keeps of a name

csv.field_size_limit(1 << 24)

TEXTS = [
    "plain", "", " ", "  leading", "trailing  ", "\t", "a\tb", "line\nfeed", "carriage\r\nreturn and feed", "lone\rreturn", "ends in\n", "\nstarts", "\r", "\n\n\n",
    "'", "''", "it's", "ends in quote'", '"', '""', 'say "x"', '"all"', "`", "\\", "\\\\", "ends in backslash\\", "\\n", "\\t", "\\N", "\\.", "\\.\n", "a\n\\.\nb", "\\x41", "\\'",
    "$$", "$1", "$tag$ $tag$", "$(name)", "$body$;", "--", "-- comment", "/* open", "*/", "/* */", ";", "; DROP TABLE x; --", "'); --", "E'\\n'", "U&'\\0041'",
    ":name", ":'name'", ":\"name\"", "\\copy x", "\\! echo", "\\q", "\\connect x", "%s", "%", "_", "{{ vars.tenant_id }}", "{% raw %}", "{#", "GO", "a\nGO\nb", "a\\\nb",
    "NULL", "null", "NaN", "Infinity", "-Infinity", "true", "no", "0", "-0", "007", "1e5", "1_000", "0x1F", "1.10", "2025-02-30", "[1, 2]", '{"a": 1}', "a,b", "a;b|c", "=1+1",
    "\u00e9", "e\u0301", "\u1e9b\u0323", "\u0130\u0131\u00df", "\u05d0\u05d1\u05d2", "\u202eabc\u202c", "\u0627\u0644\u0633\u0644\u0627\u0645", "\u65e5\u672c\u8a9e", "\U0001f642",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1e9\U0001f1ea", "\u200b", "\ufeff", "\ufeffstarts with a mark", "\u00a0", "\u2028\u2029", "\u0085", "\ufffd", "\uffff", "\U0010ffff",
    "\x01", "\x08\x0b\x0c", "\x1a", "\x1b[31mred", "\x7f", "".join(chr(c) for c in range(1, 32)), "x" * 100_000, "\u00fc'\\\n" * 25_000,
]

# Column, its type in the table, and what a row may hold there: as it is written in the input, and as PostgreSQL prints it.
EXACT = [
    ("small", "smallint", [("-32768", "-32768"), ("32767", "32767"), ("0", "0")]),
    ("whole", "integer", [("-2147483648", "-2147483648"), ("2147483647", "2147483647")]),
    ("big", "bigint", [("-9223372036854775808", "-9223372036854775808"), ("9223372036854775807", "9223372036854775807"), ("9007199254740993", "9007199254740993")]),
    ("price", "numeric(10,2)", [("0.1", "0.10"), ("-99999999.99", "-99999999.99"), ("1.10", "1.10"), ("5", "5.00")]),
    ("exact", "numeric(38,10)", [("1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"), ("0.1", "0.1000000000"),
                                 ("9007199254740993.0000000001", "9007199254740993.0000000001")]),
    ("any_number", "numeric", [("12345678901234567890.123456789", "12345678901234567890.123456789"), ("0.3", "0.3")]),
    ("ratio", "double precision", [("0.1", "0.1"), ("1e308", "1e+308"), ("-2.5e-300", "-2.5e-300")]),
    ("flag", "boolean", [("true", "t"), ("false", "f")]),
]
QUOTED = [                                                   # written as text in JSON
    ("born", "date", [("0001-01-01", "0001-01-01"), ("9999-12-31", "9999-12-31"), ("2024-02-29", "2024-02-29"), ("1582-10-10", "1582-10-10")]),
    ("at_time", "time", [("00:00:00", "00:00:00"), ("23:59:59.999999", "23:59:59.999999")]),
    ("stamp", "timestamp", [("2024-03-31T02:30:00", "2024-03-31 02:30:00"), ("1969-12-31 23:59:59.000001", "1969-12-31 23:59:59.000001")]),
    ("moment", "timestamptz", [("2024-03-31T02:30:00+05:30", "2024-03-30 21:00:00+00"), ("2024-10-27T01:30:00Z", "2024-10-27 01:30:00+00"), ("1900-01-01T00:00:00-08:00", "1900-01-01 08:00:00+00")]),
    ("ident", "uuid", [("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), ("00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000")]),
    ("limited", "varchar(5)", [("ab cd", "ab cd"), ("\U0001f642\U0001f642\U0001f642\U0001f642\U0001f642", "\U0001f642\U0001f642\U0001f642\U0001f642\U0001f642"), ("e\u0301e\u0301e", "e\u0301e\u0301e")]),
]
# Names that must be quoted: each such column holds the row's nasty text once more.
NAMES = ["select", "order", "user", "with space", "CamelCase", 'quo"te', "quo'te", "semi;colon", "dash-ed", "dot.ted", "$$", "\u00fcn\u00ef", "1st", "back\\slash", "{brace}", "a--b", "/*c*/", LONG]
TABLE = 'Nasty "Table"; --'


def rows():
    """The rows as dictionaries of written values (None is missing), and as what the database must print."""
    written, printed = [], []
    for i, text in enumerate(TEXTS + [None]):
        row, out = {"id": str(i), "v": text}, {"id": str(i), "v": text}
        for name, _, values in EXACT + QUOTED:
            value = values[i % (len(values) + 1)] if i % (len(values) + 1) < len(values) else (None, None)
            row[name], out[name] = value
        for name in NAMES:
            out[name] = text
        written.append(row)
        printed.append(out)
    return written, printed


def project(root, source, extract):
    """Writes the project that loads `source`."""
    for name in ("pipelines", "schemas", "data"):
        (root / name).mkdir(exist_ok=True)
    columns = ["id integer PRIMARY KEY", "v text"] + [f"{n} {t}" for n, t, _ in EXACT + QUOTED] + [f"{identifier(n)} text" for n in NAMES]
    (root / "schemas/nasty.sql").write_text(f"CREATE TABLE {identifier(TABLE)} (\n    " + ",\n    ".join(columns) + ");\n", encoding="utf-8")
    (root / "pipe.yaml").write_text("project: torture\n")
    text = lambda value: json.dumps(value, ensure_ascii=False)   # a JSON text is a YAML text
    lines = ["pipeline: torture", "target: {dialect: postgres}", "extract:", f"  raw: {{file: {text(source)}{extract}}}", "tables:", f"  {text(TABLE)}:", "    from: raw", "    map:",
             "      id: {from: id, type: integer}", "      v: v"]
    types = {"numeric": "decimal", "double precision": "double"}
    lines += [f"      {n}: {{from: {n}, type: {text(types.get(t, t.replace('numeric', 'decimal')))}}}" for n, t, _ in EXACT + QUOTED]
    lines += [f"      {text(n)}: v" for n in NAMES] + ["    load: {mode: insert}", ""]
    (root / "pipelines/torture.yaml").write_text("\n".join(lines), encoding="utf-8")


def as_json(written):
    """JSON whose numbers stand as they are written, digit by digit."""
    plain = {n for n, _, _ in EXACT} | {"id"}
    member = lambda n, v: f"{json.dumps(n)}: {'null' if v is None else v if n in plain else json.dumps(v, ensure_ascii=len(v) % 2 == 0)}"
    return "[\n" + ",\n".join("{" + ", ".join(member(n, v) for n, v in row.items()) + "}" for row in written) + "\n]\n"


def as_csv(written):
    """CSV with every value in quotes but the missing ones."""
    field = lambda v: NULL if v is None else '"' + v.replace('"', '""') + '"'
    return "".join(",".join(map(field, line)) + "\n" for line in [list(written[0]), *(row.values() for row in written)])


def fetched(url, names):
    """Returns the rows of the table as text; what is text by type comes as hex, so that no client touches it."""
    hexed = {"v", "limited", *NAMES}
    columns = ", ".join(f"encode(convert_to({identifier(n)}, 'UTF8'), 'hex')" if n in hexed else f"{identifier(n)}::text" for n in names)
    done = psql(url, "--csv", "-t", "-P", "null=\\N", "-c", f"SELECT {columns} FROM {identifier(TABLE)} AS t ORDER BY t.id", env={"PGDATESTYLE": "ISO"})
    if done.code:
        raise RuntimeError(str(done))
    booleans = {"true": "t", "false": "f"}
    value = lambda n, v: None if v == "\\N" else bytes.fromhex(v).decode("utf-8") if n in hexed else booleans.get(v, v) if n == "flag" else v
    return [{n: value(n, v) for n, v in zip(names, line)} for line in csv.reader(io.StringIO(done.stdout))]


def round_trip(pipe, server, failures):
    """All of it, there and back."""
    written, printed = rows()
    for kind, source, content, extract in (("JSON", "data/nasty.json", as_json(written), ""), ("CSV", "data/nasty.csv", as_csv(written), f', csv: {{nulls: "{NULL}"}}')):
        with folder("torture") as root:
            project(root, source, extract)
            (root / source).write_bytes(content.encode("utf-8"))
            for form in ("copy", "insert"):
                name, out = f"torture from {kind} as {form}", root / f"out-{form}"
                ran = run([pipe, "run", "torture.yaml", "--out", out, "--format-rows", form], cwd=root)
                if not failures.check(ran.code == 0, f"{name}: run", ran):
                    continue
                with database(server, f"torture_{kind.lower()}_{form}", root / "schemas/nasty.sql") as url:
                    # What a machine somewhere has in its environment must not reach the data.
                    unhelpful = {"PGCLIENTENCODING": "LATIN1", "PGTZ": "Asia/Kolkata", "PGDATESTYLE": "SQL, DMY", "PGOPTIONS": "-c standard_conforming_strings=off -c intervalstyle=sql_standard"}
                    once = ["--single-transaction"] if form == "insert" else []
                    done = psql(url, *once, "-f", out / "deploy.sql", env=unhelpful)
                    if not failures.check(done.code == 0, f"{name}: deploy", done):
                        continue
                    found = fetched(url, list(printed[0]))
                    failures.check(len(found) == len(printed), f"{name}: rows", f"{len(found)} of {len(printed)}")
                    wrong = [f"row {want['id']} column {n}: {short(have[n])} instead of {short(want[n])}" for want, have in zip(printed, found) for n in want if have[n] != want[n]]
                    failures.check(not wrong, f"{name}: every value comes back", "\n".join(wrong))
                    bad = verified(url, out / "verify.sql", 1)
                    failures.check(not bad, f"{name}: verify", bad)


def short(value):
    return "NULL" if value is None else ascii(value if len(value) < 60 else value[:57] + f"... ({len(value)})")


# Column, type, and values that it cannot hold, each with the rules that may say so.
REFUSED = [
    ("t", "text", ["nul \x00 inside"], {"text"}),
    ("five", "varchar(5)", ["abcdef", "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"], {"length"}),
    ("needed", "text NOT NULL", [None], {"not_null"}),
    ("small", "smallint", [32768, -32769], {"range", "type"}),
    ("whole", "integer", [2147483648, "many", "NaN"], {"range", "type"}),
    ("big", "bigint", [9223372036854775808], {"range", "type"}),
    ("price", "numeric(5,2)", ["1000.00", "1.005", "Infinity", "12,50"], {"range", "type", "precision", "scale", "length"}),
    ("flag", "boolean", ["maybe"], {"type"}),
    ("born", "date", ["2025-02-30", "30/31/2024", "soon"], {"type", "range"}),
    ("at_time", "time", ["25:00:00"], {"type", "range"}),
    ("moment", "timestamptz", ["2025-13-01T00:00:00Z"], {"type", "range"}),
    ("ident", "uuid", ["a0eebc99-9c0b-4ef8-bb6d"], {"type"}),
    ("level", "text CHECK (level IN ('low', 'high'))", ["hihg"], {"one_of"}),
    ("once", "integer UNIQUE", [7, 7], {"unique"}),
]


def reported_beforehand(pipe, failures):
    """One row per value that cannot be held: one run names them all."""
    good = {"t": "t", "five": "five", "needed": "x", "small": 1, "whole": 1, "big": 1, "price": "1.00", "flag": "true", "born": "2024-01-01", "at_time": "00:00:00",
            "moment": "2024-01-01T00:00:00Z", "ident": "00000000-0000-0000-0000-000000000000", "level": "low", "once": None}
    documents, expected = [{"id": 0, **good}], []
    for column, _, values, rules in REFUSED:
        for value in values:
            expected.append((len(documents), column, rules))
            documents.append({"id": len(documents), **good, column: value})
    with folder("torture") as root:
        for name in ("pipelines", "schemas", "data"):
            (root / name).mkdir()
        (root / "pipe.yaml").write_text("project: torture\n")
        (root / "schemas/refused.sql").write_text("CREATE TABLE refused (id integer PRIMARY KEY, " + ", ".join(f"{n} {t}" for n, t, _, _ in REFUSED) + ");\n")
        (root / "data/refused.json").write_text(json.dumps(documents), encoding="utf-8")
        with open(root / "data/refused.csv", "w", newline="", encoding="utf-8") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(documents[0])
            out.writerows([NULL if v is None else v for v in d.values()] for d in documents)
        for kind, source in (("JSON", "refused.json"), ("CSV", 'refused.csv", csv: {nulls: "<null>"}, format: "csv')):
            lines = ["pipeline: refused", "target: {dialect: postgres}", "extract:", f'  raw: {{file: "data/{source}"}}', "tables:", "  refused:", "    from: raw", "    map:", "      id: id"]
            lines += [f"      {n}: {n}" for n, _, _, _ in REFUSED] + ["    load: {mode: insert}", ""]
            (root / "pipelines/refused.yaml").write_text("\n".join(lines))
            ran = run([pipe, "run", "refused.yaml", "--out", root / "out", "--format", "json"], cwd=root)
            failures.check(ran.code == 1, f"refused from {kind}: exit code 1", ran)
            failures.check(not leftovers(root / "out"), f"refused from {kind}: no script", leftovers(root / "out"))
            report = ran.json()
            if not failures.check(isinstance(report, dict) and "violations" in report, f"refused from {kind}: report", ran):
                continue
            said = {}
            for violation in report["violations"]:
                for sample in violation.get("samples", []):
                    said.setdefault((str((sample.get("row") or {}).get("id")), violation.get("column") or ",".join(violation.get("columns") or [])), set()).add(violation["rule"])
                    place = str(sample.get("origin", ""))
                    at = (sample.get("row") or {}).get("id")
                    failures.check(str(at) in place or str(int(at or 0) + 2) in place, f"refused from {kind}: origin of row {at}", place)
            for row, column, rules in expected:
                got = said.pop((str(row), column), set())
                failures.check(got and got <= rules, f"refused from {kind}: row {row} {column}={ascii(documents[row][column])}", f"expected one of {sorted(rules)}, reported {sorted(got)}")
            failures.check(not said, f"refused from {kind}: nothing else", said)


def refused_beforehand(pipe, failures):
    """What cannot even be named or read: a name beyond 63 bytes, half a character."""
    with folder("torture") as root:
        for name in ("pipelines", "schemas", "data"):
            (root / name).mkdir()
        (root / "pipe.yaml").write_text("project: torture\n")
        long = "n" * 62 + "\u00fc"
        pipeline = lambda column: f"pipeline: names\ntarget: {{dialect: postgres}}\nextract:\n  raw: {{file: data/x.json}}\ntables:\n  x:\n    from: raw\n    map:\n      id: id\n      {column}: v\n    load: {{mode: insert}}\n"
        (root / "pipelines/names.yaml").write_text(pipeline(long), encoding="utf-8")
        (root / "data/x.json").write_text('[{"id": 1, "v": "x"}]')
        ran = run([pipe, "run", "names.yaml", "--out", root / "out"], cwd=root)
        failures.check(ran.code == 2 and "63" in ran.stderr, "a name of 64 bytes is refused", ran)
        (root / "pipelines/names.yaml").write_text(pipeline("v"), encoding="utf-8")
        (root / "data/x.json").write_text('[{"id": 1, "v": "half \\ud83d of an emoji"}]')
        ran = run([pipe, "run", "names.yaml", "--out", root / "out"], cwd=root)
        failures.check(ran.code in (1, 3) and "x.json" in ran.stderr + ran.stdout and not leftovers(root / "out"), "half a surrogate pair is refused", ran)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=Path)
    arguments.add_argument("--db", required=True)
    a = arguments.parse_args()
    pipe, failures = a.pipe.resolve(), Failures()
    if not pipe.exists():
        sys.exit(f"torture.py: no program {pipe}")
    assert len(LONG.encode()) <= 63 and not unicodedata.is_normalized("NFC", "e\u0301")
    for part in (lambda: round_trip(pipe, a.db, failures), lambda: reported_beforehand(pipe, failures), lambda: refused_beforehand(pipe, failures)):
        try:
            part()
        except RuntimeError as broken:
            failures.check(False, "torture", broken)
    failures.finish("torture")


if __name__ == "__main__":
    main()
