"""Where something stands in a text that a person wrote."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import field
from functools import cached_property
from itertools import accumulate

from adjudge.frozen import frozen
from adjudge.texts import one_line, split_lines

EXCERPT_MAX = 400
"""The longest line that is shown, in characters."""


@frozen
class Span:
    """A half-open range of character offsets in a source, `start <= end`."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """Return the range from the start of this span to the end of `other`."""
        return Span(self.start, other.end)


@frozen(kw_only=True)
class Edit:
    """A replacement of one range of a document's own text."""

    span: Span
    text: str


@frozen(slots=False)
class Source:
    """A named text; turns offsets into the lines and columns that an editor shows."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def _line_starts(self) -> tuple[int, ...]:
        return (0, *accumulate(len(line) for line in split_lines(f"{self.text}$", keep_ends=True)[:-1]))

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of a character, both from 1."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def offset(self, number: int) -> int:
        """Return where a line begins, numbered from 1."""
        return self._line_starts[number - 1]

    def line(self, number: int) -> str:
        """Return the text of one line, numbered from 1, without its line end."""
        end = self._line_starts[number] if number < len(self._line_starts) else None
        return self.text[self._line_starts[number - 1] : end].rstrip("\r\n")

    def excerpt(self, line: int, column: int, width: int, note: str = "") -> list[str]:
        """Return a line with its number, and under it as many carets as `width` characters take; nothing if it is long.

        note: a few words behind the carets.
        """
        text, start = self.line(line), column - 1
        if len(text) > EXCERPT_MAX:
            return []
        shown = (one_line(part) for part in (text[:start], text[start : start + width], text[start + width :]))
        before, marked, after = shown
        carets = f"{' ' * len(before)}{'^' * max(1, len(marked))} {note}".rstrip()
        return [f"{line:>5} | {before}{marked}{after}", f"      | {carets}"]

    def whole(self) -> Text:
        """Return all of this source as one text."""
        return Text(self.text, self, range(len(self.text) + 1))

    def part(self, offset: int) -> tuple[Source, int]:
        """Return the text that a person wrote there, and the offset in it; they differ in a `Joined` source only."""
        return self, offset

    def line_at(self, offset: int) -> str:
        """Return `line 12`; of several files, `line 12 of shared/device.yaml`."""
        return f"line {self.place(offset)[0]}"


@frozen(slots=False)
class Sheet(Source):
    """The rows of a table: its lines are its records, though a cell may hold a line break.

    records: where each record begins, the first at 0.
    """

    records: tuple[int, ...] = field(default=(0,), repr=False)

    @cached_property
    def _line_starts(self) -> tuple[int, ...]:
        return self.records


@frozen(slots=False)
class Joined(Source):
    """Several sources behind one another, so that one span says both the file and the place in it.

    parts: where each begins in `text`, in order; the first is the document that includes the others.
    """

    parts: tuple[tuple[int, Source], ...] = field(default=(), repr=False)

    def part(self, offset: int) -> tuple[Source, int]:
        """Return the file in which an offset lies, and the offset there."""
        begins, source = self.parts[bisect_right(self.parts, offset, key=lambda part: part[0]) - 1]
        return source.part(offset - begins)

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column in the offset's own file, both from 1."""
        source, at = self.part(offset)
        return source.place(at)

    def line_at(self, offset: int) -> str:
        """Return the line and the file."""
        source, at = self.part(offset)
        return f"{source.line_at(at)} of {source.name}"


@frozen(slots=False)
class Mended(Source):
    """A text after edits, so that it can be read on; places are those of the original, which a person wrote.

    pieces: where each stretch of it begins in `text`, and where in the original.
    """

    original: Source = field(default=Source("", ""), repr=False)
    pieces: tuple[tuple[int, int], ...] = field(default=((0, 0),), repr=False)

    def part(self, offset: int) -> tuple[Source, int]:
        """Return the original and the offset there; what was put in counts as the place where it was."""
        at = bisect_right(self.pieces, offset, key=lambda piece: piece[0]) - 1
        begins, origin = self.pieces[at]
        last = self.pieces[at + 1][1] if at + 1 < len(self.pieces) else len(self.original.text)
        return self.original.part(min(origin + offset - begins, last))

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column in the original, both from 1."""
        source, at = self.part(offset)
        return source.place(at)

    def line_at(self, offset: int) -> str:
        """Return the line in the original."""
        source, at = self.part(offset)
        return source.line_at(at)


def mended(original: Source, edits: Iterable[Edit]) -> Mended:
    """Return a text after edits that do not overlap, in the original's own offsets."""
    parts: list[str] = []
    pieces = [(0, 0)]
    at = length = 0
    for edit in sorted(edits, key=lambda one: one.span.start):
        parts += (original.text[at : edit.span.start], edit.text)
        length += edit.span.start - at
        pieces.append((length, edit.span.start))
        length += len(edit.text)
        at = edit.span.end
        pieces.append((length, at))
    parts.append(original.text[at:])
    return Mended(original.name, "".join(parts), original, tuple(pieces))


def join(sources: Sequence[Source]) -> Joined:
    """Put sources behind one another, a line end between them; the first gives the name."""
    parts: list[tuple[int, Source]] = []
    begins = 0
    for source in sources:
        parts.append((begins, source))
        begins += len(source.text) + 1
    return Joined(sources[0].name, "\n".join(source.text for source in sources), tuple(parts))


@frozen
class Text:
    """A piece of a source as its reader sees it, with the way back for every character.

    A condition inside YAML may be folded, indented or escaped: `positions[i]` is the offset in `source` of
    `value[i]`; one more entry stands for the end.
    """

    value: str
    source: Source = field(repr=False)
    positions: Sequence[int] = field(repr=False)

    def span(self, start: int, end: int) -> Span:
        """Return where `value[start:end]` stands in the source."""
        first = self.positions[start]
        last = self.positions[end - 1] + 1 if end > start else first
        return Span(first, max(first, last))
