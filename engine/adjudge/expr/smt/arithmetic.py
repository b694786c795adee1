"""Sums: exact for ints, times and durations; within the error of rounding for doubles."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from math import copysign, isfinite
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
LEAVES_MAX = 64
"""A result of constants is looked up for at most so many pairs."""
OPERATIONS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
ROUNDED_MAX = 12
"""A rounded result is put in order with so many earlier ones, the product of a larger value among them."""


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


def doubles(world: World, sign: str, left: Number, right: Number, known: Prop) -> Term:
    """Return a result that lies as near to the exact one as rounding brings it."""
    a, b = left.value, right.value
    odd = disj(left.odd, right.odd)
    if odd is False and (answer := tabled(sign, a, b)) is not None:
        return Number(known, answer, is_double=True)
    match sign:
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


def tabled(sign: str, a: Any, b: Any) -> Any | None:
    """Return the result of two values of which each is one of a few constants: computed as it will be, none is rounded.

    None where they are not, or a result is no plain number.
    """
    pairs = (leaves(a), leaves(b))
    if None in pairs or len(pairs[0] or ()) * len(pairs[1] or ()) > LEAVES_MAX:
        return None
    try:
        results = {(x, y): OPERATIONS[sign](float(x), float(y)) for x in pairs[0] or () for y in pairs[1] or ()}
    except (ZeroDivisionError, OverflowError):
        return None
    if not all(isfinite(result) and (result or copysign(1, result) > 0) for result in results.values()):
        return None  # a negative zero is none to the solver

    def chosen(one: Any, other: Any) -> Any:
        if z3.is_rational_value(one) and z3.is_rational_value(other):
            return z3.RealVal(Fraction(results[one.as_fraction(), other.as_fraction()]))
        split = one if not z3.is_rational_value(one) else other
        condition, yes, no = split.children()
        if split is one:
            return z3.If(condition, chosen(yes, other), chosen(no, other))
        return z3.If(condition, chosen(one, yes), chosen(one, no))

    return chosen(a, b)


def leaves(value: Any) -> set[Fraction] | None:
    """Return the constants of which a value is one, by whatever decides; None where it is anything else."""
    found: set[Fraction] = set()
    left = [value]
    while left:
        one = left.pop()
        if z3.is_rational_value(one):
            found.add(one.as_fraction())
        elif z3.is_app_of(one, z3.Z3_OP_ITE):
            left += one.children()[1:]
        else:
            return None
        if len(found) + len(left) > LEAVES_MAX:
            return None
    return found


def rounded(world: World, exact: Any, known: Prop, odd: Prop) -> Number:
    """Return a double next to an exact value; odd where that may be beyond the largest one."""
    value = z3.Real(world.fresh("rounded"))
    size = z3.If(exact >= 0, exact, -exact)
    error = size * z3.RealVal(ROUNDING) + z3.RealVal(SMALLEST)
    large = size > z3.RealVal(DOUBLE_MAX)
    world.constraints.append(z3.Or(large, z3.And(value - exact <= error, exact - value <= error)))
    # what is 0, or exactly on the way there, keeps its sign
    world.constraints.append(z3.And(z3.Implies(exact >= 0, value >= 0), z3.Implies(exact <= 0, value <= 0)))
    for other, its in world.rounded[-ROUNDED_MAX:]:  # rounding keeps the order
        world.constraints.append(
            z3.And(z3.Implies(exact <= other, value <= its), z3.Implies(exact >= other, value >= its))
        )
    world.rounded.append((exact, value))
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
    """Return whether each item that is there is known, as far as they are told apart: those beyond may be."""
    return conj(items.known, all_of(disj(neg(there), item.known) for there, item in items.items))
