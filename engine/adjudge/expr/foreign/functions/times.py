"""Days, moments and lengths of time in the functions of other languages: `TODAY`, `DATEDIFF`, `WEEKDAY`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal as OneOf

from adjudge.expr.foreign.functions.said import ZONE, Made, Said, named_as, renamed
from adjudge.expr.foreign.slips import Amount, Doubtful, Moment, Slip
from adjudge.expr.nodes import (
    Binary,
    Call,
    Literal,
    Name,
    Node,
)
from adjudge.expr.printing import unparse
from adjudge.source import Span
from adjudge.values.meant import SECONDS
from adjudge.values.types import DATE, DURATION, TIMESTAMP


def now(said: Said) -> Made | None:
    """Read `NOW()`."""
    if said.arguments and said.namespace is None:
        return None
    return Made(Name(span=said.call.span, name="now"), f"`{said.call.function}()` is written `now`")


def today(said: Said) -> Made | None:
    """Read `TODAY()`."""
    if said.arguments and said.namespace is None:
        return None
    return Made(Call(span=said.call.span, function="today", arguments=()), named_as(said, "today(…)"), is_done=False)


def length(unit: str) -> Callable[[Said], Made | None]:
    """Read `days(30)`, and the days between two moments."""

    def make(said: Said) -> Made | None:
        match said.arguments:
            case (Literal(value=int() as number),) if not isinstance(number, bool):
                written = f"{number} {unit}"
                amount = Amount(span=said.call.span, number=number, unit=unit, said=written)
                return Made(amount, f"`{said.call.function}({number})` is a length of time")
            case (_, _) if unit == "days":
                return apart(said)
        return None

    return make


def timedelta(said: Said) -> Made | None:
    """Read `timedelta(days=30)`."""
    match said.arguments:
        case (Binary(operator="==", left=Name(name=unit), right=Literal(value=int() as number)),) if unit in SECONDS:
            amount = Amount(span=said.call.span, number=number, unit=unit, said=f"{number} {unit}")
            return Made(amount, f"`{said.call.function}` is written as a length of time")
    return renamed("duration")(said)


def part(name: str, ahead: int = 0) -> Callable[[Said], Made | None]:
    """Read a part of a moment, a day or a length of time. ahead: how much higher it is counted there."""

    def make(said: Said) -> Made | None:
        if len(said.arguments) != 1 or said.type(said.arguments[0]) not in (TIMESTAMP, DURATION, DATE):
            return None
        zone = ZONE if said.type(said.arguments[0]) == TIMESTAMP else ""
        part: Node = Call(span=said.call.span, function=name, arguments=said.arguments, method=True)
        if ahead:
            part = Binary(span=said.call.span, operator="+", left=part, right=Literal(span=said.call.span, value=ahead))
        return Made(part, named_as(said, f"x.{name}()"), zone)

    return make


def doubtful_weekday(moment: Node, word: str, span: Span) -> Doubtful:
    """Return what to say of the number of a day of the week, which each language counts in its own way."""
    ours = f'{unparse(moment)}.getDayOfWeek("UTC")'
    more = f"`{ours}` is 0 on Sunday and 6 on Saturday: compare it with the day that you mean; {ZONE}"
    return Doubtful(Slip(span, f"`{word}` does not count the days of the week as `getDayOfWeek` does", more=more))


def weekday(said: Said) -> Made | None:
    """Raise Doubtful for the number of a day of the week."""
    if not said.arguments or said.type(said.arguments[0]) not in (TIMESTAMP, DATE):
        return None
    raise doubtful_weekday(said.arguments[0], said.call.function, said.call.span)


def apart(said: Said) -> Made | None:
    """Read the days between two moments."""
    moments = [one for one in said.arguments if said.type(one) in (TIMESTAMP, DATE)]
    if len(moments) != 2:
        return None
    if len(said.arguments) == 3:  # DATEDIFF(day, from, to), DATEDIF(from, to, "d")
        moments.reverse()
    span = said.call.span
    length = Binary(span=span, operator="-", left=moments[0], right=moments[1])
    hours = Call(span=span, function="getHours", arguments=(length,), method=True)
    days = Binary(span=span, operator="/", left=hours, right=Literal(span=span, value=24))
    return Made(days, f"there is no `{said.call.function}`: days and moments are subtracted")


def added(said: Said) -> Made | None:
    """Read `DATEADD(day, 30, x)`, and `DATE_ADD(x, INTERVAL 30 DAY)`."""
    span = said.call.span
    match said.arguments:
        case (Name(name=unit), Literal(value=int() as number), moment) if unit.lower() in SECONDS:
            length: Node = Amount(span=span, number=number, unit=unit.lower(), said=f"{number} {unit}")
        case (moment, Amount() as length):
            pass
        case _:
            return None
    if said.type(moment) not in (TIMESTAMP, DATE):
        return None
    operator: OneOf["+", "-"] = "-" if "sub" in said.call.function.lower() else "+"
    node = Binary(span=span, operator=operator, left=moment, right=length)
    return Made(node, f"`{said.call.function}` is written `{operator}`", is_done=False)


def date(said: Said) -> Made | None:
    """Read `DATE(2026, 11, 30)`."""
    parts = [one.value for one in said.arguments if isinstance(one, Literal) and type(one.value) is int]
    if len(parts) != 3 or len(said.arguments) != 3:
        return renamed("timestamp")(said)
    year, month, day = parts
    return Made(Moment(span=said.call.span, said=f"{year:04d}-{month:02d}-{day:02d}"), "a day is written as one text")
