"""Checkpoints: records that say how far the chain has come, signed where there is a key, and witnesses of them."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from adjudge.audit.disk import Disk, LocalDisk
from adjudge.audit.proof import CHECKPOINT, Proof
from adjudge.audit.read import unfinished
from adjudge.audit.record import SUFFIX_LENGTH, Record, encode, encode_body, parse
from adjudge.audit.signing import Mac, Signer
from adjudge.audit.verify import opened
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.events import Events
from adjudge.frozen import frozen

EVERY = 1000
SECONDS = 60.0
_CLOSING_S = 5.0
_events = Events("adjudge.audit")


class FoundBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a start found the log. unsigned: records after the last checkpoint; proof: what proved the end of the log.

    by: who took it over where nothing did.
    """

    unsigned: int
    proof: Literal["mac", "signature", "none"]
    by: str = ""


class CheckpointBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a checkpoint says; `verify` explains it. signature: lower-case hex, of the bytes before it."""

    at: datetime
    log: str
    count: int
    last: str
    gap: int
    every: int
    fingerprint_key: str = ""
    found: FoundBody | None = None
    retires: str | None = None
    closed: bool = False
    key: str | None = None
    signature: str | None = None


def _utc_now() -> datetime:
    return datetime.now(UTC)


@frozen(kw_only=True)
class Checkpoints:
    """When a log gets checkpoints, who signs them, and what proves the records between them.

    every: after so many records at the latest; seconds: and so long after a record. mac_key: 32 bytes; derived from
    the signer's key unless given. retiring, retiring_mac_key: a signer and a key of macs whose place these take; they
    prove what they have written.
    """

    every: int = EVERY
    seconds: float = SECONDS
    signer: Signer | None = None
    mac_key: bytes | None = None
    retiring: Signer | None = None
    retiring_mac_key: bytes | None = None
    clock: Callable[[], datetime] = _utc_now
    mac: Mac | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        key = self.mac_key or (self.signer.mac_key if self.signer is not None else None)
        object.__setattr__(self, "mac", Mac(key) if key is not None else None)

    @property
    def proof(self) -> Proof | None:
        """What proves the records of a log that goes on with these keys; None without any."""
        signers = [one for one in (self.signer, self.retiring) if one is not None]
        keys = [key for key in (self.mac_key, self.retiring_mac_key) if key is not None]
        keys += [one.mac_key for one in signers]
        return Proof.by(signers, keys) if keys else None

    def encode(
        self,
        seq: int,
        prev: bytes,
        *,
        log: str,
        gap: int,
        found: tuple[FoundBody, str | None] | None = None,
        closed: bool = False,
        fingerprint_key: str = "",
    ) -> tuple[bytes, bytes]:
        """Return the line of a checkpoint and its hash, as `encode` does. log: the hash of the log's first record.

        found: of the first checkpoint after a start. closed: of the last one before an end. fingerprint_key: a digest.
        """
        last = prev.decode()
        met, retired = found or (None, None)
        body = CheckpointBody(self.clock(), log, seq - 1, last, gap, self.every, fingerprint_key, met, retired, closed)
        members = encode_body(body)
        if self.signer is not None:
            members += b',"key":"%b"' % self.signer.key_id.encode()
            line, _ = encode(CHECKPOINT, seq, prev, members)
            signature = self.signer.sign(line[:-SUFFIX_LENGTH])
            members += b',"signature":"%b"' % signature.hex().encode()
        return encode(CHECKPOINT, seq, prev, members, self.mac)


class Witness(Protocol):
    """Somebody outside the log who remembers its checkpoints."""

    def write(self, line: bytes) -> None:
        """Take a checkpoint that is durable. May raise anything, and is then shown it again with the next."""
        ...


class Anchors:
    """Witnesses outside the log that are shown each checkpoint, in a thread of their own: they may be slow or fail.

    A checkpoint that one of them did not take is tried again before the next, and at the end.
    """

    def __init__(self, witnesses: Sequence[Witness]) -> None:
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._witnesses = witnesses
        self._thread = threading.Thread(target=self._run, name="adjudge-anchors", daemon=True)
        self._thread.start()

    def show(self, line: bytes) -> None:
        """Show a checkpoint that is durable; returns at once."""
        self._queue.put(line)

    def close(self) -> None:
        """Wait until all is shown, at most five seconds."""
        self._queue.put(None)
        self._thread.join(_CLOSING_S)

    def _run(self) -> None:
        missed: dict[int, bytes] = {}
        while True:
            line = self._queue.get()
            for at, witness in enumerate(self._witnesses):
                lines = [one for one in (missed.pop(at, None), line) if one is not None]
                try:
                    for one in lines:
                        witness.write(one)
                except BaseException:  # the log has the checkpoint; a witness that fails changes no answer
                    missed[at] = lines[-1]
                    _events.exception("anchor_failed", anchor=type(witness).__name__)
            if line is None:
                return


class FileAnchor:
    """A file elsewhere, best on another machine's disk, to which checkpoints are appended and synced."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self.path = path
        self._disk = disk or LocalDisk()

    def write(self, line: bytes) -> None:
        """Append a checkpoint. Raises OSError."""
        file = self._disk.open(self.path, create=True)
        try:
            start, torn = unfinished(self.path)
            if torn:  # a crash in the middle of a line, which nobody was told of
                self._disk.truncate(file, start)
            rest = memoryview(line)
            while rest:
                rest = rest[self._disk.write(file, rest) :]
            self._disk.datasync(file)
        finally:
            os.close(file)

    def newest(self, log: str) -> Record | None:
        """Return the last checkpoint of a log; None where there is none yet. Raises AuditUnavailable, AuditBroken."""
        found = None
        try:
            with opened(self.path) as file:
                for line in file:
                    if line.endswith(b"\n") and log.encode() in line:
                        record = parse(line)
                        if record.kind == CHECKPOINT and record.decode(CheckpointBody).log == log:
                            found = record
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AuditUnavailable(f"{self.path}: {error.strerror}") from error
        except Exception as error:
            raise AuditBroken(f"{self.path}: holds something that is not a checkpoint: {error}") from None
        return found
