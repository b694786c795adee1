"""A scorecard that differs is told row by row, once: what was written, and what that moves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from adjudge.authoring.comparison.changes import changes
from adjudge.policy import Policy, parse_policy
from policy.scorecard_pairs import scorecard_pairs, weighed_pairs

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


WEIGHED = """policy_language: 1
policy: weighed
inputs: {country: string, kind: {type: enum, values: [a, b]}, tries: {type: int, range: [0, 3]}}
lookup:
  weight: {by: country, values: {SG: 0, ID: 10, PH: 25}, else: 40}
  pair: {by: [country, kind], rows: [{country: SG, kind: a, value: 1}, {country: SG, kind: b, value: 2}]}
scorecard:
  points:
    - {id: by-country, when: tries > 0, add: 2 * weight}
    - {add: tries}
    - {add: pair.value}
  bands: {review: 40}
"""


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([("2 * weight", "weight")],
         ["~ scorecard by-country: 2 * weight when tries > 0 → weight when tries > 0"]),
        ([("when: tries > 0, add: 2 * weight", "when: tries > 0, add: 25")],
         ["~ scorecard by-country: 2 * weight when tries > 0 → +25 when tries > 0"]),
        ([("    - {add: tries}\n", "")], ["- scorecard old row 2: tries"]),
        ([("{add: tries}", "{add: -tries}")], ["~ scorecard row 2: tries → -tries"]),
        ([("PH: 25", "PH: 30, KP: 99"), ("ID: 10, ", "")],
         ["~ lookup weight PH: 25 → 30", "+ lookup weight KP: 99", "- lookup weight ID: 10"]),
        ([("else: 40", "else: 50")], ["~ lookup weight else: 40 → 50"]),
        ([(", else: 40", "")], ["- lookup weight else: 40"]),
        ([("kind: b, value: 2", "kind: b, value: 3")], ["~ lookup pair.value SG, b: 2 → 3"]),
        ([("by: country, values: {SG: 0, ID: 10, PH: 25}, else: 40", "by: kind, values: {a: 1, b: 2}")],
         ['~ variable weight: country in ["SG", "ID", "PH"] ? {"SG": 0, "ID": 10, "PH": 25}[country] : 40'
          ' → {"a": 1, "b": 2}[kind]']),
    ],
)  # fmt: skip
def test_one_row_of_points_or_of_a_table_that_changed_is_one_change(
    edits: list[tuple[str, str]], said: list[str]
) -> None:
    text = WEIGHED
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    one, other = parse_policy(WEIGHED), parse_policy(text)
    assert [str(change) for change in changes(one.typed, other.typed)] == said


@settings(max_examples=100, deadline=None)
@given(pair=weighed_pairs())
def test_no_row_that_takes_points_from_a_table_is_listed_twice(pair: tuple[Policy, Policy]) -> None:
    told = [change.rule for change in changes(pair[0].typed, pair[1].typed)]
    assert len(set(told)) == len(told)
    assert not [name for name in told if " at " in name]
