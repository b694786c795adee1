"""Values of slots as DuckDB has them: one row for each environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pyarrow as pa

from adjudge.values.types import BOOL, DATE, DOUBLE, DURATION, INT, TIMESTAMP, ListType, MapType, SetType, Type

_SCALARS = {BOOL: pa.bool_(), INT: pa.int64(), DOUBLE: pa.float64(), DURATION: pa.int64(), DATE: pa.date32()}


def arrow_type(type_: Type) -> pa.DataType:
    match type_:
        case SetType():
            return pa.list_(pa.string())
        case ListType(item=item):
            return pa.list_(arrow_type(item))
        case MapType(value=value):
            return pa.map_(pa.string(), arrow_type(value))
        case _:
            return pa.timestamp("us", "UTC") if type_ == TIMESTAMP else _SCALARS.get(type_, pa.string())


def plain(value: object) -> object:
    match value:
        case timedelta():
            return value // timedelta(microseconds=1)
        case tuple() | list():
            return [plain(item) for item in value]
        case dict():
            return [(key, plain(item)) for key, item in value.items()]
        case datetime() | _:
            return value


def table(types: Mapping[str, Type], rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Return a table with a column for each name; None is unknown."""
    return pa.table(
        {name: pa.array([plain(row.get(name)) for row in rows], arrow_type(type_)) for name, type_ in types.items()}
    )
