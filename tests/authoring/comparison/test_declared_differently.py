"""One value, declared differently by two policies: what is proved of both holds of every value that could come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.model import Outcome
from adjudge.policy import parse_policy

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison.regions import Comparison, compare

SCORES = "{type: map, keys: [%s], of: {type: double, range: [0, 1]}, absent: %s}"
HIGH_A = ("s.A >= 0.5", "s.A >= 0.7")


def policy_text(declared: str, condition: str, outcome: str = "review") -> str:
    rule = f"  - {{id: r, when: '{condition}', then: {outcome}}}\n"
    return f"policy_language: 1\npolicy: p\ninputs:\n  s: {declared}\nrules:\n{rule}"


def both(old: str, new: str, *, timeout_s: float = 5.0) -> Comparison:
    comparison = compare(parse_policy(old), parse_policy(new), timeout_s=timeout_s, total_s=10, in_process=True)
    for region in comparison.regions:
        found = region.witness
        outcomes = [policy.evaluate(found.given, now=found.now).outcome for policy in (comparison.old, comparison.new)]
        assert outcomes == [region.old, region.new]
    return comparison


@pytest.mark.parametrize(
    ("fields", "conditions", "relation"),
    [
        (("{type: double, range: [0, 1]}", "{type: double, range: [0, 2]}"), ("s > 0.5", "s > 0.5"), "same"),
        (("{type: double, range: [0, 1]}", "{type: double, range: [0, 0.4]}"), ("s > 0.5", "s > 0.3"), "stricter"),
        (("{type: int, range: [0, 9]}", "{type: double, range: [0, 9]}"), ("s >= 5", "s >= 6"), "laxer"),
        (("{type: double, range: [0, 9]}", "{type: int, range: [0, 9]}"), ("s >= 5", "s >= 5"), "stricter"),
        (("{type: enum, values: [x, y]}", "{type: enum, values: [x, y, z]}"), ('s == "x"', 's == "x"'), "laxer"),
        (("{type: enum, values: [x, y]}", "string"), ('s == "x"', 's == "x"'), "laxer"),
        (("{type: enum, values: [x, y]}", "string"), ('s == "x"', 's.startsWith("x")'), "laxer"),
        (("{type: set, values: [A]}", "{type: set, values: [A, B]}"), ('"A" in s', '"A" in s'), "same"),
        (("{type: set, values: [A]}", "{type: set, values: [A, B]}"), ("size(novel_s) > 0",) * 2, "laxer"),
        (("{type: set, values: [A]}", "{type: set, values: [A, B]}"), ("size(s) > 0",) * 2, "stricter"),
        ((SCORES % ("A", 0), SCORES % ("A, B", 0)), HIGH_A, "laxer"),
        ((SCORES % ("A", 0), SCORES % ("A, B", 0)), ("s.A >= 0.5",) * 2, "same"),
        ((SCORES % ("A", 0), SCORES % ("A", 1)), ("s.A >= 0.5",) * 2, "stricter"),
        ((SCORES % ("A", 0), (SCORES % ("A", 0)).replace("[0, 1]", "[0, 1], description: all")), HIGH_A, "laxer"),
        ((SCORES % ("A", 0), (SCORES % ("A", 0)).replace("[0, 1]", "[0, 0.9]")), ("s.A >= 0.5",) * 2, "same"),
        (("bool", "int"), ("s", "s > 0"), "both"),
        (("bool", "{type: bool, absent: false}"), ("s", "s"), "laxer"),
        (("bool", "{type: bool, absent: true}"), ("!s", "!s"), "laxer"),
        (("{type: bool, absent: true}", "{type: bool, absent: false}"), ("s", "s"), "laxer"),
        (("int", "{type: int, range: [0, 9], absent: 9}"), ("s > 5", "s > 5"), "stricter"),
        (("{type: int, absent: 1}", "{type: int, absent: 9}"), ("s > 5", "s > 5"), "stricter"),
        (("{type: list, of: string}", "{type: list, of: {type: enum, values: [x]}}"), ('s[0] == "x"',) * 2, "stricter"),
    ],
)  # fmt: skip
def test_value_of_two_declarations_is_compared(
    fields: tuple[str, str], conditions: tuple[str, str], relation: str
) -> None:
    old, new = (policy_text(field, condition) for field, condition in zip(fields, conditions, strict=True))
    comparison = both(old, new)
    assert (comparison.relation, comparison.open) == (relation, ())


def test_what_does_not_hold_when_it_is_evaluated_leads_to_no_proof() -> None:
    """How often a list names a word is beyond the solver's set; then nothing is claimed of it."""
    list_, set_ = (policy_text(one, "size(s) == 1") for one in ("{type: list, of: string}", "{type: set, values: [A]}"))
    for old, new in ((list_, set_), (set_, list_)):
        assert both(old, new).relation in ("both", "not proved")


