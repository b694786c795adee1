"""CEL's standard functions, as far as the profile goes: data for the checker, code for every back end.

Each answers from its arguments alone: nothing here reads a clock, the network, or the machine's time zone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from adjudge.errors import EvaluationError
from adjudge.expr import letters
from adjudge.expr.nodes import Call, Name
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.values.literals import (
    format_duration,
    format_timestamp,
    int64,
    parse_date,
    parse_duration,
    parse_timestamp,
)
from adjudge.values.nanoseconds import finer
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    ListType,
    MapType,
    SetType,
    Type,
)

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import re2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER = late(r"[+-]?[0-9]{1,1000}")
_DOUBLE = late(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf|infinity|nan))")
_OFFSET = late(r"([+-]?)([0-9]{1,2}):([0-9]{2})")
_BOOLS = dict.fromkeys(("1", "t", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "false", "FALSE", "False"), False
)


@frozen(kw_only=True)
class Overload:
    """One signature of a function.

    parameters: the receiver first. ListType(DYN) and MapType(DYN, DYN) take any list and map, STRING takes an enum,
    and ListType takes a set, unless an earlier overload asks for SetType(()).
    call: gets known values only; raises EvaluationError.
    partial: `call` also takes lists and maps that hold unknown items; else the result is unknown for those.
    """

    parameters: tuple[Type, ...]
    result: Type
    call: Callable[..., object]
    form: Literal["function", "method", "both"]
    partial: bool = False


MATCHED_MAX = 20_000
"""Characters of a text that a pattern is looked for in: a large pattern can take microseconds for each."""


def matches(text: str, pattern: str) -> bool:
    """Return whether RE2 finds the pattern anywhere in the text; linear in the text's length.

    Raises EvaluationError for a text past MATCHED_MAX, and where the pattern is none.
    """
    if len(text) > MATCHED_MAX:
        raise EvaluationError(f"the text is longer than {MATCHED_MAX:,} characters")
    compiled = _compiled(pattern)
    if isinstance(compiled, EvaluationError):
        raise compiled
    try:
        return compiled.search(text) is not None
    except UnicodeEncodeError:
        raise EvaluationError("the text is not valid Unicode") from None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re2._Regexp | EvaluationError:
    """Compile a pattern, or say once why it is none: finding out can take a tenth of a second."""
    import re2  # imported late: a service whose policies match no pattern never loads it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        return EvaluationError(f"the text is not a pattern: {_reason(error)}")


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args and not isinstance(error, UnicodeEncodeError) else "not valid Unicode"
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """Return a zone of the IANA database, or a fixed offset such as `+02:00`; "" is UTC. Raises EvaluationError.

    The database is the `tzdata` package's, never the machine's: a replay elsewhere must agree.
    """
    if not name:
        return UTC
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups()
        if int(hours) < 24 and int(minutes) < 60:
            ahead = timedelta(hours=int(hours), minutes=int(minutes))
            return timezone(-ahead if sign == "-" else ahead)
    elif name in _zone_names():
        from zoneinfo import ZoneInfo

        with zone_data("zoneinfo", *name.split("/")).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    raise EvaluationError("the text is not a time zone such as `Europe/Berlin` or `+02:00`")


def zone_data(*path: str) -> Traversable:
    """Return a file of the `tzdata` package."""
    from importlib import resources  # brings much along, and few policies name a zone

    return resources.files("tzdata").joinpath(*path)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(zone_data("zones").read_text("utf-8").split())


def _part(read: Callable[[datetime], int]) -> tuple[Overload, ...]:
    """Return both forms of a timestamp's part: in UTC, and in a zone by name."""

    def part(moment: datetime, name: str | None = None) -> int:
        try:
            return read(moment.astimezone(UTC if name is None else zone(name)))
        except OverflowError:
            raise EvaluationError("timestamp out of range") from None

    return _method(part, INT, TIMESTAMP), _method(part, INT, TIMESTAMP, STRING)


def _part_of_day(read: Callable[[date], int]) -> tuple[Overload, ...]:
    """Return the forms of a part that a date has too."""
    return *_part(read), _method(read, INT, DATE)


def date_of(moment: datetime, name: str) -> date:
    """Return the day that a zone's calendar shows. Raises EvaluationError for what is no zone."""
    try:
        return moment.astimezone(zone(name)).date()
    except OverflowError:
        raise EvaluationError("timestamp out of range") from None


def start_of_day(day: date, name: str) -> datetime:
    """Return the first moment of a day in a zone: midnight, or where the clocks skip it the moment when they do.

    Raises EvaluationError for what is no zone.
    """
    try:
        return datetime.combine(day, time(), zone(name)).astimezone(UTC)
    except OverflowError:
        raise EvaluationError("timestamp out of range") from None


def _today(name: str) -> date:
    raise EvaluationError("`today` reads `now`")


