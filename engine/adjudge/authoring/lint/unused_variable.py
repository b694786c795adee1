"""A variable that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy

CODE = "unused-variable"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find variables that no rule or row reads, by way of other variables or not.

    Those of a fragment may be for another policy.
    """
    for name in subject.typed.variables:
        if name not in subject.named and subject.is_own("variables", name):
            span, fix = subject.at("variables", name), subject.without("variables", name)
            hint = "delete it, or use it in a rule"
            yield subject.finding(CODE, "warning", f"no rule reads the variable `{name}`", span, hint, fix)
