"""Keys looked up in Azure SQL: what is asked, and what the answers make of a run. The other side is `tds.py`; see `azure.py`.

The stand-in executes nothing, so the statements are held against what they should be, letter by letter, and the vendor's parser takes them; the answers are planted. What joins and sets
make of rows is seen with SQLite, which is given the same questions over a table of its own: conversions and collations are not.
"""
import json
import re
import shutil
import sqlite3
from pathlib import Path

from azure_preview import writes
from harness import run
from tds import Server

SCHEMA = """\
CREATE TABLE dbo.xs_parent (id int NOT NULL PRIMARY KEY, code varchar(10) NOT NULL UNIQUE);
GO
CREATE TABLE dbo.xs_child (n int NOT NULL PRIMARY KEY, parent_id int NULL REFERENCES dbo.xs_parent (id), code varchar(10) NULL REFERENCES dbo.xs_parent (code));
GO
CREATE TABLE dbo.xs_people (id nvarchar(20) NOT NULL PRIMARY KEY, mail nvarchar(60) NULL UNIQUE, name nvarchar(60) NULL, state int NULL, low AS (lower(name)), CONSTRAINT xs_low UNIQUE (low));
CREATE UNIQUE INDEX [xs people] ON dbo.xs_people ([name] DESC) WHERE ([state]=(1));
GO
CREATE TABLE dbo.xs_types (n int NOT NULL PRIMARY KEY, a uniqueidentifier UNIQUE, b datetimeoffset(3) UNIQUE, c bit, d varbinary(8), e decimal(9,2), f date, g float, UNIQUE (c, d), UNIQUE (e, f, g));
GO
"""
CATALOG = [["name", "nvarchar(128)"], ["type", "nvarchar(128)"], ["bytes", "nvarchar(10)"], ["digits", "nvarchar(10)"], ["scale", "nvarchar(10)"], ["collation", "nvarchar(128)"]]
CI = "SQL_Latin1_General_CP1_CI_AS"
COLUMNS = {
    "xs_parent": [["id", "int", "4", "10", "0", None], ["code", "varchar", "10", "0", "0", CI]],
    "xs_people": [["id", "nvarchar", "40", "0", "0", CI], ["mail", "nvarchar", "120", "0", "0", CI], ["name", "nvarchar", "120", "0", "0", CI], ["state", "int", "4", "10", "0", None], ["low", "nvarchar", "120", "0", "0", CI]],
    "xs_types": [["n", "int", "4", "10", "0", None], ["a", "uniqueidentifier", "16", "0", "0", None], ["b", "datetimeoffset", "9", "30", "3", None], ["c", "bit", "1", "1", "0", None],
                 ["d", "varbinary", "8", "0", "0", None], ["e", "decimal", "5", "9", "2", None], ["f", "date", "3", "10", "0", None], ["g", "float", "8", "53", "0", None]],
}


def told(places, *besides):
    """What a server says of keys: their places, and the values of the rows that have them."""
    return [["#n", "int"], *([f"#b{i}", "nvarchar(max)"] for i in range(besides[0] if besides else 0))], places


def answers(**found):
    """The catalog, and for pieces of questions what is found."""
    catalog = [(rf"sys\.columns AS c WHERE c\.object_id = OBJECT_ID\(N'\[dbo\]\.\[{name}\]'\)", CATALOG, rows) for name, rows in COLUMNS.items()]
    return [("snapshot_isolation_state", [["state", "nvarchar(1)"]], [["1"]]), *catalog, *found.get("more", [])]


