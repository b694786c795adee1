"""Explanations: the verdict taken apart, value by value."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from adjudge.model import Outcome
from adjudge.policy import Policy, parse_policy
from adjudge.policy.explaining.explanation import HIDDEN, Part

POLICY = """\
policy_language: 1
policy: onboarding
inputs:
  country: string
  account_age: duration
  email: {type: string, personal: true}
  adult: {type: bool, personal: true}
signals:
  face:
    fields:
      tags: {type: set, values: [Forgery, Remake]}
      score: {type: map, keys: [Forgery, Remake], of: {type: double, range: [0, 1]}, absent: 0}
  device:
    fields: {score: {type: double, range: [0, 100]}, emulator: bool}
    when_unknown: pass
lists:
  sanctioned: [IR, KP]
variables:
  risky_device: device.score >= 70 || device.emulator
thresholds:
  face.score: {Forgery: {review: 0.60, reject: 0.90}}
rules:
  - {id: sanctioned, when: country in lists.sanctioned, then: reject}
  - id: fresh-on-risky
    when: risky_device && account_age < duration("24h")
    unless: face.tags.exists(tag, tag == "Remake")
    then: review
  - {id: mail, when: 'email.endsWith("@bad.example") && size(email) > 3 && adult', then: review}
  - {id: ratio, when: 1 / size(country) > 3, then: review, when_unknown: pass}
scorecard:
  points:
    - {when: risky_device, add: 40}
    - {when: account_age < duration("168h"), add: 25}
  bands: {review: 60, reject: 80}
"""
GIVEN: dict[str, Any] = {
    "country": "SG",
    "account_age": "3h",
    "email": "canary@bad.example",
    "adult": True,
    "face": {"tags": [], "score": {"Forgery": 0.97}},
    "device": {"score": "72.0", "emulator": False},
}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse_policy(POLICY, name="onboarding.yaml")


def parts(part: Part) -> dict[str, object]:
    """Every part of a condition by its text."""
    found = {part.text: part.value}
    for inner in part.parts:
        found |= parts(inner)
    return found


def test_explain_reads_as_a_person_wants_it(policy: Policy, golden: Callable[[str, str], None]) -> None:
    golden("explain/mixed.txt", policy.explain(GIVEN).render())


def test_explain_all_takes_false_rules_apart_too(policy: Policy, golden: Callable[[str, str], None]) -> None:
    golden("explain/all.txt", policy.explain({**GIVEN, "device": {"score": 1, "emulator": False}}).render(all=True))


def test_explain_of_nothing_known(policy: Policy, golden: Callable[[str, str], None]) -> None:
    golden("explain/nothing.txt", policy.explain({}).render())


def test_explain_agrees_with_the_verdict(policy: Policy) -> None:
    for given in (GIVEN, {}, {"country": "KP"}, {**GIVEN, "device": {"emulator": True}}):
        explanation = policy.explain(given)
        verdict = policy.evaluate(given)
        assert explanation.verdict == verdict
        assert tuple(rule.id for rule in explanation.rules if rule.truth is True) == verdict.matched
        assert tuple(rule.id for rule in explanation.rules if rule.truth is None) == verdict.unresolved
        taken = [rule.counts_as for rule in explanation.rules if rule.counts_as is not None]
        sure = [rule.outcome for rule in explanation.rules if rule.truth is True and rule.outcome is not None]
        assert max([*taken, *sure, Outcome.PASS]) <= verdict.outcome


def test_explain_unknown_rule_counts_as_what_its_doubt_is_worth(policy: Policy) -> None:
    rules = {rule.id: rule for rule in policy.explain({"account_age": "3h", "face": {"tags": []}}).rules}
    assert rules["sanctioned"].counts_as is Outcome.REVIEW  # the policy's
    assert rules["fresh-on-risky"].counts_as is Outcome.PASS  # the signal's
    assert rules["ratio"].counts_as is Outcome.PASS  # its own


def test_explain_hides_personal_values_and_shows_them_when_asked(policy: Policy) -> None:
    hidden = policy.explain(GIVEN)
    assert "canary" not in hidden.render(all=True) + json.dumps(hidden.data())
    (mail,) = (rule for rule in hidden.rules if rule.id == "mail")
    assert parts(mail.condition) == {
        mail.condition.text: True,
        'email.endsWith("@bad.example")': True,
        "size(email) > 3": True,
        "size(email)": HIDDEN,
        "email": HIDDEN,
        "adult": HIDDEN,
    }
    shown = policy.explain(GIVEN, personal=True)
    assert 'email = "canary@bad.example"' in shown.render()


def test_explain_hides_parts_of_personal_fields() -> None:
    policy = parse_policy(
        """\
policy_language: 1
policy: p
signals:
  kyc:
    fields:
      flags: {type: map, keys: [A], of: bool, personal: true}
      names: {type: set, values: [B], personal: true}
variables:
  first: 'kyc.novel_names[0]'
rules:
  - {id: r, when: 'kyc.flags.A || first == "canary"', then: review}
