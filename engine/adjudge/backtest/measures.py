"""What counts come to: shares with their denominators, and bounds where something is unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import sqrt
from typing import Any

from adjudge.backtest.run import VerdictCount
from adjudge.frozen import frozen
from adjudge.model import OUTCOMES, Outcome

_Z = 1.959964
"""Of 95 per cent, both sides."""


@frozen
class Ratio:
    """`hits` of `of`. worth: how many rows tell as much, where some stand for several; None where each is one."""

    hits: int
    of: int
    worth: float | None = None

    @property
    def share(self) -> float | None:
        """0 to 1; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval of 95 per cent: where the share lies that these are a sample of."""
        if not self.of:
            return None
        share, squared, rows = self.hits / self.of, _Z * _Z, self.worth or self.of
        middle = (share + squared / (2 * rows)) / (1 + squared / rows)
        half = _Z * sqrt(share * (1 - share) / rows + squared / (4 * rows**2)) / (1 + squared / rows)
        return max(0.0, middle - half), min(1.0, middle + half)

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"hits": self.hits, "of": self.of, "share": self.share, "interval": self.interval}


@frozen
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


@frozen(kw_only=True)
class Measures:
    """A backtest in numbers.

    settled: rows that nothing unknown could change. caught: labelled frauds that did not pass; caught_low, caught_high:
    at least and at most, whatever the unknown turns out to be. Where passes were sampled, what labels tell is weighed:
    those that were drawn stand for those that were not. precision: frauds among the labelled rows that did not
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
    fraud, genuine = ([cell for cell in cells if cell.label == label] for label in ("fraud", "genuine"))
    stopped = [cell for cell in (*fraud, *genuine) if cell.outcome is not Outcome.PASS]
    precisions = {
        one: _told([cell for cell in stopped if cell.outcome is one], lambda cell: cell.label == "fraud")
        for one in (Outcome.REVIEW, Outcome.REJECT)
    }
    return Measures(
        rows=rows,
        outcomes=outcomes,
        settled=Ratio(_rows(cell for cell in cells if cell.lower is cell.upper), rows),
        caught=_told(fraud, lambda cell: cell.outcome is not Outcome.PASS),
        caught_low=_told(fraud, lambda cell: cell.lower is not Outcome.PASS),
        caught_high=_told(fraud, lambda cell: cell.upper is not Outcome.PASS),
        precision=_told(stopped, lambda cell: cell.label == "fraud"),
        precisions=precisions,
        turned_away=_told(genuine, lambda cell: cell.outcome is Outcome.REJECT),
        labelled=Ratio(_rows((*fraud, *genuine)), rows),
    )


def _told(cells: Sequence[VerdictCount], is_hit: Callable[[VerdictCount], bool]) -> Ratio:
    """Return what labels tell: each of those that were sampled stands for the rows that were not."""
    weight, rows = sum(cell.weight for cell in cells), _rows(cells)
    hits = round(sum(cell.weight for cell in cells if is_hit(cell)))
    return Ratio(hits, round(weight), None if weight == rows else weight**2 / sum(cell.squared for cell in cells))


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
