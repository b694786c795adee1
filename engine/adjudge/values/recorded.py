"""Fields and values in the form that the audit log and JSON have for them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from math import isfinite

import msgspec

from adjudge.errors import EvaluationError
from adjudge.texts import composed
from adjudge.values.fields import Field
from adjudge.values.literals import (
    INT_MAX,
    INT_MIN,
    format_duration,
    format_timestamp,
    is_nano,
    parse_duration,
    parse_timestamp,
)
from adjudge.values.reading import amount_of, bounded_problems, describe, is_unicode
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
    MoneyType,
    RecordType,
    SetType,
    Type,
)


def form_of(field: Field) -> dict[str, object]:
    """Return the declaration that `parse_field` reads as this field, for the log."""
    form: dict[str, object] = {"type": field.type.name.partition("(")[0]}
    if field.vocabulary is not None:
        form["keys" if isinstance(field.type, MapType) else "values"] = list(field.vocabulary)
    if field.of is not None:
        form["of"] = form_of(field.of)
    if isinstance(field.type, MoneyType):
        form["currencies"] = list(field.type.currencies)
    elif field.parts:
        form["of"] = {name: form_of(part) for name, part in field.parts.items()}
    if field.absent is not None:
        form["absent"] = to_json(field.absent)
    if field.within is not None:
        form["within"] = field.within
    if field.minimum is not None:
        form["range"] = [to_json(field.minimum), to_json(field.maximum)]
    if field.riskier is not None:
        form["riskier"] = field.riskier == "higher" if field.type == BOOL else field.riskier
    if field.personal:
        form["personal"] = True
    if field.actionable:
        form["actionable"] = True
    if field.description:
        form["description"] = field.description
    return form


def to_json(value: object) -> object:
    """Return a value in the form that JSON has for it: texts for times and durations. `read` takes it back."""
    match value:
        case timedelta():
            return format_duration(value)
        case datetime():
            return format_timestamp(value)
        case date():
            return value.isoformat()
        case Mapping():
            return {key: to_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [to_json(item) for item in value]
        case _:
            return value


DOUBLE_MAX = sys.float_info.max
VALUE_MAX_BYTES = 256 * 1024
"""The largest value that a decision is made on and a log keeps, as JSON."""
REFUSED_MAX = 1000
"""How many parts of one value may be such that no log can hold them."""


class _TooMuch(Exception):
    """A value is more than a log keeps, in words."""


class _Room:
    """What a value may still take of the log, charged before its parts are looked at, at less than they will take."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = VALUE_MAX_BYTES

    def take(self, parts: Collection[object]) -> None:
        """Charge for parts: each takes two bytes, a text those of its characters too. Raises _TooMuch."""
        self.left -= 2 * len(parts) + 1
        if self.left >= 0:
            self.left -= sum(len(part) for part in parts if isinstance(part, str))
        if self.left < 0:
            raise _TooMuch(_TOO_LARGE)


_TOO_LARGE = f"is larger than {VALUE_MAX_BYTES // 1024} KiB"


_SMALL = 16
"""So many entries of a map are looked at one by one before anything else; with short texts they stay in bounds."""


_SHORT = 1000
"""A text of fewer characters is in bounds, whatever they are."""


def as_it_came(field: Field, value: object) -> object:
    """Return a value that is `recordable` and `canonical` as it came; None where it may not be. A map is a copy.

    Nearly all values are such, so this is asked first.
    """
    if type(value) is not dict:
        return value if _is_final(field.type, value) else None
    if field.of is None or len(value) > _SMALL:
        return None
    type_, found = field.of.type, value.copy()
    for key, item in found.items():
        if key.__class__ is not str or len(key) >= _SHORT or not key.isascii():
            return None
        if not _is_final(type_, item):
            return None
    return found


def recordable(field: Field, value: object, refused: list[tuple[str, str]], path: str) -> object:
    """Return a value in the form that the audit log has for it, so that a replay reads what was read at first.

    Times and durations become texts where the field has such, sets become sorted lists. A number or text that a log
    cannot hold is None, unknown, and `refused` takes (path, what was wrong) for it; so is a value past 256 KiB.
    Raises TypeError, which says what came, for any other kind of value, and RecursionError.
    """
    if _is_plain(value):
        return value
    if isinstance(value, str) and len(value) > VALUE_MAX_BYTES:  # before anything looks at each character
        refused.append((path, _TOO_LARGE))
        return None
    told: list[tuple[str, str]] = []
    try:
        found = _recordable(field, value, told, path, _Room())
        if isinstance(found, str | list | dict) and len(msgspec.json.encode(found)) > VALUE_MAX_BYTES:
            raise _TooMuch(_TOO_LARGE)
    except _TooMuch as error:
        refused.append((path, str(error)))
        return None
    refused += bounded_problems(told, path)
    return found


