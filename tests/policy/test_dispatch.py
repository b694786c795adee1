"""A policy of thousands of rows decides as it does in one program, whatever its requests hold."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.policy.loading.load import read_policy
from adjudge.policy.policy import Policy
from adjudge.policy.program import dispatch
from adjudge.policy.program.program import compile_policy

HEAD = """\
policy_language: 1
policy: shop
inputs:
  country: {type: enum, values: [SG, ID, "NO", PH]}
  mcc: string
  amount: {type: double, range: [0, 100]}
  tries: int
signals:
  device: {fields: {os: string, score: {type: double, range: [0, 100]}}}
lists:
  risky: [a, "12"]
variables:
  far: amount > 50.0
tables:
  t: {file: t.csv, then: review}
rules:
  - {id: far, when: far && device.score > 10.0, then: reject}
scorecard:
  points: [{when: tries > 2, add: 5}]
  bands: {review: 5}
"""
HEADERS = {
    "country": ["SG", "ID", "NO"],
    "country in": ['"SG, ID"', "PH"],
    "country !=": ["SG"],
    "mcc": ["12", "a", "0012"],
    "mcc in": ["lists.risky", '"a, b"'],
    "amount >=": ["0", "10", "20.5", "50"],
    "amount <": ["10", "20.5", "99"],
    "tries": ["1", "2"],
    "device.os": ["x", "y"],
    "device.score >": ["10", "20"],
}


@st.composite
def tables(draw: st.DrawFn) -> str:
    headers = draw(st.lists(st.sampled_from(sorted(HEADERS)), min_size=1, max_size=4, unique=True))
    pick = random.Random(draw(st.integers(0, 99)))
    rows = [[pick.choice(["", *HEADERS[header], *HEADERS[header]]) for header in headers] for _ in range(30)]
    return "\n".join([",".join(headers), *(",".join(row) for row in rows if any(row))]) + "\n"


TEXTS = st.sampled_from(["SG", "ID", "NO", "PH", "XX", "12", "a", "0012", "b", "é", "\u200b", "x"])
NUMBERS = st.sampled_from([0.0, 10.0, 20.5, 49.0, 51.0, 100.0, 101.0, -1.0, float("nan"), 10, 2, True, "10"])
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "country": TEXTS | NUMBERS | st.none(),
        "mcc": TEXTS | NUMBERS,
        "amount": NUMBERS | TEXTS,
        "tries": st.integers(0, 4) | NUMBERS,
        "device": st.fixed_dictionaries({}, optional={"os": TEXTS, "score": NUMBERS}) | TEXTS,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.lists(REQUESTS, min_size=1, max_size=8), st.booleans())
def test_groups_decide_as_one_program(csv: str, requests: list[Any], has_else: bool) -> None:
    head = HEAD.replace("then: review}", "then: review, else: reject}", 1) if has_else else HEAD
    policy = Policy(read_policy(head, texts={"t.csv": csv}))
    whole = compile_policy(policy.typed, policy.functions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "RULES_MIN", 4)
        patch.setattr(dispatch, "GROUP", 3)
        grouped = compile_policy(policy.typed, policy.functions)
        for request in (*requests, *requests):
            assert grouped(request) == whole(request)


@pytest.mark.parametrize("header", ["country", "mcc", "amount >=,amount <", "device.os", "tries"])
def test_request_goes_to_the_rows_that_can_be_true_of_it(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = {"country": ["SG", "ID", "NO", "PH"], "mcc": ["12", "a", "b", "0012"], "device.os": ["x", "y", "12", "a"]}
    bounds = ["0", "5", "10", "20.5", "30", "51", "60", "80", "100"]
    numbers = {
        "amount >=,amount <": [f"{low},{high}" for low, high in pairwise(bounds)],
        "tries": [str(number) for number in range(10)],
    }
    policy = policy_of((cells | numbers)[header], header)
    whole = compile_policy(policy.typed, policy.functions)
    monkeypatch.setattr(dispatch, "RULES_MIN", 4)
    monkeypatch.setattr(dispatch, "GROUP", 1)
    assert dispatch._best(policy.typed) is not None
    grouped = compile_policy(policy.typed, policy.functions)
    for value in (
        "SG",
        "PH",
        "XX",
        "12",
        "x",
        "é",
        "a\u200b",
        "",
        0.0,
        10.0,
        20.5,
        100.0,
        101.0,
        -1.0,
        1,
        3,
        True,
        None,
        [],
    ):
        request = {"country": value, "mcc": value, "amount": value, "tries": value, "device": {"os": value}}
        for asked in (request, {**request, "device": value}, {}):
            assert grouped(asked) == whole(asked)


def policy_of(rows: list[str], header: str) -> Policy:
    return Policy(read_policy(HEAD, texts={"t.csv": "\n".join([header, *rows]) + "\n"}))


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (
            "country,mcc,amount >=",
            [f"{('SG', 'ID', 'NO', 'PH')[at % 4]},{at // 4 % 50},{at % 90}" for at in range(4000)],
        ),
        ("mcc", [str(at) for at in range(4000)]),
        ("amount >=,amount <", [f"{at / 50},{(at + 1) / 50}" for at in range(4000)]),
        ("device.os,tries", [f"{at % 1000},{at}" for at in range(4000)]),
    ],
)
def test_no_group_of_a_large_table_is_large(header: str, rows: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "GROUP", 64)
    policy = policy_of(rows, header)
    compiled: list[int] = []

    def count(part: Any) -> Any:
        compiled.append(len(part.rules))
        return lambda given, *, now=None: None

    program = dispatch.dispatched(policy.typed, count)
    for value in ("SG", "7", "12"):
        program({"country": value, "mcc": value, "amount": 7.5, "tries": 7, "device": {"os": value}})
    assert max(compiled) <= 1002


def test_policy_of_few_rules_has_one_program() -> None:
    policy = policy_of(["SG"], "country")
    made: list[Any] = []
    assert dispatch.dispatched(policy.typed, lambda part: made.append(part) or len) is len  # type: ignore[return-value, func-returns-value]
    assert made == [policy.typed]
