"""A rule whose time is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy

CODE = "expired-rule"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find rules whose `until` has passed."""
    today = datetime.combine(subject.today, time(), UTC)
    for rule in subject.typed.rules:
        if rule.ends is not None and rule.ends <= today:
            message = f"`{rule.id}` expired on {rule.ends.date()}"
            yield subject.finding(CODE, "warning", message, rule.span, "delete it, or move its `until`")
