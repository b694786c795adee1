"""The judge against Google's CEL: the same answers to the same questions, where every value is known.

Left out, because the two differ on purpose: `has` of a plain name (our extension), `has` below an index that is past
the end (false here, an error there), an int ordered with a double (their checker refuses it), times written as strings
(they pad the fraction to three, six or nine digits), NaN written with its sign (they do), what is finer than a
microsecond (their binding cuts it), dates, days and weeks (they have none), and white space around the digits that
`int` and `double` read (they allow it).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adjudge.expr.check import Environment, check
from adjudge.expr.nodes import ListLiteral, walk
from adjudge.expr.parse import parse
from adjudge.expr.python import compile_condition, has_dynamic_parts
from adjudge.expr.reference import Unknown, evaluate
from adjudge.source import Source
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    SetType,
    Type,
)
from expr.conformance import same
from expr.strategies import ENUM, TYPES, typed_conditions

cel = pytest.importorskip("cel_expr_python.cel", reason="needs cel-expr-python, the independent CEL")

SCALARS = {
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "timestamp": cel.Type.TIMESTAMP,
    "duration": cel.Type.DURATION,
}
RESULTS = (BOOL, INT, DOUBLE, STRING, TIMESTAMP, DURATION, ENUM, ListType(INT), ListType(STRING), MapType(STRING, INT))


def their_type(type_: Type) -> object:
    match type_:
        case EnumType():
            return cel.Type.STRING
        case SetType():
            return cel.Type.List(cel.Type.STRING)
        case ListType(item=item):
            return cel.Type.List(their_type(item))
        case MapType(key=key, value=value):
            return cel.Type.Map(their_type(key), their_type(value))
        case _:
            return SCALARS[type_.name]


def theirs(value: object) -> object:
    """Return a value as their binding takes it."""
    if isinstance(value, tuple):
        return [theirs(item) for item in value]
    if isinstance(value, dict):
        return {key: theirs(item) for key, item in value.items()}
    return value


def tamed(value: object) -> object:
    """Return a value without what their binding cannot take: the ends of time, long durations, the character NUL."""
    match value:
        case tuple():
            return tuple(tamed(item) for item in value)
        case dict():
            return {key: tamed(item) for key, item in value.items()}
        case str():
            return value.replace("\0", "0")
        case datetime() if value.year in (1, 9999):
            return value.replace(year=2000)
        case timedelta() if abs(value) > timedelta(days=1000):
            return timedelta(days=1000)
        case _:
            return value


def ours(value: object) -> object:
    """Return what their binding gives as one of our values."""
    if isinstance(value, list):
        return tuple(ours(item) for item in value)
    if isinstance(value, dict):
        return {key: ours(item) for key, item in value.items()}
    assert isinstance(value, bool | int | float | str | datetime | timedelta)
    return value


ENVIRONMENT = cel.NewEnv(variables={name: their_type(type_) for name, type_ in TYPES.items() if type_ != DATE})


def compiled(text: str, values: dict[str, object]) -> object:
    """Return our live answer: checked, compiled, as a decision has it."""
    source = Source("case", text)
    typed, errors = check(parse(source.whole()), Environment(TYPES, strict=False), source=source)
    assert typed is not None, errors
    if has_dynamic_parts(typed):
        answer = evaluate(typed, values)
        return None if isinstance(answer, Unknown) else answer
    return compile_condition(typed)(values)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(RESULTS).flatmap(lambda type_: typed_conditions(type_=type_, standard=True, known=True)))
def test_reference_and_live_code_agree_with_google_cel(case: tuple[str, dict[str, Type], dict[str, object]]) -> None:
    text, _, values = case
    values = {name: tamed(value) for name, value in values.items()}
    tree = parse(Source("case", text).whole())
    judged = evaluate(tree, values)
    answer = None if isinstance(judged, Unknown) else judged
    data = {name: theirs(value) for name, value in values.items() if name in TYPES}
    result = ENVIRONMENT.compile(text).eval(data=data)
    error = result.type() == cel.Type.ERROR
    has_times = any(word in text for word in ("age", "now", "opened", "times", "duration(", "timestamp("))
    assume(not (error and answer is not None and has_times and "integer overflow" in result.plain_value()))
    assume(not (error and answer is not None and any(isinstance(part, ListLiteral) for part in walk(tree))))
    expected = None if error else ours(result.plain_value())
    assert same(answer, expected), f"{text}\n{values}\nours {judged!r}\ntheirs {result!r}"
    live = compiled(text, values)
    assert same(live, expected), f"{text}\n{values}\nlive {live!r}\ntheirs {result!r}"
