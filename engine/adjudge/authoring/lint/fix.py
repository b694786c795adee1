"""Mending what the linter found, which changes no verdict, and mistakes that can be meant in one way only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adjudge.authoring.lint.finding import LintFinding
from adjudge.errors import PolicyError, PolicyErrors
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Edit, Source, Span

ROUNDS_MAX = 100
"""How often fixes are sought again, since one can make room for the next."""


def fixed(text: str, findings: tuple[LintFinding, ...]) -> tuple[str, int]:
    """Return a policy's own text with all fixes made, and how many there were; of two that overlap, only the later."""
    return _with_edits(text, {edit for finding in findings for edit in finding.fix})


def corrected(text: str, name: str, read: Callable[[str], object]) -> tuple[str, int]:
    """Return a document's text without the mistakes that can be meant in one way only, and how many there were.

    name: of the document, as its errors have it; those of other files stay. read: raises PolicyErrors with them all.
    A round of corrections after which there are no fewer mistakes is not made.
    """
    count, before = 0, _mistakes(text, read)
    for _ in range(ROUNDS_MAX):
        sure = [error for error in before if error.is_sure and error.file == name]
        after, made = _with_edits(text, {edit for error in sure for edit in error.fix})
        left = _mistakes(after, read) if made else before
        if len(left) >= len(before):
            break
        count += len(before) - len(left)
        text, before = after, left
    return text, count


def _mistakes(text: str, read: Callable[[str], object]) -> tuple[PolicyError, ...]:
    try:
        read(text)
    except PolicyErrors as errors:
        return errors.errors
    return ()


def _with_edits(text: str, found: set[Edit]) -> tuple[str, int]:
    edits = sorted(found, key=lambda edit: (-edit.span.start, -edit.span.end, edit.text))
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
