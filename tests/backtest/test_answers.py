"""What SQL has no form for is asked of the engine before a query needs it: once for each combination, by processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from adjudge.plugin import Function
from adjudge.policy import Policy, parse_policy
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.load import read_policy
from policy.random_policies import NOW

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

from adjudge.backtest import answers as answers_module  # noqa: E402
from adjudge.backtest.answers import Answers  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.install import define  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402
from adjudge.backtest.settled import settled  # noqa: E402
from backtest.test_query import dataset  # noqa: E402

TEXT = """policy_language: 1
policy: odd
inputs:
  code: string
  n: int
  x: double
  at: timestamp
  long: duration
  tags: {type: list, of: string}
  scores: {type: map, of: double}
  seen: {type: set, values: [a, b]}
lists: {known: [LIST]}
variables: {number: int(code) - LIMIT}
rules:
  - {id: number, when: number > 0 && n > 0, then: review}
  - {id: zero, when: '1.0 / x > 0.0 && int(code) > 0', then: review}
  - {id: listed, when: 'code in lists.known && int(code) > 2', then: reject}
  - {id: nested, when: 'tags == ["a", "b"] || scores == {"k": 0.5}', then: review}
  - {id: times, when: 'string(at).contains("T2") || string(long) == "60s"', then: review}
  - {id: members, when: 'tags == [code] && size(seen) > 0', then: review}
"""


def policy(limit: int = 3, known: str = "3, 4") -> Policy:
    quoted = ", ".join(f'"{one.strip()}"' for one in known.split(","))
    return parse_policy(TEXT.replace("LIMIT", str(limit)).replace("LIST", quoted))


GIVEN: list[dict[str, object]] = [
    {
        "code": ("3", "4", "7", "SG", None)[at % 5],
        "n": (1, 0, None)[at % 3],
        "x": (0.0, -0.0, 2.5)[at % 3],
        "at": f"2026-07-01T{at % 24:02}:30:00Z",
        "long": ("1m", "1h", None)[at % 3],
        "tags": (["a", "b"], ["7"], [], None)[at % 4],
        "scores": ({"k": 0.5}, {"k": 0.25}, {}, None)[at % 4],
        "seen": (["a"], [], None)[at % 3],
    }
    for at in range(120)
]


ODD = Function(name="odd", parameters=("int",), result="bool", call=lambda n: n % 2 == 1)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin processes for next to nothing."""
    monkeypatch.setattr(answers_module, "BATCH", 10)
    monkeypatch.setattr(answers_module, "LOOK_S", 0.0)
    monkeypatch.setattr(answers_module, "WORTH_S", -1.0)


def agree(runner: Runner, of: Policy) -> None:
    live = [of.evaluate(one, now=NOW) for one in GIVEN]
    assert [(row.matched, row.unresolved, row.outcome) for row in runner.rows()] == [
        (verdict.matched, verdict.unresolved, verdict.outcome) for verdict in live
    ]


@pytest.mark.usefixtures("eager")
def test_processes_answer_what_the_engine_answers_and_nothing_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one = policy()
    told: list[tuple[str, float, list[float]]] = []
    pools: list[object] = []
    begin = answers_module._pool

    def pool(*given: Any) -> Any:
        pools.append(given)
        return begin(*given)

    monkeypatch.setattr(answers_module, "_pool", pool)

    @contextmanager
    def bar(label: str, total: float) -> Iterator[Callable[[float], None]]:
        shares: list[float] = []
        yield shares.append
        told.append((label, total, shares))

    with connect(threads=1) as connection:
        data = replace(dataset(connection, one, GIVEN), answers=Answers(jobs=2, bar=bar))
        runner = Runner(connection, one, data)
        assert [name for name, _ in runner.backtest().by_row] == [rule.id for rule in one.typed.rules]
        agree(runner, one)
        other = Runner(connection, policy(limit=5), data, "other_")  # whose other conditions are the same
        agree(other, policy(limit=5))
    assert multiprocessing.active_children() == []
    assert len(told) == len(pools) == 7 and all(label.startswith("asking ") for label, _, _ in told)
    assert all(shares == sorted(shares) and shares[-1] == total for _, total, shares in told)


def test_answers_ahead_are_those_that_a_query_looks_up() -> None:
    """Whatever the types: a query that had to ask would fail here."""
    one = policy()
    with connect(threads=1) as connection:
        given = [{**row, "x": 2.5} for row in GIVEN]
        runner = Runner(connection, one, dataset(connection, one, given))
        for name in runner.dataset.answers._asked:
            runner.dataset.answers._known[name] = Closed(runner.dataset.answers._known[name])
        for fallback in runner.sql.fallbacks:
            define(connection, fallback, one, runner.dataset)
        assert len(list(runner.rows())) == len(GIVEN)


class Closed(dict[str, object]):
    """Answers of which none is added."""

    def __setitem__(self, key: str, value: object) -> None:
        raise AssertionError(f"asked by a query: {key}")


def test_lists_and_variables_of_another_policy_are_not_taken_for_this_ones() -> None:
    one, two = policy(), policy(limit=6, known="4, 7")
    with connect(threads=1) as connection:
        data = dataset(connection, one, GIVEN)
        runners = [Runner(connection, one, data, "one_"), Runner(connection, two, data, "two_")]
        names = [{fallback.at: fallback.name for fallback in runner.sql.fallbacks} for runner in runners]
        assert [at for at in names[0] if names[0][at] != names[1][at]] == [0, 2]
        agree(runners[0], one)
        agree(runners[1], two)


def test_settled_data_holds_the_answers() -> None:
    one = policy()
    with connect(threads=1) as connection:
        data = settled(connection, one, dataset(connection, one, GIVEN))
        assert data.worked
        runner = Runner(connection, one, data, "p_")
        for fallback in runner.sql.fallbacks:
            connection.remove_function(fallback.name)  # no question needs it any more
        agree(runner, one)


@pytest.mark.usefixtures("eager")
def test_functions_of_plugins_are_asked_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pool(*given: object) -> None:
        raise AssertionError("a process was begun")

    monkeypatch.setattr(answers_module, "_pool", no_pool)
    catalogue = Catalogue(functions={"odd": ODD})
    typed = read_policy(
        "policy_language: 1\npolicy: p\ninputs: {n: int}\nrules: [{id: odd, when: odd(n), then: review}]\n",
        catalogue=catalogue,
    )
    one = Policy(typed, catalogue.overloads())
    with connect(threads=1) as connection:
        data = replace(dataset(connection, one, [{"n": at} for at in range(50)]), answers=Answers(jobs=2))
        assert Runner(connection, one, data).backtest().rules[0].true == 25


@pytest.mark.usefixtures("eager")
def test_ctrl_c_leaves_no_process_behind() -> None:
    @contextmanager
    def bar(label: str, total: float) -> Iterator[Callable[[float], None]]:
        def interrupted(done: float) -> None:
            raise KeyboardInterrupt

        yield interrupted

    one = policy()
    with connect(threads=1) as connection:
        data = replace(dataset(connection, one, GIVEN), answers=Answers(jobs=2, bar=bar))
        with pytest.raises(KeyboardInterrupt):
            Runner(connection, one, data)
        assert multiprocessing.active_children() == []
        assert connection.execute("select 1").fetchone() == (1,)