def spelled_out(node: Call) -> Call:
    """Return `today(zone)` as `date(now, zone)`, which it is short for; any other call as it is."""
    if node.function != "today" or node.method or len(node.arguments) != 1:
        return node
    return replace(node, function="date", arguments=(Name(name="now", span=node.span), *node.arguments))


def time_of_day(moment: datetime, name: str) -> timedelta:
    """Return what the clocks of a zone show, as the time since 00:00; an hour that comes twice counts once.

    Raises EvaluationError for what is no zone.
    """
    try:
        local = moment.astimezone(zone(name))
    except OverflowError:
        raise EvaluationError("timestamp out of range") from None
    shown = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return shown + finer(local)


def _length(unit: timedelta, within: timedelta | None = None) -> Overload:
    """Return the count of whole units in a duration, toward zero; `within` a larger unit, its remainder only."""

    def count(length: timedelta) -> int:
        magnitude = abs(length) if within is None else abs(length) % within
        return -(magnitude // unit) if length < timedelta() else magnitude // unit

    return _method(count, INT, DURATION)


def int_of_double(value: float) -> int:
    """Return a double without its fraction. Raises EvaluationError at and past the limits of 64 bits, as CEL does."""
    if not -(2.0**63) < value < 2.0**63:
        raise EvaluationError("the double does not fit into an int")
    return math.trunc(value)


def int_of_string(text: str) -> int:
    """Read a decimal integer. Raises EvaluationError."""
    if not _INTEGER.fullmatch(text):
        raise EvaluationError("the text is not an int")
    return int64(int(text))


def double_of_string(text: str) -> float:
    """Read a double, `inf` and `nan` among them. Raises EvaluationError, also where the digits mean infinity."""
    if not _DOUBLE.fullmatch(text):
        raise EvaluationError("the text is not a double")
    value = float(text)
    if math.isinf(value) and text[-1].isdigit():
        raise EvaluationError("the text is too large for a double")
    return value


def bool_of_string(text: str) -> bool:
    """Read one of the spellings that CEL accepts. Raises EvaluationError."""
    if text not in _BOOLS:
        raise EvaluationError("the text is not a bool")
    return _BOOLS[text]


def string_of_double(value: float) -> str:
    """Return the shortest text that reads back the same; with an exponent below 1e-4 and from 1e6, as in C's `%g`."""
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return repr(value).removesuffix(".0")
    number = Decimal(repr(value)).normalize()
    sign, (first, *rest), _ = number.as_tuple()
    fraction = "." + "".join(map(str, rest)) if rest else ""
    return f"{'-' if sign else ''}{first}{fraction}e{number.adjusted():+03d}"


def timestamp_of_int(seconds: int) -> datetime:
    """Return the time so many seconds after 1970. Raises EvaluationError outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise EvaluationError("timestamp out of range") from None


def _same(value: Any) -> object:
    return value


def _function(call: Callable[..., object], result: Type, *parameters: Type) -> Overload:
    return Overload(parameters=parameters, result=result, call=call, form="function")


def _method(call: Callable[..., object], result: Type, *parameters: Type) -> Overload:
    return Overload(parameters=parameters, result=result, call=call, form="method")


def _size(parameter: Type, *, partial: bool) -> Overload:
    def size(value: Sequence[object]) -> int:
        return len(value)

    return Overload(parameters=(parameter,), result=INT, call=size, form="both", partial=partial)


def at_least(count: int, conditions: Sequence[bool | None]) -> bool:
    """Return whether so many conditions are true. Raises EvaluationError where it hangs on those that are unknown."""
    if conditions.count(True) >= count:
        return True
    if len(conditions) - conditions.count(False) < count:
        return False
    raise EvaluationError("too many of the conditions are unknown")


BLANKS = "".join(map(chr, (*range(9, 14), 32, 133, 160, 5760, *range(8192, 8203), 8232, 8233, 8239, 8287, 12288)))
"""What Unicode counts as white space."""


def split(text: str, separator: str) -> tuple[str, ...]:
    """Return what stands between separators, blanks and empty texts too. Raises EvaluationError without a separator."""
    if not separator:
        raise EvaluationError("the separator is empty")
    return tuple(text.split(separator))


def substring(text: str, start: int, end: int | None = None) -> str:
    """Return the characters from one place up to another, counted from 0. Raises EvaluationError outside the text."""
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise EvaluationError("the place is outside the text")
    return text[start:stop]


def rounded(value: float) -> float:
    """Return the nearest whole number; half-way, the one farther from 0. Infinity, and what is no number, stay."""
    if not math.isfinite(value):
        return value
    whole = math.trunc(value)
    if abs(value - whole) >= 0.5:
        whole += 1 if value > 0 else -1
    return float(whole)


def _extreme(choose: Callable[[Sequence[Any]], Any]) -> tuple[Overload, ...]:
    """Return the overloads of `min` or `max`: of two to five numbers, and of a list."""

    def of(values: Sequence[Any]) -> Any:
        if not values:
            raise EvaluationError("the list is empty")
        if any(value != value for value in values):
            return math.nan
        return choose(values) + 0  # a zero has no sign

    numbers = [
        _function(lambda *values: of(values), type_, *(type_,) * count)
        for type_ in (INT, DOUBLE)
        for count in range(2, 6)
    ]
    lists = [Overload(parameters=(ListType(type_),), result=type_, call=of, form="both") for type_ in (INT, DOUBLE)]
    return (*numbers, *lists)


def _both(call: Callable[..., object], result: Type, *parameters: Type) -> Overload:
    return Overload(parameters=parameters, result=result, call=call, form="both")


LATER = frozenset(("atLeast", "lower", "upper", "trim", "split", "substring", "abs", "round", "min", "max"))
"""Functions that came later: a field or variable may have such a name, as in policies that were written before."""

FUNCTIONS: Mapping[str, tuple[Overload, ...]] = {
    "atLeast": (Overload(parameters=(INT, ListType(BOOL)), result=BOOL, call=at_least, form="function", partial=True),),
    # An unknown item of a list counts; an unknown member of a set may be none, or one of those that are known.
    "size": (
        _size(STRING, partial=False),
        _size(SetType(()), partial=False),
        _size(ListType(DYN), partial=True),
        _size(MapType(DYN, DYN), partial=True),
    ),
    "contains": (_method(lambda text, part: part in text, BOOL, STRING, STRING),),
    "startsWith": (_method(lambda text, part: text.startswith(part), BOOL, STRING, STRING),),
    "endsWith": (_method(lambda text, part: text.endswith(part), BOOL, STRING, STRING),),
    "lower": (_both(letters.lower, STRING, STRING),),
    "upper": (_both(letters.upper, STRING, STRING),),
    "trim": (_both(lambda text: text.strip(BLANKS), STRING, STRING),),
    "split": (_both(split, ListType(STRING), STRING, STRING),),
    "substring": (_both(substring, STRING, STRING, INT), _both(substring, STRING, STRING, INT, INT)),
    "abs": (_both(lambda value: int64(abs(value)), INT, INT), _both(abs, DOUBLE, DOUBLE)),
    "round": (_both(_same, INT, INT), _both(rounded, DOUBLE, DOUBLE)),
    "min": _extreme(min),
    "max": _extreme(max),
    "matches": (Overload(parameters=(STRING, STRING), result=BOOL, call=matches, form="both"),),
    "getFullYear": _part_of_day(lambda moment: moment.year),
    "getMonth": _part_of_day(lambda moment: moment.month - 1),
    "getDayOfMonth": _part_of_day(lambda moment: moment.day - 1),
    "getDayOfYear": _part_of_day(lambda moment: moment.timetuple().tm_yday - 1),
    "getDate": _part_of_day(lambda moment: moment.day),
    "getDayOfWeek": _part_of_day(lambda moment: moment.isoweekday() % 7),
    "timeOfDay": (_method(time_of_day, DURATION, TIMESTAMP, STRING),),
    "getHours": (*_part(lambda moment: moment.hour), _length(timedelta(hours=1))),
    "getMinutes": (*_part(lambda moment: moment.minute), _length(timedelta(minutes=1))),
    "getSeconds": (*_part(lambda moment: moment.second), _length(timedelta(seconds=1))),
    "getMilliseconds": (
        *_part(lambda moment: moment.microsecond // 1000),
        _length(timedelta(milliseconds=1), within=timedelta(seconds=1)),
    ),
    "bool": (_function(_same, BOOL, BOOL), _function(bool_of_string, BOOL, STRING)),
    "int": (
        _function(_same, INT, INT),
        _function(int_of_double, INT, DOUBLE),
        _function(int_of_string, INT, STRING),
        _function(lambda moment: (moment - _EPOCH) // timedelta(seconds=1), INT, TIMESTAMP),
    ),
    "double": (
        _function(_same, DOUBLE, DOUBLE),
        _function(float, DOUBLE, INT),
        _function(double_of_string, DOUBLE, STRING),
    ),
    "string": (
        _function(_same, STRING, STRING),
        _function(lambda value: "true" if value else "false", STRING, BOOL),
        _function(str, STRING, INT),
        _function(string_of_double, STRING, DOUBLE),
        _function(format_timestamp, STRING, TIMESTAMP),
        _function(format_duration, STRING, DURATION),
        _function(lambda day: day.isoformat(), STRING, DATE),
    ),
    "date": (
        _function(_same, DATE, DATE),
        _function(parse_date, DATE, STRING),
        _function(date_of, DATE, TIMESTAMP, STRING),
    ),
    "today": (_function(_today, DATE, STRING),),
    "timestamp": (
        _function(_same, TIMESTAMP, TIMESTAMP),
        _function(parse_timestamp, TIMESTAMP, STRING),
        _function(timestamp_of_int, TIMESTAMP, INT),
        _function(start_of_day, TIMESTAMP, DATE, STRING),
    ),
    "duration": (_function(_same, DURATION, DURATION), _function(parse_duration, DURATION, STRING)),
}
