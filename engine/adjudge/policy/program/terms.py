"""Conditions as a few alternatives of facts, each fact about as little as possible.

`a && (b || !c)` is the alternatives `a, b` and `a, not c`. Strong Kleene logic is a distributive lattice with De
Morgan's laws, so this form has the same answer as the condition on every input, unknown ones included.
"""

from __future__ import annotations

from collections.abc import Mapping

from adjudge.expr.nodes import Literal, Logic, Name, Node, Unary
from adjudge.frozen import frozen
from adjudge.policy.reads import Reads
from adjudge.values.types import BOOL

ALTERNATIVES_MAX = 8
"""A condition with more alternatives than this is cut into larger facts instead."""


@frozen
class Fact:
    """A part of a condition with no `&&`, `||` or `!` on top that more than one slot would share.

    wanted: whether the alternative needs it true or false.
    """

    node: Node
    wanted: bool


Alternative = frozenset[Fact]
NEVER: tuple[Alternative, ...] = ()
ALWAYS: tuple[Alternative, ...] = (frozenset(),)


class Splitter:
    """Splits conditions; knows what stays whole because it reads one slot only. A shared part is split once."""

    def __init__(self, variables: Mapping[str, Node], reads: Reads) -> None:
        """Take a policy's variables, and what its conditions read."""
        self.variables, self.reads = variables, reads
        self._made: dict[tuple[int, bool], tuple[Node, tuple[Alternative, ...]]] = {}
        for node in variables.values():  # each reads only those before it, so none is split deep inside another
            if node.type == BOOL:
                self.split(node, True)
                self.split(node, False)

    def split(self, node: Node, wanted: bool = True) -> tuple[Alternative, ...]:
        """Return the alternatives under which a condition is as wanted."""
        key = (id(node), wanted)
        if key not in self._made:
            self._made[key] = (node, self._split(node, wanted))
        return self._made[key][1]

    def _split(self, node: Node, wanted: bool) -> tuple[Alternative, ...]:
        match node:
            case Literal(value=value):
                return ALWAYS if value is wanted else NEVER
            case Unary(operator="!", operand=operand):
                return self.split(operand, not wanted)
            case Name(name=name) if name in self.variables and node.type == BOOL:
                return self.split(self.variables[name], wanted)
            case Logic(operator=operator, operands=operands) if len(self.reads.slots(node)) > 1:
                parts = [self.split(operand, wanted) for operand in operands]
                if (operator == "||") is wanted:
                    alternatives = tuple(dict.fromkeys(alternative for part in parts for alternative in part))
                    return alternatives if len(alternatives) <= ALTERNATIVES_MAX else _whole(node, wanted)
                return self._product(operands, parts, wanted)
            case _:
                return _whole(node, wanted)

    def _product(
        self, operands: tuple[Node, ...], parts: list[tuple[Alternative, ...]], wanted: bool
    ) -> tuple[Alternative, ...]:
        """Combine every alternative of one operand with every one of the others."""
        combined = ALWAYS
        for operand, part in sorted(zip(operands, parts, strict=True), key=lambda pair: len(pair[1])):
            usable = part if len(combined) * len(part) <= ALTERNATIVES_MAX else _whole(operand, wanted)
            combined = tuple(dict.fromkeys(one | other for one in combined for other in usable))
        return combined


def _whole(node: Node, wanted: bool) -> tuple[Alternative, ...]:
    return (frozenset([Fact(node, wanted)]),)
