"""A condition with every look-alike as the plain character that was meant, outside of its strings."""

from __future__ import annotations

import re
from collections.abc import Collection

from adjudge.expr.foreign.slips import Slip
from adjudge.source import Text
from adjudge.values.look_alikes import is_quote, plain, said_of

_BRACKETS_MAX = 3
_STRING = re.compile(r"\"[^\"\\n]*\"|'[^'\\n]*'")
_IN_TWO = re.compile(r"\b([A-Za-z_]\w*)(?:(?: |->|::|:|-)(\w+)|\[[\"'](\w+)[\"']\])")


def plain_text(text: Text) -> tuple[Text, list[Slip]]:
    """Return the condition in plain characters, with the way back for each, and a slip for the first that was none.

    What stands inside a string stays, as it may be meant; a curly quote is a quote.
    """
    value = text.value
    chars: list[str] = []
    positions: list[int] = []
    slips: list[Slip] = []
    quote = ""
    at = 0
    while at < len(value):
        char = value[at]
        meant = plain(char)
        is_mark = meant in ('"', "'") or char in "\"'"
        if quote and char == "\\" and at + 1 < len(value):
            chars += value[at : at + 2]
            positions += (text.positions[at], text.positions[at + 1])
            at += 2
            continue
        if meant is not None and (not quote or (is_mark and meant == quote)):
            slips.append(Slip(text.span(at, at + 1), _message(char), is_sure=True))
        elif quote:
            meant = None
        if is_mark:
            mark = meant or char
            quote = "" if mark == quote else quote or mark
        for one in char if meant is None else meant:
            chars.append(one)
            positions.append(text.positions[at])
        at += 1
    positions.append(text.positions[len(value)])
    return Text("".join(chars), text.source, positions), slips[:1]


def balanced(text: Text, slips: list[Slip]) -> Text:
    """Return the condition with the round brackets that are missing at its end, or without those too many there."""
    value = text.value.rstrip()
    bare = _STRING.sub(lambda found: "x" * len(found.group()), value)
    missing = bare.count("(") - bare.count(")")
    if not 0 < abs(missing) <= _BRACKETS_MAX or (missing < 0 and not bare.endswith(")" * -missing)):
        return text
    if missing > 0 and bare.count("[") != bare.count("]"):
        return text
    end = len(value)
    place = text.span(max(0, end - 1), end)
    if missing > 0:
        slips.append(Slip(place, "a `)` is missing behind this, for a `(` is never closed"))
        return Text(value + ")" * missing, text.source, [*text.positions[:end], *[text.positions[end]] * (missing + 1)])
    slips.append(Slip(place, "this `)` closes nothing"))
    return Text(value[:missing], text.source, text.positions[: end + missing + 1])


def with_names(text: Text, names: Collection[str], slips: list[Slip]) -> Text:
    """Return the condition with names of fields in one piece that stand in two: `device->score`, `attempts 24h`."""
    value, at = "", 0
    positions: list[int] = []
    for found in _IN_TWO.finditer(text.value):
        first, second = found.group(1), found.group(2) or found.group(3)
        joined = next((one for sign in ("_", ".") if (one := f"{first}{sign}{second}") in names), None)
        if joined is None or first in names or found.group() == joined:
            continue
        slips.append(Slip(text.span(*found.span()), f"`{found.group()}` is written `{joined}`"))
        value += text.value[at : found.start()] + joined
        positions += text.positions[at : found.start()]
        positions += [text.positions[found.start()]] * len(joined)
        at = found.end()
    if not positions:
        return text
    return Text(value + text.value[at:], text.source, [*positions, *text.positions[at:]])


def _message(char: str) -> str:
    if plain(char) == "":
        return f"there is {said_of(char)} here"
    if is_quote(char):
        return f"{said_of(char)} does not begin or end a string"
    return f"there is {said_of(char)} here"
