"""A condition with every look-alike as the plain character that was meant, outside of its strings."""

from __future__ import annotations

from adjudge.expr.foreign.slips import Slip
from adjudge.source import Text
from adjudge.values.look_alikes import is_quote, plain, said_of


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


def _message(char: str) -> str:
    if plain(char) == "":
        return f"there is {said_of(char)} here"
    if is_quote(char):
        return f"{said_of(char)} does not begin or end a string"
    return f"there is {said_of(char)} here"
