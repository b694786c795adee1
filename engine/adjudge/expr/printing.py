"""From a tree back to text, with no more parentheses than needed: `parse(unparse(tree)) == tree`."""

from __future__ import annotations

from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Local,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
)
from adjudge.expr.parse import PRECEDENCE
from adjudge.expr.tokens import KEYWORDS
from adjudge.patterns import late
from adjudge.texts import is_hidden

_UNARY, _MEMBER = 6, 7
_PLAIN = late(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def unparse(node: Node) -> str:
    """Return the text of a tree, parsed or checked."""
    match node:
        case Literal(value=bool(value)):
            return "true" if value else "false"
        case Literal(value=str(value)):
            return quote(value)
        case Literal(value=value):
            return repr(value)
        case Name(name=name, absolute=absolute):
            return ("." if absolute else "") + ".".join([_field(part) for part in name.split(".")])
        case Local(name=name):
            return name
        case Select(operand=operand, field=field):
            return f"{_within(operand, _MEMBER)}.{_field(field)}"
        case Has(operand=operand):
            return f"has({unparse(operand)})"
        case Index(operand=operand, key=key):
            return f"{_within(operand, _MEMBER)}[{unparse(key)}]"
        case Unary(operator=operator, operand=operand):
            inner = _within(operand, _UNARY)
            # A minus right before digits would belong to the number.
            return f"-({unparse(operand)})" if operator == "-" and inner[0].isdigit() else operator + inner
        case Binary(operator=operator, left=left, right=right):
            level = PRECEDENCE[operator]
            return f"{_within(left, level)} {operator} {_within(right, level + 1)}"
        case Logic(operator=operator, operands=operands):
            return f" {operator} ".join([_within(part, PRECEDENCE[operator] + 1) for part in operands])
        case Conditional(written=Node() as written):
            return unparse(written)
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            return f"{_within(condition, 1)} ? {_within(then, 1)} : {unparse(otherwise)}"
        case Call(function=function, arguments=(receiver, *rest), method=True):
            return f"{_within(receiver, _MEMBER)}.{function}({_list(rest)})"
        case Call(function=function, arguments=arguments):
            return f"{function}({_list(arguments)})"
        case Comprehension(kind=kind, operand=operand, variable=variable, predicate=predicate, transform=transform):
            body = _list([part for part in (predicate, transform) if part is not None])
            return f"{_within(operand, _MEMBER)}.{kind}({variable}, {body})"
        case ListLiteral(items=items):
            return f"[{_list(items)}]"
        case MapLiteral(entries=entries):
            return "{" + ", ".join([f"{unparse(key)}: {unparse(value)}" for key, value in entries]) + "}"
    raise TypeError(f"no node of a condition: {type(node).__name__}")


def quote(text: str) -> str:
    """Return a string literal that means `text`."""
    mark = "'" if '"' in text and "'" not in text else '"'
    return mark + "".join([_character(char, mark) for char in text]) + mark


def _character(char: str, mark: str) -> str:
    if char == mark:
        return "\\" + char
    if char in _ESCAPES or (char.isprintable() and not is_hidden(char)):
        return _ESCAPES.get(char, char)
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _list(nodes: tuple[Node, ...] | list[Node]) -> str:
    return ", ".join([unparse(node) for node in nodes])


def _field(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name not in KEYWORDS else f"`{name}`"


def _within(node: Node, level: int) -> str:
    return unparse(node) if _level(node) >= level else f"({unparse(node)})"


def _level(node: Node) -> int:
    match node:
        case Conditional(written=written):
            return 0 if written is None else _MEMBER
        case Logic(operator=operator) | Binary(operator=operator):
            return PRECEDENCE[operator]
        case Unary():
            return _UNARY
        case _:
            return _MEMBER
