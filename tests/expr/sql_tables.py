"""Values of slots as DuckDB has them: one row for each environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pyarrow as pa

from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    INT,
    TIMESTAMP,
    ListType,
    MapType,
    RecordType,
    SetType,
    Type,
)

_SCALARS = {BOOL: pa.bool_(), INT: pa.int64(), DOUBLE: pa.float64(), DURATION: pa.int64(), DATE: pa.date32()}


def arrow_type(type_: Type) -> pa.DataType:
    match type_:
        case SetType():
            return pa.list_(pa.string())
        case ListType(item=item):
            return pa.list_(arrow_type(item))
        case RecordType(fields=fields):
            return pa.struct([(name, arrow_type(of)) for name, of in fields])
        case MapType(value=value):
            return pa.map_(pa.string(), arrow_type(value))
        case _:
            return pa.timestamp("us", "UTC") if type_ == TIMESTAMP else _SCALARS.get(type_, pa.string())


def plain(value: object, type_: Type) -> object:
    match value, type_:
        case timedelta(), _:
            return value // timedelta(microseconds=1)
        case tuple() | list(), ListType(item=item):
            return [plain(one, item) for one in value]
        case dict(), RecordType(of=types):
            return {key: plain(item, types[key]) for key, item in value.items()}
        case dict(), MapType(value=of):
            return [(key, plain(item, of)) for key, item in value.items()]
        case tuple(), _:
            return list(value)
        case _:
            return value


def table(types: Mapping[str, Type], rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Return a table with a column for each name; None is unknown."""
    return pa.table(
        {
            name: pa.array([plain(row.get(name), type_) for row in rows], arrow_type(type_))
            for name, type_ in types.items()
        }
    )
