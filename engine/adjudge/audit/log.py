"""The writer of the audit log.

Callers hand in their records under one lock, which is where the order of the chain is made (`chain.py`). Those that
come at the same time share one write and one sync (`commit.py`).
"""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Literal

from adjudge.audit.checkpoints import Anchors, Checkpoints, FileAnchor, Witness
from adjudge.audit.closed import ClosedSegments
from adjudge.audit.commit import Committer, Durability, Written
from adjudge.audit.disk import Disk, LocalDisk
from adjudge.audit.file import LogFile, Segments, take_directory
from adjudge.audit.proof import Proof
from adjudge.audit.record import MAX_LINE, encode_body
from adjudge.audit.start import Start, hold_against, require_key, require_proof
from adjudge.audit.taken import Taken
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.patterns import late
from adjudge.plugin import Body, Receipt

__all__ = ["AuditLog", "Durability", "Receipt", "Written"]

_USUAL = frozenset({"decision", "call"})
_KIND = late("[a-z][a-z_]{0,63}")
SETTLE_S = 30.0
_ALONE_SYNC_S = 0.0005
"""A caller on an event loop syncs himself only while syncs take less than this, so that the loop is never held long."""


class AuditLog:
    """One writer of one directory; any number of threads and event loops may share it.

    A process that is forked from the writer's cannot write: it is told so. Who forgets `close` loses nothing: that is
    done when the interpreter ends.
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
        taken: Taken,
    ) -> None:
        """Use `AuditLog.open`."""
        self.directory = file.directory
        self.durability: Durability = durability
        self._process = os.getpid()
        self._lock_file = lock
        self._file = file
        self._anchors = anchors
        self._taken = taken
        self._committer = Committer(
            file,
            durability=durability,
            max_line=max_line,
            checkpoints=checkpoints,
            anchors=anchors,
            start=start,
            taken=taken,
        )
        self._closed = ClosedSegments(self.directory, self.write_blocking)
        file.on_closed = self._closed.add
        if file.proof is None or file.found.is_proven:
            self._closed.look()
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
        anchors: Sequence[Witness] = (),
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
                taken = Taken(Path(directory), file.written.seq, is_kept=durability != "fsync")
                return cls(
                    file,
                    durability=durability,
                    max_line=min(max_line, MAX_LINE),
                    lock=lock,
                    checkpoints=checkpoints,
                    anchors=Anchors(anchors) if anchors else None,
                    start=start,
                    taken=taken,
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
    def end(self) -> tuple[int, str]:
        """Both of them, of one record, while others write."""
        written = self._file.written
        return written.seq, written.hash.decode()

    def check(self) -> None:
        """Raise AuditBroken where nothing may be appended until a person has looked."""
        if self._file.broken is not None:
            raise AuditBroken(self._file.broken)

    @property
    def is_failing(self) -> bool:
        """Whether the last record could not be written; the next one is tried all the same."""
        return self._file.is_failing

    @property
    def durable(self) -> tuple[int, str]:
        """The number and the hash of the last record that survives a power cut; 0 and 64 zeros before there is one."""
        synced = self._file.synced
        return synced.seq, synced.hash.decode()

    @property
    def recovered(self) -> str | None:
        """What was cut and where it is kept, where an earlier run died in the middle of a line."""
        return self._file.recovered

    @property
    def gap(self) -> int:
        """How many records `flush` or `async` took and a failing disk then lost, in all runs of this log."""
        return self._committer.chain.gap

    @property
    def on_lines(self) -> Written | None:
        """What is called with the lines that came to stand in the log, in its order, one call at a time."""
        return self._committer.on_lines

    @on_lines.setter
    def on_lines(self, told: Written | None) -> None:
        self._committer.on_lines = told

    @property
    def proof(self) -> Literal["mac", "signature", "none"]:
        """What proves the log as it was at the start: `none` without a key, or where another one signed in the end."""
        found = self._file.found
        if found.end is None:
            return "signature"
        return ("mac" if found.end.has_mac else "signature") if found.is_proven else "none"

    @property
    def keys(self) -> Proof | None:
        """What proves a record that is read again; None without a key."""
        return self._file.proof

    def require_proof(self) -> None:
        """Raise AuditBroken where the log cannot be believed, because another key signed in the end."""
        if self._file.proof is not None:
            self._file.found.require_proof(str(self._file.path))

    def hold_fingerprint_key(self, digest: str, named: object) -> None:
        """Refuse another key behind fingerprints than the checkpoints know, and have those to come say which it is.

        digest: of the key, which `named` is called. Raises AuditUnavailable.
        """
        known = self._committer.chain.fingerprint_key
        if known and known != digest:
            said = "is not the key that this log was written with: every repeated MerchantBizId would be a conflict"
            raise AuditUnavailable(f"{named}: {said}; restore it from a copy")
        self._committer.chain.fingerprint_key = digest

    async def write(self, kind: str, body: Body) -> Receipt:
        """Append a record, and return once it is as durable as the log promises.

        kind: lower-case letters and `_`. On a disk that syncs within half a millisecond a lone caller does so on the
        event loop; a slower one does not hold the loop. A caller who is cancelled meanwhile cannot know whether the
        record stands.
        Raises AuditUnavailable, AuditBroken: the record does not stand, except where the process also ends before the
        disk lets its remains be cut; ValueError or TypeError where the body is no record.
        """
        members = self._members(kind, body)
        committer = self._committer
        if self.durability == "flush":
            return committer.write_through(kind, members)
        with committer.changed:
            receipt, batch = committer.enqueue(kind, members)
            if committer.is_taken(batch):
                return receipt
            future, is_first = batch.future()
            may_lead = batch.records == 1 and self._file.sync_s < _ALONE_SYNC_S and not self._file.is_failing
        if is_first and not may_lead:  # everybody who is ready joins the batch, and then it is committed
            asyncio.get_running_loop().call_soon(committer.wake)
        if may_lead:
            try:
                await asyncio.sleep(0)  # everybody who is ready joins the batch, which then knows if it is alone
            finally:
                committer.commit_if_alone(batch)
        await future
        batch.raise_failure()
        return receipt

    def write_blocking(self, kind: str, body: Body) -> Receipt:
        """Append a record from a thread without an event loop; as `write` otherwise."""
        members = self._members(kind, body)
        committer = self._committer
        if self.durability == "flush":
            return committer.write_through(kind, members)
        with committer.changed:
            receipt, batch = committer.enqueue(kind, members)
            if committer.is_taken(batch):
                return receipt
            done = None if committer.leads(batch) else batch.event()
        if done is None:
            committer.commit(batch)
        else:
            done.wait()
        batch.raise_failure()
        return receipt

    def write_settled(self, kind: str, body: Body) -> Receipt:
        """Write a record that is on disk on return, whatever `durability` says. Raises as `write_blocking`.

        Also where the disk lost records meanwhile, of which this may be one: what is lost gives its number to another.
        """
        gap = self.gap
        receipt = self.write_blocking(kind, body)
        self.settle(receipt.seq)
        if self.gap != gap:
            raise AuditUnavailable(f"{self._file.path}: the disk lost records; perhaps record {receipt.seq}")
        return receipt

    def settle(self, seq: int) -> None:
        """Return once all records up to a number are on disk, whatever `durability` says. Raises AuditUnavailable."""
        until = monotonic() + SETTLE_S
        while self._file.synced.seq < seq:
            self._committer.sync()
            if self._file.synced.seq < seq:
                if self._file.is_failing or monotonic() > until:
                    raise AuditUnavailable(f"{self._file.path}: the disk did not take record {seq}")
                sleep(0.005)

    def close(self) -> None:
        """Write and sync all that is queued, and let the directory go. Writing afterwards is AuditUnavailable.

        In a process that was forked from the writer's it does nothing: the log is the writer's.
        Raises AuditUnavailable where `flush` or `async` could not keep what they took; the log is closed even so.
        """
        if os.getpid() != self._process:
            return
        if not self._committer.is_closed:
            self._closed.finish()
        if not self._committer.stop():
            return
        atexit.unregister(self._close_at_exit)
        try:
            lost = self._committer.finish()
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)  # forked processes may hold it open
            os.close(self._lock_file)
            self._taken.close()
            if self._anchors is not None:
                self._anchors.close()
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

    def _members(self, kind: str, body: Body) -> bytes:
        if os.getpid() != self._process:
            raise AuditUnavailable(
                f"{self._file.path}: this process was forked from the one that opened the audit log; open one of its"
                " own in each process, after the fork"
            )
        if kind not in _USUAL and not _KIND.fullmatch(kind):
            raise ValueError(f"`{kind}` is not a kind of record: it takes lower-case letters and _")
        return encode_body(body)
