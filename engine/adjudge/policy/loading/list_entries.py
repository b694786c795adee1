"""Entries of lists that say more than their value: rows of a table, and mappings in a list that is written out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from adjudge.errors import PolicyError
from adjudge.patterns import late
from adjudge.policy.loading.period import moment_meant, moment_of, read_moment
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text import yaml
from adjudge.policy.text.files import LONE_RETURN
from adjudge.policy.text.yaml import YamlNode
from adjudge.policy.typed import ListEntry
from adjudge.source import Source, Span
from adjudge.texts import composed
from adjudge.values.list_table import COLUMNS, table_of

_LINE_END = late("\r\n|\r|\n")


def ending_in(reader: Reader, path: str, text: str) -> Iterator[ListEntry]:
    """Yield the entries of a table that end; one that stands there without an end, too, never does."""
    table = table_of(text)
    if not table.ending:
        return
    source = Source(path, LONE_RETURN.sub("\n", text))
    starts = [0, *(end.end() for end in _LINE_END.finditer(text))]
    staying = table.staying if text.isascii() else frozenset(map(composed, table.staying))
    moments: dict[str, datetime | None] = {}
    for row in table.ending:
        if row.until not in moments:
            moments[row.until] = moment_of(row.until)
        until, start = moments[row.until], starts[row.line - 1]
        span = Span(start, start + len(row.value))
        if until is None:
            message = "`until` must be a date, or a time with its zone"
            reader.errors.append(
                PolicyError("list-entry", message, source=source, span=span, hint=moment_meant(row.until)[1])
            )
        elif composed(row.value) not in staying:
            yield ListEntry(value=composed(row.value), until=until, by=row.by, note=row.note, source=source, span=span)


def read_entry(reader: Reader, node: yaml.Mapping) -> tuple[YamlNode | None, ListEntry | None]:
    """Return the value of `{value: …, until: …}`, and when it ends: None where it does not."""
    parts = reader.mapping(node, "an entry of a list", keys=COLUMNS, at=node.span)
    if "value" not in parts:
        reader.blame("schema-missing", "an entry of a list needs a `value`", node.span)
        return None, None
    item = parts["value"][1]
    by, note = ((reader.text(parts[key][1], f"`{key}`") or "") if key in parts else "" for key in ("by", "note"))
    said = reader.text(parts["until"][1], "`until`") if "until" in parts else None
    until = read_moment(reader, said, "`until`", parts["until"][1].span) if said is not None else None
    if until is None:
        return item, None
    return item, ListEntry(value="", until=until, by=by, note=note, span=item.span)
