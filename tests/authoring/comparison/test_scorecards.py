"""A scorecard that differs is told row by row, once: what was written, and what that moves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from adjudge.authoring.comparison.changes import changes
from adjudge.policy import Policy, parse_policy
from policy.scorecard_pairs import scorecard_pairs

CARD = """policy_language: 1
policy: points
inputs: {n: int, proxy: bool, fresh: bool}
scorecard:
  points:
    - {when: n > 5, add: 10}
    - {when: n > 10, add: 10}
    - {when: proxy, add: 25}
    - {when: fresh, add: 5}
  bands: {review: 40, reject: 80}
"""


def both(*edits: tuple[str, str]) -> tuple[Policy, Policy]:
    text = CARD
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return parse_policy(CARD), parse_policy(text)


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([("add: 25", "add: 40")], ["~ scorecard row 3: +25 when proxy → +40 when proxy"]),
        ([("n > 10", "n > 12")], ["~ scorecard row 2: +10 when n > 10 → +10 when n > 12"]),
        ([("    - {when: n > 10, add: 10}\n", "")], ["- scorecard old row 2: +10 when n > 10"]),
        ([("    - {when: proxy", "    - {when: n > 7, add: 15}\n    - {when: proxy")],
         ["+ scorecard row 3: +15 when n > 7"]),
        ([("review: 40, reject: 80}", "review: 30}\n  when_unknown: pass\n  reason: SIGNS")],
         ["~ scorecard band review: 40 → 30", "- scorecard band reject: 80", "+ scorecard when_unknown: pass",
          "~ scorecard reason: SCORECARD → SIGNS"]),
    ],
)  # fmt: skip
def test_only_what_was_changed_is_listed(edits: list[tuple[str, str]], said: list[str]) -> None:
    old, new = both(*edits)
    assert [str(change) for change in changes(old.typed, new.typed)] == said


@settings(max_examples=100, deadline=None)
@given(pair=scorecard_pairs())
def test_nothing_is_listed_twice(pair: tuple[Policy, Policy]) -> None:
    told = [change.rule for change in changes(pair[0].typed, pair[1].typed)]
    assert len(set(told)) == len(told)


def test_region_says_what_moves_it() -> None:
    pytest.importorskip("z3", reason="needs the extra `proofs`")
    from adjudge.authoring.comparison import report
    from adjudge.authoring.comparison.regions import compare

    comparison = compare(*both(("add: 25", "add: 40")), in_process=True)
    (cause,) = {
        region.scorecards and region.scorecards[0].parts for region in comparison.regions if region.old == "pass"
    }
    assert cause in {("row 3 +25 → +40",), ("row 3 +25? → +40?",)}
    text, markdown = report.text(comparison, None), report.markdown(comparison, None)
    assert "(row 3 +25" in text and "(row 3 +25" in markdown
    assert "  when the scorecard's total " in text and " reach" in text


NAMED = (
    CARD.replace("scorecard:\n  points", "scorecards:\n  device:\n   points").replace("  bands", "   bands")
    + """\
  identity:
   points: [{id: fresh, when: fresh, add: 40}]
   bands: {review: 40}
"""
)


def test_scorecards_with_names_are_told_apart() -> None:
    pytest.importorskip("z3", reason="needs the extra `proofs`")
    from adjudge.authoring.comparison.regions import compare

    old, new = parse_policy(NAMED), parse_policy(NAMED.replace("fresh, add: 40", "fresh, add: 30"))
    assert [str(change) for change in changes(old.typed, new.typed)] == [
        "~ scorecard identity fresh: +40 when fresh → +30 when fresh"
    ]
    comparison = compare(old, new, in_process=True)
    assert comparison.regions
    for region in comparison.regions:
        assert region.cause == "scorecard:identity"
        assert [move.card for move in region.scorecards] == ["identity"]
        assert "the total of the scorecard `identity`" in region.condition
    gone = parse_policy(NAMED[: NAMED.index("  identity")])
    assert [change.rule for change in changes(old.typed, gone.typed)] == ["scorecard identity"]
