"""Random contracts of every constraint kind, as DDL, with random rows near their edges.

In: a seed. Out: [`Table`]s: what `CREATE TABLE` says, and rows as a source would give them. Knows nothing about verdicts.
"""
import json
import random
from dataclasses import dataclass, field

ACCENT, FAMILY, FACE = "e\u0301", "\U0001F468\u200D\U0001F469\u200D\U0001F467", "\U0001F600"
LETTERS = ["a", "b", "A", "B", "x", "é", "É", "ß", "İ", "ı", "я", FACE, ACCENT, FAMILY, " ", "_", "%", "\\", "'", '"', "\n", "\t", "0", "9", "-", "."]
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


@dataclass
class Column:
    """A column: its type, the values that suit it, those at its edges, and how SQL tells that a value was kept."""

    name: str
    sql: str
    kind: str
    good: list
    edge: list
    kept: str = "{c} = {v}"
    options: str = ""
    mapped: bool = True
    literal: object = None


@dataclass
class Table:
    """A table of a contract. `keys` and `references` stand apart, so that a server can be asked about each alone."""

    name: str
    columns: list = field(default_factory=list)
    checks: list = field(default_factory=list)        # (name, condition)
    keys: list = field(default_factory=list)          # (name, definition of a unique index after its table's name, as constraint or None, NOT NULL columns)
    references: list = field(default_factory=list)    # (name, columns, table, its columns, MATCH)
    types: list = field(default_factory=list)         # statements that make its enums and domains
    rows: list = field(default_factory=list)          # {column: value}, None for NULL; `rn` is the row's number

    def mapped(self):
        return [c for c in self.columns if c.mapped]

    def ddl(self, keys=True):
        """The table as its owner would write it; without keys the rows are judged one by one."""
        lines = ["rn integer"] + [f"{c.name} {c.sql}{' ' + c.options if c.options else ''}" for c in self.columns]
        lines += [f"CONSTRAINT {name} CHECK ({condition})" for name, condition in self.checks]
        after = []
        for name, index, constraint, needed in self.keys:
            if not keys:
                after += [f"ALTER TABLE {self.name} ALTER {column} SET NOT NULL;" for column in needed]
                after.append(f"CREATE INDEX ON {self.name} {index.replace(' NULLS NOT DISTINCT', '')};")     # what it computes must be computable
            elif constraint:
                lines.append(f"CONSTRAINT {name} {constraint}")
            else:
                after.append(f"CREATE UNIQUE INDEX {name} ON {self.name} {index};")
        for name, columns, table, target, match in self.references:
            if not keys:        # what MATCH FULL says of one row alone
                lines += [f"CHECK (num_nulls({', '.join(columns)}) IN (0, {len(columns)}))"] if "FULL" in match else []
                continue
            lines.append(f"CONSTRAINT {name} FOREIGN KEY ({', '.join(columns)}) REFERENCES {table} ({', '.join(target)}) {match}".rstrip())
        return "\n".join([*self.types, f"CREATE TABLE {self.name} (\n  " + ",\n  ".join(lines) + "\n);", *after])


def quoted(text):
    """A text as a literal of Postgres; U+0000 stays an escape, which the server refuses as it refuses the character."""
    escaped = "".join("\\u0000" if c == "\0" else "\\\\" if c == "\\" else "''" if c == "'" else c for c in text)
    return f"E'{escaped}'"


def literal(column, value):
    """A value as the right side of an INSERT."""
    if value is None:
        return "NULL"
    if column.literal:
        return column.literal(value)
    return quoted(str(value))


def array(value):
    """A list as an array constant."""
    escape = lambda v: '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return quoted("{" + ",".join("NULL" if v is None else escape(str(v)) for v in value) + "}")


def text_of(rng, length):
    """A text of this many characters, of letters that count more than one byte, or more than one on the screen."""
    found = ""
    while len(found) < length:
        found += rng.choice(LETTERS)
    return found[:length]


