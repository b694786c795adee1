"""The chain of one process: what waits is linked, and written in one statement, which is one transaction."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from adjudge.ledger.kit import CHECKPOINT, FIRST_PREV, Checkpoints, Witness, encode_body
from adjudge.plugin import AuditBroken, AuditUnavailable, CallBody, Claim, LostClaim, Receipt
from adjudge_plugins.postgres.database import DEADLINE_S, connect, told
from adjudge_plugins.postgres.sealing import Linked, Seal, Sealing

if TYPE_CHECKING:
    from adjudge_plugins.postgres.database import Connection

GROUP_MAX = 256
"""So many records go into one transaction, and the checkpoints that are due among them."""
_AGAIN_S = 5.0
"""A checkpoint that could not be written is tried again after so long."""
_WRITE = (
    b"select lost_id, lost_token from adjudge.write(%s, %s, %s, %s::text[], %s::text[], %s::text[], %s::bytea[],"
    b" %s, %s, %s, %s)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A record to write, and what follows from it.

    members: as `encode_body` gives them. claim: must be held still; the record ends it where it is a decision.
    confirms: of a label; None for anything else.
    """

    kind: str
    members: bytes
    merchant_biz_id: str | None = None
    decision_id: str | None = None
    claim: Claim | None = None
    call: CallBody | None = None
    call_text: str = ""
    confirms: bool | None = None


