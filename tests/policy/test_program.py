"""The compiled program against the slow judge, and what a verdict promises."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from adjudge.model import Outcome
from adjudge.policy import Policy, parse_policy
from policy.judge import verdict as judged
from policy.random_policies import NOW, policies, requests


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_verdict_of_the_program_is_the_judges(data: st.DataObject) -> None:
    policy = data.draw(policies())
    for _ in range(6):
        asked = data.draw(requests(policy))
        found = policy.evaluate(asked, now=NOW)
        expected = judged(policy, asked, NOW)
        plain = msgspec.structs.replace(found, problems=(), missing=tuple(sorted(found.missing)))
        assert plain == expected, f"{policy.typed.source.text}\n{asked}\nfound    {found}\nexpected {expected}"
        said = set(policy.read(asked, now=NOW).problems)
        assert set(found.problems) <= said, (found.problems, said)


SMALL = """
policy_language: 1
policy: small
inputs:
  a: bool
  n: {type: int, range: [0, 2]}
signals:
  face:
    fields:
      result: {type: enum, values: [low, suspicious, high]}
      tags: {type: set, values: [x, y]}
  device:
    fields: {b: bool, m: {type: int, range: [0, 1]}}
"""
DOMAINS: dict[str, tuple[object, ...]] = {
    "a": (False, True),
    "n": (0, 1, 2),
    "face.result": ("low", "suspicious", "high"),
    "face.tags": ([], ["x"], ["y"], ["x", "y"]),
    "device.b": (False, True),
    "device.m": (0, 1),
}
SMALL_ATOMS = (
    "a", "n >= 1", "n == 2", "n / (n - 1) > 1", 'face.result == "high"', 'face.result != "low"', '"x" in face.tags',
    "size(face.tags) > 1", "device.b", "device.m == n", "n % device.m == 0", "(device.b ? n : device.m) > 0",
)  # fmt: skip


@st.composite
def small_conditions(draw: DrawFn, depth: int = 2) -> str:
    if depth == 0:
        return draw(st.sampled_from(SMALL_ATOMS))
    parts = draw(st.lists(small_conditions(depth - 1), min_size=1, max_size=3))
    joined = draw(st.sampled_from((" && ", " || "))).join(f"({part})" for part in parts)
    return f"!({joined})" if draw(st.booleans()) else joined


@st.composite
def small_policies(draw: DrawFn) -> Policy:
    """Return a policy without has() and without waivers, over fields of which all values can be tried."""
    text = f"{SMALL}when_unknown: {draw(st.sampled_from(('review', 'reject')))}\nrules:\n"
    for at in range(draw(st.integers(1, 4))):
        outcome = draw(st.sampled_from(("review", "reject")))
        text += f"  - {{id: r{at}, when: '{draw(small_conditions())}', then: {outcome}}}\n"
    if draw(st.booleans()):
        points = draw(st.lists(st.tuples(small_conditions(1), st.integers(-3, 3)), min_size=1, max_size=4))
        rows = ", ".join(f"{{when: '{condition}', add: {add}}}" for condition, add in points)
        text += f"scorecard: {{points: [{rows}], bands: {{review: 1, reject: 3}}}}\n"
    if draw(st.booleans()):
        text += f"excuse: {{when: '{draw(small_conditions())}', from: review}}\n"
    return parse_policy(text)


def nested(flat: Mapping[str, object]) -> dict[str, object]:
    given: dict[str, Any] = {}
    for name, value in flat.items():
        owner, _, field = name.partition(".")
        if field:
            given.setdefault(owner, {})[field] = value
        else:
            given[owner] = value
    return given


@settings(max_examples=60, deadline=None)
@given(small_policies(), st.sets(st.sampled_from(sorted(DOMAINS)), min_size=1), st.data())
def test_verdict_bounds_hold_for_every_completion(policy: Policy, unknown: set[str], data: st.DataObject) -> None:
    """`lower` and `upper` bound what any completion comes to, and a pass means that every one of them passes."""
    known = {name: data.draw(st.sampled_from(DOMAINS[name])) for name in DOMAINS if name not in unknown}
    partial = policy.evaluate(nested(known))
    names = sorted(unknown)
    for values in product(*(DOMAINS[name] for name in names)):
        whole = policy.evaluate(nested(known | dict(zip(names, values, strict=True))))
        assert partial.lower <= whole.outcome
        assert set(partial.matched) <= set(whole.matched)
        if not whole.unresolved and whole.settled:  # an evaluation error stays a doubt even when all is known
            assert whole.outcome <= partial.upper
            if partial.outcome is Outcome.PASS:
                assert whole.outcome is Outcome.PASS


@settings(max_examples=60, deadline=None)
@given(small_policies(), st.data())
def test_losing_a_field_never_softens(policy: Policy, data: st.DataObject) -> None:
    """A known field made unknown leaves a verdict no softer than what it was, or the `when_unknown` in force."""
    known = {name: data.draw(st.sampled_from(values)) for name, values in DOMAINS.items()}
    before = policy.evaluate(nested(known))
    for lost in range(1, 2 ** len(DOMAINS)):
        kept = {name: value for at, (name, value) in enumerate(known.items()) if not lost >> at & 1}
        after = policy.evaluate(nested(kept))
        assert after.outcome >= min(before.outcome, policy.typed.when_unknown), (kept, before, after)


def test_lost_signal_with_a_waiver_is_named() -> None:
    policy = parse_policy(
        SMALL.replace("  device:\n", "  device:\n    when_unknown: pass\n")
        + "rules:\n  - {id: emulator, when: device.b, then: reject}\n"
    )
    verdict = policy.evaluate({})
    assert (verdict.outcome, verdict.upper, verdict.waived) == (Outcome.PASS, Outcome.REJECT, ("emulator",))
    assert not verdict.settled
    assert verdict.missing == ("device",)


@pytest.mark.parametrize(
    ("rule", "given", "outcome"),
    [
        # an unknown input is not waived because a waived signal is unknown too
        ("device.b && a", {}, Outcome.REVIEW),
        ("device.b && a", {"a": True}, Outcome.PASS),
        ("device.b && a", {"a": False}, Outcome.PASS),
        ("device.b || a", {"a": True}, Outcome.REJECT),
        # an evaluation error is the policy's doubt
        ("1 / n > 0", {"n": 0}, Outcome.REVIEW),
    ],
)
def test_waiver_covers_only_its_own_signal(rule: str, given: dict[str, object], outcome: Outcome) -> None:
    policy = parse_policy(
        SMALL.replace("  device:\n", "  device:\n    when_unknown: pass\n")
        + f"rules:\n  - {{id: one, when: '{rule}', then: reject}}\n"
    )
    assert policy.evaluate(given).outcome is outcome


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("n", "1", "must be an int, not a string"),
        ("n", True, "must be an int, not a bool"),
        ("n", 1.0, "must be an int, not a double"),
        ("n", 3, "is 3, outside its range [0, 2]"),
        ("n", 2**70, "is an integer past 64 bits"),
        ("a", 1, "must be a bool, not an int"),
    ],
)
def test_value_of_another_type_is_unknown_and_said_so(field: str, value: object, problem: str) -> None:
    policy = parse_policy(SMALL + "rules:\n  - {id: one, when: 'a || n > 1', then: reject}\n")
    verdict = policy.evaluate({"a": False, "n": 0, field: value})
    assert verdict.outcome is Outcome.REVIEW
    assert verdict.unresolved == ("one",)
    assert verdict.problems == ((field, problem),)


@pytest.mark.parametrize("junk", [0, False, "", {}, 0.0, ()])
@pytest.mark.parametrize("owner", ["inputs:\n", "signals:\n  face:\n    fields:\n"])
def test_list_of_novel_members_that_is_none_is_unknown_whatever_came_before(owner: str, junk: object) -> None:
    is_signal = owner.startswith("signals")
    declared, named = ("      tags", "face.novel_tags") if is_signal else ("  tags", "novel_tags")
    policy = parse_policy(
        f"policy_language: 1\npolicy: novel\n{owner}{declared}: {{type: set, values: [x]}}\n"
        f"rules:\n  - {{id: new, when: size({named}) > 0, then: review}}\n"
    )

    def outcome(**fields: object) -> Outcome:
        asked: dict[str, object] = {"face": fields} if is_signal else fields
        verdict = policy.evaluate(asked)
        assert verdict == Policy(policy.typed, policy.functions).evaluate(asked)  # one that remembers nothing
        return verdict.outcome

    assert [outcome(tags=["x"], novel_tags=named) for named in ([], None, [])] == [Outcome.PASS] * 3
    assert outcome(tags=["x"], novel_tags=junk) is (Outcome.PASS if junk == () else Outcome.REVIEW)
    assert outcome(tags=["x"], novel_tags=["y"]) is Outcome.REVIEW
    assert outcome(tags=["x"]) is Outcome.PASS
