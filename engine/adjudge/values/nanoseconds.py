"""Times and durations finer than Python's microseconds, which conditions compute with and no field holds.

A value of whole microseconds is always a plain `datetime` or `timedelta`, so that only what is finer costs anything.
A finer one is of a subclass, whose base is the microsecond before it, and `beyond` the nanoseconds after that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

_US = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NanoDuration(timedelta):
    """A duration finer than a microsecond."""

    __slots__ = ("beyond",)
    beyond: int

    def __new__(cls, nanoseconds: int) -> Self:
        """Take a number of nanoseconds that are no whole microseconds. Raises OverflowError."""
        micros, beyond = divmod(nanoseconds, 1000)
        made = super().__new__(cls, microseconds=micros)
        made.beyond = beyond
        return made

    def __lt__(self, other: object) -> bool:
        return nanoseconds_of(self) < nanoseconds_of(other) if isinstance(other, timedelta) else NotImplemented

    def __le__(self, other: object) -> bool:
        return nanoseconds_of(self) <= nanoseconds_of(other) if isinstance(other, timedelta) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return nanoseconds_of(self) > nanoseconds_of(other) if isinstance(other, timedelta) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return nanoseconds_of(self) >= nanoseconds_of(other) if isinstance(other, timedelta) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return nanoseconds_of(self) == nanoseconds_of(other) if isinstance(other, timedelta) else NotImplemented

    def __ne__(self, other: object) -> bool:  # else the base's own, which looks at microseconds alone
        return not self == other

    def __hash__(self) -> int:
        return hash(nanoseconds_of(self))

    def __add__(self, other: object) -> Any:
        if isinstance(other, datetime):
            return moved(other, self)
        if not isinstance(other, timedelta):
            return NotImplemented
        return duration_of(nanoseconds_of(self) + nanoseconds_of(other))

    __radd__ = __add__

    def __sub__(self, other: object) -> timedelta:
        if not isinstance(other, timedelta):
            return NotImplemented
        return duration_of(nanoseconds_of(self) - nanoseconds_of(other))

    def __rsub__(self, other: object) -> timedelta:
        if not isinstance(other, timedelta):
            return NotImplemented
        return duration_of(nanoseconds_of(other) - nanoseconds_of(self))

    def __neg__(self) -> timedelta:
        return duration_of(-nanoseconds_of(self))

    def __abs__(self) -> timedelta:
        return duration_of(abs(nanoseconds_of(self)))

    def __repr__(self) -> str:
        return f"NanoDuration({nanoseconds_of(self)})"

    def __reduce__(self) -> tuple[object, ...]:
        return duration_of, (nanoseconds_of(self),)


class NanoTimestamp(datetime):
    """A time finer than a microsecond, aware."""

    __slots__ = ("beyond",)
    beyond: int

    @classmethod
    def after(cls, moment: datetime, beyond: int) -> Self:
        """Return the time so many nanoseconds, 1 to 999, after one of whole microseconds."""
        made = cls.combine(moment.date(), moment.timetz())
        made.beyond = beyond
        return made

    @property
    def before(self) -> datetime:
        """The whole microsecond before it."""
        return datetime.combine(self.date(), self.timetz())

    def astimezone(self, tz: tzinfo | None = None) -> Self:
        """Return the same time as the clocks of another zone show it."""
        return type(self).after(self.before.astimezone(tz), self.beyond)

    def __lt__(self, other: object) -> bool:
        return _since(self) < _since(other) if isinstance(other, datetime) else NotImplemented

    def __le__(self, other: object) -> bool:
        return _since(self) <= _since(other) if isinstance(other, datetime) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return _since(self) > _since(other) if isinstance(other, datetime) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return _since(self) >= _since(other) if isinstance(other, datetime) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return _since(self) == _since(other) if isinstance(other, datetime) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(_since(self))

    def __add__(self, other: object) -> datetime:  # type: ignore[override]  # what is finer may become whole again
        return moved(self, other) if isinstance(other, timedelta) else NotImplemented

    __radd__ = __add__  # type: ignore[assignment]  # as above

    def __sub__(self, other: object) -> datetime | timedelta:  # type: ignore[override]  # one signature for both
        if isinstance(other, datetime):
            return duration_of(_since(self) - _since(other))
        return moved(self, -other) if isinstance(other, timedelta) else NotImplemented

    def __rsub__(self, other: object) -> timedelta:
        return duration_of(_since(other) - _since(self)) if isinstance(other, datetime) else NotImplemented

    def __repr__(self) -> str:
        return f"NanoTimestamp.after({self.before!r}, {self.beyond})"

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        return NanoTimestamp.after, (self.before, self.beyond)


Nano = NanoDuration | NanoTimestamp


def nanoseconds_of(length: timedelta) -> int:
    """Return a duration in nanoseconds."""
    micros = (length.days * 86_400 + length.seconds) * 10**6 + length.microseconds
    return micros * 1000 + (length.beyond if isinstance(length, NanoDuration) else 0)


def duration_of(nanoseconds: int) -> timedelta:
    """Return the duration of so many nanoseconds: a plain one if it can be. Raises OverflowError."""
    return NanoDuration(nanoseconds) if nanoseconds % 1000 else timedelta(microseconds=nanoseconds // 1000)


def moved(moment: datetime, length: timedelta) -> datetime:
    """Return a time so much later. Raises OverflowError outside the years 1 to 9999."""
    micros, beyond = divmod(_beyond(moment) + nanoseconds_of(length), 1000)
    there = whole_micros(moment) + timedelta(microseconds=micros)
    return NanoTimestamp.after(there, beyond) if beyond else there


def cut(value: object) -> object:
    """Return a time or duration without what is finer than a microsecond; any other value as it is."""
    match value:
        case NanoDuration():
            micros = abs(nanoseconds_of(value)) // 1000
            return timedelta(microseconds=micros if nanoseconds_of(value) > 0 else -micros)
        case NanoTimestamp():
            return value.before
        case _:
            return value


def whole_micros(moment: datetime) -> datetime:
    """Return a time without what is finer than a microsecond."""
    return moment.before if isinstance(moment, NanoTimestamp) else moment


def _beyond(moment: datetime) -> int:
    return moment.beyond if isinstance(moment, NanoTimestamp) else 0


def whole_after(value: datetime | timedelta) -> datetime | timedelta:
    """Return the first whole microsecond after a time or duration. Raises OverflowError."""
    if isinstance(value, NanoDuration):
        return timedelta(microseconds=nanoseconds_of(value) // 1000 + 1)
    return (value.before if isinstance(value, NanoTimestamp) else value) + _US


def finer(moment: datetime) -> timedelta:
    """Return the part of a time that is finer than a microsecond."""
    return duration_of(_beyond(moment))


def _since(moment: datetime) -> int:
    """Return the nanoseconds since 1970."""
    return (whole_micros(moment) - _EPOCH) // _US * 1000 + _beyond(moment)
