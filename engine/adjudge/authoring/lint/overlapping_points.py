"""Two rows of a scorecard of which one holds wherever the other does: their points add up there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from adjudge.authoring.lint.comparisons import comparison_of
from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.printing import unparse
from adjudge.policy.typed import Scorecard

CODE = "overlapping-points"
ROWS_MAX = 200
"""How many rows are held against each other."""


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find rows with the same condition, or that compare one field with two bounds in one direction."""
    for card in subject.typed.scorecards.values():
        yield from _in(subject, card)


def _in(subject: LintedPolicy, card: Scorecard) -> Iterator[LintFinding]:
    rows = [(row, comparison_of(row.condition)) for row in card.rows[:ROWS_MAX]]
    for (one, a), (other, b) in combinations(rows, 2):
        if one.written and one.written == other.written:  # steps of one row, which add up to what it says
            continue
        in_line = a is not None and b is not None and (a.slot, a.rises) == (b.slot, b.rises)
        if (in_line or one.condition == other.condition) and (one.points > 0) == (other.points > 0):
            both = one.points + other.points
            message = (
                f"`{unparse(other.condition)}` and `{unparse(one.condition)}` can both hold: {both:+d} points then"
            )
            hint = "give the second only what it adds, and allow it; or separate the two with `unless`"
            yield subject.finding(CODE, "warning", message, other.span, hint)