class Case:
    def __init__(self, place, check):
        self.place, self.check, self.sent = place, check, []
        (place.root / "schemas/existing.sql").write_text(SCHEMA)

    def write(self, tables, **rows):
        extract = "".join(f"  {name}: {{file: data/xs_{name}.ndjson}}\n" for name in rows)
        for name, found in rows.items():
            (self.place.root / f"data/xs_{name}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in found))
        (self.place.root / "pipelines/existing.yaml").write_text(f"pipeline: existing\nextract:\n{extract}tables:\n{tables}")

    def run(self, name, more=(), faults=None, only_asks=True):
        shutil.rmtree(self.place.root / "out/existing", ignore_errors=True)
        with Server(faults=faults, answers=answers(more=list(more))) as server:
            done = self.place.do(server, "run", "existing", "--format", "json")
            asked = server.batches()
        self.sent += asked
        wrong = [sql for sql in asked if "COMMIT" in sql or "#" in re.sub(r"\[#\w+\]", "", sql)]
        self.check(not wrong and writes(asked) == [], f"existing: {name}: nothing is written, nothing committed", (wrong, writes(asked)))
        self.check(not only_asks or not asked or asked[-1] == "ROLLBACK" and asked.count("BEGIN TRANSACTION") == 1, f"existing: {name}: one transaction, taken back", asked)
        return done, done.json() or {}, [sql for sql in asked if "OPENJSON" in sql]

    def judged(self, name, want, more=(), questions=None):
        done, report, asked = self.run(name, more)
        found = sorted((v["rule"], ",".join(v["columns"]), v["count"]) for v in report.get("violations", []))
        self.check(found == sorted(want) and done.code == (1 if want else 0), f"existing: {name}: what is reported", lambda: f"want {sorted(want)}\nhave {found}\n{done}")
        self.check((self.place.root / "out/existing/deploy.sql").is_file() == (not want), f"existing: {name}: the script", done)
        if questions is not None:
            self.check(asked == questions, f"existing: {name}: the questions", lambda: "\n\n".join(f"want {a}\nhave {b}" for a, b in zip([*questions, *[None] * 9], [*asked, *[None] * 9]) if a != b))
        return report


def keys(rows, columns, name="k"):
    """What reads the keys, as it should be written: columns as (name, what reads it, what says that it was read whole)."""
    text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False).replace("'", "''")
    taken = ", ".join(f"k{i} nvarchar(max) '$[{i + 1}]'" for i in range(len(columns)))
    read = ", ".join(f"{how} AS [{column}]" for column, how, _ in columns)
    whole = " AND ".join(f"(r.k{i} IS NULL OR {holds})" for i, (_, _, holds) in enumerate(columns))
    return f"WITH {name} AS (\nSELECT r.n AS [#n], c.*\nFROM OPENJSON(N'{text}') WITH (n int '$[0]', {taken}) AS r\nCROSS APPLY (SELECT {read}) AS c\nWHERE {whole}\n)\n"


def text(i, column, kind):
    return column, f"TRY_CONVERT({kind}, r.k{i} COLLATE {CI})", f"c.[{column}] = r.k{i} COLLATE {CI}"


def plain(i, column, kind):
    return column, f"TRY_CONVERT({kind}, r.k{i})", f"c.[{column}] IS NOT NULL"


