"""The clocks of a named zone in SQL: a search in its table of changes, and its yearly rule in whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

from adjudge.expr.clocks import DAY_S, Clocks, YearlyChange, YearlyRule, month_constant
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.value import FIRST, LAST

_SECOND = 1_000_000
_TWO_DAYS = 2 * DAY_S * _SECOND


def local_micros(micros: str, clocks: Clocks, dialect: Dialect) -> str:
    """Return a time as a zone's clocks show it, NULL where that is outside the years 1 to 9999.

    micros: since 1970 in UTC, whole, as a formatted Sql is; it stands there several times.
    """
    changes = _search(micros, clocks.changes)
    if clocks.rule is not None:
        by_rule = _by_rule(micros, clocks.rule, dialect)
        changes = f"case when {micros} >= {clocks.rule_from * _SECOND} then {by_rule} else {changes} end"
    first = clocks.changes[0][1] * _SECOND
    last = clocks.offset((LAST - _TWO_DAYS) // _SECOND) * _SECOND
    within = f"{micros} between {FIRST - min(first, 0)} and {LAST - max(last, 0)}"
    return f"case when {within} then {micros} + {changes} end"


def _search(micros: str, changes: Sequence[tuple[int, int]]) -> str:
    """Return the offset, in microseconds, that holds at a time."""
    if len(changes) == 1:
        return f"({changes[0][1] * _SECOND})"
    middle = len(changes) // 2
    before, after = _search(micros, changes[:middle]), _search(micros, changes[middle:])
    return f"case when {micros} < {changes[middle][0] * _SECOND} then {before} else {after} end"


def _by_rule(micros: str, rule: YearlyRule, dialect: Dialect) -> str:
    year = dialect.part("year", f"{micros} + {rule.standard * _SECOND}")
    begins, ends = (_moment(one, year, dialect) for one in (rule.begins, rule.ends))
    if rule.begins.month < rule.ends.month:
        is_summer = f"{micros} >= {begins} and {micros} < {ends}"
    else:
        is_summer = f"{micros} >= {begins} or {micros} < {ends}"
    return f"case when {is_summer} then {rule.summer * _SECOND} else {rule.standard * _SECOND} end"


def _moment(change: YearlyChange, year: str, dialect: Dialect) -> str:
    """Return the microseconds since 1970 of a change in a year."""
    if change.week == 5:
        last = f"({_days_before(change.month + 1, year, dialect)} - 1)"
        day = f"{last} - ({last} + {4 - change.weekday + 7 * 200_000}) % 7"
    else:
        first = _days_before(change.month, year, dialect)
        day = f"{first} + ({change.weekday - 4 + 7 * 600_000} - {first}) % 7 + {7 * (change.week - 1)}"
    return f"(({day}) * {DAY_S * _SECOND} + {change.after * _SECOND})"


def _days_before(month: int, year: str, dialect: Dialect) -> str:
    constant, moved = month_constant(month)
    year = f"({year} - {moved})" if moved else year
    leaps = " ".join(f"{sign} {dialect.part_of(year, by)}" for sign, by in (("+", 4), ("-", 100), ("+", 400)))
    return f"(365 * {year} {leaps} + {constant})"
