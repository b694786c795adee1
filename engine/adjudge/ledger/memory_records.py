"""The newest records of a ledger in memory, for readers such as metrics: there is no log that could be read again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice

from adjudge.events import Events
from adjudge.plugin import LogRecord, Position, WrongPosition

KEPT_BYTES = 16 * 1024 * 1024
"""Bytes of lines that are kept for a reader that is behind; older ones are forgotten, and that is told."""

_events = Events("adjudge.readers")


class MemoryRecords:
    """The records of one `MemoryLedger` as a `RecordSource`."""

    look_every_s = 0.0

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept: deque[LogRecord] = deque()
        self._kept_bytes = kept_bytes
        self._size = 0
        self._name = ""
        self._lock = threading.Lock()

    def add(self, kind: str, seq: int, digest: str, line: bytes) -> None:
        """Keep a record."""
        with self._lock:
            self._name = self._name or digest
            self._kept.append(LogRecord(log=self._name, seq=seq, kind=kind, hash=digest, line=line))
            self._size += len(line)
            while self._size > self._kept_bytes and len(self._kept) > 1:
                self._size -= len(self._kept.popleft().line)

    def ends(self, *, own: bool) -> Sequence[Position]:
        """Return the newest record, once there is one."""
        with self._lock:
            return (self._kept[-1].position,) if self._kept else ()

    def read_from(self, after: Position, *, max_records: int, max_bytes: int) -> Sequence[LogRecord]:
        """Return records behind a position, or the oldest that are kept; what is forgotten is told."""
        found: list[LogRecord] = []
        size = 0
        with self._lock:
            oldest = self._kept[0].seq if self._kept else 1
            at = after.seq - oldest
            if after.log != self._name or at >= len(self._kept) or (at >= 0 and self._kept[at].hash != after.hash):
                raise WrongPosition(
                    "it holds what is no record of this process; without an audit log there is no other"
                )
            for record in islice(self._kept, max(0, at + 1), None):
                if len(found) >= max_records or size >= max_bytes:
                    break
                found.append(record)
                size += len(record.line)
        if found and found[0].seq > after.seq + 1:
            _events.warning("records_forgotten", count=found[0].seq - after.seq - 1, why="the engine has no audit log")
        return found

    def may_feed(self, reader: str) -> bool:
        """Return True: nobody else has these records."""
        return True

    def close(self) -> None:
        """Do nothing: there is nothing to let go."""
