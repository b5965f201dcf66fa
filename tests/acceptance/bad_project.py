"""What `bad_input.py` and `bad_world.py` share: a small project that a case spoils, and what holds of every refusal.

Standard library only. Knows nothing about any case.
"""
import argparse
import json
import re
import sys
from pathlib import Path

from harness import Failures, folder, leftovers, run

PIPELINE = """\
pipeline: people
target: {dialect: postgres}
extract:
  raw: {file: "data/people.json"}
tables:
  people:
    from: raw
    map:
      id: id
      name: name
    load: {mode: insert}
"""
CONTRACT = """\
table: people
columns:
  id: {type: integer, primary_key: true}
  name: {type: text, not_null: true}
"""
PEOPLE = [{"id": 1, "name": "Ana"}, {"id": 2, "name": "Bo"}]
PLACE = r"people\.yaml:\d+:\d+"


class Project:
    """A small project in a folder of its own that runs without fault until a case spoils it."""

    def __init__(self, root):
        self.root, self.out = Path(root), Path(root) / "out/people"
        self.write("pipe.yaml", "project: bad_input\n")
        self.write("pipelines/people.yaml", PIPELINE)
        self.write("schemas/people.yaml", CONTRACT)
        self.write("data/people.json", json.dumps(PEOPLE, indent=1))

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def edit(self, old, new, name="pipelines/people.yaml"):
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        if text.count(old) < 1:
            raise ValueError(f"{name} has no {old!r}")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def csv(self, content):
        self.edit("people.json", "people.csv")
        return self.write("data/people.csv", content)


def judge(failures, name, ran, codes, patterns, out):
    """What holds of every refusal: the right code, the place, no panic, nothing left behind."""
    codes = codes if isinstance(codes, tuple) else (codes,)
    said = ran.stdout if ran.code == 1 else ran.stderr      # broken rules are a result, everything else is an error
    failures.check(ran.code in codes, f"{name}: exit code {' or '.join(map(str, codes))}", ran)
    for pattern in patterns:
        failures.check(re.search(pattern, said, re.DOTALL | re.IGNORECASE), f"{name}: the answer matches {pattern}", ran)
    failures.check(not re.search("panicked|RUST_BACKTRACE|stack overflow", ran.stderr + ran.stdout), f"{name}: no panic", ran)
    failures.check(said.strip(), f"{name}: says something", ran)
    failures.check(not leftovers(out), f"{name}: nothing half-written", lambda: f"{leftovers(out)}\n{ran}")


def main(title, description, groups):
    """Runs groups of cases; each takes the program, the failures and the arguments."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=Path)
    arguments.add_argument("--big", action="store_true")
    arguments.add_argument("--only", default="")
    a = arguments.parse_args()
    pipe, failures = a.pipe.resolve(), Failures()
    if not pipe.exists():
        sys.exit(f"{Path(sys.argv[0]).name}: no program {pipe}")
    with folder("bad") as root:
        project = Project(root)
        ran = run([pipe, "run", "people.yaml", "--out", project.out], cwd=root)
        failures.check(ran.code == 0 and (project.out / "deploy.sql").exists(), "the unspoilt project runs", ran)
    groups(pipe, failures, a)
    failures.finish(title)
