"""JMESPath with bounds: what could grow is refused at load, and what is left pays for its work."""

from __future__ import annotations

import json
import random
from typing import Any

import jmespath
import pytest

from adjudge_plugins.json_path import EXPRESSION_MAX_CHARS, STEPS, Budget, PathFailed, PathRefused, read_path

DOUBLINGS = [
    "[@,@]",
    "{a: @, b: @}",
    "to_string(@)",
    "to_string([@])",
    "map(&[@,@], [@])",
    "[[@][*].[@,@]][]",
    "[@][?[@,@]].[@,@]",
    "sort_by([@,@], &to_string(@))",
    "merge({a: @}, {b: @})",
    "join(',', [to_string(@), to_string(@)])",
    "not_null([@, @])",
    "to_array([@, @])",
    "reverse([@, @])",
    "values({a: @, b: @})",
    "([@,@] || @)",
    "([@,@] && [@,@])",
    "[`1`,@,@]",
    "{a: @, b: @}.*",
]


@pytest.mark.parametrize("step", DOUBLINGS)
def test_read_path_what_doubles_again_and_again_is_refused(step: str) -> None:
    with pytest.raises(PathRefused, match="times as large"):
        read_path(" | ".join([step] * 12))


@pytest.mark.parametrize("step", DOUBLINGS)
def test_find_work_and_size_are_bounded_whatever_gets_past_the_load(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge_plugins.json_path.GROWTH_MAX", 10**99)
    path, budget = read_path(" | ".join([step] * 22)), Budget()

    try:
        found = path.find({"a": ["x" * 50, 1, True]}, budget)
    except PathFailed:
        found = None

    assert len(json.dumps(found)) < 100 * STEPS


@pytest.mark.parametrize(
    "expression",
    [
        "[*].[*]",
        "sort(@)",
        "sort_by(@, &to_string(@))[0]",
        "map(&to_string(@), @)",
        "max_by(@, &abs(@))",
        "[?@ == `5`]",
        "[?@ > `5`] | length(@)",
        "[*].abs(@) | sum(@)",
        "[?contains(to_string(@), '1')]",
        "[].[@][]",
        "@ == @",
        "contains(@, `-1`)",
        "join(to_string(@), map(&to_string(@), @))",
        "to_string(@)",
    ],
)
def test_find_pays_for_a_large_document(expression: str) -> None:
    budget = Budget()

    with pytest.raises(PathFailed, match=r"more than can be taken|too much work"):
        read_path(expression).find(list(range(400_000)), budget)


def test_find_join_pays_for_what_it_writes_before_it_writes_it() -> None:
    document = {"glue": "x" * 1_000_000, "texts": ["a"] * 10_000}  # 10 GB

    with pytest.raises(PathFailed, match="too much work"):
        read_path("join(glue, texts) | length(@)").find(document)


def test_find_a_graph_that_stands_for_a_large_tree_is_not_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge_plugins.json_path.GROWTH_MAX", 10**99)

    for end in ("@", "to_string(@)", "@ == [@,@]", "contains(@, [@])"):
        with pytest.raises(PathFailed):
            read_path(" | ".join([*["[@,@]"] * 30, end])).find(1)


@pytest.mark.parametrize(
    "expression", ["[" * 900, "!" * 900, "((" * 300, "a" * (EXPRESSION_MAX_CHARS + 1), "a[0]" * 60]
)
def test_read_path_long_and_deep_ones_are_refused(expression: str) -> None:
    with pytest.raises(PathRefused):
        read_path(expression)


@pytest.mark.parametrize(
    ("expression", "said", "hint"),
    [
        ("max_of(a)", "JMESPath has no function `max_of`", "did you mean `max_by`?"),
        ("abs(a, b)", "`abs` takes 1, and is given 2", None),
        ("merge()", "`merge` takes 1 or more, and is given 0", None),
    ],
)
def test_read_path_calls_that_cannot_be_answered_are_refused(expression: str, said: str, hint: str | None) -> None:
    with pytest.raises(PathRefused) as caught:
        read_path(expression)

    assert (caught.value.message, caught.value.hint) == (said, hint)


@pytest.mark.parametrize("text", ["1_0", " 7", "7 ", "nan", "inf", "Infinity", "0x10", "01", "١", "+1", ".5", "1."])
def test_find_to_number_takes_the_numbers_of_json_and_no_others(text: str) -> None:
    assert read_path("to_number(@)").find(text) is None


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("-17", -17), ("0.5", 0.5), ("1e3", 1000.0), ("2.50", 2.5)])
def test_find_to_number_reads_what_json_writes(text: str, number: float) -> None:
    assert read_path("to_number(@)").find(text) == number


def test_find_a_fault_of_a_function_is_a_path_that_failed() -> None:
    for expression, document in (("ceil(@)", float("inf")), ("contains(@, `1`)", "text"), ("abs(@)", "text")):
        with pytest.raises(PathFailed):
            read_path(expression).find(document)


PARTS = ["a", "b", "@", "[0]", "[-1]", "[*]", "[]", "*", "[?a]", "[?b > `1`]", "[1:]", "[a, b]", "{x: a}", "keys(@)"]
PARTS += [
    "length(@)",
    "to_array(@)",
    "sort(@)",
    "max(@)",
    "sum(@)",
    "not_null(a, b)",
    "type(@)",
    "reverse(@)",
    "a == b",
]


def test_find_agrees_with_the_library_wherever_that_is_affordable() -> None:
    draw = random.Random(7)

    def document(depth: int) -> Any:
        kind = draw.randrange(6 if depth else 4)
        if kind == 4:
            return [document(depth - 1) for _ in range(draw.randrange(4))]
        if kind == 5:
            return {name: document(depth - 1) for name in draw.sample("abc", draw.randrange(4))}
        return [None, draw.randrange(9), draw.choice(["x", "yy", ""]), draw.random() < 0.5][kind]

    answered = 0
    for _ in range(3000):
        expression = " | ".join(draw.choice(PARTS) for _ in range(draw.randrange(1, 4)))
        given = document(3)
        try:
            expected = jmespath.search(expression, given)
        except Exception:
            with pytest.raises(PathFailed):
                read_path(expression).find(given)
            continue
        answered += 1
        assert read_path(expression).find(given) == expected
    assert answered > 1000