def foreign(case):
    """Parents that are there, that come, and that are nowhere; texts are equal whatever their case."""
    load = "  xs_child:\n    from: rows\n    load: {table: dbo.xs_child, mode: insert}\n"
    rows = [{"n": i, "parent_id": p, "code": c} for i, (p, c) in enumerate([(1, "abc"), (7, "O'H "), (None, None), (7, "abc")])]
    by_id = keys([[0, "1"], [1, "7"]], [plain(0, "id", "int")]) + "SELECT k.[#n] FROM k WHERE EXISTS (SELECT 1 FROM [dbo].[xs_parent] AS t WHERE t.[id] = k.[id]);"
    by_code = keys([[0, "abc"], [1, "O'H "]], [text(0, "code", "varchar(10)")]) + "SELECT k.[#n] FROM k WHERE EXISTS (SELECT 1 FROM [dbo].[xs_parent] AS t WHERE t.[code] = k.[code]);"
    case.write(load.replace("insert", "upsert, key: n"), rows=rows)
    ids, codes = r"t\.\[id\] = k\.\[id\]", r"t\.\[code\] = k\.\[code\]"
    report = case.judged("parents are there", [], [(ids, *told([[0], [1]])), (codes, *told([[0], [1]]))])
    case.check(report.get("unjudged") == [], "existing: parents are there: nothing is left open", report.get("unjudged"))
    done, _, asked = case.run("parents are there", [(ids, *told([[0], [1]])), (codes, *told([[0], [1]]))])
    # The order in which distinct keys are asked for is the engine's.
    shape = [re.sub(r"OPENJSON\(N'.*?'\) WITH", "OPENJSON(...) WITH", sql) for sql in asked]
    case.check(shape == [re.sub(r"OPENJSON\(N'.*?'\) WITH", "OPENJSON(...) WITH", sql) for sql in (by_id, by_code)], "existing: parents: the questions", lambda: "\n".join([*shape, by_id, by_code]))
    sent = [sorted(k[1] for k in json.loads(re.search(r"OPENJSON\(N'(.*?)'\) WITH", sql)[1].replace("''", "'"))) for sql in asked]
    case.check(sent == [["1", "7"], ["O'H ", "abc"]], "existing: parents: the keys", sent)
    case.judged("no parent is there", [("references", "parent_id", 3), ("references", "code", 3)], [(ids, *told([])), (codes, *told([]))])
    # One row to a key, so that places are known.
    case.write(load.replace("insert", "upsert, key: n"), rows=rows[:2])
    report = case.judged("one parent is there", [("references", "parent_id", 1)], [(ids, [["#n", "int"]], lambda: [[0]]), (codes, *told([[0], [1]]))])
    shown = [s["value"] for v in report.get("violations", []) for s in v["samples"]]
    case.check(len(shown) == 1 and shown[0] in ("1", "7"), "existing: one parent is there: the sample", shown)
    # What comes with the run is not asked for, and 'ABC' is 'abc' there as well.
    both = "  xs_parent:\n    from: parents\n    load: {table: dbo.xs_parent, mode: upsert, key: id}\n" + load.replace("insert", "upsert, key: n")
    case.write(both, parents=[{"id": 1, "code": "ABC  "}, {"id": 7, "code": "o'h"}], rows=rows)
    done, report, asked = case.run("parents come")
    left = [sql for sql in asked if "xs_parent] AS t WHERE" in sql]
    case.check(done.code == 0 and report.get("violations") == [] and left == [], "existing: parents come, whatever the case of their codes", done)


def uniques(case):
    load = "  xs_people:\n    from: rows\n    load: {table: dbo.xs_people, mode: %s}\n"
    row = {"id": "a", "mail": "new@x", "name": "N", "state": 1}
    case.write(load % "insert", rows=[row])
    mail, name, own = r"\[mail\] AS \[#e0\]", r"\[name\] AS \[#e0\]", r"\[id\] AS \[#e0\]"
    equal = "ON EXISTS (SELECT t.[#e0] INTERSECT SELECT k.[#e0]);"
    people = "[dbo].[xs_people]"
    asks = [
        keys([[0, "a"]], [text(0, "id", "nvarchar(20)")], "r") + f"SELECT DISTINCT k.[#n]\nFROM (SELECT [#n], [id] AS [#e0] FROM r) AS k\nJOIN (SELECT [id] AS [#e0] FROM {people} AS t) AS t {equal}",
        keys([[0, "new@x"]], [text(0, "mail", "nvarchar(60)")], "r") + f"SELECT DISTINCT k.[#n]\nFROM (SELECT [#n], [mail] AS [#e0] FROM r) AS k\nJOIN (SELECT [mail] AS [#e0] FROM {people} AS t) AS t {equal}",
        keys([[0, "N", "1"]], [text(0, "name", "nvarchar(60)"), plain(1, "state", "int")], "r")
        + f"SELECT DISTINCT k.[#n]\nFROM (SELECT [#n], [name] AS [#e0] FROM r WHERE (([state]=(1))\n)) AS k\nJOIN (SELECT [name] AS [#e0] FROM {people} AS t WHERE (([state]=(1))\n)) AS t {equal}",
    ]
    report = case.judged("nothing is taken", [], questions=asks)
    case.check(any("low" in u["what"] for u in report.get("unjudged", [])), "existing: a computed column is listed", report.get("unjudged"))
    case.judged("the key is taken", [("unique", "id", 1)], [(own, *told([[0]]))])
    case.judged("all is taken", [("unique", "id", 1), ("unique", "mail", 1), ("unique", "name", 1)], [(own, *told([[0]])), (mail, *told([[0]])), (name, *told([[0]]))])
    # One NULL is all that a unique key takes; a row outside of the index's condition takes part in nothing.
    case.write(load % "insert", rows=[{**row, "mail": None, "state": 2}])
    done, _, asked = case.run("NULL", [(mail, *told([[0]]))])
    case.check(done.code == 1 and len(asked) == 2 and "[[0,null]]" in asked[1], "existing: NULL is asked for, and taken", (done, asked))
    # In an append or upsert the row with the key is the same row.
    besides = "AND NOT EXISTS (SELECT t.[#b0] INTERSECT SELECT k.[#b0]);"
    for mode in ("append, key: id", "upsert, key: id"):
        case.write(load % mode, rows=[row])
        _, _, asked = case.run(mode)
        want = keys([[0, "a", "new@x"]], [text(0, "id", "nvarchar(20)"), text(1, "mail", "nvarchar(60)")], "r")
        want += (f"SELECT DISTINCT k.[#n], CONVERT(nvarchar(max), t.[#b0]) AS [#b0]\nFROM (SELECT [#n], [mail] AS [#e0], [id] AS [#b0] FROM r) AS k\n"
                 f"JOIN (SELECT [mail] AS [#e0], [id] AS [#b0] FROM {people} AS t) AS t {equal[:-1]} {besides}")
        case.check(len(asked) == 2 and asked[0] == want, f"existing: {mode}: the question", (asked[:1], want))
        case.judged(f"{mode}: another row has it", [("unique", "mail", 1)], [(mail, *told([[0, "other"]], 1))])
    case.write(load % "append, key: mail", rows=[row])
    case.judged("append: the key of the table is another row's", [("unique", "id", 1)], [(own, *told([[0, "other@x"]], 1))])
    # What a row that comes as well gives up may be taken: by its key, whatever the case of that.
    case.write(load % "upsert, key: id", rows=[row, {"id": "B", "mail": "else@x", "name": "M", "state": 1}])
    done, _, asked = case.run("given up", [(mail, [["#n", "int"], ["#b0", "nvarchar(max)"]], [[0, "b "], [1, "A"]])])
    case.check(done.code == 0, "existing: what changed rows give up, others take, and two can swap", done)
    done, _, _ = case.run("kept", [(mail, [["#n", "int"], ["#b0", "nvarchar(max)"]], [[0, "c"]])])
    case.check(done.code == 1, "existing: what another row keeps", done)


