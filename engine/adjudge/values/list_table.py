"""Lists whose entries say more than their value: a table of comma-separated values under a header.

The header's first column is `value`; `until`, `by` and `note` may follow. A line that begins with `#` is a comment.
"""

from __future__ import annotations

import csv
import io
from functools import lru_cache

from adjudge.frozen import frozen

COLUMNS = ("value", "until", "by", "note")
_BLANKS = " \t"


@frozen
class ListRow:
    """An entry as written, without blanks around; empty where a cell is. line: from 1."""

    line: int
    value: str
    until: str = ""
    by: str = ""
    note: str = ""


class ListTableFault(Exception):
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


@frozen
class ListTable:
    """What stands in a table.

    values: in order. ending: rows that say `until`. staying: values of other rows, where there are some that end.
    fault: what ended the reading, if anything did.
    """

    values: tuple[str, ...]
    ending: tuple[ListRow, ...]
    staying: frozenset[str]
    fault: ListTableFault | None = None


@lru_cache(maxsize=2)
def table_of(text: str) -> ListTable:
    """Return a table's entries, up to the first record that is none. It is asked for several times in a row."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    values: list[str] = []
    staying: list[str] = []
    ending: list[ListRow] = []
    fault, line, until = None, 1, -1
    try:
        for record in reader:
            begins, line = line, reader.line_num + 1
            if not record or record[0][:1] == "#":
                continue
            if header is None:
                header = [cell.strip(_BLANKS) for cell in record]
                _check(header, begins)
                until = header.index("until") if "until" in header else -1
                continue
            if len(record) != len(header):
                found = f"{len(record)} cells where the header has {len(header)}"
                raise ListTableFault(begins, found, "quote a cell that holds a comma, and leave an empty one empty")
            value = record[0].strip(_BLANKS)
            if not value:
                if any(cell.strip(_BLANKS) for cell in record):
                    raise ListTableFault(begins, "this entry has no value", "write it in the first column")
                continue
            values.append(value)
            if until >= 0 and record[until].strip(_BLANKS):
                cells = (cell.strip(_BLANKS) for cell in record)
                ending.append(ListRow(begins, **dict(zip(header, cells, strict=True))))
            else:
                staying.append(value)
    except csv.Error as error:
        fault = ListTableFault(line, f"this is no record of a table: {error}", "a quote inside a cell is doubled")
    except ListTableFault as error:
        fault = error
    return ListTable(tuple(values), tuple(ending), frozenset(staying) if ending else frozenset(), fault)


def line_of(text: str, value: str) -> int:
    """Return the line of a table, from 1, where a value first stands; slow, for what is told of one."""
    reader = csv.reader(io.StringIO(text, newline=""))
    line = 1
    for record in reader:
        if record and record[0].strip(_BLANKS) == value:
            return line
        line = reader.line_num + 1
    return line


def _check(header: list[str], line: int) -> None:
    for at, name in enumerate(header):
        if name not in COLUMNS:
            raise ListTableFault(line, f"there is no column `{name}`", f"the columns are {', '.join(COLUMNS)}")
        if name in header[:at]:
            raise ListTableFault(line, f"the column `{name}` stands twice", "delete one")
