"""The points of a scorecard's rows as numbers that can be turned."""

from __future__ import annotations

from collections.abc import Sequence

from adjudge.frozen import frozen
from adjudge.policy.typed import SCORECARD, Scorecard, TypedPolicy
from adjudge.policy.written_rows import WrittenRow, written_rows
from adjudge.source import Span

POINTS = "points"
"""What stands for a field's name: the points of a policy's only scorecard; of another `points:device`."""
STEPS_MAX = 40
"""So many numbers are tried for a row, and few more."""
TIMES_MAX = 3
"""So many times what it adds now a row is given at most: whoever reads the change should know the row again."""
_UNITS = [first * 10**power for power in range(7) for first in (1, 5)]
"""What people let numbers end with."""
_STEPS = [first * 10**power for power in range(8) for first in (1, 2, 5)]


@frozen(kw_only=True)
class TunablePoints:
    """The points that a row adds. number: of the row in its scorecard. span: of the points, as they are written."""

    card: str
    row: str
    number: int
    value: int
    span: Span

    @property
    def slot(self) -> str:
        """What stands for a field's name."""
        return POINTS if self.card == SCORECARD else f"{POINTS}:{self.card}"

    @property
    def where(self) -> str:
        """Which row it is, as thresholds in it say."""
        return f"{SCORECARD} {self.row}"

    @property
    def operator(self) -> str:
        """What stands between the row and its points."""
        return "adds"

    @property
    def name(self) -> str:
        """What people call it: `scorecard row 3 adds +25`."""
        return f"{self.where} adds {self.value:+d}"


def tunable_points(policy: TypedPolicy) -> tuple[TunablePoints, ...]:
    """Return the points of a policy's rows, in its order: of those that say them as a number, other than 0."""
    return tuple(
        TunablePoints(card=card.name, row=row.name, number=row.first, value=row.row.points, span=number)
        for card in policy.scorecards.values()
        for row in written_rows(card)
        if (number := _number(row)) is not None
    )


def _number(row: WrittenRow) -> Span | None:
    return row.row.number if row.formula is None and row.row.points else None


def points_to_try(one: TunablePoints, card: Scorecard) -> Sequence[int]:
    """Return the points to try for a row: of its sign, as people write them, and not beyond where a band begins."""
    written = [abs(row.points) for row in card.rows if row.points and row.formula is None]
    unit = max(unit for unit in _UNITS if all(points % unit == 0 for points in written))
    unit = unit // 2 if unit > _UNITS[1] else unit  # a step finer than what happens to stand there
    starts = [abs(start) for start in (card.review, card.reject) if start is not None]
    most = min(TIMES_MAX * abs(one.value), max(abs(one.value), *starts))
    step = next(step for step in _STEPS if step % unit == 0 and most // step <= STEPS_MAX)
    sign = 1 if one.value > 0 else -1
    tried = {*range(step, most + 1, step), abs(one.value), abs(one.value) + unit, abs(one.value) - unit}
    return sorted(sign * points for points in tried if 0 < points <= most)