def scopes(case):
    """Rows beyond a replaced scope keep what they have; within it all is the replacement's."""
    load = "  xs_people:\n    from: rows\n    load: {table: dbo.xs_people, mode: replace, scope: %s}\n"
    row = {"id": "a", "mail": "new@x", "name": "it's", "state": 1}
    case.write(load % "{name: \"it's\", state: 1}", rows=[row])
    equal = "ON EXISTS (SELECT t.[#e0] INTERSECT SELECT k.[#e0]);"
    beyond = "NOT EXISTS (SELECT 1 WHERE t.[name] = N'it''s' AND t.[state] = 1)"
    asks = [
        keys([[0, "a"]], [text(0, "id", "nvarchar(20)")], "r")
        + f"SELECT DISTINCT k.[#n]\nFROM (SELECT [#n], [id] AS [#e0] FROM r) AS k\nJOIN (SELECT [id] AS [#e0] FROM [dbo].[xs_people] AS t WHERE {beyond}) AS t {equal}",
        keys([[0, "a", "new@x"]], [text(0, "id", "nvarchar(20)"), text(1, "mail", "nvarchar(60)")], "r")
        + f"SELECT DISTINCT k.[#n]\nFROM (SELECT [#n], [mail] AS [#e0] FROM r) AS k\nJOIN (SELECT [mail] AS [#e0] FROM [dbo].[xs_people] AS t WHERE {beyond}) AS t {equal}",
        keys([[0, "a", "it's", "1"]], [text(0, "id", "nvarchar(20)"), text(1, "name", "nvarchar(60)"), plain(2, "state", "int")], "r")
        + "SELECT DISTINCT k.[#n]\nFROM (SELECT [#n], [name] AS [#e0] FROM r WHERE (([state]=(1))\n)) AS k\n"
        + f"JOIN (SELECT [name] AS [#e0] FROM [dbo].[xs_people] AS t WHERE (([state]=(1))\n) AND {beyond}) AS t {equal}",
    ]
    case.judged("a scope", [], questions=asks)
    own, mail = r"\[id\] AS \[#e0\]", r"\[mail\] AS \[#e0\]"
    report = case.judged("a scope: taken beyond it", [("unique", "id", 1), ("unique", "mail", 1)], [(own, *told([[0]])), (mail, *told([[0]]))])
    case.check(all("`dbo.xs_people` of the target does not have beyond the `scope`" in v["allowed"] for v in report.get("violations", [])), "existing: a scope: the message", report.get("violations"))
    script = (case.place.root / "out/existing/deploy.sql").read_text() if case.run("a scope") else ""
    case.check(f"WHERE {beyond};" in script and "keys beyond the replaced scope, found" in script, "existing: a scope: the script guards it as well", script)
    # All rows are replaced: two of them may swap, so that there is nothing to ask.
    case.write("  xs_people:\n    from: rows\n    load: {table: dbo.xs_people, mode: replace}\n", rows=[row])
    case.judged("no scope", [], questions=[])
    # A parent beyond the scope stays.
    both = "  xs_parent:\n    from: parents\n    load: {table: dbo.xs_parent, mode: replace, scope: {code: x}}\n  xs_child:\n    from: rows\n    load: {table: dbo.xs_child, mode: upsert, key: n}\n"
    case.write(both, parents=[{"id": 1, "code": "x"}], rows=[{"n": 1, "parent_id": 1, "code": "X"}, {"n": 2, "parent_id": 7, "code": None}])
    case.judged("a parent in no row", [("references", "parent_id", 1)])
    parents = r"WHERE t\.\[id\] = k\.\[id\] AND NOT EXISTS \(SELECT 1 WHERE t\.\[code\] = N'x'\)\);"
    case.judged("a parent beyond the scope", [], [(parents, *told([[0]]))])


