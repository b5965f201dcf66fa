#!/usr/bin/env python3
"""Agreement with the real server: what `pipe` refuses is what PostgreSQL refuses, row by row.

    agreement.py --pipe BIN --db URL [--cases N] [--rows N] [--seed S] [--only TABLE]

Makes N random contracts (contracts.py) with rows near their edges, has `pipe` judge them and the server load them. The named cases, which were
disagreements once, come first. A failure prints the seed, the DDL, the rows and both verdicts; `--seed S --only tN --cases 1` replays it.

What equal means:
- A row has a fault of its own (type, length, NULL, CHECK) exactly where the server refuses to insert it into the table without its keys, or
  stores another value than was given: rounded, cut, overflowed to infinity. These sets are equal, row by row.
- Keys and references are judged over the rows without such faults, as sets: `pipe` refuses every row of a repeated key, the server all but
  the first that comes. So a row is refused where the server refuses it in the order given or in reverse, each key alone; a reference, where no
  row that passes has that key. These sets are equal too.
- A constraint that `pipe` lists as not judged is left out on both sides; what it neither judges nor lists fails here.
- In the end the script of the rows that passed deploys, in one transaction, onto the real tables.

Standard library only, and the `psql` program.
"""
import argparse
import csv
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import agreement_named
import contracts
from harness import Failures, database, folder, psql, run

# Rows are inserted one by one; a value that is kept otherwise than given is refused like one that raises an error.
FUNCTIONS = r"""
CREATE TABLE work (id serial, t text, rn int, statement text);
CREATE TABLE verdict (t text, phase text, rn int, state text, name text, message text);
CREATE FUNCTION judge_rows() RETURNS void LANGUAGE plpgsql AS $$
DECLARE w record; kept boolean; cause text; said text;
BEGIN
  FOR w IN SELECT * FROM work ORDER BY id LOOP
    BEGIN
      EXECUTE w.statement INTO kept;
      IF kept IS FALSE THEN RAISE EXCEPTION 'kept otherwise' USING ERRCODE = 'ZZ000'; END IF;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS cause = CONSTRAINT_NAME, said = MESSAGE_TEXT;
      INSERT INTO verdict VALUES (w.t, 'row', w.rn, SQLSTATE, cause, said);
    END;
  END LOOP;
END $$;
CREATE FUNCTION judge_key(t text, key text, definition text, list text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE way text;
BEGIN
  FOREACH way IN ARRAY ARRAY['ASC', 'DESC'] LOOP
    EXECUTE format('CREATE TABLE k.%I (LIKE public.%I INCLUDING GENERATED)', key || way, t);
    EXECUTE format('CREATE UNIQUE INDEX ON k.%I %s', key || way, definition);
    EXECUTE format('WITH placed AS (INSERT INTO k.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM public.%I ORDER BY rn %s ON CONFLICT DO NOTHING RETURNING rn) '
      'INSERT INTO verdict SELECT %L, ''key'', rn, ''23505'', %L, '''' FROM public.%I WHERE rn NOT IN (SELECT rn FROM placed)', key || way, list, list, t, way, t, key, t);
  END LOOP;
EXCEPTION WHEN OTHERS THEN
  INSERT INTO verdict VALUES (t, 'broken', 0, SQLSTATE, key, SQLERRM);
END $$;
CREATE FUNCTION judge_reference(t text, name text, list text, columns text, parent text, target text, match text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record; refused int; own text := name || '_p';
BEGIN
  EXECUTE format('CREATE TABLE k.%I (LIKE public.%I)', own, parent);
  EXECUTE format('ALTER TABLE k.%I ADD UNIQUE (%s)', own, target);
  EXECUTE format('INSERT INTO k.%I SELECT * FROM public.%I p WHERE NOT EXISTS (SELECT 1 FROM verdict v WHERE v.t = %L AND p.rn = v.rn) ON CONFLICT DO NOTHING', own, parent, parent, parent);
  EXECUTE format('CREATE TABLE k.%I (LIKE public.%I INCLUDING GENERATED)', name, t);
  EXECUTE format('ALTER TABLE k.%I ADD FOREIGN KEY (%s) REFERENCES k.%I (%s) %s', name, columns, own, target, match);
  -- A row that is refused refuses those of its own table that refer to it.
  LOOP
    refused := 0;
    FOR r IN EXECUTE format('SELECT rn FROM public.%I p WHERE NOT EXISTS (SELECT 1 FROM verdict v WHERE v.t = %L AND v.rn = p.rn AND phase = ''reference'')', t, t) LOOP
      BEGIN
        EXECUTE format('INSERT INTO k.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM public.%I WHERE rn = %s', name, list, list, t, r.rn);
        EXECUTE format('DELETE FROM k.%I', name);
      EXCEPTION WHEN foreign_key_violation THEN
        INSERT INTO verdict VALUES (t, 'reference', r.rn, SQLSTATE, name, '');
        refused := refused + 1;
      END;
    END LOOP;
    EXIT WHEN refused = 0 OR parent <> t;
    EXECUTE format('DELETE FROM k.%I p USING verdict v WHERE v.t = %L AND v.rn = p.rn', own, t);
  END LOOP;
EXCEPTION WHEN OTHERS THEN
  INSERT INTO verdict VALUES (t, 'broken', 0, SQLSTATE, name, SQLERRM);
END $$;
CREATE SCHEMA k;
"""


