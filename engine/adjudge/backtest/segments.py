"""A backtest by the values of a field: one set of counts for each, of which unknown is one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from typing import Any

from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import fetched
from adjudge.backtest.measures import Measures, Ratio, measure
from adjudge.backtest.run import Runner, VerdictCount
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.frozen import frozen
from adjudge.policy.slices import SEGMENTS_MAX, segment_of, title_of


@frozen(kw_only=True)
class Segment:
    """Rows with one value of a field.

    value: None where it is unknown, or where these are the rows of `others` further values. moved: rows with another
    outcome than the policy that this one is held against, or than was recorded; None where there is neither.
    """

    value: str | None
    others: int = 0
    measures: Measures
    moved: Ratio | None = None

    @property
    def title(self) -> str:
        """What reports call it."""
        return title_of(self.value, self.others)


def values_of(connection: Any, dataset: Dataset, slot: str) -> tuple[list[Any], int]:
    """Return a field's known values, those of the most rows first, and how many more there are."""
    rows = fetched(
        connection,
        f"select value, n, count(*) over () from (select {dataset.columns[slot]} as value, count(*) as n"
        f" from {dataset.relation} group by 1) where value is not null order by n desc, value limit {SEGMENTS_MAX}",
    )
    return [value for value, _, _ in rows], rows[0][2] - len(rows) if rows else 0


def _literal(value: object) -> str:
    return f"date '{value.isoformat()}'" if isinstance(value, date) else DUCKDB.literal(value)


def only(dataset: Dataset, slot: str, value: object) -> Dataset:
    """Return the rows with one value of a field; None of those in which it is unknown."""
    column = dataset.columns[slot]
    test = f"{column} is null" if value is None else f"{column} = {_literal(value)}"
    return replace(dataset, relation=f"(select * from {dataset.relation} where {test})")


def segments(runner: Runner, dataset: Dataset, slot: str, before: Runner | None = None) -> tuple[Segment, ...]:
    """Return the segments of a field, those of the most rows first, then the others, and unknown at the end.

    dataset: as the runner's policy reads it, with the field.
    before: as `Runner.flow` takes it; None for what was recorded.
    """
    column = dataset.columns[slot]
    shown, further = values_of(runner.connection, dataset, slot)
    among = f"list_position([{', '.join(map(_literal, shown))}], {column})" if shown else "null"
    cells: defaultdict[int | None, list[VerdictCount]] = defaultdict(list)
    moved: defaultdict[int | None, list[int]] = defaultdict(lambda: [0, 0])
    place_of = f"case when {column} is not null then coalesce({among}, 0) end"
    for place, cell, changed, told in runner.cells_by(place_of, before):
        cells[place].append(cell)
        moved[place][0] += changed
        moved[place][1] += told

    def segment(place: int | None, value: str | None, others: int = 0) -> Segment:
        changed, told = moved[place]
        ratio = Ratio(changed, told) if told else None
        return Segment(value=value, others=others, measures=measure(cells[place]), moved=ratio)

    found = [segment(at, segment_of(value)) for at, value in enumerate(shown, 1)]
    found += [segment(0, None, further)] if further else []
    return tuple([*found, segment(None, None)] if None in cells else found)
