"""A policy without tests: nobody knows what it was meant to do."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.source import Span

CODE = "no-tests"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Say so where no test file stands beside the policy."""
    if subject.has_tests is False and (subject.typed.rules or subject.typed.scorecards):
        hint = "write a file that ends in _test.yaml beside it; `adjudge test --suggest` begins one"
        yield subject.finding(CODE, "warning", "there are no tests beside this policy", Span(0, 0), hint)
