"""The clocks of a named zone: when they changed, and by which rule they go on, from the same data that `zone` reads.

A zone is a table of changes and, after the last of them, one offset for good or a rule that comes again every year.
So an expression can say an offset exactly without asking for a zone.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from adjudge.expr.functions import zone, zone_data
from adjudge.frozen import frozen

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _SECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _SECOND
_NAME, _TIME = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]+>)", r"[+-]?\d{1,3}(?::\d{2}){0,2}"
_RULE = re.compile(f"{_NAME}({_TIME}){_NAME}({_TIME})?,([^,]+),([^,]+)")
_DAY = re.compile(rf"M(\d+)\.(\d)\.(\d)(?:/({_TIME}))?")
DAY_S = 86_400


@frozen
class YearlyChange:
    """A change of every year: on a weekday (0 is Sunday) of a week (5 is the last) of a month, `after` seconds in UTC.

    after: from the beginning of that day, as if it began in UTC.
    """

    month: int
    week: int
    weekday: int
    after: int


@frozen
class YearlyRule:
    """Summer time that comes every year. standard, summer: offsets in seconds. begins, ends: when summer time does."""

    standard: int
    summer: int
    begins: YearlyChange
    ends: YearlyChange

    def offset(self, second: int) -> int:
        """Return the offset at a second since 1970."""
        year = (_EPOCH + timedelta(seconds=second + self.standard)).year
        begins, ends = moment_of(self.begins, year), moment_of(self.ends, year)
        is_summer = begins <= second < ends if begins < ends else not ends <= second < begins
        return self.summer if is_summer else self.standard


@frozen
class Clocks:
    """A zone. In seconds; moments since 1970 in UTC, offsets to be added to UTC.

    changes: moments, ascending, the first of them the year 1, each with the offset from there on. rule: what holds
    from `rule_from` on; None where the last offset holds for good.
    """

    changes: tuple[tuple[int, int], ...]
    rule: YearlyRule | None
    rule_from: int

    def offset(self, second: int) -> int:
        """Return the offset at a second since 1970, within the years 1 to 9999."""
        if self.rule is not None and second >= self.rule_from:
            return self.rule.offset(second)
        return self.changes[bisect_right(self.changes, second, key=lambda change: change[0]) - 1][1]

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the greatest offset that it ever has."""
        rule = (self.rule.standard, self.rule.summer) if self.rule is not None else ()
        every = [*(offset for _, offset in self.changes), *rule]
        return min(every), max(every)


@lru_cache(maxsize=256)
def clocks_of(name: str) -> Clocks | None:
    """Return the clocks of a zone of the IANA database; None where they go on by a rule of another form."""
    there = zone(name)
    times, footer = _read(zone_data("zoneinfo", *name.split("/")).read_bytes())

    def asked(second: int) -> int:
        offset = (_EPOCH + timedelta(seconds=second)).astimezone(there).utcoffset()
        assert offset is not None
        return offset // _SECOND

    changes = [(_FIRST, asked(_FIRST + 2 * DAY_S))]
    for second in times:
        if _FIRST < second < _LAST and (offset := asked(second)) != changes[-1][1]:
            changes.append((second, offset))
    if "," not in footer:
        return Clocks(tuple(changes), None, _LAST)
    rule = _rule(footer)
    if rule is None:
        return None
    rule_from = times[-1] + 1 if times else _FIRST
    while len(changes) > 1:  # most files write the rule's first decades out, too
        second, offset = changes[-1]
        is_season = rule_from - second < 300 * DAY_S
        if not is_season or {rule.offset(second), rule.offset(rule_from - 1)} != {offset}:
            break
        if rule.offset(second - 1) != changes[-2][1]:
            break
        rule_from = second
        changes.pop()
    return Clocks(tuple(changes), rule, rule_from)


def moment_of(change: YearlyChange, year: int) -> int:
    """Return the second since 1970 of a change in a year."""
    first = days_before(change.month, year)
    if change.week == 5:
        last = days_before(change.month + 1, year) - 1
        day = last - (last + 4 - change.weekday) % 7
    else:
        day = first + (change.weekday - first - 4) % 7 + 7 * (change.week - 1)
    return day * DAY_S + change.after


def days_before(month: int, year: int) -> int:
    """Return how many days there are from 1970 to the first of a month, 1 to 13, of a year."""
    constant, moved = month_constant(month)
    year -= moved
    return 365 * year + year // 4 - year // 100 + year // 400 + constant


def month_constant(month: int) -> tuple[int, int]:
    """Return what makes of a year, less 1 where the second number says so, the days to a month; see `days_before`."""
    moved = 1 if month <= 2 else 0  # the year begins in March, so that a leap day is its last
    return (153 * (month + 12 * moved - 3) + 2) // 5 - 719_468, moved


def _read(data: bytes) -> tuple[tuple[int, ...], str]:
    """Return the moments of changes in a TZif file, and its footer."""
    at = 0
    for width in (4, 8):
        utc, standard, leaps, times, types, chars = struct.unpack_from(">6l", data, at + 20)
        at += 44
        found = struct.unpack_from(f">{times}{'l' if width == 4 else 'q'}", data, at)
        at += times * width + times + types * 6 + chars + leaps * (width + 4) + standard + utc
    return found, data[at:].strip(b"\n").decode("ascii")


def _rule(footer: str) -> YearlyRule | None:
    parts = _RULE.fullmatch(footer)
    if parts is None:
        return None
    standard = -_seconds(parts[1])
    summer = -_seconds(parts[2]) if parts[2] else standard + 3600
    days = [_DAY.fullmatch(part) for part in parts.groups()[2:]]
    if days[0] is None or days[1] is None:
        return None
    begins, ends = (
        YearlyChange(int(day[1]), int(day[2]), int(day[3]), _seconds(day[4] or "2") - before)
        for day, before in zip((days[0], days[1]), (standard, summer), strict=True)
    )
    return YearlyRule(standard, summer, begins, ends)


def _seconds(text: str) -> int:
    """Return `-3:30` and its like in seconds."""
    hours, minutes, seconds = ([int(part) for part in text.lstrip("+-").split(":")] + [0, 0])[:3]
    return (-1 if text.startswith("-") else 1) * (3600 * hours + 60 * minutes + seconds)
