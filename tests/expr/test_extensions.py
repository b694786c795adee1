"""Whoever knows CEL's extensions is told what to write in a policy: one mistake, one way out."""

from __future__ import annotations

import re

import pytest

from adjudge.errors import PolicyErrors
from adjudge.expr import evaluate
from adjudge.expr.extensions import HINTS, NAMESPACES
from adjudge.expr.functions import FUNCTIONS
from adjudge.policy import parse_policy

HEAD = """
policy_language: 1
policy: p
inputs: {s: string, n: int, l: {type: list, of: int}, m: {type: list, of: int}}
rules:
"""


def mistakes(condition: str) -> list[tuple[str, str | None]]:
    quoted = condition.replace("'", "''")
    with pytest.raises(PolicyErrors) as caught:
        parse_policy(f"{HEAD}  - {{id: r, when: '{quoted}', then: review}}\n")
    return [(error.message, error.hint) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("condition", "name", "way"),
    [
        ('s.replace("a", "b") == "a"', "replace", "plugin"),
        ("math.ceil(double(n)) == 2.0", "math.ceil", "round"),
        ("sets.contains(l, m)", "sets.contains", "a.all(x, x in b)"),
        ("sets.intersects(l, m)", "sets.intersects", "a.exists(x, x in b)"),
        ("cel.bind(x, n + 1, x > 0)", "cel.bind", "variables:"),
        ('ip(s) == ip("1.2.3.4")', "ip", "startsWith"),
        ('regex.extract(s, "a") == "a"', "regex.extract", "matches"),
        ("optional.of(n).hasValue()", "hasValue", "has(x)"),
        ("optional.of(n) == optional.none()", "optional.of", "has(x)"),
        ("l.transformList(i, v, v) == l", "transformList", "one variable"),
        ("l.existsOne(v, v > 1)", "existsOne", "exists_one"),
        ("l.sortBy(v, v) == l", "sortBy", "filter"),
        ("lists.range(3) == l", "lists.range", "filter"),
        ('base64.encode(s) == ""', "base64.encode", "send the text itself"),
        ("type(s) == type(n)", "type", "one type"),
    ],
)
def test_function_of_an_extension_is_one_mistake_with_a_way_out(condition: str, name: str, way: str) -> None:
    found = mistakes(condition)
    assert {message for message, _ in found} <= {f"there is no function `{one}`" for one in (name, "optional.none")}
    assert all(hint is not None and way in hint for _, hint in found)


@pytest.mark.parametrize(
    ("condition", "way"),
    [
        ("math.greatest(1, n) > 1", "max(1, n) > 1"),
        ("math.abs(n) > 1", "n.abs() > 1"),
        ('s.lowerAscii() == "a"', 's.lower() == "a"'),
        ('s.upperAscii() == "A"', 's.upper() == "A"'),
        ('s.toLowerCase() == "a"', 's.lower() == "a"'),
        ('UPPER(s) == "A"', 'upper(s) == "A"'),
    ],
)
def test_function_of_an_extension_is_told_the_whole_condition(condition: str, way: str) -> None:
    ((_, hint),) = mistakes(condition)
    assert hint is not None and way in hint


@pytest.mark.parametrize("macro", ["exists", "all", "exists_one", "filter"])
def test_macro_of_two_variables_is_told_that_there_is_one(macro: str) -> None:
    ((message, hint),) = mistakes(f"l.{macro}(i, v, v > 1)")
    assert message == f"`{macro}` takes a variable and one condition"
    assert hint == f"there is no index, only the item: write `tags.{macro}(tag, …)`"


@pytest.mark.parametrize("condition", ["s.?a.hasValue()", "l[?0].orValue(1) > 0", "size([?n]) > 0"])
def test_optional_is_told_of_has(condition: str) -> None:
    ((message, _),) = mistakes(condition)
    assert message == "optional values are not supported in conditions"


def test_way_out_is_one() -> None:
    """What hints quote as conditions are conditions; no function that there is has a hint."""
    assert not HINTS.keys() & FUNCTIONS.keys()
    values = {"a": [1], "b": [1, 2], "x": -1, "name": "acme", "text": "a", "pattern": "a", "address": "10.0.0.1"}
    for hint in {*HINTS.values(), *NAMESPACES.values()}:
        for quoted in re.findall(r"`([^`]*[(?][^`]*)`", hint):
            if "…" not in quoted and quoted not in ("int(x)", "has(x)", "has(x) ? x : other", "a > b ? a : b"):
                evaluate(quoted, values)
    evaluate("a > b ? a : b", {"a": 1, "b": 2})
    evaluate("has(x) ? x : other", {"x": 1, "other": 2})


def test_declared_name_is_no_namespace() -> None:
    text = HEAD.replace("s: string", "math: string") + "  - {id: r, when: 'math.contains(\"a\")', then: review}\n"
    assert parse_policy(text).evaluate({"math": "abc"}).matched == ("r",)


def test_field_may_have_the_name_of_a_function_that_came_later() -> None:
    text = HEAD.replace("s: string, n: int", "s: string, min: int, round: double, n: int")
    policy = parse_policy(text + "  - {id: r, when: 'min(min, 3) < 2 && round(round) == 2.0', then: review}\n")
    assert policy.evaluate({"min": 1, "round": 1.5}).matched == ("r",)
