"""What a tuning is for, and how far numbers come towards it."""

from __future__ import annotations

import math

from adjudge.backtest.curves import Setting
from adjudge.backtest.measures import Ratio
from adjudge.frozen import frozen
from adjudge.model import Outcome


@frozen(kw_only=True)
class Goal:
    """What is wanted; shares from 0 to 1, costs in any one unit.

    max_review: of all rows. max_miss: of labelled frauds, those that pass. max_turned_away: of labelled genuine ones,
    those that are rejected; None: no more than today.
    review_cost: of a row in review; miss_cost: of a labelled fraud that passes; turned_away_cost: of a genuine one that
    is rejected. Without costs, what no share limits is made small: first the miss rate, then the reviews.
    """

    max_review: float | None = None
    max_miss: float | None = None
    max_turned_away: float | None = None
    review_cost: float = 0.0
    miss_cost: float = 0.0
    turned_away_cost: float = 0.0

    @property
    def has_costs(self) -> bool:
        """Whether costs decide."""
        return bool(self.review_cost or self.miss_cost or self.turned_away_cost)


@frozen
class Result:
    """What thresholds come to on some rows."""

    review: Ratio
    reject: Ratio
    miss: Ratio
    turned_away: Ratio

    @classmethod
    def of(cls, setting: Setting) -> Result:
        """Return what a setting comes to: of all rows, and of what the labelled ones stand for."""

        def rows(*outcomes: Outcome) -> int:
            return sum(n for (_, one), n in setting.counts.items() if one in outcomes)

        def told(label: str, *outcomes: Outcome) -> int:
            return round(sum((n for (of, one), n in setting.weights.items() if one in outcomes and of == label), 0.0))

        every = rows(*Outcome)
        return cls(
            review=Ratio(rows(Outcome.REVIEW), every),
            reject=Ratio(rows(Outcome.REJECT), every),
            miss=Ratio(told("fraud", Outcome.PASS), told("fraud", *Outcome)),
            turned_away=Ratio(told("genuine", Outcome.REJECT), told("genuine", *Outcome)),
        )

    def cost(self, goal: Goal) -> float:
        """Return what they cost; a fraud without a label costs nothing here."""
        return (
            goal.review_cost * self.review.hits
            + goal.miss_cost * self.miss.hits
            + goal.turned_away_cost * self.turned_away.hits
        )


def safe_limit(limit: float, rows: float) -> float:
    """Return what a share of some rows must not pass for the limit to be likely to hold on others.

    That is one standard error below it, and not less than half of it: few rows allow no promise at any price.
    """
    return max(limit / 2, limit - math.sqrt(limit * (1 - limit) / rows)) if rows else limit
