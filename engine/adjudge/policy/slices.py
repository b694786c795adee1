"""Slices: which decisions of a log, or which rows of a table, are looked at, and by what they are told apart."""

from __future__ import annotations

from datetime import UTC, datetime

from adjudge.errors import DataError, did_you_mean
from adjudge.frozen import frozen
from adjudge.policy.asked import with_request
from adjudge.policy.policy import Policy
from adjudge.values.types import BOOL, DATE, DOUBLE, INT, is_text

UNKNOWN = "unknown"
"""What the segment is called in which a field is unknown. It is shown without quotes, and is no text of the data's."""

SEGMENTS_MAX = 50
"""So many values of a field are told apart, those of the most rows; the others are one segment."""


@frozen(kw_only=True)
class Slice:
    """What is asked for; all of it must hold.

    since: the first moment; until: the first moment after it, both aware. where: a condition over a policy's fields; a
    decision of which it is unknown whether it holds is not in the slice, and is counted. by: a field whose values make
    the segments, of which unknown is one.
    """

    since: datetime | None = None
    until: datetime | None = None
    where: str | None = None
    by: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.since is None and self.until is None and self.where is None

    @property
    def has_times(self) -> bool:
        """Whether it begins or ends at a time."""
        return self.since is not None or self.until is not None

    def holds_at(self, at: datetime | None) -> bool:
        """Whether a moment is within it; an unknown one is only where no time is asked for."""
        if at is None:
            return not self.has_times
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def __str__(self) -> str:
        parts = [f"since {said_time(self.since)}"] if self.since is not None else []
        parts += [f"before {said_time(self.until)}"] if self.until is not None else []
        parts += [f"where {self.where}"] if self.where is not None else []
        return ", ".join(parts)


ALL = Slice()


@frozen(kw_only=True)
class Sliced:
    """What a slice took.

    said: what was asked for. rows: that are in it, of `of`; `thing` says what a row is. Left out are `unknown`, on
    which it is unknown whether the condition holds, `untimed`, which have no time, and `foreign`, decisions of policies
    that do not have the condition's fields.
    """

    said: str
    rows: int
    of: int
    unknown: int = 0
    untimed: int = 0
    foreign: int = 0
    thing: str = "rows"

    def __str__(self) -> str:
        text = f"{self.said}: {self.rows:,} of {self.of:,} {self.thing}"
        if self.unknown:
            text += f"; on {self.unknown:,} more it is unknown whether the condition holds, and they are left out"
        if self.foreign:
            text += f"; {self.foreign:,} of policies without its fields are left out"
        return text + (f"; {self.untimed:,} have no time, and are left out" if self.untimed else "")


def said_time(at: datetime) -> str:
    """Return a moment as reports say it, with its zone."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC" if utc.second or utc.microsecond else f"{utc:%Y-%m-%d %H:%M} UTC"


def segment_slot(policy: Policy, name: str) -> str:
    """Return the slot whose values make segments: one of the policy, or a part of the request, such as `attempts`.

    Raises DataError where it is none of which they can be made.
    """
    slots = with_request(policy, name).typed.slots
    if name not in slots:
        raise DataError(f"--by {name}: the policy {policy.name} has no such field", did_you_mean(name, slots))
    field = slots[name]
    if field.personal:
        hint = "name a field that is not, such as a country; --where can read it"
        raise DataError(f"--by {name}: the field is personal, and its values stand in no report", hint)
    if field.type not in (BOOL, INT, DOUBLE, DATE) and not is_text(field.type):
        hint = "name a text, an enum, a bool, a number or a date; of the others --where can ask"
        raise DataError(f"--by {name}: a field of the type {field.type} makes no segments", hint)
    return name


def segment_of(value: object) -> str | None:
    """Return the segment of a value; None where it is unknown."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def title_of(value: str | None, others: int = 0) -> str:
    """Return what reports call a segment: a text that could be taken for something else stands in quotes."""
    if others:
        return f"{others:,} others"
    return UNKNOWN if value is None else f'"{value}"' if value in ("", UNKNOWN) else value
