"""Thousands of rules that differ are compared row by row, and what is said is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.random_policies import requests

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison import regions
from adjudge.authoring.comparison.regions import compare
from adjudge.authoring.proofs.inquiry import Inquiry
from authoring.comparison.test_regions import NOW, assert_shown, pairs
from authoring.comparison.test_shared_rules import moves, table

Lines = list[tuple[str, int, int, str]]


def lines() -> Lines:
    return [(("SG", "ID", "PH")[at % 3], at * 3, at * 3 + 3, "reject" if at % 4 else "review") for at in range(300)]


def text(rows: Lines) -> list[str]:
    return [",".join(map(str, row)) for row in rows]


CHANGED: dict[str, tuple[Callable[[Lines], Lines], str, set[tuple[str, str]]]] = {
    "each row takes more": (
        lambda rows: [(c, low, high + 1, then) for c, low, high, then in rows],
        "stricter",
        {("pass", "review"), ("pass", "reject")},
    ),
    "each row takes less": (
        lambda rows: [(c, low + 1, high, then) for c, low, high, then in rows],
        "laxer",
        {("review", "pass"), ("reject", "pass")},
    ),
    "each row is worse, under another name": (
        lambda rows: [("TH", 999, 1000, "review"), *((*row[:3], "reject") for row in rows)],
        "stricter",
        {("pass", "review"), ("review", "reject")},
    ),
    "the other way round": (
        lambda rows: [(*row[:3], "review" if row[3] == "reject" else "reject") for row in rows],
        "both",
        {("review", "reject"), ("reject", "review")},
    ),
    "cut in two, which comes to the same": (
        lambda rows: [
            part for c, low, high, then in rows for part in ((c, low, low + 1, then), (c, low + 1, high, then))
        ],
        "same",
        set(),
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_differs_in_every_row_is_told_with_few_questions(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, relation, found = CHANGED[name]
    asked: list[object] = []
    check = Inquiry.check
    monkeypatch.setattr(Inquiry, "check", lambda *given_: asked.append(None) or check(*given_))
    old, new = table(tmp_path / "old", text(lines())), table(tmp_path / "new", text(change(lines())))
    comparison = compare(old, new, timeout_s=20, in_process=True)
    assert (comparison.relation, comparison.open) == (relation, ())
    assert {(str(region.old), str(region.new)) for region in comparison.regions} == found
    assert comparison.is_cut is bool(found)
    assert_shown(comparison)
    assert len(asked) < 60, "not one for each row"


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_same_is_said_as_of_few_rules(data: st.DataObject) -> None:
    old, new = data.draw(pairs())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regions, "OWN_MIN", 1)
        many = compare(old, new, timeout_s=5, total_s=60, in_process=True)
    few = compare(old, new, timeout_s=5, total_s=60, in_process=True)
    assert_shown(many)
    if not many.open and not few.open:
        assert (many.relation, moves(many)) == (few.relation, moves(few))
        assert {(one.old, one.new) for one in many.regions} == {(one.old, one.new) for one in few.regions}
    for _ in range(10):
        request = data.draw(requests(old))
        before, after = (policy.evaluate(request, now=NOW).outcome for policy in (old, new))
        assert after <= before or not many.is_never_harder
        assert after >= before or not many.is_never_softer