class Maker:
    """Makes tables from one seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def words(self, n):
        rng = self.rng
        common = ["a", "A", "ab", "Ab", "aB", "abc", "x", "", " ", "é", "É", "e\u0301", "b ", "b", FACE, "ß", "x1", "a_c", "a%c", "10", "Zz9"]
        good = [w for w in common if len(w) <= n] + [text_of(rng, rng.randint(0, n)) for _ in range(6)]
        edge = [text_of(rng, n), text_of(rng, n + 1), text_of(rng, max(0, n - 1)), "a" * n + " ", "a" * max(0, n - 1) + "  ", " " * (n + 1), FACE * n,
                FACE * (n + 1), "é" * n, ACCENT * n, "a\0b"[:max(n, 2)], "İ" * n, "ß" * n]
        return good, edge

    def whole(self, name, sql, bits):
        rng, top = self.rng, 1 << (bits - 1)
        good = [str(rng.randint(-3, 12)) for _ in range(8)] + [str(rng.randint(0, 300)) for _ in range(20)]
        edge = [str(top - 1), str(top), str(-top), str(-top - 1), "", "x", "1e2", "+7", " 8 ", "--1", "1 2", "0x1F", "1_000", "٣", "-0", "007", "1.5", "NaN"]
        return Column(name, sql, "number", good, edge)

    def column(self, name):
        """Makes a column of a random type."""
        rng = self.rng
        kind = rng.choice(["varchar", "varchar", "char", "text", "numeric", "numeric", "smallint", "int", "int", "bigint", "real", "double", "boolean", "date",
                           "timestamp", "timestamptz", "time", "interval", "uuid", "json", "jsonb", "bytea", "list", "wholes", "bounded"])
        if kind == "varchar":
            n = rng.choice([1, 2, 3, 5, 10])
            return Column(name, f"varchar({n})", "text", *self.words(n))
        if kind == "char":
            n = rng.choice([1, 2, 3, 5])
            good, edge = self.words(n)
            return Column(name, rng.choice([f"char({n})", f"character({n})"]), "char", good, edge, "{c}::text = rtrim({v}, ' ')")
        if kind == "text":
            return Column(name, "text", "text", *self.words(6))
        if kind == "numeric":
            p = rng.choice([1, 3, 4, 10, 18, 38])
            s = rng.choice([0, 1, 2, p, p])
            s = min(s, p)
            ones = 10 ** (p - s)
            good = [str(rng.randint(0, min(ones - 1, 40))) for _ in range(12)]
            nines = "9" * (p - s) + ("." + "9" * s if s else "")
            edge = [nines, "-" + nines, str(ones), str(-ones), nines + ("" if s else ".") + "4", nines + ("" if s else ".") + "5", nines + ("" if s else ".") + "9",
                    "0." + "0" * s + "1", "0." + "0" * s + "5", "0." + "0" * max(0, s - 1) + "1", "0." + "0" * (s + 3), "1e" + str(p - s), "1e" + str(max(0, p - s - 1)), *([] if p == s == 38 else ["5e-" + str(s), "1e-1"]),
                    "1e-" + str(s + 1), "", "x", ".5", "5.", " 1 ", "1,5", "1e400", "-0", "Infinity", "1e", "."]
            return Column(name, f"numeric({p},{s})", "number", good, edge, "{c} = {v}::numeric")
        if kind in ("smallint", "int", "bigint"):
            bits = {"smallint": 16, "int": 32, "bigint": 64}[kind]
            return self.whole(name, rng.choice({16: ["smallint", "int2"], 32: ["integer", "int"], 64: ["bigint", "int8"]}[bits]), bits)
        if kind in ("real", "double"):
            edge = ["1e38", "3.4028235e38", "3.5e38", "1e39", "1e308", "1.7976931348623157e308", "1e309", "1e400", "1e-45", "1e-46", "1e-320", "1e-400", "0e400", "NaN", "Infinity", "-Infinity",
                    "-0", "", "x", "1e", "0.1", " 1.5 ", "16777217"]
            good = [str(rng.randint(-5, 40) / 4) for _ in range(12)]
            return Column(name, "real" if kind == "real" else "double precision", "float", good, edge, "true")
        if kind == "boolean":
            return Column(name, "boolean", "boolean", ["true", "false", "t", "f"], ["TRUE", "False", "1", "0", "2", "", "maybe", "null"])
        if kind == "date":
            good = [f"{rng.randint(1999, 2025)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}" for _ in range(12)]
            edge = ["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2024-02-30", "2024-13-01", "2024-00-10", "2024-04-31", "0001-01-01", "9999-12-31", "10000-01-01", "0000-01-01",
                    "5874897-12-31", "5874898-01-01", "99999999-01-01", "", "x", "2024-2-9", "2024-01-00"]
            return Column(name, "date", "time", good, edge)
        if kind in ("timestamp", "timestamptz"):
            precision = rng.choice(["", "(0)", "(3)", "(6)"])
            good = [f"{rng.randint(1999, 2025)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {rng.randint(0, 23):02}:00:00" for _ in range(12)]
            edge = ["2024-02-29 23:59:59", "2023-02-29 00:00:00", "2024-01-01 23:59:59.5", "2024-01-01 23:59:59.9995", "2024-01-01 00:00:00.123", "2024-01-01 00:00:00.123456",
                    "2024-01-01 24:00:00", "2024-01-01 24:00:01", "2024-01-01 25:00:00", "2024-01-01 12:60:00", "2024-01-01 23:59:61", "0001-01-01 00:00:00", "9999-12-31 23:59:59",
                    "294277-01-01 00:00:00", "294247-01-10 04:00:54", "", "x", "2024-04-31 00:00:00", "2024-01-01T01:02:03"]
            if kind == "timestamptz":
                edge += ["2024-01-01 00:00:00+14", "2024-01-01 00:00:00-15:59", "2024-01-01 00:00:00+05:30", "2024-01-01 00:00:00Z", "2024-01-01 00:00:00+99", "2024-02-30 00:00:00Z"]
            sql = f"timestamp{precision}" if kind == "timestamp" else rng.choice([f"timestamptz{precision}", f"timestamp{precision} with time zone"])
            return Column(name, sql, "instant" if kind == "timestamptz" else "time", good, edge, "{c} = {v}::" + kind)
        if kind == "time":
            precision = rng.choice(["", "", "(0)", "(3)"])
            good = [f"{rng.randint(0, 23):02}:{rng.choice(['00', '30'])}:00" for _ in range(12)]
            edge = ["23:59:59", "23:59:59.999999", "24:00:00", "24:00:01", "23:60:00", "23:59:61", "25:00:00", "", "x", "00:00:00", "12:30:00.5", "12:30:00.123456"]
            return Column(name, f"time{precision}", "clock", good, edge, "{c} = {v}::time")
        if kind == "interval":
            good = ["1 day", "2 hours", "3 months", "1 year 2 days", "00:30:00"]
            return Column(name, "interval", "other", good, ["", "x", "1 foo", "-1 day", "178000000 years", "178000001 years", "9999999999999 days", "1 day 25:00:00"])
        if kind == "uuid":
            good = [UUID[:-2] + f"{rng.randint(0, 60):02}" for _ in range(12)]
            return Column(name, "uuid", "uuid", good, [UUID.upper(), UUID.replace("-", ""), "{" + UUID + "}", UUID[:-1], UUID + "0", "", "x", UUID[:-1] + "g"])
        if kind in ("json", "jsonb"):
            good = ['{"a": 1}', "[]", "null", '"x"', "1.50", '{"a": {"b": [1, 2, null]}}', "true"]
            edge = ["", "{", "{a: 1}", "{'a': 1}", '{"a": 1,}', "NaN", '{"a":1} x', '"\\u00e9"', '"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\ude00\\ud83d"', "01", "1e400", "-", '"\\x"',
                    '"tab\there"', '{"a": 1, "a": 2}', " 1 ", "1e131073", "Infinity", "//x\n1", '{"\\u0000": 1}', "[1,2,]"]
            if kind == "json":      # a half of a surrogate pair is no text, though the type json would keep it as written
                edge = [v for v in edge if "\\ud8" not in v and "\\ude00\\ud83d" not in v]
            return Column(name, kind, "other", good, edge, "true")
        if kind == "bytea":
            hexed = lambda value: "'\\x" + value.encode().hex() + "'"
            return Column(name, "bytea", "other", ["", "a", "é", "abc"], ["a\0b", "\\x00", "\\", FACE], literal=hexed)
        if kind == "list":
            n = rng.choice([2, 3])
            element = rng.choice(["text", f"varchar({n})"])
            good = [[], ["a"], ["a", "b"], ["é", None], ["x", "x", "ab"]]
            edge = [["a" * n], ["a" * (n + 1)], ["a", "b" * (n + 2)], ["a\0"], ['"', "\\"], ["NULL"], [""], [" "], [FACE * n], ["a" * n + " "]]
            return Column(name, element + "[]", "other", good, edge, "{c}::text[] = {v}", literal=array)
        if kind == "wholes":
            element, top = rng.choice([("smallint", 1 << 15), ("integer", 1 << 31)])
            return Column(name, element + "[]", "other", [[], [1], [1, 2], [3, None]], [[top - 1], [top], [-top], [1, -top - 1]], literal=array)
        return self.own(name)

    def own(self, name):
        """Makes a column of an enum or a domain."""
        rng, made = self.rng, f"{self.table.name}_{name}"
        shape = rng.randint(0, 5)
        if shape <= 1:
            labels = rng.sample(["ok", "Ok", "sad", "it's", "", "two words", "é", FACE, "a,b", "x" * 63], rng.randint(1, 6))
            self.table.types.append(f"CREATE TYPE {made} AS ENUM ({', '.join(quoted(v)[1:] for v in labels)});")
            if rng.random() < 0.15:
                return Column(name, made + "[]", "other", [[v] for v in labels] + [[]], [["no"], [None], labels], literal=array)
            return Column(name, made, "enum", labels, ["OK", "ok ", " ok", "no", "", "É", "x" * 64])
        if shape == 2:
            self.table.types.append(f"CREATE DOMAIN {made} AS integer CHECK (VALUE > 0) CHECK (VALUE <> 7);")
            base = self.whole(name, made, 32)
            return Column(name, made, "number", base.good, base.edge)
        if shape == 3:
            self.table.types.append(f"CREATE DOMAIN {made} AS varchar(4) NOT NULL CHECK (VALUE ~ '^[a-zA-Z]');")
            return Column(name, made, "text", ["a", "Ab", "abc", "abcd"], ["abcde", "", "1a", "é", "a\0", "abcd ", None, "a" + FACE * 3])
        if shape == 4:
            self.table.types.append(f"CREATE DOMAIN {made} AS numeric(4,1) CONSTRAINT {made}_c CHECK (VALUE BETWEEN -1 AND 99.5);")
            return Column(name, made, "number", ["0", "5.5", "99"], ["99.5", "99.6", "-1", "-1.1", "1000", "99.55", "x", "1e2"], "{c} = {v}::numeric")
        self.table.types.append(f"CREATE DOMAIN {made} AS text CHECK (length(VALUE) BETWEEN 1 AND 3 AND VALUE <> 'no');")
        return Column(name, made, "text", ["a", "ab", "abc"], ["", "abcd", "no", FACE * 3, FACE * 4, ACCENT, ACCENT + "ab", "   "])

    # ------------------------------------------------------------ conditions

    def value(self, column):
        """A constant beside a column."""
        return "'" + self.rng.choice(column.good).replace("'", "''") + "'"

    def condition(self, depth=2):
        """A condition over the table's columns, or None if they give none."""
        rng = self.rng
        if depth and rng.random() < 0.4:
            a, b = self.condition(depth - 1), self.condition(depth - 1)
            if a and b:
                return rng.choice([f"({a}) AND ({b})", f"({a}) OR ({b})", f"NOT ({a})", f"{a} OR {b}", f"({a}) IS NOT FALSE", f"NOT ({a}) OR ({b})",
                                   f"CASE WHEN {a} THEN {b} ELSE true END", f"({a}) = ({b})"])
        column = rng.choice([c for c in self.table.columns if c.mapped])
        c, n = column.name, str(rng.randint(-2, 20))
        forms = [f"{c} IS NOT NULL", f"{c} IS NULL OR {c} IS NOT NULL"]
        if column.kind == "number":
            others = [o.name for o in self.table.columns if o.kind == "number"]
            other = rng.choice(others)
            forms = [f"{c} > {n}", f"{c} >= {n}", f"{n} > {c}", f"{c} <> {n}", f"{c} BETWEEN {rng.randint(-3, 4)} AND {n}", f"{c} IN (1, 2, {n})", f"{c} NOT IN (1, {n})",
                     f"{c} = ANY (ARRAY[1, 3, {n}])", f"{c} < {other}", f"{c} + {other} <= 30", f"{c} * 2 - {n} < 40", f"{c} % 3 = 1", f"{c} <> ALL (ARRAY[2, {n}])",
                     f"abs({c}) < 9", f"-{c} < {n}", f"{c} / 2 > 1", f"{c} IS DISTINCT FROM {other}", f"{c} >= 0.5", f"coalesce({c}, 0) < {n}", f"{c} = {n} OR {c} IS NULL",
                     f"{c} * {other} < 100", f"greatest({c}, {other}) < 50", f"{c}::numeric < {n}", f"{c} NOT BETWEEN 2 AND 4", f"round({c}) = {c}", f"mod({c}, 2) = 0"]
        elif column.kind in ("text", "char"):
            v = self.value(column)
            forms = [f"{c} = {v}", f"{c} <> {v}", f"{c} IN ({v}, 'a', 'B')", f"{c} = ANY (ARRAY[{v}, 'x'])", f"{c} LIKE 'a%'", f"{c} LIKE '_'", f"{c} NOT LIKE '%b%'", f"{c} ILIKE 'A%'",
                     f"{c} LIKE 'a\\_%'", f"{c} ~ '^[a-z]'", f"{c} ~* '^[A-Z]+$'", f"{c} !~ '[0-9]'", f"{c} ~ 'x|é'", f"length({c}) > 1", f"char_length({c}) <= 2",
                     f"length({c}) BETWEEN 1 AND 3", f"{c} <> ''", f"length(trim({c})) > 0", f"lower({c}) = {c}", f"upper({c}) = {c}", f"octet_length({c}) < 4", f"{c} ~ '.$'", f"{c} ~ '^.{{1,2}}$'",
                     f"btrim({c}) = {c}", f"{c} || 'x' <> 'ax'", f"left({c}, 1) = 'a'", f"{c} > 'b'", f"starts_with({c}, 'a')", f"position('b' in {c}) = 0", f"{c} ~ '\\w'", f"{c} ~ '[[:upper:]]'",
                     f"substring({c}, 1, 1) <> 'x'", f"replace({c}, 'a', '') <> ''", f"{c} SIMILAR TO 'a%'", f"reverse({c}) = {c}", f"{c} ~ '\\d'", f"{c} ~ '^\\S+$'", f"{c} ~ 'a$'"]
        elif column.kind == "float":
            forms = [f"{c} > {n}", f"{c} <= 2.5", f"{c} = 0.25", f"{c} <> 0", f"{c} BETWEEN 0 AND 5", f"{c} IN (0.5, 1)", f"{c} < 'Infinity'", f"{c} * 2 > 1", f"{c} = {c}", f"{c} <> 'NaN'", f"{c} = 0.1"]
        elif column.kind == "boolean":
            forms = [c, f"NOT {c}", f"{c} IS TRUE", f"{c} = true", f"{c} IS NOT FALSE", f"{c} <> false", f"{c} IS NOT NULL"]
        elif column.kind in ("time", "instant", "clock"):
            v, w = self.value(column), self.value(column)
            forms = [f"{c} > {v}", f"{c} BETWEEN {v} AND {w}", f"{c} <> {v}", f"{c} IN ({v}, {w})", f"{c} = {v} OR {c} > {w}", f"{c} < {v}"]
            if column.kind != "clock":
                forms += [f"{c} > '2010-01-01'", f"extract(year from {c}) > 2005", f"{c} <= now()", f"{c}::date > '2010-06-01'", f"isfinite({c})"]
        elif column.kind in ("enum", "uuid"):
            v, w = self.value(column), self.value(column)
            forms = [f"{c} = {v}", f"{c} <> {v}", f"{c} IN ({v}, {w})", f"{c} = ANY (ARRAY[{v}, {w}]::{column.sql}[])", f"{c}::text <> 'ok'", f"{c} > {v}"]
        elif column.kind == "other" and column.sql.endswith("[]"):
            forms += [f"cardinality({c}) < 2", f"array_length({c}, 1) > 0", f"{c} <> '{{}}'"]
        elif column.sql == "jsonb":
            forms += [f"jsonb_typeof({c}) = 'object'", f"{c} ? 'a'"]
        return rng.choice(forms)

    # ------------------------------------------------------------ tables

    def make(self, name, count, parent=None):
        """Makes a table with its rows; some refer to `parent`, a table with a key of its own."""
        rng, table = self.rng, Table(name)
        self.table = table
        table.columns = [self.column(f"c{i}") for i in range(rng.randint(1, 5))]
        for column in table.columns:
            if rng.random() < 0.25 and not column.sql.endswith("_"):
                column.options = "NOT NULL"
        for i in range(rng.choice([0, 1, 1, 2, 3])):
            condition = self.condition()
            if condition:
                table.checks.append((f"{name}_k{i}", condition))
        self.extras()
        for i in range(rng.choice([0, 1, 1, 2])):
            self.key(i)
        if parent and rng.random() < 0.7:
            self.reference(parent)
        elif rng.random() < 0.15:
            self.reference(table)
        spoilt = rng.choice([0.02, 0.1, 0.3])
        for number in range(count):
            row = {"rn": number + 1}
            for column in table.mapped():
                roll = rng.random()
                row[column.name] = rng.choice(column.edge) if roll < spoilt else None if roll < spoilt + 0.05 else rng.choice(column.good)
            table.rows.append(row)
        return table

    def extras(self):
        """Adds columns that the load does not write: defaults, identities, generated ones."""
        rng, table = self.rng, self.table
        numbers = [c for c in table.columns if c.kind == "number" and c.sql in ("smallint", "int2", "integer", "int", "bigint", "int8")]
        texts = [c for c in table.columns if c.kind == "text"]
        shape = rng.randint(0, 11)
        extra = lambda sql, options, kind="other": table.columns.append(Column("e0", sql, kind, ["1"], ["1"], options=options, mapped=False))
        if shape == 0:
            extra("integer", rng.choice(["GENERATED ALWAYS AS IDENTITY", "GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "DEFAULT 5 NOT NULL", "DEFAULT 5 CHECK (e0 > 6)", "DEFAULT 3 CHECK (e0 > 2)", "CHECK (e0 > 2)",
                                         "DEFAULT 1 UNIQUE", "UNIQUE"]))
        elif shape == 1 and numbers:
            c = rng.choice(numbers)
            extra(c.sql, f"GENERATED ALWAYS AS ({c.name} + 1) STORED" + rng.choice(["", " NOT NULL", f" CONSTRAINT {table.name}_zg CHECK (e0 < 9)"]))
        elif shape == 2 and texts:
            extra(rng.choice(["text", "varchar(3)"]), f"GENERATED ALWAYS AS (upper({rng.choice(texts).name})) STORED")
        elif shape == 3:
            extra("serial", "")

    def key(self, i):
        """Adds a primary key, a unique constraint or a unique index."""
        rng, table = self.rng, self.table
        usable = [c for c in table.mapped() if c.sql not in ("json",)]
        if not usable:
            return
        picked = rng.sample(usable, rng.choice([1, 1, min(2, len(usable))]))
        names, name = [c.name for c in picked], f"{table.name}_u{i}"
        listed, first = ", ".join(names), picked[0]
        primary = any("PRIMARY" in (k[2] or "") for k in table.keys) or any("PRIMARY" in c.options for c in table.columns)
        roll = rng.random()
        if roll < 0.3 and not primary:
            table.keys.append((name, f"({listed})", f"PRIMARY KEY ({listed})", names))
        elif roll < 0.5:
            table.keys.append((name, f"({listed})", f"UNIQUE ({listed})", []))
        elif roll < 0.62:
            table.keys.append((name, f"({listed}) NULLS NOT DISTINCT", f"UNIQUE NULLS NOT DISTINCT ({listed})", []))
        elif roll < 0.8:
            table.keys.append((name, f"({listed}) WHERE {self.condition(1)}", None, []))
        elif first.kind == "text":
            table.keys.append((name, rng.choice([f"(lower({first.name}))", f"((btrim({first.name})))", f"(upper({first.name})) WHERE {first.name} <> ''", f"(left({first.name}, 1))"]), None, []))
        elif first.kind == "number":
            table.keys.append((name, rng.choice([f"(({first.name} % 50))", f"((coalesce({first.name}, -1)))", f"((abs({first.name})))"]), None, []))
        else:
            table.keys.append((name, f"({listed})", None, []))

    def reference(self, parent):
        """Adds a foreign key to a table's first plain key."""
        rng, table = self.rng, self.table
        plain = [k for k in parent.keys if k[2] and "DISTINCT" not in k[2]]
        if not plain or len(table.references):
            return
        target = plain[0][2].split("(")[1].rstrip(")").split(", ")
        columns = []
        if any(c.literal for c in parent.columns if c.name in target):
            return          # the server refuses to look arrays up
        for i, wanted in enumerate(target):
            of = next(c for c in parent.columns if c.name == wanted)
            wider = {"smallint": "integer", "integer": "bigint", "int": "bigint"}.get(of.sql, of.sql) if parent is not table and rng.random() < 0.3 else of.sql
            values = [r.get(wanted) for r in parent.rows if r.get(wanted) is not None] or of.good
            good = rng.sample(values, min(len(values), 15)) + of.good[:2] if parent is not table else of.good
            column = Column(f"f{i}", wider, of.kind, good, [*of.edge, *of.good], of.kept, "", True, of.literal)
            table.columns.append(column)
            columns.append(column.name)
        table.references.append((f"{table.name}_f", columns, parent.name, target, rng.choice(["", "MATCH SIMPLE", "MATCH FULL", "MATCH FULL" if len(target) > 1 else ""])))


def batch(seed, tables, rows):
    """Makes the tables of one project; some refer to one of them that stands before."""
    maker, made = Maker(seed), []
    for i in range(tables):
        parent = maker.rng.choice(made) if made and maker.rng.random() < 0.4 else None
        made.append(maker.make(f"t{i}", rows, parent))
    return made


def as_json(rows):
    """Rows as a source file."""
    return json.dumps(rows, ensure_ascii=True)
