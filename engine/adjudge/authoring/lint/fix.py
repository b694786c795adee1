"""Mending what the linter found, without changing what a policy says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adjudge.authoring.lint.finding import LintFinding
from adjudge.errors import PolicyErrors
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Source, Span

ROUNDS_MAX = 100
"""How often fixes are sought again, since one can make room for the next."""


def fixed(text: str, findings: tuple[LintFinding, ...]) -> tuple[str, int]:
    """Return a policy's own text with all fixes made, and how many there were; of two that overlap, only the later."""
    edits = sorted({edit for finding in findings for edit in finding.fix}, key=lambda edit: -edit.span.start)
    begins, made = len(text), 0
    for edit in edits:
        if edit.span.end <= begins:
            text = text[: edit.span.start] + edit.text + text[edit.span.end :]
            begins, made = edit.span.start, made + 1
    return text, made


def mended(
    text: str, read: Callable[[str], TypedPolicy], look: Callable[[TypedPolicy], tuple[LintFinding, ...]]
) -> tuple[str, int]:
    """Return a policy's text after all fixes, and their number.

    A round of fixes after which the policy would not load, or would say something else, is not made.
    Raises PolicyErrors where the policy does not load as it is.
    """
    typed, count = read(text), 0
    for _ in range(ROUNDS_MAX):
        after, made = fixed(text, look(typed))
        if not made:
            break
        try:
            now = read(after)
        except PolicyErrors:
            break
        if not says_the_same(typed, now):
            break
        text, typed, count = after, now, count + made
    return text, count


def says_the_same(one: TypedPolicy, other: TypedPolicy) -> bool:
    """Whether two policies differ only in lists and variables that the first has too much, and in comments."""
    kept = all(one.lists.get(name) == items for name, items in other.lists.items())
    kept &= all(one.variables.get(name) == tree for name, tree in other.variables.items())
    return kept and _said(one) == _said(other)


def _said(policy: TypedPolicy) -> TypedPolicy:
    """Return a policy without its text, places, lists and variables."""
    nowhere = Span(0, 0)
    return replace(
        policy,
        source=Source("", ""),
        digest="",
        lists={},
        texts={},
        variables={},
        rules=tuple(replace(rule, span=nowhere) for rule in policy.rules),
        scorecards={
            name: replace(card, rows=tuple(replace(row, span=nowhere) for row in card.rows))
            for name, card in policy.scorecards.items()
        },
        signals={name: replace(signal, span=nowhere) for name, signal in policy.signals.items()},
        reasons={code: replace(reason, span=nowhere) for code, reason in policy.reasons.items()},
        calibration={name: replace(one, span=nowhere) for name, one in policy.calibration.items()},
    )
