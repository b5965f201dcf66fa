"""Rows from Azure SQL: every type without loss, in one snapshot, and what is refused. The other side is `tds.py`; see `azure.py`.

What is seen: that the query goes out as it was written, which types the server is asked to send, and that what it sends arrives in staging exactly. How a server converts to these types is not seen.
"""
import csv
import json
import shutil
import struct
import sys
from pathlib import Path

from harness import leftovers, run
from tds import Server

STATE = ("snapshot_isolation_state", [["state", "nvarchar(1)"]], [["1"]])
DESCRIBED = [["name", "nvarchar(128)"], ["system_type_name", "nvarchar(256)"], ["error_number", "nvarchar(10)"], ["error_message", "nvarchar(4000)"]]


def moment(text, kind, scale=7, fraction=0):
    """A time with digits that Python's own types do not have, as the protocol sends it; `fraction` counts in the last digit."""
    import datetime
    d = datetime.datetime.fromisoformat(text)
    raw = (((d.hour * 60 + d.minute) * 60 + d.second) * 10**scale + fraction).to_bytes(5, "little")
    raw += b"" if kind == "time" else (d.toordinal() - 1).to_bytes(3, "little")
    raw += struct.pack("<h", 0) if kind == "datetimeoffset" else b""
    return bytes([len(raw)]) + raw


