"""Sums and products, with the operators of other languages."""

from __future__ import annotations

from typing import cast

from adjudge.expr.foreign.operands import Operands
from adjudge.expr.nodes import Binary, BinaryOperator, Conditional, Has, Literal, Node

_ARITHMETIC = {"mod": "%", "div": "/"}


class Sums(Operands):
    """Reads what is reckoned."""

    def sum(self) -> Node:
        """Read products that are added or subtracted."""
        node = self.product()
        while self.at("+", "-"):
            operator = self.advance().text
            right = self.product()
            node = Binary(
                span=node.span.to(right.span), operator=cast(BinaryOperator, operator), left=node, right=right
            )
        if self.at("??"):
            self.slip(self.advance().span, "`??` is written as a choice: `has(x) ? x : other`")
            otherwise = self.sum()
            known = Has(span=node.span, operand=node)
            return Conditional(span=node.span.to(otherwise.span), condition=known, then=node, otherwise=otherwise)
        return node

    def product(self) -> Node:
        """Read operands that are multiplied or divided."""
        node = self.unary()
        while self.at("*", "/", "%", "to the power") or self.at_word(*_ARITHMETIC):
            token = self.advance()
            operator = token.text
            if token.kind == "name":
                operator = _ARITHMETIC[token.text.lower()]
                self.slip(token.span, f"`{token.text}` is written `{operator}`")
            right = self.unary()
            span = node.span.to(right.span)
            if operator == "to the power":
                said = self.text.source.text[token.span.start : token.span.end]
                if not isinstance(right, Literal) or right.value not in (2, 3):
                    raise self.fail("token", f"there is no power `{said}` in conditions", token.span)
                self.slip(token.span, f"there is no power `{said}`: multiply the value by itself")
                square = Binary(span=span, operator="*", left=node, right=node)
                node = square if right.value == 2 else Binary(span=span, operator="*", left=square, right=node)
            else:
                node = Binary(span=span, operator=cast(BinaryOperator, operator), left=node, right=right)
        return node
