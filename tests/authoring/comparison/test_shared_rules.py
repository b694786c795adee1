"""Rules that two policies share are left aside, and what is said is the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.policy import Policy, load_policy
from policy.random_policies import requests

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison import shared_rules
from adjudge.authoring.comparison.regions import Comparison, compare
from authoring.comparison.test_regions import NOW, assert_shown, pairs

TABLE = """policy_language: 1
policy: shop
inputs:
  country: {type: enum, values: [SG, ID, PH, TH]}
  amount: {type: int, range: [0, 1000]}
  web: bool
tables:
  limits: {file: limits.csv, then: review}
rules:
  - {id: web, when: 'web && country == "TH"', then: reject}
"""


def rows() -> list[str]:
    countries = ("SG", "ID", "PH", "TH")
    return [f"{countries[at % 4]},{at * 3},{at * 3 + 6},{'reject' if at % 3 else ''}" for at in range(300)]


def table(folder: Path, lines: list[str]) -> Policy:
    folder.mkdir()
    (folder / "p.yaml").write_text(TABLE)
    (folder / "limits.csv").write_text("\n".join(["country,amount >=,amount <,then", *lines]) + "\n")
    return load_policy(folder / "p.yaml")


CHANGED = {
    "nothing": (lambda lines: lines, "same", set()),
    "order": (lambda lines: lines[::-1], "same", set()),
    "a row is gone": (lambda lines: lines[:5] + lines[6:], "laxer", {"limits:6"}),
    "a row is worse": (lambda lines: [lines[0] + "reject", *lines[1:]], "stricter", {"limits:1"}),
    "a row more": (lambda lines: [*lines, "ID,999,1000,reject"], "stricter", {"limits:301"}),
    "a row more, which another hides": (lambda lines: [*lines, "ID,3,5,reject"], "same", set()),
    "a milder row more, which others hide": (lambda lines: [*lines, "SG,0,6,"], "same", set()),
    "a worse row more, where another says review": (
        lambda lines: [*lines, "SG,0,6,reject"],
        "stricter",
        {"limits:301"},
    ),
    "a row for all, partly hidden": (lambda lines: [*lines, ",0,900,"], "stricter", {"limits:301"}),
}


@pytest.mark.parametrize("name", CHANGED)
def test_large_tables_are_compared_by_what_differs(name: str, tmp_path: Path) -> None:
    change, relation, causes = CHANGED[name]
    old, new = table(tmp_path / "old", rows()), table(tmp_path / "new", change(rows()))
    comparison = compare(old, new, timeout_s=20, in_process=True)
    assert (comparison.relation, comparison.open) == (relation, ())
    assert {region.cause for region in comparison.regions} == causes
    assert_shown(comparison)


def moves(comparison: Comparison) -> set[tuple[bool, str]]:
    """Return which outcomes are reached, and from which side."""
    return {(region.new > region.old, max(region.old, region.new)) for region in comparison.regions}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_same_is_said_with_all_rules_asked_about(data: st.DataObject) -> None:
    old, new = data.draw(pairs())
    if data.draw(st.booleans()):  # in another order, and under other names
        renamed = [replace(rule, id=f"{rule.id}x") for rule in reversed(new.typed.rules)]
        new = Policy(replace(new.typed, rules=tuple(renamed), excuses=()), new.functions)
        old = Policy(replace(old.typed, excuses=()), old.functions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_rules, "SHARED_MIN", 1)
        patch.setattr(shared_rules, "ADDED_MAX", 1)
        apart = compare(old, new, timeout_s=5, total_s=60, in_process=True)
    whole = compare(old, new, timeout_s=5, total_s=60, in_process=True)
    assert_shown(apart)
    if not apart.open and not whole.open:
        assert (apart.relation, moves(apart)) == (whole.relation, moves(whole))
    for _ in range(10):
        request = data.draw(requests(old))
        before, after = (policy.evaluate(request, now=NOW).outcome for policy in (old, new))
        assert after <= before or not apart.is_never_harder
        assert after >= before or not apart.is_never_softer
