"""What is said of two policies is true of every request, and every change that matters is found."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from adjudge.model import Outcome
from adjudge.policy import Policy, parse_policy
from authoring.comparison.region_judge import lies_in
from depth import examples
from policy.random_policies import NOW, policies, requests

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison import report
from adjudge.authoring.comparison.gates import Gates, MustBe
from adjudge.authoring.comparison.regions import Comparison, Region, compare
from adjudge.authoring.proofs import inquiry

HEAD = """policy_language: 1
policy: shop
inputs:
  country: string
  share: {type: double, range: [0, 1], riskier: higher}
  age: {type: duration, range: [0s, 9000h]}
signals:
  device: {fields: {score: {type: int, range: [0, 100]}, emulator: bool}}
lists: {bad: [KP, IR]}
variables: {risky: device.score > 70 || device.emulator}
"""
MORE = "  - {id: more, when: share > 0.2, then: review}\n"
BASE = (
    HEAD
    + """thresholds: {share: {review: 0.5, reject: 0.9}}
rules:
  - {id: bad, when: country in lists.bad, then: reject}
  - {id: fresh, when: 'risky && age < duration("24h")', then: review}
scorecard:
  points: [{when: risky, add: 30}, {when: share > 0.3, add: 30}]
  bands: {reject: 60}
"""
)


def both(old: str, new: str) -> Comparison:
    comparison = compare(parse_policy(old), parse_policy(new), in_process=True)
    assert_shown(comparison)
    return comparison


def assert_shown(comparison: Comparison) -> None:
    """Fail where a region's input is not as the region says."""
    for region in comparison.regions:
        found = region.witness
        outcomes = [policy.evaluate(found.given, now=found.now).outcome for policy in (comparison.old, comparison.new)]
        assert outcomes == [region.old, region.new]
        assert lies_in(comparison, region, found.given, found.now)


@pytest.mark.parametrize(
    "new",
    [
        BASE,
        BASE.replace("  - {id: bad,", "  - {id: worse,"),
        BASE.replace("risky && age", "(device.score > 70 || device.emulator) && age"),
        BASE.replace("device.score > 70", "device.score >= 71"),
        BASE.replace("[KP, IR]", "[IR, KP]"),
    ],
)
def test_policies_that_say_the_same_are_proved_the_same(new: str) -> None:
    comparison = both(BASE, new)
    assert (comparison.relation, comparison.regions, comparison.open) == ("same", (), ())


@pytest.mark.parametrize(
    ("change", "relation", "cause", "condition"),
    [
        (("review: 0.5", "review: 0.4"), "stricter", "threshold:share:review", "share >= 0.4 && share < 0.5"),
        (("review: 0.5", "review: 0.6"), "laxer", "threshold:share:review", "share >= 0.5 && share < 0.6"),
        (("review: 0.5, reject: 0.9", "review: 0.4, reject: 0.95"), "both", "threshold:share:reject", None),
        (("then: review}", "then: reject}"), "stricter", "fresh", None),
        (("[KP, IR]", "[KP]"), "laxer", "bad", None),
        (("[KP, IR]", "[KP, IR, SY]"), "stricter", "bad", None),
        (("add: 30}]", "add: 29}]"), "laxer", "scorecard", None),
        (("device.score > 70", "device.score > 69"), "stricter", None, None),
        (("device: {fields", "device: {when_unknown: pass, fields"), "laxer", "fresh", None),
        (("policy: shop\n", "policy: shop\nwhen_unknown: reject\n"), "stricter", None, None),
        (("  - {id: bad,", f"{MORE}  - {{id: bad,"), "stricter", "more", "share > 0.2"),
    ],
)  # fmt: skip
def test_change_is_found_with_its_cause(
    change: tuple[str, str], relation: str, cause: str | None, condition: str | None
) -> None:
    comparison = both(BASE, BASE.replace(*change))
    assert comparison.relation == relation
    assert not comparison.open
    if cause is not None:
        assert cause in {region.cause for region in comparison.regions}
    if condition is not None:
        assert condition in {region.condition for region in comparison.regions}
    assert comparison.changes


