"""What stays true of the rows of one field, whatever their points become: which adds more, and that risk adds up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from adjudge.backtest.tunable_points import TunablePoints
from adjudge.backtest.tunable_thresholds import TunableThreshold, number_of
from adjudge.backtest.tunables import Tunable, with_numbers
from adjudge.expr.nodes import Binary, Node, walk
from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Row
from adjudge.policy.written_rows import written_rows
from adjudge.values.types import DOUBLE, INT

_Key = tuple[str, str]
"""A scorecard and a field."""


class PointsOrder:
    """Says whether numbers may become others.

    Of rows that read one field and nothing else, the one that adds more still adds more. And where, as the policy
    stands, they never add less together as a number grows, or never more, they still do not: so `riskier` holds.
    """

    def __init__(self, policy: Policy, numbers: Iterable[Tunable]) -> None:
        """numbers: all that may be turned."""
        self._policy = policy
        self._numbers = tuple(numbers)
        self._rows: defaultdict[_Key, list[int]] = defaultdict(list)
        self._ways: dict[_Key, tuple[bool, bool]] = {}
        self._answers: dict[tuple[_Key, tuple[float, ...]], Sequence[Sequence[bool]]] = {}
        for card in policy.typed.scorecards.values():
            for row in written_rows(card):
                slots = frozenset().union(*map(policy.typed.reads.slots, row.nodes))
                if len(slots) == 1:
                    self._rows[card.name, min(slots)].extend(row.numbers)
        self._key_of = {
            one: key
            for one in self._numbers
            if isinstance(one, TunablePoints)
            for key, rows in self._rows.items()
            if one.card == key[0] and one.number in rows
        }
        standing = {one: one.value for one in self._numbers}
        for key, rows in self._rows.items():
            if len(rows) > 1 and policy.typed.slots[key[1]].type in (INT, DOUBLE):
                ways = self._ways_of(key, standing)
                if any(ways) and not self._each_goes(key, ways, standing):
                    self._ways[key] = ways

    def keeps(self, one: Tunable, value: float, values: Mapping[Tunable, float]) -> bool:
        """Whether a number may become another, the others standing as they do."""
        if isinstance(one, TunablePoints):
            key = self._key_of.get(one)
            if key is None or not self._keeps_rank(one, key, value, values):
                return key is None
            keys = [key]
        elif isinstance(one, TunableThreshold):
            keys = [key for key in self._ways if key[1] == one.slot]
        else:
            return True
        new = {**values, one: value}
        return all(self._keeps_way(key, new) for key in keys)

    def _keeps_rank(self, one: TunablePoints, key: _Key, value: float, values: Mapping[Tunable, float]) -> bool:
        for other, its_key in self._key_of.items():
            if its_key == key and other is not one:
                if other.value > one.value and value >= values.get(other, other.value):
                    return False
                if other.value < one.value and value <= values.get(other, other.value):
                    return False
        return True

    def _keeps_way(self, key: _Key, values: Mapping[Tunable, float]) -> bool:
        rises, falls = self._ways.get(key, (False, False))
        if not rises and not falls:
            return True
        now = self._ways_of(key, values)
        return now[0] >= rises and now[1] >= falls

    def _each_goes(self, key: _Key, ways: tuple[bool, bool], standing: Mapping[Tunable, float]) -> bool:
        """Whether each row by itself goes the way of all, as one of a single bound does: then they always do."""
        every = range(len(self._rows[key]))
        columns = [[answers[at] for answers in self._answers_of(key, standing)] for at in every]
        rows = self._policy.typed.scorecards[key[0]].rows
        for at, column in zip(self._rows[key], columns, strict=True):
            grows = column == sorted(column)
            shrinks = column == sorted(column, reverse=True)
            rises, falls = (grows, shrinks) if rows[at].points > 0 else (shrinks, grows)
            if (ways[0] and not rises) or (ways[1] and not falls):
                return False
        return True

    def _ways_of(self, key: _Key, values: Mapping[Tunable, float]) -> tuple[bool, bool]:
        """Return whether the points of a field never become less as it grows, and whether never more."""
        points = [row.points for row in self._policy.typed.scorecards[key[0]].rows]
        for one, value in values.items():
            if isinstance(one, TunablePoints) and one.card == key[0]:
                points[one.number] = round(value)
        sums = [
            sum(points[number] for number, holds in zip(self._rows[key], answers, strict=True) if holds)
            for answers in self._answers_of(key, values)
        ]
        return all(a <= b for a, b in pairwise(sums)), all(a >= b for a, b in pairwise(sums))

    def _answers_of(self, key: _Key, values: Mapping[Tunable, float]) -> Sequence[Sequence[bool]]:
        """Return which rows hold, at numbers between which none of them changes."""
        thresholds: dict[Tunable, float] = {
            one: value for one, value in values.items() if isinstance(one, TunableThreshold) and one.slot == key[1]
        }
        known = key, tuple(thresholds.values())
        if known not in self._answers:
            typed = with_numbers(self._policy, thresholds).typed
            variables = {
                name: node for name, node in typed.variables.items() if typed.reads.slots(node) <= frozenset([key[1]])
            }
            rows = [typed.scorecards[key[0]].rows[number] for number in self._rows[key]]
            is_int = typed.slots[key[1]].type == INT
            tried = _tried([*variables.values(), *(row.condition for row in rows)], is_int=is_int)
            self._answers[known] = [self._at(key[1], value, variables, rows) for value in tried]
        return self._answers[known]

    def _at(self, slot: str, value: float, variables: Mapping[str, Node], rows: Sequence[Row]) -> Sequence[bool]:
        given: dict[str, object] = {**self._policy.typed.constants, slot: value}
        for name, node in variables.items():
            answer = evaluate(node, given, functions=self._policy.functions)
            given[name] = None if isinstance(answer, Unknown) else answer
        return [evaluate(row.condition, given, functions=self._policy.functions) is True for row in rows]


def _tried(conditions: Iterable[Node], *, is_int: bool) -> Sequence[float]:
    """Return numbers at and between all that a field is compared with."""
    bounds = {
        number
        for node in walk(*conditions)
        if isinstance(node, Binary)
        for side in (node.left, node.right)
        if (number := number_of(side)) is not None
    }
    if is_int:
        return sorted({int(bound) + step for bound in bounds for step in (-1, 0, 1)})
    found = sorted(map(float, bounds))
    between = [(one + other) / 2 for one, other in pairwise(found)]
    return sorted([*found, *between, *([found[0] - 1, found[-1] + 1] if found else [])])
