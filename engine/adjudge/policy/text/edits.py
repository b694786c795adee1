"""Edits of a few lines that a document may lack: indentation, dashes, colons, quotes, brackets, a section's name.

Nothing here knows whether an edit is right. `adjudge.policy.text.one_edit` tries them, and keeps one that explains
what was blamed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from adjudge.patterns import late
from adjudge.policy.text.repairs import BARE, Repair, repair_of, without_colon
from adjudge.source import Edit, Source, Span

_KEY = r"[A-Za-z_][\w.-]*"
_HEAD = late(rf"( *)(- +)?({_KEY}):(?: +|$)(.*)$")
_SECOND_KEY = late(rf"\s+(?=((?:- )?{_KEY}):(?: |$))")
_FIRST_PAIR = late(rf"(?:{_KEY}): \S.*, *{_KEY}: \S")
_LOOSE_END = late(r"[,;\"']$")
_COMMENTED = late(rf"( *)#( *)((?:- +)?{_KEY}:(?: |$).*)$")
_FLOW_EQUALS = late(rf"(?<=[{{,])( *{_KEY}) *= *(?=[^=])")
_LOOSE_KEY = late(rf" *(?:- +)?({_KEY})( *= *| +)(?=\S|$)")
_BEHIND_BRACKET = late(r"[}\]](\s+[^\s#,}\]][^{}\[\]]*)$")
_SEMICOLON = late(r"\s*;\s*")
_GAP = late(r"(?<=[\w\]}])(?= )(?: +)(?=\w+(?:: |[^:{}]*\]))")
_STEP = 2
_INNER = ("fields", "points", "rows", "bands")
"""Keys that hold lines of their own inside of a section."""
_CLOSES = {"{": "}", "[": "]", "(": ")"}


def edits_near(source: Source, number: int, sections: Sequence[str]) -> Iterator[Repair]:
    """Yield what may be wrong at a line, the likelier first. sections: names of sections that the document lacks."""
    lines = Lines(source)
    if not 1 <= number <= lines.last:
        return
    if lines.text(number).strip():
        for repair in (repair_of(source, number), without_colon(source, number)):
            if repair is not None and repair.edits:
                yield repair
        yield from lines.signs(number)
        yield from lines.columns(number)
        yield from lines.dashes(number)
        yield from lines.order(number)
    yield from lines.missing(number, sections)


class Lines:
    """The lines of one document, counted from 1, and what may be done to each."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.last = source.place(len(source.text))[0]

    def text(self, number: int) -> str:
        """Return a line; nothing beyond the last one."""
        return self.source.line(number) if 1 <= number <= self.last else ""

    def indent(self, number: int) -> int:
        """Return how many blanks a line begins with."""
        text = self.text(number)
        return len(text) - len(text.lstrip(" \t"))

    def next_of(self, number: int, step: int = 1) -> int:
        """Return the next line that says something, or the one before it; one beyond the ends if there is none."""
        number += step
        while 1 <= number <= self.last and not self.text(number).strip():
            number += step
        return number

    def end_of(self, number: int) -> int:
        """Return the last line of a block: the line itself and those that are indented deeper."""
        end, at = number, self.next_of(number)
        while at <= self.last and self.indent(at) > self.indent(number):
            end, at = at, self.next_of(at)
        return end

    def span(self, number: int) -> Span:
        """Return what a line says, without its indentation."""
        begin = self.source.offset(number)
        return Span(begin + self.indent(number), begin + len(self.text(number)))

    def moved(self, first: int, last: int, by: int) -> tuple[Edit, ...]:
        """Return the edits that indent lines by so many spaces more, or fewer."""
        edits = []
        for number in range(first, last + 1):
            begin, indent = self.source.offset(number), self.indent(number)
            if self.text(number).strip():
                edits.append(Edit(span=Span(begin, begin + indent), text=" " * max(0, indent + by)))
        return tuple(edits)

    def written(self, number: int, start: int, end: int, text: str, message: str) -> Repair:
        """Return the repair that puts a text in the place of a part of a line."""
        begin, line = self.source.offset(number), self.text(number)
        after = f"{line[:start]}{text}{line[end:]}".strip()
        place = Span(begin + min(start, max(0, len(line) - 1)), begin + min(max(end, start + 1), max(len(line), 1)))
        hint = f"write `{after}`" if len(after) <= 120 and "\n" not in after else "write it so in this line"
        return Repair(place, message, hint, (Edit(span=Span(begin + start, begin + end), text=text),), is_sure=False)

    def signs(self, number: int) -> Iterator[Repair]:
        """Yield what may be wrong with the signs of one line."""
        line = self.text(number)
        head = _HEAD.match(line)
        for mark in "\"'":
            if line.count(mark) % 2:
                last, first = line.rindex(mark), line.index(mark)
                what = f"this `{mark}` is alone"
                yield self.written(number, last, last + 1, "", what)
                if first != last:
                    yield self.written(number, first, first + 1, "", what)
                yield self.written(number, len(line.rstrip()), len(line), mark, f"the `{mark}` at the end is missing")
                if head is not None:
                    at = head.start(4)
                    yield self.written(number, at, at, mark, f"the `{mark}` at the beginning is missing")
        for opening, closing in _CLOSES.items():
            more = line.count(opening) - line.count(closing)
            if more > 0:
                for sign in (opening * 2, opening):
                    if sign in line and (len(sign) > 1 or more < line.count(opening)):
                        at = line.index(sign)
                        yield self.written(number, at, at + 1, "", f"there is a `{opening}` too many")
                end = len(line.rstrip())
                yield self.written(number, end, len(line), closing * more, f"this `{opening}` is never closed")
                if head is not None and line[head.start(4) : head.start(4) + 1] == opening:
                    yield self.written(number, head.start(4), head.start(4) + 1, "", f"there is a `{opening}` too many")
            elif more < 0:
                at = line.rindex(closing)
                yield self.written(number, at, at + 1, "", f"this `{closing}` closes nothing")
                if head is not None:
                    at = head.start(4)
                    yield self.written(number, at, at, opening, f"a `{opening}` is missing before this")
        if head is not None and _FIRST_PAIR.match(head.group(4)) and head.group(4)[0] not in "{['\"":
            value, at = head.group(4).rstrip(), head.start(4)
            text = f"{{{value}}}"
            yield self.written(number, at, len(line), text, "several keys in one line stand in braces")
        if head is None and (loose := _LOOSE_KEY.match(line)) is not None:
            start, end = loose.span(2)
            yield self.written(number, start, end, ": ", f"a `:` is missing after `{loose.group(1)}`")
        if equals := list(_FLOW_EQUALS.finditer(line)):
            begin = self.source.offset(number)
            edits = [Edit(span=Span(begin + one.end(1), begin + one.end()), text=": ") for one in equals]
            place, said = edits[0].span, _FLOW_EQUALS.sub("\\1: ", line).strip()
            hint = f"write `{said}`"
            yield Repair(place, "a key ends with `:`, not with `=`", hint, tuple(edits), is_sure=False)
        follows = self.next_of(number)
        if head is not None and head.group(4) and follows <= self.last and self.indent(follows) > self.indent(number):
            at, value = head.start(4), head.group(4).rstrip()
            what = f"`{head.group(3)}` has `{value[:40]}` beside it, and lines below"
            yield self.written(number, at - 1, len(line), "", what)
        for found in _SECOND_KEY.finditer(line):
            if found.start() and line[: found.start()].strip() not in ("", "-"):
                yield from self.parted(number, found)
        if (behind := _BEHIND_BRACKET.search(line)) is not None:
            what = f"`{behind.group(1).strip()}` stands behind the end of the value"
            yield self.written(number, *behind.span(1), "", what)
        for pattern, message in ((_SEMICOLON, "values are separated by commas"), (_GAP, "a comma is missing here")):
            if parts := list(pattern.finditer(line)):
                begin = self.source.offset(number)
                edits = [Edit(span=Span(begin + one.start(), begin + one.end()), text=", ") for one in parts]
                hint = f"write `{pattern.sub(', ', line).strip()}`"
                yield Repair(edits[0].span, message, hint, tuple(edits), is_sure=False)
        if _LOOSE_END.search(line.rstrip()):
            end = len(line.rstrip())
            yield self.written(number, end - 1, end, "", f"there is a `{line[end - 1]}` too many at the end")

    def parted(self, number: int, found: re.Match[str]) -> Iterator[Repair]:
        """Yield the repairs that begin a new line before the second key of a line, beside the first or below it."""
        begin, line = self.source.offset(number), self.text(number)
        head = _HEAD.match(line)
        column = head.start(3) if head is not None else self.indent(number)
        name = found.group(1)
        message, hint = f"`{name}` begins a new line", f"write `{line[found.end() :].strip()}` in a line of its own"
        place = Span(begin + found.end(), begin + found.end() + len(name))
        column -= _STEP if name.startswith("- ") else 0
        for indent in (max(0, column), column + _STEP, 0):
            edit = Edit(span=Span(begin + found.start(), begin + found.end()), text="\n" + " " * indent)
            yield Repair(place, message, hint, (edit,), is_sure=False)

    def columns(self, number: int) -> Iterator[Repair]:
        """Yield what may be wrong with where a line begins."""
        indent, end = self.indent(number), self.end_of(number)
        before, after = self.next_of(number, -1), self.next_of(end)
        near: list[int] = []
        for other in (before, after, self.next_of(before, -1) if before >= 1 else 0, self.next_of(after)):
            if 1 <= other <= self.last:
                dash = _HEAD.match(self.text(other))
                near += [self.indent(other)] + ([dash.start(3)] if dash is not None else [])
        near += [column for one in self.above(number) for column in (one, one + _STEP)]
        for column in dict.fromkeys(near):
            if column == indent:
                continue
            if end > number:
                yield self.at_column(number, end, column)
            yield self.at_column(number, number, column)
        follows = self.next_of(number)
        if follows > self.last:
            return
        for last in dict.fromkeys((self.end_of(number), self.run(follows))):
            by = indent + _STEP - self.indent(follows)
            if last >= follows and by:
                message = f"what belongs to `{self.name(number)}` is not indented as it should be"
                hint = f"begin the lines below in column {indent + _STEP + 1}"
                yield Repair(self.span(follows), message, hint, self.moved(follows, last, by), is_sure=False)

    def above(self, number: int) -> Iterator[int]:
        """Yield where the lines begin under which a line may stand, the nearest first."""
        low, at = self.last + len(self.source.text), self.next_of(number, -1)
        while at >= 1 and low:
            if self.indent(at) < low:
                low = self.indent(at)
                yield low
            at = self.next_of(at, -1)
        yield 0

    def run(self, first: int) -> int:
        """Return the last of the lines from one on that begin where it does or deeper, up to a section's name."""
        last, at = first, self.next_of(first)
        while at <= self.last and self.indent(at) >= self.indent(first):
            if self.indent(at) == 0 and not self.text(at).startswith("-") and _is_section(self.text(at)):
                break
            last, at = at, self.next_of(at)
        return last

    def name(self, number: int) -> str:
        """Return the key of a line, or all of it."""
        found = _HEAD.match(self.text(number))
        return found.group(3) if found is not None else self.text(number).strip()[:40]

    def at_column(self, first: int, last: int, column: int) -> Repair:
        """Return the repair that makes lines begin in a column, counted from 0."""
        by = column - self.indent(first)
        what = "too far to the right" if by < 0 else "too far to the left"
        message = f"this line begins {what}" if first == last else f"this line and those below it begin {what}"
        return Repair(
            self.span(first), message, f"begin it in column {column + 1}", self.moved(first, last, by), is_sure=False
        )

    def dashes(self, number: int) -> Iterator[Repair]:
        """Yield what may be wrong with the dash of an item."""
        line, indent = self.text(number), self.indent(number)
        begin = self.source.offset(number)
        if line.startswith("- ", indent):
            edit = Edit(span=Span(begin + indent, begin + indent + 2), text="  ")
            hint = f"write `{line[indent + 2 :].strip()}`"
            yield Repair(self.span(number), "no item begins here", hint, (edit,), is_sure=False)
            return
        message, hint = "an item begins here, and the `- ` before it is missing", f"write `- {line.strip()}`"
        if indent >= _STEP:
            edit = Edit(span=Span(begin + indent - _STEP, begin + indent), text="- ")
            yield Repair(self.span(number), message, hint, (edit,), is_sure=False)
            if again := self.again(number):
                edits = (edit, *(Edit(span=Span(one - _STEP, one), text="- ") for one in again))
                message = "items begin here and below, and the `- ` before each is missing"
                yield Repair(self.span(number), message, hint, edits, is_sure=False)
        edit = Edit(span=Span(begin + indent, begin + indent), text="- ")
        yield Repair(self.span(number), message, hint, (edit,), is_sure=False)

    def again(self, number: int) -> list[int]:
        """Return where the key of a line comes again in the lines below that begin where it does or deeper."""
        found, at = [], self.next_of(number)
        while at <= self.last and self.indent(at) >= self.indent(number):
            if self.indent(at) == self.indent(number) and self.name(at) == self.name(number):
                found.append(self.source.offset(at) + self.indent(at))
            at = self.next_of(at)
        return found

    def order(self, number: int) -> Iterator[Repair]:
        """Yield what may be wrong with the lines around: one twice, two that stand the other way about, a comment."""
        begin = self.source.offset(number)
        before, after = self.next_of(number, -1), self.next_of(number)
        if before >= 1 and self.text(before).strip() == self.text(number).strip():
            place, cut = self.span(number), Span(begin, self.beyond(number))
            yield Repair(
                place, "this line stands twice", "delete one of the two", (Edit(span=cut, text=""),), is_sure=False
            )
        if BARE.fullmatch(self.text(number).strip()):
            edit, message = (
                Edit(span=Span(begin, self.beyond(number)), text=""),
                "this line is neither a key nor an item",
            )
            yield Repair(self.span(number), message, "delete it, or begin it with `#`", (edit,), is_sure=False)
        if after <= self.last:
            edits = (
                Edit(span=Span(begin, begin + len(self.text(number))), text=self.text(after)),
                Edit(
                    span=Span(self.source.offset(after), self.source.offset(after) + len(self.text(after))),
                    text=self.text(number),
                ),
            )
            yield Repair(
                self.span(number),
                "this line and the next one stand the other way about",
                "swap the two",
                edits,
                is_sure=False,
            )
        for other in (before, after, number):
            found = _COMMENTED.match(self.text(other)) if 1 <= other <= self.last else None
            for blanks in dict.fromkeys(("", found.group(2))) if found is not None else ():
                start = self.source.offset(other)
                said = found.group(3) if found is not None else ""
                indent = found.group(1) if found is not None else ""
                edit = Edit(span=Span(start, start + len(self.text(other))), text=f"{indent}{blanks}{said}")
                message = "this line is a comment, and what is around it needs it"
                yield Repair(self.span(other), message, f"write `{said}`", (edit,), is_sure=False)

    def beyond(self, number: int) -> int:
        """Return where the next line begins."""
        return self.source.offset(number + 1) if number < self.last else len(self.source.text)

    def missing(self, number: int, sections: Sequence[str]) -> Iterator[Repair]:
        """Yield the names of sections that may be missing above a line."""
        indent = self.indent(number)
        if not indent:
            return
        begin = self.source.offset(number)
        inner = _INNER if self.indent(self.next_of(number, -1)) <= indent - 2 * _STEP else ()
        for name, column in [(name, indent - _STEP) for name in inner] + [(name, 0) for name in sections]:
            edit = Edit(span=Span(begin, begin), text=" " * column + f"{name}:\n")
            message = f"`{name}:` is missing above this line"
            yield Repair(self.span(number), message, f"write `{name}:` in the line above", (edit,), is_sure=False)


def _is_section(line: str) -> bool:
    """Whether a line at the left edge looks like the name of a section."""
    return re.match(r"[a-z_]+:\s*(?:#.*)?$", line) is not None
