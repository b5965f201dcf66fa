"""The catalog of Azure SQL: contracts from it, and contracts held against it. The other side is `tds.py`; see `azure.py`.

The answers are written after the vendor's description of the catalog, in the form that a server gives expressions.
"""
import json
import shutil
from pathlib import Path

from harness import run
from tds import Server

def text_columns(*names):
    return [[name, "nvarchar(max)"] for name in names]


COLUMN_NAMES = ["id", "name", "type", "bytes", "precision", "scale", "nullable", "collation", "seed", "increment", "computed", "persisted", "given", "given_by", "alias", "generated", "assembly"]


def catalog_answers(changed=None):
    """What the catalog of a server says, by its documentation: expressions in the form that a server gives them. `changed` gets the rows before they are told."""
    def column(name, kind, nullable="0", **more):
        facts = {"id": "77", "name": name, "type": kind, "bytes": "4", "precision": "10", "scale": "0", "nullable": nullable, "generated": "0", **more}
        return [facts.get(n) for n in COLUMN_NAMES]
    columns = [column("[id]", "int", seed="1", increment="1"), column("[name]", "nvarchar", bytes="80"), column("[na]]me's]", "varchar", "1", bytes="-1", collation="Latin1_General_BIN2"),
               column("[price]", "decimal", "1", precision="9", scale="2", given="((0.50))", given_by="[df_price]"), column("[state]", "nvarchar", bytes="20"), column("[grade]", "tinyint"),
               column("[at]", "datetime2", scale="3", given="(sysutcdatetime())", given_by="[df_at]"), column("[total]", "decimal", "1", computed="([price]*(2))", persisted="1"), column("[row]", "timestamp"), column("[mail]", "nvarchar", "1", bytes="200", alias="Mail")]
    constraints = [["77", "CONSTRAINT [pk] PRIMARY KEY ([id])", None], ["77", "CONSTRAINT [uq] UNIQUE ([name], [state])", None], ["77", "CONSTRAINT [ck_state] CHECK (([state]=N'old' OR [state]=N'new'))", None],
                   ["77", "CONSTRAINT [ck_grade] CHECK (([grade]>=(1) AND [grade]<=(6)))", None], ["77", "CONSTRAINT [ck_idle] CHECK (([grade]<>(5)))", "disabled"],
                   ["77", "CONSTRAINT [fk] FOREIGN KEY ([grade]) REFERENCES [dbo].[grades] ([number]) ON DELETE CASCADE", None]]
    others, indexes = [["77", "trigger: tr_goods"]], [["77", "CREATE UNIQUE INDEX [ix] ON [dbo].[goods] ([price]) WHERE ([price] IS NOT NULL)", None]]
    if changed:
        changed({row[1]: row for row in columns}, columns, constraints, indexes, column)
    return [("sys.objects AS o", [*text_columns("schema", "name", "id", "type"), ["place", "int"]], [["dbo", "goods", "77", "U ", 0]]), ("sys.identity_columns AS i", text_columns(*COLUMN_NAMES), columns),
            ("sys.key_constraints", text_columns("id", "definition", "idle"), constraints), ("sys.indexes AS i", text_columns("id", "definition", "idle"), indexes),
            ("sys.triggers", text_columns("id", "remark"), others)]


