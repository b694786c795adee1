"""The columns of a CSV, read as the types that a policy declares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adjudge.backtest.cells import FORMS, install_cells, read_cell
from adjudge.backtest.columns import sql_type
from adjudge.backtest.delimited import load
from adjudge.backtest.duck import executed, fetched, in_order, is_made
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.frozen import frozen
from adjudge.values.types import DURATION, EnumType, Type, is_text

_LIKE_NOTHING = ("null", "none", "nan", "n/a", "#n/a", "\\n")


@frozen(kw_only=True)
class Wanted:
    """A column that is wanted as a type. days: whether a day alone is a time."""

    column: str
    type: Type
    days: bool = False

    @property
    def name(self) -> str:
        """The column that holds the values; texts are where they were."""
        return f"{self.column}\x1f{self.type}{' day' if self.days else ''}" if self.type in FORMS else self.column


def read_columns(connection: Any, table: str, paths: Sequence[Path], wanted: Sequence[Wanted]) -> tuple[str, ...]:
    """Make a table of the texts of CSV files, if it is not there, and add columns of values to it.

    Returns what a reader must know of the texts. Raises DataError.
    """
    is_there = is_made(connection, table)
    there = {row[0] for row in fetched(connection, f"describe {table}")} if is_there else set()
    added = {one.name: one for one in wanted if one.type in FORMS and one.name not in there}
    if any(one.type == DURATION for one in added.values()):
        install_cells(connection)
    values = {
        name: (
            "INTERVAL" if one.type == DURATION else sql_type(one.type),
            read_cell(DUCKDB.column(one.column), one.type, days=one.days),
        )
        for name, one in added.items()
    }
    if not is_there:
        load(connection, paths, table, values)
    elif added:
        more = ", ".join(f"{text} as {DUCKDB.column(name)}" for name, (_, text) in values.items())
        with in_order(connection):
            executed(connection, f"create or replace temp table {table} as select *, {more} from {table}")
    return tuple(_like_nothing(connection, table, [one for one in wanted if is_plain_text(one.type)]))


def is_plain_text(type_: Type) -> bool:
    """Whether any text is a value of the type."""
    return is_text(type_) and not isinstance(type_, EnumType)


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
