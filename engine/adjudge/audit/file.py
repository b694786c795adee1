"""The file under the audit log: appending to it, and going back to what stands in it after a failure."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from math import inf
from pathlib import Path
from time import monotonic

import msgspec
from msgspec import structs

from adjudge.audit.disk import Disk, forget_cached, sync_directory
from adjudge.audit.proof import Found, Proof
from adjudge.audit.read import UnfinishedLine, segment_number, tail, unfinished, whole
from adjudge.audit.record import FIRST_PREV, MalformedLine, parse
from adjudge.audit.verify import PREFIX, opened, segments
from adjudge.errors import AuditBroken, AuditUnavailable, LogInUse
from adjudge.events import Events
from adjudge.frozen import frozen

CHECKED_AT_OPEN = 8 * 1024 * 1024
"""Bytes at the log's end that are verified before anything is written after them."""

_CHECKED_AGAIN = 64 * 1024
_events = Events("adjudge.audit")


SEGMENT_BYTES = 256 * 1024 * 1024
SEGMENT_S = 86400.0
_AT = re.compile(rb',"at":"([^"]{20,40})"')
_LOOKED_AT = 64 * 1024


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of a chain: its last record, the size of its segment up to there, and the newest checkpoint's number.

    In the queue of a writer the size is not kept. checkpoint: 0 where none is known of.
    """

    seq: int = 0
    hash: bytes = FIRST_PREV
    size: int = 0
    checkpoint: int = 0


@frozen(kw_only=True)
class Segments:
    """When a log goes on in a new file: before one is larger than `max_bytes`, or is older than `max_age_s`.

    clock: seconds since 1970.
    """

    max_bytes: int = SEGMENT_BYTES
    max_age_s: float = SEGMENT_S
    clock: Callable[[], float] = time.time


class LogFile:
    """The newest segment of a directory, opened for appending. Its user sees to it that one thread calls at a time.

    written: the end of what was appended; synced: of what survives a power cut.
    recovered: where the last run died in the middle of a line, what was cut and where it is kept.
    lost: records that were appended and that the disk lost before they were synced.
    sync_s: how long a sync takes these days; infinite before the first.
    is_failing: since a failure nothing has been appended.
    broken: why nothing may be appended until a person has looked.
    found: the end of the log as it was at the start.
    on_closed: told of a segment after which the log has gone on in another.
    """

    def __init__(
        self,
        directory: Path,
        disk: Disk,
        rotation: Segments | None = None,
        *,
        proof: Proof | None = None,
        seeks_checkpoint: bool = False,
    ) -> None:
        """Open or start a log's file. Raises OSError, AuditUnavailable, AuditBroken.

        proof: what proves records; whether it proved those that were found is for the user to look at.
        seeks_checkpoint: all is read where there is none near the end.
        """
        self.directory = directory
        if whole(directory).is_moved:
            raise AuditUnavailable(f"{directory}: holds archived segments of a log that goes on elsewhere")
        self.path = next(iter(reversed(segments(directory))), directory / _name(1))
        self.rotation = rotation or Segments()
        self.proof = proof
        self.found = Found(proof)
        self.written = Head()
        self.synced = Head()
        self.recovered: str | None = None
        self.lost = 0
        self.sync_s = inf
        self.is_failing = False
        self.broken: str | None = None
        self.disk = disk
        self.on_closed: Callable[[Path], None] = lambda file: None
        self._file: int | None = None
        self._inode = 0
        self._seeks_checkpoint = seeks_checkpoint
        self._start(again=False)
        self._begun = segment_begun(self.path, self.rotation.clock())

    def append(self, lines: Sequence[bytes], head: Head, *, sync: bool) -> int:
        """Append records, the last of which is `head`, sync if asked to, and return where the first of them begins.

        Raises AuditUnavailable or AuditBroken; then none of the records stands, or will once the disk can be
        written again.
        """
        data = b"".join(lines)
        try:
            self._append(data, lines, sync=sync)
        except BaseException as error:
            failure = self.give_up(error)
            if failure is error:
                raise
            raise failure from error
        start = self.written.size
        self.written = Head(head.seq, head.hash, start + len(data), head.checkpoint)
        if sync:
            self.synced = self.written
        if self.is_failing:
            self.is_failing = False
            _tell("audit_available", file=str(self.path), seq=head.seq)
        return start

    def reopened(self) -> int | None:
        """Return another descriptor, to sync while others append; None where the file is away. Raises OSError.

        Not a duplicate: where two sync the same open file, Linux tells one of them alone of what it could not write
        (https://docs.kernel.org/filesystems/vfs.html#handling-errors-during-writeback).
        """
        if self._file is None:
            return None
        file = self.disk.open(self.path, create=False)
        if os.fstat(file).st_ino != self._inode:
            _close(file)
            raise OSError(errno.ESTALE, "another file has taken the log's place")
        return file

    def give_up(self, error: BaseException) -> BaseException:
        """Let the file go after a failure, and try at once to take it back, so that nothing half-written stays.

        Returns what to raise. As long as taking it back fails, every append begins with another try.
        """
        failure: BaseException = error
        if isinstance(error, OSError):
            failure = AuditUnavailable(f"{self.path}: {error.strerror or error}")
        elif isinstance(error, AuditBroken):
            self.broken = str(error)
        was_failing, self.is_failing = self.is_failing, True
        if self._file is not None:
            self.close()
            self.restore()
            if self.broken is not None:
                failure = AuditBroken(self.broken)
        if not was_failing or self.broken:
            _tell("audit_unavailable", file=str(self.path), reason=str(failure))
        return failure

    def restore(self) -> None:
        """Try to take back a file that a failure has cost, and to cut what it left there; not one that is broken."""
        if self._file is not None or self.broken is not None:
            return
        try:
            self._start(again=True)
        except (OSError, AuditUnavailable):
            pass
        except AuditBroken as broken:
            self.broken = str(broken)

    def close(self) -> None:
        """Let the file go, without a sync."""
        if self._file is not None:
            _close(self._file)
            self._file = None

    def _append(self, data: bytes, lines: Sequence[bytes], *, sync: bool) -> None:
        file = self._start(again=True) if self._file is None else self._file
        found = os.stat(self.path)  # noqa: PTH116  # a third of the time of Path.stat, and every write pays it
        if found.st_size != self.written.size or found.st_ino != self._inode:
            raise AuditBroken(f"{self.path}: another program changed this file while it was being written")
        if self._is_full(len(data)) and not all(map(_is_of_the_logs_own, lines)):
            file = self._rotate(file)
        _write_all(self.disk, file, data)
        if sync:
            begun = monotonic()
            self.disk.datasync(file)
            took = monotonic() - begun
            self.sync_s = took if self.sync_s == inf else self.sync_s + (took - self.sync_s) / 8

    def _is_full(self, size: int) -> bool:
        if not self.written.size:
            return False
        limits = self.rotation
        return self.written.size + size > limits.max_bytes or limits.clock() - self._begun > limits.max_age_s

    def _rotate(self, file: int) -> int:
        """Go on in a new segment, once all of this one is on disk. Raises OSError, AuditBroken; then this one stays."""
        self.disk.datasync(file)
        self.synced = self.written
        path = self.path.with_name(_name(segment_number(self.path) + 1))
        new = self.disk.open(path, create=True)
        found = os.fstat(new)
        if found.st_size:
            _close(new)
            raise AuditBroken(f"{path}: already exists, where the log would continue")
        _close(file)
        closed, self.path, self._file, self._inode = self.path, path, new, found.st_ino
        self._begun = self.rotation.clock()
        self.written = self.synced = structs.replace(self.written, size=0)
        self.on_closed(closed)
        return new

    def _start(self, *, again: bool) -> int:
        """Open the file and find the chain's end; `again`: go back to the last record that was appended.

        After a failed sync the page cache proves nothing: the kernel may have dropped what it could not write, or
        keep it, marked as clean, while the disk has something else; and a second fsync of the same descriptor says
        yes. So the descriptor goes, everything after the last good record is cut, the cut is synced, the cached
        pages are dropped, and the end of the file is read and verified as at a start.
        """
        file = self.disk.open(self.path, create=not again)
        try:
            status = os.fstat(file)
            if again and status.st_ino != self._inode:
                raise AuditBroken(f"{self.path}: another file has taken the log's place")
            if again and status.st_size > self.written.size:
                self.disk.truncate(file, self.written.size)
            self.disk.datasync(file)
            if again:
                forget_cached(self.path)
                self._cut_unreadable(file)
            unproven = self.written.size - self.synced.size + _CHECKED_AGAIN if again else CHECKED_AT_OPEN
            found = self._look(file, unproven)
            if not again and self._seeks_checkpoint and found.checkpoint is None and found.first > 1:
                found = self._look(file, inf)
            end = found.end
            size = os.fstat(file).st_size
            checkpoint = 0 if found.checkpoint is None else found.checkpoint.seq
            if again:  # one that was lost must come again soon; the number of an earlier one is of no use then
                checkpoint = self.written.checkpoint if end is not None and self.written.checkpoint <= end.seq else 0
            else:
                self.found = found
            head = Head(end.seq, end.hash.encode(), size, checkpoint) if end is not None else Head()
            lost = self.written.seq - head.seq if again else 0
            if again and (head.seq < self.synced.seq or (not lost and head != self.written)):
                raise AuditBroken(f"{self.path}: record {self.written.seq} was written and is gone")
            if lost:
                found.require_proof(str(self.path))
        except BaseException:
            _close(file)
            raise
        self._file = file
        self._inode = status.st_ino
        self.written = self.synced = head
        if lost:
            self.lost += lost
            raise AuditUnavailable(f"{self.path}: the disk lost {lost} records that were written and not yet synced")
        return file

    def _look(self, file: int, max_bytes: float) -> Found:
        """Read the end of the log, and cut a last line that was not finished. Raises AuditBroken."""
        found = Found(self.proof)
        try:
            for record in tail(self.directory, max_bytes=max_bytes):
                found.take(record)
        except UnfinishedLine:
            self._cut(file, unfinished(self.path)[0], "the last line was not finished")
        return found

    def _cut_unreadable(self, file: int) -> None:
        """Cut what a failed sync has cost, where it is not the end: later pages may have reached the disk."""
        start = self.synced.size
        with opened(self.path) as lines:
            lines.seek(start)
            for line in lines:
                try:
                    parse(line)
                except MalformedLine:
                    self._cut(file, start, "what was not on disk yet has a part that the disk lost")
                    return
                start += len(line)

    def _cut(self, file: int, start: int, reason: str) -> None:
        """Move what stands after the last good line into a file beside the log, and say so."""
        size = os.fstat(file).st_size - start
        number = 1
        while (kept := self.path.with_name(f"{self.path.stem}.torn-{number}")).exists():
            number += 1
        copy = self.disk.open(kept, create=True)
        try:
            with opened(self.path) as torn:
                torn.seek(start)
                while block := torn.read(1024 * 1024):
                    _write_all(self.disk, copy, block)
            self.disk.datasync(copy)
        finally:
            _close(copy)
        self.disk.truncate(file, start)
        self.disk.datasync(file)
        self.recovered = f"{self.path}: {reason}; its {size} bytes are kept in {kept.name}"
        _tell("audit_tail_cut", file=str(self.path), cut_bytes=size, kept=str(kept))


def _name(number: int) -> str:
    return f"audit-{number:06}.jsonl"


def _is_of_the_logs_own(line: bytes) -> bool:
    """Whether a line is about the log itself: such a one begins no segment, which would need another in its turn."""
    kind = PREFIX.match(line)
    return kind is not None and kind[4] in (b"segment", b"checkpoint")


def segment_begun(path: Path, now: float) -> float:
    """Return when a segment was begun, in seconds since 1970, by the first record that says when it was written.

    now: where none says so. Raises OSError.
    """
    with opened(path) as file:
        found = _AT.search(file.read(_LOOKED_AT))
    try:
        return now if found is None else datetime.fromisoformat(found[1].decode()).timestamp()
    except ValueError:
        return now


def take_directory(directory: Path) -> int:
    """Make a log's directory and lock it for this process, until the returned descriptor is closed.

    Raises AuditUnavailable.
    """
    try:
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        for path in missing:
            sync_directory(path.parent)
        lock = os.open(directory / "audit.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except (FileExistsError, NotADirectoryError):
        raise AuditUnavailable(f"{directory}: is not a directory") from None
    except OSError as error:
        raise AuditUnavailable(f"{directory}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if not isinstance(error, BlockingIOError):
            raise AuditUnavailable(f"{directory}: cannot be locked: {error.strerror}") from error
        raise LogInUse(f"{directory}: another writer has this audit log; give each its own directory") from None
    return lock


def _write_all(disk: Disk, file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        taken = disk.write(file, rest)
        if taken <= 0:
            raise OSError(errno.EIO, "the disk accepted none of a write")
        rest = rest[taken:]


def _close(file: int) -> None:
    try:
        os.close(file)
    except OSError:
        pass  # it is closed even so, and what it failed to write has been reported or was never promised


def _tell(event: str, **facts: object) -> None:
    try:
        (_events.info if event == "audit_available" else _events.warning)(event, **facts)
    except Exception:  # noqa: S110  # an operational log that fails, such as a closed stdout, must not stop this one
        pass