"""
    )
    given = {"kyc": {"flags": {"A": True}, "names": ["canary"]}}
    (rule,) = policy.explain(given).rules
    values = parts(rule.condition)
    assert values["kyc.flags.A"] == values["first"] == values["kyc.novel_names"] == HIDDEN


def test_explain_unknown_says_where_the_answer_went_missing(policy: Policy) -> None:
    rules = {rule.id: rule for rule in policy.explain(GIVEN).rules}
    assert rules["fresh-on-risky"].why == (
        "`device.score` is unknown: it must be a double, not a string (onboarding.yaml:19)"
    )
    rules = {rule.id: rule for rule in policy.explain({**GIVEN, "country": ""}).rules}
    assert rules["ratio"].why == "division by zero (onboarding.yaml:29)"


def test_explain_comprehension_shows_what_it_runs_over_but_no_single_item() -> None:
    policy = parse_policy(
        "policy_language: 1\npolicy: p\ninputs: {country: string, countries: {type: list, of: string}}\n"
        "rules: [{id: r, when: 'countries.exists(one, one == country)', then: review}]\n"
    )
    (rule,) = policy.explain({"country": "SG", "countries": ["DE", "SG"]}).rules
    assert parts(rule.condition) == {"countries.exists(one, one == country)": True, "countries": ("DE", "SG")}


def test_explain_clock_is_a_value_like_others() -> None:
    policy = parse_policy(
        "policy_language: 1\npolicy: p\nrules: [{id: late, when: now.getHours() >= 20, then: review}]\n"
    )
    (rule,) = policy.explain({}, now=datetime(2026, 1, 15, 20, 30, tzinfo=UTC)).rules
    assert parts(rule.condition) == {
        "now.getHours() >= 20": True,
        "now.getHours()": 20,
        "now": datetime(2026, 1, 15, 20, 30, tzinfo=UTC),
    }
    assert policy.explain({}).rules[0].truth is None


def test_explain_long_value_is_cut_in_the_text_only(policy: Policy) -> None:
    explanation = policy.explain({**GIVEN, "country": "x" * 500})
    assert max(len(line) for line in explanation.render(all=True).splitlines()) < 200
    assert "x" * 500 in json.dumps(explanation.data())


def test_explain_data_is_json(policy: Policy) -> None:
    data = json.loads(json.dumps(policy.explain(GIVEN).data()))
    assert data["outcome"] == "reject"
    reject = next(rule for rule in data["rules"] if rule["id"] == "threshold:face.score.Forgery:reject")
    assert reject == {
        "id": "threshold:face.score.Forgery:reject",
        "kind": "threshold",
        "outcome": "reject",
        "points": None,
        "reason": "FACE_SCORE_FORGERY",
        "truth": True,
        "counts_as": None,
        "excused": False,
        "unknown": None,
        "message": None,
        "place": "onboarding.yaml:21",
        "condition": {
            "text": "face.score.Forgery >= 0.9",
            "value": True,
            "parts": [{"text": "face.score.Forgery", "value": 0.97}],
        },
    }
    assert [row["points"] for row in data["rows"]] == [40, 25]


ENDS = """policy_language: 1
policy: ends
inputs: {shop: string, big: bool}
lists:
  pilot: [m1, {value: m2, until: 2027-01-15}, {value: m3, until: 2027-03-15}]
rules:
  - {id: in, when: big && shop in lists.pilot, then: review}
  - {id: asked, when: 'lists.pilot.exists(one, one == shop)', then: review}
"""


@pytest.mark.parametrize(
    ("shop", "year", "said"),
    [
        ("m1", 2028, ["shop in lists.pilot is true", '  shop = "m1"']),
        ("m2", 2026, ["shop in lists.pilot is true", '  shop = "m2"']),
        ("m2", 2028, ["shop in lists.pilot is false", '  shop = "m2"', "  now = 2028-06-01T00:00:00Z"]),
        ("m9", 2028, ["shop in lists.pilot is false", '  shop = "m9"']),
        (None, 2028, ["shop in lists.pilot is unknown", "  shop is unknown: not given"]),
    ],
)
def test_list_with_entries_that_end_is_explained_as_it_is_written(shop: str | None, year: int, said: list[str]) -> None:
    policy = parse_policy(ENDS)
    explanation = policy.explain({"shop": shop, "big": True}, now=datetime(year, 6, 1, tzinfo=UTC))
    first, second = explanation.rules
    assert list(first.lines())[1].startswith("  big && shop in lists.pilot is ")
    assert list(first.lines())[3:] == ["    " + line for line in said]
    assert list(second.lines())[1].startswith("  lists.pilot.exists(one, one == shop) is ")
    assert "until 20" not in explanation.render(all=True) and "for good" not in explanation.render(all=True)


def test_large_lookup_table_does_not_fill_an_explanation() -> None:
    rows = ", ".join(f"K{number}: {number}" for number in range(3000))
    head = "policy_language: 1\npolicy: large\ninputs: {key: string, n: int}\n"
    rules = "rules:\n  - {id: r, when: n > limit, then: review}\n"
    policy = parse_policy(f"{head}lookup: {{limit: {{by: key, values: {{{rows}}}}}}}\n{rules}")
    lines = policy.explain({"key": "K5", "n": 9}).render().split("\n")
    assert max(map(len, lines)) < 600
    assert "      limit is 5" in lines and '          key = "K5"' in lines