@st.composite
def pairs(draw: DrawFn) -> tuple[Policy, Policy]:
    """Return a policy, and one in which something was changed."""
    old = draw(policies())
    rules = list(old.typed.rules)
    at = draw(st.integers(0, len(rules) - 1))
    match draw(st.integers(0, 3)):
        case 0:
            del rules[at]
        case 1:
            worse = Outcome.REJECT if rules[at].outcome is Outcome.REVIEW else Outcome.REVIEW
            rules[at] = replace(rules[at], outcome=worse)
        case 2:
            rules[at] = replace(rules[at], condition=draw(st.sampled_from(rules)).condition)
        case _:
            rules[at] = replace(rules[at], when_unknown=draw(st.sampled_from(list(Outcome))))
    return old, Policy(replace(old.typed, rules=tuple(rules)), old.functions)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_said_holds_on_requests_of_all_kinds(data: st.DataObject) -> None:
    old, new = data.draw(pairs())
    comparison = compare(old, new, timeout_s=0.5, total_s=5, in_process=True)  # what stays open claims nothing
    assert_shown(comparison)
    for _ in range(10):
        request = data.draw(requests(old))
        before, after = (policy.evaluate(request, now=NOW).outcome for policy in (old, new))
        assert after <= before or not comparison.is_never_harder
        assert after >= before or not comparison.is_never_softer
        if before != after and not comparison.is_cut and not comparison.open:
            regions = [region for region in comparison.regions if (region.old, region.new) == (before, after)]
            assert any(lies_in(comparison, region, request, NOW) for region in regions)


def rewritten(policy: Policy) -> Policy:
    """Return a policy that says the same in other words: variables written out, rules renamed and turned round."""
    head, rules = policy.typed.source.text.split("rules:\n", 1)
    rules = re.sub(r"\brisky\b", "(device.score > 70.0 || device.emulator)", rules)
    rules = re.sub(r"\btotal\b", "(count + (device.score > 70.0 || device.emulator ? 1 : 2))", rules)
    new = parse_policy(head + "rules:\n" + re.sub(r"\br(\d)\b", r"other\1", rules))
    return Policy(replace(new.typed, rules=new.typed.rules[::-1]), new.functions)


@settings(max_examples=examples(20), deadline=None, suppress_health_check=list(HealthCheck))
@given(policies())
def test_other_words_for_the_same_make_no_difference(old: Policy) -> None:
    comparison = compare(old, rewritten(old), in_process=True)
    assert (comparison.relation, comparison.regions, comparison.open) == ("same", (), ())


def test_field_of_one_policy_is_unknown_to_the_other() -> None:
    new = BASE.replace("inputs:\n", "inputs:\n  extra: int\n").replace(
        "rules:\n", "rules:\n  - {id: x, when: extra > 3, then: review}\n"
    )
    comparison = both(BASE, new)
    assert comparison.relation == "stricter"
    assert {region.cause for region in comparison.regions} == {"x"}


def test_vocabulary_that_grew_changes_nothing_that_is_not_read() -> None:
    """A map that both know, and a tag that one of them calls new."""
    old = """policy_language: 1
policy: x
signals:
  face:
    fields:
      score: {type: map, keys: [A, B], of: {type: int, range: [0, 9]}, absent: 0}
      tags: {type: set, values: [A, B]}
rules:
  - {id: a, when: face.score.A > 3, then: review}
  - {id: t, when: '"A" in face.tags', then: reject}
"""
    new = old.replace("[A, B]", "[A, B, C]")
    assert both(old, new).relation == "same"
    assert both(old, new.replace("face.score.A > 3", "face.score.A > 4")).relation == "laxer"
    handles = "  - {id: n, when: size(face.novel_tags) > 0, then: review}\n"
    assert both(old + handles, new + handles).relation == "laxer"  # C is new to the old one only


def regions_of(old_rules: str, new_rules: str) -> list[Region]:
    return list(both(f"{HEAD}rules:\n{old_rules}", f"{HEAD}rules:\n{new_rules}").regions)


def test_condition_is_not_claimed_of_a_rule_whose_doubt_is_waived() -> None:
    rule = "  - {id: r, when: 'device.emulator%s', then: review, when_unknown: pass}\n"
    (region,) = regions_of(rule % " && share > 0.5", rule % "")  # where the share is unknown the old rule is too
    assert region.condition == "device.emulator"
    rule = rule.replace(", when_unknown: pass", "")
    conditions = [region.condition for region in regions_of(rule % " && share > 0.5", rule % "")]
    assert "device.emulator && share <= 0.5" in conditions


