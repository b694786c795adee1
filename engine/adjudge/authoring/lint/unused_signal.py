"""A signal that nothing reads: with a provider it may cost money for nothing."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy

CODE = "unused-signal"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find signals of which no rule, row or text reads a field."""
    for name, signal in subject.typed.signals.items():
        if not subject.reads_owner(name):
            asked = f"; `{signal.provider}` is asked for nothing" if signal.provider is not None else ""
            hint = "delete it, or write the rule that needs it"
            yield subject.finding(CODE, "warning", f"no rule reads the signal `{name}`{asked}", signal.span, hint)
