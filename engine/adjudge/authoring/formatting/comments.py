"""The comments of a document, and to which part each belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from adjudge.policy import yaml
from adjudge.policy.yaml import Mapping, Node, Scalar

_COMMENT = re.compile(r"(?:(?<=\s)|^)#[^\n]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Comment:
    """`# …`, without blanks around it. starts_line: nothing stands before it in its line."""

    start: int
    text: str
    starts_line: bool


def comments(text: str, root: Node) -> list[Comment]:
    """Return the comments of a document: every `#` after a blank that is not inside a scalar."""
    inside = sorted((scalar.span.start, scalar.span.end) for scalar in _scalars(root))
    found: list[Comment] = []
    at = begin = 0
    while (match := _COMMENT.search(text, begin)) is not None:
        start, begin = match.span()
        while at < len(inside) and inside[at][1] <= start:
            at += 1
        if at < len(inside) and inside[at][0] <= start:
            begin = inside[at][1]  # a comment of its own may follow in the same line
            continue
        line = text.rfind("\n", 0, start) + 1
        found.append(Comment(start, match.group().rstrip(), not text[line:start].strip()))
    return found


def _scalars(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Mapping(entries=entries):
            for key, value in entries:
                yield key
                yield from _scalars(value)
        case yaml.Sequence(items=items):
            for item in items:
                yield from _scalars(item)
