"""A ledger that processes share, in one SQLite file: only as much of it as the contract looks at."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from adjudge.audit.calls import OpenCalls
from adjudge.audit.kinds import decode
from adjudge.audit.record import parse
from adjudge.errors import LostClaim
from adjudge.ledger.claims import conflict
from adjudge.ledger.local import decision_of
from adjudge.ledger.memory import MemoryLedger
from adjudge.ledger.named import Named, check_named
from adjudge.model import Decision
from adjudge.plugin import NAMED, Body, Busy, CallBody, Claim, NamedBody, NamedRecord, Receipt, Spent

_TABLES = """
create table if not exists records (seq integer primary key, kind text, subject text, decision text, line blob);
create table if not exists claims (subject text primary key, token integer, fingerprint text, until real);
create table if not exists tokens (token integer primary key autoincrement);
create table if not exists personal (commitment text primary key, subject text, name text, value blob);
"""


class SharedLedger:
    """Every step is one transaction; the clock is the machine's, which its processes share."""

    durability, notes, lost, is_immediate, key = "none", (), 0, False, b"k" * 32

    def __init__(self, place: Path | str) -> None:
        self._database = sqlite3.connect(place, timeout=120, isolation_level=None)
        self._database.executescript(_TABLES)
        self._own = _Own(self._database)

    @contextmanager
    def _step(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("begin immediate")
        try:
            yield self._database
        except BaseException:
            self._database.execute("rollback")
            raise
        self._database.execute("commit")

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...

    def close(self) -> None: ...

    async def claim(
        self, merchant_biz_id: str, fingerprint: str, *, again: bool, lease_s: float, former: str | None = None
    ) -> Claim | Decision | Busy:
        with self._step() as database:
            earlier = await self.find(merchant_biz_id=merchant_biz_id)
            if earlier is not None and earlier.fingerprint not in (fingerprint, former):
                raise conflict(merchant_biz_id)
            if earlier is not None and not again:
                return earlier
            held = "select token, fingerprint from claims where subject = ? and until > ?"
            if (row := database.execute(held, (merchant_biz_id, time.time())).fetchone()) is not None:
                if row[1] not in (fingerprint, former):
                    raise conflict(merchant_biz_id)
                return Busy(merchant_biz_id=merchant_biz_id, token=row[0])
            token = database.execute("insert into tokens default values").lastrowid or 0
            claimed = (merchant_biz_id, token, fingerprint, time.time() + lease_s)
            database.execute("insert or replace into claims values (?, ?, ?, ?)", claimed)
            return Claim(
                merchant_biz_id=merchant_biz_id,
                fingerprint=fingerprint,
                token=token,
                earlier=earlier,
                calls=self._calls().of(merchant_biz_id, fingerprint),
            )

    async def wait(self, busy: Busy, until: float) -> None:
        held = "select 1 from claims where subject = ? and token = ? and until > ?"
        while (
            monotonic() < until
            and self._database.execute(held, (busy.merchant_biz_id, busy.token, time.time())).fetchone()
        ):
            await asyncio.sleep(0.02)

    async def release(self, claim: Claim) -> None:
        with self._step() as database:
            database.execute("delete from claims where subject = ? and token = ?", (claim.merchant_biz_id, claim.token))

    async def begin_call(self, claim: Claim, call: CallBody) -> None:
        with self._step():
            self._check(claim)
            await self.record("call", call)

    async def end_call(self, claim: Claim, call: CallBody) -> None:
        with self._step():
            await self.record("call", call)

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        with self._step() as database:
            self._check(claim)
            receipt = await self.record("decision", record)
            database.execute("delete from claims where subject = ?", (claim.merchant_biz_id,))
        return receipt

    async def find(self, *, decision_id: str | None = None, merchant_biz_id: str | None = None) -> Decision | None:
        by, sought = ("decision", decision_id) if decision_id is not None else ("subject", merchant_biz_id)
        wanted = f"select line from records where kind = 'decision' and {by} = ? order by seq desc"
        row = self._database.execute(wanted, (sought,)).fetchone()
        if row is None:
            return None
        decision = await self._own._restored(decision_of(parse(row[0])))
        labels = "select 1 from records where kind = 'label' and decision = ? and subject = ?"
        is_final = (
            decision.final
            or self._database.execute(labels, (decision.decision_id, decision.merchant_biz_id)).fetchone()
        )
        return msgspec.structs.replace(decision, final=bool(is_final))

    async def spent(self) -> Spent:
        return self._calls().spent

    async def in_doubt(self) -> Sequence[CallBody]:
        return [body for body in self._calls().undecided() if body.is_in_doubt]

    async def record(self, kind: str, body: Body) -> Receipt:
        receipt = await self._own.record(kind, body)
        self._database.execute(
            "insert into records (kind, subject, decision, line) values (?, ?, ?, ?)",
            (kind, getattr(body, "merchant_biz_id", ""), getattr(body, "decision_id", ""), receipt.line),
        )
        return receipt

    async def note(self, kind: str, record: NamedBody) -> NamedRecord:
        check_named(kind, record)
        with self._step():
            self._named().require_next(kind, record)
            line = (await self.record(kind, record)).line
        return NamedRecord(kind=kind, name=record.name, number=record.number, line=line)

    async def newest(self, kind: str) -> Mapping[str, NamedRecord]:
        return self._named().newest(kind)

    async def noted(self, kind: str) -> int:
        return self._named().count(kind)

    def _named(self) -> Named:
        kept = self._database.execute("select kind, line from records order by seq")
        return Named(parse(line) for kind, line in kept if kind in NAMED)

    async def label(self, decision_id: str, merchant_biz_id: str, record: Body, *, confirms: bool) -> None:
        await self.record("label", record)

    def sealed(self, subject: str, values: Any) -> AbstractAsyncContextManager[Any]:
        sealing = self._own.sealed(subject, values)
        return _Sealed(self._database, subject, values, sealing)

    async def erase(self, merchant_biz_id: str, record: Callable[[tuple[str, ...]], Body]) -> int:
        with self._step() as database:
            return database.execute("delete from personal where subject = ?", (merchant_biz_id,)).rowcount

    def _check(self, claim: Claim) -> None:
        row = self._database.execute("select token from claims where subject = ?", (claim.merchant_biz_id,)).fetchone()
        if row is None or row[0] != claim.token:
            raise LostClaim("another holder has it")

    def _calls(self) -> OpenCalls:
        calls = OpenCalls()
        for kind, line in self._database.execute("select kind, line from records order by seq"):
            if kind == "call":
                record = parse(line)
                calls.add(decode(CallBody, record.seq, record.body))
            elif kind == "decision":
                body = decision_of(parse(line))
                calls.decided(body.merchant_biz_id, body.fingerprint)
        return calls


class _Own(MemoryLedger):
    """Makes records, and finds personal values where every process does."""

    def __init__(self, database: sqlite3.Connection) -> None:
        super().__init__()
        self._database = database

    async def _revealed(self, merchant_biz_id: str, commitments: Sequence[str]) -> dict[str, object]:
        wanted = "select value from personal where commitment = ?"
        found = {one: self._database.execute(wanted, (one,)).fetchone() for one in commitments}
        return {one: msgspec.json.decode(row[0]) for one, row in found.items() if row is not None}


class _Sealed:
    """Keeps what the memory's own sealing makes of values where every process finds it."""

    def __init__(self, database: sqlite3.Connection, subject: str, values: Any, sealing: Any) -> None:
        self._database, self._subject, self._values, self._sealing = database, subject, values, sealing

    async def __aenter__(self) -> Any:
        sealed = await self._sealing.__aenter__()
        for name, commitment in sealed.items():
            row = (commitment, self._subject, name, msgspec.json.encode(self._values[name]))
            self._database.execute("insert into personal values (?, ?, ?, ?)", row)
        return sealed

    async def __aexit__(self, *how: object) -> None:
        await self._sealing.__aexit__(*how)
