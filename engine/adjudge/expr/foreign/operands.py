"""Operands in other languages: constants, choices, lists and maps in other brackets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

from adjudge.expr.foreign.phrases import BOOLS
from adjudge.expr.foreign.reader import ForeignReader
from adjudge.expr.foreign.slips import NOTHING, Amount, Clock, Moment
from adjudge.expr.nodes import Binary, Comprehension, Conditional, ListLiteral, Literal, MapLiteral, Name, Node, Unary
from adjudge.expr.tokens import Token
from adjudge.values.meant import AMOUNT, quantity_of

T = TypeVar("T")


class Operands(ForeignReader):
    """Reads what stands between operators."""

    def primary(self) -> Node:
        """Read a value."""
        token = self.token
        match token.kind:
            case "amount":
                self.advance()
                found = AMOUNT.fullmatch(token.text)
                assert found is not None
                said = quantity_of(found)
                return Amount(span=token.span, number=said.number, unit=said.unit, said=token.text)
            case "moment":
                self.advance()
                return Moment(span=token.span, said=token.text)
            case "clock":
                self.advance()
                return Clock(span=token.span, seconds=int(token.text))
            case "operator" if token.text == "=~" and self.text.source.text[token.span.start] == "~":
                self.advance()
                self.slip(token.span, "`~` is written `!`")
                operand = self.unary()
                return Unary(span=token.span.to(operand.span), operator="!", operand=operand)
            case "operator" if token.text == "{":
                return self.braces()
            case "operator" if token.text in ("(", "["):
                with self.bracket(separates=token.text == "["):
                    if token.text == "(":
                        self.advance()
                        inner, end = self.closed(")", self.expression)
                        return replace(inner, span=token.span.to(end))
                    return self.of_items(super().primary())
            case "name" if not self.is_field(token.text):
                word = token.text.lower()
                if word in BOOLS and token.text not in ("true", "false"):
                    self.advance()
                    meant = "true" if BOOLS[word] else "false"
                    self.slip(token.span, f"`{token.text}` is written `{meant}`", is_sure=word in ("true", "false"))
                    return Literal(span=token.span, value=BOOLS[word])
                if word in ("date", "timestamp", "datetime", "interval") and self.is_constant_next():
                    return self.constant()
                if word == "case":
                    return self.case()
                if word == "if" and not self.text.value[token.end :].lstrip().startswith("("):
                    return self.if_then()
                if word == "not":
                    return self.negation()
                if word in ("null", "none", "nil"):
                    self.advance()
                    return Literal(span=token.span, value=NOTHING)
        return super().primary()

    def of_items(self, node: Node) -> Node:
        """Return `[x for x in items if …]`, a list of one comprehension, as the list that it is."""
        if isinstance(node, ListLiteral) and len(node.items) == 1 and isinstance(node.items[0], Comprehension):
            return replace(node.items[0], span=node.span)
        return node

    def call(self, function: Token, receiver: Node | None = None) -> Node:
        """Read arguments, between which a comma separates."""
        with self.bracket(separates=True):
            return super().call(function, receiver)

    def name(self, dot: Token | None = None) -> Node:
        """Read a name, or the call of a function of that name."""
        token = self.advance()
        if self.at("(") and (not self.is_field(token.text) or dot is None):
            return self.call(token)
        return Name(span=(dot or token).span.to(token.span), name=token.text, absolute=dot is not None)

    def is_constant_next(self) -> bool:
        """Whether a constant follows a type's name, as in SQL: `DATE '2026-11-30'`, `INTERVAL 30 DAY`."""
        rest = self.text.value[self.token.end :].lstrip()
        return rest[:1] in ("'", '"') or (self.at_word("interval") and rest[:1].isdigit())

    def constant(self) -> Node:
        """Read a constant behind its type's name."""
        start = self.advance()
        self.slip(start.span, f"`{start.text}` before a constant is not written here")
        token = self.advance()
        said = (
            f"{token.text} {self.advance().text}"
            if token.kind == "number" and self.token.kind == "name"
            else token.text
        )
        span = start.span.to(self.previous.span)
        if start.text.lower() != "interval":
            return Moment(span=span, said=said)
        found = AMOUNT.fullmatch(said)
        if found is None:
            raise self.unexpected("a length of time")
        length = quantity_of(found)
        return Amount(span=span, number=length.number, unit=length.unit, said=said)

    def case(self) -> Node:
        """Read `case when a then b else c end`, and `case x when a then b end`."""
        start = self.advance()
        self.slip(start.span, "a choice is written `condition ? a : b`")
        branches = []
        subject = None if self.at_word("when") else self.operations()
        while self.accept_word("when"):
            condition = self.disjunction()
            if subject is not None:
                span = subject.span.to(condition.span)
                condition = Binary(span=span, operator="==", left=subject, right=condition)
            if not self.accept_word("then"):
                raise self.unexpected("`then`")
            branches.append((condition, self.disjunction()))
        node: Node = Literal(span=start.span, value=False)
        if self.accept_word("else"):
            node = self.disjunction()
        if not branches or not self.accept_word("end"):
            raise self.unexpected("`end`")
        for condition, then in reversed(branches):
            span = start.span.to(self.previous.span)
            node = Conditional(span=span, condition=condition, then=then, otherwise=node)
        return node

    def if_then(self) -> Node:
        """Read `if a then b else c`."""
        start = self.advance()
        self.slip(start.span, "a choice is written `condition ? a : b`")
        condition = self.disjunction()
        if not self.accept_word("then"):
            raise self.unexpected("`then`")
        then = self.disjunction()
        otherwise = self.disjunction() if self.accept_word("else") else Literal(span=start.span, value=False)
        self.accept_word("end")
        return Conditional(span=start.span.to(otherwise.span), condition=condition, then=then, otherwise=otherwise)

    def comprehended(self, item: Node) -> Node:
        """Read on behind the item of `x for x in items if …`, as in Python."""
        start = self.advance()
        self.slip(start.span, "the items of a list are gone through with `exists`, `all`, `filter` or `map`")
        variable = self.name()
        if not isinstance(variable, Name) or not self.accept_word("in"):
            raise self.unexpected("`in`")
        operand = self.unary()
        condition = self.disjunction() if self.accept_word("if") else None
        span = item.span.to(self.previous.span)
        if isinstance(item, Name) and item.name == variable.name and condition is not None:
            return Comprehension(span=span, kind="filter", operand=operand, variable=variable.name, predicate=condition)
        return Comprehension(
            span=span, kind="map", operand=operand, variable=variable.name, predicate=condition, transform=item
        )

    def braces(self) -> Node:
        """Read a map, or Python's set `{"SG", "ID"}` as the list that it is here."""
        with self.bracket(separates=True):
            return self.in_braces()

    def in_braces(self) -> Node:
        """Read what stands in braces, behind the first."""
        opening = self.advance()
        self.open.append(opening)
        entries: list[tuple[Node, Node]] = []
        items: list[Node] = []
        while not self.at("}"):
            key = self.expression()
            if self.accept(":"):
                entries.append((key, self.expression()))
            else:
                items.append(key)
            if not self.accept(","):
                break
        if not self.at("}") or (entries and items):
            raise self.unexpected("`}`")
        self.open.pop()
        span = opening.span.to(self.advance().span)
        if entries or not items:
            return MapLiteral(span=span, entries=tuple(entries))
        self.slip(opening.span, "a list stands in square brackets", is_sure=True)
        return ListLiteral(span=span, items=tuple(items))

    def sequence(self, closing: str, read: Callable[[], T], *, trailing: bool) -> tuple[T, ...]:
        """Read what commas separate, or only blanks."""
        items: list[T] = []
        while not self.at(closing):
            items.append(read())
            if len(items) == 1 and self.at_word("for") and isinstance(first := items[0], Node):
                items[0] = cast(T, self.comprehended(first))
            if self.accept(","):
                continue
            if closing == "]" and self.token.kind in ("string", "number") and not self.at(closing):
                self.slip(self.token.span, "a comma is missing before this value")
                continue
            break
        return tuple(items)
