"""The comments of a document, and of what each speaks."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.text import yaml
from adjudge.policy.text.yaml import Mapping, Scalar, YamlNode
from adjudge.source import Source, Span
from adjudge.texts import split_lines

_COMMENT = late(r"(?:(?<=\s)|^)#[^\r\n]*", re.MULTILINE)
_DEPTH = late(r"(?: *- +(?=[^{\[]))* *")
ALLOWANCE = late(r"#[ ]*lint:[ ]*allow[ ]+([a-z-]+(?:,[ ]*[a-z-]+)*)(?![a-z-])")
"""A comment that allows findings of some codes in what it speaks of."""
Path = tuple[str | int, ...]


@frozen
class Comment:
    """`# …`, without blanks around it. starts_line: nothing stands before it in its line."""

    start: int
    text: str
    starts_line: bool


@frozen
class Entry:
    """A key with its value, or an item of a list, by the keys and numbers that lead to it."""

    path: Path
    span: Span


def comments(text: str, root: YamlNode) -> list[Comment]:
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


def entries(node: YamlNode, path: Path = ()) -> Iterator[Entry]:
    """Yield every entry of a document, the outer before the inner."""
    if isinstance(node, Mapping):
        for key, value in node.entries:
            inner = (*path, key.text.value)
            yield Entry(inner, key.span.to(value.span))
            yield from entries(value, inner)
    elif isinstance(node, yaml.Sequence):
        for at, item in enumerate(node.items):
            yield Entry((*path, at), item.span)
            yield from entries(item, (*path, at))


class Subjects:
    """Finds what comments speak of, however many lines that is written on."""

    def __init__(self, source: Source, root: YamlNode) -> None:
        """source: of a document. root: its tree."""
        self.source = source
        lines = [line for line in enumerate(split_lines(source.text), 1) if line[1].strip(" ")[:1] not in ("", "#")]
        self._others = [number for number, _ in lines]
        self._depths = [len(found.group()) if (found := _DEPTH.match(line)) else 0 for _, line in lines]
        self._begin: dict[int, list[Entry]] = {}
        self._end: dict[int, Entry] = {}
        for entry in entries(root):
            begin = self._begin.setdefault(source.place(entry.span.start)[0], [])
            if not begin or len(begin[0].path) == len(entry.path):
                begin.append(entry)
            self._end[entry.span.end] = entry  # of several the innermost
        self._starts = sorted(self._begin)

    def of(self, comment: Comment) -> tuple[Entry, ...]:
        """Return the outermost entries that begin in a comment's line, or below it where it stands alone.

        Where collections only end in the line, it is the outermost that does.
        """
        number, column = self.source.place(comment.start)
        before = self.source.line(number)[: column - 1]
        if comment.starts_line:
            at = bisect_right(self._others, number)
            if at == len(self._others):
                return ()
            if at and column > self._depths[at - 1] > self._depths[at]:
                return ()  # it ends the block above
            number = self._others[at]
            before = self.source.line(number).partition(" #")[0]
        if before.strip() and not before.strip("-?{[ "):  # `-` speaks of what it opens, in the lines below
            at = bisect_left(self._starts, number)
            return tuple(self._begin[self._starts[at]]) if at < len(self._starts) else ()
        if comment.starts_line or number in self._begin:
            return tuple(self._begin.get(number, ()))
        closing = len(before) - len(before.rstrip(" ,]}"))
        ends = range(comment.start, comment.start - closing - 1, -1)
        return next(((self._end[end],) for end in ends if end in self._end), ())


def _scalars(node: YamlNode) -> Iterator[Scalar]:
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
