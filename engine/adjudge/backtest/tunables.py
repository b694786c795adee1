"""All numbers of a policy that can be turned: thresholds, where bands begin, and points of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adjudge.backtest.tunable_bands import TunableBand, tunable_bands
from adjudge.backtest.tunable_points import POINTS, TunablePoints, tunable_points
from adjudge.backtest.tunable_thresholds import TunableThreshold, tunable_thresholds, turned
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Scorecard, TypedPolicy

Tunable = TunableThreshold | TunableBand | TunablePoints


def tunables(policy: TypedPolicy) -> Sequence[Tunable]:
    """Return the numbers of a policy, by kind and in its order."""
    return [*tunable_thresholds(policy), *tunable_bands(policy), *tunable_points(policy)]


def is_named(one: Tunable, names: Sequence[str]) -> bool:
    """Whether a number is among those that somebody names: by its field or scorecard, by its place, or as `points`."""
    return one.slot in names or one.where in names or (isinstance(one, TunablePoints) and POINTS in names)


def with_numbers(policy: Policy, values: Mapping[Tunable, float]) -> Policy:
    """Return the policy with other numbers; its text stays as it was."""
    cards = dict(policy.typed.scorecards)
    for one, value in values.items():
        if not isinstance(one, TunableThreshold):
            cards[one.card] = _with_number(cards[one.card], one, round(value))
    thresholds = {one: value for one, value in values.items() if isinstance(one, TunableThreshold)}
    return turned(Policy(replace(policy.typed, scorecards=cards), policy.functions), thresholds)


def _with_number(card: Scorecard, one: TunableBand | TunablePoints, value: int) -> Scorecard:
    if isinstance(one, TunablePoints):
        rows = list(card.rows)
        rows[one.number] = replace(rows[one.number], points=value)
        return replace(card, rows=tuple(rows))
    bands = {"review": card.review, "reject": card.reject, one.band.value: value}
    return replace(card, review=bands["review"], reject=bands["reject"])
