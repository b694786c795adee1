"""What a webhook remembers in its folder: its position, what is tried or set aside, tags, and dead letters."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from adjudge.plugin import FileState, PositionFile, ReaderFailed, replace_file
from adjudge_plugins.webhook.chosen import Tags
from adjudge_plugins.webhook.message import Message

_T = TypeVar("_T")

POLICIES_MAX = 256
"""Policies whose tags are remembered; the oldest are forgotten."""


class Trying(msgspec.Struct, frozen=True):
    """A message that was not taken. since: seconds since 1970 of the first try. refused: answers that say never."""

    since: float
    tries: int = 0
    refused: int = 0


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter: a message that is no longer tried by itself. at: aware UTC, as a string. why: for people."""

    log: str
    seq: int
    merchant_biz_id: str
    body: str
    at: str
    why: str
    tries: int

    @property
    def event_id(self) -> str:
        """The record that it tells of, by its log and number."""
        return f"{self.log}:{self.seq}"

    @property
    def message(self) -> Message:
        """What was to be told."""
        return Message(log=self.log, seq=self.seq, merchant_biz_id=self.merchant_biz_id, body=self.body.encode())


class State:
    """The files of one webhook. Every method raises OSError, and ReaderFailed where a file is not one of these."""

    def __init__(self, folder: Path) -> None:
        """folder: made where there is none."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.positions = PositionFile(folder / "positions.json")
        self._letters_path = folder / "dead.jsonl"
        self._seen: tuple[FileState | None, frozenset[str]] | None = None

    def require_positions(self) -> None:
        """Raise ReaderFailed where something was told from this folder, and how far is not there any more."""
        path = self._folder / "positions.json"
        if (self._folder / "telling").exists() and not path.exists():
            said = (
                f"{path} is gone, so nobody knows what was told: put it back, or delete the folder to begin at the end"
            )
            raise ReaderFailed(said)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from the dead letters meanwhile: the reader, or the command that sends them again."""
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Be the only one who tells from this folder. Raises ReaderFailed where another process does."""
        handle = os.open(self._folder / "telling", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                said = f"{self._folder}: another webhook tells from this folder: give each its own `state`"
                raise ReaderFailed(said) from None
            yield
        finally:
            os.close(handle)

    def has_aside(self) -> bool:
        """Whether messages are set aside."""
        return (self._folder / "aside.json").exists()

    def aside(self) -> list[Message]:
        """Return the messages that are set aside, in the order in which they came."""
        rows = self._read("aside.json", list[tuple[str, int, str, str]])
        return [Message(log=log, seq=seq, merchant_biz_id=one, body=body.encode()) for log, seq, one, body in rows]

    def put_aside(self, messages: Sequence[Message]) -> None:
        """Keep these messages aside and no others."""
        if messages:
            rows = [(one.log, one.seq, one.merchant_biz_id, one.body.decode()) for one in messages]
            self._write("aside.json", rows)
        else:
            (self._folder / "aside.json").unlink(missing_ok=True)

    def trying(self) -> dict[str, Trying]:
        """Return what is being tried, by its event id."""
        return self._read("trying.json", dict[str, Trying])

    def put_trying(self, trying: Mapping[str, Trying]) -> None:
        """Remember what is being tried."""
        self._write("trying.json", trying)

    def tags(self) -> dict[str, Tags]:
        """Return the tags of policies, by their digests."""
        found: dict[str, Tags] = dict(self._read("tags.json", dict[str, dict[str, list[str]]]))
        return found

    def put_tags(self, tags: Mapping[str, Tags]) -> None:
        """Remember the tags of policies."""
        self._write("tags.json", dict(list(tags.items())[-POLICIES_MAX:]))

    def letters(self) -> list[Letter]:
        """Return the dead letters, the oldest first."""
        try:
            lines = self._letters_path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        try:
            return [_letters.decode(line) for line in lines[:-1]]  # a last line without an end was never kept
        except msgspec.MsgspecError:
            raise ReaderFailed(f"{self._letters_path}: is no file of dead letters") from None

    def held(self) -> frozenset[str]:
        """Return the MerchantBizIds that have dead letters: what comes for them waits behind those."""
        try:
            now = FileState.of(self._letters_path.stat())
        except FileNotFoundError:
            now = None
        if self._seen is None or self._seen[0] != now:
            self._seen = now, frozenset(letter.merchant_biz_id for letter in self.letters())
        return self._seen[1]

    def bury(self, letter: Letter) -> None:
        """Keep a dead letter, unless it is there already."""
        letters = self.letters()
        if all(letter.event_id != one.event_id for one in letters):
            self.put_letters([*letters, letter])

    def put_letters(self, letters: Sequence[Letter]) -> None:
        """Keep these dead letters and no others."""
        replace_file(self._letters_path, b"".join(msgspec.json.encode(one) + b"\n" for one in letters), mode=0o600)
        self._seen = None

    def _read(self, name: str, kind: type[_T]) -> _T:
        path = self._folder / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return kind()
        except msgspec.MsgspecError:
            raise ReaderFailed(f"{path}: is no file of this webhook; delete it") from None

    def _write(self, name: str, content: object) -> None:
        replace_file(self._folder / name, msgspec.json.encode(content) + b"\n", mode=0o600)


_letters = msgspec.json.Decoder(Letter)
