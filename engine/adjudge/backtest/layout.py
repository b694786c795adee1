"""How decisions stand in columns: names, types, and values on their way into Arrow and back.

The layout is version 1 of what `adjudge audit export` writes. An input is `inputs.country`; a field of a signal is
`signals.device.score`; a map with declared keys has a column for the map and one for each key; what is outside a
vocabulary is `signals.deepfake.novel_tags`. NULL is unknown. Times are microseconds in UTC, lengths
of time are whole microseconds as BIGINT, dates are DATE, sets and lists are lists.

A column holds what was given, of the declared type: ranges, vocabularies and `absent` are applied by whoever reads it,
so that a policy with a wider one finds what an older policy refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from adjudge.policy.slots import NOW, source_of
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    RecordType,
    SetType,
    Type,
)

if TYPE_CHECKING:
    import pyarrow as pa

LAYOUT = 1
_US = timedelta(microseconds=1)


def column_of(slot: str, policy: TypedPolicy) -> str:
    """Return the column of a slot."""
    if slot == NOW:
        return "at"
    if slot in policy.of_request:
        return slot
    return f"signals.{slot}" if source_of(slot) in policy.signals else f"inputs.{slot}"


def open_field(field: Field) -> Field:
    """Return a field of the same type that knows no range and no vocabulary."""
    match field.type:
        case EnumType():
            return Field(type=STRING)
        case SetType():
            return Field(type=ListType(STRING), of=Field(type=STRING))
        case ListType() if field.of is not None:
            of = open_field(field.of)
            return Field(type=ListType(of.type), of=of)
        case RecordType():
            parts = {name: open_field(part) for name, part in field.parts.items()}
            return Field(type=RecordType({name: part.type for name, part in parts.items()}), parts=parts)
        case MapType() if field.of is not None:
            of = open_field(field.of)
            return Field(type=MapType(STRING, of.type), of=of)
        case _:
            return Field(type=field.type)


def arrow_type(type_: Type) -> pa.DataType:
    """Return the type of a column."""
    import pyarrow as pa

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
            scalars = {BOOL: pa.bool_(), INT: pa.int64(), DOUBLE: pa.float64(), DURATION: pa.int64(), DATE: pa.date32()}
            return pa.timestamp("us", "UTC") if type_ == TIMESTAMP else scalars.get(type_, pa.string())


def to_arrow(value: object, type_: Type) -> object:
    """Return a value of a type as its column takes it."""
    match value, type_:
        case timedelta(), _:
            return value // _US
        case tuple(), ListType(item=item):
            return [to_arrow(one, item) for one in value]
        case tuple(), _:
            return list(value)
        case Mapping(), MapType(value=of):
            return [(key, to_arrow(item, of)) for key, item in value.items()]
        case Mapping(), RecordType(of=types):
            return {key: to_arrow(item, types[key]) for key, item in value.items()}
        case _:
            return value


def from_arrow(value: object, type_: Type) -> object:
    """Return what a column holds as the value of its slot."""
    match value, type_:
        case None, _:
            return None
        case int(), _ if type_ == DURATION:
            return value * _US
        case list(), ListType(item=item):
            return tuple(from_arrow(one, item) for one in value)
        case list(), SetType():
            return tuple(value)
        case dict(), RecordType(fields=fields):
            return {key: from_arrow(value[key], of) for key, of in fields}
        case list() | dict(), MapType(value=of):
            entries = value.items() if isinstance(value, dict) else value
            return {key: from_arrow(one, of) for key, one in entries}
        case _:
            return value
