"""How fields move away from what a policy's thresholds were set on: PSI and KS, window by window.

PSI is the population stability index over ten bins that hold a tenth of the calibration set each (fewer where values
repeat), half a row added to every bin; KS the largest distance of the two cumulative shares, looked at in a thousand
places of the calibration set, so too small by 0.001, or two of its rows, at most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from math import log
from typing import TYPE_CHECKING

from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import fetched, first
from adjudge.backtest.segments import only, values_of
from adjudge.errors import DataError, TooFewRows
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.frozen import frozen
from adjudge.policy.slices import segment_of, title_of
from adjudge.policy.slots import NOW
from adjudge.policy.typed import TypedPolicy
from adjudge.values.types import BOOL, DOUBLE, INT, EnumType, SetType

if TYPE_CHECKING:
    import duckdb

PLACES, BINS = 1000, 10
ROWS_MIN = 200
"""A window of fewer rows is no window: its numbers would be noise."""


@frozen(kw_only=True)
class Window:
    """One field in one window. psi, ks: None where a side knows nothing. unknown: share of rows without the field."""

    begins: date
    rows: int
    psi: float | None
    ks: float | None
    unknown: float


@frozen(kw_only=True)
class Drift:
    """One field over time. field: its name; of a set, `tags: Member`. rows, unknown: of the calibration set."""

    field: str
    rows: int
    unknown: float
    windows: tuple[Window, ...]


@frozen
class Sets:
    """What is held against what: windows of `days` of a dataset, against the calibration set.

    That is all of `before` where it is a reference of its own, else its rows before `until`; windows begin there.
    """

    dataset: Dataset
    before: Dataset
    until: date | None = None
    has_reference: bool = False
    days: int = 7


def drift(connection: duckdb.DuckDBPyConnection, policy: TypedPolicy, sets: Sets) -> tuple[Drift, ...]:
    """Hold each window against the calibration set. Raises DataError."""
    dataset, before, days = sets.dataset, sets.before, sets.days
    if "at" not in dataset.roles:
        raise DataError(f"{dataset.path}: has no times", "map a column to `at`")
    begin = sets.until
    if begin is None:
        (begin,) = first(connection, f"select min({dataset.day()}) from {dataset.relation}")
    if begin is None:
        raise DataError(f"{dataset.path}: has no rows")
    window = f"cast(floor(({dataset.day()} - date '{begin.isoformat()}') / {days}.0) as int)"
    known = "true" if sets.has_reference else f"{before.day()} < date '{begin.isoformat()}'"
    (rows,) = first(connection, f"select count(*) from {before.relation} where {known}")
    if rows < ROWS_MIN:
        raise TooFewRows(
            f"{before.path}: the calibration set has {rows} rows, and needs {ROWS_MIN}",
            "name another one with --reference, or another day with --before",
        )
    found = []
    for name, here, there in _fields(policy, dataset, before):
        places = _places(connection, there, before.relation, known)
        bins = _bins(connection, there, "0", before.relation, known, places)[0]
        later = _bins(connection, here, window, dataset.relation, f"{window} >= 0", places)
        windows = [
            _window(begin + timedelta(days=days * number), counts, bins)
            for number, counts in sorted(later.items())
            if sum(counts) >= ROWS_MIN
        ]
        total = sum(bins)
        found.append(Drift(field=name, rows=total, unknown=bins[-1] / total, windows=tuple(windows)))
    return tuple(found)


def drift_by(
    connection: duckdb.DuckDBPyConnection, policy: TypedPolicy, sets: Sets, slot: str
) -> dict[str, tuple[Drift, ...]]:
    """Return the drift of each segment against its own calibration set, by title; nothing where that is too small."""
    shown, _ = values_of(connection, sets.dataset, slot)
    found: dict[str, tuple[Drift, ...]] = {}
    for value in [*shown, None]:
        parts = replace(sets, dataset=only(sets.dataset, slot, value), before=only(sets.before, slot, value))
        try:
            found[title_of(segment_of(value))] = drift(connection, policy, parts)
        except TooFewRows:
            if value is not None:
                found[title_of(segment_of(value))] = ()
    return found


def _fields(policy: TypedPolicy, here: Dataset, there: Dataset) -> Iterator[tuple[str, str, str]]:
    """Yield the fields that both have, as numbers: name, and expressions on either side."""
    for slot, declared in policy.slots.items():
        if slot == NOW or here.lacks(slot) or there.lacks(slot):
            continue
        columns = here.columns[slot], there.columns[slot]
        match declared.type:
            case type_ if type_ in (INT, DOUBLE):
                forms = {slot: "({})::double"}
            case type_ if type_ == BOOL:
                forms = {slot: "({})::int::double"}
            case EnumType(values=values):
                forms = {slot: f"list_position({_braced(DUCKDB.literal(values))}, {{}})::double"}
            case SetType(values=values):
                has = "list_contains({{}}, {})::int::double"
                forms = {f"{slot}: {value}": has.format(_braced(DUCKDB.text(value))) for value in values}
            case _:
                forms = {}
        for name, form in forms.items():
            yield name, form.format(columns[0]), form.format(columns[1])


def _braced(text: str) -> str:
    """Return a text that stands in a form as it is."""
    return text.replace("{", "{{").replace("}", "}}")


def _places(connection: duckdb.DuckDBPyConnection, column: str, relation: str, where: str) -> Sequence[float]:
    shares = ", ".join(repr(at / PLACES) for at in range(1, PLACES + 1))
    (found,) = first(connection, f"select quantile_disc({column}, [{shares}]) from {relation} where {where}")
    return sorted(set(found or ()))


def _bins(
    connection: duckdb.DuckDBPyConnection,
    column: str,
    group: str,
    relation: str,
    where: str,
    places: Sequence[float],
) -> Mapping[int, list[int]]:
    """Count by window: how many values are at or below each place and above the one before, above all, and unknown."""

    def between(first: int, last: int) -> str:
        if first == last:
            return str(first)
        middle = (first + last) // 2
        return f"case when v <= {places[middle]!r} then {between(first, middle)} else {between(middle + 1, last)} end"

    place = f"case when v is null then {len(places) + 1} else {between(0, len(places))} end"
    rows = fetched(
        connection,
        f"select w, {place} as place, count(*) from (select {group} as w, {column} as v"
        f" from {relation} where {where}) group by all",
    )
    counts: dict[int, list[int]] = {}
    for number, at, count in rows:
        counts.setdefault(number, [0] * (len(places) + 2))[at] += count
    return counts or {0: [0] * (len(places) + 2)}


def _window(begins: date, counts: Sequence[int], reference: Sequence[int]) -> Window:
    total = sum(counts)
    here, there = counts[:-1], reference[:-1]
    psi = ks = None
    if sum(here) and sum(there):
        psi, ks = _psi(here, there), _ks(here, there)
    return Window(begins=begins, rows=total, psi=psi, ks=ks, unknown=counts[-1] / total)


def _ks(here: Sequence[int], there: Sequence[int]) -> float:
    worst = first = second = 0.0
    for one, other in zip(here, there, strict=True):
        first, second = first + one / sum(here), second + other / sum(there)
        worst = max(worst, abs(first - second))
    return worst


def _psi(here: Sequence[int], there: Sequence[int]) -> float:
    ends: list[int] = []
    so_far = 0
    for at, count in enumerate(there):
        so_far += count
        if so_far * BINS >= sum(there) * (len(ends) + 1):
            ends.append(at)
            while len(ends) < BINS and so_far * BINS >= sum(there) * (len(ends) + 1):
                ends.append(at)
    edges = sorted(set(ends))
    sides = []
    for counts in (here, there):
        grouped = [0.5] * (len(edges) + 1)
        for at, count in enumerate(counts):
            grouped[bisect_left(edges, at)] += count
        sides.append([count / sum(grouped) for count in grouped])
    return float(sum((new - old) * log(new / old) for new, old in zip(*sides, strict=True)))
