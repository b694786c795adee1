"""What DuckDB and Spark SQL call things differently."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of the two."""

    name: Literal["duckdb", "spark"]

    @property
    def is_duckdb(self) -> bool:
        """Whether this is DuckDB's SQL."""
        return self.name == "duckdb"

    def column(self, name: str) -> str:
        """Quote a column's name."""
        return '"' + name.replace('"', '""') + '"' if self.is_duckdb else "`" + name.replace("`", "``") + "`"

    def text(self, value: str) -> str:
        """Write a text. Raises ValueError where it cannot stand in SQL."""
        if "\0" in value:
            raise ValueError("a text with a zero byte")
        value.encode()  # a lone surrogate has no place in a column
        if not self.is_duckdb:
            value = value.replace("\\", "\\\\")
            return "'" + value.replace("'", "\\'") + "'"
        return "'" + value.replace("'", "''") + "'"

    def literal(self, value: object) -> str:
        """Write a value; times and lengths of time as microseconds. Raises ValueError where it has no SQL form."""
        match value:
            case bool():
                return "true" if value else "false"
            case int():
                return str(value) if value > -(2**63) else f"({value + 1} - 1)"
            case float():
                return self._double(value)
            case str():
                return self.text(value)
            case datetime():
                return str((value - _EPOCH) // _US)
            case timedelta():
                return str(value // _US)
            case tuple():
                items = ", ".join(map(self.literal, value))
                if not items:
                    raise ValueError("an empty list")
                return f"[{items}]" if self.is_duckdb else f"array({items})"
            case _:
                raise ValueError(f"a {type(value).__name__}")

    def _double(self, value: float) -> str:
        if math.isfinite(value):
            said = repr(value)
            return said if "e" in said else f"{said}e0"
        return f"'{value}'::double" if self.is_duckdb else f"double('{value}')"

    # ints of 64 bits: what does not fit is NULL

    def int_operation(self, sign: str, left: str, right: str) -> str:
        """Add, subtract or multiply two ints."""
        if self.is_duckdb:
            return f"try_cast({left}::hugeint {sign} {right}::hugeint as bigint)"
        name = {"+": "try_add", "-": "try_subtract", "*": "try_multiply"}[sign]
        return f"{name}(bigint({left}), bigint({right}))"

    def quotient(self, left: str, right: str) -> str:
        """Divide two ints toward zero; NULL for a divisor of 0, and where the quotient does not fit."""
        if self.is_duckdb:
            return f"try_cast({left}::hugeint // nullif({right}, 0)::hugeint as bigint)"
        return f"case when {right} = -1 then try_subtract(0L, bigint({left})) else {left} div nullif({right}, 0) end"

    # functions

    def micros(self, moment: str) -> str:
        """Return the microseconds since 1970 of a column of times."""
        return f"epoch_us({moment})" if self.is_duckdb else f"unix_micros({moment})"

    def starts(self, text: str, part: str) -> str:
        """Whether a text begins so."""
        return f"{'starts_with' if self.is_duckdb else 'startswith'}({text}, {part})"

    def ends(self, text: str, part: str) -> str:
        """Whether a text ends so."""
        return f"{'ends_with' if self.is_duckdb else 'endswith'}({text}, {part})"

    def holds(self, items: str, item: str) -> str:
        """Whether a list has an item that is known."""
        name = "list_contains" if self.is_duckdb else "array_contains"
        return f"{name}({items}, {item})"

    def length(self, items: str) -> str:
        """Return how many items a list has; NULL for none at all."""
        return f"len({items})" if self.is_duckdb else f"nullif(size({items}), -1)"

    def known(self, items: str) -> str:
        """Return how many known items a list has."""
        return f"list_count({items})" if self.is_duckdb else f"size(array_compact({items}))"

    def item(self, items: str, position: str) -> str:
        """Return a list's item, counted from 0, within its ends."""
        return f"{items}[{position} + 1]" if self.is_duckdb else f"{items}[{position}]"

    def entry(self, entries: str, key: str) -> str:
        """Return a map's entry, or NULL."""
        return f"{entries}[{key}]" if self.is_duckdb else f"try_element_at({entries}, {key})"

    def each(self, items: str, variable: str, body: str) -> str:
        """Return a list with something done to each item."""
        if self.is_duckdb:
            return f"list_transform({items}, lambda {variable}: {body})"
        return f"transform({items}, {variable} -> {body})"

    def only(self, items: str, variable: str, condition: str) -> str:
        """Return the items for which a condition is true."""
        if self.is_duckdb:
            return f"list_filter({items}, lambda {variable}: {condition})"
        return f"filter({items}, {variable} -> {condition})"

    def part(self, name: str, micros: str) -> str:
        """Return a part of a time in UTC, given as microseconds since 1970."""
        moment = f"make_timestamp({micros})" if self.is_duckdb else f"timestamp_micros({micros})"
        return f"extract({name} from {moment})"


DUCKDB, SPARK = Dialect("duckdb"), Dialect("spark")
