"""What turning one threshold would do, at every setting at once: one pass over the data.

Where the threshold's field is known, the comparison is true or it is false, so each row has two possible outcomes
whatever the setting: as it is, and with that answer turned round. Counted by where the field stands among the settings,
they give the outcomes at each of them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import fetched, first
from adjudge.backtest.translated import Translated, answered
from adjudge.backtest.tunable_thresholds import TunableThreshold, opposite
from adjudge.backtest.turning import turned_rows
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.expr.sql.steps import Steps
from adjudge.frozen import frozen
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy.policy import Policy
from adjudge.values.types import INT

if TYPE_CHECKING:
    import duckdb

Weights = Mapping[tuple[str | None, Outcome], float]
Counts = Mapping[tuple[str | None, Outcome], int]
"""Rows by label and outcome."""
BINS = 40


@frozen
class Setting:
    """What a policy does with one threshold at one number.

    weights: what the labelled rows of `counts` stand for, where passes were sampled; else the same.
    """

    value: float
    counts: Counts
    weights: Weights


@frozen
class Histogram:
    """How often a field's values fall into bins of one width, from `low` to `high`, by label. unknown: rows without."""

    slot: str
    low: float
    high: float
    bins: Mapping[str | None, Sequence[int]]
    unknown: int


def curve(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    dataset: Dataset,
    threshold: TunableThreshold,
    values: Sequence[float],
    where: str = "true",
) -> tuple[Setting, ...]:
    """Return what becomes of all rows at each of some numbers, in ascending order. where: which rows count."""
    return curves(connection, policy, dataset, {threshold: values}, where)[threshold]


