"""What generated code calls: operations that can fail, raising EvaluationError where the answer is unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from adjudge.errors import EvaluationError
from adjudge.values.literals import TEXT_MAX, bounded_duration, int64, moved_day

UNKNOWN = EvaluationError("unknown")
"""Raised where an operand is unknown; one object, since nobody looks at its traceback."""

_Sequence = TypeVar("_Sequence", str, tuple[object, ...])

Failures = (EvaluationError, OverflowError)


def entry(mapping: Mapping[object, object], key: object) -> object:
    """Return a map's value; unknown where there is none."""
    value = mapping.get(key)
    if value is None:
        raise UNKNOWN
    return value


def element(items: tuple[object, ...], index: int) -> object:
    """Return a list's item, counted from 0; unknown past its ends."""
    if not 0 <= index < len(items):
        raise UNKNOWN
    value = items[index]
    if value is None:
        raise UNKNOWN
    return value


def equal(left: object, right: object) -> bool | None:
    """Compare two values of one type; None where an unknown inside could decide it."""
    return _equal(left, right, {})


def _equal(left: object, right: object, made: dict[tuple[int, int], bool | None]) -> bool | None:
    """Compare two values. made: of lists and maps within them, by identity: a shared one is compared once."""
    if left is None or right is None:
        return None
    if isinstance(left, tuple) and isinstance(right, tuple):
        if len(left) != len(right):
            return False
        return _all_equal(zip(left, right, strict=True), made)
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return False
        return _all_equal(((value, right[key]) for key, value in left.items()), made)
    return left == right


def _all_equal(pairs: object, made: dict[tuple[int, int], bool | None]) -> bool | None:
    answer: bool | None = True
    for left, right in pairs:  # type: ignore[attr-defined]  # an iterable of pairs
        same: bool | None
        if isinstance(left, tuple | dict):
            key = (id(left), id(right))
            if key not in made:
                made[key] = _equal(left, right, made)
            same = made[key]
        else:
            same = _equal(left, right, made)
        if same is False:
            return False
        if same is None:
            answer = None
    return answer


def contains(items: tuple[object, ...], wanted: object) -> bool | None:
    """Whether a list or set holds a value; None where only an unknown item could be it."""
    answer: bool | None = False
    made: dict[tuple[int, int], bool | None] = {}
    for found in items:
        same = _equal(found, wanted, made)
        if same is True:
            return True
        if same is None:
            answer = None
    return answer


def negate(value: int) -> int:
    """Negate an int."""
    return int64(-value)


def add(left: int, right: int) -> int:
    """Add two ints."""
    return int64(left + right)


def subtract(left: int, right: int) -> int:
    """Subtract two ints."""
    return int64(left - right)


def multiply(left: int, right: int) -> int:
    """Multiply two ints."""
    return int64(left * right)


def divide(left: int, right: int) -> int:
    """Divide two ints, toward zero."""
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return int64(quotient if (left < 0) == (right < 0) else -quotient)


def remainder(left: int, right: int) -> int:
    """Return the rest of a division toward zero; it has the dividend's sign."""
    if right == 0:
        raise EvaluationError("division by zero")
    if right == -1:
        int64(-left)  # CEL has no rest where it has no quotient
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def divide_double(left: float, right: float) -> float:
    """Divide as IEEE 754 does: by zero gives an infinity, or no number."""
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def concatenate(left: _Sequence, right: _Sequence) -> _Sequence:
    """Join two strings or lists, up to TEXT_MAX characters or items."""
    if len(left) + len(right) > TEXT_MAX:
        raise EvaluationError("too long")
    return left + right


def shift(moment: datetime, length: timedelta) -> datetime:
    """Move a time; unknown outside the years 1 to 9999, in UTC."""
    return length + moment.astimezone(UTC)  # in this order: a duration that is finer than a microsecond adds itself


def shift_back(moment: datetime, length: timedelta) -> datetime:
    """Move a time back."""
    return -length + moment.astimezone(UTC)


def shift_day(day: date, length: timedelta) -> date:
    """Move a day; unknown for what is no whole days."""
    return moved_day(day, length)


def shift_day_back(day: date, length: timedelta) -> date:
    """Move a day back."""
    return moved_day(day, -length)


def days_between(later: date, earlier: date) -> timedelta:
    """Return the days from `earlier` to `later`, of 24 hours each."""
    return bounded_duration(later - earlier)


def add_duration(left: timedelta, right: timedelta) -> timedelta:
    """Add two durations."""
    return bounded_duration(left + right)


def subtract_duration(left: timedelta, right: timedelta) -> timedelta:
    """Subtract two durations."""
    return bounded_duration(left - right)


def between(later: datetime, earlier: datetime) -> timedelta:
    """Return the time from `earlier` to `later`."""
    return bounded_duration(later - earlier)


def mapping(*parts: object) -> dict[object, object]:
    """Build a map of keys and values in turn; a repeated key has no answer."""
    built = dict(zip(parts[::2], parts[1::2], strict=True))
    if len(built) * 2 != len(parts):
        raise EvaluationError("repeated key")
    return built


def whole(value: object) -> object:
    """Return a list, set or map, or raise where something in it is unknown."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    for part in parts:
        if part is None:
            raise UNKNOWN
        whole(part)
    return value


def known(value: bool | None) -> bool:
    """Return a truth, or raise where it is unknown."""
    if value is None:
        raise UNKNOWN
    return value
