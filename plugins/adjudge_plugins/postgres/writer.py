"""The chain of one process: what waits is linked, and written in one statement, which is one transaction."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from adjudge.ledger.kit import CHECKPOINT, FIRST_PREV, Checkpoints, Witness, encode_body
from adjudge.plugin import (
    AuditBroken,
    AuditUnavailable,
    CallBody,
    Claim,
    LostClaim,
    Pool,
    Quota,
    QuotaReached,
    Receipt,
)
from adjudge_plugins.postgres.arrays import Blobs, Numbers, Texts
from adjudge_plugins.postgres.database import DEADLINE_S, connect, told
from adjudge_plugins.postgres.sealing import Linked, Seal, Sealing

if TYPE_CHECKING:
    from psycopg.types.json import Jsonb

    from adjudge_plugins.postgres.database import Connection

GROUP_MAX = 256
"""So many records go into one transaction, and the checkpoints that are due among them."""
_AGAIN_S = 5.0
"""A checkpoint that could not be written is tried again after so long."""
_WRITE = b"select at, said, wait_s from adjudge.write(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::float8, %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A record to write, and what follows from it.

    members: as `encode_body` gives them. claim: must be held still; the record ends it where it is a decision.
    confirms: of a label; None for anything else. sealed: commitments of values that must not be erased yet.
    quota: counts a call for all workers.
    """

    kind: str
    members: bytes
    merchant_biz_id: str | None = None
    decision_id: str | None = None
    claim: Claim | None = None
    call: CallBody | None = None
    confirms: bool | None = None
    sealed: Sequence[str] = ()
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A record that is committed. wait_s: seconds before the call that it begins is made."""

    receipt: Receipt
    wait_s: float = 0.0


class Writer:
    """Writes the records of one process, one group after the other. number: of its chain, once it is open."""

    def __init__(
        self,
        dsn: str,
        points: Checkpoints | None = None,
        anchors: Sequence[Witness] = (),
        *,
        answer_for_s: float = 0.0,
    ) -> None:
        """Connect nothing yet.

        points: when checkpoints come, and with which keys; anchors: who is shown them. answer_for_s: seconds for which
        an id that has a decision is not new.
        """
        self._dsn, self._answer_for_s = dsn, answer_for_s
        self._connection: Connection | None = None
        self.number = 0
        self._seq, self._hash = 0, FIRST_PREV
        self._waiting: list[_Waiting] = []
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

    async def write(self, wanted: Wanted) -> Written:
        """Write a record, and return once it is committed.

        Raises LostClaim, QuotaReached, AuditUnavailable and AuditBroken.
        """
        done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, done))
        self._wake()
        return await done  # who is cancelled no longer waits; the record is written all the same

    async def aclose(self) -> None:
        """Write what waits and the last checkpoint, and let the connection go. Raises AuditUnavailable."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=2 * DEADLINE_S)
        if self._due is not None:
            self._due.cancel()
        if self.number and (self._task is None or self._task.done()):
            await self._committed((), seals="closed")
        pool = Pool("adjudge-anchors", 1)
        try:
            await pool.run(self._seal.close, deadline_s=DEADLINE_S)
        except TimeoutError:
            pass  # an anchor that does not answer holds up nobody's end
        finally:
            pool.close()
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
            group, self._waiting = _grouped(self._waiting)
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

    async def _write(self, group: list[_Waiting]) -> None:
        """Write a group; who may not write is told, and the others are written without them."""
        while group:
            receipts, said = await self._committed([wanted for wanted, _ in group])
            refused = {at for at, (what, _) in said.items() if what != "wait"}
            for at, (wanted, done) in enumerate(group):
                if done.done():
                    continue
                if at in refused:
                    done.set_exception(_refusal(wanted, said[at][0]))
                    done.exception()  # seen: the one who waited may be gone
                elif not refused:
                    done.set_result(Written(receipts[at], said[at][1] if at in said else 0.0))
            if not refused:
                return
            group = [one for at, one in enumerate(group) if at not in refused]

    async def _committed(
        self, group: Sequence[Wanted], *, seals: Sealing = None
    ) -> tuple[list[Receipt], dict[int, tuple[str, float]]]:
        """Commit a group whole, or nothing of it where one of it may not be written; return what was said of which."""
        import psycopg

        connection = await self._connected()
        members = ((wanted.kind, wanted.members) for wanted in group)
        linked = self._seal.linked(members, self._seq, self._hash, seals=seals)
        if not linked:
            return [], {}
        receipts = [receipt for _, receipt in linked]
        records = _with_checkpoints(group, linked)
        numbers = dict(zip((at for at, one in enumerate(records, 1) if one.kind != CHECKPOINT), count()))
        try:
            async with asyncio.timeout(DEADLINE_S):
                asked = await connection.execute(_WRITE, self._parameters(records, receipts))
                said = {numbers[at]: (str(what), float(wait_s or 0)) for at, what, wait_s in await asked.fetchall()}
        except BaseException as error:
            await connection.close()
            self._connection = None
            if not isinstance(error, psycopg.Error | OSError | TimeoutError):
                raise
            if not await self._arrived(receipts[-1]):
                with told():
                    raise
            # how long the calls of the group were to wait is lost with the answer: as long as they may
            said = {at: ("wait", one.quota.within_s) for at, one in enumerate(group) if one.quota and one.quota.rate}
        if all(what == "wait" for what, _ in said.values()):
            self._seq, self._hash = receipts[-1].seq, receipts[-1].hash.encode()
            self._seal.committed(linked)
        return [receipt for kind, receipt in linked if kind != CHECKPOINT], said

    def _parameters(self, group: Sequence[Wanted], receipts: Sequence[Receipt]) -> Sequence[object]:
        claims, texts = [one.claim for one in group], Texts.from_str
        return (
            self.number, self._seq, self._hash.decode(), receipts[-1].hash,
            texts(one.kind for one in group), texts(one.merchant_biz_id for one in group),
            texts(one.decision_id for one in group), Blobs.of(receipt.line for receipt in receipts),
            Numbers.from_int(None if one is None else one.token for one in claims),
            texts(None if one is None else one.holder for one in claims),
            texts(None if one is None else one.fingerprint for one in claims),
            texts(None if one is None else one.former for one in claims),
            self._answer_for_s, _more(group),
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
        if end_of is None or end_of[0] < self._seq or (end_of[0] == self._seq and end_of[1] != self._hash):
            raise AuditBroken(f"the chain of writer {self.number} was cut off or replaced in the database")
        self._seq, self._hash = end_of  # of a group whose callers were told that nobody knows
        return False


def _grouped(waiting: Sequence[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
    """Return what is written together, and what waits longer, each as it came.

    Presumed claims come with no held ones, and an id of them once: so claims are locked in the order of their ids.
    """
    group, left, ids = list[_Waiting](), list[_Waiting](), set[str]()
    presumes: bool | None = None
    for one in waiting:
        claim = one[0].claim
        if claim is not None:
            presumes = not claim.token if presumes is None else presumes
        if len(group) == GROUP_MAX or (
            claim is not None and ((not claim.token) is not presumes or (presumes and claim.merchant_biz_id in ids))
        ):
            left.append(one)
            continue
        group.append(one)
        if claim is not None:
            ids.add(claim.merchant_biz_id)
    return group, left


def _with_checkpoints(group: Sequence[Wanted], linked: Sequence[Linked]) -> list[Wanted]:
    """Return what each record of a chain follows from; checkpoints follow from themselves."""
    wanted = iter(group)
    return [Wanted(kind=kind, members=b"") if kind == CHECKPOINT else next(wanted) for kind, _ in linked]


def quota_text(quota: Quota) -> dict[str, object]:
    """Return a quota as the database takes it."""
    return {
        "provider": quota.provider, "account": quota.account, "price": str(quota.price), "rate": quota.rate,
        "daily_calls": quota.daily_calls, "within_s": quota.within_s,
        "daily_spend": None if quota.daily_spend is None else str(quota.daily_spend),
    }  # fmt: skip


def _refusal(wanted: Wanted, said: str) -> Exception:
    match said:
        case "daily_calls" | "daily_spend" | "rate":
            return QuotaReached(said)
        case "erased" if wanted.call is not None:
            return AuditUnavailable(f"values of MerchantBizId {wanted.merchant_biz_id} were erased meanwhile")
        case "erased":  # decided again, it is decided after the erasure
            return LostClaim(f"values of MerchantBizId {wanted.merchant_biz_id} were erased meanwhile")
        case _:
            return LostClaim(f"MerchantBizId {wanted.merchant_biz_id} is claimed by another holder")


def _more(group: Sequence[Wanted]) -> Jsonb | None:
    """Return what follows from records beside decisions, as the database takes it; None where nothing does."""
    from psycopg.types.json import Jsonb

    numbered = list(enumerate(group, 1))
    labels = {(one.decision_id, one.merchant_biz_id): one for one in group if one.confirms is not None}
    more = {
        "sealed": [{"at": at, "one": one} for at, wanted in numbered for one in wanted.sealed],
        "calls": [{"at": at} | _call(one.call) for at, one in numbered if one.call is not None],
        "quotas": [{"at": at} | quota_text(one.quota) for at, one in numbered if one.quota is not None],
        "labels": [{"decision": one.decision_id, "id": one.merchant_biz_id, "confirms": one.confirms}
                   for one in labels.values()],
    }  # fmt: skip
    return Jsonb(more) if any(more.values()) else None


def _call(call: CallBody) -> dict[str, object]:
    return {
        "call_id": call.call_id, "id": call.merchant_biz_id, "print": call.fingerprint, "provider": call.provider,
        "day": call.at.strftime("%Y-%m-%d"), "price": str(call.price), "billed": call.billed,
    }  # fmt: skip


_Waiting = tuple[Wanted, asyncio.Future[Written]]


def _copy(error: Exception) -> Exception:
    """Return an error of its own for each who waits: one that is raised twice gathers both tracebacks."""
    return type(error)(str(error)) if isinstance(error, AuditUnavailable | AuditBroken) else error
