"""The tree of a condition: data, a span and, once checked, a type. Passes are functions elsewhere.

Values at run time are bool, int, float, str, aware `datetime`, `timedelta`, tuple (list and set) and dict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, fields, replace
from typing import Literal as OneOf
from typing import TypeVar

from adjudge.frozen import frozen
from adjudge.source import Span
from adjudge.values.types import Type

NOWHERE = Span(0, 0)
T = TypeVar("T")

OrderOperator = OneOf["<", "<=", ">", ">="]
BinaryOperator = OneOf["==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%"]
ComprehensionKind = OneOf["all", "exists", "exists_one", "map", "filter"]


@frozen(kw_only=True)
class Node:
    """A part of a condition. Two nodes are equal if they say the same, wherever they stand."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)
    type: Type | None = field(default=None, compare=False, repr=False)


@frozen(kw_only=True)
class Literal(Node):
    """A bool, int (64 bits), double or string as written; compared with its Python type, so 1 is not 1.0."""

    value: bool | int | float | str

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Literal)
            and type(self.value) is type(other.value)
            and repr(self.value) == repr(other.value)
        )

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@frozen(kw_only=True)
class Name(Node):
    """A name. As parsed: one identifier. Once checked: the full dotted name of a field, variable or list.

    absolute: written with a leading dot, so never a comprehension's variable.
    """

    name: str
    absolute: bool = False


@frozen(kw_only=True)
class Local(Node):
    """The variable of an enclosing comprehension; only in checked trees."""

    name: str


@frozen(kw_only=True)
class Select(Node):
    """`operand.field`: a map's entry; as parsed also a part of a dotted name."""

    operand: Node
    field: str


@frozen(kw_only=True)
class Has(Node):
    """`has(operand)`: whether a Name is known or a Select's key is there. Never unknown for a field."""

    operand: Node


@frozen(kw_only=True)
class Index(Node):
    """`operand[key]`."""

    operand: Node
    key: Node


@frozen(kw_only=True)
class Unary(Node):
    """`!operand` or `-operand`."""

    operator: OneOf["!", "-"]
    operand: Node


@frozen(kw_only=True)
class Binary(Node):
    """A comparison, membership or arithmetic operation."""

    operator: BinaryOperator
    left: Node
    right: Node


@frozen(kw_only=True)
class Logic(Node):
    """A chain of `&&` or of `||`, two operands or more: `a && b && c` is one node, `a && (b && c)` is two."""

    operator: OneOf["&&", "||"]
    operands: tuple[Node, ...]


@frozen(kw_only=True)
class Conditional(Node):
    """`condition ? then : otherwise`. written: as what it was written, such as `limit.in("USD")`."""

    condition: Node
    then: Node
    otherwise: Node
    written: Node | None = field(default=None, compare=False, repr=False)


@frozen(kw_only=True)
class Call(Node):
    """`function(a, b)`, or with `method` `a.function(b)`; the receiver is the first argument."""

    function: str
    arguments: tuple[Node, ...]
    method: bool = False


@frozen(kw_only=True)
class Comprehension(Node):
    """`operand.kind(variable, predicate)`; `map` has a transform, and a predicate only in its three-argument form."""

    kind: ComprehensionKind
    operand: Node
    variable: str
    predicate: Node | None = None
    transform: Node | None = None


@frozen(kw_only=True)
class ListLiteral(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@frozen(kw_only=True)
class MapLiteral(Node):
    """`{key: value}`, entries in the order written."""

    entries: tuple[tuple[Node, Node], ...]


LISTS = "lists"
"""What the constants of a policy stand under: `lists.sanctioned`."""


def list_name(name: str) -> str:
    """Return the full name of a policy's list."""
    return f"{LISTS}.{name}"


def list_of(name: str) -> str | None:
    """Return the list that a full name is of; None where it is another thing's."""
    return name.removeprefix(f"{LISTS}.") if name.startswith(f"{LISTS}.") else None


def is_field(node: Node) -> bool:
    """Whether a node is a field, or an entry of one: has() of it is never unknown."""
    while isinstance(node, Select | Index):
        node = node.operand
    return isinstance(node, Name)


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct parts of a node, left to right."""
    match node:
        case Select(operand=operand) | Has(operand=operand) | Unary(operand=operand):
            return (operand,)
        case Index(operand=operand, key=key):
            return (operand, key)
        case Binary(left=left, right=right):
            return (left, right)
        case Logic(operands=operands):
            return operands
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            return (condition, then, otherwise)
        case Call(arguments=arguments):
            return arguments
        case Comprehension(operand=operand, predicate=predicate, transform=transform):
            return tuple(part for part in (operand, predicate, transform) if part is not None)
        case ListLiteral(items=items):
            return items
        case MapLiteral(entries=entries):
            return tuple(part for entry in entries for part in entry)
        case _:
            return ()


def joined_conditions(node: Node) -> tuple[Node, ...]:
    """Return the conditions that a node joins: of `&&`, `||`, and `atLeast` where all is written out."""
    match node:
        case Logic(operands=operands):
            return operands
        case Call(function="atLeast", arguments=(Literal(), ListLiteral(items=items))):
            return items
        case _:
            return ()


def with_joined(node: Node, conditions: tuple[Node, ...]) -> Node:
    """Return a node that joins other conditions than it did, as many."""
    match node:
        case Logic():
            return replace(node, operands=conditions)
        case Call(arguments=(count, ListLiteral() as written)):
            return replace(node, arguments=(count, replace(written, items=conditions)))
        case _:
            raise TypeError(f"{type(node).__name__} joins no conditions")


def walk(*nodes: Node) -> Iterator[Node]:
    """Yield nodes and everything below them, outermost first, left to right. A part that is shared comes once."""
    seen: set[int] = set()
    ahead = [*reversed(nodes)]
    while ahead:
        node = ahead.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            ahead += reversed(children(node))


def exchanged(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a node with each part exchanged for what `change` makes of it, the innermost first."""

    def part(value: object) -> object:
        if isinstance(value, Node):
            return exchanged(value, change)
        return tuple(map(part, value)) if isinstance(value, tuple) else value

    made = {name.name: part(getattr(node, name.name)) for name in fields(node) if name.name not in ("span", "type")}
    return change(replace(node, **made))  # type: ignore[arg-type]  # fields of the node's own


def names_in(*nodes: Node) -> dict[str, None]:
    """Return the names that stand in nodes, in the order in which they do."""
    return {node.name: None for node in walk(*nodes) if isinstance(node, Name)}


def fold(node: Node, combine: Callable[[Node, tuple[T, ...]], T], made: dict[int, tuple[Node, T]] | None = None) -> T:
    """Return what `combine` makes of a node and of what it made of the node's parts; of a shared part it does once.

    made: what was made before, by identity, with the node itself; it grows.
    """
    made = made if made is not None else {}
    ahead = [node]
    while ahead:
        one = ahead[-1]
        if id(one) in made:
            ahead.pop()
            continue
        parts = children(one)
        missing = [part for part in parts if id(part) not in made]
        if missing:
            ahead += reversed(missing)
        else:
            made[id(one)] = (one, combine(one, tuple(made[id(part)][1] for part in parts)))
            ahead.pop()
    return made[id(node)][1]
