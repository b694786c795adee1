"""`when_unknown: pass`: doubt passes, on purpose. A note, so that nobody forgets that it is there."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.model import Outcome
from adjudge.source import Span

CODE = "waiver"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find the waivers of the policy, its signals, rules and scorecards."""
    typed = subject.typed
    if typed.when_unknown is Outcome.PASS:
        message = "any doubt passes: the policy's `when_unknown` is pass"
        yield subject.finding(CODE, "warning", message, Span(0, 0), "write review, and waive single signals by name")
    for name, signal in typed.signals.items():
        if signal.when_unknown is Outcome.PASS:
            yield subject.finding(CODE, "note", f"nothing waits for `{name}`: if it is lost, doubt passes", signal.span)
    for rule in typed.rules:
        if rule.when_unknown is Outcome.PASS:
            yield subject.finding(CODE, "note", f"doubt about `{rule.id}` passes", rule.span)
    for card in typed.scorecards.values():
        if card.when_unknown is Outcome.PASS:
            yield subject.finding(CODE, "note", f"doubt about the {card.title} passes", card.rows[0].span)
