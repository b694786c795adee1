"""Tables of a policy's document as plain cells, and back: for spreadsheets, without changing a character of a cell."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from adjudge.authoring.formatting.scalars import text_scalar
from adjudge.errors import PolicyError, PolicyErrors, TableFault, did_you_mean
from adjudge.frozen import frozen
from adjudge.policy.loading.load import read_source
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text import yaml
from adjudge.policy.text.delimited import Cell, DelimitedFault, delimited, records
from adjudge.policy.text.files import Files
from adjudge.policy.text.includes import WITH_FILES
from adjudge.policy.text.sheets import file_of
from adjudge.policy.text.workbook import SUFFIXES, WorkbookFault, sheet_names, sheet_text, workbook_of
from adjudge.policy.text.yaml import Scalar, YamlNode, read_yaml
from adjudge.source import Source, Span

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)
_VALUE = "value"
Rows = list[list[str]]


@frozen
class Written:
    """A table as a document has it. node: what stands under its name. file, sheet: where its rows are, if not there."""

    document: Path
    source: Source
    section: str
    name: str
    node: yaml.Mapping
    file: Path | None
    sheet: str | None


def written_tables(document: Path) -> dict[str, Written]:
    """Return the tables that a policy or a fragment declares itself, by name. Raises PolicyErrors."""
    source = read_source(document, "policy")
    root, errors = read_yaml(source)
    if root is None or errors:
        raise PolicyErrors(errors)
    found: dict[str, Written] = {}
    for section in WITH_FILES:
        node = root.get(section) if isinstance(root, yaml.Mapping) else None
        for key, table in node.entries if isinstance(node, yaml.Mapping) else ():
            if isinstance(table, yaml.Mapping):
                named = file_of(Reader(source), table)
                path = document.parent / named[1] if named is not None else None
                sheet = named[2] if named is not None else None
                name = key.text.value
                found[name if name not in found else f"{section}.{name}"] = Written(
                    document, source, section, name, table, path, sheet
                )
    return found


def table_named(document: Path, name: str) -> Written:
    """Return one table. Raises TableFault, PolicyErrors."""
    tables = written_tables(document)
    if name not in tables:
        known = ", ".join(tables) or "no table"
        hint = did_you_mean(name, tables) or f"it has {known}"
        raise TableFault(f"{document} has no table `{name}`", hint)
    return tables[name]


def rows_of(table: Written) -> Rows:
    """Return a table's cells, its headers first. Raises TableFault, PolicyErrors."""
    if table.file is not None:
        reader = Reader(table.source)
        named = file_of(reader, table.node)
        assert named is not None
        text = Files(table.document.parent).read(reader, named[3], named[1], "table", named[2])
        if text is None:
            raise PolicyErrors(reader.errors)
        return _cells(text, table.file)
    rows = table.node.get("rows")
    values = table.node.get("values")
    if isinstance(rows, yaml.Sequence):
        return _of_rows(rows)
    if isinstance(values, yaml.Mapping):
        by = table.node.get("by")
        head = by.text.value if isinstance(by, Scalar) else "key"
        return [[head, _VALUE], *([key.text.value, _text(node)] for key, node in values.entries)]
    raise TableFault(f"`{table.name}` has no rows", "add `rows`, or a `file`")


def _of_rows(rows: yaml.Sequence) -> Rows:
    items = [item for item in rows.items if isinstance(item, yaml.Mapping)]
    headers = list(dict.fromkeys(key.text.value for item in items for key, _ in item.entries))
    made = []
    for item in items:
        cells = {key.text.value: _text(node) for key, node in item.entries}
        made.append([cells.get(header, "") for header in headers])
    return [headers, *made]


def _text(node: YamlNode) -> str:
    if isinstance(node, yaml.Sequence):
        said = io.StringIO()
        csv.writer(said, lineterminator="").writerow([_text(item) for item in node.items])
        return said.getvalue().replace(",", ", ") if '"' not in said.getvalue() else said.getvalue()
    return node.text.value if isinstance(node, Scalar) else ""


