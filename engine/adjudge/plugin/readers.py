"""Further readers of the log: a cursor, not a callback.

A reader says what it holds. It is sent what follows from the durable log, in order and in batches, again after a
failure, and from there on after a restart. Contract tests stand in `adjudge.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from adjudge.errors import ReaderFailed
from adjudge.frozen import frozen
from adjudge.system.files import replace_file

BEFORE_FIRST = "0" * 64
"""The `hash` of the position before record 1."""


@frozen(kw_only=True)
class Position:
    """A place in a log, behind one of its records.

    log: the hash of record 1, which is the log's name. seq, hash: the number and the hash of the record; 0 and
    BEFORE_FIRST before the first.
    """

    log: str
    seq: int
    hash: str


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record as it stands in the log; it holds no personal value, but commitments in their place.

    log, seq: tell one that came twice. line: the exact bytes, newline included, which carry `prev` and `hash`.
    """

    log: str
    seq: int
    kind: str
    hash: str
    line: bytes

    @property
    def position(self) -> Position:
        """The place behind it: what a reader says that holds it and all before it."""
        return Position(log=self.log, seq=self.seq, hash=self.hash)

    def members(self) -> dict[str, Any]:
        """Return the record as the JSON object that it is, with the chain's own members."""
        found: dict[str, Any] = msgspec.json.decode(self.line)
        return found


class LogReader(Protocol):
    """Takes the records of a log to a further place.

    The methods may block: each reader is called in a thread of its own, one call at a time, and nobody who decides
    waits for it. What it raises is told, and then it is asked again what it holds, later and later. A reader with an
    attribute `of_process` that is True, such as one that counts, is told of the records of its own process alone.
    """

    def open(self, end: Position) -> Position | None:
        """Say which record of a log is the last that is held, or None where there is none: all are sent that follow.

        Called before the first batch of a log, and again after every failure, also of `take`. end: names the log, and
        is its end as it was when the engine opened; a reader that is to get only what comes from then on remembers that
        and returns it. Raises ReaderFailed, or anything.
        """
        ...

    def take(self, records: Sequence[LogRecord]) -> None:
        """Take records of one log, without a gap and in order; return once they are held for good.

        The same record may come again: where a process ended, or this failed, before what was taken was remembered.
        Raises ReaderFailed, or anything; then `open` says from where on the records come again.
        """
        ...

    def close(self) -> None:
        """Let everything go; nothing is called afterwards."""
        ...


@runtime_checkable
class SetsAside(Protocol):
    """A reader that sets aside what it cannot pass on yet, so that this holds up nothing else."""

    def again(self) -> None:
        """Pass on what was set aside; called after `open` and `take`, in the same thread.

        Raises ReaderFailed, or anything, while something is left, and is then called again, later and later. The
        records go on meanwhile.
        """
        ...


@frozen(kw_only=True)
class ReaderState:
    """How far a reader is.

    lag_records: how many durable records it lacks. lag_s: for how long it has lacked the oldest of them, as far as this
    process knows. batches, records, failures: since the engine opened. reason: why it is sent nothing now, for people;
    empty where nothing is wrong.
    """

    name: str
    lag_records: int
    lag_s: float
    batches: int
    records: int
    failures: int
    reason: str


@runtime_checkable
class WatchesReaders(Protocol):
    """A reader that shows how all of them stand, itself among them, such as one for metrics."""

    def watch(self, states: Callable[[], Sequence[ReaderState]]) -> None:
        """Remember how to ask; called once, when the engine opens. states: returns at once, from any thread."""
        ...


@runtime_checkable
class WatchesEngine(Protocol):
    """A reader that shows what its engine has to show, such as providers and budgets."""

    def watch_engine(self, engine: Any) -> None:
        """Remember the engine; called once, when it opens. engine: an `adjudge.Engine`, which is not to be kept."""
        ...


class RecordSource(Protocol):
    """Hands out the durable records of a ledger's logs. Its methods block, and several threads call them at once."""

    @property
    def look_every_s(self) -> float:
        """Seconds between two calls of `ends`; a tenth at least, whatever this says."""
        ...

    def ends(self, *, own: bool) -> Sequence[Position]:
        """Return the last durable record of each log that has one.

        own: only of what this process writes. Raises AuditUnavailable and AuditBroken.
        """
        ...

    def read_from(self, after: Position, *, max_records: int, max_bytes: int) -> Sequence[LogRecord]:
        """Return the durable records behind a position, at least one where there is one.

        max_bytes: of their lines, but for the last of them.
        Raises WrongPosition where the position is not one of the log; AuditUnavailable and AuditBroken.
        """
        ...

    def may_feed(self, reader: str) -> bool:
        """Whether this process, and no other, is the one to feed a reader for the next while; ask often."""
        ...

    def close(self) -> None:
        """Let others feed, and let everything go."""
        ...


class PositionFile:
    """A file that remembers what a reader holds whose own place cannot say so, such as what is behind a webhook."""

    def __init__(self, path: Path | str) -> None:
        """path: of the file, which need not be there."""
        self._path = Path(path)

    def of(self, log: str) -> Position | None:
        """Return what is held of a log. Raises OSError; ReaderFailed where the file is not one of these."""
        return self._all().get(log)

    def put(self, position: Position) -> None:
        """Remember a position for good. Raises as `of`."""
        held = self._all() | {position.log: position}
        replace_file(self._path, msgspec.json.encode([[one.log, one.seq, one.hash] for one in held.values()]) + b"\n")

    def _all(self) -> dict[str, Position]:
        try:
            rows = msgspec.json.decode(self._path.read_bytes(), type=list[tuple[str, int, str]])
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError:
            said = f"{self._path}: is no file of positions; delete it to be sent everything again"
            raise ReaderFailed(said) from None
        return {log: Position(log=log, seq=seq, hash=digest) for log, seq, digest in rows}