def curves(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    dataset: Dataset,
    wanted: Mapping[TunableThreshold, Sequence[float]],
    where: str = "true",
    bins: Bins | None = None,
) -> dict[TunableThreshold, tuple[Setting, ...]]:
    """Return the curves of several thresholds, each as if it alone were turned, in one pass. wanted: at which numbers.

    where: which rows count. bins: of all these numbers, and more, where they are worked out already.
    """
    if not wanted:
        return {}
    base = Translated(connection, policy, dataset, "n")
    others = [
        Translated(connection, opposite(policy, one), dataset, f"t{at}_") for at, one in enumerate(wanted)
    ]  # fmt: skip
    bins = bins or Bins(dataset, wanted)
    places = range(len(wanted))

    def query() -> str:
        more = [f"{dataset.label()} as label", f"{dataset.weight()} as weight"]
        more += [f"{text} as {name}" for name, text in bins.columns(dataset.worked).items()]
        rows = turned_rows(
            f"(select * from {dataset.relation} where {where})", base.sql, [one.sql for one in others], more,
            worked=dataset.worked,
        )  # fmt: skip
        label = "case label when 'fraud' then 1 when 'genuine' then 2 else 0 end"
        keys = [
            f"(9 * outcome + 3 * {label} + coalesce(outcome_{at} + 27 * (1 + {bins.of(one)}), 0))::int as k{at}"
            for at, one in enumerate(wanted)
        ]
        weight = "sum(weight)" if dataset.is_sampled else "count(*)"
        named, sets = ", ".join(f"k{at}" for at in places), ", ".join(f"(k{at})" for at in places)
        counted = f"(select weight, {', '.join(keys)} from {rows})"
        return f"select count(*), {weight}, {named} from {counted} group by grouping sets ({sets})"

    groups: defaultdict[int, list[_Group]] = defaultdict(list)
    for rows, weight, *keys in answered(connection, query, [base, *others]):
        ((at, key),) = ((at, key) for at, key in enumerate(keys) if key is not None)  # of each set, its own
        label, now, other = LABELS[key // 3 % 3], OUTCOMES[key // 9 % 3], OUTCOMES[key % 3]
        groups[at].append(_Group(key // 27 - 1, label, now, other, rows, weight))
    return {one: tuple(_settings(one, groups[at], bins.numbers(one), wanted[one])) for at, one in enumerate(wanted)}


LABELS = (None, "fraud", "genuine")


class _Group(NamedTuple):
    """Rows that are alike. place: how many numbers they pass, -1 where the field is unknown.

    now, other: their outcome as the policy stands, and with the threshold's answer turned round.
    """

    place: int
    label: str | None
    now: Outcome
    other: Outcome
    rows: int
    weight: float


def _settings(
    threshold: TunableThreshold, groups: Sequence[_Group], numbers: Sequence[float], wanted: Sequence[float]
) -> Iterator[Setting]:
    """Yield what becomes of rows at each of the numbers that are wanted. numbers: all that they were held against."""
    standing = numbers.index(threshold.value)
    counts: Counter[tuple[str | None, Outcome]] = Counter()  # at a number below all values; then each bin changes sides
    weights: defaultdict[tuple[str | None, Outcome], float] = defaultdict(float)
    moving: defaultdict[int, list[tuple[str | None, Outcome, Outcome, int, float]]] = defaultdict(list)
    for place, label, now, other, rows, weight in groups:
        above, below = (now, other) if place > standing or place < 0 else (other, now)
        counts[label, above] += rows
        weights[label, above] += weight
        if place >= 0 and above is not below:
            moving[place].append((label, above, below, rows, weight))
    shown = set(wanted)
    for at, value in enumerate(numbers):
        for label, above, below, rows, weight in moving[at]:
            counts[label, above] -= rows
            counts[label, below] += rows
            weights[label, above] -= weight
            weights[label, below] += weight
        if value in shown:
            held_by = {key: rows for key, rows in counts.items() if rows}
            yield Setting(value, held_by, {key: weights[key] for key in held_by})


class Bins:
    """Where the values of fields lie among all the numbers that their thresholds are tried at."""

    def __init__(self, dataset: Dataset, wanted: Mapping[TunableThreshold, Sequence[float]]) -> None:
        """Put together thresholds of one field that take a number itself for the same side."""
        numbers: defaultdict[tuple[str, bool], set[float]] = defaultdict(set)
        for threshold, values in wanted.items():
            numbers[self._key(threshold)] |= {*values, threshold.value}
        self._numbers = {key: sorted(found) for key, found in numbers.items()}
        self._names = {key: f"bin{at}" for at, key in enumerate(self._numbers)}
        steps = Steps()
        for (slot, strictly), found in self._numbers.items():
            column = dataset.columns[slot]
            steps.column(f"case when {column} is not null then {_passed(column, found, strictly)} end")
        self.steps: Mapping[str, str] = steps.made

    @staticmethod
    def _key(threshold: TunableThreshold) -> tuple[str, bool]:
        return threshold.slot, threshold.operator in (">", "<=")

    def columns(self, worked: Container[str]) -> dict[str, str]:
        """Return the columns' expressions, by name. worked: steps that are columns already."""
        texts = (step if step in worked else text for step, text in self.steps.items())
        return dict(zip(self._names.values(), texts, strict=True))

    def of(self, threshold: TunableThreshold) -> str:
        """Return the column that tells how many numbers a row passes, NULL where the field is unknown."""
        return self._names[self._key(threshold)]

    def numbers(self, threshold: TunableThreshold) -> list[float]:
        """Return the numbers, ascending."""
        return self._numbers[self._key(threshold)]


def _passed(column: str, values: Sequence[float], strictly: bool) -> str:
    """Return SQL for how many of some ascending numbers a column is at or above (strictly: above)."""
    sign = "<=" if strictly else "<"

    def between(first: int, last: int) -> str:
        if first == last:
            return str(first)
        middle = (first + last) // 2
        test = f"{column} {sign} {DUCKDB.literal(values[middle])}"
        return f"case when {test} then {between(first, middle)} else {between(middle + 1, last)} end"

    return between(0, len(values))


def histogram(
    connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset, slot: str, bins: int = BINS
) -> Histogram | None:
    """Return how a number is distributed, by label; None where it is unknown on every row."""
    column = dataset.columns[slot]
    declared = policy.typed.slots[slot]
    ends = first(connection, f"select min({column}), max({column}) from {dataset.relation}")
    if ends[0] is None:
        return None
    low, high = (float(end) for end in ends)
    if declared.minimum is not None and declared.maximum is not None:
        whole = (float(declared.minimum), float(declared.maximum))  # type: ignore[arg-type]  # numbers have such ranges
        low, high = whole if (high - low) > (whole[1] - whole[0]) / 4 else (low, high)
    if high <= low:
        high = low + max(1.0, abs(low) * 1e-6)
    if declared.type == INT:
        step = max(1, math.ceil((high - low + 1) / bins))
        bins, high = math.ceil((high - low + 1) / step), low + step * math.ceil((high - low + 1) / step)
    width = (high - low) / bins
    place = f"least({bins - 1}, greatest(0, floor(({column} - {low!r}) / {width!r})))::int"
    rows = fetched(
        connection,
        f"select {dataset.label()} as label, case when {column} is not null then {place} end as bin, count(*)"
        f" from {dataset.relation} group by all",
    )
    found: dict[str | None, list[int]] = {}
    unknown = 0
    for label, bin_, number in rows:
        if bin_ is None:
            unknown += number
        else:
            found.setdefault(label, [0] * bins)[bin_] += number
    return Histogram(slot, low, high, found, unknown)


def digits_for(low: float, high: float) -> int:
    """Return how many digits after the point tell a thousandth of a stretch apart, 3 at least."""
    return max(3, 3 - math.floor(math.log10(high - low))) if high > low else 3


def settings_for(threshold: TunableThreshold, histogram: Histogram, count: int = BINS) -> list[float]:
    """Return numbers to try for a threshold: across what the data holds, and the one that stands."""
    step = (histogram.high - histogram.low) / count
    if isinstance(threshold.value, int):
        whole = max(1, round(step))
        tried: list[float] = list(range(math.floor(histogram.low), math.ceil(histogram.high) + whole, whole))
    else:
        digits = digits_for(histogram.low, histogram.high)
        tried = [round(histogram.low + step * at, digits) for at in range(count + 1)]
    return sorted({*tried, threshold.value})
