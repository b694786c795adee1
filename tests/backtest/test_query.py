"""Verdicts in SQL are the engine's, row by row: outcome, interval, rules and score; and counts are counts of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adjudge.policy import parse_policy
from depth import examples
from policy import judge
from policy.random_policies import NOW, policies, requests

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

from adjudge.backtest import answers  # noqa: E402
from adjudge.backtest.columns import sql_type  # noqa: E402
from adjudge.backtest.dataset import Dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.layout import arrow_type, to_arrow  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402
from adjudge.expr.sql.dialects.duckdb import DUCKDB  # noqa: E402
from adjudge.policy import Policy  # noqa: E402
from adjudge.policy.typed import SCORECARD  # noqa: E402
from adjudge.policy.typed import Row as PointsRow  # noqa: E402
from adjudge.policy.written_rows import written_rows  # noqa: E402


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as connection:
        yield connection


def dataset(connection: duckdb.DuckDBPyConnection, policy: Policy, given_: list[dict[str, object]]) -> Dataset:
    """Put requests into a table, each slot as the policy understands it."""
    slots = policy.typed.slots
    rows = [policy.read(one, now=NOW).values for one in given_]
    arrays = {
        slot: pa.array([to_arrow(row.get(slot), declared.type) for row in rows], arrow_type(declared.type))
        for slot, declared in slots.items()
    }
    connection.register("data", pa.table({**arrays, "id": pa.array([str(n) for n in range(len(rows))])}))
    return Dataset(
        path=Path("data"),
        relation="data",
        columns={slot: DUCKDB.column(slot) for slot in slots},
        types={slot: sql_type(declared.type) for slot, declared in slots.items()},
        known=frozenset(slot for slot, array in arrays.items() if not array.null_count),
        roles={"id": '"id"'},
    )


# a failure is shown as it was found: to shrink requests and a policy at once takes minutes
@settings(max_examples=examples(30), phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_row_has_the_verdict_that_the_engine_gives(data: st.DataObject) -> None:
    policy = data.draw(policies())
    given_ = [data.draw(requests(policy)) for _ in range(12)]
    expected = [policy.evaluate(one, now=NOW) for one in given_]
    with connect(threads=1) as connection:
        runner = Runner(connection, policy, dataset(connection, policy, given_))
        for row, verdict, one in zip(runner.rows(), expected, given_, strict=True):
            said = (row.outcome, row.lower, row.upper, row.matched, row.unresolved, row.score, row.scores)
            live = (verdict.outcome, verdict.lower, verdict.upper, verdict.matched, verdict.unresolved)
            live += (verdict.score, verdict.scores)
            assert said == live, f"{policy.typed.source.text}\n{one}"
        result = runner.backtest()
    assert result.rows == 12
    cells = Counter({(cell.outcome, cell.lower, cell.upper): cell.rows for cell in result.cells})
    assert cells == Counter((verdict.outcome, verdict.lower, verdict.upper) for verdict in expected)
    rules = len(policy.typed.rules)
    for hits in result.rules[:rules]:
        assert hits.true == sum(hits.id in verdict.matched for verdict in expected)
        assert hits.unknown == sum(hits.id in verdict.unresolved for verdict in expected)
    cards = {f"{card.label}:{band}": card for card in policy.typed.scorecards.values() for band in ("review", "reject")}
    bands, excuses = result.rules[rules : rules + len(cards)], result.rules[rules + len(cards) :]
    truths = [judge.truths(policy, one, NOW)[1] for one in given_]
    for at, hits in enumerate(reversed(excuses), 1):
        found = [of_one[-at] for of_one in truths]
        assert (hits.true, hits.unknown) == (found.count(True), found.count(None))
    assert [hits.id for hits in excuses] == [f"excuse:{excuse.id}" for excuse in policy.typed.excuses]
    assert {hits.id for hits in bands} == cards.keys()
    for hits in bands:
        card = cards[hits.id]
        ends = [[card.outcome_of(end) >= hits.outcome for end in verdict.totals[card.name]] for verdict in expected]
        assert (hits.true, hits.unknown) == (ends.count([True, True]), ends.count([False, True]))
    for card, of_card in zip(result.cards, policy.typed.scorecards.values(), strict=True):
        scores = [verdict.score if card.name == SCORECARD else verdict.scores[card.name] for verdict in expected]
        sure = [score[0] for score in scores if score is not None and score[0] == score[1]]
        assert Counter(card.totals) == Counter(sure)
        assert (card.open, sum(rows for _, _, rows in card.bars())) == (12 - len(sure), len(sure))
        for row, hits in zip(written_rows(of_card), card.rows, strict=True):
            of_steps = [[_row_truth(policy, step, one) for step in row.steps] for one in given_]
            truths = [None if None in steps else True in steps for steps in of_steps]
            assert (hits.id, hits.points) == (row.id, row.row.points if row.formula is None else row.ends)
            assert (hits.true, hits.unknown) == (truths.count(True), truths.count(None))
            moved = [
                of_card.outcome_of(score[0]) is not of_card.outcome_of(score[0] - row.added(steps)[0])
                for score, truth, steps in zip(scores, truths, of_steps, strict=True)
                if score is not None and score[0] == score[1] and truth is True
            ]
            assert hits.moves == sum(moved)
    for (one_, other), count in result.overlap.items():
        assert count == sum(one_ in verdict.matched and other in verdict.matched for verdict in expected)


def _row_truth(policy: Policy, row: PointsRow, given_: dict[str, object]) -> bool | None:
    """Return what a row of points is, as the slow judge has it."""
    _, answers = judge.truths(policy, given_, NOW)
    answer = answers[len(policy.typed.rules) + policy.typed.rows.index(row)]
    return answer if isinstance(answer, bool) else None


def test_a_row_that_is_never_unknown_stands_beside_one_that_is() -> None:
    text = """policy_language: 1
