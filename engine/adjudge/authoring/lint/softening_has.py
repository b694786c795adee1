"""`has(x)` that makes a rule false where x is lost: whoever makes the signal fail gets the softer answer."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import Conditional, Has, Literal, Name, Node, Unary, joined_conditions
from adjudge.expr.printing import unparse

CODE = "softening-has"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find every `has` that a rule, or a row of points, needs to be true."""
    typed = subject.typed
    seen: set[int] = set()
    places = [(rule.condition, f"`{rule.id}`", True) for rule in typed.rules]
    places += [(row.condition, row.place, row.points > 0) for row in typed.rows]
    for condition, where, wanted in places:
        for node in needed(subject, condition, wanted):
            if node.span.start not in seen:
                seen.add(node.span.start)
                asked = unparse(node.operand)
                message = f"without `{asked}`, {where} does not apply: losing it softens the outcome"
                hint = f"remove the `has`: `when_unknown` then decides if `{asked}` is unknown"
                yield subject.finding(CODE, "warning", message, node.span, hint)


def needed(subject: LintedPolicy, condition: Node, wanted: bool) -> Iterator[Has]:
    """Yield the `has` that must be true for a condition to be as wanted."""
    variables = subject.typed.variables
    met: set[tuple[int, bool]] = set()
    ahead = [(condition, wanted)]
    while ahead:
        node, wanted = ahead.pop()
        if (id(node), wanted) in met:
            continue
        met.add((id(node), wanted))
        ahead += [(one, wanted) for one in reversed(joined_conditions(node))]
        match node:
            case Has() if wanted:
                yield node
            case Unary(operator="!", operand=operand):
                ahead.append((operand, not wanted))
            case Conditional(condition=asked, then=then, otherwise=otherwise):
                ahead += [(otherwise, wanted), (then, wanted)]
                sides = ((then, False), (otherwise, True))  # what holds without it, and how it is asked about then
                ahead += [(asked, side) for part, side in sides if part != Literal(value=wanted)]
            case Name(name=name) if name in variables:
                ahead.append((variables[name], wanted))
