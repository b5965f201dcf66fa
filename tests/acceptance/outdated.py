#!/usr/bin/env python3
"""Deploys a run whose contracts no longer say what the database does: refused before anything is done, unless the difference does no harm.

    outdated.py --pipe PROGRAM --db URL
"""
import argparse
import shutil

from harness import Failures, database, folder, psql, query, run

FAILURES = Failures()
SCHEMA = """CREATE TABLE shops (id integer PRIMARY KEY, slug varchar(20) NOT NULL UNIQUE, city text DEFAULT 'x', stars numeric(4,2) CHECK (stars >= 0), kind text CHECK (kind IN ('a', 'b')));
CREATE TABLE goods (id integer PRIMARY KEY, shop_id integer NOT NULL REFERENCES shops (id), label text);
CREATE INDEX goods_label ON goods (label);
"""
HARMFUL = {
    "ALTER TABLE shops ALTER slug TYPE varchar(10)": "type of `shops.slug` is varchar(20) here and varchar(10) in the database",
    "ALTER TABLE shops ADD owner text NOT NULL": "column of `shops.owner` is nothing here",
    "ALTER TABLE shops DROP stars": "column of `shops.stars` is decimal(4,2) here and nothing in the database",
    "ALTER TABLE shops ADD CHECK (length(city) > 1)": "check of `shops` is nothing here",
    "ALTER TABLE shops DROP CONSTRAINT shops_kind_check, ADD CHECK (kind IN ('a', 'c'))": "one of a, c in the database",
    "ALTER TABLE shops ALTER city SET NOT NULL": "not null of `shops.city` is may be NULL here and NOT NULL in the database",
    "ALTER TABLE shops ALTER city DROP DEFAULT": "default of `shops.city`",
    "ALTER TABLE shops ADD UNIQUE (city)": "unique of `shops` is nothing here and (city) in the database",
    "ALTER TABLE goods ADD FOREIGN KEY (label) REFERENCES shops (slug)": "foreign key of `goods` is nothing here",
    "ALTER TABLE goods DROP CONSTRAINT goods_pkey, ADD PRIMARY KEY (id, shop_id)": "primary key of `goods` is (id) here and (id, shop_id) in the database",
}
HARMLESS = {
    "ALTER TABLE shops ADD owner text": "column of `shops.owner`",
    "ALTER TABLE shops ADD owner text NOT NULL DEFAULT 'nobody'": "column of `shops.owner`",
    "ALTER TABLE shops ADD seen timestamptz NOT NULL DEFAULT now()": "column of `shops.seen`",
    "ALTER TABLE shops DROP CONSTRAINT shops_kind_check": "check of `shops`",
    "ALTER TABLE shops DROP CONSTRAINT shops_slug_key": "unique of `shops`",
    "ALTER TABLE goods DROP CONSTRAINT goods_shop_id_fkey": "foreign key of `goods`",
    "ALTER TABLE shops ALTER slug DROP NOT NULL": "not null of `shops.slug`",
    "ALTER TABLE goods ALTER label SET DEFAULT 'l'": "default of `goods.label`",
    "DROP INDEX goods_label": "index of `goods`",
    "CREATE INDEX more ON shops (city)": "",
}


