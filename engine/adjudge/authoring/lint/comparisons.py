"""Conditions that are one comparison of a field with a constant."""

from __future__ import annotations

from adjudge.expr.nodes import Binary, Name, Node, walk
from adjudge.expr.operators import FLIPPED
from adjudge.expr.reference import Unknown, evaluate
from adjudge.frozen import frozen


@frozen(kw_only=True)
class BoundComparison:
    """`slot >= bound` and its like. rises: above the bound rather than below. inclusive: at it too."""

    slot: str
    bound: object
    rises: bool
    inclusive: bool


def comparison_of(node: Node) -> BoundComparison | None:
    """Return the comparison that a condition is, whichever side the field stands on; None where it is another thing."""
    if not isinstance(node, Binary) or node.operator not in FLIPPED:
        return None
    left, right, operator = node.left, node.right, str(node.operator)
    if not isinstance(left, Name):
        left, right, operator = right, left, FLIPPED[operator]
    if not isinstance(left, Name) or any(isinstance(part, Name) for part in walk(right)):
        return None
    bound = evaluate(right, {})
    if isinstance(bound, Unknown):
        return None
    return BoundComparison(slot=left.name, bound=bound, rises=operator[0] == ">", inclusive=operator.endswith("="))
