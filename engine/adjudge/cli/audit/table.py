"""A CSV file that a person gives a command: UTF-8, its first line the names of its columns."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import click

_UTF8_BOM, _UTF16_BOMS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_SAVE_AS = "save the table as CSV in UTF-8"


def read_table(
    table: Path, columns: Collection[str], needed: Collection[str]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield rows as (place, cells by column), without blanks around a cell; a column that is not there is empty.

    Raises click.UsageError, with the line, for what is not UTF-8 or no CSV, columns that are unknown, stand twice or
    lack, and rows longer than the header; and where there is no row.
    """
    reader = csv.reader(io.StringIO(_decoded(table), newline=""), strict=True)
    header: list[str] | None = None
    is_empty = True
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            place = f"{table}:{reader.line_num}"
            if header is None:
                header = [cell.strip() for cell in cells]
                _check_header(place, header, columns, needed)
                continue
            if len(cells) > len(header):
                raise click.UsageError(f"{place}: the row has {len(cells)} cells, and the header has {len(header)}")
            is_empty = False
            yield place, {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
    except csv.Error as error:
        raise click.UsageError(f"{table}:{reader.line_num}: is not a CSV: {error}") from None
    if is_empty:
        raise click.UsageError(f"{table}: holds no row")


def _decoded(table: Path) -> str:
    data = table.read_bytes()
    if data.startswith(_UTF16_BOMS):
        raise click.UsageError(f"{table}:1: is UTF-16, not UTF-8; {_SAVE_AS}")
    try:
        return data.removeprefix(_UTF8_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line = 1 + before.count(b"\n") + before.replace(b"\r\n", b"").count(b"\r")
        byte = error.object[error.start]
        raise click.UsageError(f"{table}:{line}: the byte 0x{byte:02x} is not UTF-8; {_SAVE_AS}") from None


def _check_header(place: str, header: list[str], columns: Collection[str], needed: Collection[str]) -> None:
    twice = [name for name, count in Counter(header).items() if count > 1]
    stray = [name for name in header if name not in columns]
    lacking = [name for name in needed if name not in header]
    if twice:
        why = f"the column `{twice[0]}` appears twice"
    elif len(header) == 1 and any(sign in header[0] for sign in ";\t"):
        why = "its cells are not divided by commas"
    elif stray:
        why = f"there is no column `{stray[0]}`"
    elif lacking:
        why = f"the column `{lacking[0]}` is needed"
    else:
        return
    raise click.UsageError(f"{place}: {why}; a table has {', '.join(columns)}")
