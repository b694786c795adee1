"""Where z3 can neither prove nor show, an input that is evaluated may show it; and where it was wrong, it is not."""

from __future__ import annotations

import pytest

from adjudge.policy import Policy, parse_policy

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison.regions import compare
from adjudge.authoring.counterfactual import counterfactual
from adjudge.authoring.proofs.analyse import Analysis, analyse
from adjudge.expr.smt.translate import Translator

HEAD = """policy_language: 1
policy: tried
inputs:
  a: {type: double, range: [0, 1000000]}
  b: {type: double, range: [0, 1000000]}
  n: int
  text: string
  web: bool
  channel: {type: enum, values: [app, web, shop]}
  marks: {type: set, values: ["a", "?", "b"]}
  hits: {type: map, keys: [a, "a!", "a?"], of: bool}
  free: {type: map, of: int}
"""


def policy_of(*conditions: str, outcomes: tuple[str, ...] = ()) -> Policy:
    lines = [
        f"  - {{id: r{at}, when: '{text}', then: {outcomes[at] if outcomes else 'review'}}}\n"
        for at, text in enumerate(conditions)
    ]
    return parse_policy(f"{HEAD}rules:\n{''.join(lines)}")


def analysis_of(*conditions: str, outcomes: tuple[str, ...] = (), timeout_s: float = 5.0) -> Analysis:
    return analyse(policy_of(*conditions, outcomes=outcomes), timeout_s=timeout_s, in_process=True)


@pytest.mark.parametrize(
    "condition",
    [
        "a > b * 3.0",
        "a * b > 12.5",
        "a - b == 0.5",
        "a / b > 7.5",
        "(a + b) * 0.5 < 3.25",
        "double(n) * a > b",
        "a * a > b",
    ],
)
def test_a_rule_on_sums_of_doubles_is_shown_to_hold(condition: str) -> None:
    open_ = [f.message for f in analysis_of(condition).findings if f.code == "not-proved" and "can be" in f.message]
    assert open_ == []


@pytest.mark.parametrize(
    "condition",
    [
        '(web ? "web" : channel) == "app"',
        '(web ? channel : "web") == "app"',
        '(web ? text : channel) == "app"',
        '(web ? channel : text) == "app"',
        '(web ? "x" : (web ? channel : text)) in ["app", "y"]',
        '(web ? "web" : channel).startsWith("a")',
    ],
)
def test_a_text_beside_an_enum(condition: str) -> None:
    policy = policy_of(condition)
    codes = {finding.code for finding in analyse(policy, in_process=True).findings}
    possible = [
        {"web": web, "channel": channel, "text": text}
        for web in (True, False)
        for channel in ("app", "web")
        for text in ("app", "y", "x")
    ]
    can = any(policy.evaluate(given).matched for given in possible)
    assert ("never-true" in codes) is not can
    assert compare(policy, policy, in_process=True).relation == "same"


@pytest.mark.parametrize(
    "condition",
    [
        '"?" in marks && "a" in marks',
        'hits["a!"] && has(hits.a)',
        '!hits["a!"] && has(hits.a)',
        '!has(hits.a) && hits["a?"]',
        '!hits["a?"] && hits.a',
    ],
)
def test_names_of_members_and_keys_do_not_collide(condition: str) -> None:
    assert "never-true" not in {finding.code for finding in analysis_of(condition).findings}


@pytest.mark.parametrize(
    "condition",
    [
        'size(text) == 1 && text > "\\U0002FFFF"',
        'text == "a\\U00030000" || text == "a\\U00030001" && n > 3',
        'text == "\\U0010FFFF"',
        'text > "\\U0002FA1F" && text < "\\U0002FA22" && size(text) == 1',
    ],
)
def test_texts_past_the_solver_s_own_are_found(condition: str) -> None:
    policy = parse_policy(f"{HEAD}rules:\n  - id: r\n    when: {condition}\n    then: review\n")
    analysis = analyse(policy, timeout_s=60.0, total_s=600.0, in_process=True)  # a busy machine takes long
    assert not {"never-true", "not-proved"} & {finding.code for finding in analysis.findings}
    without = parse_policy(f"{HEAD}rules: []\n")
    assert compare(policy, without, in_process=True).relation == "laxer"


def test_texts_between_neighbours_past_the_solver_s_own_are_not_proved_away() -> None:
    text = 'text > "\\U00030000" && text < "\\U00030001" && size(text) == 1'
    findings = analysis_of(text, timeout_s=0.5).findings  # what stays open claims nothing
    assert "always-true" not in {finding.code for finding in findings}


def test_each_question_has_variables_of_its_own() -> None:
    """What forces an outcome was asked twice, with the same names for other things, and then nothing could."""
    found = analysis_of("a * 2.0 > b", "a * 3.0 > 7.5", "n * 2 > 5", outcomes=("reject", "review", "review")).forces
    assert {force.field for force in found} == {"a", "n"}


def test_what_z3_refuses_is_not_proved_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    import z3

    def refuse(*arguments: object) -> object:
        raise z3.Z3Exception(b"sort mismatch")

    monkeypatch.setattr(Translator, "binary", refuse)
    finding = next(f for f in analysis_of("n > 3 && n < 2").findings if f.code != "softened-by-loss")
    assert finding.code == "not-proved"
    assert "does not take `n" in finding.message
    assert "sort mismatch" in finding.message


def test_a_change_never_tells_what_a_list_holds() -> None:
    text = """policy_language: 1
policy: allowed
inputs:
  country: {type: string, actionable: true}
  mail: {type: string, actionable: true}
lists: {allowed: [QQ, WW], domains: ["@secret.example"]}
rules:
  - {id: outside, when: '!(country in lists.allowed)', then: reject}
  - {id: domain, when: '!lists.domains.exists(d, mail.endsWith(d))', then: review}
"""
    policy = parse_policy(text)
    result = counterfactual(policy, {"country": "DE", "mail": "a@b"}, in_process=True)
    assert result.ways
    said = " ".join([*result.lines(), *(str(change.new) for way in result.ways for change in way.changes)])
    assert not [word for word in ("QQ", "WW", "secret") if word in said]
    assert "one that a list of the policy names" in said
