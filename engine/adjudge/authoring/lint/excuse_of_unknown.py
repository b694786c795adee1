"""An excuse that holds where something is unknown: whoever makes a signal fail is excused."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.softening_has import needed
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.printing import unparse

CODE = "excuse-of-unknown"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find every `has` in an excuse that must be false, so that something unknown makes it true."""
    for excuse in subject.typed.excuses:
        for node in needed(subject, excuse.condition, False):
            asked = unparse(node.operand)
            message = f"the excuse `{excuse.id}` may hold because `{asked}` is unknown: losing it takes back reviews"
            yield subject.finding(CODE, "warning", message, node.span, f"excuse by what is known of `{asked}`")
