"""What would have changed a decision does change it, and nothing smaller does."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.model import Outcome
from adjudge.policy import parse_policy

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring import counterfactual as module

counterfactual = partial(module.counterfactual, in_process=True)
"""A process for each would take a second long."""

POLICY = parse_policy("""policy_language: 1
policy: shop
inputs:
  age: {type: int, range: [0, 5], actionable: true}
  match: {type: int, range: [0, 5], riskier: lower}
  flag: bool
signals:
  face:
    fields:
      tags: {type: set, values: [A, B]}
      score: {type: map, keys: [A, B], of: {type: int, range: [0, 5]}, absent: 0}
thresholds:
  match: {below: {review: 2, reject: 0}}
  face.score: {A: {review: 2, reject: 4}, B: {review: 3}}
  face.tags: {A: review}
rules:
  - {id: fresh, when: age < 3 && flag, then: review}
  - {id: odd, when: age == 5 && match < 4, then: reject}
""")
CLEAN = {"age": 4, "match": 5, "flag": False, "face": {"tags": [], "score": {}, "novel_tags": [], "novel_score": []}}
RANGES = {"age": range(6), "match": range(6), "flag": (False, True)}


def outcome(given_: dict[str, object]) -> Outcome:
    return POLICY.evaluate(given_).outcome


@st.composite
def requests(draw: st.DrawFn) -> dict[str, object]:
    score = st.dictionaries(st.sampled_from("AB"), st.integers(0, 5))
    face = {**CLEAN["face"], "tags": draw(st.lists(st.sampled_from("AB"), unique=True)), "score": draw(score)}  # type: ignore[dict-item]
    return {"age": draw(st.integers(0, 5)), "match": draw(st.integers(0, 5)), "flag": draw(st.booleans()), "face": face}


def variants(request: dict[str, object], fields: tuple[str, ...]) -> list[dict[str, object]]:
    """Every request that differs in these fields only."""
    found = [request]
    for name in fields:
        if name in RANGES:
            found = [{**one, name: value} for one in found for value in RANGES[name]]
        else:
            kind, member = name.split(":")
            for at, one in enumerate(list(found)):
                face = dict(one["face"])  # type: ignore[call-overload]
                tags = [tag for tag in face["tags"] if tag != member]
                if kind == "tag":
                    found[at : at + 1] = [one]
                    found.append({**one, "face": {**face, "tags": tags if member in face["tags"] else [*tags, member]}})
                else:
                    found += [{**one, "face": {**face, "score": {**face["score"], member: n}}} for n in range(6)]
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests())
def test_fewest_changes_are_those_that_trying_all_finds(request_: dict[str, object]) -> None:
    was = outcome(request_)
    result = counterfactual(POLICY, request_, timeout_s=10, total_s=60, in_process=True)
    assert result.open is None
    if was is Outcome.PASS:
        assert result.ways == ()
        return
    names = (*RANGES, "tag:A", "tag:B", "score:A", "score:B")
    enough = (
        count
        for count in range(1, 5)
        for fields in combinations(names, count)
        if any(outcome(variant) < was for variant in variants(request_, fields))
    )
    fewest = next(enough, None)  # more than four changes are not looked for
    assert {len(way.changes) for way in result.ways} == ({fewest} if fewest is not None else set())
    assert all(way.outcome < was for way in result.ways)


def test_applicant_is_told_of_actionable_fields_only() -> None:
    both = {**CLEAN, "age": 1, "flag": True}
    assert {change.field for way in counterfactual(POLICY, both).ways for change in way.changes} == {"age", "flag"}
    (way,) = counterfactual(POLICY, both, actionable=True).ways
    assert [str(change) for change in way.changes] == ["age: 1 → 3"]
    stuck = counterfactual(POLICY, {**CLEAN, "match": 1}, actionable=True)
    assert list(stuck.lines()) == ["no change of up to 4 of these fields would have softened it"]


def test_number_goes_no_farther_than_it_must() -> None:
    policy = parse_policy(
        "policy_language: 1\npolicy: x\ninputs: {share: {type: double, range: [0, 1]}, age: duration}\n"
        "thresholds: {share: {review: 0.6}, age: {below: {review: 24h}}}\n"
    )
    (way,) = counterfactual(policy, {"share": 0.9, "age": "48h"}).ways
    assert [str(change) for change in way.changes] == ["share: 0.9 → 0.59"]
    (way,) = counterfactual(policy, {"share": 0.1, "age": "2h"}).ways
    assert [str(change) for change in way.changes] == ["age: 2h → 24h1m"]


def test_time_and_a_tiny_number_go_no_farther_than_they_must() -> None:
    policy = parse_policy(
        "policy_language: 1\npolicy: x\ninputs: {share: {type: double, range: [0, 1]}, born: timestamp}\n"
        "rules:\n  - {id: born, when: 'born > timestamp(\"2010-01-01T12:00:00Z\")', then: review}\n"
        "  - {id: share, when: share > 0.0000000001, then: review}\n"
    )
    (way,) = counterfactual(policy, {"share": 0.0, "born": "2011-03-04T05:06:07Z"}).ways
    assert [change.new for change in way.changes] == [datetime(2010, 1, 1, tzinfo=UTC)]
    (way,) = counterfactual(policy, {"share": 0.000000002, "born": "2009-03-04T05:06:07Z"}).ways
    assert [change.new for change in way.changes] == [0.0000000001]


def test_lost_signal_comes_back_as_a_whole() -> None:
    (way,) = counterfactual(POLICY, {**CLEAN, "face": None}).ways
    assert [str(change) for change in way.changes] == ["an answer of face"]


def test_personal_value_is_not_told() -> None:
    policy = parse_policy(
        "policy_language: 1\npolicy: x\n"
        "inputs: {email: {type: string, personal: true}, born: {type: int, personal: true}}\n"
        "rules: [{id: a, when: 'email.endsWith(\"@x\") && born > 2000', then: review}]\n"
    )
    said = [str(one) for way in counterfactual(policy, {"email": "canary@x", "born": 2001}).ways for one in way.changes]
    assert sorted(said) == ["born: ••• → •••", "email: ••• → •••"]


def test_question_without_time_is_open() -> None:
    result = counterfactual(POLICY, {**CLEAN, "match": 0}, timeout_s=1, total_s=0, in_process=True)
    assert result.ways == ()
    assert list(result.lines()) == ["not proved: no time was left for it"]


HEAD = "policy_language: 1\npolicy: x\ninputs:\n"
LISTS = f"""{HEAD}  names: {{type: list, of: string}}
  country: {{type: string, actionable: true}}
