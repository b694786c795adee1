"""Membership: lists in brackets of any kind or in none, and ranges."""

from __future__ import annotations

import re

from adjudge.errors import PolicyError
from adjudge.expr.foreign.built import COUNTED, is_value, within
from adjudge.expr.foreign.phrases import NUMBER_WORDS
from adjudge.expr.foreign.slips import Clock
from adjudge.expr.foreign.sums import Sums
from adjudge.expr.nodes import Binary, Call, ListLiteral, Literal, Node

_COUNT = re.compile(
    rf"(?:at\s+least\s+|any\s+|min(?:imum)?\s+)?(\d|{'|'.join(NUMBER_WORDS)})\s+(?:or\s+more\s+)?of\s*(?=[(\[])",
    re.IGNORECASE,
)
_ROW = re.compile(r"\d+(?:,(?!\d{3}\b)\d+)+(?![\w.%$])", re.ASCII)
"""`1,2,3`: numbers in a row, whose commas group no digits."""


class Lists(Sums):
    """Reads what something is looked for in."""

    def primary(self) -> Node:
        """Read a value, or how many of several conditions must hold: `at least 2 of (a, b, c)`."""
        token = self.token
        start = token.end - len(token.text)
        if token.kind not in ("name", "number") or not (found := _COUNT.match(self.text.value, start)):
            return super().primary()
        said = found.group(1).lower()
        count = int(said) if said.isdigit() else NUMBER_WORDS.index(said)
        self.previous, self.token = token, self.word(found.end())
        self.slip(token.span.to(self.token.span), COUNTED)
        with self.bracket(separates=True):
            opening = self.advance()
            closing = ")" if opening.text == "(" else "]"
            items, end = self.closed(closing, lambda: self.sequence(closing, self.expression, trailing=True))
        many = ListLiteral(span=opening.span.to(end), items=items)
        return Call(
            span=token.span.to(end), function="atLeast", arguments=(Literal(span=token.span, value=count), many)
        )

    def between(self, left: Node) -> Node:
        """Read the ends of a range."""
        low = self.sum()
        if not (self.accept_word("and", "to") or self.accept("&&", "-") or self.accept(",")):
            raise self.unexpected("`and`")
        return within(left, low, self.sum())

    def membership(self, left: Node) -> Node:
        """Read what a value is looked for in."""
        opening = self.token
        if self.at("(", "[", "{"):
            node = self.enclosed(left)
            if node is not None:
                return node
        if opening.kind == "amount" and (row := _ROW.match(self.text.value, opening.end - len(opening.text))):
            self.slip(opening.span, "a list stands in square brackets")
            with self.bracket(separates=True):
                self.token = self.word(row.start())
                items = [self.sum()]
                while self.accept(","):
                    items.append(self.sum())
            many = ListLiteral(span=items[0].span.to(items[-1].span), items=tuple(items))
            return Binary(span=left.span.to(many.span), operator="in", left=left, right=many)
        low = self.sum()
        if self.accept_range():
            self.slip(self.previous.span, "a range is written as two comparisons")
            return within(left, low, self.sum())
        match low:
            case Binary(operator="-", left=Clock(), right=Clock()):
                self.slip(low.span, "a range is written as two comparisons")
                return within(left, low.left, low.right)
            case Binary(operator="-", left=Literal(value=int() | float() as first), right=Literal() as last):
                if isinstance(last.value, int | float) and first < last.value:
                    self.slip(low.span, "a range is written as two comparisons")
                    return within(left, low.left, last)
        right = self.listed(low)
        if right is not low:
            self.slip(opening.span, "a list stands in square brackets")
        return Binary(span=left.span.to(right.span), operator="in", left=left, right=right)

    def accept_range(self) -> bool:
        """Read what stands between the ends of a range: `..`, `to`, and `:` where no choice is read."""
        return self.accept("range") or self.accept_word("to") or (not self.choices and self.accept(":"))

    def listed(self, first: Node) -> Node:
        """Read on where bare values follow each other by commas, outside of brackets that separate by them."""
        if not self.at(",") or self.in_list or not is_value(first):
            return first
        items = [first]
        while self.accept(","):
            items.append(self.sum())
        return ListLiteral(span=first.span.to(items[-1].span), items=tuple(items))

    def enclosed(self, left: Node) -> Node | None:
        """Read what stands in brackets behind `in`: a list in other ones, or a range. None where it is all right."""
        opening = self.token
        before = self.token, self.previous, list(self.slips), list(self.open)
        self.separates.append(True)
        try:
            self.advance()
            self.open.append(opening)
            items = self.items()
            closing = self.token
        except PolicyError:
            self.token, self.previous, self.slips[:], self.open = before
            return None
        finally:
            self.separates.pop()
        self.open.pop()
        self.advance()
        span = opening.span.to(closing.span)
        if items and isinstance(items[0], Binary) and len(items) == 1 and opening.text == "(":
            self.token, self.previous, self.slips[:], self.open = before
            return None
        ranges = {"[)", "(]"}
        if opening.text + closing.text in ranges and len(items) == 2:
            self.slip(span, "a range is written as two comparisons")
            return within(left, *items, low_in=opening.text == "[", high_in=closing.text == "]")
        if len(items) == 1 and isinstance(items[0], Call) and items[0].function == "\0range":
            self.slip(span, "a range is written as two comparisons")
            return within(left, *items[0].arguments)
        if opening.text != "[":
            if len(items) == 1 and not is_value(items[0]):
                self.token, self.previous, self.slips[:], self.open = before
                return None
            self.slip(opening.span, "a list stands in square brackets", is_sure=True)
        right = ListLiteral(span=span, items=tuple(items))
        return Binary(span=left.span.to(span), operator="in", left=left, right=right)

    def items(self) -> list[Node]:
        """Read items by commas, semicolons, `or`, `and` or only blanks, up to a closing bracket."""
        items: list[Node] = []
        while not self.at("]", ")", "}"):
            if not items and self.at_word("select"):
                raise self.fail(
                    "token", "a condition asks no database", self.token.span, "write a list, or ask a provider"
                )
            item = self.sum()
            if isinstance(item, Binary) and isinstance(item.left, Clock) and isinstance(item.right, Clock):
                item = Call(span=item.span, function="\0range", arguments=(item.left, item.right))
            elif self.accept_range():
                high = self.sum()
                item = Call(span=item.span.to(high.span), function="\0range", arguments=(item, high))
            items.append(item)
            if self.at(","):
                self.advance()
            elif self.at_word("or", "and") or self.at("||", "&&"):
                self.slip(self.token.span, "the values of a list are separated by commas")
                self.advance()
            elif not self.at("]", ")", "}"):
                if self.token.kind not in ("string", "name", "number", "amount"):
                    raise self.unexpected("`,`")
                self.slip(self.token.span, "a comma is missing before this value")
        return items
