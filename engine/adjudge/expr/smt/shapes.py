"""What is known of each part of a condition before it becomes a term; every part is looked at once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, fields

from adjudge.expr.nodes import Comprehension, Literal, Local, Name, Node, children, fold
from adjudge.frozen import frozen


@frozen
class Shape:
    """One part.

    number: that of all parts which say the same. bound: the comprehensions' variables that it reads.
    is_constant: it reads nothing at all.
    """

    number: int
    bound: frozenset[str]
    is_constant: bool


@dataclass(slots=True)
class Shapes:
    """Numbers the parts of conditions; of several policies, where they share one."""

    _numbers: dict[Hashable, int] = field(default_factory=dict)
    _made: dict[int, tuple[Node, Shape]] = field(default_factory=dict)

    def of(self, node: Node) -> Shape:
        """Return what is known of a part."""
        return fold(node, self._shape, self._made)

    def _shape(self, node: Node, parts: tuple[Shape, ...]) -> Shape:
        says = (type(node).__name__, *_own(node), *(part.number for part in parts))
        bound = frozenset().union(*(part.bound for part in parts))
        match node:
            case Local(name=name):
                bound = frozenset((name,))
            case Comprehension(variable=variable):
                operand, *inner = parts
                bound = operand.bound | (frozenset().union(*(part.bound for part in inner)) - {variable})
        return Shape(
            number=self._numbers.setdefault(says, len(self._numbers)),
            bound=bound,
            is_constant=not isinstance(node, Name | Local) and all(part.is_constant for part in parts),
        )


def _own(node: Node) -> tuple[Hashable, ...]:
    """Return what a node says besides its parts."""
    if isinstance(node, Literal):
        return (type(node.value).__name__, repr(node.value))
    parts = {id(part) for part in children(node)}
    values = (getattr(node, one.name) for one in fields(node) if one.compare)
    return tuple(None if id(value) in parts or isinstance(value, tuple) else value for value in values)
