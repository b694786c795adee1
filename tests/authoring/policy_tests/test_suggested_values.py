"""What `adjudge test --suggest` proposes is what a person would write, and lies on the side that it is for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.coverage import coverage
from adjudge.authoring.policy_tests.suggest import appended, suggest
from adjudge.policy.catalogue import Catalogue

POLICY = """policy_language: 1
policy: shop
inputs:
  score: {type: double, range: [0, 1]}
  amount: {type: double, range: [0, 100000]}
  age: duration
  seen: timestamp
rules:
  - {id: fresh, when: 'age < duration("720h")', then: review}
  - {id: day, when: '!(age >= duration("24h"))', then: reject}
  - {id: early, when: 'seen < timestamp("2026-01-01T00:00:00Z")', then: review}
  - {id: tiny, when: 'score > 0.0005 && score < 0.0007', then: review}
scorecard:
  points:
    - {id: high, when: score > 0.9, add: 30}
    - {id: middle, when: score < 0.85, add: 20}
    - {id: large, when: '!(amount <= 1000)', add: 40}
  bands: {review: 40, reject: 60}
"""
TESTS = """policy: shop.yaml
defaults:
  inputs: {score: 0.87, amount: 5, age: 9000h, seen: "2026-06-01T00:00:00Z"}
tests:
  - {name: passes, expect: pass}
"""


@pytest.fixture
def suggested(tmp_path: Path) -> str:
    (tmp_path / "shop.yaml").write_text(POLICY)
    path = tmp_path / "shop_test.yaml"
    path.write_text(TESTS)
    file = read_tests(path, Catalogue())
    suggestions, unfound = suggest(file)
    assert not unfound
    text = appended(file, suggestions, Catalogue())  # which evaluates each
    filled = re.sub(r"expect: # today: (\w+)", r"expect: \1", text)
    path.write_text(filled)
    again = read_tests(path, Catalogue())
    assert not coverage([again]).missing
    return filled


def test_values_are_short(suggested: str) -> None:
    """No value is the machine's neighbour of a bound."""
    numbers = re.findall(r"\b\d+\.\d+", suggested)
    assert numbers and all(len(number) <= 8 for number in numbers), numbers
    times = re.findall(r"\b(?:\d+(?:\.\d+)?[hms])+\b", suggested)
    assert times and all("." not in one for one in times), times
    assert "999" not in suggested.replace("1999", "")


CLOCKLESS = """policy_language: 1
policy: p
inputs: {match: {type: double, range: [0, 1], riskier: lower}, n: {type: int, range: [0, 9]}, vpn: bool}
rules:
  - {id: low, when: match < 0.8, then: review}
scorecard:
  points:
    - {when: vpn, add: 10}
    - {when: n >= 2, add: 20}
  bands: {review: 20, reject: 30}
"""


def test_no_clock_is_suggested_where_the_policy_reads_none(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(CLOCKLESS, "utf-8")
    (tmp_path / "p_test.yaml").write_text("policy: p.yaml\ntests:\n  - {name: a, expect: review}\n", "utf-8")
    tests, left = suggest(read_tests(tmp_path / "p_test.yaml", Catalogue()))
    assert tests and not left
    assert [one.name for one in tests if one.now is not None] == []
