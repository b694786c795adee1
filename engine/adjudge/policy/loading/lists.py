"""Lists of a policy: written inline, read from a file under the policy's own folder, or built in."""

from __future__ import annotations

import re
from dataclasses import field, replace

from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.loading.builtin_lists import BUILTIN
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.list_entries import ending_in, read_entry
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text import yaml
from adjudge.policy.text.files import Files
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import ListEntry
from adjudge.source import Edit
from adjudge.texts import composed
from adjudge.values.list_file import mistake_in
from adjudge.values.list_table import is_table
from adjudge.values.look_alikes import plainly

_SEPARATED = late(r"[,;|\s]+")
_PLAIN_VALUE = late(r"[A-Za-z0-9_.@+-]{1,100}", re.ASCII)
LIST_KEYS = ("file", "builtin")


@frozen
class Lists:
    """Lists by name: their values, the entries that end, and the path of those that are a file's.

    A list that was blamed is empty.
    """

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    entries: dict[str, tuple[ListEntry, ...]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def read_lists(reader: Reader, entries: Entries, files: Files) -> Lists:
    """Return a policy's lists."""
    lists = Lists()
    for key, node in entries.values():
        name = reader.name(key, "a list")
        ending: list[ListEntry] = []
        path = ""
        if isinstance(node, yaml.Sequence):
            values = _inline(reader, node, ending)
        else:
            path, text = _named(reader, key, node, files)
            values = files.values(path, text) if text is not None else ()
            if text is not None and is_table(text):
                ending += ending_in(reader, path, text)
        if name is not None:
            lists.values[name] = values
            lists.files.update({name: path} if path and not path.startswith("builtin:") else {})
            lists.entries.update({name: tuple(ending)} if ending else {})
    return lists


def _named(reader: Reader, key: Scalar, node: YamlNode, files: Files) -> tuple[str, str | None]:
    """Return the path and the text of `{file: …}` or `{builtin: …}`; None where it was blamed."""
    if isinstance(node, Scalar):
        hint = "for a file write {file: lists/sanctioned.txt}"
        reader.unfit(node, "a list", "[a, b], {file: …} or {builtin: …}", hint, list_meant(node))
        return "", None
    if (values := _values_as_keys(node)) is not None:
        reader.unfit(node, "a list", "[a, b], {file: …} or {builtin: …}", None, f"[{', '.join(values)}]")
        return "", None
    entries = reader.mapping(node, "a list", keys=LIST_KEYS, at=key.span)
    if isinstance(node, yaml.Mapping) and len(entries) != 1:
        if len(node.entries) != 1:
            reader.blame("schema-missing", "a list needs either `file` or `builtin`", key.span)
        return "", None
    text, path = None, ""
    if "file" in entries:
        path = reader.text(entries["file"][1], "the list's file") or ""
        text = files.read(reader, entries["file"][1], path) if path else None
    elif "builtin" in entries:
        name = reader.choice(entries["builtin"][1], "`builtin`", BUILTIN)
        path = f"builtin:{name}"
        text = files.builtin(name, "\n".join(BUILTIN[name])) if name is not None else None
    return path, text


def list_meant(node: Scalar) -> str | None:
    """Return the list, or the file, that a single text was meant to be."""
    said = node.text.value.strip()
    if "/" in said or said.endswith((".txt", ".csv", ".yaml")):
        return f"{{file: {said}}}"
    values = [part.strip("-\"' ") for part in _SEPARATED.split(plainly(said).strip("()[]{} ")) if part.strip("-\"' ")]
    good = [value for value in values if _PLAIN_VALUE.fullmatch(value)]
    return f"[{', '.join(values)}]" if values and len(good) == len(values) else None


def _values_as_keys(node: YamlNode) -> list[str] | None:
    """Return the values of a list in braces, `{IR, KP}`, which YAML reads as keys without values."""
    if not isinstance(node, yaml.Mapping) or not node.entries:
        return None
    if any(not isinstance(value, Scalar) or value.value is not None for _, value in node.entries):
        return None
    names = [key.text.value for key, _ in node.entries]
    return None if set(names) & set(LIST_KEYS) else names


def _inline(reader: Reader, node: yaml.Sequence, ending: list[ListEntry]) -> tuple[str, ...]:
    """Return the values of a list that is written out. ending: gets those entries that end."""
    values: list[str] = []
    stays: set[str] = set()
    for entry in node.items:
        item, end = (entry, None) if not isinstance(entry, yaml.Mapping) else read_entry(reader, entry)
        if item is None:
            continue
        value = reader.text(item, "a list's value") if type(item) is not YamlNode else None
        if value is None:
            continue
        mistake = mistake_in(value)
        if mistake is not None and isinstance(item, Scalar):
            at, message, hint = mistake
            clean = plainly(value).strip().strip("\"'").strip()
            plain_item = (Edit(span=item.span, text=clean),) if _PLAIN_VALUE.fullmatch(clean) else ()
            reader.blame("list-character", message, item.text.span(at, at + 1), hint, fix=plain_item)
        value = composed(value)
        values.append(value)
        if end is None:
            stays.add(value)
        else:
            ending.append(replace(end, value=value))
    ending[:] = [entry for entry in ending if entry.value not in stays]
    return tuple(dict.fromkeys(values))
