"""What there is to try of a row whose points an expression says: each number it can add, and that it is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from adjudge.expr.nodes import Logic, Node, Unary
from adjudge.policy.typed import Row
from adjudge.policy.written_rows import Truth, WrittenRow, points_said
from adjudge.values.types import BOOL

UNKNOWN = "unknown"


def things_to_try(row: WrittenRow) -> Iterator[str]:
    """Yield what there is to try, whether or not it can be unknown: `+10`, `+25`, `0`, `unknown`."""
    assert row.formula is not None
    values = {*row.formula.values, *((0,) if row.formula.when is not None else ())}
    yield from (_said(value) for value in sorted(values))
    yield UNKNOWN


def tried_by(row: WrittenRow, answers: Sequence[Truth]) -> str:
    """Return what is tried where its steps hold or not."""
    low, high = row.added(answers)
    return _said(low) if low == high else UNKNOWN


def condition_of(row: WrittenRow, what: str) -> Node:
    """Return a condition that is true where something is tried; of `unknown`, one that is unknown there."""
    ups, downs = row.ways
    if what == UNKNOWN:
        return (ups or downs)[-1].condition
    if what == _said(0):
        return _and([_not(way[0]) for way in (ups, downs) if way])
    for way in (ups, downs):
        for at, value in enumerate(accumulate(step.points for step in way)):
            if _said(value) == what:
                return _and([way[at].condition, *(_not(step) for step in way[at + 1 : at + 2])])
    raise KeyError(what)


def _said(value: int) -> str:
    return points_said((value, value))


def _not(step: Row) -> Node:
    return Unary(operator="!", operand=step.condition, span=step.span, type=BOOL)


def _and(nodes: Sequence[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Logic(operator="&&", operands=tuple(nodes), span=nodes[0].span, type=BOOL)