rules:
  - {{id: name, when: 'names.exists(n, n == "bad")', then: reject}}
  - {{id: place, when: '!(country in ["SG"])', then: review}}
"""
FREE = f"""{HEAD}  o: {{type: map, of: int}}
  x: {{type: int, actionable: true}}
rules: [{{id: r, when: 'o.exists(k, o[k] > 5) || x > 5', then: review}}]
"""


@pytest.mark.parametrize(
    ("text", "given_"),
    [
        (LISTS, {"names": ["a", "b", "c", "d", "bad"], "country": "TR"}),
        (FREE, {"o": {"a": 9}, "x": 9}),
        (f"{HEAD}  a: double\nrules: [{{id: r, when: 1.0 / a < 0.0, then: review}}]\n", {"a": -0.0}),
    ],
    ids=["items far back", "keys that are not declared", "zero below zero"],
)
@pytest.mark.parametrize("actionable", [True, False])
def test_nothing_is_promised_that_the_given_does_not_keep(
    text: str, given_: dict[str, object], actionable: bool
) -> None:
    policy = parse_policy(text)
    result = counterfactual(policy, given_, actionable=actionable, timeout_s=5, in_process=True)
    for way in result.ways:
        changed = {**given_, **{change.field: change.new for change in way.changes}}
        assert way.changes
        assert policy.evaluate(changed).outcome == way.outcome < policy.evaluate(given_).outcome
    if actionable:
        assert not result.ways


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ('!(a in ["SG"])', 'a: "TR" → one that a list of the policy names'),
        ('a == "TR"', 'another a than "TR"'),
        ("a == b", 'another a than "TR"'),
    ],
)
def test_another_text_is_told_only_where_every_other_does(when: str, told: str) -> None:
    policy = parse_policy(f"{HEAD}  a: string\n  b: string\nrules: [{{id: r, when: '{when}', then: review}}]\n")
    way, *_ = counterfactual(policy, {"a": "TR", "b": "TR"}).ways
    assert [str(change) for change in way.changes] == [told]


def test_key_of_a_lookup_is_told_as_any_value() -> None:
    policy = parse_policy(f"""{HEAD}  country: {{type: enum, values: [SG, ID, PH]}}
  n: int
lookup:
  limits: {{by: country, values: {{SG: 5, ID: 70}}, else: 9}}
rules: [{{id: r, when: 'n > limits', then: reject}}]
""")
    told = {str(change) for way in counterfactual(policy, {"country": "SG", "n": 20}).ways for change in way.changes}
    assert 'country: "SG" → "ID"' in told


NAMED = f"""{HEAD}  merchant: {{type: string, actionable: true}}
  score: {{type: double, range: [0, 100], actionable: true}}
lists:
  known_good: [acme-secret, beta-secret]
  blocked: [gamma-secret]
