"""Tables as delimited text: every cell knows where it stands, and what was written is read again as it was.

A cell that a spreadsheet would calculate begins with `'` in the file, which is no part of it. Whatever else a cell
holds stays: leading zeros, every digit, line breaks inside quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.texts import FORMULA_SIGNS

DELIMITERS = (",", ";", "\t")
_FORMULA = late(f"'*\\s*[{re.escape(''.join(FORMULA_SIGNS))}]")
_DEFUSED = late(f"'+\\s*[{re.escape(''.join(FORMULA_SIGNS))}]")
_NUMBER = late(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_BLANKS = " \t"


@frozen
class Cell:
    """A cell's text without the blanks around it, and where it stands in the file, quotes included."""

    text: str
    start: int
    end: int


class DelimitedFault(Exception):
    """The text is no table. at: where that shows."""

    def __init__(self, message: str, at: int, hint: str) -> None:
        super().__init__(message)
        self.message, self.at, self.hint = message, at, hint


def delimiter_of(text: str) -> str:
    """Return what separates the cells: the sign that the first line has most of, a comma where it has none."""
    first = re.sub(r'"[^"]*"', "", text[: text.find("\n")] if "\n" in text else text)
    return max(DELIMITERS, key=first.count)


def records(text: str) -> Iterator[list[Cell]]:
    """Yield the cells of each record, from the first line on; an empty line is a record of one empty cell.

    Raises DelimitedFault.
    """
    sign = delimiter_of(text)
    cell = re.compile(rf'[ ]*"((?:[^"]|"")*)"[ ]*|([^{sign}\r\n]*)')
    at, size, row = 0, len(text), list[Cell]()
    while at < size or row:
        found = cell.match(text, at)
        assert found is not None
        quoted, plain = found.groups()
        end = found.end()
        after = text[end : end + 1]
        if after not in ("", sign, "\r", "\n"):
            raise DelimitedFault("a quote ends before the cell does", end, 'double a quote inside a quoted cell: ""')
        if quoted is None and plain.lstrip(_BLANKS).startswith('"'):
            raise DelimitedFault("this quote is never closed", at, "close it, or double a quote that is meant")
        said = quoted.replace('""', '"') if quoted is not None else plain
        said = said.strip(_BLANKS)
        row.append(Cell(said[1:] if said[:1] == "'" and _DEFUSED.match(said) else said, at, end))
        at = end + 1
        if after != sign:
            yield row
            row = []
            at += after == "\r" and text[at : at + 1] == "\n"
            if after == "":
                return


def delimited(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as text that `records` reads as they are, but for blanks around a cell."""
    return "".join(",".join(map(_written, row)) + "\n" for row in rows)


def _written(text: str) -> str:
    if text[:1] in _STARTS and _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    if any(sign in text for sign in ',;\t"\r\n') or text != text.strip(_BLANKS):
        escaped = text.replace('"', '""')
        return f'"{escaped}"'
    return text


_STARTS = ("'", *FORMULA_SIGNS, " ", "\t", "\r", "\n", "\x0b", "\x0c")
