"""What the parts of sums and products mean: lengths of time, days, conditions that are counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from adjudge.expr.foreign.built import COUNTED
from adjudge.expr.foreign.meaning.beside import MIRROR, ORDER, reckoned
from adjudge.expr.foreign.meaning.times import Times
from adjudge.expr.foreign.slips import Amount, Moment
from adjudge.expr.nodes import (
    Binary,
    Call,
    Conditional,
    ListLiteral,
    Literal,
    Node,
    Unary,
)
from adjudge.values.meant import (
    SECONDS,
    length_text,
)
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    TIMESTAMP,
)


@dataclass(slots=True)
class Arithmetic(Times):
    """Gives sums and products their meaning."""

    def arithmetic(self, node: Binary) -> Node:
        """Return a sum or product whose parts fit each other."""
        left, right = node.left, node.right
        if self.type(right) == DATE:
            left = self.now_beside(left, right)
        elif self.type(left) == DATE:
            right = self.now_beside(right, left)
        node = replace(node, left=left, right=right)
        types = self.type(left), self.type(right)
        for at, part in enumerate((left, right)):
            beside = types[1 - at]
            if isinstance(part, Amount):
                times = reckoned((left, right)[1 - at]) if part.unit in SECONDS and node.operator == "*" else None
                if times is not None:
                    return replace(part, number=part.number * times, span=node.span, said=self.said(node))
                timed = beside in (TIMESTAMP, DURATION, DATE)
                changed = self.amount(part, DURATION if timed else beside, None)
            elif isinstance(part, Moment) or (
                isinstance(part, Literal) and isinstance(part.value, str) and beside == TIMESTAMP
            ):
                changed = self.moment(part, TIMESTAMP)
            elif beside in (TIMESTAMP, DATE) and (number := reckoned(part)) is not None and node.operator in ("+", "-"):
                days = length_text(timedelta(days=number), 86_400)
                changed = self.duration(
                    part.span, days, "a length of time needs its unit: a number alone is no number of days"
                )
            elif types[at] == BOOL and node.operator == "+":
                self.slip(part.span, COUNTED)
                one, none = Literal(span=part.span, value=1), Literal(span=part.span, value=0)
                changed = Conditional(span=part.span, condition=part, then=one, otherwise=none)
            elif isinstance(part, Literal) and beside == DOUBLE and type(part.value) is int:
                self.slip(part.span, "doubles are reckoned with doubles", is_sure=True)
                changed = replace(part, value=float(part.value))
            else:
                continue
            node = replace(node, left=changed) if at == 0 else replace(node, right=changed)
        return node

    def counted(self, node: Binary) -> Node | None:
        """Return how many of several conditions hold, at least or at most, where a count of ones stands for it."""
        for side, other, operator in (
            (node.left, node.right, node.operator),
            (node.right, node.left, MIRROR.get(node.operator, node.operator)),
        ):
            conditions = _ones(side)
            if len(conditions) < 2 or operator not in ORDER or not isinstance(other, Literal):
                continue
            slips = [one for one in self.slips if one.message == COUNTED and one.span.start >= side.span.start]
            if type(other.value) is not int or not slips:
                continue
            least = other.value + (operator in (">", "<="))
            many = ListLiteral(span=side.span, items=conditions)
            call = Call(span=node.span, function="atLeast", arguments=(replace(other, value=least), many))
            if least >= 1:
                return call if operator in (">", ">=") else Unary(span=node.span, operator="!", operand=call)
        return None


def _ones(node: Node) -> tuple[Node, ...]:
    """Return the conditions that `(a ? 1 : 0) + (b ? 1 : 0)` counts; none for anything else."""
    match node:
        case Conditional(condition=condition, then=Literal(value=1), otherwise=Literal(value=0)):
            return (condition,)
        case Binary(operator="+", left=left, right=right):
            ones, others = _ones(left), _ones(right)
            return (*ones, *others) if ones and others else ()
        case _:
            return ()
