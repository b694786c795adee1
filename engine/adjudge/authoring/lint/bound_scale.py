"""A bound such as 0.7 of a field that runs from 0 to 100: most likely meant on another scale."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.comparisons import comparison_of
from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import walk
from adjudge.policy.written_rows import rows_written
from adjudge.source import Span
from adjudge.texts import about, in_digits

CODE = "bound-scale"
_RANGE_MIN = 10
"""From this end of a range on, a bound between 0 and 1 is taken for a share."""


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Look at every comparison of a field with a number, wherever it stands in a condition."""
    typed = subject.typed
    conditions = [(f"`{rule.id}`", rule.condition) for rule in typed.rules]
    conditions += [(row.row.place, node) for row in rows_written(typed) for node in row.nodes]
    conditions += [(f"the variable `{name}`", node) for name, node in typed.variables.items()]
    told: set[str] = set()
    for what, condition in conditions:
        for node in walk(condition):
            one = comparison_of(node)
            if one is None or not isinstance(one.bound, int | float) or not 0 < one.bound < 1:
                continue
            declared = subject.typed.slots.get(one.slot)
            if declared is None or not isinstance(declared.maximum, int | float) or declared.maximum < _RANGE_MIN:
                continue
            low = declared.minimum if isinstance(declared.minimum, int | float) else 0
            is_threshold = what.startswith("`threshold:")
            if low < 0 or (is_threshold and one.slot in told):
                continue
            told |= {one.slot} if is_threshold else set()  # both bounds of an entry are one mistake
            yield _finding(subject, what, one.slot, one.bound, float(declared.maximum), node.span)


def _finding(subject: LintedPolicy, what: str, slot: str, bound: float, highest: float, span: Span) -> LintFinding:
    message = f"{what} compares `{slot}`, which goes up to {in_digits(highest)}, with {in_digits(bound)}"
    hint = f"write {about(bound * highest)} if {in_digits(bound)} was meant as a share of the range, or allow it"
    return subject.finding(CODE, "warning", message, span, hint)
