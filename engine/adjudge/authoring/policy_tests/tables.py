"""Tables of tests: one test for each row, which changes a few fields and says what to expect."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.policy_tests.given import INPUTS, NOW, Given, GivenReader
from adjudge.errors import did_you_mean
from adjudge.frozen import frozen
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.reader import Reader, Refused
from adjudge.policy.slots import Slot
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.source import Span
from adjudge.values.types import MapType, RecordType

EXPECT = "expect"


@frozen(kw_only=True)
class TableRow:
    """One row: what it gives besides, its clock and its expectation as written, and how it is called."""

    given: Given
    now: YamlNode | None
    expect: tuple[Scalar, YamlNode]
    label: str
    span: Span


def read_table(reader: Reader, given: GivenReader, node: YamlNode, base: Given, at: Span) -> Iterator[TableRow]:
    """Yield the rows of a table. base: what the test gives in every row."""
    if isinstance(node, yaml.Sequence) and not node.items:
        reader.blame("test-empty", "the table has no rows", at, "add a row, or write `expect` without a table")
    for item in reader.items(node, "`table`"):
        entries = reader.mapping(item, "a row of a table", required=(EXPECT,), at=item.span)
        changes: Given = {}
        for path, (key, value) in entries.items():
            if path not in (EXPECT, NOW):
                _put(reader, given, base, changes, key, value)
        if EXPECT in entries:
            now = entries[NOW][1] if NOW in entries else None
            label = _label(reader, entries)
            yield TableRow(given=changes, now=now, expect=entries[EXPECT], label=label, span=item.span)


def _label(reader: Reader, entries: Entries) -> str:
    """Return a row's changes as they are written, for its name."""
    said = []
    for path, (_, node) in entries.items():
        if path != EXPECT:
            value = " ".join(reader.source.text[node.span.start : node.span.end].split())
            said.append(f"{path} {shown(value)}")
    return ", ".join(said) or "as it stands"


def _put(reader: Reader, given: GivenReader, base: Given, changes: Given, key: Scalar, node: YamlNode) -> None:
    """Keep one column's value: of an input, a signal's field, a key of a map, or a whole signal that is unknown."""
    path = key.text.value
    if path in given.fields and path != INPUTS and given.is_unknown(node):
        changes[path] = None
        return
    slot = Slot.parse(path, given.fields)
    part, name = slot.owner or INPUTS, slot.field
    declared = given.fields[part].get(name)
    if declared is None or (slot.key is not None and not isinstance(declared.type, MapType | RecordType)):
        names = [*given.fields[INPUTS]]
        names += [
            f"{signal}.{field}" for signal, fields in given.fields.items() if signal != INPUTS for field in fields
        ]
        hint = (
            did_you_mean(path, names)
            or "a column is an input, `signal.field`, or the key of a map in either: `field.key`"
        )
        reader.blame("test-field", f"there is no field `{shown(path)}`", key.span, hint)
        return
    try:
        value = given.value(node)
    except Refused:
        return
    of_part = changes.setdefault(part, {})
    assert of_part is not None
    if slot.key is not None:
        before = of_part.get(name) or (base.get(part) or {}).get(name) or ({}, node)
        value = {**(before[0] if isinstance(before[0], dict) else {}), slot.key: value}
    of_part[name] = (value, node)
