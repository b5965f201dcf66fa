"""Disagreements that were found once, each a table of its own: agreement.py always runs them first.

Out: tables as contracts.py makes them. Knows nothing about verdicts: both sides give theirs.
"""
from contracts import Column, Table, array

TEXT, CHAR, NUMERIC, ANY = "{c} = {v}", "{c}::text = rtrim({v}, ' ')", "{c} = {v}::numeric", "true"


def case(name, columns, rows, **more):
    """A table; each column is (type, how SQL tells that the value was kept[, how a value is written])."""
    made = [Column(f"c{i}", sql, "other", [], [], kept, literal=next(iter(written), None)) for i, (sql, kept, *written) in enumerate(columns)]
    table = Table(name, made + more.pop("left", []))
    for key, value in more.items():
        setattr(table, key, value)
    table.rows = [{"rn": i + 1, **{c.name: value for c, value in zip(made, row)}} for i, row in enumerate(rows)]
    return table


def left(sql, options):
    """A column that the load does not write."""
    return [Column("e0", sql, "other", [], [], options=options, mapped=False)]


def check(name, condition):
    return {"checks": [(f"{name}_k0", condition)]}


NAMED = [
    case("whole_numbers_overflow", [("integer", TEXT)], [["1073741823"], ["1073741824"], ["-1073741825"], ["20"], [None]], **check("whole_numbers_overflow", "c0 * 2 < 2147483647")),
    case("abs_of_the_least", [("integer", TEXT)], [["-2147483648"], ["-8"], ["9"]], **check("abs_of_the_least", "abs(c0) < 9")),
    case("or_stops_at_a_verdict", [("integer", TEXT)], [["-2147483648"], ["2147483647"]], **check("or_stops_at_a_verdict", "c0 < 0 OR c0 * 2 < 9")),
    case("index_overflows", [("integer", TEXT)], [["-2147483648"], ["5"]], keys=[("index_overflows_u0", "((abs(c0)))", None, [])]),
    case("elements", [("varchar(2)[]", "{c}::text[] = {v}", array)], [[["ab"]], [["abc"]], [["a", None]], [["a\0"]], [[]]]),
    case("element_ranges", [("smallint[]", TEXT, array)], [[[1, 32767]], [[32768]], [[-32769, 1]], [[None]]]),
    case("strict_json", [("json", ANY)], [["NaN"], ["[1,]"], ["{\"a\": 1,}"], ["//x\n1"], ["Infinity"], ["[1, \"NaN,]\"]"]]),
    case("jsonb_zero", [("jsonb", ANY)], [["\"\\u0000\""], ["\"\\\\u0000\""], ["1e131073"], ["\"\\ud800\""], ["{}"]]),
    case("real_range", [("real", ANY)], [["1e39"], ["1e-46"], ["1e38"], ["0e-400"], ["Infinity"], ["-1e400"]]),
    case("real_beside_a_literal", [("real", ANY)], [["0.1"], ["0.5"]], **check("real_beside_a_literal", "c0 IN (0.5, 0.1)")),
    case("char_padding", [("char(3)", CHAR)], [["ab   "], ["abcd"], ["   "], ["abc"]]),
    case("char_keys", [("char(3)", CHAR)], [["a"], ["a "], ["b"]], keys=[("char_keys_u0", "(c0)", "UNIQUE (c0)", [])]),
    case("char_patterns", [("char(3)", CHAR)], [["x1"], ["x12"], ["x"]], **check("char_patterns", "c0 ~ '^.{1,2}$' OR c0 LIKE 'x__'")),
    case("time_fractions", [("time(3)", "{c} = {v}::time")], [["23:59:59.999999"], ["12:00:00.5"], ["12:00:00.1234"]]),
    case("timestamp_fractions", [("timestamp(0)", "{c} = {v}::timestamp")], [["2024-01-01 23:59:59.5"], ["2024-01-01 23:59:59"], ["0000-01-01 00:00:00"]]),
    case("far_zones", [("timestamptz", "{c} = {v}::timestamptz")], [["2024-01-01 00:00:00+99"], ["2024-01-01 00:00:00+15:59"]]),
    case("numbers_of_38_digits", [("numeric(38,2)", NUMERIC)], [["0.001"], ["0.01"], ["1e2"]]),
    case("exponents", [("numeric(1,1)", NUMERIC)], [["5e-1"], ["5e-2"], ["1e0"]]),
    case("a_literal_too_wide", [("numeric(38,38)", NUMERIC)], [["0.5"], ["0"]], **check("a_literal_too_wide", "c0 >= 8")),
    case("default_breaks_check", [("integer", TEXT)], [["1"], ["2"]], left=left("integer", "DEFAULT 5 CONSTRAINT default_breaks_check_k CHECK (e0 > 6)")),
    case("default_keeps_check", [("integer", TEXT)], [["1"], ["2"]], left=left("integer", "DEFAULT 5 CONSTRAINT default_keeps_check_k CHECK (e0 > 2)")),
    case("default_repeats", [("integer", TEXT)], [["1"], ["2"]], left=left("integer", "DEFAULT 1 CONSTRAINT default_repeats_k UNIQUE")),
    case("generated_overflows", [("integer", TEXT)], [["2147483647"], ["2"]], left=left("integer", "GENERATED ALWAYS AS (c0 + 1) STORED")),
    case("letters_by_locale", [("text", TEXT)], [["é"], ["A"], ["ß"]], **check("letters_by_locale", "NOT (c0 ~ '[[:upper:]]') AND upper(c0) <> 'B'")),
    case("partial_repeats", [("integer", TEXT), ("boolean", TEXT)], [["1", "t"], ["1", "f"], ["2", "t"], ["2", "t"]], keys=[("partial_repeats_u0", "(c0) WHERE c1", None, [])]),
    case("shared_within_a_condition", [("integer", TEXT), ("integer", TEXT)], [["2147483647", "7"], ["1", "9"], ["20", "20"], ["-2147483648", "-1"], [None, "1"], ["1", "2"]],
         **check("shared_within_a_condition", "CASE WHEN (c0 + c1 <= 30) AND (abs(c1) < 9) THEN c1 >= 9 ELSE true END")),
    case("shared_by_indexes", [("integer", TEXT), ("integer", TEXT)], [["2147483647", "1"], ["3", "1"], ["1", "3"], ["2", "9"]],
         keys=[("shared_by_indexes_u0", "((c0 + c1))", None, []), ("shared_by_indexes_u1", "(((c0 + c1) * 2)) WHERE c0 + c1 < 9", None, [])]),
    case("decimals_of_18_digits", [("numeric(18,2)", NUMERIC), ("numeric(18,0)", NUMERIC)],
         [["9999999999999999.99", "999999999999999999"], ["-9999999999999999.99", "999999999999999999"], ["2", "3"], [None, "1"]], **check("decimals_of_18_digits", "c0 * c1 > 6 OR c1 + c0 < 0")),
    case("arrays_overlap", [("text[]", "{c}::text[] = {v}", array), ("varchar(3)[]", "{c}::text[] = {v}", array)],
         [[["a"], ["b"]], [["b"], ["a"]], [[], ["x"]], [[None], [None]], [["x"], [None, "x"]], [None, ["x"]], [["é"], []], [["a "], ["x"]], [["x", None], ["x", "a"]]],
         checks=[("arrays_overlap_k0", "c0 && ARRAY['a', 'é', 'x']"), ("arrays_overlap_k1", "NOT (c1 && '{a,A}'::varchar[]) OR c0 && c1::text[]")]),
    case("arrays_contained", [("text[]", "{c}::text[] = {v}", array), ("integer[]", TEXT, array)],
         [[["a"], [1]], [["a", "b"], [1, 2]], [[], []], [[None], [None]], [["a", None], [3, 1]], [None, None], [["c"], [1]], [["a", "a"], [1, 1]]],
         checks=[("arrays_contained_k0", "c0 <@ ARRAY['a', 'b']::text[]"), ("arrays_contained_k1", "c1 @> ARRAY[1] OR '{2,3}'::int[] && c1")]),
    case("match_full", [("integer", TEXT), ("integer", TEXT), ("integer", TEXT), ("integer", TEXT)],
         [["1", "1", "1", "1"], ["2", "2", "1", None], ["3", "3", None, None], ["4", "4", "9", "9"], ["5", "5", "4", "4"]],
         keys=[("match_full_u0", "(c0, c1)", "PRIMARY KEY (c0, c1)", ["c0", "c1"])], references=[("match_full_f", ["c2", "c3"], "match_full", ["c0", "c1"], "MATCH FULL")]),
]


def tables():
    """The named cases."""
    return NAMED
