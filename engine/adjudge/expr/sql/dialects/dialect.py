"""What every SQL dialect has to provide.

A third dialect is a module beside `duckdb` and `spark`: a subclass of `Dialect`, and one instance of it. Whatever
translates a condition asks the instance and never its name. The subclass provides

- every abstract method, each exact on every input or NULL, as its docstring says;
- the three facts below, as class variables.

What CEL answers and the database does not, a method has to guard: a division by zero, an int past 64 bits, an entry
that is not there. What cannot be guarded is refused, by a method that may return None and by the facts; it is never
guessed.

What the translator writes for every dialect the database must have too: Kleene's `and`, `or` and `not`; `case`,
`is null`, `in (…)`, `between`, `coalesce`; `||`, `contains`, `length` in characters, texts compared by code point; `%`
toward zero on BIGINTs; `+`, `-`, `*`, `isnan` of IEEE 754; and the order in which operators bind, `value.Binds`.

Tests hold each dialect to the reference on every condition of `tests/expr/conditions.py`; a third joins them there.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from adjudge.expr.letters import Case
from adjudge.texts import with_article
from adjudge.values.literals import is_nano

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Dialect(ABC):
    """The words of one database's SQL. Arguments are SQL: whole operands, unless a method says otherwise."""

    __slots__ = ()

    name: ClassVar[str]
    """What a person calls it."""
    divides_doubles_by_zero: ClassVar[bool]
    """Whether a double divided by 0 is infinite or no number, as in CEL, rather than NULL or an error."""
    has_engine_beside: ClassVar[bool]
    """Whether the engine's evaluator answers single rows in the middle of a query, for what SQL leaves to it."""

    # names and literals

    @abstractmethod
    def column(self, name: str) -> str:
        """Quote a column's name."""

    def text(self, value: str) -> str:
        """Write a text. Raises ValueError where it cannot stand in SQL."""
        if "\0" in value:
            raise ValueError("a text with a zero byte")
        value.encode()  # a lone surrogate has no place in a column
        return self._quoted(value)

    def literal(self, value: object) -> str:
        """Write a value; times and durations as microseconds, dates as days. Raises ValueError where it has no form."""
        match value:
            case bool():
                return "true" if value else "false"
            case int():
                return str(value) if value > -(2**63) else f"({value + 1} - 1)"
            case float() if not math.isfinite(value):
                return self._not_finite(value)
            case float():
                said = repr(value)
                return said if "e" in said else f"{said}e0"
            case str():
                return self.text(value)
            case datetime() | timedelta() if is_nano(value):
                raise ValueError("a time or duration finer than a microsecond")
            case datetime():
                return str((value - _EPOCH) // _US)
            case date():
                return str((value - _EPOCH.date()).days)
            case timedelta():
                return str(value // _US)
            case tuple():
                items = ", ".join(map(self.literal, value))
                if not items:
                    raise ValueError("an empty list")
                return self.list_of(items)
            case _:
                raise ValueError(with_article(type(value).__name__))

    @abstractmethod
    def _quoted(self, text: str) -> str:
        """Write a text that can stand in SQL."""

    @abstractmethod
    def _not_finite(self, value: float) -> str:
        """Write an infinity, or what is no number."""

    def in_table(self, item: str, table: str) -> str:
        """Whether the column `value` of a table, which has rows and no NULL, holds an item; NULL for NULL."""
        return f"({item} in (select value from {table}))"

    # ints of 64 bits: what does not fit is NULL

    @abstractmethod
    def int_operation(self, sign: str, left: str, right: str) -> str:
        """Add, subtract or multiply two ints."""

    @abstractmethod
    def quotient(self, left: str, right: str) -> str:
        """Divide two ints toward zero; NULL for a divisor of 0, and where the quotient does not fit."""

    @abstractmethod
    def part_of(self, number: str, by: int) -> str:
        """Divide an int toward zero by a positive one, as an operation that binds like a product."""

    @abstractmethod
    def int_of_double(self, number: str, within: str) -> str:
        """Cut a double to an int. within: whether a double that is a number fits."""

    @abstractmethod
    def text_of_int(self, number: str) -> str:
        """Write an int in decimal."""

    # texts and times

    @abstractmethod
    def starts(self, text: str, part: str) -> str:
        """Whether a text begins so."""

    @abstractmethod
    def ends(self, text: str, part: str) -> str:
        """Whether a text ends so."""

    @abstractmethod
    def matches(self, text: str, pattern: str) -> str | None:
        """Whether a pattern, written out, is found in a text; None where patterns are not RE2's."""

    @abstractmethod
    def micros(self, moment: str) -> str:
        """Return the microseconds since 1970 of a column of times."""

    @abstractmethod
    def days(self, day: str) -> str:
        """Return the days since 1970 of a column of dates."""

    @abstractmethod
    def moment(self, micros: str) -> str:
        """Return the time, without a zone, of microseconds since 1970."""

    def part(self, name: str, micros: str) -> str:
        """Return a part of a time in UTC, given as microseconds since 1970. name: year, month, day or doy."""
        return f"extract({name} from {self.moment(micros)})"

    @abstractmethod
    def in_case(self, text: str, case: Case) -> str:
        """Return a text in small or in capital letters, as `expr.letters` says."""

    @abstractmethod
    def trimmed(self, text: str, blanks: str) -> str:
        """Return a text without some characters at its ends. blanks: a literal of them."""

    @abstractmethod
    def substring(self, text: str, start: str, count: str) -> str:
        """Return so many characters of a text from a place counted from 0, all of them inside it."""

    @abstractmethod
    def split(self, text: str, separator: str) -> str:
        """Return the list of what stands between separators. separator: as it is, not empty."""

    @abstractmethod
    def extreme(self, items: str, name: str) -> str:
        """Return the smallest or largest number of a list of which all are known. name: min or max."""

    # lists and maps

    @abstractmethod
    def list_of(self, items: str) -> str:
        """Write a list. items: one at least, with commas between."""

    @abstractmethod
    def keys(self, entries: str) -> str:
        """Return a map's keys as a list, in their order."""

    @abstractmethod
    def values(self, entries: str) -> str:
        """Return a map's values as a list, in the order of its keys."""

    @abstractmethod
    def has_key(self, entries: str, key: str) -> str:
        """Whether a map has a key, whose value may be unknown."""

    @abstractmethod
    def size_of_map(self, entries: str) -> str:
        """Return how many keys a map has; NULL for none at all."""

    @abstractmethod
    def holds(self, items: str, item: str) -> str:
        """Whether a list has an item that is known."""

    @abstractmethod
    def length(self, items: str) -> str:
        """Return how many items a list has; NULL for none at all."""

    @abstractmethod
    def known(self, items: str) -> str:
        """Return how many known items a list has."""

    @abstractmethod
    def item(self, items: str, position: str) -> str:
        """Return a list's item, counted from 0, within its ends."""

    @abstractmethod
    def member(self, record: str, name: str) -> str:
        """Return a field of a record, NULL where the record is."""

    @abstractmethod
    def entry(self, entries: str, key: str) -> str:
        """Return a map's entry, or NULL."""

    @abstractmethod
    def each(self, items: str, variable: str, body: str) -> str:
        """Return a list with something done to each item."""

    @abstractmethod
    def only(self, items: str, variable: str, condition: str) -> str:
        """Return the items for which a condition is true."""

    @abstractmethod
    def total(self, numbers: str) -> str:
        """Return the sum of a list of ints; of none, NULL or 0."""
