"""A list's file without a value: nothing is in it, so a rule with `in` never holds."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy

CODE = "empty-list"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find lists whose file holds nothing, as where it was saved empty; one that is written out as `[]` says so."""
    for name, path in subject.typed.list_files.items():
        if not subject.typed.lists[name] and subject.is_own("lists", name):
            message = f"the list `{name}` is empty: `{path}` holds no value"
            hint = "write one value a line, or write the list as [] until there is one"
            yield subject.finding(CODE, "warning", message, subject.at("lists", name), hint)
