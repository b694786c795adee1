"""What is said of two policies is true of every request, and every change that matters is found."""

from __future__ import annotations

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
from policy.random_policies import NOW, policies, requests

pytest.importorskip("z3", reason="needs the extra `analyze`")

from adjudge.authoring.comparison.regions import Comparison, compare
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
    comparison = compare(parse_policy(old), parse_policy(new))
    for region in comparison.regions:
        found = region.witness
        outcomes = [policy.evaluate(found.given, now=found.now).outcome for policy in (comparison.old, comparison.new)]
        assert outcomes == [region.old, region.new]
    return comparison


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


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_relation_holds_on_requests_of_all_kinds(data: st.DataObject) -> None:
    old, new = data.draw(pairs())
    comparison = compare(old, new, timeout_s=2, total_s=20)
    may_be_stricter = comparison.relation not in ("same", "laxer")
    may_be_laxer = comparison.relation not in ("same", "stricter")
    for region in comparison.regions:
        given_ = region.witness.given
        assert old.evaluate(given_, now=region.witness.now).outcome == region.old
        assert new.evaluate(given_, now=region.witness.now).outcome == region.new
    for _ in range(10):
        request = data.draw(requests(old))
        before, after = (policy.evaluate(request, now=NOW).outcome for policy in (old, new))
        assert after <= before or may_be_stricter
        assert after >= before or may_be_laxer


def test_field_of_one_policy_is_unknown_to_the_other() -> None:
    new = BASE.replace("inputs:\n", "inputs:\n  extra: int\n").replace(
        "rules:\n", "rules:\n  - {id: x, when: extra > 3, then: review}\n"
    )
    comparison = both(BASE, new)
    assert comparison.relation == "stricter"
    assert {region.cause for region in comparison.regions} == {"x"}


def test_fields_that_are_declared_differently_are_told() -> None:
    old = HEAD + "rules: [{id: r, when: share > 0.5, then: review}]\n"
    said = ("`share` is declared differently: what only one of them reads is unknown to the other",)
    wider = both(old, old.replace("range: [0, 1]", "range: [0, 2]"))
    assert (wider.relation, wider.notes) == ("same", said)  # above 1 the old one is in doubt, and reviews as well
    narrower = both(old, old.replace("range: [0, 1]", "range: [0, 0.4]").replace("share > 0.5", "share > 0.3"))
    assert (narrower.relation, narrower.notes) == ("stricter", said)
    bool_ = old.replace("share: {type: double, range: [0, 1], riskier: higher}", "share: bool")
    other = both(old, bool_.replace("share > 0.5", "share"))
    assert (other.relation, other.notes) == ("both", said)


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


def test_nothing_is_said_without_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry.Inquiry, "left_s", lambda self: 0.0)
    comparison = compare(parse_policy(BASE), parse_policy(BASE.replace("0.5", "0.4")))
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
        [*command, "--must-be", "stricter"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")
    golden(f"compare/{'text.txt' if form == 'text' else 'markdown.md'}", done.stdout)
