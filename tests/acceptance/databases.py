#!/usr/bin/env python3
"""Databases that become other databases, as their users run them: examples/consolidation and examples/person_aggregate on a real PostgreSQL.

    databases.py --pipe BIN --db URL [--seeds 1-10] [--quick]

Clean data: the script deploys the first time, the target holds exactly the expected rows, a second deployment changes nothing, `verify.sql` says ok
and `rollback.sql` brings back what was there. Planted faults: each is reported, and nothing else. The same batch of submissions again changes nothing.
The commands of both README do what they say, with the small data beside them.
"""
import argparse
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

from harness import KIT, ROOT, Failures, contents, database, folder, generate, leftovers, psql, query, run, standing, verified

PROFILE = "SELECT count(*) FROM personas p JOIN dh_personas d USING (id) WHERE p.profile IS DISTINCT FROM (SELECT jsonb_object_agg(key, value) " \
    "FROM jsonb_each(to_jsonb(d)) WHERE key LIKE 'attr%' AND value <> 'null')"
LOST = "SELECT (SELECT count(*) FROM dh_personas WHERE id NOT IN (SELECT id FROM personas)) + (SELECT count(*) FROM org_personas WHERE unique_id NOT IN (SELECT unique_id FROM personas))"
ORDER = "SELECT count(*) FROM personas p WHERE computed_from_data_ids <> (SELECT array_agg(id ORDER BY created_at) FROM person_data d WHERE d.person_id = p.person_id)"


class Case:
    """An example with generated data, and a database that holds its legacy tables and the empty target."""

    def __init__(self, pipe, url, case, schema, name, failures):
        self.pipe, self.url, self.case, self.name, self.failures = pipe, url, case, name, failures
        self.example = ROOT / "examples" / case.name
        for script in (case / "data/legacy.sql", case / "schemas" / schema):
            done = psql(url, "-f", script)
            if done.code:
                raise RuntimeError(str(done))

    def check(self, good, what, detail=""):
        return self.failures.check(good, f"{self.name}: {what}", detail)

    def run(self, pipeline, out):
        arguments = ["run", f"pipelines/{pipeline}.yaml", "--var", f"data={self.case / 'data'}", "--out", out, "--format", "json"]
        return run([self.pipe, *arguments], cwd=self.example, env={"DATABASE_URL": self.url})

    def play(self, script, what):
        done = psql(self.url, "-f", script)
        return self.check(done.code == 0 and not done.stderr, what, done)

    def emits(self, pipeline, out):
        ran = self.run(pipeline, out)
        return self.check(ran.code == 0 and not (ran.json() or {"violations": ["none"]})["violations"], f"{pipeline} passes", ran)

    def holds(self, stage):
        compared = run(["python3", KIT / "compare.py", self.case, "--db", self.url, "--stage", stage])
        self.check(compared.code == 0, f"rows {stage}", compared)

    def deploys(self, pipeline, out, tables, stage):
        """Emits, deploys, compares, deploys again, verifies, rolls back and deploys once more."""
        before = contents(self.url)
        if not (self.emits(pipeline, out) and self.play(out / "deploy.sql", f"{pipeline} deploys the first time")):
            return False
        self.holds(stage)
        stands = standing(self.url)
        self.play(out / "deploy.sql", f"{pipeline} deploys again")
        self.check(standing(self.url) == stands, f"{pipeline}: a second deployment changes nothing")
        wrong = verified(self.url, out / "verify.sql", tables)
        self.check(not wrong, f"{pipeline} verifies", wrong)
        self.play(out / "rollback.sql", f"{pipeline} rolls back")
        after = contents(self.url)
        self.check(after == before, f"{pipeline}: as before", lambda: "\n".join(sorted(set(before[0] + before[1]) ^ set(after[0] + after[1]))))
        return self.play(out / "deploy.sql", f"{pipeline} deploys after the rollback")

    def nothing(self, sql, what):
        self.check(query(self.url, sql).strip() == "0", what)


def consolidation(a, seed, failures):
    with folder("consolidation") as temporary, database(a.db, f"consolidation_{seed}") as url:
        case = Case(a.pipe, url, generate(temporary, "consolidation", seed), "personas.sql", f"consolidation, seed {seed}", failures)
        if case.deploys("consolidation", temporary / "out", 3, "all"):
            case.nothing(PROFILE, "profiles are the filled attributes")
            case.nothing(LOST, "nobody is lost")


