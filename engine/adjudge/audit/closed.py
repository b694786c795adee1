"""Closed segments: what a record says of each, so that a copy of one can be told from the true one wherever it is.

A segment is read once more when the log has gone on in the next one, in a thread of its own: to hash 256 MiB takes too
long for anybody who waits for a decision.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

import msgspec

from adjudge.audit.read import first_hash, last_records
from adjudge.audit.record import Body
from adjudge.audit.verify import PREFIX, opened, segments
from adjudge.errors import AuditBroken, AuditUnavailable

BLOCK = 1024 * 1024
CLOSING_S = 1.0
LOOKED_BACK = 8
"""So many closed segments at most are looked at when a log is opened. Those of earlier versions stay undescribed."""

Stop = Callable[[], bool]


class SegmentBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """A segment that is closed. name: of its file; first, last: numbers of its records; last_hash: of the last one.

    log: the hash of record 1, by which a log is known. bytes, sha256: of the file. at: when this was written.
    """

    at: datetime
    log: str
    name: str
    first: int
    last: int
    last_hash: str
    bytes: int
    sha256: str


class ArchiveBody(SegmentBody, frozen=True, omit_defaults=True, kw_only=True):
    """A segment that was moved away. to: the folder it went to; by: who asked for it.

    since: the first of the records before these that are away as well, up to these. policies: hashes of its records
    that were kept here, for what stays.
    """

    since: int
    to: str
    by: str
    policies: tuple[str, ...] = ()


class ClosedSegments:
    """Writes the records of segments that were closed in this run, or in one that died before it had written them."""

    def __init__(self, directory: Path, write: Callable[[str, Body], object]) -> None:
        self._directory, self._write = directory, write
        self._queue: SimpleQueue[Path | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_over = False

    def look(self) -> None:
        """See to it that those of earlier runs are described; returns at once."""
        if len(segments(self._directory)) > 1:
            self.add(self._directory)

    def add(self, file: Path) -> None:
        """Describe a segment that was closed just now; returns at once."""
        self._queue.put(file)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="adjudge-segments", daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Wait until all are described, a second at most; what is left is for the next start."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(CLOSING_S)
            self._is_over = True

    def _run(self) -> None:
        while (file := self._queue.get()) is not None:
            try:
                for one in undescribed(self._directory) if file == self._directory else [file]:
                    log = first_hash(self._directory)
                    self._write("segment", describe(one, log, lambda: self._is_over))
            except (OSError, AuditUnavailable, AuditBroken):
                continue  # whoever writes next is told of a disk that fails, and the next start looks again


def describe(file: Path, log: str, stop: Stop = lambda: False) -> SegmentBody:
    """Read a segment that is closed, in constant memory. log: the hash of record 1.

    Raises OSError, AuditBroken; AuditUnavailable where `stop` says so.
    """
    digest = hashlib.sha256()
    size = 0
    for block in blocks(file):
        if stop():
            raise AuditUnavailable(f"{file}: was not read to its end")
        digest.update(block)
        size += len(block)
    with opened(file) as begun:
        prefix = PREFIX.match(begun.read(4096))
    newest = last_records(file, 1)
    if prefix is None or not newest:
        raise AuditBroken(f"{file}: is not a segment of an audit log")
    return SegmentBody(
        at=datetime.now(UTC),
        log=log,
        name=file.name,
        first=int(prefix[2]),
        last=newest[0].seq,
        last_hash=newest[0].hash,
        bytes=size,
        sha256=digest.hexdigest(),
    )


def undescribed(directory: Path) -> list[Path]:
    """Return the newest closed segments that no record describes, in order, up to the first that one does."""
    files, found = segments(directory), list[Path]()
    for at in range(len(files) - 2, max(-1, len(files) - 2 - LOOKED_BACK), -1):
        if description(files[at].name, files[at + 1 :]) is not None:
            break
        found.insert(0, files[at])
    return found


def description(name: str, later: Iterable[Path]) -> SegmentBody | None:
    """Return the record of a closed segment from the segments after it, of which the first has it but for a crash."""
    for file in later:
        for line in lines_of_kinds(("segment",), blocks(file)):
            body = msgspec.json.decode(line, type=SegmentBody)
            if body.name == name:
                return body
    return None


def blocks(file: Path) -> Iterator[bytes]:
    """Read a file in blocks of a MiB."""
    with opened(file) as reader:
        while block := reader.read(BLOCK):
            yield block


def lines_of_kinds(kinds: Sequence[str], data: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of some kinds of records from a segment's bytes, those of one kind in order.

    The others are not taken apart.
    """
    wanted, rest = [(kind.encode(), b',"kind":"%b",' % kind.encode()) for kind in kinds], b""
    for block in data:
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            continue
        lines, rest = rest + block[:end], block[end:]
        for kind, sought in wanted:
            at = lines.find(sought)
            while at >= 0:
                start, end = lines.rfind(b"\n", 0, at) + 1, lines.index(b"\n", at) + 1
                prefix = PREFIX.match(lines, start)
                if prefix is not None and prefix[4] == kind:
                    yield lines[start:end]
                at = lines.find(sought, end)