def imports(place, check, kit):
    """The catalog of a server as a contract, which the next run is judged by."""
    with Server(answers=catalog_answers()) as server:
        done = place.do(server, "schema", "import", "goods", "--target", "here")
        path = place.root / "schemas/goods.sql"
        text = path.read_text() if path.exists() else ""
        check(done.code == 0 and "trigger: tr_goods" in done.stdout + done.stderr + text, "import: done", done)
        for line in ("CREATE TABLE [dbo].[goods] (", "[id] int IDENTITY(1, 1) NOT NULL", "[na]]me's] varchar(max) COLLATE Latin1_General_BIN2 NULL", "[price] decimal(9, 2) CONSTRAINT [df_price] DEFAULT ((0.50)) NULL", "[at] datetime2(3) CONSTRAINT [df_at]",
                     "[total] AS ([price]*(2)) PERSISTED", "[row] rowversion NOT NULL", "[mail] nvarchar(100) NULL", "CONSTRAINT [ck_state] CHECK (([state]=N'old' OR [state]=N'new'))", "-- not judged: disabled: CONSTRAINT [ck_idle]", "CREATE UNIQUE INDEX [ix]"):
            check(line in text, f"import: {line}", text)
        sent = server.batches()
        again = place.do(server, "schema", "import", "goods", "--target", "here")
        check(again.code == 0 and path.read_text() == text, "import: the same again", again)
    made = run([place.pipe, "schema", "ddl", "goods", "--target", "here"], cwd=place.root)
    for line in ("[na]]me's] varchar(max) COLLATE Latin1_General_BIN2 NULL", "[id] int IDENTITY(1, 1) NOT NULL", "CONSTRAINT [ck_state] CHECK (([state]=N'old' OR [state]=N'new'));", "CREATE UNIQUE INDEX [ix] ON [dbo].[goods] ([price]) WHERE ([price] IS NOT NULL);",
                 "CONSTRAINT [fk] FOREIGN KEY ([grade]) REFERENCES [dbo].[grades] ([number]) ON DELETE CASCADE;"):
        check(made.code == 0 and line in made.stdout, f"import: schema ddl: {line}", made)
    rows = [{"name": "a", "state": "new", "grade": 1, "price": "1.00", "total": 1}, {"name": "b" * 41, "state": "none", "grade": 7, "price": "12345678.00"}, {"name": "A ", "state": "NEW", "grade": 6, "price": "1.50"}]
    (place.root / "data/goods.json").write_text(json.dumps(rows))
    (place.root / "pipelines/goods.yaml").write_text("pipeline: goods\nextract: {raw: {file: data/goods.json}}\ntables:\n  goods:\n    from: raw\n    map: {name: name, state: state, grade: grade, price: price}\n    load: {table: dbo.goods}\n")
    report = run([place.pipe, "run", "goods", "--format", "json"], cwd=place.root)
    broken = {(v.get("column") or ",".join(v.get("columns") or []), v["rule"]) for v in (report.json() or {}).get("violations", [])}
    for column, rule in (("name", "length"), ("state", "one_of"), ("grade", "range"), ("name", "unique")):
        check(any(c.startswith(column) and r == rule for c, r in broken), f"import: {column} {rule} is judged", (broken, report))
    check(any(c == "price" for c, _ in broken), "import: the size of price is judged", broken)
    with Server(answers=[("sys.objects AS o", catalog_answers()[0][1], [["dbo", "god", None, None, 0]]), ("sys.tables AS t", text_columns("name"), [["goods"], ["other.god"]])]) as server:
        done = place.do(server, "schema", "import", "god", "--target", "here")
        check(done.code == 3 and "error[X0601]" in done.stderr and "other.god" in done.stderr, "import: no such table", done)
    if kit and (kit / "ve/bin/python").exists():
        script = place.root / "catalog.sql"
        script.write_text("\nGO\n".join([*sent, *server.batches(), ""]) + made.stdout, encoding="utf-8")
        done = run([kit / "ve/bin/python", Path(__file__).resolve().parents[1] / "tsql/mslint.py", script], env={"MSLINT_HOME": str(kit)})
        check(done.code == 0, "import: the vendor's parser takes the questions and the statements", done)


PLACES = {name: i for i, name in enumerate(COLUMN_NAMES)}


def put(row, **facts):
    for name, fact in facts.items():
        row[PLACES[name]] = fact


def dropped(rows, word):
    rows[:] = [row for row in rows if word not in row[1]]


def swapped(rows, before, after):
    for row in rows:
        row[1] = row[1].replace(before, after)


