"""Reads a condition as people write it who know SQL, a spreadsheet or Python, into the tree of ours.

Each production that is not of the language leaves a slip, which says in everyday words what is written otherwise here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar, cast

from adjudge.errors import PolicyError
from adjudge.expr.foreign.slips import Amount, Clock, Moment, Slip
from adjudge.expr.foreign.words import foreign_token
from adjudge.expr.nodes import (
    Binary,
    BinaryOperator,
    Call,
    Conditional,
    Has,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Name,
    Node,
    Unary,
)
from adjudge.expr.parse import _Parser
from adjudge.expr.tokens import Token
from adjudge.source import Span, Text
from adjudge.values.meant import AMOUNT, quantity_of

T = TypeVar("T")
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in", "=~")
_PHRASES = {
    ("is", "not", "in"): "not in",
    ("is", "not", "equal", "to"): "!=",
    ("is", "equal", "to"): "==",
    ("is", "one", "of"): "in",
    ("is", "any", "of"): "in",
    ("is", "greater", "than"): ">",
    ("is", "more", "than"): ">",
    ("is", "less", "than"): "<",
    ("is", "at", "least"): ">=",
    ("is", "at", "most"): "<=",
    ("greater", "than"): ">",
    ("more", "than"): ">",
    ("less", "than"): "<",
    ("at", "least"): ">=",
    ("at", "most"): "<=",
    ("equal", "to"): "==",
    ("is", "in"): "in",
    ("is", "not"): "!=",
    ("is",): "==",
    ("equals",): "==",
    ("eq",): "==",
    ("ne",): "!=",
    ("neq",): "!=",
    ("gt",): ">",
    ("gte",): ">=",
    ("ge",): ">=",
    ("lt",): "<",
    ("lte",): "<=",
    ("le",): "<=",
    ("not", "in"): "not in",
    ("not", "like"): "not like",
    ("not", "ilike"): "not ilike",
    ("not", "between"): "not between",
    ("like",): "like",
    ("ilike",): "ilike",
    ("rlike",): "=~",
    ("regexp",): "=~",
    ("between",): "between",
    ("contains",): "contains",
    ("contain",): "contains",
    ("includes",): "contains",
    ("startswith",): "startsWith",
    ("starts", "with"): "startsWith",
    ("endswith",): "endsWith",
    ("ends", "with"): "endsWith",
    ("matches",): "=~",
    ("xor",): "!=",
}
"""What joins two values in words, the longer ones first."""
_METHODS = ("contains", "startsWith", "endsWith")
_BOOLS = {"true": True, "false": False, "yes": True, "no": False}
_NULLS = ("null", "none", "nil", "undefined", "nan", "na", "blank", "empty", "missing", "unknown")
_THEN = re.compile(r"\bthen\b", re.IGNORECASE)
_OUTCOME = re.compile(r"\bthen\s+(?:review|reject)\s*$", re.IGNORECASE)
_ARITHMETIC = {"mod": "%", "div": "/"}


NOTHING = "\0nothing"
"""Stands as a string for `null` until its comparison is read."""


def parse_foreign(text: Text, slips: list[Slip], is_field: Callable[[str], bool]) -> Node:
    """Return the untyped tree of a condition, plain characters only, and note what is written in another way.

    is_field: whether a word is a declared name, and so never a word of another language. Raises PolicyError.
    """
    return _ForeignParser(text, slips, is_field).whole()


class _ForeignParser(_Parser):
    """Reads as the grammar of the language does, operators by descent; every production of another one is noted."""

    def __init__(self, text: Text, slips: list[Slip], is_field: Callable[[str], bool]) -> None:
        self.slips = slips
        self.is_field = is_field
        self.choices = 0
        self.separates: list[bool] = []  # for each bracket that is open, whether a comma in it separates
        self.compared: Node | None = None
        super().__init__(text)

    def word(self, at: int) -> Token:
        in_choice = self.choices > 0 or any(bracket.text == "{" for bracket in self.open)
        return foreign_token(self.text, at, self.note, in_list=self.in_list, in_choice=in_choice)

    @property
    def in_list(self) -> bool:
        """Whether a comma separates here, so that it groups no digits and joins no conditions."""
        return bool(self.separates) and self.separates[-1]

    def note(self, slip: Slip) -> None:
        """Keep a slip; a word that is read again has been noted already."""
        if slip not in self.slips:
            self.slips.append(slip)

    def slip(self, span: Span, message: str, *, is_sure: bool = False, more: str = "") -> None:
        self.note(Slip(span, message, is_sure, more))

    # words

    def at_word(self, *words: str) -> bool:
        """Whether the next word is one of another language, in any case."""
        token = self.token
        return token.kind == "name" and token.text.lower() in words and not self.is_field(token.text)

    def accept_word(self, *words: str) -> bool:
        found = self.at_word(*words)
        if found:
            self.advance()
        return found

    def whole(self) -> Node:
        """Read all of it."""
        said = self.text.value
        while self.at("==") or self.at_word("if", "when", "where"):  # `=AND(…)` of a cell, `if …`
            if self.at_word("if") and (self.is_call_of_if() or (_THEN.search(said) and not _OUTCOME.search(said))):
                break
            token = self.advance()
            self.slips[:] = [one for one in self.slips if one.span != token.span]
            self.slip(token.span, f"a condition begins without `{'=' if token.text == '==' else token.text}`")
            if self.token.kind == "end":
                break
        node = self.expression()
        if self.at_word("then") and _OUTCOME.search(said):
            self.slip(self.token.span, "the outcome stands under `then:`, not in the condition")
            return node
        while self.at(".", ",") and not self.text.value[self.token.end :].strip():
            token = self.advance()
            self.slip(token.span, f"there is a `{token.text}` too many at the end", is_sure=True)
        if self.at(",") and not self.open:
            span = self.token.span
            parts = [node]
            while self.accept(","):
                parts.append(self.expression())
            self.slip(span, "conditions are joined with `&&`, not with a comma")
            node = Logic(span=parts[0].span.to(parts[-1].span), operator="&&", operands=tuple(parts))
        if self.token.kind != "end":
            raise self.unexpected("an operator")
        return node

    def is_call_of_if(self) -> bool:
        """Whether `if (` opens a spreadsheet's function, with commas."""
        depth, value = 0, self.text.value
        if not value[self.token.end :].lstrip().startswith("("):
            return False
        for at in range(self.token.end, len(value)):
            depth += (value[at] in "([{") - (value[at] in ")]}")
            if value[at] == "," and depth == 1:
                return True
            if depth == 0 and value[at] == ")":
                return False
        return False

    # operators, from the loosest to the tightest

    def expression(self) -> Node:
        node = self.disjunction()
        if self.at("?"):
            self.choices += 1
            self.advance()
            then = self.expression()
            self.choices -= 1
            if not self.accept(":"):
                raise self.unexpected("`:`")
            otherwise = self.expression()
            return Conditional(span=node.span.to(otherwise.span), condition=node, then=then, otherwise=otherwise)
        if self.at_word("if"):
            self.slip(self.token.span, "a choice is written `condition ? a : b`")
            self.advance()
            condition = self.disjunction()
            if not self.accept_word("else"):
                raise self.unexpected("`else`")
            otherwise = self.expression()
            return Conditional(span=node.span.to(otherwise.span), condition=condition, then=node, otherwise=otherwise)
        return node

    def chain(self, operator: str, word: str, read: Callable[[], Node]) -> Node:
        parts = [read()]
        while self.at(operator) or self.at_word(word):
            token = self.advance()
            if self.token.kind == "end":
                self.slip(token.span, f"nothing follows `{token.text}`")
                break
            if token.kind == "name":
                self.slip(token.span, f"`{token.text}` is written `{operator}`", is_sure=True)
            parts.append(read())
        if len(parts) == 1:
            return parts[0]
        span = parts[0].span.to(parts[-1].span)
        return Logic(span=span, operator="&&" if operator == "&&" else "||", operands=tuple(parts))

    def disjunction(self) -> Node:
        return self.chain("||", "or", self.conjunction)

    def conjunction(self) -> Node:
        return self.chain("&&", "and", self.negation)

    def negation(self) -> Node:
        denials: list[Token] = []
        while self.at_word("not"):
            denials.append(self.advance())
            self.slip(denials[-1].span, f"`{denials[-1].text}` is written `!`", is_sure=True)
        node = self.comparison()
        for token in reversed(denials):
            node = Unary(span=token.span.to(node.span), operator="!", operand=node)
        return node

    def comparison(self) -> Node:
        if self.compared is not None and self.at("==", "!=", "<", "<=", ">", ">="):
            self.slip(self.token.span, f"what is compared with `{self.token.text}` must be said again")
            node = self.compared
        else:
            node = self.sum()
        while (operator := self.comparing()) is not None:
            self.compared = node
            node = self.compared_by(operator, node)
        return node

    def comparing(self) -> str | None:
        """Read what joins two values, if it is there; return it as it is written here."""
        token = self.token
        if token.kind == "operator" and token.text in _COMPARISONS:
            self.advance()
            if token.text == "==" and self.at("==", ">", "<"):  # noted as a slip already
                self.advance()
            return token.text
        if token.kind != "name" or (token.text != "in" and self.is_field(token.text)):
            return None
        if token.text == "in":
            self.advance()
            return "in"
        if token.text.lower() == "in":
            self.advance()
            self.slip(token.span, f"`{token.text}` is written `in`", is_sure=True)
            return "in"
        for phrase, meant in _PHRASES.items():
            if found := self.phrase(phrase):
                said = " ".join(one.text for one in found)
                span = found[0].span.to(found[-1].span)
                if meant in ("==", "!=") and self.at_word(*_NULLS):
                    return meant  # said there
                self.slip(span, _SAID.get(meant, "`{said}` is written `{meant}`").format(said=said, meant=meant))
                if meant == "==" and self.at_word("not"):
                    return "!="
                return meant
        return None

    def phrase(self, words: tuple[str, ...]) -> list[Token] | None:
        """Read words that follow each other; none is read where one of them is missing."""
        token, previous, slips = self.token, self.previous, len(self.slips)
        found: list[Token] = []
        for word in words:
            if not self.at_word(word) and not (word == "in" and self.token.text == "in"):
                self.token, self.previous = token, previous
                del self.slips[slips:]
                return None
            found.append(self.advance())
        return found

    def compared_by(self, operator: str, left: Node) -> Node:
        denied = operator.startswith("not ")
        match operator.removeprefix("not "):
            case "between":
                node = self.between(left)
            case "like":
                node = _like(left, self.sum())
            case "ilike":
                pattern = self.sum()
                if isinstance(pattern, Literal) and isinstance(pattern.value, str):
                    pattern = replace(pattern, value=pattern.value.lower())
                node = _like(_method("lower", left), pattern)
            case "=~":
                right = self.pattern() if self.at("/") else self.sum()
                self.slip(right.span, "a pattern is asked for with `matches`")
                node = _method("matches", left, right)
            case "contains" | "startsWith" | "endsWith" as method:
                node = _method(method, left, self.sum())
            case "in":
                node = self.membership(left)
            case _:
                node = self.compared_with(cast(BinaryOperator, operator), left)
        return Unary(span=node.span, operator="!", operand=node) if denied else node

    def pattern(self) -> Node:
        """Read a pattern between slashes."""
        start = self.token
        end = self.text.value.find("/", start.end)
        if end < 0:
            raise self.unexpected("`/`")
        pattern = Literal(span=self.text.span(start.end - 1, end + 1), value=self.text.value[start.end : end])
        self.token = self.word(end + 1)
        return pattern

    def between(self, left: Node) -> Node:
        low = self.sum()
        if not (self.accept_word("and", "to") or self.accept("&&", "-") or self.accept(",")):
            raise self.unexpected("`and`")
        return within(left, low, self.sum())

    def accept(self, *operators: str) -> bool:
        return any(super(_ForeignParser, self).accept(operator) for operator in operators)

    def membership(self, left: Node) -> Node:
        opening = self.token
        if self.at("(", "[", "{"):
            node = self.enclosed(left)
            if node is not None:
                return node
        low = self.sum()
        if self.accept("range"):
            self.slip(self.previous.span, "a range is written as two comparisons")
            return within(left, low, self.sum())
        right = self.listed(low)
        if right is not low:
            self.slip(opening.span, "a list stands in square brackets")
        return Binary(span=left.span.to(right.span), operator="in", left=left, right=right)

    def listed(self, first: Node) -> Node:
        """Read on where bare values follow each other by commas, outside of brackets that separate by them."""
        if not self.at(",") or self.in_list or not _is_value(first):
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
            if len(items) == 1 and not _is_value(items[0]):
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
            if self.accept("range"):
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

    def compared_with(self, operator: BinaryOperator, left: Node) -> Node:
        if self.at_word(*_NULLS) or (self.token.text == "null" and self.token.kind == "name"):
            token = self.advance()
            self.slip(
                left.span.to(token.span),
                f"there is no `{token.text}`: what is missing is unknown, and asked for with `has(…)`",
            )
            known = Has(span=left.span.to(token.span), operand=left)
            return Unary(span=known.span, operator="!", operand=known) if operator == "==" else known
        if operator in ("==", "!=") and self.at("(", "["):
            opening = self.token
            before = self.token, self.previous, list(self.slips), list(self.open)
            try:
                node = self.enclosed(left)
            except PolicyError:
                node = None
            if isinstance(node, Binary) and isinstance(node.right, ListLiteral) and node.right.items:
                self.slip(opening.span, "several values are asked for with `in`")
                return node if operator == "==" else Unary(span=node.span, operator="!", operand=node)
            self.token, self.previous, self.slips[:], self.open = before
        right = self.sum()
        several = self.listed(right) if operator in ("==", "!=") else right
        if several is not right:
            self.slip(several.span, "several values are asked for with `in`")
            node = Binary(span=left.span.to(several.span), operator="in", left=left, right=several)
            return node if operator == "==" else Unary(span=node.span, operator="!", operand=node)
        return Binary(span=left.span.to(right.span), operator=operator, left=left, right=right)

    def sum(self) -> Node:
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

    def operations(self) -> Node:
        """Read an operand of a choice, as the grammar of the language names it."""
        return self.disjunction()

    # operands

    def primary(self) -> Node:
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
            case "operator" if token.text == "{":
                return self.braces()
            case "operator" if token.text in ("(", "["):
                with self.bracket(separates=token.text == "["):
                    if token.text == "(":
                        self.advance()
                        inner, end = self.closed(")", self.expression)
                        return replace(inner, span=token.span.to(end))
                    return super().primary()
            case "name" if not self.is_field(token.text):
                word = token.text.lower()
                if word in _BOOLS and token.text not in ("true", "false"):
                    self.advance()
                    meant = "true" if _BOOLS[word] else "false"
                    self.slip(token.span, f"`{token.text}` is written `{meant}`", is_sure=word in ("true", "false"))
                    return Literal(span=token.span, value=_BOOLS[word])
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

    @contextmanager
    def bracket(self, *, separates: bool) -> Iterator[None]:
        """Read what stands in a bracket, in which commas separate or not."""
        self.separates.append(separates)
        try:
            yield
        finally:
            self.separates.pop()

    def call(self, function: Token, receiver: Node | None = None) -> Node:
        with self.bracket(separates=True):
            return super().call(function, receiver)

    def name(self, dot: Token | None = None) -> Node:
        token = self.advance()
        if self.at("(") and (not self.is_field(token.text) or dot is None):
            return self.call(token)
        return Name(span=(dot or token).span.to(token.span), name=token.text, absolute=dot is not None)

    def is_constant_next(self) -> bool:
        """Whether a constant follows a type's name, as in SQL: `DATE '2026-11-30'`, `INTERVAL 30 DAY`."""
        rest = self.text.value[self.token.end :].lstrip()
        return rest[:1] in ("'", '"') or (self.at_word("interval") and rest[:1].isdigit())

    def constant(self) -> Node:
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
        """Read `case when a then b else c end`."""
        start = self.advance()
        self.slip(start.span, "a choice is written `condition ? a : b`")
        branches = []
        while self.accept_word("when"):
            condition = self.disjunction()
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

    def braces(self) -> Node:
        """Read a map, or Python's set `{"SG", "ID"}` as the list that it is here."""
        with self.bracket(separates=True):
            return self.in_braces()

    def in_braces(self) -> Node:
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
        items: list[T] = []
        while not self.at(closing):
            items.append(read())
            if self.accept(","):
                continue
            if closing == "]" and self.token.kind in ("string", "number") and not self.at(closing):
                self.slip(self.token.span, "a comma is missing before this value")
                continue
            break
        return tuple(items)


