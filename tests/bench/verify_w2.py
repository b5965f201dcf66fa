#!/usr/bin/env python3
"""Row count and order-independent checksum of each W2 table in Postgres.

    verify_w2.py SCHEMA                    of what is loaded: in `public`, or in the schema that dlt made
    verify_w2.py --db URL SCRIPT SCRIPT .. loads each script into empty tables (schema/w2.sql) and compares: prints `same` or the
                                           differing tables, exits 1 on a difference
Without --db the connection is that of PGHOST, PGPORT and PGDATABASE (default 127.0.0.1, 5432, bench), user postgres. Needs only `psql`.
"""
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHILDREN = {"pain_points": "pain_point, category, severity", "goals": "goal_text, goal_type, priority, achievement_rate::numeric(4,2)",
            "challenges": "challenge_text, impact, frequency", "week_in_life": "day, energy_pattern, meeting_load",
            "tools": "tool_name, usage_frequency, satisfaction", "channels": "channel, preference, weight::numeric(4,2)",
            "quotes": "quote, source", "tags": "tag"}


def checksums(schema):
    """The SQL that prints name, count and checksum of each table."""
    dlt = schema != "public"
    p, e = ("profile__", "evidence_summary__") if dlt else ("", "")
    parent = ["persona_id", "slug", "name", "title"] + [p + c for c in "age gender location education job_role company_size industry years_experience income_band tech_savviness".split()]
    parent += ([e + "overall_confidence_level"] if dlt else ["confidence_level"]) + [e + "evidence_quality_score::numeric(4,2)", e + "sources_count", e + "last_reviewed"]
    sql = []
    for name, columns in [("personas", ", ".join(parent))] + [(n, "id, persona_id, position, " + c) for n, c in CHILDREN.items()]:
        table = f"{schema}.{'personas__' if dlt and name != 'personas' else ''}{name}"
        sql.append(f"SELECT '{name}', count(*), sum(('x' || substr(md5(concat_ws('|', {columns})), 1, 15))::bit(60)::bigint) FROM {table}")
    return ";\n".join(sql) + ";"


def psql(connection, *arguments, sql=None):
    done = subprocess.run(["psql", *connection, "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments], input=sql, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"psql {' '.join(map(str, arguments))} failed:\n{done.stderr}")
    return done.stdout


def compare(url, scripts):
    first = None
    for script in scripts:
        psql([url], "-f", HERE / "schema/w2.sql")
        psql([url], "-f", script)
        found = psql([url], "-At", sql=checksums("public")).splitlines()
        first = first or found
        different = [f"  {a}\n  {b}" for a, b in zip(first, found) if a != b]
        print(f"{script}: {sum(int(line.split('|')[1]) for line in found)} rows", "same" if not different else "DIFFERENT\n" + "\n".join(different))
        if different or "|0|" in "".join(found):
            sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--db"] and len(sys.argv) > 3:
        compare(sys.argv[2], sys.argv[3:])
    elif len(sys.argv) == 2:
        env = os.environ.get
        print(psql(["-h", env("PGHOST", "127.0.0.1"), "-p", env("PGPORT", "5432"), "-U", "postgres", env("PGDATABASE", "bench")], "-At", sql=checksums(sys.argv[1])))
    else:
        sys.exit(__doc__)