def faulty(a, seed, failures):
    with folder("consolidation") as temporary, database(a.db, f"consolidation_faulty_{seed}") as url:
        case = Case(a.pipe, url, generate(temporary, "consolidation", seed, defects=True), "personas.sql", f"consolidation, seed {seed} with defects", failures)
        ran, wanted = case.run("consolidation", temporary / "out"), json.loads((case.case / "expected/violations.json").read_text())
        case.check(ran.code == 1, "exit code 1", ran)
        want = {(f["table"], f["column"], f["rule"], f["row"]) for f in wanted}
        have = set()
        for v in (ran.json() or {"violations": []})["violations"]:
            for sample in v["samples"]:
                names = {**sample["row"], **sample["key"]}
                case.check(sample["origin"], f"{v['table']}.{v['column']}: a sample says where it comes from", sample)
                have.add((v["table"], v["column"], v["rule"], names.get("unique_id")))
        case.check(have == want, "faults", lambda: f"missing {sorted(want - have)}\nunexpected {sorted(have - want, key=str)}\n{ran}")
        case.check(not leftovers(temporary / "out"), "no script", leftovers(temporary / "out"))


def person_aggregate(a, seed, failures):
    with folder("aggregate") as temporary, database(a.db, f"aggregate_{seed}") as url:
        case = Case(a.pipe, url, generate(temporary, "person_aggregate", seed), "person.sql", f"person_aggregate, seed {seed}", failures)
        counts = json.loads((case.case / "expected/counts.json").read_text())
        if not case.deploys("migrate", temporary / "first", 3, "after_first"):
            return
        if not case.deploys("submissions", temporary / "second", 2, "after_second"):
            return
        for table, count in counts["after_second"].items():
            case.check(query(url, f"SELECT count(*) FROM {table}").strip() == str(count), f"rows of {table}")
        case.nothing(ORDER, "data ids stand in order of submission")
        stands = standing(url)
        for pipeline, place in (("submissions", "again"), ("migrate", "anew")):
            if case.emits(pipeline, temporary / place) and case.play(temporary / place / "deploy.sql", f"the same {pipeline} again"):
                case.holds("after_second")
                changed = [t for t, rows in standing(url).items() if stands.get(t) != rows]
                case.check(not changed, f"the same {pipeline} again changes nothing", changed)


def as_its_readme_says(a, name, rows, failures):
    """Runs the commands of an example's README, with the database of its first line replaced."""
    with folder("readme") as temporary, database(a.db, f"readme_{name}") as url:
        shutil.copytree(ROOT / "examples" / name, temporary / name, ignore=shutil.ignore_patterns("out"))
        lines = [line[4:] for line in (temporary / name / "README.md").read_text().splitlines() if line.startswith("    ")]
        commands = [line for line in lines if not line.startswith("export DATABASE_URL=")]
        failures.check(len(commands) == len(lines) - 1 and len(commands) > 4, f"README of {name} has its commands", lines)
        (temporary / "pipe").symlink_to(os.path.abspath(a.pipe))
        environment = {"DATABASE_URL": url, "PATH": f"{temporary}:{os.environ['PATH']}"}
        done = run(["bash", "-e", "-o", "pipefail", "-c", "\n".join(commands)], cwd=temporary / name, env=environment)
        failures.check(done.code == 0, f"README of {name} runs", done)
        for table, count in rows.items():
            found = query(url, f"SELECT count(*) FROM {table}").strip()
            failures.check(found == str(count), f"README of {name}: rows of {table}", found)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True)
    arguments.add_argument("--db", required=True)
    arguments.add_argument("--seeds", default="1-10")
    arguments.add_argument("--quick", action="store_true", help="three seeds")
    a = arguments.parse_args()
    low, _, high = a.seeds.partition("-")
    seeds = list(range(int(low), int(high or low) + 1))[: 3 if a.quick else None]
    failures = Failures()
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(job, a, seed, failures) for seed in seeds for job in (consolidation, faulty, person_aggregate)]
        jobs.append(pool.submit(as_its_readme_says, a, "consolidation", {"personas": 11, "persona_industry_mapping": 24, "persona_role_mapping": 14}, failures))
        jobs.append(pool.submit(as_its_readme_says, a, "person_aggregate", {"persons": 25, "person_data": 31, "personas": 25}, failures))
        for job in jobs:
            job.result()
    failures.finish("databases")


if __name__ == "__main__":
    main()