def test_what_is_declared_differently_is_told_and_a_description_is_not() -> None:
    text = policy_text("{type: double, range: [0, 1]}", "s > 0.5")
    said = ("`s` is declared differently: what only one of them reads is unknown to the other",)
    wider = both(text, text.replace("[0, 1]", "[0, 2]"))
    assert wider.notes == said
    assert [str(change) for change in wider.changes] == [
        "~ input s: double, range: [0.0, 1.0] → double, range: [0.0, 2.0]"
    ]
    described = both(text, text.replace("[0, 1]", "[0, 1], description: how sure the vendor is, riskier: higher"))
    assert (described.relation, described.notes, described.changes) == ("same", (), ())


FIELDS = {
    "bool": ("s", "!s", "has(s)"),
    "int": ("s > 0", "s >= 5", "s == 1", "has(s)"),
    "{type: int, range: [0, 5]}": ("s > 0", "s >= 5", "has(s)"),
    "double": ("s > 0.0", "s >= 5.0", "s == 0.5"),
    "{type: double, range: [0, 5]}": ("s > 0.0", "s >= 5.0", "s == 0.5", "has(s)"),
    "string": ('s == "A"', 's.startsWith("A")', "has(s)"),
    "{type: enum, values: [A, B]}": ('s == "A"', 's != "B"', "has(s)"),
    "{type: enum, values: [B, C]}": ('s == "B"', "has(s)"),
    "{type: set, values: [A, B]}": ('"A" in s', "size(s) > 1", "size(novel_s) > 0", '"C" in novel_s', "has(s)"),
    "{type: set, values: [B, C]}": ('"C" in s', "size(s) > 1", "size(novel_s) > 1", '"A" in novel_s', "has(s)"),
    "{type: bool, absent: false}": ("s", "!s", "has(s)"),
    "{type: int, absent: 5}": ("s > 0", "s >= 5", "has(s)"),
    "{type: enum, values: [A, B], absent: B}": ('s == "A"', "has(s)"),
    "{type: list, of: {type: enum, values: [A, B]}}": ('"A" in s', "size(s) > 1"),
    "{type: list, of: string}": ("size(s) > 1", '"A" in s', "has(s)"),
    "{type: list, of: int}": ("size(s) > 1", "1 in s"),
    "{type: map, keys: [A, B], of: {type: double, range: [0, 1]}, absent: 0}": (
        "s.A > 0.5", "has(s.A)", "size(s) > 1", "size(novel_s) > 0",
    ),
    "{type: map, keys: [B, C], of: int}": ("s.B > 0", "has(s.B)", "size(novel_s) > 0", '"A" in novel_s'),
    "{type: map, of: double}": ('s["A"] > 0.5', "has(s.A)", "size(s) > 1"),
    "duration": ('s > duration("1h")', "has(s)"),
    "timestamp": ('s > timestamp("2026-01-01T00:00:00Z")', "has(s)"),
}  # fmt: skip
VALUES: tuple[object, ...] = (
    None, True, False, 0, 1, 5, 6, 0.5, 1.0, 5.0, -1, "A", "B", "C", "AB", "2h", "30m", "2026-03-01T00:00:00Z", "",
    timedelta(hours=2), [], ["A"], ["B"], ["A", "B"], ["A", "C"], ["C", "D"], ["D", "E"], ["A", 5], [1], [1, 2],
    {}, {"A": 0.6}, {"A": 1}, {"B": 1}, {"B": 0.6, "C": 2}, {"A": 0.2, "D": 1}, {"A": "x"}, {"B": None},
)  # fmt: skip
NOVELS: tuple[object, ...] = (None, None, [], ["C"], ["A", "D"], ["D", "E"], "D", [5])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_proved_of_any_two_declarations_holds_of_every_value(data: st.DataObject) -> None:
    texts = []
    for _ in range(2):
        declared = data.draw(st.sampled_from(sorted(FIELDS)))
        condition, outcome = (
            data.draw(st.sampled_from(FIELDS[declared])),
            data.draw(st.sampled_from(("review", "reject"))),
        )
        texts.append(policy_text(declared, condition, outcome))
    comparison = both(*texts, timeout_s=0.5)  # what stays open claims nothing
    given_: list[dict[str, object]] = [{"s": value, "novel_s": novel} for value in VALUES for novel in NOVELS]
    for request in ({}, *given_):
        old, new = (policy.evaluate(request).outcome for policy in (comparison.old, comparison.new))
        assert new <= old or not comparison.is_never_harder, (request, texts)
        assert new >= old or not comparison.is_never_softer, (request, texts)


@pytest.mark.parametrize("words", ["[a, b]", "[a, b, c]"])
def test_what_is_new_in_a_set_hangs_on_what_its_absence_means(words: str) -> None:
    text = """policy_language: 1
policy: x
signals: {s: {fields: {t: {type: set, values: [a, b], absent: []}}}}
rules:
  - {id: r, when: size(s.novel_t) > 0, then: reject}
"""
    old, new = parse_policy(text), parse_policy(text.replace("[a, b], absent: []", words))
    assert (old.evaluate({"s": {}}).outcome, new.evaluate({"s": {}}).outcome) == (Outcome.PASS, Outcome.REVIEW)
    assert not compare(old, new, in_process=True).is_never_harder
    assert not compare(new, old, in_process=True).is_never_softer
