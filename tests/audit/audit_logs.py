"""What the tests of the audit log share: small logs, and disks that fail or wait on demand."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from adjudge.audit.disk import LocalDisk
from adjudge.audit.log import AuditLog
from adjudge.audit.read import read
from adjudge.audit.verify import verify

SEGMENT = "audit-000001.jsonl"


def names(directory: Path) -> list[object]:
    """Return the `n` of every record."""
    return [record.decode()["n"] for record in read(directory)]


def write_log(directory: Path, count: int) -> list[bytes]:
    """Write a log of `count` small records and return its lines."""
    with AuditLog.open(directory, durability="flush") as log:
        return [log.write_blocking("decision", {"n": n, "outcome": "pass"}).line for n in range(1, count + 1)]


def assert_verifies(directory: Path) -> None:
    """Fail with the first problem of a log, if it has one."""
    assert verify(directory).problem is None


def zero(file: int, start: int, end: int) -> None:
    """Have zeros stand in a part of a file, as where the kernel could not write its pages; its size stays."""
    other = os.open(f"/proc/self/fd/{file}", os.O_WRONLY)  # without O_APPEND, which goes before an offset
    os.pwrite(other, bytes(end - start), start)
    os.close(other)


class FaultyDisk(LocalDisk):
    """A disk that fails chosen operations, counted from 1, in one of several ways.

    `error`: nothing happens, and it says so. `half`: half of a write, or the whole of another operation, happens
    before the error. `short`: a write takes a few bytes and says so, which is no failure. `dropped`: a sync fails and
    what was not yet synced reads as zeros from then on.
    """

    def __init__(self, failing: Iterable[int] = (), how: Literal["error", "half", "short", "dropped"] = "error"):
        self.failing = frozenset(failing)
        self.how = how
        self.calls: list[str] = []
        self.synced_sizes: dict[int, int] = {}
        self._lock, self._syncing = threading.Lock(), threading.Lock()
        self._drops: dict[int, int] = {}  # by inode
        self._seen: dict[int, int] = {}  # by descriptor

    def _fails(self, call: str) -> bool:
        with self._lock:
            self.calls.append(call)
            return len(self.calls) in self.failing

    def open(self, path: Path, *, create: bool) -> int:
        fails = self._fails("open") and self.how != "short"
        if fails and (self.how != "half" or not create):
            raise OSError(5, "cannot open, says the test")
        file = super().open(path, create=create)
        with self._syncing:
            inode = os.fstat(file).st_ino
            self.synced_sizes.setdefault(inode, os.fstat(file).st_size)
            self._seen[file] = self._drops.get(inode, 0)
        if fails:
            os.close(file)
            raise OSError(28, "disk full, says the test")
        return file

    def write(self, file: int, data: memoryview) -> int:
        fails = self._fails("write")
        if not fails or self.how == "dropped":
            return super().write(file, data)
        if self.how == "short":
            return super().write(file, data[:3])
        if self.how == "half":
            super().write(file, data[: len(data) // 2])
        raise OSError(28, "disk full, says the test")

    def datasync(self, file: int) -> None:
        fails = self._fails("datasync") and self.how != "short"
        with self._syncing:  # what one sync has made safe is not lost by another, and all who had it open are told
            inode, size = os.fstat(file).st_ino, os.fstat(file).st_size
            drops = self._drops.get(inode, 0)
            if self._seen.get(file, drops) < drops:
                self._seen[file] = drops
                raise OSError(5, "could not sync, says the test")
            if fails:
                if self.how == "half":
                    super().datasync(file)
                if self.how == "dropped" and size > self.synced_sizes[inode]:
                    zero(file, self.synced_sizes[inode], size)
                    self._drops[inode] = self._seen[file] = drops + 1
                raise OSError(5, "cannot sync, says the test")
            super().datasync(file)
            self.synced_sizes[inode] = size

    def truncate(self, file: int, size: int) -> None:
        fails = self._fails("truncate") and self.how != "short"
        if not fails or self.how == "half":
            super().truncate(file, size)
        if fails:
            raise OSError(5, "cannot truncate, says the test")


class GatedDisk(LocalDisk):
    """A disk whose syncs wait, after the first `free`, until the gate is opened."""

    def __init__(self, free: int = 0) -> None:
        self.free = free
        self.gate = threading.Event()
        self.waiting = threading.Event()
        self.syncs = 0

    def datasync(self, file: int) -> None:
        self.syncs += 1
        if self.syncs > self.free:
            self.waiting.set()
            assert self.gate.wait(120), "nobody opened the gate"
        super().datasync(file)
