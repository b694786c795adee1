"""Sheets of an XLSX workbook as delimited text: the text is what the policy is made of, and what the log keeps.

A number is its shortest decimal, a day `2026-03-01`, a duration in seconds. What a person sees but no reader of cells
is told, such as an error, or the cells that a merged one covers, is refused with its name.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from itertools import islice

from adjudge.errors import MissingExtra
from adjudge.policy.text.delimited import delimited
from adjudge.texts import in_digits
from adjudge.values.literals import format_duration

UNPACKED_MAX_BYTES = 200 * 2**20
CELLS_MAX = 2_000_000
SUFFIXES = (".xlsx", ".xlsm")
_ATTRIBUTE = re.compile(rb'([\w:]+)\s*=\s*"([^"]*)"')
_CELL = re.compile(rb"<c\b([^>]*)>(.*?)</c>", re.DOTALL)
_FORMULA_ALONE = re.compile(rb"<f\b[^>]*>[^<]*</f>(?:<v\s*/>|<v></v>)?\s*")


class WorkbookFault(Exception):
    """A workbook, or a cell of it, cannot be read. The message says what, `hint` the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def sheet_text(data: bytes, sheet: str | None) -> str:
    """Return a sheet as delimited text, a record a row from the first one on; `sheet` is its name, or else the first.

    Raises WorkbookFault, and MissingExtra without the extra `sheets`.
    """
    try:
        import python_calamine
    except ImportError:
        raise MissingExtra("sheets", "python-calamine") from None
    _refuse_bombs(data)
    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(BytesIO(data))
        names = workbook.sheet_names
        if sheet is not None and sheet not in names:
            raise WorkbookFault(f"there is no sheet `{sheet}`", f"it has {', '.join(names)}")
        at = names.index(sheet) if sheet is not None else 0
        _refuse_unsaid(data, at)
        found = workbook.get_sheet_by_index(at)
        merged = found.merged_cell_ranges
        if merged:
            first, last = (f"{_column(column)}{row + 1}" for row, column in merged[0])
            raise WorkbookFault(f"the cells {first}:{last} are merged", "unmerge them, and write the value in each row")
        if found.total_height * found.total_width > CELLS_MAX:
            raise WorkbookFault(f"the sheet has more than {CELLS_MAX:,} cells", "delete the columns that are not used")
        rows = found.to_python(skip_empty_area=False)
    except (python_calamine.CalamineError, zipfile.BadZipFile, KeyError, IndexError) as error:
        raise WorkbookFault(f"it is no workbook: {str(error).lower()}", "save it as XLSX again") from None
    return delimited([_text(cell) for cell in _trimmed(row)] for row in rows)


def sheet_names(data: bytes) -> tuple[str, ...]:
    """Return the names of a workbook's sheets. Raises WorkbookFault, and MissingExtra without the extra `sheets`."""
    try:
        import python_calamine
    except ImportError:
        raise MissingExtra("sheets", "python-calamine") from None
    try:
        return tuple(python_calamine.CalamineWorkbook.from_filelike(BytesIO(data)).sheet_names)
    except python_calamine.CalamineError as error:
        raise WorkbookFault(f"it is no workbook: {str(error).lower()}", "save it as XLSX again") from None


def _trimmed(row: Sequence[object]) -> Sequence[object]:
    """Return a row without the empty cells at its end."""
    end = len(row)
    while end and row[end - 1] == "":
        end -= 1
    return row[:end]


def _text(cell: object) -> str:
    match cell:
        case bool():
            return "true" if cell else "false"
        case float():
            return in_digits(cell)
        case datetime():
            return cell.isoformat() if cell.time() != time() else cell.date().isoformat()
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return format_duration(cell)
        case _:
            return str(cell)


def _refuse_bombs(data: bytes) -> None:
    """Look at what the parts say that they unpack to."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as parts:
            size = sum(part.file_size for part in parts.infolist())
    except zipfile.BadZipFile:
        raise WorkbookFault("it is no workbook", "save it as XLSX again") from None
    if size > UNPACKED_MAX_BYTES:
        raise WorkbookFault(f"it unpacks to more than {UNPACKED_MAX_BYTES // 2**20} MB", "delete what is not used")


def _refuse_unsaid(data: bytes, at: int) -> None:
    """Refuse errors, and formulas that nobody calculated: a reader of cells finds these empty, and a rule asks less."""
    with zipfile.ZipFile(BytesIO(data)) as parts:
        sheets = re.findall(rb"<sheet\b[^>]*>", parts.read("xl/workbook.xml"))
        links = {
            _attributes(one).get(b"Id"): _attributes(one).get(b"Target", b"")
            for one in re.findall(rb"<Relationship\b[^>]*>", parts.read("xl/_rels/workbook.xml.rels"))
        }
        target = links[_attributes(sheets[at])[b"r:id"]].decode().lstrip("/")
        xml = parts.read(target if target.startswith("xl/") else f"xl/{target}")
    if b't="e"' not in xml and b"<f" not in xml:
        return
    for found in _CELL.finditer(xml):
        attributes = _attributes(found.group(1))
        where = attributes.get(b"r", b"?").decode()
        if attributes.get(b"t") == b"e":
            raise WorkbookFault(f"the cell {where} holds an error", "mend its formula, or write the value")
        if _FORMULA_ALONE.fullmatch(found.group(2)):
            raise WorkbookFault(f"the formula in {where} was never calculated", "open and save it in a spreadsheet")


def _attributes(tag: bytes) -> Mapping[bytes, bytes]:
    return dict(_ATTRIBUTE.findall(tag))


def _column(number: int) -> str:
    letters = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def workbook_of(sheets: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    """Return a workbook with a sheet for each name. A number is one in the sheet where that keeps every digit.

    Everything else is a text, and none a formula. Raises MissingExtra without the extra `sheets`.
    """
    try:
        import xlsxwriter
    except ImportError:
        raise MissingExtra("sheets", "XlsxWriter") from None
    raw = BytesIO()
    book = xlsxwriter.Workbook(raw, {"in_memory": True})
    bold = book.add_format({"bold": True})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for column, text in enumerate(rows[0] if rows else ()):
            sheet.write_string(0, column, text, bold)
        for at, row in enumerate(islice(rows, 1, None), 1):
            for column, text in enumerate(row):
                number = _number(text)
                if number is not None:
                    sheet.write_number(at, column, number)
                elif text:
                    sheet.write_string(at, column, text)
    book.close()
    return raw.getvalue()


def _number(text: str) -> float | None:
    """Return a number that the workbook holds so that it is read as the same text."""
    try:
        number = float(f"{float(text):.16G}")  # as it is written there
    except ValueError:
        return None
    return number if abs(number) < float("inf") and in_digits(number) == text else None
