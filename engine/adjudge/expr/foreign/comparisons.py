"""Comparisons, with the signs and the words of other languages."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

from adjudge.errors import PolicyError
from adjudge.expr.foreign.built import like, method_call, within
from adjudge.expr.foreign.lists import Lists
from adjudge.expr.foreign.phrases import COMPARISONS, KNOWN, NULLS, OPPOSITE, PHRASES, SAID
from adjudge.expr.nodes import Binary, BinaryOperator, Call, Has, ListLiteral, Literal, Name, Node, Unary
from adjudge.expr.tokens import Token

_OWN = frozenset(
    {"and", "or", "not", "in", "if", "then", "else", "end", "when", "for", *(words[0] for words in PHRASES)}
)


class Comparisons(Lists):
    """Reads two values and what compares them."""

    def primary(self) -> Node:
        """Read a value, or a pattern between slashes."""
        if self.at("/"):
            self.slip(self.token.span, "a pattern is asked for with `matches`")
            return self.pattern()
        return super().primary()

    def comparison(self) -> Node:
        """Read one comparison, or several that follow each other."""
        if self.compared is not None and self.at("==", "!=", "<", "<=", ">", ">="):
            self.slip(self.token.span, f"what is compared with `{self.token.text}` must be said again")
            node = self.compared
        else:
            node = self.sum()
        while (operator := self.comparing()) is not None:
            left = node
            node = self.compared_by(operator, left)
            turned = isinstance(left, Literal) and isinstance(node, Binary) and node.left is left
            self.compared = node.right if turned and isinstance(node, Binary) else left
        return node

    def comparing(self) -> str | None:
        """Read what joins two values, if it is there; return it as it is written here."""
        token, before = self.token, self.previous
        if token.kind == "operator" and token.text in COMPARISONS:
            self.advance()
            if token.text == "==" and self.at("==", ">", "<"):  # noted as a slip already
                self.advance()
            return token.text
        if self.at(":") and not self.choices and not any(one.text == "{" for one in self.open):
            self.slip(self.advance().span, "a condition compares with `==`, not with `:`")
            return "=="
        if token.kind != "name" or (token.text != "in" and self.is_field(token.text)):
            return None
        if token.text == "in":
            self.advance()
            return "in"
        if token.text.lower() == "in":
            self.advance()
            self.slip(token.span, f"`{token.text}` is written `in`", is_sure=True)
            return "in"
        if (denied := self.phrase(("not",))) and self.at(*OPPOSITE):
            compared = self.advance()
            meant = OPPOSITE[compared.text]
            said = f"{denied[0].text} {compared.text}"
            self.slip(denied[0].span.to(compared.span), f"`{said}` is written `{meant}`")
            return meant
        if denied:
            self.token, self.previous = token, before
        for phrase, meant in PHRASES.items():
            if found := self.phrase(phrase):
                said = " ".join(one.text for one in found)
                span = found[0].span.to(found[-1].span)
                if meant in ("==", "!=") and self.at_word(*NULLS):
                    return meant  # said there
                self.slip(span, SAID.get(meant, "`{said}` is written `{meant}`").format(said=said, meant=meant))
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
        """Read what a value is compared with."""
        denied = operator.startswith("not ")
        match operator.removeprefix("not "):
            case "between":
                node = self.between(left)
            case "like":
                node = like(left, self.sum())
            case "ilike":
                pattern = self.sum()
                if isinstance(pattern, Literal) and isinstance(pattern.value, str):
                    pattern = replace(pattern, value=pattern.value.lower())
                node = like(method_call("lower", left), pattern)
            case "=~":
                right = self.pattern() if self.at("/") else self.sum()
                self.slip(right.span, "a pattern is asked for with `matches`")
                node = method_call("matches", left, right)
            case "contains any":
                node = self.membership(left)
            case "contains" | "startsWith" | "endsWith" as method:
                node = method_call(method, left, self.sum())
            case "in":
                node = self.membership(left)
            case _:
                node = self.compared_with(cast(BinaryOperator, operator), left)
        return Unary(span=node.span, operator="!", operand=node) if denied else node

    def several_words(self, first: Node) -> Node:
        """Read on where bare words follow each other, as in `== national id`, which are one text."""
        if not isinstance(first, Name) or self.is_field(first.name) or not self.at_plain_word():
            return first
        while self.at_plain_word():
            self.advance()
        span = first.span.to(self.previous.span)
        said = self.text.source.text[span.start : span.end]
        self.slip(span, f"`{said}` is a text, and stands in quotes")
        return Literal(span=span, value=said)

    def at_plain_word(self) -> bool:
        """Whether the next word is none of this language nor of another."""
        word = self.token.text.lower()
        return self.token.kind == "name" and word not in _OWN and not self.is_field(self.token.text)

    def pattern(self) -> Node:
        """Read a pattern between slashes."""
        start = self.token
        end = self.text.value.find("/", start.end)
        if end < 0:
            raise self.unexpected("`/`")
        flags = re.compile("[a-z]*").match(self.text.value, end + 1)
        after = flags.end() if flags is not None else end + 1
        said = "".join(sorted(set(self.text.value[end + 1 : after]) & set("is")))
        value = (f"(?{said})" if said else "") + self.text.value[start.end : end]
        self.previous, self.token = start, self.word(after)
        return Literal(span=self.text.span(start.end - 1, after), value=value)

    def compared_with(self, operator: BinaryOperator, left: Node) -> Node:
        """Read what a value is equal to, or above or below."""
        if self.at_word(*NULLS) or (self.token.text == "null" and self.token.kind == "name"):
            token = self.advance()
            if token.text.lower() in ("empty", "blank"):
                empty = Call(span=left.span.to(token.span), function="isEmpty", arguments=(left,))
                return empty if operator == "==" else Unary(span=empty.span, operator="!", operand=empty)
            self.slip(
                left.span.to(token.span),
                f"there is no `{token.text}`: what is missing is unknown, and asked for with `has(…)`",
            )
            known = Has(span=left.span.to(token.span), operand=left)
            return Unary(span=known.span, operator="!", operand=known) if operator == "==" else known
        if operator in ("==", "!=") and self.previous.kind == "name" and self.at_word(*KNOWN):
            span = left.span.to(self.advance().span)
            self.slip(span, "whether something is known is asked with `has(…)`")
            there = Has(span=span, operand=left)
            return there if operator == "==" else Unary(span=span, operator="!", operand=there)
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
        right = self.several_words(self.sum())
        if operator in ("==", "!=") and self.at("range"):
            self.slip(self.advance().span, "a range is written as two comparisons")
            ranged = within(left, right, self.sum())
            return ranged if operator == "==" else Unary(span=ranged.span, operator="!", operand=ranged)
        several = self.listed(right) if operator in ("==", "!=") else right
        if several is not right:
            self.slip(several.span, "several values are asked for with `in`")
            node = Binary(span=left.span.to(several.span), operator="in", left=left, right=several)
            return node if operator == "==" else Unary(span=node.span, operator="!", operand=node)
        return Binary(span=left.span.to(right.span), operator=operator, left=left, right=right)
