"""A failing test shows which rule, row, excuse or step was meant, and why it was not true, with values."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.testing import run
from adjudge.policy.catalogue import Catalogue

POLICY = """policy_language: 1
policy: shop
inputs:
  country: {type: enum, values: [SG, ID, PH]}
  match: {type: double, range: [0, 1], riskier: lower}
  attempts: {type: int, range: [0, 100], riskier: higher}
  vpn: bool
steps: {document: show it, selfie: take it}
thresholds:
  match: {below: {review: 0.8, reject: 0.5}}
tables:
  limits:
    rows:
      - {country: SG, attempts >=: 5, then: review}
rules:
  - {id: asks, when: vpn && country == "PH", then: review, ask: [document]}
excuse:
  - {id: sure, when: match > 0.95, from: review}
scorecard:
  points:
    - {when: vpn, add: 10}
    - {when: attempts >= 2, add: 20}
  bands: {review: {at: 20, ask: [selfie]}, reject: 100}
"""
CASES = [
    ("{attempts: 4}", '{rules: ["limits:1"]}', ["limits:1 → review", "attempts >= 5 is false", "attempts = 4"]),
    ("{match: 0.6}", "reject", ["match <= 0.5 is false", "match = 0.6", "scorecard: 0 points; review from 20"]),
    ("{vpn: true}", "{reasons: [SCORECARD]}", ["attempts >= 2 is false", "attempts = 1", "scorecard: 10 points"]),
    ("{vpn: true}", "{score: 30}", ["row 2 → +20 points", "attempts = 1"]),
    ("{attempts: 5, match: 0.96}", "review", ["limits:1 → review, excused", "match > 0.95 is true", "match = 0.96"]),
    ("{attempts: 5}", '{outcome: review, excused: ["limits:1"]}', ["match > 0.95 is false", "match = 0.9"]),
    ("{country: PH}", "{ask: [document]}", ["asks → review", "vpn is false"]),
    ("{vpn: true}", "{ask: [selfie]}", ["attempts >= 2 is false", "review from 20"]),
]


@pytest.mark.parametrize(("given", "expect", "said"), CASES)
def test_failure_shows_what_was_meant_and_why_it_was_not(
    tmp_path: Path, given: str, expect: str, said: list[str]
) -> None:
    (tmp_path / "shop.yaml").write_text(POLICY, "utf-8")
    (tmp_path / "shop_test.yaml").write_text(
        "policy: shop.yaml\ndefaults: {inputs: {country: SG, match: 0.9, attempts: 1, vpn: false}}\n"
        f"tests:\n  - {{name: t, given: {{inputs: {given}}}, expect: {expect}}}\n",
        "utf-8",
    )
    (result,) = run(read_tests(tmp_path / "shop_test.yaml", Catalogue()))
    assert not result.passed
    text = result.render()
    assert [one for one in said if one not in text] == [], text
