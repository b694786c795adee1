"""The rows of a scorecard as their author wrote them: what every report tells as one.

A row whose points an expression says is several rows of the policy, its steps. Whoever decides or proves reads those;
whoever tells people of rows reads these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from adjudge.expr.nodes import Literal, Node
from adjudge.expr.printing import unparse
from adjudge.frozen import frozen
from adjudge.policy.typed import Formula, Row, Scorecard, TypedPolicy

Truth = bool | None
"""Whether a row holds; None where that is unknown."""
Points = tuple[int, int]
"""The least and the greatest number of points."""


@frozen(kw_only=True)
class WrittenRow:
    """A row as it is written. first: the number of its first step in the scorecard, from 0. steps: one, or several."""

    first: int
    steps: tuple[Row, ...]

    @property
    def row(self) -> Row:
        """Its first step, which has its name and its place."""
        return self.steps[0]

    @property
    def id(self) -> str:
        """Its own id, or `row 1` by its place."""
        return self.row.written_id

    @property
    def name(self) -> str:
        """What tells it from all rows of the policy."""
        return self.row.written_name

    @property
    def formula(self) -> Formula | None:
        """The expression that says its points; None where a number stands there."""
        return self.row.formula

    @property
    def numbers(self) -> range:
        """The numbers of its steps in the scorecard."""
        return range(self.first, self.first + len(self.steps))

    @property
    def ways(self) -> tuple[Sequence[Row], Sequence[Row]]:
        """Its steps upwards and its steps downwards, each from the one that comes first."""
        return [step for step in self.steps if step.points > 0], [step for step in self.steps if step.points < 0]

    @property
    def is_plain(self) -> bool:
        """Whether it is a condition with points, or an expression that never comes to any."""
        return self.formula is None or not any(self.ways)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Its condition, and the expression that says its points."""
        formula = self.formula
        if formula is None:
            return (self.row.condition,)
        return (formula.adds,) if formula.when is None else (formula.when, formula.adds)

    @property
    def condition(self) -> str:
        """What it asks; empty where it always adds its points."""
        if self.formula is None:
            return unparse(self.row.condition)
        return unparse(self.formula.when) if self.formula.when is not None else ""

    @property
    def adds(self) -> str:
        """What it adds, as it is written: `+25`, or `2 * weight`."""
        return f"{self.row.points:+d}" if self.formula is None else unparse(self.formula.adds)

    @property
    def said(self) -> str:
        """The whole of it: `+25 when proxy`."""
        return f"{self.adds} when {self.condition}" if self.condition else self.adds

    @property
    def ends(self) -> Points:
        """The least and the most that it ever adds."""
        return self.added([True if isinstance(step.condition, Literal) else None for step in self.steps])

    def added(self, answers: Iterable[Truth]) -> Points:
        """Return the least and the most that it adds. answers: of its steps."""
        low = high = 0
        for step, answer in zip(self.steps, answers, strict=True):
            if answer is not False:
                low += step.points if answer else min(step.points, 0)
                high += step.points if answer else max(step.points, 0)
        return low, high


def written_rows(card: Scorecard) -> tuple[WrittenRow, ...]:
    """Return the rows of a scorecard as they are written, in its order."""
    groups = groupby(enumerate(card.rows), key=lambda one: _key(*one))
    return tuple(_row(list(steps)) for _, steps in groups)


def rows_written(policy: TypedPolicy) -> Iterator[WrittenRow]:
    """Yield the rows of all scorecards, as they are written."""
    for card in policy.scorecards.values():
        yield from written_rows(card)


def conditions_written(policy: TypedPolicy) -> tuple[Node, ...]:
    """Return the conditions of rules, of rows as they are written and what they add, and of excuses."""
    rows = (node for row in rows_written(policy) for node in row.nodes)
    return (*(rule.condition for rule in policy.rules), *rows, *(excuse.condition for excuse in policy.excuses))


def _key(at: int, row: Row) -> tuple[object, ...]:
    """Return what steps of one row have in common, and no others; places tell apart what has one id."""
    return (at,) if row.formula is None else (row.written_id, row.span.start, row.span.end)


def _row(steps: Sequence[tuple[int, Row]]) -> WrittenRow:
    return WrittenRow(first=steps[0][0], steps=tuple(row for _, row in steps))


def points_said(points: Points) -> str:
    """Return points in words: `+25`, `+10 to +25` where that is not certain, or `0`."""
    return " to ".join(f"{end:+d}" if end else "0" for end in dict.fromkeys(points))
