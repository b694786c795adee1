"""Conditions that are counted: by a way round that is lost where one is unknown, or to a number that says nothing."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import Binary, Call, Comprehension, ListLiteral, Literal, Local, Node, walk
from adjudge.expr.printing import unparse
from adjudge.values.types import BOOL, ListType

CODE = "counted-conditions"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find counts by `filter` and `size`, and an `atLeast` that is always true or never."""
    for node in walk(*subject.typed.variables.values(), *subject.typed.conditions):
        match node:
            case Call(function="atLeast", arguments=(Literal(value=int(count)), ListLiteral(items=items))):
                if not 0 < count <= len(items):
                    answer = "true" if count <= 0 else "false"
                    message = f"`{unparse(node)}` is always {answer}"
                    hint = f"count to a number from 1 to {len(items)}" if items else "put conditions into the list"
                    yield subject.finding(CODE, "warning", message, node.span, hint)
            case Binary(operator=">" | ">=", left=left, right=right):
                counted = _counted(left)
                if counted is not None:
                    least = _one_more(right) if node.operator == ">" else unparse(right)
                    message = f"`{unparse(node)}` is unknown as soon as one of the conditions is"
                    hint = f"write `atLeast({least}, {unparse(counted)})`, which is unknown only where that matters"
                    yield subject.finding(CODE, "note", message, node.span, hint)


def _one_more(node: Node) -> str:
    return str(node.value + 1) if isinstance(node, Literal) and type(node.value) is int else f"{unparse(node)} + 1"


def _counted(node: Node) -> Node | None:
    """Return the list of bools of which it is asked how many are true: `l.filter(c, c).size()`."""
    match node:
        case Call(function="size", arguments=(Comprehension(kind="filter", operand=operand, predicate=Local()),)) if (
            operand.type == ListType(BOOL)
        ):
            return operand
        case _:
            return None