def insertion(table, row):
    """One row as a statement that says whether its values were kept."""
    names, values, kept = ["rn"], [str(row["rn"])], []
    for column in table.mapped():
        value = row[column.name]
        names.append(column.name)
        values.append(contracts.literal(column, value))
        if value is not None:
            kept.append("(" + column.kept.format(c=column.name, v=values[-1]) + ")")
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join(values)}) RETURNING {' AND '.join(kept) or 'true'}"


def sql_text(text):
    return "'" + text.replace("'", "''") + "'"


def copied(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


class Project:
    """The tables of one seed as a project of `pipe`."""

    def __init__(self, root, pipe, tables):
        self.root, self.pipe, self.tables = Path(root), pipe, tables
        for name in ("pipelines", "schemas", "data"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "pipe.yaml").write_text("project: agreement\nrules: {json_columns: allow, array_columns: allow, numbered_columns: allow, undeclared_defaults: allow}\n")
        lines = ["pipeline: p", "target: {dialect: postgres}", "extract:"]
        for t in tables:
            columns = ", ".join(["rn: integer"] + [f"{c.name}: {'json' if c.literal is contracts.array else 'text'}" for c in t.mapped()])
            lines.append(f"  r_{t.name}: {{file: data/{t.name}.json}}")
        lines.append("tables:")
        lines += [f"  {t.name}: {{from: r_{t.name}, on_failure: quarantine, load: {{mode: insert}}}}" for t in tables]
        (self.root / "pipelines/p.yaml").write_text("\n".join(lines) + "\n")
        (self.root / "schemas/all.sql").write_text("\n".join(t.ddl() for t in tables) + "\n", encoding="utf-8")

    def judge(self, without, out):
        """Runs `pipe` over the rows that are not in `without`; gives what it said, and the rows it put aside: {table: {rn: rules}}."""
        for t in self.tables:
            rows = [r for r in t.rows if r["rn"] not in without.get(t.name, ())]
            # A table of which no row is left still has its columns.
            (self.root / f"data/{t.name}.json").write_text(contracts.as_json(rows or [t.rows[0]]))
        ran = run([self.pipe, "run", "p.yaml", "--format", "json", "--out", self.root / out], cwd=self.root)
        said = ran.json()
        if ran.code or not said or "unjudged" not in said:
            return ran, None, None
        aside = {}
        for entry in said["quarantined"]:
            with open(self.root / entry["file"], newline="", encoding="utf-8") as file:
                aside[entry["table"]] = {int(row["rn"]): row["_reasons"].split("; ") for row in csv.DictReader(file)}
        return ran, said, aside


def rules(reasons, *kinds):
    return [r for r in reasons if r.split(" ")[0] in kinds]


class Batch:
    """One seed: its tables, and the verdicts of both sides."""

    def __init__(self, failures, seed, tables, counts):
        self.failures, self.seed, self.tables, self.counts = failures, seed, tables, counts

    def disagreement(self, table, what, rows, mine, theirs):
        by_number = {r["rn"]: r for r in table.rows}
        lines = [f"seed {self.seed}, table {table.name}: {what}", *table.ddl().splitlines()]
        for rn in sorted(rows)[:6]:
            lines.append(f"row {rn}: {by_number.get(rn)}")
            lines.append(f"    pipe: {mine.get(rn, 'passes')}   server: {theirs.get(rn, 'passes')}")
        self.failures.check(False, f"agreement: seed {self.seed} {table.name}: {what}, {len(rows)} rows", "\n".join(lines))

    def judge(self, pipe, server):
        with folder("agreement") as root, database(server, f"agreement_{self.seed}", options=" LOCALE 'C.UTF-8'") as url:
            self.tables = self.accepted(root, url)
            project = Project(root, pipe, self.tables)
            ran, said, aside = project.judge({}, "out")
            if said is None:
                self.failures.check(False, f"agreement: seed {self.seed} runs", ran)
                return
            self.unjudged = {t.name: " ".join(u["what"] for u in said["unjudged"] if u["table"] == t.name) for t in self.tables}
            self.counts["unjudged"] = self.counts.get("unjudged", 0) + sum(1 for u in said["unjudged"])
            for u in said["unjudged"]:
                self.counts.setdefault("listed", []).append(u["what"])
            theirs = self.rows(url, root)
            without = {}
            for t in self.tables:
                mine = {rn: reasons for rn, reasons in aside.get(t.name, {}).items()}
                own = {rn: found for rn, r in mine.items() if (found := [x for x in r if not rules([x], "unique", "references")])}
                known, excused = {}, set()
                for rn, (state, name, message) in theirs.get(t.name, {}).items():
                    known[rn] = f"{state} {name} {message}"
                    listed = name and re.search(rf"\b{re.escape(name)}\b", self.unjudged[t.name])
                    if listed or self.leaves_open(t, state, name, message):
                        excused.add(rn)
                differ = {rn for rn in own.keys() ^ known.keys() if rn not in excused}
                self.counts["rows"] = self.counts.get("rows", 0) + len(t.rows)
                self.counts["refused"] = self.counts.get("refused", 0) + len(own)
                self.counts["excused"] = self.counts.get("excused", 0) + len(excused - own.keys())
                if differ:
                    self.disagreement(t, "faults of single rows", differ, own, known)
                else:
                    self.failures.check(True, "")
                without[t.name] = own.keys() | known.keys()
            self.keys(project, url, root, without)

    def leaves_open(self, table, state, name, message):
        """Tells whether the server's reason is one that `pipe` listed in words of its own."""
        listed = self.unjudged[table.name]
        if not name and state[:2] == "22" and "out of range" in message and "for type" not in message and ("CHECK" in listed or "UNIQUE INDEX" in listed):
            return True         # computed for a condition or an index that is listed
        return any(re.search(rf"\b{c.name}\b", listed) for c in table.columns if not c.mapped and "GENERATED" in c.options) and state[:2] in ("22", "23") \
            and (name or "") in ("", *(f"{table.name}_e0_check", f"{table.name}_zg")) or "each element of" in listed and state[:2] in ("22", "23")

    def accepted(self, root, url):
        """Makes the tables without their keys; those whose DDL the server refuses are no contracts."""
        script, refused = root / "tables.sql", set()
        script.write_text(FUNCTIONS, encoding="utf-8")
        made = psql(url, "-f", script)
        if made.code:
            raise RuntimeError(str(made))
        script.write_text("CREATE SCHEMA try;\nSET check_function_bodies = off;\n" + "".join(
            f"DO $do$ BEGIN BEGIN SET LOCAL search_path = try; EXECUTE {sql_text(t.ddl())}; EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'refused {t.name} %', SQLERRM; END; END $do$;\n"
            for t in self.tables), encoding="utf-8")
        tried = psql(url, "-f", script)
        refused = set(re.findall(r"refused (\w+)", tried.stderr))
        for t in self.tables:
            if any(table in refused for _, _, table, _, _ in t.references):
                refused.add(t.name)
        self.counts["no contracts"] = self.counts.get("no contracts", 0) + len(refused)
        kept = [t for t in self.tables if t.name not in refused]
        script.write_text("DROP SCHEMA try CASCADE;\n" + "\n".join(t.ddl(keys=False) for t in kept), encoding="utf-8")
        made = psql(url, "-f", script)
        if made.code:
            raise RuntimeError(str(made))
        return kept

    def rows(self, url, root):
        """Loads all rows one by one; gives those that the server refuses: {table: {rn: (SQLSTATE, constraint, message)}}."""
        script = root / "rows.sql"
        with open(script, "w", encoding="utf-8") as file:
            file.write("COPY work (t, rn, statement) FROM stdin;\n")
            for t in self.tables:
                file.writelines(f"{t.name}\t{row['rn']}\t{copied(insertion(t, row))}\n" for row in t.rows)
            file.write("\\.\nSELECT judge_rows();\n")
        done = psql(url, "-f", script, "-o", "/dev/null")
        if done.code:
            raise RuntimeError(str(done))
        return self.verdicts(url, "row")

    def verdicts(self, url, *phases):
        listed = ", ".join(f"'{p}'" for p in phases)
        done = psql(url, "--csv", "-t", "-c", f"SELECT t, rn, state, coalesce(name, ''), left(message, 80) FROM verdict WHERE phase IN ({listed})")
        found = {}
        for t, rn, state, name, message in csv.reader(done.stdout.splitlines()):
            found.setdefault(t, {})[int(rn)] = (state, name, message)
        return found

    def keys(self, project, url, root, without):
        """Judges keys and references over the rows without faults of their own, then deploys what passed."""
        full = {t.name for t in self.tables if len(without[t.name]) == len(t.rows)}
        script = ["DELETE FROM work;"]
        for t in self.tables:
            if without[t.name]:
                script.append(f"DELETE FROM {t.name} WHERE rn IN ({', '.join(map(str, sorted(without[t.name])))});")
            listed = ", ".join(["rn"] + [c.name for c in t.columns if "ALWAYS AS (" not in c.options])
            for name, index, _, _ in t.keys:
                if not re.search(rf"\b{name}\b", self.unjudged[t.name]):
                    script.append(f"SELECT judge_key('{t.name}', '{name}', {sql_text(index)}, '{listed}');")
            for name, columns, table, target, match in t.references:
                script.append(f"SELECT judge_reference('{t.name}', '{name}', '{listed}', '{', '.join(columns)}', '{table}', '{', '.join(target)}', '{match}');")
        (root / "keys.sql").write_text("\n".join(script), encoding="utf-8")
        done = psql(url, "-f", root / "keys.sql", "-o", "/dev/null")
        ran, said, aside = project.judge(without, "out2")
        if done.code or said is None:
            self.failures.check(False, f"agreement: seed {self.seed} judges keys", f"{done}\n{ran}")
            return
        theirs, broken = self.verdicts(url, "key", "reference"), self.verdicts(url, "broken")
        for t in self.tables:
            if t.name in full or any(r[2] in full for r in t.references):
                continue
            if t.name in broken:
                self.counts["broken keys"] = self.counts.get("broken keys", 0) + 1
                self.failures.check(False, f"agreement: seed {self.seed} {t.name}: the server cannot judge the key", f"{broken[t.name]}\n{t.ddl()}")
                continue
            mine, known = aside.get(t.name, {}), theirs.get(t.name, {})
            self.counts["keys refused"] = self.counts.get("keys refused", 0) + len(mine)
            differ = mine.keys() ^ known.keys()
            if differ:
                self.disagreement(t, "keys and references", differ, mine, known)
            else:
                self.failures.check(True, "")
        self.deploy(project, url, root, full)

    def deploy(self, project, url, root, full):
        """Loads what passed into the real tables, without the constraints that were listed as not judged."""
        script = ["DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA k CASCADE;"]
        script += [t.ddl() for t in self.tables]
        for t in self.tables:
            listed = lambda name: re.search(rf"\b{name}\b", self.unjudged[t.name])
            script += [f"ALTER TABLE {t.name} DROP CONSTRAINT {name};" for name, _ in t.checks if listed(name)]
            inline = [name for c in t.columns for name in re.findall(r"CONSTRAINT (\w+)", c.options or "")]
            script += [f"ALTER TABLE {t.name} DROP CONSTRAINT {name};" for name in inline if listed(name)]
            script += [f"ALTER TABLE {t.name} DROP CONSTRAINT {k[0]};" if k[2] else f"DROP INDEX {k[0]};" for k in t.keys if listed(k[0])]
        (root / "real.sql").write_text("\n".join(script), encoding="utf-8")
        made = psql(url, "-f", root / "real.sql")
        done = psql(url, "-f", root / "out2/deploy.sql")
        self.failures.check(not made.code and not done.code, f"agreement: seed {self.seed}: what passed deploys", done)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=Path)
    arguments.add_argument("--db", required=True)
    arguments.add_argument("--cases", type=int, default=2000, help="how many tables")
    arguments.add_argument("--rows", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--only", help="one table of the first seed")
    arguments.add_argument("--listed", action="store_true", help="show what was listed as not judged")
    a = arguments.parse_args()
    pipe, failures, counts, started = a.pipe.resolve(), Failures(), {}, time.monotonic()
    jobs = [("named", agreement_named.tables())] if agreement_named.NAMED else []
    size = 100
    for i in range((a.cases + size - 1) // size):
        tables = contracts.batch(a.seed + i, min(size, a.cases - i * size) if not a.only else size, a.rows)
        if a.only:
            wanted = {a.only} | {r[2] for t in tables if t.name == a.only for r in t.references}
            tables = [t for t in tables if t.name in wanted]
        jobs.append((a.seed + i, tables))

    def work(job):
        try:
            Batch(failures, job[0], job[1], counts).judge(pipe, a.db)
        except Exception as fault:
            failures.check(False, f"agreement: seed {job[0]}", repr(fault))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, jobs))
    listed = counts.pop("listed", [])
    if a.listed:
        print(*sorted(set(listed)), sep="\n")
    print(f"seeds {a.seed} to {a.seed + len(jobs) - 2}: {sum(len(j[1]) for j in jobs)} tables in {time.monotonic() - started:.0f} s; " + ", ".join(f"{v} {k}" for k, v in sorted(counts.items())))
    failures.finish("agreement")


if __name__ == "__main__":
    main()
