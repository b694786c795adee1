"""The columns of a CSV, read as the types that a policy declares; what cannot be read is counted, and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adjudge.backtest.cells import FORMS, install_cells, read_cell
from adjudge.backtest.columns import DataError
from adjudge.backtest.delimited import FILE, RECORD, line_of
from adjudge.backtest.duck import executed, fetched
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.values.types import DURATION, Type

_SHOWN = 40
_LIKE_NOTHING = ("null", "none", "nan", "n/a", "#n/a", "\\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A column that is wanted as a type.

    days: whether a day alone is a time. is_meant: whether a column without one cell that can be read is an error.
    is_personal: whether no cell may be shown.
    """

    column: str
    type: Type
    days: bool = False
    is_meant: bool = True
    is_personal: bool = False

    @property
    def name(self) -> str:
        """The column that holds the values; texts are where they were."""
        return f"{self.column}\x1f{self.type}{' day' if self.days else ''}" if self.type in FORMS else self.column


@dataclass(frozen=True, slots=True)
class _Count:
    """Cells of a column that are not empty, those that cannot be read, and the first of these with its place."""

    cells: int
    strange: int
    first: dict[str, Any] | None


def read_columns(
    connection: Any, table: str, paths: Sequence[Path], wanted: Sequence[Wanted]
) -> tuple[frozenset[Wanted], tuple[str, ...]]:
    """Add columns of values to a table of texts. Returns those that can be used, and what a reader must know.

    Raises DataError for a column that is meant, and of which nothing can be read.
    """
    there = {row[0] for row in fetched(connection, f"describe {table}")}
    typed = list(dict.fromkeys(one for one in wanted if one.type in FORMS))
    added = {one.name: one for one in typed if one.name not in there}
    if any(one.type == DURATION for one in added.values()):
        install_cells(connection)
    if added:
        more = ", ".join(
            f"{read_cell(DUCKDB.column(one.column), one.type, days=one.days)} as {DUCKDB.column(name)}"
            for name, one in added.items()
        )
        executed(connection, f"create or replace temp table {table} as select *, {more} from {table}")
    notes, useless = [], set()
    for one, count in zip(typed, _counts(connection, table, typed), strict=True):
        if not count.strange:
            continue
        said = f"first {_shown(one, count, paths)}"
        if count.strange == count.cells and one.is_meant:
            hint = "write it so, leave a cell empty where it is unknown, or map another column"
            raise DataError(f"no cell of the column `{one.column}` is {FORMS[one.type]}: {said}", hint)
        if count.strange == count.cells:
            useless.add(one)
            notes.append(f"the column `{one.column}` is left out: no cell of it is {FORMS[one.type]}: {said}")
        else:
            few = f"{count.strange:,} of {count.cells:,} cells of `{one.column}` are unknown"
            notes.append(f"{few}, being not {FORMS[one.type]}: {said}")
    texts = [one for one in wanted if one.type not in FORMS]
    return frozenset(wanted) - useless, (*notes, *_like_nothing(connection, table, texts))


def _counts(connection: Any, table: str, typed: Sequence[Wanted]) -> list[_Count]:
    """Count in one pass."""
    parts = []
    for one in typed:
        cell, value = DUCKDB.column(one.column), DUCKDB.column(one.name)
        is_strange = f"{cell} is not null and {value} is null"
        place = f"struct_pack(file := {FILE}, record := {RECORD}, cell := {cell})"
        parts += [f"count({cell})", f"count_if({is_strange})", f"min({place}) filter (where {is_strange})"]
    if not parts:
        return []
    (found,) = fetched(connection, f"select {', '.join(parts)} from {table}")
    return [_Count(*found[at : at + 3]) for at in range(0, len(found), 3)]


def _shown(one: Wanted, count: _Count, paths: Sequence[Path]) -> str:
    assert count.first is not None
    path = paths[count.first["file"]]
    place = f"line {line_of(path, count.first['record'])}" + (f" of {path.name}" if len(paths) > 1 else "")
    text = str(count.first["cell"])
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return place if one.is_personal else f"`{cut}` in {place}"


def _like_nothing(connection: Any, table: str, texts: Sequence[Wanted]) -> list[str]:
    """Return notes of texts that somebody may have meant for nothing."""
    columns = list(dict.fromkeys(one.column for one in texts))
    if not columns:
        return []
    words = ", ".join(map(DUCKDB.text, _LIKE_NOTHING))
    parts = []
    for column in map(DUCKDB.column, columns):
        is_one = f"lower({column}) in ({words})"
        parts += [f"count_if({is_one})", f"min({column}) filter (where {is_one})"]
    (found,) = fetched(connection, f"select {', '.join(parts)} from {table}")
    return [
        f"{count:,} cells of `{column}` are the text `{word}`; leave a cell empty where it is unknown"
        for column, count, word in zip(columns, found[::2], found[1::2], strict=True)
        if count
    ]
