"""What every level of the foreign grammar reads with: words in any case, slips, brackets and their commas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from adjudge.expr.foreign.slips import Slip
from adjudge.expr.foreign.words import foreign_token
from adjudge.expr.nodes import Node
from adjudge.expr.parse import _Parser
from adjudge.expr.tokens import Token
from adjudge.source import Span, Text


class ForeignReader(_Parser):
    """Reads the words of a condition; the levels of the grammar are built upon it, one in each module."""

    def __init__(self, text: Text, slips: list[Slip], is_field: Callable[[str], bool]) -> None:
        self.slips = slips
        self.is_field = is_field
        self.choices = 0
        self.separates: list[bool] = []  # for each bracket that is open, whether a comma in it separates
        self.compared: Node | None = None
        super().__init__(text)

    def word(self, at: int) -> Token:
        """Return the first word at or after a character, as it was meant."""
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
        """Note what is written in another way."""
        self.note(Slip(span, message, is_sure, more))

    def at_word(self, *words: str) -> bool:
        """Whether the next word is one of another language, in any case."""
        token = self.token
        return token.kind == "name" and token.text.lower() in words and not self.is_field(token.text)

    def accept_word(self, *words: str) -> bool:
        """Read the next word if it is one of another language."""
        found = self.at_word(*words)
        if found:
            self.advance()
        return found

    def accept(self, *operators: str) -> bool:
        """Read the next sign if it is one of these."""
        return any(super(ForeignReader, self).accept(operator) for operator in operators)

    @contextmanager
    def bracket(self, *, separates: bool) -> Iterator[None]:
        """Read what stands in a bracket, in which commas separate or not."""
        self.separates.append(separates)
        try:
            yield
        finally:
            self.separates.pop()

    # what levels above read

    def operations(self) -> Node:
        """Read an operand of a choice, as the grammar of the language names it."""
        return self.disjunction()

    def disjunction(self) -> Node:
        """Read conditions joined by `||`, and what binds tighter."""
        raise NotImplementedError

    def negation(self) -> Node:
        """Read a comparison behind any number of `not`."""
        raise NotImplementedError
