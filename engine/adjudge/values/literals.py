"""Times, dates, durations and integers: their limits and their texts.

Conditions compute to the nanosecond, see `nanoseconds`. Fields are kept to the microsecond, as Python's `datetime` and
`timedelta` do: of what a vendor or caller sends, finer digits are cut off.
Source of the texts and limits: the CEL language definition and RFC 3339. Days and weeks are ours: 24 hours, and 7 days.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from adjudge.errors import EvaluationError
from adjudge.patterns import late
from adjudge.values.nanoseconds import Nano, NanoDuration, NanoTimestamp, duration_of, nanoseconds_of, whole_micros

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
DURATION_MAX = timedelta(microseconds=INT_MAX // 1000)
"""The longest duration of whole microseconds whose nanoseconds fit into 64 bits: 292 years."""
TEXT_MAX = 100_000
"""The longest string and list, in characters and items, that an operation may build."""

_TIMESTAMP = late(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_DATE = late(r"\d{4}-\d\d-\d\d", re.ASCII)
_DURATION = late(r"(?:\d+(?:\.\d*)?|\.\d+)(?:w|d|h|ms|m|us|µs|ns|s)", re.ASCII)
_UNIT_NS: Mapping[str, int] = {
    "w": 604_800 * 10**9,
    "d": 86_400 * 10**9,
    "h": 3600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 1000,
    "µs": 1000,
    "ns": 1,
}


def int64(value: int) -> int:
    """Return `value`, or raise EvaluationError where 64 bits cannot hold it."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def bounded_duration(value: timedelta) -> timedelta:
    """Return `value`, or raise EvaluationError where 64 bits cannot hold its nanoseconds: past 292 years."""
    if -DURATION_MAX <= value <= DURATION_MAX:
        return value
    if isinstance(value, NanoDuration) and INT_MIN <= nanoseconds_of(value) <= INT_MAX:
        return value
    raise EvaluationError("duration out of range")


def parse_duration(text: str, *, exact: bool = True) -> timedelta:
    """Read `30d`, `1h30m`, `900h`, `1.5s`, `-20ms`; units w, d, h, m, s, ms, us, ns. Raises EvaluationError.

    exact: whether nanoseconds count, and what is finer is an error; else all past a microsecond is cut off.
    """
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return timedelta()
    nanoseconds, at = Fraction(), 0
    while at < len(body):
        match = _DURATION.match(body, at)
        if match is None or match.end() > 100:
            raise EvaluationError(f"`{text[:60]}` is not a duration")
        number = match.group().rstrip("wdhmsunµ")
        nanoseconds += Fraction(number if number[0] != "." else f"0{number}") * _UNIT_NS[match.group()[len(number) :]]
        at = match.end()
    if not body:
        raise EvaluationError(f"`{text[:60]}` is not a duration")
    if exact and nanoseconds.denominator != 1:
        raise EvaluationError(f"`{text[:60]}` is finer than a nanosecond")
    whole = int(nanoseconds) if exact else int(nanoseconds / 1000) * 1000
    if whole > -INT_MIN:
        raise EvaluationError("duration out of range")
    return bounded_duration(duration_of(-whole if text[0] == "-" else whole))


def format_duration(value: timedelta) -> str:
    """Return the text in seconds that CEL and protobuf use, such as `5400s` or `0.25s`."""
    nanoseconds = nanoseconds_of(value)
    seconds, rest = divmod(abs(nanoseconds), 10**9)
    return f"{'-' if nanoseconds < 0 else ''}{seconds}{_fraction(rest)}s"


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""


def parse_timestamp(text: str, *, exact: bool = True) -> datetime:
    """Read RFC 3339, such as `2026-01-15T08:30:00Z`, as aware UTC. Raises EvaluationError.

    exact: whether nanoseconds count; else all past a microsecond is cut off.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise EvaluationError(f"`{text[:60]}` is not a timestamp such as 2026-01-15T08:30:00Z")
    *digits, fraction, sign, hours, minutes = match.groups()
    beyond = int(fraction[6:].ljust(3, "0")) if exact and fraction and len(fraction) > 6 else 0
    try:
        local = datetime(*(int(digit) for digit in digits), int((fraction or "0").ljust(6, "0")[:6]), UTC)  # type: ignore[call-arg, arg-type]  # six ints
        if sign is not None:
            if int(hours) > 23 or int(minutes) > 59:
                raise ValueError
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            local = local - offset if sign == "+" else local + offset
        return NanoTimestamp.after(local, beyond) if beyond else local
    except (ValueError, OverflowError):
        raise EvaluationError(f"`{text[:60]}` is no such time") from None


def format_timestamp(value: datetime) -> str:
    """Return RFC 3339 in UTC with `Z`, fractions only where there are some."""
    if type(value) is datetime and value.tzinfo is UTC:  # the usual case, in a quarter of the time
        text = value.isoformat()[: -len("+00:00")]
        return f"{text.rstrip('0') if value.microsecond else text}Z"
    utc = whole_micros(value).astimezone(UTC).replace(tzinfo=None)
    beyond = value.beyond if isinstance(value, NanoTimestamp) else 0
    return f"{utc.replace(microsecond=0).isoformat()}{_fraction(utc.microsecond * 1000 + beyond)}Z"


def parse_date(text: str) -> date:
    """Read a calendar day, such as `2026-11-30`. Raises EvaluationError."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        raise EvaluationError(f"`{text[:60]}` is no such day") from None
    raise EvaluationError(f"`{text[:60]}` is not a date such as 2026-11-30")


def moved_day(day: date, length: timedelta) -> date:
    """Return a day so much later. Raises EvaluationError for no whole days, and outside the years 1 to 9999."""
    if is_nano(length) or length % timedelta(days=1):
        raise EvaluationError("a date moves by whole days")
    try:
        return day + length
    except OverflowError:
        raise EvaluationError("date out of range") from None


def is_nano(value: object) -> bool:
    """Whether a time or duration is finer than a microsecond, so that no field can hold it."""
    return isinstance(value, Nano)
