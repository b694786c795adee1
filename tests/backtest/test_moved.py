"""What moves rows in a backtest is what the engine's own verdicts say, cause by cause."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adjudge.policy import parse_policy
from adjudge.policy.explaining.scorecard_moves import ScorecardMoves
from adjudge.replay.what_if import rules_moved
from policy.scorecard_pairs import known, scorecard_pairs, weighed_pairs

pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

from adjudge.backtest.duck import connect
from adjudge.backtest.report.data import data
from adjudge.backtest.report.page import page
from adjudge.backtest.report.study import study
from adjudge.backtest.report.text import text
from adjudge.backtest.run import Runner
from backtest.test_query import dataset


@settings(max_examples=25, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.data())
def test_causes_are_counted_as_the_engine_tells_them(drawn: st.DataObject) -> None:
    old, new = drawn.draw(scorecard_pairs() | weighed_pairs())
    rules, scorecard = Counter[str](), Counter[str]()
    moves, given_ = ScorecardMoves(old, new), [drawn.draw(known()) for _ in range(20)]
    for one in given_:
        before, after = old.evaluate(one), new.evaluate(one)
        if before.outcome is not after.outcome:
            rules.update(rules_moved(before, after))
            (move,) = moves.of(one, one, now=None)
            scorecard.update(move.labels)
    with connect(threads=1) as connection:
        rows = dataset(connection, old, given_)
        found = Runner(connection, new, rows, "p1_").causes(Runner(connection, old, rows, "p0_"))
    assert found == (rules, scorecard)


def test_a_row_whose_table_changed_is_one_cause_whatever_its_points_were() -> None:
    head = "policy_language: 1\npolicy: p\ninputs: {n: int}\n"
    rest = "scorecard:\n  points: [{id: by-n, add: weight}]\n  bands: {review: 20}\n"
    table = "lookup:\n  weight: {by: n, values: {'1': 5, '2': 15, '3': 25, '4': 35}}\n"
    old, new = (
        parse_policy(head + table + rest),
        parse_policy(head + table.replace("5,", "1,").replace("35", "11") + rest),
    )
    with connect(threads=1) as connection:
        rows = dataset(connection, old, [{"n": n % 5} for n in range(50)])
        found = study(connection, [("old", old), ("new", new)], [rows, rows])
    (moves,) = found.moves
    assert moves.scorecard == {"by-n adds other points": 10}
    assert text(found).splitlines()[-1] == "           10  scorecard by-n adds other points"
    (row,) = found.backtests[0].cards[0].rows
    assert (row.id, row.condition, row.adds, row.points) == ("by-n", "", "weight", (0, 35))
    assert (row.true, row.unknown, row.moves) == (40, 10, 20)
    assert data(found)["policies"][0]["scorecards"][0]["rows"][0]["points"] == (0, 35)
    assert page(found).count("by-n") == 3, "in each policy's table, and among the causes"


def test_rules_that_came_or_went_are_counted_and_told() -> None:
    head = "policy_language: 1\npolicy: p\ninputs: {n: int}\nrules:\n  - {id: kept, when: n > 8, then: reject}\n"
    rule = "  - {id: RULE, when: n > LEAST, then: review}\n"
    old = parse_policy(head + rule.replace("RULE", "some").replace("LEAST", "4"))
    more = rule.replace("RULE", "some").replace("LEAST", "2") + rule.replace("RULE", "more").replace("LEAST", "1")
    new = parse_policy(head + more)
    with connect(threads=1) as connection:
        rows = dataset(connection, old, [{"n": n} for n in range(10)])
        found = study(connection, [("old", old), ("new", new)], [rows, rows])
    (moves,) = found.moves
    assert (moves.rules, moves.scorecard) == ({"+some": 2, "+more": 3}, {})
    assert text(found).splitlines()[-3:] == [
        "  what moved them (+ came, - went, ? in doubt):", "            3  +more", "            2  +some"]  # fmt: skip
    assert data(found)["moves"][0]["rules"] == {"+some": 2, "+more": 3}
    assert "<td>+more</td><td>3</td>" in page(found)


def test_scorecards_with_names_are_counted_apart() -> None:
    head = "policy_language: 1\npolicy: p\ninputs: {n: int, flag: bool}\nscorecards:\n"
    card = "  NAME:\n    points: [{id: own, when: CONDITION, add: POINTS}]\n    bands: {review: 20}\n"
    one = card.replace("NAME", "device").replace("CONDITION", "n > 4").replace("POINTS", "20")
    other = card.replace("NAME", "identity").replace("CONDITION", "flag").replace("POINTS", "10")
    old, new = parse_policy(head + one + other), parse_policy(head + one + other.replace("10", "20"))
    with connect(threads=1) as connection:
        rows = dataset(connection, old, [{"n": n, "flag": n % 2 == 0} for n in range(10)])
        found = study(connection, [("old", old), ("new", new)], [rows, rows])
    (moves,) = found.moves
    assert (moves.rules, moves.scorecard) == ({}, {"identity: own +10 → +20": 3})
    assert text(found).splitlines()[-1] == "            3  scorecard identity: own +10 → +20"
