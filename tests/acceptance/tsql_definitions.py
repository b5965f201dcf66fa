"""`pipe schema ddl` for Azure SQL: random tables in T-SQL, printed as the statements that make them, and read back.

What is printed is given to `pipe` as the schema files of another project: it must be printed the same way again, and a run must judge the same rows
the same way by either. Every script goes to the vendor's parser, its statements without their conditions to the vendor's model of a database.
Part of `tsql.py`, which see.
"""
import json
import random
import re

from harness import run

TYPES = {"bit": ["0", "1"], "tinyint": ["7"], "smallint": ["-3"], "int": ["42"], "bigint": ["9007199254740993"], "decimal(10, 2)": ["1.50"], "money": ["2.5"], "float": ["0.5"], "real": ["0.5"], "date": ["'2024-02-29'"],
         "time(3)": ["'12:00:00'"], "datetime2(6)": ["SYSUTCDATETIME()", "'2024-02-29T12:00:00'"], "datetime": ["GETDATE()"], "datetimeoffset(3)": ["SYSDATETIMEOFFSET()"], "uniqueidentifier": ["NEWID()"],
         "nvarchar(40)": ["N'it''s'", "N''"], "varchar(30)": ["'x'"], "nchar(5)": ["N'ab'"], "char(5)": ["'ab'"], "nvarchar(max)": ["N'[]'"], "varbinary(20)": ["0x00ff"]}
KEYS = [t for t in TYPES if t not in ("nvarchar(max)", "float", "real")]
COLLATIONS = ["Latin1_General_CS_AS", "Latin1_General_100_CI_AI", "Latin1_General_BIN2", "SQL_Latin1_General_CP1_CI_AS", "Latin1_General_100_CI_AS_SC_UTF8"]
NAMES = ["id", "name", "Order", "a b", "x]y", "żółw", "Group", "value", "n", "kind", "at", "Amount", "level", "it's", 'q"q', "k1", "k2", "note"]


def quoted(name):
    return f"[{name.replace(']', ']]')}]"


def condition(name, kind, rng):
    """A CHECK of one column that holds for the column's NULL and for some values."""
    c = quoted(name)
    if kind.startswith(("nvarchar(4", "varchar", "nchar", "char")):
        return rng.choice([f"{c} IN ('a', N'B', 'c''d')", f"len({c}) <= 20", f"{c} <> N'none'", f"{c} LIKE 'a%' OR {c} IS NULL", f"{c} = 'x' OR {c} = 'y'", f"[dbo].[fine]({c}) = 1"])
    if kind.startswith(("tinyint", "smallint", "int", "bigint", "decimal", "money")):
        return rng.choice([f"{c} >= 0", f"{c} BETWEEN 1 AND 9", f"({c}>(0) AND {c}<(100))", f"{c} IN (1, 2, 3)", f"{c} <> 5", f"{c} + 1 > 0"])
    return f"{c} IS NOT NULL OR 1 = 1"


def table(number, tables, rng):
    """Statements that make a table, in one of the ways that people and tools write them."""
    schema, name = rng.choice(["dbo", "crm", "Sales Data"]), f"{rng.choice(['t', 'Order', 'a b'])}{number}"
    full, elements, later, indexes = f"{quoted(schema)}.{quoted(name)}", [], [], []
    columns = {n: rng.choice(list(TYPES)) for n in rng.sample(NAMES, rng.randint(3, 8))}
    columns |= {"pk": rng.choice(["int", "bigint", "uniqueidentifier", "nvarchar(40)"])}
    named = lambda label: f"CONSTRAINT {quoted(f'{label} {name} {len(elements) + len(later)}')} " if rng.random() < 0.5 else ""
    pick = lambda: rng.sample([n for n in columns if columns[n] in KEYS], min(rng.randint(1, 2), len([n for n in columns if columns[n] in KEYS])))
    for column, kind in columns.items():
        text = f"{quoted(column)} {kind}"
        if kind.startswith(("nvarchar", "varchar", "nchar", "char")) and rng.random() < 0.4:
            text += f" COLLATE {rng.choice(COLLATIONS)}"
        if column == "pk" and kind != "uniqueidentifier" and kind.endswith("int") and rng.random() < 0.5:
            text += f" IDENTITY({rng.randint(1, 9)},{rng.randint(1, 3)})"
        elif rng.random() < 0.4:
            text += f" {named('df')}DEFAULT {rng.choice(TYPES[kind])}"
        text += rng.choice([" NOT NULL", " NULL", ""]) if column != "pk" else " NOT NULL"
        if rng.random() < 0.3:
            text += f" {named('ck')}CHECK ({condition(column, kind, rng)})"
        if column != "pk" and kind in KEYS and rng.random() < 0.15:
            text += f" {named('uq')}UNIQUE"
        elements.append(text)
    if rng.random() < 0.5:
        elements.append(f"[sum] AS (1 + 2){rng.choice(['', ' PERSISTED', ' PERSISTED NOT NULL'])}")
    if rng.random() < 0.3:
        elements.append("[version] rowversion")
    key = f"{named('pk')}PRIMARY KEY {rng.choice(['', 'NONCLUSTERED ', 'CLUSTERED '])}([pk]{rng.choice(['', ' ASC', ' DESC'])}){rng.choice(['', ' WITH (FILLFACTOR = 80)'])}"
    (elements if rng.random() < 0.6 else later).append(key)
    clustered = "CLUSTERED" in key.replace("NONCLUSTERED", "") or "NONCLUSTERED" not in key
    if rng.random() < 0.5:
        (elements if rng.random() < 0.5 else later).append(f"{named('uq')}UNIQUE {'' if clustered else rng.choice(['', 'CLUSTERED '])}({', '.join(quoted(c) + rng.choice(['', ' DESC']) for c in pick())})")
    if tables and rng.random() < 0.7:
        to, kind, collated = rng.choice(tables)
        own = f"{quoted(f'ref {number}')} {kind}{collated}"
        elements.insert(0, own)
        action = rng.choice(["", " ON DELETE CASCADE", " ON DELETE SET NULL ON UPDATE NO ACTION", " ON UPDATE SET NULL"])
        later.append(f"{named('fk')}FOREIGN KEY ({quoted(f'ref {number}')}) REFERENCES {to} ([pk]){action}")
    collated = re.search(r"COLLATE \w+", next(e for e in elements if e.startswith("[pk]")))
    tables.append((full, columns["pk"], f" {collated[0]}" if collated else ""))
    for i in range(rng.randint(0, 2)):
        unique, where = rng.choice(["", "UNIQUE ", "UNIQUE NONCLUSTERED "]), rng.choice(["", "", f" WHERE {quoted('pk')} IS NOT NULL"])
        included = [c for c in columns if c != "pk"][:1]
        indexes.append(f"CREATE {unique}INDEX {quoted(f'ix {name} {i}')} ON {full} ({', '.join(quoted(c) + rng.choice(['', ' DESC']) for c in pick())}) INCLUDE ({quoted(included[0])}){where}"
                       if rng.random() < 0.3 else f"CREATE {unique}INDEX {quoted(f'ix {name} {i}')} ON {full} ({', '.join(map(quoted, pick()))}){where}")
    body = ",\n    ".join(elements)
    made = f"CREATE TABLE {full} (\n    {body}\n)"
    if rng.random() < 0.3:
        made = f"IF NOT EXISTS (SELECT * FROM sys.tables WHERE name = N'{name}')\nBEGIN\n{made}\nEND"
    return "\nGO\n".join([made + rng.choice(["", ";"])] + [f"ALTER TABLE {full} {rng.choice(['', 'WITH CHECK '])}ADD {c}" for c in later] + indexes) + "\nGO\n"


