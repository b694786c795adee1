"""An input that a `with:` reads and nobody declares: it is never known, and neither is the answer."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.errors import did_you_mean

CODE = "undeclared-input"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find inputs that stand in a signal's `with:` and not under `inputs:`."""
    for signal, names in subject.in_withs.items():
        for name in sorted(names - subject.typed.inputs.keys()):
            hint = did_you_mean(name, subject.typed.inputs) or f"declare `{name}` under `inputs:`"
            message = f"`{signal}` reads the input `{name}`, which is not declared, and so never known"
            yield subject.finding(CODE, "warning", message, subject.typed.signals[signal].span, hint)
