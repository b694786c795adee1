"""Reads a condition as people write it who know SQL, a spreadsheet or Python, into the tree of ours.

Each production that is not of the language leaves a slip, which says in everyday words what is written otherwise here.
The levels of the grammar, from the tightest: `operands`, `sums`, `lists`, `comparisons`, and here the logic.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from adjudge.expr.foreign.comparisons import Comparisons
from adjudge.expr.foreign.slips import Slip
from adjudge.expr.nodes import Conditional, Logic, Node, Unary
from adjudge.expr.tokens import Token
from adjudge.source import Text

_THEN = re.compile(r"\bthen\b", re.IGNORECASE)
_OUTCOME = re.compile(r"\bthen\s+(?:review|reject)\s*$", re.IGNORECASE)


def parse_foreign(text: Text, slips: list[Slip], is_field: Callable[[str], bool]) -> Node:
    """Return the untyped tree of a condition, plain characters only, and note what is written in another way.

    is_field: whether a word is a declared name, and so never a word of another language. Raises PolicyError.
    """
    return _ForeignParser(text, slips, is_field).whole()


class _ForeignParser(Comparisons):
    """Reads as the grammar of the language does, operators by descent; every production of another one is noted."""

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
        while self.at("&&", "||"):
            self.slip(self.token.span, f"nothing stands before `{self.token.text}`")
            self.advance()
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
            if value[at] in ",;" and depth == 1:
                return True
            if depth == 0 and value[at] == ")":
                return False
        return False

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
