"""What comparisons mean: chains of them, `null`, currencies, and each side beside the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adjudge.expr.foreign.meaning.beside import COMPARISONS, ORDER, path_of
from adjudge.expr.foreign.meaning.membership import Membership
from adjudge.expr.foreign.meaning.times import middle
from adjudge.expr.foreign.slips import NOTHING, Amount
from adjudge.expr.nodes import (
    Binary,
    Call,
    Has,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Node,
    Unary,
)
from adjudge.values.meant import (
    currency_of,
)
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    TIMESTAMP,
    ListType,
    MoneyType,
    is_text,
)


@dataclass(slots=True)
class Comparisons(Membership):
    """Gives comparisons their meaning."""

    def unary(self, node: Unary) -> Node:
        """Return a sign and what follows it."""
        operand = self.of(node.operand)
        if node.operator == "-" and isinstance(operand, Amount):
            return replace(operand, number=-operand.number, span=node.span)
        if node.operator == "!" and isinstance(operand, Unary) and operand.operator == "!":
            return operand.operand
        return replace(node, operand=operand)

    def binary(self, node: Binary) -> Node:
        """Return an operation, its sides first."""
        left, right = self.of(node.left), self.of(node.right)
        node = replace(node, left=left, right=right)
        if isinstance(left, Unary) and left.operator == "!" and self.type(left.operand) not in (BOOL, DYN):
            self.slip(left.span, "`!` belongs before the whole comparison")
            inner = self.binary_of(replace(node, left=left.operand))
            if node.operator == "==":
                return replace(inner, operator="!=") if isinstance(inner, Binary) else inner
            return Unary(span=node.span, operator="!", operand=inner)
        return self.binary_of(node)

    def binary_of(self, node: Binary) -> Node:
        """Return an operation whose sides have been looked at."""
        node = self.in_currency(self.with_fields(node))
        left, right, operator = node.left, node.right, node.operator
        if (
            operator in COMPARISONS
            and isinstance(left, Binary)
            and left.operator in COMPARISONS
            and self.is_chain(node, left)
        ):
            self.slip(node.span, "a comparison has two sides; two comparisons are joined with `&&`")
            second = self.binary_of(replace(node, left=middle(left)))
            return self.overnight(Logic(span=node.span, operator="&&", operands=(left, second)))
        if operator in COMPARISONS and isinstance(left, Logic):  # `a < b < c`, whose first half has become two already
            last = left.operands[-1]
            if isinstance(last, Binary) and last.operator in COMPARISONS and self.is_chain(node, last):
                second = self.binary_of(replace(node, left=middle(last)))
                return replace(left, operands=(*left.operands, second), span=node.span)
        if (count := self.counted(node)) is not None:
            return count
        if operator == "in":
            return self.membership(node)
        if operator in ("+", "-", "*", "/", "%"):
            return self.arithmetic(node)
        if (known := self.null(node)) is not None:
            return known
        if operator in ("==", "!=") and (held := self.held(node)) is not None:
            return held
        if (found := self.found_in(node)) is not None:
            return found
        left, right = self.now_beside(left, right), self.now_beside(right, left)
        one, other = self.beside(left, right, operator), self.beside(right, left, operator)
        node = replace(node, left=other, right=one)
        if (clock := self.clock(node)) is not None:
            return clock
        return node

    def with_fields(self, node: Binary) -> Binary:
        """Return a comparison in which the name of a field in quotes is the field."""
        for side, other, place in ((node.left, node.right, "left"), (node.right, node.left, "right")):
            name = side.value if isinstance(side, Literal) else None
            if isinstance(name, str) and name in self.fields and not is_text(self.type(other)):
                self.slip(side.span, f"`{name}` in quotes is a text; without them it is the field")
                field = Name(name=name, span=side.span)
                return replace(node, left=field) if place == "left" else replace(node, right=field)
        return node

    def in_currency(self, node: Binary) -> Binary:
        """Return a comparison of money with an amount that names its currency: `limit > $1000`."""
        for side, other, place in ((node.left, node.right, "left"), (node.right, node.left, "right")):
            type_ = self.type(side)
            if not isinstance(type_, MoneyType) or not isinstance(other, Amount) or other.unit != "currency":
                continue
            currency = currency_of(other.said)
            if currency is not None:
                self.slip(node.span, f"money is compared in one currency: `….in({currency})`")
                amount = self.money(side, currency, side.span)
                number = Literal(span=other.span, value=other.number)
                left, right = (amount, number) if place == "left" else (number, amount)
                return replace(node, left=left, right=right)
        return node

    def is_chain(self, node: Binary, left: Binary) -> bool:
        """Whether a comparison whose left side is another one is `a < b < c`."""
        return node.operator in ORDER or (left.operator in ORDER and self.type(node.right) != BOOL)

    def null(self, node: Binary) -> Node | None:
        """Return what is asked where one side is `null`, or `""` beside what is no text."""
        for side, other in ((node.left, node.right), (node.right, node.left)):
            is_nothing = isinstance(side, Literal) and side.value == NOTHING
            if isinstance(side, Literal) and side.value == "":
                is_nothing = self.type(other) in (INT, DOUBLE, DURATION, TIMESTAMP, DATE, BOOL)
            if is_nothing and node.operator in ("==", "!="):
                message = "there is no `null`: what is missing is unknown, and asked for with `has(…)`"
                self.slip(node.span, message)
                known = Has(span=node.span, operand=other)
                return Unary(span=node.span, operator="!", operand=known) if node.operator == "==" else known
        return None

    def logic(self, node: Logic) -> Node:
        """Join what was left of `x == "A" || "B"` into one `in`."""
        parts: list[Node] = []
        for operand in node.operands:
            part = self.of(operand)
            before = parts[-1] if parts else None
            if isinstance(before, Binary) and before.operator == "in" and isinstance(self.type(part), ListType):
                self.slip(part.span, f"`{self.said(part)}` alone is no condition: what is looked for is said again")
                part = Binary(span=part.span, operator="in", left=before.left, right=part)
            compared = self.repeated(before, part) if before is not None else None
            if compared is None and isinstance(part, Logic) and before is not None and node.operator == "||":
                first = self.repeated(before, part.operands[0])  # `x == "A" || "B" && y`
                compared = replace(part, operands=(first, *part.operands[1:])) if first is not None else None
            if compared is not None:
                parts[-1] = compared
            elif isinstance(part, Logic) and part.operator == node.operator:
                parts += part.operands
            else:
                parts.append(part)
        return parts[0] if len(parts) == 1 else self.overnight(replace(node, operands=tuple(parts)))

    def repeated(self, before: Node | None, part: Node) -> Node | None:
        """Return `x in [a, b]` where a bare value follows `x == a`; None for anything else."""
        denied = isinstance(before, Unary) and before.operator == "!"
        inner = before.operand if isinstance(before, Unary) and denied else before
        if (
            isinstance(inner, Call)
            and inner.function in ("contains", "startsWith", "endsWith")
            and len(inner.arguments) == 2
        ):
            return self.looked_for_again(inner, part, denied=denied)
        if not isinstance(inner, Binary) or inner.operator not in ("==", "!=", "in"):
            return None
        if self.type(inner.left) in (BOOL, DYN):
            return None
        value = self.beside(inner.left, part, "==")
        if not isinstance(value, Literal | Call) or (isinstance(value, Literal) and isinstance(value.value, bool)):
            return None
        if isinstance(value, Call) and self.type(value) == BOOL:
            return None
        if inner.operator == "in":
            if not isinstance(inner.right, ListLiteral):
                return None
            items = (*inner.right.items, value)
        else:
            items = (inner.right, value)
        name = path_of(inner.left) or "x"
        self.slip(
            part.span, f"`{self.said(part)}` alone is no condition: several values of `{name}` are asked for with `in`"
        )
        span = before.span.to(part.span) if before is not None else part.span
        right = ListLiteral(span=inner.right.span.to(part.span), items=items)
        found = Binary(span=span, operator="in", left=inner.left, right=right)
        return Unary(span=span, operator="!", operand=found) if denied or inner.operator == "!=" else found

    def looked_for_again(self, before: Call, part: Node, *, denied: bool) -> Node | None:
        """Return `x.contains(a) || x.contains(b)` where a bare text follows `x.contains(a)`."""
        text = before.arguments[0]
        value = self.beside(text, part, "==") if is_text(self.type(text)) else None
        if not isinstance(value, Literal) or not isinstance(value.value, str):
            return None
        self.slip(part.span, f"`{self.said(part)}` alone is no condition: what it is looked for in is said again")
        again = replace(before, arguments=(text, value), span=part.span)
        span = before.span.to(part.span)
        found = Logic(span=span, operator="||", operands=(before, again))
        return Unary(span=span, operator="!", operand=found) if denied else found
