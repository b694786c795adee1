"""What times of the day mean: clocks beside moments, `now` beside days, ranges that go past midnight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

from adjudge.expr.foreign.functions.said import ZONE
from adjudge.expr.foreign.meaning.beside import MIRROR, ORDER
from adjudge.expr.foreign.meaning.names import Names
from adjudge.expr.foreign.slips import Clock, Doubtful, Slip
from adjudge.expr.nodes import (
    Binary,
    BinaryOperator,
    Call,
    Literal,
    Logic,
    Name,
    Node,
)
from adjudge.source import Span
from adjudge.values.literals import parse_duration
from adjudge.values.meant import (
    length_text,
)
from adjudge.values.types import (
    DATE,
    DURATION,
    TIMESTAMP,
)


@dataclass(slots=True)
class Times(Names):
    """Gives times of the day their meaning."""

    def now_beside(self, part: Node, value: Node) -> Node:
        """Return `now` for a `today` that a moment is compared with, and the other way about."""
        if isinstance(part, Name) and part.name == "now" and self.type(value) == DATE:
            self.slip(part.span, "a day is compared with `today`", ZONE)
            return Call(span=part.span, function="today", arguments=(Literal(span=part.span, value="UTC"),))
        if isinstance(part, Binary) and part.operator in ("+", "-"):
            return replace(part, left=self.now_beside(part.left, value))
        if isinstance(part, Call) and part.function == "today" and self.type(value) == TIMESTAMP:
            self.slip(part.span, "a moment is compared with `now`")
            return Name(name="now", span=part.span)
        return part

    def clock(self, node: Binary) -> Node | None:
        """Return what a part of the day is compared with: `now.hour >= 22`, `now > 22:00`."""
        for side, other, operator in (
            (node.left, node.right, node.operator),
            (node.right, node.left, MIRROR.get(node.operator, node.operator)),
        ):
            is_hour = isinstance(side, Call) and side.function == "getHours" and len(side.arguments) == 1
            hour = other.value if isinstance(other, Literal) and isinstance(other.value, int) else None
            if (
                is_hour
                and isinstance(side, Call)
                and hour is not None
                and operator in ORDER
                and self.type(side.arguments[0]) == TIMESTAMP
            ):
                if operator in (">", "<="):
                    hour, operator = hour + 1, ">=" if operator == ">" else "<"
                return self.time_of_day(node, side.arguments[0], operator, hour * 3600)
            if isinstance(other, Clock):
                moment = side if self.type(side) == TIMESTAMP else None
                if moment is not None:
                    self.slip(other.span, "a time of day is compared with `timeOfDay`", ZONE)
                    return self.time_of_day(node, moment, operator, other.seconds)
                if self.type(side) == DURATION:
                    text = since_midnight(other.seconds)
                    self.slip(other.span, "a time of day is the duration since midnight")
                    length = Call(
                        span=other.span, function="duration", arguments=(Literal(span=other.span, value=text),)
                    )
                    return replace(node, left=side, right=length, operator=cast(BinaryOperator, operator))
        return None

    def time_of_day(self, node: Binary, moment: Node, operator: str, seconds: int) -> Node:
        """Return a comparison of the time of day of a moment. seconds: since midnight."""
        span = node.span
        zone = Literal(span=span, value="UTC")
        shown = Call(span=span, function="timeOfDay", arguments=(moment, zone), method=True)
        length = Call(span=span, function="duration", arguments=(Literal(span=span, value=since_midnight(seconds)),))
        return replace(node, left=shown, right=length, operator=cast(BinaryOperator, operator))

    def overnight(self, node: Logic) -> Logic:
        """Return a range of hours that goes past midnight, as from 22:00 to 06:00, with `||` between its ends.

        Raises Doubtful where a range has no value in it, as from 10 to 3.
        """
        if node.operator != "&&":
            return node
        parts: list[Node] = []
        for part in node.operands:
            before = parts[-1] if parts else None
            if before is None or not (ends := ends_of(before, part)) or ends[0] <= ends[1]:
                parts.append(part)
                continue
            assert isinstance(before, Binary)
            if not self.goes_round(before.left):
                message = "nothing is above the higher end of a range and below the lower one"
                raise Doubtful(Slip(part.span, message, more="name the lower end first, or join the two with `||`"))
            end = Span(part.span.end - 1, part.span.end)
            self.slip(
                end, "this end of the range comes before the other one", "past the turn either end is enough: `||`"
            )
            parts[-1] = Logic(span=before.span.to(part.span), operator="||", operands=(before, part))
        if len(parts) == 1 and isinstance(parts[0], Logic):
            return parts[0]
        return replace(node, operands=tuple(parts))

    def goes_round(self, value: Node) -> bool:
        """Whether a value begins anew: the time of day, the hour, the day of the week, the month."""
        return (
            isinstance(value, Call)
            and (value.function == "timeOfDay" or value.function.startswith("get"))
            and value.function != "getFullYear"
            and self.type(value.arguments[0]) in (TIMESTAMP, DATE)
        )


def middle(first: Binary) -> Node:
    """Return the value between the ends of `22:00 < now < 23:00`, whose first comparison may have been turned."""
    is_turned = isinstance(first.right, Call) and length_of(first.right) is not None and length_of(first.left) is None
    return first.left if is_turned else first.right


def length_of(node: Node) -> float | None:
    """Return a number, or the seconds of a duration that is written out; None for anything else."""
    match node:
        case Literal(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case Call(function="duration", arguments=(Literal(value=str() as text),)):
            return parse_duration(text).total_seconds()
        case _:
            return None


def ends_of(first: Node, second: Node) -> tuple[float, float] | None:
    """Return the ends of `x >= low && x <= high`; None for anything else."""
    match first, second:
        case (
            Binary(operator=">" | ">=", left=value, right=low),
            Binary(operator="<" | "<=", left=other, right=high),
        ) if value == other:
            ends = length_of(low), length_of(high)
            return (ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None
        case _:
            return None


def since_midnight(seconds: int) -> str:
    """Return seconds since midnight as a duration."""
    return length_text(timedelta(seconds=seconds))
