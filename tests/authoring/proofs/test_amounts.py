"""Amounts in several currencies, limits by country and clocks of a zone are settled: nothing of them stays open."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.policy import parse_policy

z3 = pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.proofs.analyse import analyse  # noqa: E402
from adjudge.expr.smt.arithmetic import OPERATIONS, tabled  # noqa: E402

TEXT = """policy_language: 1
policy: amounts
inputs:
  amount: {type: double, range: [0, 1000000], riskier: higher}
  currency: {type: enum, values: [SGD, IDR, USD]}
  country: {type: enum, values: [SG, ID]}
  share: {type: double, range: [0, 1], riskier: higher}
variables:
  usd: 'amount * {"SGD": 0.74, "IDR": 0.000063, "USD": 1.0}[currency]'
  night: now.timeOfDay("Asia/Singapore") >= duration("22h")
  stricter: 'usd > 5000.0 ? 0.8 : 1.0'
  limit: '{"SG": 0.6, "ID": 0.7}[country] * stricter'
rules:
  - {id: share, when: share >= limit, then: reject}
  - {id: amount, when: usd > 9000.0, then: review}
  - {id: night, when: night && usd > 4000.0, then: review}
"""


def codes(text: str) -> list[tuple[str, str]]:
    found = analyse(parse_policy(text), timeout_s=10, in_process=True).findings
    return [(finding.code, finding.message) for finding in found]


def test_products_by_rates_and_zone_clocks_are_settled() -> None:
    assert codes(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("usd > 5000.0 ? 0.8", "usd > 5000.0 ? 1.2", "not-monotone"),  # larger amounts get a softer limit
        ("usd > 9000.0", "usd > 9000.0 && usd > 700.0", "idle-part"),
        ("share >= limit", "share >= limit && limit > 0.7", "never-true"),
    ],
)
def test_mistake_in_them_is_found(old: str, new: str, code: str) -> None:
    assert code in [found for found, _ in codes(TEXT.replace(old, new))]


VALUES = st.sampled_from((0.0, 1.0, -1.0, 0.1, 0.7, 3.0, 1e-300, 1e300, 123456.789, -0.3))


@given(st.lists(VALUES, min_size=1, max_size=3), st.lists(VALUES, min_size=1, max_size=3), st.sampled_from("+-*/"))
def test_result_of_constants_is_the_one_that_python_computes(one: list[float], other: list[float], sign: str) -> None:
    names = [[z3.Bool(f"{side}{at}") for at in range(2)] for side in "ab"]

    def tree(values: list[float], conditions: list[object]) -> object:
        made = z3.RealVal(Fraction(values[-1]))
        for value, condition in zip(values[:-1], conditions, strict=False):
            made = z3.If(condition, z3.RealVal(Fraction(value)), made)
        return made

    answer = tabled(sign, tree(one, names[0]), tree(other, names[1]))
    if answer is None:
        results = [(a, b) for a in one for b in other if not (sign == "/" and b == 0)]
        values = [OPERATIONS[sign](a, b) for a, b in results]
        assert len(results) < len(one) * len(other) or any(
            value in (float("inf"), float("-inf")) or (value == 0 and str(value) == "-0.0") for value in values
        )
        return
    for truths in product((False, True), repeat=4):
        taken = [(name, z3.BoolVal(truth)) for name, truth in zip(names[0] + names[1], truths, strict=True)]
        chosen = z3.simplify(z3.substitute(answer, *taken))
        expected = OPERATIONS[sign](picked(one, truths[:2]), picked(other, truths[2:]))
        assert chosen.as_fraction() == Fraction(expected)


def picked(values: list[float], truths: tuple[bool, ...]) -> float:
    """Return which value a tree chooses: the outermost condition that holds decides."""
    chosen = values[-1]
    for value, truth in zip(values[:-1], truths, strict=False):
        chosen = value if truth else chosen
    return chosen
