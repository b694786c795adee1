"""Readers of the log for tests: one that keeps what it is sent, and does as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from adjudge.plugin import LogRecord, Position


class Keeping:
    """Keeps what it is sent, in memory, and says so when it is asked.

    do: called with what is to be taken, before it is. opened: how it was asked.
    """

    def __init__(self, do: Callable[[Sequence[LogRecord]], Any] = lambda records: None) -> None:
        self.do = do
        self.taken: list[LogRecord] = []
        self.batches: list[int] = []
        self.opened: list[Position] = []
        self.closed = threading.Event()

    def open(self, end: Position) -> Position | None:
        self.opened.append(end)
        held = [one.position for one in self.taken if one.log == end.log]
        return held[-1] if held else None

    def take(self, records: Sequence[LogRecord]) -> Any:
        said = self.do(records)
        self.taken += records
        self.batches.append(len(records))
        return said

    def close(self) -> None:
        self.closed.set()

    @property
    def lines(self) -> bytes:
        return b"".join(record.line for record in self.taken)
