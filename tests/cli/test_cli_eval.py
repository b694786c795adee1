from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("arguments", "shown", "value"),
    [
        (("1 + 2",), "3", 3),
        (("a + 1", "--given", '{"a": 2}'), "3", 3),
        (("a + 1.5", "--given", '{"a": 2}', "--types", '{"a": "double"}'), "3.5", 3.5),
        (("name.startsWith('x')", "--given", '{"name": "xy"}'), "true", True),
        (("age < duration('2h')", "--given", '{"age": "90m"}', "--types", '{"age": "duration"}'), "true", True),
        (("age", "--given", '{"age": "90m"}', "--types", '{"age": "duration"}'), "1h30m", "5400s"),
        (("t.getHours()", "--given", '{"t": "2026-01-15T08:30:00Z"}', "--types", '{"t": "timestamp"}'), "8", 8),
        (("ages[0] + ages[1]", "--given", '{"ages": ["1m", "2m"]}', "--types", '{"ages": {"list": "duration"}}'),
         "3m", "180s"),
        (("m.a", "--given", '{"m": {"a": "1m"}}', "--types", '{"m": "map(string, duration)"}'), "1m", "60s"),
        (('["a", "b"]',), '["a", "b"]', ["a", "b"]),
        (("false && b", "--types", '{"b": "bool"}'), "false", False),
    ],
)  # fmt: skip
def test_eval_prints_the_value(run: Any, arguments: tuple[str, ...], shown: str, value: object) -> None:
    text = run("eval", *arguments)
    assert (text.exit_code, text.stdout) == (0, f"{shown}\n")
    assert json.loads(run("eval", *arguments, "--format", "json").stdout) == {"value": value}


def test_eval_unknown_is_said_with_its_reason_and_status_1(run: Any) -> None:
    arguments = ("eval", "a > 1", "--types", '{"a": "int"}')
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "unknown: `a` is unknown\n")
    assert json.loads(run(*arguments, "--format", "json").stdout) == {"value": None, "unknown": "`a` is unknown"}


def test_eval_division_by_zero_is_said(run: Any) -> None:
    result = run("eval", "1 / n", "--given", '{"n": 0}')
    assert (result.exit_code, result.stdout) == (1, "unknown: division by zero\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a +",), "<expression>:1:4: error[syntax-"),
        (("a > 1",), "hint: give its value in --given, or its type in --types"),
        (("a > 'x'", "--given", '{"a": 1}'), "error[type-mismatch]"),
        (("a", "--given", "{a: 1}"), "--given: line 1, column 2: is not JSON"),
        (("a", "--given", "[1]"), "--given: must be a JSON object"),
        (("a", "--types", '{"a": "strng"}'), "--types: a: there is no type 'strng'"),
        (("a", "--given", '{"a": "soon"}', "--types", '{"a": "timestamp"}'), "--given: a: `soon` is not a timestamp"),
    ],
)
def test_eval_bad_input_is_one_error_and_status_2(run: Any, arguments: tuple[str, ...], said: str) -> None:
    result = run("eval", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