def canonical(field: Field, value: object) -> object:
    """Return a recordable value in the one form that all its spellings share, and that `read` takes for the same.

    Texts are composed, the members of a set stand in order and once, times in UTC, durations in seconds, ints as
    doubles where such are declared, and there is one zero. What cannot be read as the field's type stays as it is.
    """
    type_, of = field.type, field.of
    if type_ is STRING or isinstance(type_, EnumType):
        return composed(value) if isinstance(value, str) else value
    if type_ is INT or type_ is BOOL:
        return value
    if type_ is DOUBLE:
        if isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        return 0.0 if value.__class__ is float and value == 0 else value  # there are two zeros
    if type_ is TIMESTAMP or type_ is DURATION:
        return _canonical_time(type_, value) if isinstance(value, str) else value
    if isinstance(value, list) and isinstance(type_, SetType):
        texts = {composed(item) for item in value if isinstance(item, str)}
        return sorted(texts) + sorted((item for item in value if not isinstance(item, str)), key=repr)
    if isinstance(value, list) and isinstance(type_, ListType) and of is not None:
        return [canonical(of, item) for item in value]
    if isinstance(value, dict) and isinstance(type_, MapType) and of is not None:
        is_one = len(set(map(composed, value))) == len(value)  # a key in two spellings is read as neither
        return {composed(key) if is_one else key: canonical(of, item) for key, item in value.items()}
    if isinstance(value, dict) and field.parts:
        if isinstance(type_, MoneyType) and "amount" in value:
            value = {**value, "amount": amount_of(value["amount"])}
        return {key: canonical(field.parts[key], item) if key in field.parts else item for key, item in value.items()}
    return value


def _canonical_time(type_: Type, text: str) -> str:
    try:
        time = parse_timestamp(text) if type_ is TIMESTAMP else parse_duration(text)
        if is_nano(time):  # `read` cuts it; the log keeps what was said
            return text
        return format_timestamp(time) if isinstance(time, datetime) else format_duration(time)
    except (EvaluationError, OverflowError):
        return text


def _recordable(field: Field, value: object, refused: list[tuple[str, str]], path: str, room: _Room) -> object:
    match value:
        case None | bool():
            return value
        case str():
            text = value if type(value) is str else str.__str__(value)
            if is_unicode(text):
                return text
            wrong = "is not valid Unicode"
        case int():
            if INT_MIN <= value <= INT_MAX:
                return float(value) if field.type is DOUBLE else int(value)  # so that 1 and 1.0 are one request
            wrong = "is an integer past 64 bits"
        case float():
            if isfinite(value):
                return float(value)
            wrong = f"must be a finite number, not {value}"
        case list() | tuple():
            room.take(value)
            return [
                item if _is_plain_part(item) else _recordable(field, item, refused, f"{path}.{at}", room)
                for at, item in enumerate(value)
            ]
        case timedelta() if _has_times(field.type):
            return format_duration(value)
        case datetime() if _has_times(field.type):
            try:
                if value.tzinfo is not None:
                    return format_timestamp(value)
                wrong = "must say its time zone"
            except OverflowError:
                wrong = "is no such time in UTC"
        case date() if _has_times(field.type, (DATE,)) and not isinstance(value, datetime):
            return value.isoformat()
        case Mapping():
            room.take(value)  # its keys
            room.take(value.values())
            stray = [key for key in value if not isinstance(key, str) or not is_unicode(key)]
            if not stray:
                return {
                    str.__str__(key): item
                    if _is_plain_part(item)
                    else _recordable(field, item, refused, path if field.personal else f"{path}.{key}", room)
                    for key, item in value.items()
                }
            said = "is not valid Unicode" if isinstance(stray[0], str) else f"is {describe(stray[0])}, not a string"
            wrong = f"has a key that {said}"
        case set() | frozenset():
            room.take(value)
            return sorted((_recordable(field, item, refused, path, room) for item in value), key=repr)
        case _:
            raise TypeError(describe(value))
    refused.append((path, wrong))
    if len(refused) > REFUSED_MAX:
        raise _TooMuch(f"has more than {REFUSED_MAX:,} parts that cannot be read")
    return None


def _is_final(type_: Type, value: object) -> bool:
    """Whether a value is at once what the log has for it, and spelt as all its like are."""
    kind = value.__class__
    if kind is float:  # there are two zeros
        return 0.0 < value <= DOUBLE_MAX or -DOUBLE_MAX <= value < 0.0  # type: ignore[operator]  # its class was compared before
    if kind is str:
        is_short = len(value) < _SHORT and value.isascii()  # type: ignore[arg-type, attr-defined]
        return is_short and type_ is not TIMESTAMP and type_ is not DURATION
    return kind is bool or (kind is int and type_ is INT and INT_MIN <= value <= INT_MAX)  # type: ignore[operator]  # its class was compared before


def _is_plain(value: object) -> bool:
    """Whether a value is at once what the log has for it; nearly all are such, so this is asked first."""
    kind = value.__class__
    if kind is float:
        return -DOUBLE_MAX <= value <= DOUBLE_MAX  # type: ignore[operator]  # no infinity, no NaN
    return kind is bool or (kind is str and len(value) < _SHORT and value.isascii())  # type: ignore[arg-type, attr-defined]


def _is_plain_part(value: object) -> bool:
    """Whether a part of a list or map is at once what the log has for it: an int stays one there."""
    return _is_plain(value) or (value.__class__ is int and INT_MIN <= value <= INT_MAX)


def _has_times(type_: Type, among: tuple[Type, ...] = (DURATION, TIMESTAMP, DATE)) -> bool:
    """Whether a type is one of some types of times, or holds such values."""
    match type_:
        case ListType(item=item):
            return _has_times(item, among)
        case MapType(value=value):
            return _has_times(value, among)
        case RecordType(fields=fields):
            return any(_has_times(of, among) for _, of in fields)
        case _:
            return type_ in among
