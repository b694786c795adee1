"""Function calls in SQL."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from adjudge.errors import EvaluationError
from adjudge.expr import gaps
from adjudge.expr.clocks import clocks_of
from adjudge.expr.functions import BLANKS, MATCHED_MAX, _compiled, zone
from adjudge.expr.nodes import Call, Literal, Node
from adjudge.expr.sql.clocks import local_micros
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.value import NotTranslatable, Sql, in_days, is_null, joined, negated, strict
from adjudge.values.types import BOOL, DATE, DOUBLE, DURATION, INT, STRING, TIMESTAMP, MapType, SetType, is_text
from adjudge.values.types import ListType as List

_OWN_RE2 = re.compile(r"\(\?<|\\[pP]")
"""What depends on the version of RE2: the newer form of named groups, and the tables of Unicode."""
_DAY = 86_400_000_000
_LENGTHS = {"getHours": 3_600_000_000, "getMinutes": 60_000_000, "getSeconds": 1_000_000}


_STRICT = frozenset(("startsWith", "endsWith", "contains", "lower", "upper", "trim"))
"""Functions that are known where their arguments are."""


def call(node: Call, arguments: list[Sql], dialect: Dialect, short: Callable[[Sql], Sql]) -> Sql:
    """Return the SQL of a call. short: makes a column of what stands in several places. Raises NotTranslatable."""
    found = _call(node, arguments, dialect, short)
    return replace(found, nulls=strict(*arguments)) if node.function in _STRICT else found


def _call(node: Call, arguments: list[Sql], dialect: Dialect, short: Callable[[Sql], Sql]) -> Sql:
    types = [argument.type for argument in node.arguments]
    texts = [one.text for one in arguments]
    first, whole, of = texts[0], str(arguments[0]), types[0]
    match node.function:
        case "size" if of is not None and is_text(of):
            return Sql(f"length({first})", nulls=strict(*arguments))
        case "size" if isinstance(of, SetType):
            return Sql(f"case when {dialect.length(first)} = {dialect.known(first)} then {dialect.length(first)} end")
        case "size" if isinstance(of, List):
            return Sql(dialect.length(first))
        case "startsWith":
            return Sql(dialect.starts(first, texts[1]))
        case "endsWith":
            return Sql(dialect.ends(first, texts[1]))
        case "contains":
            return Sql(f"contains({first}, {texts[1]})")
        case "matches":
            found = dialect.matches(first, _pattern(node.arguments[1], texts[1]))
            if found is None:
                raise NotTranslatable(gaps.PATTERNS.said, node.span)
            if of != STRING:
                return Sql(found)
            return Sql(f"case when length({first}) <= {MATCHED_MAX} then {found} end")
        case "lower" | "upper" as case:
            return Sql(dialect.in_case(str(short(arguments[0])), case))
        case "trim":
            return Sql(dialect.trimmed(first, dialect.text(BLANKS)))
        case "split":
            return Sql(dialect.split(first, _separator(node.arguments[1])))
        case "substring":
            text, start, *end = (str(short(argument)) for argument in arguments)
            stop = end[0] if end else f"length({text})"
            inside = f"{start} >= 0 and {start} <= {stop} and {stop} <= length({text})"
            return Sql(f"case when {inside} then {dialect.substring(text, start, f'({stop} - {start})')} end")
        case "abs" if of == INT:
            value = str(short(arguments[0]))
            return Sql(f"case when {value} < 0 then {dialect.int_operation('-', '0', value)} else {value} end")
        case "abs":
            return Sql(f"abs({first})", arguments[0].may_be_nan)
        case "round" if of == INT:
            return arguments[0]
        case "round":
            return joined("+", Sql(f"round({first})"), Sql("0e0"), may_be_nan=arguments[0].may_be_nan)
        case "min" | "max" if isinstance(of, List):
            return _of_list(node.function, short(arguments[0]), of.item == DOUBLE, dialect)
        case "min" | "max":
            return _extreme(node.function, [short(argument) for argument in arguments], of == DOUBLE, dialect)
        case "bool" | "int" | "double" | "string" | "timestamp" | "duration" | "date" if str(of) == node.function:
            return arguments[0]
        case "double" if of == INT:
            return Sql(f"cast({first} as double)", nulls=strict(*arguments))
        case "int" if of == DOUBLE:
            within = f"{whole} > -9223372036854775808e0 and {whole} < 9223372036854775808e0"
            return Sql(dialect.int_of_double(first, within))
        case "int" if of == TIMESTAMP:
            return Sql(_floor(whole, 1_000_000, dialect))
        case "timestamp" if of == INT:
            seconds = f"case when {whole} between -62135596800 and 253402300799 then {whole} end"
            return Sql(f"({seconds} * 1000000)")
        case "string" if of == BOOL:
            return Sql(f"case when {first} then 'true' when {negated(arguments[0]).text} then 'false' end")
        case "string" if of == INT:
            return Sql(dialect.text_of_int(first))
        case "string" if of is not None and is_text(of):
            return arguments[0]
        case name if of == DURATION and name in _LENGTHS:
            return Sql(_toward_zero(whole, _LENGTHS[name], dialect))
        case "getMilliseconds" if of == DURATION:
            return Sql(_toward_zero(f"({whole} % 1000000)", 1000, dialect))
        case name if of == TIMESTAMP and (name.startswith("get") or name == "timeOfDay"):
            return Sql(_part(name, _local(whole, node, dialect, short), dialect))
        case "size" if isinstance(of, MapType):
            return Sql(dialect.size_of_map(first))
        case "date" if of == TIMESTAMP:
            local = short(Sql(_local(whole, node, dialect, short)))
            return Sql(_floor(str(local), _DAY, dialect))
        case "timestamp" if of == DATE:
            raise NotTranslatable(gaps.DAY_BEGINS.said, node.span)
        case name if of == DATE and name.startswith("get"):
            return Sql(_part(name, f"({whole} * {_DAY})", dialect))
        case "bool" | "int" | "double" | "string" | "timestamp" | "duration" | "date":
            raise NotTranslatable(f"`{node.function}` of {of}: {gaps.TEXTS_READ.reason}", node.span)
    raise NotTranslatable(f"`{node.function}` of {' and '.join(map(str, types))}", node.span)


def _extreme(name: str, values: list[Sql], is_double: bool, dialect: Dialect) -> Sql:
    """Return the smallest or largest of numbers: NULL where one is, and no number where one is none."""
    unknown = " or ".join(is_null(value).text for value in values)
    chosen = f"{'least' if name == 'min' else 'greatest'}({', '.join(value.text for value in values)})"
    nan = " or ".join(f"isnan({value.text})" for value in values if value.may_be_nan)
    otherwise = f" when {nan} then {dialect.literal(math.nan)}" if nan else ""
    found = f"{chosen} + 0e0" if is_double else chosen  # a zero has no sign
    return Sql(f"case when {unknown} then null{otherwise} else {found} end", bool(nan))


def _of_list(name: str, items: Sql, is_double: bool, dialect: Dialect) -> Sql:
    known = f"{dialect.length(items.text)} > 0 and {dialect.length(items.text)} = {dialect.known(items.text)}"
    found = dialect.extreme(items.text, name)
    if is_double:
        nan = dialect.length(dialect.only(items.text, "v_", "isnan(v_)"))
        found = f"case when {nan} > 0 then {dialect.literal(math.nan)} else {found} + 0e0 end"
    return Sql(f"case when {known} then {found} end", is_double)


def _separator(node: Node) -> str:
    """Return a separator that is written out; databases differ over an empty one."""
    if not isinstance(node, Literal) or not isinstance(node.value, str) or not node.value:
        raise NotTranslatable(gaps.SEPARATOR_READ.said, node.span)
    return node.value


def _pattern(node: Node, text: str) -> str:
    """Return a pattern that is written out and good; another would end the whole query."""
    if not isinstance(node, Literal) or not isinstance(node.value, str):
        raise NotTranslatable(gaps.PATTERN_READ.said, node.span)
    compiled = _compiled(node.value)
    if isinstance(compiled, EvaluationError):
        raise NotTranslatable(str(compiled), node.span)
    if _OWN_RE2.search(node.value) or ("(?" in node.value and not node.value.isascii()):
        raise NotTranslatable("a pattern that the database's RE2 may read otherwise", node.span)
    return text


def _local(micros: str, node: Call, dialect: Dialect, short: Callable[[Sql], Sql]) -> str:
    """Return a time as the clocks of a zone show it, in microseconds."""
    if len(node.arguments) == 1:
        return micros
    named = node.arguments[1]
    if not isinstance(named, Literal) or not isinstance(named.value, str):
        raise NotTranslatable(gaps.ZONE_READ.said, node.span)
    try:
        offset = zone(named.value).utcoffset(None)
    except EvaluationError as error:
        raise NotTranslatable(str(error), node.span) from None
    if offset is None:
        clocks = clocks_of(named.value)
        if clocks is None:
            raise NotTranslatable(f"the clocks of {named.value}: they have a rule of their own", node.span)
        return str(short(Sql(local_micros(str(short(Sql(micros))), clocks, dialect))))
    ahead = offset // timedelta(microseconds=1)
    return in_days(f"({micros} + {ahead})") if ahead else micros


def _part(name: str, micros: str, dialect: Dialect) -> str:
    within_day = f"(({micros} % {_DAY}) + {_DAY}) % {_DAY}"
    match name:
        case "timeOfDay":
            return f"({within_day})"
        case "getSeconds":
            return _toward_zero(f"(({within_day}) % 60000000)", 1_000_000, dialect)
        case "getMilliseconds":
            return _toward_zero(f"(({within_day}) % 1000000)", 1000, dialect)
        case "getMinutes":
            return _toward_zero(f"(({within_day}) % 3600000000)", 60_000_000, dialect)
        case "getHours":
            return _toward_zero(f"({within_day})", 3_600_000_000, dialect)
        case "getDayOfWeek":
            day = _floor(micros, _DAY, dialect)
            return f"((({day} + 4) % 7 + 7) % 7)"  # 1970 began on a Thursday
        case _:
            part, minus = {
                "getFullYear": ("year", 0),
                "getMonth": ("month", 1),
                "getDayOfMonth": ("day", 1),
                "getDate": ("day", 0),
                "getDayOfYear": ("doy", 1),
            }[name]
            found = dialect.part(part, micros)
            return f"({found} - {minus})" if minus else found


def _toward_zero(number: str, by: int, dialect: Dialect) -> str:
    return f"({dialect.part_of(number, by)})"


def _floor(number: str, by: int, dialect: Dialect) -> str:
    """Divide downward."""
    rest = f"(({number} % {by}) + {by}) % {by}"
    return _toward_zero(f"({number} - {rest})", by, dialect)
