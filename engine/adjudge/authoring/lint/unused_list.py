"""A list that nothing reads: whoever edits it believes that it does something."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import list_name

CODE = "unused-list"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find lists that no rule or row reads; those of a fragment may be for another policy."""
    for name in subject.typed.lists:
        if list_name(name) not in subject.named and subject.is_own("lists", name):
            span, fix = subject.at("lists", name), subject.without("lists", name)
            hint = f"delete it, or write a rule with `in lists.{name}`"
            yield subject.finding(CODE, "warning", f"no rule reads the list `{name}`", span, hint, fix)
