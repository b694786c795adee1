"""A threshold of a score that was never calibrated, as far as the policy says."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.comparisons import comparison_of
from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.policy.slots import is_within
from adjudge.policy.typed import Rule
from adjudge.values.types import DOUBLE

CODE = "uncalibrated-threshold"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find scores in the table of thresholds that no `calibration` covers; a policy that has none gets one note."""
    open_: dict[str, Rule] = {}
    for rule in subject.typed.rules:
        one = comparison_of(rule.condition) if rule.origin == "threshold" else None
        if one is not None and subject.typed.slots[one.slot].type == DOUBLE and not _covered(subject, one.slot):
            open_.setdefault(one.slot, rule)
    if not open_:
        return
    if not subject.typed.calibration:
        first = next(iter(open_.values()))
        scores = f"{len(open_)} scores have" if len(open_) > 1 else "1 score has"
        message = f"the policy declares no calibration, and {scores} thresholds"
        hint = "add `calibration: {field: {on: 2026-08-01, valid_for: 180d}}` once the numbers come from data"
        yield subject.finding(CODE, "note", message, first.span, hint)
        return
    for slot, rule in open_.items():
        message = f"the thresholds of `{slot}` have no calibration"
        yield subject.finding(CODE, "warning", message, rule.span, f"add `{slot}` under `calibration`")


def _covered(subject: LintedPolicy, slot: str) -> bool:
    return any(is_within(slot, name) for name in subject.typed.calibration)
