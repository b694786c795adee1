"""Functions of texts and numbers at the edges of what there is: generated code and DuckDB say what the judge says."""

from __future__ import annotations

import math
from itertools import product

import pytest

from adjudge.expr.check import Environment, check
from adjudge.expr.letters import lower, pairs, upper
from adjudge.expr.nodes import Node
from adjudge.expr.parse import parse
from adjudge.expr.python import compile_condition
from adjudge.expr.reference import Unknown, evaluate
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.expr.sql.translate import Translator
from adjudge.source import Source
from adjudge.values.types import DOUBLE, INT, STRING, ListType
from expr.conformance import same

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")

MOST, LEAST = 2**63 - 1, -(2**63)
TYPES = {
    "s": STRING,
    "t": STRING,
    "n": INT,
    "m": INT,
    "x": DOUBLE,
    "y": DOUBLE,
    "ns": ListType(INT),
    "xs": ListType(DOUBLE),
}
COLUMNS = {
    "s": "varchar", "t": "varchar", "n": "bigint", "m": "bigint", "x": "double", "y": "double", "ns": "bigint[]",
    "xs": "double[]",
}  # fmt: skip
TEXTS = (
    None,
    "",
    "a",
    "AbC",
    " \u00a0a\u3000",
    "\u200ba",
    "ÄÖÜß ŉ",
    "ΣΑΣ",
    "İıI",
    "ǅ ǆ",
    "𞤀x",
    "é💥",
    "a,b,,c",
    ",",
    "\t\n",
)
INTS = (None, 0, 1, -1, 3, MOST, LEAST, LEAST + 1)
DOUBLES = (
    None,
    0.0,
    -0.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    0.49999999999999994,
    4503599627370495.5,
    -1e300,
    math.inf,
    -math.inf,
)
LISTS = (None, (), (1,), (3, 1, 2), (1, None), (LEAST, MOST))
CASES = (
    *(("s", text, TEXTS) for text in (
        "s.lower()", "s.upper()", "s.trim()", 's.split(",")', 's.split(",")[1]', "s.lower().upper().trim()",
    )),
    *(("s n m", text, (TEXTS, INTS, INTS)) for text in ("s.substring(n)", "s.substring(n, m)")),
    *(("n m", text, (INTS, INTS)) for text in (
        "abs(n)", "round(n)", "min(n, m)", "max(n, m, 2)", "min([n, m])", "abs(n) - m",
    )),
    *(("x y", text, (DOUBLES, DOUBLES)) for text in (
        "abs(x)", "round(x)", "min(x, y)", "max(x, y, 0.25)", "max([x, y])", "1.0 / min(x, y)", "1.0 / round(x)",
        "min(x / y, 1.0)", "round(x / y)", "abs(x / y)",
    )),
    *(("ns", text, (LISTS,)) for text in ("min(ns)", "ns.max()", "min(ns.map(v, v / 2))")),
    *(("xs", text, (tuple(one and tuple(None if v is None else float(v) for v in one) for one in LISTS),)) for text in (
        "min(xs)", "max(xs)",
    )),
)  # fmt: skip


def typed(text: str) -> Node:
    source = Source("case", text)
    node, errors = check(parse(source.whole()), Environment(TYPES), source=source)
    assert node is not None, errors
    return node


@pytest.mark.parametrize(("names", "text", "values"), CASES, ids=[text for _, text, _ in CASES])
def test_function_is_the_judges_in_code_and_in_sql(names: str, text: str, values: tuple[object, ...]) -> None:
    columns, node = names.split(), typed(text)
    rows = [(one,) for one in values] if columns == ["s"] else list(product(*values))  # type: ignore[arg-type]  # of each
    judged = [evaluate(node, dict(zip(columns, row, strict=True))) for row in rows]
    expected = [None if isinstance(answer, Unknown) else answer for answer in judged]
    compiled = compile_condition(node)
    for row, answer in zip(rows, expected, strict=True):
        assert same(compiled(dict(zip(columns, row, strict=True))), answer), row
    sql = Translator({name: f'"{name}"' for name in columns}, dialect=DUCKDB).condition(node)
    with duckdb.connect() as connection:
        declared = ", ".join(f"{name} {COLUMNS[name]}" for name in columns)
        connection.execute(f"create table rows (place int, {declared})")
        marks = ", ".join("?" * (len(columns) + 1))
        given = [(at, *(list(v) if isinstance(v, tuple) else v for v in row)) for at, row in enumerate(rows)]
        connection.executemany(f"insert into rows values ({marks})", given)
        found = connection.execute(f"select {sql} from rows order by place").fetchall()
    for row, answer, (told,) in zip(rows, expected, found, strict=True):
        assert same(tuple(told) if isinstance(told, list) else told, answer), (row, told, answer)


def test_letters_are_the_same_one_for_one_in_the_database() -> None:
    """Every character that changes, and what stands around it."""
    codes = sorted({near for case in ("lower", "upper") for code in pairs(case) for near in (code - 1, code, code + 1)})  # type: ignore[arg-type]  # both are cases
    texts = [*(chr(code) for code in codes if not 0xD800 <= code < 0xE000), "".join(map(chr, range(1, 0x250)))]
    with duckdb.connect() as connection:
        connection.execute("create table texts (place int, s varchar)")
        connection.executemany("insert into texts values (?, ?)", list(enumerate(texts)))
        forms = ", ".join(DUCKDB.in_case("s", case) for case in ("lower", "upper"))  # type: ignore[arg-type]  # both are cases
        found = connection.execute(f"select {forms} from texts order by place").fetchall()
    assert found == [(lower(text), upper(text)) for text in texts]
    assert all(len(one) == len(text) for text in texts for one in (lower(text), upper(text)))
