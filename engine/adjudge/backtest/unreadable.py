"""Cells that cannot be read: each is unknown in its row, and counted, with what stands there instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Any

from adjudge.backtest.cells import FORMS
from adjudge.backtest.columns import DataError
from adjudge.backtest.delimited import FILE, RECORD, line_of
from adjudge.backtest.duck import fetched, first
from adjudge.frozen import frozen
from adjudge.texts import in_digits
from adjudge.values.fields import Field
from adjudge.values.literals import format_duration
from adjudge.values.types import DOUBLE, DURATION, INT, TIMESTAMP, EnumType, is_text, named

SHOWN = 3
CUT = 40
WORDS = 6


@frozen(kw_only=True)
class Asked:
    """A column of which cells are read. cell, value: expressions, NULL where there is none, and where it is unknown.

    bare, fits: the column unchecked, and a test that is true where it is the value; see `columns.as_it_stands`.
    wanted: what a cell must be, as it stands after `not`. is_personal: whether no cell may be shown.
    """

    column: str
    cell: str
    value: str
    wanted: str
    bare: str | None = None
    fits: str = ""
    is_personal: bool = False


@frozen(kw_only=True)
class Unreadable:
    """Cells of one column that cannot be read.

    cells: how many are not empty. count: how many of them cannot be read. examples: the most frequent of these, each
    with how often it stands there; none of a personal field. file, line, first: of the first, in a CSV, and what stands
    there; else empty and 0.
    """

    column: str
    wanted: str
    cells: int
    count: int
    examples: tuple[tuple[str, int], ...] = ()
    file: str = ""
    line: int = 0
    first: str = ""

    @property
    def instead(self) -> str:
        """What stands there: "`N/A` (20), `93%` (3), …"; empty of a personal field."""
        shown = [f"`{text}` ({count:,})" for text, count in self.examples]
        return ", ".join([*shown, *(["…"] if shown and sum(n for _, n in self.examples) < self.count else [])])

    def __str__(self) -> str:
        instead = f", but {self.instead}" if self.examples else ""
        first = f"; the first in line {self.line:,} of {self.file}" if self.line else ""
        few = f"{self.count:,} of {self.cells:,} cells of `{self.column}` cannot be read, and are unknown in their rows"
        return f"{few}: not {self.wanted}{instead}{first}"

    def refusal(self) -> DataError:
        """Return the error that is raised where such cells are not to be passed over."""
        place = f"{self.file}:{self.line}: " if self.line else ""
        written = self.first or (self.examples[0][0] if self.examples else "")
        cell = f"`{written}`" if written else "a cell"
        more = f", one of {self.count:,} such cells" if self.count > 1 else ""
        way = (
            "write 0.93 for 93%" if "%" in written else "write 1234.5 for 1,234.5" if "," in written else "write it so"
        )
        hint = f"{way}, or leave the cell empty where it is unknown; without --strict it is unknown in its row"
        return DataError(f"{place}{cell} in the column `{self.column}` is not {self.wanted}{more}", hint)


@frozen(kw_only=True)
class LookedOver:
    """What one look at each cell tells, so that no question asks it again.

    bare: by value, columns that need no check, for all of their cells pass it. known: values that are NULL in no row.
    """

    unreadable: tuple[Unreadable, ...] = ()
    bare: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()


def look_over(connection: Any, relation: str, paths: Sequence[Path], every: Sequence[Asked]) -> LookedOver:
    """Look at each cell once. paths: the CSV files behind a relation, if it has such."""
    every = list(dict.fromkeys(every))
    asked = [part for one in every for part in (f"count({one.cell})", *_tested(one))]
    ((rows, *counts),) = fetched(connection, f"select {', '.join(['count(*)', *asked])} from {relation}")
    bare, known, found, left = {}, set(), [], iter(counts)
    for one in every:
        cells, told = next(left), [next(left) for _ in _tested(one)]
        if one.bare is not None and told[0] == told[-1]:
            bare[one.value] = one.bare
            values = told[0]
        elif one.bare is not None:
            (values,) = first(connection, f"select count({one.value}) from {relation}")
        else:
            (values,) = told
        if values == rows:
            known.add(one.value)
        if values < cells:
            found.append(_shown(connection, relation, paths, one, cells, cells - values))
    dirt = tuple(sorted(found, key=lambda one: (one.file, one.line)))
    return LookedOver(unreadable=dirt, bare=bare, known=frozenset(known))


def _tested(one: Asked) -> tuple[str, ...]:
    """Return what is counted of a column: its values; or how many there are unchecked, and how many of them fit."""
    if one.bare is None:
        return (f"count({one.value})",)
    return (f"count({one.bare})", *((f"coalesce(count_if({one.fits}), 0)",) if one.fits else ()))


def _is_strange(one: Asked) -> str:
    """Return a test of a cell that is there and cannot be read."""
    return f"{one.cell} is not null and {one.value} is null"


def _shown(connection: Any, relation: str, paths: Sequence[Path], one: Asked, cells: int, count: int) -> Unreadable:
    strange = f"{relation} where {_is_strange(one)}"
    examples: tuple[tuple[str, int], ...] = ()
    if not one.is_personal:
        rows = fetched(
            connection,
            f"select ({one.cell})::varchar, count(*) from {strange} group by 1 order by 2 desc, 1 limit {SHOWN}",
        )
        examples = tuple((_cut(text), number) for text, number in rows)
    path, line, written = None, 0, ""
    if paths:
        cell = "''" if one.is_personal else f"({one.cell})::varchar"
        place = f"struct_pack(file := {FILE}, record := {RECORD}, cell := {cell})"
        ((found,),) = fetched(connection, f"select min({place}) from {strange}")
        path = paths[found["file"]]
        line, written = line_of(path, found["record"]), _cut(found["cell"])
    return Unreadable(
        column=one.column,
        wanted=one.wanted,
        cells=cells,
        count=count,
        examples=examples,
        file=path.name if path is not None else "",
        line=line,
        first=written,
    )


def _cut(text: str) -> str:
    return text if len(text) <= CUT else f"{text[:CUT]}…"


def wanted_of(declared: Field) -> str:
    """Return what a cell of a field must be, such as `a number from 0 to 1, such as `0.5``."""
    low, high = declared.minimum, declared.maximum
    if isinstance(declared.type, EnumType):
        words = ", ".join(f"`{word}`" for word in declared.type.values[:WORDS])
        return f"one of {words}{', …' if len(declared.type.values) > WORDS else ''}"
    if is_text(declared.type):
        return "a text of characters that can be seen"
    form = FORMS.get(declared.type, named(declared.type))
    if low is None and high is None:
        return form
    ends = [_said(end) if end is not None else None for end in (low, high)]
    within = (
        f"from {ends[0]} to {ends[1]}" if None not in ends else f"from {ends[0]} on" if ends[0] else f"up to {ends[1]}"
    )
    noun = {INT: "an integer", DOUBLE: "a number", TIMESTAMP: "a time", DURATION: "a duration"}.get(
        declared.type, named(declared.type)
    )
    return f"{noun} {within}"


def _said(end: Any) -> str:
    return (
        format_duration(end) if isinstance(end, timedelta) else in_digits(end) if isinstance(end, float) else str(end)
    )
