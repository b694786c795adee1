"""Conditions that can never hold are found at load, however the slip is dressed."""

from __future__ import annotations

import pytest

from adjudge.errors import PolicyErrors
from adjudge.policy import parse_policy

POLICY = """
policy_language: 1
policy: slips
inputs:
  flag: bool
  count: {{type: int, range: [0, 100]}}
  country: string
signals:
  face:
    fields:
      result: {{type: enum, values: [low, suspicious, high]}}
      tags: {{type: set, values: [SuspectRemake, SuspectPSFace]}}
      share: {{type: double, range: [0, 1]}}
lists: {{bad: [hgih], good: [high], mixed: [high, other], countries: [SG]}}
rules:
  - {{id: one, when: '{condition}', then: reject}}
"""


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("face.result in lists.bad", "name-vocabulary"),
        ('["SuspectReamke"].exists(t, t in face.tags)', "name-vocabulary"),
        ('face.result.matches("^hihg$")', "name-vocabulary"),
        ('face.result.startsWith("hih")', "name-vocabulary"),
        ('string(face.result) == "hihg"', "name-vocabulary"),
        ('face.result + "" != "hihg"', "name-vocabulary"),
        ('"SuspectReamke" in (face.tags + [])', "name-vocabulary"),
        ('face.tags.exists(t, t.contains("Reamke"))', "name-vocabulary"),
        ("flag && !(face.result in lists.bad)", "name-vocabulary"),
        ("size(face.tags) > 2", "name-vocabulary"),
        ("face.share >= 60", "threshold-range"),
        ("face.share >= 60.0 || flag", "threshold-range"),
        ("-1 < count", "threshold-range"),
        ("count == 101", "threshold-range"),
    ],
)
def test_condition_that_can_never_hold_is_refused(condition: str, code: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        parse_policy(POLICY.format(condition=condition))
    assert [error.code for error in caught.value.errors] == [code]


@pytest.mark.parametrize(
    "condition",
    [
        "face.result in lists.good",
        "face.result in lists.mixed",
        'face.result.matches("^h")',
        "size(face.tags) == 2",
        "face.share >= 1.0",
        "face.share > 1.0",
        "count >= 0",
        "country in lists.countries",
        "count > 3 && count < 2",
        "has(face.result)",
        "flag",
    ],
)
def test_condition_that_may_hold_is_left_to_its_author(condition: str) -> None:
    assert parse_policy(POLICY.format(condition=condition)).typed.rules[0].id == "one"
