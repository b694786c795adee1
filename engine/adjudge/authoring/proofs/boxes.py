"""Rows of tables as boxes: for each field the values that a row takes. Questions about them are arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import product
from typing import Any

from adjudge.expr.nodes import Binary, Call, ListLiteral, Literal, Logic, Name, Node, Unary
from adjudge.expr.reference import Unknown, evaluate
from adjudge.frozen import frozen
from adjudge.policy.typed import Rule, TypedPolicy
from adjudge.values.types import BOOL, DOUBLE, INT

PAIRS_MAX = 3_000_000
"""So many pairs of rows are compared; of more, it is said that they were not."""
_TUPLES_MAX = 64


@frozen
class Among:
    """One of some values; negated: none of them."""

    values: frozenset[Any]
    negated: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it is no value at all."""
        return not self.values and not self.negated

    def within(self, other: Among) -> bool:
        """Whether each value of this one is one of the other's."""
        if self.negated:
            return other.negated and other.values <= self.values
        return not self.values & other.values if other.negated else self.values <= other.values

    def both(self, other: Among) -> Among:
        """Return the values of both."""
        if self.negated and other.negated:
            return Among(self.values | other.values, True)
        if self.negated or other.negated:
            few, but = (other, self) if self.negated else (self, other)
            return Among(few.values - but.values)
        return Among(self.values & other.values)


@frozen
class Between:
    """Numbers, durations or times from one to another; `None` is no bound. open: whether a bound itself is left out."""

    low: Any = None
    high: Any = None
    low_open: bool = False
    high_open: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it is no value at all."""
        if self.low is None or self.high is None:
            return False
        return bool(self.low > self.high or (self.low == self.high and (self.low_open or self.high_open)))

    def within(self, other: Between) -> bool:
        """Whether each number of this one lies in the other."""
        low = other.low is None or (
            self.low is not None
            and (self.low > other.low or (self.low == other.low and (self.low_open or not other.low_open)))
        )
        high = other.high is None or (
            self.high is not None
            and (self.high < other.high or (self.high == other.high and (self.high_open or not other.high_open)))
        )
        return bool(low and high)

    def both(self, other: Between) -> Between:
        """Return the numbers of both."""
        low, low_open = self.low, self.low_open
        if other.low is not None and (low is None or (other.low, other.low_open) > (low, low_open)):
            low, low_open = other.low, other.low_open
        high, high_open = self.high, self.high_open
        if other.high is not None and (high is None or (other.high, not other.high_open) < (high, not high_open)):
            high, high_open = other.high, other.high_open
        return Between(low, high, low_open, high_open)


Side = Among | Between
Box = Mapping[str, Side]


def box_of(rule: Rule, typed: TypedPolicy) -> Box | None:
    """Return a row's box; None where it asks something that is none, such as a list's length."""
    node = rule.condition
    found: dict[str, Side] = {}
    for part in node.operands if isinstance(node, Logic) and node.operator == "&&" else (node,):
        one = _side(part, typed)
        if one is None:
            return None
        name, side = one
        joint = _joint(found.get(name), side)
        if joint is None:
            return None
        found[name] = joint
    return found


def _joint(before: Side | None, side: Side) -> Side | None:
    """Return the values of both; None where they are of different kinds."""
    if before is None:
        return side
    if isinstance(before, Among):
        return before.both(side) if isinstance(side, Among) else None
    return before.both(side) if isinstance(side, Between) else None


def _side(node: Node, typed: TypedPolicy) -> tuple[str, Side] | None:
    match node:
        case Unary(operator="!", operand=inner):
            one = _side(inner, typed)
            if one is None or not isinstance(one[1], Among):
                return None
            return one[0], Among(one[1].values, not one[1].negated)
        case Binary(operator="in", left=Literal(value=value), right=Name(name=name)):
            return f"{value} in {name}", Among(frozenset((True,)))
        case Binary(operator="in", left=Name(name=name), right=Name(name=listed)) if listed in typed.constants:
            return name, Among(frozenset(typed.constants[listed]))
        case Binary(operator="in", left=Name(name=name), right=ListLiteral(items=items)):
            values = [_constant(item) for item in items]
            return None if None in values else (name, Among(frozenset(values)))
        case Binary(operator="==" | "!=" as sign, left=Name(name=name, type=type_), right=right):
            value = _constant(right)
            if value is None:
                return None
            if type_ in (INT, DOUBLE) and sign == "==":
                return name, Between(value, value)
            return (name, Among(frozenset((value,)), sign == "!=")) if type_ not in (INT, DOUBLE) else None
        case Binary(operator=">" | ">=" as sign, left=Name(name=name), right=right):
            value = _constant(right)
            return None if value is None else (name, Between(low=value, low_open=sign == ">"))
        case Binary(operator="<" | "<=" as sign, left=Name(name=name), right=right):
            value = _constant(right)
            return None if value is None else (name, Between(high=value, high_open=sign == "<"))
        case _:
            return None


def _constant(node: Node) -> Any:
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Call) and all(isinstance(one, Literal) for one in node.arguments):
        answer = evaluate(node, {})
        return None if isinstance(answer, Unknown) else answer
    return None


def within(one: Box, other: Box) -> bool:
    """Whether whatever one row is true of, the other is true of too."""
    return all(name in one and _within(one[name], side) for name, side in other.items())


def _within(one: Side, other: Side) -> bool:
    if isinstance(one, Among) and isinstance(other, Among):
        return one.within(other)
    return isinstance(one, Between) and isinstance(other, Between) and one.within(other)


def both(one: Box, other: Box) -> Box | None:
    """Return what two rows are both true of; None where there is nothing, or where that is not to be seen."""
    joined: dict[str, Side] = dict(one)
    for name, side in other.items():
        joint = _joint(joined.get(name), side)
        if joint is None or joint.is_empty:
            return None
        joined[name] = joint
    return joined


def pairs(boxes: Sequence[Box]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of rows that may have something in common, the earlier one first, each once.

    Rows are compared only where they share the values of all fields that every row names, and there in the order of one
    field's bounds.
    """
    keys = [
        name
        for name in dict.fromkeys(name for box in boxes for name in box)
        if all(isinstance(side := box.get(name), Among) and not side.negated for box in boxes)
    ]
    groups: dict[tuple[Any, ...], list[int]] = {}
    wide: list[int] = []
    for at, box in enumerate(boxes):
        values = [box[name].values for name in keys]  # type: ignore[union-attr]  # each of them is Among
        if math.prod(map(len, values)) > _TUPLES_MAX:
            wide.append(at)
            continue
        for value in product(*values):
            groups.setdefault(value, []).append(at)
    several = any(len(box[name].values) > 1 for box in boxes for name in keys)  # type: ignore[union-attr]  # as above
    seen: set[tuple[int, int]] = set()
    for group in groups.values():
        for pair in _swept(boxes, [*group, *wide]):
            if several or wide:
                if pair in seen:
                    continue
                seen.add(pair)
            yield pair


