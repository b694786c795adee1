"""Conditions as SQL against the judge: the same answer on every row, unknown ones included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from adjudge.expr.nodes import Node
from adjudge.expr.reference import Unknown, evaluate
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.expr.sql.dialects.spark import SPARK
from adjudge.expr.sql.translate import Translator
from adjudge.expr.sql.value import NotTranslatable, Sql
from adjudge.policy import Policy, parse_policy
from adjudge.values.types import BOOL, DOUBLE, Type
from expr.strategies import SCORED, TYPES, environments, typed_conditions
from expr.test_python import checked

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

from expr.conditions import EXACT, HEAD, LOOSE, NOW, WRITTEN, inputs  # noqa: E402
from expr.sql_tables import table  # noqa: E402

MUST = frozenset((*EXACT[: EXACT.index("names[n] == text")], *WRITTEN)) - {
    'at.getHours("Nowhere") == 1',
}

ENTRIES = {f"face.score.{key}": DOUBLE for key in SCORED}
EVERY: Mapping[str, Type] = {**TYPES, **ENTRIES}
COLUMNS = {name: DUCKDB.column(name) for name in EVERY}


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        yield connection


def judged(tree: Node, values: Mapping[str, object]) -> object:
    answer = evaluate(tree, values)
    return None if isinstance(answer, Unknown) else answer


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_sql_agrees_with_the_reference(database: duckdb.DuckDBPyConnection, data: st.DataObject) -> None:
    text, types, first = data.draw(typed_conditions())
    tree = checked(text, types)
    try:
        found = Translator(COLUMNS).value(tree, {})
    except NotTranslatable as error:
        event(f"not translatable: {error}")
        return
    sql = found.text
    event("translated" if found.nulls is None else "translated, and it is told where it is unknown")
    rows = [first, *(data.draw(environments(text)) for _ in range(4))]
    names = {name: type_ for name, type_ in EVERY.items() if name in text} or {"flag": BOOL}
    database.register("given_", table(names, rows))
    answers = [row[0] for row in database.execute(f"select {sql} from given_").fetchall()]
    for answer, values in zip(answers, rows, strict=True):
        expected = judged(tree, values)
        assert answer == expected and type(answer) is type(expected), (
            f"{text}\n{values}\n{sql}\n{answer} for {expected}"
        )
        assert found.nulls is None or (answer is None) == unknown(found, values), f"{text}\n{values}\n{found}"


def unknown(sql: Sql, values: Mapping[str, object]) -> bool:
    """Whether a column is NULL of which a translation says that it makes it NULL."""
    return any(values.get(column.strip('"')) is None for column in sql.nulls or ())


@cache
def _policy(text: str) -> Policy:
    quoted = text.replace("'", "''")
    return parse_policy(HEAD + f"rules:\n  - {{id: r, when: '{quoted}', then: review}}\n")


@cache
def _sql(text: str) -> Sql | None:
    """Return a condition in SQL, None where it has no form there."""
    typed = _policy(text).typed
    columns = {name: DUCKDB.column(name) for name in typed.slots}
    try:
        return Translator(columns, lists=typed.constants).value(typed.rules[0].condition, {})
    except NotTranslatable:
        return None


def test_every_kind_of_condition_is_translated_that_must_be() -> None:
    assert [text for text in MUST if _sql(text) is None] == []


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(inputs(), min_size=16, max_size=16))
def test_every_kind_of_condition_agrees(database: duckdb.DuckDBPyConnection, given_: list[dict[str, object]]) -> None:
    """All of them on the same rows, which take longer to make than to answer."""
    typed = _policy(EXACT[0]).typed
    rows = [{**_policy(EXACT[0]).read(one, now=NOW).values, **typed.constants} for one in given_]
    database.register("given_", table({name: declared.type for name, declared in typed.slots.items()}, rows))
    wrong = []
    for text in (*EXACT, *LOOSE, *WRITTEN):
        if (found := _sql(text)) is None:
            continue
        sql = found.text
        condition = _policy(text).typed.rules[0].condition
        answers = [row[0] for row in database.execute(f"select {sql} from given_").fetchall()]
        for answer, values in zip(answers, rows, strict=True):
            if answer != (expected := judged(condition, values)):
                wrong.append(f"{text}\n{values}\n{sql}\n{answer} for {expected}")
            if found.nulls is not None and (answer is None) != unknown(found, values):
                wrong.append(f"{text}\n{values}\n{found}")
    assert not wrong, wrong[0]


def sql_of(text: str, dialect: Dialect = DUCKDB) -> str:
    return Translator({name: dialect.column(name) for name in EVERY}, dialect=dialect).condition(checked(text))


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("ratio >= 0.6", '"ratio" >= 0.6e0'),
        ('count > 3 && country in ["SG", "MY"]', """"count" > 3 and "country" in ('SG', 'MY')"""),
        ("!flag || has(note)", 'not "flag" or "note" is not null'),
        ("!(flag || count > 3) && flag", 'not ("flag" or "count" > 3) and "flag"'),
        ("!flag < other.flag", '(not "flag") < "other.flag"'),
        ("(flag == other.flag) == flag", '("flag" = "other.flag") = "flag"'),
        ('face.result == "low"', """"face.result" = 'low'"""),
        ("age > duration('24h')", '"age" > 86400000000'),
        ("face.score.SuspectRemake >= 0.5", '"face.score.SuspectRemake" >= 0.5e0'),
    ],
)
def test_plain_conditions_are_the_sql_that_a_person_would_write(text: str, sql: str) -> None:
    assert sql_of(text) == sql


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("ratio >= 0.6", "`ratio` >= 0.6e0"),
        ("count + 1 > 3", "try_add(bigint(`count`), bigint(1)) > 3"),
        ('country == "it\'s \\\\"', "`country` = 'it\\'s \\\\'"),
        ("!flag in [other.flag]", "(not `flag`) in (`other.flag`)"),
        ('note.startsWith("a")', "startswith(`note`, 'a')"),
        ("opened > now", "unix_micros(`opened`) > unix_micros(`now`)"),
    ],
)
def test_spark_has_its_own_words(text: str, sql: str) -> None:
    assert sql_of(text, SPARK) == sql


@pytest.mark.parametrize("text", ['note.matches("a+")', "ratio / match > 1.0"])
def test_what_spark_would_answer_otherwise_is_refused(text: str) -> None:
    with pytest.raises(NotTranslatable):
        sql_of(text, SPARK)


def test_text_that_sql_cannot_hold_is_refused() -> None:
    with pytest.raises(NotTranslatable):
        sql_of('note == "\\u0000"')
