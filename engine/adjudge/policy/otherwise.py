"""What happens where no row of a table is true: answered from its rows, not from a condition as long as the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adjudge.expr.nodes import Literal, Logic, Node, Unary
from adjudge.policy.typed import Rule, TypedPolicy
from adjudge.values.types import BOOL


def none_of(conditions: Sequence[Node]) -> Node:
    """Return the condition that no other is true: true where all are false, unknown where none is more than unknown."""
    if not conditions:
        return Literal(value=True, type=BOOL)
    span = conditions[0].span
    some = (
        conditions[0]
        if len(conditions) == 1
        else Logic(operator="||", operands=tuple(conditions), span=span, type=BOOL)
    )
    return Unary(operator="!", operand=some, span=span, type=BOOL)


def rows_before(policy: TypedPolicy) -> Iterator[tuple[int, int]]:
    """Yield each rule of `else` that its rows answer: its number, and a mask of theirs.

    A policy whose conditions were changed one by one has others; there, the condition itself is asked.
    """
    numbers: dict[int, int] | None = None
    for at, rule in enumerate(policy.rules):
        if not rule.otherwise:
            continue
        if numbers is None:
            numbers = {id(other.condition): number for number, other in enumerate(policy.rules)}
        asked = asked_of(rule)
        if all(id(node) in numbers for node in asked):
            yield at, sum(1 << numbers[id(node)] for node in asked)


def asked_of(rule: Rule) -> Sequence[Node]:
    """Return the conditions of the rows that an `else` was made of."""
    node = rule.condition
    if not isinstance(node, Unary):
        return ()
    return (
        node.operand.operands if isinstance(node.operand, Logic) and node.operand.operator == "||" else (node.operand,)
    )
