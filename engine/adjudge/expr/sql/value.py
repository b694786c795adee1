"""What a part of a condition becomes, and how tightly it holds together."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import IntEnum

from adjudge.frozen import frozen
from adjudge.source import Span
from adjudge.values.literals import DURATION_MAX

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _US
LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _US
EPOCH_DAY = date(1970, 1, 1)
DAY_US = 86_400_000_000
LONGEST = DURATION_MAX // _US


class NotTranslatable(Exception):
    """A part of a condition that SQL cannot answer exactly."""

    def __init__(self, reason: str, span: Span) -> None:
        super().__init__(reason)
        self.span = span


class Binds(IntEnum):
    """How tightly an expression's outermost operator binds, the loosest first; DuckDB and Spark agree on these.

    WHOLE: a name, a literal, a call, a `case … end`, or what stands in brackets.
    """

    OR = 0
    AND = 1
    NOT = 2
    COMPARISON = 3
    """Also `in`, `between` and `is null`, whose order among each other differs; so they are never chained."""
    SUM = 4
    """Also `||`."""
    PRODUCT = 5
    SIGN = 6
    WHOLE = 7


_OPERATORS = {
    "or": Binds.OR, "and": Binds.AND, "=": Binds.COMPARISON, "<>": Binds.COMPARISON, "<": Binds.COMPARISON,
    "<=": Binds.COMPARISON, ">": Binds.COMPARISON, ">=": Binds.COMPARISON, "+": Binds.SUM, "-": Binds.SUM,
    "||": Binds.SUM, "*": Binds.PRODUCT, "/": Binds.PRODUCT, "%": Binds.PRODUCT,
}  # fmt: skip


@frozen
class Sql:
    """An expression. may_be_nan: it may be a double that is no number, which SQL compares as CEL does not.

    nulls: columns; it is NULL where one of these is and nowhere else, so never if there are none. None: who knows.

    As `text` it may stand alone, between brackets, or as an argument. Anywhere else it stands formatted, `f"{sql}"`,
    which puts brackets around what could be torn apart.
    """

    text: str
    may_be_nan: bool = False
    binds: Binds = Binds.WHOLE
    nulls: frozenset[str] | None = None

    def __str__(self) -> str:
        return self.text if self.binds is Binds.WHOLE else f"({self.text})"

    def beside(self, operator: Binds) -> str:
        """Return the text as an operand, in brackets unless it binds tighter than the operator."""
        return self.text if self.binds > operator else f"({self.text})"


def strict(*parts: Sql) -> frozenset[str] | None:
    """Return the `nulls` of what is NULL where one of its parts is, and nowhere else."""
    every = [part.nulls for part in parts if part.nulls is not None]
    return frozenset().union(*every) if len(every) == len(parts) else None


def alike(*parts: Sql) -> frozenset[str] | None:
    """Return the `nulls` of what is never NULL without a part that is, and is NULL where all of them are."""
    every = {part.nulls for part in parts}
    return every.pop() if len(every) == 1 else None


def joined(operator: str, *operands: Sql, may_be_nan: bool = False) -> Sql:
    """Return an operation on two operands or more, with the brackets that it needs."""
    binds = _OPERATORS[operator]
    nulls = alike(*operands) if binds <= Binds.AND else strict(*operands)
    return Sql(f" {operator} ".join(one.beside(binds) for one in operands), may_be_nan, binds, nulls)


def negated(sql: Sql) -> Sql:
    """Return `not …`."""
    return Sql(f"not {sql.beside(Binds.NOT)}", binds=Binds.NOT, nulls=sql.nulls)


def is_null(sql: Sql, *, known: bool = False) -> Sql:
    """Return `… is null`. known: `… is not null`."""
    return Sql(f"{sql} is {'not ' if known else ''}null", binds=Binds.COMPARISON, nulls=frozenset())


def in_days(micros: str) -> str:
    """Return a time, unknown outside the years 1 to 9999. micros: whole, as a formatted Sql is."""
    return f"case when {micros} between {FIRST} and {LAST} then {micros} end"


def in_dates(days: str) -> str:
    """Return a date, unknown outside the years 1 to 9999. days: since 1970, whole, as a formatted Sql is."""
    first, last = ((end - EPOCH_DAY).days for end in (date.min, date.max))
    return f"case when {days} between {first} and {last} then {days} end"


def in_lengths(micros: str) -> str:
    """Return a length of time, unknown past 292 years. micros: whole, as a formatted Sql is."""
    return f"case when {micros} between {-LONGEST} and {LONGEST} then {micros} end"
