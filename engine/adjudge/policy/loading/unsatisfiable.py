"""Parts of conditions that can never hold, whatever their one field turns out to be: nearly always a slip of the pen.

The checker sees a misspelt tag where it stands beside its field. Behind a list, a function or a choice it takes trying
every value of the vocabulary, which is what this does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import cast

from adjudge.errors import listed
from adjudge.expr.nodes import (
    Binary,
    Conditional,
    Has,
    ListLiteral,
    Literal,
    Name,
    Node,
    Unary,
    children,
    joined_conditions,
    names_in,
    walk,
)
from adjudge.expr.printing import unparse
from adjudge.expr.reference import evaluate
from adjudge.frozen import frozen
from adjudge.values.fields import Field
from adjudge.values.meant import on_scale
from adjudge.values.types import BOOL, EnumType, SetType

_SUBSETS_MAX = 8
"""Up to so many members every subset of a vocabulary is tried; beyond, the empty one, each alone, and all."""


VALUES_MAX = 256
"""A vocabulary of more words is not tried out, word by word, in every rule."""


@frozen
class Unsatisfiable:
    """A part that is always false, with what to say of it. meant: what to write in its place, where that is known."""

    code: str
    message: str
    hint: str
    part: Node
    meant: str = ""


def unsatisfiable(
    tree: Node, slots: Mapping[str, Field], lists: Mapping[str, tuple[str, ...]]
) -> Iterator[Unsatisfiable]:
    """Yield the parts of a typed condition that can never hold. lists: constants by their full name."""
    for part in _facts(tree):
        names = names_in(part).keys() - lists.keys()
        if len(names) != 1 or any(isinstance(node, Has) for node in walk(part)):
            continue
        slot = names.pop()
        field = slots.get(slot)
        if field is None:
            continue
        found = _beyond_range(part, slot, field)
        if found is None and isinstance(field.type, EnumType | SetType):
            found = _beyond_vocabulary(part, slot, field.type, lists)
        if found is not None:
            yield found


def quoted_names(tree: Node, slots: Mapping[str, Field]) -> Iterator[tuple[Literal, str]]:
    """Yield texts that are compared with other constants and are the names of fields: most likely quoted by mistake."""
    for part in walk(tree):
        if not isinstance(part, Binary) or part.operator not in ("==", "!=", "in"):
            continue
        others = part.right.items if isinstance(part.right, ListLiteral) else (part.right,)
        name = part.left.value if isinstance(part.left, Literal) else None
        if isinstance(name, str) and name in slots and all(isinstance(one, Literal) for one in others):
            yield cast(Literal, part.left), name


def _facts(node: Node) -> Iterator[Node]:
    """Yield the bool parts below `&&`, `||`, `!` and `?:`."""
    if joined := joined_conditions(node):
        for one in joined:
            yield from _facts(one)
        return
    match node:
        case Unary(operator="!") | Conditional():
            for child in children(node):
                yield from _facts(child)
        case Literal() | Name():
            return
        case _ if node.type == BOOL:
            yield node


def _beyond_vocabulary(
    part: Node, slot: str, type_: EnumType | SetType, lists: Mapping[str, tuple[str, ...]]
) -> Unsatisfiable | None:
    idle = isinstance(part, Binary) and part.operator == "!="  # of a slip: what is always true says nothing
    if len(type_.values) > VALUES_MAX:
        return None
    if all(evaluate(part, {**lists, slot: value}) is idle for value in _values(type_)):
        message = f"`{unparse(part)}` is {'true' if idle else 'false'} whatever `{slot}` is"
        return Unsatisfiable("name-vocabulary", message, f"it holds {listed(type_.values)}", part)
    return None


def _values(type_: EnumType | SetType) -> Iterator[object]:
    values = type_.values
    if isinstance(type_, EnumType):
        yield from values
        return
    sizes = range(len(values) + 1) if len(values) <= _SUBSETS_MAX else (0, 1, len(values))
    for size in sizes:
        yield from combinations(values, size)


def _beyond_range(part: Node, slot: str, field: Field) -> Unsatisfiable | None:
    """Find a number that the field is compared with and can never reach."""
    if not isinstance(part, Binary) or part.operator not in ("<", "<=", ">", ">=", "==", "!="):
        return None
    for one, other in ((part.left, part.right), (part.right, part.left)):
        value = other.value if isinstance(other, Literal) else None
        if not isinstance(one, Name) or isinstance(value, bool | str | None):
            continue
        low, high = field.minimum, field.maximum
        if (low is not None and value < low) or (high is not None and value > high):  # type: ignore[operator]  # numbers of one type, as was looked at
            message = f"`{slot}` can never be {value}"
            meant = on_scale(value, low, high)
            hint = f"it ranges from {low} to {high}" + (f"; did you mean {meant}?" if meant else "")
            return Unsatisfiable("threshold-range", message, hint, other, meant or "")
    return None
