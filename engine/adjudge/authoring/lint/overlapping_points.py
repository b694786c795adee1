"""Two rows of a scorecard of which one holds wherever the other does: their points add up there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

from adjudge.authoring.lint.comparisons import comparison_of
from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.policy.typed import Row, Scorecard
from adjudge.policy.written_rows import written_rows

CODE = "overlapping-points"
ROWS_MAX = 200
"""How many rows are held against each other."""


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find rows with the same condition, or that compare one field with two bounds in one direction."""
    for card in subject.typed.scorecards.values():
        yield from _in(subject, card)


def _in(subject: LintedPolicy, card: Scorecard) -> Iterator[LintFinding]:
    for one, other in combinations(written_rows(card)[:ROWS_MAX], 2):
        if any(_are_in_line(*pair) for pair in product(one.steps, other.steps)):
            message = f"`{other.condition or other.adds}` and `{one.condition or one.adds}` can both hold"
            if one.formula is None and other.formula is None:
                message += f": {one.row.points + other.row.points:+d} points then"
            hint = "give the second only what it adds, and allow it; or separate the two with `unless`"
            yield subject.finding(CODE, "warning", message, other.row.span, hint)


def _are_in_line(one: Row, other: Row) -> bool:
    a, b = comparison_of(one.condition), comparison_of(other.condition)
    in_line = a is not None and b is not None and (a.slot, a.rises) == (b.slot, b.rises)
    return (in_line or one.condition == other.condition) and (one.points > 0) == (other.points > 0)