class Writer:
    """Writes the records of one process, one group after the other. number: of its chain, once it is open."""

    def __init__(self, dsn: str, points: Checkpoints | None = None, anchors: Sequence[Witness] = ()) -> None:
        """Connect nothing yet. points: when checkpoints come, and with which keys; anchors: who is shown them."""
        self._dsn = dsn
        self._connection: Connection | None = None
        self.number = 0
        self._seq, self._hash = 0, FIRST_PREV
        self._waiting: list[tuple[Wanted, asyncio.Future[Receipt]]] = []
        self._task: asyncio.Task[None] | None = None
        self._seal = Seal(points or Checkpoints(), anchors)
        self._due: asyncio.TimerHandle | None = None  # of a checkpoint that no record asks for

    async def open(self) -> None:
        """Begin a chain. Raises AuditUnavailable."""
        self._connection = connection = await connect(self._dsn)
        with told():
            made = await connection.execute(
                b"insert into adjudge.writers (host, process) values (%s, %s) returning writer",
                (socket.gethostname(), os.getpid()),
            )
            ((self.number,),) = await made.fetchall()
        body = {"ledger": "postgres", "writer": self.number, "at": datetime.now(UTC)}
        await self.write(Wanted(kind="ledger", members=encode_body(body)))  # says that there are other chains

    async def write(self, wanted: Wanted) -> Receipt:
        """Write a record, and return once it is committed. Raises LostClaim, AuditUnavailable and AuditBroken."""
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, done))
        self._wake()
        return await asyncio.shield(done)  # who is cancelled no longer waits; the record is written all the same

    async def aclose(self) -> None:
        """Write what waits and the last checkpoint, and let the connection go. Raises AuditUnavailable."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=2 * DEADLINE_S)
        if self._due is not None:
            self._due.cancel()
        if self.number and (self._task is None or self._task.done()):
            await self._committed((), seals="closed")
        await asyncio.to_thread(self._seal.close)
        if self._connection is not None:
            await self._connection.close()

    def close(self) -> None:
        """Let the connection go at once."""
        if self._due is not None:
            self._due.cancel()
        self._seal.close()
        if self._connection is not None:
            self._connection.pgconn.finish()

    def _wake(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        is_tried = False
        while self._waiting or (self._seal.due <= monotonic() and not is_tried):
            if not self._waiting:
                is_tried = True
                with suppress(AuditUnavailable, AuditBroken):  # it is tried again
                    await self._committed((), seals="due")
                continue
            group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
            try:
                await self._write(group)
            except Exception as error:
                for _, done in group:
                    if not done.done():
                        done.set_exception(_copy(error))
                        done.exception()  # seen: the one who waited may be gone
        if self._due is not None:
            self._due.cancel()
        self._due = None
        if self._seal.due < inf:
            left_s = self._seal.due - monotonic()
            wait_s = left_s if left_s > 0 else _AGAIN_S
            self._due = asyncio.get_running_loop().call_later(wait_s, self._wake)

    async def _write(self, group: list[tuple[Wanted, asyncio.Future[Receipt]]]) -> None:
        """Write a group; claims that were lost are told, and the others are written without them."""
        while group:
            receipts, lost = await self._committed([wanted for wanted, _ in group])
            if not lost:
                for (_, done), receipt in zip(group, receipts, strict=True):
                    if not done.done():
                        done.set_result(receipt)
                return
            for wanted, done in group:
                if _is_lost(wanted, lost) and not done.done():
                    said = f"MerchantBizId {wanted.merchant_biz_id} is claimed by another holder"
                    done.set_exception(LostClaim(said))
                    done.exception()
            group = [one for one in group if not _is_lost(one[0], lost)]

    async def _committed(
        self, group: Sequence[Wanted], *, seals: Sealing = None
    ) -> tuple[list[Receipt], set[tuple[str, int]]]:
        """Commit a group whole and return its receipts, or nothing of it and return the claims that are lost."""
        import psycopg

        connection = await self._connected()
        members = ((wanted.kind, wanted.members) for wanted in group)
        linked = self._seal.linked(members, self._seq, self._hash, seals=seals)
        if not linked:
            return [], set()
        receipts = [receipt for _, receipt in linked]
        try:
            async with asyncio.timeout(DEADLINE_S):
                asked = await connection.execute(_WRITE, self._parameters(_with_checkpoints(group, linked), receipts))
                lost = {(str(id_), int(token)) for id_, token in await asked.fetchall()}
        except BaseException as error:
            await connection.close()
            self._connection = None
            if not isinstance(error, psycopg.Error | OSError | TimeoutError):
                raise
            if not await self._arrived(receipts[-1]):
                with told():
                    raise
            lost = set()
        if not lost:
            self._seq, self._hash = receipts[-1].seq, receipts[-1].hash.encode()
            self._seal.committed(linked)
        return [receipt for kind, receipt in linked if kind != CHECKPOINT], lost

    def _parameters(self, group: Sequence[Wanted], receipts: Sequence[Receipt]) -> Sequence[object]:
        from psycopg.types.json import Jsonb

        held = [one for one in group if one.claim is not None]
        decided = [(one, receipt) for one, receipt in zip(group, receipts, strict=True) if one.kind == "decision"]
        labels = {(one.decision_id, one.merchant_biz_id): one for one in group if one.confirms is not None}
        return (
            self.number, self._seq, receipts[-1].hash,
            [one.kind for one in group], [one.merchant_biz_id for one in group], [one.decision_id for one in group],
            [receipt.line for receipt in receipts],
            Jsonb([{"id": one.merchant_biz_id, "token": one.claim.token} for one in held if one.claim]),
            Jsonb([_decided(one, receipt) for one, receipt in decided]),
            Jsonb([_call(one.call, one.call_text) for one in group if one.call is not None]),
            Jsonb([{"decision": one.decision_id, "id": one.merchant_biz_id, "confirms": one.confirms}
                   for one in labels.values()]),
        )  # fmt: skip

    async def _connected(self) -> Connection:
        """Return the connection; a new one goes on where the chain ends in the database."""
        if self._connection is None:
            await self._arrived(None)
        assert self._connection is not None
        return self._connection

    async def _arrived(self, last: Receipt | None) -> bool:
        """Connect again, and return whether a group arrived whose answer was lost.

        What still runs of it has the row of the writer, and is waited for. Raises AuditUnavailable and AuditBroken.
        """
        connection = await connect(self._dsn)
        try:
            with told():
                async with asyncio.timeout(DEADLINE_S):
                    end = b"select seq, hash from adjudge.writers where writer = %s for update"
                    rows: list[tuple[Any, ...]] = await (await connection.execute(end, (self.number,))).fetchall()
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        end_of = (int(rows[0][0]), str(rows[0][1]).encode()) if rows else None
        if last is not None and end_of == (last.seq, last.hash.encode()):
            return True
        if end_of is None or end_of[0] < self._seq:
            raise AuditBroken(f"the chain of writer {self.number} was cut off in the database")
        self._seq, self._hash = end_of  # of a group whose callers were told that nobody knows
        return False


def _with_checkpoints(group: Sequence[Wanted], linked: Sequence[Linked]) -> list[Wanted]:
    """Return what each record of a chain follows from; checkpoints follow from themselves."""
    wanted = iter(group)
    return [Wanted(kind=kind, members=b"") if kind == CHECKPOINT else next(wanted) for kind, _ in linked]


def _is_lost(wanted: Wanted, lost: set[tuple[str, int]]) -> bool:
    return wanted.claim is not None and (wanted.claim.merchant_biz_id, wanted.claim.token) in lost


def _decided(wanted: Wanted, receipt: Receipt) -> dict[str, object]:
    claim = wanted.claim
    assert claim is not None, "a decision ends a claim"
    return {
        "id": claim.merchant_biz_id, "token": claim.token, "print": claim.fingerprint, "also": claim.former,
        "decision": wanted.decision_id, "seq": receipt.seq,
    }  # fmt: skip


def _call(call: CallBody, text: str) -> dict[str, object]:
    return {
        "call_id": call.call_id, "id": call.merchant_biz_id, "print": call.fingerprint, "provider": call.provider,
        "day": call.at.strftime("%Y-%m-%d"), "price": str(call.price), "billed": call.billed, "body": text,
    }  # fmt: skip


def _copy(error: Exception) -> Exception:
    """Return an error of its own for each who waits: one that is raised twice gathers both tracebacks."""
    return type(error)(str(error)) if isinstance(error, AuditUnavailable | AuditBroken) else error
