"""What operators take and give, and what to say where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adjudge.expr.nodes import BinaryOperator, ListLiteral, Literal, Node, OrderOperator
from adjudge.frozen import frozen
from adjudge.source import Span
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    MoneyType,
    SetType,
    Type,
    holds_record,
    is_dynamic,
    is_text,
    join,
    named,
)

FLIPPED: Mapping[str, OrderOperator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The same order with its sides exchanged."""
NEGATED: Mapping[str, BinaryOperator] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
"""The comparison that is true where another is false."""
_ORDERED = (BOOL, INT, DOUBLE, STRING, TIMESTAMP, DURATION, DATE)
_SUMS = {
    ("+", TIMESTAMP, DURATION): TIMESTAMP,
    ("+", DURATION, TIMESTAMP): TIMESTAMP,
    ("+", DURATION, DURATION): DURATION,
    ("-", TIMESTAMP, TIMESTAMP): DURATION,
    ("-", TIMESTAMP, DURATION): TIMESTAMP,
    ("-", DURATION, DURATION): DURATION,
    ("+", DATE, DURATION): DATE,
    ("+", DURATION, DATE): DATE,
    ("-", DATE, DURATION): DATE,
    ("-", DATE, DATE): DURATION,
}


@frozen
class Mismatch:
    """Why operands do not fit."""

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None
    note: str = ""


def _types(left: Node, right: Node) -> tuple[Type, Type]:
    assert left.type is not None and right.type is not None
    return left.type, right.type


def number_hint(*nodes: Node) -> str | None:
    """Say how an int and a double come together."""
    for node in nodes:
        if node.type == INT:
            return f"write {node.value}.0" if isinstance(node, Literal) else "write double(…) around the int"
    return None


def _unlike(left: Node, right: Node) -> Mismatch:
    """Say that two types are not compared, and how what is a day comes together with what is none."""
    a, b = _types(left, right)
    hint = None
    for one, node in ((a, right), (b, left)):
        if one == DATE and node.type == TIMESTAMP:
            hint = 'a timestamp is another day in each zone: write `date(…, "Asia/Singapore")` around it'
        elif one in (DATE, TIMESTAMP, DURATION) and isinstance(node, Literal) and isinstance(node.value, str):
            hint = f'write `{one}("{node.value}")`'
        if isinstance(one, MoneyType):
            hint = f'say in which currency: `….in("{one.currencies[0]}")`'
    message = f"{named(a)} is compared with {named(b)}"
    return Mismatch("type-mismatch", message, right.span, hint, f"expected {a}")


def equality(left: Node, right: Node) -> Type | Mismatch:
    """`==` and `!=`: two values of one type."""
    a, b = _types(left, right)
    if is_dynamic(a) or is_dynamic(b):
        return BOOL
    if isinstance(a, SetType) or isinstance(b, SetType):
        hint = 'ask for members: `"…" in tags`, or `size(tags) == 0`'
        return Mismatch("type-set", "sets cannot be compared as a whole", hint=hint)
    if (isinstance(a, MoneyType) or isinstance(b, MoneyType)) and a != b:
        return _unlike(left, right)
    if holds_record(a) or holds_record(b):
        hint = 'compare its fields, such as `….number == "…"`'
        if isinstance(a, MoneyType):
            hint = f'say in which currency: `….in("{a.currencies[0]}")`'
        return Mismatch("type-record", "records cannot be compared as a whole", hint=hint)
    if {a, b} == {INT, DOUBLE}:
        return Mismatch("type-mismatch", "an int is compared with a double", hint=number_hint(left, right))
    if join(a, b) is None:
        return _unlike(left, right)
    return BOOL


def ordering(left: Node, right: Node) -> Type | Mismatch:
    """`<` and its like: two values of one ordered type, or an int and a double."""
    a, b = _types(left, right)
    if is_dynamic(a) or is_dynamic(b) or {a, b} == {INT, DOUBLE}:
        return BOOL
    if isinstance(a, EnumType) or isinstance(b, EnumType):
        return Mismatch("type-order", "enum values have no order", hint='compare with ==, or `in ["…", "…"]`')
    if a != b:
        return _unlike(left, right)
    if a not in _ORDERED:
        return Mismatch("type-order", f"{named(a)} has no order")
    return BOOL


