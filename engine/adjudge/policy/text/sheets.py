"""The files of tables: their cells become a part of the policy's own text, so that every rule has its place in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adjudge.errors import PolicyError
from adjudge.frozen import frozen
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text import yaml
from adjudge.policy.text.delimited import Cell, DelimitedFault, records
from adjudge.policy.text.files import Files
from adjudge.policy.text.includes import WITH_FILES, shown_path
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.source import Joined, Sheet, Source, Span, join


@frozen
class Placed:
    """The records of a table's file, and where its text begins in the policy's source."""

    begins: int
    records: Sequence[Sequence[Cell]]


def with_sheets(reader: Reader, root: YamlNode, files: Files) -> tuple[Reader, Mapping[str, Placed]]:
    """Return a reader for the document with the files of its tables, and each file's cells by its name in `texts`.

    What is wrong is blamed; a table whose file was is not among them.
    """
    own = reader.source
    sources = [source for _, source in own.parts] if isinstance(own, Joined) else [own]
    found: dict[str, tuple[Sheet, list[list[Cell]]]] = {}
    for section in WITH_FILES:
        node = root.get(section) if isinstance(root, yaml.Mapping) else None
        for _, table in node.entries if isinstance(node, yaml.Mapping) else ():
            named = file_of(reader, table)
            if named is None or named[0] in found:
                continue
            name, path, sheet, at = named
            text = files.read(reader, at, path, "table", sheet)
            shown_as = shown_path(sources[0].name, path, files)
            cells = _cells(reader, shown_as, text) if text is not None else None
            if text is not None and cells is not None:
                starts = tuple(record[0].start for record in cells) or (0,)
                found[name] = Sheet(shown_as, text, starts), cells
    if not found:
        return reader, {}
    joined = join([*sources, *(sheet for sheet, _ in found.values())])
    begins = [start for start, _ in joined.parts[len(sources) :]]
    placed = {name: Placed(start, cells) for start, (name, (_, cells)) in zip(begins, found.items(), strict=True)}
    return replace(reader, source=joined), placed


def file_of(reader: Reader, table: YamlNode) -> tuple[str, str, str | None, YamlNode] | None:
    """Return the file that a table names: under what name its text is kept, its path, its sheet, and where it is said.

    What is not well said is blamed by who reads the table.
    """
    at = table.get("file") if isinstance(table, yaml.Mapping) else None
    sheet = table.get("sheet") if isinstance(table, yaml.Mapping) else None
    if not isinstance(at, Scalar) or not isinstance(at.value, str) or not at.value.strip() or "\0" in at.value:
        return None
    of = sheet.text.value if isinstance(sheet, Scalar) and sheet.text.value else None
    return (at.value if of is None else f"{at.value}#{of}"), at.value, of, at


def _cells(reader: Reader, name: str, text: str) -> list[list[Cell]] | None:
    try:
        return list(records(text))
    except DelimitedFault as fault:
        source, span = Source(name, text), Span(fault.at, fault.at + 1)
        reader.errors.append(PolicyError("table-syntax", fault.message, source=source, span=span, hint=fault.hint))
        return None
