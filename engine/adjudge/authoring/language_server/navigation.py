"""Where a name is declared, where it is used, and giving it another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from adjudge.authoring.language_server.document import Document, read_text
from adjudge.authoring.language_server.naming import Kind, Symbol, uses
from adjudge.authoring.language_server.places import word_at
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import LISTS, list_of
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.slots import source_of
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Span

_SECTIONS: tuple[Kind, ...] = ("variables", "lookup", "inputs", "signals", "lists")
_RULE_ID = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)


def symbol_at(document: Document, offset: int) -> Symbol | None:
    """Return the declared thing whose name stands at an offset; where there it is but a word, the first so called."""
    found = word_at(document.text, offset)
    if found is None or document.typed is None:
        return None
    symbols = list(_symbols(document.typed, found[0]))
    meant = (symbol for symbol in symbols if is_used_at(document.text, symbol, offset))
    return next(meant, symbols[0] if symbols else None)


def is_used_at(text: str, symbol: Symbol, offset: int) -> bool:
    """Whether a name at an offset is a symbol's."""
    return any(span.start <= offset <= span.end for span in uses(text, symbol))


def _symbols(typed: TypedPolicy, word: str) -> Iterator[Symbol]:
    for rule in typed.rules:
        if rule.id == word and rule.origin == "rule":
            yield Symbol("rule", word, rule.span)
    declared = LintedPolicy(typed, datetime.now(UTC).date()).declared
    listed = list_of(word)
    if listed is not None:
        place = declared.get((LISTS, listed))
        if place is not None:
            yield Symbol("lists", listed, place[0])
        return
    head = source_of(word)
    for section in _SECTIONS:
        if (section, head) in declared:
            yield Symbol(section, head, declared[section, head][0])


def renamed(text: str, spans: Sequence[Span], name: str) -> str:
    """Return a text with another name at some places, which are in order."""
    for span in reversed(spans):
        text = text[: span.start] + name + text[span.end :]
    return text


def broken_by(document: Document, text: str, catalogue: Catalogue) -> str | None:
    """Return what is wrong with a document once its text is another; None where no more is wrong than before."""
    if document.is_test:
        return None  # it is read with the policy of the disk
    before, after = (
        [problem.message for problem in one.problems if problem.severity == "error"]
        for one in (document, read_text(document.path, text, catalogue))
    )
    return after[0].partition("\n")[0] if len(after) > len(before) else None


def is_name(symbol: Symbol, name: str) -> bool:
    """Whether a symbol could be called so."""
    return bool((_RULE_ID if symbol.kind == "rule" else _NAME).fullmatch(name))


def outline(document: Document) -> list[tuple[str, str, Span]]:
    """Return the rules of a policy: id, what it does, and where it stands."""
    if document.typed is None or document.is_test:
        return []
    length = len(document.text)
    rules = [rule for rule in document.typed.rules if rule.origin == "rule" and rule.span.end <= length]
    return [(rule.id, str(rule.outcome), rule.span) for rule in rules]
