#!/usr/bin/env python3
"""`report.html` of runs that pass, fail and set rows aside: a whole page that loads and runs nothing, and tells what the run told.

    report.py --pipe BIN

The page is read by an HTML parser: every element is closed, values are text whatever they hold. Standard library only.
"""
import argparse
import json
import sys
from html.parser import HTMLParser
from pathlib import Path

from harness import Failures, folder, run

PIPELINE = """\
pipeline: people
target: {dialect: postgres}
extract:
  raw: {file: data.json}
tables:
  people:
    from: raw
    where: id > 0
    map: {id: id, kind: kind, note: note}
    validate:
      - one_of: {kind: [a, b]}
      - {expr: "length(note) < 20", severity: warn, why: "<b>short</b> & sweet"}
    load: {mode: insert}
"""
NASTY = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</td></table>", "a & b &amp; c", "{{ 7 * 7 }}{% raw %}", "\u202egnp.exe", "t\0x\x1b[2J", "\u00fc\U0001f642"]
VOID = {"meta", "br", "img", "link", "input", "hr"}
PLAIN = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "strong", "span", "div", "article", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}


class Page(HTMLParser):
    """A page's elements and texts, and what is wrong with it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.cells, self.texts, self.headings = [], [], [], [], []
        self.feed(text)
        self.close()
        self.wrong += [f"<{name}> is not closed" for name in self.open]

    def handle_starttag(self, tag, attrs):
        if tag not in PLAIN:
            self.wrong.append(f"<{tag}>")
        self.wrong += [f"<{tag} {name}>" for name, _ in attrs if name.startswith("on") or name in ("src", "href", "style")]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data):
        self.texts.append(data)
        if "td" in self.open:
            self.cells[-1] += data
        if self.open[-1:] == ["h2"]:
            self.headings.append(data)

    @property
    def text(self):
        return "".join(self.texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipe", required=True, type=Path)
    pipe, failures = parser.parse_args().pipe.resolve(), Failures()

    def page(root, pipeline, rows, code, env=None):
        (root / "people.yaml").write_text(pipeline)
        (root / "data.json").write_text(json.dumps(rows))
        done = run([pipe, "run", "people.yaml"], cwd=root, env=env)
        path = root / "out/people/report.html"
        failures.check(done.code == code and path.exists(), f"a run that ends with {code} has a page", done)
        text = path.read_bytes().decode("utf-8") if path.exists() else ""
        found = Page(text)
        failures.check(not found.wrong and text.startswith("<!DOCTYPE html>"), "the page is whole, and loads and runs nothing", found.wrong)
        return text, found

    bad = [{"id": i, "kind": kind, "note": kind * 3} for i, kind in enumerate(NASTY, 1)]
    good = [{"id": i, "kind": "a", "note": None} for i in range(-1, 1300)]
    with folder("report") as root:
        _, failed = page(root, PIPELINE, good + bad, 1)
        for kind in NASTY:
            shown = "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in kind)
            failures.check(shown in failed.cells, f"a value stands in a cell of its own as it is: {kind!a}", failed.cells[:60])
        failures.check("<b>short</b> & sweet" in failed.text and "Broken rules" in failed.headings and f"{len(NASTY)} rows of 1,307" in failed.text,
                       "it tells which rules are broken, by how many rows, and why they are there", failed.text)
        failures.check("Files" not in failed.headings, "a run that failed lists no files", failed.headings)
        first, passed = page(root, PIPELINE, good, 0)
        failures.check("Passed." in passed.text and "Broken rules" not in passed.headings and {"deploy.sql", "run.json"} <= set(passed.text.split()), "a run that passes lists its files", passed.text)
        at = passed.cells.index("people.where")
        failures.check(passed.cells[at + 1: at + 3] == ["1,301", "1,299"] and passed.cells[at + 3].startswith("\u22122 "), "the books are there, with causes", passed.cells)
        with folder("report") as other:
            failures.check(page(other, PIPELINE, good, 0)[0] == first, "the same run gives the same page in another folder")
        aside = PIPELINE.replace("    validate:", "    on_failure: quarantine\n    validate:")
        _, left = page(root, aside, good + bad, 0)
        failures.check("Set aside" in left.headings, "it tells what was set aside", left.text)
        secret = PIPELINE.replace("id > 0", "note IS NULL OR note <> {{ env.CANARY }}").replace("why: \"", "why: \"{{ env.CANARY }} ")
        text, _ = page(root, secret, [{"id": 1, "kind": "hunter<22>", "note": "x"}], 1, env={"CANARY": "hunter<22>"})
        failures.check("hunter" not in text, "no value of the environment", text)
        (root / "data.json").unlink()
        done = run([pipe, "run", "people.yaml"], cwd=root)
        failures.check(done.code == 3 and not (root / "out/people/report.html").exists(), "a run that cannot begin leaves no page of an earlier one", done)
        again = run([pipe, "run", "people.yaml", "--dry-run"], cwd=root)
        failures.check(not (root / "out/people/report.html").exists(), "a dry run writes no page", again)
    failures.finish("report")


if __name__ == "__main__":
    sys.exit(main())