def _swept(boxes: Sequence[Box], group: Sequence[int]) -> Iterator[tuple[int, int]]:
    counts: dict[str, int] = {}
    for at in group:
        for name, side in boxes[at].items():
            if isinstance(side, Between) and side.low is not None and side.high is not None:
                counts[name] = counts.get(name, 0) + 1
    axis = max(counts, key=lambda name: counts[name], default=None)

    def low(at: int) -> Any:
        side = boxes[at].get(axis or "")
        return (1, side.low) if isinstance(side, Between) and side.low is not None else (0,)

    ordered = sorted(group, key=low)
    for number, at in enumerate(ordered):
        bounds = boxes[at].get(axis or "")
        high = bounds.high if isinstance(bounds, Between) else None
        for other in ordered[number + 1 :]:
            start = low(other)
            if high is not None and len(start) > 1 and start[1] > high:
                break
            yield (at, other) if at < other else (other, at)


def sample(box: Box, typed: TypedPolicy, now: Any) -> tuple[dict[str, object], Any] | None:
    """Return values of fields that a row is true of, and the clock; None where a variable would have to be solved."""
    values: dict[str, object] = {}
    for name, side in box.items():
        if name == "now":
            now = _inside(side, typed, name) or now
        elif " in " in name:
            member, _, field = name.partition(" in ")
            if field not in typed.slots:
                return None
            held = values.setdefault(field, [])
            assert isinstance(held, list)
            if isinstance(side, Among) and not side.negated:
                held.append(member)
        elif name in typed.slots:
            value = _inside(side, typed, name)
            if value is None:
                return None
            values[name] = value
        else:
            return None
    return values, now


def _inside(side: Side, typed: TypedPolicy, name: str) -> Any:
    declared = typed.slots[name]
    if isinstance(side, Among):
        if not side.negated:
            return min(side.values, key=str, default=None)
        others: Iterable[Any] = (f"other {number}" for number in range(len(side.values) + 1))
        known = (False, True) if declared.type == BOOL else declared.vocabulary or others
        return next((word for word in known if word not in side.values), None)
    low: Any = side.low if side.low is not None else declared.minimum
    high: Any = side.high if side.high is not None else declared.maximum
    if low is None and high is None:
        return None
    if low is None:
        return high if not side.high_open else _step(high, -1, whole=declared.type == INT)
    if high is None or (low < high and not isinstance(low, float)):
        return low if not side.low_open else _step(low, 1, whole=declared.type == INT)
    if low == high or not side.low_open:
        return low
    return (low + high) / 2


def _step(bound: Any, sign: int, *, whole: bool) -> Any:
    if isinstance(bound, int | float):
        return bound + sign * (1 if whole else max(1.0, abs(bound) / 100))
    return bound + sign * timedelta(minutes=1)
