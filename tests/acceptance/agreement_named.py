"""Disagreements that were found once, each a table of its own: agreement.py always runs them first.

Out: [`Table`]s. Knows nothing about verdicts: both sides give theirs.
"""
from contracts import Column, Table

NAMED = []


def tables():
    """The named cases as tables."""
    made = []
    for name, columns, rows, *more in NAMED:
        table = Table(name, [Column(c, sql, "other", [], [], *kept) for c, sql, *kept in columns])
        for key, value in (more[0] if more else {}).items():
            setattr(table, key, value)
        table.rows = [{"rn": i + 1, **dict(zip([c.name for c in table.mapped()], row))} for i, row in enumerate(rows)]
        made.append(table)
    return made
