#!/usr/bin/env python3
"""A world that is odd or broken around good input: paths, files that look wrong and are right, folders, disks, an end on the way.

    bad_world.py --pipe BIN [--big] [--only TEXT]

Files that cannot be written exit 3 and are named; nothing half-written stays. --big adds files with a line of one gigabyte (needs 4 GB of disk).
--only runs the groups whose name contains TEXT. Standard library only.
"""
import gzip
import json
import os
import shutil
import signal
import stat
import subprocess
import time

import bad_project
from bad_project import PEOPLE, Project, judge
from harness import folder, leftovers, run


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


def into_the_source(pipe, failures):
    """A run never replaces or removes what it reads, whether it would pass or not; a name leads nowhere but below `out`."""
    for name, rule in (("passes", ""), ("fails", "    validate: [{range: {id: [5, 9]}}]\n")):
        with folder("bad") as root:
            project = Project(root)
            people = project.csv("id,name\n1,Ana\n").read_bytes()
            project.edit("load: {mode: insert}", f"load: {{file: people.csv}}\n{rule}")
            ran = run([pipe, "run", "people.yaml", "--out", "data"], cwd=root)
            failures.check(ran.code == 3 and "error[X0107]" in ran.stderr and "--out" in ran.stderr, f"a run that {name} and would write its source", ran)
            failures.check((root / "data/people.csv").read_bytes() == people, f"a run that {name} leaves its source alone", ran)
            again = run([pipe, "run", "people.yaml"], cwd=root)
            failures.check(again.code == (0 if name == "passes" else 1), f"a run that {name} elsewhere", again)


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
                flat = project.write("flat.yaml", f"pipeline: flat\ntarget: {{dialect: postgres}}\nextract: {{raw: {{file: {root}/data/people.json}}}}\ntables: {{rows: {{from: raw, load: {{file: rows.csv}}}}}}\n")
                ran = run([pipe, "run", flat, "--out", small / "flat"], cwd=root)
                judge(failures, "a full disk for a CSV file", ran, 3, [r"small/flat/rows\.csv", "no space|disk.*full|full disk"], small / "flat")
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


def groups(pipe, failures, given):
    for group in (odd_paths, unusual_files, unwritable, into_the_source, full_disk, interrupted, *([big_lines] if given.big else [])):
        if given.only in group.__name__.replace("_", " "):
            group(pipe, failures)


if __name__ == "__main__":
    bad_project.main("bad world", __doc__, groups)
