"""A large table, counted as a whole, has the verdicts of its rows: in the engine, and in SQL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adjudge.policy.loading.load import read_policy
from adjudge.policy.policy import Policy

pytest.importorskip("duckdb", reason="needs the extra `backtest`")

from adjudge.backtest import large_tables
from adjudge.backtest.duck import connect
from adjudge.backtest.run import Runner
from adjudge.backtest.tunable_thresholds import tunable_thresholds
from backtest.test_query import dataset

POLICY = """\
policy_language: 1
policy: shop
inputs:
  country: {type: enum, values: [SG, ID]}
  amount: {type: double, range: [0, 100]}
signals:
  device:
    when_unknown: pass
    fields: {os: string, score: {type: map, keys: [X, Y], of: {type: double, range: [0, 1]}, absent: 0}}
tables:
  t: {file: t.csv}
rules:
  - {id: high, when: amount > 90.0, then: reject}
"""
HEADERS = {
    "country": ["SG", "ID"],
    "amount >=": ["10", "50"],
    "amount <": ["50", "80"],
    "device.os": ["a", "b"],
    "device.score.X >": ["0.5"],
    "when_unknown": ["pass", "reject"],
}
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "country": st.sampled_from(["SG", "ID"]),
        "amount": st.sampled_from([0.0, 10.0, 60.0, 95.0]),
        "device": st.fixed_dictionaries(
            {},
            optional={
                "os": st.sampled_from(["a", "b", "c"]),
                "score": st.dictionaries(st.sampled_from(["X", "Y"]), st.sampled_from([0.4, 0.6, 7.0, None])),
            },
        ),
    },
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    headers = draw(st.lists(st.sampled_from(sorted(HEADERS)), min_size=1, max_size=4, unique=True))
    cell = {header: st.sampled_from(["", *values, *values]) for header, values in HEADERS.items()}
    lines = [
        [*(draw(cell[header]) for header in headers), draw(st.sampled_from(["review", "reject"]))]
        for _ in range(draw(st.integers(2, 7)))
    ]
    asking = [at for at, header in enumerate(headers) if header != "when_unknown"]
    kept = [line for line in lines if any(line[at] for at in asking)]
    return (
        "\n".join(",".join(line) for line in [[*headers, "then"], *kept]) + "\n"
        if kept
        else "country,then\nSG,review\n"
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.lists(REQUESTS, min_size=2, max_size=6), st.sampled_from(["", ", else: review", ", else: reject"]))
@example("country,amount >=,device.os,then\nSG,50,,review\n,,a,review\n", [{"amount": 10.0}, {}], "")
def test_rows_together_have_the_verdict_of_the_rows(csv: str, requests: list[Any], otherwise: str) -> None:
    policy = Policy(read_policy(POLICY.replace("file: t.csv", f"file: t.csv{otherwise}"), texts={"t.csv": csv}))
    expected = [policy.evaluate(request) for request in requests]
    said = [(one.outcome, one.lower, one.upper) for one in expected]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_tables, "ROWS_MAX", 1)
        together = large_tables.collapsed(policy)
        found = [together.evaluate(request) for request in requests]
        assert [(one.outcome, one.lower, one.upper) for one in found] == said
        with connect(threads=1) as connection:
            rows = list(Runner(connection, policy, dataset(connection, policy, requests)).rows())
    assert [(row.outcome, row.lower, row.upper) for row in rows] == said


def test_small_table_stays_as_it_is_and_a_large_one_is_not_tuned() -> None:
    cells = [f"{('SG', 'ID')[at % 2]},{at / 100},review" for at in range(1200)]
    policy = Policy(read_policy(POLICY, texts={"t.csv": "\n".join(["country,amount >=,then", *cells]) + "\n"}))
    assert [rule.id for rule in large_tables.collapsed(policy).typed.rules] == ["high", "t:review"]
    assert [one.where for one in tunable_thresholds(policy.typed)] == ["high"]
    assert [one.where for one in tunable_thresholds(large_tables.collapsed(policy).typed)] == ["high"]
    few = Policy(read_policy(POLICY, texts={"t.csv": "country,amount >=,then\nSG,5,review\n"}))
    assert large_tables.collapsed(few) is few
    assert [one.where for one in tunable_thresholds(few.typed)] == ["t:1", "high"]