def membership(left: Node, right: Node) -> Type | Mismatch:
    """`in`: a list or set that could hold the value, or a map that could have it as a key."""
    a, b = _types(left, right)
    match b:
        case ListType(item=item) if holds_record(item):
            by_field = 'ask for one by its fields: `….exists(d, d.number == "…")`'
            return Mismatch("type-record", "a record is not found as a whole", right.span, by_field)
        case ListType(item=item) | MapType(key=item):
            if is_dynamic(a) or is_dynamic(item) or (join(a, item) is not None):
                return BOOL
            hint = number_hint(left, Literal(value=0.0, type=item)) if {a, item} == {INT, DOUBLE} else None
            return Mismatch(
                "type-mismatch", f"{named(a)} is looked for among {item}s", left.span, hint, f"expected {item}"
            )
        case SetType():
            if is_dynamic(a) or is_text(a):
                return BOOL
            return Mismatch(
                "type-mismatch", f"{named(a)} is looked for in a set of names", left.span, note="expected string"
            )
        case _ if is_dynamic(b):
            return BOOL
        case _:
            hint = "write `text.contains(part)`" if is_text(b) else None
            return Mismatch(
                "type-mismatch", f"`in` looks into a list, a set or a map, not {named(b)}", right.span, hint
            )


def arithmetic(operator: str, left: Node, right: Node) -> Type | Mismatch:
    """`+ - * / %`."""
    a, b = _types(left, right)
    if is_dynamic(a) or is_dynamic(b):
        return DYN
    if a == b and (a == INT or (a == DOUBLE and operator != "%")):
        return a
    if operator == "+" and is_text(a) and is_text(b):
        return STRING
    if operator == "+" and isinstance(a, ListType | SetType) and isinstance(b, ListType | SetType):
        joined = join(_as_list(a), _as_list(b))
        if joined is not None:
            return joined
    if (operator, a, b) in _SUMS:
        return _SUMS[operator, a, b]
    hint = number_hint(left, right) if {a, b} == {INT, DOUBLE} else None
    return Mismatch("type-operator", f"`{operator}` does not take {named(a)} and {named(b)}", hint=hint)


def _as_list(type_: Type) -> Type:
    return ListType(STRING) if isinstance(type_, SetType) else type_


def negation(operand: Type) -> Type | Mismatch:
    """Unary minus."""
    if is_dynamic(operand) or operand in (INT, DOUBLE):
        return operand if operand in (INT, DOUBLE) else DYN
    return Mismatch("type-operator", f"`-` does not take {named(operand)}")


def vocabulary_slip(operator: str, left: Node, right: Node) -> tuple[Literal, tuple[str, ...]] | None:
    """Return a literal that the other side's vocabulary can never hold, with that vocabulary."""
    for literal, values, words in _compared(operator, left, right):
        if isinstance(literal, Literal) and isinstance(literal.value, str) and literal.value not in words:
            return literal, values
    return None


def _compared(operator: str, left: Node, right: Node) -> Iterator[tuple[Node, tuple[str, ...], frozenset[str]]]:
    if operator in ("==", "!="):
        for one, other in ((left, right), (right, left)):
            if isinstance(other.type, EnumType):
                yield one, other.type.values, other.type.words
    elif operator == "in":
        if isinstance(left.type, EnumType) and isinstance(right, ListLiteral):
            for item in right.items:
                yield item, left.type.values, left.type.words
        if isinstance(right.type, SetType):
            yield left, right.type.values, right.type.words
        if isinstance(right.type, MapType) and right.type.keys is not None:
            yield left, right.type.keys, right.type.words
        if isinstance(right.type, ListType) and isinstance(right.type.item, EnumType):
            yield left, right.type.item.values, right.type.item.words
