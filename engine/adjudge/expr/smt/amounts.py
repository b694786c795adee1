"""Numbers that are reckoned beside a condition, as far as they hang on the input: how long, how many, how much work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3

from adjudge.expr.smt.logic import Prop, formula
from adjudge.frozen import frozen

COUNTED_MAX = 64
"""A product is written as a sum where one of its numbers has no more values than these: a solver does that better."""


@frozen
class Amount:
    """A whole number from `least` to `most`, neither of them negative. term: a z3 int."""

    term: Any
    least: int
    most: int

    def __add__(self, other: int | Amount) -> Amount:
        return Amount(self.term + _term(other), self.least + least(other), self.most + most(other))

    __radd__ = __add__

    def __mul__(self, other: int | Amount) -> int | Amount:
        if isinstance(other, int):
            return Amount(self.term * other, self.least * other, self.most * other) if other else 0
        few, many = sorted((self, other), key=lambda one: one.most - one.least)
        if few.most - few.least > COUNTED_MAX:
            term = few.term * many.term
        else:
            steps = (z3.If(few.term > at, many.term, 0) for at in range(few.least, few.most))
            term = z3.Sum([few.least * many.term, *steps])
        return Amount(term, few.least * many.least, few.most * many.most)

    __rmul__ = __mul__

    def __floordiv__(self, other: int) -> Amount:
        return Amount(self.term / other, self.least // other, self.most // other)


def least(number: int | Amount) -> int:
    """Return what a number is never less than."""
    return number if isinstance(number, int) else number.least


def most(number: int | Amount) -> int:
    """Return what a number is never more than."""
    return number if isinstance(number, int) else number.most


def total(numbers: Sequence[int | Amount]) -> int | Amount:
    """Return the sum of some numbers."""
    fixed = sum(number for number in numbers if isinstance(number, int))
    rest = [number for number in numbers if isinstance(number, Amount)]
    if not rest:
        return fixed
    term = z3.Sum([z3.IntVal(fixed), *(number.term for number in rest)])
    return Amount(term, fixed + sum(map(least, rest)), fixed + sum(map(most, rest)))


def larger(one: int | Amount, other: int | Amount) -> int | Amount:
    """Return the larger one of two numbers."""
    if least(one) >= most(other):
        return one
    if least(other) >= most(one):
        return other
    term = z3.If(_term(one) >= _term(other), _term(one), _term(other))
    return Amount(term, max(least(one), least(other)), max(most(one), most(other)))


def where(condition: Prop, one: int | Amount, other: int | Amount) -> int | Amount:
    """Return one number or another."""
    if isinstance(condition, bool):
        return one if condition else other
    if isinstance(one, int) and one == other:
        return one
    term = z3.If(formula(condition), _term(one), _term(other))
    return Amount(term, min(least(one), least(other)), max(most(one), most(other)))


def is_at_most(number: int | Amount, bound: int) -> Prop:
    """Return whether a number is no more than a bound."""
    if most(number) <= bound:
        return True
    return False if least(number) > bound else _term(number) <= bound


def _term(number: int | Amount) -> Any:
    return z3.IntVal(number) if isinstance(number, int) else number.term
