"""A vocabulary is used, and nothing happens when the vendor learns a new word."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.policy.slots import is_within

CODE = "unhandled-novel"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find sets and keyed maps that are read while no list of what is outside their vocabulary is."""
    for _, span, vocabularies in subject.vocabularies:
        for fields in vocabularies.values():
            used = [name for name in fields if any(is_within(read, name) for read in subject.named)]
            if used and not any(subject.typed.news_of(name) in subject.named for name in fields):
                news = subject.typed.news_of(used[0])
                message = f"a new word in `{used[0]}` passes: no rule reads `{news}`"
                hint = f"add a rule: when: size({news}) > 0, then: review"
                yield subject.finding(CODE, "warning", message, span, hint)
