"""`run --dry-run --deploy` for Azure SQL: what is sent writes to no table of the target, and the counts are right. The other side is `tds.py`; see `azure.py`.

The counting statement itself is also executed, by SQLite after its words have been replaced: joins, EXCEPT, INTERSECT and EXISTS mean the same there. Collations, types and locks are not seen.
"""
import json
import re
import sqlite3
from pathlib import Path

from harness import run
from tds import Server

COUNTED = [["table", "nvarchar(60)"], ["inserts", "bigint"], ["updates", "bigint"], ["unchanged", "bigint"], ["deletes", "bigint"], ["in_the_way", "bigint"]]
COLUMNS = "id int NOT NULL PRIMARY KEY, k int NULL, name nvarchar(60) NULL, n int NULL, version int NULL"
SCHEMA = "".join(f"CREATE TABLE dbo.pv_{name} ({COLUMNS if name != 'bare' else COLUMNS.replace(' NOT NULL PRIMARY KEY', ' NULL')});\nGO\n" for name in ("insert", "append", "upsert", "some", "replace", "scoped", "bare", "few"))
PIPELINE = """\
pipeline: preview
extract:
  raw: {rows: [{id: 1, k: 1, name: a, n: 1}, {id: 2, k: 2, name: b, n: 2}, {id: 3, k: null, name: null, n: null}, {id: 4, k: 4, name: "d ", n: 4}]}
tables:
  one: {from: raw, load: {table: dbo.pv_insert, mode: insert}}
  two: {from: raw, load: {table: dbo.pv_append, mode: append, key: id}}
  three: {from: raw, load: {table: dbo.pv_upsert, mode: upsert, key: id}}
  four: {from: raw, load: {table: dbo.pv_some, mode: upsert, key: id, keep: [name], when: "target.n < source.n", set: {version: target.version + 1}}}
  five: {from: raw, load: {table: dbo.pv_replace, mode: replace}}
  six: {from: raw, where: k is null, load: {table: dbo.pv_scoped, mode: replace, scope: {name: null}}}
  seven: {from: raw, load: {table: dbo.pv_bare, mode: insert}}
  eight: {from: raw, load: {table: dbo.pv_few, mode: upsert, key: k, when_changed: [n]}}
"""
STAGED = [(1, 1, "a", 1), (2, 2, "b", 2), (3, None, None, None), (4, 4, "d ", 4)]
# What is there, and what a deployment would make of it: inserts, updates, unchanged, deletes, in the way.
THERE = {
    "insert": ([(1, 1, "a", 1, None), (9, 9, "z", 9, None)], (3, 0, 0, 0, 1)),
    "append": ([(1, 1, "a", 1, None), (2, 2, "B", 2, None), (9, 9, "z", 9, None)], (2, 0, 1, 0, 1)),
    "upsert": ([(1, 1, "a", 1, 5), (2, 2, "B", 2, 5), (4, 4, "d", 4, 5), (9, 9, "z", 9, 5)], (1, 2, 1, 0, 0)),
    "some": ([(1, 1, "x", 0, 5), (2, 2, "x", 2, 5), (3, 0, "x", 0, 5)], (1, 1, 2, 0, 0)),
    "replace": ([(1, 1, "a", 1, None), (3, None, "c", None, None), (8, 8, "z", 8, None), (9, 9, "z", 9, None)], (2, 1, 1, 2, 0)),
    "scoped": ([(3, None, None, None, None), (5, 5, None, 5, None), (6, 6, "z", 6, None)], (0, 0, 1, 1, 0)),
    "bare": ([(1, 1, "a", 1, None)], (4, 0, 0, 0, 0)),
    "few": ([(1, 1, "other", 1, None), (2, 2, "b", 3, None), (7, None, "z", None, None)], (1, 1, 2, 0, 0)),
}


def counted(sql):
    """Has SQLite count, over the rows of THERE."""
    base = sqlite3.connect(":memory:")
    base.execute("ATTACH ':memory:' AS dbo")
    for number, (name, (rows, _)) in enumerate(THERE.items(), 1):
        base.execute(f"CREATE TABLE dbo.pv_{name} (id, k, name, n, version)")
        base.executemany(f"INSERT INTO dbo.pv_{name} VALUES (?, ?, ?, ?, ?)", rows)
        base.execute(f"CREATE TABLE pipe_stage_{number} (id, k, name, n)")
        base.executemany(f"INSERT INTO pipe_stage_{number} VALUES (?, ?, ?, ?)", [r for r in STAGED if name != "scoped" or r[1] is None])
    sql = re.sub(r"CONVERT\(nvarchar\(max\), ([^,()]+), 121\)", r"\1", sql).replace("COLLATE Latin1_General_BIN2", "").replace("DATALENGTH(", "length(").replace("COUNT_BIG(", "count(").replace("N'", "'").replace("#pipe_", "pipe_")
    return {name: tuple(counts) for name, *counts in base.execute(sql).fetchall()}