# What is done to the catalog behind the contract's back, what is said of it, and whether rows that pass here may fail there.
CHANGES = [
    (lambda by, columns, *_: put(by["[name]"], bytes="40"), "type of `goods.name` is nvarchar(40) here and nvarchar(20) in the database", True),
    (lambda by, columns, *_: put(by["[name]"], type="varchar", bytes="40"), "type of `goods.name` is nvarchar(40) here and varchar(40) in the database", True),
    (lambda by, columns, *_: put(by["[at]"], scale="0"), "type of `goods.at` is datetime2(3) here and datetime2(0) in the database", True),
    (lambda by, columns, *_: put(by["[name]"], collation="Latin1_General_100_CS_AS"), "collation of `goods.name` is SQL_Latin1_General_CP1_CI_AS here and Latin1_General_100_CS_AS in the database", True),
    (lambda by, columns, *_: put(by["[mail]"], collation="Latin1_General_100_CS_AS"), "collation of `goods.mail` is SQL_Latin1_General_CP1_CI_AS here and Latin1_General_100_CS_AS in the database", False),
    (lambda by, columns, *_: put(by["[price]"], nullable="0"), "not null of `goods.price` is may be NULL here and NOT NULL in the database", True),
    (lambda by, columns, *_: put(by["[id]"], seed=None, increment=None), "generated of `goods.id` is counted by the database here and written by the pipeline in the database", True),
    (lambda by, columns, *_: put(by["[price]"], given="((1))"), "default of `goods.price` is ((0.50)) here and ((1)) in the database", True),
    (lambda by, columns, *_: columns.remove(by["[grade]"]), "column of `goods.grade` is smallint here and nothing in the database", True),
    (lambda by, columns, c, i, column: columns.append(column("[owner]", "int")), "column of `goods.owner` is nothing here and int in the database", True),
    (lambda by, columns, c, i, column: columns.append(column("[owner]", "int", "1")), "column of `goods.owner` is nothing here and int in the database", False),
    (lambda by, columns, c, i, column: columns.append(column("[owner]", "int", given="((1))", given_by="[d]")), "column of `goods.owner` is nothing here and int in the database", False),
    (lambda by, columns, *_: put(by["[name]"], nullable="1"), "not null of `goods.name` is NOT NULL here and may be NULL in the database", False),
    (lambda b, columns, rows, *_: swapped(rows, "[state]=N'new'", "[state]=N'gone'"), "one of old, gone in the database", True),
    (lambda b, columns, rows, *_: dropped(rows, "[ck_state]"), "check of `goods` is state: one of old, new here and nothing in the database", False),
    (lambda b, columns, rows, *_: rows.append(["77", "CONSTRAINT [more] CHECK ((len([name])>(1)))", None]), "check of `goods` is nothing here and", True),
    (lambda b, columns, rows, *_: swapped(rows, "KEY ([id])", "KEY ([id], [name])"), "primary key of `goods` is (id) here and (id, name) in the database", True),
    (lambda b, columns, rows, *_: dropped(rows, "[uq]"), "unique of `goods` is (name, state) here and nothing in the database", False),
    (lambda b, columns, rows, *_: rows.append(["77", "CONSTRAINT [uq2] UNIQUE ([state])", None]), "unique of `goods` is nothing here and (state) in the database", True),
    (lambda b, columns, rows, *_: swapped(rows, "[dbo].[grades]", "[other].[grades]"), "(grade) references other.grades (number) on delete cascade in the database", True),
    (lambda b, columns, rows, *_: dropped(rows, "[fk]"), "foreign key of `goods` is (grade) references grades (number) on delete cascade here and nothing in the database", False),
    (lambda b, columns, rows, indexes, *_: indexes.clear(), "unique of `goods` is (price) WHERE", False),
    # Another spelling, or nothing that forbids a row.
    (lambda b, columns, rows, *_: swapped(rows, "([state]=N'old' OR [state]=N'new')", "([state]='new' OR [state]='old')"), None, False),
    (lambda b, columns, rows, *_: swapped(rows, "[ck_state]", "[renamed]"), None, False),
    (lambda b, columns, rows, indexes, *_: indexes.append(["77", "CREATE INDEX [more] ON [dbo].[goods] ([state])", None]), None, False),
    (lambda by, columns, *_: put(by["[at]"], given="(getutcdate())"), None, False),
    (lambda b, columns, *_: columns.reverse(), None, False),
]


