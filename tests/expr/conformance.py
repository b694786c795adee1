"""The CEL conformance cases of the profile: read, converted to values, compared strictly."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from adjudge.values.literals import parse_duration, parse_timestamp
from adjudge.values.types import BOOL, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, ListType, MapType, Type

SCALARS = {type_.name: type_ for type_ in (BOOL, INT, DOUBLE, STRING, TIMESTAMP, DURATION, DYN)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case; `value` is None where the evaluation must fail."""

    id: str
    expr: str
    types: Mapping[str, Type]
    values: Mapping[str, object]
    value: object
    is_checked: bool


def load(folder: Path) -> Iterator[tuple[Case | None, str]]:
    """Yield every case of the profile, or None with the id and the reason why it is left out."""
    for path in sorted(folder.glob("*.json")):
        for at, case in enumerate(json.loads(path.read_text("utf-8"))["cases"]):
            if "needs" in case:
                continue
            name = f"{path.stem}/{case['section']}/{case['name']}/{at}"
            if reason := left_out(case):
                yield None, f"{name}: {reason}"
                continue
            yield (
                Case(
                    id=name,
                    expr=case["expr"],
                    types={key: to_type(form) for key, form in case.get("types", {}).items()},
                    values={key: to_value(form) for key, form in case.get("bindings", {}).items()},
                    value=None if "error" in case else to_value(case["value"]),
                    is_checked=not case.get("disable_check", False),
                ),
                name,
            )


def left_out(case: Mapping[str, Any]) -> str | None:
    """Return why a case that needs nothing outside the profile cannot be run all the same."""
    if "optional." in case["expr"]:
        return "optional types are no part of the profile"
    if case["expr"].startswith("fn("):
        return "its function is declared only in the suite's own driver"
    if case.get("check_only"):
        return "it has a type but no value to compare"
    return None


def to_type(form: Any) -> Type:
    match form:
        case {"list": item}:
            return ListType(to_type(item))
        case {"map": [key, value]}:
            return MapType(to_type(key), to_type(value))
        case _:
            return SCALARS[form]


def to_value(form: Mapping[str, Any]) -> object:
    ((kind, value),) = form.items()
    match kind:
        case "list":
            return tuple(to_value(item) for item in value)
        case "map":
            return {to_value(key): to_value(item) for key, item in value}
        case "double":
            return float(value)
        case "timestamp":
            return parse_timestamp(value)
        case "duration":
            return parse_duration(value)
        case _:
            return value


def same(left: object, right: object) -> bool:
    """Return whether two values are the same down to their types; NaN is NaN, and 0.0 is not -0.0."""
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or struct.pack("d", left) == struct.pack("d", right)
    if type(left) is not type(right):
        return False
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return len(left) == len(right) and all(
            any(same(key, other) and same(value, right[other]) for other in right) for key, value in left.items()
        )
    assert isinstance(left, bool | int | str | date | timedelta | None)
    return left == right
