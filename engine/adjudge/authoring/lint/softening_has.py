"""`has(x)` that makes a rule false where x is lost: whoever makes the signal fail gets the softer answer."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import Finding
from adjudge.authoring.lint.subject import Subject
from adjudge.expr.nodes import Conditional, Has, Literal, Logic, Name, Node, Unary
from adjudge.expr.printing import unparse

CODE = "softening-has"


def check(subject: Subject) -> Iterator[Finding]:
    """Find every `has` that a rule, or a row of points, needs to be true."""
    typed = subject.typed
    seen: set[int] = set()
    places = [(rule.condition, f"`{rule.id}`", True) for rule in typed.rules]
    rows = typed.scorecard.rows if typed.scorecard is not None else ()
    places += [(row.condition, f"row {at} of the scorecard", row.points > 0) for at, row in enumerate(rows, 1)]
    for condition, where, wanted in places:
        for node in _needed(subject, condition, wanted):
            if node.span.start not in seen:
                seen.add(node.span.start)
                asked = unparse(node.operand)
                message = f"without `{asked}`, {where} does not apply: losing it softens the outcome"
                hint = f"leave out the `has`: an unknown `{asked}` then counts by `when_unknown`"
                yield subject.finding(CODE, "warning", message, node.span, hint)


def _needed(subject: Subject, node: Node, wanted: bool) -> Iterator[Has]:
    """Yield the `has` that must be true for a condition to be as wanted."""
    match node:
        case Has() if wanted:
            yield node
        case Unary(operator="!", operand=operand):
            yield from _needed(subject, operand, not wanted)
        case Logic(operands=operands):
            for operand in operands:
                yield from _needed(subject, operand, wanted)
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            softens = otherwise != Literal(value=wanted)  # what holds without it is no softer
            for part in (condition, then, otherwise) if softens else (then,):
                yield from _needed(subject, part, wanted)
        case Name(name=name) if name in subject.typed.variables:
            yield from _needed(subject, subject.typed.variables[name], wanted)
