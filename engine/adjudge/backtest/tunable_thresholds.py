"""The thresholds in a policy's conditions, each one that can be tuned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from adjudge.backtest.large_tables import ROWS_MAX, is_together
from adjudge.expr.nodes import (
    Binary,
    Conditional,
    Literal,
    Name,
    Node,
    OrderOperator,
    Unary,
    joined_conditions,
    with_joined,
)
from adjudge.expr.operators import FLIPPED
from adjudge.frozen import frozen
from adjudge.policy.policy import Policy
from adjudge.policy.typed import TypedPolicy
from adjudge.policy.written_rows import rows_written
from adjudge.source import Span
from adjudge.values.fields import Field
from adjudge.values.types import BOOL, DOUBLE, INT

_SAME: Mapping[str, OrderOperator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}


@frozen(kw_only=True)
class TunableThreshold:
    """A number that a field is compared with, `slot operator value`.

    where: the rule, row of the scorecard or variable it stands in. span: of the number, as it is written.
    """

    slot: str
    operator: OrderOperator
    value: float
    where: str
    fact: Node
    span: Span

    @property
    def name(self) -> str:
        """What people call it: `device.score >= 80 (shared-device)`."""
        return f"{self.slot} {self.operator} {self.value:g} ({self.where})"


def tunable_thresholds(policy: TypedPolicy) -> tuple[TunableThreshold, ...]:
    """Return the thresholds of a policy, in its order: those that decide by themselves, not inside a calculation.

    Those of a table of many rows are not among them: no row of it is turned by itself.
    """
    places: list[tuple[str, Node]] = [(f"variable {name}", node) for name, node in policy.variables.items()]
    rows = Counter(rule.id.partition(":")[0] for rule in policy.rules if rule.origin == "table")
    large = {name for name, size in rows.items() if size > ROWS_MAX}
    places += [
        (rule.id, rule.condition)
        for rule in policy.rules
        if not rule.otherwise  # whose rows have them
        and not (rule.origin == "table" and (rule.id.partition(":")[0] in large or is_together(rule.condition)))
    ]
    conditions = [
        (row, row.formula.when if row.formula is not None else row.row.condition) for row in rows_written(policy)
    ]
    places += [(f"scorecard {row.name}", node) for row, node in conditions if node is not None]
    found: list[TunableThreshold] = []
    for where, tree in places:
        for fact in _facts(tree):
            threshold = _threshold(fact, where, policy.slots)
            if threshold is not None:
                found.append(threshold)
    return tuple(found)


def _facts(node: Node) -> list[Node]:
    """Return the parts of a condition that are put together by logic alone."""
    if joined := joined_conditions(node):
        return [fact for one in joined for fact in _facts(one)]
    match node:
        case Unary(operator="!", operand=operand):
            return _facts(operand)
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            return [fact for one in (condition, then, otherwise) for fact in _facts(one)]
        case _:
            return [node]


def _threshold(fact: Node, where: str, slots: Mapping[str, Field]) -> TunableThreshold | None:
    match fact:
        case Binary(operator=operator, left=Name(name=slot), right=other):
            kind = _SAME.get(operator)
        case Binary(operator=operator, left=other, right=Name(name=slot)):
            kind = FLIPPED.get(operator)
        case _:
            return None
    value = number_of(other)
    if kind is None or value is None or slot not in slots or slots[slot].type not in (INT, DOUBLE):
        return None
    return TunableThreshold(slot=slot, operator=kind, value=value, where=where, fact=fact, span=other.span)


def number_of(node: Node) -> float | None:
    """Return the number that a node is, as it is written; None where it is another thing."""
    match node:
        case Literal(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case Unary(operator="-", operand=Literal(value=int() | float() as value)) if not isinstance(value, bool):
            return -value
        case _:
            return None


def opposite(policy: Policy, threshold: TunableThreshold) -> Policy:
    """Return the policy with the answer of one threshold turned round, where there is one."""
    fact = threshold.fact
    other = Unary(operator="!", operand=fact, type=BOOL, span=fact.span)
    return changed(policy, lambda node: other if node is fact else None)


def turned(policy: Policy, thresholds: Mapping[TunableThreshold, float]) -> Policy:
    """Return the policy with other numbers in its thresholds; its text stays as it was."""
    facts = {id(threshold.fact): value for threshold, value in thresholds.items()}

    def other(node: Node) -> Node | None:
        if id(node) not in facts:
            return None
        fact, value = cast("Binary", node), facts[id(node)]
        if isinstance(fact.left, Name):
            return replace(fact, right=_number(fact.right, value))
        return replace(fact, left=_number(fact.left, value))

    return changed(policy, other)


def _number(before: Node, value: float) -> Literal:
    is_int = isinstance(number_of(before), int)
    return Literal(value=round(value) if is_int else float(value), span=before.span, type=before.type)


def changed(policy: Policy, change: Callable[[Node], Node | None]) -> Policy:
    """Return a policy with some facts exchanged. change: returns what a fact becomes, or None.

    A fact that several conditions share, such as those of one row's steps, is still shared by them.
    """
    typed = policy.typed
    made: dict[int, Node | None] = {}

    def fact(node: Node) -> Node | None:
        if id(node) not in made:
            made[id(node)] = change(node)
        return made[id(node)]

    def exchanged(node: Node) -> Node:
        return _exchanged(node, fact)

    other = replace(
        typed,
        variables={name: exchanged(node) for name, node in typed.variables.items()},
        rules=tuple(replace(rule, condition=exchanged(rule.condition)) for rule in typed.rules),
        scorecards={
            name: replace(card, rows=tuple(row.changed(exchanged) for row in card.rows))
            for name, card in typed.scorecards.items()
        },
    )
    return Policy(other, policy.functions)


def _exchanged(node: Node, change: Callable[[Node], Node | None]) -> Node:
    if joined := joined_conditions(node):
        return with_joined(node, tuple(_exchanged(one, change) for one in joined))
    match node:
        case Unary(operator="!", operand=operand):
            return replace(node, operand=_exchanged(operand, change))
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            return replace(
                node,
                condition=_exchanged(condition, change),
                then=_exchanged(then, change),
                otherwise=_exchanged(otherwise, change),
            )
        case _:
            found = change(node)
            return node if found is None else found