def test_condition_of_alternatives_keeps_its_meaning() -> None:
    rule = "  - {id: r, when: '%s', then: review}\n"
    conditions = [
        region.condition for region in regions_of(rule % "share > 0.9", rule % "share > 0.8 || device.emulator")
    ]
    assert "(share > 0.8 || device.emulator) && share <= 0.9" in conditions


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[]", "[{id: r, when: share > 0.5, then: review}]", "r is new (policy.yaml:11)"),
        ("[{id: r, when: share > 0.5, then: review}]", "[]", "r is gone (policy.yaml:11)"),
        (
            "[{id: r, when: share > 0.5, then: review}]",
            "[{id: r, when: share > 0.5, then: reject}]",
            "r now says reject, not review (policy.yaml:11)",
        ),
        (
            "[{id: r, when: share > 0.5, then: reject}]",
            "[{id: r, when: share > 0.5, then: review}]",
            "r now says review, not reject (policy.yaml:11)",
        ),
    ],
)
def test_cause_is_named_for_what_it_is(old: str, new: str, said: str) -> None:
    comparison = both(f"{HEAD}rules: {old}\n", f"{HEAD}rules: {new}\n")
    assert f"  {said}\n    when share > 0.5\n" in report.text(comparison, None)


def test_the_same_outcome_for_other_reasons_is_noted() -> None:
    comparison = both(BASE, BASE.replace("then: reject}", "then: reject, reason: SANCTIONED}"))
    assert comparison.relation == "same"
    found = comparison.other_reasons
    assert found is not None
    verdicts = [policy.evaluate(found.witness.given) for policy in (comparison.old, comparison.new)]
    assert [verdict.reasons for verdict in verdicts] == [found.old, found.new] == [("BAD",), ("SANCTIONED",)]
    assert both(BASE, BASE).other_reasons is None


@pytest.mark.parametrize(
    ("change", "kept", "broken"),
    [
        (("review: 0.5", "review: 0.4"), {"stricter"}, "on some inputs it is stricter"),
        (("review: 0.5", "review: 0.6"), {"laxer"}, "on some inputs it is laxer"),
        (("review: 0.5", "review: 0.50"), {"same", "stricter", "laxer"}, ""),
        (("review: 0.5, reject: 0.9", "review: 0.4, reject: 0.95"), set(), "it is "),
    ],
)
def test_gate_asks_for_a_proof(change: tuple[str, str], kept: set[str], broken: str) -> None:
    comparison = both(BASE, BASE.replace(*change))
    gates: tuple[MustBe, ...] = ("same", "stricter", "laxer")
    for must_be in gates:
        failed = Gates(must_be=must_be).failed(comparison, None)
        assert bool(failed) is (must_be not in kept)
        assert all(sentence.startswith(f"the new policy must be {must_be}; ") for sentence in failed)
        assert all(broken in sentence for sentence in failed)


def test_question_of_one_direction_leaves_the_other_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of what becomes more severe; that nothing becomes softer is proved all the same."""
    ask = inquiry.Inquiry.ask

    def asked(self: inquiry.Inquiry, *arguments: object, **options: object) -> inquiry.ProofResult:
        answer = ask(self, *arguments, **options)  # type: ignore[arg-type]
        return inquiry.NotProved("the test has no time") if isinstance(answer, inquiry.Found) else answer

    monkeypatch.setattr(inquiry.Inquiry, "ask", asked)
    old, new = parse_policy(BASE), parse_policy(BASE.replace("review: 0.5", "review: 0.4"))
    comparison = compare(old, new, in_process=True)  # where the patch is
    assert comparison.relation == "not proved"
    assert [str(question) for question in comparison.open] == ["whether pass becomes review: the test has no time"]
    assert Gates(must_be="stricter").failed(comparison, None) == ()
    assert Gates(must_be="laxer").failed(comparison, None) == ("the new policy must be laxer; that is not proved",)
    assert Gates(must_be="same").failed(comparison, None) == ("the new policy must be same; that is not proved",)


def test_nothing_is_said_without_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry.Inquiry, "left_s", lambda self: 0.0)
    comparison = compare(parse_policy(BASE), parse_policy(BASE.replace("0.5", "0.4")), in_process=True)
    assert comparison.relation == "not proved"
    assert comparison.open


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_comparison_reads_well(form: str, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    """In a process of its own: which input a solver finds hangs on what it was asked before."""
    new = BASE.replace("review: 0.5, reject: 0.9", "review: 0.4, reject: 0.95").replace("[KP, IR]", "[KP, SY]")
    (tmp_path / "old.yaml").write_text(BASE)
    (tmp_path / "new.yaml").write_text(new.replace('duration("24h")', 'duration("48h")'))
    command = [sys.executable, "-m", "adjudge", "compare", "old.yaml", "new.yaml", "--format", form]
    done = subprocess.run(
        [*command, "--must-be", "stricter"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")
    golden(f"compare/{'text.txt' if form == 'text' else 'markdown.md'}", done.stdout)
