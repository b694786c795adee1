"""An input that nothing reads: callers gather it for nothing, or a rule was forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy

CODE = "unused-input"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find inputs that no rule, row, text or `with:` reads."""
    in_withs = frozenset().union(*subject.in_withs.values())
    asks = any(signal.provider is not None for signal in subject.typed.signals.values())
    unless = ", unless a provider reads it," if asks else ","
    for name in subject.typed.inputs:
        if not subject.reads_owner(name) and name not in in_withs:
            hint = f"delete it{unless} or write the rule that needs it"
            yield subject.finding(
                CODE, "warning", f"no rule reads the input `{name}`", subject.at("inputs", name), hint
            )
