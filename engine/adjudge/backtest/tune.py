"""Thresholds for a target, found on the earlier part of labelled data and judged on the later one.

One threshold after another is put where its curve is best, until none moves: each step is one pass over the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from adjudge.backtest.columns import DataError
from adjudge.backtest.curves import Setting, curve, digits_for
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import first
from adjudge.backtest.measures import Ratio
from adjudge.backtest.run import Runner
from adjudge.backtest.segments import Segment, segments
from adjudge.backtest.tunable_thresholds import TunableThreshold, tunable_thresholds, turned
from adjudge.model import Outcome
from adjudge.policy.policy import Policy
from adjudge.texts import in_digits

if TYPE_CHECKING:
    import duckdb

ROUNDS_MAX = 4
_QUANTILES = 40
_PRICES = (20.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.05)
"""Of a point of the review share, in points of the miss rate."""

Progress = Callable[[str], None]
"""Told the name of the threshold that is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What a tuning found.

    values: of each threshold that moves. split: rows up to it were learned from, the others judged. now, then: the
    policy as it stands and as it would be, each on what was learned from and on what was judged.
    frontier: what else could be had, on what was learned from: review share against miss rate, best first.
    fixed: thresholds that were left alone, with the reason.
    """

    values: Mapping[TunableThreshold, float]
    split: datetime
    now: tuple[Result, Result]
    then: tuple[Result, Result]
    frontier: tuple[tuple[Mapping[TunableThreshold, float], Result], ...]
    fixed: tuple[tuple[TunableThreshold, str], ...] = ()
    policy: Policy


def tune(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    dataset: Dataset,
    goal: Goal,
    *,
    only: Sequence[str] = (),
    split: float = 0.7,
    progress: Progress | None = None,
) -> Tuned:
    """Find thresholds. only: of these fields. split: the share of rows that are learned from, the earliest.

    Raises DataError where there are no times, no labels on both sides of the split, or no such thresholds.
    """
    earlier, later, moment = _split(connection, dataset, split)
    thresholds, fixed = _free(policy, dataset, only)
    search = _Search(connection, policy, dataset, goal, thresholds, earlier)
    values = search.run(progress)
    judged = [_result(connection, one, dataset, thresholds[0], later) for one in (policy, turned(policy, values))]
    return Tuned(
        values={threshold: value for threshold, value in values.items() if value != threshold.value},
        split=moment,
        now=(search.first, judged[0]),
        then=(search.best, judged[1]),
        frontier=search.frontier(),
        fixed=fixed,
        policy=turned(policy, values),
    )


def judged_by(
    connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset, tuned: Tuned, slot: str
) -> list[tuple[Segment, Segment]]:
    """Return what the policy does now, and then, on the rows that judge, by the values of a field."""
    later = f"{dataset.roles['at']} > timestamp '{tuned.split.isoformat(sep=' ')}'"
    judging = replace(dataset, relation=f"(select * from {dataset.relation} where {later})")
    both = (Runner(connection, policy, judging, "n_"), Runner(connection, tuned.policy, judging, "t_"))
    now, then = (segments(runner, judging, slot) for runner in both)
    return list(zip(now, then, strict=True))


def _split(connection: duckdb.DuckDBPyConnection, dataset: Dataset, share: float) -> tuple[str, str, datetime]:
    at = dataset.roles.get("at")
    if at is None or "label" not in dataset.roles:
        missing = "no times" if at is None else "no labels"
        hint = "map a column to `at` and one to `label`; in a log, `adjudge audit label` writes labels"
        raise DataError(f"{dataset.path}: has {missing}, and tuning needs both", hint)
    found = first(connection, f"select quantile_disc({at}, {share!r}) from {dataset.relation}")
    if found[0] is None:
        raise DataError(f"{dataset.path}: has no rows")
    moment: datetime = found[0]
    earlier, later = (f"{at} {sign} timestamp '{moment.isoformat(sep=' ')}'" for sign in ("<=", ">"))
    for where, said in ((earlier, "before"), (later, "after")):
        frauds = first(
            connection, f"select count(*) from {dataset.relation} where {where} and {dataset.label()} = 'fraud'"
        )
        if not frauds[0]:
            raise DataError(f"{dataset.path}: has no row labelled fraud {said} {moment:%Y-%m-%d %H:%M}, the split")
    return earlier, later, moment


def _free(
    policy: Policy, dataset: Dataset, only: Sequence[str]
) -> tuple[tuple[TunableThreshold, ...], tuple[tuple[TunableThreshold, str], ...]]:
    """Return the thresholds that can be turned, and those that are left alone."""
    free, fixed = [], []
    for threshold in tunable_thresholds(policy.typed):
        if only and threshold.slot not in only:
            fixed.append((threshold, "not asked for"))
        elif dataset.lacks(threshold.slot):
            fixed.append((threshold, "the data has no such field"))
        elif not is_written(policy, threshold):
            fixed.append((threshold, "is in an included file, or is not written as a number"))
        else:
            free.append(threshold)
    if not free:
        names = sorted({f"{threshold.slot} ({why})" for threshold, why in fixed})
        raise DataError(
            f"the policy {policy.name} has no threshold of {', '.join(only)}" if only else
            f"the policy {policy.name} has no thresholds to turn",
            f"it has some of: {', '.join(names)}" if names else None,
        )  # fmt: skip
    return tuple(free), tuple(fixed)


def is_written(policy: Policy, threshold: TunableThreshold) -> bool:
    """Whether a threshold stands as a plain number in the policy's own file."""
    source, start = policy.typed.source.part(threshold.span.start)
    own = policy.typed.source.part(0)[0]
    try:
        return (
            source is own
            and float(own.text[start : start + threshold.span.end - threshold.span.start]) == threshold.value
        )
    except ValueError:
        return False


