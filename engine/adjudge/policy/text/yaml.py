"""Strict YAML: the plain decimal scalars of version 1.2, and nothing that a reviewer could misread.

PyYAML's own reader (never its C twin, whose messages differ) turns text into events; what stands here turns events
into a small frozen tree that knows where every character came from. Refused: aliases, tags, merge keys, directives,
several documents, keys twice, keys that are no text, tabs, control characters, and numbers in any form but decimal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, pairwise
from typing import TypeGuard

import yaml

from adjudge.errors import PolicyError
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.text.repairs import indentation, repair_of
from adjudge.policy.text.scalars import DoubtfulNumber, Value, block_positions, flow_positions, resolve
from adjudge.policy.text.syntax import explain, quoted, shown, tag_hint
from adjudge.source import Edit, Source, Span, Text
from adjudge.texts import find_unseen, name_of
from adjudge.values.meant import plain_number, quantity

TEXT_MAX = 1024 * 1024
"""The longest document, in characters."""
DEPTH_MAX = 32
NODES_MAX = 100_000
EDITS_MAX = 10_000
"""How often one character is taken out of a document."""

_REPEATED_MIN = 2
"""How many keys must come again before a dash is taken to be missing, and no key to be there twice."""

_REFUSED = late(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]|\r(?!\n)"
)
_WIDE_BLANKS = "\xa0\u2000-\u200a\u202f\u205f\u3000"
_WIDE_INDENT = late(f"^ *([{_WIDE_BLANKS}])[ {_WIDE_BLANKS}]*(?:- |-?[A-Za-z_]+ ?[:\uff1a])", re.MULTILINE)
_HEAD_LINE = late(r"(?:(%)[^\n]*|[ ]*(?:#[^\n]*)?)(?:\n|\Z)")
_CALLED = late(r"\w\s*\(")
_DASH_BELOW = late(r"\n[ ]*(- )")
_DIGITS_BEFORE = late(r"[-+]?[0-9]+(?:[.,][0-9]{3})*,$")
_GROUP = 3
_SURROGATE = late("[\ud800-\udfff]")
_CHARACTERS = {
    "\t": ("a tab", "indent with spaces; inside double quotes write \\t"),
    "\ufeff": ("a byte-order mark", "save the file as UTF-8 without a byte-order mark"),
    "\r": ("a carriage return that ends no line", "save the file with the line ends of Unix or Windows"),
}


@frozen(kw_only=True)
class YamlNode:
    """A part of a document; a bare Node is one that was refused, and blamed already."""

    span: Span


@frozen(kw_only=True)
class Scalar(YamlNode):
    """A single value, and its text with the way back to the document; the two are equal where the value is a string."""

    value: Value
    text: Text


@frozen(kw_only=True)
class Sequence(YamlNode):
    """A list."""

    items: tuple[YamlNode, ...]


@frozen(kw_only=True)
class Mapping(YamlNode):
    """Keys and values as written; no key stands twice. The value of a key is a string, or for `true:` a bool."""

    entries: tuple[tuple[Scalar, YamlNode], ...]

    def get(self, key: str) -> YamlNode | None:
        """Return the value of a key, or None."""
        return next((value for name, value in self.entries if name.text.value == key), None)


def _directives(text: str) -> Iterator[Span]:
    """Yield the lines with `%` before a document begins, such as `%YAML 1.2`."""
    at = 0
    while at < len(text) and (line := _HEAD_LINE.match(text, at)) is not None:
        if line.group(1) is not None:
            yield Span(*line.span())
        at = line.end()


def read_yaml(source: Source, *, recorded: bool = False) -> tuple[YamlNode | None, list[PolicyError]]:
    """Return a document's tree and everything that is wrong with it as YAML.

    recorded: whether it stands in a log, where decisions were made on it: nothing in it is refused for being unseen.
    The tree is None where there is nothing to go on with; else its wrong parts are left out or bare Nodes.
    Time and memory are bounded by TEXT_MAX, DEPTH_MAX and NODES_MAX; what was read last is remembered, as a command
    reads a document for its kind, its rules and its findings.
    """
    tree, errors = _read(source, recorded)
    return tree, list(errors)


@lru_cache(maxsize=2)
def _read(source: Source, recorded: bool) -> tuple[YamlNode | None, tuple[PolicyError, ...]]:
    builder = _Builder(source, recorded)
    try:
        return builder.document(), tuple(builder.errors)
    except PolicyError as error:
        return None, (*builder.errors, error.with_traceback(None))


class _Builder:
    """Reads one document, event by event."""

    def __init__(self, source: Source, recorded: bool = False) -> None:
        self.source = source
        self.recorded = recorded
        self.errors: list[PolicyError] = []
        self.nodes = 0
        self.events: Iterator[yaml.Event] = iter(())
        self.parted: list[Mapping] = []  # what was read as one item with the one before, for want of a dash

    def wrong(
        self, code: str, message: str, span: Span, hint: str | None = None, fix: tuple[Edit, ...] = ()
    ) -> PolicyError:
        return PolicyError(code, message, source=self.source, span=span, hint=hint, fix=fix)

    def blame(self, code: str, message: str, span: Span, hint: str | None = None, fix: tuple[Edit, ...] = ()) -> None:
        self.errors.append(self.wrong(code, message, span, hint, fix))

    def document(self) -> YamlNode:
        """Read the text's one document. Raises PolicyError where nothing can be made of it."""
        text = self.source.text
        if len(text) > TEXT_MAX:
            raise self.wrong("yaml-size", f"the document is longer than {TEXT_MAX:,} characters", Span(0, 0))
        refused = _REFUSED.search(text)
        at = refused.start() if refused else None if self.recorded else find_unseen(text)
        if at is None and not self.recorded and not text.isascii() and (wide := _WIDE_INDENT.search(text)):
            raise self.wide_indentation(wide.start(1))
        if at is not None:
            raise self.foreign_character(at)
        if not self.recorded and (lines := list(islice(_directives(text), EDITS_MAX))):
            raise PolicyError(
                "yaml-directive",
                "directives are not allowed",
                source=self.source,
                span=Span(lines[0].start, lines[0].start + len(text[lines[0].start : lines[0].end].rstrip())),
                hint="delete the lines with `%`",
                fix=[Edit(span=line, text="") for line in lines],
                is_sure=True,
            )
        self.events = _events(self.source)
        next(self.events)
        start = next(self.events)
        if not isinstance(start, yaml.DocumentStartEvent):
            raise self.wrong("yaml-empty", "the document is empty", Span(0, 0))
        if start.version or start.tags:
            self.blame("yaml-directive", "directives are not allowed", _span(start), "delete the lines with `%`")
        root = self.node(next(self.events), 1)
        next(self.events)
        another = next(self.events)
        if isinstance(another, yaml.DocumentStartEvent):
            hint = "put each document into its own file"
            self.blame("yaml-documents", "a second document begins here", _span(another), hint)
        return root

    def foreign_character(self, at: int) -> PolicyError:
        """Return what to say of a character that no document may have, and the edits that take it out everywhere."""
        text, char = self.source.text, self.source.text[at]
        name, hint = _CHARACTERS.get(char, (f"the character {name_of(char)}", "delete it; it is invisible"))
        edits = []
        plain = Source(self.source.name, text)  # whose lines are those of this text, whatever was mended before
        if char != "\r" and not _SURROGATE.match(char):
            lines: set[int] = set()
            for found in islice(re.finditer(re.escape(char), text), EDITS_MAX):
                start, number = found.start(), plain.place(found.start())[0]
                begin = plain.offset(number)
                indent = text[begin:start]
                if char == "\t" and not indent.strip():
                    if number not in lines:
                        line = plain.line(number)
                        blank = line[: len(line) - len(line.lstrip(" \t"))]
                        spaces = " " * indentation(plain, number, blank)
                        edits.append(Edit(span=Span(begin, begin + len(blank)), text=spaces))
                    lines.add(number)
                else:
                    edits.append(Edit(span=Span(start, start + 1), text=" " if char == "\t" else ""))
        return PolicyError(
            "yaml-character",
            f"{name} is not allowed here",
            source=self.source,
            span=Span(at, at + 1),
            hint=hint,
            fix=edits,
            is_sure=True,
        )

    def wide_indentation(self, at: int) -> PolicyError:
        """Return what to say where a key's line begins with blanks that are no plain spaces."""
        plain = Source(self.source.name, self.source.text)
        found = repair_of(plain, plain.place(at)[0])
        span, message = Span(at, at + 1), "the line begins with a space that is none of YAML's"
        if found is None:
            return PolicyError("yaml-character", message, source=self.source, span=span)
        return PolicyError(
            "yaml-character",
            found.message,
            source=self.source,
            span=found.span,
            hint=found.hint,
            fix=found.edits,
            is_sure=True,
        )

    def node(self, event: yaml.Event, depth: int) -> YamlNode:
        span = _span(event)
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise self.wrong("yaml-size", f"the document has more than {NODES_MAX:,} parts", span)
        if depth > DEPTH_MAX:
            raise self.wrong("yaml-depth", f"this is nested more than {DEPTH_MAX} levels deep", span)
        decorated = isinstance(event, yaml.NodeEvent) and self.decorations(event, span.start)
        match event:
            case yaml.ScalarEvent():
                return YamlNode(span=span) if decorated else self.scalar(event, span)
            case yaml.SequenceStartEvent():
                return self.sequence(span, depth)
            case yaml.MappingStartEvent():
                return self.mapping(span, depth)
            case _:
                return YamlNode(span=span)

    def decorations(self, event: yaml.NodeEvent, start: int) -> bool:
        """Refuse an anchor, alias or tag; return whether there was one."""
        text = self.source.text
        tag = getattr(event, "tag", None)
        if event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            at = text.index(sign + event.anchor, start)
            hint = "write it out, or name it under `variables`; quote a string that starts with `&` or `*`"
            span = Span(at, at + 1 + len(event.anchor))
            self.blame("yaml-alias", "anchors and aliases are not allowed", span, hint)
        if tag is not None:
            at = text.index("!", start)
            end = at + len(text[at:].split(maxsplit=1)[0])
            fix = () if text.startswith("!!", at) else (_quoted_line(self.source, at),)
            self.blame("yaml-tag", "tags are not allowed", Span(at, end), tag_hint(self.source, at), fix)
        return event.anchor is not None or tag is not None

    def scalar(self, event: yaml.ScalarEvent, span: Span) -> YamlNode:
        raw, value = self.source.text, event.value
        if event.style in ("|", ">"):
            positions = block_positions(raw, span.start, span.end, value, folded=event.style == ">")
        else:
            positions = flow_positions(raw, span.start, span.end, event.style)
        if found := _SURROGATE.search(value):
            at = positions[found.start()]
            self.blame(
                "yaml-character",
                "half of a character is not allowed here",
                Span(at, at + 1),
                "write it as \\U and 8 digits",
            )
            return YamlNode(span=span)
        text = Text(value, self.source, positions)
        if event.style is not None:
            return Scalar(span=span, value=value, text=text)
        written = raw[span.start : span.end]
        if "\n" in written and not self.recorded and (dash := _DASH_BELOW.search(written)):
            place = Span(span.start + dash.start(1), span.start + dash.end(1))
            message = "this line is read as part of the text above it"
            self.blame("yaml-item", message, place, "the dashes of a list stand in one column")
        try:
            return Scalar(span=span, value=resolve(value), text=text)
        except DoubtfulNumber as error:
            if (number := self.separated(span)) is not None:
                return number
            hint = f'write "{shown(value)}" for the text, or a plain decimal number'
            fix: tuple[Edit, ...] = ()
            if "_" in value and (said := quantity(value)) is not None:
                plain = plain_number(said)
                hint, fix = f'write {plain}, or "{shown(value)}" for the text', (Edit(span=span, text=plain),)
            self.blame("yaml-number", f"`{shown(value)}` {error}", span, hint, fix)
            return YamlNode(span=span)

    def separated(self, span: Span) -> YamlNode | None:
        """Blame the rest of a number with a comma in it, which parts values in braces and brackets: `{add: 1,000}`."""
        begin = max(0, span.start - 20)
        before = _DIGITS_BEFORE.search(self.source.text[begin : span.start])
        rest = self.source.text[span.start : span.end]
        if before is None or not rest.isdecimal():
            return None
        start = begin + before.start()
        said = self.source.text[start : span.end]
        number = said.replace(",", "") if len(rest) == _GROUP else said.replace(".", "").replace(",", ".", 1)
        message = f"a comma separates values here, so `{said}` is no number"
        fix = (Edit(span=Span(start, span.end), text=number),)
        self.blame("yaml-number", message, Span(start, span.end), f"write {number}", fix)
        return YamlNode(span=span)

    def sequence(self, opened: Span, depth: int) -> Sequence:
        items: list[YamlNode] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, depth + 1))
            items += self.parted
            self.parted = []
        end = items[-1].span.end if items else opened.end
        return Sequence(span=self.collection(opened.start, end, event), items=tuple(items))

    def mapping(self, opened: Span, depth: int) -> Mapping:
        entries: list[tuple[YamlNode, YamlNode]] = []
        end = opened.end
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            value = self.node(next(self.events), depth + 1)
            end = max(end, value.span.end)
            entries.append((key, value))
        first, *others = self.without_dash(self.whole_calls(entries))
        self.parted = [self.named(span_of(other), other) for other in others]
        return self.named(self.collection(opened.start, end, event), first)

    def named(self, span: Span, entries: list[tuple[YamlNode, YamlNode]]) -> Mapping:
        """Return a mapping of the entries whose key can be taken; blames the others."""
        taken: dict[str, tuple[Scalar, YamlNode]] = {}
        for key, value in entries:
            if self.is_name(key, taken):
                taken[key.text.value] = (key, value)
            elif isinstance(key, Scalar) and type(key.value) is int and taken:  # the rest of a number with a comma
                last = next(reversed(taken))
                taken[last] = (taken[last][0], YamlNode(span=taken[last][1].span))
        return Mapping(span=span, entries=tuple(taken.values()))

    def whole_calls(self, entries: list[tuple[YamlNode, YamlNode]]) -> list[tuple[YamlNode, YamlNode]]:
        """Return the entries of braces without what a comma cut off a condition: `{when: IF(a, b), then: review}`."""
        whole: list[tuple[YamlNode, YamlNode]] = []
        at = 0
        while at < len(entries):
            key, value = entries[at]
            at += 1
            depth = _open_brackets(value) if isinstance(value, Scalar) and _CALLED.search(value.text.value) else 0
            end = at
            while depth > 0 and end < len(entries) and _is_nothing(entries[end][1]):
                depth += _open_brackets(entries[end][0])
                end += 1
            if end > at and depth <= 0 and not self.recorded:
                span = Span(value.span.start, entries[end - 1][0].span.end)
                text = quoted(self.source.text[span.start : span.end])
                message = "a condition with brackets or commas must be quoted inside braces"
                self.blame("yaml-syntax", message, span, f"write {text}", (Edit(span=span, text=text),))
                at, value = end, YamlNode(span=span)
            whole.append((key, value))
        return whole

    def without_dash(self, entries: list[tuple[YamlNode, YamlNode]]) -> list[list[tuple[YamlNode, YamlNode]]]:
        """Part the entries where an item's first key comes again with others of its own: a `- ` is missing there."""
        names = [key.text.value if isinstance(key, Scalar) else "" for key, _ in entries]
        repeated = len(names) - len(set(names))
        begins = [at for at, name in enumerate(names) if at and name and name == names[0]]
        if repeated < _REPEATED_MIN or not begins or not self.is_item(entries[0][0]):
            return [entries]
        for at in begins:
            key = entries[at][0]
            line = self.source.text[key.span.start :].partition("\n")[0].rstrip()
            fix = (Edit(span=Span(key.span.start - 2, key.span.start), text="- "),)
            message = "another item begins here, and the `- ` before it is missing"
            self.blame("yaml-item", message, key.span, f"write `- {line}`", fix)
        return [entries[start:end] for start, end in pairwise([0, *begins, len(entries)])]

    def is_item(self, key: YamlNode) -> bool:
        """Whether a key is the first one behind a dash."""
        return self.source.text[max(0, key.span.start - 2) : key.span.start] == "- "

    def is_name(self, key: YamlNode, before: dict[str, tuple[Scalar, YamlNode]]) -> TypeGuard[Scalar]:
        """Whether a key can be taken; blames one that cannot."""
        if isinstance(key, Sequence | Mapping):
            hint = "quote the whole string if it is a condition"
            self.blame("yaml-key", "a list or a mapping cannot be a key", key.span, hint)
        if not isinstance(key, Scalar):
            return False
        name = key.text.value
        if not name:
            self.blame("yaml-key", "a key is missing before the `:`", key.span)
        elif not isinstance(key.value, str | bool) and self.separated(key.span) is not None:
            return False
        elif not isinstance(key.value, str | bool):
            quoted = (Edit(span=key.span, text=f'"{name}"'),)
            message = f"a key must be a string, not `{shown(name)}`"
            self.blame("yaml-key", message, key.span, f'write "{shown(name)}"', fix=quoted)
        elif name == "<<":
            self.blame("yaml-merge", "merge keys are not allowed", key.span, "write the keys out")
        elif name in before:
            line, _ = self.source.place(before[name][0].span.start)
            hint = f"it is already in line {line}; keep one of the two"
            self.blame("yaml-duplicate-key", f"duplicate key `{shown(name)}`", key.span, hint)
        else:
            return True
        return False

    def collection(self, start: int, end: int, last: yaml.Event) -> Span:
        """Return a collection's span: to its closing bracket, or else to the end of the last thing in it."""
        closed = _span(last)
        return Span(start, max(start, end if closed.start == closed.end else closed.end))


