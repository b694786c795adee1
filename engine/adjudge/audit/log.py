"""The writer of the audit log.

Callers queue their records under one lock, which is where the chain's order is made. With `durability="fsync"` the
queue is one batch: whoever commits it writes all of it and syncs once, while the next batch gathers. Usually that is
the flusher thread; a caller who is alone does it himself, because on a fast disk waking two threads costs more than
the sync.
"""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Literal

from adjudge.audit.batch import Batch
from adjudge.audit.checkpoints import Anchors, Checkpoints, FileAnchor
from adjudge.audit.disk import Disk, LocalDisk
from adjudge.audit.file import Head, LogFile, Segments, take_directory
from adjudge.audit.read import first_hash
from adjudge.audit.record import MAX_LINE, Body, encode, encode_body
from adjudge.audit.start import Start, hold_against, require_key, require_proof
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.plugin import AuditSink

Durability = Literal["fsync", "flush", "async"]

_KIND = re.compile("[a-z][a-z_]{0,63}")
_SYNC_EVERY_S = 1.0
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
    """One writer of one directory; any number of threads and event loops may share it.

    A process that is forked from the writer's cannot write: it is told so. Who forgets `close` loses nothing: that is
    done when the interpreter ends.

    on_lines: called with the lines that came to stand in the log, in its order, by whoever wrote them: one at a time.
    """

    def __init__(
        self,
        file: LogFile,
        *,
        durability: Durability,
        max_line: int,
        lock: int,
        checkpoints: Checkpoints | None,
        anchors: Anchors | None,
        start: Start,
    ) -> None:
        """Use `AuditLog.open`."""
        self.directory = file.directory
        self.on_lines: Callable[[Sequence[bytes]], None] | None = None
        self._process = os.getpid()
        self.durability: Durability = durability
        self._max_line = max_line
        self._lock_file = lock
        self._file = file  # touched by whoever has set `_is_committing`; with `flush`, by whoever has the lock
        self._changed = threading.Condition(threading.Lock())
        self._queued = file.written  # the end of the chain, with all that callers have handed in
        self._batch: Batch | None = None  # gathering; the next to be committed
        self._is_committing = False
        self._is_closed = False
        self._start = start
        self._dropped = start.gap
        self._sync_due = inf
        self._checkpoints = checkpoints
        self._anchors = anchors
        self._checkpoint_due = inf
        self._mac = checkpoints.mac if checkpoints is not None else None
        self._opening_seq = 0  # of the checkpoint that says how the log was found
        self._found_seq = file.written.seq
        self._log_id = first_hash(file.directory) if file.written.seq else ""
        self._unseen: list[tuple[int, bytes]] = []  # checkpoints that are not on disk yet
        self._flusher = threading.Thread(target=self._run, name="adjudge-audit", daemon=True)
        self._flusher.start()
        atexit.register(self._close_at_exit)

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
        adopted_by: str | None = None,
    ) -> AuditLog:
        """Start a log, or go on with one; blocks for the reading of its last 8 MiB.

        durability: when a write returns. `fsync`: the record survives a power cut; `flush`: it survives the process;
            `async`: it is queued. The latter two sync about once a second.
        max_line: bytes of the longest record. segments: when the log goes on in a new file.
        checkpoints: when to write some, and with which keys; None for never. With a key, all that no signature vouches
            for must have the key's mac. anchors: who is shown each of them once it is durable.
        adopted_by: who takes over what the keys do not prove, which the next checkpoint then says; None for nobody.
        Raises AuditUnavailable where the directory cannot be used or another writer has it; AuditBroken where the
        log's end does not verify or the key does not prove it, or an anchor remembers another log. A last line without
        a line end is cut and kept beside the log.
        """
        lock = take_directory(Path(directory))
        try:
            proof = checkpoints.proof if checkpoints is not None else None
            seeks = checkpoints is not None  # which says how many records were lost before
            file = LogFile(Path(directory), disk or LocalDisk(), segments, proof=proof, seeks_checkpoint=seeks)
            try:
                require_key(file, checkpoints)
                if adopted_by is None:
                    require_proof(file)
                for anchor in anchors:
                    if isinstance(anchor, FileAnchor):
                        hold_against(file, anchor)
                start = Start.of(file.found, checkpoints, adopted_by)
                return cls(
                    file,
                    durability=durability,
                    max_line=min(max_line, MAX_LINE),
                    lock=lock,
                    checkpoints=checkpoints,
                    anchors=Anchors(anchors) if anchors else None,
                    start=start,
                )
            except BaseException:
                file.close()
                raise
        except OSError as error:
            os.close(lock)
            raise AuditUnavailable(f"{directory}: {error.strerror or error}") from error
        except BaseException:
            os.close(lock)
            raise

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
        """How many records `flush` or `async` took and a failing disk then lost, in all runs of this log."""
        return self._dropped + self._file.lost

    @property
    def proof(self) -> Literal["mac", "signature", "none"]:
        """What proves the log as it was at the start: `none` without a key, or where another one signed in the end."""
        found = self._file.found
        if found.end is None:
            return "signature"
        return ("mac" if found.end.has_mac else "signature") if found.is_proven else "none"

    def require_proof(self) -> None:
        """Raise AuditBroken where the log cannot be believed, because another key signed in the end."""
        if self._file.proof is not None:
            self._file.found.require_proof(str(self._file.path))

    async def write(self, kind: str, body: Body) -> Receipt:
        """Append a record, and return once it is as durable as the log promises.

        kind: lower-case letters and `_`. On a disk that syncs within half a millisecond a lone caller does so on the
        event loop; a slower one does not hold the loop. A caller who is cancelled meanwhile cannot know whether the
        record stands.
        Raises AuditUnavailable, AuditBroken: the record does not stand, except where the process also ends before the
        disk lets its remains be cut; ValueError or TypeError where the body is no record.
        """
        members = self._members(kind, body)
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
        members = self._members(kind, body)
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

    def close(self) -> None:
        """Write and sync all that is queued, and let the directory go. Writing afterwards is AuditUnavailable.

        In a process that was forked from the writer's it does nothing: the log is the writer's.
        Raises AuditUnavailable where `flush` or `async` could not keep what they took; the log is closed even so.
        """
        if os.getpid() != self._process:
            return
        with self._changed:
            if self._is_closed:
                return
            gap = self.gap
            if self._file.broken is None and self._must_be_sealed():
                self._put_checkpoint(closed=True)
            self._is_closed = True
            self._changed.notify_all()
        atexit.unregister(self._close_at_exit)
        self._flusher.join()
        try:
            self._file.restore()
            self._sync()
        finally:
            self._file.close()
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)  # forked processes may hold it open
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

    def _close_at_exit(self) -> None:
        try:
            self.close()
        except Exception:  # noqa: S110  # what a disk did was told as an event, and nobody is left to raise it to
            pass

    def _must_be_sealed(self) -> bool:
        """Whether a checkpoint has to say that this is the end. Under the lock."""
        if self._mac is None:
            return self._queued.seq > self._queued.checkpoint
        return self._queued.seq != self._found_seq or self._start.is_open

    def _members(self, kind: str, body: Body) -> bytes:
        if os.getpid() != self._process:
            raise AuditUnavailable(
                f"{self._file.path}: this process was forked from the one that opened the audit log; open one of its"
                " own in each process, after the fork"
            )
        if not _KIND.fullmatch(kind):
            raise ValueError(f"`{kind}` is no kind of record: it takes lower-case letters and _")
        return encode_body(body)

    def _enqueue(self, kind: str, members: bytes) -> tuple[Receipt, Batch]:
        """Put a record, and the checkpoints that are due, at the end of the gathering batch. Under the lock."""
        receipt, lines = self._link(kind, members)
        return receipt, self._gather(lines)

    def _link(self, kind: str, members: bytes) -> tuple[Receipt, Sequence[bytes]]:
        """Link a record to the chain, and the checkpoints that are due before and after it. Under the lock."""
        before, unseen = self._queued, len(self._unseen)
        opening = (self._checkpoint(),) if self._start.says is not None and not self._opening_seq else ()
        try:
            receipt = self._next(kind, members)
        except BaseException:
            self._queued = before
            if opening:
                del self._unseen[unseen:]
                self._opening_seq = 0
            raise
        return receipt, (*opening, receipt.line, *self._due_checkpoint())

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
        line, digest = encode(kind, before.seq + 1, before.hash, members, self._mac)
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
        if self._checkpoints is None or self._queued.seq - self._queued.checkpoint < self._checkpoints.every:
            return ()
        return (self._checkpoint(),)

    def _checkpoint(self, *, closed: bool = False) -> bytes:
        """Link a checkpoint to the chain and return its line; the first says how the log was found. Under the lock."""
        assert self._checkpoints is not None
        before, opening = self._queued, None if self._opening_seq else self._start.says
        line, digest = self._checkpoints.encode(
            before.seq + 1, before.hash, log=self._log_id, gap=self.gap, found=opening, closed=closed
        )
        self._queued = Head(before.seq + 1, digest, checkpoint=before.seq + 1)
        self._checkpoint_due = inf
        if opening is not None:
            self._opening_seq = before.seq + 1
        self._unseen.append((before.seq + 1, line))
        return line

    def _put_checkpoint(self, *, closed: bool = False) -> None:
        """Write a checkpoint that no record asked for. Under the lock."""
        if self._checkpoints is None:
            return
        self._checkpoint_due = inf
        lines = [self._checkpoint(closed=closed and self._mac is not None)]
        if self.durability != "flush":
            self._gather(lines)
            return
        try:
            self._file.append(lines, self._queued, sync=False)
            self._tell_lines(lines)
        except (AuditUnavailable, AuditBroken):
            pass  # told already; the next one covers what this one would have
        finally:
            self._go_back()

    def _tell_lines(self, lines: Sequence[bytes]) -> None:
        """Tell of lines that stand in the file; nobody else writes meanwhile."""
        if self.on_lines is not None:
            self.on_lines(lines)

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
        interrupted: BaseException | None = None
        try:
            self._file.append(batch.lines, batch.head, sync=self.durability == "fsync")
        except BaseException as error:
            failure = error
        else:
            try:
                self._tell_lines(batch.lines)
            except BaseException as error:  # by the user; the records stand
                interrupted = error
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
        if interrupted is not None:
            raise interrupted

    def _write_through(self, kind: str, members: bytes) -> Receipt:
        """Write a record at once, for `flush`."""
        with self._changed:
            receipt, lines = self._link(kind, members)
            try:
                self._file.append(lines, self._queued, sync=False)
                self._tell_lines(lines)
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
            if self._anchors is not None:
                self._anchors.show(durable[-1])

    def _go_back(self) -> None:
        """Go on with the chain from what stands in the file. Under the lock."""
        self._queued = self._file.written
        self._unseen = [one for one in self._unseen if one[0] <= self._queued.seq]
        if self._opening_seq > self._queued.seq:
            self._opening_seq = 0

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
