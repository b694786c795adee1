"""Review begins where reject does, or later, so that it is never the answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from adjudge.authoring.lint.comparisons import BoundComparison, comparison_of
from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.model import Outcome
from adjudge.policy.typed import Rule

CODE = "review-past-reject"
REJECTS_MAX = 200
"""How many rejects of one field a review is held against."""


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Compare rules that are one comparison of one field; the table's own thresholds are errors already."""
    found = [(rule, one) for rule in subject.typed.rules if (one := comparison_of(rule.condition)) is not None]
    rejects: dict[tuple[str, bool], list[tuple[Rule, BoundComparison]]] = {}
    for rule, one in found:
        if rule.outcome is Outcome.REJECT:
            rejects.setdefault((one.slot, one.rises), []).append((rule, one))
    for rule, one in found:
        if rule.outcome is Outcome.REVIEW:
            for other, bound in rejects.get((one.slot, one.rises), ())[:REJECTS_MAX]:
                if _covers(bound, one) and {rule.origin, other.origin} != {"threshold"}:
                    yield _finding(subject, rule, other)
                    break


def _covers(reject: BoundComparison, review: BoundComparison) -> bool:
    """Whether whatever is at or past the review's bound is past the reject's too."""
    if (reject.slot, reject.rises) != (review.slot, review.rises):
        return False
    a, b = reject.bound, review.bound
    if not any(isinstance(a, kind) and isinstance(b, kind) for kind in (int | float, timedelta, date)):
        return False
    if a == b:
        return reject.inclusive or not review.inclusive
    return bool((a < b) if review.rises else (a > b))  # type: ignore[operator]  # of one kind, as was looked at


def _finding(subject: LintedPolicy, rule: Rule, other: Rule) -> LintFinding:
    message = f"`{rule.id}` never leads to a review: `{other.id}` rejects everything it catches"
    hint = "swap the two, or narrow the reject"
    return subject.finding(CODE, "warning", message, rule.span, hint)