_SAID = {
    "between": "`{said}` is written as two comparisons",
    "not between": "`{said}` is written as two comparisons",
    "like": "there is no `{said}`: `contains`, `startsWith` and `endsWith` look for a part of a text",
    "ilike": "there is no `{said}`: `lower` makes small letters, `contains` and its like look for a part of a text",
    "not ilike": "there is no `{said}`: `lower` makes small letters, `contains` and its like look for a part of a text",
    "not like": "there is no `{said}`: `contains`, `startsWith` and `endsWith` look for a part of a text",
    "contains": "`{said}` is written as a call: `a.contains(b)`",
    "startsWith": "`{said}` is written as a call: `a.startsWith(b)`",
    "endsWith": "`{said}` is written as a call: `a.endsWith(b)`",
    "=~": "`{said}` is written as a call: `a.matches(b)`",
    "not in": "`{said}` is written `!(a in b)`",
}


def _is_value(node: Node) -> bool:
    """Whether a part can be one of several values in a row: a text, a number, a bare word."""
    return isinstance(node, Literal | Name | Amount | Moment | Clock) or type(node).__name__ in ("Select", "Unary")


def _method(name: str, receiver: Node, *arguments: Node) -> Call:
    span = receiver.span.to((arguments or (receiver,))[-1].span)
    return Call(span=span, function=name, arguments=(receiver, *arguments), method=True)


def within(value: Node, low: Node, high: Node, *, low_in: bool = True, high_in: bool = True) -> Node:
    """Return `value >= low && value <= high`."""
    span = value.span.to(high.span)
    first = Binary(span=span, operator=">=" if low_in else ">", left=value, right=low)
    last = Binary(span=span, operator="<=" if high_in else "<", left=value, right=high)
    return Logic(span=span, operator="&&", operands=(first, last))


def _like(left: Node, pattern: Node) -> Node:
    """Return what `like '%x%'` asks for."""
    if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        return _method("contains", left, pattern)
    said = pattern.value.replace("*", "%")
    inner = said.strip("%")
    part = Literal(span=pattern.span, value=inner)
    if "%" in inner or "_" in inner:
        regex = re.escape(said).replace("%", ".*").replace("_", ".")
        return _method(
            "matches", left, Literal(span=pattern.span, value=f"^{regex}$".removeprefix("^.*").removesuffix(".*$"))
        )
    if said.startswith("%") and said.endswith("%"):
        return _method("contains", left, part)
    if said.startswith("%"):
        return _method("endsWith", left, part)
    if said.endswith("%"):
        return _method("startsWith", left, part)
    return Binary(span=left.span.to(pattern.span), operator="==", left=left, right=part)