policy: p
signals:
  s: {when_unknown: pass, fields: {x: bool}}
  t: {when_unknown: reject, fields: {y: bool}}
scorecard:
  points: [{when: has(s.x), add: 5}, {when: t.y, add: 5}]
  bands: {review: 5, reject: 10}
"""
    policy = parse_policy(text)
    given_: list[dict[str, object]] = [
        {"s": {"x": x}, "t": {"y": y}} for x in (True, None) for y in (True, False, None)
    ]
    expected = Counter(policy.evaluate(one).outcome for one in given_)
    with connect(threads=1) as connection:
        result = Runner(connection, policy, dataset(connection, policy, given_)).backtest()
    assert (
        Counter({outcome: sum(cell.rows for cell in result.cells if cell.outcome is outcome) for outcome in expected})
        == expected
    )


WORTH = """policy_language: 1
policy: worth
inputs: {flag: bool}
signals:
  face: {when_unknown: reject, fields: {ok: bool, n: int}}
  device: {when_unknown: pass, fields: {ok: bool, n: int}}
when_unknown: WHEN
rules:
  - {id: both, when: face.ok && device.ok, then: reject}
  - {id: either, when: face.ok || device.ok || flag, then: review}
  - {id: error, when: face.n / device.n > 1, then: reject}
  - {id: own, when: face.ok && flag, then: reject, when_unknown: review}
scorecard:
  points:
    - {when: device.ok, add: 30}
    - {when: face.n > 3, add: -20}
    - {when: flag, add: 15}
  bands: {review: 30, reject: 40}
"""


@pytest.mark.parametrize("default", ["pass", "review", "reject"])
def test_what_doubts_are_worth_by_row(database: duckdb.DuckDBPyConnection, default: str) -> None:
    policy = parse_policy(WORTH.replace("WHEN", default))
    given_: list[dict[str, object]] = [
        {"flag": flag, "face": {"ok": face, "n": n}, "device": {"ok": device, "n": m}}
        for flag in (True, False, None)
        for face in (True, False, None)
        for device in (True, False, None)
        for n in (0, 7, None)
        for m in (0, 2, None)
    ]
    runner = Runner(database, policy, dataset(database, policy, given_))
    assert runner.sql.fallbacks == ()
    for row, one in zip(runner.rows(), given_, strict=True):
        verdict = policy.evaluate(one, now=NOW)
        assert (row.outcome, row.lower, row.upper, row.score) == (
            verdict.outcome, verdict.lower, verdict.upper, verdict.score), one  # fmt: skip


def test_what_the_engine_answers_is_asked_once_for_each_combination_of_values(
    database: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    compiled = answers.answering

    def counting(*given: Any, **named: Any) -> Any:
        condition = compiled(*given, **named)

        def ask(values: Mapping[str, object]) -> object:
            asked.append(values)
            return condition(values)

        return ask

    monkeypatch.setattr(answers, "answering", counting)
    policy = parse_policy(
        "policy_language: 1\npolicy: few\ninputs: {country: string, n: int}\n"
        "rules: [{id: number, when: int(country) > 3 && n > 0, then: review}]\n"
    )
    given_ = [{"country": ("SG", "7", None)[at % 3], "n": at % 2} for at in range(600)]
    runner = Runner(database, policy, dataset(database, policy, given_))
    assert runner.backtest().rules[0].true == 100
    assert len(list(runner.rows())) == 600
    assert len(asked) == 6


def test_a_long_list_is_a_table_that_all_policies_share(database: duckdb.DuckDBPyConnection) -> None:
    names = ", ".join(f"n{at}" for at in range(3000))
    policy = parse_policy(
        f"policy_language: 1\npolicy: long\ninputs: {{name: string}}\nlists: {{bad: [{names}]}}\n"
        "variables: {listed: name in lists.bad}\n"
        "rules:\n  - {id: one, when: listed, then: review}\n  - {id: two, when: '!listed', then: review}\n"
    )
    given_ = [{"name": name} for name in ("n0", "n2999", "n3000", "", None)]
    runner = Runner(database, policy, dataset(database, policy, given_))
    assert not runner.sql.fallbacks and max(map(len, runner.sql.steps.values())) < 200
    assert [(row.matched, row.unresolved) for row in runner.rows()] == [
        (("one",), ()), (("one",), ()), (("two",), ()), (("two",), ()), ((), ("one", "two")),
    ]  # fmt: skip


def test_conditions_that_sql_cannot_say_are_answered_by_the_engine_and_named(
    database: duckdb.DuckDBPyConnection,
) -> None:
    policy = parse_policy(
        "policy_language: 1\npolicy: odd\ninputs: {opened: timestamp, country: string}\n"
        "variables: {late: string(opened).contains('T2')}\n"
        "rules:\n  - {id: night, when: late && country == 'SG', then: review}\n"
        "  - {id: number, when: int(country) > 3, then: reject}\n"
    )
    given_: list[dict[str, object]] = [
        {"opened": f"2026-07-01T{hour:02}:30:00Z", "country": country}
        for hour in range(24)
        for country in ("SG", "7", None)
    ]
    runner = Runner(database, policy, dataset(database, policy, given_))
    assert [fallback.at for fallback in runner.sql.fallbacks] == [0, 1]
    assert [name for name, _ in runner.backtest().by_row] == ["night", "number"]
    expected = [policy.evaluate(one, now=NOW) for one in given_]
    assert [(row.matched, row.unresolved) for row in runner.rows()] == [
        (verdict.matched, verdict.unresolved) for verdict in expected
    ]
