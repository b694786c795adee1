"""The search for better numbers: one threshold, band or row of points after another is put where it is best.

A pass over the data looks at several thresholds or rows, and at every total that a band may begin at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from adjudge.backtest.band_curves import band_curves
from adjudge.backtest.curves import Bins, Setting, curves
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import first
from adjudge.backtest.goal import Goal, Result, safe_limit
from adjudge.backtest.outcomes import outcomes
from adjudge.backtest.point_curves import point_curves
from adjudge.backtest.points_order import PointsOrder
from adjudge.backtest.run import DECIDES, Runner
from adjudge.backtest.settled import chosen
from adjudge.backtest.tunable_bands import TunableBand, totals_to_try
from adjudge.backtest.tunable_points import TunablePoints, points_to_try
from adjudge.backtest.tunable_thresholds import TunableThreshold, tunable_thresholds
from adjudge.backtest.tunables import Tunable, with_numbers
from adjudge.policy.policy import Policy

if TYPE_CHECKING:
    import duckdb

ROUNDS_MAX = 4
TRIED_MAX = 5
"""So many of the best settings are looked at for one that leaves no rule without a row."""
AHEAD = 2
"""On so many thresholds a pass looks after one was turned, and on twice as many each time that none is."""
_QUANTILES = 40
_PRICES = (20.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.05)
"""Of a point of the review share, in points of the miss rate."""

FRONTIER_MAX = 12
"""So many other trade-offs are shown."""
LOOKS_MAX = 8
"""So often is it looked for others in place of those that leave a rule without a row."""

Progress = Callable[[str], None]
"""Told the name of the threshold that is looked at."""
_Seen = tuple[dict[Tunable, float], Result]


@dataclass(slots=True)
class Search:
    """One search. where: the rows that are learned from.

    seen: every setting that was looked at, with what it came to. known: curves by where all thresholds stand.
    free: the numbers that may still move. decide: what decides on some row, by the numbers that were asked about.
    wanted: what decides as the policy stands.
    """

    connection: duckdb.DuckDBPyConnection
    policy: Policy
    dataset: Dataset
    goal: Goal
    numbers: tuple[Tunable, ...]
    where: str
    seen: list[_Seen] = field(default_factory=list)
    known: dict[tuple[float, ...], dict[Tunable, tuple[Setting, ...]]] = field(default_factory=dict)
    decide: dict[tuple[float, ...], frozenset[str]] = field(default_factory=dict)
    free: tuple[Tunable, ...] = field(init=False)
    order: PointsOrder = field(init=False)
    wanted: frozenset[str] = field(init=False)
    learned: Dataset = field(init=False)
    bins: Bins = field(init=False)
    first: Result = field(init=False)
    best: Result = field(init=False)
    frontier: tuple[_Seen, ...] = field(init=False)

    def run(self, progress: Progress | None) -> dict[Tunable, float]:
        """Return the best numbers that were found.

        One threshold at a time finds no way that leads through something worse. So the search first follows a price
        of reviews against misses, from dear to cheap, and then the goal from the best of all it has seen. Points are
        turned on the second way only, for there are many of them, unless they are all that is to be turned.
        """
        self.free = self.numbers
        self.order = PointsOrder(self.policy, self.numbers)
        values = {threshold: threshold.value for threshold in self.numbers}
        tried: dict[Tunable, Sequence[float]] = {one: self._tried(one) for one in self.numbers}
        thresholds = {one: values for one, values in tried.items() if isinstance(one, TunableThreshold)}
        self.bins = Bins(self.dataset, thresholds)
        self.learned = chosen(self.connection, self.dataset, self.where, self.bins.steps)
        self.first = Result.of(outcomes(self.connection, self.policy, self.learned))
        self.seen.append((dict(values), self.first))
        self.wanted = self._deciding(values)
        first_ = tuple(one for one in self.free if not isinstance(one, TunablePoints)) or self.free
        for price in _PRICES:
            values = self._descend(values, tried, partial(self._priced, price), progress, first_)
        best, _ = min(self.seen, key=lambda one: self.worth(one[1]))
        self._descend(best, tried, self.worth, progress)
        found = self._alive(tried, progress)
        self.frontier = self._frontier()
        values, self.best = min([found, *self.frontier], key=self._rank)
        return values

    def _rank(self, one: _Seen) -> tuple[tuple[float, ...], int]:
        return self.worth(one[1]), _moved(one[0])

    def _alive(
        self, tried: Mapping[Tunable, Sequence[float]], progress: Progress | None
    ) -> tuple[dict[Tunable, float], Result]:
        """Return the best setting in which every rule still decides somewhere that decides somewhere now.

        Where none of the best does, one number that takes a rule its rows is put back for good, and the search goes on
        with the others. With all put back the policy stands as it is.
        """
        dead: list[dict[Tunable, float]] = []
        while True:
            back = [one for one in self.numbers if one not in self.free]
            left = [one for one in self.seen if all(one[0][number] == number.value for number in back)]
            found: list[dict[Tunable, float]] = []
            for values, result in sorted(left, key=self._rank):
                if values not in dead and len(found) < TRIED_MAX:
                    if not self._lost(values):
                        return values, result
                    found.append(values)
                    dead.append(values)
            put_back = self._reviving(found[0])
            self.free = tuple(one for one in self.free if one not in put_back)
            self._descend({**found[0], **{one: one.value for one in put_back}}, tried, self.worth, progress)

    def _lost(self, values: Mapping[Tunable, float]) -> frozenset[str]:
        """Return what decides somewhere as the policy stands, and nowhere with other numbers.

        A row of a scorecard is to decide in which band a total lies only where its own points are turned.
        """
        turned = {f"{one.where}{DECIDES}" for one, value in values.items()
                  if isinstance(one, TunablePoints) and value != one.value}  # fmt: skip
        lost = self.wanted - self._deciding(values)
        return frozenset(name for name in lost if not name.endswith(DECIDES) or name in turned)

    def _reviving(self, values: Mapping[Tunable, float]) -> Sequence[Tunable]:
        """Return a number that, put back, gives a rule its rows again; all that moved where no single one does."""
        lost = self._lost(values)
        places = {name.removesuffix(DECIDES) for name in lost}
        moved = [one for one in self.free if values[one] != one.value]
        slots = {one.slot for one in moved if one.where in places}
        for one in sorted(moved, key=lambda one: (one.where not in places, one.slot not in slots)):
            if not lost <= self._lost({**values, one: one.value}):
                return [one]
        return moved

    def _deciding(self, values: Mapping[Tunable, float]) -> frozenset[str]:
        """Return the rules, bands, rows of scorecards and excuses that have an effect on some row."""
        key = tuple(values[one] for one in self.numbers)
        if key not in self.decide:
            turned = with_numbers(self.policy, values)
            self.decide[key] = Runner(self.connection, turned, self.learned, "d_").deciding()
        return self.decide[key]

    def _descend(
        self,
        values: dict[Tunable, float],
        tried: Mapping[Tunable, Sequence[float]],
        worth: Callable[[Result], tuple[float, ...]],
        progress: Progress | None,
        numbers: Sequence[Tunable] | None = None,
    ) -> dict[Tunable, float]:
        """Turn one number after another until none makes it better. numbers: all that are free unless given."""
        values, best, ahead = dict(values), None, AHEAD
        for _ in range(ROUNDS_MAX):
            before = dict(values)
            for threshold in self.free if numbers is None else numbers:
                if progress is not None:
                    progress(threshold.name)
                found = self._found(threshold, values, tried, ahead)
                self.seen += found
                winner, result = min(found, key=lambda one: (worth(one[1]), _moved(one[0])))
                ahead *= 2
                if best is None or worth(result) < best:
                    ahead = AHEAD if winner != values else ahead
                    values, best = winner, worth(result)
            if values == before:
                break
        return values

    def _found(
        self,
        threshold: Tunable,
        values: Mapping[Tunable, float],
        tried: Mapping[Tunable, Sequence[float]],
        ahead: int,
    ) -> list[tuple[dict[Tunable, float], Result]]:
        """Return where one threshold may stand, the others standing still, and what that comes to.

        ahead: on so many thresholds the pass over the data looks, of which none is turned as long as all stand well.
        """
        known = self.known.setdefault(tuple(values.values()), {})
        if threshold not in known and isinstance(threshold, TunableBand):
            known |= self._of_bands(threshold.card, values, tried)
        elif threshold not in known and isinstance(threshold, TunablePoints):
            known |= self._of_points(threshold, values, tried, ahead)
        elif threshold not in known:
            inner = with_numbers(self.policy, values)
            standing = {one.span: one for one in tunable_thresholds(inner.typed)}
            left = [one for one in self._from(threshold) if one not in known and isinstance(one, TunableThreshold)]
            wanted = {one: standing[one.span] for one in left[:ahead]}
            settings = curves(
                self.connection,
                inner,
                self.learned,
                {now: self._allowed(one, values, tried) for one, now in wanted.items()},
                bins=self.bins,
            )
            known |= {one: settings[now] for one, now in wanted.items()}
        return [({**values, threshold: one.value}, Result.of(one)) for one in known[threshold]]

    def _of_bands(
        self, card: str, values: Mapping[Tunable, float], tried: Mapping[Tunable, Sequence[float]]
    ) -> dict[Tunable, tuple[Setting, ...]]:
        """Return what becomes of all rows where each band of a scorecard begins elsewhere, and nothing else moves."""
        wanted = {
            band: self._allowed(band, values, tried)
            for band in self.free
            if isinstance(band, TunableBand) and band.card == card
        }
        found = band_curves(self.connection, with_numbers(self.policy, values), self.learned, wanted)
        return dict(found.items())

    def _of_points(
        self,
        first_: TunablePoints,
        values: Mapping[Tunable, float],
        tried: Mapping[Tunable, Sequence[float]],
        ahead: int,
    ) -> dict[Tunable, tuple[Setting, ...]]:
        """Return what becomes of all rows where some rows of a scorecard add other points, each by itself."""
        known = self.known[tuple(values.values())]
        rows = [one for one in self._from(first_) if isinstance(one, TunablePoints) and one.card == first_.card]
        wanted = {one: self._allowed(one, values, tried) for one in rows if one not in known}
        wanted = dict(islice(wanted.items(), ahead))
        found = point_curves(self.connection, with_numbers(self.policy, values), self.learned, wanted)
        return dict(found.items())

    def _from(self, one: Tunable) -> Sequence[Tunable]:
        """Return the free numbers, this one first."""
        place = self.free.index(one)
        return [*self.free[place:], *self.free[:place]]

    def _allowed(
        self, one: Tunable, values: Mapping[Tunable, float], tried: Mapping[Tunable, Sequence[float]]
    ) -> list[float]:
        """Return where a number may stand, the others standing as they do; where it stands is one of these."""
        fine = (n for n in tried[one] if _keeps_order(one, n, values) and self.order.keeps(one, n, values))
        return sorted({*fine, values[one]})

    def _tried(self, one: Tunable) -> Sequence[float]:
        """Return the numbers to try for one."""
        if isinstance(one, TunablePoints):
            return points_to_try(one, self.policy.typed.scorecards[one.card])
        return self._totals(one) if isinstance(one, TunableBand) else self._candidates(one)

    def _totals(self, band: TunableBand) -> Sequence[float]:
        """Return the totals to try for a band."""
        rows = f"(select * from {self.dataset.relation} where {self.where})"
        low, high = Runner(self.connection, self.policy, self.dataset, "s_").totals_between(band.card, rows)
        return totals_to_try(band, low, high)

    def _priced(self, price: float, result: Result) -> tuple[float, ...]:
        over = max(0.0, (result.turned_away.share or 0.0) - self._turned_away)
        return over, (result.miss.share or 0.0) + price * (result.review.share or 0.0)

    @property
    def _turned_away(self) -> float:
        limit = self.goal.max_turned_away
        return limit if limit is not None else self.first.turned_away.share or 0.0

    def worth(self, result: Result) -> tuple[float, ...]:
        """Return what is to be made small, the most important first."""
        goal = self.goal
        # never traded for anything: rejecting instead of reviewing would keep any share of reviews
        broken = max(0.0, (result.turned_away.share or 0.0) - self._turned_away)
        review, miss = result.review.share or 0.0, result.miss.share or 0.0
        wanted = ((result.review, goal.max_review), (result.miss, goal.max_miss))
        limits = [(one, limit) for one, limit in wanted if limit is not None]
        over = sum(max(0.0, (one.share or 0.0) - limit) for one, limit in limits)
        near = sum(max(0.0, (one.share or 0.0) - safe_limit(limit, one.worth or one.of)) for one, limit in limits)
        if goal.has_costs:
            return broken, over, near, result.cost(goal), review, miss
        if goal.max_miss is not None:
            return broken, over, near, review, miss, result.reject.share or 0.0
        return broken, over, near, miss, review, result.reject.share or 0.0

    def _frontier(self) -> tuple[_Seen, ...]:
        """Return some of what was seen that nothing else beats in both the share of reviews and the miss rate.

        At most FRONTIER_MAX, spread over all of it; in each every rule still decides somewhere that does now.
        """
        fine = [one for one in self.seen if (one[1].turned_away.share or 0.0) <= self._turned_away]
        fine.sort(key=lambda one: (one[1].review.share or 0, one[1].miss.share or 0, _moved(one[0])))
        for _ in range(LOOKS_MAX):
            shown = _spread(_unbeaten(fine))
            dead = [id(one) for one in shown if self._lost(one[0])]
            if not dead:
                return tuple(shown)
            fine = [one for one in fine if id(one) not in dead]
        return tuple(one for one in shown if id(one) not in dead)

    def _candidates(self, threshold: TunableThreshold) -> list[float]:
        """Return numbers to try: where the data lie, evenly and by how many rows.

        At each it is true on some row, and not on nearly all.
        """
        column, relation = self.dataset.columns[threshold.slot], f"{self.dataset.relation} where {self.where}"
        shares = ", ".join(repr(at / _QUANTILES) for at in range(_QUANTILES + 1))
        frauds = f"(select * from {relation} and {self.dataset.label()} = 'fraud')"
        tried: set[float] = {threshold.value}
        for rows in (relation, frauds):
            found = first(self.connection, f"select quantile_disc({column}, [{shares}]) from {rows}")
            tried.update(found[0] or ())
        low, high = min(tried), max(tried)
        aside = f"[0, {1 / _QUANTILES!r}, {1 - 1 / _QUANTILES!r}, 1]"
        (ends,) = first(self.connection, f"select quantile_disc({column}, {aside}) from {relation}")
        tried.update(low + (high - low) * at / _QUANTILES for at in range(_QUANTILES + 1))
        digits = _written_digits(threshold.value, low, high)
        if isinstance(threshold.value, int):
            whole = {round(value, min(digits, 0)) for value in map(round, tried)}
            return sorted({n for n in whole if _divides(threshold, n, ends)} | {threshold.value})
        rounded = {round(float(value), digits) for value in tried if math.isfinite(value)}
        return sorted({value for value in rounded if _divides(threshold, value, ends)} | {float(threshold.value)})


def _written_digits(value: float, low: float, high: float) -> int:
    """Return how many digits after the point people write: a hundredth of a stretch, or as many as stand there now."""
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    now = -exponent if isinstance(exponent, int) else 0
    return max(now, 2 - math.floor(math.log10(high - low))) if high > low else max(now, 2)


def _divides(threshold: TunableThreshold, value: float, ends: Sequence[float] | None) -> bool:
    """Whether a threshold at a number is passed by some row, and not by nearly all.

    ends: the least value of its field, the values that few are below and above, and the greatest; None without any.
    """
    if ends is None:
        return False
    least, low, high, most = ends
    match threshold.operator:
        case ">=":
            return low < value <= most
        case ">":
            return low <= value < most
        case "<":
            return least < value <= high
        case _:
            return least <= value < high


def _unbeaten(settings: Sequence[_Seen]) -> list[_Seen]:
    """Return the settings, in order of their reviews, of which each misses less than all before it."""
    found: list[_Seen] = []
    for one in settings:
        if not found or (one[1].miss.share or 0) < (found[-1][1].miss.share or 0):
            found.append(one)
    return found


def _spread(settings: list[_Seen]) -> list[_Seen]:
    """Return at most FRONTIER_MAX of some settings, the first and the last among them."""
    if len(settings) <= FRONTIER_MAX:
        return settings
    step = (len(settings) - 1) / (FRONTIER_MAX - 1)
    return [settings[round(at * step)] for at in range(FRONTIER_MAX)]


def _moved(values: Mapping[Tunable, float]) -> int:
    """Return how many thresholds do not stand where they stood: the fewer the better, where nothing else tells."""
    return sum(value != threshold.value for threshold, value in values.items())


def _keeps_order(threshold: Tunable, value: float, values: Mapping[Tunable, float]) -> bool:
    """Whether thresholds of one field stay in the order that they were written in, and apart; points have their own.

    At the same number as its reject a review would never decide; and what lies between two thresholds of one rule must
    stay there, or the rule could never be true.
    """
    if isinstance(threshold, TunablePoints):
        return True
    for other, standing in values.items():
        is_near = other.where == threshold.where or (
            other.operator == threshold.operator and not _are_other_cases(other.where, threshold.where)
        )
        if other is not threshold and other.slot == threshold.slot and is_near:
            if other.value > threshold.value and value >= standing:
                return False
            if other.value < threshold.value and value <= standing:
                return False
    return True


def _are_other_cases(one: str, other: str) -> bool:
    """Whether two thresholds are of different cases of a field `by` another, each with its own order."""
    cases = [where.rpartition(":")[0] for where in (one, other) if where.startswith("threshold:")]
    return len(cases) == 2 and cases[0] != cases[1]
