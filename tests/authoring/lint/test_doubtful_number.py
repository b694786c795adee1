"""Numbers that load as others than they look: each is found at its place, with a text to type that is fine."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.run import lint
from adjudge.policy.loading.load import read_policy

CODE = "doubtful-number"
INPUTS = """policy_language: 1
policy: p
inputs:
  x: int
  n: int
  ratio: double
  amount: {type: double, range: [0, 100000]}
  share: {type: double, range: [0, 50]}
  country: string
  xs: {type: list, of: int}
  born: date
  at: timestamp
"""
RANGES = [
    ("x in [3-5]", "3-5", "x >= 3 && x <= 5"),
    ("x in [3 - 5]", "3 - 5", "x >= 3 && x <= 5"),
    ("x in [5-3]", "5-3", "x >= 3 && x <= 5"),
    ("x in [1, 3-5]", "3-5", "x in [1] || x >= 3 && x <= 5"),
    ("x in [3-5, 7-9]", "3-5", "x >= 3 && x <= 5 || x >= 7 && x <= 9"),
    ("x == 18-65", "18-65", "x >= 18 && x <= 65"),
    ("x == 65-18", "65-18", "x >= 18 && x <= 65"),
    ("x != 18-65", "18-65", "x < 18 || x > 65"),
    ("x >= 80-100", "80-100", "x >= 80 && x <= 100"),
    ("80-100 <= x", "80-100", "x >= 80 && x <= 100"),
    ("x > (80-100)", "(80-100)", "x >= 80 && x <= 100"),
    ("x >= -5-10", "-5-10", "x >= -5 && x <= 10"),
    ("ratio > 0.5-0.9", "0.5-0.9", "ratio >= 0.5 && ratio <= 0.9"),
    ("at.getHours() in [9-17]", "9-17", "at.getHours() >= 9 && at.getHours() <= 17"),
    ("x in {3: 5}", "{3: 5}", "x >= 3 && x <= 5"),
]
PARTS = [
    ("!(x in [3-5])", "3-5", "!((x >= 3 && x <= 5))"),
    ("n > 1 && x in [1, 3-5]", "3-5", "n > 1 && (x in [1] || x >= 3 && x <= 5)"),
    ("xs.exists(v, v in [3-5])", "3-5", "xs.exists(v, (v >= 3 && v <= 5))"),
    ("x in [1 -3]", "1 -3", "x in [1, -3]"),
    ("n > max(3-5, x)", "3-5", "n > max(-2, x)"),
    ("x == 1-800-555", "1-800-555", "x == -1354"),
    ("ratio > 30/100", "30/100", "ratio > 0.3"),
    ("x in [1/2]", "1/2", "x in [1, 2]"),
    ("x > n * (1/2)", "(1/2)", "x > n * 0"),
    ("n > 20 % x", "20 % x", "n > x * 20 / 100"),
    ("amount > 1.000", "1.000", "amount > 1000"),
    ("amount > 12.500", "12.500", "amount > 12500"),
    ("ratio > 10.000", "10.000", "ratio > 10000"),
    ("x == 05", "05", "x == 5"),
    ("x in [08, 9]", "08", "x in [8, 9]"),
    ("x in [1,000]", "000", "x in [1000]"),
]
DAYS = [
    ("x >= 2025-01-31", "2025-01-31", 'date("2025-01-31")'),
    ("x >= 2025 - 1 - 31", "2025 - 1 - 31", 'date("2025-01-31")'),
    ("2025/01/31 <= x", "2025/01/31", 'date("2025-01-31")'),
    ("x < 31/01/2025", "31/01/2025", 'date("2025-01-31")'),
    ("x == 12/31/2025", "12/31/2025", 'date("2025-12-31")'),
    ("x > 01/02/2025", "01/02/2025", 'date("2025-01-02")'),
]
HONEST = [
    "x > -18",
    "x in [-1, -3]",
    "n - x > 2",
    "n - 3 > 2",
    "n - (3 - 5) > x",
    "x > 365 - 30",
    "x == 365 - 30",
    "x >= 24 * 60 * 60",
    "x > 24 * 60 - 60",
    "amount > 0.5 * 100.0 - 60.0",
    "x > 100 / 4",
    "ratio > 1.0 / 3.0",
    "x % 5 == 0",
    "n > x % 7",
    "amount * 1.2 > 3.5",
    "share > 1.000",
    "ratio > 0.500",
    "ratio > 1.255",
    "x > 0",
    "x in [0, 10, 100]",
    "x in {3: 5, 7: 9}",
    'at > now - duration("3h")',
    'now - at > duration("30d")',
    'born < date("2025-01-31")',
    'country in ["01", "3-5", "2025-01-31"]',
]


def doubts(condition: str, inputs: str = INPUTS) -> list[LintFinding]:
    quoted = condition.replace("'", "''")
    text = f"{inputs}rules:\n  - {{id: a, when: '{quoted}', then: review}}\n"
    return [finding for finding in lint(read_policy(text, "p.yaml")) if finding.code == CODE]


def said(finding: LintFinding) -> str:
    return finding.source.text[finding.span.start : finding.span.end]


@pytest.mark.parametrize(("condition", "place", "meant"), RANGES)
def test_range_is_found_where_numbers_are_subtracted(condition: str, place: str, meant: str) -> None:
    finding = doubts(condition)[0]
    assert said(finding) == place
    assert f"write `{meant}`" in str(finding.hint)
    assert doubts(meant) == []


@pytest.mark.parametrize(("condition", "place", "meant"), PARTS)
def test_number_is_found_at_its_place(condition: str, place: str, meant: str) -> None:
    (finding,) = doubts(condition)
    assert said(finding) == place
    typed = re.findall(r"`([^`]*)`", str(finding.hint))
    assert any(text in meant for text in typed), finding.hint
    assert doubts(meant) == []


@pytest.mark.parametrize(("condition", "place", "meant"), DAYS)
def test_day_without_quotes_is_found(condition: str, place: str, meant: str) -> None:
    (finding,) = doubts(condition)
    assert said(finding) == place
    assert "declare `x: date`, and write `date(" in str(finding.hint) and f"`{meant}`" in str(finding.hint)
    assert doubts(condition.replace(place, meant), INPUTS.replace("x: int", "x: date")) == []


@pytest.mark.parametrize("condition", HONEST)
def test_honest_arithmetic_is_left_alone(condition: str) -> None:
    assert doubts(condition) == []


@given(st.integers(0, 9999), st.integers(0, 9999), st.sampled_from(["-", " - "]))
def test_every_range_of_a_list_is_found_and_its_text_is_fine(low: int, high: int, sign: str) -> None:
    (finding,) = doubts(f"x in [{low}{sign}{high}]")
    meant = re.findall(r"`([^`]*)`", str(finding.hint))
    assert meant == [f"x >= {min(low, high)} && x <= {max(low, high)}", str(low - high)]
    assert doubts(meant[0]) == doubts(f"x in [{meant[1]}]") == []


def test_variables_thresholds_and_points_are_looked_at() -> None:
    text = INPUTS + (
        "variables: {v: 3-5, w: 2025-01-31}\n"
        "rules:\n  - {id: v, when: v > n || w > n, then: review}\n"
        "thresholds:\n  amount: {review: 1.000, reject: 20000}\n"
        "scorecard:\n  points:\n    - {when: n == 05, add: 5}\n  bands: {review: 10}\n"
        "excuse: {when: x == 007, from: review}\n"
    )
    found = [said(one) for one in lint(read_policy(text, "p.yaml")) if one.code == CODE]
    assert found == ["3-5", "2025-01-31", "1.000", "05", "007"]
