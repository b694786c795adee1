"""A scorecard that moves a decision is named as the cause, once, in words that a person has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.policy import Policy, parse_policy
from adjudge.policy.explaining.scorecard_moves import ScorecardMove, ScorecardMoves, by_totals, causes, most, paired
from policy.scorecard_pairs import known, scorecard_pairs, weighed_pairs

TEXT = """policy_language: 1
policy: points
inputs: {n: int, proxy: bool, fresh: bool}
rules:
  - {id: many, when: n > 50, then: reject}
scorecard:
  points:
    - {when: n > 5, add: 10}
    - {when: n > 10, add: 10}
    - {when: proxy, add: 25}
    - {when: fresh, add: -5}
  bands: {review: 40, reject: 80}
"""
CLEAR = {"n": 8, "proxy": True, "fresh": False}


def policy(*edits: tuple[str, str]) -> Policy:
    text = TEXT
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return parse_policy(text)


def moved(given_: Mapping[str, object], *edits: tuple[str, str], start: Policy | None = None) -> str:
    return "; ".join(map(str, ScorecardMoves(start or policy(), policy(*edits)).of(given_, given_, now=None))) or "None"


WITHOUT_ROW_2 = ("    - {when: n > 10, add: 10}\n", "")
BAND = ("review: 40", "review: 30")


@pytest.mark.parametrize(
    ("given_", "edits", "said"),
    [
        (CLEAR, [("add: 25", "add: 40")], "scorecard 35 → 50 (row 3 +25 → +40)"),
        (CLEAR, [("n > 10", "n > 7")], "scorecard 35 → 45 (row 2 0 → +10)"),
        (CLEAR, [BAND], "scorecard band review 40 → 30"),
        (CLEAR, [("review: 40, ", ""), ("reject: 80", "reject: 30")],
         "scorecard band reject 80 → 30"),
        ({**CLEAR, "n": 20}, [("add: 25", "add: 20"), ("review: 40", "review: 50")],
         "scorecard 45 → 40 (row 3 +25 → +20; band review 40 → 50)"),
        (CLEAR, [("    - {when: proxy", "    - {when: n > 7, add: 15}\n    - {when: proxy")],
         "scorecard 35 → 50 (row 3 is new, +15)"),
        ({**CLEAR, "n": 20}, [WITHOUT_ROW_2], "scorecard 45 → 35 (old row 2 is gone, +10)"),
        ({**CLEAR, "n": 20}, [WITHOUT_ROW_2, ("add: 25", "add: 20")],
         "scorecard 45 → 30 (row 2 +25 → +20; old row 2 is gone, +10)"),
        ({"n": 8, "fresh": True}, [("add: 25", "add: 40")], "scorecard 5 to 30 → 5 to 45 (row 3 +25? → +40?)"),
        ({"n": 8, "proxy": True}, [BAND], "scorecard band review 40 → 30"),
        ({"n": 20, "fresh": False}, [("reject: 80}", "reject: 80}\n  when_unknown: pass")],
         "scorecard in doubt review → pass"),
        (CLEAR, [("add: 25", "add: 26")], "None"),
    ],
)  # fmt: skip
def test_move_is_told(given_: Mapping[str, object], edits: list[tuple[str, str]], said: str) -> None:
    assert moved(given_, *edits) == said


def test_scorecard_that_comes_or_goes_is_told() -> None:
    without = parse_policy(TEXT.partition("scorecard:")[0])
    given_ = {**CLEAR, "n": 20}
    assert moved(given_, start=without) == "scorecard is new: 45"
    assert [*map(str, ScorecardMoves(policy(), without).of(given_, given_, now=None))] == ["scorecard is gone: 45"]
    assert ScorecardMoves(without, without).of(given_, given_, now=None) == ()


def test_what_a_row_reads_can_change_under_it() -> None:
    one, other = (
        policy(("rules:", f"variables: {{odd: n == {number}}}\nrules:"), ("n > 10", "odd")) for number in (1, 8)
    )
    assert [*map(str, ScorecardMoves(one, other).of(CLEAR, CLEAR, now=None))] == ["scorecard 35 → 45 (row 2 0 → +10)"]


def test_without_the_old_policy_the_totals_are_told() -> None:
    one, other = policy(), policy(("add: 25", "add: 40"))
    (move,) = by_totals(one.evaluate(CLEAR), other.evaluate(CLEAR))
    assert (str(move), move.labels) == ("scorecard 35 → 50", ("total",))
    assert by_totals(one.evaluate(CLEAR), policy(BAND).evaluate(CLEAR)) == ()


def test_rules_stand_before_the_scorecard() -> None:
    move = ScorecardMove(old=(35, 35), new=(50, 50), parts=("row 3 +25 → +40",))
    assert causes(["+many", "-few?"], [move]) == "+many -few?, scorecard 35 → 50 (row 3 +25 → +40)"
    assert (causes([], [move]), causes(["+many"], [])) == ("scorecard 35 → 50 (row 3 +25 → +40)", "+many")
    assert most({"+many": 2, "-few": 1}, {"row 3 +25 → +40": 3}) == [
        ("scorecard row 3 +25 → +40", 3), ("+many", 2), ("-few", 1)]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_move_by_the_scorecard_alone_has_a_cause_and_none_twice(data: st.DataObject) -> None:
    old, new = data.draw(scorecard_pairs() | weighed_pairs())
    moves = ScorecardMoves(old, new)
    for one in [data.draw(known()) for _ in range(12)]:
        before, after = (policy_.evaluate(one) for policy_ in (old, new))
        told = moves.of(one, one, now=None)
        if before.outcome is after.outcome:
            continue
        (move,) = told
        assert (move.old, move.new) == (before.score, after.score)
        assert move.parts and len(set(move.parts)) == len(move.parts)
        numbers = [part.partition(" +")[0].partition(" -")[0].partition(" 0")[0] for part in move.parts]
        assert len(set(numbers)) == len(numbers), "no row and no band stands twice"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_rows_that_only_moved_are_no_change_and_one_that_went_is_one(data: st.DataObject) -> None:
    _, policy_ = data.draw(scorecard_pairs().filter(lambda pair: pair[1].typed.scorecards))
    card = policy_.typed.scorecards["scorecard"]
    rows = list(card.rows)
    shuffled = data.draw(st.permutations(rows))
    gone = data.draw(st.integers(0, len(rows) - 1))
    after = replace(card, rows=tuple(row for row in shuffled if row is not rows[gone]))
    pairs = paired(card, after)
    assert [pair for pair in pairs if pair.old is None] == []
    assert len([pair for pair in pairs if pair.new is None]) == 1
    for pair in pairs:
        if pair.old is not None and pair.new is not None:
            assert pair.old.said == pair.new.said
            assert all(pair.said([answer], [answer]) is None for answer in (True, False, None))


NAMED = """policy_language: 1
policy: named
inputs: {n: int, proxy: bool, fresh: bool}
scorecards:
  device:
    points:
      - {id: proxy, when: proxy, add: 25}
      - {when: n > 5, add: 20}
    bands: {review: 40, reject: 80}
  identity:
    points:
      - {when: fresh, add: 15}
    bands: {review: 20}
    when_unknown: pass