def types(case):
    case.write("  xs_types:\n    from: rows\n    map: {n: n, a: a, b: b, c: c, d: from_hex(d), e: e, f: f, g: g}\n    load: {table: dbo.xs_types, mode: insert}\n",
               rows=[{"n": 1, "a": "0E984725-C51C-4BF4-9960-E1C80E27ABA0", "b": "2024-01-01T13:00:00.5+01:00", "c": True, "d": "00ff", "e": 1.5, "f": "2024-02-29", "g": 0.1}])
    _, report, asked = case.run("types")
    read = {
        "[[0,\"1\"]]": "TRY_CONVERT(int, r.k0) AS [n]", "[[0,\"0e984725-c51c-4bf4-9960-e1c80e27aba0\"]]": "TRY_CONVERT(uniqueidentifier, r.k0) AS [a]",
        "[[0,\"2024-01-01T12:00:00.5+00:00\"]]": "TRY_CONVERT(datetimeoffset(3), r.k0) AS [b]", "[[0,\"1\",\"00FF\"]]": "TRY_CONVERT(bit, r.k0) AS [c], TRY_CONVERT(varbinary(8), r.k1, 2) AS [d]",
        "[[0,\"1.5\",\"2024-02-29\",\"0.1\"]]": "TRY_CONVERT(decimal(9, 2), r.k0) AS [e], TRY_CONVERT(date, r.k1) AS [f], TRY_CONVERT(float, r.k2) AS [g]",
    }
    case.check(len(asked) == len(read) and all(any(f"OPENJSON(N'{sent}')" in sql and how in sql for sql in asked) for sent, how in read.items()), "existing: types: the questions", asked)
    case.check(report.get("unjudged") == [], "existing: types: nothing is left open", report.get("unjudged"))


