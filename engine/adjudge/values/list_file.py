"""The one reader of list files: a policy's `lists:` and the provider `lists` read the same values from the same file.

One value a line, UTF-8; blanks around it do not count, and neither does what follows a `#` at the line's beginning or
behind a blank. What would make a value that no input ever equals is a mistake with its line: a character that nobody
sees, a blank that is no plain space, quotes around a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from adjudge.errors import ListFileError
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.texts import composed, find_unseen, name_of, split_lines
from adjudge.values.list_table import is_table, line_of, table_of

BYTE_ORDER_MARK = "\ufeff"
_BLANKS = " \t"
_OTHER_BLANK = late("[\xa0\u1680\u2000-\u200a\u202f\u205f]|^\u3000|\u3000$")
_SUSPECT = late("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]|(?:^|[\r\n])[ \t]*[\"'\u201c\u201d\u201e]")
"""What a text without any mistake has none of: asked first, since a list may have a million lines."""
_PLAIN = bytes((*range(0x20, 0x7F), *b"\t\r\n"))
_COMMENT = late("(?:^|[ \t])#.*", re.DOTALL)
_QUOTED = late('["\u201c\u201d\u201e].*["\u201c\u201d]|\'.*\'|["\u201c\u201e][^"\u201c\u201d]*', re.DOTALL)


@frozen
class ListMistake:
    """What is wrong with a line. at: where in the text the first character of it stands. line: from 1."""

    at: int
    line: int
    message: str
    hint: str
    code: str = "list-character"


def read_list(data: bytes) -> tuple[str, ...]:
    """Return the values of a list file, each once; a byte-order mark before them is none of them.

    Raises ListFileError for the first mistake in it.
    """
    text = decode_list(data).removeprefix(BYTE_ORDER_MARK)
    if is_table(text):
        raise ListFileError("line 1: a table with a header can be a list of a policy only: write one value a line")
    for mistake in mistakes_of(text):
        raise ListFileError(f"line {mistake.line}: {mistake.message}")
    return values_of(text)


def decode_list(data: bytes) -> str:
    """Return the text of a list file. Raises ListFileError where it is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = len(split_lines(data[: error.start].decode("utf-8") + "?"))
        raise ListFileError(f"it is not UTF-8, in line {line}") from None


def values_of(text: str) -> tuple[str, ...]:
    """Return the values of a list's text, composed, each once. Of a table without mistakes, its first column."""
    if is_table(text):
        listed = table_of(text).values
        return tuple(dict.fromkeys(listed if text.isascii() else map(composed, listed)))
    lines = text.split("\n") if "\r" not in text else split_lines(text)
    if "#" in text:
        lines = [_COMMENT.sub("", line) if "#" in line else line for line in lines]
    values = dict.fromkeys(lines if " " not in text and "\t" not in text else [line.strip(_BLANKS) for line in lines])
    values.pop("", None)
    return tuple(values) if text.isascii() else tuple(dict.fromkeys(map(composed, values)))


def mistakes_of(text: str) -> Iterator[ListMistake]:
    """Yield what is wrong with the values of a list's text, line by line; comments may hold what they like."""
    if is_table(text):
        yield from _mistakes_of_table(text)
        return
    if _is_plain(text) and '"' not in text and "'" not in text:
        return
    if find_unseen(text) is None and not _SUSPECT.search(text):
        return
    at = 0
    for number, line in enumerate(split_lines(text, keep_ends=True), 1):
        said = _COMMENT.sub("", line.rstrip("\r\n")) if "#" in line else line.rstrip("\r\n")
        found = mistake_in(said.strip(_BLANKS))
        if found is not None:
            where, message, hint = found
            yield ListMistake(at + said.index(said.strip(_BLANKS)) + where, number, message, hint)
        at += len(line)


def value_of(line: str) -> str:
    """Return the value that a line holds, as it is written; empty for none."""
    return (_COMMENT.sub("", line) if "#" in line else line).strip(_BLANKS)


def line_span(text: str, line: int) -> tuple[int, int]:
    """Return where a line, from 1, begins and ends."""
    at = 0
    for number, found in enumerate(split_lines(text, keep_ends=True), 1):
        if number == line:
            return at, at + len(found.rstrip("\r\n"))
        at += len(found)
    return at, at


def _mistakes_of_table(text: str) -> Iterator[ListMistake]:
    table = table_of(text)
    if not _is_plain(text) and (find_unseen(text) is not None or _OTHER_BLANK.search(text)):
        for value in table.values:
            found = mistake_in(value)
            if found is not None and not _QUOTED.fullmatch(value):  # quotes within a cell's own are meant
                line = line_of(text, value)
                yield ListMistake(line_span(text, line)[0], line, found[1], found[2])
    if (fault := table.fault) is not None:
        yield ListMistake(line_span(text, fault.line)[0], fault.line, str(fault), fault.hint, code="list-entry")


def _is_plain(text: str) -> bool:
    """Whether a text has nothing but printable ASCII and the ends of lines; far faster than a search."""
    return text.isascii() and not text.encode().translate(None, _PLAIN)


def mistake_in(value: str) -> tuple[int, str, str] | None:
    """Return why no input could equal a value of a list: where in it, what is wrong, and the way out."""
    unseen = find_unseen(value)
    if unseen is not None:
        return unseen, f"{name_of(value[unseen])} is invisible", "delete it"
    if value.isascii():
        if value[:1] not in "\"'":
            return None
    elif blank := _OTHER_BLANK.search(value):
        return blank.start(), f"{name_of(blank.group())} is not a plain space", "write a plain space"
    if value and _QUOTED.fullmatch(value):
        return 0, "this value is in quotes, which would be part of it", "write it without quotes, one value a line"
    return None
