"""Where the cursor is: in which part of the document, and in which word, even while the document does not parse."""

from __future__ import annotations

import re

from adjudge.frozen import frozen
from adjudge.source import Source, Span
from adjudge.texts import split_lines

_KEY = re.compile(r"^( *)(?:- +)?([\w.\-]+|\"[^\"]*\"|'[^']*') *:(?= |$)")
_WORD = re.compile(r"[A-Za-z_][\w.\-:]*")


@frozen(kw_only=True)
class Place:
    """path: the keys above the cursor, the innermost last, list items left out. before: what stands before it there."""

    path: tuple[str, ...]
    before: str

    @property
    def is_condition(self) -> bool:
        """Whether a condition is being written."""
        return self.path[-1:] in (("when",), ("unless",), ("add",)) or (
            len(self.path) == 2 and self.path[0] == "variables"
        )


def place_at(text: str, offset: int) -> Place:
    """Return where an offset lies, from indentation and braces alone."""
    *lines, line = split_lines(f"{text[:offset]}$")
    line = line.removesuffix("$")
    path: list[str] = []
    before = line
    key = _KEY.match(line)
    depth = len(line) - len(line.lstrip(" "))
    if key is not None:
        path.append(key.group(2).strip("\"'"))
        before = line[key.end() :].lstrip(" ")
        depth = _depth(line)
        path += _in_braces(before)
        before = _after_braces(before)
    elif line.lstrip(" ").startswith("- "):
        depth += 2
        inner = line.lstrip(" ")[2:]
        path += _in_braces(inner)
        before = _after_braces(inner)
    for above in reversed(lines):
        found = _KEY.match(above)
        if found is not None and _depth(above) < depth:
            depth = _depth(above)
            path.insert(0, found.group(2).strip("\"'"))
        elif above.strip().startswith("- ") and len(above) - len(above.lstrip(" ")) < depth:
            depth = min(depth, len(above) - len(above.lstrip(" ")) + 1)
        if depth == 0:
            break
    return Place(path=tuple(path), before=before)


def _depth(line: str) -> int:
    """Return how deep a key stands; the dash of a list's item counts as blanks."""
    blanks = len(line) - len(line.lstrip(" "))
    rest = line[blanks:]
    return blanks + (len(rest) - len(rest[1:].lstrip(" "))) if rest.startswith("- ") else blanks


def _in_braces(text: str) -> list[str]:
    """Return the keys of the flow mappings that are open at the end of a text."""
    keys: list[str | None] = []
    quote = ""
    last = ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "{[":
            keys.append(None)
            last = ""
            continue
        elif char in "}]" and keys:
            keys.pop()
        elif char == "," and keys:
            keys[-1] = None
            last = ""
            continue
        elif char == ":" and keys and last.strip():
            keys[-1] = last.strip()
            last = ""
            continue
        last += char
    return [key for key in keys if key is not None]


def _after_braces(text: str) -> str:
    """Return what follows the last opened brace's last `:` or `,`."""
    at = 0
    quote = ""
    depth = 0
    for number, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "{[":
            depth += 1
            at = number + 1
        elif char in "}]":
            depth -= 1
        elif depth and char in ",:":
            at = number + 1
    return text[at:].lstrip(" ")


def word_at(text: str, offset: int) -> tuple[str, Span] | None:
    """Return the dotted word around an offset."""
    source = Source("", text)
    number, column = source.place(offset)
    start, line = offset - column + 1, source.line(number)
    for found in _WORD.finditer(line):
        if start + found.start() <= offset <= start + found.end():
            word = found.group().rstrip(":.")
            return word, Span(start + found.start(), start + found.start() + len(word))
    return None