def unanswered(case):
    """What cannot be asked is listed, and fails no run."""
    load = "  xs_child:\n    from: rows\n    load: {table: dbo.xs_child, mode: upsert, key: n}\n"
    case.write(load, rows=[{"n": 1, "parent_id": 7, "code": None}])
    parent, nothing = r"OBJECT_ID\(N'\[dbo\]\.\[xs_parent\]'\)", "no table [dbo].[xs_parent]"
    for rows, why in (([], nothing), ([["code", "int", "4", "10", "0", None]], "no column [id]"), ([["id", "xml", "-1", "0", "0", None]], "`xml`")):
        with Server(answers=[(parent, CATALOG, rows), *answers()]) as server:
            done = case.place.do(server, "run", "existing", "--format", "json")
        left = (done.json() or {}).get("unjudged", [])
        case.check(done.code == 0 and len(left) == 1 and left[0]["what"] == "parent_id references xs_parent" and why in left[0]["why"], f"existing: not asked: {why}", done)
    case.write(load, rows=[{"n": 1, "parent_id": 7, "code": "x"}])
    found = [(r"t\.\[id\] = k\.\[id\]", *told([[0]])), (r"t\.\[code\] = k\.\[code\]", *told([[0]]))]
    with Server(answers=answers(more=found)) as server:
        case.place.do(server, "run", "existing")
        requests = len([e for e in server.log if e["kind"] in ("login", "batch")])
    for at in range(requests):
        for fault in (("error", 229, "The SELECT permission was denied on the object 'xs_parent'.", 14), ("drop",)):
            with Server({at: fault}, answers=answers(more=found)) as server:
                done = case.place.do(server, "run", "existing", "--format", "json")
                sent = server.batches()
            report = done.json() or {}
            left = report.get("unjudged", [])
            last = at == requests - 1                       # the ROLLBACK, after which nothing is asked
            good = done.code == 0 and report.get("violations") == [] and all("could not be asked" in u["why"] for u in left) and (left == [] if last else left != [])
            retried = at == 0 and fault[0] == "drop" and left == []        # a login that was cut off is tried again
            case.check(good or retried, f"existing: {fault[0]} at request {at}: listed, and no failure", done)
            if fault[0] == "error" and at > 4 and not last:
                # The error took the transaction back: the other question gets one of its own.
                case.check(len(left) == 1 and sent.count("BEGIN TRANSACTION") == 2 and sent[-1] == "ROLLBACK", f"existing: error at request {at}: the next question is asked", (left, sent))
            case.sent += sent
    done = run([case.place.pipe, "run", "existing", "--format", "json"], cwd=case.place.root)
    case.check(done.code == 0 and len((done.json() or {}).get("unjudged", [])) == 2, "existing: no address: listed", done)
    levels = [sql for sql in case.sent if "ISOLATION LEVEL" in sql]
    case.check(levels and set(levels) == {"SET TRANSACTION ISOLATION LEVEL SNAPSHOT;"}, "existing: a snapshot where it is allowed", set(levels))
    with Server(answers=[("snapshot_isolation_state", [["state", "nvarchar(1)"]], [["0"]]), *answers(more=found)]) as server:
        done = case.place.do(server, "run", "existing", "--format", "json")
        case.check(done.code == 0 and "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;" in server.batches(), "existing: read committed where it is not", (done, server.batches()))


def executed(sql, rows):
    """Has SQLite answer a question over rows of dbo.xs_people; texts are equal whatever their case."""
    base = sqlite3.connect(":memory:")
    base.execute("ATTACH ':memory:' AS dbo")
    base.execute("CREATE TABLE dbo.xs_people (id TEXT COLLATE NOCASE, mail TEXT COLLATE NOCASE, name TEXT COLLATE NOCASE, state INT)")
    base.executemany("INSERT INTO dbo.xs_people VALUES (?, ?, ?, ?)", rows)
    sent = json.loads(re.search(r"OPENJSON\(N'(.*?)'\) WITH", sql)[1].replace("''", "'"))
    names = re.findall(r" AS \[(\w+)\]", re.search(r"CROSS APPLY \(SELECT (.*?)\) AS c\n", sql)[1])
    base.execute(f"CREATE TABLE sent ([#n] INT, {', '.join(f'{n} INT' if n == 'state' else f'{n} TEXT COLLATE NOCASE' for n in names)})")
    base.executemany(f"INSERT INTO sent VALUES ({', '.join('?' * (len(names) + 1))})", sent)
    sql = re.sub(r"^WITH (\w+) AS \(.*?\n\)\n", r"WITH \1 AS (SELECT * FROM sent) ", sql, flags=re.S)
    # SQLite has the collation of a set from its first part, which is the column's there as here.
    return sorted(base.execute(sql.replace("CONVERT(nvarchar(max), t.[#b0])", "t.[#b0]")).fetchall())


