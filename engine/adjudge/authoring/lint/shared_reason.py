"""One reason code for different things: an applicant, a reviewer or a report cannot tell which it was."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.policy.typed import Rule

CODE = "shared-reason"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find reason codes of rules that read no field in common, or that a rule shares with a scorecard."""
    by_code: dict[str, Rule] = {}
    cards, reads = {card.reason: card for card in subject.typed.scorecards.values()}, subject.typed.reads.slots
    for rule in subject.typed.rules:
        first = by_code.setdefault(rule.reason, rule)
        if first is not rule and not reads(first.condition) & reads(rule.condition):
            message = f"`{rule.reason}` is the reason of `{first.id}` and of `{rule.id}`, which read nothing in common"
            yield subject.finding(CODE, "warning", message, rule.span, "give each its own `reason`")
        elif rule.reason in cards:
            message = f"`{rule.reason}` is the reason of `{rule.id}` and of the {cards[rule.reason].title}"
            yield subject.finding(CODE, "warning", message, rule.span, "give each its own `reason`")
