"""A document as an editor holds it: its text, and positions in the units that were agreed with the editor.

pygls keeps documents too, but cuts lines where `str.splitlines` does: at U+2028 and form feeds, where no editor does,
so that an edit lands in another line than the one it was made in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lsprotocol import types

from adjudge.frozen import frozen
from adjudge.source import Source, Span
from adjudge.texts import split_lines

UNITS: Mapping[str, Callable[[str], int]] = {
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "utf-32": len,
}
"""How many units a text takes, by encoding."""


@frozen(slots=False)
class Buffer:
    """One state of a document. encoding: of positions. version: the editor's; None where it is not open there."""

    uri: str
    text: str
    encoding: str
    version: int | None = None

    @cached_property
    def _lines(self) -> list[str]:
        return split_lines(self.text, keep_ends=True)

    @cached_property
    def _source(self) -> Source:
        return Source(self.uri, self.text)

    def offset(self, position: types.Position) -> int:
        """Return the offset of a position; past a line's end it is the end, and past the last line the text's."""
        if position.line >= len(self._lines):
            return len(self.text)
        line = self._lines[position.line].rstrip("\r\n")
        start = sum(len(before) for before in self._lines[: position.line])
        units = UNITS[self.encoding]
        if position.character >= units(line):
            return start + len(line)
        at = left = 0
        while left < position.character:
            left += units(line[at])
            at += 1
        return start + at

    def position(self, offset: int) -> types.Position:
        """Return the position of an offset."""
        line, column = self._source.place(offset)
        before = self._source.line(line)[: column - 1]
        return types.Position(line=line - 1, character=UNITS[self.encoding](before))

    def range(self, span: Span) -> types.Range:
        """Return the range of a span."""
        return types.Range(start=self.position(span.start), end=self.position(span.end))

    def changed(self, changes: Iterable[types.TextDocumentContentChangeEvent], version: int | None) -> Buffer:
        """Return the state after edits, each of which counts from the one before."""
        buffer = replace(self, version=version)
        for change in changes:
            text = change.text
            if isinstance(change, types.TextDocumentContentChangePartial):
                start, end = buffer.offset(change.range.start), buffer.offset(change.range.end)
                text = buffer.text[:start] + text + buffer.text[max(start, end) :]
            buffer = replace(buffer, text=text)
        return buffer


def read_buffer(uri: str, path: Path, encoding: str) -> Buffer:
    """Return a document that is not open in the editor, as its file has it; empty where there is none."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError:
        text = ""
    return Buffer(uri, text, encoding)
