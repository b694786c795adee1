"""Choices and conditions in the functions of other languages: `IF`, `AND`, `ISBLANK`, `COALESCE`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adjudge.expr.foreign.built import within
from adjudge.expr.foreign.functions.said import Made, Said, named_as
from adjudge.expr.foreign.functions.texts import empty
from adjudge.expr.nodes import (
    Binary,
    Comprehension,
    Conditional,
    Has,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Unary,
)
from adjudge.values.types import BOOL, ListType, MapType, SetType, is_text


def if_(said: Said) -> Made | None:
    """Read `IF(condition, a, b)`."""
    if len(said.arguments) not in (2, 3):
        return None
    condition, then, *rest = said.arguments
    otherwise = rest[0] if rest else Literal(span=said.call.span, value=False)
    node = Conditional(span=said.call.span, condition=condition, then=then, otherwise=otherwise)
    return Made(node, f"a choice is written `condition ? a : b`, without `{said.call.function}`")


def joined(operator: str) -> Callable[[Said], Made | None]:
    """Read `AND(a, b)` and `any([a, b])`. operator: `&&` or `||`."""

    def make(said: Said) -> Made | None:
        parts = said.arguments
        if len(parts) == 1 and isinstance(parts[0], ListLiteral):
            parts = parts[0].items
        if len(parts) == 1 and isinstance(one := parts[0], Comprehension) and one.transform is not None:
            found = replace(one, kind="all" if operator == "&&" else "exists", predicate=one.transform, transform=None)
            return Made(found, named_as(said, f"items.{found.kind}({one.variable}, …)")) if not one.predicate else None
        if not parts:
            return None
        node = (
            parts[0]
            if len(parts) == 1
            else Logic(span=said.call.span, operator="&&" if operator == "&&" else "||", operands=parts)
        )
        return Made(node, named_as(said, operator))

    return make


def not_(said: Said) -> Made | None:
    """Read `NOT(a)`."""
    if len(said.arguments) != 1:
        return None
    return Made(Unary(span=said.call.span, operator="!", operand=said.arguments[0]), named_as(said, "!"))


def itself(is_true: bool) -> Callable[[Said], Made | None]:
    """Read `ISTRUE(a)`, and its opposite."""

    def make(said: Said) -> Made | None:
        if len(said.arguments) != 1:
            return None
        one = said.arguments[0]
        if said.type(one) != BOOL:
            return None
        node = one if is_true else Unary(span=said.call.span, operator="!", operand=one)
        return Made(node, f"what is true or false is a condition itself, without `{said.call.function}`")

    return make


def none(said: Said) -> Made | None:
    """Read `NONE(a, b)`."""
    any_ = joined("||")(said)
    if any_ is None:
        return None
    return Made(Unary(span=said.call.span, operator="!", operand=any_.node), named_as(said, "!(a || b)"))


def has(known: bool) -> Callable[[Said], Made | None]:
    """Read `ISBLANK(x)`, and its opposite."""

    def make(said: Said) -> Made | None:
        if len(said.arguments) != 1:
            return None
        type_ = said.type(said.arguments[0])
        word = said.call.function.lower()
        many = isinstance(type_, ListType | SetType | MapType)
        if "empty" in word and (many or (said.call.method and is_text(type_))):
            return empty(said) if not known else None
        if many and "blank" in word:
            return empty(said)
        has = Has(span=said.call.span, operand=said.arguments[0])
        node = has if known else Unary(span=said.call.span, operator="!", operand=has)
        return Made(node, "whether something is known is asked with `has(…)`")

    return make


def null_or(said: Said) -> Made | None:
    """Read `ISNULL(x)`, and `ISNULL(x, 0)`."""
    return or_else(said) if len(said.arguments) == 2 else has(False)(said)


def known_or(said: Said) -> Made | None:
    """Read `NVL2(x, a, b)`."""
    if len(said.arguments) != 3:
        return None
    value, then, otherwise = said.arguments
    known = Has(span=value.span, operand=value)
    node = Conditional(span=said.call.span, condition=known, then=then, otherwise=otherwise)
    return Made(node, f"`{said.call.function}` is written as a choice: `has(x) ? a : b`")


def either(said: Said) -> Made | None:
    """Read `XOR(a, b)`."""
    if len(said.arguments) != 2 or any(said.type(one) != BOOL for one in said.arguments):
        return None
    left, right = said.arguments
    return Made(Binary(span=said.call.span, operator="!=", left=left, right=right), named_as(said, "!="))


def or_else(said: Said) -> Made | None:
    """Read `COALESCE(x, 0)`."""
    if len(said.arguments) != 2:
        return None
    value, otherwise = said.arguments
    node = Conditional(
        span=said.call.span, condition=Has(span=value.span, operand=value), then=value, otherwise=otherwise
    )
    return Made(node, f"`{said.call.function}` is written as a choice: `has(x) ? x : other`", is_done=False)


def lookup(said: Said) -> Made | None:
    """Read `VLOOKUP(country, limits, 2)`, where the table has one value a row."""
    if len(said.arguments) < 2:
        return None
    many = said.arguments[1]
    if isinstance(said.type(many), ListType):
        found = Binary(span=said.call.span, operator="in", left=said.arguments[0], right=many)
        return Made(found, "whether a value is in a list is asked with `in`")
    table = next((one for one in said.arguments[1:] if isinstance(one, Name)), None)
    return Made(table, "a lookup table finds its row itself, and is read by its name") if table is not None else None


def between(said: Said) -> Made | None:
    """Read `between(x, 1, 5)`."""
    if len(said.arguments) != 3:
        return None
    return Made(within(*said.arguments), f"`{said.call.function}` is written as two comparisons", is_done=False)


def equals(said: Said) -> Made | None:
    """Read `equals(a, b)`."""
    if len(said.arguments) != 2:
        return None
    left, right = said.arguments
    return Made(Binary(span=said.call.span, operator="==", left=left, right=right), named_as(said, "=="), is_done=False)


def in_(said: Said) -> Made | None:
    """Read `isin(x, a, b)`."""
    if len(said.arguments) < 2:
        return None
    left, *rest = said.arguments
    right = rest[0] if len(rest) == 1 else ListLiteral(span=said.call.span, items=tuple(rest))
    return Made(Binary(span=said.call.span, operator="in", left=left, right=right), named_as(said, "in"), is_done=False)
