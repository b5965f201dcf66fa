#!/usr/bin/env python3
"""`report.html` of runs that pass, fail and set rows aside: a whole page that loads and runs nothing, and tells what the run told.

    report.py --pipe BIN [--pictures FOLDER]

The page is read by an HTML parser: every element is closed, values are text whatever they hold. Where there is a browser (chromium or chrome), it
opens the page as well: narrow and wide, light and dark; pictures of that can be kept. Standard library only.
"""
import argparse
import json
import os
import re
import shutil
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

from harness import Failures, folder, run

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
# Stands behind a copy of the page and notes in its title what the browser has made of it.
PROBE = """<script>
const probe = document.createElement("i");
probe.style.background = "Canvas";
document.body.append(probe);
const parts = (color) => color.match(/[0-9.]+/g).slice(0, 3).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const light = (color) => parts(color).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const canvas = light(getComputedStyle(probe).backgroundColor);
const contrast = (e) => { const l = light(getComputedStyle(e).color); return (Math.max(l, canvas) + 0.05) / (Math.min(l, canvas) + 0.05); };
const all = (what) => [...document.querySelectorAll(what)];
const lines = (e) => { const range = document.createRange(); range.selectNodeContents(e); return new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size; };
const seen = all("th").filter((e) => e.offsetWidth);
document.title = JSON.stringify({
  title: document.title, dark: canvas < 0.5, wider: document.documentElement.scrollWidth - innerWidth, loaded: performance.getEntriesByType("resource").length,
  scripts: all("script").length, images: all("img").length, headings: all("h1").length, contrast: Math.min(...all("body, .bad, .warn, .good, a").map(contrast)),
  broken: seen.filter((e) => lines(e) > e.textContent.split(" ").length).map((e) => e.textContent), stages: all(".books td:first-child").filter((e) => lines(e) > 1).map((e) => e.textContent),
  narrow: all(".samples td").filter((e) => e.offsetWidth < 100).length, tall: Math.max(0, ...all(".samples tr").map((e) => e.offsetHeight)),
  links: all("a").filter((e) => document.querySelector(e.getAttribute("href"))).length, cells: all(".samples td:first-child").map((e) => e.textContent),
});
</script>"""

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
PLAIN = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "strong", "span", "div", "article", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "a"}


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
        self.wrong += [f"<{tag} {name}>" for name, value in attrs if name.startswith("on") or name in ("src", "style") or name == "href" and not re.fullmatch(r"#rule-\d+", value)]
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


def looked_at(root, name, text, failures, pictures):
    """Opens a page in a browser, narrow and dark, then wide and light; returns what it has found in each, none if there is no browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    found = []
    for width, dark in ((400, True), (1300, False)) if browser else ():
        page = root / f"{name}.html"
        page.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
        command = [browser, "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={root / 'browser'}", f"--window-size={width},1200", *(["--no-sandbox"] if os.geteuid() == 0 else []),
                   "--disable-background-networking", "--disable-component-update", "--no-first-run", f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
        shown = run([*command, "--dump-dom", page.as_uri()], timeout=120)
        said = re.search(r"<title>(.*?)</title>", shown.stdout, re.DOTALL)
        way = f"{name}, {width} wide, {'dark' if dark else 'light'}"
        if not failures.check(shown.code == 0 and said and said[1].startswith("{"), f"the browser shows the page: {way}", shown):
            continue
        seen = json.loads(unescape(said[1]))
        failures.check(seen["loaded"] == 0 and seen["scripts"] == 1 and seen["images"] == 0 and seen["headings"] == 1, f"nothing is loaded, and values are no elements: {way}", seen)
        failures.check(seen["dark"] == dark and seen["contrast"] >= 4.5, f"texts stand out from the ground: {way}", seen)
        failures.check(seen["wider"] <= 0 and not seen["broken"] and seen["narrow"] == 0 and seen["tall"] < 900 and (width < 900 or not seen["stages"]), f"nothing is squeezed or sticks out: {way}", seen)
        found.append(seen)
        if pictures:
            page.write_text(text, encoding="utf-8")
            run([*command, f"--screenshot={pictures.resolve() / f'{name}-{width}-{chr(100) if dark else chr(108)}.png'}", page.as_uri()])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipe", required=True, type=Path)
    parser.add_argument("--pictures", type=Path, help="keep pictures of what the browser shows in this folder")
    given = parser.parse_args()
    pipe, failures = given.pipe.resolve(), Failures()

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
        text, failed = page(root, PIPELINE, good + bad, 1)
        for kind in NASTY:
            shown = "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in kind)
            failures.check(shown in failed.cells, f"a value stands in a cell of its own as it is: {kind!a}", failed.cells[:60])
        failures.check("<b>short</b> & sweet" in failed.text and "Broken rules" in failed.headings and f"{len(NASTY)} rows of 1,307" in failed.text,
                       "it tells which rules are broken, by how many rows, and why they are there", failed.text)
        failures.check("Files" not in failed.headings, "a run that failed lists no files", failed.headings)
        said = run([pipe, "run", "people.yaml"], cwd=root)
        failures.check(said.stdout.endswith("nothing was emitted; see out/people/report.html\n"), "the page of a run that failed is named", said)
        seen = looked_at(root, "failed", text, failures, given.pictures)
        failures.check(all(set(NASTY[:5]) <= set(s["cells"]) for s in seen), "the browser shows values as they are", seen)
        many = [{"id": i, "kind": NASTY[i % 8] * 90, "note": "word " * 300, **{f"column_with_a_long_name_{c}": f"{c}-{i}" for c in range(60)}} for i in range(1, 60)]
        mapped = PIPELINE.replace("note: note}", "note: note, " + ", ".join(f"column_with_a_long_name_{c}: column_with_a_long_name_{c}" for c in range(60)) + "}").replace("people:\n", "a_table_with_a_rather_long_name:\n")
        rules = "".join(f"      - expr: length(column_with_a_long_name_{c}) > 10\n" for c in range(60))
        crowded, _ = page(root, mapped.replace("    load:", rules + "    load:"), many, 1)
        for s in looked_at(root, "crowded", crowded, failures, given.pictures):
            failures.check(s["links"] == 62, "each broken rule is listed, and leads to its samples", s)
        if not seen:
            print("   not run: the page in a browser (none is installed; on Debian: apt-get install chromium)")
        first, passed = page(root, PIPELINE, good, 0)
        looked_at(root, "passed", first, failures, given.pictures)
        said = run([pipe, "run", "people.yaml"], cwd=root)
        failures.check(said.stdout.endswith(", out/people/report.html\n"), "the page of a run that passes is named", said)
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
