"""Texts in the functions of other languages: `LEFT`, `UCASE`, `INSTR`."""

from __future__ import annotations

from collections.abc import Callable

from adjudge.expr.foreign.functions.said import Made, Said, call_of, named_as
from adjudge.expr.nodes import (
    Binary,
    Call,
    Literal,
)
from adjudge.values.types import ListType, SetType


def method(name: str, *, turned: bool = False) -> Callable[[Said], Made | None]:
    """Read a call that stands behind its text here. turned: what is looked for comes first there."""

    def make(said: Said) -> Made | None:
        if len(said.arguments) != 2:
            return None
        first, second = reversed(said.arguments) if turned and not said.call.method else said.arguments
        if said.namespace in ("re", "regex") or (said.namespace is not None and turned):
            second, first = said.arguments
        if name == "matches" and isinstance(first, Literal) and not isinstance(second, Literal):  # /pattern/.test(x)
            first, second = second, first
        node = Call(span=said.call.span, function=name, arguments=(first, second), method=True)
        is_text_there = not isinstance(said.type(first), ListType | SetType)
        return Made(node, named_as(said, f"text.{name}(part)"), is_done=is_text_there)

    return make


def case(name: str) -> Callable[[Said], Made | None]:
    """Read a call without arguments behind its text: `LOWER(x)`."""

    def make(said: Said) -> Made | None:
        if len(said.arguments) != 1:
            return None
        made = call_of(said, name, said.arguments[0])
        if made is None:
            return None
        return Made(made, named_as(said, f"x.{name}()" if made.method else f"{name}(x)"))

    return make


def beginning(name: str) -> Callable[[Said], Made | None]:
    """Read `LEFT(x, 3)`: the text's beginning or end."""

    def make(said: Said) -> Made | None:
        if len(said.arguments) != 2:
            return None
        text, count = said.arguments
        if name == "right":
            size = Call(span=text.span, function="size", arguments=(text,))
            first = Binary(span=count.span, operator="-", left=size, right=count)
            made = call_of(said, "substring", text, first)
            return Made(made, named_as(said, "x.substring(size(x) - n)")) if made is not None else None
        made = call_of(said, "substring", text, Literal(span=count.span, value=0), count)
        return Made(made, named_as(said, "x.substring(0, n)")) if made is not None else None

    return make


def empty(said: Said) -> Made | None:
    """Read `isEmpty(x)`."""
    if len(said.arguments) != 1:
        return None
    size = Call(span=said.call.span, function="size", arguments=said.arguments)
    node = Binary(span=said.call.span, operator="==", left=size, right=Literal(span=said.call.span, value=0))
    return Made(node, "whether nothing is in it is asked with `size(x) == 0`")
