"""What a back end does not answer exactly, with the reason: the whole list, for every function, operator and macro.

The reference interpreter and the generated Python answer everything. What stands here for a SQL dialect is left to the
engine, once for each combination of values that it reads. What stands here for the solver has more answers there than
the engine gives, and a proof that hangs on it is `not-proved`. A test holds each back end to this list: it has an exact
form for whatever is not on it, and none for what is. The page docs/conditions.md shows it.
"""

from __future__ import annotations

from typing import Literal

from adjudge.frozen import frozen

BackEnd = Literal["duckdb", "spark", "solver"]

_SQL: tuple[BackEnd, ...] = ("duckdb", "spark")
_SPARK: tuple[BackEnd, ...] = ("spark",)
_SOLVER: tuple[BackEnd, ...] = ("solver",)
_SAME = "anything, the same for the same arguments"
_MACROS = ("all(x, …)", "exists(x, …)", "exists_one(x, …)", "map(x, …)", "filter(x, …)", "map(x, …, …)")
_MAPS = ("map", "open map")
_CALENDAR = ("getFullYear", "getMonth", "getDayOfMonth", "getDayOfYear", "getDate")
_CLOCK = ("getDayOfWeek", "timeOfDay", "getHours", "getMinutes", "getSeconds", "getMilliseconds")


@frozen(kw_only=True)
class Gap:
    """What some back ends do not answer exactly.

    what, reason: as the documentation says it. of: signatures, such as `list == list` and `size(map)`. An enum counts
    as a string, `map` has declared keys and `open map` any, `…` is what is written out.
    """

    what: str
    back_ends: tuple[BackEnd, ...]
    reason: str
    of: tuple[str, ...]

    @property
    def said(self) -> str:
        """What SQL could not say, and why."""
        return f"{self.what}: {self.reason}"


COMPARED_WHOLE = Gap(
    what="`==` and `!=` of lists and maps",
    back_ends=_SQL,
    reason="an unknown item would not make SQL's answer unknown",
    of=tuple(
        f"{a} {sign} {b}"
        for sign in ("==", "!=")
        for a, b in (("list", "list"), *((one, other) for one in _MAPS for other in _MAPS))
    ),
)
IN_VALUE = Gap(
    what="a list, a set, a map, or a double that may be NaN, looked for by `in`",
    back_ends=_SQL,
    reason="SQL compares them differently",
    of=("list in […]", "set in […]", "map in […]", "open map in […]"),
)
TEXTS_READ = Gap(
    what="conversions between strings and other types, except `string` of a bool or an int",
    back_ends=_SQL,
    reason="SQL reads and writes them differently from CEL",
    of=(
        *(f"{name}(string)" for name in ("bool", "int", "double", "timestamp", "duration", "date")),
        *(f"string({type_})" for type_ in ("double", "timestamp", "duration", "date")),
    ),
)
ZONE_READ = Gap(
    what="a part of a time in a zone that is not a literal",
    back_ends=_SQL,
    reason="it may not be a zone, or the database may have its own rules for it",
    of=(*(f"{name}(timestamp, string)" for name in (*_CALENDAR, *_CLOCK, "date")), "today(string)"),
)
DAY_BEGINS = Gap(
    what="the timestamp at which a day begins", back_ends=_SQL, reason="it has no SQL form",
    of=("timestamp(date, string)",),
)  # fmt: skip
PATTERN_READ = Gap(
    what="`matches` with a pattern that is not a literal",
    back_ends=_SQL,
    reason="an invalid pattern would end the whole query",
    of=("matches(string, string)",),
)
PATTERNS = Gap(
    what="`matches`", back_ends=_SPARK, reason="its patterns are Java's, not RE2's", of=("matches(string, …)",)
)
SEPARATOR_READ = Gap(
    what="`split` by a separator that is not a literal",
    back_ends=_SQL,
    reason="it may be empty, over which databases differ",
    of=("split(string, string)",),
)
DIVISION = Gap(
    what="`/` of doubles by anything but a literal",
    back_ends=_SPARK,
    reason="dividing by 0 does not give infinity",
    of=("double / double",),
)

GAPS: tuple[Gap, ...] = (
    COMPARED_WHOLE, IN_VALUE, TEXTS_READ, ZONE_READ, DAY_BEGINS, PATTERN_READ, PATTERNS, SEPARATOR_READ,
    DIVISION,
    Gap(
        what="comparisons, indexes and macros of lists",
        back_ends=_SOLVER,
        reason="exact to any length where all that is asked of a list is `in`, `exists` and their like; else three "
        "items are told apart, and of the rest, anything",
        of=(
            "list == list", "list != list", "string in list", "list in […]", "list[int]", "list[0]", "has(list[0])",
            *(f"list.{macro}" for macro in _MACROS), "atLeast(int, list)",
            "min(list)", "max(list)",
        ),
    ),
    Gap(
        what="comparisons of maps, and a set or a map looked for by `in`",
        back_ends=_SOLVER,
        reason="anything",
        of=(
            *(f"{a} {sign} {b}" for sign in ("==", "!=") for a in _MAPS for b in _MAPS),
            "set in […]", "map in […]", "open map in […]",
        ),
    ),
    Gap(
        what="a map that declares no keys",
        back_ends=_SOLVER,
        reason="exact for keys that conditions name; for others, anything",
        of=(
            "string in open map", "open map[string]", "open map[…]", "open map.…", "has(open map.…)", "size(open map)",
            *(f"open map.{macro}" for macro in _MACROS),
        ),
    ),
    Gap(
        what="arithmetic on doubles, and `double` of an int",
        back_ends=_SOLVER,
        reason="to some number within the error of rounding",
        of=("double + double", "double - double", "double * double", "double / double", "double(int)"),
    ),
    Gap(
        what="`lower`, `upper`, `trim` and `split`",
        back_ends=_SOLVER,
        reason=_SAME,
        of=("lower(string)", "upper(string)", "trim(string)", "split(string, string)", "split(string, …)"),
    ),
    Gap(
        what="`int` of a double", back_ends=_SOLVER, reason="exact but for infinity, which is any number",
        of=("int(double)",),
    ),
    Gap(
        what="parts of the calendar",
        back_ends=_SOLVER,
        reason="some day within range, the same for the same time",
        of=tuple(
            f"{name}({of})" for name in _CALENDAR for of in ("timestamp", "timestamp, +…", "timestamp, …/…", "date")
        ),
    ),
    Gap(
        what="a time on the clocks of a named zone",
        back_ends=_SOLVER,
        reason="exact from 2000 to 2039; else by any offset between the least and the greatest that the zone ever has",
        of=tuple(f"{name}(timestamp, …/…)" for name in (*_CLOCK, "date")),
    ),
    Gap(
        what="a part of a time in a zone that is not a literal",
        back_ends=_SOLVER,
        reason=_SAME,
        of=ZONE_READ.of,
    ),
    Gap(
        what="conversions between strings and numbers or times, and `timestamp` of an int or a date",
        back_ends=_SOLVER,
        reason=_SAME,
        of=(
            *(signature for signature in TEXTS_READ.of if signature != "bool(string)"), "string(int)", "timestamp(int)",
            "timestamp(date, string)",
        ),
    ),
    Gap(
        what="`matches` with a pattern that is not a literal", back_ends=_SOLVER, reason=_SAME, of=PATTERN_READ.of
    ),
)  # fmt: skip