LONG = "\u00fc\U0001f642 'x' " * 9000
# Column, the server's type, the type that it is asked to send, a value, and how staging shows it.
TYPES = [
    ("b1", "bit", "bit", True, "true"), ("b0", "bit", "bit", False, "false"), ("i1", "tinyint", "smallint", 255, "255"), ("i2", "smallint", "smallint", -32768, "-32768"),
    ("i4", "int", "int", 2147483647, "2147483647"), ("i8", "bigint", "bigint", -9223372036854775808, "-9223372036854775808"),
    ("d2", "decimal(10,2)", "decimal(10,2)", "-99999999.99", "-99999999.99"), ("d38", "numeric(38,10)", "decimal(38,10)", "1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"),
    ("d0", "decimal(38,0)", "decimal(38,0)", "-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"), ("df", "decimal(38,38)", "decimal(38,38)", "0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
    ("dz", "decimal(5,3)", "decimal(5,3)", "0", "0.000"), ("dk", "decimal(9,0)", "decimal(9,0)", "20000", "20000"), ("m8", "money", "decimal(19,4)", "-922337203685477.5808", "-922337203685477.5808"), ("m4", "smallmoney", "decimal(10,4)", "214748.3647", "214748.3647"),
    ("f4", "real", "real", 0.333333343267441, "0.33333334"), ("f8", "float", "float", 0.14285714285714285, "0.14285714285714285"), ("da", "date", "date", "0001-01-01", "0001-01-01"), ("db", "date", "date", "9999-12-31", "9999-12-31"),
    ("t0", "time(0)", "time(0)", "23:59:59", "23:59:59"), ("t6", "time(6)", "time(6)", "23:59:59.123456", "23:59:59.123456"), ("t7", "time(7)", "time(7)", "00:00:00.000001", "00:00:00.000001"),
    ("dt", "datetime", "datetime2(3)", "1753-01-01 23:59:59.997", "1753-01-01 23:59:59.997"), ("ds", "smalldatetime", "datetime2(0)", "2079-06-06 23:59:00", "2079-06-06 23:59:00"),
    ("d7", "datetime2(7)", "datetime2(7)", "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999"), ("d3", "datetime2(3)", "datetime2(3)", "1969-12-31 23:59:59.001", "1969-12-31 23:59:59.001"), ("d1", "datetime2(0)", "datetime2(0)", "0001-01-01 00:00:00", "0001-01-01 00:00:00"),
    ("o7", "datetimeoffset(7)", "datetimeoffset(7)", "2024-03-31 01:30:00.5+05:30", "2024-03-30 20:00:00.5+00"), ("o0", "datetimeoffset(0)", "datetimeoffset(0)", "2024-03-31 23:30:00-08:00", "2024-04-01 07:30:00+00"),
    ("u", "uniqueidentifier", "uniqueidentifier", "a0000000-1122-4000-8000-00000000000f", "a0000000-1122-4000-8000-00000000000f"),
    ("nc", "nchar(5)", "nvarchar(5)", "ab   ", "ab   "), ("nv", "nvarchar(60)", "nvarchar(60)", "tab\t \"q\" \\ 'x'\n\u20ac \U0001f642", "tab\t \"q\" \\ 'x'\n\u20ac \U0001f642"), ("nm", "nvarchar(max)", "nvarchar(max)", LONG, LONG),
    ("vc", "varchar(20)", "nvarchar(20)", "\u20acuro", "\u20acuro"), ("vb", "varchar(8000)", "nvarchar(max)", "v", "v"), ("vm", "varchar(max)", "nvarchar(max)", "NULL", "NULL"), ("ch", "char(3)", "nvarchar(3)", "a  ", "a  "),
    ("tx", "text", "nvarchar(max)", "old", "old"), ("nt", "ntext", "nvarchar(max)", "\u017e", "\u017e"), ("xm", "xml", "xml", "\ufeff<a b=\"1\">\u20ac</a>", "<a b=\"1\">\u20ac</a>"),
    ("bi", "binary(4)", "varbinary(4)", "0x00ff1041", "\\x00\\xFF\\x10A"), ("bm", "varbinary(max)", "varbinary(max)", "0x41", "A"), ("im", "image", "varbinary(max)", "0x42", "B"), ("rv", "timestamp", "binary(8)", "0x0000000000000a7b", "\\x00\\x00\\x00\\x00\\x00\\x00\\x0A{"),
    ("it's ]me", "int", "int", 7, "7"),
]
STAGED = {"bit": "boolean", "tinyint": "smallint", "money": "decimal(19,4)", "smallmoney": "decimal(10,4)", "float": "double", "uniqueidentifier": "uuid", "image": "bytes", "timestamp": "bytes", "xml": "text", "datetime": "timestamp", "smalldatetime": "timestamp", "int": "integer"}


def describes(columns):
    return ("dm_exec_describe_first_result_set", DESCRIBED, [[name, kind, None, None] for name, kind in columns])


def key(*names):
    return ("k.type = 'PK'", [["name", "nvarchar(128)"]], [[name] for name in names])


def write(place, extracts, tables="  one: {from: r, load: {file: one.csv}}\n"):
    shutil.rmtree(place.root / "out/rows", ignore_errors=True)
    (place.root / "pipelines/rows.yaml").write_text("pipeline: rows\nextract:\n" + extracts + "tables:\n" + tables)


def types(place, check, sent):
    """A value of each type and NULL in each, from a table and from a query."""
    select = "WITH x AS (SELECT * FROM [it's]) SELECT * FROM x WHERE a <> 'it''s; drop' ORDER BY 1 -- all \\\n, 2;"
    write(place, f"  r: {{table: \"dbo.every ]one\", connection: here}}\n  all: {{query: {json.dumps(select)}, connection: here}}\n", "  one: {from: r, load: {file: one.csv}}\n  two: {from: all, load: {file: two.csv}}\n")
    answers = [STATE, key("i4", "it's ]me"), describes([(name, kind) for name, kind, *_ in TYPES]), ("^EXECUTE \\(", None, [[None] * len(TYPES), [value for *_, value, _ in TYPES]])]
    for packet in (4096, 512):
        with Server(answers=answers, packet=packet) as server:
            done = place.do(server, "run", "rows")
            told = server.batches()
            sent.extend(told)
        if not check(done.code == 0, f"types: read in packets of {packet}", done):
            return
        for name in ("one.csv", "two.csv"):
            with open(place.root / "out/rows" / name, newline="", encoding="utf-8") as file:
                csv.field_size_limit(sys.maxsize)
                rows = list(csv.DictReader(file))
            check(len(rows) == 2, f"types: {name} has both rows", len(rows))
            for column, kind, _, _, shown in TYPES:
                check(rows[1][column] == shown, f"types: {name} {column} {kind}", f"{rows[1][column]!r:.200}, not {shown!r:.200}")
                check(rows[0][column] == "", f"types: {name} {column}: NULL", rows[0][column])
    executed = sorted((sql for sql in told if sql.startswith("EXECUTE (")), key=lambda sql: "[every ]]one]" not in sql)
    sets = ",\n".join(f"[{name.replace(']', ']]')}] {asked.replace(',', ', ')} NULL" for name, _, asked, *_ in TYPES)
    quoted = select.rstrip(";").replace("'", "''").replace("\\\n", "\\\\\n\n")  # or the server would join the comment with what follows it
    check(len(executed) == 2 and executed[0] == f"EXECUTE (N'SELECT * FROM [dbo].[every ]]one] ORDER BY [i4], [it''s ]]me]') WITH RESULT SETS ((\n{sets}\n));", "types: the table in the order of its key, with the types that are sent", executed)
    check(len(executed) == 2 and executed[1].startswith(f"EXECUTE (N'{quoted}') WITH"), "types: the query as it stands", executed[-1:])
    states = [sql for sql in told if "ISOLATION LEVEL" in sql or sql == "BEGIN TRANSACTION" or "COMMIT" in sql]
    check(states == ["SET TRANSACTION ISOLATION LEVEL SNAPSHOT;", "BEGIN TRANSACTION"] and server.sessions == 1, "types: one snapshot for both extracts, never committed", (states, server.sessions))
    with Server(answers=answers) as server:
        planned = place.do(server, "plan", "rows", "--format", "json")
    columns = {c["name"]: c["type"] for e in (planned.json() or {}).get("extracts", [])[:1] for c in e["columns"]}
    for column, kind, *_ in TYPES:
        base = kind.partition("(")[0]
        expected = STAGED.get(kind) or {"nchar": "text", "nvarchar": "text", "varchar": "text", "char": "text", "text": "text", "ntext": "text", "time": "time", "datetime2": "timestamp", "datetimeoffset": "timestamptz", "binary": "bytes", "varbinary": "bytes"}.get(base) or kind.replace("numeric", "decimal")
        check(columns.get(column) == expected, f"types: {column} {kind} is staged as {expected}", columns.get(column, planned))
    first = hashes(place)
    with Server(answers=answers) as server:
        place.do(server, "run", "rows")
    check(first == hashes(place) and len(first) == 2, "types: the same rows have the same hash", first)


def hashes(place):
    return [s["sha256"] for s in json.loads((place.root / "out/rows/run.json").read_text())["sources"]]


def moments(place, check, sent):
    """Without SNAPSHOT the user is told; with it nothing is said."""
    write(place, "  r: {table: a, connection: here}\n  s: {query: SELECT id FROM b, connection: here}\n", "  one: {from: r, load: {file: one.csv}}\n  two: {from: s, load: {file: two.csv}}\n")
    rest = [key(), describes([("id", "int")]), ("EXECUTE \\(", None, [[1], [2]])]
    for state in ("1", "0", "3", None):
        with Server(answers=[(STATE[0], STATE[1], [[state]]), *rest]) as server:
            done = place.do(server, "run", "rows")
            level = [sql for sql in server.batches() if "ISOLATION LEVEL" in sql]
            warned = done.stderr.count("X0608")
        good = ["SET TRANSACTION ISOLATION LEVEL SNAPSHOT;"] if state == "1" else ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"]
        check(done.code == 0 and level == good and warned == (0 if state == "1" else 1), f"snapshot_isolation_state {state}: {good} and the user is told once", (level, warned, done))
    check("ALLOW_SNAPSHOT_ISOLATION ON" in done.stderr and "`here`" in done.stderr, "no snapshot: says how to allow it", done)
    with Server(answers=[STATE, *rest]) as server:
        done = place.do(server, "run", "rows", "--limit", "5")
        limited = [sql for sql in server.batches() if "ROWCOUNT" in sql]
        sent.extend(server.batches())
        check(done.code == 0 and len(limited) == 2 and all(sql.startswith("SET ROWCOUNT 5;\nEXECUTE (") and sql.endswith("\nSET ROWCOUNT 0;") for sql in limited), "--limit is the server's to keep", limited)
    many = [[i] for i in range(40_000)]
    write(place, "  r: {table: a, connection: here}\n")
    with Server(answers=[STATE, key("id"), describes([("id", "int")]), ("EXECUTE \\(", None, many)]) as server:
        done = place.do(server, "run", "rows")
        read = (place.root / "out/rows/one.csv").read_text().split("\n")[1:-1] if done.code == 0 else []
        check(read == [str(i) for i in range(len(many))], "40,000 rows, each once and in order", (len(read), done))
    shutil.rmtree(place.root / "out/rows")
    for at in range(1, 8):
        with Server({at: ("drop",)}, answers=[STATE, key("id"), describes([("id", "int")]), ("EXECUTE \\(", None, many)]) as server:
            done = place.do(server, "run", "rows")
            check(done.code == 3 and "error[X0510]" in done.stderr and not leftovers(place.root / "out/rows"), f"a connection that ends at request {at}", done)


def refused(place, check):
    """What is wrong is said with its place and what to do."""
    def case(extract, words, described=(), rows=(), code=3, faults=None):
        write(place, f"  r: {extract}\n")
        with Server(faults, answers=[STATE, key(), *described, ("EXECUTE \\(", None, list(rows))]) as server:
            done = place.do(server, "run", "rows")
            good = done.code == code and all(w in done.stderr for w in words) and (code == 2 or "pipelines/rows.yaml:3" in done.stderr) and not leftovers(place.root / "out/rows")
            check(good, f"refused: {extract} {words[0]}", lambda: f"{words}\n{done}")
            return server.batches()

    def says(number, message):
        return [("dm_exec_describe_first_result_set", DESCRIBED, [[None, None, str(number), message]])]

    here = "connection: here"
    case(f"{{table: nope, {here}}}", ["X0508", "Invalid object name 'nope'", "extract `r`"], says(208, "Invalid object name 'nope'."))
    case(f"{{table: secret, {here}}}", ["X0509", "SELECT permission was denied"], says(229, "The SELECT permission was denied on the object 'secret'."))
    case(f"{{query: SELECT nope FROM a, {here}}}", ["X0508", "Invalid column name 'nope'"], says(207, "Invalid column name 'nope'."))
    case(f"{{query: SELECT FROM a, {here}}}", ["X0517", "Incorrect syntax"], says(102, "Incorrect syntax near the keyword 'FROM'."))
    case(f"{{query: SELECT 1 AS a WHERE 1 = 0, {here}}}", ["X0605", "gives no rows"], [("dm_exec_describe_first_result_set", DESCRIBED, [])])
    case(f"{{query: \"SELECT 1 AS a, 2 AS A\", {here}}}", ["X0605", "`A` twice"], [describes([("a", "int"), ("A", "int")])])
    case(f"{{query: \"SELECT 1 AS a, 2\", {here}}}", ["X0605", "column 2 of the query has no name"], [describes([("a", "int"), (None, "int")])])
    case(f"{{table: a, {here}, columns: {{x: text}}}}", ["X0605", "`x`", "Its columns are id"], [describes([("id", "int")])])
    case(f"{{table: a, {here}}}", ["X0605", "`v` is of type `sql_variant`", "`h` is of a type of the database's own", "CONVERT"], [describes([("id", "int"), ("v", "sql_variant"), ("h", None)])])
    for query, word in (("SELECT 1 AS a; DROP TABLE orders", ";"), ("SELECT 1 AS a drop TABLE orders", "DROP"), ("DELETE FROM orders OUTPUT deleted.id", "DELETE"), ("SELECT a INTO b FROM c", "INTO"), ("sp_who", "SP_WHO")):
        told = case(f"{{query: \"{query}\", {here}}}", ["X0605", f"it has `{word}`"])
        check(not any(query in sql for sql in told), f"refused: {query}: the server is not told", told)
    fine = [describes([("id", "int"), ("at", "datetime2(7)"), ("t", "time(7)"), ("o", "datetimeoffset(7)")])]
    row = [1, moment("2024-02-29 10:00:00", "datetime2", fraction=1), moment("2024-02-29 10:00:00", "time", fraction=10), moment("2024-02-29 10:00:00", "datetimeoffset", fraction=123)]
    case(f"{{table: a, {here}}}", ["X0604", "columns `at`, `o`, row 1", "{at: timestamp, o: timestamptz}", "{at: text, o: text}"], fine, [row])
    case("{table: a, connection: no}", ["E0215"], code=2)
    case("{table: a}", ["E0202"], code=2)
    case(f"{{table: a, {here}}}", ["X0509", "permission was denied", "error 229"], [describes([("id", "int")])], faults={6: ("error", 229, "The SELECT permission was denied on the object 'a'.", 14)})
    for pins, asked, value, shown in (("{at: timestamp}", "datetime2(6)", "2024-02-29 10:00:00.123457", "2024-02-29 10:00:00.123457"), ("{at: text}", "nvarchar(40)", "2024-02-29 10:00:00.1234567", "2024-02-29 10:00:00.1234567")):
        write(place, f"  r: {{table: a, {here}, columns: {pins}}}\n")
        with Server(answers=[STATE, key(), describes([("at", "datetime2(7)")]), ("EXECUTE \\(", None, [[value]])]) as server:
            done = place.do(server, "run", "rows")
            text = (place.root / "out/rows/one.csv").read_text() if done.code == 0 else ""
            check(shown in text and any(f"[at] {asked} NULL" in sql for sql in server.batches()), f"the fix that is offered works: {pins}", (text, done))


def reads_types(place, check, sql, do):
    """A table of every type in a real server, read back."""
    kept = [row for row in TYPES if row[1] != "timestamp" and row[3] is not LONG]

    def constant(value):
        if isinstance(value, (bool, int, float)):
            return repr(int(value) if isinstance(value, bool) else value)
        return value if value.startswith("0x") else "N'" + value.lstrip("\ufeff").replace("'", "''") + "'"

    columns = ", ".join(f"[{name.replace(']', ']]')}] {kind} NULL" for name, kind, *_ in kept)
    sql(f"CREATE TABLE dbo.pipe_types (number int PRIMARY KEY, {columns});")
    sql(f"INSERT INTO dbo.pipe_types VALUES (2, {', '.join(constant(value) for _, _, _, value, _ in kept)}); INSERT INTO dbo.pipe_types (number) VALUES (1);")
    write(place, "  r: {table: dbo.pipe_types, connection: here}\n  s: {query: 'SELECT * FROM dbo.pipe_types ORDER BY number', connection: here}\n", "  one: {from: r, load: {file: one.csv}}\n  two: {from: s, load: {file: two.csv}}\n")
    done = do("run", "rows")
    if not check(done.code == 0, "real: every type is read", done):
        return
    for name in ("one.csv", "two.csv"):
        with open(place.root / "out/rows" / name, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for column, kind, _, _, shown in kept:
            check(len(rows) == 2 and rows[1][column] == shown and rows[0][column] == "", f"real: {name} {column} {kind}", lambda: (shown, [row[column] for row in rows]))


def sources(place, check, kit):
    sent = []
    types(place, check, sent)
    moments(place, check, sent)
    refused(place, check)
    if kit and (kit / "ve/bin/python").exists():
        script = place.root / "sources.sql"
        script.write_text("\nGO\n".join([*sent, ""]), encoding="utf-8")
        done = run([kit / "ve/bin/python", Path(__file__).resolve().parents[1] / "tsql/mslint.py", script], env={"MSLINT_HOME": str(kit)})
        check(done.code == 0 and len(sent) > 15, "rows: the vendor's parser takes what is asked", done)
