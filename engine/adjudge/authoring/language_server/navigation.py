"""Where a name is declared, where it is used, and giving it another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from adjudge.authoring.language_server.document import Document
from adjudge.authoring.language_server.places import word_at
from adjudge.authoring.lint.subject import Subject
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Span

_RULE_ID = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Symbol:
    """What is pointed at. kind: `rule`, or the section that declares it."""

    kind: str
    name: str
    declared: Span


def symbol_at(document: Document, offset: int) -> Symbol | None:
    """Return the declared thing whose name stands at an offset."""
    found = word_at(document.text, offset)
    if found is None or document.typed is None:
        return None
    word, _ = found
    return _symbol(document.typed, word)


def _symbol(typed: TypedPolicy, word: str) -> Symbol | None:
    for rule in typed.rules:
        if rule.id == word and rule.origin == "rule":
            return Symbol("rule", word, rule.span)
    declared = Subject(typed, datetime.now(UTC).date()).declared
    if word.startswith("lists."):
        word = word.removeprefix("lists.")
        place = declared.get(("lists", word))
        return Symbol("lists", word, place[0]) if place is not None else None
    head = word.partition(".")[0]
    for section in ("variables", "inputs", "signals", "lists"):
        if (section, head) in declared:
            return Symbol(section, head, declared[section, head][0])
    return None


def uses(text: str, symbol: Symbol) -> Iterator[Span]:
    """Yield where a symbol's name stands in a text: a policy, or its tests."""
    name = re.escape(symbol.name)
    if symbol.kind == "rule":
        pattern = rf"(?<![\w.\-]){name}(?![\w\-]|\.\w)"
    elif symbol.kind == "lists":
        pattern = rf"(?<=lists\.){name}(?!\w)|^ +{name}(?=:)"
    else:
        pattern = rf"(?<![\w.\"'\-]){name}(?![\w\"'\-])"
    for found in re.finditer(pattern, text, re.MULTILINE):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if "#" not in line:
            yield Span(found.start(), found.end())


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
