#!/usr/bin/env python3
"""The case `persona_data` (tests/cases_kit/README.md): documents into one table of JSON columns in a real PostgreSQL.

    persona_data.py --pipe BIN --db URL [--seeds 1-10]

For each seed: what `pipe schema ddl` prints makes the table, its indexes and its foreign key beside the sessions, and nothing when it is there; a run
finds nothing, asks the target for the sessions, and its script goes in at the first attempt; rows are those expected and every number stands as it was
written; a second deployment touches no row; verify says ok; rollback leaves what was there. With planted faults: those are reported, each with its
row and file, and nothing else, and no script is written. URL is that of a server where databases may be created.
"""
import argparse
import json
import sys
from pathlib import Path

from harness import KIT, ROOT, Failures, contents, database, folder, generate, leftovers, psql, query, run, standing, verified

PROJECT = ROOT / "examples/persona_data"
COLUMNS = {"core_persona": "corePersona", "platform_personas": "platformPersonas", "quality_metrics": "qualityMetrics", "selected_platforms": "selectedPlatforms"}


def exact(value):
    """Numbers as they are written, objects without an order: what JSONB keeps of a document."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def documents(case):
    read = lambda path: json.loads(path.read_text(encoding="utf-8"), parse_int=lambda n: f"number {n}", parse_float=lambda n: f"number {n}")
    return [read(path) for path in sorted((case / "data").glob("*.json"))]


def kept(url, case, check, name):
    """Every number and text of every document is in the target, digit by digit."""
    for column, key in COLUMNS.items():
        lines = query(url, f"SELECT session_id || ' ' || {column}::text FROM persona_data ORDER BY session_id").splitlines()
        have = {}
        for line in lines:
            session, _, text = line.partition(" ")
            have[session] = exact(json.loads(text, parse_int=lambda n: f"number {n}", parse_float=lambda n: f"number {n}"))
        want = {d["session_id"].removeprefix("number "): exact(d[key]) for d in documents(case)}
        check(have == want, f"{name}: {column} is as written", lambda have=have, want=want: [(k, want[k], have.get(k)) for k in want if want[k] != have.get(k)][:3])


def prepared(pipe, url, check, name):
    """Makes the table as the contract says, twice, and compares; changes of the table are told."""
    made = run([pipe, "schema", "ddl", "persona_data"], cwd=PROJECT)
    check(made.code == 0 and "CREATE INDEX" in made.stdout, f"{name}: schema ddl", made)
    missing = run([pipe, "schema", "diff", "persona_data"], cwd=PROJECT, env={"DATABASE_URL": url})
    check(missing.code != 0, f"{name}: schema diff tells a missing table", missing)
    for time in ("first", "second"):
        before = contents(url)
        done = psql(url, "-c", made.stdout)
        check(done.code == 0, f"{name}: schema ddl, {time} time", done)
        check((contents(url) == before) == (time == "second"), f"{name}: schema ddl, {time} time: the database")
    there = run([pipe, "schema", "diff", "persona_data"], cwd=PROJECT, env={"DATABASE_URL": url})
    check(there.code == 0, f"{name}: schema diff agrees", there)
    what = query(url, "SELECT (SELECT count(*) FROM pg_indexes WHERE tablename = 'persona_data'), "
                      "(SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'persona_data'::regclass)").strip()
    check(what == "4|FOREIGN KEY (session_id) REFERENCES onboarding_sessions(id) ON DELETE CASCADE", f"{name}: indexes and foreign key", what)
    # What is there but otherwise is told: a column, an index and the foreign key.
    for change, back in (("ALTER TABLE persona_data ALTER core_persona DROP NOT NULL", "ALTER TABLE persona_data ALTER core_persona SET NOT NULL"),
                         ("DROP INDEX idx_persona_data_created_at", made.stdout),
                         ("ALTER TABLE persona_data DROP CONSTRAINT persona_data_session_id_fkey", made.stdout)):
        query(url, change)
        told = run([pipe, "schema", "diff", "persona_data"], cwd=PROJECT, env={"DATABASE_URL": url})
        check(told.code == 1, f"{name}: schema diff after {change}", told)
        query(url, back)
    there = run([pipe, "schema", "diff", "persona_data"], cwd=PROJECT, env={"DATABASE_URL": url})
    check(there.code == 0, f"{name}: schema diff agrees again", there)


def clean(pipe, server, seed, failures):
    name, check = f"persona_data seed {seed}", failures.check
    with folder("persona") as temporary:
        case, out = generate(temporary, "persona_data", seed), temporary / "out"
        with database(server, f"persona_{seed}", case / "data/sessions.sql") as url:
            prepared(pipe, url, check, name)
            empty = contents(url)
            command = [pipe, "run", "persona_data", "--var", f"data={case / 'data'}", "--out", out, "--format", "json"]
            ran = run(command, cwd=PROJECT, env={"DATABASE_URL": url})
            report = ran.json() or {}
            if not check(ran.code == 0, f"{name}: run", ran):
                return
            check(report.get("unjudged") == [] and report.get("violations") == [], f"{name}: everything is judged", ran)
            check(contents(url) == empty, f"{name}: a run writes nothing into the target")
            done = psql(url, "-f", out / "deploy.sql")
            if not check(done.code == 0 and not done.stderr, f"{name}: first deploy", done):
                return
            compared = run([sys.executable, KIT / "compare.py", case, "--db", url])
            check(compared.code == 0, f"{name}: expected rows", compared)
            kept(url, case, check, name)
            before = standing(url)
            done = psql(url, "-f", out / "deploy.sql")
            check(done.code == 0, f"{name}: second deploy", done)
            check(standing(url) == before, f"{name}: a second deploy changes nothing")
            wrong = verified(url, out / "verify.sql", 1)
            check(not wrong, f"{name}: verify", wrong)
            done = psql(url, "-f", out / "rollback.sql")
            check(done.code == 0, f"{name}: rollback", done)
            check(contents(url) == empty, f"{name}: rollback leaves what was there before")
        alone = run([*command[:-2], "--dry-run"], cwd=PROJECT, env={"DATABASE_URL": ""})
        check(alone.code == 0 and "not judged: persona_data session_id references onboarding_sessions" in alone.stdout,
              f"{name}: without a database the reference is listed", alone)


def faulty(pipe, server, seed, failures):
    name, check = f"persona_data seed {seed} with defects", failures.check
    with folder("persona") as temporary:
        case, out = generate(temporary, "persona_data", seed, defects=True), temporary / "out"
        faults = json.loads((case / "expected/violations.json").read_text(encoding="utf-8"))
        with database(server, f"persona_bad_{seed}", case / "data/sessions.sql") as url:
            query(url, (PROJECT / "schemas/persona_data.sql").read_text(encoding="utf-8"))
            ran = run([pipe, "run", "persona_data", "--var", f"data={case / 'data'}", "--out", out, "--format", "json"], cwd=PROJECT, env={"DATABASE_URL": url})
        check(ran.code == 1, f"{name}: exit code 1", ran)
        check(not leftovers(out), f"{name}: no script", leftovers(out))
        report = ran.json() or {}
        found = []
        for violation in report.get("violations", []):
            samples = violation["samples"]
            check(violation["count"] == len(samples), f"{name}: every row is shown", violation)
            for sample in samples:
                row = sample["row"]["session_id"]
                found.append((violation["table"], violation["column"], violation["rule"], row))
                file = Path(sample.get("file") or "")
                right = file.is_file() and json.loads(file.read_text(encoding="utf-8"))["session_id"] == int(row)
                check(right and sample.get("origin") and str(row) in map(str, sample["key"].values()), f"{name}: place and key of {row}", sample)
        want = sorted((f["table"], f["column"], f["rule"], f["row"]) for f in faults)
        check(sorted(found) == want, f"{name}: the faults and nothing else", f"want {want}\nhave {sorted(found)}\n{ran}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=Path)
    arguments.add_argument("--db", required=True, help="URL of a PostgreSQL server where databases may be created")
    arguments.add_argument("--seeds", default="1-10", help="such as 1-10 or 4")
    a = arguments.parse_args()
    pipe, failures = a.pipe.resolve(), Failures()
    low, _, high = a.seeds.partition("-")
    with folder("persona") as temporary:
        case = generate(temporary, "persona_data", 1)
        for made in sorted([*(case / "data").iterdir(), *(case / "schemas").iterdir()]):
            own = PROJECT / made.relative_to(case)
            failures.check(own.is_file() and own.read_bytes() == made.read_bytes(), f"{own.name} of the example is what the generator writes")
    for seed in range(int(low), int(high or low) + 1):
        clean(pipe, a.db, seed, failures)
        faulty(pipe, a.db, seed, failures)
    failures.finish("persona_data")


if __name__ == "__main__":
    main()