rules:
  - {{id: unknown, when: '!(merchant in lists.known_good) && score > 50.0', then: review}}
  - {{id: blocked, when: 'merchant in lists.blocked || merchant in ["delta-secret"]', then: reject}}
"""


@pytest.mark.parametrize("merchant", ["somebody", "gamma-secret", "delta-secret"])
@pytest.mark.parametrize("actionable", [True, False])
def test_no_change_names_an_entry_of_a_list(merchant: str, actionable: bool) -> None:
    result = counterfactual(parse_policy(NAMED), {"merchant": merchant, "score": 90.0}, actionable=actionable)
    told = "\n".join(result.lines()).replace(merchant, "")
    assert "secret" not in told
    assert result.ways
    if actionable:  # and what an applicant is told is what an applicant can do
        assert not any(change.is_listed for way in result.ways for change in way.changes)


@pytest.mark.parametrize(
    ("declared", "when", "given_"),
    [
        ("f: {type: set, values: [a, b], actionable: true}", "size(novel_f) > 0", {"f": ["zzz"]}),
        ("f: {type: set, values: [a, b, c], actionable: true}", 'f.exists_one(m, m == "a")', {"f": ["b", "c", 7]}),
        ("f: {type: map, keys: [hour, day], of: int, actionable: true}", '"hour" in f', {"f": {"hour": 1}}),
    ],
    ids=["novel member", "unknown member", "key"],
)
def test_changes_that_are_not_looked_for_are_not_said_to_be_in_vain(
    declared: str, when: str, given_: dict[str, object]
) -> None:
    policy = parse_policy(f"{HEAD}  {declared}\nrules: [{{id: r, when: '{when}', then: review}}]\n")
    result = counterfactual(policy, given_, actionable=True)
    assert list(result.lines()) == ["not proved: not every change of `f` was looked for"]


TOLD = [
    "rules: [{id: r, when: '!(merchant == \"ACME-1\")', then: review}]",
    "rules: [{id: r, when: '!merchant.startsWith(\"ACME\")', then: review}]",
    "rules: [{id: r, when: '!merchant.endsWith(\"ACME\")', then: review}]",
    "rules: [{id: r, when: '!merchant.contains(\"ACME\")', then: review}]",
    "rules: [{id: r, when: '!merchant.matches(\"^ACME[0-9]*$\")', then: review}]",
    'rules: [{id: r, when: x > 0.3, unless: \'merchant + "!" == "ACME!"\', then: review}]',
    'variables: {vip: \'merchant == "ACME" || merchant.startsWith("ACME")\'}\n'
    "rules: [{id: r, when: '!vip', then: review}]",
    "lookup: {trust: {by: merchant, values: {ACME: 0, BOB: 50}, else: 30}}\n"
    "scorecard: {points: [{add: trust}], bands: {review: 20}}",
    "lookup: {trust: {by: merchant, values: {ACME: 0, BOB: 50}, else: 30}}\n"
    "variables: {t: trust + 1}\nrules: [{id: r, when: t > 20, then: review}]",
    "lookup: {trust: {by: [merchant, other], rows: [{merchant: ACME, other: a, w: 0}], else: 30}}\n"
    "rules: [{id: r, when: trust.w > 20, then: review}]",
    "tables: {t: {then: review, rows: [{merchant not in: [ACME, ACME2]}]}}",
    "thresholds: {x: {by: merchant, ACME: {review: 0.9}, else: {review: 0.3}}}",
    "lists: {good: [ACME]}\nrules: [{id: r, when: x > 0.3, then: review}]\n"
    "excuse: {when: merchant in lists.good, from: review}",
]


@pytest.mark.parametrize("rest", TOLD)
def test_applicant_reads_no_text_that_the_policy_names(rest: str) -> None:
    policy = parse_policy(
        f"{HEAD}  merchant: {{type: string, actionable: true}}\n  other: string\n"
        f"  x: {{type: double, range: [0, 1], actionable: true}}\n{rest}\n"
    )
    given_ = {"merchant": "zed", "other": "a", "x": 0.5}
    assert policy.evaluate(given_).outcome is Outcome.REVIEW
    result = counterfactual(policy, given_, actionable=True)
    assert not [line for line in result.lines() if "acm" in line.lower() or "merchant" in line]
    assert result.ways or [*result.lines()] == ["no change that can be told here would have softened it"]


def test_applicant_reads_a_word_of_an_enum() -> None:
    policy = parse_policy(
        f"{HEAD}  way: {{type: enum, values: [app, web], actionable: true}}\n"
        "rules: [{id: r, when: '!(way == \"app\")', then: review}]\n"
    )
    assert list(counterfactual(policy, {"way": "web"}, actionable=True).lines()) == ['pass with way: "web" → "app"']
