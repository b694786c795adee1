"""Two rules that say the same: one of them will be edited, and the other forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import Node
from adjudge.model import Outcome
from adjudge.policy.typed import Rule

CODE = "duplicate-rule"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find rules with one condition and one outcome."""
    seen: dict[tuple[Node, Outcome], Rule] = {}
    for rule in subject.typed.rules:
        first = seen.setdefault((rule.condition, rule.outcome), rule)
        if first is not rule:
            message = f"`{rule.id}` says the same as `{first.id}`"
            yield subject.finding(CODE, "warning", message, rule.span, "delete one of them")
