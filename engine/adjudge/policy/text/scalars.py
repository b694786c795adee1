"""Scalars of YAML: what a plain one means, and where each character of any of them stands."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from adjudge.patterns import late

Value = str | int | float | bool | None

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {
    spelling: value for value in (True, False) for spelling in (str(value), str(value).lower(), str(value).upper())
}
_INT = late(r"[-+]?(?:0|[1-9]\d*)", re.ASCII)
_FLOAT = late(r"[-+]?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII)
_DOUBTFUL = late(
    r"[-+]?(?:0\d[\d_.]*(?:[eE][-+]?\d+)?|0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+"
    r"|[\d.][\d_.]*_[\d_.]*(?:[eE][-+]?\d+)?|\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?|\.(?:inf|Inf|INF|nan|NaN|NAN))",
    re.ASCII,
)
"""Texts that one version of YAML or another reads as a number which the eye does not see."""

_LONG_NUMBER = late(r"[-+.]?\d[\d_.:eE+-]*|[-+]?0[xX][\da-fA-F_]*", re.ASCII)
_NUMBER_MAX = 100
"""A text longer than this is no number that anybody meant, and no pattern may search it for one."""
_NEEDS_CARE = late(r"[\\'\n]")
_SPACES = late(r"[ \r\n]+")
_ESCAPED_BREAK = late(r"\r?\n[ \r\n]*")
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


class DoubtfulNumber(Exception):
    """A plain scalar that looks like a number and is no plain decimal one; says why."""


def resolve(text: str) -> Value:
    """Return what a plain scalar means by YAML 1.2's core schema. Raises DoubtfulNumber."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if len(text) > _NUMBER_MAX:
        if _LONG_NUMBER.fullmatch(text):
            raise DoubtfulNumber("has too many digits for a number")
        return text
    if _DOUBTFUL.fullmatch(text):
        raise DoubtfulNumber("means different things to different readers of YAML")
    if _INT.fullmatch(text):
        if not -(2**63) <= int(text) < 2**63:
            raise DoubtfulNumber("is an integer past 64 bits")
        return int(text)
    if any(char.isdigit() for char in text) and _FLOAT.fullmatch(text):
        try:
            number = float(text)
        except ValueError:
            return text
        if math.isinf(number):
            raise DoubtfulNumber("is a number past what a double holds")
        return number
    return text


def flow_positions(text: str, start: int, end: int, quote: str | None) -> Sequence[int]:
    """Return the offset of every character of the value of a plain or quoted scalar at `text[start:end]`, and its end.

    A folded line end is a space, or the line ends after the first; each stands where its line ends.
    """
    if quote:
        start, end = start + 1, end - 1
    if not _NEEDS_CARE.search(text, start, end):
        return range(start, end + 1)
    positions: list[int] = []
    at = start
    while at < end:
        char = text[at]
        after = at + 1
        if run := _SPACES.match(text, at, end):
            after = run.end()
            breaks = [offset for offset in range(at, after) if text[offset] == "\n"]
            positions += breaks[1:] or breaks or range(at, after)
        elif quote == '"' and char == "\\":
            if escaped := _ESCAPED_BREAK.match(text, at + 1, end):
                after = escaped.end()
                positions += [offset for offset in range(at, after) if text[offset] == "\n"][1:]
            else:
                after = at + _ESCAPE_LENGTHS.get(text[at + 1], 2)
                positions.append(at)
        else:
            after = at + (2 if quote == "'" and char == "'" else 1)
            positions.append(at)
        at = after
    positions.append(end)
    return positions


def block_positions(text: str, start: int, end: int, value: str, *, folded: bool) -> Sequence[int]:
    """Return the offset of every character of the value of a literal or folded block at `text[start:end]`, and its end.

    `start` is at the block's `|` or `>`; its text begins a line later.
    """
    lines: list[tuple[int, int]] = []
    begin = text.find("\n", start) + 1 or end
    while begin < end:
        stop = text.find("\n", begin)
        stop = len(text) if stop < 0 else stop
        lines.append((begin, stop - (text[stop - 1 : stop] == "\r")))
        begin = stop + 1
    body = value.lstrip("\n")
    indent = end
    if body:
        first, last = lines[len(value) - len(body)]
        indent = _leading_spaces(text[first:last]) - _leading_spaces(body)
    positions: list[int] = []
    ends: list[int] = []
    foldable = False
    for begin, stop in lines:
        begin = min(begin + indent, stop)
        if begin == stop:
            ends.append(stop)
            continue
        was_foldable, foldable = foldable, folded and text[begin] != " "
        positions += (ends[1:] or ends) if was_foldable and foldable else ends
        positions += range(begin, stop)
        ends = [stop]
    positions += ends
    del positions[len(value) :]
    positions.append(positions[-1] + 1 if positions else start)
    return positions


def _leading_spaces(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
