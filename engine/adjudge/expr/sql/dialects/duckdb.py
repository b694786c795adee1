"""The SQL of DuckDB, in which backtests run."""

from __future__ import annotations

from typing import ClassVar

from adjudge.expr.letters import Case, alphabets
from adjudge.expr.sql.dialects.dialect import Dialect


class DuckDb(Dialect):
    """DuckDB, in the engine's own process."""

    __slots__ = ()

    name: ClassVar = "duckdb"
    divides_doubles_by_zero: ClassVar = True
    has_engine_beside: ClassVar = True

    def column(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def _quoted(self, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def _not_finite(self, value: float) -> str:
        return f"'{value}'::double"

    def list_of(self, items: str) -> str:
        return f"[{items}]"

    def int_operation(self, sign: str, left: str, right: str) -> str:
        return f"try_cast({left}::hugeint {sign} {right}::hugeint as bigint)"

    def quotient(self, left: str, right: str) -> str:
        return f"try_cast({left}::hugeint // nullif({right}, 0)::hugeint as bigint)"

    def part_of(self, number: str, by: int) -> str:
        return f"{number} // {by}"

    def int_of_double(self, number: str, within: str) -> str:
        return f"case when {within} then try_cast(trunc({number}) as bigint) end"

    def text_of_int(self, number: str) -> str:
        return f"cast({number} as varchar)"

    def starts(self, text: str, part: str) -> str:
        return f"starts_with({text}, {part})"

    def ends(self, text: str, part: str) -> str:
        return f"ends_with({text}, {part})"

    def matches(self, text: str, pattern: str) -> str | None:
        return f"regexp_matches({text}, {pattern})"

    def micros(self, moment: str) -> str:
        return f"epoch_us({moment})"

    def days(self, day: str) -> str:
        return f"({day} - date '1970-01-01')"

    def moment(self, micros: str) -> str:
        return f"make_timestamp({micros})"

    def in_case(self, text: str, case: Case) -> str:
        before, after = map(self.text, alphabets(case))
        is_ascii = f"strlen({text}) = length({text})"  # as many bytes as characters
        return f"case when {is_ascii} then {case}({text}) else translate({text}, {before}, {after}) end"

    def trimmed(self, text: str, blanks: str) -> str:
        return f"trim({text}, {blanks})"

    def substring(self, text: str, start: str, count: str) -> str:
        return f"substring({text}, {start} + 1, {count})"

    def split(self, text: str, separator: str) -> str:
        return f"string_split({text}, {self.text(separator)})"

    def extreme(self, items: str, name: str) -> str:
        return f"list_{name}({items})"

    def keys(self, entries: str) -> str:
        return f"map_keys({entries})"

    def values(self, entries: str) -> str:
        return f"map_values({entries})"

    def has_key(self, entries: str, key: str) -> str:
        return f"map_contains({entries}, {key})"

    def size_of_map(self, entries: str) -> str:
        return f"cast(cardinality({entries}) as bigint)"

    def holds(self, items: str, item: str) -> str:
        return f"list_contains({items}, {item})"

    def length(self, items: str) -> str:
        return f"len({items})"

    def known(self, items: str) -> str:
        return f"list_count({items})"

    def item(self, items: str, position: str) -> str:
        return f"{items}[{position} + 1]"

    def member(self, record: str, name: str) -> str:
        return f"struct_extract({record}, {self._quoted(name)})"

    def entry(self, entries: str, key: str) -> str:
        return f"{entries}[{key}]"

    def each(self, items: str, variable: str, body: str) -> str:
        return f"list_transform({items}, lambda {variable}: {body})"

    def only(self, items: str, variable: str, condition: str) -> str:
        return f"list_filter({items}, lambda {variable}: {condition})"

    def total(self, numbers: str) -> str:
        return f"list_sum({numbers})"


DUCKDB = DuckDb()
