"""What `in` means, and whatever else looks for a value among others."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from adjudge.expr.foreign.built import within as between
from adjudge.expr.foreign.meaning.arithmetic import Arithmetic
from adjudge.expr.foreign.meaning.beside import path_of
from adjudge.expr.foreign.slips import NOTHING, Doubtful, Slip
from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Node,
    Unary,
)
from adjudge.values.types import (
    DOUBLE,
    INT,
    STRING,
    EnumType,
    ListType,
    SetType,
    is_text,
)

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(slots=True)
class Membership(Arithmetic):
    """Gives what looks for values among others its meaning."""

    def membership(self, node: Binary) -> Node:
        """Return `x in …` with a list, a set or a range behind it."""
        left, right = node.left, node.right
        items: list[Node] = []
        type_, within = self.type(left), self.type(right)
        if isinstance(right, ListLiteral):
            if isinstance(type_, SetType):
                words = EnumType(type_.values)
                items = [self.word(item, words) or item for item in right.items]
                right = replace(right, items=tuple(items))
                self.slip(node.span, "whether a set holds one of several is asked with `exists`")
                member = Binary(span=node.span, operator="in", left=Name(name="member"), right=right)
                return Comprehension(span=node.span, kind="exists", operand=left, variable="member", predicate=member)
            for item in right.items:
                parts = item.operands if isinstance(item, Logic) else (item,)
                if isinstance(item, Logic):
                    self.slip(item.span, "the values of a list are separated by commas")
                items += [self.beside(left, part, "==") for part in parts]
            return replace(node, right=replace(right, items=tuple(items)))
        if isinstance(right, Call) and right.function == "range" and len(right.arguments) in (1, 2):
            self.slip(right.span, "a range is written as two comparisons")
            *first, high = right.arguments
            low = first[0] if first else Literal(span=right.span, value=0)
            return between(left, low, high, high_in=False)
        if isinstance(right, Literal) and isinstance(right.value, str) and right.value != NOTHING:
            codes = re.fullmatch(r"[A-Z]{2,3}(?: [A-Z]{2,3})+", right.value) is not None  # of countries, currencies
            values = [part.strip() for part in re.split(r"[,;| ]" if codes else r"[,;|]", right.value) if part.strip()]
            if is_text(type_):
                self.slip(right.span, "a list stands in square brackets, each text in quotes")
                items = [self.beside(left, Literal(span=right.span, value=value), "==") for value in values]
                return replace(node, right=ListLiteral(span=right.span, items=tuple(items)))
        if isinstance(right, Name) and _CURRENCY.fullmatch(right.name) and type_ in (INT, DOUBLE):
            what = f"a number has no currency, so it is not asked for in `{right.name}`"
            more = (
                "declare the field as `{type: money, currencies: [SGD, USD]}`, or multiply it by a rate from a `lookup`"
            )
            raise Doubtful(Slip(node.span, what, more=more))
        if is_text(within) and is_text(type_) and path_of(right) is not None:
            self.slip(node.span, "a text is looked for in a text with `contains`")
            return Call(span=node.span, function="contains", arguments=(right, left), method=True)
        if isinstance(within, SetType) and (word := self.word(left, EnumType(within.values))) is not None:
            return replace(node, left=word)
        if is_text(type_) and (word := self.word(right, type_)) is not None:
            return replace(node, right=ListLiteral(span=right.span, items=(word,)))
        return node

    def held(self, node: Binary) -> Node | None:
        """Return `"A" in tags` where a set or list is compared with one text."""
        for many, one in ((node.left, node.right), (node.right, node.left)):
            type_ = self.type(many)
            if many is node.right and isinstance(type_, ListType) and type_.item == self.type(one) and path_of(one):
                self.slip(node.span, "whether a value is in a list is asked with `in`")
                looked = Binary(span=node.span, operator="in", left=one, right=many)
                return looked if node.operator == "==" else Unary(span=node.span, operator="!", operand=looked)
            if isinstance(type_, SetType | ListType) and path_of(many) is not None:
                values = EnumType(type_.values) if isinstance(type_, SetType) else STRING
                word = self.word(one, values) or one
                if isinstance(word, Literal) and isinstance(word.value, str):
                    self.slip(node.span, "whether a value is among others is asked with `in`")
                    found = Binary(span=node.span, operator="in", left=word, right=many)
                    return found if node.operator == "==" else Unary(span=node.span, operator="!", operand=found)
        return None

    def found_in(self, node: Binary) -> Node | None:
        """Return `a.contains(b)` for `a.find(b) >= 0`, whose call has become that already."""
        if (counted := self.counted_in(node)) is not None:
            return counted
        call, position = node.left, node.right
        is_position = isinstance(position, Literal | Unary) and self.type(position) == INT
        if not (isinstance(call, Call) and call.function == "contains" and is_position):
            return None
        value = position.value if isinstance(position, Literal) else -1
        is_there = (node.operator in (">", ">=", "!=")) if value in (-1, 0, 1) else None
        if is_there is None or (node.operator == "==" and value != -1):
            return None
        return call if is_there else Unary(span=node.span, operator="!", operand=call)

    def counted_in(self, node: Binary) -> Node | None:
        """Return `b in a` for `COUNTIF(a, b) > 0`, whose call has become that already."""
        found, count = node.left, node.right
        if not (isinstance(found, Binary) and found.operator == "in" and isinstance(count, Literal)):
            return None
        if (node.operator, count.value) in ((">", 0), (">=", 1), ("!=", 0), ("==", 1)) and count.value is not True:
            return found
        is_none = (node.operator, count.value) in (("==", 0), ("<", 1), ("<=", 0))
        return Unary(span=node.span, operator="!", operand=found) if is_none and count.value is not False else None
