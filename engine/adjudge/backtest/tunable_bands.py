"""The bands of scorecards as numbers that can be turned: the totals from which an outcome applies."""

from __future__ import annotations

from collections.abc import Sequence

from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Span

STEPS_MAX = 40
"""So many totals are tried for a band."""
_BANDS = (Outcome.REVIEW, Outcome.REJECT)


@frozen(kw_only=True)
class TunableBand:
    """The total from which a band of a scorecard begins. span: of the number, as it is written."""

    card: str
    label: str
    band: Outcome
    value: int
    span: Span

    @property
    def slot(self) -> str:
        """What stands for a field's name: the scorecard's."""
        return self.label

    @property
    def where(self) -> str:
        """Which band it is."""
        return f"{self.label}:{self.band}"

    @property
    def operator(self) -> str:
        """How the total is compared."""
        return ">="

    @property
    def name(self) -> str:
        """What people call it: `scorecard:review >= 40`."""
        return f"{self.where} >= {self.value}"


def tunable_bands(policy: TypedPolicy) -> tuple[TunableBand, ...]:
    """Return the bands of a policy's scorecards, in its order."""
    return tuple(
        TunableBand(card=card.name, label=card.label, band=band, value=value, span=card.spans[band])
        for card in policy.scorecards.values()
        for band, value in zip(_BANDS, (card.review, card.reject), strict=True)
        if value is not None
    )


def totals_to_try(band: TunableBand, low: int, high: int) -> Sequence[int]:
    """Return the totals to try between the least and the greatest that there are, as people write them."""
    step = next(step for step in _steps() if (high - low) // step <= STEPS_MAX)
    return sorted({*range(-(-(low + 1) // step) * step, high + 1, step), band.value})


def _steps() -> Sequence[int]:
    return [first * 10**power for power in range(10) for first in (1, 2, 5)]
