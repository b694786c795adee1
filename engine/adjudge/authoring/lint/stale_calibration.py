"""A calibration that is older than it says it holds."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy

CODE = "stale-calibration"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find calibrations whose `valid_for` has passed."""
    for name, one in subject.typed.calibration.items():
        if one.valid_for is not None and one.on + one.valid_for < subject.today:
            message = f"the calibration of `{name}` expired on {one.on + one.valid_for}"
            hint = "look at what reviewers have found since, set the thresholds again, and write the new date"
            yield subject.finding(CODE, "warning", message, one.span, hint)
