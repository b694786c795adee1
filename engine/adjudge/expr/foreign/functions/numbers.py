"""Numbers and counts in the functions of other languages: `COUNT`, `SUM`, `GREATEST`, `MOD`."""

from __future__ import annotations

from collections.abc import Callable

from adjudge.expr.foreign.built import COUNTED
from adjudge.expr.foreign.functions.said import Made, Said, call_of, named_as
from adjudge.expr.foreign.slips import Doubtful, Slip
from adjudge.expr.nodes import (
    Binary,
    BinaryOperator,
    Call,
    Conditional,
    ListLiteral,
    Literal,
    Node,
    Unary,
)
from adjudge.values.types import BOOL, ListType, MapType, SetType, is_dynamic, is_text


def size(said: Said) -> Made | None:
    """Read `len(x)`, and `COUNT(a, b)` of conditions."""
    if len(said.arguments) > 1 or (said.arguments and said.type(said.arguments[0]) == BOOL):
        return count(said)
    if len(said.arguments) != 1:
        return None
    argument = said.arguments[0]
    if isinstance(argument, ListLiteral) and argument.items and all(said.type(item) == BOOL for item in argument.items):
        return count(said)
    type_ = said.type(argument)
    if not (is_text(type_) or is_dynamic(type_) or isinstance(type_, ListType | SetType | MapType)):
        return None
    return Made(Call(span=said.call.span, function="size", arguments=(argument,)), named_as(said, "size(…)"))


def count(said: Said) -> Made | None:
    """Read a count of conditions as a sum of ones; its comparison may become `atLeast`."""
    parts = said.arguments
    if parts and isinstance(parts[0], ListLiteral) and all(part == Literal(value=True) for part in parts[1:]):
        parts = parts[0].items
    if not parts or any(said.type(part) != BOOL for part in parts):
        return None
    span = said.call.span
    one, none = Literal(span=span, value=1), Literal(span=span, value=0)
    node: Node | None = None
    for part in parts:
        counted = Conditional(span=part.span, condition=part, then=one, otherwise=none)
        node = counted if node is None else Binary(span=span, operator="+", left=node, right=counted)
    assert node is not None
    return Made(node, COUNTED)


def count_if(said: Said) -> Made | None:
    """Read `COUNTIF(a, b)` of conditions; of a list or a set and a value it is whether the value is in it."""
    if len(said.arguments) == 2 and isinstance(said.type(said.arguments[0]), ListType | SetType):
        many, value = said.arguments
        found = Binary(span=said.call.span, operator="in", left=value, right=many)
        return Made(found, "whether a value is among others is asked with `in`", is_done=False)
    return count(said)


def sums_of_rows(said: Said) -> Made | None:
    """Refuse `SUMIF(…)`: a condition sees one request, and no rows."""
    what = "a condition sees one request, and has no rows to sum or count"
    more = "count conditions with `atLeast(2, [a, b, c])`, add points in a `scorecard`"
    raise Doubtful(Slip(said.call.span, what, more=more))


def sum_(said: Said) -> Made | None:
    """Read `SUM(a, b)`."""
    parts = said.arguments
    if len(parts) == 1 and isinstance(parts[0], ListLiteral):
        parts = parts[0].items
    if len(parts) < 2:
        return None
    if (counted := count(said)) is not None:
        return counted
    node = parts[0]
    for part in parts[1:]:
        node = Binary(span=said.call.span, operator="+", left=node, right=part)
    return Made(node, named_as(said, "+"))


def extreme(operator: str) -> Callable[[Said], Made | None]:
    """Read `GREATEST(a, b)` and `LEAST(a, b)`. operator: `>` or `<`."""

    def make(said: Said) -> Made | None:
        name = "max" if operator == ">" else "min"
        made = call_of(said, name, *said.arguments)
        if made is not None:
            return Made(made, named_as(said, f"{name}(…)"))
        if len(said.arguments) != 2:
            return None
        one, other = said.arguments
        condition = Binary(span=said.call.span, operator=">" if operator == ">" else "<", left=one, right=other)
        node = Conditional(span=said.call.span, condition=condition, then=one, otherwise=other)
        return Made(node, f"`{said.call.function}` is written as a choice")

    return make


def absolute(said: Said) -> Made | None:
    """Read `ABS(x)`."""
    made = call_of(said, "abs", *said.arguments)
    if made is not None:
        return Made(made, named_as(said, "abs(…)"))
    if len(said.arguments) != 1:
        return None
    value = said.arguments[0]
    zero: Node = Literal(span=value.span, value=0)
    condition = Binary(span=said.call.span, operator="<", left=value, right=zero)
    node = Conditional(
        span=said.call.span,
        condition=condition,
        then=Unary(span=value.span, operator="-", operand=value),
        otherwise=value,
    )
    return Made(node, f"`{said.call.function}` is written as a choice")


def operator(operator: BinaryOperator) -> Callable[[Said], Made | None]:
    """Read a function that is an operator here, as `MOD(a, b)`."""

    def make(said: Said) -> Made | None:
        if len(said.arguments) != 2:
            return None
        left, right = said.arguments
        node = Binary(span=said.call.span, operator=operator, left=left, right=right)
        return Made(node, named_as(said, operator), is_done=False)

    return make
