"""The checkpoints in a chain, signed where there is a key, as a log of files has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from time import monotonic
from typing import Literal

from adjudge.ledger.kit import CHECKPOINT, Anchors, Checkpoints, Witness, encode
from adjudge.plugin import Receipt

Members = tuple[str, bytes]
"""A record to link: its kind, and its own members."""
Linked = tuple[str, Receipt]
"""A record of a chain: its kind, and where it stands."""
Sealing = Literal["due", "closed"] | None
"""Whether a checkpoint has to come: the time is up, or the chain ends; it says so where there is a key."""


class Seal:
    """Links records to a chain, and the checkpoints that are due among them.

    A chain with a key has a signed checkpoint from its birth on, so that none of a worker that was killed lacks one.
    due: when, by the monotonic clock, a checkpoint has to come even if no record asks for it.
    """

    def __init__(self, points: Checkpoints, witnesses: Sequence[Witness] = ()) -> None:
        """witnesses: elsewhere, which are shown each checkpoint that is committed."""
        self.due = inf
        self._points, self._witnesses = points, witnesses
        self._anchors: Anchors | None = None
        self._log = ""  # the hash of record 1
        self._sealed = 0  # the number of the newest checkpoint that is committed

    def linked(self, records: Iterable[Members], seq: int, last: bytes, *, seals: Sealing = None) -> list[Linked]:
        """Link records after number `seq`, which has the hash `last`, and the checkpoints that belong among them.

        seals: whether a checkpoint has to come at the end. Nothing is remembered of it.
        """
        points, log, sealed, found = self._points, self._log, self._sealed, list[Linked]()

        def add(kind: str, line: bytes, digest: bytes) -> None:
            nonlocal seq, last, log
            seq, last = seq + 1, digest
            log = log or digest.decode()
            found.append((kind, Receipt(seq=seq, hash=digest.decode(), line=line)))

        for kind, members in records:
            add(kind, *encode(kind, seq + 1, last, members, points.mac))
            if seq - sealed >= points.every or (seq == 1 and points.signer is not None):
                add(CHECKPOINT, *points.encode(seq + 1, last, log=log, gap=0))
                sealed = seq
        closes = seals == "closed" and points.mac is not None
        if seals is not None and seq > (sealed if not closes else 0):
            add(CHECKPOINT, *points.encode(seq + 1, last, log=log, gap=0, closed=closes))
        return found

    def committed(self, linked: Sequence[Linked]) -> None:
        """Remember records that stand in the database, in order, and show witnesses the checkpoints among them."""
        for kind, receipt in linked:
            if receipt.seq == 1:
                self._log = receipt.hash
            if kind == CHECKPOINT:
                self._sealed, self.due = receipt.seq, inf
                if self._witnesses:
                    self._anchors = self._anchors or Anchors(self._witnesses)
                    self._anchors.show(receipt.line)
            elif self.due == inf:
                self.due = monotonic() + self._points.seconds

    def close(self) -> None:
        """Wait until the witnesses have seen all, five seconds at most."""
        if self._anchors is not None:
            self._anchors.close()
            self._anchors = None