def read_rows(file: Path, sheet: str | None = None) -> Rows:
    """Return the cells of a CSV or XLSX file. Raises TableFault, and PolicyErrors with the place of a mistake."""
    data = file.read_bytes()
    if file.suffix.lower() in SUFFIXES:
        try:
            return _cells(sheet_text(data, sheet), file)
        except WorkbookFault as fault:
            raise TableFault(f"{file}: {fault.message}", fault.hint) from None
    try:
        return _cells(data.decode("utf-8-sig"), file)
    except UnicodeDecodeError:
        raise TableFault(f"{file} is not UTF-8", "save it as CSV UTF-8") from None


def _cells(text: str, file: Path) -> Rows:
    try:
        found: Sequence[Sequence[Cell]] = list(records(text))
    except DelimitedFault as fault:
        source, span = Source(str(file), text), Span(fault.at, fault.at + 1)
        raise PolicyErrors(
            [PolicyError("table-syntax", fault.message, source=source, span=span, hint=fault.hint)]
        ) from None
    rows = [[cell.text for cell in record] for record in found]
    filled = [at for at, row in enumerate(rows) if any(row)]
    rows = rows[filled[0] : filled[-1] + 1] if filled else []
    width = max((len(row) for row in rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def as_csv(rows: Rows) -> str:
    """Return cells as CSV: what a spreadsheet would calculate begins with `'`, which is taken off when it is read."""
    return delimited(rows)


def as_workbook(tables: dict[str, Rows]) -> bytes:
    """Return tables as a workbook, a sheet each. Raises MissingExtra."""
    names: dict[str, Rows] = {}
    for name, rows in tables.items():
        sheet = re.sub(r"[\[\]:*?/\\]", "_", name)[:31]
        while sheet in names:
            sheet = f"{sheet[:28]}_{len(names)}"
        names[sheet] = rows
    return workbook_of(names)


def replaced(table: Written, rows: Rows) -> tuple[Path, bytes]:
    """Return the file that holds a table and what it is to hold with other cells. Raises TableFault."""
    if table.file is None:
        return table.document, _with_rows(table, rows).encode("utf-8")
    if table.file.suffix.lower() not in SUFFIXES:
        return table.file, as_csv(rows).encode("utf-8")
    names = sheet_names(table.file.read_bytes()) if table.file.exists() else ()
    if len(names) > 1:
        way = "change it there, or give the table a file of its own"
        raise TableFault(f"{table.file} has other sheets, which would be lost", way)
    return table.file, workbook_of({table.sheet or (names[0] if names else table.name): rows})


def _with_rows(table: Written, rows: Rows) -> str:
    """Return the document with these rows in place of a table's own; the rest stays as it was."""
    text = table.source.text
    key, node = next(
        ((key, node) for key, node in table.node.entries if key.text.value in ("rows", "values")), (None, None)
    )
    if key is None or node is None or isinstance(node, Scalar):
        raise TableFault(f"`{table.name}` has no rows to replace", "add `rows: []`, or a `file`")
    line = text.rfind("\n", 0, key.span.start) + 1
    before = text[line : key.span.start]
    entries = list(_entries(key.text.value, rows))
    end = node.span.start + len(text[node.span.start : node.span.end].rstrip())
    if before.strip(" "):  # in braces, and so in one line
        joined = ", ".join(entry.removeprefix("- ") for entry in entries)
        opens, closes = "{}" if key.text.value == "values" else "[]"
        return f"{text[: key.span.end]}: {opens}{joined}{closes}{text[end:]}"
    block = "\n".join(f"{before}  {entry}" for entry in entries)
    return f"{text[: key.span.end]}:\n{block}{text[end:]}"


def _entries(key: str, rows: Rows) -> Iterator[str]:
    headers, *body = rows or [[]]
    for row in body:
        if key == "values":
            if len(row) >= 2 and row[0]:
                yield f"{text_scalar(row[0])}: {_scalar(row[1])}"
            continue
        cells = [(header, text) for header, text in zip(headers, row, strict=False) if text]
        if cells:
            yield "- {" + ", ".join(f"{_key(header)}: {_scalar(text)}" for header, text in cells) + "}"


def _key(header: str) -> str:
    return (
        header
        if re.fullmatch(r"[A-Za-z_][\w.-]*(?: (?:[<>]=?|[!=]=|in|not in))?", header, re.ASCII)
        else text_scalar(header)
    )


def _scalar(text: str) -> str:
    plain = _NUMBER.fullmatch(text) or text in ("true", "false") or re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII)
    return text if plain else text_scalar(text)
