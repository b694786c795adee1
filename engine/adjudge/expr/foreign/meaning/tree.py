"""What a whole condition means by the types of its parts, which each stand beside others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from adjudge.expr.check import Environment
from adjudge.expr.foreign.meaning.calls import Calls
from adjudge.expr.foreign.slips import Amount, Moment, Slip
from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
)
from adjudge.source import Source
from adjudge.values.fields import Field
from adjudge.values.meant import (
    Quantity,
    duration_text,
)
from adjudge.values.types import (
    DOUBLE,
    DYN,
    TIMESTAMP,
)


@dataclass(slots=True)
class _Meaning(Calls):
    """Gives each part of one condition its meaning, its own parts first."""

    def of(self, node: Node) -> Node:
        """Return a part as it is written here, its own parts first."""
        match node:
            case Amount():
                return node
            case Name() | Select():
                return self.name(node)
            case Has(operand=operand):
                return replace(node, operand=self.of(operand))
            case Index(operand=operand, key=key):
                return self.index(replace(node, operand=self.of(operand), key=self.of(key)))
            case Unary():
                return self.unary(node)
            case Binary():
                return self.binary(node)
            case Logic():
                return self.logic(node)
            case Conditional(condition=condition, then=then, otherwise=otherwise):
                return self.choice(
                    replace(node, condition=self.of(condition), then=self.of(then), otherwise=self.of(otherwise))
                )
            case Call():
                return self.call(node)
            case Comprehension(variable=variable):
                return self.comprehension(node, variable)
            case ListLiteral(items=items):
                return replace(node, items=tuple(self.of(item) for item in items))
            case MapLiteral(entries=entries):
                return replace(node, entries=tuple((self.of(key), self.of(value)) for key, value in entries))
            case _:
                return node

    def choice(self, node: Conditional) -> Conditional:
        """Return `has(x) ? x : 0` with a double where `x` is one."""
        other = node.otherwise
        is_known = isinstance(node.condition, Has) and self.type(node.then) == DOUBLE
        if is_known and isinstance(other, Literal) and type(other.value) is int:
            return replace(node, otherwise=replace(other, value=float(other.value)))
        return node

    def comprehension(self, node: Comprehension, variable: str) -> Node:
        """Return a macro, its variable known in its own parts."""
        operand = self.of(node.operand)
        outer, self.bound = self.bound, self.bound | {variable}
        predicate = self.of(node.predicate) if node.predicate is not None else None
        transform = self.of(node.transform) if node.transform is not None else None
        self.bound = outer
        return replace(node, operand=operand, predicate=predicate, transform=transform)

    def settled(self, node: Node) -> Node:
        """Return a part in which nothing waits for a type any more: what stood beside none has its plain meaning."""
        match node:
            case Amount():
                length = duration_text(Quantity(node.number, node.unit))
                if length is not None and node.unit not in ("m", "k", "b"):
                    return self.duration(
                        node.span, length, f"`{node.said}` is not how a length of time is written", node.unit
                    )
                return self.amount(node, DYN, None)
            case Moment():
                return self.moment(node, TIMESTAMP)
            case Unary(operand=operand):
                return replace(node, operand=self.settled(operand))
            case Binary(left=left, right=right):
                return replace(node, left=self.settled(left), right=self.settled(right))
            case Logic(operands=operands):
                return replace(node, operands=tuple(self.settled(one) for one in operands))
            case Conditional(condition=condition, then=then, otherwise=otherwise):
                return replace(
                    node, condition=self.settled(condition), then=self.settled(then), otherwise=self.settled(otherwise)
                )
            case Call(arguments=arguments):
                return replace(node, arguments=tuple(self.settled(one) for one in arguments))
            case ListLiteral(items=items):
                return replace(node, items=tuple(self.settled(one) for one in items))
            case _:
                return node


def with_meaning(
    tree: Node, environment: Environment, fields: Mapping[str, Field], source: Source, slips: list[Slip]
) -> Node:
    """Return an untyped tree in which each part means what it does by its types, and note what is written otherwise.

    Raises Doubtful where a part can be meant in two ways.
    """
    meaning = _Meaning(environment, fields, source, slips)
    return meaning.settled(meaning.of(tree))
