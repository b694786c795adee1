"""What a part of a condition becomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adjudge.expr.values import DURATION_MAX
from adjudge.source import Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _US
LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _US
LONGEST = DURATION_MAX // _US


class NotTranslatable(Exception):
    """A part of a condition that SQL cannot answer exactly."""

    def __init__(self, reason: str, span: Span) -> None:
        super().__init__(reason)
        self.span = span


@dataclass(frozen=True, slots=True)
class Sql:
    """An expression. may_be_nan: it may be a double that is no number, which SQL compares as CEL does not."""

    text: str
    may_be_nan: bool = False


def in_days(micros: str) -> str:
    """Return a time, unknown outside the years 1 to 9999."""
    return f"case when {micros} between {FIRST} and {LAST} then {micros} end"


def in_lengths(micros: str) -> str:
    """Return a length of time, unknown past about 10,000 years."""
    return f"case when {micros} between {-LONGEST} and {LONGEST} then {micros} end"
