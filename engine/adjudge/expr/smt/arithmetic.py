"""Sums: exact for ints, times and durations; within the error of rounding for doubles."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import z3

from adjudge.expr.smt.amounts import is_at_most
from adjudge.expr.smt.lengths import length_in
from adjudge.expr.smt.logic import Prop, all_of, conj, disj, neg
from adjudge.expr.smt.terms import (
    Codes,
    Items,
    Members,
    Number,
    Opaque,
    Term,
    Text,
    as_string,
    bounded,
    length_of,
    listed,
    places_of,
)
from adjudge.expr.smt.world import DOUBLE_MAX, LIMITS, World
from adjudge.values.literals import INT_MIN, TEXT_MAX
from adjudge.values.types import DATE, DURATION, INT, TIMESTAMP, Type

ROUNDING = Fraction(1, 2**53)
DAY = 86_400 * 10**6
"""Microseconds."""
SMALLEST = Fraction(1, 2**1074)


def negative(operand: Term) -> Term:
    """Return `-operand`."""
    if not isinstance(operand, Number):
        return Opaque(operand.known)
    if operand.is_double:
        return Number(operand.known, -operand.value, is_double=True, odd=operand.odd)
    return Number(conj(operand.known, operand.value != INT_MIN), -operand.value)


def operate(world: World, operator: str, left: Term, right: Term, type_: Type | None) -> Term:
    """Return `left + right` and its like. type_: of the result."""
    known = conj(left.known, right.known)
    match left, right:
        case Number(is_double=True), Number(is_double=True):
            return doubles(world, operator, left, right, known)
        case Number(), Number():
            return whole(operator, left, right, type_ or INT, known)
        case Text(), Text():
            return joined(left, right, world.codes, known)
        case Members() | Items(), Members() | Items():
            one, other = (listed(term) if isinstance(term, Members) else term for term in (left, right))
            return behind(one, other)
    return Opaque(conj(known, z3.Bool(world.fresh("known"))))


def whole(operator: str, left: Number, right: Number, type_: Type, known: Prop) -> Term:
    """Return a sum of ints, times and durations, unknown past their limits."""
    a, b = left.value, right.value
    match operator:
        case "+":
            value: Any = a + b
        case "-":
            value = a - b
        case "*":
            value = a * b
        case _:
            known = conj(known, b != 0)
            quotient = toward_zero(a, b)
            low, high = LIMITS[INT]
            fits = z3.And(quotient >= low, quotient <= high)
            value = quotient if operator == "/" else a - b * quotient
            known = conj(known, fits)
    low, high = LIMITS[type_] if type_ in (INT, DURATION, TIMESTAMP) else LIMITS[INT]
    return Number(conj(known, value >= low, value <= high), value)


def dates(operator: str, left: Number, right: Number, types: tuple[Type | None, Type | None]) -> Number:
    """Return the days between two dates as a duration, or a date moved by whole days. types: of the operands."""
    known = conj(left.known, right.known)
    if types == (DATE, DATE):
        value, type_ = (left.value - right.value) * DAY, DURATION
    else:
        day, length = (left.value, right.value) if types[0] == DATE else (right.value, left.value)
        known = conj(known, length % DAY == 0)
        value, type_ = (day + length / DAY if operator == "+" else day - length / DAY), DATE
    low, high = LIMITS[type_]
    return Number(conj(known, value >= low, value <= high), value)


def toward_zero(a: Any, b: Any) -> Any:
    """Return a quotient without its fraction."""
    magnitude = z3.If(a >= 0, a, -a) / z3.If(b >= 0, b, -b)
    return z3.If((a >= 0) == (b >= 0), magnitude, -magnitude)


def doubles(world: World, operator: str, left: Number, right: Number, known: Prop) -> Term:
    """Return a result that lies as near to the exact one as rounding brings it."""
    a, b = left.value, right.value
    odd = disj(left.odd, right.odd)
    match operator:
        case "+":
            exact: Any = a + b
        case "-":
            exact = a - b
        case "*":
            exact = a * b
        case _:
            exact = a / b
            odd = disj(odd, b == 0)
    return rounded(world, exact, known, odd)


def rounded(world: World, exact: Any, known: Prop, odd: Prop) -> Number:
    """Return a double next to an exact value; odd where that may be beyond the largest one."""
    value = z3.Real(world.fresh("rounded"))
    size = z3.If(exact >= 0, exact, -exact)
    error = size * z3.RealVal(ROUNDING) + z3.RealVal(SMALLEST)
    large = size > z3.RealVal(DOUBLE_MAX)
    world.constraints.append(z3.Or(large, z3.And(value - exact <= error, exact - value <= error)))
    # what is 0, or exactly on the way there, keeps its sign
    world.constraints.append(z3.And(z3.Implies(exact >= 0, value >= 0), z3.Implies(exact <= 0, value <= 0)))
    return Number(known, value, is_double=True, odd=disj(odd, large))


def joined(left: Text, right: Text, codes: Codes, known: Prop) -> Text:
    """Return one text behind another."""
    made = Text(known, z3.Concat(as_string(left, codes), as_string(right, codes)))
    return replace(made, known=conj(known, is_at_most(length_in(made, codes), TEXT_MAX)))


def behind(left: Items, right: Items) -> Items:
    """Return one list behind another, whose items stand where the first one ends."""
    items = (*left.items, *right.items)
    length, ends = length_of(left) + length_of(right), length_of(left)
    fits = length <= TEXT_MAX if len(items) > TEXT_MAX or not (left.beyond is right.beyond is False) else True
    return bounded(
        Items(
            conj(left.known, right.known, fits),
            items,
            disj(left.beyond, right.beyond),
            length,
            cache(lambda: (*places_of(left), *(ends + place for place in places_of(right)))),
            disj(left.scattered, right.scattered, left.beyond),
        )
    )


def all_known(items: Items) -> Prop:
    """Return whether each item that is there is known."""
    return conj(items.known, neg(items.beyond), all_of(disj(neg(there), item.known) for there, item in items.items))
