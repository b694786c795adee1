"""The live back end against the judge: the same answer to every condition, whatever is unknown."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.errors import EvaluationError
from adjudge.expr import evaluate as evaluate_text
from adjudge.expr.check import Environment, check
from adjudge.expr.nodes import Node
from adjudge.expr.parse import parse
from adjudge.expr.python import compile_condition, has_dynamic_parts
from adjudge.expr.reference import Unknown, evaluate
from adjudge.source import Source
from adjudge.values.types import BOOL, DOUBLE, DURATION, INT, STRING, TIMESTAMP, ListType, MapType, Type
from expr.conformance import same
from expr.strategies import ENUM, TYPES, typed_conditions

RESULTS = (BOOL, INT, DOUBLE, STRING, TIMESTAMP, DURATION, ENUM, ListType(INT), ListType(STRING), MapType(STRING, INT))


def checked(text: str, types: Mapping[str, Type] = TYPES, *, strict: bool = False) -> Node:
    source = Source("case", text)
    typed, errors = check(parse(source.whole()), Environment(types, strict=strict), source=source)
    assert typed is not None, "\n".join(error.render() for error in errors)
    return typed


def judged(tree: Node, values: Mapping[str, object]) -> object:
    answer = evaluate(tree, values)
    return None if isinstance(answer, Unknown) else answer


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(RESULTS).flatmap(lambda type_: typed_conditions(type_=type_)))
def test_compiled_code_agrees_with_the_reference(case: tuple[str, dict[str, Type], dict[str, object]]) -> None:
    text, types, values = case
    tree = checked(text, types)
    if has_dynamic_parts(tree):
        return
    compiled, reference = compile_condition(tree)(values), judged(tree, values)
    assert same(compiled, reference), f"{text}\n{values}\ncompiled {compiled!r}\nreference {reference!r}"


@settings(max_examples=300, deadline=None)
@given(typed_conditions(open_sets=False))
def test_checked_tree_means_what_the_parsed_one_does(case: tuple[str, dict[str, Type], dict[str, object]]) -> None:
    text, types, values = case
    parsed = evaluate(parse(Source("case", text).whole()), values)
    answer = None if isinstance(parsed, Unknown) else parsed
    assert same(judged(checked(text, types), values), answer), f"{text}\n{values}"


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("flag && count / 0 == 1", {"flag": False, "count": 1}, False),
        ("flag && count / 0 == 1", {"flag": True, "count": 1}, None),
        ("flag || other.flag", {"other.flag": True}, True),
        ("!flag", {}, None),
        ("count > 3 ? flag : other.flag", {"other.flag": True}, None),
        ("flag ? count > 3 : other.flag", {"flag": False, "other.flag": True}, True),
        ("has(flag)", {}, False),
        ("has(headers.a)", {"headers": {"b": "x"}}, False),
        ("counts.exists(c, c > 2)", {"counts": (1, None, 3)}, True),
        ("counts.exists(c, c > 2)", {"counts": (1, None)}, None),
        ("counts.all(c, c > 2)", {"counts": (1, None)}, False),
        ("counts.exists_one(c, c > 2)", {"counts": (3, None)}, None),
        ("size(counts) == 2", {"counts": (1, None)}, True),
        ("size(face.tags) == 1", {"face.tags": ("SuspectRemake", None)}, None),
        ('"SuspectRemake" in face.tags', {"face.tags": ("SuspectRemake", None)}, True),
        ('"SuspectPSFace" in face.tags', {"face.tags": ("SuspectRemake", None)}, None),
        ("face.score.SuspectRemake >= 0.5", {"face.score.SuspectRemake": 0.5}, True),
        ("count % device.count == 0", {"count": -(2**63), "device.count": -1}, None),
        ("count % device.count == 0", {"count": 7, "device.count": -1}, True),
        ("ratio > 1 && match == 1.0", {"ratio": 1.5, "match": 1.0}, True),
        ("(flag ? count : device.count) == 1", {"flag": True, "count": 1}, True),
        ("counts.map(c, c + 1) == [2, 3]", {"counts": (1, 2)}, True),
        ("counts.filter(c, flag) == counts", {"counts": (1,)}, None),
    ],
)
def test_compiled_condition_with_unknowns_has_kleene_answer(
    text: str, values: Mapping[str, object], expected: object
) -> None:
    tree = checked(text)
    assert compile_condition(tree)(values) is expected
    assert judged(tree, values) is expected


def test_compiled_condition_that_runs_too_long_is_unknown() -> None:
    text = "counts.exists(a, counts.exists(b, counts.exists(c, a + b + c == -1)))"
    tree = checked(text)
    values = {"counts": tuple(range(200))}
    assert compile_condition(tree)(values) is None
    assert judged(tree, values) is None


def test_evaluate_returns_python_values() -> None:
    assert evaluate_text("a + 1", {"a": 2}, types={"a": "int"}) == 3
    assert evaluate_text("[a, 'x']", {"a": 2}) == [2, "x"]
    assert evaluate_text("{'k': xs}", {"xs": [1, 2]}) == {"k": [1, 2]}
    assert evaluate_text("a.b.c", {"a.b": {"c": 1}}, types={"a.b": {"map": ["string", "int"]}}) == 1


@pytest.mark.parametrize(
    ("values", "types"), [({}, {"a": "int"}), ({"a": None}, {"a": "int"}), ({"a": "2"}, {"a": "int"})]
)
def test_evaluate_with_an_unknown_variable_raises(values: dict[str, object], types: dict[str, object]) -> None:
    with pytest.raises(EvaluationError, match="`a` is unknown"):
        evaluate_text("a + 1", values, types=types)