"""


ALL = {"n": 8, "proxy": True, "fresh": True}


def named(*edits: tuple[str, str]) -> Policy:
    text = NAMED
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return parse_policy(text)


@pytest.mark.parametrize(
    ("given_", "edits", "said"),
    [
        (ALL, [("add: 25", "add: 60")], ["scorecard device 45 → 80 (proxy +25 → +60)"]),
        (ALL, [("add: 25", "add: 5"), ("add: 15", "add: 30")],
         ["scorecard device 45 → 25 (proxy +25 → +5)", "scorecard identity 15 → 30 (row 1 +15 → +30)"]),
        (ALL, [("when: proxy, add: 25}", "when: proxy && fresh, add: 70}")],
         ["scorecard device 45 → 90 (proxy +25 → +70)"]),
        ({"n": 1, "fresh": True}, [("  identity:", "  other:"), ("add: 15", "add: 25")],
         ["scorecard other is new: 25"]),
        ({"n": 8, "proxy": True}, [("  device:", "  phone:")],
         ["scorecard phone is new: 45", "scorecard device is gone: 45"]),
    ],
)  # fmt: skip
def test_each_scorecard_is_told_by_its_name(
    given_: Mapping[str, object], edits: list[tuple[str, str]], said: list[str]
) -> None:
    one, other = named(), named(*edits)
    moves = ScorecardMoves(one, other).of(given_, given_, now=None)
    assert [str(move) for move in moves] == said
    assert {move.card for move in moves} <= {*one.typed.scorecards, *other.typed.scorecards}
    assert all(label.startswith(f"{move.card}: ") for move in moves for label in move.labels)
