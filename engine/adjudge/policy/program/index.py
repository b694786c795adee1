"""Tables that answer many facts about one slot with one look.

A table maps a value of its slot to a mask with a bit for every alternative: 0 where some fact about the slot makes the
alternative false. Numbers and times find their mask by bisection between the constants that conditions compare
with; texts, bools and sets by the value itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from adjudge.expr.nodes import Binary, Has, ListLiteral, Literal, Logic, Name, Node, Unary, walk
from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy.program.verdict import bits
from adjudge.values.literals import DURATION_MAX, INT_MIN, is_nano
from adjudge.values.nanoseconds import whole_after
from adjudge.values.types import BOOL, DATE, DOUBLE, DURATION, INT, STRING, TIMESTAMP, EnumType, SetType, Type

Condition = Callable[[object], bool | None]
"""A fact as a function of its slot's value; None is unknown, as value and as answer."""

_ORDERED = (INT, DOUBLE, DURATION, TIMESTAMP, DATE)
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in")
VALUES_MAX = 4096
"""How many different values of one slot are remembered."""
VALUE_LENGTH_MAX = 64
"""A text longer than this is not remembered."""


@dataclass(frozen=True, slots=True)
class SlotFact:
    """A fact about one slot: whether it holds, and in which alternatives (as a mask) it is needed."""

    condition: Condition
    alternatives: int


@dataclass(frozen=True, slots=True)
class Unsure:
    """Masks for a value that leaves facts open: not false, and certainly true."""

    alive: int
    sure: int


def weigh(facts: Sequence[SlotFact], value: object, every: int) -> Unsure:
    """Return the masks for one value, None for unknown, by asking every fact."""
    alive = sure = every
    for fact in facts:
        holds = fact.condition(value)
        if holds is None:
            sure &= ~fact.alternatives
        elif not holds:
            alive &= ~fact.alternatives
    return Unsure(alive, sure)


@dataclass(frozen=True, slots=True)
class CutTable:
    """Masks of the stretches between cuts: `masks[bisect_right(cuts, value)]`."""

    cuts: tuple[float | int | timedelta | date, ...]
    masks: tuple[int, ...]


def cut_points(node: Node, slot: str, type_: Type) -> tuple[object, ...] | None:
    """Return the values of an ordered slot at which a fact can change, or None where that is not to be seen.

    Between two neighbouring points the fact is the same, so one value of each stretch stands for all.
    """
    if type_ not in _ORDERED:
        return None
    constants: list[object] = []
    for part in _plain_parts(node):
        match part:
            case Binary(operator=operator, left=left, right=right) if operator in _COMPARISONS:
                sides = [side for side in (left, right) if not (isinstance(side, Name) and side.name == slot)]
                if len(sides) != 1 or (operator == "in" and sides[0] is left):
                    return None
                held = sides[0].items if isinstance(sides[0], ListLiteral) else (sides[0],)
                constants += [_constant(side) for side in held]
            case Has() | Logic() | Unary(operator="!") | Literal():
                pass
            case _:
                return None
    points: list[object] = []
    for constant in constants:
        around = _around(constant, type_)
        if around is None:
            return None
        points += around
    return tuple(sorted(set(points)))  # type: ignore[type-var]  # all of the slot's own type


def _plain_parts(node: Node) -> Iterable[Node]:
    """Yield the logic of a fact down to its comparisons."""
    yield node
    match node:
        case Logic(operands=operands):
            for operand in operands:
                yield from _plain_parts(operand)
        case Unary(operator="!", operand=operand):
            yield from _plain_parts(operand)


def _constant(node: Node) -> object:
    """Return the value of a condition's part that reads nothing, or None."""
    if any(isinstance(part, Name) for part in walk(node)):
        return None
    value = evaluate(node, {})
    return None if isinstance(value, Unknown) else value


def _around(constant: object, type_: Type) -> tuple[object, ...] | None:
    """Return where comparing with a constant can change: at it, and right after it."""
    try:
        match type_, constant:
            case _, bool() | None:
                return None
            case Type(name="double"), int() | float():
                exact = float(constant)
                return (exact, math.nextafter(exact, math.inf)) if exact == constant else None
            case Type(name="int"), int() | float():
                whole = math.floor(constant)
                return (whole, whole + 1)
            case (Type(name="duration"), timedelta() as point) | (Type(name="timestamp"), datetime() as point):
                later = whole_after(point)
                return (later,) if is_nano(point) else (point, later)
            case Type(name="date"), date() if not isinstance(constant, datetime):
                return (constant, constant + timedelta(days=1))
            case _:
                return None
    except (OverflowError, ValueError):
        return None


def cut_table(facts: Sequence[tuple[SlotFact, tuple[object, ...]]], type_: Type, every: int) -> CutTable:
    """Build the table of a slot from its facts and each one's cut points."""
    cuts = sorted({point for _, points in facts for point in points})  # type: ignore[type-var]  # all of one type
    places = {cut: at for at, cut in enumerate(cuts, 1)}
    turns: list[list[tuple[int, int]]] = [[] for _ in range(len(cuts) + 1)]  # of alternatives, by place: one more false
    for fact, points in facts:
        held = True
        for value, at in ((_below(type_), 0), *((point, places[point]) for point in points)):
            holds = bool(fact.condition(value))
            if holds is not held:
                turns[at] += [(number, -1 if holds else 1) for number in bits(fact.alternatives)]
            held = holds
    false: dict[int, int] = {}
    mask, masks = every, []
    for turned in turns:
        for number, step in turned:
            count = false[number] = false.get(number, 0) + step
            mask = mask & ~(1 << number) if count else mask | 1 << number
        masks.append(mask)
    kept = [at for at, (before, after) in enumerate(pairwise(masks)) if before != after]
    return CutTable(tuple([cuts[at] for at in kept]), (masks[0], *(masks[at + 1] for at in kept)))  # type: ignore[misc]  # all of one ordered type


def _below(type_: Type) -> object:
    """Return a value that no other is below."""
    match type_.name:
        case "double":
            return -math.inf
        case "int":
            return INT_MIN
        case "duration":
            return -DURATION_MAX
        case "date":
            return date.min
        case _:
            return datetime.min.replace(tzinfo=UTC)


def by_value(type_: Type) -> bool:
    """Whether a slot's values are few or short enough to find a mask by the value itself."""
    return type_ in (BOOL, STRING) or isinstance(type_, EnumType | SetType)


@dataclass(slots=True)
class ValueTable:
    """Masks by value, filled as values come; bounded in number and length."""

    facts: Sequence[SlotFact]
    every: int
    masks: dict[object, int] = field(default_factory=dict)

    def look(self, value: object) -> Unsure:
        """Return the masks of a value that is not yet in `masks`, and keep them there if they are plain."""
        found = weigh(self.facts, value, self.every)
        small = isinstance(value, bool) or (isinstance(value, str) and len(value) <= VALUE_LENGTH_MAX)
        if found.sure == self.every and small:
            if len(self.masks) >= VALUES_MAX:
                self.masks.clear()
            self.masks[value] = found.alive
        return found
