"""Times, durations and integers: their limits and their texts.

Times are kept to the microsecond, as Python's `datetime` and `timedelta` do. What a policy writes finer than that is an
error; of what a vendor or caller sends, finer digits are cut off.
Source of the texts and limits: the CEL language definition and RFC 3339.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from adjudge.errors import EvaluationError

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
DURATION_MAX = timedelta(seconds=315_576_000_000)
TEXT_MAX = 100_000
"""The longest string and list, in characters and items, that an operation may build."""

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|us|µs|ns|s)", re.ASCII)
_UNIT_US: Mapping[str, int | Fraction] = {
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 10**6,
    "ms": 1000,
    "us": 1,
    "µs": 1,
    "ns": Fraction(1, 1000),
}


def int64(value: int) -> int:
    """Return `value`, or raise EvaluationError where 64 bits cannot hold it."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def bounded_duration(value: timedelta) -> timedelta:
    """Return `value`, or raise EvaluationError past about 10,000 years."""
    if -DURATION_MAX <= value <= DURATION_MAX:
        return value
    raise EvaluationError("duration out of range")


def parse_duration(text: str, *, exact: bool = True) -> timedelta:
    """Read `1h30m`, `900h`, `1.5s`, `-20ms`; units h, m, s, ms, us, ns. Raises EvaluationError.

    exact: whether what is finer than a microsecond is an error; else it is cut off.
    """
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return timedelta()
    microseconds, at = Fraction(), 0
    while at < len(body):
        match = _DURATION.match(body, at)
        if match is None or match.end() > 100:
            raise EvaluationError(f"`{text[:60]}` is not a duration")
        number = match.group().rstrip("hmsunµ")
        microseconds += Fraction(number if number[0] != "." else f"0{number}") * _UNIT_US[match.group()[len(number) :]]
        at = match.end()
    if not body:
        raise EvaluationError(f"`{text[:60]}` is not a duration")
    if exact and microseconds.denominator != 1:
        raise EvaluationError(f"`{text[:60]}` is finer than a microsecond")
    try:
        length = timedelta(microseconds=int(microseconds))
    except OverflowError:
        raise EvaluationError("duration out of range") from None
    return bounded_duration(-length if text[0] == "-" else length)


def format_duration(value: timedelta) -> str:
    """Return the text in seconds that CEL and protobuf use, such as `5400s` or `0.25s`."""
    microseconds = value // timedelta(microseconds=1)
    sign, microseconds = ("-", -microseconds) if microseconds < 0 else ("", microseconds)
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{sign}{seconds}{f'.{rest:06d}'.rstrip('0') if rest else ''}s"


def parse_timestamp(text: str, *, exact: bool = True) -> datetime:
    """Read RFC 3339, such as `2026-01-15T08:30:00Z`, as aware UTC. Raises EvaluationError.

    exact: whether what is finer than a microsecond is an error; else it is cut off.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise EvaluationError(f"`{text[:60]}` is not a timestamp such as 2026-01-15T08:30:00Z")
    *digits, fraction, sign, hours, minutes = match.groups()
    if exact and fraction and fraction[6:].strip("0"):
        raise EvaluationError(f"`{text[:60]}` is finer than a microsecond")
    try:
        local = datetime(*(int(digit) for digit in digits), int((fraction or "0").ljust(6, "0")[:6]), UTC)  # type: ignore[call-arg, arg-type]  # six ints
        if sign is None:
            return local
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return local - offset if sign == "+" else local + offset
    except (ValueError, OverflowError):
        raise EvaluationError(f"`{text[:60]}` is no such time") from None


def format_timestamp(value: datetime) -> str:
    """Return RFC 3339 in UTC with `Z`, fractions only where there are some."""
    utc = value.astimezone(UTC).replace(tzinfo=None)
    text = utc.isoformat()
    return (text.rstrip("0") if utc.microsecond else text) + "Z"
