"""Texts that others wrote: cut into lines, and shown so that they cannot pass for anything but a text.

Whatever comes from a request, a vendor, a policy, a label, a log or the name of a file goes through one of these
functions where it leaves adjudge, a function for each medium. What a terminal would obey, what reorders a line, what
cannot be seen and what would begin another line is written as in JSON: `\\u001b`, `\\u202e`, `\\u200b`, `\\n`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from functools import cache

from adjudge.patterns import late

_LINE = late(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef"
"""Letters and marks by category that show nothing; the two selectors of emoji are no danger."""
_SUSPECT = late(f"[^ -~\u00a1-\u00ac\u00ae-\u02ff\u4e00-\u9fff]|[{_BLANK}]")
"""All but the characters that are plainly seen: those in it are looked up one by one."""
_IS_BLANK = late(f"[{_BLANK}]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKDOWN = late(r"[\\`*_\[\]<>|~&!#@]|:(?=//)|(?<=www)\.|^[-+=]")
FORMULA_SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet calculate; the wide forms do so in East Asian editions."""

UNSEEN = (
    ("\x00", "\x08"), ("\x0b", "\x0c"), ("\x0e", "\x1f"), ("\x7f", "\x9f"), ("\xad", "\xad"), ("\u034f", "\u034f"),
    ("\u061c", "\u061c"), ("\u115f", "\u1160"), ("\u17b4", "\u17b5"), ("\u180b", "\u180f"), ("\u200b", "\u200b"),
    ("\u200e", "\u200f"), ("\u2028", "\u202e"), ("\u2060", "\u206f"), ("\u2800", "\u2800"), ("\u3164", "\u3164"),
    ("\ufe00", "\ufe0d"), ("\ufeff", "\ufeff"), ("\uffa0", "\uffa0"), ("\ufff0", "\ufffb"), ("\ufffe", "\uffff"),
    ("\U0001bca0", "\U0001bca3"), ("\U0001d173", "\U0001d17a"), ("\U000e0000", "\U000e0fff"),
)  # fmt: skip
"""What nobody sees in a text that is compared, by ranges: a list of our own, so that no version of Unicode changes it.

Tabs and line ends are none of it, and neither is what joins or parts the letters of some scripts, see `JOINERS`.
"""
JOINERS = (("\u200c", "\u200d"),)
"""The zero-width joiner and non-joiner; seen where they stand between two characters of `JOINED`, and only there."""
JOINED = (("\u0600", "\u1fff"), ("\u2190", "\u2bff"), ("\ufe0f", "\ufe0f"), ("\U0001f000", "\U0001faff"))
"""Scripts from Arabic to those of South and East Asia, and the signs of emoji."""


