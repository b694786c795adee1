"""Tables that answer many facts about one slot with one look.

A table maps a value of its slot to a mask with a bit for every alternative: 0 where some fact about the slot makes the
alternative false. Numbers and times find their mask by bisection between the constants that conditions compare
with; texts, bools and sets by the value itself.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from adjudge.expr.nodes import Binary, Has, ListLiteral, Literal, Logic, Name, Node, Unary, walk
from adjudge.expr.reference import Unknown, evaluate
from adjudge.frozen import frozen
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
MEMBERS_MAX = 64
"""A list of more values is asked by itself."""
_ASKING: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@frozen
class SlotFact:
    """A fact about one slot: whether it holds, and in which alternatives (as a mask) it is needed."""

    condition: Condition
    alternatives: int


@frozen
class Membership:
    """The fact that a slot's value is one of some constants, or that it is none of them.

    alternatives: those that need it, as a mask.
    """

    values: frozenset[object]
    wanted: bool
    alternatives: int


@frozen
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


@frozen
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
    if isinstance(node, Literal):
        return node.value
    if any(isinstance(part, Name) for part in walk(node)):
        return None
    value = evaluate(node, {})
    return None if isinstance(value, Unknown) else value


def plain_comparison(node: Node, slot: str) -> Condition | None:
    """Return a fact that compares an ordered slot with a constant as a function of its value; None for any other."""
    if not isinstance(node, Binary) or node.operator not in _ASKING:
        return None
    compare, left, right = _ASKING[node.operator], node.left, node.right
    is_left = isinstance(left, Name) and left.name == slot
    bound: Any = _constant(right if is_left else left)
    if bound is None or not (is_left or (isinstance(right, Name) and right.name == slot)):
        return None
    if is_left:
        return lambda value: None if value is None else compare(value, bound)
    return lambda value: None if value is None else compare(bound, value)


def members(node: Node, slot: str, constants: Mapping[str, tuple[object, ...]]) -> frozenset[object] | None:
    """Return the few values of which one makes a fact about a text true, and every other value false."""
    match node:
        case Binary(operator="==", left=Name(name=name), right=Literal(value=str() as value)) if name == slot:
            return frozenset((value,))
        case Binary(operator="==", left=Literal(value=str() as value), right=Name(name=name)) if name == slot:
            return frozenset((value,))
        case Binary(operator="in", left=Name(name=name), right=ListLiteral(items=items)) if name == slot:
            found = frozenset(item.value for item in items if isinstance(item, Literal) and isinstance(item.value, str))
            return found if 0 < len(items) <= MEMBERS_MAX and all(isinstance(item, Literal) for item in items) else None
        case Binary(operator="in", left=Name(name=name), right=Name(name=listed)) if name == slot:
            values = constants.get(listed, ())
            return frozenset(values) if 0 < len(values) <= MEMBERS_MAX else None
        case _:
            return None


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
class _Layer:
    """Memberships no two of which are needed by one alternative: those that need any, and by value those it allows."""

    needing: int = 0
    allowed: dict[object, int] = field(default_factory=dict)


@dataclass(slots=True)
class ValueTable:
    """Masks by value, filled as values come; bounded in number and length.

    memberships: facts that are answered together, with one look for all of them.
    """

    facts: Sequence[SlotFact]
    every: int
    memberships: InitVar[Sequence[Membership]] = ()
    masks: dict[object, int] = field(default_factory=dict)
    _layers: list[_Layer] = field(default_factory=list)
    _lost: dict[object, int] = field(default_factory=dict)
    _asking: int = 0

    def __post_init__(self, memberships: Sequence[Membership]) -> None:
        for one in memberships:
            self._asking |= one.alternatives
            places = self._lost
            if one.wanted:
                layer = next((layer for layer in self._layers if not layer.needing & one.alternatives), None)
                if layer is None:
                    layer = _Layer()
                    self._layers.append(layer)
                layer.needing |= one.alternatives
                places = layer.allowed
            for value in one.values:
                places[value] = places.get(value, 0) | one.alternatives

    def _weighed(self, value: object) -> Unsure:
        """Return the masks for one value, None for unknown."""
        found = weigh(self.facts, value, self.every)
        if value is None:
            return Unsure(found.alive, found.sure & ~self._asking)
        alive = found.alive & ~self._lost.get(value, 0)
        for layer in self._layers:
            alive &= ~layer.needing | layer.allowed.get(value, 0)
        return Unsure(alive, found.sure)

    @property
    def unknown(self) -> Unsure:
        """The masks while the value is unknown."""
        return self._weighed(None)

    def look(self, value: object) -> Unsure:
        """Return the masks of a value that is not yet in `masks`, and keep them there if they are plain."""
        found = self._weighed(value)
        small = isinstance(value, bool) or (isinstance(value, str) and len(value) <= VALUE_LENGTH_MAX)
        if found.sure == self.every and small:
            if len(self.masks) >= VALUES_MAX:
                self.masks.clear()
            self.masks[value] = found.alive
        return found
