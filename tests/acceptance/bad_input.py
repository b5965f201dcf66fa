#!/usr/bin/env python3
"""Bad input of every kind: each gets a clear error with its place and exit code, never a panic, never a half-written output.

    bad_input.py --pipe BIN [--big] [--only TEXT]

Spec errors exit 2 and name file:line:column; files that cannot be read or written exit 3 and are named. --big adds files with a line of one
gigabyte (needs 4 GB of disk). --only runs the cases whose name contains TEXT. Standard library only.
"""
import argparse
import gzip
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
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


# Each case spoils a project and tells the exit codes that are right and what stderr must match, all of them.

def missing_file(p):
    (p.root / "data/people.json").unlink()
    return 3, ["people.json"]


def empty_file(p):
    p.write("data/people.json", "")
    return 3, ["people.json", "empty"]


def blank_file(p):
    p.write("data/people.json", " \n\n ")
    return 3, ["people.json"]


def truncated_json(p):
    text = json.dumps([{"id": i, "name": f"name {i}"} for i in range(1000)], indent=1)
    p.write("data/people.json", text[: len(text) * 2 // 3])
    return 3, ["people.json", r"\b2\d\d\d\b|line"]


def malformed_json(p):
    p.write("data/people.json", '[\n {"id": 1, "name": "Ana"},\n {"id": 2, "name": }\n]\n')
    return 3, [r"people\.json:3|people\.json.*line 3|line 3.*people\.json"]


def malformed_json_late(p):
    """The fault stands beyond what any reader samples."""
    lines = [json.dumps({"id": i, "name": f"name {i}"}) for i in range(60000)]
    lines[55554] = '{"id": 55554, "name": "x"'
    p.write("data/people.json", "[\n" + ",\n".join(lines) + "\n]\n")
    return 3, ["people.json", r"5555[5-8]"]


def trailing_garbage(p):
    p.write("data/people.json", json.dumps(PEOPLE) + "\nand so on\n")
    return 3, ["people.json"]


def not_utf8_json(p):
    p.write("data/people.json", b'[{"id": 1, "name": "Ana"},\n{"id": 2, "name": "Zo\xeb"}]')
    return 3, ["people.json", "utf-?8"]


def not_utf8_csv(p):
    p.csv(b"id,name\n1,Ana\n2,Zo\xeb\n")
    return 3, [r"people\.csv", "utf-?8", r"people\.csv:3|line:? 3"]


def utf16_json(p):
    p.write("data/people.json", json.dumps(PEOPLE).encode("utf-16"))
    return 3, ["people.json"]


def scalar_json(p):
    p.write("data/people.json", "42")
    return (2, 3), ["people.json"]


def array_of_scalars(p):
    p.write("data/people.json", "[1, 2, 3]")
    return (2, 3), ["people.json|" + PLACE]


def records_missing(p):
    p.edit('"data/people.json"', '"data/people.json", records: persons')
    p.write("data/people.json", json.dumps({"people": PEOPLE}))
    return (2, 3), ["people.json", "persons"]


def records_not_a_list(p):
    p.edit('"data/people.json"', '"data/people.json", records: people')
    p.write("data/people.json", json.dumps({"people": 5}))
    return (2, 3), ["people.json", "people"]


def ragged_csv(p):
    p.csv("id,name\n" + "".join(f"{i},name {i}\n" for i in range(1, 30000)) + "30000,too,many\n30001,Bo\n")
    return 3, [r"people\.csv", r"\b3000[01]\b"]


def short_csv_row(p):
    p.csv("id,name\n1,Ana\n2\n3,Cy\n")
    return 3, [r"people\.csv", r"people\.csv:3|line:? 3"]


def unclosed_quote(p):
    p.csv('id,name\n1,Ana\n2,"Bo\n3,Cy\n')
    return 3, [r"people\.csv"]


def duplicate_csv_header(p):
    p.csv("id,name,name\n1,Ana,Bo\n")
    return (2, 3), [r"people\.csv"]


def malformed_ndjson(p):
    p.edit("people.json", "people.ndjson")
    p.write("data/people.ndjson", '{"id": 1, "name": "Ana"}\n{"id": 2, "name": "Bo"\n{"id": 3, "name": "Cy"}\n')
    return 3, [r"people\.ndjson", r"people\.ndjson:2|line:? 2"]


def not_parquet(p):
    p.edit("people.json", "people.parquet")
    p.write("data/people.parquet", b"PAR1 but no more than that")
    return 3, [r"people\.parquet"]


def broken_gzip(p):
    p.edit("people.json", "people.json.gz")
    p.write("data/people.json.gz", gzip.compress(json.dumps(PEOPLE * 1000).encode())[:60])
    return 3, [r"people\.json\.gz"]


def folder_as_file(p):
    (p.root / "data/people.json").unlink()
    (p.root / "data/people.json").mkdir()
    return 3, ["people.json"]


def glob_without_match(p):
    p.edit("data/people.json", "data/none-*.json")
    return 3, [r"none-\*\.json"]


def missing_pipeline(p):
    (p.root / "pipelines/people.yaml").unlink()
    return (2, 3), [r"people\.yaml"]


def empty_pipeline(p):
    p.write("pipelines/people.yaml", "")
    return 2, [r"people\.yaml"]


def not_utf8_pipeline(p):
    p.write("pipelines/people.yaml", PIPELINE.encode() + b"description: Zo\xeb\n")
    return (2, 3), [r"people\.yaml", "utf-?8"]


def pipeline_is_a_list(p):
    p.write("pipelines/people.yaml", "- pipeline: people\n")
    return 2, [r"people\.yaml:1:1"]


def broken_yaml(p):
    p.edit("      id: id\n", "      id: [id\n")
    return 2, [PLACE]


def tab_in_yaml(p):
    p.edit("      id: id\n", "\t  id: id\n")
    return 2, [PLACE]


def duplicate_key(p):
    p.edit("      id: id\n", "      id: id\n      id: name\n")
    return 2, [r"people\.yaml:10:7|people\.yaml:9:7"]


def unknown_key(p):
    p.edit("    map:\n", "    mapp:\n")
    return 2, [r"people\.yaml:8:5", "mapp", "did you mean"]


def unknown_column(p):
    p.edit("      name: name\n", "      name: nmae\n")
    return 2, [r"people\.yaml:10:\d+", "nmae", "did you mean"]


def several_errors(p):
    p.edit("      name: name\n", "      name: name +\n      id2: {frm: id}\n")
    p.edit("mode: insert", "mode: inserrt")
    return 2, [r"people\.yaml:10:", r"people\.yaml:11:", r"people\.yaml:12:"]


def cycle(p):
    p.edit("    from: raw\n", "    from: b\n")
    p.edit("tables:\n", "tables:\n  b: {from: people}\n")
    return 2, [PLACE, "cycle"]


def undefined_variable(p):
    p.edit('"data/people.json"', '"{{ vars.nothing }}/people.json"')
    return 2, [r"people\.yaml:4:\d+", "nothing"]


def alias_bomb(p):
    rows = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]" for i in range(12)]
    p.write("pipelines/people.yaml", "\n".join(rows) + "\n" + PIPELINE)
    return 2, [r"people\.yaml"]


def alias_bomb_inside(p):
    """The bomb sits under keys that are known."""
    vars_ = ["vars:", "  a: &a {k: xxxxxxxxxx}"]
    vars_ += [f"  {chr(98 + i)}: &{chr(98 + i)} {{{', '.join(f'k{n}: *{chr(97 + i)}' for n in range(10))}}}" for i in range(12)]
    p.write("pipelines/people.yaml", "\n".join(vars_) + "\n" + PIPELINE)
    return 2, [r"people\.yaml"]


def deep_yaml(p):
    p.write("pipelines/people.yaml", "pipeline: " + "[" * 100000 + "]" * 100000 + "\n")
    return 2, [r"people\.yaml"]


def deep_expression(p):
    p.edit("      name: name\n", "      name: " + "(" * 20000 + "name" + ")" * 20000 + "\n")
    return 2, [r"people\.yaml:10:"]


def endless_template(p):
    p.edit('"data/people.json"', '"{% for i in range(10000) %}{% for j in range(10000) %}{% for k in range(10000) %}x{% endfor %}{% endfor %}{% endfor %}"')
    return 2, [r"people\.yaml:4:"]


def endless_macro(p):
    p.write("transforms/macros.j2", "{% macro again(x) %}{{ again(x) }}{% endmacro %}\n")
    p.edit("extract:\n", "transforms: {macros: transforms/macros.j2}\nextract:\n")
    p.edit("      name: name\n", "      name: {from: name, apply: again}\n")
    return 2, [r"people\.yaml:\d+:|macros\.j2"]


def variables_in_a_circle(p):
    p.edit("extract:\n", 'vars: {a: "{{ vars.b }}", b: "{{ vars.a }}"}\nextract:\n')
    p.edit('"data/people.json"', '"{{ vars.a }}"')
    return (2, 3), [r"people\.yaml:\d+:|vars\."]


def wrong_flag(p):
    return 2, ["--no-such-flag"], ["--no-such-flag"]


def wrong_table_selected(p):
    return 2, ["nobody"], ["--select", "nobody"]


def names_that_differ_in_case(p):
    p.edit("tables:\n", "tables:\n  RAW: {from: raw}\n")
    return 2, [r"people\.yaml:6:", "RAW"]


def reserved_column_name(p):
    p.edit("      name: name\n", "      name: name\n      \"#row\": id\n")
    return 2, [r"people\.yaml:11:", "#row"]


def list_without_records(p):
    p.write("data/people.json", "[]")
    return 3, [r"people\.json", "columns"]


def unknown_encoding(p):
    p.csv("id,name\n1,Ana\n")
    p.edit('people.csv"', 'people.csv", csv: {encoding: klingon}')
    return 3, [r"people\.csv", "klingon"]


def ndjson_as_json(p):
    p.write("data/people.json", '{"id": 1, "name": "Ana"}\n{"id": 2, "name": "Bo"}\n')
    return 3, [r"people\.json:2", "format: ndjson"]


def json_as_ndjson(p):
    p.edit("people.json", "people.ndjson")
    p.write("data/people.ndjson", json.dumps(PEOPLE, indent=1))
    return 3, [r"people\.ndjson:1", "format: json"]


def deep_json(p):
    p.write("data/people.json", '[{"id": 1, "name": ' + "[" * 200000 + "]" * 200000 + "}]")
    return (1, 2, 3), []


CASES = [missing_file, empty_file, blank_file, truncated_json, malformed_json, malformed_json_late, trailing_garbage, not_utf8_json, not_utf8_csv,
         utf16_json, scalar_json, array_of_scalars, records_missing, records_not_a_list, ragged_csv, short_csv_row, unclosed_quote,
         duplicate_csv_header, malformed_ndjson, not_parquet, broken_gzip, folder_as_file, glob_without_match, missing_pipeline, empty_pipeline,
         not_utf8_pipeline, pipeline_is_a_list, broken_yaml, tab_in_yaml, duplicate_key, unknown_key, unknown_column, several_errors, cycle,
         undefined_variable, alias_bomb, alias_bomb_inside, deep_yaml, deep_expression, endless_template, endless_macro, variables_in_a_circle,
         wrong_flag, wrong_table_selected, deep_json, names_that_differ_in_case, reserved_column_name, list_without_records, unknown_encoding,
         ndjson_as_json, json_as_ndjson]


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


def refusals(pipe, failures, only):
    for case in CASES:
        name = case.__name__.replace("_", " ")
        if only not in name:
            continue
        with folder("bad") as root:
            project = Project(root)
            codes, patterns, *flags = case(project)
            started = time.monotonic()
            ran = run([pipe, "run", "people.yaml", "--out", project.out, *(flags[0] if flags else [])], cwd=root, timeout=120)
            judge(failures, name, ran, codes, patterns, project.out)
            took = time.monotonic() - started
            failures.check(took < 20, f"{name}: refused soon", f"after {took:.1f} s")


def odd_paths(pipe, failures):
    """Spaces, quotes and other letters in folders, files and flags are nobody's fault: this must work."""
    with folder("bad") as root:
        home = root / "it's a \"fine\" {folder}; $HOME 100% ünï"
        project = Project(home)
        (home / "data/people.json").rename(home / "data/people 'x' \"y\" [z] {w}.json")
        project.edit('"data/people.json"', "\"data/people 'x' \\\"y\\\" [z] {w}.json\"")
        out = root / "out 'put' \"s\""
        ran = run([pipe, "run", home / "pipelines/people.yaml", "--out", out], cwd=root)
        failures.check(ran.code == 0 and (out / "deploy.sql").exists(), "odd paths: run", ran)
        ran = run([pipe, "run", "people.yaml"], cwd=home)
        failures.check(ran.code == 0 and (home / "out/people/deploy.sql").exists(), "odd paths: default output folder", ran)
        project.edit("people 'x' \\\"y\\\" [z] {w}.json\"", "{{ vars.file }}\"")
        ran = run([pipe, "run", "people.yaml", "--out", out, "--var", "file=people 'x' \"y\" [z] {w}.json"], cwd=home)
        failures.check(ran.code == 0, "odd paths: as a variable", ran)


def unusual_files(pipe, failures):
    """Files that look odd and are right: each loads its rows, in these words of a COPY block."""
    cases = [
        ("a byte order mark", "people.csv", b"\xef\xbb\xbfid,name\n1,Ana\n", "", b"\n1\tAna\n"),
        ("lines that end in CRLF, one inside quotes", "people.csv", b'id,name\r\n1,"A\r\nna"\r\n', "", b"\n1\tA\\r\\nna\n"),
        ("blank lines before the header", "people.csv", b"\n\nid,name\n1,Ana\n", "", b"\n1\tAna\n"),
        ("an empty text in quotes", "people.csv", b'id,name\n1,""\n', "", b"\n1\t\n"),
        ("Latin-1 with semicolons and nulls", "people.csv", "id;name;x\n1;Zo\xeb;-\n".encode("latin-1"), ', csv: {delimiter: ";", encoding: latin-1, nulls: ["-"]}', "\n1\tZo\xeb\n".encode()),
        ("columns that start with #", "people.csv", b"#row,id,name\n7,1,Ana\n", "", b"\n1\tAna\n"),
        ("CSV in gzip", "people.csv.gz", gzip.compress(b"id,name\n1,Ana\n"), "", b"\n1\tAna\n"),
        ("JSON in gzip", "people.json.gz", gzip.compress(json.dumps(PEOPLE).encode()), "", b"\n1\tAna\n2\tBo\n"),
        ("an empty list with columns", "people.json", b"[]", ", columns: {id: integer, name: text}", b"stdin;\n\\."),
    ]
    for name, file, content, options, wanted in cases:
        with folder("bad") as root:
            project = Project(root)
            project.edit('data/people.json"', f'data/{file}"{options}')
            project.write(f"data/{file}", content)
            ran = run([pipe, "run", "people.yaml", "--out", project.out, "--format-rows", "copy"], cwd=root)
            script = (project.out / "deploy.sql").read_bytes() if ran.code == 0 else b""
            failures.check(wanted in script, name, lambda: f"{ran}\n{script[-2000:]}")


def rows(project, count):
    project.write("data/people.json", json.dumps([{"id": i, "name": f"A name that takes some room, number {i}"} for i in range(count)]))


def unwritable(pipe, failures):
    """Output folders that cannot be made or written."""
    with folder("bad") as root:
        project = Project(root)
        taken = project.write("taken", "a file stands here\n")
        for name, out in (("a file in place of the output folder", taken), ("an output folder below a file", taken / "deeper")):
            ran = run([pipe, "run", "people.yaml", "--out", out], cwd=root)
            judge(failures, name, ran, 3, ["taken"], out)
        failures.check(taken.read_text() == "a file stands here\n", "a file in place of the output folder: is left alone")
        project.out.mkdir(parents=True)
        (project.out / "deploy.sql").mkdir()
        ran = run([pipe, "run", "people.yaml", "--out", project.out], cwd=root)
        failures.check(ran.code == 3 and "deploy.sql" in ran.stderr and "panicked" not in ran.stderr, "a folder in place of deploy.sql", ran)
        shutil.rmtree(project.out)
        # Root may write anywhere, so the read-only folder is tried as nobody, who needs a copy of the program to reach it.
        project.out.mkdir(parents=True)
        options, program = {}, pipe
        if os.geteuid() == 0:
            program = root / "pipe"
            shutil.copyfile(pipe, program)
            program.chmod(0o755)
            options = {"user": 65534, "group": 65534, "extra_groups": []}
        project.out.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        ran = run([program, "run", "people.yaml", "--out", project.out], cwd=root, env={"HOME": "/"}, **options)
        judge(failures, "a read-only output folder", ran, 3, [r"out/people", "permission denied|read-only"], project.out)
        project.out.chmod(0o755)
        if os.geteuid() == 0:
            unreadable = project.root / "data/people.json"
            unreadable.chmod(0)
            (root / "tmp-out").mkdir()
            (root / "tmp-out").chmod(0o777)
            ran = run([program, "run", "people.yaml", "--out", root / "tmp-out"], cwd=root, env={"HOME": "/"}, **options)
            judge(failures, "an unreadable data file", ran, 3, [r"people\.json", "permission denied|cannot be read|cannot read"], root / "tmp-out")


def full_disk(pipe, failures):
    """A disk that is full after some bytes: a small file system where one may be mounted, else a limit on the size of files."""
    with folder("bad") as root:
        project = Project(root)
        rows(project, 20000)
        small = root / "small"
        small.mkdir()
        mounted = os.geteuid() == 0 and run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", small]).code == 0
        try:
            if mounted:
                ran = run([pipe, "run", "people.yaml", "--out", small / "out"], cwd=root)
                judge(failures, "a full disk", ran, 3, [r"small/out", "no space|disk.*full|full disk"], small / "out")
        finally:
            if mounted:
                run(["umount", small])
        ran = run([pipe, "run", "people.yaml", "--out", project.out], cwd=root, file_size=100_000)
        judge(failures, "a file that cannot grow", ran, 3, [r"out/people|deploy\.sql"], project.out)


def interrupted(pipe, failures):
    """Ctrl-C ends a run with 130 and leaves nothing half-written."""
    with folder("bad") as root:
        project = Project(root)
        rows(project, 600000)
        child = subprocess.Popen([pipe, "run", "people.yaml", "--out", project.out], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(0.3)
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        try:
            said = child.communicate(timeout=30)[1].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            child.kill()
            said = "still running after 30 s"
        finished = child.returncode == 0 and (project.out / "deploy.sql").exists()
        failures.check(finished or child.returncode == 130, "Ctrl-C: exit code 130", f"{child.returncode}\n{said}")
        failures.check(finished or not leftovers(project.out), "Ctrl-C: nothing half-written", leftovers(project.out))
        failures.check("panicked" not in said, "Ctrl-C: no panic", said)


def big_lines(pipe, failures):
    """Lines of one gigabyte: garbage is refused, a document is read or refused, and the machine stays usable."""
    size = 1 << 30

    def fill(path, head, body, tail):
        with open(path, "wb") as f:
            f.write(head)
            block = body * ((1 << 20) // len(body))
            while f.tell() < size:
                f.write(block)
            f.write(tail)

    with folder("bad") as root:
        project = Project(root)
        data = root / "data/people.json"
        with open(data, "wb") as f:                          # zeros that take no room
            f.truncate(size)
        judge(failures, "a gigabyte of zeros", run([pipe, "run", "people.yaml", "--out", project.out], cwd=root), 3, ["people.json"], project.out)
        fill(data, b'[{"id": 1, "name": "Ana"}, {"id": 2, "name": "', b"x", b"")
        judge(failures, "a gigabyte in an unfinished text", run([pipe, "run", "people.yaml", "--out", project.out], cwd=root), 3, ["people.json"], project.out)
        fill(data, b'[{"id": 1, "name": "', b"x", b'"}]')
        judge(failures, "a text of a gigabyte", run([pipe, "run", "people.yaml", "--out", project.out], cwd=root), (1, 3), ["people"], project.out)
        data.unlink()
        fill(project.csv(""), b"id,name\n1,", b"x", b"\n")
        judge(failures, "a CSV line of a gigabyte", run([pipe, "run", "people.yaml", "--out", project.out], cwd=root), (1, 3), ["people"], project.out)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pipe", required=True, type=Path)
    arguments.add_argument("--big", action="store_true")
    arguments.add_argument("--only", default="")
    a = arguments.parse_args()
    pipe, failures = a.pipe.resolve(), Failures()
    if not pipe.exists():
        sys.exit(f"bad_input.py: no program {pipe}")
    with folder("bad") as root:
        project = Project(root)
        ran = run([pipe, "run", "people.yaml", "--out", project.out], cwd=root)
        failures.check(ran.code == 0 and (project.out / "deploy.sql").exists(), "the unspoilt project runs", ran)
    refusals(pipe, failures, a.only)
    for group in (odd_paths, unusual_files, unwritable, full_disk, interrupted, *([big_lines] if a.big else [])):
        if a.only in group.__name__.replace("_", " "):
            group(pipe, failures)
    failures.finish("bad input")


if __name__ == "__main__":
    main()
