"""Values that are assumed on every row, of fields that the data lack: `--assume FIELD=VALUE`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from adjudge.backtest.columns import DataError, sql_type
from adjudge.errors import did_you_mean
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.policy.typed import TypedPolicy
from adjudge.texts import with_article
from adjudge.values.fields import Field
from adjudge.values.reading import read
from adjudge.values.types import BOOL, DOUBLE, INT, RecordType, Type, is_text

_WHOLE = re.compile(r"-?\d+", re.ASCII)


def assumed_columns(policy: TypedPolicy, assumed: Mapping[str, str]) -> dict[str, str]:
    """Return an expression for each slot that an assumption fills. Raises DataError where it is refused.

    A value is checked as an input is. With a set or a map go what is outside its vocabulary, and its entries.
    """
    found: dict[str, str] = {}
    for slot, text in assumed.items():
        declared = policy.slots[slot]
        reading = read(declared, _value(declared, text, slot))
        if reading.value is None or reading.problems:
            said = "; ".join(f"{part} {what}".strip() for part, what in reading.problems) or "is no value"
            raise DataError(f"--assume {slot}={text}: {said}", "it is checked as an input is")
        try:
            found[slot] = _written(reading.value, declared.type)
        except ValueError as error:
            raise DataError(f"--assume {slot}={text}: {error}, which no column holds") from None
        for name, part in policy.parts.items():
            if str(part.whole) != slot or name == slot:
                continue
            if part.novel:
                found[name] = _written(tuple(reading.novel or ()), policy.slots[name].type)
            elif part.key is not None and isinstance(reading.value, Mapping):
                value = reading.value.get(part.key, declared.absent)
                found[name] = _written(value, policy.slots[name].type)
    return found


def check_assumed(policies: list[TypedPolicy], assumed: Mapping[str, str]) -> None:
    """Refuse an assumption about what no policy reads. Raises DataError."""
    known = [slot for policy in policies for slot in policy.slots]
    for slot, text in assumed.items():
        if slot not in known:
            raise DataError(f"--assume {slot}={text}: the policy has no such field", did_you_mean(slot, known))


def _value(declared: Field, text: str, slot: str) -> object:
    """Return what a text says; what a type does not know how to read stays a text, which is refused."""
    type_ = declared.type
    if is_text(type_):
        return text
    if type_ == BOOL:
        return {"true": True, "false": False}.get(text.lower(), text)
    if type_ in (INT, DOUBLE):
        try:
            return int(text) if _WHOLE.fullmatch(text) else float(text) if re.search("[0-9]", text) else text
        except ValueError:
            return text
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(
            f"--assume {slot}={text}: the value is not JSON: {error}", 'write ["a", "b"] or {"a": 1}'
        ) from None


def _written(value: object, type_: Type) -> str:
    """Return SQL of a value, of the type that the slot's column has."""
    sql = sql_type(type_)
    match value:
        case None:
            return f"cast(null as {sql})"
        case datetime():
            return f"make_timestamptz({DUCKDB.literal(value)})"
        case date():
            return f"date '{value.isoformat()}'"
        case timedelta() | str() | bool() | int() | float():
            return f"({DUCKDB.literal(value)})::{sql}"
        case Mapping() if isinstance(type_, RecordType):
            parts = ", ".join(f"{DUCKDB.text(name)}: {_written(value[name], of)}" for name, of in type_.fields)
            return f"cast({{{parts}}} as {sql})"
        case Mapping():
            keys = ", ".join(DUCKDB.text(str(key)) for key in value)
            items = ", ".join(_written(item, type_.value) for item in value.values())  # type: ignore[attr-defined]  # a map's
            return f"cast(map([{keys}], [{items}]) as {sql})"
        case tuple():
            item_type = getattr(type_, "item", None)
            items = ", ".join(_written(item, item_type) if item_type else DUCKDB.literal(item) for item in value)
            return f"cast([{items}] as {sql})"
        case _:
            raise DataError(f"{with_article(type(value).__name__)} cannot be assumed")
