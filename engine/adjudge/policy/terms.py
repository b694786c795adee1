"""Conditions as a few alternatives of facts, each fact about as little as possible.

`a && (b || !c)` is the alternatives `a, b` and `a, not c`. Strong Kleene logic is a distributive lattice with De
Morgan's laws, so this form has the same answer as the condition on every input, unknown ones included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adjudge.expr.nodes import Literal, Logic, Name, Node, Unary, walk
from adjudge.expr.types import BOOL

ALTERNATIVES_MAX = 8
"""A condition with more alternatives than this is cut into larger facts instead."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A part of a condition with no `&&`, `||` or `!` on top that more than one slot would share.

    wanted: whether the alternative needs it true or false.
    """

    node: Node
    wanted: bool


Alternative = frozenset[Fact]
NEVER: tuple[Alternative, ...] = ()
ALWAYS: tuple[Alternative, ...] = (frozenset(),)


def slots_read(node: Node, variables: Mapping[str, Node], slots: Mapping[str, object]) -> frozenset[str]:
    """Return the slots that a condition reads, through variables too."""
    return frozenset(name for name in names_read(node, variables) if name in slots and name not in variables)


def names_read(node: Node, variables: Mapping[str, Node]) -> frozenset[str]:
    """Return every name that a condition reads, of variables and through them; each variable is looked at once."""
    names: set[str] = set()
    ahead = [node]
    while ahead:
        read = {part.name for part in walk(ahead.pop()) if isinstance(part, Name)} - names
        names |= read
        ahead += [variables[name] for name in read if name in variables]
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class Splitter:
    """Splits conditions; knows what stays whole because it reads one slot only."""

    variables: Mapping[str, Node]
    slots: Mapping[str, object]

    def split(self, node: Node, wanted: bool = True) -> tuple[Alternative, ...]:
        """Return the alternatives under which a condition is as wanted."""
        match node:
            case Literal(value=value):
                return ALWAYS if value is wanted else NEVER
            case Unary(operator="!", operand=operand):
                return self.split(operand, not wanted)
            case Name(name=name) if name in self.variables and node.type == BOOL:
                return self.split(self.variables[name], wanted)
            case Logic(operator=operator, operands=operands) if len(slots_read(node, self.variables, self.slots)) > 1:
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
