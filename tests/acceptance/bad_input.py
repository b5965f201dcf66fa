#!/usr/bin/env python3
"""Bad input of every kind: each gets a clear error with its place and exit code, never a panic, never a half-written output.

    bad_input.py --pipe BIN [--only TEXT]

Spec errors exit 2 and name file:line:column; files that cannot be read exit 3 and are named. --only runs the cases whose name contains TEXT.
Standard library only.
"""
import gzip
import json
import time

import bad_project
from bad_project import PEOPLE, PIPELINE, PLACE, Project, judge
from harness import folder, run


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


def folder_as_csv(p):
    p.edit("people.json", "people.csv")
    (p.root / "data/people.csv").mkdir()
    return 3, [r"people\.csv", "is a (folder|directory)", r"\*\.csv"]


def other_delimiter(p):
    p.csv(b"\xef\xbb\xbfid;name;price\r\n1;Ana;1,50\r\n")
    return 3, [r"people\.csv:2", "delimiter: ';'"]


def utf16_csv(p):
    p.csv("id,name\n1,Ana\n".encode("utf-16"))
    return 3, [r"people\.csv:1", "utf-16"]


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
    return 2, [PLACE, "klingon", "windows-1252"]


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
         duplicate_csv_header, malformed_ndjson, not_parquet, broken_gzip, folder_as_file, folder_as_csv, other_delimiter, utf16_csv, glob_without_match, missing_pipeline, empty_pipeline,
         not_utf8_pipeline, pipeline_is_a_list, broken_yaml, tab_in_yaml, duplicate_key, unknown_key, unknown_column, several_errors, cycle,
         undefined_variable, alias_bomb, alias_bomb_inside, deep_yaml, deep_expression, endless_template, endless_macro, variables_in_a_circle,
         wrong_flag, wrong_table_selected, deep_json, names_that_differ_in_case, reserved_column_name, list_without_records, unknown_encoding,
         ndjson_as_json, json_as_ndjson]


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


if __name__ == "__main__":
    bad_project.main("bad input", __doc__, lambda pipe, failures, given: refusals(pipe, failures, given.only))
