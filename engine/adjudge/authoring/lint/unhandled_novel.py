"""A vocabulary is used, and nothing happens when the vendor learns a new word."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import Finding
from adjudge.authoring.lint.subject import Subject
from adjudge.expr.types import MapType, SetType

CODE = "unhandled-novel"


def check(subject: Subject) -> Iterator[Finding]:
    """Find signals whose sets or keyed maps are read, but none of whose `novel_` lists."""
    for name, signal in subject.typed.signals.items():
        used = [
            field
            for field, declared in signal.fields.items()
            if isinstance(declared.type, SetType | MapType)
            and declared.vocabulary
            and any(read == f"{name}.{field}" or read.startswith(f"{name}.{field}.") for read in subject.named)
        ]
        handled = any(read.startswith(f"{name}.novel_") for read in subject.named)
        if used and not handled:
            message = f"a new word in `{name}.{used[0]}` passes: no rule reads `{name}.novel_{used[0]}`"
            hint = f"add a rule: when: size({name}.novel_{used[0]}) > 0, then: review"
            yield subject.finding(CODE, "warning", message, signal.span, hint)
