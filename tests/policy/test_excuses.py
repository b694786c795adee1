"""Excuses take back reviews while they are true, never a reject, and nothing while they are unknown."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.model import Outcome, Verdict
from adjudge.policy import Policy, parse_policy
from policy.judge import verdict as judged

PASS, REVIEW, REJECT = Outcome
HEAD = """policy_language: 1
policy: shop
inputs: {fresh: bool, bad: bool, good: bool, points: {type: int, range: [0, 100]}}
"""
RULES = """rules:
  - {id: fresh, when: fresh, then: review, tags: [age]}
  - {id: bad, when: bad, then: reject}
"""
CARD = """scorecard:
  points: [{when: points > 10, add: 40}, {when: points > 50, add: 40}]
  bands: {review: 40, reject: 80}
"""
EXCUSE = "excuse: {when: good, from: review}\n"
CLEAN: dict[str, object] = {"fresh": False, "bad": False, "good": False, "points": 0}


def policy(text: str = RULES + EXCUSE) -> Policy:
    return parse_policy(HEAD + text)


def of(one: Policy, **changes: object) -> Verdict:
    """Return the verdict on a clean request with changes; None is unknown."""
    known = {name: value for name, value in {**CLEAN, **changes}.items() if value is not None}
    verdict = one.evaluate(known)
    assert verdict == judged(one, known)
    return verdict


def interval(verdict: Verdict) -> tuple[Outcome, Outcome, Outcome]:
    return verdict.outcome, verdict.lower, verdict.upper


def test_review_does_not_count_while_the_excuse_is_true() -> None:
    verdict = of(policy(), fresh=True, good=True)
    assert interval(verdict) == (PASS, PASS, PASS)
    assert (verdict.matched, verdict.excused, verdict.reasons) == (("fresh",), ("fresh",), ())


def test_reject_is_untouched() -> None:
    verdict = of(policy(), fresh=True, bad=True, good=True)
    assert interval(verdict) == (REJECT, REJECT, REJECT)
    assert (verdict.excused, verdict.reasons) == (("fresh",), ("BAD",))


def test_doubt_about_a_reject_is_untouched_although_it_counts_as_review() -> None:
    verdict = of(policy(), bad=None, good=True)
    assert interval(verdict) == (REVIEW, PASS, REJECT)
    assert (verdict.excused, verdict.reasons) == ((), ("BAD",))


@pytest.mark.parametrize("waiver", ["", "when_unknown: pass\n"])
def test_unknown_excuse_excuses_nothing_whatever_waiver_there_is(waiver: str) -> None:
    rules = RULES.replace("tags: [age]", "when_unknown: pass") if waiver else RULES
    verdict = of(policy(waiver + rules + EXCUSE), fresh=True, good=None)
    assert interval(verdict) == (REVIEW, PASS, REVIEW)
    assert (verdict.excused, verdict.doubts, verdict.missing, verdict.waived) == ((), ("FRESH",), ("good",), ())


def test_unknown_excuse_of_nothing_that_counts_is_not_missed() -> None:
    verdict = of(policy(), good=None)
    assert interval(verdict) == (PASS, PASS, PASS)
    assert verdict.missing == ()


def test_rule_in_doubt_does_not_count_while_the_excuse_is_true() -> None:
    """Whatever the rule turns out to be, it would not count."""
    verdict = of(policy(), fresh=None, good=True)
    assert interval(verdict) == (PASS, PASS, PASS)
    assert (verdict.unresolved, verdict.excused, verdict.missing) == (("fresh",), ("fresh",), ())


def test_band_of_review_is_excused_and_band_of_reject_is_not() -> None:
    one = policy(CARD + EXCUSE)
    assert interval(of(one, points=20)) == (REVIEW, REVIEW, REVIEW)
    excused = of(one, points=20, good=True)
    assert (interval(excused), excused.excused) == ((PASS, PASS, PASS), ("scorecard",))
    assert interval(of(one, points=20, good=None)) == (REVIEW, PASS, REVIEW)
    rejected = of(one, points=60, good=True)
    assert (interval(rejected), rejected.excused) == ((REJECT, REJECT, REJECT), ())
    assert interval(of(one, points=None, good=True)) == (REVIEW, PASS, REJECT)  # a doubt about the reject


def test_excuse_can_be_for_some_rules_by_id_or_tag_or_for_the_scorecard() -> None:
    for chosen, excused in (
        ("rules: [fresh]", ("fresh",)),
        ("tags: [age]", ("fresh",)),
        ("rules: [scorecard]", ("scorecard",)),
    ):
        one = policy(RULES + CARD + f"excuse: {{when: good, from: review, {chosen}}}\n")
        verdict = of(one, fresh=True, points=20, good=True)
        assert (verdict.outcome, verdict.excused) == (REVIEW, excused)


def test_one_of_several_excuses_is_enough() -> None:
    one = policy(RULES + "excuse:\n  - {when: good, from: review}\n  - {when: points > 90, from: review}\n")
    assert [excuse.id for excuse in one.typed.excuses] == ["excuse-1", "excuse-2"]
    assert of(one, fresh=True, good=None, points=95).excused == ("fresh",)
    assert interval(of(one, fresh=True, good=False, points=None)) == (REVIEW, PASS, REVIEW)


def test_excused_rule_asks_for_nothing() -> None:
    steps = "steps: {document: Please take a picture of your document.}\n"
    one = policy(steps + RULES.replace("tags: [age]", "ask: [document]") + EXCUSE)
    assert of(one, fresh=True).ask == ("document",)
    assert of(one, fresh=True, good=True).ask == ()
    assert of(one, fresh=True, good=None).ask == ("document",)


VALUES: dict[str, tuple[object, ...]] = {
    "fresh": (False, True), "bad": (False, True), "good": (False, True), "points": (0, 20, 60)}  # fmt: skip
CONDITIONS = st.sampled_from(
    ("fresh", "bad", "good", "points > 10", "points > 50", "!good", "good && !bad", "fresh || good")
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(CONDITIONS, st.sampled_from(("review", "reject"))), min_size=1, max_size=4),
    CONDITIONS,
    st.booleans(),
)
def test_verdict_bounds_every_completion_and_no_loss_softens(
    rules: list[tuple[str, str]], excuse: str, has_card: bool
) -> None:
    """Over all inputs, known and unknown: what an excuse that is unknown leaves open is inside the interval."""
    text = "rules:\n" + "".join(
        f"  - {{id: r{at}, when: '{when}', then: {then}}}\n" for at, (when, then) in enumerate(rules)
    )
    one = policy(text + (CARD if has_card else "") + f"excuse: {{when: '{excuse}', from: review}}\n")
    whole = {values: one.evaluate(dict(zip(VALUES, values, strict=True))) for values in product(*VALUES.values())}
    for values in product(*((*known, None) for known in VALUES.values())):
        partial = one.evaluate({name: value for name, value in zip(VALUES, values, strict=True) if value is not None})
        completions = [
            verdict
            for known, verdict in whole.items()
            if all(said is None or said == value for said, value in zip(values, known, strict=True))
        ]
        assert partial.lower <= min(verdict.outcome for verdict in completions)
        assert partial.upper >= max(verdict.outcome for verdict in completions)
        assert partial.outcome is not PASS or all(verdict.outcome is PASS for verdict in completions)
        assert all(partial.outcome >= min(verdict.outcome, REVIEW) for verdict in completions)
