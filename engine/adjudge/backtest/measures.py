"""What counts come to: shares with their denominators, and bounds where something is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from adjudge.backtest.run import VerdictCount
from adjudge.model import OUTCOMES, Outcome

_Z = 1.959964
"""Of 95 per cent, both sides."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """`hits` of `of`."""

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """0 to 1; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval of 95 per cent: where the share lies that these are a sample of."""
        if not self.of:
            return None
        share, squared = self.hits / self.of, _Z * _Z
        middle = (share + squared / (2 * self.of)) / (1 + squared / self.of)
        half = _Z * sqrt(share * (1 - share) / self.of + squared / (4 * self.of**2)) / (1 + squared / self.of)
        return max(0.0, middle - half), min(1.0, middle + half)

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"hits": self.hits, "of": self.of, "share": self.share, "interval": self.interval}


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """Rows with one outcome. cost: of `costed` rows, those whose cost is known."""

    rows: int
    fraud: int
    genuine: int
    cost: float
    costed: int

    @property
    def unlabelled(self) -> int:
        """Rows of which nobody knows."""
        return self.rows - self.fraud - self.genuine


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """A backtest in numbers.

    settled: rows that nothing unknown could change. caught: labelled frauds that did not pass; caught_low, caught_high:
    at least and at most, whatever the unknown turns out to be. precision: frauds among the labelled rows that did not
    pass; by outcome in `precisions`. turned_away: labelled genuine ones that were rejected.
    """

    rows: int
    outcomes: Mapping[Outcome, OutcomeCount]
    settled: Ratio
    caught: Ratio
    caught_low: Ratio
    caught_high: Ratio
    precision: Ratio
    precisions: Mapping[Outcome, Ratio]
    turned_away: Ratio
    labelled: Ratio

    def share(self, outcome: Outcome) -> Ratio:
        """Return the rows with an outcome, of all."""
        return Ratio(self.outcomes[outcome].rows, self.rows)


def measure(cells: Sequence[VerdictCount]) -> Measures:
    """Return what counts come to."""
    rows = _rows(cells)
    outcomes = {outcome: _count(cell for cell in cells if cell.outcome is outcome) for outcome in OUTCOMES}
    fraud = [cell for cell in cells if cell.label == "fraud"]
    frauds = _rows(fraud)
    genuine = sum(count.genuine for count in outcomes.values())
    precisions: dict[Outcome, Ratio] = {
        one: Ratio(outcomes[one].fraud, outcomes[one].fraud + outcomes[one].genuine)
        for one in (Outcome.REVIEW, Outcome.REJECT)
    }
    return Measures(
        rows=rows,
        outcomes=outcomes,
        settled=Ratio(_rows(cell for cell in cells if cell.lower is cell.upper), rows),
        caught=Ratio(_rows(cell for cell in fraud if cell.outcome is not Outcome.PASS), frauds),
        caught_low=Ratio(_rows(cell for cell in fraud if cell.lower is not Outcome.PASS), frauds),
        caught_high=Ratio(_rows(cell for cell in fraud if cell.upper is not Outcome.PASS), frauds),
        precision=Ratio(sum(one.hits for one in precisions.values()), sum(one.of for one in precisions.values())),
        precisions=precisions,
        turned_away=Ratio(outcomes[Outcome.REJECT].genuine, genuine),
        labelled=Ratio(frauds + genuine, rows),
    )


def _rows(cells: Iterable[VerdictCount]) -> int:
    return sum(cell.rows for cell in cells)


def _count(cells: Iterable[VerdictCount]) -> OutcomeCount:
    found = list(cells)
    return OutcomeCount(
        rows=_rows(found),
        fraud=_rows(cell for cell in found if cell.label == "fraud"),
        genuine=_rows(cell for cell in found if cell.label == "genuine"),
        cost=sum(cell.cost for cell in found),
        costed=sum(cell.costed for cell in found),
    )
