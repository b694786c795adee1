"""Lists of a policy: written inline, or read from a file under the policy's own folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from adjudge.errors import PolicyError
from adjudge.policy import yaml
from adjudge.policy.forms import Entries
from adjudge.policy.reader import Reader
from adjudge.policy.syntax import shown
from adjudge.policy.yaml import Node

FILE_MAX_BYTES = 10 * 1024 * 1024
BYTE_ORDER_MARK = "\ufeff"


def read_lists(
    reader: Reader, entries: Entries, folder: Path | None, given: Mapping[str, str] | None
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return each list's values by its name, and each file's text by its path; a list that was blamed is empty.

    given: texts by path, in place of files.
    """
    lists: dict[str, tuple[str, ...]] = {}
    texts: dict[str, str] = {}
    for key, node in entries.values():
        name = reader.name(key, "a list")
        values = _inline(reader, node) if isinstance(node, yaml.Sequence) else ()
        if not isinstance(node, yaml.Sequence):
            if isinstance(node, yaml.Scalar):
                reader.unfit(node, "a list", "[a, b] or {file: …}", "for a file write {file: lists/sanctioned.txt}")
                node = yaml.Node(span=node.span)
            parts = reader.mapping(node, "a list", keys=("file",), required=("file",), at=key.span)
            path = reader.text(parts["file"][1], "the list's file") if "file" in parts else None
            if path is not None:
                try:
                    texts[path] = _file(reader, parts["file"][1], path, folder, given)
                    values = parse_list(texts[path])
                except PolicyError as error:
                    reader.errors.append(error)
        if name is not None:
            lists[name] = values
    return lists, texts


def parse_list(text: str) -> tuple[str, ...]:
    """Return the values of a list's file: one a line, stripped, each once; `#` begins a comment, as in YAML."""
    values = []
    for line in text.splitlines():
        value = line.strip()
        comment = value.find("#")
        while comment > 0 and not value[comment - 1].isspace():
            comment = value.find("#", comment + 1)
        values.append(value if comment < 0 else value[:comment].rstrip())
    return tuple(dict.fromkeys(value for value in values if value))


def _inline(reader: Reader, node: yaml.Sequence) -> tuple[str, ...]:
    values = [reader.text(item, "a list's value") for item in node.items if type(item) is not Node]
    return tuple(dict.fromkeys(value for value in values if value is not None))


def _file(reader: Reader, node: Node, path: str, folder: Path | None, given: Mapping[str, str] | None) -> str:
    """Return the text of a list's file. Raises PolicyError."""
    said = shown(path)

    def wrong(code: str, message: str, hint: str | None = None) -> PolicyError:
        return PolicyError(code, message, source=reader.source, span=node.span, hint=hint)

    if "\\" in path or "\0" in path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        hint = "write a path below that folder, such as lists/sanctioned.txt"
        raise wrong("list-outside", f"`{said}` leaves the policy's folder", hint)
    if given is not None:
        if path not in given:
            raise wrong("list-missing", f"the text of `{said}` was not given")
        return given[path]
    if folder is None:
        hint = "load the policy from its file, or write the values inline: [a, b]"
        raise wrong("list-folder", "a policy that is only a text has no folder to read lists from", hint)
    try:
        home = folder.resolve(strict=True)
        file = (home / path).resolve(strict=True)
        if not file.is_relative_to(home):
            raise wrong("list-outside", f"`{said}` is a link that leaves the policy's folder", "copy the file")
        if not file.is_file():
            raise wrong("list-missing", f"`{said}` is not a file")
        with file.open("rb") as stream:
            data = stream.read(FILE_MAX_BYTES + 1)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "the path runs in a circle"
        hint = "a path starts at the policy's folder"
        raise wrong("list-missing", f"cannot read `{said}`: {reason.lower()}", hint) from None
    if len(data) > FILE_MAX_BYTES:
        raise wrong("list-size", f"`{said}` is larger than {FILE_MAX_BYTES // 2**20} MB", "ask a provider instead")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise wrong("list-encoding", f"`{said}` is not UTF-8, in line {line}", "save it as UTF-8") from None
    if text.startswith(BYTE_ORDER_MARK):
        hint = "save it as UTF-8 without a byte-order mark; it would become a part of the first value"
        raise wrong("list-encoding", f"`{said}` begins with a byte-order mark", hint)
    return text
