"""Rows as a file of what its ending says: CSV, XLSX or Parquet.

In the two that spreadsheets open, a text that would be calculated begins with `'`, and numbers keep every digit.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from adjudge.cli.output import counted
from adjudge.cli.streams import Undelivered
from adjudge.errors import DataError, MissingExtra
from adjudge.frozen import frozen
from adjudge.system.files import replace_file
from adjudge.texts import in_csv, in_digits
from adjudge.values.literals import format_timestamp

if TYPE_CHECKING:
    from adjudge.policy.explaining.scorecard_moves import ScorecardMove

CSV, XLSX, PARQUET = ".csv", ".xlsx", ".parquet"
SUFFIXES = (CSV, XLSX, PARQUET)
ROWS_MAX = 1_048_575
"""So many rows does a sheet hold below its head."""
TEXT_MAX = 32_767
"""The longest text of a cell, in UTF-16 code units, as spreadsheets count."""
DIGITS_MAX = 15
"""So many digits of a number does a spreadsheet keep; one with more is written as a text."""
_EXCEL_BEGINS = 1900
_BATCH = 10_000

Kind = Literal["text", "int", "number", "bool", "time", "texts"]


@frozen
class Column:
    """A column: `texts` are lists of them, `time` is aware or in UTC."""

    name: str
    kind: Kind = "text"


def moved_by(rules: Sequence[str], cards: Iterable[ScorecardMove]) -> list[object]:
    """Return the cells `came`, `went` and `scorecard`: as texts that begin with no sign of a formula."""
    came, went = ([one[1:] for one in rules if one[0] == sign] for sign in "+-")
    return [came, went, [part for card in cards for part in card.told]]


def is_rows(file: Path | None) -> bool:
    """Whether a file is one of rows by its ending."""
    return file is not None and file.suffix.lower() in SUFFIXES


def check_rows(file: Path) -> None:
    """Say before the work that a file cannot be written. Raises click.UsageError, MissingExtra."""
    if not is_rows(file):
        raise click.UsageError(f"{file}: rows are written to a file that ends with {', '.join(SUFFIXES)}")
    for suffix, extra, package in ((XLSX, "sheets", "xlsxwriter"), (PARQUET, "backtest", "pyarrow")):
        if file.suffix.lower() == suffix:
            try:
                __import__(package)
            except ImportError:
                raise MissingExtra(extra, package) from None


def write_rows(file: Path, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> str:
    """Write rows as a whole or not at all, and return what to say of it. Raises DataError, Undelivered."""
    write = {CSV: _write_csv, XLSX: _write_xlsx, PARQUET: _write_parquet}[file.suffix.lower()]
    with tempfile.TemporaryDirectory(prefix="adjudge-rows-") as folder:
        made = Path(folder) / f"rows{file.suffix.lower()}"
        tally = _Tally()
        write(made, columns, rows, tally)
        try:
            replace_file(file, made.read_bytes())
        except OSError as error:
            raise Undelivered(file, error) from None
    notes = [counted(tally.rows, "row")]
    if tally.cut:
        notes.append(f"{counted(tally.cut, 'text')} longer than {TEXT_MAX:,} characters cut")
    if tally.long:
        notes.append(f"{counted(tally.long, 'number')} of more than {DIGITS_MAX} digits written as text")
    return f"wrote {file}: {'; '.join(notes)}"


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    cut: int = 0
    long: int = 0


def _write_csv(file: Path, columns: Sequence[Column], rows: Iterable[Sequence[object]], tally: _Tally) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([in_csv(column.name) for column in columns])
        for row in rows:
            tally.rows += 1
            writer.writerow([_in_csv(cell) for cell in row])


def _in_csv(cell: object) -> str:
    """Return a cell; a number is one however it begins, and a text is none that is calculated."""
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case int():
            return str(cell)
        case float():
            return in_digits(cell)
        case datetime():
            return format_timestamp(_aware(cell))
        case list() | tuple():
            return in_csv(", ".join(map(str, cell)))
        case _:
            return in_csv(str(cell))


def _write_xlsx(file: Path, columns: Sequence[Column], rows: Iterable[Sequence[object]], tally: _Tally) -> None:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(file), {"constant_memory": True, "tmpdir": str(file.parent)})
    try:
        sheet = book.add_worksheet("rows")
        bold = book.add_format({"bold": True})
        time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.freeze_panes(1, 0)
        for at, column in enumerate(columns):
            sheet.write_string(0, at, in_csv(column.name), bold)
        for row in rows:
            tally.rows += 1
            if tally.rows > ROWS_MAX:
                way = "write .csv or .parquet, or take fewer with --where or --since"
                raise DataError(f"{file.name}: a sheet of XLSX holds {ROWS_MAX:,} rows, and these are more", way)
            for at, cell in enumerate(row):
                _write_cell(sheet, tally.rows, at, cell, time, tally)
    finally:
        book.close()


def _write_cell(sheet: Any, row: int, at: int, cell: object, time: Any, tally: _Tally) -> None:
    match cell:
        case None:
            return
        case bool():
            sheet.write_boolean(row, at, cell)
        case int() | float():
            text = _in_csv(cell)
            if len(text.lstrip("-0.").replace(".", "").rstrip("0" if "." not in text else "")) <= DIGITS_MAX:
                sheet.write_number(row, at, cell)
            else:
                tally.long += 1
                sheet.write_string(row, at, text)
        case datetime() if cell.year >= _EXCEL_BEGINS and not cell.microsecond:
            sheet.write_datetime(row, at, _aware(cell).replace(tzinfo=None), time)
        case _:
            text = _in_csv(cell)
            if len(text.encode("utf-16-le")) // 2 > TEXT_MAX:
                tally.cut += 1
                text = text.encode("utf-16-le")[: 2 * (TEXT_MAX - 1)].decode("utf-16-le", "ignore") + "…"
            sheet.write_string(row, at, text)


def _write_parquet(file: Path, columns: Sequence[Column], rows: Iterable[Sequence[object]], tally: _Tally) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "text": pa.string(), "int": pa.int64(), "number": pa.float64(), "bool": pa.bool_(),
        "time": pa.timestamp("us", "UTC"), "texts": pa.list_(pa.string()),
    }  # fmt: skip
    schema = pa.schema([(column.name, types[column.kind]) for column in columns])
    waiting = iter(rows)
    with parquet.ParquetWriter(str(file), schema, compression="zstd") as writer:
        while batch := list(islice(waiting, _BATCH)):
            tally.rows += len(batch)
            cells = zip(*batch, strict=True)
            arrays = [
                pa.array([_in_parquet(cell) for cell in column], type_)
                for column, type_ in zip(cells, schema.types, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _in_parquet(cell: object) -> object:
    return _aware(cell) if isinstance(cell, datetime) else list(cell) if isinstance(cell, tuple) else cell


def _aware(at: datetime) -> datetime:
    """Return a time with its zone; one without is in UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
