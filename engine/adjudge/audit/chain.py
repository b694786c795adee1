"""The end of the chain that a writer makes: records as callers hand them in, and the checkpoints among them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import inf
from time import monotonic

from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.file import Head, LogFile
from adjudge.audit.read import first_hash
from adjudge.audit.record import encode
from adjudge.audit.start import Start
from adjudge.audit.taken import Taken
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.plugin import Receipt


class Chain:
    """What is linked, whether it stands in the file already or not. Its user holds the lock at every call.

    end: the last record that was handed in. checkpoint_due: when, by the monotonic clock, one has to come even if no
    record asks for it; infinite where nothing is to be told. dropped: records that were taken and never written.
    fingerprint_key: a digest of the key behind fingerprints, which checkpoints say; empty where it is not known.
    """

    def __init__(
        self,
        file: LogFile,
        *,
        checkpoints: Checkpoints | None,
        start: Start,
        taken: Taken,
        max_line: int,
        changed: threading.Condition,
    ) -> None:
        """Go on with a file. max_line: bytes of the longest record. changed: told when a checkpoint becomes due."""
        self.end = file.written
        self.checkpoint_due = inf
        self.dropped = max(start.gap, taken.gap)
        self.fingerprint_key = start.fingerprint_key
        self._told_gap = start.gap
        self._taken = taken
        self._file = file
        self._checkpoints = checkpoints
        self._mac = checkpoints.mac if checkpoints is not None else None
        self._start = start
        self._max_line = max_line
        self._changed = changed
        self._opening_seq = 0  # of the checkpoint that says how the log was found
        self._found_seq = file.written.seq
        self._log_id = first_hash(file.directory) if file.written.seq else ""
        self._unseen: list[tuple[int, bytes]] = []  # checkpoints that are not on disk yet

    @property
    def gap(self) -> int:
        """How many records were taken and then lost, in all runs of this log."""
        return self.dropped + self._file.lost

    @property
    def must_be_sealed(self) -> bool:
        """Whether a checkpoint has to say that this is the end."""
        if self._file.broken is not None or self._checkpoints is None:
            return False
        if self.end.seq and self.gap > self._told_gap:
            return True
        if self._mac is None:
            return self.end.seq > self.end.checkpoint
        return self.end.seq != self._found_seq or self._start.is_open

    def link(self, kind: str, members: bytes) -> tuple[Receipt, Sequence[bytes]]:
        """Link a record, and the checkpoints that are due before and after it; return all lines too.

        Raises AuditBroken, AuditUnavailable; then nothing is linked.
        """
        if self._file.broken is not None:
            raise AuditBroken(self._file.broken)
        before, unseen = self.end, len(self._unseen)
        opening = (self.seal(),) if self._start.says is not None and not self._opening_seq else ()
        try:
            receipt = self._record(kind, members)
        except BaseException:
            self.end = before
            if opening:
                del self._unseen[unseen:]
                self._opening_seq = 0
            raise
        points = self._checkpoints
        if points is not None and self.end.seq - self.end.checkpoint >= points.every:
            return receipt, (*opening, receipt.line, self.seal())
        return receipt, (*opening, receipt.line)

    def seal(self, *, closed: bool = False) -> bytes:
        """Link a checkpoint and return its line; the first says how the log was found, the last that it is closed."""
        assert self._checkpoints is not None
        before, opening = self.end, None if self._opening_seq else self._start.says
        line, digest = self._checkpoints.encode(
            before.seq + 1,
            before.hash,
            log=self._log_id,
            gap=self.gap,
            found=opening,
            closed=closed and self._mac is not None,
            fingerprint_key=self.fingerprint_key,
        )
        self.end = Head(before.seq + 1, digest, checkpoint=before.seq + 1)
        self.checkpoint_due, self._told_gap = inf, self.gap
        if opening is not None:
            self._opening_seq = before.seq + 1
        self._unseen.append((before.seq + 1, line))
        return line

    def note_taken(self) -> None:
        """Remember what was said yes to, and what was lost, beyond the end of the process. Raises AuditUnavailable."""
        try:
            self._taken.put(self.end.seq, self.gap)
        except OSError as error:
            raise AuditUnavailable(f"{self._file.directory}: {error.strerror or error}") from error

    def go_back(self) -> None:
        """Go on from what stands in the file."""
        self.end = self._file.written
        self._unseen = [one for one in self._unseen if one[0] <= self.end.seq]
        if self._opening_seq > self.end.seq:
            self._opening_seq = 0

    def newly_durable(self) -> bytes | None:
        """Return the newest checkpoint that is on disk, once; None where none has come since."""
        durable = [line for seq, line in self._unseen if seq <= self._file.synced.seq]
        del self._unseen[: len(durable)]
        return durable[-1] if durable else None

    def _record(self, kind: str, members: bytes) -> Receipt:
        before = self.end
        line, digest = encode(kind, before.seq + 1, before.hash, members, self._mac)
        if len(line) > self._max_line:
            raise AuditUnavailable(f"a record of {len(line)} bytes is longer than the log takes, {self._max_line}")
        self.end = Head(before.seq + 1, digest, checkpoint=before.checkpoint)
        if not before.seq:
            self._log_id = digest.decode()
        if self._checkpoints is not None and self.checkpoint_due == inf:
            self.checkpoint_due = monotonic() + self._checkpoints.seconds
            self._changed.notify()
        return Receipt(seq=before.seq + 1, hash=digest.decode(), line=line)
