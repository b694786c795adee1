"""Segments of a log's decisions, as a person reads them, and as data."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.model import OUTCOMES
from adjudge.policy.slices import title_of
from adjudge.replay.slices import Segments, told_segments


def segment_lines(by: str, found: Segments, *, has_moved: bool) -> Iterator[str]:
    """Yield a table by segment. has_moved: whether there is an outcome after, which is shown, and how many moved."""
    head = [f"by {by}", "decisions", *OUTCOMES, *(["moved"] if has_moved else [])]
    rows = [head]
    for value, others, one in told_segments(found):
        row = [title_of(value, others), f"{one.total:,}"]
        row += [f"{one.count(new=outcome) / one.total:.1%}" for outcome in OUTCOMES]
        rows.append([*row, *([f"{one.moved:,}"] if has_moved else [])])
    widths = [max(len(row[at]) for row in rows) + 2 for at in range(len(head))]
    for first, *rest in rows:
        cells = "".join(f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        yield f"  {first:<{widths[0]}}{cells}"


def segment_data(found: Segments) -> list[dict[str, object]]:
    """Return segments as JSON has them: outcomes after, and how many moved."""
    return [
        {
            "value": value,
            "others": others,
            "decisions": one.total,
            "outcomes": {outcome.value: one.count(new=outcome) for outcome in OUTCOMES},
            "moved": one.moved,
        }
        for value, others, one in told_segments(found)
    ]
