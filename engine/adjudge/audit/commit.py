"""Group commit: whoever commits a batch writes all of it and syncs once, while the next one gathers.

Usually that is the flusher, a thread; a caller who is alone does it himself, because on a fast disk waking two threads
costs more than the sync.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from time import monotonic
from typing import Literal

from adjudge.audit.batch import Batch
from adjudge.audit.chain import Chain
from adjudge.audit.checkpoints import Anchors, Checkpoints
from adjudge.audit.file import LogFile
from adjudge.audit.start import Start
from adjudge.audit.taken import Taken
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.plugin import Receipt

Durability = Literal["fsync", "flush", "async"]
DURABILITIES = ("fsync", "flush", "async")
Written = Callable[[Path, int, Sequence[bytes]], None]
"""Called with lines that came to stand in the log: their file, and where the first of them begins in it."""

_SYNC_EVERY_S = 1.0
_COMMIT_ASKED_S = 0.01
_QUEUE_MAX_BYTES = 16 * 1024 * 1024


class Committer:
    """The only one who touches a log's file, once it is open.

    changed: the one lock of a log, under which the chain's order is made.
    on_lines: called with the lines that came to stand in the log, in its order, by whoever wrote them: one at a time.
    """

    def __init__(
        self,
        file: LogFile,
        *,
        durability: Durability,
        max_line: int,
        checkpoints: Checkpoints | None,
        anchors: Anchors | None,
        start: Start,
        taken: Taken,
    ) -> None:
        self.changed = threading.Condition(threading.Lock())
        self.chain = Chain(
            file, checkpoints=checkpoints, start=start, taken=taken, max_line=max_line, changed=self.changed
        )
        self.on_lines: Written | None = None
        self.is_closed = False
        self._file = file  # touched by whoever has set `_is_committing`; with `flush`, by whoever has the lock
        self._durability = durability
        self._anchors = anchors
        self._batch: Batch | None = None  # gathering; the next to be committed
        self._is_committing = False
        self._sync_due = inf
        self._syncing = threading.Lock()  # taken before the other one, never after it
        self._gap_at_stop = 0
        self._flusher = threading.Thread(target=self._run, name="adjudge-audit", daemon=True)
        self._flusher.start()

    def enqueue(self, kind: str, members: bytes) -> tuple[Receipt, Batch]:
        """Link a record, and put it at the end of the gathering batch. Under the lock."""
        receipt, lines = self._link(kind, members)
        return receipt, self._gather(lines)

    def write_through(self, kind: str, members: bytes) -> Receipt:
        """Link a record and write it at once, for `flush`."""
        with self.changed:
            receipt, lines = self._link(kind, members)
            try:
                self._write(lines)
            finally:
                self.chain.note_taken()
            self._let_sync_later()
            return receipt

    def is_taken(self, batch: Batch) -> bool:
        """Whether `async` may say yes now. While the disk fails or lags behind, that promise could not be kept."""
        if self._durability != "async" or self._file.is_failing or batch.size > _QUEUE_MAX_BYTES:
            return False
        self.chain.note_taken()
        batch.taken += 1
        self.changed.notify()
        return True

    def wake(self) -> None:
        """Have what gathers committed."""
        with self.changed:
            self.changed.notify()

    def leads(self, batch: Batch) -> bool:
        """Make the caller the one who commits, if he is alone; else see to it that the flusher does. Under the lock."""
        if self._batch is not batch or self._is_committing or batch.records > 1 or self._durability != "fsync":
            self.changed.notify()
            return False
        self._batch = None
        self._is_committing = True
        return True

    def commit_if_alone(self, batch: Batch) -> None:
        """Commit a batch if the caller is alone in it; else the flusher does."""
        with self.changed:
            leads = self.leads(batch)
        if leads:
            self.commit(batch)

    def commit(self, batch: Batch) -> None:
        """Write a batch and, for `fsync`, sync it. The caller leads it, and holds no lock."""
        failure: BaseException | None = None
        interrupted: BaseException | None = None
        try:
            start = self._file.append(batch.lines, batch.head, sync=self._durability == "fsync")
        except BaseException as error:
            failure = error
        else:
            try:
                self._tell_lines(batch.lines, start)
            except BaseException as error:  # by the user; the records stand
                interrupted = error
        failed = [batch]
        with self.changed:
            if failure is not None:
                failed += self._go_back(batch.taken)
            self._is_committing = False
            self._let_sync_later()
            self._show_anchors()
            if self._batch is not None or self.is_closed:
                self.changed.notify()
        for settled in failed:
            settled.failure = failure
            settled.settle()
        if failure is not None and not isinstance(failure, Exception):
            raise failure
        if interrupted is not None:
            raise interrupted

    def stop(self) -> bool:
        """Seal the log and take nothing more; False where it was stopped before."""
        with self.changed:
            if self.is_closed:
                return False
            self._gap_at_stop = self.chain.gap
            if self.chain.must_be_sealed:
                self._put_checkpoint(closed=True)
            self.is_closed = True
            self.changed.notify_all()
        return True

    def finish(self) -> int:
        """Write and sync all that was queued, let the file go, and return how many records the end has lost."""
        self._flusher.join()
        try:
            self._file.restore()
            self.sync()
        finally:
            with self.changed:  # somebody may still be waiting for a sync
                self._file.close()
        return self.chain.gap - self._gap_at_stop + self._file.written.seq - self._file.synced.seq

    def sync(self) -> None:
        """Make what `flush` and `async` have written survive a power cut, while others go on writing."""
        with self._syncing:
            self._sync()

    def _sync(self) -> None:
        file = None
        failed: list[Batch] = []
        try:
            with self.changed:
                self._sync_due = inf
                head = self._file.written
                if head == self._file.synced or (file := self._file.reopened()) is None:
                    return
            self._file.disk.datasync(file)
            with self.changed:
                proven = min(head, self._file.written, key=lambda end: end.seq)
                self._file.synced = max(proven, self._file.synced, key=lambda end: end.seq)
                self._show_anchors()
        except OSError as error:
            with self.changed:
                while self._is_committing:  # the file is his: it cannot be taken from him
                    self.changed.wait(_COMMIT_ASKED_S)
                stood = self._file.written.hash
                failure = self._file.give_up(error)
                if self._file.written.hash != stood:
                    failed = self._go_back()
            for settled in failed:
                settled.failure = failure
                settled.settle()
        finally:
            if file is not None:
                os.close(file)

    def _go_back(self, taken: int = 0) -> list[Batch]:
        """Go on from what stands in the file, and return what gathered meanwhile: it is chained to what does not stand.

        taken: how many lost records the caller had said yes to. Under the lock.
        """
        failed = [self._batch] if self._batch is not None else []
        self._batch = None
        self.chain.go_back()
        self.chain.dropped += taken + sum(lost.taken for lost in failed)
        with suppress(AuditUnavailable):
            self.chain.note_taken()
        return failed

    def _link(self, kind: str, members: bytes) -> tuple[Receipt, Sequence[bytes]]:
        if self.is_closed:
            raise AuditUnavailable(f"{self._file.path}: the audit log is closed")
        return self.chain.link(kind, members)

    def _gather(self, lines: Sequence[bytes]) -> Batch:
        if self._batch is None:
            self._batch = Batch()
        self._batch.lines += lines
        self._batch.records += 1
        self._batch.size += sum(map(len, lines))
        self._batch.head = self.chain.end
        return self._batch

    def _put_checkpoint(self, *, closed: bool = False) -> None:
        """Write a checkpoint that no record asked for. Under the lock."""
        lines = [self.chain.seal(closed=closed)]
        if self._durability != "flush":
            self._gather(lines)
            return
        with suppress(AuditUnavailable, AuditBroken):  # told already; the next one covers what this one would have
            self._write(lines)

    def _write(self, lines: Sequence[bytes]) -> None:
        """Write what was just linked; where that fails, nothing was. Under the lock."""
        try:
            start = self._file.append(lines, self.chain.end, sync=False)
        except BaseException:
            self.chain.go_back()
            raise
        self._tell_lines(lines, start)

    def _run(self) -> None:
        """Be the flusher: commit what gathers, sync what is due, until the log is closed."""
        while True:
            batch = None
            with self.changed:
                if not self._has_work():
                    due = min(self._sync_due, self.chain.checkpoint_due)
                    self.changed.wait(None if due == inf else due - monotonic())
                if self.chain.checkpoint_due <= monotonic() and not self.is_closed:
                    self._put_checkpoint()
                if self._has_work():
                    batch, self._batch = self._batch, None
                    if batch is None:
                        return
                    self._is_committing = True
            if batch is not None:
                self.commit(batch)
            if self._sync_due <= monotonic():
                self.sync()

    def _has_work(self) -> bool:
        return (self._batch is not None or self.is_closed) and not self._is_committing

    def _tell_lines(self, lines: Sequence[bytes], start: int) -> None:
        """Tell of lines that stand in the file from a byte on; nobody else writes meanwhile."""
        if self.on_lines is not None:
            self.on_lines(self._file.path, start, lines)

    def _let_sync_later(self) -> None:
        """See to it that what is not synced will be. Under the lock."""
        if self._durability != "fsync" and self._sync_due == inf:
            self._sync_due = monotonic() + _SYNC_EVERY_S
            self.changed.notify()

    def _show_anchors(self) -> None:
        """Show the newest checkpoint once it is on disk. Under the lock."""
        line = self.chain.newly_durable()
        if line is not None and self._anchors is not None:
            self._anchors.show(line)
