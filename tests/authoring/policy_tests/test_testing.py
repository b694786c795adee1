"""Running tests: what passes, what fails, and how a failure reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.testing import Result, run

POLICY = """\
policy_language: 1
policy: onboarding
inputs:
  country: string
  account_age: duration
signals:
  face: {fields: {score: {type: double, range: [0, 1]}}}
  device:
    fields: {score: {type: double, range: [0, 100]}, emulator: bool}
    when_unknown: pass
variables:
  risky_device: device.score >= 70 || device.emulator
thresholds:
  face.score: {review: 0.6, reject: 0.9}
rules:
  - id: fresh-on-risky
    when: risky_device && account_age < duration("24h")
    unless: country == "SG"
    then: review
scorecard:
  points:
    - {when: risky_device, add: 40}
    - {when: account_age < duration("168h"), add: 25}
  bands: {review: 60, reject: 80}
"""
DEFAULTS = """\
policy: onboarding.yaml
defaults:
  inputs: {country: DE, account_age: 900h}
  face: {score: 0.1}
  device: {score: 5, emulator: false}
tests:
"""


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[Result, ...]]:
    monkeypatch.chdir(tmp_path)
    Path("onboarding.yaml").write_text(POLICY)

    def results_(tests: str) -> tuple[Result, ...]:
        Path("onboarding_test.yaml").write_text(DEFAULTS + tests)
        return run(read_tests("onboarding_test.yaml"))

    return results_


@pytest.mark.parametrize(
    ("given", "expect", "failing"),
    [
        ("{}", "pass", []),
        ("{}", "review", ["outcome"]),
        ("{}", "{outcome: pass, lower: pass, upper: pass, settled: true}", []),
        ("{}", "{lower: review, upper: reject, settled: false}", ["lower", "upper", "settled"]),
        ("{}", "{rules: [], unresolved: [], waived: [], reasons: []}", []),
        ("{face: {score: 0.7}}", "{rules: ['threshold:face.score:review'], reasons: [FACE_SCORE]}", []),
        ("{face: {score: 0.7}}", "{rules: []}", ["rules"]),
        ("{face: {score: 0.7}}", "{rules: [fresh-on-risky]}", ["rules"]),
        ("{face: {score: 0.7}}", "{reasons: [SCORECARD]}", ["reasons"]),
        ("{face: {score: 0.7}}", "{reasons: []}", ["reasons"]),
        ("{face: unknown}", "{unresolved: ['threshold:face.score:reject'], settled: false, outcome: review}", []),
        ("{face: unknown}", "{unresolved: []}", ["unresolved"]),
        ("{face: unknown}", "{unresolved: [fresh-on-risky]}", ["unresolved"]),
        ("{device: unknown, inputs: {account_age: 2h}}", "{outcome: pass, waived: [fresh-on-risky]}", []),
        ("{device: unknown}", "{waived: [fresh-on-risky]}", ["waived"]),
        ("{device: {emulator: true}}", "{score: 40}", []),
        ("{device: {emulator: true}}", "{score: 25}", ["score"]),
        ("{device: unknown}", "{score: [0, 40]}", []),
        ("{device: unknown}", "{score: 0}", ["score"]),
        ("{device: {score: high}}", "{problems: [device.score]}", []),
        ("{device: {score: 7}}", "{problems: [device.score]}", ["problems"]),
    ],
)
def test_run_meets_or_fails_each_expectation(
    results: Callable[[str], tuple[Result, ...]], given: str, expect: str, failing: list[str]
) -> None:
    (result,) = results(f"  - {{name: t, given: {given}, expect: {expect}}}\n")
    assert [failure.what for failure in result.failures] == failing
    assert result.passed is not failing or result.explanation is None


def test_run_pins_the_clock(results: Callable[[str], tuple[Result, ...]]) -> None:
    Path("onboarding.yaml").write_text(
        "policy_language: 1\npolicy: p\nrules: [{id: late, when: now.getHours() >= 20, then: review}]\n"
    )
    Path("t_test.yaml").write_text(
        "policy: onboarding.yaml\ntests:\n"
        "  - {name: evening, now: 2026-01-15T20:30:00Z, expect: {outcome: review, settled: true}}\n"
        "  - {name: morning, now: 2026-01-15T08:30:00Z, expect: pass}\n"
        "  - {name: no clock, expect: {outcome: review, unresolved: [late]}}\n"
    )
    assert [result.failures for result in run(read_tests("t_test.yaml"))] == [(), (), ()]


def test_failure_shows_expected_and_actual_with_the_rules_concerned(
    results: Callable[[str], tuple[Result, ...]], golden: Callable[[str, str], None]
) -> None:
    *_, result = results(
        "  - {name: first, expect: pass}\n"
        "  - name: a fresh account on an emulator is refused\n"
        "    given: {inputs: {account_age: 2h}, device: {emulator: true, score: unknown}, face: unknown}\n"
        "    expect: {outcome: reject, rules: [fresh-on-risky, 'threshold:face.score:reject'], score: 40}\n"
    )
    golden("authoring/failure.txt", result.render())


@pytest.mark.parametrize("expect", ["reject", "{reasons: [FACE_SCORE]}"])
def test_failure_where_nothing_matched_shows_what_might_have(
    results: Callable[[str], tuple[Result, ...]], expect: str
) -> None:
    given = "{inputs: {account_age: 900h}, face: {score: 0.1}, device: {emulator: false, score: 5}}"
    (result,) = results(f"  - {{name: quiet, given: {given}, expect: {expect}}}\n")
    assert result.verdict.matched == result.verdict.unresolved == ()
    said = result.render()
    assert "threshold:face.score:reject → reject  (onboarding.yaml:14)" in said
    assert "      face.score >= 0.9 is false\n        face.score = 0.1" in said
    assert "14 |   face.score: {review: 0.6, reject: 0.9}" in said


def test_failure_where_nothing_matched_shows_some_of_many(results: Callable[[str], tuple[Result, ...]]) -> None:
    rules = "".join(f"  - {{id: r{at}, when: n == {at}, then: reject}}\n" for at in range(9))
    Path("onboarding.yaml").write_text(f"policy_language: 1\npolicy: p\ninputs: {{n: int}}\nrules:\n{rules}")
    Path("t_test.yaml").write_text(
        "policy: onboarding.yaml\ntests: [{name: t, given: {inputs: {n: 10}}, expect: reject}]\n"
    )
    (result,) = run(read_tests("t_test.yaml"))
    assert [one.id for one in result.concerned()] == ["r0", "r1", "r2", "r3", "r4"]
    assert result.render().endswith("\n\n  and 4 more that are false")


def test_failure_as_json_names_line_failures_and_rules(results: Callable[[str], tuple[Result, ...]]) -> None:
    (result,) = results("  - {name: t, given: {face: {score: 0.95}}, expect: pass}\n")
    data = json.loads(json.dumps(result.data()))
    assert (data["name"], data["line"], data["passed"], data["outcome"]) == ("t", 7, False, "reject")
    assert data["failures"] == [{"what": "outcome", "expected": "pass", "actual": "reject"}]
    assert [rule["id"] for rule in data["explanation"]] == [
        "threshold:face.score:review",
        "threshold:face.score:reject",
    ]
