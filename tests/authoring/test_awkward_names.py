"""Keys that hold dots or begin as a novel list does, and plain fields called so, are what they were declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.authoring.lint.run import lint
from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.suggest import suggest
from adjudge.authoring.policy_tests.testing import run
from adjudge.model import Outcome
from adjudge.policy import parse_policy

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison.regions import compare
from adjudge.authoring.counterfactual import counterfactual
from adjudge.authoring.proofs.analyse import analyse

TEXT = """policy_language: 1
policy: odd
inputs:
  limits: {type: map, keys: ["1.5", other], of: double}
signals:
  face:
    fields:
      score: {type: map, keys: ["a.b", novel_x, "p:q"], of: {type: int, range: [0, 9], riskier: higher}}
      names: {type: map, keys: ["a.b", b], of: string, personal: true}
      novel_os: string
      flags: {type: set, values: ["f.g", "f:g"]}
      level: {type: enum, values: [low, high], riskier: higher}
      novel_level: {type: list, of: string}
thresholds:
  face.score: {a.b: {review: 3}, novel_x: {review: 3}, "p:q": {review: 3}}
  face.flags: {"f:g": review}
rules:
  - {id: named, when: 'face.names["a.b"] == "x"', then: reject}
  - {id: os, when: 'face.novel_os == "bad"', then: reject}
  - {id: levels, when: 'size(face.novel_level) > 2', then: reject}
  - {id: limit, when: 'limits["1.5"] > 1.0', then: review}
"""
TESTS = """policy: odd.yaml
defaults:
  inputs: {limits: {"1.5": 0, other: 0}}
  face:
    score: {a.b: 0, novel_x: 0, "p:q": 0}
    flags: []
    names: {a.b: "", b: ""}
    novel_os: ""
    level: low
    novel_level: []
tests:
  - name: columns
    table:
      - {face.score.a.b: 5, expect: review}
      - {limits.1.5: 2, expect: review}
      - {face.novel_os: bad, expect: reject}
"""
POLICY = parse_policy(TEXT)
CLEAN = {
    "limits": {"1.5": 0.0, "other": 0.0},
    "face": {
        "score": {"a.b": 0, "novel_x": 0, "p:q": 0},
        "flags": [],
        "names": {"a.b": "", "b": ""},
        "novel_os": "",
        "level": "low",
        "novel_level": [],
    },
}


def changed(field: str, value: object) -> dict[str, object]:
    face = CLEAN["face"]
    return {**CLEAN, "face": {**face, field: value}}


def test_what_is_proved_of_such_names_holds() -> None:
    found = analyse(POLICY, in_process=True)
    assert [(one.code, one.message) for one in found.findings] == []
    assert {force.field: force.outcome for force in found.forces if force.outcome is Outcome.REJECT} == {
        "face.names": Outcome.REJECT,
        "face.novel_os": Outcome.REJECT,
        "face.novel_level": Outcome.REJECT,  # and not `level`, whose list it would be if that were a set
    }


def test_more_risk_in_such_a_key_that_softens_the_outcome_is_found() -> None:
    between = """  - {id: between, when: 'face.score["a.b"] > 3 && face.score["a.b"] < 5', then: reject}\n"""
    found = analyse(parse_policy(TEXT + between), in_process=True)
    assert [one.code for one in found.findings] == ["not-monotone"]
    assert "`face.score.a.b`" in found.findings[0].message


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (changed("score", {"a.b": 5, "novel_x": 0, "p:q": 0}), "face.score.a.b"),
        (changed("score", {"a.b": 0, "novel_x": 5, "p:q": 0}), "face.score.novel_x"),
        (changed("score", {"a.b": 0, "novel_x": 0, "p:q": 5}), "face.score.p:q"),
        (changed("flags", ["f:g"]), "face.flags:f:g"),
        (changed("names", {"a.b": "x", "b": ""}), "face.names.a.b"),
        (changed("novel_os", "bad"), "face.novel_os"),
    ],
)
def test_counterfactual_of_such_names_changes_them_alone(given: dict[str, object], field: str) -> None:
    found = counterfactual(POLICY, given, in_process=True)
    assert [[change.field for change in way.changes] for way in found.ways] == [[field]]
    assert {change.is_personal for way in found.ways for change in way.changes} == {field == "face.names.a.b"}


def test_comparison_sees_such_names_change() -> None:
    assert compare(POLICY, POLICY, in_process=True).regions == ()
    other = parse_policy(TEXT.replace('names["a.b"] == "x"', 'names["a.b"] == "y"'))
    assert {region.cause for region in compare(POLICY, other, in_process=True).regions} == {"named"}


def test_lint_asks_for_the_novel_lists_of_the_maps_alone() -> None:
    said = [one.message for one in lint(POLICY.typed) if one.code == "unhandled-novel"]
    assert said == [
        "a new word in `limits` passes: no rule reads `novel_limits`",
        "a new word in `face.score` passes: no rule reads `face.novel_score`",
        "a new word in `face.names` passes: no rule reads `face.novel_names`",
        "a new word in `face.flags` passes: no rule reads `face.novel_flags`",
    ]


def test_tests_that_are_suggested_and_columns_of_tables_reach_such_names(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(TEXT, encoding="utf-8")
    path = tmp_path / "odd_test.yaml"
    path.write_text(TESTS, encoding="utf-8")
    file = read_tests(path)
    assert all(result.passed for result in run(file))
    found, unfound = suggest(file)
    assert found
    assert {item.name for item in unfound} <= {"levels"}  # no list so long is guessed