def rewritten(policy: Policy, values: Mapping[TunableThreshold, float]) -> str:
    """Return the policy's own text with other numbers in it."""
    text = policy.typed.source.part(0)[0].text
    for threshold in sorted(values, key=lambda one: -one.span.start):
        start = policy.typed.source.part(threshold.span.start)[1]
        text = text[:start] + in_digits(values[threshold]) + text[start + threshold.span.end - threshold.span.start :]
    return text


@dataclass(slots=True)
class _Search:
    """One search. seen: every setting that was looked at, with what it came to."""

    connection: duckdb.DuckDBPyConnection
    policy: Policy
    dataset: Dataset
    goal: Goal
    thresholds: tuple[TunableThreshold, ...]
    where: str
    seen: list[tuple[dict[TunableThreshold, float], Result]] = field(default_factory=list)
    first: Result = field(init=False)
    best: Result = field(init=False)

    def run(self, progress: Progress | None) -> dict[TunableThreshold, float]:
        """Return the best numbers that were found.

        One threshold at a time finds no way that leads through something worse. So the search first follows a price
        of reviews against misses, from dear to cheap, and then the goal from the best of all it has seen.
        """
        values = {threshold: threshold.value for threshold in self.thresholds}
        tried = {threshold: self._candidates(threshold) for threshold in self.thresholds}
        self.first = _result(self.connection, self.policy, self.dataset, self.thresholds[0], self.where)
        self.seen.append((dict(values), self.first))
        for price in _PRICES:
            values = self._descend(values, tried, partial(self._priced, price), progress)
        best, _ = min(self.seen, key=lambda one: self.worth(one[1]))
        self._descend(best, tried, self.worth, progress)
        values, self.best = min(self.seen, key=lambda one: (self.worth(one[1]), _moved(one[0])))
        return values

    def _descend(
        self,
        values: dict[TunableThreshold, float],
        tried: Mapping[TunableThreshold, Sequence[float]],
        worth: Callable[[Result], tuple[float, ...]],
        progress: Progress | None,
    ) -> dict[TunableThreshold, float]:
        """Turn one threshold after another until none makes it better."""
        values, best = dict(values), None
        for _ in range(ROUNDS_MAX):
            before = dict(values)
            for threshold in self.thresholds:
                if progress is not None:
                    progress(threshold.name)
                inner = turned(self.policy, {one: value for one, value in values.items() if one is not threshold})
                (standing,) = (one for one in tunable_thresholds(inner.typed) if one.span == threshold.span)
                allowed = {value for value in tried[threshold] if _keeps_order(threshold, value, values)} | {
                    values[threshold]
                }
                settings = curve(self.connection, inner, self.dataset, standing, sorted(allowed), self.where)
                found = [({**values, threshold: one.value}, Result.of(one)) for one in settings]
                self.seen += found
                winner, result = min(found, key=lambda one: (worth(one[1]), _moved(one[0])))
                if best is None or worth(result) < best:
                    values, best = winner, worth(result)
            if values == before:
                break
        return values

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
        over = max(0.0, review - goal.max_review) if goal.max_review is not None else 0.0
        over += max(0.0, miss - goal.max_miss) if goal.max_miss is not None else 0.0
        if goal.has_costs:
            return broken, over, result.cost(goal), review, miss
        if goal.max_miss is not None:
            return broken, over, review, miss, result.reject.share or 0.0
        return broken, over, miss, review, result.reject.share or 0.0

    def frontier(self) -> tuple[tuple[Mapping[TunableThreshold, float], Result], ...]:
        """Return what was seen that nothing seen beats in both the share of reviews and the miss rate."""
        fine = [one for one in self.seen if (one[1].turned_away.share or 0.0) <= self._turned_away]
        found: list[tuple[Mapping[TunableThreshold, float], Result]] = []
        for values, result in sorted(fine, key=lambda one: (one[1].review.share or 0, one[1].miss.share or 0)):
            if not found or (result.miss.share or 0) < (found[-1][1].miss.share or 0):
                found.append((values, result))
        return tuple(found)

    def _candidates(self, threshold: TunableThreshold) -> list[float]:
        """Return numbers to try: where the data lie, evenly and by how many rows; with none is it true on no row."""
        column, relation = self.dataset.columns[threshold.slot], f"{self.dataset.relation} where {self.where}"
        shares = ", ".join(repr(at / _QUANTILES) for at in range(_QUANTILES + 1))
        frauds = f"(select * from {relation} and {self.dataset.label()} = 'fraud')"
        tried: set[float] = {threshold.value}
        for rows in (relation, frauds):
            found = first(self.connection, f"select quantile_disc({column}, [{shares}]) from {rows}")
            tried.update(found[0] or ())
        low, high = min(tried), max(tried)
        ends = first(self.connection, f"select min({column}), max({column}) from {relation}")
        tried.update(low + (high - low) * at / _QUANTILES for at in range(_QUANTILES + 1))
        if isinstance(threshold.value, int):
            return sorted({n for value in tried if _fires(threshold, n := round(value), ends)} | {threshold.value})
        digits = digits_for(low, high)
        rounded = {round(float(value), digits) for value in tried if math.isfinite(value)}
        return sorted({value for value in rounded if _fires(threshold, value, ends)} | {float(threshold.value)})