def project(root, texts):
    (root / "schemas").mkdir(parents=True)
    (root / "pipe.yaml").write_text(json.dumps({"project": "definitions", "targets": {"main": {"dialect": "azure_sql", "schema": "dbo"}}}))
    for name, text in texts.items():
        (root / f"schemas/{name}.sql").write_text(text, encoding="utf-8")


def statements(script):
    """What a script makes, without what it looks for first."""
    found, taking = [], False
    for line in script.splitlines():
        if line.startswith(("CREATE ", "ALTER TABLE")) and "#pipe_run" not in line:
            taking = True
            found.append(line)
        elif taking:
            found[-1] += "\n" + line
        taking = taking and not line.endswith(";")
    return found


def definitions(pipe, root, failures, scripts, seed, count=6):
    for case in range(seed * count, seed * count + count):
        rng, tables, name = random.Random(case), [], f"definitions {case}"
        text = "".join(table(i, tables, rng) for i in range(3))
        project(root / f"first{case}", {"all": text})
        first = run([pipe, "schema", "ddl"], cwd=root / f"first{case}")
        if not failures.check(first.code == 0 and not first.stderr.strip(), f"{name}: printed", f"{first}\n{text}"):
            continue
        project(root / f"second{case}", {"all": first.stdout})
        second = run([pipe, "schema", "ddl"], cwd=root / f"second{case}")
        made, again = statements(first.stdout), statements(second.stdout)
        failures.check(second.code == 0 and not second.stderr.strip() and len(made) >= 3 and made == again, f"{name}: read back and printed again",
                       lambda: "\n".join([str(second.stderr), *(f"- {a}\n+ {b}" for a, b in zip(made, again) if a != b), text]))
        lost = [w for w in re.findall(r"COLLATE \w+|IDENTITY\(\d,\d\)|FILLFACTOR = 80|CONSTRAINT \[[^]]*\]|INDEX \[[^]]*\]|SET NULL|CASCADE|CHECK \(|INCLUDE \(|WHERE \[pk\] IS NOT NULL|PERSISTED|\] DESC", text)
                if first.stdout.count(w) < text.count(w)]
        failures.check(not lost, f"{name}: nothing is lost", f"{lost}\n{text}\n{first.stdout}")
        # The model knows a table once, so it is given the statements without the additions for tables that lack a column.
        here = root / f"first{case}"
        schemas = "".join(f"CREATE SCHEMA {quoted(s)}\nGO\n" for s in ("crm", "Sales Data"))
        function = "CREATE FUNCTION [dbo].[fine](@x nvarchar(max)) RETURNS bit AS BEGIN RETURN 1 END\nGO\n"
        plain = "".join(f"{s}\nGO\n" for s in made if not s.startswith("ALTER TABLE") or " ADD CONSTRAINT " in s)
        for file, text in (("ddl.sql", first.stdout), ("empty.sql", ""), ("plain.sql", plain), ("base.sql", schemas + function)):
            (here / file).write_text(text, encoding="utf-8")
        scripts += [(here / "empty.sql", here / "ddl.sql"), (here / "base.sql", here / "plain.sql")]