def project(url, root):
    (root / "schemas").mkdir(parents=True)
    (root / "schemas/tables.sql").write_text(SCHEMA)
    (root / "pipe.yaml").write_text("targets:\n  t: {dialect: postgres, schema: public, url: \"{{ env.OUTDATED_URL }}\"}\ndefault_target: t\n")
    (root / "p.yaml").write_text(
        "pipeline: p\nextract:\n  s: {rows: [{id: 1, slug: one, city: Ulm, stars: 1.5, kind: a}, {id: 2, slug: two, city: Rom, stars: 2, kind: b}]}\n"
        "  g: {rows: [{id: 1, shop_id: 1, label: one}]}\ntables:\n"
        "  shops: {from: s, map: {id: id, slug: slug, city: city, stars: {from: stars, type: \"decimal(4,2)\"}, kind: kind}, load: {mode: insert}}\n"
        "  goods: {from: g, load: {mode: insert}}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipe", required=True)
    parser.add_argument("--db", required=True, help="a server's URL; databases are made and dropped there")
    options = parser.parse_args()
    with folder("outdated") as temporary:
        root = temporary / "project"
        project(None, root)
        for sql, said in {**HARMFUL, **HARMLESS}.items():
            with database(options.db, "outdated") as url:
                query(url, SCHEMA)
                pipe = lambda *arguments, cwd=root: run([options.pipe, *arguments], cwd=cwd, env={"OUTDATED_URL": url})
                (root / "out").exists() and shutil.rmtree(root / "out")
                (root / "schemas").exists() and shutil.rmtree(root / "schemas")
                (root / "schemas").mkdir()
                (root / "schemas/tables.sql").write_text(SCHEMA)
                done = pipe("run", "p.yaml", "--quiet")
                FAILURES.check(done.code == 0, f"{sql}: run", done)
                query(url, sql)
                loaded = lambda: query(url, "SELECT count(*) FROM shops").strip()
                done = pipe("deploy", "p.yaml")
                log = (root / "out/p/deploy.log").read_text()
                if sql in HARMLESS:
                    FAILURES.check(done.code == 0 and loaded() == "2" and (not said or f"does no harm: {said}" in log), f"{sql}: does no harm", f"{done}\n{log}")
                    continue
                FAILURES.check(done.code == 3 and "X0607" in done.stderr and said in done.stderr and "schemas/tables.sql:" in done.stderr
                               and "pipe schema import" in done.stderr and loaded() == "0" and "X0607" in log, f"{sql}: refused", f"{done}\n{log}")
                done = pipe("run", "p.yaml", "--deploy", "--quiet")
                FAILURES.check(done.code == 3 and "X0607" in done.stderr and loaded() == "0", f"{sql}: refused in one go", done)
        whole(options, temporary, root)
    FAILURES.finish("outdated")


def whole(options, temporary, root):
    """The way out, in the order that the messages give; and runs whose project is elsewhere."""
    with database(options.db, "outdated") as url:
        query(url, SCHEMA)
        pipe = lambda *arguments, cwd=root: run([options.pipe, *arguments], cwd=cwd, env={"OUTDATED_URL": url})
        (root / "schemas/tables.sql").unlink()
        done = pipe("schema", "import", "shops", "goods")
        FAILURES.check(done.code == 0 and pipe("run", "p.yaml", "--quiet").code == 0, "imported contracts", done)
        elsewhere = temporary / "elsewhere"
        shutil.copytree(root / "out/p", elsewhere / "p")
        shutil.copy(root / "pipe.yaml", elsewhere / "pipe.yaml")
        query(url, "ALTER TABLE shops ADD CHECK (stars < 5)")
        done = pipe("deploy", "p.yaml")
        FAILURES.check(done.code == 3 and "X0607" in done.stderr, "a new constraint", done)
        done = pipe("schema", "import", "shops")
        done = pipe("deploy", "p.yaml")
        FAILURES.check(done.code == 3 and "X0522" in done.stderr and "`public.shops`" in done.stderr and "Run the pipeline again" in done.stderr,
                       "rows were judged by another contract", done)
        FAILURES.check(pipe("run", "p.yaml", "--quiet").code == 0, "run again", "")
        contract = next((root / "schemas").glob("shops*"))
        contract.write_text("-- a remark\n\n" + contract.read_text())
        done = pipe("deploy", "p.yaml", "--format", "json")
        FAILURES.check(done.code == 0 and (done.json() or {}).get("status") == "deployed", "a remark is no change", done)
        FAILURES.check(pipe("rollback", "p.yaml").code == 0, "rollback", "")
        done = pipe("deploy", "p", cwd=elsewhere)
        log = (elsewhere / "p/deploy.log").read_text()
        FAILURES.check(done.code == 0 and "not at hand to be compared with the database: public.shops, public.goods" in log, "deployed from elsewhere", f"{done}\n{log}")


if __name__ == "__main__":
    main()
