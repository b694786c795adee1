"""What turning one threshold would do, at every setting at once: one pass over the data.

Where the threshold's field is known, the comparison is true or it is false, so each row has two possible outcomes
whatever the setting; counted by where the field stands among the settings, they give the outcomes at each of them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import fetched, first
from adjudge.backtest.translated import Translated, answered
from adjudge.backtest.tunable_thresholds import TunableThreshold, held
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy.policy import Policy
from adjudge.values.types import INT

if TYPE_CHECKING:
    import duckdb

Weights = Mapping[tuple[str | None, Outcome], float]
Counts = Mapping[tuple[str | None, Outcome], int]
"""Rows by label and outcome."""
BINS = 40


@dataclass(frozen=True, slots=True)
class Setting:
    """What a policy does with one threshold at one number.

    weights: what the labelled rows of `counts` stand for, where passes were sampled; else the same.
    """

    value: float
    counts: Counts
    weights: Weights


@dataclass(frozen=True, slots=True)
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
    values = sorted(set(values))
    # each severity is 0, 1 or 2; the policy as it stands counts only where the field is unknown
    three = (policy, "n"), (held(policy, threshold, True), "t"), (held(policy, threshold, False), "f")
    variants = [Translated(connection, one, dataset, prefix) for one, prefix in three]
    column = dataset.columns[threshold.slot]
    bin_ = f"case when {column} is not null then {_passed(column, values, threshold.operator in ('>', '<='))} end"

    def query() -> str:
        unknown, true, false = (one.sql.outcome for one in variants)
        inner = "".join(f", {one.sql.columns()}" for one in variants if one.sql.columns())
        others = [one.sql for one in variants[1:]]
        rows = variants[0].sql.over(dataset.relation, *others, worked=dataset.worked)
        return (
            f"select label, bin, case when bin is null then {unknown} end, case when bin is not null then {true} end,"
            f" case when bin is not null then {false} end, count(*), sum(weight) from"
            f" (select {dataset.label()} as label, {dataset.weight()} as weight, {bin_} as bin{inner}"
            f" from {rows} where {where}) group by all"
        )

    rows = answered(connection, query, variants)
    rising = threshold.operator in (">", ">=")
    counts: Counter[tuple[str | None, Outcome]] = Counter()  # at a number below all values; then each bin changes sides
    weights: defaultdict[tuple[str | None, Outcome], float] = defaultdict(float)
    moving: defaultdict[int, list[tuple[str | None, Outcome, Outcome, int, float]]] = defaultdict(list)
    for label, bin_of, unknown, true, false, number, weight in rows:
        if bin_of is None:
            counts[label, OUTCOMES[unknown]] += number
            weights[label, OUTCOMES[unknown]] += weight
            continue
        above, below = (OUTCOMES[true], OUTCOMES[false]) if rising else (OUTCOMES[false], OUTCOMES[true])
        counts[label, above] += number
        weights[label, above] += weight
        moving[bin_of].append((label, above, below, number, weight))
    found = []
    for at, value in enumerate(values):
        for label, above, below, number, weight in moving[at]:
            counts[label, above] -= number
            counts[label, below] += number
            weights[label, above] -= weight
            weights[label, below] += weight
        held_by = {key: number for key, number in counts.items() if number}
        found.append(Setting(value, held_by, {key: weights[key] for key in held_by}))
    return tuple(found)


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
