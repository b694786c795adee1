"""The SQL of Spark 3.5 and later, for data that cannot leave a cluster."""

from __future__ import annotations

from typing import ClassVar

from adjudge.expr.letters import Case, alphabets
from adjudge.expr.sql.dialects.dialect import Dialect


class Spark(Dialect):
    """Spark, on a cluster that has no engine."""

    __slots__ = ()

    name: ClassVar = "spark"
    divides_doubles_by_zero: ClassVar = False
    has_engine_beside: ClassVar = False

    def column(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def _quoted(self, text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def _not_finite(self, value: float) -> str:
        return f"double('{value}')"

    def list_of(self, items: str) -> str:
        return f"array({items})"

    def int_operation(self, sign: str, left: str, right: str) -> str:
        name = {"+": "try_add", "-": "try_subtract", "*": "try_multiply"}[sign]
        return f"{name}(bigint({left}), bigint({right}))"

    def quotient(self, left: str, right: str) -> str:
        return f"case when {right} = -1 then try_subtract(0L, bigint({left})) else {left} div nullif({right}, 0) end"

    def part_of(self, number: str, by: int) -> str:
        return f"{number} div {by}"

    def int_of_double(self, number: str, within: str) -> str:
        return f"case when not isnan({number}) and {within} then cast({number} as bigint) end"

    def text_of_int(self, number: str) -> str:
        return f"cast({number} as string)"

    def starts(self, text: str, part: str) -> str:
        return f"startswith({text}, {part})"

    def ends(self, text: str, part: str) -> str:
        return f"endswith({text}, {part})"

    def matches(self, text: str, pattern: str) -> str | None:
        return None  # they are Java's

    def micros(self, moment: str) -> str:
        return f"unix_micros({moment})"

    def days(self, day: str) -> str:
        return f"bigint(unix_date({day}))"

    def moment(self, micros: str) -> str:
        return f"timestamp_micros({micros})"

    def in_case(self, text: str, case: Case) -> str:
        before, after = map(self.text, alphabets(case))
        return f"translate({text}, {before}, {after})"

    def trimmed(self, text: str, blanks: str) -> str:
        return f"btrim({text}, {blanks})"

    def substring(self, text: str, start: str, count: str) -> str:
        return f"substring({text}, cast({start} + 1 as int), cast({count} as int))"

    def split(self, text: str, separator: str) -> str:
        quoted = "\\Q" + separator.replace("\\E", "\\E\\\\E\\Q") + "\\E"  # it is a pattern of Java's
        return f"split({text}, {self.text(quoted)}, -1)"

    def extreme(self, items: str, name: str) -> str:
        return f"array_{name}({items})"

    def keys(self, entries: str) -> str:
        return f"map_keys({entries})"

    def values(self, entries: str) -> str:
        return f"map_values({entries})"

    def has_key(self, entries: str, key: str) -> str:
        return f"map_contains_key({entries}, {key})"

    def size_of_map(self, entries: str) -> str:
        return f"nullif(size({entries}), -1)"

    def holds(self, items: str, item: str) -> str:
        return f"array_contains({items}, {item})"

    def length(self, items: str) -> str:
        return f"nullif(size({items}), -1)"

    def known(self, items: str) -> str:
        return f"size(array_compact({items}))"

    def item(self, items: str, position: str) -> str:
        return f"{items}[{position}]"

    def member(self, record: str, name: str) -> str:
        return f"{record}.{self.column(name)}"

    def entry(self, entries: str, key: str) -> str:
        return f"try_element_at({entries}, {key})"

    def each(self, items: str, variable: str, body: str) -> str:
        return f"transform({items}, {variable} -> {body})"

    def only(self, items: str, variable: str, condition: str) -> str:
        return f"filter({items}, {variable} -> {condition})"

    def total(self, numbers: str) -> str:
        return f"aggregate({numbers}, 0L, (sum, each) -> sum + each)"


SPARK = Spark()
