"""Thresholds for a target, found on the earlier part of labelled data and judged on the later one.

One threshold after another is put where its curve is best, until none moves. A pass over the data looks at several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from adjudge.backtest.columns import DataError
from adjudge.backtest.curves import Bins, Setting, curve, curves
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import first
from adjudge.backtest.measures import Ratio
from adjudge.backtest.run import Runner
from adjudge.backtest.segments import Segment, segments
from adjudge.backtest.settled import chosen, settled
from adjudge.backtest.tunable_thresholds import TunableThreshold, tunable_thresholds, turned
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.policy import Policy
from adjudge.texts import in_digits

if TYPE_CHECKING:
    import duckdb

ROUNDS_MAX = 4
TRIED_MAX = 20
"""So many of the best settings are looked at for one that leaves no rule without a row."""
AHEAD = 2
"""On so many thresholds a pass looks after one was turned, and on twice as many each time that none is."""
_QUANTILES = 40
_PRICES = (20.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.05)
"""Of a point of the review share, in points of the miss rate."""

Progress = Callable[[str], None]
"""Told the name of the threshold that is looked at."""


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


@frozen(kw_only=True)
class Tuned:
    """What a tuning found.

    values: of each threshold that moves. split: rows up to it were learned from, the others judged; None where a hash
    chose them. unseen: SQL of the rows that judged. now, then: the
    policy as it stands and as it would be, each on what was learned from and on what was judged.
    frontier: what else could be had, on what was learned from: review share against miss rate, best first.
    fixed: thresholds that were left alone, with the reason.
    """

    values: Mapping[TunableThreshold, float]
    split: datetime | None
    unseen: str
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
    by_hash: bool = False,
    progress: Progress | None = None,
) -> Tuned:
    """Find thresholds. only: of these fields. split: the share of rows that are learned from.

    by_hash: choose these by a hash of their id, in place of the earliest.
    Raises DataError where there are no times, no labels on both sides of the split, or no such thresholds.
    """
    _, unseen, moment = _split(connection, dataset, split, by_hash=by_hash)
    thresholds, fixed = _free(policy, dataset, only)
    dataset = settled(connection, policy, dataset)  # it is asked a hundred questions
    earlier, later, _ = _split(connection, dataset, split, by_hash=by_hash)
    search = _Search(connection, policy, dataset, goal, thresholds, earlier)
    values = search.run(progress)
    judged = [_result(connection, one, dataset, thresholds[0], later) for one in (policy, turned(policy, values))]
    return Tuned(
        values={threshold: value for threshold, value in values.items() if value != threshold.value},
        split=moment,
        unseen=unseen,
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
    judging = replace(dataset, relation=f"(select * from {dataset.relation} where {tuned.unseen})")
    both = (Runner(connection, policy, judging, "n_"), Runner(connection, tuned.policy, judging, "t_"))
    now, then = (segments(runner, judging, slot) for runner in both)
    return list(zip(now, then, strict=True))


def _split(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, share: float, *, by_hash: bool
) -> tuple[str, str, datetime | None]:
    """Return SQL of the rows to learn from and of those that judge, and the time between them."""
    at = dataset.roles.get("at")
    if "label" not in dataset.roles or (at is None and not by_hash):
        missing = "no labels" if "label" not in dataset.roles else "no times"
        hint = "map a column to `at` and one to `label`; in a log, `adjudge audit label` writes labels"
        hint = "map a column to `at`, or split the rows by a hash: --split-by hash" if missing == "no times" else hint
        raise DataError(f"{dataset.path}: has {missing}, and tuning needs both", hint)
    moment: datetime | None = None
    if by_hash:
        read = [column for slot, column in dataset.columns.items() if not dataset.lacks(slot)]
        told = dataset.roles.get("id") or f"concat_ws('|', {', '.join(f'({one})::varchar' for one in read)})"
        place = f"md5_number_lower(coalesce({told}, '')) % 10000"  # the same rows, however they are ordered
        earlier, later = f"{place} < {round(share * 10000)}", f"{place} >= {round(share * 10000)}"
        named = ("that are learned from", "that judge")
    else:
        (moment,) = first(connection, f"select quantile_disc({at}, {share!r}) from {dataset.relation}")
        if moment is None:
            raise DataError(f"{dataset.path}: has no rows")
        earlier, later = (f"{at} {sign} timestamp '{moment.isoformat(sep=' ')}'" for sign in ("<=", ">"))
        named = (f"before {moment:%Y-%m-%d %H:%M}, the split", f"after {moment:%Y-%m-%d %H:%M}, the split")
    for where, said in zip((earlier, later), named, strict=True):
        (frauds,) = first(
            connection, f"select count(*) from {dataset.relation} where {where} and {dataset.label()} = 'fraud'"
        )
        if not frauds:
            raise DataError(f"{dataset.path}: has no row labelled fraud {said}")
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
            source, own = (policy.typed.source.part(at)[0] for at in (threshold.span.start, 0))
            fixed.append((threshold, "is not written as a number" if source is own else f"stands in {source.name}"))
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
    """One search. where: the rows that are learned from.

    seen: every setting that was looked at, with what it came to. known: curves by where all thresholds stand.
    """

    connection: duckdb.DuckDBPyConnection
    policy: Policy
    dataset: Dataset
    goal: Goal
    thresholds: tuple[TunableThreshold, ...]
    where: str
    seen: list[tuple[dict[TunableThreshold, float], Result]] = field(default_factory=list)
    known: dict[tuple[float, ...], dict[TunableThreshold, tuple[Setting, ...]]] = field(default_factory=dict)
    learned: Dataset = field(init=False)
    bins: Bins = field(init=False)
    first: Result = field(init=False)
    best: Result = field(init=False)

    def run(self, progress: Progress | None) -> dict[TunableThreshold, float]:
        """Return the best numbers that were found.

        One threshold at a time finds no way that leads through something worse. So the search first follows a price
        of reviews against misses, from dear to cheap, and then the goal from the best of all it has seen.
        """
        values = {threshold: threshold.value for threshold in self.thresholds}
        tried = {threshold: self._candidates(threshold) for threshold in self.thresholds}
        self.bins = Bins(self.dataset, tried)
        self.learned = chosen(self.connection, self.dataset, self.where, self.bins.steps)
        self.first = _result(self.connection, self.policy, self.learned, self.thresholds[0], "true")
        self.seen.append((dict(values), self.first))
        for price in _PRICES:
            values = self._descend(values, tried, partial(self._priced, price), progress)
        best, _ = min(self.seen, key=lambda one: self.worth(one[1]))
        self._descend(best, tried, self.worth, progress)
        values, self.best = self._alive()
        return values

    def _alive(self) -> tuple[dict[TunableThreshold, float], Result]:
        """Return the best setting in which every rule still decides somewhere that decides somewhere now."""
        ranked = sorted(self.seen, key=lambda one: (self.worth(one[1]), _moved(one[0])))
        alive = self._deciding({})
        tried: list[dict[TunableThreshold, float]] = []
        for values, result in ranked:
            if values not in tried and len(tried) < TRIED_MAX:
                tried.append(values)
                if alive <= self._deciding(values):
                    return values, result
        return {threshold: threshold.value for threshold in self.thresholds}, self.first

    def _deciding(self, values: Mapping[TunableThreshold, float]) -> frozenset[str]:
        """Return the rules that are true on a row which has their outcome."""
        return Runner(self.connection, turned(self.policy, values), self.learned, "d_").deciding()

    def _descend(
        self,
        values: dict[TunableThreshold, float],
        tried: Mapping[TunableThreshold, Sequence[float]],
        worth: Callable[[Result], tuple[float, ...]],
        progress: Progress | None,
    ) -> dict[TunableThreshold, float]:
        """Turn one threshold after another until none makes it better."""
        values, best, ahead = dict(values), None, AHEAD
        for _ in range(ROUNDS_MAX):
            before = dict(values)
            for threshold in self.thresholds:
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
        threshold: TunableThreshold,
        values: Mapping[TunableThreshold, float],
        tried: Mapping[TunableThreshold, Sequence[float]],
        ahead: int,
    ) -> list[tuple[dict[TunableThreshold, float], Result]]:
        """Return where one threshold may stand, the others standing still, and what that comes to.

        ahead: on so many thresholds the pass over the data looks, of which none is turned as long as all stand well.
        """
        known = self.known.setdefault(tuple(values.values()), {})
        if threshold not in known:
            place = self.thresholds.index(threshold)
            following = [*self.thresholds[place:], *self.thresholds[:place]]
            inner = turned(self.policy, values)
            standing = {one.span: one for one in tunable_thresholds(inner.typed)}
            wanted = {one: standing[one.span] for one in [one for one in following if one not in known][:ahead]}
            settings = curves(
                self.connection,
                inner,
                self.learned,
                {
                    now: sorted({n for n in tried[one] if _keeps_order(one, n, values)} | {values[one]})
                    for one, now in wanted.items()
                },
                bins=self.bins,
            )
            known |= {one: settings[now] for one, now in wanted.items()}
        return [({**values, threshold: one.value}, Result.of(one)) for one in known[threshold]]

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
        digits = _written_digits(threshold.value, low, high)
        if isinstance(threshold.value, int):
            whole = {round(value, min(digits, 0)) for value in map(round, tried)}
            return sorted({n for n in whole if _fires(threshold, n, ends)} | {threshold.value})
        rounded = {round(float(value), digits) for value in tried if math.isfinite(value)}
        return sorted({value for value in rounded if _fires(threshold, value, ends)} | {float(threshold.value)})


def _written_digits(value: float, low: float, high: float) -> int:
    """Return how many digits after the point people write: a hundredth of a stretch, or as many as stand there now."""
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    now = -exponent if isinstance(exponent, int) else 0
    return max(now, 2 - math.floor(math.log10(high - low))) if high > low else max(now, 2)


def safe_limit(limit: float, rows: float) -> float:
    """Return what a share of some rows must not pass for the limit to be likely to hold on others.

    That is one standard error below it, and not less than half of it: few rows allow no promise at any price.
    """
    return max(limit / 2, limit - math.sqrt(limit * (1 - limit) / rows)) if rows else limit


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


def _result(
    connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset, threshold: TunableThreshold, where: str
) -> Result:
    """Return what a policy does on some rows; any of its thresholds serves."""
    (standing,) = (one for one in tunable_thresholds(policy.typed) if one.span == threshold.span)
    (setting,) = curve(connection, policy, dataset, standing, [standing.value], where)
    return Result.of(setting)
