"""What is assumed on every row is what a request with the same value has, in records and lists of them too."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

from adjudge.backtest.assumed import assumed_columns  # noqa: E402
from adjudge.backtest.layout import from_arrow  # noqa: E402

POLICY = """policy_language: 1
policy: assumed
inputs:
  day: date
  paper: {type: record, of: {number: string, expiry: date, age: duration}}
  papers: {type: list, of: {type: record, of: {number: string, expiry: date}}}
  limit: {type: money, currencies: [SGD, USD]}
rules: [{id: a, when: has(paper), then: review}]
"""


@pytest.mark.parametrize(
    ("slot", "text"),
    [
        ("day", "2026-11-30"),
        ("paper", '{"number": "K", "expiry": "2026-01-01", "age": "2d"}'),
        ("paper", '{"number": "K"}'),
        ("papers", '[{"number": "K"}, {"expiry": "2026-01-01"}]'),
        ("papers", "[]"),
        ("limit", '{"amount": "12.50", "currency": "SGD"}'),
    ],
)
def test_assumed_value_is_that_of_a_request(slot: str, text: str) -> None:
    policy = parse_policy(POLICY)
    live = policy.read({slot: json.loads(text) if text[0] in "[{" else text}).values
    found = assumed_columns(policy.typed, {slot: text})
    assert set(found) == {name for name in live if name == slot or name.startswith(f"{slot}.")}
    for name, sql in found.items():
        (row,) = duckdb.sql(f"select {sql}").fetchall()
        assert from_arrow(row[0], policy.typed.slots[name].type) == live[name], name
    assert timedelta(days=2) in live.values() or "2d" not in text
