"""Conditions that are counted: by a way round that is lost where one is unknown, or to a number that says nothing."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import Binary, Call, Comprehension, Conditional, ListLiteral, Literal, Local, Node, walk
from adjudge.expr.printing import unparse
from adjudge.values.types import BOOL, ListType

CODE = "counted-conditions"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find counts by `filter` and `size` or by a sum, and an `atLeast` that is always true or never."""
    for node in walk(*subject.typed.variables.values(), *subject.conditions):
        match node:
            case Call(function="atLeast", arguments=(Literal(value=int(count)), ListLiteral(items=items))):
                if not 0 < count <= len(items):
                    answer = "true" if count <= 0 else "false"
                    message = f"`{unparse(node)}` is always {answer}"
                    hint = f"count to a number from 1 to {len(items)}" if items else "put conditions into the list"
                    yield subject.finding(CODE, "warning", message, node.span, hint)
            case Binary(operator=(">" | ">=") as operator, left=counting, right=least):
                yield from _by_a_way_round(subject, node, counting, least, is_more=operator == ">")
            case Binary(operator=("<" | "<=") as operator, left=least, right=counting):
                yield from _by_a_way_round(subject, node, counting, least, is_more=operator == "<")


def _by_a_way_round(
    subject: LintedPolicy, node: Node, counting: Node, least: Node, *, is_more: bool
) -> Iterator[LintFinding]:
    """Find a count of conditions that `atLeast` makes. is_more: whether there must be more than `least` of them."""
    counted = _filtered(counting) or _summed(counting)
    if counted is not None:
        number = _one_more(least) if is_more else unparse(least)
        message = f"`{unparse(node)}` is unknown as soon as one of the conditions is"
        hint = f"write `atLeast({number}, {unparse(counted)})`, which is unknown only where that matters"
        yield subject.finding(CODE, "note", message, node.span, hint)


def _one_more(node: Node) -> str:
    return str(node.value + 1) if isinstance(node, Literal) and type(node.value) is int else f"{unparse(node)} + 1"


def _filtered(node: Node) -> Node | None:
    """Return the list of bools of which it is asked how many are true: `l.filter(c, c).size()`."""
    match node:
        case Call(function="size", arguments=(Comprehension(kind="filter", operand=operand, predicate=Local()),)) if (
            operand.type == ListType(BOOL)
        ):
            return operand
        case _:
            return None


def _summed(node: Node) -> Node | None:
    """Return the conditions of a sum of `condition ? 1 : 0`, two or more."""
    conditions: list[Node] = []
    ahead = [node]
    while ahead:
        match ahead.pop():
            case Binary(operator="+", left=left, right=right):
                ahead += [right, left]
            case Conditional(condition=condition, then=Literal(value=1), otherwise=Literal(value=0)):
                conditions.append(condition)
            case _:
                return None
    return ListLiteral(items=tuple(conditions)) if len(conditions) > 1 else None