def _class(ranges: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{first}-{last}" for first, last in ranges)


MARKS_MAX = 30
"""As in the stream-safe format of Unicode's annex 15."""

_UNSEEN = late(
    f"[{_class(UNSEEN)}]|[{_class(JOINERS)}](?![{_class(JOINED)}])|(?<![{_class(JOINED)}])[{_class(JOINERS)}]"
)


def find_unseen(text: str) -> int | None:
    """Return where the first character stands that nobody sees in a text; None where there is none."""
    if text.isascii() and text.isprintable():
        return None
    found = _UNSEEN.search(text)
    return found.start() if found else None


def name_of(char: str) -> str:
    """Return a character by number and name: `U+200B ZERO WIDTH SPACE`."""
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()


def composed(text: str) -> str:
    """Return a text in the form in which texts of people are compared: `é` is one character, however it was typed.

    One with more than MARKS_MAX marks on one letter, which no language has, stays as it is: sorting them takes time
    that grows with the square of their number.
    """
    if text.isascii() or (len(text) > MARKS_MAX and _many_marks().search(text)):
        return text
    return unicodedata.normalize("NFC", text)


@cache
def marks() -> tuple[tuple[str, str], ...]:
    """Return, by ranges, what combines with the letter before it, and what is taken apart into such."""
    ranges: list[tuple[str, str]] = []
    for char in map(chr, range(0x300, 0x20000)):
        if unicodedata.combining(char) or char in "\u0f73\u0f75\u0f81":
            follows = ranges and ord(ranges[-1][1]) + 1 == ord(char)
            ranges[-1:] = [(ranges[-1][0], char)] if follows else [*ranges[-1:], (char, char)]
    return tuple(ranges)


@cache
def _many_marks() -> re.Pattern[str]:
    return re.compile(f"[{_class(marks())}]{{{MARKS_MAX + 1}}}")


def with_article(word: str) -> str:
    """Return a word with its article, as a sentence has it: `an int`."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def split_lines(text: str, *, keep_ends: bool = False) -> list[str]:
    r"""Return the lines of a text, which end at \n, \r\n or \r and nowhere else, as editors and YAML count them.

    `str.splitlines` also cuts at form feeds, U+0085, U+2028 and others, in the middle of what a person wrote.
    """
    lines: list[str] = _LINE.findall(text)
    return lines if keep_ends else [line.rstrip("\r\n") for line in lines]


def is_hidden(char: str) -> bool:
    """Whether a character steers a terminal, reorders its line, cannot be seen, or ends a line."""
    return unicodedata.category(char) in _HIDDEN_CATEGORIES or _IS_BLANK.match(char) is not None


def one_line(text: str) -> str:
    """Return a text as one line of a terminal, a log or an error may hold it."""
    return _SUSPECT.sub(_shown, text)


def lines_of(lines: Iterable[str]) -> str:
    """Join lines, none of which can pretend to be two."""
    return "\n".join(map(one_line, lines))


def on_terminal(text: str) -> str:
    """Return a text whose lines are adjudge's own, as a terminal may get it."""
    return "\n".join(map(one_line, text.split("\n")))


def in_json(document: object, *, indent: int | None = None) -> str:
    """Return a JSON document in which nothing is hidden, and which says the same to a program."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, default=str)
    return on_terminal(text)


def in_compact_json(text: bytes) -> bytes:
    """Return JSON on one line in which nothing is hidden, and which says the same to a program."""
    if text.isascii() and b"\x7f" not in text:  # the usual case: whatever else is hidden and ASCII, JSON escapes
        return text
    return one_line(text.decode()).encode()


def in_markdown(text: str) -> str:
    """Return a sentence as Markdown that shows it: no markup, HTML, link, or mention of anybody.

    What stands in backticks becomes code. Safe in a paragraph, a quotation and a cell of a table.
    """
    *parts, last = one_line(text).split("`")
    if len(parts) % 2:  # the last backtick closes nothing
        last = f"{parts.pop()}`{last}"
    said = [in_code(part) if at % 2 else _MARKDOWN.sub(_escaped, part) for at, part in enumerate(parts)]
    return "".join(said) + _MARKDOWN.sub(_escaped, last)


def in_code(text: str) -> str:
    """Return a text as code in a line or a table of Markdown, with `'` for its backticks."""
    said = one_line(text).replace("`", "'").replace("\\|", "\\ |")  # a backslash would take the next one's meaning
    return "`" + said.replace("|", "\\|") + "`" if said else ""


def in_fence(lines: Iterable[str], language: str = "") -> str:
    """Return lines as a block of code in Markdown, which none of them can end."""
    text = lines_of(lines)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def in_html(text: str) -> str:
    """Return a text as HTML shows it, in elements and in quoted attributes."""
    from html import escape  # its table of names is large

    return escape(one_line(text))


def in_csv(text: str) -> str:
    """Return a text as a cell of a table may hold it: one that a spreadsheet would calculate begins with `'`.

    Quoting is the CSV writer's.
    """
    shown = one_line(text)
    return f"'{shown}" if text.lstrip().startswith(FORMULA_SIGNS) else shown


def _escaped(found: re.Match[str]) -> str:
    sign = found.group()
    return "@<!-- -->" if sign == "@" else f"\\{sign}"


def _shown(found: re.Match[str]) -> str:
    char = found.group()
    if not is_hidden(char):
        return char
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return _SHORT.get(char) or "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def in_digits(value: float) -> str:
    """Return a number as a person writes it: the shortest that is read as the same, without an exponent."""
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def about(value: float) -> str:
    """Return a number that was reckoned as a person writes it, without what the reckoning left behind its digits."""
    return in_digits(float(f"{value:.12g}"))


_PASSWORD = late(r"(://[^\s:@/]*:)\S*@|(\bpassword=)[^\s&')]*", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """Return a text in which nobody reads the password of a URL or a connection string."""
    return _PASSWORD.sub(lambda found: f"{found[1]}…@" if found[1] else f"{found[2]}…", text)
