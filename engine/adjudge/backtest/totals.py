"""What scorecards come to in a backtest: how totals are spread, and what each row of points adds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adjudge.backtest.query import CardSql, PolicySql
from adjudge.frozen import frozen
from adjudge.policy.written_rows import Points, WrittenRow, written_rows

BARS_MAX = 40
"""Totals are shown in at most so many steps."""
_OF_A_ROW = 5
"""So many counts are kept of a row of points."""


@frozen(kw_only=True)
class PointsHits:
    """What became of one row of points, as it is written.

    condition, adds: what it asks and what it adds, as the policy has it; `condition` is empty where it always adds it.
    points: what it adds; where an expression says that, the least and the most that it can be.
    true: on how many decisions it held; of a row with an expression, on how many it certainly came to points other
    than 0. unknown: on how many it is unknown whether it does, or how many points it adds.
    moves: on how many decisions whose total is certain the scorecard would make another outcome without it.
    fraud, genuine: of the decisions on which it was true, how many have the label.
    """

    id: str
    condition: str
    adds: str
    points: int | Points
    true: int
    unknown: int
    moves: int
    fraud: int
    genuine: int


@frozen(kw_only=True)
class CardTotals:
    """One scorecard. totals: decisions by total, where it is certain. open: how many others there are."""

    name: str
    label: str
    review: int | None
    reject: int | None
    rows: tuple[PointsHits, ...]
    totals: Mapping[int, int]
    open: int

    def bars(self) -> list[tuple[int, int, int]]:
        """Return the totals in steps of one width: the first total, the last, and how many decisions."""
        if not self.totals:
            return []
        low, high = min(self.totals), max(self.totals)
        width = next(w for w in _widths() if high // w - low // w < BARS_MAX)
        first = low // width
        counts = [0] * (high // width - first + 1)
        for total, rows in self.totals.items():
            counts[total // width - first] += rows
        return [((first + at) * width, (first + at + 1) * width - 1, rows) for at, rows in enumerate(counts)]


def _widths() -> Iterator[int]:
    scale = 1
    while True:
        yield from (scale, 2 * scale, 5 * scale)
        scale *= 10


class CardCounts:
    """Counts scorecards beside the rest of a backtest, in the same pass."""

    def __init__(self, sql: PolicySql) -> None:
        """Count nothing yet."""
        self.cards, self.prefix = sql.cards, sql.prefix
        self.written = [written_rows(card.card) for card in sql.cards]
        self.rows = [[[0] * _OF_A_ROW for _ in rows] for rows in self.written]
        self.totals: list[Counter[int]] = [Counter() for _ in sql.cards]
        self.every = 0

    def columns(self) -> str:
        """Return the totals as columns of an inner select."""
        return "".join(
            f", {card.low} as {self.prefix}t{at}, {card.low} = {card.high} as {self.prefix}e{at}"
            for at, card in enumerate(self.cards)
        )

    def aggregates(self) -> str:
        """Return what is counted over those columns."""
        p = self.prefix
        parts = []
        for at, card in enumerate(self.cards):
            for row in self.written[at]:
                columns = [f"{p}c{card.first + number}" for number in row.numbers]
                is_true = " or ".join(columns)
                is_known = " and ".join(f"{column} is not null" for column in columns)
                is_true = is_true if len(columns) == 1 else f"({is_known}) and ({is_true})"
                added = _added(card, row) if row.formula is not None else str(row.row.points)  # where it is true
                told = _moves(card, f"{p}t{at}", added)
                parts += [
                    f"coalesce(count_if({is_true}), 0)",
                    f"count_if({is_known})",
                    f"coalesce(count_if({is_true} and {p}e{at} and ({told})), 0)",
                ]
            parts.append(f"histogram(case when {p}e{at} then {p}t{at} end)")
        return "".join(f", {part}" for part in parts)

    def add(self, label: str | None, rows: int, found: Sequence[Any]) -> None:
        """Take in one group of decisions. found: what `aggregates` came to."""
        self.every += rows
        left = iter(found)
        for at, of_card in enumerate(self.rows):
            for counts in of_card:
                true = next(left)
                counts[0] += true
                counts[1] += next(left)
                counts[2] += next(left)
                counts[3] += true if label == "fraud" else 0
                counts[4] += true if label == "genuine" else 0
            self.totals[at].update(next(left) or {})

    def found(self) -> tuple[CardTotals, ...]:
        """Return what was counted."""
        return tuple(
            CardTotals(
                name=card.card.name,
                label=card.card.label,
                review=card.card.review,
                reject=card.card.reject,
                rows=tuple(
                    PointsHits(
                        id=row.id,
                        condition=row.condition,
                        adds=row.adds,
                        points=row.row.points if row.formula is None else row.ends,
                        true=true,
                        unknown=self.every - known,
                        moves=moves,
                        fraud=fraud,
                        genuine=genuine,
                    )
                    for row, (true, known, moves, fraud, genuine) in zip(written, counts, strict=True)
                ),
                totals=dict(sorted(totals.items())),
                open=self.every - totals.total(),
            )
            for card, written, counts, totals in zip(self.cards, self.written, self.rows, self.totals, strict=True)
        )


def decides(card: CardSql, row: WrittenRow) -> str:
    """Return whether a total is certain, and would lie in another band without a row."""
    return f"{card.low} = {card.high} and ({_moves(card, card.low, _added(card, row))})"


def _added(card: CardSql, row: WrittenRow) -> str:
    """Return what a row adds at least, which is what it adds where the total is certain."""
    return " + ".join(card.low_terms[number] for number in row.numbers)


def _moves(card: CardSql, total: str, points: str) -> str:
    """Return whether a total lies in another band without some of its points."""
    bounds = [bound for bound in (card.card.review, card.card.reject) if bound is not None]
    return " or ".join(f"({total} >= {bound}) <> ({total} - ({points}) >= {bound})" for bound in bounds) or "false"