def _open_brackets(node: YamlNode) -> int:
    """Return how many round brackets a plain scalar opens and does not close."""
    if not isinstance(node, Scalar) or len(node.text.value) != node.span.end - node.span.start:
        return 0
    text = node.text.value
    return text.count("(") - text.count(")")


def _is_nothing(node: YamlNode) -> bool:
    return isinstance(node, Scalar) and node.value is None


def span_of(entries: list[tuple[YamlNode, YamlNode]]) -> Span:
    """Return where entries that follow each other stand."""
    return Span(entries[0][0].span.start, max(value.span.end for _, value in entries))


def _quoted_line(source: Source, at: int) -> Edit:
    """Return the edit that quotes a line from a character on."""
    line = source.text[at:].partition("\n")[0].rstrip()
    return Edit(span=Span(at, at + len(line)), text=quoted(line))


def _span(event: yaml.Event) -> Span:
    return Span(event.start_mark.index, event.end_mark.index)  # type: ignore[union-attr]  # the parser marks all


def _events(source: Source) -> Iterator[yaml.Event]:
    """Yield PyYAML's events. Raises PolicyError where it finds no YAML."""
    loader = yaml.SafeLoader(source.text)
    while True:
        try:
            event = loader.get_event()  # type: ignore[no-untyped-call]  # PyYAML has no types
        except yaml.MarkedYAMLError as error:
            raise explain(error, source) from None
        except (ValueError, OverflowError):
            # PyYAML hands an escape such as "\UFFFFFFFF", and a directive's digits, unchecked to chr() and int()
            at = loader.index
            message = "invalid escape"
            raise PolicyError("yaml-syntax", message, source=source, span=Span(at, at + 1)) from None
        if event is None:
            return
        yield event