def _fires(threshold: TunableThreshold, value: float, ends: tuple[float | None, float | None]) -> bool:
    """Whether a threshold at a number is passed by some row. ends: the least and the greatest value of its field."""
    low, high = ends
    if low is None or high is None:
        return False
    match threshold.operator:
        case ">=":
            return value <= high
        case ">":
            return value < high
        case "<=":
            return value >= low
        case _:
            return value > low


def _moved(values: Mapping[TunableThreshold, float]) -> int:
    """Return how many thresholds do not stand where they stood: the fewer the better, where nothing else tells."""
    return sum(value != threshold.value for threshold, value in values.items())


def _keeps_order(threshold: TunableThreshold, value: float, values: Mapping[TunableThreshold, float]) -> bool:
    """Whether thresholds of one field stay in the order that they were written in, and apart.

    At the same number as its reject a review would never decide; and what lies between two thresholds of one rule must
    stay there, or the rule could never be true.
    """
    for other, standing in values.items():
        is_near = other.operator == threshold.operator or other.where == threshold.where
        if other is not threshold and other.slot == threshold.slot and is_near:
            if other.value > threshold.value and value >= standing:
                return False
            if other.value < threshold.value and value <= standing:
                return False
    return True


def _result(
    connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset, threshold: TunableThreshold, where: str
) -> Result:
    """Return what a policy does on some rows; any of its thresholds serves."""
    (standing,) = (one for one in tunable_thresholds(policy.typed) if one.span == threshold.span)
    (setting,) = curve(connection, policy, dataset, standing, [standing.value], where)
    return Result.of(setting)
