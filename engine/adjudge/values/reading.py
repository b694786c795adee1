"""The reading of values that come in, by the field that they are for.

A value outside its type, range or vocabulary is unknown, alone, and said so; nothing is converted but an int where
a double is declared, and the texts that JSON has for times and durations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from math import isfinite

from adjudge.errors import EvaluationError, listed
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.texts import composed, find_unseen, name_of, with_article
from adjudge.values.fields import Field
from adjudge.values.literals import (
    INT_MAX,
    INT_MIN,
    bounded_duration,
    parse_date,
    parse_duration,
    parse_timestamp,
)
from adjudge.values.nanoseconds import cut
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    MoneyType,
    RecordType,
    SetType,
    Type,
    named,
)

_AMOUNT = late(r"-?[0-9]{1,18}(?:\.[0-9]{1,9})?", re.ASCII)
PROBLEMS_MAX = 20
"""How many problems of one value are told."""


@frozen
class Reading:
    """What was understood of a value: None is unknown, alone or inside a list or map.

    problems: where inside the value (a dotted path, empty for all of it) and what was wrong there.
    novel: members of a set, or keys of a map, that are outside its vocabulary; None where one of them cannot be read,
    since nobody knows then what else is new.
    """

    value: object
    problems: tuple[tuple[str, str], ...] = ()
    novel: tuple[str, ...] | None = ()


def read(field: Field, value: object) -> Reading:
    """Understand a value that came from outside as one of the field's type; never raises."""
    if value is None:
        return Reading(None)
    type_ = field.type
    if isinstance(type_, SetType):
        return _read_set(type_, value)
    if isinstance(type_, EnumType):
        if isinstance(value, str) and (word := composed(str.__str__(value))) in type_.words:
            return Reading(word)
        said = "another string" if isinstance(value, str) else describe(value)  # never the value: it may be personal
        return _wrong(f"must be one of {listed(type_.values)}, not {said}")
    if isinstance(type_, ListType):
        if isinstance(value, set | frozenset):
            value = sorted(value, key=repr)
        if not isinstance(value, list | tuple):
            return _wrong(f"must be a list, not {describe(value)}")
        assert field.of is not None
        parts = [read(field.of, item) for item in value]
        return Reading(tuple(part.value for part in parts), _inner((str(at), part) for at, part in enumerate(parts)))
    if isinstance(type_, MapType):
        return _read_map(field, type_, value)
    if isinstance(type_, RecordType):
        return _read_record(field, value)
    return _read_scalar(field, type_, value)


def _read_scalar(field: Field, type_: Type, value: object) -> Reading:
    understood: object = None
    if type_ is BOOL or type_ is STRING:
        if isinstance(value, bool if type_ is BOOL else str):
            understood = value if type(value) in (bool, str) else str.__str__(value)
    elif type_ is DURATION or type_ is TIMESTAMP or type_ is DATE:
        return _read_time(field, type_, value)
    elif isinstance(value, int) and not isinstance(value, bool):
        if not INT_MIN <= value <= INT_MAX:
            return _wrong("is an integer past 64 bits")
        understood = float(value) if type_ is DOUBLE else int(value)
    elif isinstance(value, float) and type_ is DOUBLE:
        if not isfinite(value):
            return _wrong(f"must be a finite number, not {value}")
        understood = float(value)
    if understood is None:
        return _wrong(f"must be {named(type_)}, not {describe(value)}")
    if isinstance(understood, str):
        return _read_text(understood)
    return _in_range(field, understood)


def _read_text(text: str) -> Reading:
    """Understand a text: composed, so that what looks the same is the same; nothing in it that nobody sees."""
    if not is_unicode(text):
        return _wrong("is not valid Unicode")
    unseen = find_unseen(text)
    if unseen is not None:
        return _wrong(f"holds {name_of(text[unseen])}, which cannot be seen")
    return Reading(composed(text))


def _read_time(field: Field, type_: Type, value: object) -> Reading:
    try:
        if type_ is DURATION:
            length = parse_duration(value, exact=False) if isinstance(value, str) else cut(value)
            if isinstance(length, timedelta):
                return _in_range(field, bounded_duration(length))
        elif type_ is DATE:
            day = parse_date(value) if isinstance(value, str) else value
            if isinstance(day, date) and not isinstance(day, datetime):
                return _in_range(field, day)
        else:
            moment = parse_timestamp(value, exact=False) if isinstance(value, str) else cut(value)
            if isinstance(moment, datetime):
                if moment.tzinfo is None:
                    return _wrong("must say its time zone")
                moment.astimezone(UTC)  # which the first and the last days may not have
                return _in_range(field, moment)
    except OverflowError:
        return _wrong("is no such time in UTC")
    except EvaluationError as error:  # which quotes the text
        return _wrong(f"must be {named(type_)}{', not another string' if field.personal else f': {error}'}")
    return _wrong(f"must be {named(type_)}, not {describe(value)}")


