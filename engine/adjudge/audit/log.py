"""The writer of the audit log.

Callers queue their records under one lock, which is where the chain's order is made. With `durability="fsync"` the
queue is one batch: whoever commits it writes all of it and syncs once, while the next batch gathers. Usually that is
the flusher thread; a caller who is alone does it himself, because on a fast disk waking two threads costs more than
the sync.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Literal

from adjudge.audit.batch import Batch
from adjudge.audit.checkpoints import Anchors, CheckpointBody, Checkpoints, FileAnchor
from adjudge.audit.disk import Disk, LocalDisk
from adjudge.audit.file import Head, LogFile, Segments, take_directory
from adjudge.audit.read import first_hash, tail
from adjudge.audit.record import MAX_LINE, Body, encode, encode_body
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.plugin import AuditSink

Durability = Literal["fsync", "flush", "async"]

_KIND = re.compile("[a-z][a-z_]{0,63}")
_SYNC_EVERY_S = 1.0
_KEPT_CHECKPOINTS = 1000
_QUEUE_MAX_BYTES = 16 * 1024 * 1024
_ALONE_SYNC_S = 0.0005
"""A caller on an event loop syncs himself only while syncs take less than this, so that the loop is never held long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where a record stands. hash: lower-case hex SHA-256; line: the exact bytes, newline included."""

    seq: int
    hash: str
    line: bytes = field(repr=False)


class AuditLog:
    """One writer of one directory; any number of threads and event loops may share it."""

    def __init__(
        self,
        file: LogFile,
        *,
        durability: Durability,
        max_line: int,
        lock: int,
        checkpoints: Checkpoints | None,
        anchors: Anchors | None,
    ) -> None:
        """Use `AuditLog.open`."""
        self.directory = file.directory
        self.durability: Durability = durability
        self._max_line = max_line
        self._lock_file = lock
        self._file = file  # touched by whoever has set `_is_committing`; with `flush`, by whoever has the lock
        self._changed = threading.Condition(threading.Lock())
        self._queued = file.written  # the end of the chain, with all that callers have handed in
        self._batch: Batch | None = None  # gathering; the next to be committed
        self._is_committing = False
        self._is_closed = False
        self._dropped = 0
        self._sync_due = inf
        self._checkpoints = checkpoints
        self._anchors = anchors
        self._checkpoint_due = inf
        self._checkpoint_at_once = checkpoints is not None and _is_due_at_start(file, checkpoints)
        self._log_id = first_hash(file.directory) if file.written.seq else ""
        self._unseen: list[tuple[int, bytes]] = []  # checkpoints that are not on disk yet
        self._seen: deque[bytes] = deque(maxlen=_KEPT_CHECKPOINTS)
        self._flusher = threading.Thread(target=self._run, name="adjudge-audit", daemon=True)
        self._flusher.start()

    @classmethod
    def open(
        cls,
        directory: Path | str,
        *,
        durability: Durability = "fsync",
        disk: Disk | None = None,
        max_line: int = MAX_LINE,
        segments: Segments | None = None,
        checkpoints: Checkpoints | None = None,
        anchors: Sequence[AuditSink] = (),
    ) -> AuditLog:
        """Start a log, or go on with one; blocks for the reading of its last 8 MiB.

        durability: when a write returns. `fsync`: the record survives a power cut; `flush`: it survives the process;
            `async`: it is queued. The latter two sync about once a second.
        max_line: bytes of the longest record. segments: when the log goes on in a new file.
        checkpoints: when to write some; None for never. anchors: who is shown each of them once it is durable.
        Raises AuditUnavailable where the directory cannot be used or another writer has it; AuditBroken where the
        log's end does not verify, or an anchor remembers another log. A last line without a line end is cut and kept
        beside the log.
        """
        lock = take_directory(Path(directory))
        try:
            file = LogFile(Path(directory), disk or LocalDisk(), segments)
            try:
                _require_key(file, checkpoints)
                for anchor in anchors:
                    if isinstance(anchor, FileAnchor):
                        _hold_against(file, anchor)
            except BaseException:
                file.close()
                raise
        except OSError as error:
            os.close(lock)
            raise AuditUnavailable(f"{directory}: {error.strerror or error}") from error
        except BaseException:
            os.close(lock)
            raise
        return cls(
            file,
            durability=durability,
            max_line=min(max_line, MAX_LINE),
            lock=lock,
            checkpoints=checkpoints,
            anchors=Anchors(anchors) if anchors else None,
        )

    @property
    def seq(self) -> int:
        """The number of the last record that was acknowledged or found; 0 in an empty log."""
        return self._file.written.seq

    @property
    def hash(self) -> str:
        """The hash of that record, for an outside witness; 64 zeros in an empty log."""
        return self._file.written.hash.decode()

    @property
    def recovered(self) -> str | None:
        """What was cut and where it is kept, where an earlier run died in the middle of a line."""
        return self._file.recovered

    @property
    def gap(self) -> int:
        """How many records `flush` or `async` took and a failing disk then lost; always 0 with `fsync`."""
        return self._dropped + self._file.lost

    async def write(self, kind: str, body: Body) -> Receipt:
        """Append a record, and return once it is as durable as the log promises.

        kind: lower-case letters and `_`. On a disk that syncs within half a millisecond a lone caller does so on the
        event loop; a slower one does not hold the loop. A caller who is cancelled meanwhile cannot know whether the
        record stands.
        Raises AuditUnavailable, AuditBroken: the record does not stand, except where the process also ends before the
        disk lets its remains be cut; ValueError or TypeError where the body is no record.
        """
        members = _members(kind, body)
        if self.durability == "flush":
            return self._write_through(kind, members)
        with self._changed:
            receipt, batch = self._enqueue(kind, members)
            if self._is_taken(batch):
                return receipt
            future = batch.future()
            may_lead = batch.records == 1 and self._file.sync_s < _ALONE_SYNC_S and not self._file.is_failing
            if not may_lead:
                self._changed.notify()
        if may_lead:
            try:
                await asyncio.sleep(0)  # everybody who is ready joins the batch, which then knows if it is alone
            finally:
                self._commit_if_alone(batch)
        await future
        batch.raise_failure()
        return receipt

    def write_blocking(self, kind: str, body: Body) -> Receipt:
        """Append a record from a thread without an event loop; as `write` otherwise."""
        members = _members(kind, body)
        if self.durability == "flush":
            return self._write_through(kind, members)
        with self._changed:
            receipt, batch = self._enqueue(kind, members)
            if self._is_taken(batch):
                return receipt
            done = None if self._leads(batch) else batch.event()
        if done is None:
            self._commit(batch)
        else:
            done.wait()
        batch.raise_failure()
        return receipt

    def new_checkpoints(self) -> list[bytes]:
        """Return the checkpoints that came to stand in the log since the last call, for copies of it."""
        with self._changed:
            found = list(self._seen)
            self._seen.clear()
            return found

    def close(self) -> None:
        """Write and sync all that is queued, and let the directory go. Writing afterwards is AuditUnavailable.

        Raises AuditUnavailable where `flush` or `async` could not keep what they took; the log is closed even so.
        """
        with self._changed:
            if self._is_closed:
                return
            gap = self.gap
            if self._queued.seq > self._queued.checkpoint and self._file.broken is None:
                self._put_checkpoint()
            self._is_closed = True
            self._changed.notify_all()
        self._flusher.join()
        try:
            self._file.restore()
            self._sync()
        finally:
            self._file.close()
            os.close(self._lock_file)
            if self._anchors is not None:
                self._anchors.close()
        lost = self.gap - gap + self._file.written.seq - self._file.synced.seq
        if lost:
            raise AuditUnavailable(f"{self._file.path}: {lost} records that were taken did not reach the disk")

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _enqueue(self, kind: str, members: bytes) -> tuple[Receipt, Batch]:
        """Put a record, and a checkpoint that is due, at the end of the gathering batch. Under the lock."""
        receipt = self._next(kind, members)
        return receipt, self._gather([receipt.line, *self._due_checkpoint()])

    def _gather(self, lines: Sequence[bytes]) -> Batch:
        if self._batch is None:
            self._batch = Batch()
        self._batch.lines += lines
        self._batch.records += 1
        self._batch.size += sum(map(len, lines))
        self._batch.head = self._queued
        return self._batch

    def _next(self, kind: str, members: bytes) -> Receipt:
        """Link a record to the chain. Under the lock."""
        if self._is_closed:
            raise AuditUnavailable(f"{self._file.path}: the audit log is closed")
        if self._file.broken is not None:
            raise AuditBroken(self._file.broken)
        before = self._queued
        line, digest = encode(kind, before.seq + 1, before.hash, members)
        if len(line) > self._max_line:
            raise AuditUnavailable(f"a record of {len(line)} bytes is longer than the log takes, {self._max_line}")
        self._queued = Head(before.seq + 1, digest, checkpoint=before.checkpoint)
        if not before.seq:
            self._log_id = digest.decode()
        if self._checkpoints is not None and self._checkpoint_due == inf:
            self._checkpoint_due = monotonic() + self._checkpoints.seconds
            self._changed.notify()
        return Receipt(seq=before.seq + 1, hash=digest.decode(), line=line)

    def _due_checkpoint(self) -> tuple[bytes, ...]:
        """Link a checkpoint to the chain where so many records have gone by. Under the lock."""
        if self._checkpoints is None:
            return ()
        if self._queued.seq - self._queued.checkpoint < self._checkpoints.every and not self._checkpoint_at_once:
            return ()
        return (self._checkpoint(),)

    def _checkpoint(self) -> bytes:
        """Link a checkpoint to the chain and return its line. Under the lock."""
        assert self._checkpoints is not None
        before = self._queued
        line, digest = self._checkpoints.encode(before.seq + 1, before.hash, log=self._log_id, gap=self.gap)
        self._queued = Head(before.seq + 1, digest, checkpoint=before.seq + 1)
        self._checkpoint_at_once, self._checkpoint_due = False, inf
        self._unseen.append((before.seq + 1, line))
        return line

    def _put_checkpoint(self) -> None:
        """Write a checkpoint that no record asked for. Under the lock."""
        if self._checkpoints is None:
            return
        self._checkpoint_due = inf
        if self.durability != "flush":
            self._gather([self._checkpoint()])
            return
        try:
            self._file.append((self._checkpoint(),), self._queued, sync=False)
        except (AuditUnavailable, AuditBroken):
            pass  # told already; the next one covers what this one would have
        finally:
            self._go_back()

    def _is_taken(self, batch: Batch) -> bool:
        """Whether `async` may say yes now. While the disk fails or lags behind, that promise could not be kept."""
        if self.durability != "async" or self._file.is_failing or batch.size > _QUEUE_MAX_BYTES:
            return False
        batch.taken += 1
        self._changed.notify()
        return True

    def _leads(self, batch: Batch) -> bool:
        """Make the caller the one who commits, if he is alone; else see to it that the flusher does. Under the lock."""
        if self._batch is not batch or self._is_committing or batch.records > 1 or self.durability != "fsync":
            self._changed.notify()
            return False
        self._batch = None
        self._is_committing = True
        return True

    def _commit_if_alone(self, batch: Batch) -> None:
        with self._changed:
            leads = self._leads(batch)
        if leads:
            self._commit(batch)

    def _run(self) -> None:
        """Be the flusher: commit what gathers, sync what is due, until the log is closed."""
        while True:
            batch = None
            with self._changed:
                if not self._has_work():
                    due = min(self._sync_due, self._checkpoint_due)
                    self._changed.wait(None if due == inf else due - monotonic())
                if self._checkpoint_due <= monotonic() and not self._is_closed:
                    self._put_checkpoint()
                if self._has_work():
                    batch, self._batch = self._batch, None
                    if batch is None:
                        return
                    self._is_committing = True
            if batch is not None:
                self._commit(batch)
            if self._sync_due <= monotonic():
                self._sync()

    def _has_work(self) -> bool:
        return (self._batch is not None or self._is_closed) and not self._is_committing

    def _commit(self, batch: Batch) -> None:
        """Write a batch and, for `fsync`, sync it. The caller has set `_is_committing`, and holds no lock."""
        failure: BaseException | None = None
        try:
            self._file.append(batch.lines, batch.head, sync=self.durability == "fsync")
        except BaseException as error:
            failure = error
        failed = [batch]
        with self._changed:
            if failure is not None:
                if self._batch is not None:  # gathered meanwhile, and chained to records that do not stand
                    failed.append(self._batch)
                    self._batch = None
                self._go_back()
                self._dropped += sum(lost.taken for lost in failed)
            self._is_committing = False
            self._let_sync_later()
            self._show_anchors()
            if self._batch is not None or self._is_closed:
                self._changed.notify()
        for settled in failed:
            settled.failure = failure
            settled.settle()
        if failure is not None and not isinstance(failure, Exception):
            raise failure

    def _write_through(self, kind: str, members: bytes) -> Receipt:
        """Write a record at once, for `flush`."""
        with self._changed:
            receipt = self._next(kind, members)
            lines = (receipt.line, *self._due_checkpoint())
            try:
                self._file.append(lines, self._queued, sync=False)
            finally:
                self._go_back()
            self._let_sync_later()
            return receipt

    def _let_sync_later(self) -> None:
        """See to it that what is not synced will be. Under the lock."""
        if self.durability != "fsync" and self._sync_due == inf:
            self._sync_due = monotonic() + _SYNC_EVERY_S
            self._changed.notify()

    def _show_anchors(self) -> None:
        """Show the newest checkpoint once it is on disk. Under the lock."""
        durable = [line for seq, line in self._unseen if seq <= self._file.synced.seq]
        if durable:
            del self._unseen[: len(durable)]
            self._seen.extend(durable)
            if self._anchors is not None:
                self._anchors.show(durable[-1])

    def _go_back(self) -> None:
        """Go on with the chain from what stands in the file. Under the lock."""
        self._queued = self._file.written
        self._unseen = [one for one in self._unseen if one[0] <= self._queued.seq]

    def _sync(self) -> None:
        """Make what `flush` and `async` have written survive a power cut, while others go on writing."""
        duplicate = None
        try:
            with self._changed:
                self._sync_due = inf
                head = self._file.written
                if head == self._file.synced or (duplicate := self._file.duplicate()) is None:
                    return
            self._file.disk.datasync(duplicate)
            with self._changed:
                proven = min(head, self._file.written, key=lambda end: end.seq)
                self._file.synced = max(proven, self._file.synced, key=lambda end: end.seq)
                self._show_anchors()
        except OSError as error:
            with self._changed:
                self._file.give_up(error)
                self._go_back()
        finally:
            if duplicate is not None:
                os.close(duplicate)


def _is_due_at_start(file: LogFile, checkpoints: Checkpoints) -> bool:
    """Whether the first record is followed by a checkpoint: after a crash, or where the last promised one sooner."""
    last = file.checkpoint
    if last is None or last.seq != file.written.seq:
        return file.written.seq > 0
    return last.decode(CheckpointBody).every != checkpoints.every


def _require_key(file: LogFile, checkpoints: Checkpoints | None) -> None:
    """Raise AuditUnavailable where a log that was signed would go on without signatures."""
    last = file.checkpoint
    is_signed = last is not None and last.decode(CheckpointBody).signature is not None
    if is_signed and checkpoints is not None and checkpoints.signer is None:
        raise AuditUnavailable(
            f"{file.path}: this log is signed; without its key it would not verify any more. Give the key, or begin"
            " another log"
        )


def _hold_against(file: LogFile, anchor: FileAnchor) -> None:
    """Raise AuditBroken where an anchor remembers what the log does not hold, as after a restore of an old copy."""
    kept = anchor.newest(first_hash(file.directory)) if file.written.seq else None
    if kept is None:
        return
    back = file.written.seq - kept.seq
    if back < 0:
        what = f"the log ends with record {file.written.seq}"
    else:
        found = next(iter(tail(file.directory, max_records=back + 1)), None)
        if found is not None and found.hash == kept.hash:
            return
        what = "the log has another record there"
    raise AuditBroken(
        f"{file.path}: {what}, but its anchor {anchor.path} remembers checkpoint {kept.seq}: the log was cut off,"
        " written anew or restored from an old copy. Once a person has looked, put that anchor away and name a new one"
    )


def _members(kind: str, body: Body) -> bytes:
    if not _KIND.fullmatch(kind):
        raise ValueError(f"`{kind}` is no kind of record: it takes lower-case letters and _")
    return encode_body(body)