def writes(batches):
    """What statements write to that is no table of the session."""
    words = r"\b(?:INSERT\s+INTO|INSERT\s+BULK|UPDATE(?!\s+#)|DELETE(?:\s+FROM)?|MERGE(?:\s+INTO)?|(?:CREATE|DROP|ALTER|TRUNCATE)\s+TABLE(?:\s+IF\s+EXISTS)?|INTO)\s+(\S+)|\b(EXEC\w*|GRANT|COMMIT|SAVE)\b|(?:CREATE|DROP|ALTER)\s+(?!TABLE)(\w+)"
    found = []
    for sql in batches:
        bare = re.sub(r"--[^\n]*|N?'(?:[^']|'')*'", "", sql)
        found += [name for match in re.finditer(words, bare) for name in match.groups() if name and not name.startswith("#")]
    return found


def previews(place, check, kit):
    (place.root / "schemas/preview.sql").write_text(SCHEMA)
    (place.root / "pipelines/preview.yaml").write_text(PIPELINE)
    answer = [[f"dbo.pv_{name}", *counts] for name, (_, counts) in THERE.items()]
    answers = [("in_the_way FROM", COUNTED, answer)]
    before = {p: p.read_bytes() for p in place.root.rglob("*") if p.is_file()}
    with Server(answers=answers) as server:
        done = place.do(server, "run", "preview", "--dry-run", "--deploy", "--format", "json")
        told, entries = server.batches(), len([e for e in server.log if e["kind"] in ("login", "batch", "bulk")])
    shown = (done.json() or {}).get("would_change") or []
    check(done.code == 0 and [list(row.values()) for row in shown] == [[str(v) if i else v for i, v in enumerate(row)] for row in answer] or [[str(v) for v in row.values()] for row in shown] == [[str(v) for v in row] for row in answer], "preview: the counts are shown", done)
    check({p: p.read_bytes() for p in place.root.rglob("*") if p.is_file()} == before, "preview: no file is written")
    check(told[-1] == "ROLLBACK" and not any("COMMIT" in sql for sql in told) and sum(sql.startswith("--") is False and "BEGIN TRANSACTION;" in sql for sql in told) == 1, "preview: one transaction, taken back", told[-2:])
    check(writes(told) == [], "preview: writes to tables of the session alone", writes(told))
    check(writes(["UPDATE t SET a = 1", "INSERT INTO [dbo].[x] VALUES (1)", "SELECT 1 INTO y", "EXEC p"]) == ["t", "[dbo].[x]", "y", "EXEC"], "preview: what would write is noticed")
    asked = [sql for sql in told if "in_the_way FROM" in sql]
    select = asked[0][asked[0].index("SELECT [table]"):asked[0].index("ORDER BY number;")] + "ORDER BY number" if asked else ""
    try:
        found = counted(select)
    except sqlite3.Error as e:
        found = f"{e}\n{select}"
    for name, (_, counts) in THERE.items():
        check(isinstance(found, dict) and found.get(f"dbo.pv_{name}") == counts, f"preview: {name} is counted: {counts}", lambda: found if isinstance(found, str) else found.get(f"dbo.pv_{name}"))
    with Server(answers=answers) as server:
        text = place.do(server, "run", "preview", "--dry-run", "--deploy")
        check(text.code == 0 and "would change, nothing was changed:" in text.stdout and "dbo.pv_scoped" in text.stdout, "preview: told as a table", text)
    with Server(answers=[(answers[0][0], COUNTED, answer[:3])]) as server:
        done = place.do(server, "run", "preview", "--dry-run", "--deploy")
        check(done.code == 3 and "error[X0517]" in done.stderr and "3 of 8 tables" in done.stderr, "preview: silence is no answer", done)
    for at in range(1, entries):
        with Server({at: ("error", 8134, "Divide by zero error encountered.", 16)}, answers=answers) as server:
            done = place.do(server, "run", "preview", "--dry-run", "--deploy")
            last = at == entries - 1  # the ROLLBACK itself, after which nothing is left
            check((done.code == 0) == last and not any("COMMIT" in sql for sql in server.batches()) and (last or "X0517" in done.stderr), f"preview: an error at request {at}", done)
    many = [{"id": i, "k": i, "name": "x", "n": i} for i in range(2500)]
    (place.root / "data/many.json").write_text(json.dumps(many))
    (place.root / "pipelines/many.yaml").write_text("pipeline: many\nextract: {raw: {file: data/many.json}}\ntables:\n  one: {from: raw, load: {table: dbo.pv_upsert, mode: upsert, key: id}}\n")
    with Server(answers=[(answers[0][0], COUNTED, answer[:1])]) as server:
        done = place.do(server, "run", "many", "--dry-run", "--deploy")
        loads = [e for e in server.log if e["kind"] == "bulk"]
        check(done.code == 0 and len(loads) == 1 and len(loads[0]["rows"]) == 2500 and writes(server.batches()) == [], "preview: many rows go by bulk load", (done, writes(server.batches())))
        told += server.batches()
    if kit and (kit / "ve/bin/python").exists():
        script = place.root / "preview.sql"
        script.write_text("\nGO\n".join([*(sql for sql in told if not sql.startswith("INSERT BULK")), ""]), encoding="utf-8")
        done = run([kit / "ve/bin/python", Path(__file__).resolve().parents[1] / "tsql/mslint.py", script], env={"MSLINT_HOME": str(kit)})
        check(done.code == 0, "preview: the vendor's parser takes what is sent", done)