def meant(case):
    """What the questions find, over rows that are there."""
    there = [("a", "A@x", "Ann", 1), ("b", None, "Bob", 2), ("c", "c@x", None, 1)]
    load = "  xs_people:\n    from: rows\n    load: {table: dbo.xs_people, mode: %s}\n"
    row = lambda i, mail, name, state: {"id": i, "mail": mail, "name": name, "state": state}
    for mode, comes, found in (
        # By id, mail, and name among those of state 1: what was sent has one row, so its place is 0.
        ("insert", row("B", "n@x", "N", 1), {"id": [(0,)], "mail": [], "name": []}),
        ("insert", row("z", "a@X", "ann", 1), {"id": [], "mail": [(0,)], "name": [(0,)]}),
        ("insert", row("z", None, "BOB", 1), {"id": [], "mail": [(0,)], "name": []}),
        ("insert", row("z", "z@x", None, 1), {"id": [], "mail": [], "name": [(0,)]}),
        ("append, key: id", row("A", "a@x", "ann", 1), {"mail": [], "name": []}),
        ("append, key: id", row("z", "a@x", "ann", 1), {"mail": [(0, "a")], "name": [(0, "a")]}),
        ("upsert, key: id", row("a", None, None, 1), {"mail": [(0, "b")], "name": [(0, "c")]}),
    ):
        case.write(load % mode, rows=[comes])
        _, _, asked = case.run(f"{mode} {comes}")
        try:
            have = {re.search(r"\[(\w+)\] AS \[#e0\]", sql)[1]: executed(sql, there) for sql in asked}
        except sqlite3.Error as e:
            have = f"{e} {asked}"
        case.check(have == found, f"existing: {mode} {comes}: what is found", lambda: f"want {found}\nhave {have}")
    for comes, scope, found in (
        (row("a", "c@X", "bob", 1), "{state: 1}", {"id": [], "mail": [], "name": []}),
        (row("b", "c@x", "Ann", 1), "{state: 1}", {"id": [(0,)], "mail": [], "name": []}),
        (row("z", None, "Ann", 2), "{state: 2}", {"id": [], "mail": []}),
        (row("a", "a@x", None, 1), "{state: 1, name: null}", {"id": [(0,)], "mail": [(0,)], "name": []}),
        (row("c", None, "ann", 1), "{name: ann}", {"id": [(0,)], "mail": [(0,)], "name": []}),
    ):
        case.write((load % "replace").replace("replace", f"replace, scope: {scope}"), rows=[comes])
        _, _, asked = case.run(f"{scope} {comes}")
        try:
            have = {re.search(r"\[(\w+)\] AS \[#e0\]", sql)[1]: executed(sql.replace("N'ann'", "'ann'"), there) for sql in asked}
        except sqlite3.Error as e:
            have = f"{e} {asked}"
        case.check(have == found, f"existing: scope {scope} {comes}: what is found", lambda: f"want {found}\nhave {have}")


def looked_up(place, check, do):
    """The same on a real server: a key that is there, a parent that is there, and one that is nowhere."""
    (place.root / "pipelines/again.yaml").write_text(
        "pipeline: again\nextract:\n  raw: {rows: [{id: 0, parent_id: 5}, {id: 90001, parent_id: 6}, {id: 90002, parent_id: 90002}]}\n"
        "tables:\n  pipe_child:\n    from: raw\n    load: {table: dbo.pipe_child, mode: insert}\n")
    done = do("run", "again", "--format", "json")
    found = sorted((v["rule"], ",".join(v["columns"]), v["count"]) for v in (done.json() or {}).get("violations", []))
    check(found == [("references", "parent_id", 1), ("unique", "id", 1)] and (done.json() or {}).get("unjudged") == [], "real: keys are looked up", done)


def existing(place, check, kit):
    case = Case(place, check)
    for part in (foreign, uniques, scopes, types, meant, unanswered):
        part(case)
    if kit and (kit / "ve/bin/python").exists():
        script = place.root / "existing.sql"
        script.write_text("\nGO\n".join([*dict.fromkeys(case.sent), ""]), encoding="utf-8")
        done = run([kit / "ve/bin/python", Path(__file__).resolve().parents[1] / "tsql/mslint.py", script], env={"MSLINT_HOME": str(kit)})
        check(done.code == 0, "existing: the vendor's parser takes the questions", done)
