"""Lists whose entries say more than their value: a table of comma-separated values under a header.

The header's first column is `value`; `until`, `by` and `note` may follow. A line that begins with `#` is a comment.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

COLUMNS = ("value", "until", "by", "note")
_BLANKS = " \t"


@dataclass(frozen=True, slots=True)
class ListRow:
    """An entry as written, without blanks around; empty where a cell is. line: from 1."""

    line: int
    value: str
    until: str = ""
    by: str = ""
    note: str = ""


class TableFault(Exception):
    """Why a table cannot be read. line: from 1."""

    def __init__(self, line: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.line = line
        self.hint = hint


def is_table(text: str) -> bool:
    """Whether a list's text has a header: `value`, and another column behind it."""
    at = 0
    while text.startswith(("#", "\n", "\r"), at):
        end = text.find("\n", at)
        if end < 0:
            return False
        at = end + 1
    first, comma, _ = text[at : at + 200].partition(",")
    return bool(comma) and first.strip(_BLANKS).strip('"') == "value"


def rows_of(text: str) -> Iterator[ListRow]:
    """Yield the entries of a table. Raises TableFault at the first record that is none."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for record in reader:
            begins, line = line, reader.line_num + 1
            if not record or record[0].startswith("#"):
                continue
            cells = [cell.strip(_BLANKS) for cell in record]
            if header is None:
                header = cells
                _check(header, begins)
            elif len(cells) != len(header):
                found = f"{len(cells)} cells where the header has {len(header)}"
                raise TableFault(begins, found, "quote a cell that holds a comma, and leave an empty one empty")
            elif any(cells):
                if not cells[0]:
                    raise TableFault(begins, "this entry has no value", "write it in the first column")
                yield ListRow(begins, **dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise TableFault(line, f"this is no record of a table: {error}", "a quote inside a cell is doubled") from None


def _check(header: list[str], line: int) -> None:
    for at, name in enumerate(header):
        if name not in COLUMNS:
            raise TableFault(line, f"there is no column `{name}`", f"the columns are {', '.join(COLUMNS)}")
        if name in header[:at]:
            raise TableFault(line, f"the column `{name}` stands twice", "delete one")