def differs(place, check, kit):
    """`schema diff`, and what stops a deployment or is noted by it."""
    def project():
        """The contract as `imports` has brought it, and a run that is judged by it."""
        shutil.rmtree(place.root / "out/goods", ignore_errors=True)
        with Server(answers=catalog_answers()) as server:
            place.do(server, "schema", "import", "goods", "--target", "here")
        rows = [{"name": "a", "state": "new", "grade": 1, "price": "1.00"}]
        (place.root / "data/goods.json").write_text(json.dumps(rows))
        return run([place.pipe, "run", "goods"], cwd=place.root)

    check(project().code == 0, "diff: a run that passes", project)
    with Server(answers=catalog_answers()) as server:
        done = place.do(server, "schema", "diff", "goods", "--target", "here")
        asked = server.batches()
        check(done.code == 0 and "contract and database agree" in done.stdout and not any("TRAN" in sql for sql in asked), "diff: nothing differs", done)
    with Server() as server:
        done = place.do(server, "schema", "diff", "goods", "--target", "here")
        check(done.code == 1 and "goods table: exists in the contract, nothing in the database" in done.stdout and len(server.batches()) == 2, "diff: the table is not there, and no list is empty", (done, server.batches()))
    told = []
    for change, said, harmful in CHANGES:
        answers = catalog_answers(change)
        with Server(answers=answers) as server:
            done = place.do(server, "schema", "diff", "goods", "--target", "here", "--format", "json")
            found = (done.json() or {}).get("differences", [{}])
            good = done.code == (1 if said else 0) and bool(found) == bool(said) and all(d.get("file", "").endswith("goods.sql") and d.get("line", 0) > 0 for d in found)
            check(good, f"diff: {said}", done)
        with Server(answers=answers) as server:
            done = place.do(server, "deploy", "goods")
            log = (place.root / "out/goods/deploy.log").read_text().split("deploy run")[-1]
            if harmful:
                check(done.code == 3 and "error[X0607]" in done.stderr and said in done.stderr and "goods.sql:" in done.stderr and "pipe schema import" in done.stderr, f"deploy: refused: {said}", done)
                check(not any("BEGIN TRANSACTION" in sql or "INSERT" in sql for sql in server.batches()), f"deploy: nothing was begun: {said}", server.batches()[-1:])
            else:
                noted = f"does no harm: {said}" in log if said else "does no harm" not in log
                check(done.code == 0 and noted, f"deploy: does no harm: {said}", f"{done}\n{log}")
        told.append(said)
    check(len([s for s in told if s]) == len(CHANGES) - 5, "diff: every change was tried")
    contract = place.root / "schemas/goods.sql"
    contract.write_text(contract.read_text().replace("nvarchar(40)", "nvarchar(50)"))
    with Server(answers=catalog_answers()) as server:
        done = place.do(server, "deploy", "goods")
        check(done.code == 3 and "error[X0522]" in done.stderr and "`dbo.goods`" in done.stderr and not server.batches(), "deploy: rows were judged by another contract", done)
    check(project().code == 0, "diff: imported and run again", project)
    with Server(answers=catalog_answers()) as server:
        done = place.do(server, "deploy", "goods")
        check(done.code == 0, "deploy: by the contract of now", done)
    asked = catalog_answers()
    pattern, columns, rows = asked[0]
    blind = [(pattern, [*columns, ["visible", "nvarchar(1)"]], [[*rows[0], "0"]]), ("in_the_way FROM", [["table", "nvarchar(60)"], ["inserts", "bigint"]], [["dbo.goods", 1]]), *asked[1:]]
    with Server(answers=blind) as server:
        done = place.do(server, "deploy", "goods")
        log = (place.root / "out/goods/deploy.log").read_text().split("deploy run")[-1]
        check(done.code == 0 and "contracts were not compared: what constrains `dbo.goods` may not be seen" in log and not any("sys.key_constraints" in sql for sql in server.batches()), "deploy: who may not see definitions may deploy, and it is noted", f"{done}\n{log}")
        done = place.do(server, "schema", "diff", "goods", "--target", "here")
        check(done.code == 3 and "error[X0509]" in done.stderr and "GRANT VIEW DEFINITION ON OBJECT::dbo.goods" in done.stderr, "diff: who may not see definitions is told", done)
        done = place.do(server, "run", "goods", "--dry-run", "--deploy")
        check(done.code == 0 and "warning[X0509]" in done.stderr and "were not compared" in done.stderr, "preview: who may not see definitions is warned", done)
