"""The files that a policy names: they lie under its own folder, and the log keeps their text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from adjudge.errors import ListFileError, MissingExtra, PolicyError
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.workbook import SUFFIXES, WorkbookFault, sheet_text
from adjudge.policy.text.yaml import YamlNode
from adjudge.source import Source, Span
from adjudge.values.list_file import BYTE_ORDER_MARK, decode_list, mistakes_of, values_of

FILE_MAX_BYTES = 10 * 1024 * 1024
RECORDED_MAX_BYTES = 14 * 1024 * 1024
"""Of a policy's text and files as JSON: a record of the log, at most 16 MiB, holds them and the fields of providers."""
MISTAKES_MAX = 20
"""How many of a list file's mistakes are told."""
LONE_RETURN = late("\r(?!\n)")
_CODES = {
    "list": ("list-outside", "list-folder", "list-missing", "list-size", "list-encoding"),
    "include": ("include-outside", "include-folder", "include-missing", "include-size", "include-encoding"),
    "table": ("table-outside", "table-folder", "table-missing", "table-size", "table-encoding"),
}
_OUTSIDE, _FOLDER, _MISSING, _SIZE, _ENCODING = range(5)
_EXAMPLES = {"list": "lists/sanctioned.txt", "include": "shared/device.yaml", "table": "tables/limits.csv"}
What = Literal["list", "include", "table"]


@frozen
class Files:
    """Reads the files of one policy.

    folder: where the policy lies; None where it is only a text. given: texts by path, in place of files.
    is_recorded: whether these are of another time, and taken as they are.
    texts: what was read, by path. lists: values of list files, by path.
    """

    folder: Path | None = None
    given: Mapping[str, str] | None = None
    is_recorded: bool = False
    texts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def read(
        self, reader: Reader, node: YamlNode, path: str, what: What = "list", sheet: str | None = None
    ) -> str | None:
        """Return the text of a file; None where it was blamed, at `node`. A file that is named again is read once.

        sheet: of a workbook, the one whose cells are wanted; they come as delimited text.
        """
        name = path if sheet is None else f"{path}#{sheet}"
        if name in self.texts:
            return self.texts[name]
        reading = _Reading(reader, node, path, what, sheet)
        try:
            text = reading.text(self.folder, self.given)
            if not self.is_recorded:
                self.refuse_too_much(reading, text)
        except PolicyError as error:
            reader.errors.append(error)
            return None
        self.texts[name] = text
        if what == "list" and not self.is_recorded:
            source = Source(path, LONE_RETURN.sub("\n", text))
            for mistake in islice(mistakes_of(text), MISTAKES_MAX):
                span = Span(mistake.at, mistake.at + 1)
                reader.errors.append(
                    PolicyError(mistake.code, mistake.message, source=source, span=span, hint=mistake.hint)
                )
        return text

    def refuse_too_much(self, reading: _Reading, text: str) -> None:
        """Raise PolicyError where a log could not hold the policy with all its files as one record."""
        texts = (reading.reader.source.text, *self.texts.values(), text)
        size = sum(len(msgspec.json.encode(one)) for one in texts)
        if size > RECORDED_MAX_BYTES:
            way = "ask a provider instead" if reading.what == "list" else None
            most = f"{RECORDED_MAX_BYTES // 2**20} MB"
            raise reading.wrong(_SIZE, f"with `{shown(reading.path)}` the policy is larger than {most} in the log", way)

    def values(self, path: str, text: str) -> tuple[str, ...]:
        """Return the values of a list's file, which all lists of that file share."""
        if path not in self.lists:
            self.lists[path] = values_of(text)
        return self.lists[path]

    def builtin(self, name: str, text: str) -> str:
        """Return the text of a built-in list: the one that was given, so that a replay has what the decision had."""
        path = f"builtin:{name}"
        self.texts[path] = self.given.get(path, text) if self.is_recorded and self.given is not None else text
        return self.texts[path]


@frozen
class _Reading:
    reader: Reader
    node: YamlNode
    path: str
    what: What
    sheet: str | None = None

    def wrong(self, code: int, message: str, hint: str | None = None) -> PolicyError:
        return PolicyError(_CODES[self.what][code], message, source=self.reader.source, span=self.node.span, hint=hint)

    def text(self, folder: Path | None, given: Mapping[str, str] | None) -> str:
        """Return the file's text. Raises PolicyError."""
        path, said = self.path, shown(self.path)
        if "\\" in path or "\0" in path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise self.wrong(
                _OUTSIDE,
                f"`{said}` leaves the policy's folder",
                f"write a path below that folder, such as {_EXAMPLES[self.what]}",
            )
        if given is not None:
            name = path if self.sheet is None else f"{path}#{self.sheet}"
            if name not in given:
                raise self.wrong(_MISSING, f"the text of `{said}` was not given")
            return given[name]
        if folder is None:
            inline = {"list": ", or write the values inline: [a, b]", "table": ", or write the rows under `rows`"}
            way = "load the policy from its file" + inline.get(self.what, "")
            raise self.wrong(_FOLDER, f"a policy given as a string has no folder to read {self.what}s from", way)
        data = self.data(folder)
        if path.lower().endswith(SUFFIXES) and self.what == "table":
            try:
                return sheet_text(data, self.sheet)
            except WorkbookFault as fault:
                message = f"`{said}` cannot be read: {fault.message}"
                raise self.wrong(_ENCODING, message, fault.hint) from None
            except MissingExtra as missing:
                raise self.wrong(_ENCODING, f"`{said}` needs a package that is not installed", missing.hint) from None
        return self.decoded(data)

    def data(self, folder: Path) -> bytes:
        said = shown(self.path)
        try:
            home = folder.resolve(strict=True)
            file = (home / self.path).resolve(strict=True)
            if not file.is_relative_to(home):
                raise self.wrong(_OUTSIDE, f"`{said}` is a link that leaves the policy's folder", "copy the file")
            if not file.is_file():
                raise self.wrong(_MISSING, f"`{said}` is not a file")
            with file.open("rb") as stream:
                data = stream.read(FILE_MAX_BYTES + 1)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "the path runs in a circle"
            hint = "a path starts at the policy's folder"
            raise self.wrong(_MISSING, f"cannot read `{said}`: {reason.lower()}", hint) from None
        if len(data) > FILE_MAX_BYTES:
            way = "ask a provider instead" if self.what == "list" else None
            raise self.wrong(_SIZE, f"`{said}` is larger than {FILE_MAX_BYTES // 2**20} MB", way)
        return data

    def decoded(self, data: bytes) -> str:
        said = shown(self.path)
        try:
            text = decode_list(data)
        except ListFileError as error:
            raise self.wrong(_ENCODING, f"`{said}` cannot be read: {error}", "save it as UTF-8") from None
        if self.what != "include":
            return text.removeprefix(BYTE_ORDER_MARK)  # which a spreadsheet writes
        if text.startswith(BYTE_ORDER_MARK):
            hint = "save it as UTF-8 without a byte-order mark"
            raise self.wrong(_ENCODING, f"`{said}` begins with a byte-order mark", hint)
        return text
