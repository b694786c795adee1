"""A personal value in a text: texts go to tickets, mails and screens that nobody erases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.policy.explaining.messages import PLACEHOLDER
from adjudge.source import Span

CODE = "personal-in-message"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find placeholders of personal fields in messages and reasons' texts."""
    for rule in subject.typed.rules:
        yield from _in(subject, rule.message, f"the message of `{rule.id}`", rule.span)
    for code, reason in subject.typed.reasons.items():
        yield from _in(subject, reason.text, f"the text of `{code}`", reason.span)


def _in(subject: LintedPolicy, texts: Mapping[str, str], what: str, span: Span) -> Iterator[LintFinding]:
    names = dict.fromkeys(found.group(1) for text in texts.values() for found in PLACEHOLDER.finditer(text))
    for name in names:
        if name in subject.typed.slots and subject.typed.slots[name].personal:
            message = f"{what} contains the personal field `{name}`"
            yield subject.finding(
                CODE, "warning", message, span, "say it without the value; it is hidden unless asked for"
            )