def _in_range(field: Field, value: object) -> Reading:
    low, high = field.minimum, field.maximum
    if (low is not None and value < low) or (high is not None and value > high):  # type: ignore[operator]  # a range has bounds of its field's type
        said = "is outside its range" if field.personal else f"is {value}, outside its range"
        return _wrong(f"{said} [{low}, {high}]")
    return Reading(value)


STRAY_MEMBER = "has a member outside its vocabulary"
STRAY_KEY = "has a key outside its vocabulary"


def _read_set(type_: SetType, value: object) -> Reading:
    """Understand a set. A member that cannot be read may be any word, known or new: both stay open for it."""
    if not isinstance(value, list | tuple | set | frozenset):
        return _wrong(f"must be a list, not {describe(value)}")
    unread = next((wrong for member in value if (wrong := _unreadable(member))), None)
    members = {composed(str.__str__(member)) for member in value if isinstance(member, str) and is_unicode(member)}
    known = tuple(name for name in type_.values if name in members)
    novel = tuple(sorted(members.difference(type_.values)))
    problems = (("", f"has a member that {unread}"),) if unread else ()
    if novel:
        problems = (*problems, ("", STRAY_MEMBER))
    return Reading((*known, None), problems, None) if unread else Reading(known, problems, novel)


def _unreadable(name: object) -> str | None:
    """Return why a member of a set, or a key of a map, is no name at all; None where it is one."""
    if not isinstance(name, str):
        return f"is {describe(name)}, not a string"
    return None if is_unicode(name) else "is not valid Unicode"


def _read_map(field: Field, type_: MapType, value: object) -> Reading:
    if not isinstance(value, Mapping):
        return _wrong(f"must be a map, not {describe(value)}")
    assert field.of is not None
    entries: dict[str, object] = {}
    parts: list[tuple[str, Reading]] = []
    novel: list[str] = []
    for key, item in value.items():
        if unread := _unreadable(key):
            return _wrong(f"has a key that {unread}")
        key = composed(str.__str__(key))
        if type_.keys is not None and key not in type_.words:
            novel.append(key)
            continue
        part = read(field.of, item) if key not in entries else _wrong("appears twice, in two spellings")
        entries[key] = part.value
        parts.append(("" if field.personal else key, part))
    strange = (("", STRAY_KEY),) if novel else ()
    return Reading(entries, (*strange, *_inner(parts)), tuple(novel))


def _read_record(field: Field, value: object) -> Reading:
    """Understand a record: a field that cannot be read is unknown alone; what is not declared is not looked at."""
    if not isinstance(value, Mapping):
        return _wrong(f"must be an object, not {describe(value)}")
    if isinstance(field.type, MoneyType):
        value = {**value, "amount": amount_of(value.get("amount"))}
    parts = [(name, read(part, value.get(name))) for name, part in field.parts.items()]
    shown = [("" if field.personal else name, part) for name, part in parts]
    return Reading({name: part.value for name, part in parts}, _inner(shown))


def amount_of(value: object) -> object:
    """Return the number that a decimal text such as `12.50` says; anything else as it is."""
    return float(value) if isinstance(value, str) and _AMOUNT.fullmatch(value) else value


def _inner(parts: Iterable[tuple[str, Reading]]) -> tuple[tuple[str, str], ...]:
    """Return the problems of parts, under their names; of very many the first, and how many more there are."""
    found = [(f"{name}.{path}".strip("."), text) for name, part in parts for path, text in part.problems]
    return bounded_problems(found, "")


def bounded_problems(found: Sequence[tuple[str, str]], path: str) -> tuple[tuple[str, str], ...]:
    """Return the first of very many problems, and how many more there are. path: of what they are parts of."""
    if len(found) <= PROBLEMS_MAX:
        return tuple(found)
    return (*found[:PROBLEMS_MAX], (path, f"has {len(found) - PROBLEMS_MAX:,} more parts that cannot be read"))


def _wrong(text: str) -> Reading:
    return Reading(None, (("", text),))


def describe(value: object) -> str:
    """Return a value's type in a policy author's words; never the value itself, which may be personal."""
    match value:
        case None:
            return "null"
        case bool():
            return "a bool"
        case int():
            return "an int"
        case float():
            return "a double"
        case str():
            return "a string"
        case list() | tuple() | set() | frozenset():
            return "a list"
        case Mapping():
            return "a map"
        case _:
            return with_article(type(value).__name__)


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: it has no lone surrogate."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
