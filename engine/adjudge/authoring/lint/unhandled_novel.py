"""A vocabulary is used, and nothing happens when the vendor learns a new word."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy

CODE = "unhandled-novel"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find sets and keyed maps that are read while no `novel_` list of their vocabulary is."""
    for _, span, vocabularies in subject.vocabularies:
        for fields in vocabularies.values():
            used = [name for name in fields if any(f"{read}.".startswith(f"{name}.") for read in subject.named)]
            if used and not any(_novel(name) in subject.named for name in fields):
                message = f"a new word in `{used[0]}` passes: no rule reads `{_novel(used[0])}`"
                hint = f"add a rule: when: size({_novel(used[0])}) > 0, then: review"
                yield subject.finding(CODE, "warning", message, span, hint)


def _novel(name: str) -> str:
    owner, dot, field = name.rpartition(".")
    return f"{owner}{dot}novel_{field}"
