"""What a cell of a CSV says: texts read as values, by rules of ours that are written out here.

A cell has no type, so the declared one decides. What it accepts is what can be meant in one way only: no date with
slashes, no `yes`, no `1,000`, no number for a length of time. Any other cell is unknown, and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from adjudge.errors import EvaluationError
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.values.literals import parse_duration
from adjudge.values.types import BOOL, DATE, DOUBLE, DURATION, INT, TIMESTAMP, Type, is_text

READ_DURATION = "adjudge_read_duration"
_WHOLE = "-?[0-9]+"
_NUMBER = r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_SHORT = r"[0-9]{1,15}(\.[0-9]*)?"
"""Most numbers, of which none is past 64 bits: these are looked at once."""
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_ZONE = "(Z| UTC|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?"

FORMS: Mapping[Type, str] = {
    BOOL: "`true` or `false`",
    INT: "an integer such as `-12`, of 64 bits",
    DOUBLE: "a number such as `0.5` or `1e-3`",
    TIMESTAMP: "a time such as `2026-01-31 10:00:00`, in UTC, or `2026-01-31T18:00:00+08:00`",
    DATE: "a date such as `2026-01-31`",
    DURATION: "a duration such as `36h` or `1h30m`",
}
"""What cells must look like, by type."""


def is_cell(type_: Type) -> bool:
    """Whether a cell can hold a value of the type."""
    return type_ in FORMS or is_text(type_)


def read_cell(column: str, type_: Type, *, days: bool = False) -> str:
    """Return an expression of a cell's value, NULL where it cannot be read. days: whether `2026-01-31` is a time."""
    if type_ == BOOL:
        return f"case lower({column}) when 'true' then true when 'false' then false end"
    if type_ == INT:
        return f"case when {_is(column, _WHOLE)} then try_cast({column} as bigint) end"
    if type_ == DOUBLE:  # a whole number past 64 bits is refused, as it is in a request
        number, whole = f"try_cast({column} as double)", f"try_cast({column} as bigint)::double"
        exact = f"case when {_is(column, _WHOLE)} then {whole} when isfinite({number}) then {number} end"
        return f"case when {_is(column, _SHORT)} then {number} when {_is(column, _NUMBER)} then {exact} end"
    if type_ == TIMESTAMP:
        said = f"upper({column})"
        at_zero = f" when {_is(column, _DAY)} then try_cast({column} || ' 00:00' as timestamptz)" if days else ""
        is_time = f"{_is(said, f'{_DAY}[T ]{_CLOCK}{_ZONE}')} and {column} not like '0000%'"
        return f"case when {is_time} then try_cast({said} as timestamptz){at_zero} end"
    if type_ == DATE:
        return f"case when {_is(column, _DAY)} and {column} not like '0000%' then try_cast({column} as date) end"
    if type_ == DURATION:
        return f"to_microseconds({READ_DURATION}({column}))"
    return column


def _is(column: str, pattern: str) -> str:
    return f"regexp_full_match({column}, {DUCKDB.text(pattern)})"


def install_cells(connection: Any) -> None:
    """Give a database the function that `read_cell` needs for lengths of time: it reads them as requests do."""
    import duckdb
    import pyarrow as pa

    def length(text: str | None) -> int | None:
        try:
            return None if text is None else parse_duration(text, exact=False) // timedelta(microseconds=1)
        except EvaluationError:
            return None

    def answer(column: Any) -> Any:  # DuckDB looks annotations up
        known: dict[str | None, int | None] = {}
        texts = column.to_pylist()
        return pa.array([known[t] if t in known else known.setdefault(t, length(t)) for t in texts], pa.int64())

    try:
        connection.create_function(READ_DURATION, answer, ["VARCHAR"], "BIGINT", type="arrow", null_handling="special")
    except duckdb.Error:  # it is there already
        pass
